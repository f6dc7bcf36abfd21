# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a parsed virtual demonstration is compared with: true surfaces, the empty room, clicks."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import ConvexHull

from r2rgen_ros.model.scene import FIRST_OBJECT
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.objects import Box, Cylinder, Piece, Rod
from r2rgen_ros.simulate.shapes import Mesh
from r2rgen_ros.simulate.tasks import make_task
from r2rgen_ros.simulate.world import State, World

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.simulate.ground_truth import GroundTruth
    from r2rgen_ros.simulate.objects import Solid, Thing

    Floats = NDArray[np.float64]

SYMMETRIC = ('bottle', 'plate', 'bowl')
"""Objects that look the same however they are turned about their z axis."""
LEAST_PIXELS = 100
_THING_SPACING_M = 0.0015
_ROBOT_SPACING_M = 0.003
_OUTWARDS_M = 0.001
_INSIDE_M = 2e-4
_FROM_EDGE = 4.0
_CUBE = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
_CUBE_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


@cache
def things_of(task: str) -> dict[str, Thing]:
    """Return the objects of a task by name; they do not depend on the seed."""
    made = make_task(task, np.random.default_rng(0))
    return {thing.name: thing for thing in made.things}


@cache
def thing_surface(thing: Thing) -> Floats:
    """Return points (N, 3) spread evenly over the outside of an object, its own frame, metres.

    Faces within another part of the object, such as the end of a handle in the wall of a mug, are
    left out, and where two lie on each other, as under a label, one counts.
    """
    rng = np.random.default_rng(0)
    parts = []
    for look, _ in thing.looks:
        points, normals = sample(*_triangles(look), 0.5 * _THING_SPACING_M, rng)
        before = points + _OUTWARDS_M * normals
        covered = np.any([_inside(solid, before) for solid in thing.solids], axis=0)
        parts.append(points[~covered])
    everywhere = np.concatenate(parts)
    cells = np.floor(everywhere / _THING_SPACING_M).astype(np.int64)
    return np.asarray(everywhere[np.unique(cells, axis=0, return_index=True)[1]])


def sample(
    vertices: Floats, faces: NDArray[np.int32], spacing: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw points (N, 3) and normals (N, 3) on triangles, one per `spacing` squared on average."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    double = np.linalg.norm(normal, axis=1)
    count = max(1, round(0.5 * float(double.sum()) / spacing**2))
    # Evenly spaced places along the summed area: no triangle gets many more than its share.
    ends = np.cumsum(double) / double.sum()
    which = np.minimum(np.searchsorted(ends, (np.arange(count) + 0.5) / count), len(faces) - 1)
    u, v = rng.random((2, count, 1))
    u, v = np.where(u + v > 1.0, 1.0 - u, u), np.where(u + v > 1.0, 1.0 - v, v)
    points = a[which] + u * (b - a)[which] + v * (c - a)[which]
    return points, normal[which] / double[which, None]


def robot_surface(joints: Floats) -> Floats:
    """Return points (N, 3) on the robot in a pose (9,), base frame, metres."""
    world = World([])
    at_rest = np.zeros(len(joints))
    world.restore(State(0.0, np.asarray(joints), at_rest, at_rest))
    model, data = world.model, world.data
    rng = np.random.default_rng(0)
    parts = []
    for geom in np.flatnonzero(model.geom_group == panda.ROBOT_GROUP):
        points, _ = sample(*_mesh_of(model, int(geom)), _ROBOT_SPACING_M, rng)
        turn = data.geom_xmat[geom].reshape(3, 3)
        parts.append(points @ turn.T + data.geom_xpos[geom])
    return np.concatenate(parts)


@cache
def empty_room() -> NDArray[np.float32]:
    """Return the exact depth (H, W) without robot and objects; NaN outside the sensor's range."""
    with Eye(World([]), robot=False) as eye:
        return eye.depth()


def click(truth: GroundTruth, k: int, rng: np.random.Generator) -> tuple[int, tuple[int, int]]:
    """Draw where a person would click on an object: in view, and not on its rim.

    Args:
        truth: The truth.
        k: Number of the object.
        rng: Draws one of the pixels.

    Returns:
        The frame, which is the first unless the object is hidden there, and (u, v).

    """
    sizes = (truth.labels == FIRST_OBJECT + k).sum(axis=(1, 2))
    seen = np.flatnonzero(sizes > LEAST_PIXELS)
    frame = int(seen[0]) if seen.size else int(sizes.argmax())
    mask = np.pad(truth.labels[frame] == FIRST_OBJECT + k, 1)
    inwards = distance_transform_edt(mask)[1:-1, 1:-1]
    v, u = np.nonzero(inwards >= min(_FROM_EDGE, 0.6 * float(inwards.max())))
    chosen = int(rng.integers(len(u)))
    return frame, (int(u[chosen]), int(v[chosen]))


def _triangles(look: Mesh | Solid) -> tuple[Floats, NDArray[np.int32]]:
    if isinstance(look, Mesh):
        return look.vertices, look.faces
    assert isinstance(look, Box)
    return np.array(look.middle) + _CUBE * np.array(look.half), _CUBE_FACES.astype(np.int32)


def _mesh_of(model: Any, geom: int) -> tuple[Floats, NDArray[np.int32]]:
    mesh = model.geom_dataid[geom]
    vertex, face = model.mesh_vertadr[mesh], model.mesh_faceadr[mesh]
    return (
        model.mesh_vert[vertex : vertex + model.mesh_vertnum[mesh]].astype(np.float64),
        model.mesh_face[face : face + model.mesh_facenum[mesh]],
    )


def _inside(solid: Solid, points: Floats) -> NDArray[np.bool_]:
    """Which points (N, 3) lie more than a hair within a solid."""
    if isinstance(solid, Box):
        away = np.abs(points - solid.middle) - np.array(solid.half)
        return np.asarray(away.max(axis=1) < -_INSIDE_M)
    if isinstance(solid, Cylinder):
        aside = np.hypot(points[:, 0], points[:, 1]) - solid.radius
        along = np.maximum(solid.bottom - points[:, 2], points[:, 2] - solid.top)
        return np.asarray(np.maximum(aside, along) < -_INSIDE_M)
    if isinstance(solid, Rod):
        start, line = np.array(solid.start), np.array(solid.end) - solid.start
        share = np.clip((points - start) @ line / (line @ line), 0.0, 1.0)
        gap = np.linalg.norm(points - start - share[:, None] * line, axis=1)
        return np.asarray(gap < solid.radius - _INSIDE_M)
    assert isinstance(solid, Piece)
    planes = ConvexHull(solid.vertices).equations
    return np.asarray((points @ planes[:, :3].T + planes[:, 3]).max(axis=1) < -_INSIDE_M)
