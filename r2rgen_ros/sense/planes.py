# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""In which planes the points of a depth image lie, to tell their depth beside them.

The inverse depth of a plane n . p = 1 is n . ray (see `noise_pixels.find_cosines`). A point that is
drawn in a pixel lies up to half a pixel beside its centre, which on slanting surfaces is more than
the noise of a camera.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

_RADIUS = 2
_ALIKE = np.float32(0.02)  # of one surface, as a share of the inverse depth
_FEWEST = 8


def planes_of(depth: NDArray[np.float32], camera: PinholeCamera) -> NDArray[np.float32]:
    """Return the planes n . p = 1 in which the points of a depth image lie.

    The slopes are those of least squares over five by five pixels, without what lies beyond an
    edge; the plane goes through the point itself.

    Args:
        depth: (H, W) metres, NaN where nothing is known.
        camera: Intrinsics.

    Returns:
        (H, W, 3) float32 n, 1/m, camera optical frame; NaN where there is no point, or too few
        about it.

    """
    with np.errstate(divide='ignore', invalid='ignore'):
        inverse = np.where(depth > 0.0, 1.0 / depth, 0.0).astype(np.float32)
    out = np.empty((*depth.shape, 3), dtype=np.float32)
    intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    _fit(inverse, intrinsics, out)
    return out


@compiled
def _fit(inverse: Any, intrinsics: Any, out: Any) -> None:
    """Slopes of the inverse depth (H, W) about every pixel, and the plane of its point."""
    height, width = inverse.shape
    fx, fy, cx, cy = intrinsics
    for v in range(height):
        for u in range(width):
            out[v, u] = np.nan
            here = inverse[v, u]
            if not here > 0.0:
                continue
            n, x, y, w, xx, xy, yy, xw, yw = 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for vv in range(max(0, v - _RADIUS), min(height, v + _RADIUS + 1)):
                for uu in range(max(0, u - _RADIUS), min(width, u + _RADIUS + 1)):
                    off = inverse[vv, uu] - here
                    if inverse[vv, uu] > 0.0 and abs(off) < _ALIKE * here:
                        a, b = float(uu - u), float(vv - v)
                        n += 1
                        x, y, w = x + a, y + b, w + off
                        xx, xy, yy = xx + a * a, xy + a * b, yy + b * b
                        xw, yw = xw + a * off, yw + b * off
            if n < _FEWEST:
                continue
            xx, xy, yy = xx - x * x / n, xy - x * y / n, yy - y * y / n
            xw, yw = xw - x * w / n, yw - y * w / n
            whole = xx * yy - xy * xy
            if not whole > 1.0:  # all in one line
                continue
            along, down = (yy * xw - xy * yw) / whole, (xx * yw - xy * xw) / whole
            out[v, u, 0] = along * fx
            out[v, u, 1] = down * fy
            out[v, u, 2] = here - along * (u - cx) - down * (v - cy)


def moved_planes(
    planes: NDArray[np.float32], source2camera: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return planes n . p = 1 in another frame.

    Args:
        planes: (N, 3), 1/m; NaN for none.
        source2camera: (4, 4) from their frame to the other.

    """
    turned = planes @ source2camera[:3, :3].T
    with np.errstate(divide='ignore', invalid='ignore'):
        out = turned / (1.0 + turned @ source2camera[:3, 3])[:, None]
    return np.where(np.isfinite(out), out, np.nan).astype(np.float32)
