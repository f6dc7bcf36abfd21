# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pixels that a coarser sampling leaves open inside a surface."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_SHARE = np.float32(0.02)
"""Neighbouring points of a far, slanted surface lie farther apart."""


@njit(cache=True, nogil=True, error_model='numpy')
def close_gaps(
    owner: Any, zbuf: Any, still: int, may_fill: bool, delta: float, windows: Any, depth: Any,
    source: Any,
) -> None:  # fmt: skip
    """Fill open pixels that near points surround, from those points.

    A pixel is filled if five of its eight neighbours, or four and no others, show points whose
    depths lie within `delta`, or 2 % for what is far, of the nearest of them, and if one of those
    belongs to something that moved: the holes of what did not move are the sensor's own.

    Args:
        owner: (H, W) int32 index of the point in each pixel, negative for none.
        zbuf: (H, W) float32 depth of that point, metres.
        still: How many of the first points stand still.
        may_fill: Whether these, too, may be used to fill.
        delta: Depth difference, metres.
        windows: (K, 4) where, see `geometry.tiles`.
        depth: (H, W) float32, written: depth of each pixel, NaN where there is none.
        source: (H, W) int32, written: the point that gives the pixel its colour, -1 for none.

    """
    height, width = owner.shape
    for n in range(windows.shape[0]):
        left, top, right, bottom = windows[n]
        for v in range(top, bottom):
            for u in range(left, right):
                if owner[v, u] >= 0:
                    depth[v, u] = zbuf[v, u]
                    source[v, u] = owner[v, u]
                    continue
                depth[v, u] = np.nan
                source[v, u] = -1
                if u == 0 or v == 0 or u == width - 1 or v == height - 1:
                    continue
                nearest = np.float32(np.inf)
                for dv in range(-1, 2):
                    for du in range(-1, 2):
                        if owner[v + dv, u + du] >= 0:
                            nearest = min(nearest, zbuf[v + dv, u + du])
                if nearest == np.inf:
                    continue
                limit = max(np.float32(delta), _SHARE * nearest)
                count, others, total, best, useful = 0, 0, 0.0, -1, False
                for dv in range(-1, 2):
                    for du in range(-1, 2):
                        at = owner[v + dv, u + du]
                        if at < 0:
                            continue
                        if zbuf[v + dv, u + du] > nearest + limit:
                            others += 1
                            continue
                        count += 1
                        total += zbuf[v + dv, u + du]
                        useful = useful or may_fill or at >= still
                        if best < 0 or zbuf[v + dv, u + du] == nearest:
                            best = at
                if useful and (count >= 5 or (count == 4 and others == 0)):
                    depth[v, u] = np.float32(total / count)
                    source[v, u] = best
