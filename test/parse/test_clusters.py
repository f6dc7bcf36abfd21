# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.parse.clusters import clusters, spacing


@settings(deadline=None)
@given(
    st.lists(st.integers(3, 60), min_size=1, max_size=5),
    st.floats(0.005, 0.1),
    st.integers(0, 2**31),
)
def test_heaps_far_apart_are_told_apart_and_numbered_by_size(sizes, radius, seed):
    rng = np.random.default_rng(seed)
    heaps = [
        rng.uniform(-0.2, 0.2, (size, 3)) * radius + [4 * radius * k, 0, 0]
        for k, size in enumerate(sizes)
    ]
    order = rng.permutation(sum(sizes))
    truth = np.repeat(np.arange(len(sizes)), sizes)[order]
    label = clusters(np.concatenate(heaps)[order], radius, 3)
    assert len(set(zip(truth.tolist(), label.tolist(), strict=True))) == len(sizes)
    counts = np.bincount(label)
    assert counts.tolist() == sorted(sizes, reverse=True)


@settings(deadline=None)
@given(st.integers(2, 80), st.floats(0.005, 0.1), st.integers(0, 2**31))
def test_a_chain_of_small_steps_hangs_together(count, radius, seed):
    rng = np.random.default_rng(seed)
    chain = np.zeros((count, 3))
    chain[:, 0] = np.cumsum(rng.uniform(0.05, 0.5, count)) * radius
    assert (clusters(rng.permutation(chain), radius, 1) == 0).all()


def test_what_is_too_small_belongs_nowhere():
    points = np.concatenate([np.zeros((5, 3)), np.ones((4, 3))])
    assert clusters(points, 0.1, 5).tolist() == [0] * 5 + [-1] * 4
    assert clusters(points, 0.1, 6).tolist() == [-1] * 9
    assert clusters(np.zeros((0, 3)), 0.1, 1).shape == (0,)


def test_spacing_is_that_of_the_grid():
    grid = np.stack(np.meshgrid(*[np.arange(12) * 0.01] * 3), axis=-1).reshape(-1, 3)
    assert spacing(grid) == pytest.approx(0.01)
    assert spacing(grid[:1]) == 0.0
