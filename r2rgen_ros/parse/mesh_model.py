# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A user's mesh of an object, found in what was seen of it.

Many starts, because registration only finds the nearest optimum: every pose that the mesh can stand
in, turned all around; the best go on to point-to-plane ICP (Chen and Medioni, 1992). A fit is
judged by what was seen that it explains, and by how much of it lies in space looked through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.polygon import convex_hull
from r2rgen_ros.model.errors import R2RGenError, check_array, require
from r2rgen_ros.parse.completion import MESH, SEEN, Completed
from r2rgen_ros.parse.fusion import VOXEL_M

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.parse.carving import Space
    from r2rgen_ros.parse.closing import Resting
    from r2rgen_ros.parse.fusion import Seen

    Floats = NDArray[np.float64]

UNITS = {'metres': 1.0, 'millimetres': 1e-3, 'centimetres': 1e-2}

_USUAL_RATIO = 1.2  # a half-seen thing is a little larger than what was seen of it
_MOST_RATIO = 3.0
_STANDS = 12
_YAWS = 24
_REFINED = 8
_SAMPLES = 6000
_SEEN_SAMPLE = 1200
_COARSE_SAMPLE = 250
_ROUNDS = 30
_FAR_M, _NEAR_M = 0.02, 0.006
_EXPLAINED_M = 0.004
_AGREES = 0.3


@dataclass(frozen=True)
class Mesh:
    """Triangles with colours.

    Attributes:
        vertices: (V, 3) in the unit of the file.
        faces: (F, 3) indices, counter-clockwise seen from outside.
        colours: (V, 3) uint8 per vertex; None where the file has none.

    """

    vertices: Floats
    faces: NDArray[np.int64]
    colours: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        """Check shapes and indices."""
        vertices = check_array('the vertices of the mesh', self.vertices, (None, 3))
        faces = check_array('the faces of the mesh', self.faces, (None, 3), np.int64)
        require(len(faces) > 0, 'the mesh has no triangles')
        inside = faces.min() >= 0 and faces.max() < len(vertices)
        require(inside, f'faces name vertices up to {faces.max()}', f'less than {len(vertices)}')
        if self.colours is not None:
            check_array('the colours of the mesh', self.colours, (len(vertices), 3), np.uint8)
        object.__setattr__(self, 'vertices', vertices)
        object.__setattr__(self, 'faces', faces)

    def sample(self, count: int) -> tuple[Floats, Floats, Floats | None]:
        """Draw points evenly from the surface.

        Returns:
            (count, 3) points, (count, 3) unit normals, and (count, 3) colours or None.

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
        if self.colours is None:
            return points, normals, None
        colours = self.colours.astype(np.float64)[self.faces[face]]
        return points, normals, np.einsum('nk,nki->ni', share, colours)

    def scaled(self, scale: float) -> Mesh:
        """Return the mesh with its vertices times a number."""
        return Mesh(self.vertices * scale, self.faces, self.colours)


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
    """Find a mesh in what was seen of an object.

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
    search = _Search(mesh.scaled(UNITS[unit]), seen, space)
    starts = search.starts(resting)
    ranked = sorted(range(len(starts)), key=lambda k: search.coarse(starts[k]))
    fits = []
    for k in ranked[:_REFINED]:
        pose = search.refine(starts[k])
        residual, explained, violation = search.judge(pose)
        fits.append(MeshFit(search.mesh, pose, unit, residual, explained, violation))
    return max(fits, key=lambda fit: fit.explained - 2.0 * fit.violation)


def complete_with_mesh(fit: MeshFit, seen: Seen) -> Completed:
    """The surface of a registered mesh as the object; colours from it, or what was seen nearest."""
    corners = fit.mesh.vertices[fit.mesh.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = 0.5 * float(np.linalg.norm(across, axis=1).sum())
    count = int(np.clip(3.0 * area / VOXEL_M**2, 1000, 400_000))
    points, normals, colours = fit.mesh.sample(count)
    points, normals = se3.apply(fit.mesh2object, points), normals @ fit.mesh2object[:3, :3].T
    keys = np.floor(points / VOXEL_M).astype(np.int64)
    keep = np.sort(np.unique(keys, axis=0, return_index=True)[1])
    points, normals = points[keep], normals[keep]
    distances, nearest = cKDTree(seen.points).query(points)
    facing = np.ones(len(points), dtype=bool)
    if seen.is_oriented:
        facing = (normals * seen.normals[nearest]).sum(axis=1) > 0.0
    was_seen = (distances < _EXPLAINED_M) & facing
    shown = seen.cloud.colours[nearest].astype(np.float64) if colours is None else colours[keep]
    cloud = Cloud.from_arrays(points, np.round(np.clip(shown, 0, 255)))
    kinds = np.where(was_seen, SEEN, MESH).astype(np.uint8)
    return Completed(cloud, normals, kinds, float(was_seen.mean()), ('mesh',))


class _Search:
    """One mesh, in metres, and what was seen, ready to be compared."""

    def __init__(self, mesh: Mesh, seen: Seen, space: Space | None) -> None:
        self.mesh, self.space = mesh, space
        self.surface, self.normals, _ = mesh.sample(_SAMPLES)
        self.tree = cKDTree(self.surface)
        self.seen, self.facing = seen.points, seen.normals
        chosen = np.unique(np.linspace(0, len(self.seen) - 1, _SEEN_SAMPLE).astype(int))
        self.some, self.some_facing = self.seen[chosen], self.facing[chosen]
        self.few = self.some[:: max(1, len(self.some) // _COARSE_SAMPLE)]
        self.oriented = seen.is_oriented
        self.low, self.high = np.quantile(self.seen, [0.01, 0.99], axis=0)

    def starts(self, resting: Resting | None) -> list[Floats]:
        """Poses (4, 4) to begin from."""
        if resting is None:
            turns = Rotation.create_group('I').as_matrix()
            return [self._beside(turn, None) for turn in turns]
        out = []
        for down in _stands(self.mesh.vertices):
            level, _ = Rotation.align_vectors(-resting.up[None], down[None])
            turns = se3.rotation_about(resting.up, np.arange(_YAWS) * (2 * np.pi / _YAWS))
            out += [self._beside(turn @ level.as_matrix(), resting) for turn in turns]
        return out

    def _beside(self, turn: Floats, resting: Resting | None) -> Floats:
        """A turned mesh laid where what can be seen of it is about where things were seen."""
        points = self.surface @ turn.T
        if self.oriented:
            towards = self.facing.mean(axis=0)
            visible = self.normals @ turn.T @ towards > 0.0
            points = points[visible] if visible.sum() > 20 else points
        shift = 0.5 * (self.low + self.high - points.min(axis=0) - points.max(axis=0))
        if resting is not None:
            bottom = float((self.mesh.vertices @ turn.T @ resting.up).min())
            shift = shift + (resting.height - bottom - shift @ resting.up) * resting.up
        return se3.compose(turn, shift)

    def coarse(self, pose: Floats) -> float:
        """Cost of a start: distance of what was seen, and what of the mesh is in free space."""
        local = se3.apply(se3.inverse(pose), self.few)
        distances = self.tree.query(local, distance_upper_bound=_FAR_M)[0]
        cost = float(np.minimum(distances, _FAR_M).mean()) / _FAR_M
        if self.space is not None:
            cost += float(self.space.free(se3.apply(pose, self.surface[::12])).mean())
        return cost

    def refine(self, pose: Floats) -> Floats:
        """Point-to-plane ICP with a reach that shrinks."""
        for reach in np.geomspace(_FAR_M, _NEAR_M, _ROUNDS):
            local = se3.apply(se3.inverse(pose), self.some)
            distances, found = self.tree.query(local, distance_upper_bound=reach)
            index = np.asarray(found)
            good = np.isfinite(distances)
            normals = self.normals[np.minimum(index, len(self.normals) - 1)]
            if self.oriented:
                turned = self.some_facing @ pose[:3, :3]
                good &= (turned * normals).sum(axis=1) > _AGREES
            if good.sum() < 12:
                return pose
            normals, local = normals[good], local[good]
            errors = (normals * (local - self.surface[index[good]])).sum(axis=1)
            jacobian = np.hstack([normals, np.cross(local, normals)])
            weight = 1.0 / (1.0 + (errors / 0.003) ** 2)
            weighted = jacobian * weight[:, None]
            # Damped, because a thing of revolution may turn freely about its axis.
            matrix = jacobian.T @ weighted + np.diag([1e-3] * 3 + [1e-6] * 3)
            step = np.linalg.solve(matrix, weighted.T @ errors)
            turn = Rotation.from_rotvec(step[3:]).as_matrix()
            pose = pose @ se3.compose(turn, step[:3])
        turn = Rotation.from_matrix(pose[:3, :3]).as_matrix()
        return se3.compose(turn, pose[:3, 3])

    def judge(self, pose: Floats) -> tuple[float, float, float]:
        """Residual, share explained and violation of a pose."""
        local = se3.apply(se3.inverse(pose), self.some)
        distances, index = self.tree.query(local)
        normals = self.normals[index]
        away = np.abs((normals * (local - self.surface[index])).sum(axis=1))
        on = (distances < 2.0 * _EXPLAINED_M) & (away < _EXPLAINED_M)
        if self.oriented:
            on &= ((self.some_facing @ pose[:3, :3]) * normals).sum(axis=1) > _AGREES
        violation = 0.0
        if self.space is not None:
            violation = float(self.space.free(se3.apply(pose, self.surface[::3])).mean())
        residual = float(np.median(away[on])) if on.any() else float('inf')
        return residual, float(on.mean()), violation


def _stands(vertices: Floats) -> list[Floats]:
    """Directions (3,) that can be downwards: faces of the hull that the middle lies above.

    The most probable first, by the area of the face.
    """
    try:
        hull = ConvexHull(vertices)
    except (QhullError, ValueError):
        return [sign * np.eye(3)[axis] for axis in range(3) for sign in (-1.0, 1.0)]
    corners = vertices[hull.simplices]
    areas = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    middle = np.average(corners.mean(axis=1), axis=0, weights=np.maximum(areas, 1e-30))
    size = float(np.linalg.norm(np.ptp(vertices, axis=0)))
    outer = vertices[hull.vertices]
    normals = hull.equations[:, :3]
    _, first, owner = np.unique(
        np.round(normals, 2), axis=0, return_index=True, return_inverse=True
    )
    total = np.bincount(owner.reshape(-1), areas)
    out: list[Floats] = []
    for group in np.argsort(-total, kind='stable'):
        down = normals[first[group]]
        if any(down @ other > 0.985 for other in out):
            continue
        depth = outer @ down
        foot = outer[depth > depth.max() - 0.01 * size]
        if _stands_on(foot, middle, down, 0.01 * size):
            out.append(down)
        if len(out) == _STANDS:
            break
    return out or [-np.eye(3)[2]]


def _stands_on(foot: Floats, middle: Floats, down: Floats, slack: float) -> bool:
    """Whether the middle lies above the hull of the foot."""
    axes = np.linalg.svd(down[None])[2][1:]
    polygon = convex_hull(foot @ axes.T)
    edges = np.roll(polygon, -1, axis=0) - polygon
    lengths = np.maximum(np.linalg.norm(edges, axis=1), 1e-12)
    away = (middle @ axes.T - polygon) * np.column_stack([edges[:, 1], -edges[:, 0]])
    return bool((away.sum(axis=1) / lengths).max() <= slack)
