# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far proposed skills are from the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import Skill

BOUNDARY_FRAMES = 3


def score_skills(
    true: Sequence[Skill], spans: Sequence[tuple[int, int]], found: Sequence[Skill]
) -> tuple[tuple[float, ...], tuple[bool, ...]]:
    """Compare skills.

    Both lists are matched in order, so that as many as possible have the same targets and objects
    in hand, and then overlap. A skill that only one list has counts as wrong.

    Args:
        true: The true skills.
        spans: Their first and last frames.
        found: The proposed ones.

    Returns:
        Frames by which each boundary is late (negative: early; infinite without a partner), and
        per skill whether targets and objects in hand are right.

    """
    value = np.zeros((len(true), len(found)))
    for i, (skill, span) in enumerate(zip(true, spans, strict=True)):
        for j, other in enumerate(found):
            value[i, j] = 10.0 * _same(skill, other) + _overlap(span, (other.first, other.last))
    pairs = _in_order(value)
    boundaries: list[float] = []
    for i, j in pairs:
        boundaries += [found[j].first - spans[i][0], found[j].last - spans[i][1]]
    targets = [_same(true[i], found[j]) for i, j in pairs]
    alone = max(len(true), len(found)) - len(pairs)
    return (*boundaries, *(2 * alone * [np.inf])), (*targets, *(alone * [False]))


def _same(skill: Skill, other: Skill) -> bool:
    return set(skill.targets) == set(other.targets) and set(skill.in_hand) == set(other.in_hand)


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Frames that two spans share, over those that either has."""
    shared = min(a[1], b[1]) - max(a[0], b[0]) + 1
    return max(0, shared) / (max(a[1], b[1]) - min(a[0], b[0]) + 1)


def _in_order(value: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs (row, column), both rising, of the largest sum of values; none of value 0."""
    rows, columns = value.shape
    best = np.zeros((rows + 1, columns + 1))
    for i in range(rows):
        for j in range(columns):
            best[i + 1, j + 1] = max(best[i, j + 1], best[i + 1, j], best[i, j] + value[i, j])
    pairs, i, j = [], rows, columns
    while i and j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
        elif best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]
