# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Surfaces of revolution in what was seen of an object, accepted only where the data agree.

Turned about its axis, such a surface stays where it was seen or where nobody saw; what comes into
space that the camera looked through, as a handle does, does not belong to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.normals import local_planes
from r2rgen_ros.parse.symmetry import downhill, frame_about, spread_indices

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from r2rgen_ros.parse.carving import Space
    from r2rgen_ros.parse.fusion import Seen

    Floats = NDArray[np.float64]

_SAMPLE = 500
_TURNS = 24
_MOST_FREE = 0.10  # of a turn about the axis, for one point
_LEAST_ROUND = 0.5  # share of the points whose turns keep out of free space
_LEVEL = 0.95
_MOSTLY = 0.5  # of the points, from which on what is level decides
_LEAST_DISC = 0.97  # share of the level points that must follow
_STEEP = 0.3
_MOST_ASIDE = 0.13  # of a normal past the axis: 0.42 for the sides of a cube, 0.15 of a hexagon
_MOST_RIPPLE_M = 0.0015
_TILT_STEP = 0.08
_MOST_SHIFT_M = 0.006
_RIPPLE_M = 0.001
_PROFILE = 4000
_TOGETHER_M = 0.004
_LEAST_TOGETHER = 6


@dataclass(frozen=True)
class Revolution:
    """A surface of revolution.

    Attributes:
        axis: (3,) unit vector.
        point: (3,) a point of the axis, metres.
        fits: (N,) bool, the points seen that follow it; a handle does not.
        ripple: Median distance of these from their common profile, metres.

    """

    axis: Floats
    point: Floats
    fits: NDArray[np.bool_]
    ripple: float


def find_revolution(seen: Seen, space: Space, axis: Floats) -> Revolution | None:
    """Find the axis of a surface of revolution in a given direction.

    The normals of such a surface meet its axis (Pottmann and Randrup, "Rotational and helical
    surface approximation for reverse engineering", 1998), which gives the axis linearly; then the
    profile is made as thin as can be.

    Args:
        seen: What was seen, with normals.
        space: What is free.
        axis: (3,) unit vector.

    Returns:
        None where the data do not agree.

    """
    frame = frame_about(axis)
    points, normals = seen.points @ frame.T, seen.normals @ frame.T
    centre = _meeting_point(points, normals)
    if centre is None:
        return None
    every = points[spread_indices(len(points), 2 * _SAMPLE)]
    for _ in range(2):
        fits = _kept_by_turning(points, centre, frame, space)
        some = np.flatnonzero(fits) if fits.mean() > 0.5 else np.arange(len(points))
        some = some[spread_indices(len(some), 2 * _SAMPLE)]
        kept = partial(_kept_by_turning, every, frame=frame, space=space)
        centre = _thinnest(points[some], normals[some], centre, kept)
    fits = _kept_by_turning(points, centre, frame, space)
    some = np.flatnonzero(fits)
    if len(some) < 30 or fits.mean() < _LEAST_ROUND or _is_no_disc(normals, fits):
        return None
    if _past_the_axis(points[some], normals[some], centre) > _MOST_ASIDE:
        return None
    profile, turned = _profile(points[some], normals[some], centre)
    _, ripples = _smooth(profile, turned, profile, turned)
    ripple = float(np.median(ripples))
    if ripple > _MOST_RIPPLE_M or float(np.quantile(ripples, 0.9)) > 3.0 * _MOST_RIPPLE_M:
        return None
    place = np.array([centre[0], centre[1], float(points[:, 2].mean())]) @ frame
    return Revolution(frame[2], place, fits, ripple)


def likely_axis(seen: Seen, space: Space) -> Floats | None:
    """Find the direction (3,) that what was seen would be turned about, lying for example.

    The normals of a long turned thing stand across its axis; from there the direction is sought
    that makes the thinnest profile. None where no direction is near one.
    """
    index = spread_indices(len(seen.cloud), 2 * _SAMPLE)
    points, normals = seen.points[index], seen.normals[index]
    start = np.linalg.eigh(normals.T @ normals)[1][:, 0]
    frame = frame_about(start)
    centre = _meeting_point(points @ frame.T, normals @ frame.T)
    if centre is None or _kept_by_turning(points @ frame.T, centre, frame, space).mean() < 0.4:
        return None

    def ripple(tilt: Floats) -> float:
        tilted = frame_about(_tilted(frame, tilt))
        flat, facing = points @ tilted.T, normals @ tilted.T
        at = _meeting_point(flat, facing)
        if at is None:
            return 1.0
        profile, turned = _profile(flat, facing, at)
        return float(np.mean(np.minimum(_smooth(profile, turned, profile, turned)[1], 0.006)))

    return _tilted(frame, downhill(ripple, np.zeros(2), (_TILT_STEP, _TILT_STEP), 50))


def _tilted(frame: Floats, tilt: Floats) -> Floats:
    """The frame's z axis (3,) moved by two small angles."""
    axis = frame[2] + tilt[0] * frame[0] + tilt[1] * frame[1]
    return np.asarray(axis / np.linalg.norm(axis))


def revolve(seen: Seen, found: Revolution, spacing: float) -> tuple[Floats, Floats, Floats]:
    """Turn the profile of what follows a revolution all around.

    Returns:
        (M, 3) points, (M, 3) normals and (M, 3) colours from 0 to 255; every point takes the
        colour of what was seen nearest to it on its circle.

    """
    frame = frame_about(found.axis)
    points, normals = seen.points[found.fits] @ frame.T, seen.normals[found.fits] @ frame.T
    centre = found.point @ frame.T
    some = spread_indices(len(points), _PROFILE)
    measured, turned = _profile(points[some], normals[some], centre[:2])
    profile = measured
    for _ in range(2):
        profile, _ = _smooth(profile, turned, measured, turned)
    # A lone point, or one that noise has turned the other way, would become a whole ring.
    tree = cKDTree(np.hstack([measured, _TOGETHER_M * turned]))
    near = tree.query_ball_point(
        np.hstack([profile, _TOGETHER_M * turned]), _TOGETHER_M, return_length=True
    )
    sure = np.flatnonzero(near >= _LEAST_TOGETHER)
    index = sure[_apart(profile[sure], turned[sure], spacing)]
    if not len(index):
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3))
    places, towards = [], []
    for (radius, height), (outward, upward) in zip(profile[index], turned[index], strict=True):
        count = max(6, int(np.ceil(2.0 * np.pi * abs(radius) / spacing)))
        angle = (np.arange(count) + 0.5) * (2.0 * np.pi / count)
        ring = np.column_stack([np.cos(angle), np.sin(angle), np.ones(count)])
        places.append(ring * [radius, radius, height] + [*centre[:2], 0.0])
        towards.append(ring * [outward, outward, upward])
    made, facing = np.concatenate(places), np.concatenate(towards)
    colours = _nearest_on_circle(made - centre * [1, 1, 0], points - centre * [1, 1, 0])
    colour = seen.cloud.colours[found.fits].astype(np.float64)[colours]
    return made @ frame, facing @ frame, colour


def _meeting_point(points: Floats, normals: Floats) -> Floats | None:
    """The point (2,) of the plane nearest to all normals' lines, outliers weighed down."""
    flat = normals[:, :2]
    steep = np.linalg.norm(flat, axis=1)
    good = steep > 0.15
    if good.sum() < 30:
        return None
    across = np.column_stack([-flat[good, 1], flat[good, 0]])
    goal = (across * points[good, :2]).sum(axis=1)
    weight = np.ones(len(goal))
    centre = np.zeros(2)
    for _ in range(15):
        matrix = (across * weight[:, None]).T @ across
        if np.linalg.cond(matrix) > 1e4:
            return None
        centre = np.linalg.solve(matrix, (across * weight[:, None]).T @ goal)
        error = (across @ centre - goal) / 0.003
        weight = 1.0 / (1.0 + error**2) ** 2
    return centre


def _kept_by_turning(
    points: Floats, centre: Floats, frame: Floats, space: Space
) -> NDArray[np.bool_]:
    """Which points (N, 3) stay out of free space while they turn about the axis."""
    middle = np.array([centre[0], centre[1], 0.0])
    turns = se3.rotation_about([0.0, 0.0, 1.0], np.arange(_TURNS) * (2.0 * np.pi / _TURNS))
    turned = np.einsum('kij,nj->kni', turns, points - middle) + middle
    return np.asarray(space.free(turned @ frame).mean(axis=0) <= _MOST_FREE)


def _thinnest(
    points: Floats,
    normals: Floats,
    centre: Floats,
    kept: Callable[[Floats], NDArray[np.bool_]],
) -> Floats:
    """The centre (2,) nearby for which the profile is thin and turns keep out of free space.

    Either alone is flat about its best where the walls are as thick as the noise, or a rim is high.
    """

    def cost(at: Floats) -> float:
        profile, turned = _profile(points, normals, at / 10.0)
        _, away = _smooth(profile, turned, profile, turned)
        ripple = float(np.mean(np.minimum(away, 0.006)))
        return ripple / _RIPPLE_M + 1.0 - float(kept(at / 10.0).mean())

    found = downhill(cost, 10.0 * centre, (0.03, 0.03), 40) / 10.0
    return found if np.linalg.norm(found - centre) < _MOST_SHIFT_M else centre


def _is_no_disc(normals: Floats, fits: NDArray[np.bool_]) -> bool:
    """Whether what was seen is mostly level, and goes on where a disc would end.

    A level face stays in its place about any axis, so its outline alone tells; of a tile a disc
    would be kept, and the corners left as they are.
    """
    level = np.abs(normals[:, 2]) > _LEVEL
    return bool(level.mean() > _MOSTLY and fits[level].mean() < _LEAST_DISC)


def _past_the_axis(points: Floats, normals: Floats, centre: Floats) -> float:
    """Median part of the normals (N, 3) of walls that leads past the axis, from 0 to 1."""
    away = points[:, :2] - centre
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    wall = np.linalg.norm(normals[:, :2], axis=1) > _STEEP
    aside = np.abs(normals[:, 0] * away[:, 1] - normals[:, 1] * away[:, 0])
    return float(np.median(aside[wall])) if wall.any() else 0.0


def _profile(points: Floats, normals: Floats, centre: Floats) -> tuple[Floats, Floats]:
    """Radius and height (N, 2) of points about the axis, and their normals (N, 2) there."""
    away = points[:, :2] - centre
    radius = np.linalg.norm(away, axis=1)
    outward = (normals[:, :2] * away).sum(axis=1) / np.maximum(radius, 1e-6)
    turned = np.column_stack([outward, normals[:, 2]])
    turned /= np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-6)
    return np.column_stack([radius, points[:, 2]]), turned


def _smooth(
    places: Floats, towards: Floats, profile: Floats, turned: Floats
) -> tuple[Floats, Floats]:
    """Places (M, 2) moved onto the line through a profile, and how far (M,) they were from it."""

    def solid(flat: Floats) -> Floats:
        return np.column_stack([flat, np.zeros(len(flat))])

    planes = local_planes(
        solid(places),
        solid(towards),
        solid(profile),
        solid(turned),
        np.ones(len(profile)),
        turned,
        0.003,
    )
    normals = planes.means / np.maximum(np.linalg.norm(planes.means, axis=1, keepdims=True), 1e-9)
    away = ((places - planes.centres[:, :2]) * normals).sum(axis=1)
    return places - away[:, None] * normals, np.abs(away)


def _apart(profile: Floats, turned: Floats, spacing: float) -> NDArray[np.int64]:
    """Indices of profile points that keep a distance; both sides of a wall are kept."""
    sector = np.floor(np.arctan2(turned[:, 1], turned[:, 0]) / (np.pi / 2.0)).astype(np.int64)
    keys = np.column_stack([np.floor(profile / spacing).astype(np.int64), sector])
    return np.sort(np.unique(keys, axis=0, return_index=True)[1])


def _nearest_on_circle(made: Floats, points: Floats) -> NDArray[np.int64]:
    """For every made point the seen one of about its radius and height, nearest in angle."""

    def place(of: Floats) -> Floats:
        radius = np.maximum(np.linalg.norm(of[:, :2], axis=1), 1e-6)
        angle = 0.01 * of[:, :2] / radius[:, None]
        return np.column_stack([radius, of[:, 2], angle])

    return np.asarray(cKDTree(place(points)).query(place(made))[1])
