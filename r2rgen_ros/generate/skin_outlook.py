# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which triangles of a link can be seen from where, so that only these are drawn.

Most triangles of a robot's meshes are inside of it or on its far side. Each link is drawn once from
directions all around; from one of them it shows what it shows from any direction nearby. Triangles
that were seen from one side only are drawn for cameras on that side only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.raster import rasterise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DIRECTIONS = 48
_NEARBY = float(np.cos(np.deg2rad(42.0)))
_PIXEL_M = 0.001
_MOST_PX = 512
_FAR = 10.0  # sizes of the link from which it is drawn: nearly parallel rays


@dataclass(frozen=True, eq=False)
class Facet:
    """What of a link can be seen from about one direction.

    Attributes:
        vertices: (V, 3) link frame, metres.
        faces: (F, 3) int32 indices of these, counter-clockwise from the side that can be seen;
            triangles with two such sides are there twice.
        number: (F,) int32 what each triangle is called: its place among all of the link, and
            what the first one is called.

    """

    vertices: Floats
    faces: NDArray[np.int32]
    number: NDArray[np.int32]


class Outlooks:
    """A link seen from all around.

    Args:
        vertices: (V, 3) link frame, metres.
        faces: (F, 3) int32.
        first: What to call the first triangle.

    Attributes:
        count: Number of triangles.

    """

    def __init__(self, vertices: Floats, faces: NDArray[np.int32], first: int = 0) -> None:
        self.count = len(faces)
        self._middle = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
        self._directions = _around(_DIRECTIONS)
        views = [_seen_from(way, vertices, faces) for way in self._directions]
        seen, front, back = (np.stack(each) for each in zip(*views, strict=True))
        sides = np.asarray(front.any(axis=0)), np.asarray(back.any(axis=0))
        near = self._directions @ self._directions.T >= _NEARBY
        self._facets = [
            _facet(vertices, faces, seen[row].any(axis=0), sides, first) for row in near
        ]

    def facet(self, link2camera: Floats) -> Facet:
        """Return what a camera may see of the link at a pose (4, 4)."""
        turn, place = link2camera[:3, :3], link2camera[:3, 3]
        way = -(turn.T @ place) - self._middle
        return self._facets[int((self._directions @ way).argmax())]


def _around(count: int) -> Floats:
    """Unit vectors (count, 3) spread over the sphere (Fibonacci lattice)."""
    place = np.arange(count) + 0.5
    z = 1.0 - 2.0 * place / count
    angle = np.pi * (1.0 + 5.0**0.5) * place
    flat = np.sqrt(1.0 - z * z)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), z], axis=1)


def _seen_from(
    way: Floats, vertices: Floats, faces: NDArray[np.int32]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Which triangles are seen from far away in a direction.

    Returns:
        (F,) which are seen, or touch one that is; (F,) which are seen from where their corners run
        counter-clockwise; and (F,) which from behind.

    """
    middle = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
    size = max(float(np.linalg.norm(np.ptp(vertices, axis=0))), 1e-3)
    right = np.cross(way, np.eye(3)[np.abs(way).argmin()])
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(-way, right), -way])
    points = (vertices - middle) @ turn.T + [0.0, 0.0, _FAR * size]
    width = int(min(_MOST_PX, np.ceil(1.15 * size / _PIXEL_M))) + 2
    focal = width / (1.1 * size) * _FAR * size
    camera = PinholeCamera(width, width, focal, focal, 0.5 * (width - 1), 0.5 * (width - 1))
    owner = rasterise(points, faces, camera)[1]
    own = np.zeros(len(faces), dtype=bool)
    own[np.unique(owner[owner >= 0])] = True
    a, b, c = np.moveaxis(points[faces], 1, 0)
    towards = np.einsum('ij,ij->i', np.cross(b - a, c - a), a) < 0.0
    touched = np.zeros(len(vertices), dtype=bool)
    touched[faces[own]] = True
    return np.asarray(touched[faces].any(axis=1)), own & towards, own & ~towards


def _facet(
    vertices: Floats,
    faces: NDArray[np.int32],
    mask: NDArray[np.bool_],
    sides: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    first: int,
) -> Facet:
    """Put together the triangles of a mask (F,), with the sides (F,), (F,) that they show."""
    front, back = sides
    hidden = ~(front | back)  # too small to be in a pixel; they may come to sight from any side
    one, other = np.flatnonzero(mask & (front | hidden)), np.flatnonzero(mask & (back | hidden))
    chosen = np.concatenate([faces[one], faces[other][:, ::-1]])
    number = np.concatenate([one, other])
    used, place = np.unique(chosen, return_inverse=True)
    return Facet(
        vertices[used],
        place.reshape(-1, 3).astype(np.int32),
        number.astype(np.int32) + np.int32(first),
    )
