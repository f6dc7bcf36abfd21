# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.demo import BasePath
from r2rgen_ros.model.driving import (
    BASE_JOINTS,
    base_joints,
    driving_description,
    driving_spans,
    root_link,
)
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import panda


def test_with_the_joints_of_its_base_the_hand_is_where_base_and_arm_bring_it():
    rng = np.random.default_rng(4)
    turns = Rotation.from_euler('ZYX', rng.uniform(-1.2, 1.2, (20, 3)) * [2.5, 0.3, 0.3])
    base2odom = se3.compose(turns.as_matrix(), rng.uniform(-3.0, 3.0, (20, 3)))
    arm = panda.HOME + rng.uniform(-0.3, 0.3, (20, 7))
    still = Robot.from_urdf(panda.description(), panda.BASE, panda.TOOL)
    text = driving_description(panda.description(), 'odom')
    drives = Robot.from_urdf(text, 'odom', panda.TOOL)

    both = np.concatenate([arm, base_joints(base2odom).positions], axis=1)
    hand = drives.forward((*panda.ARM_JOINTS, *BASE_JOINTS), both)

    expected = base2odom @ still.forward(panda.ARM_JOINTS, arm)
    np.testing.assert_allclose(hand, expected, atol=1e-12)


def test_inverse_kinematics_leave_the_joints_of_the_base_alone():
    text = driving_description(panda.description(), 'odom')
    robot = Robot.from_urdf(text, 'odom', panda.TOOL)
    names = (*panda.ARM_JOINTS, *BASE_JOINTS)
    base2odom = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], 0.4), [1.0, -2.0, 0.3])[None]
    seed = np.concatenate([panda.HOME[None], base_joints(base2odom).positions], axis=1)
    target = robot.forward(names, seed)
    target[0, :3, 3] += [0.05, -0.03, 0.04]

    path = robot.solve_path(names, target, seed)

    assert robot.chain == panda.ARM_JOINTS
    assert path.first_failed < 0
    np.testing.assert_array_equal(path.positions[:, 7:], seed[:, 7:])
    np.testing.assert_allclose(robot.forward(names, path.positions), target, atol=1e-5)


def test_the_heading_of_a_base_that_turns_round_and_round_does_not_jump():
    yaw = np.linspace(0.0, 15.0, 100)
    poses = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], yaw), np.zeros((100, 3)))

    np.testing.assert_allclose(base_joints(poses).positions[:, 3], yaw, atol=1e-9)


def test_a_description_that_has_the_frame_of_the_odometry_is_refused():
    assert root_link(panda.description()) == panda.BASE
    with pytest.raises(R2RGenError, match='no link "panda_hand"'):
        driving_description(panda.description(), 'panda_hand')


def test_a_drive_is_told_from_the_stops_around_it():
    stamps = (np.arange(60) * 100_000_000).astype(np.int64)
    way = np.clip((np.arange(60) - 20) / 20.0, 0.0, 1.0)
    places = np.stack([0.5 * way, np.zeros(60), 1e-4 * np.sin(np.arange(60.0))], axis=1)
    poses = se3.compose(np.tile(np.eye(3), (60, 1, 1)), places)

    ((first, last),) = driving_spans(BasePath('odom', poses), stamps)

    assert 16 <= first <= 20
    assert 40 <= last <= 44
    still = np.tile(poses[:1], (60, 1, 1))
    assert driving_spans(BasePath('odom', still), stamps) == []
