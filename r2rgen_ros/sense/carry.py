# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a camera saw of a surface, carried along to where the surface has moved.

Both times the surface is drawn from its triangles. Every pixel of the new drawing asks where its
point was in the old one: if it was seen there, it shows what was measured, with its colour and its
distance from the drawing; if it was hidden or turned away, it shows the triangles themselves. So
nothing is sampled twice, nothing stays open, and what has not moved comes back as it was measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.sense.layers import pack_one

NOTHING, SEEN, BLANK, HIDDEN, THROUGH, BESIDE = range(6)
"""Kinds of a drawn pixel: nothing is drawn; measured where it is drawn; not measured; something was
before it; the camera looked through where it is drawn; the same, close to an outline, where that
may be a small error of the drawing.
"""

RIM_PX = 4
"""How far from an outline the drawing and what was measured may differ."""

_STEP_M = 0.03  # depth that makes an outline
_SAME_M = 0.004
_SPECK_PX = 4
_STAYS_M = 0.001
_NEAREST_M = np.float32(1e-6)  # what was measured far away may be taken up to the camera

_24 = np.uint32(24)


@compiled
def is_rim(depth: Any, v: int, u: int, radius: int) -> bool:
    """Whether a drawn pixel (NaN: nothing) is this close before an outline; the image's is none."""
    height, width = depth.shape
    limit = depth[v, u] + _STEP_M
    for dv in range(-1, 2):
        for du in range(-1, 2):
            for step in (1, radius):
                vv, uu = v + step * dv, u + step * du
                if vv < 0 or uu < 0 or vv >= height or uu >= width:
                    continue
                if not depth[vv, uu] <= limit:
                    return True
    return False


@compiled
def find_kinds(drawn: Any, measured: Any, own: Any, tolerance: Any, kinds: Any) -> None:
    """Compare a drawing with what was measured.

    Args:
        drawn: (H, W) float32 depth of the drawing, metres, NaN where nothing is drawn.
        measured: (H, W) float32 metres, NaN where invalid.
        own: (H, W) bool, the pixels that are known to show the surface, or what hangs on it.
        tolerance: (H, W) float32, how far measured depth may be from that of the drawing, metres.
        kinds: (H, W) uint8, written.

    """
    height, width = drawn.shape
    for v in range(height):
        for u in range(width):
            d, m = drawn[v, u], measured[v, u]
            if not np.isfinite(d):
                kinds[v, u] = NOTHING
            elif not np.isfinite(m):
                kinds[v, u] = BLANK
            elif own[v, u] and abs(m - d) <= tolerance[v, u]:
                kinds[v, u] = SEEN
            elif m < d:
                kinds[v, u] = HIDDEN
            else:
                kinds[v, u] = BESIDE if is_rim(drawn, v, u, RIM_PX) else THROUGH
    _settle_specks(drawn, measured, own, tolerance, kinds)


@compiled
def _settle_specks(drawn: Any, measured: Any, own: Any, tolerance: Any, kinds: Any) -> None:
    """Take what noise alone parts from a seen surface for a part of it.

    That is what is off by no more than three tolerances, with nothing else before it, where at
    least half of what is drawn around it is seen; no rule is used on what it has made itself.
    """
    height, width = drawn.shape
    before = kinds.copy()
    for v in range(height):
        for u in range(width):
            kind = before[v, u]
            if kind not in (THROUGH, BESIDE, HIDDEN) or (kind == HIDDEN and not own[v, u]):
                continue
            if abs(measured[v, u] - drawn[v, u]) > 3.0 * tolerance[v, u]:
                continue
            seen = there = 0
            for vv in range(max(0, v - _SPECK_PX), min(height, v + _SPECK_PX + 1)):
                for uu in range(max(0, u - _SPECK_PX), min(width, u + _SPECK_PX + 1)):
                    there += int(before[vv, uu] != NOTHING)
                    seen += int(before[vv, uu] == SEEN)
            if 2 * seen >= there:
                kinds[v, u] = SEEN


@compiled
def write_cells(
    drawn: Any, kinds: Any, offset: Any, colours: Any, cells: Any, tints: Any
) -> None:  # fmt: skip
    """Put together what `carry` asks of each pixel, so that one access to memory tells all.

    Args:
        drawn: (h, w) float32 depth of a drawing, NaN where nothing is drawn.
        kinds: (h, w) its kinds.
        offset: (h, w) float32 measured minus drawn depth; counts where `SEEN`.
        colours: (h, w, 3) uint8 what was seen.
        cells: (h, w, 4) float32, written: smallest and largest depth of the surface in the pixel
            and around it, NaN for none, and the offset.
        tints: (h, w, 4) uint32, the same memory; written in the last place: colour and kind.

    """
    height, width = drawn.shape
    for v in range(height):
        for u in range(width):
            d = drawn[v, u]
            low, high = d, d
            for vv in range(max(0, v - 1), min(height, v + 2)):
                for uu in range(max(0, u - 1), min(width, u + 2)):
                    w = drawn[vv, uu]
                    if abs(w - d) <= _STEP_M:
                        low, high = min(low, w), max(high, w)
            known = np.isfinite(d)
            cells[v, u, 0] = low if known else np.float32(np.nan)
            cells[v, u, 1] = high if known else np.float32(np.nan)
            cells[v, u, 2] = offset[v, u]
            tints[v, u, 3] = pack_one(colours[v, u]) | (np.uint32(kinds[v, u]) << _24)


@compiled
def carry(
    depth: Any, face: Any, window: Any, part: Any, to_old: Any, camera: Any,
    top: int, left: int, cells: Any, tints: Any, paint: Any, rays: Any,
    pixel: Any, z_out: Any, tint_out: Any,
) -> int:  # fmt: skip
    """Fill a new drawing of the surface with what was seen of it before.

    Args:
        depth: (H, W) float32 of the new drawing, NaN where nothing is drawn.
        face: (H, W) int32 triangle in each pixel, -1 for none.
        window: Outside of it (u0, v0, u1, v1) nothing is drawn.
        part: (F,) the rigid part that each triangle belongs to.
        to_old: (P, 4, 4) where the points of each part were, camera optical frame.
        camera: fx, fy, cx, cy.
        top: First row of the old window.
        left: First column of it.
        cells: (h, w, 4) float32 of `write_cells` in that window.
        tints: (h, w, 4) uint32, the same memory.
        paint: (F,) uint32 colours of the triangles, see `layers.packed`.
        rays: (H, W, 3) float32 of the pixels, of depth 1.
        pixel: (H W,) int32, written: flat index of each pixel that shows the surface.
        z_out: (H W,) float32, written: its depth, metres.
        tint_out: (H W,) uint32, written: its colour; what is above 24 bits does not count.

    Returns:
        How many were written.

    """
    fx, fy, cx, cy = camera
    high, wide = cells.shape[:2]
    width = depth.shape[1]
    start_u, start_v, end_u, end_v = window
    count = np.uintp(0)
    for v in range(start_v, end_v):
        row_face, row_depth, row_rays = face[v], depth[v], rays[v]
        for u in range(np.uintp(start_u), np.uintp(end_u)):
            if row_face[u] < 0:
                continue
            own = np.uintp(row_face[u])
            z = row_depth[u]
            x, y = row_rays[u, 0] * z, row_rays[u, 1] * z
            m = to_old[np.uintp(part[own])]
            zz = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
            kind, offset, tint = np.uint32(HIDDEN), np.float32(0.0), np.uint32(0)
            if zz > 0.0:
                xx = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
                yy = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
                column = int(np.floor(fx * xx / zz + cx + 0.5)) - left
                row = int(np.floor(fy * yy / zz + cy + 0.5)) - top
                if row >= 0 and column >= 0 and row < high and column < wide:
                    cell = cells[np.uintp(row), np.uintp(column)]
                    # Whether the depth lies on what is drawn there, or between its neighbours.
                    if cell[0] - _SAME_M <= zz <= cell[1] + _SAME_M:
                        tint = tints[np.uintp(row), np.uintp(column), 3]
                        kind, offset = tint >> _24, cell[2]
            if kind == THROUGH or (kind == BESIDE and is_rim(depth, v, int(u), RIM_PX)):
                continue
            if kind == SEEN:
                z = np.float32(z + np.float64(offset))
                if not z > _NEAREST_M:
                    continue
            pixel[count] = np.int32(v * width + int(u))
            z_out[count] = z
            tint_out[count] = tint if kind in (SEEN, BLANK) else paint[own]
            count += np.uintp(1)
    return int(count)


@compiled
def carry_loose(
    points: Any, colours: Any, owner: Any, at_rim: Any, flies: Any, table: Any,
    depth: Any, camera: Any, moved: Any, out: Any,
) -> int:  # fmt: skip
    """Move measured points that lie on no drawn surface with the part that each hangs on.

    What was seen at an outline, half a pixel beside the drawing or flying behind it, is left out
    where the drawing has no outline any more: there it would float before the surface. What flies
    by itself is noise, and stays only with what stays.

    Args:
        points: (N, 3) float32 camera optical frame.
        colours: (N, 3) uint8.
        owner: (N,) the place of each in the table.
        at_rim: (N,) bool whether it was seen at an outline of the drawing.
        flies: (N,) bool whether it is a speck far from all surfaces.
        table: (Q, 4, 4) motions in the camera optical frame.
        depth: (H, W) float32 of the new drawing, NaN where nothing is drawn.
        camera: fx, fy, cx, cy.
        moved: (N, 3) float32, written.
        out: (N, 3) uint8, written.

    Returns:
        How many were written.

    """
    height, width = depth.shape
    fx, fy, cx, cy = camera
    count = 0
    for i in range(points.shape[0]):
        m = table[owner[i]]
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for k in range(3):
            moved[count, k] = np.float32(m[k, 0] * x + m[k, 1] * y + m[k, 2] * z + m[k, 3])
        zz = moved[count, 2]
        away = max(abs(moved[count, 0] - x), abs(moved[count, 1] - y), abs(zz - z))
        if flies[i] and away > _STAYS_M:
            continue
        if at_rim[i] and zz > 0.0:
            u = int(np.floor(fx * moved[count, 0] / zz + cx + 0.5))
            v = int(np.floor(fy * moved[count, 1] / zz + cy + 0.5))
            inside = u >= 0 and v >= 0 and u < width and v < height
            if inside and np.isfinite(depth[v, u]) and not is_rim(depth, v, u, RIM_PX):
                continue
        for k in range(3):
            out[count, k] = colours[i, k]
        count += 1
    return count
