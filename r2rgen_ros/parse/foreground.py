# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which points rise above the support plane, down to the foot of what stands on it.

A threshold above the noise of one pixel loses the lowest millimetres of every object and all of a
thin plate. Heights are therefore averaged first, over the neighbours that are about as high and
have about the same colour (the joint bilateral filter of Petschnigg et al., 2004, with box
weights), and a lower threshold then applies beside what clearly rises (the hysteresis of
Canny, 1986). Stereo cameras draw the table up at the foot of things; so what is low must also look
more like what stands above it than like the table around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import binary_dilation, uniform_filter

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.geometry.polygon import contains

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.parse.snapshot import Snapshot

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

_FLOOR_M = 0.004
_FOOT_M = 0.0015
_RESIDUALS = 3.0
_FOOT_RESIDUALS = 2.0
_HALF = 2  # half of the window that heights are averaged over, pixels
_SAME_HEIGHT_M = 0.003
_SAME_COLOUR = 20.0
_TALL_M = 0.04  # so high is nobody's noise: not averaged
_STEEP = 2.0  # the foot of a wall is seen as up to so many times its height

_HIGH = 2.0  # so many times the floor is high, and not looked at again
_WINDOW, _WIDEST = 2, 16  # half of the window that colours are compared in: of the foot; pixels
_KERNEL = 8.0
_RARE = 0.02
_LEAST_LIKE = 10
_NOTHING, _TABLE, _LOW, _HIGH_UP = 0, 1, 2, 3


def cielab(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIE 1976 L*a*b* (N, 3), D65, of sRGB colours (N, 3)."""
    levels = np.arange(256) / 255.0
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    rgb = linear.astype(np.float32)[colours]
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375],
         [0.2126729, 0.7151522, 0.0721750],
         [0.0193339, 0.1191920, 0.9503041]]
    ) / np.array([[0.95047], [1.0], [1.08883]])  # fmt: skip
    xyz = rgb @ to_xyz.T.astype(np.float32)
    root = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1).astype(np.float32)


def rising(
    snapshot: Snapshot,
    support: SupportPlane,
    outline: Floats | None = None,
    lift: Floats | float = 0.0,
) -> Bools:
    """Tell which points rise above the support.

    Args:
        snapshot: Points of one frame.
        support: The support plane.
        outline: Convex outline in the plane (M, 2) that objects lie in; None for everywhere.
        lift: How far noise alone lifts single points, metres, three standard deviations; one
            number or (N,).

    Returns:
        (N,) whether each point rises.

    """
    height = support.height(snapshot.points)
    if not np.isfinite(support.residual):
        # Without a table in view nothing is known to be part of it.
        high = height > np.maximum(-1.0, lift)
        return high if outline is None else high & contains(outline, _flat(snapshot, support))
    floor = max(_FLOOR_M, _RESIDUALS * support.residual)
    lift = np.broadcast_to(np.asarray(lift, dtype=np.float64), height.shape)
    if len(snapshot.shape) == 2:
        high = _with_foot(snapshot, height, lift, floor, support.residual)
    else:
        high = height > np.maximum(floor, lift)
    places = np.flatnonzero(high)
    if outline is not None:
        high[places] = contains(outline, support.to_plane(snapshot.points[places]))
    return high


def _flat(snapshot: Snapshot, support: SupportPlane) -> Floats:
    return support.to_plane(snapshot.points)


def _with_foot(
    snapshot: Snapshot, height: Floats, lift: Floats, floor: float, residual: float
) -> Bools:
    """Which points (N,) of an image rise, with those low ones that lead down from them."""
    places = np.zeros(snapshot.shape[0] * snapshot.shape[1], dtype=np.float32)
    image = np.full_like(places, np.nan)
    image[snapshot.index] = height
    reach = places
    reach[snapshot.index] = _SAME_HEIGHT_M + lift
    lab = np.zeros((len(image), 3), dtype=np.float32)
    near = np.abs(height) < _TALL_M
    lab[snapshot.index[near]] = cielab(snapshot.colours[near])
    shape = snapshot.shape
    smooth = np.empty(shape, dtype=np.float32)
    _average(image.reshape(shape), reach.reshape(shape), lab.reshape(*shape, 3), smooth)
    mean = smooth.reshape(-1)[snapshot.index].astype(np.float64)
    # The mean of some ten pixels has a third of their noise.
    core = np.zeros(shape, dtype=bool)
    core.reshape(-1)[snapshot.index] = mean > np.maximum(floor, lift / 3.0)
    least = np.maximum(max(_FOOT_M, _FOOT_RESIDUALS * residual), lift / 4.0)
    low = np.zeros(shape, dtype=bool)
    low.reshape(-1)[snapshot.index] = mean > least
    steps = int(np.ceil(_STEEP * floor / pixel_size(snapshot)))
    foot = binary_dilation(core, iterations=max(1, steps), mask=low | core)
    window = int(np.clip(_WINDOW * steps, 4, _WIDEST))
    return _by_colour(snapshot, foot, core, mean, low, floor, window)


def _by_colour(
    snapshot: Snapshot,
    foot: Bools,
    core: Bools,
    mean: Floats,
    low: Bools,
    floor: float,
    window: int,
) -> Bools:
    """Which of the rising points (N,) stay: the high ones, and the low ones of the right colour."""
    shape = snapshot.shape
    kind = np.zeros(shape, dtype=np.uint8).reshape(-1)
    kind[snapshot.index] = _TABLE
    kind[low.reshape(-1)] = _NOTHING
    high = np.zeros(kind.shape, dtype=bool)
    high[snapshot.index] = mean > _HIGH * floor
    kind[foot.reshape(-1)] = _LOW
    kind[core.reshape(-1) & high] = _HIGH_UP
    places = np.flatnonzero(kind == _LOW)
    around = binary_dilation((kind == _LOW).reshape(shape), iterations=window).reshape(-1)
    needed = snapshot.index[around[snapshot.index]]
    lab = np.zeros((len(kind), 3), dtype=np.float32)
    lab[needed] = cielab(snapshot.colours[around[snapshot.index]])
    like = np.zeros(len(kind), dtype=np.float32)
    _likeness(kind.reshape(shape), lab.reshape(*shape, 3), window, places, like.reshape(shape))
    count = uniform_filter((kind == _LOW).reshape(shape).astype(np.float32), 3)
    mixed = uniform_filter(like.reshape(shape), 3) / np.maximum(count, 1e-3)
    whole = np.zeros(len(kind), dtype=np.float32)
    whole[snapshot.index] = np.clip(2.0 * mean / floor - 1.0, -1.0, 1.0)
    stays = kind == _HIGH_UP
    stays[places] = mixed.reshape(-1)[places] + whole[places] > 0.0
    return np.asarray(stays[snapshot.index])


@compiled
def _likeness(kind: Any, lab: Any, window: int, places: Any, out: Any) -> None:
    """Logarithm of how much likelier a colour is above a low pixel than on the table around it.

    Both likelihoods are kernel densities over the window (Parzen, 1962).
    """
    rows, columns = kind.shape
    for place in places:
        v, u = place // columns, place % columns
        thing, table, things, tables = 0.0, 0.0, 0, 0
        for j in range(max(0, v - window), min(rows, v + window + 1)):
            for i in range(max(0, u - window), min(columns, u + window + 1)):
                if kind[j, i] != _HIGH_UP and kind[j, i] != _TABLE:
                    continue
                light = lab[j, i, 0] - lab[v, u, 0]
                red = lab[j, i, 1] - lab[v, u, 1]
                blue = lab[j, i, 2] - lab[v, u, 2]
                far = (light * light + red * red + blue * blue) / (_KERNEL * _KERNEL)
                near = np.exp(-0.5 * far) if far < 16.0 else 0.0
                if kind[j, i] == _TABLE:
                    table += near
                    tables += 1
                else:
                    thing += near
                    things += 1
        if things >= _LEAST_LIKE and tables >= _LEAST_LIKE:
            ratio = (thing / things + _RARE) / (table / tables + _RARE)
            out[v, u] = np.log(ratio)


def pixel_size(snapshot: Snapshot) -> float:
    """Median distance (metres) between the points of two pixels beside each other."""
    step = max(1, len(snapshot.index) // 20000)
    at = np.arange(0, len(snapshot.index) - 1, step)
    at = at[snapshot.index[at + 1] == snapshot.index[at] + 1]
    if not at.size:
        return 1e-3
    return float(np.median(np.linalg.norm(snapshot.points[at + 1] - snapshot.points[at], axis=1)))


@compiled
def _average(height: Any, reach: Any, lab: Any, out: Any) -> None:
    """Mean height over the window, of pixels about as high and of about the same colour."""
    rows, columns = height.shape
    for v in range(rows):
        for u in range(columns):
            here = height[v, u]
            out[v, u] = here
            if not abs(here) < _TALL_M:
                continue
            total, count = 0.0, 0
            for j in range(max(0, v - _HALF), min(rows, v + _HALF + 1)):
                for i in range(max(0, u - _HALF), min(columns, u + _HALF + 1)):
                    if not abs(height[j, i] - here) < reach[v, u]:
                        continue
                    light = lab[j, i, 0] - lab[v, u, 0]
                    red = lab[j, i, 1] - lab[v, u, 1]
                    blue = lab[j, i, 2] - lab[v, u, 2]
                    if light * light + red * red + blue * blue > _SAME_COLOUR * _SAME_COLOUR:
                        continue
                    total += height[j, i]
                    count += 1
            out[v, u] = total / count
