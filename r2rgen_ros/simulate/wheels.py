# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The arm on a mobile base that stands where it has docked, and what its odometry publishes.

Frames follow REP-105: odom > base_footprint on the floor > the arm's base. Where it stops depends
on the seed, as does the rest of a demonstration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import messages
from r2rgen_ros.geometry import se3
from r2rgen_ros.simulate.world import FLOOR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BASES = ('fixed', 'mobile', 'driving')
ODOM, FOOTPRINT = 'odom', 'base_footprint'
ODOMETRY = '/odom'
EVERY = 40
"""In time steps: 50 Hz, as most drivers of wheels."""
_SPREAD = np.diag([1e-4, 1e-4, 1e-6, 1e-6, 1e-6, 3e-4]).reshape(-1)
_PURPOSE = 3


@dataclass(frozen=True)
class Wheels:
    """A base that stands, or drives.

    Attributes:
        foot2odom: (4, 4) pose of base_footprint in odom; of one that drives, where it would be at
            the origin of the room.
        trail: (N, 4, 4) where the base is in the room at each state; None for one that stands.
        twists: (N, 6) how it moves then, in its own frame, linear before angular.

    """

    foot2odom: Floats
    trail: Floats | None = None
    twists: Floats | None = None

    @classmethod
    def docked(cls, seed: int) -> Wheels:
        """Return the base where it stands under a seed: some metres from where odom began."""
        rng = np.random.default_rng(np.random.SeedSequence([seed, _PURPOSE]))
        x, y = rng.uniform([0.8, -1.5], [2.5, 1.5])
        turn = se3.rotation_about([0.0, 0.0, 1.0], rng.uniform(-2.0, 2.0))
        return cls(se3.compose(turn, [x, y, 0.0]))

    @property
    def base2odom(self) -> Floats:
        """(4, 4) pose of the arm's base in odom."""
        return self.foot2odom @ base2foot()

    def static_edge(self, base: str) -> tuple[str, str, Floats]:
        """What stands in /tf_static of the robot's base: parent, child and child2parent (4, 4)."""
        return FOOTPRINT, base, base2foot()

    def messages(self, stamp: int, index: int = 0) -> list[tuple[str, Any]]:
        """What is published at a stamp, nanoseconds, of a state: topics and messages."""
        pose, twist = self.foot2odom, np.zeros(6)
        if self.trail is not None and self.twists is not None:
            foot = base2foot()
            pose = self.base2odom @ self.trail[index] @ se3.inverse(foot)
            twist = self.twists[index]  # the foot is below the base: no lever
        edge = messages.transform_matrix(stamp, ODOM, FOOTPRINT, pose)
        row = np.concatenate(se3.to_quaternion(pose))
        odometry = messages.odometry(stamp, ODOM, FOOTPRINT, row, _SPREAD, twist, _SPREAD)
        return [('/tf', messages.tf_message([edge])), (ODOMETRY, odometry)]


def base2foot() -> Floats:
    """Pose (4, 4) of the arm's base on the mobile one: above its middle, as high as the table."""
    return se3.compose(np.eye(3), [0.0, 0.0, -FLOOR])
