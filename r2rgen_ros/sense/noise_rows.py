# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The noise of every pixel of an image, compiled.

What follows from the clean image alone is kept from image to image (`level`, `list_special`), and
found anew only where that changed. What is left for every pixel of every image is done row by row
without branches, which the compiler turns into SIMD; pixels beside edges and in shadows, which are
few, are done again one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.geometry.tiles import grown
from r2rgen_ros.sense.noise_pixels import COSINES, FRESH, RAW

SIDE = 1024
"""Rows, and columns before they repeat, of the tables of noise; a power of two."""

WANDER_PX = 3
"""How far from an edge, or from the end of a shadow, pixels wander."""

UNIT = np.float32(1.0 / 4096.0)
"""What a step of the tables of normal noise stands for: half the bytes of float32 to be read."""

SHARES = 4096
"""Length of a table of limits by the share of what is below them."""

_MASK = SIDE - 1

RUN = 32
"""Pixels of a row whose kinds are kept together."""


@compiled
def level(
    inverse: Any, known: Any, cosine: Any, windows: Any, margin: int, numbers: Any, turned: Any,
    grazing: Any, quantiles: Any, limit: Any, spread: Any,
) -> None:  # fmt: skip
    """How much noise pixels get, and below which number of the hole noise they have no depth.

    Args:
        inverse: (H, W) float32.
        known: (H, W) uint8, FRESH, MEAN or RAW.
        cosine: (H, W) float32 of `find_cosines`.
        windows: (K, 4) where, see `geometry.tiles`.
        margin: How far around these as well.
        numbers: (6,) float32: constant, slope, growth of the noise, its limit of holes anywhere,
            and the range at which holes begin and end.
        turned: Table of Nguyen's term by the squared cosine.
        grazing: Table of limits by it; its first entry tells whether there are any.
        quantiles: (SHARES,) limits by the share of holes.
        limit: (H, W) float32, written.
        spread: (H, W) float32, written: standard deviation of the inverse depth.

    """
    height, width = inverse.shape
    for n in range(windows.shape[0]):
        left, top, right, bottom = grown(windows[n], margin, height, width)
        for v in range(top, bottom):
            here = slice(left, right)
            level_row(
                inverse[v, here], cosine[v, here], numbers, turned, grazing, quantiles,
                limit[v, here], spread[v, here],
            )  # fmt: skip
            level_recorded(known[v, here], limit[v, here], spread[v, here])


@compiled
def level_row(
    inverse: Any, cosine: Any, numbers: Any, turned: Any, grazing: Any, quantiles: Any,
    limit: Any, spread: Any,
) -> None:  # fmt: skip
    """Of a part of a row what `level` finds, as if nothing were recorded; for SIMD."""
    constant, slope, growth = numbers[0] ** 2, numbers[1] ** 2, numbers[2] ** 2
    rate, begin, end = numbers[3], numbers[4], numbers[5]
    nearest = np.float32(1.0) / begin  # what has a larger inverse depth is in range
    last = np.float32(COSINES - 1)
    ends = False
    for u in range(spread.shape[0]):
        w = inverse[u]
        spread[u] = np.sqrt(growth + w * w * (slope + constant * w * w))
        limit[u] = rate
        ends |= w < nearest
    if turned[0] > np.float32(0.0):
        for u in range(spread.shape[0]):
            w = inverse[u]
            spread[u] += turned[np.uintp(np.int32(cosine[u] * last))] * w * w * np.sqrt(w)
    if ends:
        for u in range(spread.shape[0]):
            w = inverse[u]
            if w < nearest:
                gone = w * end <= np.float32(1.0)
                share = 1.0 if gone else (1.0 / w - begin) / (end - begin)
                limit[u] = max(limit[u], quantiles[int(share * (SHARES - 1))])
    if grazing[0] > -np.inf:
        for u in range(spread.shape[0]):
            limit[u] = max(limit[u], grazing[np.uintp(np.int32(cosine[u] * last))])


@compiled
def level_recorded(known: Any, limit: Any, spread: Any) -> None:
    """What is recorded gets no noise and no holes."""
    zero, never = np.float32(0.0), np.float32(-np.inf)
    for u in range(known.shape[0]):
        raw, lowest, sigma = known[u] == RAW, limit[u], spread[u]
        limit[u] = never if raw else lowest
        spread[u] = zero if raw else sigma


@compiled
def is_hidden(inverse: Any, covered: Any, v: int, u: int) -> bool:
    """Whether something nearer hides a pixel from the other imager."""
    return bool(np.float32(0.0) < inverse[v, u] < covered[v, u])


@compiled
def list_special(
    inverse: Any, edge: Any, covered: Any, wanders: bool, rows: Any, counts: Any, columns: Any,
) -> None:  # fmt: skip
    """List, row by row, the pixels beside edges, in shadows or beside the end of one.

    Args:
        inverse: (H, W) float32.
        edge: (H, W) uint8 of `find_distances`.
        covered: (H, W) float32 of `find_shadows`.
        wanders: Whether the ends of shadows do.
        rows: (H,) bool, which rows are of interest.
        counts: (H,) int32, written: how many there are in each row.
        columns: (H, W) int16, written: their columns.

    """
    height, width = edge.shape
    margin = WANDER_PX if wanders else 0
    hidden = np.zeros(width + 2 * margin, np.uint8)
    special = np.zeros((width + 7) // 8 * 8, np.uint8)
    eights = special.view(np.uint64)
    for v in range(height):
        if not rows[v]:
            continue
        _hide(inverse[v], covered[v], hidden[margin : margin + width])
        special[:width] = edge[v]
        for shift in range(2 * margin + 1):
            _join(hidden[shift : shift + width], special[:width])
        count = 0
        for k in range(eights.shape[0]):
            if eights[k] == np.uint64(0):
                continue
            for u in range(8 * k, 8 * k + 8):
                if special[u] > np.uint8(0):
                    columns[v, count] = u
                    count += 1
        counts[v] = count


@compiled
def _hide(inverse: Any, covered: Any, out: Any) -> None:
    for u in range(out.shape[0]):
        w = inverse[u]
        out[u] = np.uint8((w > np.float32(0.0)) & (w < covered[u]))


@compiled
def _join(more: Any, out: Any) -> None:
    for u in range(out.shape[0]):
        out[u] |= more[u]


@compiled
def _special(
    inverse: Any, known: Any, edge: Any, covered: Any, limit: Any, spread: Any, numbers: Any,
    torn: Any, smooth: Any, tears: Any, white: Any, at: Any, error: Any, holes: Any, old: Any,
    v: int, columns: Any, out: Any,
) -> None:  # fmt: skip
    """Noise of the pixels of a row that lie beside edges, in shadows or beside the end of one."""
    old_share, new_share = numbers[4] * UNIT, numbers[5] * UNIT
    for i in range(columns.shape[0]):
        u = columns[i]
        latent = new_share * np.float32(holes[u]) + old_share * np.float32(old[u])
        out[v, u] = special_one(
            inverse, covered, numbers, torn, smooth, tears, white, at, known[v, u], edge[v, u],
            limit[v, u], spread[v, u], error[u], latent, v, u, out[v, u],
        )  # fmt: skip


@compiled
def special_one(
    inverse: Any, covered: Any, numbers: Any, torn: Any, smooth: Any, tears: Any, white: Any,
    at: Any, kind: Any, near: Any, lowest: Any, sigma: Any, error: Any, latent: Any,
    v: int, u: int, usual: Any,
) -> Any:  # fmt: skip
    """What is reported of a pixel beside an edge or the like; `usual` is what would be else."""
    height, width = inverse.shape
    shade, step, size, flying = numbers[6:10]
    w = inverse[v, u]
    if w == 0.0:
        return usual
    if kind == RAW:
        return np.float32(np.nan) if w < covered[v, u] and latent < shade else usual
    seen, vv, uu = w, v, u
    if size > 0.0:
        dv = size * (UNIT * smooth[(v + at[5, 0]) & _MASK, u + at[5, 1]])
        du = size * (UNIT * smooth[(v + at[6, 0]) & _MASK, u + at[6, 1]])
        vv = min(max(v + int(np.rint(dv)), 0), height - 1)
        uu = min(max(u + int(np.rint(du)), 0), width - 1)
        if 0 < near <= WANDER_PX and inverse[vv, uu] > 0.0:
            seen = inverse[vv, uu]
    if near == 1 and flying > 0.0:
        chance = white[(v + at[7, 0]) & _MASK, u + at[7, 1]]
        if chance < flying:
            most, least = _near_and_far(inverse, v, u)
            seen = least + chance / flying * (most - least)
    # Beside an edge it counts what the pixel shows now, else where it looks.
    if seen < covered[v, u] if near > 0 else is_hidden(inverse, covered, vv, uu):
        lowest = max(lowest, shade)
    value = seen + sigma * error
    if step > 0.0:
        value = np.rint(value / step) * step
    lost = latent < lowest or not value > 0.0
    if near > 0:
        old_share, new_share = numbers[4] * UNIT, numbers[5] * UNIT
        tear = new_share * np.float32(tears[(v + at[8, 0]) & _MASK, u + at[8, 1]])
        tear += old_share * np.float32(tears[(v + at[9, 0]) & _MASK, u + at[9, 1]])
        lost = lost or tear < torn[near]
    return np.float32(np.nan) if lost else np.float32(np.float32(1.0) / value)


@compiled
def _near_and_far(inverse: Any, v: int, u: int) -> Any:
    """Largest and smallest inverse depth around a pixel."""
    height, width = inverse.shape
    near, far = inverse[v, u], inverse[v, u]
    for vv in range(max(0, v - 1), min(height, v + 2)):
        for uu in range(max(0, u - 1), min(width, u + 2)):
            w = inverse[vv, uu]
            if w > 0.0:
                near, far = max(near, w), min(far, w)
    return near, far


@compiled
def mix(one: Any, two: Any, share: Any, more: Any, out: Any) -> None:
    """Weighted sums of two rows."""
    for u in range(out.shape[0]):
        out[u] = share * np.float32(one[u]) + more * np.float32(two[u])


@compiled
def _add_where_fresh(still: Any, share: Any, known: Any, out: Any) -> None:
    zero = np.float32(0.0)
    for u in range(out.shape[0]):
        more = share * np.float32(still[u])
        out[u] += more if known[u] == FRESH else zero


@compiled
def _noisy(inverse: Any, spread: Any, error: Any, value: Any) -> None:
    for u in range(value.shape[0]):
        value[u] = inverse[u] + spread[u] * error[u]


@compiled
def _stepped(step: Any, value: Any) -> None:
    inverse_step = np.float32(1.0) / step
    for u in range(value.shape[0]):
        value[u] = np.rint(value[u] * inverse_step) * step


@compiled
def _reported(value: Any, inverse: Any, latent: Any, limit: Any, out: Any) -> None:
    zero, one, none = np.float32(0.0), np.float32(1.0), np.float32(np.nan)
    for u in range(out.shape[0]):
        good = (latent[u] >= limit[u]) & (value[u] > zero) & (inverse[u] > zero)
        z = one / value[u]
        out[u] = z if good else none


@compiled
def _reported_all(value: Any, inverse: Any, out: Any) -> None:
    zero, one, none = np.float32(0.0), np.float32(1.0), np.float32(np.nan)
    for u in range(out.shape[0]):
        z = one / value[u]
        out[u] = z if (value[u] > zero) & (inverse[u] > zero) else none


@compiled
def _as_recorded(depth: Any, known: Any, inverse: Any, out: Any) -> None:
    for u in range(out.shape[0]):
        same, now = depth[u], out[u]
        out[u] = same if (known[u] == RAW) & (inverse[u] > np.float32(0.0)) else now


@compiled
def survey(
    inverse: Any, known: Any, limit: Any, rate: Any, windows: Any, margin: int, kinds: Any,
    spans: Any,
) -> None:  # fmt: skip
    """Find what of each row asks for more than the usual work.

    Args:
        inverse: (H, W) float32.
        known: (H, W) uint8, FRESH, MEAN or RAW.
        limit: (H, W) float32 of `level`.
        rate: Float32, the limit of holes anywhere.
        windows: (K, 4) where, see `geometry.tiles`.
        margin: How far around these as well.
        kinds: (H, T) uint8, kept from call to call: what there is in each run of pixels.
        spans: (H, 5) int32, written: first column, and that after the last, of what is FRESH and of
            what is RAW, and whether the limit of a pixel of known depth is above the rate.

    """
    height, width = known.shape
    for n in range(windows.shape[0]):
        left, top, right, bottom = grown(windows[n], margin, height, width)
        for v in range(top, bottom):
            for run in range(left // RUN, (right + RUN - 1) // RUN):
                part = slice(run * RUN, min(width, (run + 1) * RUN))
                kinds[v, run] = _kinds(inverse[v, part], known[v, part], limit[v, part], rate)
    for v in range(height):
        spans[v] = 0
        for run in range(kinds.shape[1]):
            kind, last = kinds[v, run], min(width, (run + 1) * RUN)
            if kind & 1:
                spans[v, 0] = run * RUN if spans[v, 1] == 0 else spans[v, 0]
                spans[v, 1] = last
            if kind & 2:
                spans[v, 2] = run * RUN if spans[v, 3] == 0 else spans[v, 2]
                spans[v, 3] = last
            if kind & 4:
                spans[v, 4] = 1


@compiled
def _kinds(inverse: Any, known: Any, limit: Any, rate: Any) -> int:
    fresh, raw, above = np.uint8(0), np.uint8(0), np.int32(0)
    for u in range(known.shape[0]):
        fresh |= np.uint8(known[u] == FRESH)
        raw |= np.uint8(known[u] == RAW)
        above |= np.int32((limit[u] > rate) & (inverse[u] > np.float32(0.0)))
    return int(fresh) + 2 * int(raw) + 4 * int(above)


@compiled
def spoil(
    depth: Any, inverse: Any, known: Any, edge: Any, covered: Any, limit: Any, spread: Any,
    counts: Any, columns: Any, spans: Any, rate: Any, lowest: Any, numbers: Any, torn: Any,
    smooth: Any, patchy: Any, tears: Any, white: Any, at: Any, past: Any, out: Any,
) -> None:  # fmt: skip
    """Make one noisy image.

    Args:
        depth: (H, W) float32 metres, given back where a pixel has all noise already.
        inverse: (H, W) float32 of it.
        known: (H, W) uint8, FRESH, MEAN or RAW.
        edge: (H, W) uint8 of `find_distances`.
        covered: (H, W) float32 of `find_shadows`.
        limit: (H, W) float32 of `level`.
        spread: (H, W) float32 of it.
        counts: (H,) of `list_special`.
        columns: (H, W) of it.
        spans: (H, 5) of `survey`.
        rate: The limit of holes anywhere.
        lowest: (SIDE,) smallest entry of each row of the table of holes.
        numbers: (10,) float32: weights of the steady and of the changing part of the noise, of the
            changing part of the image before, and of what is new in it; weights of the steady and
            of the changing part of holes; the limit of holes in shadows; the step of the inverse
            depth; the standard deviation by which edges wander; the share of flying pixels.
        torn: Limits of holes by the distance from an edge.
        smooth: Table (SIDE, SIDE + W) of smooth normal noise in steps of UNIT, int16, which repeats
            without a seam.
        patchy: The same for holes.
        tears: The same for those at edges.
        white: The same, uniform from 0 to 1 and without correlation.
        at: (10, 2) where in these tables to begin: two of what is new, holes, their steady part,
            the steady part of the noise, wandering along rows and columns, flying, holes at edges,
            their steady part.
        past: (H, W) float32 changing part of the noise of the image before, written.
        out: (H, W) float32, written.

    """
    height, width = inverse.shape
    steady, changing, memory, anew, old_holes, new_holes, _, step = numbers[:8]
    anew = anew * UNIT * np.float32(np.sqrt(0.5))
    still_share, old_share, new_share = steady * UNIT, old_holes * UNIT, new_holes * UNIT
    zero, one = np.float32(0.0), np.float32(1.0)
    error, latent = np.empty(width, np.float32), np.empty(width, np.float32)
    value = np.empty(width, np.float32)
    a, b, c, d, e = at[0, 1], at[1, 1], at[2, 1], at[3, 1], at[4, 1]
    for v in range(height):
        first = smooth[(v + at[0, 0]) & _MASK, a : a + width]
        second = smooth[(v + at[1, 0]) & _MASK, b : b + width]
        mix(first, second, anew, anew, error)
        if memory > zero:
            mix(error, past[v], one, memory, error)
            past[v] = error
        mix(error, error, changing, zero, error)
        if steady > zero:
            here = slice(spans[v, 0], spans[v, 1])
            still = smooth[(v + at[4, 0]) & _MASK, e : e + width]
            _add_where_fresh(still[here], still_share, known[v, here], error[here])
        row = (v + at[2, 0]) & _MASK
        holes = patchy[row, c : c + width]
        old = patchy[(v + at[3, 0]) & _MASK, d : d + width]
        _noisy(inverse[v], spread[v], error, value)
        if step > zero:
            _stepped(step, value)
        # Holes are rare: in most rows the noise of holes is nowhere as low.
        if old_holes == zero and spans[v, 4] == 0 and new_share * lowest[row] >= rate:
            _reported_all(value, inverse[v], out[v])
        else:
            mix(holes, old, new_share, old_share, latent)
            _reported(value, inverse[v], latent, limit[v], out[v])
        here = slice(spans[v, 2], spans[v, 3])
        _as_recorded(depth[v, here], known[v, here], inverse[v, here], out[v, here])
        _special(
            inverse, known, edge, covered, limit, spread, numbers, torn, smooth, tears, white, at,
            error, holes, old, v, columns[v, : counts[v]], out,
        )  # fmt: skip
