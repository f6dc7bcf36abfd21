# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The expert with two arms."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate.duet_tasks import TASKS
from r2rgen_ros.simulate.record import act
from r2rgen_ros.simulate.steps import standing


def told(done):
    """Returns times (N,), positions (N, nq), and per arm the hands (N, 4, 4)."""
    states, rig = done.rollout.states, done.task.rig
    qpos = np.stack([state.qpos for state in states])
    hands = {
        arm.name: Robot.from_urdf(rig.description, rig.base, arm.tool).forward(
            rig.joints, qpos[:, : len(rig.joints)]
        )
        for arm in rig.arms
    }
    return np.array([state.time for state in states]), qpos, hands


@pytest.mark.parametrize('task', TASKS)
def test_what_is_held_moves_with_every_hand_that_holds_it(acts, task):
    done = acts(task)
    times, qpos, hands = told(done)
    poses = done.world.poses(qpos)
    assert {hold.arm for hold in done.rollout.holds} == {'left', 'right'}
    for hold in done.rollout.holds:
        # When both hands are closed they settle on it.
        inside = (times >= hold.start + 0.3) & (times <= hold.end - 0.1)
        relative = se3.inverse(hands[hold.arm][inside]) @ poses[hold.thing][inside]
        gone = np.linalg.norm(relative[:, :3, 3] - relative[0, :3, 3], axis=1)
        assert gone.max() < 4e-3


def test_both_hands_lift_the_crate_at_once(acts):
    done = acts('lift-box')
    left, right = sorted(done.rollout.holds, key=lambda hold: hold.arm)
    assert (left.start, left.end) == (right.start, right.end)
    _, qpos, _ = told(done)
    crate = done.world.poses(qpos)['crate']
    level = np.degrees(np.arccos(np.clip(crate[:, 2, 2], -1.0, 1.0)))
    assert crate[:, 2, 3].max() > 0.08
    assert level.max() < 2.0


def test_the_baton_is_never_let_go_of_in_the_air(acts):
    done = acts('hand-over')
    times, qpos, _ = told(done)
    left, right = sorted(done.rollout.holds, key=lambda hold: hold.arm)
    assert left.start < right.start < left.end < right.end
    high = done.world.poses(qpos)['baton'][:, 2, 3] > 0.05
    held = (times >= left.start) & (times <= right.end)
    assert held[high].all()


def test_skills_of_two_arms_overlap_where_one_gives_and_the_other_takes(acts):
    spans = {span.step.name: span for span in acts('hand-over').rollout.spans}
    assert [(n, spans[n].step.arm) for n in ('give baton', 'take baton')] == [
        ('give baton', 'left'), ('take baton', 'right')
    ]  # fmt: skip
    assert spans['take baton'].start < spans['give baton'].end
    assert spans['pick baton'].end <= spans['give baton'].start
    assert spans['take baton'].end <= spans['place baton'].start


def test_a_crate_out_of_reach_is_one_clear_message():
    with pytest.raises(R2RGenError, match=r'the (left|right) arm cannot follow at \('):
        act('lift-box', 0, {'crate': standing(0.95, 0.0, 0.0)})
