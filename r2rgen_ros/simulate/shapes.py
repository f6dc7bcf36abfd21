# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Triangle meshes of turned shapes: what is seen, and the convex pieces that collide.

A vessel is described by the stations of its wall, each (height, outer radius, inner radius), so
that the mesh that is seen and the pieces that collide come from the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

Station = tuple[float, float, float]


@dataclass(frozen=True)
class Mesh:
    """Triangles.

    Attributes:
        vertices: (V, 3) metres.
        faces: (F, 3) indices, counter-clockwise seen from outside.

    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]


def revolve(profile: ArrayLike, segments: int = 64) -> Mesh:
    """Turn a closed outline about the z axis.

    Args:
        profile: (K, 2) radius and height of the corners in order, counter-clockwise in the
            half-plane (radius to the right, height up); the last joins the first.
        segments: Number of facets around the axis.

    Returns:
        A closed mesh.

    """
    outline = np.asarray(profile, dtype=np.float64)
    angle = np.arange(segments) * (2.0 * np.pi / segments)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    vertices = np.concatenate(
        [np.column_stack([ring * radius, np.full(segments, height)]) for radius, height in outline]
    )
    faces = []
    here = np.arange(segments)
    after = (here + 1) % segments
    for low, high in pairwise([*range(len(outline)), 0]):
        if outline[low, 0] > 0.0:
            faces.append(
                np.column_stack(
                    [low * segments + here, low * segments + after, high * segments + here]
                )
            )
        if outline[high, 0] > 0.0:
            faces.append(
                np.column_stack(
                    [low * segments + after, high * segments + after, high * segments + here]
                )
            )
    return Mesh(vertices, np.concatenate(faces).astype(np.int32))


def vessel(stations: Sequence[Station], floor: float, segments: int = 64) -> Mesh:
    """Mesh of an open vessel: a solid floor up to a height, then a wall.

    Args:
        stations: (height, outer radius, inner radius), rising from height 0.
        floor: Thickness of the floor, metres; inside the vessel the first station's inner radius
            applies at this height.
        segments: Number of facets around the axis.

    """
    outside = [(outer, height) for height, outer, _ in stations]
    inside = [(inner, max(height, floor)) for height, _, inner in reversed(stations)]
    return revolve([(0.0, 0.0), *outside, *inside, (0.0, floor)], segments)


def wall_pieces(stations: Sequence[Station], sectors: int = 24) -> list[NDArray[np.float64]]:
    """Convex pieces (8, 3) of a vessel's wall: one per sector and pair of stations."""
    edges = np.arange(sectors + 1) * (2.0 * np.pi / sectors)
    # Corners on the circle would put the facets inside it: meet the circle half-way.
    grow = 2.0 / (1.0 + np.cos(np.pi / sectors))
    out = []
    for (z0, outer0, inner0), (z1, outer1, inner1) in pairwise(stations):
        for a, b in pairwise(edges):
            out.append(
                np.array(
                    [
                        [grow * r * np.cos(angle), grow * r * np.sin(angle), z]
                        for z, radii in ((z0, (inner0, outer0)), (z1, (inner1, outer1)))
                        for r in radii
                        for angle in (a, b)
                    ]
                )
            )
    return out


def bent_tube(
    centre: ArrayLike, radius: float, thickness: float, span: tuple[float, float]
) -> tuple[Mesh, NDArray[np.float64]]:
    """Mesh and centre line of a tube bent along an arc in the x-z plane, such as a handle.

    Args:
        centre: (3,) centre of the arc, metres.
        radius: Radius of the arc, metres.
        thickness: Radius of the tube, metres.
        span: First and last angle from +x towards +z, radians.

    Returns:
        The mesh, open at both ends, and its centre line (9, 3).

    """
    middle = np.asarray(centre, dtype=np.float64)
    along = np.linspace(*span, 25)
    outward = np.stack([np.cos(along), np.zeros_like(along), np.sin(along)], axis=1)
    around = np.arange(16) * (2.0 * np.pi / 16)
    rings = middle + outward[:, None] * (radius + thickness * np.cos(around))[None, :, None]
    rings[..., 1] += thickness * np.sin(around)
    i, j = np.meshgrid(np.arange(24), np.arange(16), indexing='ij')
    here, turn = i * 16 + j, i * 16 + (j + 1) % 16
    faces = np.concatenate(
        [
            np.stack([here, turn, here + 16], axis=-1).reshape(-1, 3),
            np.stack([turn, turn + 16, here + 16], axis=-1).reshape(-1, 3),
        ]
    )
    line = middle + radius * outward[::3]
    return Mesh(rings.reshape(-1, 3), faces.astype(np.int32)), line


def stick(start: ArrayLike, end: ArrayLike, radius: float, segments: int = 32) -> Mesh:
    """Mesh of a straight round stick with rounded ends, such as a peg.

    Args:
        start: (3,) middle of the ball at one end, metres.
        end: (3,) middle of the ball at the other end, metres.
        radius: Radius of the stick and of the balls, metres.
        segments: Number of facets around the axis.

    """
    first, last = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    length = float(np.linalg.norm(last - first))
    bend = np.linspace(0.0, 0.5 * np.pi, 7)
    ball = radius * np.stack([np.cos(bend), np.sin(bend)], axis=1)
    ball[-1, 0] = 0.0  # exactly on the axis
    low, high = ball[::-1] * [1.0, -1.0], ball + np.array([0.0, length])
    upright = revolve(np.concatenate([low, high]), segments)
    turn, _ = Rotation.align_vectors([last - first], [[0.0, 0.0, length]])
    return Mesh(turn.apply(upright.vertices) + first, upright.faces)
