# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Point clouds as a pair of arrays, and what is done to them everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Cloud:
    """Points with colours.

    Attributes:
        points: (N, 3) float32, metres, in whatever frame the owner says.
        colours: (N, 3) uint8 red, green, blue; grey where the source had none.

    Raises:
        ValueError: The shapes do not agree.

    """

    points: NDArray[np.float32]
    colours: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Check shapes."""
        if self.points.ndim != 2 or self.points.shape[1:] != (3,):
            raise ValueError(f'points have shape {self.points.shape}, expected (N, 3)')
        if self.colours.shape != self.points.shape:
            raise ValueError(
                f'colours have shape {self.colours.shape}, expected {self.points.shape}'
            )

    @classmethod
    def from_arrays(cls, points: ArrayLike, colours: ArrayLike | None = None) -> Cloud:
        """Build a cloud from anything array-like; missing colours become grey."""
        points = np.ascontiguousarray(points, dtype=np.float32).reshape(-1, 3)
        if colours is None:
            return cls(points, np.full(points.shape, 128, dtype=np.uint8))
        return cls(points, np.ascontiguousarray(colours, dtype=np.uint8).reshape(-1, 3))

    @classmethod
    def empty(cls) -> Cloud:
        """Return a cloud of no points."""
        return cls.from_arrays(np.zeros((0, 3)))

    @classmethod
    def concatenate(cls, clouds: Sequence[Cloud]) -> Cloud:
        """Put clouds after one another, in order."""
        if not clouds:
            return cls.empty()
        return cls(
            np.concatenate([c.points for c in clouds]), np.concatenate([c.colours for c in clouds])
        )

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.points)

    def select(self, index: NDArray[np.bool_] | NDArray[np.integer]) -> Cloud:
        """Return the points that a mask or an index array picks."""
        return Cloud(self.points[index], self.colours[index])

    def transformed(self, a2b: ArrayLike) -> Cloud:
        """Return the cloud mapped by one transform (4, 4)."""
        matrix = np.asarray(a2b, dtype=np.float64)
        points = self.points @ matrix[:3, :3].T + matrix[:3, 3]
        return Cloud(points.astype(np.float32), self.colours)


def voxel_downsample(cloud: Cloud, size: float) -> Cloud:
    """Keep one point per cube: the first of those that fall into it.

    Keeping a measured point rather than an average leaves depths as the sensor reported them.

    Args:
        cloud: Points in any frame.
        size: Edge of a cube in metres, above zero.

    Returns:
        A subset of the points, in their original order.

    """
    if not size > 0.0:
        raise ValueError(f'voxel size is {size}, expected more than 0')
    keys = np.floor(cloud.points.astype(np.float64) / size).astype(np.int64)
    keys -= keys.min(axis=0, initial=0)
    span = keys.max(axis=0, initial=0) + 1
    flat = (keys[:, 0] * span[1] + keys[:, 1]) * span[2] + keys[:, 2]
    _, first = np.unique(flat, return_index=True)
    return cloud.select(np.sort(first))
