# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Points of rigid bodies in groups of neighbours: of most groups a ball tells that they are far."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_CELL_M = 0.04


@dataclass(frozen=True, eq=False)
class PointGroups:
    """Points of B bodies in G groups, after one another.

    Attributes:
        points: (N, 3) each in its body's frame, metres.
        starts: (G + 1,) where the points of each group begin.
        bodies: (B + 1,) where the groups of each body begin.
        centres: (G, 3) of balls around the groups.
        radii: (G,) of these balls.
        body_centres: (B, 3) of balls around the bodies.
        body_radii: (B,) of these.

    """

    points: Floats
    starts: Ints
    bodies: Ints
    centres: Floats
    radii: Floats
    body_centres: Floats
    body_radii: Floats

    @classmethod
    def of(cls, parts: Sequence[Floats]) -> PointGroups:
        """Group the points (N, 3) of each body."""
        points, starts, bodies = [np.zeros((0, 3))], [0], [0]
        for part in parts:
            cells = np.unique(np.floor(part / _CELL_M), axis=0, return_inverse=True)[1]
            cells = cells.reshape(-1)
            points.append(part[np.argsort(cells, kind='stable')])
            counts = np.bincount(cells)
            starts += (starts[-1] + np.cumsum(counts)).tolist()
            bodies.append(bodies[-1] + len(counts))
        all_points = np.concatenate(points)
        groups, firsts = np.array(starts), np.array(bodies)
        return cls(
            all_points, groups, firsts, *_balls(all_points, groups),
            *_balls(all_points, groups[firsts]),
        )  # fmt: skip

    def __len__(self) -> int:
        """Return the number of bodies."""
        return len(self.body_radii)

    def parts(self) -> Iterator[Floats]:
        """Yield the points (N, 3) of each body."""
        for low, high in pairwise(self.starts[self.bodies].tolist()):
            yield self.points[low:high]

    def lowest(
        self,
        poses: Floats,
        up: Floats,
        offset: float,
        sides: Floats,
        limits: Floats,
        margin: float,
        enough: float = np.inf,
    ) -> Floats:
        """Lowest height of moving bodies over a convex part of a plane.

        Args:
            poses: (B, M, 4, 4) body to the frame of the plane.
            up: (3,) unit normal.
            offset: Of the plane along it, metres.
            sides: (E, 3) where p lies over the part if sides p <= limits.
            limits: (E,) metres.
            margin: Height that is given where nothing is lower, metres.
            enough: Height from which on it need not be known how high it is.

        Returns:
            (B, M), exact below `enough`.

        """
        out = np.empty(poses.shape[:2])
        _lowest(
            self.points, self.starts, self.bodies, self.body_centres, self.body_radii,
            np.ascontiguousarray(poses), up, offset, sides, limits, margin, enough, out,
        )  # fmt: skip
        return out


def _balls(points: Floats, starts: Ints) -> tuple[Floats, Floats]:
    """Centres (P, 3) and radii (P,) of balls around what begins at each start."""
    centres, radii = np.zeros((len(starts) - 1, 3)), np.zeros(len(starts) - 1)
    for place, (low, high) in enumerate(pairwise(starts.tolist())):
        part = points[low:high]
        if len(part):
            centres[place] = 0.5 * (part.min(axis=0) + part.max(axis=0))
            radii[place] = np.linalg.norm(part - centres[place], axis=1).max()
    return centres, radii


@compiled
def moved(pose: Floats, point: Floats) -> tuple[float, float, float]:
    """Map a point by a pose (4, 4), compiled."""
    x, y, z = point[0], point[1], point[2]
    return (
        pose[0, 3] + pose[0, 0] * x + pose[0, 1] * y + pose[0, 2] * z,
        pose[1, 3] + pose[1, 0] * x + pose[1, 1] * y + pose[1, 2] * z,
        pose[2, 3] + pose[2, 0] * x + pose[2, 1] * y + pose[2, 2] * z,
    )


@compiled
def over_plane(
    points: Floats,
    low: int,
    high: int,
    pose: Floats,
    up: Floats,
    offset: float,
    sides: Floats,
    limits: Floats,
    margin: float,
    enough: float,
) -> float:
    """Lowest height of points from low to high over a part of a plane, compiled.

    It ends with the first that is lower than `enough`; see `PointGroups.lowest`.
    """
    least = margin
    for n in range(low, high):
        x, y, z = moved(pose, points[n])
        height = up[0] * x + up[1] * y + up[2] * z - offset
        if height >= least:
            continue
        inside = True
        for side in range(len(limits)):
            out = sides[side, 0] * x + sides[side, 1] * y + sides[side, 2] * z
            inside = inside and out <= limits[side]
        if inside:
            least = height
            if least < enough:
                break
    return least


@compiled
def _lowest(
    points: Floats,
    starts: Ints,
    bodies: Ints,
    centres: Floats,
    radii: Floats,
    poses: Floats,
    up: Floats,
    offset: float,
    sides: Floats,
    limits: Floats,
    margin: float,
    enough: float,
    out: Floats,
) -> None:
    for body in range(len(radii)):
        low, high = starts[bodies[body]], starts[bodies[body + 1]]
        for frame in range(poses.shape[1]):
            pose = poses[body, frame]
            x, y, z = moved(pose, centres[body])
            bottom = up[0] * x + up[1] * y + up[2] * z - offset - radii[body]
            out[body, frame] = margin
            if bottom < min(margin, enough):
                out[body, frame] = over_plane(
                    points, low, high, pose, up, offset, sides, limits, margin, -np.inf
                )
