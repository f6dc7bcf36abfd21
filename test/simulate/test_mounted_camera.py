# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.world import CAMERA2BASE, World

BENT = np.array([0.3, -0.4, 0.2, -2.2, 0.1, 1.9, 0.5, 0.03, 0.03])


def test_a_camera_on_the_hand_goes_where_the_joints_bring_it():
    wrist = load_camera('panda_wrist')
    world = World([], camera=wrist)
    robot = Robot.from_urdf(panda.description(), panda.BASE, panda.TOOL)
    edge = (panda.BASE, wrist.mount)

    for joints in (np.concatenate([panda.HOME, [0.04, 0.04]]), BENT):
        world.place(joints, {})
        hand = robot.link_poses(panda.JOINTS, joints[None], [edge])[edge][0]
        assert world.camera2base() == pytest.approx(hand @ wrist.camera2mount, abs=1e-6)


def test_images_of_a_mounted_camera_have_its_size_and_range():
    wrist = load_camera('panda_wrist')
    with Eye(World([], camera=wrist)) as eye:
        assert eye.camera == wrist.camera
        assert eye.colour().shape == (240, 424, 3)
        depth = eye.depth()
    # The fingers are nearer than the robot's own camera could measure.
    assert wrist.range_m[0] <= np.nanmin(depth) < 0.2
    assert np.nanmax(depth) <= wrist.range_m[1]


def test_the_robots_own_camera_stands_where_it_always_stood():
    assert World([]).camera2base() == pytest.approx(CAMERA2BASE, abs=1e-6)


def test_cameras_that_cannot_be_drawn_or_mounted_are_refused():
    wrist = load_camera('panda_wrist')
    with pytest.raises(R2RGenError, match=r'no link "thumb".*panda_hand'):
        World([], camera=replace(wrist, mount='thumb'))
    aside = PinholeCamera(424, 240, 230.0, 230.0, 200.0, 119.5)
    with pytest.raises(R2RGenError, match='principal point in the middle'):
        World([], camera=replace(wrist, camera=aside))
