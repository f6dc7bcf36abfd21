# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the further cameras of a recording see of an episode."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from r2rgen_ros.bags.cameras import depth_range, without
from r2rgen_ros.generate.carried import carrier, range_around
from r2rgen_ros.generate.deployed import DeployedComposer
from r2rgen_ros.model.demo import Sensor
from r2rgen_ros.model.deployment import MountedCamera
from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from r2rgen_ros.bags.recording import FurtherCamera, Source
    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.robots.kinematics import Robot
    from r2rgen_ros.sense.noise import DepthNoise


def with_composers(
    source: Source,
    scene: Scene,
    config: GenerateConfig,
    robot: Robot | None,
    noise: DepthNoise | None = None,
) -> tuple[Source, dict[str, DeployedComposer]]:
    """Return a recording without the further cameras that are not rendered, and who renders others.

    Args:
        source: The recording.
        scene: The same, parsed.
        config: What is asked for.
        robot: Kinematics.
        noise: Noise of all cameras; None for none.

    Returns:
        The recording, and a composer for each of its further cameras, by name, in their order.

    """
    silent = replace(config, output=replace(config.output, labelled_points=False))
    composers: dict[str, DeployedComposer] = {}
    for number, camera in enumerate(source.others, 1):
        try:
            require(config.camera.others == 'render', 'camera.others is omit')
            require(config.camera.mode != 'off', 'the camera step is off')
            _require_same_colour(camera, scene.demo)
            mounted = mounted_camera(source, camera, scene.demo, robot)
            composers[camera.topics.name] = DeployedComposer(
                scene, silent, robot, mounted, noise, number
            )
        except R2RGenError as error:
            source = without(source, camera, error)
    return source, composers


def mounted_camera(
    source: Source, camera: FurtherCamera, demo: Demo, robot: Robot | None
) -> MountedCamera:
    """Return a further camera of a recording, mounted on what carries it.

    Raises:
        R2RGenError: Nothing that is known carries it, or it measured nothing.

    """
    mount, pose = carrier(Sensor(camera.frame, camera.camera, camera.camera2base), demo, robot)
    reach = range_around(*depth_range(source, camera))
    return MountedCamera(
        camera.topics.name, camera.camera, mount, pose, camera.frame, range_m=reach
    )


def _require_same_colour(camera: FurtherCamera, demo: Demo) -> None:
    require(
        camera.colour is None or demo.frames[0].colour is not None,
        'the main camera has no colour to give it',
    )
