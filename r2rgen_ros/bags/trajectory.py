# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a joint trajectory controller is told: trajectory_msgs/JointTrajectory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import messages
from r2rgen_ros.model.errors import check_array, check_finite, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'
MULTI_DOF = 'trajectory_msgs/msg/MultiDOFJointTrajectory'


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Joints over time.

    Attributes:
        topic: Where it goes.
        names: J joint names.
        nanoseconds: (M,) int64 since the first point, rising.
        positions: (M, J) rad or m.
        velocities: (M, J) rad/s or m/s.
        accelerations: (M, J) rad/s^2 or m/s^2.

    """

    topic: str
    names: tuple[str, ...]
    nanoseconds: NDArray[np.int64]
    positions: Floats
    velocities: Floats
    accelerations: Floats

    def __post_init__(self) -> None:
        """Check shapes and time."""
        times = check_array('times of a trajectory', self.nanoseconds, (None,), np.int64)
        rises = len(times) > 0 and times[0] >= 0 and bool((np.diff(times) > 0).all())
        require(rises, 'the times of a trajectory do not rise')
        shape = (len(times), len(self.names))
        for what in ('positions', 'velocities', 'accelerations'):
            check_finite(what, check_array(what, getattr(self, what), shape))

    def message(self, frame: str) -> Any:
        """The trajectory_msgs/JointTrajectory.

        Its stamp is zero, by which controllers start it when it comes; with the time of the
        recording they refuse it, for it lies in the past.

        Args:
            frame: The base frame.

        """
        point = messages.message_class('trajectory_msgs/msg/JointTrajectoryPoint')
        duration = messages.message_class('builtin_interfaces/msg/Duration')
        none = messages.NO_NUMBERS
        rows = zip(
            self.nanoseconds.tolist(),
            np.ascontiguousarray(self.positions),
            np.ascontiguousarray(self.velocities),
            np.ascontiguousarray(self.accelerations),
            strict=True,
        )
        points = [
            point(place, speed, gain, none, duration(*divmod(at, messages.NS_PER_S)))
            for at, place, speed, gain in rows
        ]
        return messages.message_class(TRAJECTORY)(
            messages.header(0, frame), list(self.names), points
        )
