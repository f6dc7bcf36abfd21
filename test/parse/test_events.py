# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When a gripper closes and opens."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from r2rgen_ros.model.demo import Arm
from r2rgen_ros.parse.events import closed_frames, closures, grasp_intervals


def arm(gripper, *, closed_is_low=True):
    poses = np.tile(np.eye(4), (len(gripper), 1, 1))
    return Arm('arm', 'tool', poses, np.array(gripper, dtype=float), closed_is_low)


@given(st.lists(st.integers(4, 12), min_size=3, max_size=9), st.integers(1, 30), st.booleans())
def test_closures_are_found_however_slowly_the_gripper_moves(lengths, ramp, low):
    """Plateaus, open and closed in turn, with ramps in between."""
    levels = [0.08 if k % 2 == 0 else 0.01 + 0.002 * k for k in range(len(lengths))]
    width, spans = [], []
    for k, (length, level) in enumerate(zip(lengths, levels, strict=True)):
        if k:
            width += list(np.linspace(levels[k - 1], level, ramp + 1)[1:-1])
        if k % 2:
            spans.append((len(width), len(width) + length - 1))
        width += [level] * length
    found = grasp_intervals(arm(width if low else [-w for w in width], closed_is_low=low))
    assert len(found) == len(spans)
    near = 1 + ramp // 10  # within 5 % of where it settles is closed
    for mine, true in zip(found, spans, strict=True):
        assert abs(mine[0] - true[0]) <= near
        assert abs(mine[1] - true[1]) <= near


def test_a_wide_object_that_the_fingers_hardly_close_on_counts_beside_a_thin_one():
    width = [0.08] * 5 + [0.07] * 6 + [0.08] * 5 + [0.002] * 6 + [0.08] * 5
    assert grasp_intervals(arm(width)) == [(5, 10), (16, 21)]
    assert closed_frames(arm(width)).sum() == 12


def test_noise_closes_nothing():
    noise = np.random.default_rng(0).normal(0, 1e-4, 200)
    assert closures(arm(0.001 + noise)) == []
    width = np.repeat([0.08, 0.02, 0.08], 60) + noise[:180]
    ((first, last),) = grasp_intervals(arm(width))
    assert (first, last) == (60, 119)


def test_a_gripper_that_gives_way_a_little_goes_on_holding():
    width = [0.08] * 5 + [0.03, 0.031, 0.03, 0.032, 0.031] * 4 + [0.08] * 5
    assert grasp_intervals(arm(width)) == [(5, 24)]
