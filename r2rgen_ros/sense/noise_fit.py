# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of clean and recorded images -> the noise model of their camera.

First every number is read from the pairs directly. What a statistic says of a number is blurred by
all other effects, so the model is then made to spoil the same clean images, and what comes out is
measured alike: numbers are corrected by how the two differ (indirect inference, Gourieroux,
Monfort and Renault, 1993).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import minimum_filter
from scipy.optimize import brentq, least_squares
from scipy.special import ndtr

from r2rgen_ros.model.errors import require
from r2rgen_ros.model.noise import FAR_M, AxialNoise, EdgeNoise, HoleNoise, NoiseModel, ShadowNoise
from r2rgen_ros.sense.noise import COARSER, ParametricNoise, smooth_noise
from r2rgen_ros.sense.noise_rows import UNIT
from r2rgen_ros.sense.noise_statistics import (
    ANGLE_EDGES_DEG,
    DEPTH_EDGES_M,
    LAGS_PX,
    MEAN,
    Look,
    Statistics,
    first_gate,
    measure,
    shadows,
)
from r2rgen_ros.sense.noise_steady import SteadyPart, steady_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.sense.noise_statistics import Pair

    Floats = NDArray[np.float64]

_ROUNDS = 3
_SEED = 1
_ENOUGH = 300  # pixels that a bin must have
_ENOUGH_EDGE = 150
_MOSTLY = 0.5
_NOTHING = 1e-6  # metres, or a share: no camera is that good
_FEW = 0.005  # fewer flying pixels than these are corners of three depths
_MOST_BASELINE_M = 0.12
_SURE_SHADOW = 0.25  # by how much more of a shadow than of what is around it must be holes
# Windows, down and across: beside what is near an outline may be off by many pixels.
_SHADOW_MARGINS_PX = ((13, 21), (3, 5))
_MILLIMETRE = 0.001
_STEP_BINS = 1 << 17
_SURE_STEP = 0.3


@dataclass(frozen=True, eq=False)
class NoiseFit:
    """A model and how well it fits.

    Attributes:
        model: The model.
        measured: What the recorded images say.
        modelled: What those of the model say of the same clean images.
        assumed: Names of the numbers that the images do not tell.
        shadow: (2, B) baselines in metres, and by how much more of their shadows are holes.
        images: Number of images.
        example: Three images (H, W) in metres: a clean one, the recorded one, and what the model
            makes of the clean one.

    """

    model: NoiseModel
    measured: Statistics
    modelled: Statistics
    assumed: tuple[str, ...]
    shadow: Floats
    images: int
    example: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def fit_noise(pairs: Sequence[Pair], camera: PinholeCamera, name: str = 'fitted') -> NoiseFit:
    """Fit a noise model to pairs of clean and recorded images.

    Args:
        pairs: In the order of time, all of one camera.
        camera: Intrinsics.
        name: What to call the model.

    Raises:
        R2RGenError: There are no pairs, or nothing in them can be compared.

    """
    require(bool(pairs), 'there are no images to fit noise to', 'one or more')
    gate = max(first_gate(pairs), 1e-4)
    jump = EdgeNoise().jump
    shadow, scores = _fit_shadow(pairs, camera, jump)
    looks = [Look(pair, camera, jump, shadow.baseline_m) for pair in pairs]
    measured = measure(looks, [pair.raw for pair in pairs], gate)
    require(
        measured.count.sum() >= _ENOUGH,
        'hardly any surface can be compared with its clean image',
        'images in which the background, or objects, are seen',
        'look at more frames (--frames), or name a preset (camera.noise)',
    )
    step = _fit_step(pairs)
    rounding = _MILLIMETRE if all(in_millimetres(pair.raw) for pair in pairs) else 0.0
    assumed = ['edges.jump', 'holes.patch_px', 'holes.steady']  # no image tells these
    smooth = UNIT * smooth_noise(*_smoothness(measured.along))
    steady = steady_part(pairs, camera, rounding, smooth)
    if steady is None:
        share = float(np.nan_to_num(measured.later_image))
        steady = SteadyPart(share, np.full(len(DEPTH_EDGES_M) - 1, np.nan))
        if not np.isfinite(measured.later_image):
            assumed.append('axial.steady')
    axial = _fit_axial(measured, step, rounding, steady, pairs, assumed)
    model = NoiseModel(
        name, axial, _fit_edges(measured, assumed), _fit_holes(measured, assumed), shadow, step
    )
    if not shadow.baseline_m:
        assumed.append('shadow.baseline_m')
    if not step:
        assumed.append('step_1_m')
    for _ in range(_ROUNDS):
        model = _corrected(model, measured, simulate(model, looks, camera, gate, rounding))
    modelled = simulate(model, looks, camera, gate, rounding)
    model, middle = _rounded(model), pairs[len(pairs) // 2]
    spoiler = ParametricNoise(model).start(camera, np.random.default_rng(_SEED))
    example = middle.clean, middle.raw, spoiler.apply(middle.clean, middle.known)
    return NoiseFit(model, measured, modelled, tuple(assumed), scores, len(pairs), example)


def simulate(
    model: NoiseModel,
    looks: Sequence[Look],
    camera: PinholeCamera,
    gate: float,
    rounding: float = 0.0,
) -> Statistics:
    """Measure what a model makes of clean images, rounded to steps in metres as recordings are."""
    spoiler = ParametricNoise(model).start(camera, np.random.default_rng(_SEED))
    images = []
    for look in looks:
        image = spoiler.apply(look.pair.clean, look.pair.known)
        if rounding:
            image = (np.rint(image / rounding) * rounding).astype(np.float32)
        images.append(image)
    # A mean of many images that this one is part of has been taken off; the model knows no such.
    alone = [_alone(look) for look in looks]
    return measure(alone, images, gate)


def _alone(look: Look) -> Look:
    """The same look, whose images vary about the clean one as they do about the truth."""
    if look.pair.shrink == 1.0:
        return look
    out = object.__new__(Look)
    out.__dict__.update(look.__dict__)
    out.pair = replace(look.pair, shrink=1.0)
    return out


def in_millimetres(depth: NDArray[np.float32]) -> bool:
    """Whether a depth image (H, W) holds whole millimetres, as 16UC1 does."""
    sample = depth[np.isfinite(depth)][::31].astype(np.float64) * 1000.0
    return bool(sample.size) and bool((np.abs(sample - np.rint(sample)) < 1e-3).mean() > 0.99)


# Axial noise.


def _fit_axial(
    found: Statistics,
    step: float,
    rounding: float,
    part: SteadyPart,
    pairs: Sequence[Pair],
    assumed: list[str],
) -> AxialNoise:
    """Fit size, growth, angle and correlation of the axial noise."""
    depth = np.sqrt(DEPTH_EDGES_M[1:] * DEPTH_EDGES_M[:-1])[:, None]
    angle = np.radians(0.5 * (ANGLE_EDGES_DEG[1:] + ANGLE_EDGES_DEG[:-1]))[None]
    # What rounding adds is made by rounding again.
    extra = (rounding**2 + (step * depth**2) ** 2) / 12.0
    use = (found.count >= _ENOUGH) & (ANGLE_EDGES_DEG[1:] <= 82.0)[None]
    require(
        bool(use.any()),
        'what can be compared with its clean image is spread too thinly over depths and angles',
        f'{_ENOUGH} pixels of about one depth, seen at about one angle',
        'look at more frames (--frames), or name a preset (camera.noise)',
    )
    variance = np.maximum(found.spread**2 - extra, 1e-10)
    steady = float(np.clip(part.share, 0.0, 0.98))
    if any((pair.known == MEAN).any() for pair in pairs):  # then only means were compared
        kept = part.variance[:, None]
        variance = np.where(np.isfinite(kept), variance + kept, variance / (1.0 - steady))
    sigma, where, turn = np.sqrt(variance)[use], np.nonzero(use), (angle / (0.5 * np.pi - angle))
    z, t = depth[where[0], 0], turn[0, where[1]]
    weight = np.sqrt(np.minimum(found.count[use], 20_000.0))
    weight /= weight.max(initial=1.0)

    def off(values: Floats) -> Floats:
        model = _sigma(values, z, t)
        # Of explanations that fit alike, the one that a matcher of images has: growth alone.
        other = 0.02 * values[:2] * np.array([1.0, middle]) / float(np.median(sigma))
        return np.concatenate([weight * (model / sigma - 1.0), other])

    middle = float(np.median(z))
    begin = np.array([1e-4, 1e-4, min(float(np.median(sigma / z**2)), 0.09), 1e-6])
    solved = least_squares(off, begin, bounds=(0.0, [0.1, 0.1, 0.1, 0.01]), x_scale=begin)
    constant, slope, growth, turned = (float(value) for value in solved.x)
    if np.degrees(np.arctan2(t.max(initial=0.0), 1.0)) < 55.0:
        assumed.append('axial.turned_m')
    memory = float(np.clip(np.nan_to_num(found.next_image), 0.0, 0.95))
    if not np.isfinite(found.next_image):
        assumed.append('axial.memory')
    if np.isfinite(found.later_image) and steady < 1.0:
        memory = float(np.clip((memory - steady) / (1.0 - steady), 0.0, 0.95))
    width, coarse = _smoothness(found.along)
    memory = memory if memory > 0.03 else 0.0
    return AxialNoise(constant, slope, growth, turned, width, coarse, steady, memory)


def _sigma(values: Floats, depth: Floats, turn: Floats) -> Floats:
    constant, slope, growth, turned = values
    flat = np.sqrt(constant**2 + (slope * depth) ** 2 + (growth * depth**2) ** 2)
    return np.asarray(flat + turned * turn**2 / np.sqrt(depth))


def _smoothness(along: Floats) -> tuple[float, float]:
    """Width and coarse share of noise that correlates so over `LAGS_PX`.

    White noise behind a Gauss filter of width w correlates by exp(-d^2 / 4 w^2) at the distance d.
    Rounding adds noise that correlates with none, which a factor before all takes up.
    """
    lags = np.array(LAGS_PX[1:], dtype=float)
    known = np.isfinite(along[1:])
    if not known.any() or along[1] < 0.15:
        return 0.0, 0.0
    lags, values = lags[known], along[1:][known]

    def off(x: Floats) -> Floats:
        width, coarse, level = x
        near, far = (np.exp(-(lags**2) / (4.0 * (k * width) ** 2)) for k in (1.0, COARSER))
        return np.asarray(level * ((1.0 - coarse) * near + coarse * far) - values)

    solved = least_squares(off, [1.5, 0.1, 0.95], bounds=([0.3, 0.0, 0.3], [10.0, 1.0, 1.0]))
    width, coarse, _ = (float(value) for value in solved.x)
    return width, coarse if coarse > 0.03 else 0.0


def _fit_step(pairs: Sequence[Pair]) -> float:
    """Step of the inverse depth, 1/m; 0 where there is none.

    A comb of inverse depths has a peak in its spectrum. Millimetres blur it where they are larger
    than the steps, so the far half counts. A plane that is level in the image is a comb as well,
    but so is its clean image.
    """
    both = [
        np.concatenate([image[np.isfinite(image)][::3] for image in images])
        for images in ([pair.raw for pair in pairs], [pair.clean for pair in pairs])
    ]
    if both[0].size < 10_000 or both[1].size < 10_000:
        return 0.0
    near = float(np.median(both[0]))
    inverse = [1.0 / values[values >= near].astype(np.float64) for values in both]
    low, high = float(inverse[0].min()), float(inverse[0].max())
    if high - low < 0.02:
        return 0.0
    comb = [_spectrum(values, low, high) for values in inverse]
    frequency = np.arange(len(comb[0])) / (high - low)
    wanted = (frequency > 300.0) & (frequency < 20_000.0)
    share = np.where(wanted, comb[0] - comb[1], 0.0)
    # Multiples of the frequency peak too: the lowest that is nearly as high.
    first = int(np.argmax(share > 0.6 * share.max()))
    best = first + int(np.argmax(share[first : first + 20]))
    return float(1.0 / frequency[best]) if share[best] > _SURE_STEP else 0.0


def _spectrum(inverse: Floats, low: float, high: float) -> Floats:
    """How much of a comb of each frequency there is in inverse depths: 0 to 1."""
    histogram = np.histogram(inverse, _STEP_BINS, (low, high))[0].astype(np.float64)
    # Single bins that hold much, as a wall does, must not outweigh the comb.
    spectrum = np.abs(np.fft.rfft(np.minimum(histogram, 20.0)))
    return np.asarray(spectrum / max(float(spectrum[0]), 1.0))


# Edges and holes.


def _fit_edges(found: Statistics, assumed: list[str]) -> EdgeNoise:
    if found.edge[1] < _ENOUGH_EDGE:
        assumed += ['edges.wander_px', 'edges.flying', 'edges.torn', 'edges.reach_px']
        return EdgeNoise()
    rate = found.edge_hole_rate
    base = float(np.nan_to_num(rate[-1]))
    beyond = np.clip(rate[1:] - base, 0.0, 1.0)
    torn = float(np.clip(rate[1], 0.0, 1.0))
    reach = 0.0
    if beyond[0] > 0.02 and beyond[1] > 0.1 * beyond[0]:
        reach = float(np.clip(-1.0 / np.log(min(beyond[1] / beyond[0], 0.95)), 0.0, 5.0))
    flips = float(np.nan_to_num(found.edge_turned_rate[1]))
    flying = float(np.clip(2.0 * np.nan_to_num(found.edge_flying_rate[1]), 0.0, 1.0))
    flying = flying if flying > _FEW else 0.0
    # Of those that fly, a quarter comes close to the other side.
    wander = _wander(flips - 0.25 * flying / (1.0 - 0.5 * flying))
    return EdgeNoise(EdgeNoise().jump, wander, flying, torn, reach)


def _wander(flips: float) -> float:
    """By how much an edge wanders if this share of the pixels beside it show its other side."""
    if flips < 1e-3:
        return 0.0
    return float(brentq(lambda size: float(ndtr(-0.5 / size)) - min(flips, 0.45), 0.05, 5.0))


def _fit_holes(found: Statistics, assumed: list[str]) -> HoleNoise:
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
    known = (count >= _ENOUGH) & np.isfinite(rate)
    if not known.any():
        return 0.0
    order = np.argsort(rate[known])
    share = np.cumsum(count[known][order]) / count[known].sum()
    return float(rate[known][order][np.searchsorted(share, 0.5)])


def _ramp(
    x: Floats, rate: Floats, count: Floats, low: float, high: float
) -> tuple[float | None, float | None]:
    """Where holes begin and where nothing is left: a straight rise; None where there is none."""
    known = (count >= _ENOUGH) & np.isfinite(rate)
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


def _fit_shadow(
    pairs: Sequence[Pair], camera: PinholeCamera, jump: float
) -> tuple[ShadowNoise, Floats]:
    """Find the baseline in whose shadows the holes are."""
    looks = [Look(pair, camera, jump, 0.0) for pair in pairs[:: max(1, len(pairs) // 8)]]
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
        total = counts.sum(axis=1, keepdims=True)
        share = counts / np.maximum(total, 1.0)
        value = float((counts * np.log(np.maximum(share, 1e-12))).sum())
        return value, float(share[0, 0] - share[1, 0])

    if sum(int(mask.sum()) for mask in around) < _ENOUGH:
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


def _inside(looks: Sequence[Look], camera: PinholeCamera, baseline: float) -> float:
    """Share of holes well inside shadows: their rims are as uncertain as outlines are."""
    for margin in _SHADOW_MARGINS_PX:
        total = holes = 0
        for look in looks:
            inside = minimum_filter(shadows(look.inverse, camera, baseline), margin) & look.usable
            total += int(inside.sum())
            holes += int((inside & ~np.isfinite(look.pair.raw)).sum())
        if total >= _ENOUGH:
            return holes / total
    return 1.0


# Correction.


def _corrected(model: NoiseModel, want: Statistics, have: Statistics) -> NoiseModel:
    """Change a model by how what it makes differs from what was recorded."""
    use = (want.count >= _ENOUGH) & (have.count >= _ENOUGH) & (have.spread > 0.0)
    weight = np.sqrt(want.count) * use
    ratio = np.where(use, want.spread / np.where(use, have.spread, 1.0), 1.0)
    size = float(np.clip((weight * ratio).sum() / max(weight.sum(), 1.0), 0.5, 2.0))
    steady = model.axial.steady
    if steady > _MOSTLY:  # what changes, which is compared here, is the smaller part
        steady, size = float(np.clip(1.0 - (1.0 - steady) * size**2, _MOSTLY, 0.99)), 1.0
    axial = replace(
        model.axial,
        constant_m=min(0.1, model.axial.constant_m * size),
        slope=min(0.1, model.axial.slope * size),
        growth_1_m=min(0.1, model.axial.growth_1_m * size),
        turned_m=min(0.01, model.axial.turned_m * size),
        steady=steady,
    )
    edges = model.edges
    if want.edge[1] >= _ENOUGH_EDGE:
        edges = replace(
            edges,
            torn=_scaled(edges.torn, want.edge_hole_rate[1], have.edge_hole_rate[1]),
            flying=_scaled(edges.flying, want.edge_flying_rate[1], have.edge_flying_rate[1]),
            wander_px=min(5.0, edges.wander_px * _times(want, have)),
        )
    return replace(model, axial=axial, edges=edges)


def _times(want: Statistics, have: Statistics) -> float:
    wanted, got = (_wander(float(np.nan_to_num(x.edge_turned_rate[1]))) for x in (want, have))
    return float(np.clip(wanted / got, 0.5, 2.0)) if got > 0.0 and wanted > 0.0 else 1.0


def _scaled(value: float, want: float, have: float) -> float:
    if not (np.isfinite([want, have]).all() and have > 0.0):
        return value
    return float(np.clip(value * np.clip(want / have, 0.5, 2.0), 0.0, 1.0))


def _rounded(model: NoiseModel) -> NoiseModel:
    """The same to four digits, and without what is nothing, as files hold it."""

    def digits(part: Any) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, value in vars(part).items():
            if isinstance(value, tuple):
                out[name] = tuple(float(f'{x:.4g}') for x in value)
            else:
                out[name] = float(f'{value:.4g}') if abs(value) > _NOTHING else 0.0
        return out

    return NoiseModel(
        model.name,
        AxialNoise(**digits(model.axial)),
        EdgeNoise(**digits(model.edges)),
        HoleNoise(**digits(model.holes)),
        ShadowNoise(**digits(model.shadow)),
        float(f'{model.step_1_m:.4g}'),
    )
