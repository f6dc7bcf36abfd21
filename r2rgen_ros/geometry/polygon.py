# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Convex polygons in a plane: (M, 2) corners, counter-clockwise, metres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Polygon = NDArray[np.float64]


def convex_hull(points: NDArray[np.float64]) -> Polygon:
    """Corners (M, 2) of the convex hull of points (N, 2), counter-clockwise.

    Points that lie on one line, or fewer than three, give a small square around each, so that even
    a sliver has an area.
    """
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except (QhullError, ValueError):
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 1e-4
        wide = (points[:, None] + corners).reshape(-1, 2)
        return np.asarray(wide[ConvexHull(wide).vertices])


def gap(first: Polygon, second: Polygon) -> float:
    """Separation of two convex polygons along their best separating axis, metres.

    Separating axis theorem: positive where some edge normal separates them (a lower bound of the
    distance), negative by the depth of penetration where none does.
    """
    axes = np.concatenate([_edge_normals(first), _edge_normals(second)])
    a, b = first @ axes.T, second @ axes.T
    return float(np.maximum(a.min(0) - b.max(0), b.min(0) - a.max(0)).max())


def _edge_normals(polygon: Polygon) -> NDArray[np.float64]:
    edges = np.roll(polygon, -1, axis=0) - polygon
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1)
    lengths = np.linalg.norm(normals, axis=1)
    return np.asarray(normals[lengths > 0.0] / lengths[lengths > 0.0, None])


def overhang(polygon: Polygon, outline: Polygon) -> float:
    """How far a polygon reaches out of a convex outline, metres; negative when inside."""
    normals = _edge_normals(outline)
    offsets = (outline @ normals.T).max(axis=0)
    return float((polygon @ normals.T - offsets).max())


def half_planes(polygon: Polygon) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Outward normals (E, 2) and limits (E,): p lies in a convex polygon where n p <= limit."""
    normals = _edge_normals(polygon)
    return normals, (polygon @ normals.T).max(axis=0)


def contains(polygon: Polygon, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points (N, 2) lie in a convex polygon or on its edge; NaN lies nowhere."""
    normals, limits = half_planes(polygon)
    inside = np.empty(len(points), dtype=bool)
    _find_inside(normals, limits + 1e-9, np.asarray(points, dtype=np.float64), inside)
    return inside


@compiled
def _find_inside(normals: Any, limits: Any, points: Any, inside: Any) -> None:
    for i in range(len(points)):
        x, y = points[i, 0], points[i, 1]
        within = True
        for k in range(len(limits)):
            if not normals[k, 0] * x + normals[k, 1] * y <= limits[k]:
                within = False
                break
        inside[i] = within
