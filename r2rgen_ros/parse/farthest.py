# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The farthest repeated depth of every pixel of a still camera, compiled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.parse.lighting import LIT, SAME_HUE, SHADE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_THREADS = 2
_ROWS = 16
_CHANCE = 0.04  # this share of all readings may be flying pixels behind everything
_SAME_M = 0.003  # the foot of an object is nearly as far as what it stands on
_SIGMAS = 3.0
_SAME_GREY = 12  # of 255; less is the noise of colours


def farthest(
    depths: NDArray[np.float32],
    colours: NDArray[np.uint8],
    covered: NDArray[np.bool_],
    noise: float,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Find the farthest repeated depth of pixels, and the median colour they had there when lit.

    A single far reading may be a flying pixel: the farthest few must agree. A mean of colours would
    show every shadow half; the shadow of an arm that returns to where it started would stay in the
    median, so frames in which a place is much darker than at its brightest do not count. Where no
    depth is ever valid the colour is the median of the frames in which nothing covers it, so that
    the backdrop keeps its own; of all where there are none.

    Args:
        depths: (F, H, W) metres, NaN where invalid.
        colours: (F, H, W, 3).
        covered: (F, H, W) where something is in the way, or close to that in the image.
        noise: Standard deviation of a depth at 1 m; it grows with the square of the depth.

    Returns:
        Depth (H, W), NaN where never valid, and colour (H, W, 3).

    """
    count, height, width = depths.shape
    depth = np.empty((height, width), dtype=np.float32)
    colour = np.empty((height, width, 3), dtype=np.uint8)
    rank = min(max(1, round(_CHANCE * count)), count - 1)

    def fill(row: int) -> None:
        rows = slice(row, row + _ROWS)
        seen = depths[:, rows], colours[:, rows], covered[:, rows]
        _fill(*seen, rank, noise, depth[rows], colour[rows])

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(fill, range(0, height, _ROWS)))
    return depth, colour


@compiled
def _fill(
    depths: NDArray[np.float32],
    colours: NDArray[np.uint8],
    covered: NDArray[np.bool_],
    rank: int,
    noise: float,
    depth: NDArray[np.float32],
    colour: NDArray[np.uint8],
) -> None:
    count, height, width = depths.shape
    top = np.empty(rank + 1, dtype=np.float32)
    near = np.empty(count, dtype=np.bool_)
    histogram = np.empty(256, dtype=np.int32)
    for v in range(height):
        for u in range(width):
            far = _ranked(depths[:, v, u], top)
            depth[v, u] = _mean_near(depths[:, v, u], far, noise, near)
            if np.isfinite(depth[v, u]):
                _leave_lit(colours[:, v, u], near, histogram)
            elif not covered[:, v, u].all():
                near[:] = ~covered[:, v, u]
            for channel in range(3):
                colour[v, u, channel] = _median(colours[:, v, u, channel], near, histogram)


@compiled
def _ranked(readings: NDArray[np.float32], top: NDArray[np.float32]) -> float:
    """Return the last of the farthest few readings, the farthest if there are fewer, or NaN."""
    valid = 0
    for reading in readings:
        if not np.isfinite(reading):
            continue
        place = min(valid, len(top))
        valid += 1
        while place > 0 and top[place - 1] < reading:
            if place < len(top):
                top[place] = top[place - 1]
            place -= 1
        if place < len(top):
            top[place] = reading
    if valid == 0:
        return np.nan
    return float(top[-1] if valid >= len(top) else top[0])


@compiled
def _mean_near(
    readings: NDArray[np.float32], far: float, noise: float, near: NDArray[np.bool_]
) -> float:
    """Mean of the readings that are `far` but for noise, and in `near` which these are."""
    # The farthest few are the tail of the noise; what belongs to them lies before them.
    reach = max(_SAME_M, _SIGMAS * noise * far * far)
    hits, total = 0, 0.0
    for k in range(len(readings)):
        off = readings[k] - far
        near[k] = -2.0 * reach < off < reach
        if near[k]:
            hits += 1
            total += off
    if hits == 0:
        near[:] = True
        return np.nan
    return far + total / hits


@compiled
def _leave_lit(
    colours: NDArray[np.uint8], chosen: NDArray[np.bool_], histogram: NDArray[np.int32]
) -> None:
    """Leave among the chosen frames those in which no shadow falls, if there are enough.

    What is darker counts as a shadow where it has the same hue.
    """
    histogram[:] = 0
    count = 0
    for k in range(len(chosen)):
        if chosen[k]:
            histogram[_brightness(colours[k])] += 1
            count += 1
    bright, above = 255, 0
    while above + histogram[bright] <= LIT * count:
        above += histogram[bright]
        bright -= 1
    least = min(SHADE * bright, bright - _SAME_GREY)
    sums = np.zeros((2, 3))
    for k in range(len(chosen)):
        if chosen[k]:
            is_lit = _brightness(colours[k]) > least
            for channel in range(3):
                sums[int(is_lit), channel] += colours[k, channel]
    both, sizes = (sums[0] * sums[1]).sum(), (sums[0] ** 2).sum() * (sums[1] ** 2).sum()
    # Else it is another thing, beside whose edge depth and colour differ.
    if both <= SAME_HUE * np.sqrt(sizes):
        return
    for k in range(len(chosen)):
        chosen[k] = chosen[k] and _brightness(colours[k]) > least


@compiled
def _brightness(colour: NDArray[np.uint8]) -> int:
    total = int(colour[0]) + int(colour[1]) + int(colour[2])
    return total // 3


@compiled
def _median(
    values: NDArray[np.uint8], chosen: NDArray[np.bool_], histogram: NDArray[np.int32]
) -> int:
    """Lower median of the chosen values, of which there is one at least."""
    histogram[:] = 0
    count = 0
    for k in range(len(values)):
        if chosen[k]:
            histogram[values[k]] += 1
            count += 1
    left = (count - 1) // 2
    value = 0
    while left >= histogram[value]:
        left -= histogram[value]
        value += 1
    return value
