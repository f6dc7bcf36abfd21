# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.shape import Shape, owners

seeds = st.integers(0, 10_000)


def _drawn(seed, count):
    """Shapes at poses, and points about them."""
    random = np.random.default_rng(seed)
    shapes = [Shape(random.uniform(-0.05, 0.05, (40, 3))) for _ in range(count)]
    poses = [
        se3.about_point(
            Rotation.random(random_state=random).as_matrix(), np.zeros(3),
            random.uniform(-0.1, 0.1, 3),
        )
        for _ in shapes
    ]  # fmt: skip
    return shapes, poses, random.uniform(-0.2, 0.2, (200, 3))


def _all_distances(shape, pose, points):
    """Distances to the nearest point, by comparing every pair."""
    placed = se3.apply(pose, shape.points)
    return np.linalg.norm(points[:, None] - placed[None], axis=2).min(axis=1)


@given(seeds)
def test_distances_are_those_to_the_nearest_point_of_the_placed_shape(seed):
    (shape,), (pose,), points = _drawn(seed, 1)
    true = _all_distances(shape, pose, points)
    found = shape.distances(points, pose, 0.05)
    close = true < 0.05
    assert np.allclose(found[close], true[close])
    assert np.isinf(found[~close]).all()


@given(seeds, st.floats(0.0, 0.1))
def test_nothing_within_the_margin_is_left_out(seed, margin):
    (shape,), (pose,), points = _drawn(seed, 1)
    near = shape.near(points, pose, margin + 1e-9)
    assert set(np.flatnonzero(_all_distances(shape, pose, points) <= margin)) <= set(near)


@given(seeds, st.integers(1, 4))
def test_a_point_belongs_to_the_nearest_shape_within_its_reach(seed, count):
    shapes, poses, points = _drawn(seed, count)
    reaches = np.random.default_rng(seed).uniform(0.02, 0.08, count)
    all_of_them = [_all_distances(*pair, points) for pair in zip(shapes, poses, strict=True)]
    far = np.array(all_of_them)
    far[far > reaches[:, None]] = np.inf
    expected = np.where(np.isfinite(far).any(axis=0), far.argmin(axis=0), -1)
    assert np.array_equal(owners(shapes, poses, points, reaches), expected)


def test_a_reach_for_each_shape_is_asked_for():
    shapes, poses, points = _drawn(0, 2)
    with pytest.raises(ValueError, match='shorter'):
        owners(shapes, poses, points, [0.1])
