# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pinhole camera: pixels, depth and points of the camera optical frame.

REP-103 optical frame: x right, y down, z forward. Pixel centres lie at whole numbers, as in
`sensor_msgs/CameraInfo` (image_geometry): u = fx x / z + cx. Images are assumed rectified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_Kind = TypeVar('_Kind', bound=np.generic)


def thin(image: NDArray[_Kind], k: int) -> NDArray[_Kind]:
    """Keep every k-th pixel of an image (H, W, ...) in both directions, from number k // 2 on.

    Unlike a mean of pixels it makes no depth between two surfaces, and no label that is neither of
    two. `PinholeCamera.thinned` is the camera of what comes out.
    """
    return np.ascontiguousarray(image[k // 2 :: k, k // 2 :: k])


@dataclass(frozen=True)
class PinholeCamera:
    """Intrinsics of a rectified camera.

    Attributes:
        width: Image width in pixels.
        height: Image height in pixels.
        fx: Focal length along x in pixels.
        fy: Focal length along y in pixels.
        cx: Principal point x in pixels.
        cy: Principal point y in pixels.

    Raises:
        ValueError: Sizes or focal lengths are not positive.

    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        """Check sizes and focal lengths."""
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f'camera image is {self.width} x {self.height} pixels')
        if not (self.fx > 0.0 and self.fy > 0.0 and np.isfinite([self.cx, self.cy]).all()):
            raise ValueError(
                f'camera intrinsics fx={self.fx}, fy={self.fy}, cx={self.cx}, cy={self.cy}'
            )

    @property
    def matrix(self) -> Floats:
        """The 3 x 3 matrix K."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def thinned(self, k: int) -> PinholeCamera:
        """Return the camera whose images are those of this one after `thin`.

        Pixel u of its images is pixel k u + k // 2 of this camera's, hence fx' = fx / k and
        cx' = (cx - k // 2) / k.

        Args:
            k: From 1; 1 changes nothing.

        Raises:
            ValueError: No pixel is left, or k is not positive.

        """
        if k < 1:
            raise ValueError(f'every {k}th pixel of a camera')
        first = k // 2
        return PinholeCamera(
            width=len(range(first, self.width, k)),
            height=len(range(first, self.height, k)),
            fx=self.fx / k,
            fy=self.fy / k,
            cx=(self.cx - first) / k,
            cy=(self.cy - first) / k,
        )

    def rays(self) -> Floats:
        """Points (height, width, 3) at z = 1 seen by each pixel, camera optical frame."""
        u = (np.arange(self.width) - self.cx) / self.fx
        v = (np.arange(self.height) - self.cy) / self.fy
        out = np.ones((self.height, self.width, 3))
        out[..., 0] = u
        out[..., 1] = v[:, None]
        return out

    def unproject(self, depth: ArrayLike) -> Floats:
        """Points (height, width, 3) in the camera optical frame of a depth image in metres.

        Args:
            depth: (height, width) z-depth in metres; NaN where invalid stays NaN.

        Returns:
            Organised points (height, width, 3) float64.

        """
        return self.rays() * np.asarray(depth, dtype=np.float64)[..., None]

    def points_at(self, u: ArrayLike, v: ArrayLike, z: ArrayLike) -> Floats:
        """Points (..., 3) in the camera optical frame of pixels (...) and their z-depth.

        Args:
            u: (...) pixel columns.
            v: (...) pixel rows.
            z: (...) z-depth, metres.

        """
        z = np.asarray(z, dtype=np.float64)
        x = (np.asarray(u, dtype=np.float64) - self.cx) / self.fx
        y = (np.asarray(v, dtype=np.float64) - self.cy) / self.fy
        return np.stack([x * z, y * z, z], axis=-1)

    def project(self, points: ArrayLike) -> Floats:
        """Pixels and depth (..., 3) = u, v, z of points (..., 3) in the camera optical frame.

        Points at or behind the camera (z <= 0) give NaN pixels.
        """
        points = np.asarray(points, dtype=np.float64)
        z = points[..., 2]
        safe = np.where(z > 0.0, z, np.nan)
        out = np.empty_like(points)
        out[..., 0] = self.fx * points[..., 0] / safe + self.cx
        out[..., 1] = self.fy * points[..., 1] / safe + self.cy
        out[..., 2] = z
        return out

    def pixels_of(
        self, points: ArrayLike
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], Floats]:
        """Tell which points (N, 3) are in the image, and their rows, columns and depths.

        Args:
            points: Optical frame, metres.

        Returns:
            (N,) flags, and rows, columns (M,) and depths (M,) in metres of those that are.

        """
        u, v, z = self.project(points).T
        with np.errstate(invalid='ignore'):
            column, row = np.rint(u), np.rint(v)
            inside = (z > 0.0) & (column >= 0) & (row >= 0)
            inside &= (column < self.width) & (row < self.height)
        return inside, row[inside].astype(np.int64), column[inside].astype(np.int64), z[inside]
