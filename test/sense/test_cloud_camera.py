# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.zbuffer import ZBuffer, ZBufferRule
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT
from r2rgen_ros.sense.cloud_camera import CloudCamera, coarse_camera
from r2rgen_ros.sense.layers import Layer

L515 = PinholeCamera(1920, 1080, 1354.8, 1354.6, 986.0, 548.7)


def sheet(rng, count, half, depth):
    points = rng.uniform([-half, -half, depth], [half, half, depth + 1e-6], (count, 3))
    return Cloud.from_arrays(points)


@settings(deadline=None)
@given(st.floats(0.002, 0.1), st.floats(0.3, 3.0), st.integers(0, 2**31))
def test_a_coarse_camera_sees_the_same_field_with_gaps_a_few_pixels_wide(gap, depth, seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform([-0.3, -0.3, depth], [0.3, 0.3, depth + 1e-3], (200, 3))
    coarse, radius = coarse_camera(points, gap, L515)
    assert coarse.width <= L515.width
    # Points meet the same relative place in the image.
    full, small = L515.project(points), coarse.project(points)
    for axis, (wide, narrow) in enumerate(
        ((L515.width, coarse.width), (L515.height, coarse.height))
    ):
        assert np.allclose((full[:, axis] + 0.5) / wide, (small[:, axis] + 0.5) / narrow, atol=1e-9)
    # The patch closes the gap, and is not much wider than it.
    width_px = gap * coarse.fx / depth
    if coarse.width < L515.width:
        assert width_px / 2 == pytest.approx(radius, rel=0.05)
    else:
        assert width_px / 2 <= radius + 1e-6


def test_a_cloud_of_nothing_still_gives_a_camera():
    coarse, radius = coarse_camera(np.zeros((0, 3)), 0.01, L515)
    assert coarse.width >= 1
    assert radius >= 1


def test_a_sheet_in_front_hides_the_one_behind():
    rng = np.random.default_rng(0)
    near, far = sheet(rng, 1500, 0.1, 0.6), sheet(rng, 4000, 0.3, 1.0)
    coarse, radius = coarse_camera(near.points.astype(float), 0.012, L515)
    camera = CloudCamera(coarse, ZBufferRule(radius, 0.05))
    pose = se3.compose(se3.rotation_about([0, 0, 1], 0.4), [0.0, 0.0, 0.0])
    layers = [
        Layer(far.transformed(se3.inverse(pose)), pose, ENVIRONMENT),
        Layer(near, np.eye(4), FIRST_OBJECT),
    ]
    cloud, labels, origin = camera.see(layers, 1024)
    assert len(cloud) == len(labels) == len(origin) == 1024
    assert np.array_equal(labels, np.array([ENVIRONMENT, FIRST_OBJECT])[origin])
    # Points come back in the frame of their own layer, and are points of it.
    for k, layer in enumerate(layers):
        mine = {tuple(point) for point in layer.cloud.points.tolist()}
        assert {tuple(point) for point in cloud.points[origin == k].tolist()} <= mine
    behind = cloud.transformed(pose).points[origin == 0]
    shadow = (np.abs(behind[:, :2]) < 0.1 / 0.6 - 0.02).all(axis=1)
    assert shadow.sum() == 0
    assert (origin == 1).sum() > 100
    assert (origin == 0).sum() > 100


def test_every_point_it_shows_is_visible():
    rng = np.random.default_rng(1)
    layers = [
        Layer(Cloud.from_arrays(rng.uniform([-0.3, -0.2, 0.5], [0.3, 0.2, 1.5], (900, 3))),
              np.eye(4), FIRST_OBJECT + k)
        for k in range(3)
    ]  # fmt: skip
    coarse, radius = coarse_camera(layers[0].cloud.points.astype(float), 0.02, L515)
    rule = ZBufferRule(radius, 0.03)
    cloud, _, origin = CloudCamera(coarse, rule).see(layers, 300)
    check = ZBuffer(coarse, rule)
    for layer in layers:
        check.add(layer.cloud.points, layer.frame2camera)
    whole = np.concatenate([layer.cloud.points for layer in layers])
    seen = {tuple(point) for point in whole[check.visible()].tolist()}
    assert {tuple(point) for point in cloud.points.tolist()} <= seen
    assert set(origin.tolist()) <= {0, 1, 2}


def test_the_same_points_are_seen_each_time():
    rng = np.random.default_rng(2)
    layers = [Layer(sheet(rng, 2000, 0.2, 0.8), np.eye(4), FIRST_OBJECT)]
    camera = CloudCamera(L515, ZBufferRule(2, 0.03))
    first, again = camera.see(layers, 256)[0], camera.see(layers, 256)[0]
    assert np.array_equal(first.points, again.points)


def test_fewer_visible_points_than_wanted_are_repeated_and_none_gives_none():
    few = Cloud.from_arrays([[0, 0, 1.0], [0.1, 0, 1.0], [0, 0.1, 1.0]])
    camera = CloudCamera(L515, ZBufferRule(1, 0.03))
    cloud, labels, origin = camera.see([Layer(few, np.eye(4), FIRST_OBJECT)], 8)
    assert len(cloud) == len(labels) == len(origin) == 8
    assert len(np.unique(cloud.points, axis=0)) == 3
    away = se3.compose(np.eye(3), [0.0, 0.0, -5.0])
    cloud, labels, origin = camera.see([Layer(few, away, FIRST_OBJECT)], 8)
    assert len(cloud) == len(labels) == len(origin) == 0
