# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How much of the axial noise is the same in every image of a scene at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter

from r2rgen_ros.model.noise import NoiseModel
from r2rgen_ros.sense.noise_look import Look
from r2rgen_ros.sense.noise_pixels import MEAN
from r2rgen_ros.sense.noise_statistics import DEPTH_EDGES_M, first_gate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.sense.noise_look import Pair

    Floats = NDArray[np.float64]

_WINDOW_PX = 31
_PAIRS = 4
_ENOUGH = 1000


@dataclass(frozen=True, eq=False)
class SteadyPart:
    """What a mean over images keeps of the axial noise.

    Attributes:
        share: Share of the variance.
        variance: (Z,) variance of the depth by `DEPTH_EDGES_M`, m^2, NaN where nothing tells.

    """

    share: float
    variance: Floats


def steady_part(
    pairs: Sequence[Pair], camera: PinholeCamera, rounding: float, smooth: NDArray[np.float32]
) -> SteadyPart | None:
    """Find what a mean over images keeps of the axial noise; None where nothing tells.

    What the mean has beyond planes, in the small: the inverse depth of a plane is linear in the
    image, so that the mean over a window around a pixel is its own. Creases are outliers.

    Args:
        pairs: Clean images that are means, and recorded ones.
        camera: Intrinsics.
        rounding: Steps of the recorded depth, metres; 0 for none.
        smooth: Noise (N, N) of unit variance that is as smooth as what changes, without a seam.

    """
    small = smooth - uniform_filter(smooth, _WINDOW_PX, mode='wrap')
    gate = first_gate(pairs)
    bins = len(DEPTH_EDGES_M) - 1
    found = np.full((2, len(pairs[:: max(1, len(pairs) // _PAIRS)]), bins), np.nan)
    for row, pair in enumerate(pairs[:: max(1, len(pairs) // _PAIRS)]):
        look = Look(pair, camera, NoiseModel())
        plain = look.plain & (pair.known == MEAN)
        whole = uniform_filter(plain.astype(float), _WINDOW_PX, mode='constant') > 0.999
        inverse = look.inverse.astype(np.float64)
        beyond = (inverse - uniform_filter(inverse, _WINDOW_PX))[whole]
        depth = pair.clean[whole].astype(np.float64)
        error = pair.raw[whole] - depth
        with np.errstate(invalid='ignore'):
            error[~(np.abs(error) < gate * depth**2 + 0.001)] = np.nan
        place = np.searchsorted(DEPTH_EDGES_M, depth) - 1
        for k in np.unique(place[(place >= 0) & (place < bins)]).tolist():
            at = place == k
            if at.sum() < _ENOUGH:
                continue
            rough = (1.4826 * float(np.median(np.abs(beyond[at] * depth[at] ** 2)))) ** 2
            spread = float(np.nanvar(error[at])) / pair.shrink
            # A mean of n images has an n-th of what changes.
            found[:, row, k] = rough - abs(1.0 - pair.shrink) * spread, spread
    known = np.isfinite(found[0]).any(axis=0)
    if not known.any():
        return None
    kept, changes = np.full(bins, np.nan), np.full(bins, np.nan)
    kept[known], changes[known] = np.nanmedian(found[:, :, known], axis=1)
    if rounding:  # whole millimetres stay in the mean as far as the noise does not blur them
        changes = np.maximum(changes - rounding**2 / 12.0, 0.0)
        kept -= np.exp(-4.0 * np.pi**2 * changes / rounding**2) * rounding**2 / 12.0
    kept = np.maximum(kept, 0.0) / max(float(small.var()), 0.2)
    total = kept[known] + changes[known]
    share = np.divide(kept[known], total, out=np.zeros_like(total), where=total > 0.0)
    return SteadyPart(float(np.median(share)), kept)
