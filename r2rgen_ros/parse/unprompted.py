# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What stands on the support before anything is grasped: objects that nobody has pointed at.

A camera that stands still shows them in the first frame. One that moves, as on a wrist, may show
only a corner of an object there, or its top without its foot, or pass over it on the way to the
grasp: what several frames show at one place is one thing, and what only one shows is noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from r2rgen_ros.model.annotation import ObjectNote, Prompt
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.events import closures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.parse.ground import Ground

    Floats = NDArray[np.float64]

_TOUCH_M = 0.03
_SMALLEST_M = 0.015
_LARGEST_M = 0.5
_MOST_OBJECTS = 12
_LOOKS = 8
_GAP_M = 0.015  # between parts of a thing that are seen from several places
_MUCH_MORE = 1.2


@dataclass(frozen=True, eq=False)
class Sighting:
    """What a frame shows of something.

    Attributes:
        frame: The frame.
        points: (N, 3) metres, base frame.
        stands: Whether it reaches down to the support; from above, its foot may be hidden.

    """

    frame: int
    points: Floats
    stands: bool

    @property
    def extent(self) -> float:
        """Longest side of its box, metres."""
        return float(np.ptp(self.points, axis=0).max())


def find_unprompted(ground: Ground) -> list[ObjectNote]:
    """Point at what stands on the support and has the size of an object.

    Args:
        ground: The survey of the demonstration.

    Returns:
        Notes with a point each, named from left to right as the base frame's y falls.

    Raises:
        R2RGenError: Nothing is found.

    """
    frames = [0, *_looks(ground.demo)]
    found = standing([one for frame in frames for one in _sized(ground, frame)])
    if not found:
        raise R2RGenError(
            'nothing stands on the support in the first frame',
            'objects in view before the robot covers them',
            'point at them with --point, --pixel, --box or --mask; or, if the base drives, record '
            'its odometry on /tf as well',
        )
    ordered = sorted(found[:_MOST_OBJECTS], key=lambda one: -float(one.points[:, 1].mean()))
    return [
        ObjectNote(f'object_{place + 1}', Prompt(one.frame, point=_handle(one.points)))
        for place, one in enumerate(ordered)
    ]


def _looks(demo: Demo) -> list[int]:
    """Frames besides the first, before the first grasp, if the camera moves."""
    if demo.sensor is None or demo.sensor.is_static:
        return []
    grasps = [closure.first for arm in demo.arms for closure in closures(arm)]
    if not grasps:
        return []
    frames = np.linspace(0, max(0, min(grasps) - 1), _LOOKS + 1).astype(int)
    return [int(frame) for frame in np.unique(frames) if frame > 0]


def _sized(ground: Ground, frame: int) -> list[Sighting]:
    """What of a frame's clusters has the size of an object."""
    candidates = ground.candidates(frame)
    points = candidates.snapshot.points
    out = []
    for k in candidates.objects:
        mine = points[candidates.label == k]
        one = Sighting(frame, mine, float(ground.support.height(mine).min()) < _TOUCH_M)
        if _SMALLEST_M <= one.extent <= _LARGEST_M:
            out.append(one)
    return out


def standing(sightings: Sequence[Sighting]) -> list[Sighting]:
    """Choose the best sighting of each thing that stands on the support.

    Args:
        sightings: Of frame 0, and of others in which everything is still where it was.

    Returns:
        What stands in frame 0, or what another frame shows much more of; then what at least two
        other frames show. Things that frame 0 has apart stay apart, however near.

    """
    _, thing = connected_components(_touching(sightings), directed=False)
    old, new = [], []
    for k in range(int(thing.max(initial=-1)) + 1):
        mine = [one for one, owner in zip(sightings, thing, strict=True) if owner == k]
        first = [one for one in mine if one.frame == 0 and one.stands]
        later = [one for one in mine if one.frame > 0]
        most = max(later, key=lambda one: one.extent, default=None)
        if len(first) > 1 or (first and most is None):
            old += first
        elif first and most is not None:
            much = most.extent > _MUCH_MORE * first[0].extent
            old.append(most if much else first[0])
        elif most is not None and len({one.frame for one in later}) > 1:
            new += [most] if any(one.stands for one in later) else []
    return [*old, *new]


def _touching(sightings: Sequence[Sighting]) -> NDArray[np.bool_]:
    """Which (N, N) sightings are so near to each other that they may be of one thing."""
    trees = [cKDTree(one.points) for one in sightings]
    out = np.eye(len(sightings), dtype=bool)
    for i, tree in enumerate(trees):
        for j in range(i):
            distance, _ = tree.query(sightings[j].points, distance_upper_bound=_GAP_M)
            out[i, j] = bool(np.isfinite(distance).any())
    return out


def _handle(points: Floats) -> tuple[float, float, float]:
    """The point of a cluster nearest to its centre, as a click would give it."""
    centre = points.mean(axis=0)
    x, y, z = points[int(np.linalg.norm(points - centre, axis=1).argmin())]
    return round(float(x), 4), round(float(y), 4), round(float(z), 4)
