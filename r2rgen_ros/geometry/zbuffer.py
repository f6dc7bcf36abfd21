# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Crop and patch-wise z-buffer, compiled: which points a camera can see.

The rule is that of camera-aware post-processing in R2RGen (arXiv 2510.08547, section III-C): a
point is dropped if it falls outside the image, and hidden if a nearer point lies within `radius`
pixels (Chebyshev distance) and the depths differ by more than `delta`. The paper publishes neither
number. `support` asks for that many pixels with nearer points instead of one: with one, a rim of
`radius` pixels of background around every object is lost, which a real camera does see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry import tiles
from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

FAR = np.float32(np.inf)
_BLOCK = 1024
_MOST_OFF = 0.02  # within a pixel, as a share of the depth: beyond there is an edge


@dataclass(frozen=True)
class ZBufferRule:
    """When a point hides another.

    Attributes:
        radius: Half width of the patch, pixels; 0 compares within one pixel only.
        delta: Depth difference from which a nearer point hides a farther one, metres.
        support: How many pixels of the patch must hold a nearer point; 1 is the paper's rule.

    """

    radius: int = 1
    delta: float = 0.01
    support: int = 1

    def __post_init__(self) -> None:
        """Check ranges."""
        if not 0 <= self.radius <= 64:
            raise ValueError(f'z-buffer radius is {self.radius}, expected 0 to 64 pixels')
        if not self.delta >= 0.0:
            raise ValueError(f'z-buffer delta is {self.delta}, expected 0 or more metres')
        if not 1 <= self.support <= (2 * self.radius + 1) ** 2:
            raise ValueError(f'z-buffer support is {self.support}, expected 1 to the patch size')


"""No fastmath: the same input must give the same bytes on any processor."""


@compiled
def _project(
    points: Any, image_from_frame: Any, height: int, width: int, pixel: Any, depth: Any
) -> None:
    """Find the pixel, -1 if none, and the depth of every point.

    Blocks are first turned into one array per coordinate: only then, and without branches, does the
    compiler use SIMD (2.7 times as fast, measured).
    """
    m = image_from_frame
    m00, m01, m02, m03 = m[0, 0], m[0, 1], m[0, 2], m[0, 3]
    m10, m11, m12, m13 = m[1, 0], m[1, 1], m[1, 2], m[1, 3]
    m20, m21, m22, m23 = m[2, 0], m[2, 1], m[2, 2], m[2, 3]
    zero, one, nearest = np.float32(0.0), np.float32(1.0), np.float32(1e-6)
    wide, high = np.float32(width), np.float32(height)
    xs, ys, zs = np.empty((3, _BLOCK), np.float32)
    for start in range(0, points.shape[0], _BLOCK):
        count = min(_BLOCK, points.shape[0] - start)
        for i in range(count):
            xs[i], ys[i], zs[i] = points[start + i, 0], points[start + i, 1], points[start + i, 2]
        pixels, depths = pixel[start : start + count], depth[start : start + count]
        for i in range(count):
            x, y, z = xs[i], ys[i], zs[i]
            d = m20 * x + m21 * y + m22 * z + m23
            scale = one / d
            u = (m00 * x + m01 * y + m02 * z + m03) * scale
            v = (m10 * x + m11 * y + m12 * z + m13) * scale
            inside = (d > nearest) & (u >= zero) & (v >= zero) & (u < wide) & (v < high)
            u = u if inside else zero
            v = v if inside else zero
            at = np.int32(v) * np.int32(width) + np.int32(u)
            pixels[i] = at if inside else np.int32(-1)
            depths[i] = d


@compiled
def _keep_nearest(pixel: Any, depth: Any, first: int, zbuf: Any, owner: Any) -> None:
    """Keep the nearest point of each pixel; ties go to the lower index."""
    for i in range(pixel.shape[0]):
        at = pixel[i]
        if at >= 0 and depth[i] < zbuf[at]:
            zbuf[at] = depth[i]
            owner[at] = first + i


@compiled
def _lower(one: Any, other: Any) -> None:
    """Lower numbers (N,) to others; in a loop from zero on, which alone is turned into SIMD."""
    for i in range(one.shape[0]):
        a, b = one[i], other[i]
        one[i] = a if a < b else b


@compiled
def _nearest_along(zbuf: Any, radius: int, window: Any, rows: Any) -> int:
    """Minimum over a row of a patch in all rows that a window's patches reach over.

    Args:
        zbuf: (H, W) float32.
        radius: Of the patch.
        window: (u0, v0, u1, v1).
        rows: (K, u1 - u0) float32, written.

    Returns:
        Which row of the image the first of them is.

    """
    height, width = zbuf.shape
    left, top, right, bottom = window
    start = max(0, top - radius)
    for v in range(start, min(height, bottom + radius)):
        row, lowest = zbuf[v], rows[v - start]
        tiles.copy_row(row[left:right], lowest)
        for shift in range(1, radius + 1):
            last, first = min(right, width - shift), max(left, shift)
            if left < last:
                _lower(lowest[: last - left], row[left + shift : last + shift])
            if first < right:
                _lower(lowest[first - left :], row[first - shift : right - shift])
    return int(start)


@compiled
def _nearest_across(rows: Any, first: int, end: int, row: int, out: Any) -> None:
    """Minimum of rows from the first to before the end, of which one is known."""
    tiles.copy_row(rows[row], out)
    for other in range(first, end):
        if other != row:
            _lower(out, rows[other])


@compiled
def _nearest_in_patch(zbuf: Any, radius: int, rows: Any, out: Any) -> None:
    """Minimum over a square patch of an image, along rows and then along columns."""
    height, width = zbuf.shape
    _nearest_along(zbuf, radius, (0, 0, width, height), rows)
    for v in range(height):
        first, end = max(0, v - radius), min(height, v + radius + 1)
        _nearest_across(rows, first, end, v, out[v])


@compiled
def _nearer_pixels(zbuf: Any, radius: int, v: int, u: int, limit: Any) -> int:
    """Count the pixels of a patch (of zbuf (H, W)) whose nearest point is nearer than a limit."""
    height, width = zbuf.shape
    count = 0
    for vv in range(max(0, v - radius), min(height, v + radius + 1)):
        row = zbuf[vv, max(0, u - radius) : min(width, u + radius + 1)]
        for k in range(row.shape[0]):
            count += int(row[k] < limit)
    return count


@compiled
def _visible(
    zbuf: Any,
    nearest: Any,
    height: int,
    width: int,
    radius: int,
    delta: Any,
    support: int,
    pixel: Any,
    depth: Any,
    out: Any,
) -> None:
    """Mark the points that nothing hides."""
    image = zbuf.reshape((height, width))
    for i in range(pixel.shape[0]):
        at = pixel[i]
        if at < 0:
            out[i] = False
            continue
        limit = depth[i] - delta
        hidden = nearest[at] < limit
        if hidden and support > 1:
            hidden = _nearer_pixels(image, radius, at // width, at % width, limit) >= support
        out[i] = not hidden


@compiled
def _mark_behind(lowest: Any, zbuf: Any, delta: Any, out: Any) -> None:
    """Mark the pixels in whose patch something is nearer; from zero on, for SIMD."""
    for u in range(zbuf.shape[0]):
        out[u] = np.uint8(lowest[u] < zbuf[u] - delta)


@compiled
def _hide(
    above: Any, row: Any, below: Any, owner: Any, delta: Any, support: Any, out: Any
) -> None:  # fmt: skip
    """What a row shows, given depths that begin a pixel before it; without branches, for SIMD."""
    for u in range(out.shape[0]):
        limit = row[u + 1] - delta
        nearer = np.int32(above[u] < limit) + np.int32(above[u + 1] < limit)
        nearer += np.int32(above[u + 2] < limit) + np.int32(row[u] < limit)
        nearer += np.int32(row[u + 2] < limit) + np.int32(below[u] < limit)
        nearer += np.int32(below[u + 1] < limit) + np.int32(below[u + 2] < limit)
        at = owner[u]
        out[u] = np.int32(-2) if (nearer >= support) & (at >= 0) else at


@compiled
def _find_seen_beside(
    zbuf: Any, owner: Any, delta: Any, support: int, window: Any, out: Any
) -> None:
    """`find_seen` with a radius of one: all eight neighbours are asked, many pixels at a time."""
    height, width = zbuf.shape
    left, top, right, bottom = window
    start, end = max(0, left - 1), min(width, right + 1)
    rows = np.full((3, right - left + 2), FAR)
    first = start - left + 1
    for v in range(top - 1, bottom + 1):
        row = rows[(v + 3) % 3]
        if 0 <= v < height:
            tiles.copy_row(zbuf[v, start:end], row[first : first + end - start])
        else:
            row[:] = FAR
        if v > top:
            _hide(
                rows[(v + 1) % 3], rows[(v + 2) % 3], row, owner[v - 1, left:right], delta,
                np.int32(support), out[v - 1 - top],
            )  # fmt: skip


@compiled
def find_seen(
    zbuf: Any, owner: Any, radius: int, delta: Any, support: int, window: Any, out: Any
) -> None:
    """Find what a window of an image shows.

    Args:
        zbuf: (H, W) float32 depth of the nearest point in each pixel, metres; inf for none.
        owner: (H, W) int32 that point, or anything else from 0 on that tells what it is; -1 for
            none.
        radius: See `ZBufferRule`.
        delta: The same, float32.
        support: The same.
        window: (u0, v0, u1, v1).
        out: (v1 - v0, u1 - u0) int32, written: the owner if nothing hides it, -1 for nothing, -2
            for hidden.

    """
    if radius == 1:
        _find_seen_beside(zbuf, owner, delta, support, window, out)
        return
    left, top, right, bottom = window
    count = right - left
    rows = np.empty((bottom - top + 2 * radius, count), np.float32)
    lowest = np.empty(count, np.float32)
    behind = np.zeros((count + 7) // 8 * 8, np.uint8)
    eights = behind.view(np.uint64)
    start = _nearest_along(zbuf, radius, window, rows)
    last = min(zbuf.shape[0], bottom + radius)
    for v in range(top, bottom):
        first, end = max(start, v - radius), min(last, v + radius + 1)
        _nearest_across(rows, first - start, end - start, v - start, lowest)
        _mark_behind(lowest, zbuf[v, left:right], delta, behind[:count])
        seen = out[v - top]
        tiles.copy_row(owner[v, left:right], seen)
        for k in range(eights.shape[0]):
            if eights[k] == np.uint64(0):
                continue
            for place in range(8 * k, 8 * k + 8):
                if behind[place] == 0 or seen[place] < 0:
                    continue
                u = left + place
                limit = zbuf[v, u] - delta
                if support == 1 or _nearer_pixels(zbuf, radius, v, u, limit) >= support:
                    seen[place] = -2


@compiled
def _to_centres(planes: Any, owner: Any, intrinsics: Any, limit: float, zbuf: Any) -> None:
    """Depths (H, W) at the centres of pixels, in the planes of the points that own them."""
    height, width = owner.shape
    fx, fy, cx, cy = intrinsics
    for v in range(height):
        y = (v - cy) / fy
        for u in range(width):
            at = owner[v, u]
            if at < 0 or at >= planes.shape[0]:
                continue
            x = (u - cx) / fx
            z = 1.0 / (planes[at, 0] * x + planes[at, 1] * y + planes[at, 2])
            # Where the plane is not known z is NaN, and the depth stays.
            if abs(z - zbuf[v, u]) < limit * zbuf[v, u]:
                zbuf[v, u] = np.float32(z)


class ZBuffer:
    """A z-buffer with its own scratch memory, to be used for many frames of one camera.

    Args:
        camera: Intrinsics of the camera to be simulated.
        rule: When a point hides another.

    """

    def __init__(self, camera: PinholeCamera, rule: ZBufferRule) -> None:
        """Allocate the buffers once."""
        size = camera.width * camera.height
        self.camera = camera
        self.rule = rule
        # Pixel centres lie at whole numbers: half a pixel more, and truncation rounds.
        self._image_from_camera = np.array(
            [[camera.fx, 0.0, camera.cx + 0.5], [0.0, camera.fy, camera.cy + 0.5], [0.0, 0.0, 1.0]]
        )
        self._zbuf = np.full(size, FAR, dtype=np.float32)
        self._owner = np.full(size, -1, dtype=np.int32)
        self._rows = np.empty(size, dtype=np.float32)
        self._nearest = np.empty(size, dtype=np.float32)
        self._pixel = np.empty(0, dtype=np.int32)
        self._depth = np.empty(0, dtype=np.float32)
        self._count = 0

    def clear(self) -> None:
        """Forget all points."""
        self._zbuf.fill(FAR)
        self._owner.fill(-1)
        self._count = 0

    def add(self, points: NDArray[np.float32], frame2camera: NDArray[np.float64]) -> None:
        """Project points of some frame into the image.

        Args:
            points: (N, 3) float32, metres.
            frame2camera: (4, 4) their frame to the camera optical frame.

        """
        pixel, depth = self.project(points, frame2camera)
        _keep_nearest(pixel, depth, self._count, self._zbuf, self._owner)
        self._count += len(points)

    def project(
        self, points: NDArray[np.float32], frame2camera: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Find where points of some frame are in the image, without adding them.

        Args:
            points: (N, 3) float32, metres.
            frame2camera: (4, 4) their frame to the camera optical frame.

        Returns:
            (N,) int32 pixels, -1 for outside, and (N,) float32 depths in metres; both are valid
            until something else is projected or added.

        """
        first, total = self._count, self._count + len(points)
        if total > len(self._pixel):
            grown = max(total, 2 * len(self._pixel))
            self._pixel = np.concatenate([self._pixel, np.empty(grown - len(self._pixel), 'i4')])
            self._depth = np.concatenate([self._depth, np.empty(grown - len(self._depth), 'f4')])
        pixel, depth = self._pixel[first:total], self._depth[first:total]
        matrix = self._image_from_camera @ np.asarray(frame2camera, dtype=np.float64)[:3]
        shape = (self.camera.height, self.camera.width)
        _project(points, matrix.astype(np.float32), *shape, pixel, depth)
        return pixel, depth

    def centre(self, planes: NDArray[np.float32]) -> None:
        """Take the depths of pixels at their centres, instead of where points are within them.

        Args:
            planes: (N, 3) float32 n of the planes n . p = 1 of the first N points, camera optical
                frame, 1/m; NaN where there is none.

        """
        camera = self.camera
        shape = (camera.height, camera.width)
        intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        _to_centres(
            planes, self._owner.reshape(shape), intrinsics, _MOST_OFF, self._zbuf.reshape(shape)
        )

    def visible(self) -> NDArray[np.bool_]:
        """Return which of the added points (N,) the camera sees."""
        self._update_nearest()
        out = np.empty(self._count, dtype=np.bool_)
        _visible(
            self._zbuf,
            self._nearest,
            self.camera.height,
            self.camera.width,
            self.rule.radius,
            np.float32(self.rule.delta),
            self.rule.support,
            self._pixel[: self._count],
            self._depth[: self._count],
            out,
        )
        return out

    def buffers(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return what is kept: depth (H, W) and number (H, W) of each pixel's nearest point."""
        shape = (self.camera.height, self.camera.width)
        return self._zbuf.reshape(shape), self._owner.reshape(shape)

    def image(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the image of the nearest points.

        Returns:
            (H, W) int32 index of the point seen in each pixel, -1 where there is none, -2 where
            the one there is hidden by its neighbours; and (H, W) float32 depth of the nearest
            point in metres, inf where there is none.

        """
        zbuf, owner = self.buffers()
        out = np.empty(zbuf.shape, np.int32)
        find_seen(
            zbuf, owner, self.rule.radius, np.float32(self.rule.delta), self.rule.support,
            (0, 0, zbuf.shape[1], zbuf.shape[0]), out,
        )  # fmt: skip
        return out, zbuf

    def _update_nearest(self) -> None:
        shape = (self.camera.height, self.camera.width)
        _nearest_in_patch(
            self._zbuf.reshape(shape), self.rule.radius, self._rows.reshape(shape),
            self._nearest.reshape(shape),
        )  # fmt: skip
