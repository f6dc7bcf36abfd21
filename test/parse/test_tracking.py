# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import Grasp, ObjectNote, Prompt
from r2rgen_ros.model.demo import Arm
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.tracking import closed_frames, grasp_intervals, held_by, track

COUNT = 30


def demo_with_path(table, seed):
    rng = np.random.default_rng(seed)
    path = se3.from_quaternion(rng.normal(size=(COUNT, 3)), rng.normal(size=(COUNT, 4)))
    return table.make_demo([table.cloud_frame(np.zeros((1, 3)))] * COUNT, path), path


@st.composite
def grasps(draw):
    edges = sorted(draw(st.lists(st.integers(0, COUNT - 1), max_size=6, unique=True)))
    return tuple(Grasp('arm', *pair) for pair in zip(edges[::2], edges[1::2], strict=False))


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**31), held=grasps(), frame=st.integers(0, COUNT - 1))
def test_objects_are_rigid_with_the_hand_that_holds_them_and_still_otherwise(
    table, seed, held, frame
):
    demo, path = demo_with_path(table, seed)
    start = se3.compose(se3.rotation_about([0, 0, 1], 0.3), [0.1, 0.2, 0.3])
    poses = track(demo, start, frame, held)
    assert np.allclose(poses[frame], start, atol=1e-12)
    inside = np.zeros(COUNT, dtype=bool)
    for grasp in held:
        inside[grasp.first + 1 : grasp.last + 1] = True
        in_hand = (
            se3.inverse(path[grasp.first : grasp.last + 1]) @ poses[grasp.first : grasp.last + 1]
        )
        assert np.allclose(in_hand, in_hand[0], atol=1e-9)
    for t in range(1, COUNT):
        if not inside[t]:
            assert np.allclose(poses[t], poses[t - 1], atol=1e-12)
    # Where the tracking started makes no difference.
    again = track(demo, poses[0], 0, held)
    assert np.allclose(again, poses, atol=1e-8)


def arm(gripper, *, closed_is_low=True):
    poses = np.tile(np.eye(4), (len(gripper), 1, 1))
    return Arm('arm', 'tool', poses, np.array(gripper, dtype=float), closed_is_low)


@pytest.mark.parametrize(
    ('gripper', 'spans'),
    [
        ([4, 4, 4, 0, 0, 0, 4, 4], [(3, 5)]),
        ([4, 4, 3, 1, 0.5, 0.5, 0.5, 1.5, 4], [(4, 6)]),
        ([0, 0, 4, 4, 0, 0], [(0, 1), (4, 5)]),
        ([4, 4, 4], []),
        ([np.nan] * 4, []),
        ([4.0, 4.01, 4.0, 3.99], []),
        ([4, 4, 0, 4, 4], [(2, 2)]),
        ([4, np.nan, 0, 0, 4], [(2, 3)]),
    ],
)
def test_a_grasp_is_a_closed_gripper_that_neither_closes_nor_opens(gripper, spans):
    assert grasp_intervals(arm(gripper)) == spans
    turned = [-value for value in gripper]
    assert grasp_intervals(arm(turned, closed_is_low=False)) == spans
    assert closed_frames(arm(gripper)).sum() >= sum(last - first + 1 for first, last in spans)


def test_who_holds_what_is_said_for_every_frame(table):
    demo, _ = demo_with_path(table, 0)
    note = ObjectNote('cup', Prompt(mask='m'), (Grasp('arm', 3, 5), Grasp('arm', 9, 9)))
    held = held_by(demo, note)
    assert np.flatnonzero(held == 0).tolist() == [3, 4, 5, 9]
    assert (held[held != 0] == -1).all()
    with pytest.raises(R2RGenError, match='held by "left"'):
        held_by(demo, ObjectNote('cup', Prompt(mask='m'), (Grasp('left', 3, 5),)))
    with pytest.raises(R2RGenError, match='held until frame 30'):
        held_by(demo, ObjectNote('cup', Prompt(mask='m'), (Grasp('arm', 3, 30),)))
