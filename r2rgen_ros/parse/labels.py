# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which point of every frame belongs to which object, to the environment or to the robot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.cloud import Cloud


class ObjectMatcher:
    """Finds the points of a frame that lie on objects at known poses.

    Args:
        clouds: Per object, its cloud in its own frame.
        tolerance: Largest distance of a point from an object's cloud, metres.

    """

    def __init__(self, clouds: Sequence[Cloud], tolerance: float) -> None:
        self._trees = [cKDTree(cloud.points) for cloud in clouds]
        self._low = [cloud.points.min(axis=0) - tolerance for cloud in clouds]
        self._high = [cloud.points.max(axis=0) + tolerance for cloud in clouds]
        self._tolerance = tolerance

    def match(
        self, points: NDArray[np.float64], object2base: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.int64]:
        """Return the object (N,) that each point (N, 3) lies on, -1 for none."""
        best = np.full(len(points), np.inf)
        owner = np.full(len(points), -1, dtype=np.int64)
        for k, tree in enumerate(self._trees):
            local = se3.apply(se3.inverse(object2base[k]), points)
            near = np.flatnonzero(((local >= self._low[k]) & (local <= self._high[k])).all(axis=1))
            if not near.size:
                continue
            distance = np.asarray(tree.query(local[near], distance_upper_bound=self._tolerance)[0])
            closer = distance < best[near]
            best[near[closer]] = distance[closer]
            owner[near[closer]] = k
        return owner


def label_cloud(owner: NDArray[np.int64], still: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Label the points of a cloud: objects, then what stands still, then the robot.

    Args:
        owner: (N,) object of each point, -1 for none.
        still: (N,) whether the point belongs to the still environment.

    Returns:
        (N,) labels.

    """
    labels = np.full(len(owner), ROBOT, dtype=np.uint8)
    labels[still] = ENVIRONMENT
    labels[owner >= 0] = (FIRST_OBJECT + owner[owner >= 0]).astype(np.uint8)
    return labels
