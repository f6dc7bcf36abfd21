# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Surfaces as small discs, so that a cloud can be seen from nearer and elsewhere without gaps.

Each point is a disc in the plane through its neighbours, large enough to meet those around it.
Where discs overlap, those of the nearest surface are mixed, the middle of a disc counting more than
its rim (Zwicker et al., "Surface splatting", 2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.geometry.cloud import Cloud

    Floats = NDArray[np.float64]

NOTHING = 255
_AROUND = 8  # neighbours of a pixel
_STEEP = 0.08  # a disc seen at a smaller sine than this is not drawn
_NEAR_M = 0.01
_SAME_M = 0.004
_CHUNK = 65536
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Surfels:
    """Discs.

    Attributes:
        points: (N, 3) float32 middles, metres.
        normals: (N, 3) float32 unit vectors, of either sign.
        radii: (N,) float32 metres.
        colours: (N, 3) uint8.

    """

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    radii: NDArray[np.float32]
    colours: NDArray[np.uint8]

    @classmethod
    def of(
        cls, cloud: Cloud, *, planar: int = 0, most: float | Floats = 0.02, reach: float = 0.75
    ) -> Surfels:
        """Make discs of the points of a cloud.

        Args:
            cloud: Points of surfaces.
            planar: With how many neighbours a point is laid onto their common plane, which takes
                away noise, and the steps of depth in whole millimetres; 0 leaves points alone.
            most: Largest radius, metres; one for all or one per point.
            reach: Radius as a share of the distance of the eighth neighbour: less ends nearer at
                the rim, more meets also where points are farther apart one way than the other.

        """
        points = cloud.points.astype(np.float64)
        count = min(max(planar, 2 * _AROUND), len(points))
        if count < 4:
            flat = np.tile(np.array([0.0, 0.0, 1.0], dtype=np.float32), (len(points), 1))
            small = np.full(len(points), np.min(most), dtype=np.float32)
            return cls(cloud.points, flat, small, cloud.colours)
        tree = cKDTree(points)
        normals, laid = np.empty_like(points), points.copy()
        radii = np.empty(len(points))
        for first in range(0, len(points), _CHUNK):
            part = slice(first, first + _CHUNK)
            found = tree.query(points[part], k=count)
            far, index = np.asarray(found[0]), np.asarray(found[1])
            around = points[index]
            middle = around.mean(axis=1)
            off = around - middle[:, None]
            normals[part] = np.linalg.eigh(np.einsum('nki,nkj->nij', off, off))[1][:, :, 0]
            if planar:
                away = np.einsum('ni,ni->n', points[part] - middle, normals[part])
                laid[part] = points[part] - away[:, None] * normals[part]
            radii[part] = reach * far[:, min(_AROUND, count - 1)]
        return cls(
            laid.astype(np.float32),
            normals.astype(np.float32),
            np.minimum(radii, most).astype(np.float32),
            cloud.colours,
        )

    def select(self, kept: NDArray[np.bool_] | slice) -> Surfels:
        """Return some of the discs."""
        return Surfels(self.points[kept], self.normals[kept], self.radii[kept], self.colours[kept])

    def joined(self, others: Surfels) -> Surfels:
        """Return these discs and others."""
        return Surfels(
            np.concatenate([self.points, others.points]),
            np.concatenate([self.normals, others.normals]),
            np.concatenate([self.radii, others.radii]),
            np.concatenate([self.colours, others.colours]),
        )

    def __len__(self) -> int:
        """Return the number of discs."""
        return len(self.points)


@dataclass(frozen=True)
class Placed:
    """Discs in front of a camera.

    Attributes:
        surfels: The discs, in any frame.
        frame2camera: (4, 4) that frame to the camera optical frame.
        label: What to call them, from 0 to 254.

    """

    surfels: Surfels
    frame2camera: Floats
    label: int


class SurfelImage:
    """Draws discs for one camera, with its own scratch memory.

    Args:
        camera: Intrinsics.

    """

    def __init__(self, camera: PinholeCamera) -> None:
        shape = (camera.height, camera.width)
        self.camera = camera
        self._nearest = np.empty(shape, dtype=np.float32)
        self._sums = np.empty((*shape, 5), dtype=np.float32)

    def draw(
        self, layers: Sequence[Placed]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
        """Draw layers of discs.

        Returns:
            (H, W) float32 depth in metres, NaN where there is nothing; (H, W, 3) uint8 colours,
            black there; and (H, W) uint8 labels, `NOTHING` there.

        """
        label = self._mixed(layers, coloured=True)
        depth = np.empty(label.shape, dtype=np.float32)
        colour = np.zeros((*label.shape, 3), dtype=np.uint8)
        _finish(self._sums, depth, colour)
        return depth, colour, label

    def draw_depth(self, layers: Sequence[Placed]) -> NDArray[np.float32]:
        """Draw layers of discs without their colours: the same (H, W) depth, sooner."""
        self._mixed(layers, coloured=False)
        with np.errstate(invalid='ignore'):
            return np.asarray(self._sums[..., 1] / self._sums[..., 0])

    def _mixed(self, layers: Sequence[Placed], *, coloured: bool) -> NDArray[np.uint8]:
        """Add up weights, depths and colours of the nearest discs, and return labels (H, W)."""
        camera = self.camera
        lens = (camera.fx, camera.fy, camera.cx, camera.cy)
        label = np.full(self._nearest.shape, NOTHING, dtype=np.uint8)
        self._nearest.fill(np.inf)
        self._sums.fill(0.0)
        placed = []
        for layer in layers:
            matrix = np.asarray(layer.frame2camera, dtype=np.float64)
            points = layer.surfels.points @ matrix[:3, :3].T + matrix[:3, 3]
            normals = layer.surfels.normals @ matrix[:3, :3].T
            placed.append((points, normals, layer))
            _draw_nearest(
                points, normals, layer.surfels.radii, *lens, layer.label, self._nearest, label
            )
        for points, normals, layer in placed:
            _mix(
                points, normals, layer.surfels.radii, layer.surfels.colours, *lens, layer.label,
                coloured, self._nearest, label, self._sums,
            )  # fmt: skip
        return label


@compiled
def _meet(points: Any, normals: Any, i: int, x: float, y: float) -> Any:
    """Depth at which the ray (x, y, 1) meets a disc's plane; 0 where it is too steep."""
    a, b, c = normals[i, 0], normals[i, 1], normals[i, 2]
    down = a * x + b * y + c
    if abs(down) < _STEEP * np.sqrt(x * x + y * y + 1.0):
        return 0.0
    return (a * points[i, 0] + b * points[i, 1] + c * points[i, 2]) / down


@compiled
def _box(
    points: Any, radius: float, i: int,
    fx: float, fy: float, cx: float, cy: float, height: int, width: int,
) -> Any:  # fmt: skip
    """Pixels (u0, u1, v0, v1) around a disc that are inside the image; empty if u1 < u0."""
    z = points[i, 2]
    if not z > _NEAR_M + radius:
        return 0, -1, 0, -1
    u, v = fx * points[i, 0] / z + cx, fy * points[i, 1] / z + cy
    # A disc that leans towards the camera is seen a little larger.
    wide, high = fx * radius / (z - radius), fy * radius / (z - radius)
    if u + wide < 0.0 or v + high < 0.0 or u - wide > width - 1.0 or v - high > height - 1.0:
        return 0, -1, 0, -1
    return (
        max(0, int(np.ceil(u - wide))),
        min(width - 1, int(np.floor(u + wide))),
        max(0, int(np.ceil(v - high))),
        min(height - 1, int(np.floor(v + high))),
    )


@compiled
def _away(points: Any, i: int, x: float, y: float, z: float) -> float:
    """Square of the distance of a place on the ray from the middle of a disc."""
    dx, dy, dz = x * z - points[i, 0], y * z - points[i, 1], z - points[i, 2]
    return float(dx * dx + dy * dy + dz * dz)


@compiled
def _radius(radius: float, z: float, fx: float) -> float:
    """No disc is smaller than what a pixel sees, so that far, dense ones leave no gaps."""
    return max(radius, 0.75 * z / fx)


@compiled
def _draw_nearest(
    points: Any, normals: Any, radii: Any,
    fx: float, fy: float, cx: float, cy: float, name: int, nearest: Any, label: Any,
) -> None:  # fmt: skip
    height, width = nearest.shape
    for i in range(len(points)):
        radius = _radius(radii[i], points[i, 2], fx)
        u0, u1, v0, v1 = _box(points, radius, i, fx, fy, cx, cy, height, width)
        front = points[i, 2] - radius - _ROUNDING  # nothing of the disc is nearer
        for v in range(v0, v1 + 1):
            for u in range(u0, u1 + 1):
                if front >= nearest[v, u]:
                    continue
                x, y = (u - cx) / fx, (v - cy) / fy
                z = _meet(points, normals, i, x, y)
                if not z > _NEAR_M or _away(points, i, x, y, z) > radius * radius:
                    continue
                if z < nearest[v, u]:
                    nearest[v, u] = z
                    label[v, u] = name


@compiled
def _mix(
    points: Any, normals: Any, radii: Any, colours: Any,
    fx: float, fy: float, cx: float, cy: float, name: int,
    coloured: bool, nearest: Any, label: Any, sums: Any,
) -> None:  # fmt: skip
    height, width = nearest.shape
    for i in range(len(points)):
        radius = _radius(radii[i], points[i, 2], fx)
        u0, u1, v0, v1 = _box(points, radius, i, fx, fy, cx, cy, height, width)
        front = points[i, 2] - radius - _ROUNDING
        for v in range(v0, v1 + 1):
            for u in range(u0, u1 + 1):
                if label[v, u] != name or front > nearest[v, u] + _SAME_M:
                    continue
                x, y = (u - cx) / fx, (v - cy) / fy
                z = _meet(points, normals, i, x, y)
                if not z > _NEAR_M or z > nearest[v, u] + _SAME_M:
                    continue
                share = 1.0 - _away(points, i, x, y, z) / (radius * radius)
                if share < 0.0:
                    continue
                weight = share * share + 1e-6
                sums[v, u, 0] += weight
                sums[v, u, 1] += weight * z
                if coloured:
                    for k in range(3):
                        sums[v, u, 2 + k] += weight * colours[i, k]


@compiled
def _finish(sums: Any, depth: Any, colour: Any) -> None:
    height, width = depth.shape
    for v in range(height):
        for u in range(width):
            weight = sums[v, u, 0]
            if not weight > 0.0:
                depth[v, u] = np.nan
                continue
            depth[v, u] = sums[v, u, 1] / weight
            for k in range(3):
                colour[v, u, k] = int(sums[v, u, 2 + k] / weight + 0.5)
