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

    The pixels that show something are cut into as many runs as are wanted, of which each gives its
    first that the camera has reported. Where it has reported none of a run, the others give more.

    Args:
        depth: (H, W) metres, NaN where there is none.
        label: (H, W) UNSEEN where nothing is seen.
        wanted: How many; 0 for all that there are.
        reported: (H, W) the same depth as a noisy camera reports it, NaN where it does not; all of
            it if None.

    Returns:
        (N,) flat indices, rising.

    """
    if reported is not None and wanted == 0:
        depth = reported
    starts = even_starts(depth, label, wanted)
    if reported is None or wanted == 0:
        return starts[:-1]
    flat = reported.reshape(-1)
    index = starts[:-1].copy()
    _first_reported(starts, label.reshape(-1), flat, index)
    return _filled_up(index, np.isfinite(flat) & (label.reshape(-1) != UNSEEN))


def even_starts(
    depth: NDArray[np.float32], label: NDArray[np.uint8], wanted: int
) -> NDArray[np.int32]:
    """Where runs (N + 1,) of equally many pixels that show something begin, and the image's end.

    As many runs as are wanted, or as there are such pixels; see `shown_pixels`.
    """
    out = np.empty((min(wanted, depth.size) or depth.size) + 1, dtype=np.int32)
    count = _even_starts(depth.reshape(-1), label.reshape(-1), wanted, out)
    out[count] = depth.size
    return out[: count + 1]


def _filled_up(index: NDArray[np.int32], usable: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Replace entries that are -1 by other usable pixels (H * W,), evenly; as far as there are any.

    Args:
        index: (N,) flat indices, rising, or -1.
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
    return np.sort(np.concatenate([kept, taken]))


_EIGHT_ONES = np.uint64(0x0101010101010101)


@compiled
def _mark_shown(depth: Any, label: Any, out: Any) -> None:
    far = np.float32(np.inf)
    for u in range(depth.shape[0]):
        out[u] = np.uint8((np.abs(depth[u]) < far) & (label[u] != np.uint8(UNSEEN)))


@compiled
def _even_starts(depth: Any, label: Any, wanted: int, out: Any) -> int:
    """Find the pixels of even numbers among those that are shown, eight at a time."""
    size = depth.shape[0]
    shown = np.zeros((size + 7) // 8 * 8, np.uint8)
    _mark_shown(depth, label, shown)
    eights = shown.view(np.uint64)
    total: Any = np.int64(0)
    for k in range(eights.shape[0]):
        total += np.int64((eights[k] * _EIGHT_ONES) >> np.uint64(56))
    count = total if wanted == 0 else min(wanted, total)
    place: Any = np.int64(0)
    passed, following = place, place
    for k in range(eights.shape[0]):
        if place == count:
            break
        inside = np.int64((eights[k] * _EIGHT_ONES) >> np.uint64(56))
        if passed + inside <= following:
            passed += inside
            continue
        for at in range(8 * k, 8 * k + 8):
            if shown[at] == 0:
                continue
            if passed == following and place < count:
                out[place] = at
                place += 1
                following = (place * total) // count
            passed += 1
    return int(count)


@compiled
def _first_reported(starts: Any, label: Any, reported: Any, index: Any) -> None:
    """Move each start on to the first pixel of its run that is reported; -1 where none is."""
    for place in range(index.shape[0]):
        index[place] = -1
        for at in range(starts[place], starts[place + 1]):
            if np.isfinite(reported[at]) and label[at] != UNSEEN:
                index[place] = at
                break
