# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from r2rgen_ros.model.annotation import Skill, SupportPlane
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, UNSEEN
from r2rgen_ros.report.overlay import (
    camera_overlay,
    object_rgb,
    path_colours,
    png,
    prism,
    skill_rgb,
    tinted,
)


def test_only_what_is_labelled_is_tinted():
    grey = np.full((4, 3), 100, dtype=np.uint8)
    labels = np.array([ENVIRONMENT, UNSEEN, FIRST_OBJECT, FIRST_OBJECT + 1], dtype=np.uint8)
    out = tinted(grey, labels)
    assert (out[:2] == 100).all()
    for place in (0, 1):
        wanted = 25.0 + 0.75 * 255.0 * np.array(object_rgb(place))
        assert np.abs(out[2 + place] - wanted).max() <= 1.0


def test_the_picture_of_a_cloud_has_the_cameras_size(scene):
    camera = scene.demo.sensor.camera
    bare = camera_overlay(scene.demo, 0)
    labelled = camera_overlay(scene.demo, 0, scene.labels[0])
    assert bare.shape == labelled.shape == (camera.height, camera.width, 3)
    assert (bare != labelled).any()
    assert (np.asarray(Image.open(io.BytesIO(png(labelled)))) == labelled).all()


def test_a_path_is_coloured_by_the_skills_of_its_arm():
    skills = [Skill('pick', 1, 2, (), (), 'left'), Skill('place', 4, 4, (), (), 'right')]
    colours = path_colours(skills, 'right', 6)
    assert np.allclose(colours[4], skill_rgb(1))
    assert len(np.unique(colours[[0, 1, 2, 3, 5]], axis=0)) == 1


def test_a_prism_stands_upright_around_points():
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (50, 3)) * (0.1, 0.2, 0.3)
    rim = np.array([[1.0, 1, 0], [-1, 1, 0], [-1, -1, 0]])
    ends = prism(points, SupportPlane(np.array([0.0, 0.0, 1.0]), 0.0, rim)).reshape(-1, 3)
    assert np.allclose(ends.min(axis=0), points.min(axis=0), atol=1e-6)
    assert np.allclose(ends.max(axis=0), points.max(axis=0), atol=1e-6)
    assert len(ends) % 6 == 0
