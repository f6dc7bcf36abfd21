# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A base that goes as it was recorded, while the arm is told what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import PchipInterpolator

from r2rgen_ros.geometry import se3
from r2rgen_ros.simulate.trip import planar, seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from r2rgen_ros.simulate.world import World

    Floats = NDArray[np.float64]

_RESTS = 1e-4
"""Slower than this, in m/s and rad/s, is what interpolation makes of a base that stands."""


def rooms_of(base2room: Floats) -> Floats:
    """x, y and yaw (M, 3) of the room in the base, from poses (M, 4, 4) of the base in the room.

    Yaws do not jump by whole turns.
    """
    yaw = np.unwrap(np.arctan2(base2room[:, 1, 0], base2room[:, 0, 0]))
    return seen(np.column_stack([base2room[:, :2, 3], yaw]))


class Ride:
    """Moves the room past a robot that drives, step by step.

    Between two places it goes without overshooting (Fritsch and Carlson 1980), so that it rests
    where the base does. What the robot touches when it sets off rides with it.

    Args:
        world: The world, which can drive.
        seconds: (M,) rising.
        rooms: (M, 3) x, y and yaw of the room in the base.

    """

    def __init__(self, world: World, seconds: Floats, rooms: Floats) -> None:
        self._world, self._moves = world, False
        self._curve = PchipInterpolator(seconds, rooms)
        self._speed = self._curve.derivative()
        self._last = float(seconds[-1])
        self._place = rooms[0]
        world.carry(())
        world.drive(self._place, np.zeros(3))

    def at(self, second: float) -> None:
        """Tell the world where the room is next, and how it moves."""
        now = min(second, self._last)
        speed = np.asarray(self._speed(now))
        moves = bool(np.abs(speed).max() > _RESTS) and second < self._last
        if moves and not self._moves:
            touched = self._touched()
            self._world.carry(name for name in self._world.things if name not in touched)
        if moves:
            self._place = np.asarray(self._curve(now))
        if moves or self._moves:
            self._world.drive(self._place, speed if moves else np.zeros(3))
        if self._moves and not moves:
            self._world.carry(())
        self._moves = moves

    def _touched(self) -> set[str]:
        """Objects that the robot touches."""
        things = set(self._world.things)
        out: set[str] = set()
        for pair in self._world.touching():
            if len(pair - things) == 1 and not pair & self._world.rooms_bodies:
                out |= pair & things
        return out


def in_room(world: World, qpos: Floats, poses: Mapping[str, Floats]) -> dict[str, Floats]:
    """Poses (N, 4, 4) in the room, of those that the base sees at positions (N, nq)."""
    room2base = planar(world.rooms(qpos))
    return {name: se3.inverse(room2base) @ path for name, path in poses.items()}
