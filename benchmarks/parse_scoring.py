# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far a parsed virtual demonstration is from the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from benchmarks.parse_skills import score_skills
from benchmarks.parse_truth import (
    LEAST_PIXELS,
    SYMMETRIC,
    empty_room,
    robot_surface,
    thing_surface,
    things_of,
)
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.scene import FIRST_OBJECT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.scene import Scene, SceneObject
    from r2rgen_ros.simulate.ground_truth import GroundTruth
    from r2rgen_ros.simulate.objects import Thing

    Floats = NDArray[np.float64]

NEAR_M = 0.005
_CLEAR_M = 0.015
_MOVED_M = 0.005
WORST_MM, WORST_DEG = 1000.0, 180.0
"""What counts for a scene that could not be parsed."""


@dataclass(frozen=True)
class ObjectScore:
    """One object of one scene.

    Attributes:
        name: Its name.
        place_mm: (T,) how far its centre is from where it should be.
        turn_deg: (T,) how far it is turned; the tilt of its axis where it is symmetric.
        moved: (T,) whether it has really left where it first stood.
        iou: (M,) of its mask, in the frames where it is large enough to be seen.
        iou_frames: (M,) these frames.
        iou_measured: (M,) the same of the pixels that have depth.
        completeness: Share of its true surface within 5 mm of its cloud.
        false_surface: Share of its cloud farther than 5 mm from its true surface.

    """

    name: str
    place_mm: Floats
    turn_deg: Floats
    moved: NDArray[np.bool_]
    iou: Floats
    iou_frames: NDArray[np.int64]
    iou_measured: Floats
    completeness: float
    false_surface: float


@dataclass(frozen=True)
class SceneScore:
    """One scene.

    Attributes:
        task: Its task.
        seed: Its seed.
        objects: Its objects.
        boundaries: Frames by which the first and last frames of skills are off, in order; infinite
            for the skills that only one side has.
        targets: Per skill whether targets and objects in hand are right.
        holes: Share of the true environment's pixels that have none.
        environment_mm: Median error of its depth.
        robot_left: Share of its points that are on the robot.
        seconds: What parsing took: seconds, and seconds of one core.
        frames: Number of frames.
        error: Why it could not be parsed; empty if it could.

    """

    task: str
    seed: int
    objects: tuple[ObjectScore, ...]
    boundaries: tuple[float, ...]
    targets: tuple[bool, ...]
    holes: float
    environment_mm: float
    robot_left: float
    seconds: tuple[float, float]
    frames: int
    error: str = ''


def failed_score(
    task: str, seed: int, truth: GroundTruth, seconds: tuple[float, float], error: str
) -> SceneScore:
    """Return the worst there is, for a scene that could not be parsed."""
    frames, zero = len(truth.stamps), np.zeros(1)
    objects = tuple(
        ObjectScore(
            name,
            np.full(frames, WORST_MM),
            np.full(frames, WORST_DEG),
            _moved(truth.object2base[k]),
            zero,
            np.zeros(1, dtype=np.int64),
            zero,
            completeness=0.0,
            false_surface=1.0,
        )
        for k, name in enumerate(truth.names)
    )
    count = len(truth.skills)
    return SceneScore(
        task, seed, objects, 2 * count * (np.inf,), count * (False,),
        1.0, WORST_MM, 1.0, seconds, frames, error,
    )  # fmt: skip


def score_scene(
    task: str, seed: int, scene: Scene, truth: GroundTruth, seconds: tuple[float, float]
) -> SceneScore:
    """Compare a scene, whose objects have their true names, with the truth.

    Args:
        task: The task.
        seed: The seed.
        scene: The scene.
        truth: The truth; the scene's frames are among its frames.
        seconds: What parsing took: seconds, and seconds of one core.

    """
    rows = np.searchsorted(truth.stamps, scene.demo.stamps)
    assert np.array_equal(truth.stamps[rows], scene.demo.stamps)
    things = things_of(task)
    labels = truth.labels[rows]
    depth = [np.isfinite(_depth(scene.demo, frame)) for frame in range(len(rows))]
    objects = tuple(
        _score_object(
            scene, number, things[item.name], truth.object2base[k][rows], labels, k, depth
        )
        for number, item in enumerate(scene.objects)
        for k in [truth.names.index(item.name)]
    )
    first = [int(np.searchsorted(rows, skill.first)) for skill in truth.skills]
    last = [int(np.searchsorted(rows, skill.last)) for skill in truth.skills]
    spans = list(zip(first, last, strict=True))
    boundaries, targets = score_skills(truth.skills, spans, scene.annotation.skills)
    holes, error_mm = score_environment(scene)
    robot_left = score_robot(scene, truth.joints[rows[0]])
    return SceneScore(
        task, seed, objects, boundaries, targets, holes, error_mm, robot_left, seconds, len(rows)
    )


def pose_errors(
    found: Floats, true: Floats, centre: Floats, *, symmetric: bool
) -> tuple[Floats, Floats]:
    """How far an object is from where it should be.

    A pose is taken as the motion since the first frame, D = E(t) E(0)^-1, so that the frame that a
    parser gives an object does not matter.

    Args:
        found: (T, 4, 4) object2base.
        true: (T, 4, 4) the true one.
        centre: (3,) the point whose position is compared, true object frame, metres.
        symmetric: Whether only the direction of the true z axis can be told.

    Returns:
        Distances (T,), millimetres, and angles (T,), degrees.

    """
    moved, truly = found @ se3.inverse(found[0]), true @ se3.inverse(true[0])
    start = se3.apply(true[0], centre[None])[0]
    gaps = _at(moved, start) - _at(truly, start)
    place = 1e3 * np.linalg.norm(gaps, axis=1)
    if not symmetric:
        return place, np.degrees(se3.angle_between(moved, truly))
    axis = true[0, :3, 2]
    here, there = moved[:, :3, :3] @ axis, truly[:, :3, :3] @ axis
    sine = np.linalg.norm(np.cross(here, there), axis=1)
    return place, np.degrees(np.arctan2(sine, np.sum(here * there, axis=1)))


def surface_shares(cloud: Floats, surface: Floats) -> tuple[float, float]:
    """Share of a surface (N, 3) within 5 mm of a cloud (M, 3), and of the cloud farther than that.

    The surface is given by points so close together that it does not matter.
    """
    seen = cKDTree(cloud).query(surface, distance_upper_bound=NEAR_M)[0]
    wrong = cKDTree(surface).query(cloud, distance_upper_bound=NEAR_M)[0]
    return float(np.isfinite(seen).mean()), float(np.isinf(wrong).mean())


def score_environment(scene: Scene) -> tuple[float, float]:
    """Share of the empty room's pixels without environment, and the median error there, mm."""
    true, found = empty_room(), environment_depth(scene)
    within = np.isfinite(true)
    missing = within & np.isnan(found)
    both = within & ~missing
    error = 1e3 * float(np.median(np.abs(found - true)[both])) if both.any() else WORST_MM
    return float(missing.sum() / within.sum()), error


def environment_depth(scene: Scene) -> Floats:
    """Depth image (H, W) of a scene's environment: each point fills one pixel, the nearest wins."""
    sensor = scene.demo.sensor
    assert sensor is not None
    camera = sensor.camera
    points = se3.apply(se3.inverse(sensor.camera2base[0]), scene.environment.points)
    u, v, z = camera.project(points).T
    with np.errstate(invalid='ignore'):
        inside = (z > 0) & (u > -0.5) & (v > -0.5)
        inside &= (u < camera.width - 0.5) & (v < camera.height - 0.5)
    pixel = np.rint(v[inside]).astype(np.int64) * camera.width + np.rint(u[inside]).astype(np.int64)
    image = np.full(camera.width * camera.height, np.inf)
    np.minimum.at(image, pixel, z[inside])
    image[np.isinf(image)] = np.nan
    return image.reshape(camera.height, camera.width)


def score_robot(scene: Scene, joints: Floats) -> float:
    """Share of the environment's points that are on the robot where it stood in the first frame."""
    sensor, room = scene.demo.sensor, empty_room()
    assert sensor is not None
    points = se3.apply(se3.inverse(sensor.camera2base[0]), scene.environment.points)
    if not len(points):
        return 0.0
    # Most points are near what their own pixel should show, which is quickly found out.
    image, (u, v, _) = sensor.camera.unproject(room), sensor.camera.project(points).T
    columns = np.clip(np.nan_to_num(np.rint(u)), 0, sensor.camera.width - 1).astype(np.int64)
    rows = np.clip(np.nan_to_num(np.rint(v)), 0, sensor.camera.height - 1).astype(np.int64)
    away = points[~(np.linalg.norm(points - image[rows, columns], axis=1) <= _CLEAR_M)]
    gap, _ = cKDTree(image[np.isfinite(room)]).query(away, distance_upper_bound=_CLEAR_M)
    away = se3.apply(sensor.camera2base[0], away[np.isinf(gap)])
    gap, _ = cKDTree(robot_surface(joints)).query(away, distance_upper_bound=NEAR_M)
    return float(np.isfinite(gap).sum() / len(points))


def _score_object(
    scene: Scene,
    number: int,
    thing: Thing,
    true: Floats,
    labels: NDArray[np.uint8],
    k: int,
    depth: list[NDArray[np.bool_]],
) -> ObjectScore:
    item: SceneObject = scene.objects[number]
    centre = np.array([0.0, 0.0, 0.5 * thing.size[2]])
    place, turn = pose_errors(
        item.object2base, true, centre, symmetric=thing.name in SYMMETRIC
    )  # fmt: skip
    cloud = se3.apply(se3.inverse(true[0]) @ item.object2base[0], item.cloud.points)
    complete, wrong = surface_shares(cloud, thing_surface(thing))
    frames, iou, measured = [], [], []
    for frame, (image, known) in enumerate(zip(labels, depth, strict=True)):
        there = image == FIRST_OBJECT + k
        if there.sum() > LEAST_PIXELS:
            here = scene.labels[frame] == FIRST_OBJECT + number
            frames.append(frame)
            iou.append(_iou(here, there))
            measured.append(_iou(here & known, there & known))
    return ObjectScore(
        item.name, place, turn, _moved(true), np.array(iou), np.array(frames, dtype=np.int64),
        np.array(measured), complete, wrong,
    )  # fmt: skip


def _moved(true: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.linalg.norm(true[:, :3, 3] - true[0, :3, 3], axis=1) > _MOVED_M)


def _depth(demo: Demo, frame: int) -> NDArray[np.float32]:
    depth = demo.frames[frame].depth
    assert depth is not None
    return depth


def _at(motion: Floats, point: Floats) -> Floats:
    return np.asarray(motion[:, :3, :3] @ point + motion[:, :3, 3])


def _iou(here: NDArray[np.bool_], there: NDArray[np.bool_]) -> float:
    return float((here & there).sum() / max(1, (here | there).sum()))
