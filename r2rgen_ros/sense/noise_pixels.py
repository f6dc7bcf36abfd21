# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a noise model asks of every pixel, compiled: edges, shadows, angles, and the noise itself.

All works on the inverse depth w = 1 / z (0: nothing is known), in which planes are linear in the
image and steps of disparity are even.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.geometry.tiles import TILE, grown

FRESH, MEAN, RAW = 0, 1, 2
"""How much noise a rendered pixel has already: none; what stays the same in all images, as it is
the mean of many; all of it, as it is a recorded pixel.
"""

COSINES = 2048
"""Length of tables over the square of the cosine of the angle between line of sight and normal."""

SLOPE_PX = 3  # noise of the images themselves must not look like slopes
_BESIDE_PX = 0.25
_UNKNOWN = np.float32(1e9)


@compiled
def invert(depth: Any, windows: Any, out: Any) -> None:
    """Inverse depth (H, W) in windows of a depth image, 0 where it is NaN, infinite or below 0."""
    for n in range(windows.shape[0]):
        left, top, right, bottom = windows[n]
        for v in range(top, bottom):
            _invert_row(depth[v, left:right], out[v, left:right])


@compiled
def _invert_row(depth: Any, out: Any) -> None:
    """Of a part of a row; from zero on, for SIMD."""
    zero, one = np.float32(0.0), np.float32(1.0)
    for u in range(out.shape[0]):
        z = depth[u]
        w = one / z  # 1 / infinity is 0
        out[u] = w if z > zero else zero


@compiled
def _jumps(one: Any, other: Any, share: Any) -> Any:
    """Whether there is an edge between two neighbours of known depth."""
    nearer = one if one < other else other
    return (np.abs(one - other) > share * nearer) & (nearer > np.float32(0.0))


@compiled
def _mark_inside(
    above: Any, row: Any, below: Any, before: Any, after: Any, share: Any, out: Any
) -> None:
    """Mark what differs from one of four neighbours; from zero on, or there is no SIMD."""
    for u in range(out.shape[0]):
        w = row[u]
        down = _jumps(w, above[u], share) | _jumps(w, below[u], share)
        along = _jumps(w, before[u], share) | _jumps(w, after[u], share)
        out[u] = np.uint8(down | along)


@compiled
def _mark_row(
    above: Any, row: Any, below: Any, left: int, right: int, share: Any, out: Any
) -> None:
    """Mark the pixels of a row that differ from one of their four neighbours."""
    last = row.shape[0] - 1
    first, end = max(left, 1), min(right, last)
    if first < end:
        here = slice(first, end)
        before, after = row[first - 1 : end - 1], row[first + 1 : end + 1]
        _mark_inside(above[here], row[here], below[here], before, after, share, out[here])
    for u in (0, last):
        if left <= u < right:
            w, beside = row[u], row[min(1, last)] if u == 0 else row[last - 1]
            down = _jumps(w, above[u], share) | _jumps(w, below[u], share)
            out[u] = np.uint8(down | _jumps(w, beside, share))


@compiled
def _span_rows(above: Any, row: Any, below: Any, most: Any, least: Any) -> None:
    """Largest and smallest known inverse depth of three rows, column by column."""
    zero, far = np.float32(0.0), _UNKNOWN
    for u in range(row.shape[0]):
        a, b, c = above[u], row[u], below[u]
        high = a if a > b else b
        most[u] = high if high > c else c
        a, b, c = a if a > zero else far, b if b > zero else far, c if c > zero else far
        low = a if a < b else b
        least[u] = low if low < c else c


@compiled
def _mark_spans(row: Any, most: Any, least: Any, limit: Any, out: Any) -> None:
    """Mark the known pixels (N,) about which three rows (N + 2,) differ by more than a limit."""
    for u in range(out.shape[0]):
        high = most[u] if most[u] > most[u + 1] else most[u + 1]
        high = high if high > most[u + 2] else most[u + 2]
        low = least[u] if least[u] < least[u + 1] else least[u + 1]
        low = low if low < least[u + 2] else least[u + 2]
        out[u] = np.uint8((high - low > limit) & (row[u] > np.float32(0.0)))


@compiled
def _mark_wide_row(
    above: Any, row: Any, below: Any, left: int, right: int, limit: Any, spans: Any, out: Any
) -> None:
    """Mark the pixels of a row in whose square of three pixels the inverse depth spans more."""
    first, end = max(left - 1, 0), min(right + 1, row.shape[0])
    # Beyond the image's end there is what is at its end.
    shift = 1 + first - left
    count = end - first
    most, least = spans[0], spans[1]
    here = slice(first, end)
    _span_rows(
        above[here], row[here], below[here], most[shift : shift + count],
        least[shift : shift + count],
    )  # fmt: skip
    last = right - left + 1
    if shift == 1:
        most[0], least[0] = most[1], least[1]
    if shift + count <= last:
        most[last], least[last] = most[last - 1], least[last - 1]
    _mark_spans(row[left:right], most, least, limit, out[left:right])


@compiled
def mark_edges(inverse: Any, jump: float, span: float, windows: Any, marks: Any) -> None:
    """Find the pixels at edges, where the image changed.

    Args:
        inverse: (H, W) float32.
        jump: Share of the nearer depth by which neighbours of an edge differ; infinite for the
            other rule.
        span: By how much the inverse depth differs within three by three pixels at an edge, 1/m.
        windows: (K, 4) where the image is another than at the last call, see `geometry.tiles`.
        marks: (H, W) uint8, kept from call to call: 1 at an edge.

    """
    height, width = inverse.shape
    spans = np.empty((2, width + 2), np.float32)
    for n in range(windows.shape[0]):
        left, top, right, bottom = grown(windows[n], 1, height, width)
        for v in range(top, bottom):
            above, row, below = inverse[max(v - 1, 0)], inverse[v], inverse[min(v + 1, height - 1)]
            if np.isfinite(jump):
                _mark_row(above, row, below, left, right, np.float32(jump), marks[v])
            else:
                limit = np.float32(span)
                _mark_wide_row(above, row, below, left, right, limit, spans, marks[v])


@compiled
def find_distances(marks: Any, reach: int, windows: Any, out: Any) -> None:
    """How far every pixel is from an edge, where the image changed.

    Args:
        marks: (H, W) uint8 of `mark_edges`.
        reach: Largest distance of interest, from 1.
        windows: (K, 4) where the image is another than at the last call, see `geometry.tiles`.
        out: (H, W) uint8, written: 1 at an edge, 2 beside that, and so on; 0 beyond the reach.

    """
    height, width = marks.shape
    for n in range(windows.shape[0]):
        left, top, right, bottom = grown(windows[n], reach, height, width)
        start, end = max(0, top - reach + 1), min(height, bottom + reach - 1)
        along = np.empty((end - start, right - left), np.uint8)
        for v in range(start, end):
            _far_along(marks[v], left, reach, along[v - start])
        for v in range(top, bottom):
            row = out[v, left:right]
            row[:] = _NEVER
            for other in range(max(start, v - reach + 1), min(end, v + reach)):
                _lower_to_farther(along[other - start], np.uint8(1 + abs(other - v)), row)
            _forget_never(row)


@compiled
def find_edges(
    inverse: Any, jump: float, span: float, reach: int, windows: Any, marks: Any, out: Any
) -> None:
    """How far every pixel is from an edge, see `mark_edges` and `find_distances`."""
    mark_edges(inverse, jump, span, windows, marks)
    find_distances(marks, reach, windows, out)


@compiled
def distance_at(marks: Any, reach: int, v: int, u: int) -> Any:
    """What `find_distances` finds for one pixel."""
    height, width = marks.shape
    least = reach + 1
    first, end = max(0, u - reach + 1), min(width, u + reach)
    for vv in range(max(0, v - reach + 1), min(height, v + reach)):
        row = marks[vv, first:end]
        for k in range(row.shape[0]):
            if row[k] > np.uint8(0):
                least = min(least, 1 + max(abs(vv - v), abs(first + k - u)))
    return np.uint8(least if least <= reach else 0)


@compiled
def find_busy(marks: Any, busy: Any) -> None:
    """Which tiles (see `geometry.tiles`) have an edge in them."""
    height, width = marks.shape
    seen = np.empty(width, np.uint8)
    for row in range(busy.shape[0]):
        seen[:] = 0
        for v in range(row * TILE, min(height, (row + 1) * TILE)):
            _gather_marks(marks[v], seen)
        for column in range(busy.shape[1]):
            found = np.uint8(0)
            for u in range(column * TILE, min(width, (column + 1) * TILE)):
                found |= seen[u]
            busy[row, column] = found > np.uint8(0)


@compiled
def _gather_marks(row: Any, seen: Any) -> None:
    for u in range(seen.shape[0]):
        seen[u] |= row[u]


@compiled
def is_far_from_busy(busy: Any, margin: int, v: int, u: int, height: int, width: int) -> bool:
    """Whether no tile about a pixel, to a margin of at most half a tile, has an edge in it."""
    top, bottom = max(v - margin, 0) // TILE, min(v + margin, height - 1) // TILE
    left, right = max(u - margin, 0) // TILE, min(u + margin, width - 1) // TILE
    return not (busy[top, left] or busy[top, right] or busy[bottom, left] or busy[bottom, right])


_NEVER = np.uint8(255)


@compiled
def _far_along(marks: Any, left: int, reach: int, out: Any) -> None:
    """How far the pixels of a row from one on are from a mark in it: 1 there, 2 beside it..."""
    count, width = out.shape[0], marks.shape[0]
    out[:] = _NEVER
    for step in range(reach - 1, -1, -1):
        far = np.uint8(step + 1)
        for shift in (-step, step):
            first, last = max(0, -left - shift), min(count, width - left - shift)
            if first < last:
                begin = left + shift + first
                _mark_far(marks[begin : begin + last - first], far, out[first:last])


@compiled
def _mark_far(marks: Any, far: Any, out: Any) -> None:
    for u in range(out.shape[0]):
        same = out[u]
        out[u] = far if marks[u] > np.uint8(0) else same


@compiled
def _lower_to_farther(along: Any, far: Any, out: Any) -> None:
    """The distance in a square is the larger of those along rows and along columns."""
    for u in range(out.shape[0]):
        here, now = along[u], out[u]
        here = here if here > far else far
        out[u] = here if here < now else now


@compiled
def _forget_never(out: Any) -> None:
    for u in range(out.shape[0]):
        now = out[u]
        out[u] = np.uint8(0) if now == _NEVER else now


@compiled
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
    size = np.float32(abs(gain))
    which = np.flatnonzero(rows)
    # What is least so far is waited for: of four rows at a time that is no wait.
    for first in range(0, which.shape[0], 4):
        last = which.shape[0] - 1
        a, b = which[first], which[min(first + 1, last)]
        c, d = which[min(first + 2, last)], which[min(first + 3, last)]
        _shade_rows(
            inverse[a], inverse[b], inverse[c], inverse[d], size, gain > 0.0,
            out[a], out[b], out[c], out[d],
        )  # fmt: skip


@compiled
def _least_place(column: Any, size: Any, w: Any, least: Any) -> Any:
    """The smallest place in the image of the other imager so far."""
    place = column - size * w
    return place if (w > np.float32(0.0)) & (place < least) else least


@compiled
def _shade_rows(
    row_a: Any, row_b: Any, row_c: Any, row_d: Any, size: Any, from_end: bool,
    out_a: Any, out_b: Any, out_c: Any, out_d: Any,
) -> None:  # fmt: skip
    width = row_a.shape[0]
    share, margin = np.float32(1.0) / size, np.float32(_BESIDE_PX)
    a = b = c = d = np.float32(1e9)
    for k in range(width):
        u = width - 1 - k if from_end else k
        column = np.float32(width - 1 - k)  # from the other side, the image is mirrored
        out_a[u] = (column - a - margin) * share
        out_b[u] = (column - b - margin) * share
        out_c[u] = (column - c - margin) * share
        out_d[u] = (column - d - margin) * share
        a = _least_place(column, size, row_a[u], a)
        b = _least_place(column, size, row_b[u], b)
        c = _least_place(column, size, row_c[u], c)
        d = _least_place(column, size, row_d[u], d)


@compiled
def rows_of(windows: Any, margin: int, out: Any) -> None:
    """Mark the rows (H,) of an image that windows reach over, or come near to."""
    out[:] = False
    for n in range(windows.shape[0]):
        _, top, _, bottom = grown(windows[n], margin, out.shape[0], 1 << 30)
        out[top:bottom] = True


@compiled
def _slope(a: Any, b: Any, c: Any) -> Any:
    """The smaller of two steps to neighbours; NaN where one of those is not known."""
    before, after = b - a, c - b
    smaller = before if np.abs(before) < np.abs(after) else after
    known = (a > np.float32(0.0)) & (c > np.float32(0.0))
    return smaller if known else np.float32(np.nan)


@compiled
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
            first, end = max(left, far), min(right, width - far)
            if first >= end:
                continue
            here = slice(first, end)
            row = inverse[v]
            _turn_row(
                inverse[v - far, here], row[here], inverse[v + far, here],
                row[first - far : end - far], row[first + far : end + far],
                np.int32(first), y, cx, inverse_fx, gain_x, gain_y, out[v, here],
            )  # fmt: skip


@compiled
def _turn_row(
    above: Any, row: Any, below: Any, before: Any, after: Any, first: Any, y: Any, cx: Any,
    inverse_fx: Any, gain_x: Any, gain_y: Any, out: Any,
) -> None:  # fmt: skip
    """Squared cosines of a part of a row that begins at a column; from zero on, for SIMD."""
    one = np.float32(1.0)
    for u in range(out.shape[0]):
        w = row[u]
        x = (np.float32(first + np.int32(u)) - cx) * inverse_fx
        a = gain_x * _slope(before[u], w, after[u])
        b = gain_y * _slope(above[u], w, below[u])
        c = w - a * x - b * y
        cosine = w * w / ((a * a + b * b + c * c) * (x * x + y * y + one))
        out[u] = cosine if cosine <= one else one
