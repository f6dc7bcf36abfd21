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

from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

    Window = tuple[int, int, int, int]

NEAR_M = 0.01
"""What is nearer to the camera than this is cut off."""

_LAST_NAME = np.int64(2**31 - 1)
_EDGE = 1e-7  # share of a triangle by which it reaches over its edges, so that none leaves a crack


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
    points = np.ascontiguousarray(vertices, dtype=np.float64).reshape(-1, 3)
    index = np.ascontiguousarray(faces, dtype=np.int32).reshape(-1, 3)
    if index.size and not (index.min() >= 0 and index.max() < len(points)):
        raise ValueError(f'faces name vertices {index.min()} to {index.max()} of {len(points)}')
    raster = Raster(camera, near=near)
    raster.add(points, index)
    depth, owner, _ = raster.image()
    return depth, owner


class Raster:
    """Buffers to draw the triangles of many frames of one camera into.

    Args:
        camera: Intrinsics.
        near: Distance of the near plane, above zero, metres; triangles are clipped at it.

    """

    def __init__(self, camera: PinholeCamera, *, near: float = NEAR_M) -> None:
        if not near > 0.0:
            raise ValueError(f'the near plane is at {near}, expected more than 0 metres')
        self._near, self._shape = near, (camera.height, camera.width)
        self._lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        self._seen = np.zeros(self._shape, dtype=np.int64)
        self._owner = np.full(self._shape, -1, dtype=np.int32)
        self._depth = np.full(self._shape, np.nan, dtype=np.float32)
        self._window: Window = (camera.width, camera.height, 0, 0)
        self._shown: Window = (0, 0, 0, 0)
        self._corners = np.empty((0, 3))
        self._screen = np.empty((0, 3))
        self._pixels = np.empty((0, 4), dtype=np.int32)

    def clear(self) -> None:
        """Forget all triangles."""
        left, top, right, bottom = self._window
        if left < right and top < bottom:
            self._seen[top:bottom, left:right] = 0
        self._window = (self._shape[1], self._shape[0], 0, 0)

    def add(
        self,
        vertices: ArrayLike,
        faces: ArrayLike,
        frame2camera: ArrayLike | None = None,
        numbers: NDArray[np.int32] | None = None,
        *,
        one_sided: bool = False,
    ) -> None:
        """Draw triangles.

        Args:
            vertices: (V, 3) metres.
            faces: (F, 3) indices of the vertices; they are not checked.
            frame2camera: (4, 4) the frame of the vertices to the camera optical frame; None where
                that is their frame.
            numbers: (F,) int32 what to call each triangle; its place if None.
            one_sided: Whether triangles are seen from the side only from which their corners run
                counter-clockwise.

        """
        points = np.ascontiguousarray(vertices, dtype=np.float64).reshape(-1, 3)
        index = np.ascontiguousarray(faces, dtype=np.int32).reshape(-1, 3)
        pose = np.eye(4) if frame2camera is None else np.ascontiguousarray(frame2camera, np.float64)
        names = np.arange(len(index), dtype=np.int32) if numbers is None else numbers
        if len(points) > len(self._corners):
            self._corners = np.empty((len(points), 3))
            self._screen = np.empty((len(points), 3))
            self._pixels = np.empty((len(points), 4), dtype=np.int32)
        *window, clipped = _to_screen(
            points, pose, self._lens, self._near, *self._shape,
            self._corners, self._screen, self._pixels,
        )  # fmt: skip
        self._window = _around(self._window, tuple(window))
        _draw_all(
            self._corners, self._screen, self._pixels, index, names, self._lens, self._near,
            clipped, one_sided, self._seen,
        )  # fmt: skip

    def image(self) -> tuple[NDArray[np.float32], NDArray[np.int32], Window]:
        """Return what is drawn; the next call of `clear` or `add` may write over it.

        Returns:
            (H, W) float32 depth along the optical axis in metres, NaN where there is nothing;
            (H, W) int32 number of the triangle seen in each pixel, -1 where there is none; and a
            window (u0, v0, u1, v1) outside of which nothing is drawn.

        """
        left, top, right, bottom = self._window
        window = self._window if left < right and top < bottom else (0, 0, 0, 0)
        # Where the image before showed something there may be nothing now.
        _to_depth(self._seen, _around(window, self._shown), self._depth, self._owner)
        self._shown = window
        return self._depth, self._owner, window


def _around(one: Window, other: Window) -> Window:
    """Return the smallest window that holds both; an empty one counts for nothing."""
    for empty, full in ((one, other), (other, one)):
        if empty[0] >= empty[2] or empty[1] >= empty[3]:
            return full
    (a, b, c, d), (e, f, g, h) = one, other
    return min(a, e), min(b, f), max(c, g), max(d, h)


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


@compiled
def _to_screen(
    points: Any, pose: Any, lens: Any, near: float, height: int, width: int,
    corners: Any, out: Any, pixels: Any,
) -> Any:  # fmt: skip
    """Move points (N, 3) before the camera and find their pixels u, v and inverse depths.

    Besides, the first and the last column and row of pixel centres that are right of and below,
    and left of and above, each point; and the window of the image that holds all of them. Points
    at or behind the near plane are meaningless, and stand for all of the image; the last that is
    returned is whether there are any.
    """
    fx, fy, cx, cy = lens
    clipped = False
    left, top, right, bottom = width, height, 0, 0
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for k in range(3):
            corners[i, k] = pose[k, 0] * x + pose[k, 1] * y + pose[k, 2] * z + pose[k, 3]
        if corners[i, 2] < near:
            clipped = True
            left, top, right, bottom = 0, 0, width, height
            continue
        scale = 1.0 / corners[i, 2]
        u, v = fx * corners[i, 0] * scale + cx, fy * corners[i, 1] * scale + cy
        out[i, 0], out[i, 1], out[i, 2] = u, v, scale
        u, v = min(max(u, -1.0), float(width)), min(max(v, -1.0), float(height))
        pixels[i, 0], pixels[i, 1] = int(np.ceil(u)), int(np.floor(u))
        pixels[i, 2], pixels[i, 3] = int(np.ceil(v)), int(np.floor(v))
        left, right = min(left, pixels[i, 0]), max(right, pixels[i, 1] + 1)
        top, bottom = min(top, pixels[i, 2]), max(bottom, pixels[i, 3] + 1)
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height), clipped


@compiled
def _draw(
    u0: float, v0: float, w0: float,
    u1: float, v1: float, w1: float,
    u2: float, v2: float, w2: float,
    first_u: int, last_u: int, first_v: int, last_v: int,
    face: int, width: int, seen: Any,
) -> None:  # fmt: skip
    """Draw one triangle of the screen into a buffer (H * W,) of what is seen.

    It holds the bits of the inverse depth, which rise with it, above those of what is left of
    `_LAST_NAME`: of all that is written the largest stays, of equal depths that of least name.
    """
    area = (u1 - u0) * (v2 - v0) - (u2 - u0) * (v1 - v0)
    if area == 0.0:
        return
    scale = 1.0 / area
    # Barycentric shares of corners 1 and 2, and the inverse depth, as planes over the image.
    b1u, b1v = (v2 - v0) * scale, (u0 - u2) * scale
    b2u, b2v = (v0 - v1) * scale, (u1 - u0) * scale
    wu = b1u * (w1 - w0) + b2u * (w2 - w0)
    wv = b1v * (w1 - w0) + b2v * (w2 - w0)
    name = np.int64(_LAST_NAME - face)
    for v in range(first_v, last_v + 1):
        dv = v - v0
        at = np.uintp(v * width + first_u)
        for u in range(first_u, last_u + 1):
            du = u - u0
            b1 = b1u * du + b1v * dv
            b2 = b2u * du + b2v * dv
            w = w0 + wu * du + wv * dv
            here = (np.int64(np.float32(w).view(np.int32)) << 32) | name
            # Whether a pixel is inside of a small triangle cannot be foreseen: without a branch.
            inside = (b1 >= -_EDGE) & (b2 >= -_EDGE) & (b1 + b2 <= 1.0 + _EDGE)
            before = seen[at]
            seen[at] = here if inside & (here > before) else before
            at += np.uintp(1)


@compiled
def _draw_anywhere(a: Any, b: Any, c: Any, face: int, height: int, width: int, seen: Any) -> None:
    """Draw a triangle with corners u, v and inverse depth that may lie far outside the image."""
    low_u, high_u = min(a[0], b[0], c[0]), max(a[0], b[0], c[0])
    low_v, high_v = min(a[1], b[1], c[1]), max(a[1], b[1], c[1])
    if high_u < 0.0 or high_v < 0.0 or low_u > width - 1.0 or low_v > height - 1.0:
        return
    _draw(
        a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2],
        int(np.ceil(max(low_u, 0.0))), int(np.floor(min(high_u, width - 1.0))),
        int(np.ceil(max(low_v, 0.0))), int(np.floor(min(high_v, height - 1.0))),
        face, width, seen,
    )  # fmt: skip


@compiled
def _draw_clipped(
    corners: Any, faces: Any, face: int, name: int, lens: Any, near: float,
    height: int, width: int, seen: Any,
) -> None:  # fmt: skip
    """Draw what lies beyond the near plane of a triangle that crosses it (Sutherland, Hodgman)."""
    fx, fy, cx, cy = lens
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
        _draw_anywhere(screen[0], screen[k - 1], screen[k], name, height, width, seen)


@compiled
def _faces_away(screen: Any, a: Any, b: Any, c: Any) -> Any:
    """Whether corners run clockwise; v points down."""
    along_u, along_v = screen[b, 0] - screen[a, 0], screen[b, 1] - screen[a, 1]
    across_u, across_v = screen[c, 0] - screen[a, 0], screen[c, 1] - screen[a, 1]
    return along_u * across_v - across_u * along_v >= 0.0


@compiled
def _draw_all(
    corners: Any, screen: Any, pixels: Any, faces: Any, names: Any, lens: Any, near: float,
    clipped: bool, one_sided: bool, seen: Any,
) -> None:  # fmt: skip
    height, width = seen.shape
    flat = seen.reshape(-1)
    for face in range(faces.shape[0]):
        # Unsigned indices need not be asked whether they count from the end.
        a, b, c = np.uintp(faces[face, 0]), np.uintp(faces[face, 1]), np.uintp(faces[face, 2])
        beyond = 3
        if clipped:
            beyond = (
                int(corners[a, 2] >= near) + int(corners[b, 2] >= near) + int(corners[c, 2] >= near)
            )
        if beyond == 3:
            # Most small triangles lie between the centres of pixels.
            first_u = max(0, min(pixels[a, 0], pixels[b, 0], pixels[c, 0]))
            last_u = min(width - 1, max(pixels[a, 1], pixels[b, 1], pixels[c, 1]))
            if first_u > last_u:
                continue
            first_v = max(0, min(pixels[a, 2], pixels[b, 2], pixels[c, 2]))
            last_v = min(height - 1, max(pixels[a, 3], pixels[b, 3], pixels[c, 3]))
            if first_v > last_v:
                continue
            if one_sided and _faces_away(screen, a, b, c):
                continue
            _draw(
                screen[a, 0], screen[a, 1], screen[a, 2],
                screen[b, 0], screen[b, 1], screen[b, 2],
                screen[c, 0], screen[c, 1], screen[c, 2],
                first_u, last_u, first_v, last_v, names[face], width, flat,
            )  # fmt: skip
        elif beyond > 0:
            _draw_clipped(corners, faces, face, names[face], lens, near, height, width, flat)


@compiled
def _to_depth(seen: Any, window: Any, depth: Any, owner: Any) -> None:
    left, top, right, bottom = window
    one, nothing = np.float32(1.0), np.float32(np.nan)
    for v in range(top, bottom):
        for u in range(left, right):
            here = seen[v, u]
            w = np.int32(here >> 32).view(np.float32)
            name = np.int32(_LAST_NAME - (here & _LAST_NAME))
            depth[v, u] = one / w if here > 0 else nothing
            owner[v, u] = name if here > 0 else np.int32(-1)


@compiled
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


@compiled
def _show(measured: Any, nearest: Any, farthest: Any, tolerance: Any, out: Any) -> None:
    height, width = measured.shape
    for v in range(height):
        for u in range(width):
            depth, limit = measured[v, u], tolerance[v, u]
            if not np.isfinite(depth) or not nearest[v, u] <= depth + limit:
                continue  # nothing is drawn here, or this is before it
            out[v, u] = depth <= farthest[v, u] + limit or _flies(measured, v, u, limit)


@compiled
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
