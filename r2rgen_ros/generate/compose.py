# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scene + Episode -> the frames that the source's camera would have recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from r2rgen_ros.generate.carried import own_camera
from r2rgen_ros.generate.compose_clouds import PointComposer, SparseComposer
from r2rgen_ros.generate.compose_images import ImageComposer, PixelComposer
from r2rgen_ros.generate.deployed import DeployedComposer
from r2rgen_ros.generate.noise import wanted_noise
from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.model.scene import Scene
from r2rgen_ros.model.sensed import SensedFrame
from r2rgen_ros.robots.camera_file import load_camera

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.robots.kinematics import Robot
    from r2rgen_ros.sense.noise import DepthNoise

    class Composer(Protocol):
        """Makes the frames of an episode, one at a time."""

        def frames(self, episode: Episode) -> Iterator[SensedFrame]:
            """Yield the frames of an episode in order."""


def make_composer(
    scene: Scene,
    config: GenerateConfig,
    robot: Robot | None = None,
    noise: DepthNoise | None = None,
    *,
    points_alone: bool = False,
) -> Composer:
    """Return what composes the frames of a scene's episodes.

    Args:
        scene: The parsed demonstration.
        config: What is asked for.
        robot: Kinematics, so that the robot's pixels move link by link; None to move them rigidly
            with the end effector.
        noise: Noise of the camera; None for what the configuration asks for.
        points_alone: Whether frames may be without images, where they have labelled points.

    Raises:
        R2RGenError: The camera step is on but the source has no camera, or one that moves and makes
            clouds alone.

    """
    mode = config.camera.mode
    noise = noise or wanted_noise(scene, config, robot)
    if config.camera.render_for:
        mounted = load_camera(config.camera.render_for)
        return DeployedComposer(scene, config, robot, mounted, noise)
    if mode == 'on' and scene.demo.sensor is None:
        raise R2RGenError(
            f'the camera step is on but "{scene.demo.name}" has no camera_info',
            '',
            'set camera mode to auto or off',
        )
    sensor = scene.demo.sensor
    if scene.demo.has_images and sensor is not None and not sensor.is_static:
        require(
            mode != 'off',
            f'the camera step is off, but the camera of "{scene.demo.name}" moves with the robot',
            '',
            'set camera mode to auto or on',
        )
        return DeployedComposer(scene, config, robot, own_camera(scene.demo, robot), noise)
    if scene.demo.has_images:
        if mode != 'off':
            return ImageComposer(scene, config, robot, noise, points_alone=points_alone)
        return PixelComposer(scene, config)
    if mode != 'off' and sensor is not None:
        require(
            sensor.is_static,
            f'the camera of "{scene.demo.name}" moves, and recorded clouds alone, which do not tell'
            ' what it sees from elsewhere',
            'depth images with camera_info, or a camera that stands still',
            'record depth images; or set camera mode to off: every recorded point then moves with'
            ' what it belongs to',
        )
        return SparseComposer(scene, config)
    return PointComposer(scene, config)
