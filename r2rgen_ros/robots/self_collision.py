# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How close the links of a robot come to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pinocchio as pin

try:
    import coal
except ImportError:  # what older releases of pinocchio call it
    import hppfcl as coal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from r2rgen_ros.robots.body import RobotBody

    Floats = NDArray[np.float64]

_DIRECTIONS = 128
_FEWEST = 4
_NEIGHBOURS = 2


@dataclass(frozen=True, eq=False)
class SelfCollision:
    """Distances between the convex hulls of links that are no neighbours.

    Links that one joint parts touch where they are joined, and hulls of those that two joints part
    often do, as those of a wrist; they are left out.

    Attributes:
        body: The robot.
        pairs: Names of the two links of each of the Q pairs.

    """

    body: RobotBody
    pairs: tuple[tuple[str, str], ...]
    _geometry: Any

    @classmethod
    def create(cls, body: RobotBody, allowed: Iterable[tuple[str, str]] = ()) -> SelfCollision:
        """Wrap every link of a robot into a hull.

        Args:
            body: The robot with its surface.
            allowed: Pairs of links that may touch, in either order.

        """
        robot = body.robot
        model = robot._model
        geometry = pin.GeometryModel()
        places = []
        for name, surface in zip(body.links, body.surfaces, strict=True):
            corners = _extremes(surface.vertices)
            if len(corners) < _FEWEST:
                continue
            frame = model.frames[robot._links[name]]
            hull = coal.ConvexBase.convexHull(_vectors(corners), True, 'Qt')
            item = pin.GeometryObject(name, frame.parentJoint, frame.placement, hull)
            places.append((name, geometry.addGeometryObject(item)))
        touching = {frozenset(pair) for pair in allowed}
        pairs = []
        for i, (one, first) in enumerate(places):
            for other, second in places[i + 1 :]:
                parted = robot.tree.between(one, other)
                if len(parted) > _NEIGHBOURS and frozenset((one, other)) not in touching:
                    geometry.addCollisionPair(pin.CollisionPair(first, second))
                    pairs.append((one, other))
        return cls(body, tuple(pairs), geometry)

    def distances(self, names: Sequence[str], positions: ArrayLike) -> Floats:
        """Signed distances (Q, M) of the pairs at joint positions (M, J), metres.

        Args:
            names: J joint names; what they do not tell stays at zero.
            positions: (M, J) rad or m.

        """
        values = np.asarray(positions, dtype=np.float64)
        out = np.empty((len(self.pairs), len(values)))
        for frame, found in enumerate(self._placed(names, values)):
            pin.computeDistances(self._geometry, found)
            out[:, frame] = [result.min_distance for result in found.distanceResults]
        return out

    def depths(self, names: Sequence[str], positions: ArrayLike) -> Floats:
        """`distances` (Q, M) of pairs that overlap, infinity for all others, but faster.

        Args:
            names: J joint names; what they do not tell stays at zero.
            positions: (M, J) rad or m.

        """
        values = np.asarray(positions, dtype=np.float64)
        out = np.full((len(self.pairs), len(values)), np.inf)
        for frame, found in enumerate(self._placed(names, values)):
            if not pin.computeCollisions(self._geometry, found, False):
                continue
            for pair, result in enumerate(found.collisionResults):
                if result.isCollision():
                    pin.computeDistance(self._geometry, found, pair)
                    out[pair, frame] = found.distanceResults[pair].min_distance
        return out

    def overlaps(self, names: Sequence[str], positions: ArrayLike) -> NDArray[np.bool_]:
        """Which pairs (Q, M) overlap at joint positions (M, J): `distances` below zero, but faster.

        Args:
            names: J joint names; what they do not tell stays at zero.
            positions: (M, J) rad or m.

        """
        values = np.asarray(positions, dtype=np.float64)
        out = np.zeros((len(self.pairs), len(values)), dtype=bool)
        for frame, found in enumerate(self._placed(names, values)):
            if pin.computeCollisions(self._geometry, found, False):
                out[:, frame] = [result.isCollision() for result in found.collisionResults]
        return out

    def _placed(self, names: Sequence[str], positions: Floats) -> Iterator[Any]:
        """Yield the hulls, put where they are at each of the positions (M, J)."""
        model = self.body.robot._model
        data, found = model.createData(), self._geometry.createData()
        for q in self.body.robot._configurations(names, positions):
            pin.updateGeometryPlacements(model, data, self._geometry, found, q)
            yield found


def _extremes(vertices: Floats) -> Floats:
    """Vertices (E, 3) that lie farthest out in directions spread evenly over the sphere."""
    turn = np.arange(_DIRECTIONS) + 0.5
    height = 1.0 - 2.0 * turn / _DIRECTIONS
    angle = np.pi * (1.0 + np.sqrt(5.0)) * turn
    ring = np.sqrt(1.0 - height**2)
    directions = np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
    return np.asarray(vertices[np.unique((vertices @ directions.T).argmax(axis=0))])


def _vectors(points: Floats) -> Any:
    out = (coal.StdVec_Vec3s if hasattr(coal, 'StdVec_Vec3s') else coal.StdVec_Vec3f)()
    out.extend(list(points))
    return out
