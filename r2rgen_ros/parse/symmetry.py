# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mirror planes of what was seen of an object, accepted only where the data agree.

A symmetry maps what was seen onto what was seen or onto what nobody saw, never into space that the
camera looked through (Thrun and Wegbreit, "Shape from symmetry", ICCV 2005).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from r2rgen_ros.parse.carving import Space
    from r2rgen_ros.parse.fusion import Seen

    Floats = NDArray[np.float64]

_SAMPLE = 500
_LEAST_AGREED = 0.25
_MOST_VIOLATION = 0.05  # of the share agreed
_YAWS = 36
_OFFSETS_M = np.arange(-0.032, 0.0321, 0.004)


@dataclass(frozen=True)
class Mirror:
    """A mirror plane: normal . p = offset.

    Attributes:
        normal: (3,) unit vector.
        offset: Metres.
        agreed: Share of the points seen whose images lie on what was seen.
        violation: Mean depth of the images in free space, as a share of the most that counts.

    """

    normal: Floats
    offset: float
    agreed: float
    violation: float

    def reflect(self, points: Floats) -> Floats:
        """Images (N, 3) of points (N, 3)."""
        away = points @ self.normal - self.offset
        return np.asarray(points - 2.0 * away[:, None] * self.normal)

    def turn(self, vectors: Floats) -> Floats:
        """Images (N, 3) of directions (N, 3)."""
        return np.asarray(vectors - 2.0 * (vectors @ self.normal)[:, None] * self.normal)


def find_mirrors(seen: Seen, space: Space, axis: Floats, most: int = 2) -> tuple[Mirror, ...]:
    """Find mirror planes that hold a given direction, the best first.

    Planes are tried over all directions and near the middle; a second one stands across the first.

    Args:
        seen: What was seen.
        space: What is free.
        axis: (3,) unit vector that the planes hold.
        most: How many planes at most.

    """
    frame = frame_about(axis)
    index = spread_indices(len(seen.cloud), _SAMPLE)
    points = seen.points[index] @ frame.T
    judge = _Judge(points, frame, space)
    tried = []
    for yaw in np.arange(_YAWS) * (np.pi / _YAWS):
        along = points[:, :2] @ [np.cos(yaw), np.sin(yaw)]
        middle = 0.5 * (np.quantile(along, 0.01) + np.quantile(along, 0.99))
        tried += [(judge.score(yaw, at), yaw, at) for at in middle + _OFFSETS_M]
    tried.sort(key=lambda item: -item[0])
    found: list[Mirror] = []
    for _, yaw, offset in _distinct(tried, 12):
        start = np.array([yaw, 10.0 * offset])
        refined = downhill(lambda x: -judge.score(x[0], x[1] / 10.0), start, (0.05, 0.03), 50)
        mirror = judge.mirror(refined[0], refined[1] / 10.0)
        if mirror.agreed >= _LEAST_AGREED and mirror.violation <= _MOST_VIOLATION * mirror.agreed:
            found.append(mirror)
    found.sort(key=lambda mirror: 4.0 * mirror.violation - mirror.agreed)
    return _across(found, most)


class _Judge:
    """How well the data bear a mirror plane, in a frame whose z is the held direction."""

    def __init__(self, points: Floats, frame: Floats, space: Space) -> None:
        self.points, self.frame, self.space = points, frame, space

    def mirror(self, yaw: float, offset: float) -> Mirror:
        normal = np.array([np.cos(yaw), np.sin(yaw), 0.0])
        agreed, violation = self.measure(normal, offset)
        return Mirror(normal @ self.frame, float(offset), agreed, violation)

    def measure(self, normal: Floats, offset: float) -> tuple[float, float]:
        """Share of images on the surface seen, and mean depth of images in free space."""
        images = self.points - 2.0 * (self.points @ normal - offset)[:, None] * normal
        distance, known = self.space.at(images @ self.frame)
        limit = self.space.margin
        on = known & (np.abs(distance) <= limit)
        deep = np.clip((distance - 0.5 * limit) / 0.01, 0.0, 1.0)
        return float(on.mean()), float(deep.mean())

    def score(self, yaw: float, offset: float) -> float:
        agreed, violation = self.measure(np.array([np.cos(yaw), np.sin(yaw), 0.0]), offset)
        return agreed - 4.0 * violation


def _distinct(
    tried: list[tuple[float, float, float]], count: int
) -> list[tuple[float, float, float]]:
    """The best candidates that are not neighbours of better ones."""
    out: list[tuple[float, float, float]] = []
    for item in tried:
        if all(_between(item[1], other[1]) > 0.2 for other in out):
            out.append(item)
        if len(out) == count:
            break
    return out


def _between(first: float, second: float) -> float:
    """Angle between two undirected directions in a plane, radians."""
    turn = abs(first - second) % np.pi
    return float(min(turn, np.pi - turn))


def _across(found: list[Mirror], most: int) -> tuple[Mirror, ...]:
    """The best mirror, then the best ones at right angles to those before."""
    out: list[Mirror] = []
    for mirror in found:
        if len(out) < most and all(abs(mirror.normal @ other.normal) < 0.12 for other in out):
            out.append(mirror)
    return tuple(out)


def frame_about(axis: Floats) -> Floats:
    """Rotation (3, 3) into a frame whose z is the axis."""
    seed = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = seed - axis * (seed @ axis)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(axis, x), axis])


def downhill(
    cost: Callable[[Floats], float], start: Floats, steps: tuple[float, float], most: int
) -> Floats:
    """The least cost near a start (2,), after Nelder and Mead, with at most so many trials."""
    simplex = start + np.array([[0.0, 0.0], [steps[0], 0.0], [0.0, steps[1]]])
    options: Any = {'maxfev': most, 'initial_simplex': simplex}
    return np.asarray(minimize(cost, start, method='Nelder-Mead', options=options).x)


def spread_indices(count: int, most: int) -> NDArray[np.int64]:
    """Evenly spread indices."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
