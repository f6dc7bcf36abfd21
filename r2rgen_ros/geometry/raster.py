# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a perfect depth camera sees of triangles: a z-buffer rasteriser.

The inverse depth 1/z of a plane is affine in the pixel, so it is what is interpolated and compared
(Heckbert and Moreton, "Interpolation for polygon texture mapping and shading", 1991). A pixel shows
what its centre meets; centres lie at whole numbers, as in `PinholeCamera`. Faces count from both
sides, because the meshes of robot descriptions are seldom closed or turned one way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

NEAR_M = 0.01
"""What is nearer to the camera than this is cut off."""

_EDGE = 1e-7  # share of a triangle by which it reaches over its edges, so that none leaves a crack

_compiled = njit(cache=True, nogil=True, error_model='numpy')


def rasterise(
    vertices: ArrayLike,
    faces: ArrayLike,
    camera: PinholeCamera,
    *,
    near: float = NEAR_M,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Draw triangles.

    Args:
        vertices: (V, 3) camera optical frame, metres.
        faces: (F, 3) indices of the vertices.
        camera: Intrinsics.
        near: Distance of the near plane, above zero, metres; triangles are clipped at it.

    Returns:
        (H, W) float32 depth along the optical axis in metres, NaN where there is nothing; and
        (H, W) int32 index of the face seen in each pixel, -1 where there is none.

    """
    if not near > 0.0:
        raise ValueError(f'the near plane is at {near}, expected more than 0 metres')
    corners = np.ascontiguousarray(vertices, dtype=np.float64).reshape(-1, 3)
    index = np.ascontiguousarray(faces, dtype=np.int32).reshape(-1, 3)
    if index.size and not (index.min() >= 0 and index.max() < len(corners)):
        raise ValueError(f'faces name vertices {index.min()} to {index.max()} of {len(corners)}')
    shape = (camera.height, camera.width)
    inverse = np.zeros(shape, dtype=np.float64)
    owner = np.full(shape, -1, dtype=np.int32)
    screen = np.empty_like(corners)
    _to_screen(corners, camera.fx, camera.fy, camera.cx, camera.cy, screen)
    _draw_all(
        corners, screen, index, camera.fx, camera.fy, camera.cx, camera.cy, near, inverse, owner
    )
    depth = np.empty(shape, dtype=np.float32)
    _to_depth(inverse, depth)
    return depth, owner


def shows(
    measured: NDArray[np.float32],
    drawn: NDArray[np.float32],
    tolerance: NDArray[np.float32],
    radius: int,
) -> NDArray[np.bool_]:
    """Find the pixels of a depth image that show what is drawn.

    A pixel does if its depth is that of the drawing there or close beside, or if it flies: depth
    cameras mix the two depths at an edge, in a seam of one or two pixels that hang between them.

    Args:
        measured: (H, W) float32 metres, NaN where invalid.
        drawn: (H, W) float32 metres, NaN where nothing is drawn.
        tolerance: (H, W) float32, how far depths of one surface may differ, metres.
        radius: How many pixels away the drawing may be (Chebyshev distance).

    Returns:
        (H, W) whether the measured depth is between the least and the largest of the depths drawn
        within the radius, to the tolerance; or behind the least, before another measured pixel
        nearby, and no smooth surface goes on from the pixel in more than two of eight directions.

    """
    nearest = np.where(np.isfinite(drawn), drawn, np.float32(np.inf))
    farthest = np.where(np.isfinite(drawn), drawn, np.float32(-np.inf))
    rows = np.empty_like(nearest)
    _least_around(nearest, radius, rows)
    np.negative(farthest, out=farthest)
    _least_around(farthest, radius, rows)
    np.negative(farthest, out=farthest)
    out = np.zeros(measured.shape, dtype=np.bool_)
    _show(measured, nearest, farthest, tolerance, out)
    return out


@_compiled
def _to_screen(points: Any, fx: float, fy: float, cx: float, cy: float, out: Any) -> None:
    """Pixel u, v and inverse depth of points; meaningless at or behind the camera."""
    for i in range(points.shape[0]):
        scale = 1.0 / points[i, 2]
        out[i, 0] = fx * points[i, 0] * scale + cx
        out[i, 1] = fy * points[i, 1] * scale + cy
        out[i, 2] = scale


@_compiled
def _draw(
    u0: float, v0: float, w0: float,
    u1: float, v1: float, w1: float,
    u2: float, v2: float, w2: float,
    face: int, inverse: Any, owner: Any,
) -> None:  # fmt: skip
    """Draw one triangle of the screen into the buffers; ties go to the lower face."""
    height, width = inverse.shape
    low_u, high_u = min(u0, u1, u2), max(u0, u1, u2)
    low_v, high_v = min(v0, v1, v2), max(v0, v1, v2)
    # Out of the image, or between the centres of pixels, as most small triangles are.
    if high_u < 0.0 or high_v < 0.0 or low_u > width - 1.0 or low_v > height - 1.0:
        return
    first_u, last_u = int(np.ceil(max(low_u, 0.0))), int(np.floor(min(high_u, width - 1.0)))
    first_v, last_v = int(np.ceil(max(low_v, 0.0))), int(np.floor(min(high_v, height - 1.0)))
    if first_u > last_u or first_v > last_v:
        return
    area = (u1 - u0) * (v2 - v0) - (u2 - u0) * (v1 - v0)
    if area == 0.0:
        return
    scale = 1.0 / area
    # Barycentric shares of corners 1 and 2 as planes over the image.
    b1u, b1v = (v2 - v0) * scale, (u0 - u2) * scale
    b2u, b2v = (v0 - v1) * scale, (u1 - u0) * scale
    for v in range(first_v, last_v + 1):
        dv = v - v0
        for u in range(first_u, last_u + 1):
            du = u - u0
            b1 = b1u * du + b1v * dv
            b2 = b2u * du + b2v * dv
            if b1 < -_EDGE or b2 < -_EDGE or b1 + b2 > 1.0 + _EDGE:
                continue
            w = w0 + b1 * (w1 - w0) + b2 * (w2 - w0)
            if w > inverse[v, u]:
                inverse[v, u] = w
                owner[v, u] = face


@_compiled
def _draw_clipped(
    corners: Any, faces: Any, face: int,
    fx: float, fy: float, cx: float, cy: float, near: float,
    inverse: Any, owner: Any,
) -> None:  # fmt: skip
    """Draw what lies beyond the near plane of a triangle that crosses it (Sutherland, Hodgman)."""
    screen = np.empty((4, 3))
    count = 0
    for k in range(3):
        here, after = faces[face, k], faces[face, (k + 1) % 3]
        z, z_after = corners[here, 2], corners[after, 2]
        if z >= near:
            screen[count, 0] = fx * corners[here, 0] / z + cx
            screen[count, 1] = fy * corners[here, 1] / z + cy
            screen[count, 2] = 1.0 / z
            count += 1
        if (z >= near) != (z_after >= near):
            share = (near - z) / (z_after - z)
            x = corners[here, 0] + share * (corners[after, 0] - corners[here, 0])
            y = corners[here, 1] + share * (corners[after, 1] - corners[here, 1])
            screen[count, 0] = fx * x / near + cx
            screen[count, 1] = fy * y / near + cy
            screen[count, 2] = 1.0 / near
            count += 1
    for k in range(2, count):
        _draw(
            screen[0, 0], screen[0, 1], screen[0, 2],
            screen[k - 1, 0], screen[k - 1, 1], screen[k - 1, 2],
            screen[k, 0], screen[k, 1], screen[k, 2],
            face, inverse, owner,
        )  # fmt: skip


@_compiled
def _draw_all(
    corners: Any, screen: Any, faces: Any,
    fx: float, fy: float, cx: float, cy: float, near: float,
    inverse: Any, owner: Any,
) -> None:  # fmt: skip
    for face in range(faces.shape[0]):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        beyond = (
            int(corners[a, 2] >= near) + int(corners[b, 2] >= near) + int(corners[c, 2] >= near)
        )
        if beyond == 3:
            _draw(
                screen[a, 0], screen[a, 1], screen[a, 2],
                screen[b, 0], screen[b, 1], screen[b, 2],
                screen[c, 0], screen[c, 1], screen[c, 2],
                face, inverse, owner,
            )  # fmt: skip
        elif beyond > 0:
            _draw_clipped(corners, faces, face, fx, fy, cx, cy, near, inverse, owner)


@_compiled
def _to_depth(inverse: Any, out: Any) -> None:
    height, width = inverse.shape
    for v in range(height):
        for u in range(width):
            w = inverse[v, u]
            out[v, u] = 1.0 / w if w > 0.0 else np.nan


@_compiled
def _least_around(image: Any, radius: int, rows: Any) -> None:
    """Minimum over a square window, in place."""
    height, width = image.shape
    for v in range(height):
        for u in range(width):
            least = image[v, u]
            for other in range(max(0, u - radius), min(width, u + radius + 1)):
                least = min(least, image[v, other])
            rows[v, u] = least
    for v in range(height):
        low, high = max(0, v - radius), min(height, v + radius + 1)
        for u in range(width):
            image[v, u] = rows[low, u]
        for other in range(low + 1, high):
            for u in range(width):
                image[v, u] = min(image[v, u], rows[other, u])


@_compiled
def _show(measured: Any, nearest: Any, farthest: Any, tolerance: Any, out: Any) -> None:
    height, width = measured.shape
    for v in range(height):
        for u in range(width):
            depth, limit = measured[v, u], tolerance[v, u]
            if not np.isfinite(depth) or not nearest[v, u] <= depth + limit:
                continue  # nothing is drawn here, or this is before it
            out[v, u] = depth <= farthest[v, u] + limit or _flies(measured, v, u, limit)


@_compiled
def _flies(measured: Any, v: int, u: int, limit: float) -> bool:
    """Whether a pixel is before one nearby, and on no surface but perhaps along an edge."""
    height, width = measured.shape
    depth = measured[v, u]
    before, smooth = False, 0
    for dv in range(-1, 2):
        for du in range(-1, 2):
            vv, uu = v + 2 * dv, u + 2 * du
            if (dv == 0 and du == 0) or vv < 0 or uu < 0 or vv >= height or uu >= width:
                continue
            beside, beyond = measured[v + dv, u + du], measured[vv, uu]
            before = before or max(beside, beyond) > depth + limit
            step, bend = abs(beside - depth), abs(depth - 2.0 * beside + beyond)
            smooth += int(bend <= 2.0 * limit and step <= 4.0 * limit)
    return before and smooth <= 2
