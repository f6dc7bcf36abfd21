# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demo + Annotation -> Scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud, voxel_downsample
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT, Scene, SceneObject
from r2rgen_ros.parse.background import Background, complete_behind, find_background
from r2rgen_ros.parse.clusters import clusters, spacing
from r2rgen_ros.parse.growth import grow
from r2rgen_ros.parse.labels import ObjectMatcher, label_cloud, label_image
from r2rgen_ros.parse.prompts import Candidates, find_candidates, select
from r2rgen_ros.parse.robot import robot_of, robot_points
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.parse.support import assumed_support, fit_support
from r2rgen_ros.parse.tracking import held_by, track

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import Annotation, ObjectNote, SupportPlane
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.robots.kinematics import Robot

_MARGIN_M = 0.15
_OBJECT_TOLERANCE_M = 0.008
_FRONT_M = 0.004
_SIGMAS = 4.0
_LIFT_SIGMAS = 3.0
_VOXEL_M = 0.001
_FUSED_FRAMES = 12
_AT_ROBOT_M = 0.04
_STRAY_M = 0.05
_LOOSE_POINTS = 12


@dataclass(frozen=True)
class Ground:
    """What is known of a demonstration before anything is said of its objects.

    Attributes:
        demo: The demonstration.
        robot: Its kinematics, where it has a URDF.
        support: The support plane, fitted or assumed.
        background: What a still depth camera sees behind everything; None for clouds.

    """

    demo: Demo
    robot: Robot | None
    support: SupportPlane
    background: Background | None

    def candidates(self, frame: int) -> Candidates:
        """Cluster what stands on the support in a frame."""
        outline = None
        if np.isfinite(self.support.residual):
            outline = self.support.to_plane(self.support.outline)
        points = robot_points(self.demo, self.robot, frame)
        snapshot = Snapshot.take(self.demo, frame)
        lift = self._lift(snapshot, frame)
        return find_candidates(frame, snapshot, self.support, points, outline, lift)

    def _lift(self, snapshot: Snapshot, frame: int) -> NDArray[np.float64] | float:
        """How far (N,) the noise of a depth camera lifts points above the support, metres.

        The noise of the depth z lies along the line of sight, which falls by the camera's height
        over the support within z: of sigma = growth z^2, growth z height is upwards.
        """
        if self.background is None or self.demo.sensor is None:
            return 0.0
        camera2base = self.demo.sensor.camera2base[frame]
        height = abs(float(self.support.height(camera2base[:3, 3])))
        z = (snapshot.points - camera2base[:3, 3]) @ camera2base[:3, 2]
        return np.asarray(_LIFT_SIGMAS * self.background.noise * height * z)


def survey(demo: Demo, support: SupportPlane | None = None) -> Ground:
    """Find the support plane and the background.

    Args:
        demo: The demonstration.
        support: A support plane that a person has given; None to fit one.

    Returns:
        What later steps start from.

    """
    robot = robot_of(demo)
    if demo.has_images:
        background: Background | None = find_background(demo)
        assert demo.sensor is not None
        assert background is not None
        points = demo.sensor.camera.unproject(background.depth).reshape(-1, 3)
        points = points[np.isfinite(points[:, 2])]
        points = se3.apply(demo.sensor.camera2base[0], points)
    else:
        background = None
        points = Snapshot.take(demo, 0).points
    if support is None:
        support = fit_support(points)
    if support is None and background is not None:
        raise R2RGenError(
            f'no support plane is to be seen in "{demo.name}"',
            'a table or floor that fills 15 % of the image',
            'give the plane in annotation.yaml under "support"',
        )
    if support is None:
        reach = np.concatenate([points, *(arm.ee2base[:, :3, 3] for arm in demo.arms)])
        support = assumed_support(points, reach, _MARGIN_M)
    return Ground(demo, robot, support, background)


def parse_scene(
    demo: Demo,
    annotation: Annotation,
    folder: Path,
    progress: Callable[[int], None] | None = None,
) -> Scene:
    """Turn a demonstration and what a person said of it into a Scene.

    Args:
        demo: The demonstration.
        annotation: Objects, skills and perhaps the support plane.
        folder: Folder that mask paths are relative to.
        progress: Called with the number of frames done.

    Returns:
        The scene.

    Raises:
        R2RGenError: The annotation does not fit the demonstration, or a prompt selects nothing.

    """
    _check_fit(demo, annotation)
    return build_scene(survey(demo, annotation.support), annotation, folder, progress)


def build_scene(
    ground: Ground,
    annotation: Annotation,
    folder: Path,
    progress: Callable[[int], None] | None = None,
) -> Scene:
    """Do what `parse_scene` does, from a survey made before."""
    demo = ground.demo
    _check_fit(demo, annotation)
    held = [held_by(demo, note) for note in annotation.objects]
    found: dict[int, Candidates] = {}
    seeds = []
    for note in annotation.objects:
        frame = note.prompt.frame
        if frame not in found:
            found[frame] = ground.candidates(frame)
        seeds.append(select(demo, note, found[frame], folder))
    first = [found[note.prompt.frame].snapshot for note in annotation.objects]
    tracks = [
        _track(demo, note, snapshot.points[chosen])
        for note, snapshot, chosen in zip(annotation.objects, first, seeds, strict=True)
    ]
    clouds = [
        _local(snapshot, chosen, poses[note.prompt.frame])
        for note, snapshot, chosen, poses in zip(
            annotation.objects, first, seeds, tracks, strict=True
        )
    ]
    backdrop = None
    if ground.background is not None:
        covered = _still_covered(ground, annotation.objects, seeds)
        behind = complete_behind(demo, ground.background, covered, ground.support)
        clouds = _grown(ground, behind, clouds, tracks, held)
        labels, environment = _label_images(ground, behind, clouds, tracks, progress)
        backdrop = behind.colour
    else:
        labels, environment = _label_clouds(ground, clouds, tracks, found, progress)
    complete = [
        _fuse(demo, FIRST_OBJECT + k, cloud, tracks[k], held[k], labels)
        for k, cloud in enumerate(clouds)
    ]
    objects = tuple(
        SceneObject(note.name, cloud, poses, hand)
        for note, cloud, poses, hand in zip(annotation.objects, complete, tracks, held, strict=True)
    )
    return Scene(demo, annotation, ground.support, objects, environment, tuple(labels), backdrop)


def _check_fit(demo: Demo, annotation: Annotation) -> None:
    if annotation.frames is not None and annotation.frames != len(demo):
        raise R2RGenError(
            f'the annotation is for {annotation.frames} frames, "{demo.name}" has {len(demo)}',
            'the annotation of this demonstration',
            'annotate it again',
        )
    names = [arm.name for arm in demo.arms]
    for skill in annotation.skills:
        if skill.arm not in names:
            raise R2RGenError(f'skill "{skill.name}" names arm "{skill.arm}"', f'one of {names}')
        if skill.last >= len(demo):
            raise R2RGenError(
                f'skill "{skill.name}" ends at frame {skill.last}', f'less than {len(demo)} frames'
            )
    for note in annotation.objects:
        if note.prompt.frame >= len(demo):
            raise R2RGenError(
                f'the prompt of "{note.name}" is in frame {note.prompt.frame}',
                f'less than {len(demo)} frames',
            )
        held_by(demo, note)


def _track(demo: Demo, note: ObjectNote, points: NDArray[np.float64]) -> NDArray[np.float64]:
    start = se3.compose(np.eye(3), points.mean(axis=0))
    return track(demo, start, note.prompt.frame, note.grasps)


def _local(snapshot: Snapshot, chosen: NDArray[np.int64], pose: NDArray[np.float64]) -> Cloud:
    points = se3.apply(se3.inverse(pose), snapshot.points[chosen])
    return Cloud.from_arrays(points, snapshot.colours[chosen])


def _front(support: SupportPlane, behind: Background) -> NDArray[np.float32]:
    """How far (H, W) before the environment a point must be to count as something else, metres."""
    residual = support.residual
    least = max(_FRONT_M, _SIGMAS * residual) if np.isfinite(residual) else _FRONT_M
    grown = _SIGMAS * behind.noise * behind.depth**2
    return np.asarray(np.maximum(least, grown), dtype=np.float32)


def _foreground(
    ground: Ground, behind: Background, frame: int
) -> tuple[Snapshot, NDArray[np.int64]]:
    """The points of a frame, and the indices of those before the environment."""
    depth = ground.demo.frames[frame].depth
    assert depth is not None
    snapshot = Snapshot.take(ground.demo, frame)
    front = _front(ground.support, behind)
    before = np.isnan(behind.depth) | (depth < behind.depth - front)
    return snapshot, np.flatnonzero(before.reshape(-1)[snapshot.index])


def _grown(
    ground: Ground,
    behind: Background,
    clouds: list[Cloud],
    tracks: list[NDArray[np.float64]],
    held: list[NDArray[np.int8]],
) -> list[Cloud]:
    """Clouds of the objects with the faces that come into view later."""
    return grow(
        clouds,
        tracks,
        held,
        ObjectMatcher(clouds, _OBJECT_TOLERANCE_M),
        lambda frame: _foreground(ground, behind, frame),
        lambda frame: robot_points(ground.demo, ground.robot, frame),
    )


def _label_images(
    ground: Ground,
    behind: Background,
    clouds: list[Cloud],
    tracks: list[NDArray[np.float64]],
    progress: Callable[[int], None] | None,
) -> tuple[list[NDArray[np.uint8]], Cloud]:
    """Label every image; the environment is what lies behind objects and robot."""
    demo = ground.demo
    assert demo.sensor is not None
    matcher = ObjectMatcher(clouds, _OBJECT_TOLERANCE_M)
    labels = []
    for frame in range(len(demo)):
        snapshot, places = _foreground(ground, behind, frame)
        depth = demo.frames[frame].depth
        assert depth is not None
        owner = np.full(len(snapshot.points), -1, dtype=np.int64)
        owner[places] = matcher.match(snapshot.points[places], [poses[frame] for poses in tracks])
        front = _front(ground.support, behind)
        labels.append(label_image(snapshot, behind.depth, depth, owner, front))
        if progress is not None:
            progress(1)
    known = np.isfinite(behind.depth)
    points = demo.sensor.camera.unproject(behind.depth)[known]
    environment = Cloud.from_arrays(
        se3.apply(demo.sensor.camera2base[0], points), behind.colour[known]
    )
    return labels, environment


def _still_covered(
    ground: Ground, notes: tuple[ObjectNote, ...], seeds: list[NDArray[np.int64]]
) -> NDArray[np.bool_]:
    """Pixels (H, W) whose background is still an object, because it never moved away."""
    assert ground.background is not None
    out = np.zeros(ground.background.depth.shape, dtype=bool)
    for note, chosen in zip(notes, seeds, strict=True):
        snapshot = Snapshot.take(ground.demo, note.prompt.frame)
        depth = ground.demo.frames[note.prompt.frame].depth
        assert depth is not None
        index = snapshot.index[chosen]
        same = np.abs(ground.background.depth.reshape(-1)[index] - depth.reshape(-1)[index]) < 0.01
        out.reshape(-1)[index[same]] = True
    return out


def _label_clouds(
    ground: Ground,
    clouds: list[Cloud],
    tracks: list[NDArray[np.float64]],
    found: dict[int, Candidates],
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


def _fuse(
    demo: Demo,
    label: int,
    seed: Cloud,
    poses: NDArray[np.float64],
    held: NDArray[np.int8],
    labels: list[NDArray[np.uint8]],
) -> Cloud:
    """Gather what the frames saw of an object, in its own frame.

    Frames in which the robot is at it are left out: fingers, or a tool, within the tolerance would
    be fused too.
    """
    free = np.flatnonzero(held < 0)
    free = free[np.unique(np.linspace(0, len(free) - 1, _FUSED_FRAMES).astype(int))]
    parts = [seed]
    for frame in free.tolist():
        snapshot = Snapshot.take(demo, frame)
        names = labels[frame].reshape(-1)[snapshot.index]
        chosen = np.flatnonzero(names == label)
        if chosen.size and not _robot_at(snapshot.points, names, chosen):
            parts.append(_local(snapshot, chosen, poses[frame]))
    return voxel_downsample(Cloud.concatenate(parts), _VOXEL_M)


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
