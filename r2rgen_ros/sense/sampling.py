# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Thinning a cloud, or the pixels of an image, to a wanted number of points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.model.scene import UNSEEN

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def _farthest(points: Any, count: int, out: Any) -> None:
    size = points.shape[0]
    gaps = np.full(size, np.float32(np.inf))
    here = 0
    for place in range(count):
        out[place] = here
        x, y, z = points[here, 0], points[here, 1], points[here, 2]
        widest, following = np.float32(-1.0), 0
        for i in range(size):
            dx, dy, dz = points[i, 0] - x, points[i, 1] - y, points[i, 2] - z
            gaps[i] = min(gaps[i], dx * dx + dy * dy + dz * dz)
            if gaps[i] > widest:
                widest, following = gaps[i], i
        here = following


def farthest_points(points: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Indices (count,) of points that lie far from each other, beginning with the first.

    Farthest point sampling (Eldar et al., 1997), as DemoGen and DP3 thin their clouds. With fewer
    points than wanted, all are taken and then repeated in order, so that the count holds.

    Args:
        points: (N, 3) metres, N >= 1.
        count: Number of points wanted.

    """
    size = len(points)
    if size <= count:
        return np.arange(count, dtype=np.int64) % size
    out = np.empty(count, dtype=np.int64)
    _farthest(np.ascontiguousarray(points, dtype=np.float32), count, out)
    return out


def shown_pixels(
    depth: NDArray[np.float32],
    label: NDArray[np.uint8],
    wanted: int,
    reported: NDArray[np.float32] | None = None,
) -> NDArray[np.int32]:
    """Return pixels that show something, spread evenly over the image.

    The pixels that show something are cut into as many runs as are wanted, see `even_runs`, of
    which each gives the first of its first `TRIES` that the camera has reported. Where none of
    these is, others give more: the next one of each of as many runs, spread as evenly.

    Args:
        depth: (H, W) metres, NaN where there is none.
        label: (H, W) UNSEEN where nothing is seen.
        wanted: How many; 0 for all that there are.
        reported: (H, W) the same depth as a noisy camera reports it, NaN where it does not; all of
            it if None.

    Returns:
        (N,) flat indices; rising if all are wanted.

    """
    shown = label.reshape(-1) != UNSEEN
    if wanted == 0:
        known = np.isfinite((depth if reported is None else reported).reshape(-1))
        return np.flatnonzero(known & shown).astype(np.int32)
    starts, high = even_runs(depth, label, wanted)
    index = np.empty(len(starts) - 1, dtype=np.int32)
    if reported is None:
        _first_pixels(starts, high, depth.shape[1], index)
        return index
    _first_reported(starts, high, depth, label, reported, index)
    return _filled_up(index, np.isfinite(reported.reshape(-1)) & shown)


def even_runs(
    depth: NDArray[np.float32], label: NDArray[np.uint8], wanted: int
) -> tuple[NDArray[np.int32], int]:
    """Cut the pixels that show something into runs of about as many.

    An image is walked through in bands, and in each column by column, see `pixel_at`, so that a run
    is about a square. Each begins anywhere within its share (jittered sampling: Cook, "Stochastic
    sampling in computer graphics", 1986): what begins at equal distances lies on lines.

    Args:
        depth: (H, W) metres, NaN where there is none.
        label: (H, W) UNSEEN where nothing is seen.
        wanted: How many runs, above 0; fewer where fewer pixels show something.

    Returns:
        (N + 1,) places in the walk where runs begin, each a pixel that shows something, and the
        walk's end; and how many rows a band has.

    """
    height, width = depth.shape
    edge = np.sqrt(depth.size / wanted)
    high = _WORD * min(max(round(float(edge) / _WORD), 1), _MOST_WORDS)
    bands = (height + high - 1) // high
    eights = np.zeros(bands * width * (high // _WORD), dtype=np.uint64)
    _mark_shown(depth, label, high, eights)
    out = np.empty(min(wanted, depth.size) + 1, dtype=np.int32)
    count = _even_starts(eights, eights.view(np.uint8), wanted, out)
    out[count] = _WORD * len(eights)
    return out[: count + 1], high


def _filled_up(index: NDArray[np.int32], usable: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Replace entries that are -1 by other usable pixels (H * W,), evenly; as far as there are any.

    Args:
        index: (N,) flat indices, or -1.
        usable: Which pixels may be taken.

    """
    kept = index[index >= 0]
    short = len(index) - len(kept)
    if short == 0:
        return kept
    rest = usable.copy()
    rest[kept] = False
    others = np.flatnonzero(rest).astype(np.int32)
    more = min(short, len(others))
    # From the middles of as many parts, lest they come to lie beside those that are kept.
    taken = others[(2 * np.arange(more) + 1) * len(others) // (2 * max(more, 1))]
    return np.concatenate([kept, taken])


TRIES = 8
"""Of so many pixels of a run is asked whether they are reported; in holes that would be long."""

_WORD, _MOST_WORDS = 8, 16
_EIGHT_ONES = np.uint64(0x0101010101010101)
_GOLDEN, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


@compiled
def pixel_at(place: Any, high: int, width: int) -> Any:
    """Row and column of a place in the walk; of the last band some rows may not be there."""
    whole = high * width
    band = place // whole
    rest = place - band * whole
    u = rest // high
    return band * high + rest - u * high, u


@compiled
def _mark_shown(depth: Any, label: Any, high: int, eights: Any) -> None:
    """Write a byte for each place of the walk, eight rows of a column in a word."""
    height, width = depth.shape
    words = high // _WORD
    for v in range(height):
        band = v // high
        inside = v - band * high
        here = eights[band * width * words : (band + 1) * width * words]
        shift = np.uint64(_WORD * (inside % _WORD))
        if words == 1:
            _mark_row(depth[v], label[v], shift, here)
        else:
            _mark_row(depth[v], label[v], shift, here[inside // _WORD :: words])


@compiled
def _mark_row(depth: Any, label: Any, shift: Any, out: Any) -> None:
    zero, far = np.float32(0.0), np.float32(np.inf)
    for u in range(depth.shape[0]):
        known = (zero < depth[u]) & (depth[u] < far) & (label[u] != np.uint8(UNSEEN))
        out[u] |= np.uint64(known) << shift


@compiled
def _number(place: Any, count: Any, total: Any) -> Any:
    """Which of all pixels a run begins with: one by chance (SplitMix64) of its equal share.

    The first run begins with the first, so that every pixel is in one.
    """
    if place == 0:
        return np.int64(0)
    first = (place * total) // count
    share = ((place + 1) * total) // count - first
    mixed = np.uint64(place + 1) * _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX
    return first + np.int64((mixed >> np.uint64(33)) % np.uint64(max(share, 1)))


@compiled
def _even_starts(eights: Any, shown: Any, wanted: int, out: Any) -> int:
    """Find where runs begin, eight places at a time."""
    total: Any = np.int64(0)
    for k in range(eights.shape[0]):
        total += np.int64((eights[k] * _EIGHT_ONES) >> np.uint64(56))
    count = min(wanted, total)
    if count == 0:
        return 0
    place: Any = np.int64(0)
    passed: Any = place
    following = _number(place, count, total)
    for k in range(eights.shape[0]):
        if place == count:
            break
        inside = np.int64((eights[k] * _EIGHT_ONES) >> np.uint64(56))
        if passed + inside <= following:
            passed += inside
            continue
        for at in range(_WORD * k, _WORD * (k + 1)):
            if shown[at] == 0:
                continue
            if passed == following and place < count:
                out[place] = at
                place += 1
                following = _number(place, count, total)
            passed += 1
    return int(count)


@compiled
def _first_pixels(starts: Any, high: int, width: int, index: Any) -> None:
    """Pixels with which runs begin."""
    for i in range(index.shape[0]):
        v, u = pixel_at(starts[i], high, width)
        index[i] = v * width + u


@compiled
def _first_reported(
    starts: Any, high: int, depth: Any, label: Any, reported: Any, index: Any
) -> None:
    """Find a pixel for each run; -1 where too few are reported. See `shown_pixels`."""
    count, width = index.shape[0], label.shape[1]
    following = np.empty(count, np.int32)  # where each run goes on
    short = 0
    for i in range(count):
        place = _next_reported(starts[i], starts[i + 1], high, depth, label, reported)
        index[i] = place
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
            index[i] = _next_reported(following[run], starts[run + 1], high, depth, label, reported)
            following[run] = index[i] + 1
            if index[i] < 0:
                after[helper] = (helper + 1) % len(helpers)
                left -= 1
    for i in range(count):
        if index[i] >= 0:
            v, u = pixel_at(index[i], high, width)
            index[i] = v * width + u


@compiled
def helper_of(number: Any, short: Any, count: Any) -> Any:
    """Which of the runs that gave one is asked first for what one of the others is short of."""
    return ((2 * number + 1) * count) // (2 * short)


@compiled
def next_helper(after: Any, helper: Any) -> Any:
    """The first from one on, around, that has more to give.

    Args:
        after: (N,) for each that has nothing more one that comes later, itself for the others, of
            which there is one. Ways are made shorter (path halving: Tarjan and van Leeuwen, 1984).
        helper: Where to begin.

    """
    while after[helper] != helper:
        after[helper] = after[after[helper]]
        helper = after[helper]
    return helper


@compiled
def _next_reported(first: Any, end: Any, high: int, depth: Any, label: Any, reported: Any) -> Any:
    """The next place of a part of the walk that is reported, among the first few; -1 for none."""
    height, width = label.shape
    tries = 0
    for place in range(first, end):
        v, u = pixel_at(place, high, width)
        if v >= height or label[v, u] == UNSEEN or not 0.0 < depth[v, u] < np.inf:
            continue
        if np.isfinite(reported[v, u]):
            return place
        tries += 1
        if tries == TRIES:
            break
    return -1
