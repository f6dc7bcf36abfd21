# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a camera is shown: points that move together, or pixels that were drawn already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

_8, _16 = np.uint32(8), np.uint32(16)


@dataclass(frozen=True)
class Layer:
    """Points that move together.

    Attributes:
        cloud: The points, in any frame.
        frame2camera: (4, 4) that frame to the camera optical frame.
        label: Label of its points, see `model.scene`.

    """

    cloud: Cloud
    frame2camera: NDArray[np.float64]
    label: int

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.cloud)


@dataclass(frozen=True)
class Drawn:
    """Pixels of the camera in which a surface was drawn already: a point at the centre of each.

    Attributes:
        pixel: (N,) int32 row times width plus column.
        depth: (N,) float32 metres.
        tint: (N,) uint32 colours, see `packed`.
        label: Label of all of them, see `model.scene`.

    """

    pixel: NDArray[np.int32]
    depth: NDArray[np.float32]
    tint: NDArray[np.uint32]
    label: int

    def __post_init__(self) -> None:
        """Check shapes."""
        if not self.pixel.shape == self.depth.shape == self.tint.shape == (len(self.pixel),):
            shapes = self.pixel.shape, self.depth.shape, self.tint.shape
            raise ValueError(f'pixels, depths and tints have shapes {shapes}, expected (N,) each')

    def __len__(self) -> int:
        """Return the number of pixels."""
        return len(self.pixel)

    def layer(self, rays: NDArray[np.float32]) -> Layer:
        """Return the same as points, given the pixels' rays (H W, 3) of depth 1."""
        points = rays[self.pixel] * self.depth[:, None]
        return Layer(Cloud(points, unpacked(self.tint)), np.eye(4), self.label)


def packed(colours: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Colours (N, 3) in one number (N,) each: red, and above it green and blue, 8 bits each."""
    out = np.empty(len(colours), dtype=np.uint32)
    _pack(colours, out)
    return out


def unpacked(tint: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Colours (N, 3) of `packed` numbers (N,)."""
    parts = np.ascontiguousarray(tint, dtype='<u4')[:, None].view(np.uint8)
    return np.ascontiguousarray(parts[:, :3])


@compiled
def pack_one(colour: Any) -> Any:
    """One colour (3,) as `packed` has it."""
    return np.uint32(colour[0]) | (np.uint32(colour[1]) << _8) | (np.uint32(colour[2]) << _16)


@compiled
def _pack(colours: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = pack_one(colours[i])
