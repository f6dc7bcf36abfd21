# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two Pandas in one description, in the simulator and in the preset."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.robots.arms import arm_joints
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.robots.profile import load_profile
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.rig import ONE_ARM, TWO_ARMS
from r2rgen_ros.simulate.world import World


@pytest.fixture(scope='module')
def pair():
    return World([], rig=TWO_ARMS)


def test_one_arm_is_described_as_it_is():
    assert ONE_ARM.description == panda.description()
    assert ONE_ARM.joints == panda.JOINTS


def test_kinematics_of_both_arms_agree_with_the_simulator(pair):
    joints = TWO_ARMS.home + np.random.default_rng(0).uniform(-0.4, 0.4, 14)
    pair.reset({}, joints)
    for arm in TWO_ARMS.arms:
        robot = Robot.from_urdf(TWO_ARMS.description, TWO_ARMS.base, arm.tool)
        pose = robot.forward(TWO_ARMS.joints, pair.state().joints[None])[0]
        body = pair.data.body(arm.tool)
        assert np.abs(pose[:3, 3] - body.xpos).max() < 1e-6
        assert np.abs(pose[:3, :3] - body.xmat.reshape(3, 3)).max() < 1e-6


def test_the_preset_of_two_pandas_is_of_this_robot():
    profile = load_profile('dual_panda')
    for arm in TWO_ARMS.arms:
        robot = Robot.from_urdf(TWO_ARMS.description, TWO_ARMS.base, arm.tool)
        assert arm_joints(profile, robot, arm.name) == arm.arm_joints
        assert profile.arm(arm.name).end_effector == arm.tool


def test_the_arms_meet_each_other_but_not_themselves(pair):
    joints = TWO_ARMS.home.reshape(2, 7).copy()
    pair.reset({}, joints.ravel())
    assert pair.touching() == set()
    joints[0, 0], joints[1, 0] = -0.9, 0.9  # both turn inwards
    pair.reset({}, joints.ravel())
    pairs = pair.touching()
    assert pairs
    assert all({name.split('_')[0] for name in names} == {'left', 'right'} for names in pairs)


def test_each_arm_and_hand_follows_its_own_orders(pair):
    pair.reset({})
    goal = TWO_ARMS.home.copy()
    goal[7:] += 0.1
    for _ in range(2000):
        pair.command(goal, np.zeros(14), np.array([0.08, 0.02]))
        pair.step()
    state = pair.state()
    assert np.abs(state.joints[TWO_ARMS.arm_columns] - goal).max() < 2e-3
    assert state.joints[7:9] == pytest.approx([0.04, 0.04], abs=1e-3)
    assert state.joints[16:18] == pytest.approx([0.01, 0.01], abs=1e-3)
