# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a noise model asks of every pixel, compiled: edges, shadows, angles, and the noise itself.

All works on the inverse depth w = 1 / z (0: nothing is known), in which planes are linear in the
image and steps of disparity are even.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

FRESH, MEAN, RAW = 0, 1, 2
"""How much noise a rendered pixel has already: none; what stays the same in all images, as it is
the mean of many; all of it, as it is a recorded pixel.
"""

COSINES = 2048
"""Length of tables over the square of the cosine of the angle between line of sight and normal."""

SIDE = 1024  # of the tables of noise, a power of two
_MASK = SIDE - 1
_SLOPE_PX = 3  # noise of the images themselves must not look like slopes
_BESIDE_PX = 0.25
WANDER_PX = 3
_FEW, _SURELY_SEEN = 0.02, -2.0  # a normal number is below -2 in 2.3 % of all cases

_compiled = njit(cache=True, nogil=True, error_model='numpy')


@_compiled
def invert(depth: Any, out: Any) -> None:
    """Inverse depth (H, W) of a depth image, 0 where it is NaN, infinite or not positive."""
    height, width = depth.shape
    zero, one = np.float32(0.0), np.float32(1.0)
    for v in range(height):
        for u in range(width):
            z = depth[v, u]
            out[v, u] = one / z if z > zero else zero  # 1 / infinity is 0


@_compiled
def find_edges(inverse: Any, jump: float, reach: int, places: Any, out: Any) -> int:
    """How far every pixel is from an edge.

    Args:
        inverse: (H, W) float32.
        jump: Share of the nearer depth by which neighbours of an edge differ.
        reach: Largest distance of interest, from 1.
        places: (H W,) int32, written: the pixels at edges.
        out: (H, W) uint8, written: 1 at an edge, 2 beside that, and so on; 0 beyond the reach.

    Returns:
        The number of pixels at edges.

    """
    height, width = inverse.shape
    share = np.float32(jump)
    out[:] = 0
    zero = np.float32(0.0)
    for v in range(height):
        below = v + 1 if v + 1 < height else v
        for u in range(width - 1):
            here, right, down = inverse[v, u], inverse[v, u + 1], inverse[below, u]
            if here == zero:
                continue
            if right > zero and abs(here - right) > share * min(here, right):
                out[v, u] = out[v, u + 1] = 1
            if down > zero and abs(here - down) > share * min(here, down):
                out[v, u] = out[below, u] = 1
    count = 0
    for v in range(height):
        for u in range(width):
            if out[v, u] == 1:
                places[count] = v * width + u
                count += 1
    for i in range(count) if reach > 1 else range(0):
        v, u = places[i] // width, places[i] % width
        for vv in range(max(0, v - reach + 1), min(height, v + reach)):
            for uu in range(max(0, u - reach + 1), min(width, u + reach)):
                far = 1 + max(abs(vv - v), abs(uu - u))
                if out[vv, uu] == 0 or far < out[vv, uu]:
                    out[vv, uu] = far
    return count


@_compiled
def find_shadows(inverse: Any, gain: float, out: Any) -> None:
    """Which pixels something nearer hides from another imager.

    A pixel of column u is at u - gain w in the image of an imager to the right. What comes from
    further right to the same place, or beyond, is nearer and covers it.

    Args:
        inverse: (H, W) float32.
        gain: Focal length in pixels times the baseline in metres, negative for one to the left.
        out: (H, W) bool, written.

    """
    height, width = inverse.shape
    size = np.float32(abs(gain))
    margin = np.float32(_BESIDE_PX)
    for v in range(height):
        least = np.float32(1e9)
        for k in range(width):
            u = width - 1 - k if gain > 0.0 else k
            w = inverse[v, u]
            # Seen from the other side, the image is mirrored.
            place = np.float32(width - 1 - k) - size * w
            out[v, u] = w > 0.0 and place > least + margin
            if w > 0.0 and place < least:
                least = place


@_compiled
def _slope(a: Any, b: Any, c: Any) -> Any:
    """The smaller of two steps to neighbours; NaN where one of those is not known."""
    before, after = b - a, c - b
    smaller = before if abs(before) < abs(after) else after
    return smaller if min(a, c) > np.float32(0.0) else np.float32(np.nan)


@_compiled
def find_cosines(inverse: Any, camera: Any, out: Any) -> None:
    """Square of the cosine between the line of sight and the normal of the surface in each pixel.

    The inverse depth of a plane n . p = 1 is n . ray, linear in the image: its slopes are n_x / fx
    and n_y / fy, which leaves n_z, and cos = w / (|n| |ray|).

    Args:
        inverse: (H, W) float32.
        camera: (4,) float32 fx, fy, cx, cy.
        out: (H, W) float32, written; 1 where it is not known.

    """
    height, width = inverse.shape
    far, one = _SLOPE_PX, np.float32(1.0)
    fx, fy, cx, cy = camera[0], camera[1], camera[2], camera[3]
    gain_x, gain_y, inverse_fx = fx / np.float32(far), fy / np.float32(far), one / fx
    out[:] = one
    for v in range(far, height - far):
        y = (np.float32(v) - cy) / fy
        above, row, below = inverse[v - far], inverse[v], inverse[v + far]
        for u in range(far, width - far):
            w = row[u]
            x = (np.float32(u) - cx) * inverse_fx
            a = gain_x * _slope(row[u - far], w, row[u + far])
            b = gain_y * _slope(above[u], w, below[u])
            c = w - a * x - b * y
            cosine = w * w / ((a * a + b * b + c * c) * (x * x + y * y + one))
            out[v, u] = cosine if cosine <= one else one


@_compiled
def _below(x: float, share: float) -> bool:
    """Whether a normal number is among the lowest so many."""
    return 0.5 * (1.0 + math.erf(x * 0.7071067811865476)) < share


@_compiled
def _near_and_far(inverse: Any, v: int, u: int) -> Any:
    """Largest and smallest inverse depth around a pixel."""
    height, width = inverse.shape
    near, far = inverse[v, u], inverse[v, u]
    for vv in range(max(0, v - 1), min(height, v + 2)):
        for uu in range(max(0, u - 1), min(width, u + 2)):
            w = inverse[vv, uu]
            if w > 0.0:
                near, far = max(near, w), min(far, w)
    return near, far


@_compiled
def wander(
    inverse: Any, known: Any, edge: Any, size: float, flying: float, smooth: Any, white: Any,
    at: Any, out: Any,
) -> None:  # fmt: skip
    """Let edges wander and pixels fly between their sides.

    Args:
        inverse: (H, W) float32.
        known: (H, W) uint8, FRESH, MEAN or RAW.
        edge: (H, W) uint8 of `find_edges`.
        size: Standard deviation of the wandering, pixels.
        flying: Share of the pixels at edges that fly.
        smooth: Table (SIDE, SIDE) of smooth normal noise, without a seam.
        white: The same, uniform from 0 to 1 and without correlation.
        at: (3, 2) where in these tables to begin.
        out: (H, W) float32, written.

    """
    height, width = inverse.shape
    out[:] = inverse
    for v in range(height):
        for u in range(width):
            near = edge[v, u]
            if near == 0 or near > WANDER_PX or known[v, u] == RAW or not inverse[v, u] > 0.0:
                continue
            if size > 0.0:
                dv = size * smooth[(v + at[0, 0]) & _MASK, (u + at[0, 1]) & _MASK]
                du = size * smooth[(v + at[1, 0]) & _MASK, (u + at[1, 1]) & _MASK]
                vv = min(max(v + int(np.rint(dv)), 0), height - 1)
                uu = min(max(u + int(np.rint(du)), 0), width - 1)
                if inverse[vv, uu] > 0.0:
                    out[v, u] = inverse[vv, uu]
            if near == 1 and flying > 0.0:
                chance = white[(v + at[2, 0]) & _MASK, (u + at[2, 1]) & _MASK]
                if chance < flying:
                    most, least = _near_and_far(inverse, v, u)
                    out[v, u] = least + chance / flying * (most - least)


@_compiled
def spoil(
    depth: Any, inverse: Any, seen: Any, known: Any, edge: Any, hidden: Any, cosine: Any,
    numbers: Any, torn: Any, turned: Any, grazing: Any, smooth: Any, patchy: Any, at: Any,
    past: Any, out: Any,
) -> None:  # fmt: skip
    """Make one noisy image.

    Args:
        depth: (H, W) float32 metres, given back where a pixel has all noise already.
        inverse: (H, W) float32 of it.
        seen: (H, W) float32, the same after `wander`.
        known: (H, W) uint8, FRESH, MEAN or RAW.
        edge: (H, W) uint8 of `find_edges`.
        hidden: (H, W) bool of `find_shadows`.
        cosine: (H, W) float32 of `find_cosines`.
        numbers: (13,) float64, see `noise.NoisyCamera`.
        torn: Shares of holes by the distance from an edge.
        turned: Table of Nguyen's term by the squared cosine.
        grazing: Table of shares of holes by it.
        smooth: Table (SIDE, SIDE) of smooth normal noise, without a seam.
        patchy: The same for holes.
        at: (5, 2) where in these tables to begin.
        past: (H, W) float32 changing part of the noise of the image before, written.
        out: (H, W) float32, written.

    """
    height, width = inverse.shape
    constant, slope, growth, steady, changing, memory, anew = numbers[:7]
    rate, begin, end, shade, step, hole_steady = numbers[7:13]
    constant, slope = np.float32(constant**2), np.float32(slope**2)
    flat, growth = np.float32(growth), np.float32(growth**2)
    plain = constant == 0.0 and slope == 0.0
    steady, changing = np.float32(steady), np.float32(changing)
    memory, anew = np.float32(memory), np.float32(anew * math.sqrt(0.5))
    hole_fresh = math.sqrt(1.0 - hole_steady * hole_steady)
    turns, grazes = turned[0] > 0.0, grazing[0] > 0.0
    zero, one, last = np.float32(0.0), np.float32(1.0), np.float32(COSINES - 1)
    nearest = np.float32(1.0 / begin)  # what has a larger inverse depth is in range
    stepped, inverse_step, step = step > 0.0, np.float32(1.0 / max(step, 1e-9)), np.float32(step)
    a, b, c, d, e = at[0, 1], at[1, 1], at[2, 1], at[3, 1], at[4, 1]
    for v in range(height):
        first, second = smooth[(v + at[0, 0]) & _MASK], smooth[(v + at[1, 0]) & _MASK]
        holes, old_holes = patchy[(v + at[2, 0]) & _MASK], patchy[(v + at[3, 0]) & _MASK]
        still = smooth[(v + at[4, 0]) & _MASK]
        for u in range(width):
            fresh = anew * (first[(u + a) & _MASK] + second[(u + b) & _MASK])
            if memory > zero:
                fresh += memory * past[v, u]
                past[v, u] = fresh
            w, value, kind = inverse[v, u], seen[v, u], known[v, u]
            if w == zero:
                out[v, u] = np.nan
                continue
            place = 0
            lost = 0.0
            if hidden[v, u]:
                lost = shade
            if kind != RAW:
                if turns or grazes:
                    place = int(cosine[v, u] * last)
                lost = max(lost, rate)
                if w < nearest:
                    lost = max(lost, 1.0 if w * end <= 1.0 else (1.0 / w - begin) / (end - begin))
                if grazes:
                    lost = max(lost, grazing[place])
                if edge[v, u] > 0:
                    lost = max(lost, torn[edge[v, u]])
            if lost > 0.0:
                latent = hole_fresh * holes[(u + c) & _MASK]
                if hole_steady > 0.0:
                    latent += hole_steady * old_holes[(u + d) & _MASK]
                if (latent < _SURELY_SEEN or lost > _FEW) and _below(latent, lost):
                    out[v, u] = np.nan
                    continue
            if kind == RAW:
                out[v, u] = depth[v, u]
                continue
            spread = flat
            if not plain:
                spread = np.sqrt(growth + w * w * (slope + constant * w * w))
            if turns:
                spread += turned[place] * w * w * np.sqrt(w)
            error = changing * fresh
            if kind == FRESH:
                error += steady * still[(u + e) & _MASK]
            value += spread * error
            if stepped:
                value = np.rint(value * inverse_step) * step
            out[v, u] = one / value if value > zero else np.nan
