# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The nearest point of each pixel, before what stands still: its depth, colour and label.

What stands still is put down once; what moves is drawn over it, and taken away again. Colour and
label of a pixel are one number, so that nobody has to look them up by point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.geometry.tiles import TILE, Tiles, copy_windows, mark_about
from r2rgen_ros.geometry.zbuffer import FAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.float32]
    Paint = NDArray[np.int32]

NOTHING = np.int32(-1)
"""What a pixel without a point has for colour and label; its label is UNSEEN, of `model.scene`."""

LABEL_BITS = 24
"""Where the label begins in a pixel's number; its colour is below, see `layers.packed`."""

MOST_LABELS = 128
"""Labels are below this: they share a signed number with a colour."""

_COLOUR = np.uint32((1 << LABEL_BITS) - 1)


@compiled
def _put(
    pixel: Any, depth: Any, tint: Any, label: Any, margin: int,
    zbuf: Any, paint: Any, mask: Any,
) -> None:  # fmt: skip
    """Draw points where they are nearest; of equal depths what was there stays.

    Args:
        pixel: (N,) int32, -1 for none.
        depth: (N,) float32.
        tint: (N,) uint32 colours.
        label: uint32, shifted to its place.
        margin: How far around a pixel tiles are marked.
        zbuf: (H, W), written.
        paint: (H, W), written.
        mask: Of `Tiles`, written.

    """
    height, width = zbuf.shape
    flat, colours = zbuf.reshape(-1), paint.reshape(-1)
    wide: Any = np.uint32(width)
    low = high = np.int32(-1)  # pixels that mark what one of them has marked
    for i in range(pixel.shape[0]):
        at = pixel[i]
        if at < 0 or not depth[i] < flat[np.uintp(at)]:
            continue
        flat[np.uintp(at)] = depth[i]
        colours[np.uintp(at)] = np.int32((tint[i] & _COLOUR) | label)
        if low <= at < high:
            continue
        v: Any = np.int32(np.uint32(at) // wide)
        u: Any = np.int32(at - v * width)
        mark_about(v, u, margin, height, width, mask)
        first = u - u % TILE
        start, end = first + margin, min(first + TILE - margin, width)
        if start <= u < end:
            low, high = np.int32(at - (u - start)), np.int32(at + (end - u))


class Canvas:
    """The nearest points of an image.

    Args:
        height: Of the image, pixels.
        width: The same.
        margin: How far what a pixel shows depends on others, pixels.

    Attributes:
        zbuf: (H, W) float32 depth of the nearest point, metres; inf for none.
        paint: (H, W) int32 its label above its colour; `NOTHING` for none.
        tiles: Those in which something shows that does not stand still, with the margin.

    """

    def __init__(self, height: int, width: int, margin: int) -> None:
        self.zbuf: Image = np.full((height, width), FAR, dtype=np.float32)
        self.paint: Paint = np.full((height, width), NOTHING, dtype=np.int32)
        self.tiles = Tiles(height, width)
        self._still = self.zbuf.copy(), self.paint.copy()
        self._margin = margin

    def put_still(
        self, zbuf: Image, owner: NDArray[np.int32], tints: NDArray[np.uint32], label: int
    ) -> None:
        """Put down what stands still, and nothing else.

        Args:
            zbuf: (H, W) float32 metres.
            owner: (H, W) int32 number of the point in each pixel, -1 for none.
            tints: (N,) uint32 colours of these, see `layers.packed`.
            label: What they are.

        """
        self.zbuf[:], self.paint[:] = zbuf, NOTHING
        shown = owner >= 0
        self.paint[shown] = tints[owner[shown]] | np.uint32(label << LABEL_BITS)
        self._still[0][:], self._still[1][:] = self.zbuf, self.paint
        self.tiles.mask[:] = False

    def put(
        self,
        pixel: NDArray[np.int32],
        depth: NDArray[np.float32],
        tint: NDArray[np.uint32],
        label: int,
    ) -> None:
        """Draw points (N,), each in its pixel, -1 for none, where they are nearest.

        Raises ValueError for a label that is not from 0 to below `MOST_LABELS`.
        """
        if not 0 <= label < MOST_LABELS:
            raise ValueError(f'label is {label}, expected 0 to {MOST_LABELS - 1}')
        _put(
            pixel, depth, tint, np.uint32(label << LABEL_BITS), self._margin,
            self.zbuf, self.paint, self.tiles.mask,
        )  # fmt: skip

    def take_away(self, windows: NDArray[np.int32]) -> None:
        """Leave only what stands still in windows (K, 4)."""
        for still, now in zip(self._still, (self.zbuf, self.paint), strict=True):
            copy_windows(still, windows, now)
