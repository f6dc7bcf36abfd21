# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where an object cannot be: the space that the camera looked through.

A grid in the object's frame keeps, averaged over all views, by how much the measured depth lies
beyond each cell: the projective truncated signed distance of Curless and Levoy, "A volumetric
method for building complex models from range images", 1996. Positive is free, near zero is
surface; cells that every view has behind a surface stay unknown (space carving: Kutulakos and
Seitz, 2000). What is in front of a measured depth is free whatever was measured there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import binary_dilation, map_coordinates, minimum_filter

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.parse.fusion import View

    Floats = NDArray[np.float64]

CELL_M = 0.0025
FRONT_M = 0.012
"""Free space counts up to this distance in front of a surface; beyond, it is as free as can be."""

_MOST_CELLS = 3_000_000
_BEHIND_SIGMAS = 2.0
_LEAST_BEHIND_M = 0.003
_STEADY_SIGMAS = 1.2
_RAY_PIXELS = 5  # edges of depth images wander by a pixel
_MOST_MARGIN_M = 0.009


@dataclass(frozen=True)
class Space:
    """A grid of what is known of the space around an object, in the object's frame.

    Attributes:
        origin: (3,) middle of the first cell, metres.
        cell: Edge of a cell, metres.
        distance: (I, J, K) float32 mean signed distance before the surface, metres, within
            `FRONT_M`; 0 where unknown.
        weight: (I, J, K) float32 number of views that say so; 0 where unknown.
        margin: From this distance on a cell is free, metres.

    """

    origin: Floats
    cell: float
    distance: NDArray[np.float32]
    weight: NDArray[np.float32]
    margin: float

    def at(self, points: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Signed distances (...) of points (..., 3), and whether anything is known there.

        Outside the grid nothing is known.
        """
        places = np.moveaxis((points - self.origin) / self.cell, -1, 0)
        distance = map_coordinates(self.distance, places, order=1, cval=0.0)
        nearest = np.rint(places).astype(np.int64)
        size = np.array(self.weight.shape).reshape((3,) + (1,) * (places.ndim - 1))
        inside = ((nearest >= 0) & (nearest < size)).all(axis=0)
        nearest = np.where(inside, nearest, 0)
        known = inside & (self.weight[tuple(nearest)] > 0.0)
        return np.where(known, distance, 0.0), known

    def free(self, points: Floats, margin: float | None = None) -> NDArray[np.bool_]:
        """Which points (..., 3) lie in space that was looked through."""
        limit = self.margin if margin is None else margin
        return np.asarray(self.at(points)[0] > limit)


def carve(
    views: Sequence[View], low: Floats, high: Floats, growth: float, tolerance: float = 0.0
) -> Space:
    """Work out what the views say of a box around the object.

    Args:
        views: The frames.
        low: (3,) least corner of the box, object's frame, metres.
        high: (3,) largest corner.
        growth: Standard deviation of the depth at one metre, metres.
        tolerance: By how much poses may be wrong, metres.

    """
    cell = CELL_M
    while np.prod(np.ceil((high - low) / cell) + 1) > _MOST_CELLS:
        cell *= 1.25
    shape = np.ceil((high - low) / cell).astype(np.int64) + 1
    total, weight = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    sigmas = [1e-9]
    corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, 8).T
    for view in views:
        object2camera = se3.inverse(view.camera2object)
        window = _window(view.camera, se3.apply(object2camera, corners))
        if window is None:
            continue
        rows, columns = window
        depth = view.depth[rows, columns]
        # 2 the object, 1 not said, 0 something else: its surface is no surface of the object.
        says = np.where(view.inside[rows, columns], 2, 0).astype(np.uint8)
        says[(says == 0) & binary_dilation(says == 2, np.ones((3, 3), dtype=bool))] = 1
        if view.uncertain is not None:
            says[view.uncertain[rows, columns] & (says == 0)] = 1
        camera = view.camera
        middle = se3.apply(object2camera, (low + high)[None] / 2.0)[0]
        sigmas.append(growth * float(middle[2]) ** 2)
        _add(
            total,
            weight,
            low,
            cell,
            object2camera,
            np.array([camera.fx, camera.fy, camera.cx - columns.start, camera.cy - rows.start]),
            depth,
            minimum_filter(np.where(np.isfinite(depth), depth, np.inf), _RAY_PIXELS),
            says,
            growth,
            max(_BEHIND_SIGMAS * sigmas[-1], _LEAST_BEHIND_M),
        )
    distance = np.where(weight > 0.0, total / np.maximum(weight, 1e-9), 0.0).astype(np.float32)
    sigma = float(np.max(sigmas))
    noise = sigma / np.sqrt(max(1.0, float(np.median(weight[weight > 0]))) if weight.any() else 1.0)
    # What a matcher gets wrong about a scene that stands still does not average out.
    margin = min(max(cell, 3.0 * noise, _STEADY_SIGMAS * sigma) + tolerance, _MOST_MARGIN_M)
    return Space(np.asarray(low, dtype=np.float64), cell, distance, weight, margin)


def _window(camera: PinholeCamera, corners: Floats) -> tuple[slice, slice] | None:
    """Rows and columns that hold the corners (8, 3) of a box, camera frame; None for none."""
    pixels = camera.project(corners)
    if not np.isfinite(pixels).all():  # the box reaches behind the camera
        return slice(0, camera.height), slice(0, camera.width)
    low, high = np.floor(pixels.min(axis=0)).astype(int), np.ceil(pixels.max(axis=0)).astype(int)
    columns = slice(max(low[0] - 2, 0), min(high[0] + 3, camera.width))
    rows = slice(max(low[1] - 2, 0), min(high[1] + 3, camera.height))
    if columns.start >= columns.stop or rows.start >= rows.stop:
        return None
    return rows, columns


@compiled
def _add(
    total: Any,
    weight: Any,
    low: Any,
    cell: float,
    object2camera: Any,
    intrinsics: Any,
    depth: Any,
    nearest: Any,
    says: Any,
    growth: float,
    behind: float,
) -> None:
    """Add one view to the sums."""
    m = object2camera
    fx, fy, cx, cy = intrinsics[0], intrinsics[1], intrinsics[2], intrinsics[3]
    height, width = depth.shape
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            x, y = low[0] + i * cell, low[1] + j * cell
            for k in range(total.shape[2]):
                z = low[2] + k * cell
                d = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
                if d <= 0.01:
                    continue
                u = int(np.rint(fx * (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]) / d + cx))
                v = int(np.rint(fy * (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]) / d + cy))
                if u < 0 or v < 0 or u >= width or v >= height:
                    continue
                ahead = depth[v, u] - d
                # A hole says nothing; behind a surface nothing is seen.
                if not ahead > -behind:
                    continue
                # Beside an outline the next pixel decides: a ray is as wide as a pixel.
                if nearest[v, u] < depth[v, u] - 6.0 * growth * d * d - 0.003:
                    ahead = nearest[v, u] - d
                    if ahead < -behind:
                        continue
                if says[v, u] != 2 and ahead < 4.0 * growth * d * d + 0.005:
                    if says[v, u] == 1:
                        continue
                    ahead = 0.5 * FRONT_M
                total[i, j, k] += min(ahead, FRONT_M)
                weight[i, j, k] += 1.0
