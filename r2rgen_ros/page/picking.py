# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a click in the 3D view is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_REACH_M = 0.006
_REACH_RAD = 0.008
"""How far beside the ray a point may be: what a person means when pointing between points."""
_SURFACE_M = 0.02
"""Points so far behind the first one may still be of the same surface."""


def pick(points: NDArray[np.float64], origin: ArrayLike, direction: ArrayLike) -> int | None:
    """Find the point that a ray meets first.

    Args:
        points: (N, 3) metres.
        origin: (3,) where the ray begins, in the frame of the points, metres.
        direction: (3,) where it goes; any length but zero.

    Returns:
        Place of the point; None where the ray passes all of them.

    """
    along = np.asarray(direction, dtype=np.float64)
    along = along / np.linalg.norm(along)
    away = np.asarray(points, dtype=np.float64) - np.asarray(origin, dtype=np.float64)
    depth = away @ along
    beside = np.linalg.norm(away - depth[:, None] * along, axis=1)
    met = np.flatnonzero((depth > 0.0) & (beside <= np.maximum(_REACH_M, _REACH_RAD * depth)))
    if not met.size:
        return None
    front = met[depth[met] <= depth[met].min() + _SURFACE_M]
    return int(front[beside[front].argmin()])
