# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which point of every frame belongs to which object, to the environment or to the robot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT
from r2rgen_ros.parse.shape import Shape, owners

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
        self._shapes = [Shape(cloud.points.astype(np.float64)) for cloud in clouds]
        self._reaches = [tolerance] * len(clouds)

    def match(
        self, points: NDArray[np.float64], object2base: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.int64]:
        """Return the object (N,) that each point (N, 3) lies on, -1 for none."""
        return owners(self._shapes, object2base, points, self._reaches)


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
