# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The servos following a plan, watched on their way: what every expert does alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicSpline

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.simulate.steps import REST_SPEED
from r2rgen_ros.simulate.world import TIME_STEP

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from r2rgen_ros.simulate.steps import Task
    from r2rgen_ros.simulate.world import State, World

    Floats = NDArray[np.float64]

PLAN_STEP = 0.01
_WATCH_EVERY = 20  # time steps


class Performance:
    """One attempt at a task, as it goes on.

    Args:
        world: The world, reset to the starting poses.
        task: What is to be done.
        keep: Tells of the number of a time step whether its state is wanted.

    Attributes:
        states: What was kept, in order.

    """

    def __init__(self, world: World, task: Task, keep: Callable[[int], bool]) -> None:
        self._world, self._task, self._keep = world, task, keep
        self._count = 0
        self._seen: list[Floats] = []
        self.states: list[State] = []

    @property
    def seconds(self) -> float:
        """How long it has gone on."""
        return self._count * TIME_STEP

    def follow(self, joints: Floats, widths: Floats) -> tuple[Floats, Floats]:
        """Let the servos follow joints (N, 7 A) of A arms, and widths (N, A), of the plan's steps.

        Returns:
            The last joints and widths that they were told.

        """
        times = PLAN_STEP * np.arange(len(joints))
        curve = CubicSpline(times, joints, bc_type='clamped')
        ticks = TIME_STEP * np.arange(1, round(times[-1] / TIME_STEP) + 1)
        goals, speeds = curve(ticks), curve.derivative()(ticks)
        fingers = np.stack([np.interp(ticks, times, column) for column in widths.T], axis=1)
        for goal, speed, width in zip(goals, speeds, fingers, strict=True):
            self.tick(goal, speed, width)
        return goals[-1].copy(), fingers[-1].copy()

    def tick(self, joints: Floats, velocities: Floats, width: float | Floats) -> None:
        """Tell the servos their goals, see `World.command`, and let one time step pass."""
        if self._keep(self._count):
            self.states.append(self._world.state())
        if self._count % _WATCH_EVERY == 0:
            self._seen.append(self._world.data.qpos.copy())
        self._world.command(joints, velocities, width)
        self._world.step()
        self._count += 1

    def judge(self) -> None:
        """Raise `R2RGenError` unless the task is done and all is at rest."""
        seen = np.stack([*self._seen, self._world.data.qpos])
        wrong = self._task.failure(self._world.poses(seen))
        if wrong:
            raise self.failed(wrong)
        for name in self._world.things:
            if self._world.speed(name) > REST_SPEED:
                raise self.failed(f'the {name} still moves at the end')

    def failed(self, what: str) -> R2RGenError:
        """Return the error that says what went wrong."""
        return R2RGenError(
            f'the expert failed at "{self._task.name}": {what}', '', 'choose another seed'
        )
