# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The way of a base that drives along the table, from where it takes something to where it puts it.

The simulation happens in the robot's own frame, in which the room is what moves: MuJoCo's positions
begin with those of the arm, and what is in the hand feels no drive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from r2rgen_ros.simulate.steps import Task

    Floats = NDArray[np.float64]

ASIDE_M = 0.28
"""How far the objects, and the stops, are to the sides of where they would be."""
TABLE_AHEAD = se3.compose(np.eye(3), [0.38, 0.0, 0.0])
"""Where the table is, so that the base drives before it: table2room (4, 4)."""
_PURPOSE = 4
_SECONDS = 4.0


@dataclass(frozen=True)
class Trip:
    """Two stops.

    Attributes:
        start: (3,) x, y and yaw of the base in the room, metres and radians.
        end: (3,) of the second stop.
        seconds: How long the drive takes.

    """

    start: Floats
    end: Floats
    seconds: float = _SECONDS

    @classmethod
    def sample(cls, seed: int) -> Trip:
        """Draw the stops of a seed: to the left of the table's middle, then to the right."""
        rng = np.random.default_rng(np.random.SeedSequence([seed, _PURPOSE]))
        ends = rng.uniform([-0.03, -0.03, -0.12], [0.03, 0.03, 0.12], (2, 3))
        return cls(ends[0] + [0.0, ASIDE_M, 0.0], ends[1] - [0.0, ASIDE_M, 0.0])

    def spread(self, task: Task, poses: Mapping[str, Floats]) -> dict[str, Floats]:
        """Poses object2room (4, 4) of a task's objects, each before its stop.

        Raises:
            R2RGenError: The task is more than to take one thing and put it down.

        """
        steps = task.steps
        require(
            len(steps) == 2 and steps[0].goal is None and len(task.rig.arms) == 1,
            f'a base that drives cannot do task "{task.name}"',
            'a task in which one thing is taken and put down: place-bottle, mug-in-bowl,'
            ' box-in-bowl',
        )
        taken = steps[0].thing
        out = {}
        for name, pose in poses.items():
            out[name] = pose.copy()
            out[name][1, 3] += ASIDE_M if name == taken else -ASIDE_M
        return out

    def way(self, step_s: float) -> tuple[Floats, Floats]:
        """The drive, with least jerk: place and speed (N, 3) of the room as the base sees it."""
        count = round(self.seconds / step_s)
        t = np.arange(count + 1) / count
        share = t**3 * (10.0 - 15.0 * t + 6.0 * t**2)
        places = seen(self.start + share[:, None] * (self.end - self.start))
        return places, np.gradient(places, step_s, axis=0)


def seen(base: Floats) -> Floats:
    """x, y and yaw (..., 3) of the room in the base from those of the base in the room; or back."""
    x, y, yaw = np.moveaxis(base, -1, 0)
    c, s = np.cos(yaw), np.sin(yaw)
    return np.stack([-c * x - s * y, s * x - c * y, -yaw], axis=-1)


def planar(place: Floats) -> Floats:
    """Pose (..., 4, 4) of x, y and yaw (..., 3)."""
    turn = se3.rotation_about([0.0, 0.0, 1.0], place[..., 2])
    return se3.compose(turn, np.concatenate([place[..., :2], np.zeros_like(place[..., :1])], -1))


def base_twist(room: Floats, speed: Floats) -> Floats:
    """Twist (..., 6) of the base in its own frame, linear before angular, as odometry has it.

    Of p_r = -R' p follows v = R' dp/dt = w_r J p_r - dp_r/dt, and w = -w_r.

    Args:
        room: (..., 3) x, y and yaw of the room in the base.
        speed: (..., 3) their rates.

    """
    out = np.zeros((*room.shape[:-1], 6))
    out[..., 0] = -speed[..., 2] * room[..., 1] - speed[..., 0]
    out[..., 1] = speed[..., 2] * room[..., 0] - speed[..., 1]
    out[..., 5] = -speed[..., 2]
    return out
