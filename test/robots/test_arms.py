# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.arms import JointLimits, arm_joints, arm_limits
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.robots.profile import RobotProfile, load_profile
from r2rgen_ros.robots.profile_parts import ArmProfile, BaseProfile

WHEEL = {
    'panda': ('panda_description/urdf/panda.urdf', 7),
    'ur5e': ('ur_description/urdf/ur5_robot.urdf', 6),
    'xarm7': ('xarm_description/urdf/xarm7.urdf', 7),
    'baxter': ('baxter_description/urdf/baxter.urdf', 7),
    'tiago_hey5': ('tiago_description/robots/tiago.urdf', 7),
}
KNOWN_ACCELERATION = ('panda', 'ur5e', 'xarm7')

# A lift below the base, a wheel that turns for ever, a joint without a speed, two fingers.
ODD = """<robot name="odd">
  <link name="floor"/><link name="base"/><link name="upper"/><link name="tip"/>
  <link name="left"/><link name="right"/>
  <joint name="lift" type="prismatic"><parent link="floor"/><child link="base"/><axis xyz="0 0 1"/>
    <limit lower="0" upper="1" effort="1" velocity="1"/></joint>
  <joint name="spin" type="continuous"><parent link="base"/><child link="upper"/>
    <axis xyz="0 0 1"/></joint>
  <joint name="bend" type="revolute"><parent link="upper"/><child link="tip"/><axis xyz="0 1 0"/>
    <limit lower="-1" upper="2" effort="1" velocity="0"/></joint>
  <joint name="grip" type="prismatic"><parent link="tip"/><child link="left"/><axis xyz="0 1 0"/>
    <limit lower="0" upper="0.1" effort="1" velocity="1"/></joint>
  <joint name="follow" type="prismatic"><parent link="tip"/><child link="right"/>
    <axis xyz="0 -1 0"/><limit lower="0" upper="0.1" effort="1" velocity="1"/>
    <mimic joint="grip"/></joint>
</robot>"""


def of_the_wheel(name: str) -> tuple[RobotProfile, str, Robot]:
    files = metadata.distribution('example-robot-data').files
    text = next(f for f in files if str(f).endswith(WHEEL[name][0])).read_text()
    profile = load_profile(name)
    return profile, text, Robot.from_urdf(text, profile.base.frame, profile.base.frame)


def odd(**arm) -> tuple[RobotProfile, Robot]:
    profile = RobotProfile('odd', BaseProfile('base'), (ArmProfile('arm', 'tip', **arm),))
    return profile, Robot.from_urdf(ODD, 'floor', 'left')


@pytest.mark.parametrize('name', WHEEL)
def test_presets_have_chains_and_finite_limits_on_the_real_robots(name):
    profile, _, robot = of_the_wheel(name)
    for arm in profile.arms:
        limits = arm_limits(profile, robot, arm.name)
        assert limits.names == arm.joints
        assert len(limits.names) == WHEEL[name][1]
        assert (limits.lower < limits.upper).all()
        for values in (limits.lower, limits.upper, limits.speed):
            assert np.isfinite(values).all()
        assert (limits.speed < 7.0).all()
        assert np.isfinite(limits.acceleration).all() == (name in KNOWN_ACCELERATION)


def test_what_nobody_gives_is_infinite():
    limits = arm_limits(*odd(), 'arm')
    assert limits.names == ('spin', 'bend')
    assert limits.lower.tolist() == [-np.inf, -1.0]
    assert limits.upper.tolist() == [np.inf, 2.0]
    assert limits.speed.tolist() == [np.inf, np.inf]
    assert limits.acceleration.tolist() == [np.inf, np.inf]


def test_the_profile_wins_over_the_urdf_and_a_star_is_for_the_rest():
    limits = arm_limits(*odd(max_speed={'bend': 3.0, '*': 2.0}, max_acceleration={'*': 9.0}), 'arm')
    assert limits.speed.tolist() == [2.0, 3.0]
    assert limits.acceleration.tolist() == [9.0, 9.0]


def test_joints_come_from_the_base_on_however_they_were_written():
    assert arm_joints(*odd(joints=('bend', 'spin')), 'arm') == ('spin', 'bend')
    assert arm_joints(*odd(joints=('bend',)), 'arm') == ('bend',)


@pytest.mark.parametrize(
    ('joints', 'words'),
    [
        (('spin', 'bent'), 'no joints "bent" (nearest: "bend")'),
        (('spin', 'grip'), '"grip" do not move the end effector "tip"'),
        (('lift', 'spin'), '"lift" do not move the end effector "tip"'),
    ],
)
def test_joints_that_are_not_the_arms_are_refused(joints, words):
    with pytest.raises(R2RGenError) as error:
        arm_joints(*odd(joints=joints), 'arm')
    assert words in str(error.value)


def test_frames_that_are_not_there_are_answered_with_the_nearest():
    _, robot = odd()
    for base, hand, words in (
        ('bass', 'tip', "one of ['base']"),
        ('base', 'tipp', "one of ['tip']"),
        ('left', 'tip', 'is not above "tip"'),
    ):
        profile = RobotProfile('odd', BaseProfile(base), (ArmProfile('arm', hand),))
        with pytest.raises(R2RGenError) as error:
            arm_limits(profile, robot, 'arm')
        assert words in str(error.value)


def test_limits_check_themselves():
    good = ([-1.0], [1.0], [2.0], [np.inf])
    assert JointLimits(('a',), *map(np.array, good)).acceleration.tolist() == [np.inf]
    for bad in (
        ([2.0], [1.0], [2.0], [3.0]),
        ([-1.0], [1.0], [0.0], [3.0]),
        ([-1.0], [1.0], [2.0], [-3.0]),
        ([-1.0], [np.nan], [2.0], [3.0]),
        ([-1.0, 0.0], [1.0], [2.0], [3.0]),
    ):
        with pytest.raises(R2RGenError):
            JointLimits(('a',), *map(np.array, bad))
