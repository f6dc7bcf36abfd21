# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Thinning a cloud to a wanted number of points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

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
