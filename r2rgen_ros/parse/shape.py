# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Points of an object in its own frame, and which object measured points lie on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Shape:
    """An object's points, to find what lies near them.

    Args:
        points: (N, 3) in its own frame, metres.

    """

    def __init__(self, points: Floats) -> None:
        self.points = points
        self.tree = cKDTree(points)
        self.low, self.high = points.min(axis=0), points.max(axis=0)

    def near(self, points: Floats, pose: Floats, margin: float) -> NDArray[np.int64]:
        """Return the points (N, 3), base frame, within a margin of the box at a pose."""
        local = se3.apply(se3.inverse(pose), points)
        inside = (local >= self.low - margin) & (local <= self.high + margin)
        return np.flatnonzero(inside.all(axis=1))

    def nearest(self, local: Floats, most: float) -> tuple[Floats, NDArray[np.int64]]:
        """Distances (N,) and indices (N,) of the model points nearest to points (N, 3).

        The points are in the object's frame; beyond `most` metres the distance is infinite.
        """
        distance, index = self.tree.query(local, distance_upper_bound=most)
        return np.asarray(distance), np.asarray(index)

    def distances(self, points: Floats, pose: Floats, most: float) -> Floats:
        """Distances (N,) of points (N, 3), base frame, from the model; infinity beyond `most`."""
        local = se3.apply(se3.inverse(pose), points)
        return self.nearest(local, most)[0]


def owners(
    shapes: Sequence[Shape], poses: Sequence[Floats], points: Floats, reaches: Sequence[float]
) -> NDArray[np.int64]:
    """Return the object (N,) that each point (N, 3) is nearest to, -1 for none.

    Args:
        shapes: The objects.
        poses: Per object, (4, 4) object2base.
        points: (N, 3) base frame, metres.
        reaches: Per object, how far from it a point may be, metres.

    """
    owner = np.full(len(points), -1, dtype=np.int64)
    best = np.full(len(points), np.inf)
    for k, (shape, pose, reach) in enumerate(zip(shapes, poses, reaches, strict=True)):
        near = shape.near(points, pose, reach)
        distance = shape.distances(points[near], pose, reach)
        closer = distance < best[near]
        best[near[closer]] = distance[closer]
        owner[near[closer]] = k
    return owner
