# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The colours of a robot's surface: as recorded, or else as its meshes say, in the same light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.skin_parts import Parts

    Floats = NDArray[np.float64]
    Samples = Sequence[tuple[NDArray[np.int32], NDArray[np.uint8]]]

_CELL_M = 0.006
_FEWEST = 3
BARE_GREY = 160.0


def paint_of(parts: Parts, samples: Samples) -> NDArray[np.uint8]:
    """Return a colour (F, 3) for every triangle.

    Neighbouring triangles that look one way and are of one colour in the mesh share the median of
    what was seen of them. What was never seen has the median of what was seen of the mesh's own
    colour, which is that colour in the light of the scene; a colour that was never seen is made as
    dark as the others are. A mesh without colours takes the nearest that was seen of the link.

    Args:
        parts: The triangles.
        samples: Per frame, the triangles (N,) that were seen, and their colours (N, 3).

    """
    cells, centres = _cells(parts)
    face = np.concatenate([np.zeros(0, np.int32), *(face for face, _ in samples)])
    seen = np.concatenate([np.zeros((0, 3), np.uint8), *(colour for _, colour in samples)])
    median, count = _medians(cells[face], seen, len(centres))
    median[count < _FEWEST] = np.nan
    out = median[cells]
    own = parts.colours
    lost, has = np.isnan(out[:, 0]), np.isfinite(own[:, 0])
    known = ~lost & has
    gain = np.ones(3)
    if known.any():
        gain = np.median(out[known], axis=0) / np.maximum(np.median(own[known], axis=0), 1.0)
    hues = _numbers(np.where(has[:, None], own, -1.0))
    lit, many = _medians(hues[known], out[known], int(hues.max(initial=-1)) + 1)
    own = np.where((many[hues] > 0)[:, None], lit[hues], own * np.clip(gain, 0.2, 1.5))
    out[lost & has] = own[lost & has]
    for number in range(len(parts.places)):
        mine = parts.part == number
        bare, told = mine & lost & ~has, mine & ~lost
        if bare.any() and told.any():
            out[bare] = out[told][cKDTree(centres[cells[told]]).query(centres[cells[bare]])[1]]
    rest = np.isnan(out[:, 0])
    if rest.any():
        out[rest] = np.median(out[~rest], axis=0) if (~rest).any() else BARE_GREY
    return np.round(np.clip(out, 0.0, 255.0)).astype(np.uint8)


def _cells(parts: Parts) -> tuple[NDArray[np.int64], Floats]:
    """Number of the cell (F,) of each triangle, and the middles (C, 3) in the links' frames."""
    vertices = np.concatenate([np.zeros((0, 3)), *parts.vertices])
    corners = vertices[parts.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    side = np.abs(normal).argmax(axis=1)
    sign = np.take_along_axis(normal, side[:, None], axis=1)[:, 0] > 0.0
    centre = corners.mean(axis=1)
    own = np.where(np.isfinite(parts.colours), parts.colours, -1.0)
    place = np.clip(np.floor(centre / _CELL_M), -2048, 2047).astype(np.int64) + 2048
    keys = _numbers(own)
    for more, size in ((parts.part, 256), (2 * side + sign, 6), *((x, 4096) for x in place.T)):
        keys = keys * size + more
    _, first, cells = np.unique(keys, return_index=True, return_inverse=True)
    return cells.reshape(-1), centre[first]


def _numbers(rows: Floats) -> NDArray[np.int64]:
    """Number colours (N, 3) that are equal to a step alike; -1 stands for none."""
    red, green, blue = np.rint(rows).astype(np.int64).T + 1
    return np.unique((red * 257 + green) * 257 + blue, return_inverse=True)[1].reshape(-1)


def _medians(
    group: NDArray[np.int64], values: NDArray[np.generic], count: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Medians (count, 3) of values (N, 3) by group, NaN for empty ones, and how many each has."""
    many = np.bincount(group, minlength=count)
    starts = np.concatenate([[0], np.cumsum(many)[:-1]]).astype(np.int64)
    out = np.full((count, 3), np.nan)
    full = many > 0
    for channel in range(3):
        order = np.lexsort((values[:, channel], group))
        out[full, channel] = values[order, channel][(starts + many // 2)[full]]
    return out, many
