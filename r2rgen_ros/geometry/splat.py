# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw clouds as small squares that face the camera, into one depth image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

NOBODY = 255


class Splats:
    """A depth image with the name of what is nearest in each pixel.

    Args:
        camera: Intrinsics.

    Attributes:
        depth: (H, W) float32 metres, infinite where nothing was drawn.
        owner: (H, W) uint8, as given to `draw`; `NOBODY` where nothing was drawn.

    """

    def __init__(self, camera: PinholeCamera) -> None:
        self._camera = camera
        self.depth = np.full((camera.height, camera.width), np.inf, dtype=np.float32)
        self.owner = np.full((camera.height, camera.width), NOBODY, dtype=np.uint8)

    def draw(self, points: NDArray[np.float64], radius: float, owner: int) -> None:
        """Draw points (N, 3) of the optical frame as squares of a half side of `radius` metres."""
        camera = self._camera
        _draw(
            np.ascontiguousarray(points, dtype=np.float64), radius,
            camera.fx, camera.fy, camera.cx, camera.cy, owner, self.depth, self.owner,
        )  # fmt: skip


@compiled
def _draw(
    points: Any, radius: float, fx: float, fy: float, cx: float, cy: float, name: int,
    depth: Any, owner: Any,
) -> None:  # fmt: skip
    height, width = depth.shape
    for i in range(len(points)):
        z = points[i, 2]
        if not z > 0.01:
            continue
        u, v = fx * points[i, 0] / z + cx, fy * points[i, 1] / z + cy
        wide, high = radius * fx / z, radius * fy / z
        first, last = int(np.ceil(u - wide)), int(np.floor(u + wide))
        top, bottom = int(np.ceil(v - high)), int(np.floor(v + high))
        if last < first:
            first = last = int(np.rint(u))
        if bottom < top:
            top = bottom = int(np.rint(v))
        for row in range(max(0, top), min(height - 1, bottom) + 1):
            for column in range(max(0, first), min(width - 1, last) + 1):
                if z < depth[row, column]:
                    depth[row, column] = z
                    owner[row, column] = name
