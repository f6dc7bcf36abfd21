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

from r2rgen_ros.model.errors import require
from r2rgen_ros.model.noise import AxialNoise, EdgeNoise, HoleNoise, NoiseModel, ShadowNoise
from r2rgen_ros.sense.noise import ParametricNoise, smooth_noise
from r2rgen_ros.sense.noise_fit_axial import ENOUGH, fit_axial, fit_step, smoothness
from r2rgen_ros.sense.noise_fit_holes import (
    ENOUGH_EDGE,
    fit_edges,
    fit_holes,
    fit_jump,
    fit_shadow,
    wander_of,
)
from r2rgen_ros.sense.noise_look import Look
from r2rgen_ros.sense.noise_rows import UNIT
from r2rgen_ros.sense.noise_statistics import (
    DEPTH_EDGES_M,
    Statistics,
    first_depth,
    first_gate,
    measure,
)
from r2rgen_ros.sense.noise_steady import SteadyPart, steady_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.sense.noise_look import Pair

    Floats = NDArray[np.float64]

_ROUNDS = 3
_SEED = 1
_MOSTLY = 0.5
_NOTHING = 1e-6  # metres, or a share: no camera is that good
_MILLIMETRE = 0.001


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
    shadow, scores = fit_shadow(pairs, camera)
    edges = fit_jump(pairs, camera, shadow)
    seen = NoiseModel(edges=edges, shadow=shadow)
    looks = [Look(pair, camera, seen) for pair in pairs]
    rounding = _MILLIMETRE if all(in_millimetres(pair.raw) for pair in pairs) else 0.0
    from_m = first_depth(pairs) if rounding else 0.0
    measured = measure(looks, [pair.raw for pair in pairs], gate, from_m)
    require(
        measured.count.sum() >= ENOUGH,
        'hardly any surface can be compared with its clean image',
        'images in which the background, or objects, are seen',
        'look at more frames (--frames), or name a preset (camera.noise)',
    )
    step = fit_step(pairs)
    # The first and the last two are told by no image.
    assumed = ['edges.jump', 'edges.patch_px', 'holes.patch_px', 'holes.steady']
    if not edges.jump_px:
        assumed.append('edges.jump_px')
    smooth = UNIT * smooth_noise(*smoothness(measured.along))
    steady = steady_part(pairs, camera, rounding, smooth)
    if steady is None:
        share = float(np.nan_to_num(measured.later_image))
        steady = SteadyPart(share, np.full(len(DEPTH_EDGES_M) - 1, np.nan))
        if not np.isfinite(measured.later_image):
            assumed.append('axial.steady')
    axial = fit_axial(measured, step, rounding, steady, pairs, assumed)
    drifts = any(pair.drifts for pair in pairs)
    edges = fit_edges(measured, edges, assumed, drifts=drifts)
    holes = fit_holes(measured, assumed)
    model = NoiseModel(name, axial, edges, holes, shadow, step)
    if not shadow.baseline_m:
        assumed.append('shadow.baseline_m')
    if not step:
        assumed.append('step_1_m')
    how = gate, rounding, from_m
    for _ in range(_ROUNDS):
        have = simulate(model, looks, camera, *how)
        model = _corrected(model, measured, have, drifts=drifts)
    modelled = simulate(model, looks, camera, *how)
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
    from_m: float = 0.0,
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
    return measure(alone, images, gate, from_m)


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


def _corrected(
    model: NoiseModel, want: Statistics, have: Statistics, *, drifts: bool
) -> NoiseModel:
    """Change a model by how what it makes differs from what was recorded."""
    use = (want.count >= ENOUGH) & (have.count >= ENOUGH) & (have.spread > 0.0)
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
        width_px=min(10.0, model.axial.width_px * _wider(model.axial.coarse, want, have)),
    )
    edges = model.edges
    if want.edge[1] >= ENOUGH_EDGE:
        edges = replace(
            edges,
            torn=_scaled(edges.torn, want.edge_hole_rate[1], have.edge_hole_rate[1]),
        )
    if want.edge[1] >= ENOUGH_EDGE and not drifts:
        edges = replace(
            edges,
            flying=_scaled(edges.flying, want.edge_flying_rate[1], have.edge_flying_rate[1]),
            wander_px=min(5.0, edges.wander_px * _times(want, have)),
        )
    return replace(model, axial=axial, edges=edges)


def _wider(coarse: float, want: Statistics, have: Statistics) -> float:
    """By how much wider noise without a coarse part must be to correlate as far."""
    (wanted, _), (got, _) = smoothness(want.along), smoothness(have.along)
    return float(np.clip(wanted / got, 0.8, 1.25)) if wanted and got and not coarse else 1.0


def _times(want: Statistics, have: Statistics) -> float:
    wanted, got = (wander_of(float(np.nan_to_num(x.edge_turned_rate[1]))) for x in (want, have))
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
