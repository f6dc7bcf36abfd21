# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The border that a moved environment leaves empty: shrink the image, or expand the scene.

arXiv 2510.08547, section III-C: the authors shrink the image plane; expanding the environment is
their other choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import ConvexHull, QhullError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

_EDGE_PX = 0.5
_TOLERATED = 0.002
_FARTHEST_M = 10.0
_REACH_M = 0.5


def unseen_border(seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pixels (H, W) were outside the source's view.

    A view is convex, so these are the pixels outside the convex hull of what is seen; the gaps that
    open behind a near thing lie inside it.

    Args:
        seen: (H, W) pixels that the moved environment covers.

    """
    rows = np.flatnonzero(seen.any(axis=1))
    if len(rows) < 2 or not seen.any(axis=0).sum() >= 2:
        return np.ones(seen.shape, dtype=bool)
    first = seen[rows].argmax(axis=1)
    last = seen.shape[1] - 1 - seen[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([first, rows], axis=1), np.stack([last, rows], axis=1)])
    try:
        edges = ConvexHull(ends).equations
    except QhullError:  # all on one line
        return np.ones(seen.shape, dtype=bool)
    v, u = np.mgrid[0 : seen.shape[0], 0 : seen.shape[1]]
    outside = np.zeros(seen.shape, dtype=bool)
    for across, down, offset in edges:
        outside |= across * u + down * v + offset > _EDGE_PX
    return outside


def window_without(unseen: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return the window (u0, v0, u1, v1) left when borders are shrunk until nothing is unseen.

    The side whose outermost row or column misses the largest share goes first; a window may keep
    0.2 % of unseen pixels. An image that is unseen everywhere leaves an empty window.
    """
    height, width = unseen.shape
    sums = np.zeros((height + 1, width + 1), dtype=np.int64)
    sums[1:, 1:] = unseen.cumsum(axis=0).cumsum(axis=1)

    def count(u0: int, v0: int, u1: int, v1: int) -> int:
        return int(sums[v1, u1] - sums[v0, u1] - sums[v1, u0] + sums[v0, u0])

    u0, v0, u1, v1 = 0, 0, width, height
    while u1 > u0 and v1 > v0:
        if count(u0, v0, u1, v1) <= _TOLERATED * (u1 - u0) * (v1 - v0):
            return u0, v0, u1, v1
        shares = (
            count(u0, v0, u0 + 1, v1) / (v1 - v0),
            count(u0, v0, u1, v0 + 1) / (u1 - u0),
            count(u1 - 1, v0, u1, v1) / (v1 - v0),
            count(u0, v1 - 1, u1, v1) / (u1 - u0),
        )
        worst = int(np.argmax(shares))
        u0 += worst == 0
        v0 += worst == 1
        u1 -= worst == 2
        v1 -= worst == 3
    return 0, 0, 0, 0


def extend(
    camera: PinholeCamera,
    depth: NDArray[np.float32],
    unseen: NDArray[np.bool_],
    plane: tuple[NDArray[np.float64], float],
    allowed: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Continue the environment into the unseen border.

    Where the line of sight meets the support plane, the plane is continued; elsewhere the depth of
    the nearest seen pixel is. What is not allowed there, and a support that would reach half a
    metre farther than it is known to, is tried once more with the nearest seen pixel that is off
    the plane, as behind the edge of a table; what is not allowed then either is left open.

    Args:
        camera: Intrinsics.
        depth: (H, W) metres, NaN where nothing is seen.
        unseen: (H, W) the border.
        plane: Unit normal (3,) and offset of the support plane, camera optical frame.
        allowed: Tells of points (N, 3), camera optical frame, whether there may be a surface; None
            where there may be one everywhere.

    Returns:
        Depths (M,) of the unseen pixels in row order, NaN where left open, and for each the flat
        index of the seen pixel that lends its colour.

    """
    usable = ~unseen & np.isfinite(depth)
    if not usable.any():
        return np.zeros(0, np.float32), np.zeros(0, np.int64)
    rays = camera.rays()
    out, lender = _continued(rays, depth, unseen, usable, plane)
    if allowed is None:
        return out, lender
    ahead = rays[unseen]
    known = rays.reshape(-1, 3)[lender] * depth.reshape(-1)[lender, None]
    points = ahead * out[:, None]
    bad = ~allowed(points) | (np.linalg.norm(points - known, axis=1) > _REACH_M)
    normal, offset = plane
    with np.errstate(invalid='ignore'):
        off = usable & (np.abs((rays * depth[..., None]) @ normal - offset) > 0.05)
    if bad.any() and off.any():
        again, others = _continued(rays, depth, unseen, off, plane)
        out[bad], lender[bad] = again[bad], others[bad]
    out[~allowed(ahead * out[:, None])] = np.nan
    return out, lender


def _continued(
    rays: NDArray[np.float64],
    depth: NDArray[np.float32],
    unseen: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    plane: tuple[NDArray[np.float64], float],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Depths (M,) of the unseen pixels from the nearest usable ones, and which these are."""
    nearest = distance_transform_edt(~usable, return_distances=False, return_indices=True)
    lender = (nearest[0] * depth.shape[1] + nearest[1])[unseen]
    normal, offset = plane
    with np.errstate(divide='ignore', invalid='ignore'):
        on_plane = offset / (rays[unseen] @ normal)
    # A pixel continues the plane only where the scene it borders on is that plane.
    lent = depth.reshape(-1)[lender].astype(np.float64)
    lenders = rays.reshape(-1, 3)[lender]
    beside = np.abs((lenders * lent[:, None]) @ normal - offset) < 0.02
    good = beside & (on_plane > 0.0) & (on_plane < _FARTHEST_M)
    return np.where(good, on_plane, lent).astype(np.float32), lender
