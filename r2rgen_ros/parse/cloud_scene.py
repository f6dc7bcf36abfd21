# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parse a demonstration of point clouds: objects by kinematics, labels by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud, voxel_downsample
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT, SceneObject
from r2rgen_ros.parse.clusters import clusters, spacing
from r2rgen_ros.parse.colouring import Palette, own_by_colour
from r2rgen_ros.parse.labels import ObjectMatcher, label_cloud
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.parse.tracking import track

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import ObjectNote
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.parse.ground import Ground
    from r2rgen_ros.parse.prompts import Candidates

_OBJECT_TOLERANCE_M = 0.008
_VOXEL_M = 0.001
_DENSER = 0.5  # of the spacing of a frame's points
_FUSED_FRAMES = 12
_AT_ROBOT_M = 0.04
_STRAY_M = 0.05
_LOOSE_POINTS = 12


def parse_clouds(
    ground: Ground,
    notes: Sequence[ObjectNote],
    found: Mapping[int, Candidates],
    chosen: Sequence[NDArray[np.int64]],
    held: Sequence[NDArray[np.int8]],
    progress: Callable[[int], None] | None,
) -> tuple[list[SceneObject], list[NDArray[np.uint8]], Cloud]:
    """Return the objects, the labels of every frame, and the environment.

    Args:
        ground: The survey of the demonstration.
        notes: The objects.
        found: Candidates by frame.
        chosen: Per object, indices of its points in the frame of its prompt.
        held: Per object, (T,) arm that holds it, -1 for none.
        progress: Called with the number of frames done.

    """
    demo = ground.demo
    first = [found[note.prompt.frame].snapshot for note in notes]
    tracks = [
        _track(demo, note, snapshot.points[places])
        for note, snapshot, places in zip(notes, first, chosen, strict=True)
    ]
    clouds = [
        _local(snapshot, places, poses[note.prompt.frame])
        for note, snapshot, places, poses in zip(notes, first, chosen, tracks, strict=True)
    ]
    labels, environment = _label_clouds(ground, clouds, tracks, found, progress)
    told = [
        _colour(demo, FIRST_OBJECT + k, clouds[k], tracks[k], held, labels)
        for k in range(len(notes))
    ]
    objects = [
        SceneObject(
            note.name,
            _fuse(demo, FIRST_OBJECT + k, clouds[k], tracks[k], held[k], labels, told[k]),
            tracks[k],
            held[k],
        )
        for k, note in enumerate(notes)
    ]
    return objects, labels, environment


def _track(demo: Demo, note: ObjectNote, points: NDArray[np.float64]) -> NDArray[np.float64]:
    start = se3.compose(np.eye(3), points.mean(axis=0))
    return track(demo, start, note.prompt.frame, note.grasps)


def _local(snapshot: Snapshot, chosen: NDArray[np.int64], pose: NDArray[np.float64]) -> Cloud:
    points = se3.apply(se3.inverse(pose), snapshot.points[chosen])
    return Cloud.from_arrays(points, snapshot.colours[chosen])


def _label_clouds(
    ground: Ground,
    clouds: list[Cloud],
    tracks: list[NDArray[np.float64]],
    found: Mapping[int, Candidates],
    progress: Callable[[int], None] | None,
) -> tuple[list[NDArray[np.uint8]], Cloud]:
    """Label every cloud; what stood still in the first frame and is no object is environment."""
    demo = ground.demo
    start = found.get(0) or ground.candidates(0)
    gap = spacing(start.snapshot.points)
    tolerance = max(_OBJECT_TOLERANCE_M, 1.5 * gap)
    matcher = ObjectMatcher(clouds, tolerance)
    strays = ObjectMatcher(clouds, _STRAY_M)

    def owners(snapshot: Snapshot, frame: int) -> NDArray[np.int64]:
        """Objects of the points; loose points beside an object, edges mostly, belong to it."""
        poses_now = [poses[frame] for poses in tracks]
        owner = matcher.match(snapshot.points, poses_now)
        rest = np.flatnonzero(owner < 0)
        loose = rest[clusters(snapshot.points[rest], start.radius, _LOOSE_POINTS) < 0]
        owner[loose] = strays.match(snapshot.points[loose], poses_now)
        return owner

    owner = owners(start.snapshot, 0)
    rest = (owner < 0) & ~np.isin(start.label, sorted(start.robot))
    still = rest & _stays(demo, start.snapshot.points, tolerance)
    environment = Cloud.from_arrays(start.snapshot.points[still], start.snapshot.colours[still])
    tree = cKDTree(environment.points) if len(environment) else None
    labels = []
    for frame in range(len(demo)):
        snapshot = Snapshot.take(demo, frame)
        owner = owners(snapshot, frame)
        near = np.zeros(len(snapshot.points), dtype=bool)
        if tree is not None:
            distances = tree.query(snapshot.points, distance_upper_bound=tolerance)[0]
            near = np.asarray(distances <= tolerance)
        labels.append(label_cloud(owner, near))
        if progress is not None:
            progress(1)
    return labels, environment


def _stays(demo: Demo, points: NDArray[np.float64], tolerance: float) -> NDArray[np.bool_]:
    """Which points (N, 3) of the first frame are still seen later in most frames."""
    later = np.unique(np.linspace(0, len(demo) - 1, 9).astype(int))[1:]
    hits = np.zeros(len(points))
    for frame in later:
        tree = cKDTree(Snapshot.take(demo, int(frame)).points)
        hits += tree.query(points, distance_upper_bound=tolerance)[0] <= tolerance
    return np.asarray(hits >= 0.6 * len(later))


def _colour(
    demo: Demo,
    label: int,
    model: Cloud,
    poses: NDArray[np.float64],
    held: Sequence[NDArray[np.int8]],
    labels: list[NDArray[np.uint8]],
) -> bool:
    """Label what colours tell of an object from its grasp on; return whether they tell anything.

    They are learnt before any grasp, when distance alone parts object and robot.
    """
    grasped = np.flatnonzero(held[label - FIRST_OBJECT] >= 0)
    before = int(np.argmax(np.any(np.stack(held) >= 0, axis=0)))
    if not grasped.size or not before:
        return False
    own, robot = [], []
    for frame in _few(np.arange(before)):
        snapshot, names = _named(demo, frame, labels)
        own.append(snapshot.colours[names == label])
        robot.append(snapshot.colours[names == ROBOT])
    palette = Palette.learn(own, robot)
    if palette is None:
        return False
    points = model.points.astype(np.float64)
    for frame in range(int(grasped[0]), len(demo)):
        snapshot, names = _named(demo, frame, labels)
        taken = own_by_colour(
            snapshot.points, snapshot.colours, names == label, names == ROBOT,
            points, poses[frame], palette,
        )  # fmt: skip
        labels[frame].reshape(-1)[snapshot.index[taken]] = label
    return True


def _fuse(
    demo: Demo,
    label: int,
    seed: Cloud,
    poses: NDArray[np.float64],
    held: NDArray[np.int8],
    labels: list[NDArray[np.uint8]],
    told: bool,
) -> Cloud:
    """Gather what the frames saw of an object, in its own frame.

    Frames in which the robot is at it are left out unless colours tell them apart: fingers, or a
    tool, within the tolerance would be fused too.
    """
    parts = [seed]
    in_hand = _few(np.flatnonzero(held >= 0)) if told else []
    for frame in _few(np.flatnonzero(held < 0)) + in_hand:
        snapshot, names = _named(demo, frame, labels)
        chosen = np.flatnonzero(names == label)
        if chosen.size and (told or not _robot_at(snapshot.points, names, chosen)):
            parts.append(_local(snapshot, chosen, poses[frame]))
    # Many frames of a sparse cloud would be far denser than any one that the camera gives.
    size = max(_VOXEL_M, _DENSER * spacing(seed.points.astype(np.float64)))
    return voxel_downsample(Cloud.concatenate(parts), size)


def _few(frames: NDArray[np.int64]) -> list[int]:
    """A dozen of some frames, spread evenly."""
    places = np.unique(np.linspace(0, len(frames) - 1, _FUSED_FRAMES).astype(int))
    return [int(frame) for frame in frames[places]] if len(frames) else []


def _named(
    demo: Demo, frame: int, labels: Sequence[NDArray[np.uint8]]
) -> tuple[Snapshot, NDArray[np.uint8]]:
    """Read a frame, and the label (N,) of each of its points."""
    snapshot = Snapshot.take(demo, frame)
    return snapshot, labels[frame].reshape(-1)[snapshot.index]


def _robot_at(
    points: NDArray[np.float64], names: NDArray[np.uint8], chosen: NDArray[np.int64]
) -> bool:
    """Whether the robot is within a few centimetres of some points of a frame."""
    robot = points[names == ROBOT]
    few = points[chosen[:: max(1, len(chosen) // 500)]]
    if not len(robot):
        return False
    distances, _ = cKDTree(few).query(robot, distance_upper_bound=_AT_ROBOT_M)
    return bool(np.isfinite(distances).any())
