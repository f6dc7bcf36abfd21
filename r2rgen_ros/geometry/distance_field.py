# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far any place is from a set of points: a grid of distances, looked up between its nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_fill_holes, distance_transform_edt

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.geometry.point_groups import moved

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from r2rgen_ros.geometry.point_groups import PointGroups

    Floats = NDArray[np.float64]

_MOST_NODES = 60_000_000
_BLUR = float(np.sqrt(3.0))  # of two values between nodes, by their spacing


@dataclass(frozen=True)
class DistanceField:
    """Distances from points, on a grid around them.

    Attributes:
        origin: (3,) place of the first node, metres.
        spacing: Between nodes, metres.
        values: (X, Y, Z) float32 distance at each node, metres; below zero inside what is closed.
        margin: Distance that is given where the grid ends, metres.

    """

    origin: Floats
    spacing: float
    values: NDArray[np.float32]
    margin: float

    @classmethod
    def around(
        cls, points: ArrayLike, spacing: float, margin: float, *, closed: bool = False
    ) -> DistanceField:
        """Measure the distances from points.

        They are exact to about the spacing (Euclidean distance transform of the occupied cells).

        Args:
            points: (N, 3), at least one, metres.
            spacing: Between nodes, metres.
            margin: How far beyond the points the grid reaches, metres.
            closed: Whether what the points enclose is inside, so that its distance is negative.

        Raises:
            ValueError: There are no points, or the grid would be absurdly large.

        """
        places = np.asarray(points, dtype=np.float64)
        if not len(places):
            raise ValueError('a distance field of no points')
        low = places.min(axis=0) - margin
        size = np.ceil((places.max(axis=0) + margin - low) / spacing).astype(np.int64) + 1
        if int(np.prod(size)) > _MOST_NODES:
            raise ValueError(f'a distance field of {" x ".join(str(n) for n in size)} nodes')
        occupied = np.zeros(size, dtype=bool)
        occupied[tuple(np.rint((places - low) / spacing).astype(np.int64).T)] = True
        solid = binary_fill_holes(occupied) if closed else occupied
        values = np.asarray(distance_transform_edt(~solid, sampling=spacing), dtype=np.float32)
        if closed:
            values -= distance_transform_edt(solid & ~occupied, sampling=spacing).astype(np.float32)
        return cls(low, spacing, values, margin)

    def nearest(self, bodies: PointGroups, poses: Floats, enough: float = np.inf) -> Floats:
        """Smallest distance of moving bodies.

        Args:
            bodies: Points of B bodies.
            poses: (B, M, 4, 4) body to the frame of this field.
            enough: A distance from which on it need not be known how large it is, metres.

        Returns:
            (B, M), exact below `enough`, between nodes by trilinear interpolation; at most the
            margin, which is given where the grid ends.

        """
        out = np.empty(poses.shape[:2])
        _nearest(
            bodies.points, bodies.starts, bodies.bodies, bodies.centres, bodies.radii,
            bodies.body_centres, bodies.body_radii, np.ascontiguousarray(poses),
            self.origin, 1.0 / self.spacing, self.values, self.margin, enough, out,
        )  # fmt: skip
        return out


@compiled
def value_at(
    x: float, y: float, z: float, values: NDArray[np.float32], margin: float
) -> float:  # fmt: skip
    """Trilinear interpolation at a place in units of the grid."""
    nx, ny, nz = values.shape
    if not (0.0 <= x <= nx - 1.0 and 0.0 <= y <= ny - 1.0 and 0.0 <= z <= nz - 1.0):
        return margin
    i, j, k = min(int(x), nx - 2), min(int(y), ny - 2), min(int(z), nz - 2)
    u, v, w = x - i, y - j, z - k
    low = (1.0 - w) * values[i, j, k] + w * values[i, j, k + 1]
    right = (1.0 - w) * values[i, j + 1, k] + w * values[i, j + 1, k + 1]
    above = (1.0 - w) * values[i + 1, j, k] + w * values[i + 1, j, k + 1]
    far = (1.0 - w) * values[i + 1, j + 1, k] + w * values[i + 1, j + 1, k + 1]
    return float((1.0 - u) * ((1.0 - v) * low + v * right) + u * ((1.0 - v) * above + v * far))


@compiled
def is_far(
    centre: Floats,
    radius: float,
    pose: Floats,
    origin: Floats,
    scale: float,
    values: NDArray[np.float32],
    margin: float,
    enough: float,
) -> bool:
    """Whether a field says that all in a ball is as far off as is enough, compiled.

    Args:
        centre: (3,) of the ball.
        radius: Of the ball.
        pose: (4, 4) frame of the ball to that of the field.
        origin: Of the field.
        scale: One by its spacing.
        values: Of the field.
        margin: Of the field.
        enough: The distance.

    """
    x, y, z = moved(pose, centre)
    x, y, z = scale * (x - origin[0]), scale * (y - origin[1]), scale * (z - origin[2])
    reach, (nx, ny, nz) = scale * radius, values.shape
    # Outside of the field all is farther than that.
    if (
        min(x, y, z) + reach < 0.0
        or x - reach > nx - 1.0
        or y - reach > ny - 1.0
        or z - reach > nz - 1.0
    ):
        return margin >= enough
    # Distances change by no more than one goes, but for what nodes make of them.
    return bool(value_at(x, y, z, values, margin) - radius - _BLUR / scale >= enough)


@compiled
def _nearest(
    points: Floats,
    starts: NDArray[np.int64],
    bodies: NDArray[np.int64],
    centres: Floats,
    radii: Floats,
    body_centres: Floats,
    body_radii: Floats,
    poses: Floats,
    origin: Floats,
    scale: float,
    values: NDArray[np.float32],
    margin: float,
    enough: float,
    out: Floats,
) -> None:
    wanted = min(margin, enough)
    for body in range(len(body_radii)):
        for frame in range(poses.shape[1]):
            pose, least = poses[body, frame], margin
            if not is_far(
                body_centres[body], body_radii[body], pose, origin, scale, values, margin, wanted
            ):
                for group in range(bodies[body], bodies[body + 1]):
                    if is_far(
                        centres[group], radii[group], pose, origin, scale, values, margin,
                        min(least, wanted),
                    ):  # fmt: skip
                        continue
                    part = points[starts[group] : starts[group + 1]]
                    least = min(
                        least, nearest_of(part, pose, origin, scale, values, margin, -np.inf)
                    )
            out[body, frame] = least


@compiled
def nearest_of(
    points: Floats,
    pose: Floats,
    origin: Floats,
    scale: float,
    values: NDArray[np.float32],
    margin: float,
    enough: float,
) -> float:
    """Smallest distance of one body, compiled; see `DistanceField.nearest`.

    Args:
        points: (N, 3) in the body's frame.
        pose: (4, 4) body to the frame of the field.
        origin: Of the field.
        scale: One by its spacing.
        values: Of the field.
        margin: Of the field.
        enough: A distance below which it need not be known how small it is.

    """
    least = margin
    for n in range(len(points)):
        x, y, z = moved(pose, points[n])
        x, y, z = scale * (x - origin[0]), scale * (y - origin[1]), scale * (z - origin[2])
        least = min(least, value_at(x, y, z, values, margin))
        if least < enough:
            break
    return least
