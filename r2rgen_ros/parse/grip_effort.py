# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When a gripper presses on something, from the effort of its drive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FEWEST = 8
_TWO_LEVELS = 0.85
"""Share of the variance that two levels explain, from which on there are two: 0.64 for a normal
distribution, 0.75 for a uniform one, 0.81 for a sine.
"""
_NOISES = 6.0
_LOADED = 0.3
_BREAK = 2
_SHORTEST = 3


def loaded_spans(effort: Floats | None) -> list[tuple[int, int]]:
    """First and last frames in which a gripper presses on something.

    It does where its effort is at the farther from zero of two levels, which a threshold parts that
    explains most of the variance (Otsu, "A threshold selection method from gray-level histograms",
    1979). Fingers that move need less, and a drive that is idle needs none.

    Args:
        effort: (T,) of its drive, of either sign; None where it is not known.

    Returns:
        Spans of three frames or more, in order of time; none where the effort does not have two
        levels: a drive that says 0, or that holds by itself once it has closed.

    """
    if effort is None or len(effort) < _FEWEST:
        return []
    levels = _two_levels(effort)
    if levels is None:
        return []
    idle, pressing = levels
    mask = (effort - idle) / (pressing - idle) > _LOADED
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    spans: list[tuple[int, int]] = []
    for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if spans and first - spans[-1][1] - 1 <= _BREAK:
            spans[-1] = (spans[-1][0], after - 1)
        else:
            spans.append((first, after - 1))
    return [(first, last) for first, last in spans if last - first + 1 >= _SHORTEST]


def _two_levels(effort: Floats) -> tuple[float, float] | None:
    """The levels of an idle and of a pressing gripper; None where there are not two."""
    values = np.sort(effort)
    variance = float(values.var())
    if variance <= 0.0:
        return None
    count = np.arange(1, len(values))
    total = np.cumsum(values)
    below = total[:-1] / count
    above = (total[-1] - total[:-1]) / (len(values) - count)
    between = count * (len(values) - count) / len(values) ** 2 * (above - below) ** 2
    best = int(between.argmax())
    rough = float(np.median(np.abs(np.diff(effort, 2))))
    gap = float(above[best] - below[best])
    if between[best] < _TWO_LEVELS * variance or gap < _NOISES * rough:
        return None
    low, high = float(below[best]), float(above[best])
    return (low, high) if abs(high) > abs(low) else (high, low)
