# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A smooth curve along the corners of a way of joints, and how fast it may be gone along.

The curve is a clamped cubic B-spline with points of the way as its control points: it lies within
the hull of any four of them that follow each other (de Boor, A Practical Guide to Splines), so the
closer they are, the closer it stays to the way. Along it, the speed is the largest that begins and
ends at rest and keeps limits of speed and acceleration, found by one pass forwards and one
backwards (after Bobrow et al., IJRR 1985; half of each acceleration is left to the curvature).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import BSpline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DEGREE = 3
_TINY = 1e-9


def rounded(corners: Floats, spacing: float) -> BSpline:
    """Round the corners of a way.

    Args:
        corners: (P, J) corners, ends among them, P at least 2.
        spacing: Largest distance between the control points, rad or m: the smaller, the closer
            the curve stays to the way, and the narrower its bends are.

    Returns:
        A curve over 0 to 1 that begins and ends where the way does.

    """
    parts = [corners[:1]]
    for one, other in pairwise(corners):
        count = max(1, int(np.ceil(np.linalg.norm(other - one) / spacing)))
        parts.append(one + np.arange(1, count + 1)[:, None] / count * (other - one))
    points = np.concatenate(parts)
    if len(points) <= _DEGREE:
        places = np.linspace(0.0, 1.0, len(points))
        wanted = np.linspace(0.0, 1.0, _DEGREE + 1)
        points = np.stack([np.interp(wanted, places, column) for column in points.T], axis=1)
    inner = np.linspace(0.0, 1.0, len(points) - _DEGREE + 1)[1:-1]
    knots = np.concatenate([np.zeros(_DEGREE + 1), inner, np.ones(_DEGREE + 1)])
    return BSpline(knots, points, _DEGREE)


def passing_times(
    first: Floats, second: Floats, places: Floats, fastest: Floats, acceleration: Floats
) -> Floats:
    """When each place of a curve is passed, at rest at both ends.

    Args:
        first: (U, J) first derivatives by the place.
        second: (U, J) second derivatives.
        places: (U,) rising.
        fastest: (U,) how many places a second may be passed there at most.
        acceleration: (J,) limits, rad/s^2 or m/s^2.

    Returns:
        (U,) seconds, from 0.

    """
    half = 0.5 * acceleration
    bend = np.abs(second) / half
    speed = np.minimum(fastest, 1.0 / np.sqrt(np.maximum(bend.max(axis=1), _TINY)))
    push = 1.0 / np.maximum((np.abs(first) / half).max(axis=1), _TINY)
    square = speed**2
    square[[0, -1]] = 0.0
    steps = np.diff(places)
    for k in range(len(steps)):
        square[k + 1] = min(square[k + 1], square[k] + 2.0 * steps[k] * min(push[k : k + 2]))
    for k in range(len(steps) - 1, -1, -1):
        square[k] = min(square[k], square[k + 1] + 2.0 * steps[k] * min(push[k : k + 2]))
    speed = np.sqrt(square)
    return np.concatenate([[0.0], np.cumsum(2.0 * steps / (speed[:-1] + speed[1:]))])
