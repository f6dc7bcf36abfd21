# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Views show what the camera would see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.report.views import WIDTH, Window, camera_picture, splat

if TYPE_CHECKING:
    from r2rgen_ros.model.scene import Scene

CAMERA = PinholeCamera(64, 48, 60.0, 60.0, 31.5, 23.5)
RED, BLUE = [255, 0, 0], [0, 0, 255]


def test_nearer_point_hides_the_farther_one_in_any_order():
    points = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0]])
    colours = np.array([RED, BLUE], dtype=np.uint8)
    for order in ([0, 1], [1, 0]):
        image = splat(points[order], colours[order], CAMERA)
        assert image[24, 32].tolist() == RED


def test_points_behind_or_beside_the_camera_are_not_drawn():
    points = np.array([[0.0, 0.0, -1.0], [5.0, 0.0, 1.0], [np.nan, 0.0, 1.0]])
    image = splat(points, np.tile(np.uint8(RED), (3, 1)), CAMERA)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) == 1
    assert splat(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), CAMERA).shape == (48, 64, 3)


def test_point_is_drawn_at_its_pixel():
    image = splat(np.array([[0.2, -0.1, 1.0]]), np.uint8([RED]), CAMERA)
    v, u = np.argwhere((image == RED).all(axis=-1)).mean(axis=0)
    expected = CAMERA.project(np.array([0.2, -0.1, 1.0]))
    assert (u, v) == pytest.approx(tuple(expected[:2]), abs=0.6)


def test_cloud_is_seen_where_the_window_says(scene: Scene):
    window = Window.around([scene.demo])
    assert 0.0 <= window.left < window.right <= 1.0
    assert 0.0 <= window.top < window.bottom <= 1.0
    picture = camera_picture(scene.demo, 0, None, window)
    assert picture.shape[1] == WIDTH
    red = (picture == [200, 40, 40]).all(axis=-1)
    blue = (picture == [40, 40, 200]).all(axis=-1)
    assert red.sum() > 50
    assert blue.sum() > 50
    # The camera looks back at the robot, so the block's larger y is to its right.
    assert np.argwhere(red)[:, 1].mean() > np.argwhere(blue)[:, 1].mean()


def test_labels_tint_objects_only(scene: Scene):
    plain = camera_picture(scene.demo, 0)
    tinted = camera_picture(scene.demo, 0, scene.labels[0])
    table = (plain == [230, 225, 210]).all(axis=-1)
    assert (tinted[table] == plain[table]).all()
    assert not (tinted == [200, 40, 40]).all(axis=-1).any()


def test_cloud_without_a_camera_is_looked_at_from_the_side(scene: Scene):
    picture = camera_picture(replace(scene.demo, sensor=None), 0)
    assert (picture == [200, 40, 40]).all(axis=-1).sum() > 20
    whole = Window.around([replace(scene.demo, sensor=None)])
    assert (whole.left, whole.top, whole.right, whole.bottom) == (0.0, 0.0, 1.0, 1.0)


def test_colour_images_are_shown_as_they_are(scene: Scene):
    colour = np.zeros((480, 640, 3), dtype=np.uint8)
    colour[:, :320] = RED
    frame = Frame(depth=np.ones((480, 640), dtype=np.float32), colour=colour)
    demo = replace(scene.demo, frames=[frame] * len(scene.demo))
    picture = camera_picture(demo, 0)
    assert picture[10, 10].tolist() == RED
    assert picture[10, -10].tolist() == [0, 0, 0]
