# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whole objects from what a camera saw of them.

What was seen is kept; symmetry, support contact and level faces propose the rest; whatever lies in
space that the camera looked through is dropped. False surface does more harm than missing surface:
it would hide, and collide with, what is really there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.errors import check_array
from r2rgen_ros.parse.carving import Space, carve
from r2rgen_ros.parse.closing import Faces, Resting, drop_walls, extend_to_plane, fill_foot
from r2rgen_ros.parse.fusion import NOISE_GROWTH, VOXEL_M, Seen
from r2rgen_ros.parse.revolution import find_revolution, likely_axis, revolve
from r2rgen_ros.parse.symmetry import find_mirrors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.parse.fusion import View

    Floats = NDArray[np.float64]

SEEN, UNDERSIDE, SYMMETRY, BACK, MESH = range(5)
KINDS = ('seen', 'underside', 'symmetry', 'back', 'mesh')
"""What the kinds of points are called."""

REVOLUTION = 'surface of revolution'

_NEW_M = 0.0026  # what is nearer than this to what is there already adds nothing
_BELOW_M = 0.004
_FLAT_SHARE = 0.4
_ROOM = 0.4
_LEAST_ROOM_M = 0.03


@dataclass(frozen=True)
class Completed:
    """An object's surface, as far as it is known or follows from what is.

    Attributes:
        cloud: N points in the object's frame.
        normals: (N, 3) unit vectors out of the surface; zero where nobody knows.
        kinds: (N,) uint8, where each point is from: an index into `KINDS`.
        seen_share: Share of the surface that was really seen.
        how: What was found, in words for people, such as 'surface of revolution'.

    """

    cloud: Cloud
    normals: Floats
    kinds: NDArray[np.uint8]
    seen_share: float
    how: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the lengths."""
        check_array('the normals', self.normals, (len(self.cloud), 3))
        check_array('the kinds', self.kinds, (len(self.cloud),), np.uint8)


def surroundings(
    seen: Seen,
    views: Sequence[View],
    growth: float = NOISE_GROWTH,
    tolerance: float = 0.0,
) -> Space:
    """Carve the space around what was seen, with room for a back as deep as the front.

    Args:
        seen: What was seen.
        views: What the camera saw; the frames of `fuse`, and others where they help.
        growth: Standard deviation of the depth at one metre, metres.
        tolerance: By how much the object's poses may be wrong, metres.

    """
    low, high = seen.points.min(axis=0), seen.points.max(axis=0)
    room = max(_LEAST_ROOM_M, _ROOM * float((high - low).max()))
    return carve(views, low - room, high + room, growth, tolerance)


def complete(
    seen: Seen,
    space: Space | None,
    resting: Resting | None,
    *,
    symmetric: bool = True,
    closed: bool = True,
) -> Completed:
    """Complete what was seen of an object.

    Args:
        seen: What was seen, in the object's frame.
        space: What is free around it; None where there are no depth images. Without it, nothing
            could contradict a symmetry, so the object stays as it was seen.
        resting: The plane it stands on while it rests; None where it never did.
        symmetric: Whether symmetries may complete it.
        closed: Whether the underside and hidden walls are closed.

    """
    if space is None or not seen.is_oriented:
        kinds = np.full(len(seen.cloud), SEEN, dtype=np.uint8)
        share = 1.0 if len(kinds) else 0.0
        return Completed(seen.cloud, seen.normals, kinds, share)
    seen = seen.select(~space.free(seen.points))
    if resting is not None:
        seen = _off_the_plane(seen, resting)
    work = _Work(seen, space, resting)
    if symmetric:
        work.turn_or_mirror()
    if closed and resting is not None:
        if REVOLUTION not in work.how:
            work.add(drop_walls(work.points, work.normals, resting, space), BACK, 'level faces')
        work.add(extend_to_plane(work.points, work.normals, resting), UNDERSIDE, '')
        work.add(fill_foot(work.points, work.normals, resting), UNDERSIDE, 'support contact')
    return work.done()


def _off_the_plane(seen: Seen, resting: Resting) -> Seen:
    """What was seen without what may as well be the plane; the closed foot takes its place."""
    height = resting.heights(seen.points)
    low = height < _BELOW_M
    return seen if low.mean() > _FLAT_SHARE else seen.select(~low)


class _Work:
    """An object while it grows."""

    def __init__(self, seen: Seen, space: Space, resting: Resting | None) -> None:
        self.seen, self.space, self.resting = seen, space, resting
        self.points, self.normals = seen.points, np.array(seen.normals)
        self.colours = seen.cloud.colours.astype(np.float64)
        self.kinds = np.full(len(self.points), SEEN, dtype=np.uint8)
        self.how: list[str] = []

    def turn_or_mirror(self) -> None:
        """Complete by a revolution, else by mirrors, where the data agree."""
        found = None
        if self.resting is not None:
            found = find_revolution(self.seen, self.space, self.resting.up)
        if found is None and len(self.points) >= 30:
            axis = likely_axis(self.seen, self.space)
            found = None if axis is None else find_revolution(self.seen, self.space, axis)
        if found is not None:
            points, normals, colours = revolve(self.seen, found, VOXEL_M)
            self._append(points, normals, colours, SYMMETRY, REVOLUTION)
            return
        if self.resting is None:
            return
        for mirror in find_mirrors(self.seen, self.space, self.resting.up):
            self._append(
                mirror.reflect(self.points),
                mirror.turn(self.normals),
                self.colours,
                SYMMETRY,
                'mirror plane',
            )

    def add(self, faces: Faces, kind: int, how: str) -> None:
        """Add faces in the colours of what they continue."""
        self._append(faces.points, faces.normals, self.colours[faces.like], kind, how)

    def _append(
        self, points: Floats, normals: Floats, colours: Floats, kind: int, how: str
    ) -> None:
        """Add what is neither free nor below the plane nor there already."""
        good = ~self.space.free(points)
        if self.resting is not None:
            good &= self.resting.heights(points) > -VOXEL_M
        good[good] &= np.isinf(
            cKDTree(self.points).query(points[good], distance_upper_bound=_NEW_M)[0]
        )
        chosen = np.flatnonzero(good)
        chosen = chosen[_one_per_voxel(points[chosen], VOXEL_M)]
        if not len(chosen):
            return
        self.points = np.concatenate([self.points, points[chosen]])
        self.normals = np.concatenate([self.normals, normals[chosen]])
        self.colours = np.concatenate([self.colours, colours[chosen]])
        self.kinds = np.concatenate([self.kinds, np.full(len(chosen), kind, dtype=np.uint8)])
        if how and how not in self.how:
            self.how.append(how)

    def done(self) -> Completed:
        """Return the object as it is."""
        cloud = Cloud.from_arrays(self.points, np.round(self.colours))
        share = float(np.mean(self.kinds == SEEN)) if len(cloud) else 0.0
        return Completed(cloud, self.normals, self.kinds, share, tuple(self.how))


def _one_per_voxel(points: Floats, size: float) -> NDArray[np.int64]:
    keys = np.floor(points / size).astype(np.int64)
    return np.sort(np.unique(keys, axis=0, return_index=True)[1])
