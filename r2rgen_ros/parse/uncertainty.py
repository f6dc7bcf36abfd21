# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Covariances and informations of rigid motions: translation, then rotation vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.parse.registration import Fit

    Floats = NDArray[np.float64]

_UNEXPLAINED = 20.0
_ARM_M, _FREE, _IS_TURN = 0.05, 0.015, 0.8


def spread(metres: float, degrees: float) -> Floats:
    """Covariance (6, 6) of a motion with these standard deviations."""
    return np.diag([metres**2] * 3 + [np.deg2rad(degrees) ** 2] * 3)


FLOOR = spread(1.5e-3, 0.8)
"""What a registration cannot know of its own error."""


def inverse(matrix: Floats) -> Floats:
    """Inverse of a matrix (n, n)."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def widened(fit: Fit, share: float | None = None) -> Floats:
    """Information of a fit, whose own error is at least `FLOOR`: (I^-1 + F)^-1.

    Faces that the model lacks draw it aside, so points that it does not explain widen the floor.

    Args:
        fit: The fit.
        share: Share of the points that it explains; None for what was counted.

    """
    floor = FLOOR * (1.0 + _UNEXPLAINED * (1.0 - (fit.share if share is None else share))) ** 2
    told = _without_free_turn(fit.information)
    told = told @ inverse(np.eye(6) + floor @ told)
    return (told + told.T) / 2.0


def _without_free_turn(information: Floats) -> Floats:
    """Information (6, 6) without the turn about an axis of symmetry.

    What is left of it there is the error of the model, and would turn a bottle at random.
    """
    scale = np.diag([1.0, 1.0, 1.0, 1.0 / _ARM_M, 1.0 / _ARM_M, 1.0 / _ARM_M])
    values, ways = np.linalg.eigh(scale @ information @ scale)
    least = ways[:, 0]
    if values[0] > _FREE * np.median(values) or np.linalg.norm(least[3:]) < _IS_TURN:
        return information
    keep = np.eye(6) - np.outer(least, least)
    back = np.diag(1.0 / np.diag(scale))
    return np.asarray(back @ keep @ scale @ information @ scale @ keep @ back)


def joined(spread: Floats, information: Floats) -> Floats:
    """Inverse of the covariance of a difference: (P + I^-1)^-1, where I may be singular."""
    both = information @ inverse(np.eye(6) + spread @ information)
    return (both + both.T) / 2.0
