# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers recorded at stamps, read at other instants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Stamps = NDArray[np.int64]


def fractional_index(stamps: Stamps, at: ArrayLike) -> NDArray[np.float64]:
    """Where instants lie among stamps that do not fall: 2.25 is a quarter on from the third.

    Args:
        stamps: (N,) int64 nanoseconds, N >= 1.
        at: (Q,) int64 nanoseconds.

    Returns:
        (Q,) in [0, N - 1]; whole numbers at the stamps themselves.

    """
    at = np.asarray(at, dtype=np.int64)
    if len(stamps) == 1:
        return np.zeros(len(at))
    low = np.clip(np.searchsorted(stamps, at, side='right') - 1, 0, len(stamps) - 2)
    # Differences of int64 are exact; only they become floats. A repeated stamp counts as passed.
    span = stamps[low + 1] - stamps[low]
    share = np.where(span > 0, (at - stamps[low]) / np.maximum(span, 1), 1.0)
    return np.asarray(low + np.clip(share, 0.0, 1.0))


def interpolate_rows(rows: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows (N, J) at fractional indices (Q,), linearly; exact at whole ones."""
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, len(rows) - 1)
    share = (at - low)[:, None]
    between = rows[low] + share * (rows[high] - rows[low])
    return np.where(share > 0.0, between, rows[low])


def nearest_index(stamps: Stamps, at: Stamps) -> NDArray[np.int64]:
    """Which of rising stamps (N,) is nearest to each instant (Q,); the earlier of two."""
    after = np.clip(np.searchsorted(stamps, at), 1, max(len(stamps) - 1, 1))
    if len(stamps) == 1:
        return np.zeros(len(at), dtype=np.int64)
    before = after - 1
    return np.where(at - stamps[before] <= stamps[after] - at, before, after)
