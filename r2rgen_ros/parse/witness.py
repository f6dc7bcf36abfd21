# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the camera says of where an object is, without tracking it.

A gripper's reading says when it may hold something; what is seen of an object says whether it
does. A gripper that closes on nothing, or beside an object, is no grasp.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.clusters import spacing
from r2rgen_ros.parse.snapshot import Snapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.parse.events import Body

    Floats = NDArray[np.float64]

_SAMPLES = 400
_TOLERANCE_M = 0.012
_SIGMAS = 4.0
_SEEN = 0.1
_SEEN_LEAST = 8
_MOVED_M = 0.03
_CHECKS = 7
_KEPT = 4
_LITTLE = 0.1
_THERE = 0.6
_GONE = 0.3
_GLANCES = 6


class Witness:
    """Says how much of an object the camera sees at a pose.

    Args:
        demo: The demonstration.
        noise: Standard deviation of a single depth at 1 m; it grows with the square of the depth.

    """

    def __init__(self, demo: Demo, noise: float = 0.0) -> None:
        self._demo, self._noise = demo, noise
        self.has_images = demo.has_images
        self._depth = lru_cache(_KEPT)(self._load)
        self._tree = lru_cache(_KEPT)(self._plant)
        self._near = 0.0 if self.has_images else _cloud_tolerance(demo)

    def share(self, points: Floats, pose: Floats, frame: int) -> float:
        """Share of an object's points that are where a pose says, of those that can be judged.

        Args:
            points: (N, 3) points of the object, its own frame, metres.
            pose: (4, 4) object2base.
            frame: Camera frame.

        Returns:
            Between 0 and 1; NaN where too little of it would be seen: hidden, or out of view.

        """
        few = se3.apply(pose, points[:: max(1, len(points) // _SAMPLES)])
        if not self.has_images:
            distance = self._tree(frame).query(few, distance_upper_bound=self._near)[0]
            return float(np.mean(distance <= self._near))
        agree, denied = self._compare(few, frame)
        if agree + denied < max(_SEEN_LEAST, _SEEN * len(few)):
            return float('nan')
        return agree / (agree + denied)

    def _compare(self, points: Floats, frame: int) -> tuple[int, int]:
        """How many points (N, 3) of the base frame agree with the image, and how many cannot be."""
        sensor = self._demo.sensor
        assert sensor is not None
        seen = se3.apply(se3.inverse(sensor.camera2base[frame]), points)
        seen = seen[seen[:, 2] > 1e-3]
        pixels = np.rint(sensor.camera.project(seen)[:, :2]).astype(np.int64)
        size = np.array([sensor.camera.width, sensor.camera.height])
        inside = ((pixels >= 0) & (pixels < size)).all(axis=1)
        z = seen[inside, 2]
        beyond = self._depth(frame)[pixels[inside, 1], pixels[inside, 0]] - z
        tolerance = np.maximum(_TOLERANCE_M, _SIGMAS * self._noise * z**2)
        # What is measured before the point hides it, and says nothing; NaN says nothing either.
        return int((np.abs(beyond) <= tolerance).sum()), int((beyond > tolerance).sum())

    def _load(self, frame: int) -> NDArray[np.float32]:
        depth = self._demo.frames[frame].depth
        assert depth is not None
        return depth

    def _plant(self, frame: int) -> cKDTree:
        return cKDTree(Snapshot.take(self._demo, frame).points)


def _cloud_tolerance(demo: Demo) -> float:
    return max(_TOLERANCE_M, 1.5 * spacing(Snapshot.take(demo, 0).points))


def carried(
    witness: Witness,
    points: Floats,
    pose: Floats,
    path: Floats,
    closure: tuple[int, int],
    anchor: int,
) -> float:
    """How surely an object moves with a hand, from what the camera sees.

    The object is looked for where it was and where the hand would have brought it, in frames in
    which the two differ by more than a few centimetres.

    Args:
        witness: The camera.
        points: (N, 3) points of the object, its own frame, metres.
        pose: (4, 4) object2base in the frame `anchor`.
        path: (T, 4, 4) ee2base of the hand.
        closure: First and last frame of the closed gripper.
        anchor: Frame of it in which the pose is known.

    Returns:
        From -1, it stays behind, to 1, it comes along; NaN where the hand hardly moves or nothing
        of it is seen.

    """
    moved = path @ se3.inverse(path[anchor]) @ pose
    frames = np.arange(closure[0], closure[1] + 1)
    centre = points.mean(axis=0)
    places = se3.apply(moved[frames], np.tile(centre, (len(frames), 1, 1)))[:, 0]
    away = np.linalg.norm(places - se3.apply(pose, centre[None])[0], axis=1)
    far = frames[away > _MOVED_M]
    if not far.size:
        return float('nan')
    votes = []
    for frame in far[np.unique(np.linspace(0, len(far) - 1, _CHECKS).astype(int))].tolist():
        vote = _vote(witness.share(points, moved[frame], frame), witness.share(points, pose, frame))
        if np.isfinite(vote):
            votes.append(vote)
    return float(np.median(votes)) if votes else float('nan')


def _vote(there: float, here: float) -> float:
    """Compare the shares of an object seen where a hand brings it and where it was, -1 to 1.

    A hand hides much of what it holds, so the two are compared with each other, not with 1.
    """
    if np.isnan(there) or np.isnan(here):
        return float(np.nan_to_num(2.0 * there - 1.0, nan=1.0 - 2.0 * here))
    return (there - here) / max(there + here, _LITTLE)


def departure(witness: Witness, body: Body, first: int, last: int, window: int) -> int | None:
    """When an object that should rest leaves its place.

    Args:
        witness: The camera; of clouds nothing can be said, since what is hidden is missing too.
        body: The object.
        first: First frame in which it rests, as far as is known.
        last: Last such frame.
        window: Frames between two looks.

    Returns:
        The last frame in which it was there; None where it stays, or is not seen well enough to
        tell.

    """
    if not witness.has_images or last - first < 3 * window:
        return None

    def shares(frames: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
        seen = [witness.share(body.points, body.poses[first], int(t)) for t in frames]
        known = np.isfinite(seen)
        return frames[known], np.array(seen)[known]

    # Frames take long to read: most objects are still there in the end.
    _, few = shares(np.unique(np.linspace(first, last, _GLANCES).astype(np.int64)))
    if len(few) < 2 or few[-1] > _THERE:
        return None
    frames, share = shares(np.unique(np.append(np.arange(first, last, window), last)))
    there = np.flatnonzero(share > _THERE)
    after = share[there[-1] + 1 :] if there.size else share
    if not there.size or len(after) < 2 or float(np.median(after)) > _GONE:
        return None
    begin, end = int(frames[there[-1]]), int(frames[there[-1] + 1])
    between, share = shares(np.arange(begin + 1, end))
    return max(begin, int(between[share > _THERE].max(initial=begin)))


def arrival(witness: Witness, points: Floats, first: int, last: int) -> int:
    """First frame from which points (N, 3) of the base frame are where they are in the last one."""
    for frame in range(last, first, -1):
        if witness.share(points, np.eye(4), frame) < 0.5:
            return frame + 1
    return first + 1
