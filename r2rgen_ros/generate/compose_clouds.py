# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scene + Episode -> clouds, of sources that recorded clouds alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.generate.hands import labels_by_hand, nearest_hand
from r2rgen_ros.generate.moves import Moves, move_points
from r2rgen_ros.generate.skin_points import RobotPoints
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.zbuffer import ZBufferRule
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT, Scene
from r2rgen_ros.model.sensed import SensedFrame
from r2rgen_ros.parse.clusters import spacing
from r2rgen_ros.sense.cloud_camera import CloudCamera, coarse_camera
from r2rgen_ros.sense.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.model.episode import Episode


class PointComposer:
    """Clouds without the camera step: every recorded point moves with what it belongs to."""

    def __init__(self, scene: Scene, config: GenerateConfig) -> None:
        self._scene = scene
        self._labelled = config.output.labelled_points
        self._clouds: dict[int, Cloud] = {}
        self._robot = RobotPoints.of(scene, _gap(self._cloud(0)))

    def _cloud(self, frame: int) -> Cloud:
        """The recorded cloud of a frame; the source is read once and kept."""
        if frame not in self._clouds:
            cloud = self._scene.demo.frames[frame].cloud
            assert cloud is not None
            self._clouds[frame] = cloud
        return self._clouds[frame]

    def frames(self, episode: Episode) -> Iterator[SensedFrame]:
        """Yield the frames of an episode in order."""
        moves = Moves(self._scene, episode)
        known = self._robot is not None and episode.joints is not None
        arms = self._robot.clouds(episode) if self._robot is not None and known else None
        for frame, source in enumerate(moves.source.tolist()):
            cloud, labels = self._cloud(source), self._scene.labels[source]
            names = labels_by_hand(self._scene, source, cloud.points, labels)
            points = np.empty_like(cloud.points)
            move_points(cloud.points, names, moves.table(frame), points)
            if arms is not None:
                points[labels == ROBOT] = next(arms).points
            moved = Cloud(points, cloud.colours)
            if self._labelled:
                yield SensedFrame(cloud=moved, labelled=moved, labels=labels)
            else:
                yield SensedFrame(cloud=moved)


class SparseComposer:
    """Clouds with the camera step: complete objects, seen by the camera, thinned as the source.

    An object is what the source frame saw of it, completed where that frame saw nothing, so that
    what happens to it in between (sauce that is spread) is kept.
    """

    def __init__(self, scene: Scene, config: GenerateConfig) -> None:
        sensor = scene.demo.sensor
        assert sensor is not None
        self._scene = scene
        self._labelled = config.output.labelled_points
        first = scene.demo.frames[0].cloud
        assert first is not None
        gap = _gap(first)
        self._hole = 2.0 * gap
        self._source = [self._split(frame) for frame in range(len(scene.demo))]
        base2camera = se3.inverse(sensor.camera2base[0])
        camera, radius = sensor.camera, config.camera.radius_px
        if radius == 0:
            points = se3.apply(base2camera, first.points)
            camera, radius = coarse_camera(points, gap, camera)
        rule = ZBufferRule(radius, config.camera.delta_m, 1)
        self._camera = CloudCamera(camera, rule)
        self._base2camera = se3.inverse(sensor.camera2base)
        self._robot = RobotPoints.of(scene, gap, camera, rule)

    def _split(self, frame: int) -> tuple[list[Cloud], tuple[Cloud, ...], int]:
        """Of a source frame: each arm, each object complete in its own frame, and the count."""
        cloud = self._scene.demo.frames[frame].cloud
        assert cloud is not None
        labels = self._scene.labels[frame]
        objects = tuple(
            self._completed(k, frame, cloud.select(labels == FIRST_OBJECT + k))
            for k in range(len(self._scene.objects))
        )
        robot = cloud.select(labels == ROBOT)
        hand = nearest_hand(self._scene.demo, frame, robot.points)
        arms = [robot.select(hand == place) for place in range(len(self._scene.demo.arms))]
        return arms, objects, len(cloud)

    def _completed(self, k: int, frame: int, seen: Cloud) -> Cloud:
        """What a frame saw of an object, and of its whole cloud what lies in the holes of that."""
        item = self._scene.objects[k]
        own = seen.transformed(se3.inverse(item.object2base[frame]))
        if not len(own):
            return item.cloud
        gaps, _ = cKDTree(own.points).query(item.cloud.points, distance_upper_bound=self._hole)
        return Cloud.concatenate([own, item.cloud.select(~np.isfinite(gaps))])

    def frames(self, episode: Episode) -> Iterator[SensedFrame]:
        """Yield the frames of an episode in order."""
        moves = Moves(self._scene, episode)
        known = self._robot is not None and episode.joints is not None
        arms = self._robot.clouds(episode) if self._robot is not None and known else None
        for frame, source in enumerate(moves.source.tolist()):
            (robot, *others), objects, count = self._source[source]
            hand, *hands = moves.hands[:, frame]
            if arms is not None:  # all of the robot, where its joints have it
                robot, hand, others, hands = next(arms), np.eye(4), [], []
            poses = [moves.environment, hand, *episode.object2base[:, frame], *hands]
            base2camera = self._base2camera[source]
            clouds = [self._scene.environment, robot, *objects, *others]
            things = range(FIRST_OBJECT, FIRST_OBJECT + len(objects))
            names = [ENVIRONMENT, ROBOT, *things, *(ROBOT for _ in others)]
            layers = [
                Layer(cloud, base2camera @ pose, name)
                for cloud, pose, name in zip(clouds, poses, names, strict=True)
            ]
            seen, labels, origin = self._camera.see(layers, count)
            points = np.empty_like(seen.points)
            move_points(seen.points, origin, np.stack(poses), points)
            moved = Cloud(points, seen.colours)
            if self._labelled:
                yield SensedFrame(cloud=moved, labelled=moved, labels=labels)
            else:
                yield SensedFrame(cloud=moved)


def _gap(cloud: Cloud) -> float:
    """Distance between neighbouring points of a thinned cloud, metres."""
    return spacing(cloud.points.astype(np.float64))
