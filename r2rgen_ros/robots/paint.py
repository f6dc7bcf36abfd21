# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The colours of triangles: at their corners, or of a texture that is laid over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.errors import check_array, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bytes = NDArray[np.uint8]

PLAIN = -1
BARE = -2


@dataclass(frozen=True)
class Paint:
    """Colours of F triangles.

    Attributes:
        corners: (F, 3, 3) uint8 RGB of each triangle's corners.
        uv: (F, 3, 2) places of the corners in their texture: to the right and up, one texture wide
            and high, repeated beyond.
        texture: (F,) which texture lies over a triangle; `PLAIN` where the corners' colours count,
            `BARE` where it has no colour.
        textures: Images (H, W, 3) uint8 RGB.
        missing: Names of files with colours that are not there or cannot be read.

    """

    corners: Bytes
    uv: Floats
    texture: NDArray[np.int32]
    textures: tuple[Bytes, ...] = ()
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes and indices."""
        count = len(self.texture)
        check_array('the textures of triangles', self.texture, (count,), np.int32)
        check_array('the colours of triangles', self.corners, (count, 3, 3), np.uint8)
        object.__setattr__(self, 'uv', check_array('texture places', self.uv, (count, 3, 2)))
        for image in self.textures:
            check_array('a texture', image, (None, None, 3), np.uint8)
        most = int(self.texture.max(initial=BARE))
        require(
            int(self.texture.min(initial=BARE)) >= BARE and most < len(self.textures),
            f'triangles name texture {most}',
            f'one of {len(self.textures)}',
        )

    @classmethod
    def bare(cls, count: int, missing: tuple[str, ...] = ()) -> Paint:
        """Return no colours at all, for a number of triangles."""
        corners = np.zeros((count, 3, 3), dtype=np.uint8)
        texture = np.full(count, BARE, dtype=np.int32)
        return cls(corners, np.zeros((count, 3, 2)), texture, (), missing)

    @classmethod
    def of_corners(cls, colours: Bytes) -> Paint:
        """Return the paint of colours (F, 3, 3) at the corners of triangles."""
        count = len(colours)
        return cls(
            np.ascontiguousarray(colours),
            np.zeros((count, 3, 2)),
            np.full(count, PLAIN, dtype=np.int32),
        )

    @classmethod
    def of_texture(cls, uv: Floats, image: Bytes) -> Paint:
        """Return the paint of one image (H, W, 3) at places (F, 3, 2)."""
        count = len(uv)
        corners = np.zeros((count, 3, 3), dtype=np.uint8)
        return cls(corners, uv, np.zeros(count, dtype=np.int32), (image,))

    @classmethod
    def concatenate(cls, parts: Sequence[Paint]) -> Paint:
        """Put the paints of several lots of triangles into one, in order."""
        if not parts:
            return cls.bare(0)
        starts = np.cumsum([0, *(len(part.textures) for part in parts)])
        moved = [
            np.where(part.texture >= 0, part.texture + start, part.texture)
            for part, start in zip(parts, starts[:-1], strict=True)
        ]
        return cls(
            np.concatenate([part.corners for part in parts]),
            np.concatenate([part.uv for part in parts]),
            np.concatenate(moved).astype(np.int32),
            tuple(image for part in parts for image in part.textures),
            tuple(dict.fromkeys(name for part in parts for name in part.missing)),
        )

    def __len__(self) -> int:
        """Return the number of triangles."""
        return len(self.texture)

    @property
    def is_bare(self) -> bool:
        """Whether no triangle has a colour."""
        return bool((self.texture == BARE).all())

    def select(self, index: NDArray[np.bool_]) -> Paint:
        """Return the paint of the triangles that a mask (F,) picks."""
        return replace(
            self, corners=self.corners[index], uv=self.uv[index], texture=self.texture[index]
        )

    def within(self, shares: Floats) -> Paint:
        """Return the paint of a part of each triangle, with corners at shares (3, 3) of its own."""
        corners = np.einsum('ck,fki->fci', shares, self.corners.astype(np.float64))
        return replace(
            self,
            corners=np.round(corners).astype(np.uint8),
            uv=np.einsum('ck,fki->fci', shares, self.uv),
        )

    def at(self, face: NDArray[np.int64], share: Floats) -> Floats:
        """Colours (N, 3) of points, from 0 to 255; NaN where the triangle has none.

        Args:
            face: (N,) the triangle of each point.
            share: (N, 3) its barycentric coordinates there.

        """
        out = np.einsum('nk,nki->ni', share, self.corners[face].astype(np.float64))
        owner = self.texture[face]
        out[owner == BARE] = np.nan
        for number, image in enumerate(self.textures):
            mine = owner == number
            uv = np.einsum('nk,nki->ni', share[mine], self.uv[face[mine]])
            out[mine] = _look_up(image, uv)
        return np.asarray(out)


def _look_up(image: Bytes, uv: Floats) -> Floats:
    """Colours (N, 3) of an image at places (N, 2), between its pixels linearly."""
    height, width = image.shape[:2]
    uv = np.where(np.isfinite(uv), uv, 0.0)
    uv = np.where((uv < 0.0) | (uv > 1.0), uv % 1.0, uv)
    # No pixel is mixed with those of the other edge: most textures are no tiles.
    x = np.clip(uv[:, 0] * width - 0.5, 0.0, width - 1.0)
    y = np.clip((1.0 - uv[:, 1]) * height - 0.5, 0.0, height - 1.0)
    left, above = x.astype(np.int64), y.astype(np.int64)
    right, below = np.minimum(left + 1, width - 1), np.minimum(above + 1, height - 1)
    across, down = (x - left)[:, None], (y - above)[:, None]
    # The pixels are picked before they become floats: an image may be large.
    corner = [image[v, u].astype(np.float64) for v in (above, below) for u in (left, right)]
    top = corner[0] + across * (corner[1] - corner[0])
    bottom = corner[2] + across * (corner[3] - corner[2])
    return np.asarray(top + down * (bottom - top))
