# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether joints keep their limits of speed and acceleration, and how much slower they must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import MotionConfig
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.robots.arms import JointLimits
    from r2rgen_ros.robots.kinematics import Robot

    Floats = NDArray[np.float64]

_SLACK = 1e-6
_MORE = 1.03  # slowing a little more than it takes saves rounds
_BESIDE = 2  # frames about too great an acceleration that are slowed


@dataclass(frozen=True)
class Excess:
    """Where a joint is too fast in a skill, which cannot be slowed.

    Attributes:
        frame: Place in the episode.
        joint: Name of the joint.
        kind: 'speed' or 'acceleration'.
        share: How many times the limit it is, above 1.

    """

    frame: int
    joint: str
    kind: str
    share: float

    def __str__(self) -> str:
        """Say it to a person."""
        return (
            f'{self.joint} would need {np.ceil(100 * self.share):.0f} % of its largest {self.kind}'
        )


@dataclass(frozen=True)
class JointCheck:
    """Largest speeds and accelerations; what the source itself did is always allowed.

    Attributes:
        names: (J,) joints of the arm.
        columns: (J,) their columns among the joints of the demonstration.
        speed: (J,) rad/s or m/s.
        acceleration: (J,) rad/s^2 or m/s^2.

    """

    names: tuple[str, ...]
    columns: NDArray[np.intp]
    speed: Floats
    acceleration: Floats

    @classmethod
    def create(
        cls, robot: Robot, demo: Demo, config: MotionConfig, limits: JointLimits | None = None
    ) -> JointCheck:
        """Take limits of speed from the URDF and of acceleration from the configuration.

        Args:
            robot: The arm.
            demo: The source; it has joints.
            config: Share of the speeds, and accelerations where nothing else is known.
            limits: Of all joints that the arm moves, by its profile; None where there is none.

        """
        assert demo.joints is not None
        names = robot.chain
        speed, acceleration = robot.velocity_limits(names), np.full(len(names), np.inf)
        if limits is not None:
            speed, acceleration = limits.speed, limits.acceleration.copy()
        acceleration[~np.isfinite(acceleration)] = config.max_joint_acceleration
        columns = np.array([demo.joints.names.index(name) for name in names], dtype=np.intp)
        speeds, accelerations = derivatives(demo.joints.positions[:, columns], demo.stamps)
        return cls(
            names,
            columns,
            np.maximum(config.joint_speed_share * speed, np.abs(speeds).max(axis=0, initial=0.0)),
            np.maximum(acceleration, np.abs(accelerations).max(axis=0, initial=0.0)),
        )

    def shares(self, positions: Floats, stamps: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """How much of its limits each joint uses.

        Args:
            positions: (M, J) or, with all joints of the demonstration, (M, N).
            stamps: (M,) nanoseconds.

        Returns:
            Shares of the speed (M - 1, J) and of the acceleration (M - 2, J).

        """
        speeds, accelerations = derivatives(positions[:, self.columns], stamps)
        return np.abs(speeds) / self.speed, np.abs(accelerations) / self.acceleration

    def slower(
        self,
        positions: Floats,
        stamps: NDArray[np.int64],
        times: Floats,
        skill: NDArray[np.int16],
        count: int,
    ) -> Floats | Excess | None:
        """How much longer motions must take for the joints to keep their limits.

        Args:
            positions: (M, N) of an episode.
            stamps: (M,) nanoseconds.
            times: (M,) source frame that each frame replays.
            skill: (M,) index of the skill, -1 for motion.
            count: Number of source frames.

        Returns:
            Per interval of the source (count - 1,), at least 1; None where all is well; or what a
            skill, which keeps its time, would need too much of.

        """
        speed, acceleration = self.shares(positions, stamps)
        if max(speed.max(initial=0.0), acceleration.max(initial=0.0)) <= 1.0 + _SLACK:
            return None
        in_skill = skill >= 0
        fast = speed.max(axis=1) > 1.0 + _SLACK
        stuck = np.flatnonzero(fast & in_skill[:-1] & in_skill[1:])
        if stuck.size:
            return self._excess(int(stuck[0]), 'speed', speed[stuck[0]])
        jerky = np.flatnonzero(acceleration.max(axis=1) > 1.0 + _SLACK)
        moving = ~(in_skill[:-1] & in_skill[1:])
        need = np.where(fast, speed.max(axis=1), 1.0)
        for node in jerky.tolist():
            around = np.arange(max(0, node - _BESIDE), min(len(need), node + 2 + _BESIDE))
            around = around[moving[around]]
            if not around.size:
                return self._excess(node + 1, 'acceleration', acceleration[node])
            # An acceleration falls with the square of the time that a motion takes.
            need[around] = np.maximum(need[around], np.sqrt(acceleration[node].max()))
        return _per_interval(need, times, count)

    def excess(self, kind: str, shares: Floats) -> Excess:
        """Tell the largest of an episode's shares (M, J) of the speed, or of the acceleration."""
        row = int(shares.max(axis=1).argmax())
        return self._excess(row + (kind == 'acceleration'), kind, shares[row])

    def _excess(self, frame: int, kind: str, shares: Floats) -> Excess:
        joint = int(shares.argmax())
        return Excess(frame, self.names[joint], kind, float(shares[joint]))


def derivatives(positions: Floats, stamps: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Speeds (M - 1, J) between frames and accelerations (M - 2, J) at those within.

    Args:
        positions: (M, J).
        stamps: (M,) nanoseconds.

    """
    seconds = np.diff(stamps)[:, None] * 1e-9
    speeds = np.diff(positions, axis=0) / seconds
    return speeds, np.diff(speeds, axis=0) / (0.5 * (seconds[:-1] + seconds[1:]))


def _per_interval(need: Floats, times: Floats, count: int) -> Floats:
    """From what frames need to what intervals of the source (count - 1,) need."""
    taken = np.diff(times)
    wanted = np.where(need > 1.0, _MORE * need / taken, 1.0)
    out = np.ones(count - 1)
    first = np.floor(times[:-1]).astype(np.int64)
    last = np.minimum(np.ceil(times[1:]).astype(np.int64), count - 1)
    for low, high, factor in zip(first, last, wanted, strict=True):
        out[low:high] = np.maximum(out[low:high], factor)
    return out
