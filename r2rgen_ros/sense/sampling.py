# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Thinning a cloud, or the pixels of an image, to a wanted number of points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from r2rgen_ros.model.scene import UNSEEN

if TYPE_CHECKING:
    from numpy.typing import NDArray


@njit(cache=True, nogil=True, error_model='numpy')
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
    depth: NDArray[np.float32], label: NDArray[np.uint8], wanted: int
) -> NDArray[np.int32]:
    """Return pixels that show something, spread evenly over the image.

    Args:
        depth: (H, W) metres, NaN where there is none.
        label: (H, W) UNSEEN where nothing is seen.
        wanted: How many; 0 for all that there are.

    Returns:
        (N,) flat indices, rising.

    """
    index = np.empty(depth.size, dtype=np.int32)
    return index[: _shown(depth.reshape(-1), label.reshape(-1), wanted, index)]


@njit(cache=True, nogil=True)
def _shown(depth: Any, label: Any, wanted: int, index: Any) -> int:
    count = 0
    for at in range(label.shape[0]):
        if label[at] != UNSEEN and np.isfinite(depth[at]):
            index[count] = at
            count += 1
    if wanted == 0 or wanted >= count:
        return count
    for place in range(wanted):  # nothing is written over before it is read
        index[place] = index[(place * count) // wanted]
    return wanted
