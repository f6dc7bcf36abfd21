# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faces of an object that follow from where it stands: its underside, and walls under its edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree

from r2rgen_ros.model.errors import check_array, check_finite, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.parse.carving import Space

    Floats = NDArray[np.float64]

_MOST_GAP_M = 0.018  # higher than this above the plane, what was seen says nothing of the foot
_FOOT_M = 0.002
_STEEP = 0.75
_FLARE = 0.3
_OUTWARD = 0.1
_AROUND_M = 0.0045
_DENSE = 0.35
_FLOOR = 0.96
_STEP_M = 0.0018
_APART_M = 0.0025
_LEVEL = 0.8
_WIDER_M = 0.006
_FLAT_M = 0.005
_LEAST_FILLED = 0.8


@dataclass(frozen=True)
class Resting:
    """The plane that an object rests on, in the object's frame: up . p = height.

    Attributes:
        up: (3,) unit vector.
        height: Metres.

    """

    up: Floats
    height: float

    def __post_init__(self) -> None:
        """Check and normalise the direction."""
        up = check_finite('the upward direction', check_array('up', self.up, (3,)))
        length = float(np.linalg.norm(up))
        require(length > 1e-6, 'the upward direction is zero')
        object.__setattr__(self, 'up', up / length)
        object.__setattr__(self, 'height', float(self.height) / length)

    @classmethod
    def on(cls, support: SupportPlane, object2base: Floats, lift: float = 0.0) -> Resting:
        """Return the plane for a pose in which the object rests.

        Args:
            support: The support plane, base frame.
            object2base: (4, 4) pose while it rests.
            lift: How far above the plane it rests, on something else, metres.

        """
        up = object2base[:3, :3].T @ support.normal
        return cls(up, support.offset + lift - float(support.normal @ object2base[:3, 3]))

    def heights(self, points: Floats) -> Floats:
        """Heights (N,) of points (N, 3) above the plane, metres."""
        return np.asarray(points @ self.up - self.height)

    @property
    def axes(self) -> Floats:
        """(2, 3) directions in the plane."""
        seed = np.array([1.0, 0.0, 0.0]) if abs(self.up[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
        x = seed - self.up * (seed @ self.up)
        x /= np.linalg.norm(x)
        return np.stack([x, np.cross(self.up, x)])

    def lift(self, flat: Floats, height: Floats | float) -> Floats:
        """Points (N, 3) of in-plane coordinates (N, 2) and heights above the plane."""
        up = np.asarray(height)[..., None] + self.height
        return np.asarray(flat @ self.axes + up * self.up)


@dataclass(frozen=True)
class Faces:
    """Points that close an object: (M, 3) points and normals, and (M,) whose colour each takes."""

    points: Floats
    normals: Floats
    like: NDArray[np.int64]

    @classmethod
    def none(cls) -> Faces:
        """Return no faces."""
        return cls(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, dtype=np.int64))

    def select(self, index: NDArray[np.bool_]) -> Faces:
        """Return the points that a mask picks."""
        return Faces(self.points[index], self.normals[index], self.like[index])


def extend_to_plane(points: Floats, normals: Floats, resting: Resting) -> Faces:
    """Continue steep sides whose last millimetres were lost to the plane that they stand on.

    They go on in their own tangent planes, so that a foot that draws in goes on drawing in.

    Args:
        points: (N, 3) of the object so far.
        normals: (N, 3) of these.
        resting: The plane.

    """
    height = resting.heights(points)
    slope = normals @ resting.up
    steep = (slope > -_STEEP) & (slope < _FLARE)
    low = np.flatnonzero((height < _MOST_GAP_M) & (height > _STEP_M) & steep)
    if not len(low):
        return Faces.none()
    # Noise rounds the edge between a wall and the table: nothing flares out on its account.
    down = np.minimum(slope[low, None], 0.0) * normals[low] - resting.up
    down /= np.linalg.norm(down, axis=1, keepdims=True)
    flat = points @ resting.axes.T
    away = flat[low] - (flat.min(axis=0) + flat.max(axis=0)) / 2.0
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    flares = np.einsum('ij,ij->i', down @ resting.axes.T, away) > _OUTWARD
    tree = cKDTree(points)
    ends = ~flares & np.isinf(
        tree.query(points[low] + 2.5 * _STEP_M * down, distance_upper_bound=_APART_M)[0]
    )
    low, down = low[ends], down[ends]
    rate = -(down @ resting.up)
    parts, owners = [], []
    for step in range(1, int(_MOST_GAP_M / _STEP_M / 0.6) + 1):
        reached = height[low] - step * _STEP_M * rate
        good = reached > -0.5 * _STEP_M
        parts.append(points[low[good]] + step * _STEP_M * down[good])
        owners.append(low[good])
    made, like = np.concatenate(parts), np.concatenate(owners)
    return Faces(made, normals[like], like)


def fill_foot(points: Floats, normals: Floats, resting: Resting) -> Faces:
    """Close the underside: the hull of what is lowest, filled at the height of the plane.

    Where no side reaches the plane, as under the rim of a plate, the foot is below the level floor.
    Nothing is made where the lowest point is so high that the foot cannot be told.

    Args:
        points: (N, 3) of the object so far, sides extended to the plane.
        normals: (N, 3) of these.
        resting: The plane.

    """
    height = resting.heights(points)
    if len(points) < 10:
        return Faces.none()
    bottom = float(np.quantile(height, 0.005))
    if bottom > _MOST_GAP_M:
        return Faces.none()
    flat = points @ resting.axes.T
    chosen = height < max(bottom, 0.0) + _FOOT_M
    if bottom > _FOOT_M:
        chosen = (height < bottom + 2.0 * _FOOT_M) & (normals @ resting.up > _FLOOR)
    low = np.flatnonzero(chosen)
    low = low[_dense(flat[low])]
    hull = _hull(flat[low])
    if hull is None:
        return Faces.none()
    grid = _grid(flat[low])
    grid = grid[_outside(hull, grid) <= 0.0]
    made = resting.lift(grid, np.zeros(len(grid)))
    like = low[cKDTree(flat[low]).query(grid)[1]] if len(grid) else np.zeros(0, dtype=np.int64)
    return Faces(made, np.tile(-resting.up, (len(made), 1)), like)


def drop_walls(points: Floats, normals: Floats, resting: Resting, space: Space) -> Faces:
    """Let walls hang from edges of level faces into what nobody saw, down to the plane.

    The back of a box whose top was seen is where its top ends. A wall stops where it would enter
    free space, and where the object was seen to grow wider, as a bottle does below its cap.

    Args:
        points: (N, 3) seen.
        normals: (N, 3) of these.
        resting: The plane.
        space: What is free.

    """
    height = resting.heights(points)
    level = np.flatnonzero(normals @ resting.up > _LEVEL)
    if len(level) < 10:
        return Faces.none()
    top = float(np.quantile(height[level], 0.95))
    level = level[np.abs(height[level] - top) < _FLAT_M]
    flat = points @ resting.axes.T
    level = level[_dense(flat[level])]
    hull = _hull(flat[level])
    if hull is None or not _is_filled(hull, flat[level]):
        return Faces.none()
    corners = hull.points[hull.vertices]
    edge, outward = _along(corners)
    lower = height < top - 0.01
    wider = lower & (_outside(hull, flat) > _WIDER_M)
    # A few points that noise left outside must not stop it.
    stop = float(height[wider].max()) if wider.mean() > 0.01 else 0.0
    lowest = float(np.quantile(height, 0.005))
    if lowest > _MOST_GAP_M:  # nobody knows how far down it goes
        stop = max(stop, lowest)
    count = int((top - stop) / _STEP_M)
    open_ = np.ones(len(edge), dtype=bool)
    out, facing = [], []
    for step in range(1, count + 1):
        made = resting.lift(edge, top - step * _STEP_M)
        distance, known = space.at(made)
        # In sight, a wall that is there was seen: only what nobody saw is made up.
        open_ &= distance <= space.margin
        hidden = open_ & (~known | (distance < -0.5 * space.margin))
        out.append(made[hidden])
        facing.append((outward @ resting.axes)[hidden])
    if not out:
        return Faces.none()
    made = np.concatenate(out)
    if not len(made):
        return Faces.none()
    return Faces(made, np.concatenate(facing), level[cKDTree(flat[level]).query(
        made @ resting.axes.T)[1]])  # fmt: skip


def _dense(flat: Floats) -> NDArray[np.bool_]:
    """Which points (N, 2) are no stragglers: the straight edge of an area has half its density."""
    if not len(flat):
        return np.zeros(0, dtype=bool)
    around = cKDTree(flat).query_ball_point(flat, _AROUND_M, return_length=True)
    return np.asarray(around >= max(_DENSE * float(np.median(around)), 3.0))


def _hull(flat: Floats) -> ConvexHull | None:
    try:
        return ConvexHull(flat)
    except (QhullError, ValueError):
        return None


def _is_filled(hull: ConvexHull, flat: Floats) -> bool:
    """Whether points (N, 2) cover their hull; those of a bowl's rim do not."""
    grid = _grid(flat)
    grid = grid[_outside(hull, grid) <= 0.0]
    near = np.isfinite(cKDTree(flat).query(grid, distance_upper_bound=2.0 * _STEP_M)[0])
    return bool(len(grid)) and float(near.mean()) >= _LEAST_FILLED


def _outside(hull: ConvexHull, flat: Floats) -> Floats:
    """Distances (N,) of points (N, 2) outside a hull, about; negative within."""
    return np.asarray((flat @ hull.equations[:, :2].T + hull.equations[:, 2]).max(axis=1))


def _grid(flat: Floats) -> Floats:
    """Points (M, 2) of an even grid over the box around points (N, 2)."""
    low, high = flat.min(axis=0), flat.max(axis=0)
    axes = [np.arange(a, b + _STEP_M, _STEP_M) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1).reshape(-1, 2)


def _along(corners: Floats) -> tuple[Floats, Floats]:
    """Points (M, 2) along a counter-clockwise outline, and outward directions (M, 2)."""
    points, outward = [], []
    for here, after in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        length = float(np.linalg.norm(after - here))
        share = (np.arange(max(1, int(np.ceil(length / _STEP_M)))) * _STEP_M) / max(length, 1e-9)
        points.append(here + share[:, None] * (after - here))
        direction = (after - here) / max(length, 1e-9)
        outward.append(np.tile([direction[1], -direction[0]], (len(share), 1)))
    return np.concatenate(points), np.concatenate(outward)
