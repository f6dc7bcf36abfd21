# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which points beside a carried object are its own, told by their colours.

A cloud has no free space that could say how far an object goes on where it was not yet seen; turned
in the hand, it shows sides of which nobody knows whether they are the robot's. But before anything
was touched, the colours of both could be learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.clusters import clusters, spacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Colours = NDArray[np.uint8]

_FEWEST = 100
_WIDTH = 8  # of a bin, of 256 values
_BLUR = 1.0  # bins
_SELDOM = 1e-4  # a smaller share says nothing
_TOLD = 0.75  # share of known points that colours must tell rightly
_AROUND = 8  # neighbours in space that judge together
_REACH_M = 0.03  # an object goes on so far beyond what was seen of it
_GAPS = 3.0
_MOST_SAY = 3.0  # a point tells its neighbours no more than this
_OUTVOTED = -1.0  # a point that leans less to the object is the robot's whatever is around it


@dataclass(frozen=True)
class Palette:
    """How much rather a colour is an object's than the robot's.

    Attributes:
        table: (B, B, B) logarithm of the ratio of the two densities, by red, green and blue.

    """

    table: Floats

    @classmethod
    def learn(cls, own: Sequence[Colours], robot: Sequence[Colours]) -> Palette | None:
        """Learn the colours; None where they do not tell the object from the robot.

        Args:
            own: Per frame, the colours (N, 3) of points known to be the object's.
            robot: The same of the robot.

        """
        if len(own) < 2:
            return None
        tests = [np.concatenate(each[1::2]) for each in (own, robot)]
        half = cls._of(np.concatenate(own[::2]), np.concatenate(robot[::2]))
        if half is None or min(len(test) for test in tests) < _FEWEST:
            return None
        right = (half.leaning(tests[0]) > 0.0).mean(), (half.leaning(tests[1]) <= 0.0).mean()
        return cls._of(np.concatenate(own), np.concatenate(robot)) if min(right) > _TOLD else None

    @classmethod
    def _of(cls, own: Colours, robot: Colours) -> Palette | None:
        if min(len(own), len(robot)) < _FEWEST:
            return None
        # Each sums to one: neither is the more likely because more of it was seen.
        one, other = (_density(part) for part in (own, robot))
        return cls(np.log((one + _SELDOM) / (other + _SELDOM)))

    def leaning(self, colours: Colours) -> Floats:
        """How much rather (N,) colours (N, 3) are the object's: a logarithm, 0 for undecided."""
        return np.asarray(self.table[tuple((colours // _WIDTH).T)])


def _density(colours: Colours) -> Floats:
    """Share of colours (N, 3) in each bin (B, B, B), smoothed."""
    bins = 256 // _WIDTH
    index = np.ravel_multi_index(tuple((colours // _WIDTH).T.astype(np.int64)), (bins,) * 3)
    counts = np.bincount(index, minlength=bins**3).reshape((bins,) * 3) / len(colours)
    return np.asarray(gaussian_filter(counts, _BLUR, mode='constant'))


def own_by_colour(
    points: Floats,
    colours: Colours,
    known: NDArray[np.bool_],
    free: NDArray[np.bool_],
    model: Floats,
    pose: Floats,
    palette: Palette,
) -> NDArray[np.bool_]:
    """Which points are the object's besides those known to be.

    Neighbours judge together, so that a dark spot of the robot is not taken; and what is taken
    hangs together with what is known.

    Args:
        points: (N, 3) base frame, metres.
        colours: (N, 3).
        known: (N,) points known to be the object's.
        free: (N,) points that are the robot's, as far as is known.
        model: (M, 3) what is known of the object, in its frame.
        pose: (4, 4) object2base.
        palette: The colours.

    Returns:
        (N,) some of `free`.

    """
    out = np.zeros(len(points), dtype=bool)
    local = se3.apply(se3.inverse(pose), points)
    centre = 0.5 * (model.min(axis=0) + model.max(axis=0))
    reach = float(np.linalg.norm(model - centre, axis=1).max()) + _REACH_M
    around = np.flatnonzero((known | free) & (np.linalg.norm(local - centre, axis=1) < reach))
    if len(around) <= _AROUND or not known[around].any():
        return out
    near = np.asarray(cKDTree(points[around]).query(points[around], k=_AROUND)[1])
    leaning = np.clip(palette.leaning(colours[around]), -_MOST_SAY, _MOST_SAY)
    alike = (leaning[near].mean(axis=1) > 0.0) & (leaning > _OUTVOTED)
    mine = around[alike | known[around]]
    group = clusters(points[mine], _GAPS * spacing(points[around]), 1)
    joined = np.isin(group, np.unique(group[known[mine]]))
    out[mine[joined]] = True
    return out & free
