# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How noisy depth images differ from clean ones, counted.

Recorded images are measured, and so are those that a fitted model makes of the same clean ones:
what the two have in common is what the model explains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import multivariate_normal

from r2rgen_ros.sense.noise_look import EDGE_PX, JUMP, comparable
from r2rgen_ros.sense.noise_pixels import MEAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.sense.noise_look import Look, Pair

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

DEPTH_EDGES_M = 0.2 * 1.12 ** np.arange(40)
ANGLE_EDGES_DEG = np.array([*range(0, 60, 10), *range(60, 91, 2)], dtype=float)
LAGS_PX = (0, 1, 2, 3, 4, 5, 6, 8, 11, 16)
_SIDES = 0.25  # share of a jump within which a depth belongs to a side of it
_GATE = 8.0  # robust standard deviations that still count as axial noise
_ROUNDED_M = 0.00035  # median error that is more than that of rounding to millimetres
_DRIFT_PX = 31  # the noise of a camera is finer
_FEW_HOLES = 300
_LONG = 3  # images that are so far apart share only what all share


@dataclass(frozen=True, eq=False)
class Statistics:
    """Counts over pairs.

    Attributes:
        spread: (Z, A) standard deviation of the depth by `DEPTH_EDGES_M` and `ANGLE_EDGES_DEG`,
            metres, NaN where nothing was seen.
        count: (Z, A) pixels of that.
        along: (L,) correlation of the noise of pixels `LAGS_PX` apart.
        next_image: Correlation with the next image; NaN where there is none.
        later_image: Correlation with images long after; NaN where there is none, or the clean image
            is a mean.
        plain: (Z, A) pixels on surfaces, with or without depth.
        plain_holes: (Z, A) of those without.
        slope: (2, A) pixels of surfaces that are edges for their slope, and those without depth.
        torn_pairs: (3,) neighbours in a row both of which are at edges: how many, how many single
            pixels of them have no depth, and how many both.
        edge: (EDGE_PX + 1,) pixels by their distance from an edge, from 1.
        edge_holes: (EDGE_PX + 1,) of those without depth.
        edge_jumps: (EDGE_PX + 1,) of all about which there are two depths, and not just a slope.
        edge_flying: (EDGE_PX + 1,) of those, between both depths.
        edge_turned: (2, EDGE_PX + 1) which show the other depth, on the near side and on the far.
        edge_sides: (2, EDGE_PX + 1) which show either.
        hidden: Pixels in the shadow.
        hidden_holes: Of those without depth.

    """

    spread: Floats
    count: Floats
    along: Floats
    next_image: float
    later_image: float
    plain: Floats
    plain_holes: Floats
    slope: Floats
    torn_pairs: Floats
    edge: Floats
    edge_holes: Floats
    edge_jumps: Floats
    edge_flying: Floats
    edge_turned: Floats
    edge_sides: Floats
    hidden: float
    hidden_holes: float

    @property
    def edge_hole_rate(self) -> Floats:
        """Share (EDGE_PX + 1,) of pixels without depth by the distance from an edge."""
        return _share(self.edge_holes, self.edge)

    @property
    def edge_flying_rate(self) -> Floats:
        """Share (EDGE_PX + 1,) of pixels between both depths."""
        return _share(self.edge_flying, self.edge_jumps)

    @property
    def edge_turned_rate(self) -> Floats:
        """Share (EDGE_PX + 1,) of pixels that show the other depth.

        Of the side on which it is smaller: wandering is even, an outline that is off is not.
        """
        return np.asarray(_share(self.edge_turned, self.edge_sides).min(axis=0))

    def by_depth(self, limit_deg: float = 60.0) -> tuple[Floats, Floats, Floats]:
        """Middles (Z,) of bins, standard deviation (Z,) up to an angle, and pixels (Z,)."""
        kept = ANGLE_EDGES_DEG[1:] <= limit_deg
        count = self.count[:, kept].sum(axis=1)
        square = np.nansum(self.count[:, kept] * self.spread[:, kept] ** 2, axis=1)
        middle = np.sqrt(DEPTH_EDGES_M[1:] * DEPTH_EDGES_M[:-1])
        return middle, np.sqrt(_share(square, count)), count

    def holes_by_angle(self) -> tuple[Floats, Floats, Floats]:
        """Middles (A,) of bins, degrees; share of holes (A,); and pixels (A,).

        Of slopes that are edges it is what is lost besides what any edge loses.
        """
        middle = 0.5 * (ANGLE_EDGES_DEG[1:] + ANGLE_EDGES_DEG[:-1])
        torn = float(np.clip(np.nan_to_num(self.edge_hole_rate[1]), 0.0, 0.99))
        slope, lost = self.slope
        more = np.maximum(lost - torn * slope, 0.0) / (1.0 - torn)
        count = self.plain.sum(axis=0) + slope
        return middle, _share(self.plain_holes.sum(axis=0) + more, count), count

    @property
    def torn_likeness(self) -> float:
        """Correlation of what tears neighbours at edges; 0 where that cannot be told.

        Of two normal numbers, below whose quantile by its share a pixel is a hole.
        """
        pairs, single, both = self.torn_pairs
        share = single / (2.0 * pairs) if pairs else 0.0
        if single < _FEW_HOLES or share > 1.0 - 1e-3:
            return 0.0
        limit = float(ndtri(share))

        def off(likeness: float) -> float:
            normal = multivariate_normal([0.0, 0.0], [[1.0, likeness], [likeness, 1.0]])
            return float(normal.cdf([limit, limit]) - both / pairs)

        if off(0.0) >= 0.0:
            return 0.0
        return float(brentq(off, 0.0, 0.999)) if off(0.999) > 0.0 else 0.999

    def holes_by_depth(self, limit_deg: float = 60.0) -> tuple[Floats, Floats, Floats]:
        """Middles (Z,) of bins, metres; share of holes (Z,) up to an angle; and pixels (Z,)."""
        kept = ANGLE_EDGES_DEG[1:] <= limit_deg
        count = self.plain[:, kept].sum(axis=1)
        middle = np.sqrt(DEPTH_EDGES_M[1:] * DEPTH_EDGES_M[:-1])
        return middle, _share(self.plain_holes[:, kept].sum(axis=1), count), count


def _share(part: Floats, whole: Floats) -> Floats:
    none = np.full(np.shape(whole), np.nan)
    return np.asarray(np.divide(part, whole, out=none, where=whole > 0.0))


class Counter:
    """Adds up what pairs say.

    Args:
        gate: Errors beyond this times the squared depth, and 1 mm, are no axial noise, 1/m.
        from_m: From which depth on it counts how they correlate, see `first_depth`, metres.

    """

    def __init__(self, gate: float, from_m: float = 0.0) -> None:
        self._gate, self._from_m = gate, from_m
        size = len(DEPTH_EDGES_M) - 1, len(ANGLE_EDGES_DEG) - 1
        self._moments = np.zeros((3, *size))
        self._plain, self._holes = np.zeros(size), np.zeros(size)
        self._lags = np.zeros((2, len(LAGS_PX)))
        self._edge = np.zeros((4, EDGE_PX + 1))
        self._turned, self._sides = np.zeros((2, EDGE_PX + 1)), np.zeros((2, EDGE_PX + 1))
        self._hidden = np.zeros(2)
        self._slope, self._torn = np.zeros((2, size[1])), np.zeros(3)
        self._earlier: list[tuple[int, NDArray[np.float32], NDArray[np.float32], bool]] = []
        self._next, self._later = np.zeros(2), np.zeros(2)

    def add(self, look: Look, raw: NDArray[np.float32]) -> None:
        """Count one image."""
        hole = ~np.isfinite(raw)
        self._count_plain(look, raw, hole)
        self._count_edges(look, raw, hole)
        self._hidden += (look.usable & look.hidden).sum(), (look.usable & look.hidden & hole).sum()

    def _count_plain(self, look: Look, raw: NDArray[np.float32], hole: Mask) -> None:
        clean = look.pair.clean
        z_bin = np.clip(np.searchsorted(DEPTH_EDGES_M, clean) - 1, 0, len(DEPTH_EDGES_M) - 2)
        a_bin = np.searchsorted(ANGLE_EDGES_DEG[1:-1], look.angle, side='right')
        place = z_bin * (len(ANGLE_EDGES_DEG) - 1) + a_bin
        for row, mask in enumerate((look.slope, look.slope & hole)):
            self._slope[row] += np.bincount(a_bin[mask], minlength=self._slope.shape[1])
        self._plain += _counted(place[look.plain], self._plain.shape)
        self._holes += _counted(place[look.plain & hole], self._holes.shape)
        with np.errstate(invalid='ignore'):
            error = raw - clean
            good = look.compared & (np.abs(error) < self._gate * clean**2 + 0.001)
        if look.pair.drifts:
            error -= _coarse(error, good)
        values, at = error[good].astype(np.float64), place[good]
        for k in range(3):
            weights = values**k / look.pair.shrink ** (0.5 * k)
            self._moments[k] += _counted(at, self._plain.shape, weights)
        told = good & (clean >= self._from_m)
        whole = np.where(told, error / clean**2, np.float32(np.nan))
        self._correlate(look, whole)

    def _correlate(self, look: Look, error: NDArray[np.float32]) -> None:
        """Add to the correlations in space and time of errors (H, W), NaN where not known."""
        for place, lag in enumerate(LAGS_PX):
            product = error[:, lag:] * error[:, : error.shape[1] - lag]
            known = np.isfinite(product)
            self._lags[:, place] += product[known].sum(dtype=np.float64), known.sum()
        number, fresh = look.pair.number, not bool((look.pair.known == MEAN).any())
        for earlier, clean, other, was_fresh in self._earlier:
            still = np.abs(clean - look.pair.clean) < 1e-6
            product = np.where(still, error * other, np.float32(np.nan))
            known = np.isfinite(product)
            value = product[known].sum(dtype=np.float64), known.sum()
            if number - earlier == 1:
                self._next += value
            elif number - earlier >= _LONG and fresh and was_fresh:
                self._later += value
        self._earlier = [*self._earlier, (number, look.pair.clean, error, fresh)][-_LONG:]

    def _count_edges(self, look: Look, raw: NDArray[np.float32], hole: Mask) -> None:
        at = look.at_edge
        torn = at & (look.edge == 1)
        pair, both = torn[:, 1:] & torn[:, :-1], hole[:, 1:] & hole[:, :-1]
        single = hole[:, 1:][pair].sum() + hole[:, :-1][pair].sum()
        self._torn += pair.sum(), single, (pair & both).sum()
        away = look.edge[at].astype(np.int64)
        is_near, near, far = look.sides
        with np.errstate(invalid='ignore'):
            share = (1.0 / raw[at].astype(float) - far) / np.maximum(near - far, 1e-9)
        jumps = near - far > JUMP * far
        shows_near, shows_far = share > 1.0 - _SIDES, share < _SIDES
        flying = jumps & (share >= _SIDES) & (share <= 1.0 - _SIDES)
        for row, mask in enumerate((np.ones_like(flying), hole[at], jumps, flying)):
            self._edge[row] += np.bincount(away[mask], minlength=EDGE_PX + 1)
        either = jumps & (shows_near | shows_far)
        for side, (mine, other) in enumerate(((is_near, shows_far), (~is_near, shows_near))):
            self._sides[side] += np.bincount(away[mine & either], minlength=EDGE_PX + 1)
            self._turned[side] += np.bincount(away[mine & either & other], minlength=EDGE_PX + 1)

    def result(self) -> Statistics:
        """Return all that was counted."""
        count, first, second = self._moments
        mean = _share(first, count)
        spread = np.sqrt(np.maximum(_share(second, count) - mean**2, 0.0))
        lags = _share(self._lags[0], self._lags[1])
        level = max(float(np.nan_to_num(lags[0])), 1e-18)
        beyond = [_ratio(pair, level) for pair in (self._next, self._later)]
        edge, lost, jumps, flying = self._edge
        return Statistics(
            spread, count, lags / level, beyond[0], beyond[1], self._plain, self._holes,
            self._slope, self._torn, edge, lost, jumps, flying, self._turned, self._sides,
            float(self._hidden[0]), float(self._hidden[1]),
        )  # fmt: skip


def _coarse(error: NDArray[np.float32], good: Mask) -> NDArray[np.float32]:
    """Mean (H, W) of errors about every pixel, of those that are good."""
    share = uniform_filter(good.astype(np.float32), _DRIFT_PX)
    total = uniform_filter(np.where(good, error, np.float32(0.0)), _DRIFT_PX)
    return np.asarray(total / np.maximum(share, np.float32(1e-6)))


def _counted(
    place: NDArray[np.int64], shape: tuple[int, ...], weights: Floats | None = None
) -> Floats:
    found = np.bincount(place, weights, minlength=shape[0] * shape[1])
    return found.reshape(shape).astype(np.float64)


def _ratio(pair: Floats, level: float) -> float:
    return float(pair[0] / pair[1] / level) if pair[1] > 1000 else float('nan')


def measure(
    looks: Sequence[Look], images: Sequence[NDArray[np.float32]], gate: float, from_m: float = 0.0
) -> Statistics:
    """Count what images (H, W) make of clean ones; see `Counter`."""
    counter = Counter(gate, from_m)
    for look, image in zip(looks, images, strict=True):
        counter.add(look, image)
    return counter.result()


def first_gate(pairs: Sequence[Pair]) -> float:
    """Size of errors that still count as axial noise, 1/m: some robust standard deviations."""
    values = []
    for pair in pairs:
        with np.errstate(invalid='ignore'):
            error = np.abs(pair.raw - pair.clean) / pair.clean**2
        values.append(error[comparable(pair) & np.isfinite(error)][::7])
    pooled = np.concatenate(values) if values else np.zeros(0)
    return _GATE * 1.4826 * float(np.median(pooled)) if pooled.size else 0.01


def first_depth(pairs: Sequence[Pair]) -> float:
    """Depth from which on the errors of recordings in millimetres are not mainly their rounding.

    Metres; 0 where they are so everywhere, or nowhere.
    """
    depths, errors = [], []
    for pair in pairs:
        with np.errstate(invalid='ignore'):
            error = np.abs(pair.raw - pair.clean)
        known = comparable(pair) & np.isfinite(error)
        if pair.exact is not None and pair.exact.any():
            known &= pair.exact
        depths.append(pair.clean[known][::7])
        errors.append(error[known][::7])
    place = np.searchsorted(DEPTH_EDGES_M, np.concatenate(depths)) if depths else np.zeros(0, int)
    pooled = np.concatenate(errors) if errors else np.zeros(0)
    for k in range(1, len(DEPTH_EDGES_M)):
        here = pooled[place == k]
        if len(here) >= _FEW_HOLES and float(np.median(here)) > _ROUNDED_M:
            return float(DEPTH_EDGES_M[k - 1])
    return 0.0
