# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The support plane: RANSAC, then least squares; never a z threshold.

Hand-eye errors tilt the table in the base frame, so heights are always measured from the fitted
plane. RANSAC after Fischler and Bolles, 1981, with a fixed seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from r2rgen_ros.model.annotation import SupportPlane
from r2rgen_ros.parse.clusters import clusters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_UP = np.array([0.0, 0.0, 1.0])  # REP-103: the base frame's z points up
_STEEPEST = np.cos(np.deg2rad(30.0))
_TRIES = 600
_SAMPLE = 6000
_TOLERANCE_M = 0.008
_LEAST_SHARE = 0.15
_MOST_BELOW = 0.2
_CONNECTED_M = 0.06
_WORK_M = 0.5  # tables are higher above the floor
_BAND_M = 0.02
_LEAST_AREA_M2 = 0.12  # a plate is flat too, but nothing stands beside it on a plate


def fit_support(points: Floats) -> SupportPlane | None:
    """Fit the plane that most points lie on, among planes within 30 degrees of level.

    Args:
        points: (N, 3) what the camera saw, base frame, metres, without NaN.

    Returns:
        The plane with the convex outline of its points; None where no plane holds 15 % of the
        points, a fifth of all points lies below it, or it is smaller than 0.12 square metres.

    """
    if len(points) < 50:
        return None
    rng = np.random.default_rng(0)
    few = points[rng.choice(len(points), min(_SAMPLE, len(points)), replace=False)]
    normal, offset = _ransac(few, rng)
    if normal is None:
        return None
    for tolerance in (_TOLERANCE_M, _TOLERANCE_M / 2, _TOLERANCE_M / 2):
        near = np.abs(points @ normal - offset) < tolerance
        if near.sum() < 3:
            return None
        normal, offset = _least_squares(points[near])
    height = points @ normal - offset
    spread = 1.4826 * float(np.median(np.abs(height[np.abs(height) < 4 * _TOLERANCE_M])))
    near = np.abs(height) < max(_TOLERANCE_M / 2, 3.0 * spread)
    if near.mean() < _LEAST_SHARE or (height < -5 * _TOLERANCE_M).mean() > _MOST_BELOW:
        return None
    residual = float(np.sqrt(np.mean(height[near] ** 2)))
    # A far wall meets the plane too: only what hangs together with the largest part is support.
    near[near] = clusters(points[near], _CONNECTED_M, 1) == 0
    flat = SupportPlane(normal, offset, np.eye(3))
    hull = ConvexHull(flat.to_plane(points[near]))
    if hull.volume < _LEAST_AREA_M2:
        return None
    corners = hull.points[hull.vertices] @ flat.axes + flat.offset * flat.normal
    return SupportPlane(normal, offset, corners, residual)


def fit_support_near(points: Floats, hands: Floats) -> SupportPlane | None:
    """Fit the plane that hands work above, where a camera that moves sees much else, and the floor.

    Args:
        points: (N, 3) what the camera saw, base frame, metres, without NaN.
        hands: (M, 3) where the hands were.

    Returns:
        As of `fit_support`, whose shares are those of the points near the hands; the outline is
        that of all points on the plane.

    """
    near = np.isfinite(cKDTree(hands).query(points, distance_upper_bound=_WORK_M)[0])
    plane = fit_support(points[near])
    if plane is None:
        return None
    return fit_support(points[np.abs(plane.height(points)) < _BAND_M]) or plane


def assumed_support(points: Floats, reach: Floats, margin: float) -> SupportPlane:
    """Return a level plane under the lowest points, where the table itself was cropped away.

    Args:
        points: (N, 3) points of the objects, base frame, metres.
        reach: (M, 3) places that the demonstration uses; they span the outline.
        margin: Metres added around them.

    Returns:
        The plane; its residual is NaN, which marks it as assumed.

    """
    offset = float(np.quantile(points[:, 2], 0.002))
    low, high = reach.min(axis=0) - margin, reach.max(axis=0) + margin
    corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    return SupportPlane(_UP, offset, np.array([(x, y, offset) for x, y in corners]))


def _ransac(points: Floats, rng: np.random.Generator) -> tuple[Floats | None, float]:
    corners = points[rng.integers(0, len(points), (_TRIES, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    good = lengths > 1e-6
    normals, corners = normals[good] / lengths[good, None], corners[good]
    normals *= np.where(normals @ _UP < 0.0, -1.0, 1.0)[:, None]
    level = normals @ _UP > _STEEPEST
    if not level.any():
        return None, 0.0
    normals, corners = normals[level], corners[level]
    offsets = np.einsum('ij,ij->i', normals, corners[:, 0])
    counts = (np.abs(points @ normals.T - offsets) < _TOLERANCE_M).sum(axis=0)
    best = int(counts.argmax())
    return normals[best], float(offsets[best])


def _least_squares(points: Floats) -> tuple[Floats, float]:
    """Total least squares: the direction in which the points spread least."""
    centre = points.mean(axis=0)
    shifted = points - centre
    _, axes = np.linalg.eigh(shifted.T @ shifted)
    normal = axes[:, 0] if axes[:, 0] @ _UP > 0.0 else -axes[:, 0]
    return normal, float(normal @ centre)
