# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from r2rgen_ros.geometry.camera import PinholeCamera, thin

cameras = st.builds(
    PinholeCamera,
    width=st.integers(1, 12),
    height=st.integers(1, 12),
    fx=st.floats(5.0, 2000.0),
    fy=st.floats(5.0, 2000.0),
    cx=st.floats(-5.0, 15.0),
    cy=st.floats(-5.0, 15.0),
)


@given(cameras, st.data())
def test_projecting_what_was_unprojected_gives_the_pixels_back(camera, data):
    shape = (camera.height, camera.width)
    depth = data.draw(arrays(np.float64, shape, elements=st.floats(0.05, 20.0)))
    points = camera.unproject(depth)
    found = camera.project(points)
    v, u = np.indices(shape)
    assert np.allclose(found[..., 0], u, atol=1e-9)
    assert np.allclose(found[..., 1], v, atol=1e-9)
    assert np.array_equal(found[..., 2], depth)


@given(cameras, st.data())
def test_a_pixel_and_its_depth_are_the_point_of_the_whole_image_there(camera, data):
    shape = (camera.height, camera.width)
    depth = data.draw(arrays(np.float64, shape, elements=st.floats(0.05, 20.0)))
    v, u = np.nonzero(depth > np.median(depth))
    found = camera.points_at(u, v, depth[v, u])
    assert np.allclose(found, camera.unproject(depth)[v, u], rtol=1e-12, atol=1e-12)


@given(cameras, st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.01, 5)))
def test_projection_is_that_of_the_matrix(camera, point):
    homogeneous = camera.matrix @ point
    found = camera.project(point)
    assert np.allclose(found[:2], homogeneous[:2] / homogeneous[2], rtol=1e-12, atol=1e-9)


@given(cameras, st.integers(1, 15))
def test_a_thinned_camera_sees_along_the_rays_of_the_pixels_that_are_kept(camera, k):
    if k // 2 >= min(camera.width, camera.height):
        with pytest.raises(ValueError, match='camera'):
            camera.thinned(k)
        return
    rays = thin(camera.rays(), k)
    smaller = camera.thinned(k)
    assert (smaller.height, smaller.width) == rays.shape[:2]
    assert np.allclose(smaller.rays(), rays, rtol=1e-9, atol=1e-12)


@given(cameras)
def test_thinning_to_every_pixel_changes_nothing(camera):
    assert camera.thinned(1) == camera
    assert np.array_equal(thin(camera.rays(), 1), camera.rays())
    with pytest.raises(ValueError, match='0th'):
        camera.thinned(0)


def test_what_is_behind_the_camera_has_no_pixel():
    camera = PinholeCamera(4, 4, 10.0, 10.0, 1.5, 1.5)
    found = camera.project([[0.1, 0.1, -1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert np.isnan(found[:2, :2]).all()
    assert found[2].tolist() == [1.5, 1.5, 1.0]


def test_points_are_in_the_pixels_that_they_fill_and_others_in_none():
    camera = PinholeCamera(5, 4, 10.0, 10.0, 2.0, 1.5)
    depth = np.linspace(0.5, 2.0, 20).reshape(4, 5)
    filled = camera.unproject(depth).reshape(-1, 3)
    beside = camera.points_at(np.array([-0.6, 1.0]), np.array([2.0, 4.6]), np.array([1.0, 1.0]))
    lost = [*beside, [0.0, 0.0, -1.0], [np.nan, 0.0, 1.0]]
    inside, rows, columns, away = camera.pixels_of(np.concatenate([filled, lost]))
    assert inside.tolist() == [True] * 20 + [False] * 4
    assert np.array_equal(rows * 5 + columns, np.arange(20))
    assert np.allclose(away, depth.reshape(-1))


def test_invalid_depth_stays_invalid():
    camera = PinholeCamera(3, 2, 10.0, 10.0, 1.0, 0.5)
    depth = np.ones((2, 3))
    depth[1, 2] = np.nan
    points = camera.unproject(depth)
    assert np.isnan(points[1, 2]).all()
    assert np.isfinite(points).sum() == 15


@pytest.mark.parametrize(
    'wrong',
    [{'width': 0}, {'height': -1}, {'fx': 0.0}, {'fy': -3.0}, {'fx': np.nan}, {'cx': np.inf}],
)
def test_impossible_intrinsics_are_refused(wrong):
    good = {'width': 4, 'height': 3, 'fx': 5.0, 'fy': 5.0, 'cx': 2.0, 'cy': 1.0}
    PinholeCamera(**good)
    with pytest.raises(ValueError, match='camera'):
        PinholeCamera(**{**good, **wrong})
