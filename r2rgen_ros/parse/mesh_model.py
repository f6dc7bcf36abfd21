# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A user's mesh of an object, found in what was seen of it, and taken for the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.errors import R2RGenError, check_array, require
from r2rgen_ros.parse.completion import MESH, SEEN, Completed
from r2rgen_ros.parse.fusion import VOXEL_M
from r2rgen_ros.parse.mesh_search import EXPLAINED_M, MeshSearch
from r2rgen_ros.robots.mesh_files import read_mesh

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.parse.carving import Space
    from r2rgen_ros.parse.closing import Resting
    from r2rgen_ros.parse.fusion import Seen
    from r2rgen_ros.robots.paint import Paint

    Floats = NDArray[np.float64]

UNITS = {'metres': 1.0, 'millimetres': 1e-3, 'centimetres': 1e-2}

_USUAL_RATIO = 1.2  # a half-seen thing is a little larger than what was seen of it
_MOST_RATIO = 3.0
_REFINED = 8
_SAMPLES = 6000


@dataclass(frozen=True)
class Mesh:
    """Triangles with colours.

    Attributes:
        vertices: (V, 3) in the unit of the file.
        faces: (F, 3) indices, counter-clockwise seen from outside.
        paint: Colours of the triangles; None where nothing is known of them.

    """

    vertices: Floats
    faces: NDArray[np.int64]
    paint: Paint | None = None

    def __post_init__(self) -> None:
        """Check shapes and indices."""
        vertices = check_array('the vertices of the mesh', self.vertices, (None, 3))
        faces = check_array('the faces of the mesh', self.faces, (None, 3), np.int64)
        require(len(faces) > 0, 'the mesh has no triangles')
        inside = faces.min() >= 0 and faces.max() < len(vertices)
        require(inside, f'faces name vertices up to {faces.max()}', f'less than {len(vertices)}')
        if self.paint is not None:
            have = len(self.paint)
            require(have == len(faces), f'{have} triangles have colours', f'{len(faces)}')
        object.__setattr__(self, 'vertices', vertices)
        object.__setattr__(self, 'faces', faces)

    @classmethod
    def load(cls, path: Path) -> Mesh:
        """Read a mesh with the colours of its vertices or faces, materials or textures.

        Args:
            path: A PLY, OBJ, STL or COLLADA file; the mesh is in its unit.

        Raises:
            R2RGenError: The file cannot be read, or holds no triangles.

        """
        surface = read_mesh(path, painted=True)
        return cls(surface.vertices, surface.faces.astype(np.int64), surface.paint)

    @property
    def remark(self) -> str:
        """What a person should know: which of the files with its colours are missing; or ''."""
        lost = () if self.paint is None else self.paint.missing
        if not lost:
            return ''
        return (
            f'colours of the mesh are missing, for {", ".join(lost)} cannot be read: sides that '
            'were not seen take the colour of those that were; to fix: put it where the mesh says'
        )

    def sample(self, count: int) -> tuple[Floats, Floats, Floats]:
        """Draw points evenly from the surface.

        Returns:
            (count, 3) points, (count, 3) unit normals, and (count, 3) colours from 0 to 255, NaN
            where the mesh has none.

        """
        corners = self.vertices[self.faces]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        doubled = np.linalg.norm(across, axis=1)
        require(float(doubled.sum()) > 0.0, 'the triangles of the mesh have no area')
        rng = np.random.default_rng(np.random.SeedSequence([0, count]))
        # Evenly along the summed area rather than at random: fewer gaps.
        at = (np.arange(count) + rng.random(count)) / count * doubled.sum()
        face = np.minimum(np.searchsorted(np.cumsum(doubled), at), len(doubled) - 1)
        u, v = rng.random((2, count))
        over = u + v > 1.0
        u, v = np.where(over, 1.0 - u, u), np.where(over, 1.0 - v, v)
        share = np.column_stack([1.0 - u - v, u, v])
        points = np.einsum('nk,nki->ni', share, corners[face])
        normals = across[face] / np.maximum(doubled[face, None], 1e-30)
        if self.paint is None:
            return points, normals, np.full((count, 3), np.nan)
        return points, normals, self.paint.at(face, share)

    def scaled(self, scale: float) -> Mesh:
        """Return the mesh with its vertices times a number."""
        return Mesh(self.vertices * scale, self.faces, self.paint)


@dataclass(frozen=True)
class MeshFit:
    """Where a mesh is in what was seen.

    Attributes:
        mesh: The mesh in metres, in its own frame.
        mesh2object: (4, 4) pose in the object's frame.
        unit: The unit that the file was taken to be in: a key of `UNITS`.
        residual: Median distance of the points explained from the mesh, metres.
        explained: Share of the points seen that lie on the mesh.
        violation: Share of the mesh that lies in space that was looked through.

    """

    mesh: Mesh
    mesh2object: Floats
    unit: str
    residual: float
    explained: float
    violation: float

    @property
    def is_trusted(self) -> bool:
        """Whether the mesh is that object, as far as the data tell."""
        return self.explained >= 0.7 and self.violation <= 0.1


def unit_of(mesh: Mesh, seen: Seen) -> str:
    """Guess the unit of a mesh from the size of what was seen.

    Returns:
        A key of `UNITS`.

    Raises:
        R2RGenError: In no unit is it about as large as what was seen.

    """
    size = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    low, high = np.quantile(seen.points, [0.005, 0.995], axis=0)
    have = float(np.linalg.norm(high - low))
    off = {
        name: abs(float(np.log(max(size * scale, 1e-12) / (_USUAL_RATIO * have))))
        for name, scale in UNITS.items()
    }
    best = min(off, key=lambda name: off[name])
    if off[best] > np.log(_MOST_RATIO):
        raise R2RGenError(
            f'the mesh is {size:.4g} units across and the object seen {have:.3f} m',
            'a mesh of that object in metres or millimetres',
            'check which mesh belongs to which object',
        )
    return best


def register_mesh(
    mesh: Mesh, seen: Seen, space: Space | None = None, resting: Resting | None = None
) -> MeshFit:
    """Find a mesh in what was seen of an object; `MeshSearch` says how.

    Args:
        mesh: The mesh, in metres, centimetres or millimetres.
        seen: What was seen, in the object's frame.
        space: What is free around it; None where unknown.
        resting: The plane it stands on; None where unknown, which takes more starts.

    Returns:
        The best fit; ask `is_trusted` before using it.

    Raises:
        R2RGenError: Nothing was seen, or the mesh is of another size.

    """
    require(len(seen.cloud) >= 20, f'{len(seen.cloud)} points were seen', '20 or more')
    unit = unit_of(mesh, seen)
    metric = mesh.scaled(UNITS[unit])
    search = MeshSearch(metric.vertices, *metric.sample(_SAMPLES)[:2], seen, space)
    starts = search.starts(resting)
    ranked = sorted(range(len(starts)), key=lambda k: search.coarse(starts[k]))
    fits = []
    for k in ranked[:_REFINED]:
        pose = search.refine(starts[k])
        residual, explained, violation = search.judge(pose)
        fits.append(MeshFit(metric, pose, unit, residual, explained, violation))
    return max(fits, key=lambda fit: fit.explained - 2.0 * fit.violation)


def complete_with_mesh(fit: MeshFit, seen: Seen) -> Completed:
    """Take the surface of a registered mesh for the object.

    What was seen has the colours that were seen, for the light of the scene is in them; the rest
    has those of the mesh, or, where it has none, the median of what was seen.

    Args:
        fit: Where the mesh is.
        seen: What was seen of the object.

    """
    corners = fit.mesh.vertices[fit.mesh.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = 0.5 * float(np.linalg.norm(across, axis=1).sum())
    count = int(np.clip(3.0 * area / VOXEL_M**2, 1000, 400_000))
    points, normals, colours = fit.mesh.sample(count)
    points, normals = se3.apply(fit.mesh2object, points), normals @ fit.mesh2object[:3, :3].T
    keys = np.floor(points / VOXEL_M).astype(np.int64)
    keep = np.sort(np.unique(keys, axis=0, return_index=True)[1])
    points, normals, colours = points[keep], normals[keep], colours[keep]
    distances, nearest = cKDTree(seen.points).query(points)
    facing = np.ones(len(points), dtype=bool)
    if seen.is_oriented:
        facing = (normals * seen.normals[nearest]).sum(axis=1) > 0.0
    was_seen = (distances < EXPLAINED_M) & facing
    plain = np.median(seen.cloud.colours, axis=0)
    colours = np.where(np.isfinite(colours), colours, plain)
    colours = np.where(was_seen[:, None], seen.cloud.colours[nearest], colours)
    cloud = Cloud.from_arrays(points, np.round(np.clip(colours, 0.0, 255.0)))
    kinds = np.where(was_seen, SEEN, MESH).astype(np.uint8)
    return Completed(cloud, normals, kinds, float(was_seen.mean()), ('mesh',))
