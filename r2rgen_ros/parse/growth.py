# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faces of an object that come into view only after it was moved.

An object that was turned in the hand shows other faces where it is put down. They are too far from
what was seen at first to be matched point by point, so frames in which it rests with the robot well
away are searched for what hangs together with the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud, voxel_downsample
from r2rgen_ros.parse.clusters import clusters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.parse.labels import ObjectMatcher
    from r2rgen_ros.parse.snapshot import Snapshot

    Points = NDArray[np.float64]

_CLEAR_M = 0.2
_ROBOT_M = 0.12
_GAP_M = 0.012
_LEAST_MATCHED = 40
_PER_REST = 2
_VOXEL_M = 0.001


def resting_frames(
    poses: Points, held: NDArray[np.int8], robot_at: Callable[[int], Points]
) -> list[int]:
    """Frames in which an object stands still in no hand with the robot well away from it.

    Args:
        poses: (T, 4, 4) object2base.
        held: (T,) arm that holds it, -1 for none.
        robot_at: Points (L, 3) along the robot in a frame, base frame.

    Returns:
        At most the first and the last such frame between any two grasps.

    """
    out: list[int] = []
    free = held < 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], free, [False]]).astype(np.int8)))
    for first, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        tries = np.unique(np.linspace(first, stop - 1, 12).astype(int)).tolist()
        clear = [
            frame
            for frame in tries
            if np.linalg.norm(robot_at(frame) - poses[frame, :3, 3], axis=1).min() > _CLEAR_M
        ]
        out += sorted({*clear[:1], *clear[-1:]})[:_PER_REST]
    return out


def grow(
    clouds: Sequence[Cloud],
    tracks: Sequence[Points],
    helds: Sequence[NDArray[np.int8]],
    matcher: ObjectMatcher,
    foreground: Callable[[int], tuple[Snapshot, NDArray[np.int64]]],
    robot_at: Callable[[int], Points],
) -> list[Cloud]:
    """Add the faces that come into view later to the clouds of objects.

    Args:
        clouds: Per object, what was seen at first, object frame.
        tracks: Per object, (T, 4, 4) object2base.
        helds: Per object, (T,) arm that holds it, -1 for none.
        matcher: Finds points near those clouds.
        foreground: The snapshot of a frame and the indices of its points before the environment.
        robot_at: Points (L, 3) along the robot in a frame, base frame.

    Returns:
        Per object, the grown cloud.

    """
    parts = [[cloud] for cloud in clouds]
    frames = {
        frame
        for poses, held in zip(tracks, helds, strict=True)
        for frame in resting_frames(poses, held, robot_at)
    }
    for frame in sorted(frames):
        snapshot, places = foreground(frame)
        away = cKDTree(robot_at(frame)).query(snapshot.points[places])[0] > _ROBOT_M
        places = places[away]
        points = snapshot.points[places]
        poses_now = [poses[frame] for poses in tracks]
        owner = matcher.match(points, poses_now)
        found = _spread(points, owner, clouds, poses_now)
        for k, held in enumerate(helds):
            if held[frame] < 0:
                chosen = places[found == k]
                local = se3.apply(se3.inverse(poses_now[k]), snapshot.points[chosen])
                parts[k].append(Cloud.from_arrays(local, snapshot.colours[chosen]))
    return [voxel_downsample(Cloud.concatenate(part), _VOXEL_M) for part in parts]


def _spread(
    points: Points,
    owner: NDArray[np.int64],
    clouds: Sequence[Cloud],
    object2base: Sequence[Points],
) -> NDArray[np.int64]:
    """Give the unmatched points (N,) of a cluster to the nearest of the objects matched in it."""
    found = np.full(len(points), -1, dtype=np.int64)
    label = clusters(points, _GAP_M, _LEAST_MATCHED)
    for k in range(int(label.max(initial=-1)) + 1):
        mine = np.flatnonzero(label == k)
        counts = np.bincount(owner[mine] + 1, minlength=len(clouds) + 1)[1:]
        present = np.flatnonzero(counts >= _LEAST_MATCHED)
        open_ = mine[owner[mine] < 0]
        if not present.size or not open_.size:
            continue
        gaps = np.stack(
            [
                np.asarray(
                    cKDTree(se3.apply(object2base[i], clouds[i].points)).query(points[open_])[0]
                )
                for i in present.tolist()
            ]
        )
        found[open_] = present[gaps.argmin(axis=0)]
    return found
