# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fewer triangles for a surface that hardly differs: vertices in cubes become one.

The cubes are those of Rossignac and Borrel ("Multi-resolution 3D approximations for rendering
complex scenes", 1993), and their vertex is where the planes of the triangles meet best (Lindstrom,
"Out-of-core simplification of large polygonal models", 2000), so that edges stay sharp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.robots.surface import Surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]

_LARGER = ((2.0, 0.0), (2.0, 0.5), (4.0, 0.0), (4.0, 0.5))
"""Edges of the cubes, in cells, and how far these are shifted, in their edges."""
_HUES = 12.0  # from 0 to 255: what colours of one cube differ by at most
_FLAT = 0.02  # of the largest eigenvalue: in that direction the planes tell nothing
_TURNED = 0.5  # cosine between the normals of a triangle before and after


def simplified(surface: Surface, cell: float, error: float) -> Surface:
    """Coarsen a surface, further where few planes and one colour describe it.

    All vertices in the smallest cubes become one. Those in a larger cube do where it lies close to
    the planes of all triangles there, and to the planes that stand on their open edges, and turns
    no triangle over.

    Args:
        surface: Triangles; those that become lines or points are dropped.
        cell: Edge of the smallest cubes, above zero, metres.
        error: How far from these planes the vertex of a larger cube may lie, metres.

    """
    group = _cubes(surface.vertices, cell, 0.0)
    surface = _joined(surface, group, _meeting_points(_Planes.of(surface), surface, group, cell))
    for scale, shift in _LARGER:
        group = _cubes(surface.vertices, scale * cell, shift)
        planes = _Planes.of(surface)
        points = _meeting_points(planes, surface, group, scale * cell)
        bad = planes.far_from(points, group, error) | _many_coloured(surface, group)
        joined, place = _taken_apart(surface, group, bad, points)
        turned = _turned(surface, planes.of_faces, place, joined)
        bad[group[surface.faces[turned]]] = True
        joined, place = _taken_apart(surface, group, bad, points)
        surface = _joined(surface, place, joined)
    return surface


@dataclass(frozen=True, eq=False)
class _Planes:
    """Planes that pass through vertices: of triangles, and upright ones on open edges.

    Attributes:
        vertex: (K,) a vertex on each; a plane is there once per corner.
        normal: (K, 3) its normal, of length one, or zero.
        through: (K, 3) a point of it, metres.
        weight: (K,) how much it counts, square metres.
        of_faces: (F, 3) the normals of the triangles.

    """

    vertex: Numbers
    normal: Floats
    through: Floats
    weight: Floats
    of_faces: Floats

    @classmethod
    def of(cls, surface: Surface) -> _Planes:
        vertices, faces = surface.vertices, surface.faces
        a, b, c = np.moveaxis(vertices[faces], 1, 0)
        across = np.cross(b - a, c - a)
        normal = _units(across)
        area = np.linalg.norm(across, axis=1)
        one, other, face = _open_edges(faces)
        along = vertices[other] - vertices[one]
        upright = _units(np.cross(normal[face], along))
        square = np.einsum('ij,ij->i', along, along)
        return cls(
            np.concatenate([*faces.T, one, other]).astype(np.int64),
            np.concatenate([normal, normal, normal, upright, upright]),
            np.concatenate([a, a, a, vertices[one], vertices[one]]),
            np.concatenate([area, area, area, square, square]),
            normal,
        )

    def far_from(self, points: Floats, group: Numbers, error: float) -> NDArray[np.bool_]:
        """Whether the point of each group (G,) is far from a plane through one of its vertices."""
        own = group[self.vertex]
        off = np.abs(np.einsum('ij,ij->i', self.normal, points[own] - self.through)) > error
        out = np.zeros(len(points), dtype=bool)
        out[own[off]] = True
        return out


def _cubes(vertices: Floats, edge: float, shift: float) -> Numbers:
    """The cube (V,) that each vertex is in, numbered from 0 on."""
    keys = np.floor(vertices / edge + shift).astype(np.int64)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)


def _meeting_points(planes: _Planes, surface: Surface, group: Numbers, most: float) -> Floats:
    """Where the planes through the vertices of each group meet best (G, 3).

    That is the point nearest to the mean of the vertices which has the least sum of squared
    distances to the planes; the mean where that is farther away than so much, metres.
    """
    count = int(group.max(initial=-1)) + 1
    many = np.maximum(np.bincount(group, minlength=count), 1)
    sums = [np.bincount(group, column, count) for column in surface.vertices.T]
    mean = np.stack(sums, axis=1) / many[:, None]
    own, normal = group[planes.vertex], planes.normal
    off = planes.weight * np.einsum('ij,ij->i', normal, planes.through - mean[own])
    matrix, right = np.empty((count, 3, 3)), np.empty((count, 3))
    for i in range(3):
        right[:, i] = np.bincount(own, off * normal[:, i], count)
        for j in range(3):
            each = planes.weight * normal[:, i] * normal[:, j]
            matrix[:, i, j] = np.bincount(own, each, count)
    value, vector = np.linalg.eigh(matrix)
    told = value > np.maximum(_FLAT * value[:, 2:], np.finfo(float).tiny)
    inverse = np.where(told, 1.0 / np.where(told, value, 1.0), 0.0)
    step = np.einsum('gij,gj,gkj,gk->gi', vector, inverse, vector, right)
    step[np.abs(step).max(axis=1, initial=0.0) > most] = 0.0
    return np.asarray(mean + step)


def _many_coloured(surface: Surface, group: Numbers) -> NDArray[np.bool_]:
    """Whether the triangles at each group (G,) of vertices have different colours."""
    count = int(group.max(initial=-1)) + 1
    out = np.zeros(count, dtype=bool)
    if surface.paint is None:
        return out
    faces = surface.faces
    thirds = np.full((len(faces), 3), 1.0 / 3.0)
    colours = np.nan_to_num(surface.paint.at(np.arange(len(faces)), thirds), nan=-1.0)
    own = group[faces].reshape(-1)
    for channel in np.repeat(colours, 3, axis=0).T:
        most, least = np.full(count, -np.inf), np.full(count, np.inf)
        np.maximum.at(most, own, channel)
        np.minimum.at(least, own, channel)
        out |= most - least > _HUES
    return out


def _taken_apart(
    surface: Surface, group: Numbers, bad: NDArray[np.bool_], points: Floats
) -> tuple[Floats, Numbers]:
    """Points of groups, vertices of bad ones staying as they are; and the point of each (V,)."""
    apart = bad[group]
    kept = group.copy()
    kept[apart] = len(points) + np.arange(int(apart.sum()))
    used, place = np.unique(kept, return_inverse=True)
    return np.concatenate([points, surface.vertices[apart]])[used], place.reshape(-1)


def _turned(surface: Surface, normal: Floats, place: Numbers, points: Floats) -> NDArray[np.bool_]:
    """Which triangles (F,) turn far if their corners go where they are told (V,), and stay."""
    faces = place[surface.faces]
    a, b, c = np.moveaxis(points[faces], 1, 0)
    now = _units(np.cross(b - a, c - a))
    return np.asarray(_stay(faces) & (np.einsum('ij,ij->i', now, normal) < _TURNED))


def _joined(surface: Surface, place: Numbers, points: Floats) -> Surface:
    """Make one vertex, given (G, 3), of all that share a number (V,) from 0 on."""
    faces = place[surface.faces].astype(np.int32)
    whole = _stay(faces)
    paint = None if surface.paint is None else surface.paint.select(whole)
    return Surface(points, np.ascontiguousarray(faces[whole]), paint)


def _stay(faces: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which triangles (F,) have three different corners."""
    return np.asarray((faces != np.roll(faces, 1, axis=1)).all(axis=1))


def _units(rows: Floats) -> Floats:
    """Rows (N, 3) of length one; zero where they have none."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0.0, length, 1.0))


def _open_edges(faces: NDArray[np.int32]) -> tuple[NDArray[np.int32], ...]:
    """Ends (E,), (E,) of the edges that one triangle has alone, and that triangle (E,)."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    face = np.tile(np.arange(len(faces), dtype=np.int32), 3)
    _, first, many = np.unique(np.sort(ends, axis=1), axis=0, return_index=True, return_counts=True)
    alone = first[many == 1]
    return ends[alone, 0], ends[alone, 1], face[alone]
