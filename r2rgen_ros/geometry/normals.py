# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Local planes through noisy points: normals, and the surface that the noise hides.

Moving least squares: a point is moved along the normal onto the plane that fits the points around
it, near ones more than far ones (Levin, "Mesh-independent surface interpolation", 2003; Alexa et
al., "Computing and rendering point set surfaces", 2003).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_REACH = 2.0


@dataclass(frozen=True)
class Planes:
    """A plane at each of M places.

    Attributes:
        centres: (M, 3) weighted mean of the points around, metres.
        normals: (M, 3) unit vectors, turned towards where the points were seen from.
        mass: (M,) sum of the weights of the points around.
        means: (M, F) weighted means of what the points carry.
        spread: (M,) standard deviation of the points along the normal, metres.

    """

    centres: Floats
    normals: Floats
    mass: Floats
    means: Floats
    spread: Floats

    def select(self, index: NDArray[np.bool_] | NDArray[np.integer]) -> Planes:
        """Return the planes that a mask or an index array picks."""
        return Planes(
            self.centres[index],
            self.normals[index],
            self.mass[index],
            self.means[index],
            self.spread[index],
        )

    def project(self, places: Floats) -> Floats:
        """Move places (M, 3) along the normals onto their planes."""
        away = np.einsum('ij,ij->i', places - self.centres, self.normals)
        return np.asarray(places - away[:, None] * self.normals)


def local_planes(
    places: Floats,
    towards: Floats,
    points: Floats,
    directions: Floats,
    weights: Floats,
    carried: Floats,
    width: float,
) -> Planes:
    """Fit a plane to the points around every place.

    Points on the other side of a thin wall do not count: they were seen from the other side.

    Args:
        places: (M, 3) metres.
        towards: (M, 3) unit vectors from the places to where they were seen from.
        points: (N, 3) metres.
        directions: (N, 3) unit vectors from the points to where they were seen from.
        weights: (N,) weights, not negative.
        carried: (N, F) what is averaged along, such as colours.
        width: Half the distance at which a point no longer counts, metres. The weight
            (1 - (r / 2 width)^2)^2 is close to a Gaussian of this standard deviation.

    """
    count = len(places)
    reach = _REACH * width
    low = np.minimum(points.min(axis=0, initial=np.inf), places.min(axis=0, initial=np.inf))
    cells = np.floor((points - low) / reach).astype(np.int64) + 1
    shape = np.concatenate([cells, np.floor((places - low) / reach).astype(np.int64) + 1]).max(
        axis=0, initial=1
    ) + np.array([2, 2, 2])
    flat = (cells[:, 0] * shape[1] + cells[:, 1]) * shape[2] + cells[:, 2]
    order = np.argsort(flat, kind='stable')
    starts = np.searchsorted(flat[order], np.arange(int(np.prod(shape)) + 1))
    sums = np.zeros((count, 10 + carried.shape[1]))
    _gather(
        places,
        towards,
        points[order],
        directions[order],
        weights[order],
        carried[order],
        starts,
        low,
        shape,
        width,
        sums,
    )
    mass = np.maximum(sums[:, 0], 1e-30)
    centres = sums[:, 1:4] / mass[:, None]
    covariance = np.empty((count, 3, 3))
    for number, (i, j) in enumerate(((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))):
        part = sums[:, 4 + number] / mass - centres[:, i] * centres[:, j]
        covariance[:, i, j] = covariance[:, j, i] = part
    spreads, axes = np.linalg.eigh(covariance)
    normals = axes[:, :, 0]
    normals = np.where((normals * towards).sum(axis=1)[:, None] < 0.0, -normals, normals)
    return Planes(
        centres + places,
        normals,
        sums[:, 0],
        sums[:, 10:] / mass[:, None],
        np.sqrt(np.maximum(spreads[:, 0], 0.0)),
    )


@compiled
def _gather(
    places: Any,
    towards: Any,
    points: Any,
    directions: Any,
    weights: Any,
    carried: Any,
    starts: Any,
    low: Any,
    shape: Any,
    width: float,
    sums: Any,
) -> None:
    """Sum weights, first and second moments about each place, and what is carried."""
    reach = _REACH * width
    scale = 1.0 / (reach * reach)
    extra = carried.shape[1]
    for m in range(places.shape[0]):
        x, y, z = places[m, 0], places[m, 1], places[m, 2]
        ci = int(np.floor((x - low[0]) / reach)) + 1
        cj = int(np.floor((y - low[1]) / reach)) + 1
        ck = int(np.floor((z - low[2]) / reach)) + 1
        for i in range(ci - 1, ci + 2):
            for j in range(cj - 1, cj + 2):
                row = (i * shape[1] + j) * shape[2]
                for n in range(starts[row + ck - 1], starts[row + ck + 2]):
                    dx, dy, dz = points[n, 0] - x, points[n, 1] - y, points[n, 2] - z
                    square = dx * dx + dy * dy + dz * dz
                    if square > reach * reach:
                        continue
                    agreement = (
                        towards[m, 0] * directions[n, 0]
                        + towards[m, 1] * directions[n, 1]
                        + towards[m, 2] * directions[n, 2]
                    )
                    if agreement < 0.0:
                        continue
                    fall = 1.0 - scale * square
                    w = weights[n] * fall * fall
                    sums[m, 0] += w
                    sums[m, 1] += w * dx
                    sums[m, 2] += w * dy
                    sums[m, 3] += w * dz
                    sums[m, 4] += w * dx * dx
                    sums[m, 5] += w * dx * dy
                    sums[m, 6] += w * dx * dz
                    sums[m, 7] += w * dy * dy
                    sums[m, 8] += w * dy * dz
                    sums[m, 9] += w * dz * dz
                    for f in range(extra):
                        sums[m, 10 + f] += w * carried[n, f]
