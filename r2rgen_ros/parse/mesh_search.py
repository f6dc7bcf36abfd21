# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a mesh may be in what was seen of an object: starts, registration, and its judgement.

Many starts, because registration only finds the nearest optimum: every pose that the mesh can stand
in, turned all around; without a plane to stand on, every pose that lays a flat side of the mesh on
a flat side that was seen, and turns all over the sphere. The best go on to point-to-plane ICP (Chen
and Medioni, 1992). A fit is judged by what was seen that it explains, and by how much of it lies in
space looked through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.polygon import convex_hull

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.parse.carving import Space
    from r2rgen_ros.parse.closing import Resting
    from r2rgen_ros.parse.fusion import Seen

    Floats = NDArray[np.float64]

EXPLAINED_M = 0.004
"""What was seen this close to the mesh is on it."""

_SIDES = 12
_YAWS = 24
_SEEN_SAMPLE = 1200
_COARSE_SAMPLE = 250
_ROUNDS = 30
_FAR_M, _NEAR_M = 0.02, 0.006
_AGREES = 0.3
_SHOWN = 0.3
"""Cosine to the line of sight from which on a side is surely seen. A camera above a block sees its
top alone: with every side counted that does not face away, tilted by noise, the block would be laid
half its height too high, in the free space above it.
"""
_FLAT = 0.95
_LEAST_FLAT = 0.15


class MeshSearch:
    """One mesh and what was seen, ready to be compared.

    Args:
        vertices: (V, 3) of the mesh, metres.
        surface: (M, 3) points spread evenly over it.
        normals: (M, 3) unit normals of these.
        seen: What was seen, in the object's frame.
        space: What is free around it; None where unknown.

    """

    def __init__(
        self, vertices: Floats, surface: Floats, normals: Floats, seen: Seen, space: Space | None
    ) -> None:
        self.vertices, self.surface, self.normals, self.space = vertices, surface, normals, space
        self.tree = cKDTree(self.surface)
        self.seen, self.facing = seen.points, seen.normals
        chosen = np.unique(np.linspace(0, len(self.seen) - 1, _SEEN_SAMPLE).astype(int))
        self.some, self.some_facing = self.seen[chosen], self.facing[chosen]
        self.few = self.some[:: max(1, len(self.some) // _COARSE_SAMPLE)]
        self.oriented = seen.is_oriented
        self.low, self.high = np.quantile(self.seen, [0.01, 0.99], axis=0)

    def starts(self, resting: Resting | None) -> list[Floats]:
        """Poses (4, 4) to begin from; `resting` is the plane it stands on, None where unknown."""
        if resting is not None:
            downs = _sides(self.vertices, stands=True)
            turns = [turn for down in downs for turn in _turns(down, -resting.up)]
            return [self._beside(turn, resting, _SHOWN) for turn in turns]
        turns = list(Rotation.create_group('I').as_matrix())
        flat = self._flat_side()
        if flat is not None:
            for side in _sides(self.vertices, stands=False):
                turns += _turns(side, flat)
        return [self._beside(turn, None, shown) for shown in (_SHOWN, 0.0) for turn in turns]

    def _flat_side(self) -> Floats | None:
        """The direction (3,) that the largest flat part of what was seen faces; None for none."""
        if not self.oriented:
            return None
        alike = self.some_facing @ self.some_facing.T > _FLAT
        most = int(alike.sum(axis=1).argmax())
        if alike[most].mean() < _LEAST_FLAT:
            return None
        middle = self.some_facing[alike[most]].mean(axis=0)
        return np.asarray(middle / np.linalg.norm(middle))

    def _beside(self, turn: Floats, resting: Resting | None, shown: float) -> Floats:
        """A turned mesh laid where what can be seen of it is about where things were seen.

        Seen are sides whose cosine to the line of sight is more than `shown`.
        """
        points = self.surface @ turn.T
        if self.oriented:
            towards = self.facing.mean(axis=0)
            towards = towards / max(float(np.linalg.norm(towards)), 1e-9)
            visible = self.normals @ turn.T @ towards > shown
            points = points[visible] if visible.sum() > 20 else points
        shift = 0.5 * (self.low + self.high - points.min(axis=0) - points.max(axis=0))
        if resting is not None:
            bottom = float((self.vertices @ turn.T @ resting.up).min())
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
        on = (distances < 2.0 * EXPLAINED_M) & (away < EXPLAINED_M)
        if self.oriented:
            on &= ((self.some_facing @ pose[:3, :3]) * normals).sum(axis=1) > _AGREES
        violation = 0.0
        if self.space is not None:
            violation = float(self.space.free(se3.apply(pose, self.surface[::3])).mean())
        residual = float(np.median(away[on])) if on.any() else float('inf')
        return residual, float(on.mean()), violation


def _turns(a: Floats, b: Floats) -> list[Floats]:
    """Rotations (3, 3) that turn a direction onto another one, all around it."""
    level = Rotation.align_vectors(b[None], a[None])[0].as_matrix()
    return list(se3.rotation_about(b, np.arange(_YAWS) * (2 * np.pi / _YAWS)) @ level)


def _sides(vertices: Floats, *, stands: bool) -> list[Floats]:
    """Directions (3,) of sides of the convex hull, the largest first, none like another.

    Args:
        vertices: (V, 3) of the mesh.
        stands: Whether only those are wanted that it can stand on: the middle lies above them.

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
    slack = 0.01 * float(np.linalg.norm(np.ptp(vertices, axis=0)))
    outer = vertices[hull.vertices]
    normals = hull.equations[:, :3]
    _, first, owner = np.unique(
        np.round(normals, 2), axis=0, return_index=True, return_inverse=True
    )
    total = np.bincount(owner.reshape(-1), areas)
    out: list[Floats] = []
    for group in np.argsort(-total, kind='stable'):
        side = normals[first[group]]
        if any(side @ other > 0.985 for other in out):
            continue
        depth = outer @ side
        if not stands or _stands_on(outer[depth > depth.max() - slack], middle, side, slack):
            out.append(side)
        if len(out) == _SIDES:
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
