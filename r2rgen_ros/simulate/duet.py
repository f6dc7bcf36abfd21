# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scripted expert with two arms: both move at once, on one clock.

What `expert` says of motions and grasps holds here too. A motion of several hands takes as long as
the slowest of them needs; what they carry together moves rigidly, and they with it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.expert import (
    CLOSING,
    PEAK,
    SHORTEST,
    SPEED,
    TURN_SPEED,
    Hold,
    Rollout,
    Span,
    blend,
    least_jerk,
)
from r2rgen_ros.simulate.performance import PLAN_STEP, Performance
from r2rgen_ros.simulate.steps import heading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.simulate.rig import RigArm
    from r2rgen_ros.simulate.steps import Step, Task
    from r2rgen_ros.simulate.world import World

    Floats = NDArray[np.float64]


def perform_duet(world: World, task: Task, keep: Callable[[int], bool]) -> Rollout:
    """Carry out a task of several arms; arguments and errors as of `expert.perform`."""
    assert task.script is not None
    duet = Duet(world, task, keep)
    duet.rest(0.5)
    task.script(duet)
    duet.home()
    duet.rest(0.5)
    return duet.finished()


@dataclass
class _Side:
    """One arm, and what it was last told."""

    place: int
    arm: RigArm
    robot: Robot
    joints: Floats
    tool: Floats
    width: float = panda.OPEN_WIDTH


class Duet:
    """One attempt at a task; every call carries something out.

    Args:
        world: The world, reset to the starting poses.
        task: What to do.
        keep: Tells of the number of a time step whether its state is wanted.

    """

    def __init__(self, world: World, task: Task, keep: Callable[[int], bool]) -> None:
        self._world, self._task = world, task
        self._act = Performance(world, task, keep)
        self._spans: list[Span] = []
        self._holds: list[Hold] = []
        self._closed: dict[str, tuple[str, float]] = {}
        self._sides: dict[str, _Side] = {}
        for place, arm in enumerate(world.rig.arms):
            robot = Robot.from_urdf(world.rig.description, world.rig.base, arm.tool)
            tool = robot.forward(arm.arm_joints, panda.HOME[None])[0]
            self._sides[arm.name] = _Side(place, arm, robot, panda.HOME.copy(), tool)

    @property
    def poses(self) -> Mapping[str, Floats]:
        """Where all objects truly are, object2base (4, 4) by name."""
        return self._world.poses(self._world.data.qpos)

    @property
    def task(self) -> Task:
        """What to do."""
        return self._task

    def tool(self, arm: str) -> Floats:
        """Pose (4, 4) of a tool that was last asked for."""
        return self._sides[arm].tool

    @contextmanager
    def skill(self, *names: str) -> Iterator[None]:
        """Note that all that is done within is of the steps of these names."""
        start = self._act.seconds
        yield
        end = self._act.seconds
        for step in self._task.steps:
            if step.name in names:
                self._spans.append(Span(step, start, end))

    def begin(self, name: str) -> Callable[[], None]:
        """Begin a step that overlaps others; returns what ends it."""
        start, step = self._act.seconds, self._step(name)

        def end() -> None:
            self._spans.append(Span(step, start, self._act.seconds))

        return end

    def move(self, *home: str, **goals: Floats) -> None:
        """Move tools along lines to poses (4, 4) by arm, all at once; the others stand still.

        Args:
            home: Arms that go to where they rest meanwhile.
            goals: Poses (4, 4) by arm.

        """
        seconds = SHORTEST
        for name, goal in goals.items():
            tool = self._sides[name].tool
            far = float(np.linalg.norm(goal[:3, 3] - tool[:3, 3]))
            turn = float(se3.angle_between(tool, goal))
            seconds = max(seconds, PEAK * far / SPEED, PEAK * turn / TURN_SPEED)
        share = least_jerk(seconds)
        tools = {name: blend(self.tool(name), goal, share) for name, goal in goals.items()}
        self._together({**self._homeward(home), **self._solved(tools)})

    def carry(self, thing: str, goal: Floats, *arms: str) -> None:
        """Bring an object that arms hold together to a pose object2base (4, 4)."""
        start = self.poses[thing]
        far = float(np.linalg.norm(goal[:3, 3] - start[:3, 3]))
        tools = [self.tool(name) for name in arms]
        # A hand far from the object's middle is swung about it.
        levers = [float(np.linalg.norm(tool[:3, 3] - start[:3, 3])) for tool in tools]
        turn = float(se3.angle_between(start, goal))
        seconds = PEAK * max((far + max(levers) * turn) / SPEED, turn / TURN_SPEED)
        way = blend(start, goal, least_jerk(max(SHORTEST, seconds))) @ se3.inverse(start)
        self._together(
            self._solved({name: way @ tool for name, tool in zip(arms, tools, strict=True)})
        )

    def grip(self, thing: str, *arms: str) -> None:
        """Close hands on an object, and give them time."""
        self._drive(dict.fromkeys(arms, 0.0))
        for name in arms:
            self._closed[name] = (thing, self._act.seconds)

    def release(self, *arms: str) -> None:
        """Open hands, and give them time."""
        for name in arms:
            thing, start = self._closed.pop(name)
            self._holds.append(Hold(thing, start, self._act.seconds, name))
        self._drive(dict.fromkeys(arms, panda.OPEN_WIDTH))

    def rest(self, seconds: float) -> None:
        """Stand still."""
        count = round(seconds / PLAN_STEP) + 1
        self._follow(np.tile(self._joints, (count, 1)), np.tile(self._widths, (count, 1)))

    def home(self, *arms: str) -> None:
        """Bring arms to where they rest; all of them without names."""
        self._together(self._homeward(arms or tuple(self._sides)))

    def require_lifted(self, thing: str, height: float) -> None:
        """Raise unless an object's foot is that high, metres."""
        if float(self.poses[thing][2, 3]) < height:
            raise self._act.failed(f'the {thing} slipped out of the fingers')

    def finished(self) -> Rollout:
        """Judge the end, and return what happened."""
        self._act.judge()
        spans = sorted(self._spans, key=lambda span: (span.start, span.end))
        return Rollout(tuple(self._act.states), tuple(spans), tuple(self._holds))

    @property
    def _joints(self) -> Floats:
        return np.concatenate([side.joints for side in self._sides.values()])

    @property
    def _widths(self) -> Floats:
        return np.array([side.width for side in self._sides.values()])

    def _step(self, name: str) -> Step:
        return next(step for step in self._task.steps if step.name == name)

    def _drive(self, widths: Mapping[str, float]) -> None:
        """Bring fingers to widths by arm."""
        goal = self._widths
        for name, width in widths.items():
            goal[self._sides[name].place] = width
        change = float(np.abs(goal - self._widths).max())
        count = round(change / CLOSING / PLAN_STEP)
        share = np.linspace(0.0, 1.0, count + 1)[:, None]
        ramp = self._widths + share * (goal - self._widths)
        rows = np.concatenate([ramp, np.tile(goal, (round(0.25 / PLAN_STEP), 1))])
        self._follow(np.tile(self._joints, (len(rows), 1)), rows)

    def _homeward(self, arms: Sequence[str]) -> dict[str, Floats]:
        """Joints (N, 7) by arm that bring arms to where they rest."""
        paths = {}
        for name in arms:
            joints = self._sides[name].joints
            away = float(np.abs(joints - panda.HOME).max())
            share = least_jerk(max(SHORTEST, PEAK * away / 0.9))[:, None]
            paths[name] = joints + share * (panda.HOME - joints)
        return paths

    def _solved(self, targets: Mapping[str, Floats]) -> dict[str, Floats]:
        """Joints (N, 7) by arm that lead tools along paths (N, 4, 4)."""
        paths = {}
        for name, path in targets.items():
            side = self._sides[name]
            joints = side.arm.arm_joints
            limit = 1.2 * PLAN_STEP * side.robot.velocity_limits(joints)
            seeds = np.tile(side.joints, (len(path), 1))
            found = side.robot.solve_path(joints, path, seeds, max_step=limit)
            if found.first_failed >= 0:
                x, y, z = path[found.first_failed][:3, 3]
                raise R2RGenError(
                    f'the {name} arm cannot follow at ({x:.2f}, {y:.2f}, {z:.2f})',
                    'a pose within reach',
                    'move the object, or choose another seed',
                )
            paths[name] = found.positions
        return paths

    def _together(self, paths: Mapping[str, Floats]) -> None:
        """Let arms follow joints (N, 7) by arm; who is there first waits, others stand still."""
        count = max(len(path) for path in paths.values())
        columns = []
        for side in self._sides.values():
            path = paths.get(side.arm.name, side.joints[None])
            columns.append(np.concatenate([path, np.tile(path[-1], (count - len(path), 1))]))
        self._follow(np.hstack(columns), np.tile(self._widths, (count, 1)))

    def _follow(self, joints: Floats, widths: Floats) -> None:
        """Let the servos follow joints (N, 7 A) and widths (N, A) of the plan's steps."""
        self._act.follow(joints, widths)
        for side in self._sides.values():
            side.joints = joints[-1].reshape(len(self._sides), -1)[side.place].copy()
            side.tool = side.robot.forward(side.arm.arm_joints, side.joints[None])[0]
            side.width = float(widths[-1, side.place])


def taken_from_above(
    thing2base: Floats, place: tuple[float, float, float], closing: float
) -> Floats:
    """Pose (4, 4) of a tool that points down and takes an object at a point of it.

    Args:
        thing2base: (4, 4) where the object is.
        place: Point between the fingertips, in the object's frame, metres.
        closing: Direction in which the fingers close, from the object's y axis, radians; of its two
            ways, the one nearer to that of a hand at rest is taken.

    """
    turned = heading(thing2base) + closing
    yaw = (turned + 0.5 * np.pi) % np.pi - 0.5 * np.pi
    down = se3.rotation_about([0.0, 0.0, 1.0], yaw) @ np.diag([1.0, -1.0, -1.0])
    return se3.compose(down, se3.apply(thing2base, np.array([place]))[0])
