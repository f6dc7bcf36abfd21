# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a known surface is in a measured one: point-to-plane ICP about a prior.

The distance of measured points from the tangent planes of the nearest model points is minimised by
Gauss-Newton steps (Chen and Medioni, 1992) with Tukey's weights; a Gaussian prior on the pose holds
the directions that the points say nothing of, such as the turn of a bottle about its axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from r2rgen_ros.parse.fusion import Seen

    Floats = NDArray[np.float64]

_NEIGHBOURS = 16
_VOXEL_M = 0.003
_STEPS = 8
_TUKEY = 4.685
_LEAST_POINTS = 30
_STILL = 1e-4
_RIM = 0.4
_OUTLINE = 0.3


@dataclass(frozen=True)
class Fit:
    """What a registration found.

    Attributes:
        pose: (4, 4) object2base.
        information: (6, 6) of the measurement alone, in the object's own frame: translation
            (per square metre), then rotation vector (per square radian).
        residual: Robust standard deviation of the points from the planes, metres.
        share: Share of the points given that lie on the model.
        count: Number of those points.

    """

    pose: Floats
    information: Floats
    residual: float
    share: float
    count: int


class Surface(Shape):
    """An object's surface to register to.

    Args:
        points: (N, 3) in its own frame.
        normals: (N, 3) unit vectors out of the surface.

    """

    def __init__(self, points: Floats, normals: Floats) -> None:
        super().__init__(points)
        self.normals = normals
        # At a rim the neighbours lie to one side; what is measured beyond it matches no plane.
        count = min(_NEIGHBOURS, len(points))
        reach, index = self.tree.query(points, k=count)
        centre = points[index].reshape(len(points), count, 3).mean(axis=1)
        aside = np.linalg.norm(centre - points, axis=1)
        farthest = np.asarray(reach).reshape(len(points), count)[:, -1]
        self.is_rim = aside > _RIM * np.maximum(farthest, 1e-9)

    @classmethod
    def of(cls, seen: Seen) -> Surface:
        """Take what was fused of an object, thinned."""
        keep = np.flatnonzero(np.linalg.norm(seen.normals, axis=1) > 0.5)
        cells = np.floor(seen.points[keep] / _VOXEL_M)
        keep = keep[np.sort(np.unique(cells, axis=0, return_index=True)[1])]
        return cls(seen.points[keep], seen.normals[keep])


def exp(twist: Floats) -> Floats:
    """Transform (4, 4) of a small motion (6,): translation, then rotation vector."""
    return se3.compose(Rotation.from_rotvec(twist[3:]).as_matrix(), twist[:3])


def log(pose: Floats) -> Floats:
    """The motion (6,) of a transform (4, 4): translation, then rotation vector."""
    return np.concatenate([pose[:3, 3], Rotation.from_matrix(pose[:3, :3]).as_rotvec()])


def register(
    surface: Surface,
    points: Floats,
    start: Floats,
    *,
    sigma: float,
    reach: float,
    prior: Floats | None = None,
    overhang: Callable[[Floats], NDArray[np.int64]] | None = None,
) -> Fit | None:
    """Find the pose at which measured points lie on a surface.

    Args:
        surface: The object's surface.
        points: (N, 3) measured, base frame, metres; others may be among them.
        start: (4, 4) object2base to begin with.
        sigma: Standard deviation of the measured points, metres.
        reach: Farthest that a point may be from the surface at first, metres.
        prior: (6, 6) information of `start` in the object's own frame; None for none.
        overhang: Tells for a pose which points of the surface the camera sees past: they are drawn
            to the measured points, which holds the outline; None not to look.

    Returns:
        The fit; None where fewer than 30 points are near.

    """
    if len(points) < _LEAST_POINTS:
        return None
    pose = np.array(start, dtype=np.float64)
    hold = np.zeros((6, 6)) if prior is None else prior
    floor = 4.0 * sigma
    measured = None if overhang is None else cKDTree(points)
    information, errors = np.zeros((6, 6)), np.zeros(0)
    for step in range(_STEPS):
        limit = max(floor, reach * 0.6**step)
        local = se3.apply(se3.inverse(pose), points)
        distance, index = surface.nearest(local, limit)
        near = np.isfinite(distance)
        rim = np.zeros(len(near), dtype=bool)
        rim[near] = surface.is_rim[index[near]]
        on = np.flatnonzero(near & ~rim)
        if len(on) < _LEAST_POINTS:
            return None
        information, gradient, errors = _linearise(surface, local[on], index[on], sigma)
        pulls = [(local[rim], surface.points[index[rim]])]
        if measured is not None and overhang is not None:
            pulls.append(_past(surface, points, measured, pose, overhang(pose), limit))
        for seen, model in pulls:
            more, slope = _pulled(seen, model, sigma)
            information, gradient = information + more, gradient + slope
        # The prior pulls the sum of all steps back to the start.
        far = log(se3.inverse(pose) @ start)
        twist = np.asarray(
            np.linalg.solve(information + hold + 1e-6 * np.eye(6), gradient + hold @ far),
            dtype=np.float64,
        )
        pose = pose @ exp(twist)
        if np.abs(twist).max() < _STILL and limit <= floor:
            break
    residual = 1.4826 * float(np.median(np.abs(errors)))
    return Fit(_orthonormal(pose), information, residual, len(errors) / len(points), len(errors))


def _linearise(
    surface: Surface, local: Floats, index: NDArray[np.int64], sigma: float
) -> tuple[Floats, Floats, Floats]:
    """Information (6, 6), gradient (6,) and errors (N,) of the distances from tangent planes."""
    normals = surface.normals[index]
    errors = np.einsum('ij,ij->i', normals, local - surface.points[index])
    scale = max(sigma, 1.4826 * float(np.median(np.abs(errors))))
    u = errors / (_TUKEY * scale)
    weight = np.where(np.abs(u) < 1.0, (1.0 - u * u) ** 2, 0.0) / (scale * scale)
    # The lever is that of the model: a surface of revolution then says nothing of its turn.
    jacobian = np.hstack([normals, np.cross(surface.points[index], normals)])
    weighted = jacobian * weight[:, None]
    return jacobian.T @ weighted, weighted.T @ errors, errors


def _past(
    surface: Surface,
    points: Floats,
    measured: cKDTree,
    pose: Floats,
    places: NDArray[np.int64],
    limit: float,
) -> tuple[Floats, Floats]:
    """Pairs (M, 3), (M, 3) in the object's frame: what is measured, and the points seen past."""
    model = surface.points[places]
    distance, index = measured.query(se3.apply(pose, model), distance_upper_bound=limit)
    near = np.isfinite(distance)
    seen = se3.apply(se3.inverse(pose), points[np.asarray(index)[near]])
    return seen, model[near]


def _pulled(seen: Floats, model: Floats, sigma: float) -> tuple[Floats, Floats]:
    """Information (6, 6) and gradient (6,) that draw points of the model to measured ones.

    With p' = p - v - w x p the error is p - q, its Jacobian [E, -[p]x].
    """
    if not len(seen):
        return np.zeros((6, 6)), np.zeros(6)
    off = seen - model
    length = np.linalg.norm(off, axis=1)
    scale = max(sigma, float(np.median(length)))
    weight = _OUTLINE / (scale * scale) / (1.0 + (length / scale) ** 2)
    x, y, z = seen.T
    none = np.zeros_like(x)
    turn = np.stack([none, z, -y, -z, none, x, y, -x, none], axis=1).reshape(-1, 3, 3)
    jacobian = np.concatenate([np.tile(np.eye(3), (len(seen), 1, 1)), turn], axis=2)
    information = np.einsum('n,nki,nkj->ij', weight, jacobian, jacobian)
    return information, np.einsum('n,nki,nk->i', weight, jacobian, off)


def _orthonormal(pose: Floats) -> Floats:
    return se3.compose(Rotation.from_matrix(pose[:3, :3]).as_matrix(), pose[:3, 3])
