# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scene + Episode -> the frames that a camera on the base or on a link would record."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.carried import camera_path, require_link
from r2rgen_ros.generate.far_off import FarOff
from r2rgen_ros.generate.noise import EpisodeNoise
from r2rgen_ros.generate.robot_shell import RobotShell, in_camera
from r2rgen_ros.generate.sensed import sensed
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.surfels import Placed, SurfelImage, Surfels
from r2rgen_ros.model.errors import require
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT
from r2rgen_ros.model.sensed import SensedFrame
from r2rgen_ros.sense.depth_camera import Image
from r2rgen_ros.sense.unseen import unseen_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.model.deployment import MountedCamera
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.robots.kinematics import Robot
    from r2rgen_ros.sense.noise import DepthNoise

    Floats = NDArray[np.float64]

_PLANAR = 24
_EVEN = 0.6  # completed objects have points of even distances
_WIDEST = 4.0  # pixels of the source that the disc of a point may span


class DeployedComposer:
    """Depth and colour images of a camera that moves, or is not the one that recorded.

    Everything is drawn as surface: the environment and the objects as discs in the planes of their
    points, the robot by its description. What no frame of the source saw is a hole.

    Args:
        scene: The parsed demonstration.
        config: What is asked for.
        robot: Kinematics; needed where the camera is on a link that is no end effector.
        mounted: The camera.
        noise: Its noise; None for none.
        number: Tells the cameras of a recording apart.

    Raises:
        R2RGenError: The source holds no depth images, or the camera's link cannot be followed.

    """

    def __init__(
        self,
        scene: Scene,
        config: GenerateConfig,
        robot: Robot | None,
        mounted: MountedCamera,
        noise: DepthNoise | None = None,
        number: int = 0,
    ) -> None:
        require(
            scene.demo.has_images and scene.demo.sensor is not None,
            f'"{scene.demo.name}" cannot be rendered for camera "{mounted.name}": it holds clouds',
            'depth images with camera_info',
            'leave out render_for',
        )
        require_link(mounted, scene.demo, robot)
        self._scene, self._config, self._robot, self._mounted = scene, config, robot, mounted
        self._image = SurfelImage(mounted.camera)
        self._rays = mounted.camera.rays().reshape(-1, 3).astype(np.float32)
        self._environment = self._still()
        self._objects = [Surfels.of(item.cloud, most=0.01, reach=_EVEN) for item in scene.objects]
        self._shell = RobotShell.of(scene)
        self._far = FarOff.of(scene.demo, mounted)
        self._noise = None
        if noise is not None:  # discs in common planes have no noise, nor have meshes
            self._noise = EpisodeNoise(
                noise, mounted.camera, None, recorded_robot=self._shell is None, number=number
            )

    def _still(self) -> Surfels:
        """The environment's discs, base frame."""
        sensor, cloud = self._scene.demo.sensor, self._scene.environment
        assert sensor is not None
        if not sensor.is_static:
            return Surfels.of(cloud, planar=_PLANAR)
        away = np.linalg.norm(cloud.points - sensor.camera2base[0][:3, 3], axis=1)
        return Surfels.of(cloud, planar=_PLANAR, most=_WIDEST * away / sensor.camera.fx)

    def frames(self, episode: Episode) -> Iterator[SensedFrame]:
        """Yield the frames of an episode in order."""
        spoiler = None if self._noise is None else self._noise.start(episode)
        for image, camera2base in self.images(episode):
            unseen = unseen_share(image.label)
            reported = None
            if self._noise is not None and spoiler is not None:
                reported = self._noise.spoiled(spoiler, image.depth, image.label, still=True)
            yield self._sensed(image, reported, camera2base, unseen)

    def images(self, episode: Episode) -> Iterator[tuple[Image, Floats]]:
        """Yield the images of an episode without noise, with the pose camera2base (4, 4)."""
        scene = self._scene
        path = camera_path(self._mounted, episode, scene.demo, self._robot)
        poses = None if self._shell is None else self._shell.poses(episode)
        world = episode.variation.base2base
        for frame, source in enumerate(episode.source_frames.tolist()):
            base2camera = se3.inverse(path[frame])
            layers = [Placed(self._environment, base2camera @ world, ENVIRONMENT)]
            layers += [
                Placed(discs, base2camera @ episode.object2base[k, frame], FIRST_OBJECT + k)
                for k, discs in enumerate(self._objects)
            ]
            if poses is None:
                arm = scene.demo.arms[0]
                moved = episode.ee2base[arm.name][frame] @ se3.inverse(arm.ee2base[source])
                layers.append(Placed(self._robot_discs(source), base2camera @ moved, ROBOT))
            depth, colour, label = self._image.draw(layers)
            if poses is not None:
                self._add_robot(in_camera(path[frame], poses[frame]), depth, colour, label)
            if self._far is not None:
                self._far.add(source, path[frame], world, colour, label)
            yield Image(depth, colour, label), path[frame]

    def _robot_discs(self, frame: int) -> Surfels:
        """The robot's pixels of a source frame as discs, base frame, where there is no URDF."""
        demo = self._scene.demo
        assert demo.sensor is not None
        data, camera = demo.frames[frame], demo.sensor.camera
        assert data.depth is not None
        index = self._scene.labels[frame] == ROBOT
        points = camera.unproject(data.depth)[index]
        colours = None if data.colour is None else data.colour[index]
        cloud = Cloud.from_arrays(se3.apply(demo.sensor.camera2base[frame], points), colours)
        return Surfels.of(cloud, most=_WIDEST * np.maximum(points[:, 2], 0.1) / camera.fx)

    def _add_robot(
        self,
        part2camera: Floats,
        depth: NDArray[np.float32],
        colour: NDArray[np.uint8],
        label: NDArray[np.uint8],
    ) -> None:
        """Draw the robot's surface into an image, where nothing is before it."""
        assert self._shell is not None
        drawn, shade = self._shell.see(self._mounted.camera, part2camera)
        wins = np.isfinite(drawn) & ~(depth < drawn)
        depth[wins], colour[wins], label[wins] = drawn[wins], shade[wins], ROBOT

    def _sensed(
        self,
        image: Image,
        reported: NDArray[np.float32] | None,
        camera2base: Floats,
        unseen: float,
    ) -> SensedFrame:
        """What the sensor makes of it, with its labelled cloud, thinned evenly over the image."""
        near, far = self._mounted.range_m
        for depth in (image.depth, reported):
            if depth is not None:
                depth[(depth < near) | (depth > far)] = np.nan
        image = replace(image, unseen=unseen)
        return sensed(self._scene, image, reported, self._rays, camera2base, self._config)
