# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scripted expert that grasps with contact physics, from the objects' true poses.

The hand moves from rest to rest with least jerk (Flash and Hogan 1985: s = 10t^3 - 15t^4 + 6t^5).
Nothing is ever welded to the hand or set down by fiat: an object moves only by being pushed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.performance import PLAN_STEP, Performance
from r2rgen_ros.simulate.steps import heading, standing
from r2rgen_ros.simulate.world import TIME_STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from r2rgen_ros.simulate.objects import Thing
    from r2rgen_ros.simulate.steps import Step, Task
    from r2rgen_ros.simulate.trip import Trip
    from r2rgen_ros.simulate.world import State, World

    Floats = NDArray[np.float64]

SPEED = 0.35
TURN_SPEED = 1.6
"""Largest speeds of the tool, m/s and rad/s."""
SHORTEST = 1.0
HOVER_M = 0.09
PEAK = 1.875
"""Of the least-jerk profile's speed, over its mean."""
_DROP_M = 0.0007
CLOSING = 0.12
SLACK_M = 0.02


@dataclass(frozen=True)
class Span:
    """When a skill happened, in seconds from the start."""

    step: Step
    start: float
    end: float


@dataclass(frozen=True)
class Hold:
    """When the fingers of an arm were closed on an object, in seconds from the start."""

    thing: str
    start: float
    end: float
    arm: str = 'arm'


@dataclass(frozen=True)
class Rollout:
    """What happened.

    Attributes:
        states: Every state that the caller asked to keep, in order of time.
        spans: The skills.
        holds: What was in the hand, and when.

    """

    states: tuple[State, ...]
    spans: tuple[Span, ...]
    holds: tuple[Hold, ...]


def perform(
    world: World, task: Task, keep: Callable[[int], bool], trip: Trip | None = None
) -> Rollout:
    """Carry out a task from the state that the world is in.

    Args:
        world: The world, reset to the starting poses.
        task: What to do.
        keep: Tells of the number of a time step whether its state is wanted.
        trip: How the base drives before something is put down; None for one that stands.

    Returns:
        The states and skills.

    Raises:
        R2RGenError: A pose is out of reach, an object slips, or the end is not as it should be.

    """
    return _Expert(world, task, keep, trip).run()


class _Expert:
    """One attempt at a task."""

    def __init__(
        self, world: World, task: Task, keep: Callable[[int], bool], trip: Trip | None = None
    ) -> None:
        self._world, self._task, self._trip = world, task, trip
        self._act = Performance(world, task, keep)
        self._robot = Robot.from_urdf(panda.description(), panda.BASE, panda.TOOL)
        self._joints = panda.HOME.copy()
        self._width = panda.OPEN_WIDTH
        self._spans: list[Span] = []
        self._holds: list[Hold] = []
        self._closed = 0.0

    def run(self) -> Rollout:
        self._rest(0.5)
        for step in self._task.steps:
            if step.goal is None:
                self._take(step)
            else:
                self._travel(step.thing)
                self._put(step)
        self._go_home()
        self._rest(0.5)
        self._act.judge()
        return Rollout(tuple(self._act.states), tuple(self._spans), tuple(self._holds))

    def _take(self, step: Step) -> None:
        if step.grasp is not None:
            grasp = step.grasp(self._poses())
        else:
            grasp = grasp_pose(self._world.things[step.thing], self._world.pose(step.thing))
        lifted = grasp.copy()
        lifted[2, 3] += self._task.carry_m
        plan = _Plan(self._tool(), self._width)
        plan.move(above(grasp, HOVER_M))
        start = plan.length
        plan.move(grasp)
        plan.grip(0.0)
        closed = plan.length
        plan.move(lifted)
        before = self._execute(plan, step, start, plan.length)
        self._closed = before + closed
        foot = float(self._world.pose(step.thing)[2, 3])
        if foot < self._task.carry_m - SLACK_M:
            raise self._act.failed(f'the {step.thing} slipped out of the fingers at "{step.name}"')

    def _put(self, step: Step) -> None:
        assert step.goal is not None
        poses = self._poses()
        goal = step.goal(poses)
        if step.keeps_yaw:
            goal = standing(goal[0, 3], goal[1, 3], heading(poses[step.thing]), goal[2, 3])
        goal = goal.copy()
        goal[2, 3] += _DROP_M
        tool2thing = se3.inverse(poses[step.thing]) @ self._true_tool()
        release = goal @ tool2thing
        if step.path is None:
            way = [above(release, self._task.carry_m - goal[2, 3])]
        else:
            way = [pose @ tool2thing for pose in step.path(poses)]
        plan = _Plan(self._tool(), self._width)
        plan.move(way[0])
        start = plan.length
        for pose in (*way[1:], release):
            plan.move(pose)
        if not step.lets_go:
            self._execute(plan, step, start, plan.length)
            return
        plan.wait(0.15)
        opened = plan.length
        plan.grip(panda.OPEN_WIDTH)
        clear = above(release, HOVER_M) if step.path is None else _behind(release, HOVER_M)
        plan.move(clear)
        end = plan.length
        if step.path is not None:
            plan.move(above(clear, HOVER_M))
        before = self._execute(plan, step, start, end)
        self._holds.append(Hold(step.thing, self._closed, before + opened))
        if float(self._world.pose(step.thing)[2, 3]) > goal[2, 3] + SLACK_M:
            raise self._act.failed(f'the {step.thing} did not leave the fingers at "{step.name}"')

    def _go_home(self) -> None:
        away = float(np.abs(self._joints - panda.HOME).max())
        length = max(SHORTEST, PEAK * away / 0.9)
        share = least_jerk(length)[:, None]
        self._follow(self._joints + share * (panda.HOME - self._joints), None)

    def _rest(self, seconds: float) -> None:
        count = round(seconds / PLAN_STEP) + 1
        self._follow(np.tile(self._joints, (count, 1)), None)

    def _travel(self, held: str) -> None:
        """Drive to where what is held is put down, with a still arm."""
        if self._trip is None:
            return
        self._rest(0.5)
        self._world.carry(name for name in self._world.things if name != held)
        for place, speed in zip(*self._trip.way(TIME_STEP), strict=True):
            self._world.drive(place, speed)
            self._act.tick(self._joints, np.zeros_like(self._joints), self._width)
        self._world.drive(place, np.zeros(3))
        self._world.carry(())
        self._rest(0.5)

    def _execute(self, plan: _Plan, step: Step, start: float, end: float) -> float:
        """Carry out a plan, note its skill, and return when the plan began."""
        targets, widths = plan.targets(), plan.widths()
        seeds = np.tile(self._joints, (len(targets), 1))
        limit = 1.2 * PLAN_STEP * self._robot.velocity_limits(panda.ARM_JOINTS)
        path = self._robot.solve_path(panda.ARM_JOINTS, targets, seeds, max_step=limit)
        if path.first_failed >= 0:
            x, y, z = targets[path.first_failed][:3, 3]
            raise R2RGenError(
                f'the arm cannot do "{step.name}": it cannot follow at ({x:.2f}, {y:.2f}, {z:.2f})',
                'a pose within reach',
                'move the object, or choose another seed',
            )
        before = self._act.seconds
        self._follow(path.positions, widths)
        self._spans.append(Span(step, before + start, before + end))
        return before

    def _follow(self, joints: Floats, widths: Floats | None) -> None:
        """Let the servos follow joint positions (N, 7) and widths (N,) of the plan's steps."""
        if widths is None:
            widths = np.full(len(joints), self._width)
        self._joints, fingers = self._act.follow(joints, widths[:, None])
        self._width = float(fingers[0])

    def _poses(self) -> Mapping[str, Floats]:
        return self._world.poses(self._world.data.qpos)

    def _tool(self) -> Floats:
        """Pose of the tool that was last asked for."""
        return np.asarray(self._robot.forward(panda.ARM_JOINTS, self._joints[None])[0])

    def _true_tool(self) -> Floats:
        joints = self._world.state().joints[:7]
        return np.asarray(self._robot.forward(panda.ARM_JOINTS, joints[None])[0])


class _Plan:
    """A motion of the tool that comes to rest at given poses."""

    def __init__(self, pose: Floats, width: float) -> None:
        self._pose, self._width = pose, width
        self._targets = [pose[None]]
        self._widths = [np.array([width])]

    @property
    def length(self) -> float:
        """Seconds so far."""
        return PLAN_STEP * (sum(len(part) for part in self._targets) - 1)

    def targets(self) -> Floats:
        """Poses (N, 4, 4) of the tool at the plan's steps."""
        return np.concatenate(self._targets)

    def widths(self) -> Floats:
        """Distances (N,) of the fingers at the plan's steps."""
        return np.concatenate(self._widths)

    def move(self, goal: Floats) -> None:
        """Move to a pose along a line, from rest to rest."""
        far = float(np.linalg.norm(goal[:3, 3] - self._pose[:3, 3]))
        turn = float(se3.angle_between(self._pose, goal))
        seconds = PEAK * max(far / SPEED, turn / TURN_SPEED)
        share = least_jerk(max(SHORTEST, seconds))[1:]
        self._add(blend(self._pose, goal, share), np.full(len(share), self._width))
        self._pose = goal

    def wait(self, seconds: float) -> None:
        """Stand still."""
        count = round(seconds / PLAN_STEP)
        self._add(np.tile(self._pose, (count, 1, 1)), np.full(count, self._width))

    def grip(self, width: float) -> None:
        """Open or close the fingers, and give them time."""
        count = round(abs(width - self._width) / CLOSING / PLAN_STEP)
        ramp = np.linspace(self._width, width, count + 1)[1:]
        self._add(np.tile(self._pose, (count, 1, 1)), ramp)
        self._width = width
        self.wait(0.15)

    def _add(self, targets: Floats, widths: Floats) -> None:
        self._targets.append(targets)
        self._widths.append(widths)


def grasp_pose(thing: Thing, thing2base: Floats) -> Floats:
    """Pose of the tool (4, 4), pointing down, that takes an object where it stands.

    Raises:
        R2RGenError: The object is not to be taken.

    """
    grip = thing.grip
    if grip is None:
        raise R2RGenError(f'the {thing.name} cannot be taken by the gripper')
    place = thing2base[:3, :3] @ [*grip.point, 0.0] + thing2base[:3, 3]
    if grip.yaws is None:
        yaw = 0.6 * float(np.arctan2(place[1], place[0]))
    else:
        # Half a turn more is the same grasp: take the one nearest to the hand at home.
        turned = heading(thing2base) + np.array(grip.yaws)
        turned = (turned + 0.5 * np.pi) % np.pi - 0.5 * np.pi
        yaw = float(turned[np.argmin(np.abs(turned))])
    down = se3.rotation_about([0.0, 0.0, 1.0], yaw) @ np.diag([1.0, -1.0, -1.0])
    return se3.compose(down, place + np.array([0.0, 0.0, grip.height]))


def blend(start: Floats, goal: Floats, share: Floats) -> Floats:
    """Poses (N, 4, 4) between two poses: positions on a line, rotations on the shortest arc."""
    place = start[:3, 3] + share[:, None] * (goal[:3, 3] - start[:3, 3])
    turn = Rotation.from_matrix(start[:3, :3].T @ goal[:3, :3]).as_rotvec()
    return se3.compose(
        start[:3, :3] @ Rotation.from_rotvec(share[:, None] * turn).as_matrix(), place
    )


def least_jerk(seconds: float) -> Floats:
    """Share of the way (N,) at the plan's steps, from 0 to 1."""
    count = round(seconds / PLAN_STEP)
    t = np.arange(count + 1) / count
    return np.asarray(t**3 * (10.0 - 15.0 * t + 6.0 * t**2))


def _behind(pose: Floats, far: float) -> Floats:
    """Return a pose of the tool drawn back along its fingers."""
    out = pose.copy()
    out[:3, 3] -= far * pose[:3, 2]
    return out


def above(pose: Floats, height: float) -> Floats:
    """Return a pose (4, 4) moved upwards, metres."""
    out = pose.copy()
    out[2, 3] += height
    return out
