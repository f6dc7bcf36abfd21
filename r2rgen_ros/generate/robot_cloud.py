# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The robot's pixels, moved with the arm.

The robot is what is neither environment nor object. Without a URDF its pixels move rigidly with the
end effector, as in the first version of R2RGen. With one, each pixel moves with the nearest link,
so that the arm stays in one piece when the hand goes elsewhere.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.robot import between_arms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.robots.kinematics import Robot

_STEP_M = 0.02
_LONGEST_M = 0.6


class LinkMotion:
    """Which link a point of the robot belongs to, and how the links move in an episode.

    Args:
        demo: The demonstration; must have joints.
        robot: Its kinematics.

    """

    def __init__(self, demo: Demo, robot: Robot) -> None:
        assert demo.joints is not None
        self._robot = robot
        self._names = demo.joints.names
        self._edges = [(robot.base_frame, link) for link in robot.links]
        self._apart = between_arms(robot, len(demo.arms))
        self._recorded = self._poses(demo.joints.positions)

    def _poses(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Poses (M, L, 4, 4) of all links in the base frame."""
        poses = self._robot.link_poses(self._names, positions, self._edges)
        return np.stack([poses[edge] for edge in self._edges], axis=1)

    def assign(self, points: NDArray[np.float64], frame: int) -> NDArray[np.int64]:
        """Return the link (N,) that each robot point (N, 3) of a source frame is nearest to.

        A link is taken as the line from its own origin to that of the next link. The parts of two
        links that meet at a joint move alike near it, so a wrong choice there shows little.
        """
        origins = self._recorded[frame, :, :3, 3]
        places, owner = [origins], [np.arange(len(origins))]
        for link, (start, end) in enumerate(pairwise(origins)):
            length = float(np.linalg.norm(end - start))
            if 0.0 < length < _LONGEST_M and link not in self._apart:
                # The end of the line is the next link's own origin.
                shares = np.arange(0.0, 1.0, _STEP_M / length)[1:, None]
                places.append(start + shares * (end - start))
                owner.append(np.full(len(shares), link))
        nearest = cKDTree(np.concatenate(places)).query(points)[1]
        return np.asarray(np.concatenate(owner)[nearest])

    def moves(self, episode: Episode) -> NDArray[np.float64]:
        """Return the motion (M, L, 4, 4) of each link from source frame to episode frame."""
        assert episode.joints is not None
        return self._poses(episode.joints) @ se3.inverse(self._recorded[episode.source_frames])
