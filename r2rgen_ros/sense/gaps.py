# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pixels that a coarser sampling leaves open inside a surface."""

from __future__ import annotations

from typing import Any

import numpy as np

from r2rgen_ros.geometry.compiled import compiled

_SHARE = np.float32(0.02)
"""Neighbouring points of a far, slanted surface lie farther apart."""

_BLOCK = 64  # pixels that are asked at a time whether one is open


@compiled
def close_gaps(
    owner: Any, zbuf: Any, still: int, may_fill: bool, delta: float, depth: Any, source: Any
) -> None:
    """Fill open pixels that near points surround, from those points; not at the rim.

    A pixel is filled if five of its eight neighbours, or four and no others, show points whose
    depths lie within `delta`, or 2 % for what is far, of the nearest of them, and if one of those
    belongs to something that moved: the holes of what did not move are the sensor's own.

    Args:
        owner: (H, W) int32 what each pixel shows, by numbers from 0 on; negative for nothing.
        zbuf: (H, W) float32 depth of that, metres.
        still: Numbers below this are of what stands still.
        may_fill: Whether these, too, may be used to fill.
        delta: Depth difference, metres.
        depth: (H, W) float32, written: depth of each pixel, NaN where there is none.
        source: (H, W) int32, written: the number that gives the pixel its colour, -1 for none.

    """
    height, width = owner.shape
    for v in range(height):
        _copy_seen(owner[v], zbuf[v], depth[v], source[v])
        if v == 0 or v == height - 1:
            continue
        for start in range(1, width - 1, _BLOCK):
            end = min(start + _BLOCK, width - 1)
            if not _is_open(owner[v, start:end]):
                continue
            for u in range(start, end):
                if owner[v, u] < 0:
                    depth[v, u], source[v, u] = _filled(owner, zbuf, still, may_fill, delta, v, u)


@compiled
def _is_open(owner: Any) -> bool:
    """Whether any pixel of a few has no point; without branches, for SIMD."""
    signs = np.int32(0)
    for u in range(owner.shape[0]):
        signs |= owner[u]
    return bool(signs < 0)


@compiled
def _copy_seen(owner: Any, zbuf: Any, depth: Any, source: Any) -> None:
    """What is seen without filling; from zero on, for SIMD."""
    none, nobody = np.float32(np.nan), np.int32(-1)
    for u in range(depth.shape[0]):
        at, z = owner[u], zbuf[u]
        depth[u] = z if at >= 0 else none
        source[u] = at if at >= 0 else nobody


@compiled
def _filled(owner: Any, zbuf: Any, still: int, may_fill: bool, delta: float, v: int, u: int) -> Any:
    """Depth and point of an open pixel that is not at the rim of the image."""
    nearest = np.float32(np.inf)
    for dv in range(-1, 2):
        for du in range(-1, 2):
            if owner[v + dv, u + du] >= 0:
                nearest = min(nearest, zbuf[v + dv, u + du])
    if nearest == np.inf:
        return np.float32(np.nan), np.int32(-1)
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
        return np.float32(total / count), np.int32(best)
    return np.float32(np.nan), np.int32(-1)
