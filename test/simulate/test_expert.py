# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.record import act
from r2rgen_ros.simulate.steps import standing
from r2rgen_ros.simulate.tasks import NAMES


def path_of(done):
    states = done.rollout.states
    times = np.array([state.time for state in states])
    return times, np.stack([state.qpos for state in states])


@pytest.mark.parametrize('task', NAMES)
def test_the_expert_reaches_the_goal(acts, task):
    done = acts(task)
    _, qpos = path_of(done)
    assert done.task.failure(done.world.poses(qpos)) == ''
    assert done.task.failure({k: v[0] for k, v in done.world.poses(qpos).items()}) != ''


@pytest.mark.parametrize('task', NAMES)
def test_objects_never_jump(acts, task):
    """Between two samples nothing moves faster than the hand may, or falls a few millimetres."""
    done = acts(task)
    times, qpos = path_of(done)
    for pose in done.world.poses(qpos).values():
        speed = np.linalg.norm(np.diff(pose[:, :3, 3], axis=0), axis=1) / np.diff(times)
        assert speed.max() < 0.45
        turn = se3.angle_between(pose[:-1], pose[1:]) / np.diff(times)
        assert turn.max() < 3.0


@pytest.mark.parametrize('task', NAMES)
def test_what_is_held_moves_with_the_hand_and_the_rest_stands_still(acts, task):
    done = acts(task)
    times, qpos = path_of(done)
    robot = Robot.from_urdf(panda.description(), panda.BASE, panda.TOOL)
    ee2base = robot.forward(panda.JOINTS, qpos[:, :9])
    poses = done.world.poses(qpos)
    assert done.rollout.holds
    for hold in done.rollout.holds:
        during = (times >= hold.start) & (times <= hold.end)
        relative = se3.inverse(ee2base[during]) @ poses[hold.thing][during]
        assert np.linalg.norm(relative[:, :3, 3] - relative[0, :3, 3], axis=1).max() < 1e-3
        assert poses[hold.thing][during][:, 2, 3].max() > 0.1
        before = poses[hold.thing][times < hold.start - 1.0]
        assert np.linalg.norm(before[:, :3, 3] - before[0, :3, 3], axis=1).max() < 5e-4


def test_an_object_is_lifted_only_while_both_fingers_press_on_it(acts):
    """Take the pressure away and the object falls: it was friction that held it."""
    done = acts('place-bottle')
    hold = done.rollout.holds[0]
    middle = 0.5 * (hold.start + hold.end)
    state = min(done.rollout.states, key=lambda s: abs(s.time - middle))
    world = done.world
    for width, falls in ((0.0, False), (panda.OPEN_WIDTH, True)):
        world.restore(state)
        start = world.pose('bottle')[2, 3]
        for _ in range(600):
            world.command(state.joints[:7], np.zeros(7), width)
            world.step()
        assert (world.pose('bottle')[2, 3] < start - 0.05) == falls


def test_joint_limits_and_velocities_are_kept(acts):
    robot = Robot.from_urdf(panda.description(), panda.BASE, panda.TOOL)
    limits = robot.limits(panda.ARM_JOINTS)
    for task in NAMES:
        states = acts(task).rollout.states
        joints = np.stack([state.joints[:7] for state in states])
        speeds = np.stack([state.velocities[:7] for state in states])
        assert (joints >= limits[:, 0]).all()
        assert (joints <= limits[:, 1]).all()
        assert (np.abs(speeds) <= robot.velocity_limits(panda.ARM_JOINTS)).all()


def test_skills_follow_one_another_with_motion_between(acts):
    for task in NAMES:
        spans = acts(task).rollout.spans
        assert len(spans) == {'build-bridge': 6, 'stack-bricks': 4, 'pour': 3}.get(task, 2)
        for before, after in pairwise(spans):
            assert after.start > before.end


def test_a_failure_is_said_and_not_hidden():
    with pytest.raises(R2RGenError, match='cannot'):
        act('place-bottle', 0, {'bottle': standing(1.2, 0.0, 0.0)})
    lying = se3.compose(se3.rotation_about([0.0, 1.0, 0.0], 0.5 * np.pi), [0.45, -0.2, 0.033])
    with pytest.raises(R2RGenError, match='expert failed'):  # it closes on nothing
        act('place-bottle', 0, {'bottle': lying, 'plate': standing(0.5, 0.2, 0.0)})


def test_a_negative_seed_is_refused():
    with pytest.raises(R2RGenError, match='seed'):
        act('place-bottle', -1)


def test_starting_poses_can_be_given(acts):
    with pytest.raises(R2RGenError, match='"cup"'):
        act('place-bottle', 0, {'cup': np.eye(4)})
    given = standing(0.5, -0.2, 0.4)
    done = act('box-in-bowl', 5, {'box': given, 'bowl': standing(0.5, 0.15, 0.0)})
    _, qpos = path_of(done)
    assert np.abs(done.world.poses(qpos)['box'][0] - given).max() < 1e-9


def test_objects_that_overlap_at_the_start_are_refused():
    with pytest.raises(R2RGenError, match='overlap'):
        act('box-in-bowl', 0, {'box': standing(0.5, 0.0, 0.0), 'bowl': standing(0.5, 0.03, 0.0)})
