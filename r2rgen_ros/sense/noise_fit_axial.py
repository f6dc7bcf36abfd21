# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How much the depth of a surface errs, how smoothly, and in which steps; see `noise_fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import least_squares

from r2rgen_ros.model.errors import require
from r2rgen_ros.model.noise import AxialNoise
from r2rgen_ros.sense.noise import COARSER, MEAN
from r2rgen_ros.sense.noise_statistics import ANGLE_EDGES_DEG, DEPTH_EDGES_M, LAGS_PX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.sense.noise_look import Pair
    from r2rgen_ros.sense.noise_statistics import Statistics
    from r2rgen_ros.sense.noise_steady import SteadyPart

    Floats = NDArray[np.float64]

ENOUGH = 300
"""Pixels that a bin must have."""

_STEP_BINS = 1 << 17
_SURE_STEP = 0.3


def fit_axial(
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
    use = (found.count >= ENOUGH) & (ANGLE_EDGES_DEG[1:] <= 82.0)[None]
    require(
        bool(use.any()),
        'what can be compared with its clean image is spread too thinly over depths and angles',
        f'{ENOUGH} pixels of about one depth, seen at about one angle',
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
    width, coarse = smoothness(found.along)
    memory = memory if memory > 0.03 else 0.0
    return AxialNoise(constant, slope, growth, turned, width, coarse, steady, memory)


def _sigma(values: Floats, depth: Floats, turn: Floats) -> Floats:
    constant, slope, growth, turned = values
    flat = np.sqrt(constant**2 + (slope * depth) ** 2 + (growth * depth**2) ** 2)
    return np.asarray(flat + turned * turn**2 / np.sqrt(depth))


def smoothness(along: Floats) -> tuple[float, float]:
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


def fit_step(pairs: Sequence[Pair]) -> float:
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
