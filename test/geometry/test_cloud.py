# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud, voxel_downsample

points = st.integers(0, 40).flatmap(
    lambda n: arrays(np.float32, (n, 3), elements=st.floats(-2.0, 2.0, width=32))
)


def coloured(places):
    colours = np.arange(3 * len(places), dtype=np.uint8).reshape(-1, 3)
    return Cloud.from_arrays(places, colours)


@given(points, st.floats(0.005, 0.5))
def test_thinning_keeps_one_point_of_each_cube_that_has_any(places, size):
    cloud = coloured(places)
    kept = voxel_downsample(cloud, size)
    cubes = [tuple(cube) for cube in np.floor(places.astype(np.float64) / size).astype(int)]
    first = [k for k, cube in enumerate(cubes) if cube not in cubes[:k]]
    assert np.array_equal(kept.points, places[first])
    assert np.array_equal(kept.colours, cloud.colours[first])


@given(points)
def test_thinning_twice_is_thinning_once(places):
    once = voxel_downsample(coloured(places), 0.1)
    twice = voxel_downsample(once, 0.1)
    assert np.array_equal(once.points, twice.points)


@pytest.mark.parametrize('size', [0.0, -1.0, float('nan')])
def test_cubes_have_a_size(size):
    with pytest.raises(ValueError, match='voxel size'):
        voxel_downsample(Cloud.empty(), size)


@given(points, points)
def test_clouds_are_put_after_one_another(first, second):
    whole = Cloud.concatenate([coloured(first), coloured(second)])
    assert np.array_equal(whole.points, np.concatenate([first, second]))
    assert len(whole) == len(first) + len(second)
    back = whole.select(np.arange(len(first)))
    assert np.array_equal(back.colours, coloured(first).colours)
    assert len(Cloud.concatenate([])) == 0


@given(points, st.floats(-3.0, 3.0))
def test_moving_a_cloud_there_and_back(places, angle):
    a2b = se3.compose(se3.rotation_about([0.0, 0.6, 0.8], angle), [0.3, -0.2, 1.0])
    cloud = coloured(places)
    moved = cloud.transformed(a2b)
    assert moved.points.dtype == np.float32
    assert np.allclose(moved.points, se3.apply(a2b, places), atol=1e-6)
    assert np.allclose(moved.transformed(se3.inverse(a2b)).points, places, atol=2e-6)
    assert np.array_equal(moved.colours, cloud.colours)
    assert np.array_equal(cloud.transformed(np.eye(4)).points, places)


def test_colours_that_are_missing_become_grey_and_those_that_do_not_fit_are_refused():
    assert (Cloud.from_arrays(np.zeros((2, 3))).colours == 128).all()
    with pytest.raises(ValueError, match='colours'):
        Cloud.from_arrays(np.zeros((2, 3)), np.zeros((3, 3)))
    with pytest.raises(ValueError, match='points'):
        Cloud(np.zeros((3, 2), np.float32), np.zeros((3, 2), np.uint8))
