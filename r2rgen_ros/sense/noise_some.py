# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The noise of a few pixels of an image, compiled: what `noise_rows.spoil` makes of them.

Clouds without images want one pixel in a hundred or so. They are far apart in memory, so that
waiting for it takes most of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.sense.noise_pixels import FRESH, RAW, distance_at, is_far_from_busy
from r2rgen_ros.sense.noise_rows import (
    SIDE,
    UNIT,
    WANDER_PX,
    is_hidden,
    level_recorded,
    level_row,
    mix,
    special_one,
)
from r2rgen_ros.sense.sampling import TRIES, helper_of, next_helper, pixel_at

_MASK = SIDE - 1
_BATCH = 256


@compiled
def remember(memory: Any, anew: Any, smooth: Any, at: Any, past: Any) -> None:
    """Take the changing part of the noise (H, W) one image further, as `spoil` does."""
    height, width = past.shape
    share = anew * UNIT * np.float32(np.sqrt(0.5))
    fresh = np.empty(width, np.float32)
    for v in range(height):
        first = smooth[(v + at[0, 0]) & _MASK, at[0, 1] : at[0, 1] + width]
        second = smooth[(v + at[1, 0]) & _MASK, at[1, 1] : at[1, 1] + width]
        mix(first, second, share, share, fresh)
        mix(fresh, past[v], np.float32(1.0), memory, past[v])


@compiled
def spoil_some(
    starts: Any, high: int, shown: Any, depth: Any, inverse: Any, known: Any, marks: Any, busy: Any,
    covered: Any, cosine: Any, levels: Any, turned: Any, grazing: Any, quantiles: Any,
    numbers: Any, torn: Any, smooth: Any, patchy: Any, tears: Any, white: Any, at: Any, past: Any,
    index: Any, out: Any,
) -> bool:  # fmt: skip
    """Find a pixel of each run that is reported, and what `spoil` would report of it.

    Args:
        starts: (N + 1,) places in the walk where the runs begin, see `sampling.even_runs`.
        high: How many rows a band of the walk has.
        shown: (H, W) bool, which pixels may be taken.
        depth: (H, W) as in `spoil`.
        inverse: See there.
        known: See there.
        marks: (H, W) uint8 of `mark_edges`.
        busy: Of `find_busy`.
        covered: (H, W) as in `spoil`.
        cosine: (H, W) as in `level`.
        levels: (6,) as in `level`.
        turned: See there.
        grazing: See there.
        quantiles: See there.
        numbers: (10,) as in `spoil`, as are all that follow.
        torn: See there.
        smooth: See there.
        patchy: See there.
        tears: See there.
        white: See there.
        at: See there.
        past: See there; `remember` has written it.
        index: (N,) int32, written: the pixel of each run, or one that stands for it, see
            `sampling.shown_pixels`; -1 where too few are reported.
        out: (N,) float32, written: its depth, metres.

    Returns:
        Whether there are enough.

    """
    width = inverse.shape[1]
    reach = torn.shape[0] - 1
    beside = WANDER_PX if numbers[8] > np.float32(0.0) else 0
    beside = beside if reach > 0 else 0
    for place in range(index.shape[0]):
        v, u = pixel_at(starts[place], high, width)
        index[place] = v * width + u
    _report_plain(
        index, depth, inverse, known, marks, busy, covered, cosine, levels, turned, grazing,
        quantiles, reach, numbers, smooth, at, past, beside, out,
    )  # fmt: skip
    count = index.shape[0]
    following = np.empty(count, np.int32)  # where each run goes on
    short = 0
    for i in range(count):
        following[i] = starts[i] + 1
        if out[i] > np.float32(0.0):
            continue
        place, out[i] = _next_of_run(
            starts[i], starts[i + 1], high, shown, depth, inverse, known, marks, covered, cosine,
            levels, turned, grazing, quantiles, reach, numbers, torn, smooth, patchy, tears, white,
            at, past, beside,
        )  # fmt: skip
        index[i] = _flat(place, high, width)
        following[i] = place + 1
        short += int(place < 0)
    helpers = np.flatnonzero(index >= 0)
    after = np.arange(len(helpers))
    left, done = len(helpers), 0
    for i in range(count):
        if index[i] >= 0:
            continue
        helper = helper_of(done, short, len(helpers))
        done += 1
        while index[i] < 0 and left > 0:
            helper = next_helper(after, helper)
            run = helpers[helper]
            place, out[i] = _next_of_run(
                following[run], starts[run + 1], high, shown, depth, inverse, known, marks,
                covered, cosine, levels, turned, grazing, quantiles, reach, numbers, torn, smooth,
                patchy, tears, white, at, past, beside,
            )  # fmt: skip
            index[i] = _flat(place, high, width)
            following[run] = place + 1
            if place < 0:
                after[helper] = (helper + 1) % len(helpers)
                left -= 1
        if index[i] < 0:
            return False
    return True


@compiled
def _flat(place: Any, high: int, width: int) -> Any:
    """The pixel of a place in the walk, -1 of -1."""
    if place < 0:
        return -1
    v, u = pixel_at(place, high, width)
    return v * width + u


@compiled
def _next_of_run(
    first: Any, end: Any, high: int, shown: Any, depth: Any, inverse: Any, known: Any, marks: Any,
    covered: Any, cosine: Any, levels: Any, turned: Any, grazing: Any, quantiles: Any, reach: int,
    numbers: Any, torn: Any, smooth: Any, patchy: Any, tears: Any, white: Any, at: Any, past: Any,
    beside: int,
) -> Any:  # fmt: skip
    """The next place of a run that is reported, and its depth, as `sampling` chooses it; or -1."""
    height, width = inverse.shape
    one = np.empty((2, 1), np.float32)
    tries = 0
    for place in range(first, end):
        v, u = pixel_at(place, high, width)
        if v >= height or not (shown[v, u] and inverse[v, u] > np.float32(0.0)):
            continue
        near = distance_at(marks, reach, v, u) if reach > 0 else np.uint8(0)
        here = slice(u, u + 1)
        level_row(
            inverse[v, here], cosine[v, here], levels, turned, grazing, quantiles, one[0], one[1]
        )
        level_recorded(known[v, here], one[0], one[1])
        z = _one(
            depth, inverse, known, covered, numbers, torn, smooth, patchy, tears, white, at, past,
            near, one[0, 0], one[1, 0], beside, v, u,
        )  # fmt: skip
        if z == z:  # not NaN
            return place, z
        tries += 1
        if tries == TRIES:
            break
    return -1, np.float32(np.nan)


@compiled
def _report_plain(
    pixels: Any, depth: Any, inverse: Any, known: Any, marks: Any, busy: Any, covered: Any,
    cosine: Any, levels: Any, turned: Any, grazing: Any, quantiles: Any, reach: int, numbers: Any,
    smooth: Any, at: Any, past: Any, beside: int, out: Any,
) -> None:  # fmt: skip
    """Report pixels (N,) to which nothing special can happen, of the others 0.

    These pixels are far apart in memory: what is known of them is fetched in loops of their own, so
    that the processor waits for many at a time.
    """
    height, width = inverse.shape
    steady, changing, memory, anew = numbers[:4]
    step = numbers[7]
    zero, one = np.float32(0.0), np.float32(1.0)
    inverse_step = one / step if step > zero else zero
    anew, still = anew * UNIT * np.float32(np.sqrt(0.5)), steady * UNIT
    turns = turned[0] > zero or grazing[0] > -np.inf
    flat, most, clean = inverse.reshape(-1), covered.reshape(-1), depth.reshape(-1)
    rows, columns = np.empty(_BATCH, np.int32), np.empty(_BATCH, np.int32)
    w, sigma, error = np.empty((3, _BATCH), np.float32)
    turn, lowest = np.ones((2, _BATCH), np.float32)
    kind, plain = np.empty(_BATCH, np.uint8), np.empty(_BATCH, np.bool_)
    for first in range(0, out.shape[0], _BATCH):
        count = min(_BATCH, out.shape[0] - first)
        for i in range(count):
            pixel = pixels[first + i]
            rows[i] = pixel // width
            columns[i] = pixel - rows[i] * width
        for i in range(count):
            w[i] = flat[pixels[first + i]]
        for i in range(count):
            kind[i] = known[rows[i], columns[i]]
        if turns:
            for i in range(count):
                turn[i] = cosine[rows[i], columns[i]]
        level_row(
            w[:count], turn[:count], levels, turned, grazing, quantiles, lowest[:count],
            sigma[:count],
        )  # fmt: skip
        level_recorded(kind[:count], lowest[:count], sigma[:count])
        for i in range(count):
            v, u = rows[i], columns[i]
            plain[i] = lowest[i] == -np.inf
            if plain[i] and kind[i] != RAW and reach > 0:
                plain[i] = (
                    is_far_from_busy(busy, reach, v, u, height, width)
                    or distance_at(marks, reach, v, u) == 0
                )
        for i in range(count):
            pixel = pixels[first + i]
            for shift in range(-beside, beside + 1):
                # Beyond the end of a row there is another row's: no harm, only less to be gained.
                other = min(max(pixel + shift, 0), flat.shape[0] - 1)
                plain[i] &= not (zero < flat[other] < most[other])
        if memory > zero:
            for i in range(count):
                error[i] = past[rows[i], columns[i]]
        else:
            for i in range(count):
                error[i] = anew * np.float32(
                    smooth[(rows[i] + at[0, 0]) & _MASK, columns[i] + at[0, 1]]
                )
            for i in range(count):
                error[i] += anew * np.float32(
                    smooth[(rows[i] + at[1, 0]) & _MASK, columns[i] + at[1, 1]]
                )
        for i in range(count):
            error[i] *= changing
        for i in range(count):
            more = smooth[(rows[i] + at[4, 0]) & _MASK, columns[i] + at[4, 1]]
            error[i] += still * np.float32(more) if kind[i] == FRESH else zero
        for i in range(count):
            value = w[i] + sigma[i] * error[i]
            if step > zero:
                value = np.rint(value * inverse_step) * step
            good = plain[i] & (w[i] > zero) & (value > zero)
            out[first + i] = one / value if good else zero
            if good and kind[i] == RAW:
                out[first + i] = clean[pixels[first + i]]


@compiled
def _one(
    depth: Any, inverse: Any, known: Any, covered: Any, numbers: Any, torn: Any, smooth: Any,
    patchy: Any, tears: Any, white: Any, at: Any, past: Any, near: Any, lowest: Any, sigma: Any,
    beside: int, v: int, u: int,
) -> Any:  # fmt: skip
    """What `spoil` reports of one pixel of known depth, to the last bit."""
    steady, changing, memory, anew, old_holes, new_holes, _, step = numbers[:8]
    zero, one = np.float32(0.0), np.float32(1.0)
    error, kind = past[v, u], known[v, u]
    if not memory > zero:
        anew = anew * UNIT * np.float32(np.sqrt(0.5))
        first = np.float32(smooth[(v + at[0, 0]) & _MASK, u + at[0, 1]])
        second = np.float32(smooth[(v + at[1, 0]) & _MASK, u + at[1, 1]])
        error = anew * first + anew * second
    error = changing * error
    if kind == FRESH:
        error += steady * UNIT * np.float32(smooth[(v + at[4, 0]) & _MASK, u + at[4, 1]])
    holes = np.float32(patchy[(v + at[2, 0]) & _MASK, u + at[2, 1]])
    old = np.float32(patchy[(v + at[3, 0]) & _MASK, u + at[3, 1]])
    latent = new_holes * UNIT * holes + old_holes * UNIT * old
    value = inverse[v, u] + sigma * error
    if step > zero:
        value = np.rint(value * (one / step)) * step
    usual = one / value if latent >= lowest and value > zero else np.float32(np.nan)
    if kind == RAW:
        usual = depth[v, u]
    special = near > 0
    for column in range(max(0, u - beside), min(inverse.shape[1], u + beside + 1)):
        special = special or is_hidden(inverse, covered, v, column)
    if not special:
        return usual
    return special_one(
        inverse, covered, numbers, torn, smooth, tears, white, at, kind, near, lowest, sigma,
        error, latent, v, u, usual,
    )  # fmt: skip
