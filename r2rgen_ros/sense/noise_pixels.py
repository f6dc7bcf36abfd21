# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a noise model asks of every pixel, compiled: edges, shadows, angles, and the noise itself.

All works on the inverse depth w = 1 / z (0: nothing is known), in which planes are linear in the
image and steps of disparity are even.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from r2rgen_ros.geometry.tiles import grown

FRESH, MEAN, RAW = 0, 1, 2
"""How much noise a rendered pixel has already: none; what stays the same in all images, as it is
the mean of many; all of it, as it is a recorded pixel.
"""

COSINES = 2048
"""Length of tables over the square of the cosine of the angle between line of sight and normal."""

SLOPE_PX = 3  # noise of the images themselves must not look like slopes
_BESIDE_PX = 0.25

_compiled = njit(cache=True, nogil=True, error_model='numpy')


@_compiled
def invert(depth: Any, windows: Any, out: Any) -> None:
    """Inverse depth (H, W) in windows of a depth image, 0 where it is NaN, infinite or below 0."""
    zero, one = np.float32(0.0), np.float32(1.0)
    for n in range(windows.shape[0]):
        left, top, right, bottom = windows[n]
        for v in range(top, bottom):
            for u in range(left, right):
                z = depth[v, u]
                w = one / z  # 1 / infinity is 0
                out[v, u] = w if z > zero else zero


@_compiled
def _jumps(one: Any, other: Any, share: Any) -> Any:
    """Whether there is an edge between two neighbours of known depth."""
    nearer = min(one, other)
    return (abs(one - other) > share * nearer) & (nearer > np.float32(0.0))


@_compiled
def _mark_row(
    above: Any, row: Any, below: Any, left: int, right: int, share: Any, out: Any
) -> None:
    """Mark the pixels of a row that differ from one of their four neighbours; branch-free."""
    last = row.shape[0] - 1
    for u in range(max(left, 1), min(right, last)):
        w = row[u]
        down = _jumps(w, above[u], share) | _jumps(w, below[u], share)
        along = _jumps(w, row[u - 1], share) | _jumps(w, row[u + 1], share)
        out[u] = np.uint8(down | along)
    for u in (0, last):
        if left <= u < right:
            w, beside = row[u], row[min(1, last)] if u == 0 else row[last - 1]
            down = _jumps(w, above[u], share) | _jumps(w, below[u], share)
            out[u] = np.uint8(down | _jumps(w, beside, share))


@_compiled
def find_edges(inverse: Any, jump: float, reach: int, windows: Any, marks: Any, out: Any) -> None:
    """How far every pixel is from an edge, where the image changed.

    Args:
        inverse: (H, W) float32.
        jump: Share of the nearer depth by which neighbours of an edge differ.
        reach: Largest distance of interest, from 1.
        windows: (K, 4) where the image is another than at the last call, see `geometry.tiles`.
        marks: (H, W) uint8, kept from call to call: 1 at an edge.
        out: (H, W) uint8, written: 1 at an edge, 2 beside that, and so on; 0 beyond the reach.

    """
    height, width = inverse.shape
    for n in range(windows.shape[0]):
        left, top, right, bottom = grown(windows[n], 1, height, width)
        for v in range(top, bottom):
            above, below = inverse[max(v - 1, 0)], inverse[min(v + 1, height - 1)]
            _mark_row(above, inverse[v], below, left, right, np.float32(jump), marks[v])
    for n in range(windows.shape[0]):
        left, top, right, bottom = grown(windows[n], reach, height, width)
        for v in range(top, bottom):
            for u in range(left, right):
                out[v, u] = 0
        first_u, first_v, last_u, last_v = grown(windows[n], 2 * reach, height, width)
        for v in range(first_v, last_v):
            for u in range(first_u, last_u):
                if marks[v, u] == 0:
                    continue
                for vv in range(max(top, v - reach + 1), min(bottom, v + reach)):
                    for uu in range(max(left, u - reach + 1), min(right, u + reach)):
                        far = 1 + max(abs(vv - v), abs(uu - u))
                        if out[vv, uu] == 0 or far < out[vv, uu]:
                            out[vv, uu] = far


@_compiled
def find_shadows(inverse: Any, gain: float, rows: Any, out: Any) -> None:
    """What something nearer hides from another imager.

    A pixel of column u is at u - gain w in the image of an imager to the right. What comes from
    further right to the same place, or beyond, is nearer and covers it.

    Args:
        inverse: (H, W) float32.
        gain: Focal length in pixels times the baseline in metres, negative for one to the left.
        rows: (H,) bool, which rows are of interest.
        out: (H, W) float32, written: what has a smaller inverse depth in a pixel is hidden.

    """
    height, width = inverse.shape
    size, margin = np.float32(abs(gain)), np.float32(_BESIDE_PX)
    share = np.float32(1.0) / size
    for v in range(height):
        if not rows[v]:
            continue
        least = np.float32(1e9)
        for k in range(width):
            u = width - 1 - k if gain > 0.0 else k
            w = inverse[v, u]
            column = np.float32(width - 1 - k)  # from the other side, the image is mirrored
            out[v, u] = (column - least - margin) * share
            if w > 0.0:
                least = min(least, column - size * w)


@_compiled
def rows_of(windows: Any, margin: int, out: Any) -> None:
    """Mark the rows (H,) of an image that windows reach over, or come near to."""
    out[:] = False
    for n in range(windows.shape[0]):
        _, top, _, bottom = grown(windows[n], margin, out.shape[0], 1 << 30)
        out[top:bottom] = True


@_compiled
def _slope(a: Any, b: Any, c: Any) -> Any:
    """The smaller of two steps to neighbours; NaN where one of those is not known."""
    before, after = b - a, c - b
    smaller = before if abs(before) < abs(after) else after
    return smaller if min(a, c) > np.float32(0.0) else np.float32(np.nan)


@_compiled
def find_cosines(inverse: Any, camera: Any, windows: Any, out: Any) -> None:
    """Square of the cosine between the line of sight and the normal of the surface in each pixel.

    The inverse depth of a plane n . p = 1 is n . ray, linear in the image: its slopes are n_x / fx
    and n_y / fy, which leaves n_z, and cos = w / (|n| |ray|).

    Args:
        inverse: (H, W) float32.
        camera: (4,) float32 fx, fy, cx, cy.
        windows: (K, 4) where the image is another than at the last call, see `geometry.tiles`.
        out: (H, W) float32, written; 1 where it is not known.

    """
    height, width = inverse.shape
    far, one = SLOPE_PX, np.float32(1.0)
    fx, fy, cx, cy = camera[0], camera[1], camera[2], camera[3]
    gain_x, gain_y, inverse_fx = fx / np.float32(far), fy / np.float32(far), one / fx
    for n in range(windows.shape[0]):
        left, top, right, bottom = grown(windows[n], far, height, width)
        for v in range(top, bottom):
            if v < far or v >= height - far:
                out[v, left:right] = one
                continue
            out[v, left : max(left, far)] = one
            out[v, min(right, width - far) : right] = one
            y = (np.float32(v) - cy) / fy
            above, row, below = inverse[v - far], inverse[v], inverse[v + far]
            for u in range(max(left, far), min(right, width - far)):
                w = row[u]
                x = (np.float32(u) - cx) * inverse_fx
                a = gain_x * _slope(row[u - far], w, row[u + far])
                b = gain_y * _slope(above[u], w, below[u])
                c = w - a * x - b * y
                cosine = w * w / ((a * a + b * b + c * c) * (x * x + y * y + one))
                out[v, u] = cosine if cosine <= one else one
