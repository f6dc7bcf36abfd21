# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where depth is lost, and what happens at edges; see `noise_fit`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.optimize import brentq
from scipy.special import ndtr

from r2rgen_ros.model.noise import FAR_M, EdgeNoise, HoleNoise, NoiseModel, ShadowNoise
from r2rgen_ros.sense.noise_fit_axial import ENOUGH
from r2rgen_ros.sense.noise_look import Look, shadows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.sense.noise_look import Pair
    from r2rgen_ros.sense.noise_statistics import Statistics

    Floats = NDArray[np.float64]

ENOUGH_EDGE = 150
"""Pixels that edges must have."""

_ENOUGH_SLOPES = 2000
_FEW = 0.005  # fewer flying pixels than these are corners of three depths
_MOST_BASELINE_M = 0.12
_USUAL_WANDER_PX = 0.7  # Nguyen's lateral noise is 0.8 pixels
_USUAL_FLYING = 0.2
_JUMPS_PX = tuple(float(f'{jump:.2g}') for jump in np.geomspace(0.3, 6.0, 27))
# By how much more of an edge, or of a shadow, than of what is around it must be holes.
_SURE_EDGE = 0.1
_SURE_SHADOW = 0.25
# Windows, down and across: beside what is near an outline may be off by many pixels.
_SHADOW_MARGINS_PX = ((13, 21), (3, 5))


def fit_edges(
    found: Statistics, rule: EdgeNoise, assumed: list[str], *, drifts: bool = False
) -> EdgeNoise:
    """Read from statistics what happens at edges.

    Args:
        found: Counted with edges by this rule.
        rule: What makes an edge, of `fit_jump`.
        assumed: Names of numbers that the images do not tell, changed.
        drifts: Whether outlines are off by pixels, see `Pair`.

    """
    if found.edge[1] < ENOUGH_EDGE:
        assumed += ['edges.wander_px', 'edges.flying', 'edges.torn', 'edges.reach_px']
        return rule
    rate = found.edge_hole_rate
    patch = rule.patch_px
    if found.torn_pairs[1] >= ENOUGH:
        patch = _patch(found.torn_likeness)
        assumed.remove('edges.patch_px')
    rule = replace(rule, torn=float(np.clip(rate[1], 0.0, 1.0)), patch_px=patch)
    if drifts:  # what lies beside an outline there is mainly its error
        assumed += ['edges.wander_px', 'edges.flying', 'edges.reach_px']
        return replace(rule, wander_px=_USUAL_WANDER_PX, flying=_USUAL_FLYING)
    base = float(np.nan_to_num(rate[-1]))
    beyond = np.clip(rate[1:] - base, 0.0, 1.0)
    reach = 0.0
    if beyond[0] > 0.02 and beyond[1] > 0.1 * beyond[0]:
        reach = float(np.clip(-1.0 / np.log(min(beyond[1] / beyond[0], 0.95)), 0.0, 5.0))
    flips = float(np.nan_to_num(found.edge_turned_rate[1]))
    flying = float(np.clip(2.0 * np.nan_to_num(found.edge_flying_rate[1]), 0.0, 1.0))
    flying = flying if flying > _FEW else 0.0
    # Of those that fly, a quarter comes close to the other side.
    wander = wander_of(flips - 0.25 * flying / (1.0 - 0.5 * flying))
    return replace(rule, wander_px=wander, flying=flying, reach_px=reach)


def _patch(likeness: float) -> float:
    """Width of smoothing, pixels, behind which neighbours correlate so; see `smoothness`."""
    if likeness < 0.05:
        return 0.0
    return float(min(10.0, 0.5 / np.sqrt(-np.log(min(likeness, 0.998)))))


def wander_of(flips: float) -> float:
    """By how much an edge wanders if this share of the pixels beside it show its other side."""
    if flips < 1e-3:
        return 0.0
    return float(brentq(lambda size: float(ndtr(-0.5 / size)) - min(flips, 0.45), 0.05, 5.0))


def fit_holes(found: Statistics, assumed: list[str]) -> HoleNoise:
    """Read from statistics where surfaces have no depth: anywhere, by angle and by range.

    Args:
        found: The statistics.
        assumed: Names of numbers that the images do not tell, extended.

    """
    angle, rate, count = found.holes_by_angle()
    begin, end = _ramp(angle, rate, count, 45.0, 90.0)
    if begin is None:
        assumed.append('holes.grazing_deg')
    depth, share, pixels = found.holes_by_depth()
    base = _base(share, pixels)
    near, far = _ramp(depth, share, pixels, float(np.median(depth[pixels > 0])), FAR_M)
    if near is None:
        assumed.append('holes.range_m')
    grazing = (90.0, 90.0) if begin is None or end is None else (begin, end)
    reach = (FAR_M, FAR_M) if near is None or far is None else (near, far)
    return HoleNoise(rate=base, grazing_deg=grazing, range_m=reach)


def _base(rate: Floats, count: Floats) -> float:
    """Share of holes that there is anywhere: the median over the pixels."""
    known = (count >= ENOUGH) & np.isfinite(rate)
    if not known.any():
        return 0.0
    order = np.argsort(rate[known])
    share = np.cumsum(count[known][order]) / count[known].sum()
    return float(rate[known][order][np.searchsorted(share, 0.5)])


def _ramp(
    x: Floats, rate: Floats, count: Floats, low: float, high: float
) -> tuple[float | None, float | None]:
    """Where holes begin and where nothing is left: a straight rise; None where there is none."""
    known = (count >= ENOUGH) & np.isfinite(rate)
    if known.sum() < 3 or rate[known].max() < 0.1 or not (known & (x > low)).any():
        return None, None
    base = _base(rate, count)
    if rate[known & (x > low)].max() < base + 0.08:
        return None, None
    top = min(high, 1.6 * float(x[known].max()))
    best, found = np.inf, (low, top)
    weight = np.sqrt(np.minimum(count[known], 20_000.0))
    for begin in np.linspace(low, top, 46)[:-1]:
        for end in np.linspace(begin, top, 24)[1:]:
            model = np.maximum(base, np.clip((x[known] - begin) / (end - begin), 0.0, 1.0))
            off = float((weight * (model - rate[known]) ** 2).sum())
            if off < best - 1e-12:
                best, found = off, (float(begin), float(end))
    return found


def fit_shadow(pairs: Sequence[Pair], camera: PinholeCamera) -> tuple[ShadowNoise, Floats]:
    """Find the baseline in whose shadows the holes are.

    Args:
        pairs: Clean and recorded images.
        camera: Intrinsics.

    Returns:
        The shadow, and (2, B) baselines that were tried, metres, with by how much more of their
        shadows than of what is around these are holes.

    """
    looks = [Look(pair, camera, NoiseModel()) for pair in pairs[:: max(1, len(pairs) // 8)]]
    wide = [
        shadows(look.inverse, camera, _MOST_BASELINE_M)
        | shadows(look.inverse, camera, -_MOST_BASELINE_M)
        for look in looks
    ]
    around = [np.asarray(look.usable & far) for look, far in zip(looks, wide, strict=True)]

    def tried(baseline: float) -> tuple[float, float]:
        """Log-likelihood, and by how much more of the shadow than of the rest are holes."""
        counts = np.zeros((2, 2))
        for look, near in zip(looks, around, strict=True):
            hidden = shadows(look.inverse, camera, baseline)[near]
            hole = ~np.isfinite(look.pair.raw[near])
            counts += [
                [(hidden & hole).sum(), (hidden & ~hole).sum()],
                [(~hidden & hole).sum(), (~hidden & ~hole).sum()],
            ]
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        value = float((counts * np.log(np.maximum(share, 1e-12))).sum())
        return value, float(share[0, 0] - share[1, 0])

    if sum(int(mask.sum()) for mask in around) < ENOUGH:
        return ShadowNoise(), np.zeros((2, 0))
    coarse = np.linspace(-_MOST_BASELINE_M, _MOST_BASELINE_M, 25)
    results = [tried(float(b)) if abs(b) > 1e-9 else (-np.inf, 0.0) for b in coarse]
    best = float(coarse[int(np.argmax([value for value, _ in results]))])
    fine = [b for b in best + np.linspace(-0.008, 0.008, 9) if abs(b) > 1e-3]
    nearer = [tried(float(b)) for b in fine]
    at = int(np.argmax([value for value, _ in nearer]))
    scores = np.array([coarse, [extra for _, extra in results]])
    if nearer[at][1] < _SURE_SHADOW:
        return ShadowNoise(), scores
    return ShadowNoise(float(fine[at]), _inside(looks, camera, float(fine[at]))), scores


def fit_jump(pairs: Sequence[Pair], camera: PinholeCamera, shadow: ShadowNoise) -> EdgeNoise:
    """Find what makes an edge: a share of the depth, or what a matcher's window cannot follow.

    The second only where surfaces slant enough to tell.

    Args:
        pairs: Clean and recorded images.
        camera: Intrinsics.
        shadow: Baseline, without which there is no disparity.

    """
    if not shadow.baseline_m:
        return EdgeNoise()
    # Outlines may be off by pixels: slopes tell, and of these what holes by angle leave alone.
    plain = NoiseModel(shadow=shadow)
    looks = [Look(pair, camera, plain) for pair in pairs[:: max(1, len(pairs) // 8)]]
    gain = camera.fx * abs(shadow.baseline_m)
    jumps = np.concatenate([gain * _span(look.inverse)[look.gentle] for look in looks])
    holes = np.concatenate([~np.isfinite(look.pair.raw[look.gentle]) for look in looks])

    def told(limit: float) -> tuple[float, float]:
        """Squares that two shares explain, and by how much more holes there are beyond a limit."""
        torn = jumps > limit
        inside, both = int(torn.sum()), int((torn & holes).sum())
        if inside < _ENOUGH_SLOPES or inside == len(holes):
            return 0.0, 0.0
        shares = both / inside, (int(holes.sum()) - both) / (len(holes) - inside)
        explained = inside * shares[0] ** 2 + (len(holes) - inside) * shares[1] ** 2
        return explained, shares[0] - shares[1]

    _, more, limit = max((*told(limit), limit) for limit in _JUMPS_PX)
    return EdgeNoise(jump_px=limit) if more > _SURE_EDGE else EdgeNoise()


def _span(inverse: NDArray[np.float32]) -> NDArray[np.float32]:
    """Difference (H, W) of the inverse depths within three by three pixels."""
    least = minimum_filter(np.where(inverse > 0.0, inverse, np.float32(1e9)), 3)
    return np.asarray(np.maximum(maximum_filter(inverse, 3) - least, 0.0))


def _inside(looks: Sequence[Look], camera: PinholeCamera, baseline: float) -> float:
    """Share of holes well inside shadows: their rims are as uncertain as outlines are."""
    for margin in _SHADOW_MARGINS_PX:
        total = holes = 0
        for look in looks:
            inside = minimum_filter(shadows(look.inverse, camera, baseline), margin) & look.usable
            total += int(inside.sum())
            holes += int((inside & ~np.isfinite(look.pair.raw)).sum())
        if total >= ENOUGH:
            return holes / total
    return 1.0
