# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Noise fitted to a demonstration: the scene as it was, rendered clean, beside the recording.

Under the variation that changes nothing the renderer shows every frame of the source from completed
geometry. Pixels of the robot are recorded ones, or drawn where a calibration has it, and tell
nothing; what stands before the environment throws its stereo shadow all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_dilation

from r2rgen_ros.generate.config import GenerateConfig
from r2rgen_ros.generate.noise import known_pixels, measured_often, times_measured
from r2rgen_ros.model.episode import Episode, Variation
from r2rgen_ros.model.errors import require
from r2rgen_ros.model.scene import ENVIRONMENT, ROBOT, UNSEEN
from r2rgen_ros.sense.noise_fit import NoiseFit, fit_noise
from r2rgen_ros.sense.noise_look import Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.robots.kinematics import Robot
    from r2rgen_ros.sense.depth_camera import Image

_FRAMES = 24
_BESIDE_ROBOT_PX = 3


def fit_scene(scene: Scene, robot: Robot | None, frames: int = _FRAMES) -> NoiseFit:
    """Fit a noise model to a parsed demonstration.

    Args:
        scene: The demonstration.
        robot: Kinematics, so that the robot is where it was; None without.
        frames: About how many frames to look at.

    Raises:
        R2RGenError: It has no depth images, or its camera moves, but with no link of the robot.

    """
    demo = scene.demo
    require(
        demo.has_images and demo.sensor is not None,
        f'noise cannot be fitted to "{demo.name}": it holds clouds',
        'depth images with camera_info',
        'name a preset, such as realsense_d435, or a noise file',
    )
    assert demo.sensor is not None
    pairs = pairs_of(scene, robot, frames)
    return fit_noise(pairs, demo.sensor.camera, f'fitted to {demo.name}')


def identity(scene: Scene, frames: NDArray[np.int64]) -> Episode:
    """The episode in which nothing changes, of some frames (M,) only."""
    demo = scene.demo
    skills = len(scene.annotation.skills)
    joints = None if demo.joints is None else demo.joints.positions[frames]
    poses = np.array([item.object2base[frames] for item in scene.objects])
    return Episode(
        Variation(0, 0, (None,) * skills, np.tile(np.eye(4), (skills, 1, 1))),
        demo.stamps[frames],
        frames.astype(np.float64),
        {arm.name: arm.ee2base[frames] for arm in demo.arms},
        {arm.name: arm.gripper[frames] for arm in demo.arms},
        poses.reshape(len(scene.objects), len(frames), 4, 4),
        np.full(len(frames), -1, dtype=np.int16),
        joints,
    )


def pairs_of(scene: Scene, robot: Robot | None, frames: int = _FRAMES) -> list[Pair]:
    """Clean and recorded images of a demonstration, two frames that follow each other at a time."""
    count = len(scene.demo)
    first = np.linspace(0, max(count - 2, 0), max(1, min(frames, count) // 2)).astype(np.int64)
    chosen = np.unique(np.concatenate([first, np.minimum(first + 1, count - 1)]))
    assert scene.demo.sensor is not None
    pairs = _still_pairs if scene.demo.sensor.is_static else _moving_pairs
    return list(pairs(scene, robot, chosen))


def _still_pairs(scene: Scene, robot: Robot | None, chosen: NDArray[np.int64]) -> Iterator[Pair]:
    """Pairs of a camera that stands still: the environment is a mean over time."""
    from r2rgen_ros.generate.compose_images import ImageComposer

    composer = ImageComposer(scene, GenerateConfig(), robot)
    seen = times_measured(scene)
    measured = measured_often(scene, seen)
    share = 1.0 - 1.0 / max(2.0, float(np.median(seen[measured]))) if measured.any() else 1.0
    images = composer.images(identity(scene, chosen))
    for number, image in zip(chosen.tolist(), images, strict=True):
        known = known_pixels(image.label, measured)
        # What was made up behind objects is not known well enough.
        usable = (image.label != ENVIRONMENT) | measured
        usable &= ~_near_robot(scene, image, number)
        yield Pair(image.depth, _recorded(scene, number), known, usable, number, share)


def _moving_pairs(scene: Scene, robot: Robot | None, chosen: NDArray[np.int64]) -> Iterator[Pair]:
    """Pairs of a camera that moves: the environment is surfaces fused from many views."""
    from r2rgen_ros.generate.carried import own_camera
    from r2rgen_ros.generate.deployed import DeployedComposer

    composer = DeployedComposer(scene, GenerateConfig(), robot, own_camera(scene.demo, robot))
    images = composer.images(identity(scene, chosen))
    for number, (image, _) in zip(chosen.tolist(), images, strict=True):
        usable = (image.label != UNSEEN) & ~_near_robot(scene, image, number)
        known = known_pixels(image.label, None, recorded_robot=False)
        exact = image.label == ENVIRONMENT
        yield Pair(
            image.depth, _recorded(scene, number), known, usable, number, exact=exact, drifts=True
        )


def _recorded(scene: Scene, number: int) -> NDArray[np.float32]:
    raw = scene.demo.frames[number].depth
    assert raw is not None
    return np.asarray(raw)


def _near_robot(scene: Scene, image: Image, number: int) -> NDArray[np.bool_]:
    """Pixels (H, W) at the robot, where it was recorded or is drawn."""
    near = binary_dilation(image.label == ROBOT, iterations=_BESIDE_ROBOT_PX)
    near |= binary_dilation(scene.labels[number] == ROBOT, iterations=_BESIDE_ROBOT_PX)
    return np.asarray(near)
