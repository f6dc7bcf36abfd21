# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.sense.layers import Drawn, packed, unpacked

CAMERA = PinholeCamera(8, 6, 10.0, 10.0, 3.5, 2.5)


def test_packed_colours_come_back():
    colours = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.uint8)
    assert np.array_equal(unpacked(packed(colours)), colours)
    above = packed(colours) | np.uint32(5 << 24)  # what is above the colour does not count
    assert np.array_equal(unpacked(above), colours)


def test_drawn_pixels_are_points_at_their_centres():
    pixel, depth = np.array([0, 13, 47], np.int32), np.array([0.5, 1.0, 2.0], np.float32)
    colours = np.array([[1, 2, 3], [4, 5, 6], [255, 0, 255]], np.uint8)
    drawn = Drawn(pixel, depth, packed(colours), 2)
    layer = drawn.layer(CAMERA.rays().reshape(-1, 3).astype(np.float32))
    u, v, _ = CAMERA.project(layer.cloud.points.astype(float)).T
    assert np.allclose(v * CAMERA.width + u, pixel, atol=1e-4)
    assert np.array_equal(layer.cloud.points[:, 2], depth)
    assert np.array_equal(layer.cloud.colours, colours)
    assert (layer.label, len(layer), len(drawn)) == (2, 3, 3)


def test_pixels_without_depths_are_refused():
    with pytest.raises(ValueError, match=r'expected \(N,\) each'):
        Drawn(np.zeros(2, np.int32), np.zeros(1, np.float32), np.zeros(2, np.uint32), 1)
