# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of an image as a few windows: what has changed, in tiles.

Windows are rows (u0, v0, u1, v1) of an array (K, 4) of int32: first column, first row, and the
column and row after the last. They may overlap where that is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILE = 16
"""Edge of a tile, pixels."""

_SHIFT = 4


def whole(height: int, width: int) -> NDArray[np.int32]:
    """Windows (1, 4) that are all of an image."""
    return np.array([[0, 0, width, height]], dtype=np.int32)


def joined(windows: NDArray[np.int32], most: float = 1.5) -> NDArray[np.int32]:
    """Make few of many windows (K, 4), on which most work is quicker, though they have more pixels.

    Some become one where that has at most so many times the pixels of all of them. They may
    overlap.
    """
    out = windows.copy()
    return out[: _join(out, most)]


class Tiles:
    """Which tiles of an image something was marked in.

    Args:
        height: Of the image, pixels.
        width: The same.

    """

    def __init__(self, height: int, width: int) -> None:
        self._height, self._width = height, width
        shape = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
        self.mask = np.zeros(shape, dtype=np.bool_)
        self._out = np.empty((self.mask.size, 4), dtype=np.int32)

    def windows(self) -> NDArray[np.int32]:
        """Return what is marked as windows (K, 4) that do not overlap, and forget it."""
        count = _windows(self.mask, self._height, self._width, self._out)
        self.mask[:] = False
        return self._out[:count].copy()


@compiled
def mark_about(v: Any, u: Any, margin: int, height: int, width: int, mask: Any) -> None:
    """Mark the tiles of a mask that are no farther than a margin from a pixel."""
    first_v, last_v = max(v - margin, 0) >> _SHIFT, min(v + margin, height - 1) >> _SHIFT
    first_u, last_u = max(u - margin, 0) >> _SHIFT, min(u + margin, width - 1) >> _SHIFT
    for row in range(first_v, last_v + 1):
        for column in range(first_u, last_u + 1):
            mask[row, column] = True


@compiled
def _windows(mask: Any, height: int, width: int, out: Any) -> int:
    """Runs of tiles along rows, those of equal runs below one another as one."""
    count = before = 0  # the windows of the row of tiles before begin there
    for row in range(mask.shape[0]):
        first = count
        column = 0
        while column < mask.shape[1]:
            if not mask[row, column]:
                column += 1
                continue
            start = column
            while column < mask.shape[1] and mask[row, column]:
                column += 1
            left, right = start * TILE, min(width, column * TILE)
            bottom = min(height, (row + 1) * TILE)
            joined = False
            for k in range(before, first):
                if out[k, 3] == row * TILE and out[k, 0] == left and out[k, 2] == right:
                    out[k, 3] = bottom
                    joined = True
            if not joined:
                out[count] = (left, row * TILE, right, bottom)
                count += 1
        # Windows that go on from further above are looked for as well.
        while before < first and out[before, 3] < row * TILE:
            before += 1
    return count


@compiled
def _size(window: Any) -> Any:
    return (window[2] - window[0]) * (window[3] - window[1])


@compiled
def _join(windows: Any, most: float) -> int:
    count, one = windows.shape[0], 0
    both = np.empty(4, np.int32)
    asked = np.empty(count, np.int64)  # pixels of the windows that were joined
    for k in range(count):
        asked[k] = _size(windows[k])
    while one < count:
        other = one + 1
        while other < count:
            both[:2] = np.minimum(windows[one, :2], windows[other, :2])
            both[2:] = np.maximum(windows[one, 2:], windows[other, 2:])
            if _size(both) > most * (asked[one] + asked[other]):
                other += 1
                continue
            windows[one] = both
            asked[one] += asked[other]
            count -= 1
            windows[other] = windows[count]
            asked[other] = asked[count]
            other = one + 1  # what was too far away may be near now
        one += 1
    return int(count)


@compiled
def mark_changes(
    bits: Any, known: Any, old_bits: Any, old_known: Any, windows: Any, mask: Any
) -> None:
    """Mark the tiles in which two images differ from others, which become the same.

    Args:
        bits: (H, W) int32, depths as their bits, so that NaN equals NaN.
        known: (H, W) uint8.
        old_bits: The same of the image before, written.
        old_known: The same, written.
        windows: (K, 4) where to look: whole tiles, which do not overlap.
        mask: Of `Tiles`, written where something differs.

    """
    for n in range(windows.shape[0]):
        left, top, right, bottom = windows[n]
        change = np.empty(right - left, np.int32)
        for start in range(top, bottom, TILE):
            end = min(bottom, start + TILE)
            change[:] = 0
            for v in range(start, end):
                _gather(bits[v, left:right], old_bits[v, left:right], change)
                _gather_kinds(known[v, left:right], old_known[v, left:right], change)
            for first in range(left, right, TILE):
                last = min(right, first + TILE)
                differs = np.int32(0)
                for u in range(first, last):
                    differs |= change[u - left]
                if differs == 0:
                    continue
                mask[start >> _SHIFT, first >> _SHIFT] = True
                for v in range(start, end):
                    copy_row(bits[v, first:last], old_bits[v, first:last])
                    copy_row(known[v, first:last], old_known[v, first:last])


@compiled
def _gather(one: Any, other: Any, change: Any) -> None:
    """In which columns rows differ; in a loop from zero on, which alone is turned into SIMD."""
    for u in range(change.shape[0]):
        change[u] |= one[u] ^ other[u]


@compiled
def _gather_kinds(one: Any, other: Any, change: Any) -> None:
    for u in range(change.shape[0]):
        change[u] |= np.int32(one[u] ^ other[u])


@compiled
def copy_row(one: Any, out: Any) -> None:
    """Copy a row (N,); quicker than an assignment of slices, which might overlap."""
    for u in range(out.shape[0]):
        out[u] = one[u]


@compiled
def copy_windows(image: Any, windows: Any, out: Any) -> None:
    """Copy windows (K, 4) of an image (H, W) or (H, W, 3)."""
    height, width = image.shape[:2]
    depth = image.size // (height * width)
    flat, other = image.reshape((height, width * depth)), out.reshape((height, width * depth))
    for n in range(windows.shape[0]):
        left, top, right, bottom = windows[n]
        for v in range(top, bottom):
            here = slice(left * depth, right * depth)
            copy_row(flat[v, here], other[v, here])


@compiled
def grown(window: Any, margin: int, height: int, width: int) -> Any:
    """A window that is larger on every side, inside the image."""
    left, top, right, bottom = window
    return (
        max(0, left - margin), max(0, top - margin),
        min(width, right + margin), min(height, bottom + margin),
    )  # fmt: skip
