# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far any place is from a set of points: a grid of distances, looked up between its nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from scipy.ndimage import binary_fill_holes, distance_transform_edt

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_MOST_NODES = 60_000_000
_compiled = njit(cache=True, nogil=True, error_model='numpy')


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

    def nearest(self, points: Floats, starts: NDArray[np.int64], poses: Floats) -> Floats:
        """Smallest distance of moving bodies.

        Args:
            points: (N, 3) points of P bodies after one another, each in its body's frame.
            starts: (P + 1,) where the points of each body begin, and N.
            poses: (P, M, 4, 4) body to the frame of this field.

        Returns:
            (P, M), between nodes by trilinear interpolation; at most the margin, which is given
            where the grid ends.

        """
        centres, radii = balls(points, starts)
        out = np.empty(poses.shape[:2])
        _nearest(
            points, starts, centres, radii, np.ascontiguousarray(poses),
            self.origin, 1.0 / self.spacing, self.values, self.margin, out,
        )  # fmt: skip
        return out


def balls(points: Floats, starts: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Centres (P, 3) and radii (P,) of balls around bodies."""
    centres, radii = np.zeros((len(starts) - 1, 3)), np.zeros(len(starts) - 1)
    for body in range(len(radii)):
        part = points[starts[body] : starts[body + 1]]
        if len(part):
            centres[body] = 0.5 * (part.min(axis=0) + part.max(axis=0))
            radii[body] = np.linalg.norm(part - centres[body], axis=1).max()
    return centres, radii


@_compiled  # type: ignore[untyped-decorator]
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


@_compiled  # type: ignore[untyped-decorator]
def _nearest(
    points: Floats,
    starts: NDArray[np.int64],
    centres: Floats,
    radii: Floats,
    poses: Floats,
    origin: Floats,
    scale: float,
    values: NDArray[np.float32],
    margin: float,
    out: Floats,
) -> None:
    for body in range(len(radii)):
        part = points[starts[body] : starts[body + 1]]
        for frame in range(poses.shape[1]):
            out[body, frame] = nearest_of(
                part, centres[body], radii[body], poses[body, frame], origin, scale, values,
                margin, -np.inf,
            )  # fmt: skip


@_compiled  # type: ignore[untyped-decorator]
def nearest_of(
    points: Floats,
    centre: Floats,
    radius: float,
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
        centre: (3,) of a ball around them.
        radius: Of that ball.
        pose: (4, 4) body to the frame of the field.
        origin: Of the field.
        scale: One by its spacing.
        values: Of the field.
        margin: Of the field.
        enough: A distance below which it need not be known how small it is.

    """
    size = values.shape
    for axis in range(3):
        middle = pose[axis, 3]
        for other in range(3):
            middle += pose[axis, other] * centre[other]
        end = origin[axis] + (size[axis] - 1) / scale
        # No point of it is within the grid.
        if middle + radius < origin[axis] or middle - radius > end:
            return margin
    least = margin
    place = np.empty(3)
    for n in range(len(points)):
        for axis in range(3):
            moved = pose[axis, 3] - origin[axis]
            for other in range(3):
                moved += pose[axis, other] * points[n, other]
            place[axis] = moved * scale
        least = min(least, value_at(place[0], place[1], place[2], values, margin))
        if least < enough:
            break
    return least
