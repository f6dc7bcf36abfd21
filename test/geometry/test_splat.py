# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.splat import NOBODY, Splats

CAMERA = PinholeCamera(32, 24, 40.0, 40.0, 15.5, 11.5)


def brute(points, radius, owners):
    """Depth and owner of every pixel, one by one; the nearest square that covers it wins."""
    depth = np.full((CAMERA.height, CAMERA.width), np.inf, dtype=np.float32)
    owner = np.full(depth.shape, NOBODY, dtype=np.uint8)
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width]
    for (x, y, z), name in zip(points, owners, strict=True):
        if z <= 0.01:
            continue
        at = CAMERA.fx * x / z + CAMERA.cx, CAMERA.fy * y / z + CAMERA.cy
        half = radius * CAMERA.fx / z
        covered = (np.abs(u - at[0]) <= half) & (np.abs(v - at[1]) <= half)
        near = covered & (np.float32(z) < depth)
        depth[near], owner[near] = z, name
    return depth, owner


@settings(max_examples=40)
@given(st.integers(0, 2**31))
def test_the_nearest_square_that_covers_a_pixel_wins(seed):
    rng = np.random.default_rng(seed)
    # Squares wider than a pixel, so that each covers at least one centre.
    points = rng.uniform([-0.6, -0.6, -0.5], [0.6, 0.6, 2.0], (60, 3))
    owners = np.repeat([0, 1, 2], 20)
    drawn = Splats(CAMERA)
    for name in (0, 1, 2):
        drawn.draw(points[owners == name], 0.06, name)
    depth, owner = brute(points, 0.06, owners)
    assert np.array_equal(drawn.owner, owner)
    assert np.allclose(drawn.depth, depth, equal_nan=True)


def test_a_point_smaller_than_a_pixel_still_shows():
    drawn = Splats(CAMERA)
    drawn.draw(np.array([[0.004, 0.004, 1.0]]), 1e-5, 3)
    assert drawn.owner[12, 16] == 3
    assert (drawn.owner != NOBODY).sum() == 1


def test_what_lies_behind_the_camera_or_beside_the_image_is_not_drawn():
    drawn = Splats(CAMERA)
    drawn.draw(np.array([[0.0, 0.0, -1.0], [5.0, 0.0, 1.0], [0.0, -5.0, 1.0]]), 0.01, 0)
    drawn.draw(np.zeros((0, 3)), 0.01, 1)
    assert (drawn.owner == NOBODY).all()
    assert np.isinf(drawn.depth).all()
