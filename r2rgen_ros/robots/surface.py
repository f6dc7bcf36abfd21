# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Triangles, and points spread evenly over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import require
from r2rgen_ros.robots.paint import Paint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CLOSE_M = 1e-6  # corners of an STL file's triangles that lie this close are one
_OVERSAMPLED = 6
_PLASTIC = 1.32471795724474602596
_FIRST_HALF = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
_SECOND_HALF = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
_HALVES = tuple(
    tuple(np.roll(half, number, axis=1) for half in (_FIRST_HALF, _SECOND_HALF))
    for number in range(3)
)
"""Corners of the halves of a triangle cut at its first, second or third edge, as shares of its
own corners.
"""


@dataclass(frozen=True)
class Surface:
    """Triangles, of a link for example.

    Attributes:
        vertices: (V, 3) float64, link frame, metres.
        faces: (F, 3) int32 indices.
        paint: Colours of the triangles; None where nobody asked for them.

    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    paint: Paint | None = None

    def __post_init__(self) -> None:
        """Check that there are as many colours as triangles."""
        if self.paint is not None:
            require(
                len(self.paint) == len(self.faces),
                f'{len(self.paint)} triangles have colours',
                f'{len(self.faces)}, as many as there are',
            )

    @classmethod
    def concatenate(cls, parts: Sequence[Surface]) -> Surface:
        """Put surfaces into one, in order; it has colours if all of them do."""
        paints = [part.paint for part in parts if part.paint is not None]
        starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
        faces = [part.faces + start for part, start in zip(parts, starts[:-1], strict=True)]
        return cls(
            np.concatenate([np.zeros((0, 3)), *(part.vertices for part in parts)]),
            np.concatenate([np.zeros((0, 3), np.int32), *faces]).astype(np.int32),
            Paint.concatenate(paints) if parts and len(paints) == len(parts) else None,
        )

    def moved(self, a2b: NDArray[np.float64], scale: NDArray[np.float64]) -> Surface:
        """Return the surface scaled per axis and then moved by a transform (4, 4)."""
        return Surface(se3.apply(a2b, self.vertices * scale), self.faces, self.paint)

    def select(self, index: NDArray[np.bool_]) -> Surface:
        """Return the triangles that a mask (F,) picks, and the vertices that they need."""
        used, place = np.unique(self.faces[index], return_inverse=True)
        paint = None if self.paint is None else self.paint.select(index)
        return Surface(self.vertices[used], place.reshape(-1, 3).astype(np.int32), paint)


def merged(surface: Surface, scale: float = 1.0, close: float = CLOSE_M) -> Surface:
    """Scale a surface, and make one of vertices that coincide; faces keep their order.

    Args:
        surface: Triangles; those that become lines or points are dropped.
        scale: What the vertices are multiplied by.
        close: Vertices that are as near as this are one, after scaling, metres.

    """
    vertices = surface.vertices * scale
    keys = np.rint(vertices / close).astype(np.int64)
    _, first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    faces = place.reshape(-1)[surface.faces].astype(np.int32)
    whole = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    paint = None if surface.paint is None else surface.paint.select(whole)
    return Surface(vertices[first], np.ascontiguousarray(faces[whole]), paint)


def refined(surface: Surface, longest: float) -> Surface:
    """Halve triangles at their longest edge until none is longer than this, metres.

    Long and narrow ones, which cylinders have, become as few as possible; colours stay as they lie.
    """
    vertices, faces, paint = surface.vertices, surface.faces, surface.paint
    while True:
        corners = vertices[faces]
        length = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
        edge = np.where(length.max(axis=1, initial=0.0) > longest, length.argmax(axis=1), -1)
        if not (edge >= 0).any():
            return Surface(vertices, faces, paint)
        kept = [faces[edge < 0]]
        paints = [] if paint is None else [paint.select(edge < 0)]
        for number, shares in enumerate(_HALVES):
            cut = edge == number
            a, b, c = np.roll(faces[cut], -number, axis=1).T
            ends, place = np.unique(
                np.sort(np.stack([a, b], axis=1), axis=1), axis=0, return_inverse=True
            )
            middle = (place.reshape(-1) + len(vertices)).astype(np.int32)
            vertices = np.concatenate([vertices, vertices[ends].mean(axis=1)])
            kept += [np.stack(part, axis=1) for part in ((a, middle, c), (middle, b, c))]
            if paint is not None:
                paints += [paint.select(cut).within(share) for share in shares]
        faces = np.concatenate(kept).astype(np.int32)
        paint = Paint.concatenate(paints) if paint is not None else None


def sample_surface(surface: Surface, spacing: float) -> NDArray[np.float64]:
    """Points spread evenly over triangles, always the same.

    More points than needed are laid out by area along the R2 sequence (Roberts, "The unreasonable
    effectiveness of quasirandom sequences", 2018), then one per cube of the spacing is kept.

    Args:
        surface: Triangles.
        spacing: Edge of the cubes, above zero, metres.

    Returns:
        Points (N, 3) in the frame of the triangles.

    """
    require(spacing > 0.0, f'the spacing of the surface is {spacing} m', 'more than 0')
    a, b, c = np.moveaxis(surface.vertices[surface.faces], 1, 0)
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    total = np.cumsum(area)
    if not len(total) or not total[-1] > 0.0:
        return np.zeros((0, 3))
    count = max(1, int(np.ceil(_OVERSAMPLED * total[-1] / spacing**2)))
    at = (np.arange(count) + 0.5) / count * total[-1]
    face = np.minimum(np.searchsorted(total, at), len(total) - 1)
    u, v = np.arange(count) / _PLASTIC % 1.0, np.arange(count) / _PLASTIC**2 % 1.0
    outside = u + v > 1.0
    u[outside], v[outside] = 1.0 - u[outside], 1.0 - v[outside]
    points = a[face] + u[:, None] * (b - a)[face] + v[:, None] * (c - a)[face]
    keys = np.floor(points / spacing).astype(np.int64)
    first = np.unique(keys, axis=0, return_index=True)[1]
    return np.asarray(points[np.sort(first)])
