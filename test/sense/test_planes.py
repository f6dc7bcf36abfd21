# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.sense.planes import moved_planes, planes_of

CAMERA = PinholeCamera(64, 48, 240.0, 250.0, 31.5, 23.5)
ANGLES = st.floats(-0.9, 0.9)


def plane_image(along, down, away=1.0):
    """Depth (H, W) of a plane that turns away by two angles, and its n, n . p = 1."""
    normal = np.array([np.tan(along), np.tan(down), 1.0]) / away
    return (1.0 / (CAMERA.rays() @ normal)).astype(np.float32), normal


@settings(max_examples=30)
@given(ANGLES, ANGLES)
def test_the_plane_of_an_image_is_found_in_every_pixel_of_it(along, down):
    depth, normal = plane_image(0.5 * along, 0.5 * down)
    found = planes_of(depth, CAMERA)
    np.testing.assert_allclose(found, np.broadcast_to(normal, found.shape), atol=2e-4)


@settings(max_examples=30)
@given(ANGLES, ANGLES, st.floats(-0.5, 0.5), st.floats(-0.3, 0.3))
def test_planes_move_as_their_points_do(along, down, aside, turn):
    depth, normal = plane_image(0.5 * along, 0.5 * down)
    move = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], turn), [aside, -0.2, 0.3])
    points = se3.apply(move, CAMERA.unproject(depth).reshape(-1, 3))
    (moved,) = moved_planes(normal[None].astype(np.float32), move)
    np.testing.assert_allclose(points @ moved, 1.0, atol=1e-4)


def test_beyond_an_edge_lies_another_plane():
    depth, normal = plane_image(0.4, 0.2)
    other, normals = plane_image(-0.3, 0.1, 2.0)
    depth[:, 30:] = other[:, 30:]
    found = planes_of(depth, CAMERA)
    np.testing.assert_allclose(found[:, :30] - normal, 0.0, atol=2e-4)
    np.testing.assert_allclose(found[:, 30:] - normals, 0.0, atol=2e-4)


def test_single_points_and_lines_have_none():
    depth = np.full((48, 64), np.nan, dtype=np.float32)
    depth[10, 10] = 1.0
    depth[20] = 1.0
    assert np.isnan(planes_of(depth, CAMERA)).all()
