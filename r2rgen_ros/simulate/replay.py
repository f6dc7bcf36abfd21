# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Let the virtual robot's controllers follow recorded or generated joints, open loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicSpline

from r2rgen_ros.model.errors import check_array, require
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.ride import Ride, in_room
from r2rgen_ros.simulate.steps import REST_SPEED
from r2rgen_ros.simulate.world import TIME_STEP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from r2rgen_ros.simulate.steps import Task
    from r2rgen_ros.simulate.world import World

    Floats = NDArray[np.float64]

_SETTLE_S = 1.0
_WATCH_EVERY = 20


@dataclass(frozen=True)
class Orders:
    """What the controllers are told.

    Attributes:
        seconds: (M,) rising, from 0.
        joints: (M, 7 A) positions of the A arms, rad.
        widths: (M, A) distances of the fingers, metres, or (M,) for one arm; 0 presses on what is
            between them.
        rooms: (M, 3) x, y and yaw of the room as the base sees it that drives, metres and radians;
            None for one that stands.

    """

    seconds: Floats
    joints: Floats
    widths: Floats
    rooms: Floats | None = None

    def __post_init__(self) -> None:
        """Check shapes and time."""
        seconds = check_array('seconds of the orders', self.seconds, (None,))
        require(len(seconds) > 1 and bool((np.diff(seconds) > 0).all()), 'orders do not rise')
        widths = check_array('ordered widths', self.rows, (len(seconds), None))
        columns = len(panda.ARM_JOINTS) * widths.shape[1]
        check_array('ordered joints', self.joints, (len(seconds), columns))
        if self.rooms is not None:
            check_array('places of the room', self.rooms, (len(seconds), 3))

    @property
    def rows(self) -> Floats:
        """(M, A) distances of the fingers of all arms, metres."""
        return np.asarray(self.widths).reshape(len(self.seconds), -1)


@dataclass(frozen=True)
class Replayed:
    """What came of it.

    Attributes:
        lag_rad: Largest distance of a joint from where it was told to be.
        paths: object2base (N, 4, 4) by name, every 10 ms and at the end; in the room where the
            base drives.
        speeds: How fast each object's origin moves at the end, m/s, by name.
        touched: Pairs of names of bodies that touched at any time.
        fastest: (7 A,) largest speed of each joint of the arms, rad/s, in any time step.

    """

    lag_rad: float
    paths: Mapping[str, Floats]
    speeds: Mapping[str, float]
    touched: frozenset[frozenset[str]]
    fastest: Floats

    def failure(self, task: Task, *, moved: bool = False) -> str:
        """Return what went wrong, as `Task.failure` says it; empty where all is well."""
        wrong = task.failure(self.paths, moved=moved)
        restless = [name for name, speed in self.speeds.items() if speed > REST_SPEED]
        return wrong or (f'the {restless[0]} still moves at the end' if restless else '')


def replay(world: World, poses: Mapping[str, Floats], orders: Orders) -> Replayed:
    """Carry out orders from given starting poses, with contact physics.

    Joints between two orders lie on a cubic spline, as a joint trajectory controller interpolates.

    Args:
        world: The world.
        poses: object2base (4, 4) by name at the start.
        orders: What the controllers are told.

    """
    require(
        orders.rooms is None or world.drives, 'the base shall drive in a world in which it stands'
    )
    curve = CubicSpline(orders.seconds, orders.joints, bc_type='clamped')
    speed = curve.derivative()
    count = round(float(orders.seconds[-1]) / TIME_STEP)
    ticks = np.minimum(TIME_STEP * np.arange(1, count + 1), orders.seconds[-1])
    goals, speeds = curve(ticks), speed(ticks)
    columns = world.rig.arm_columns
    widths = np.stack(
        [np.interp(ticks, orders.seconds, column) for column in orders.rows.T], axis=1
    )
    world.reset(poses, orders.joints[0])
    ride = None if orders.rooms is None else Ride(world, orders.seconds, orders.rooms)
    lag = 0.0
    seen, touched = [], set[frozenset[str]]()
    fastest = np.zeros(goals.shape[1])
    for step, (goal, velocity, width) in enumerate(zip(goals, speeds, widths, strict=True)):
        world.command(goal, velocity, width)
        if ride is not None:
            ride.at(TIME_STEP * step)
        world.step()
        np.maximum(fastest, np.abs(world.data.qvel[columns]), out=fastest)
        if step % _WATCH_EVERY == 0:
            lag = max(lag, float(np.abs(world.data.qpos[columns] - goal).max()))
            seen.append(world.data.qpos.copy())
            touched |= world.touching()
    world.command(goals[-1], np.zeros(goals.shape[1]), widths[-1])
    if ride is not None:
        ride.at(np.inf)
    for step in range(round(_SETTLE_S / TIME_STEP)):
        world.step()
        if step % _WATCH_EVERY == 0:
            seen.append(world.data.qpos.copy())
    qpos = np.stack([*seen, world.data.qpos])
    paths = world.poses(qpos)
    if ride is not None:
        paths = in_room(world, qpos, paths)
    speeds_now = {name: world.speed(name) for name in world.things}
    return Replayed(lag, paths, speeds_now, frozenset(touched), fastest)
