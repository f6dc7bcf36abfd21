# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sensor noise of episodes: what is asked for, fitted where that is asked, and on which pixels.

Rendered pixels differ in how much of the camera's noise they have already. Objects, meshes and
what was made up have none. The environment is a mean over time: what the camera gets wrong in every
image alike is in it. Recorded pixels of the robot have all of it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.generate.config import plain
from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.geometry.tiles import whole
from r2rgen_ros.model.errors import require
from r2rgen_ros.model.noise import NoiseModel
from r2rgen_ros.model.scene import ENVIRONMENT, ROBOT
from r2rgen_ros.parse.plugins import ask_depth_noise, begin_depth_noise
from r2rgen_ros.sense.noise import FRESH, MEAN, RAW, NoisyCamera, ParametricNoise
from r2rgen_ros.sense.noise_file import load_noise
from r2rgen_ros.sense.sampling import shown_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.robots.kinematics import Robot
    from r2rgen_ros.sense.depth_camera import Image
    from r2rgen_ros.sense.noise import DepthNoise, Spoiler

_PURPOSE = 3  # of the generators of an attempt; see sampling and sampled
_MOST_SEEN = 3


def wanted_noise(scene: Scene, config: GenerateConfig, robot: Robot | None) -> DepthNoise | None:
    """Return the noise that a configuration asks for; None for none.

    Args:
        scene: The parsed demonstration, to which it is fitted if that is asked.
        config: What is asked for.
        robot: Kinematics, for the same.

    Raises:
        R2RGenError: There is no such noise, or nothing that it could be given to or fitted to.

    """
    name, scale = config.camera.noise, config.camera.noise_scale
    if name == 'off' or scale == 0.0:
        return None
    demo = scene.demo
    fix = 'set noise: off'
    require(
        demo.has_images and demo.sensor is not None,
        f'camera.noise is "{name}", but "{demo.name}" holds clouds, which keep their noise',
        'depth images with camera_info',
        fix,
    )
    require(
        config.camera.mode != 'off',
        f'camera.noise is "{name}", but the camera step is off: recorded pixels have their noise',
        '',
        f'{fix}, or camera mode: auto',
    )
    if name != 'fitted':
        return load_noise(name, scale)
    from r2rgen_ros.generate.noise_pairs import fit_scene

    return ParametricNoise(fit_scene(scene, robot).model.scaled(scale))


class EpisodeNoise:
    """Gives the images of episodes their noise.

    Args:
        noise: The model.
        camera: Intrinsics.
        measured: (H, W) pixels in which the environment is a mean of what was measured; None for
            nowhere.
        recorded_robot: Whether the robot's pixels are recorded ones.
        number: Tells cameras of one recording apart.

    """

    def __init__(
        self,
        noise: DepthNoise,
        camera: PinholeCamera,
        measured: NDArray[np.bool_] | None,
        *,
        recorded_robot: bool,
        number: int = 0,
    ) -> None:
        self._noise, self._camera, self._number = noise, camera, number
        self._measured, self._recorded_robot = measured, recorded_robot
        self._everywhere = np.ones((camera.height, camera.width), dtype=np.bool_)
        self._known: NDArray[np.uint8] | None = None  # of the image before

    def start(self, episode: Episode) -> Spoiler:
        """Return the noisy camera of one episode: the same for the same seed and attempt."""
        variation = episode.variation
        sequence = np.random.SeedSequence(
            [variation.seed, variation.index], spawn_key=(_PURPOSE, self._number)
        )
        rng = np.random.default_rng(sequence)
        self._known = None
        spoiler: Spoiler = begin_depth_noise(self._noise.name, self._noise.start, self._camera, rng)
        return spoiler

    def known(self, label: NDArray[np.uint8], *, still: bool) -> NDArray[np.uint8]:
        """How much noise each pixel (H, W) of a rendered image has already.

        Args:
            label: (H, W) what each pixel shows.
            still: Whether the environment is where it was recorded; where else what was made up of
                it lies is not followed.

        """
        known = np.empty(label.shape, dtype=np.uint8)
        self._write_known(label, still, whole(*label.shape), known)
        return known

    def _write_known(
        self,
        label: NDArray[np.uint8],
        still: bool,
        windows: NDArray[np.int32],
        out: NDArray[np.uint8],
    ) -> None:
        measured = self._measured
        if measured is not None and not still:
            measured = self._everywhere
        write_known(label, measured, windows, out, recorded_robot=self._recorded_robot)

    def spoiled(
        self,
        spoiler: Spoiler,
        depth: NDArray[np.float32],
        label: NDArray[np.uint8],
        *,
        still: bool,
    ) -> NDArray[np.float32]:
        """Return rendered depth (H, W) as the noisy camera of its episode reports it.

        Raises:
            R2RGenError: A plug-in failed, or returned something else.

        """
        self._known = None  # of an image before the one that is next
        known = self.known(label, still=still)
        return ask_depth_noise(self._noise.name, spoiler.apply, depth, known)

    def reported(
        self, spoiler: Spoiler, image: Image, wanted: int, *, still: bool
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return so many pixels of a rendered image, spread evenly, as its camera reports them.

        Args:
            spoiler: The noisy camera of the episode.
            image: The next image of the episode; none may be left out.
            wanted: How many pixels; 0 for all that there are.
            still: See `known`.

        Returns:
            (N,) flat indices, see `sense.sampling.shown_pixels`, and their depth (N,).

        """
        if type(spoiler) is not NoisyCamera:  # others may have another `apply`
            depth = self.spoiled(spoiler, image.depth, image.label, still=still)
            index = shown_pixels(image.depth, image.label, wanted, depth)
            return index, depth.reshape(-1)[index]
        windows = image.changed
        if self._known is None or windows is None:
            self._known = np.empty(image.label.shape, dtype=np.uint8)
            windows = whole(*image.label.shape)
        self._write_known(image.label, still, windows, self._known)
        return spoiler.report(image.depth, self._known, image.label, wanted, windows)


def known_pixels(
    label: NDArray[np.uint8], measured: NDArray[np.bool_] | None, *, recorded_robot: bool = True
) -> NDArray[np.uint8]:
    """How much noise each pixel (H, W) of a rendered image has already: FRESH, MEAN or RAW."""
    known = np.empty(label.shape, dtype=np.uint8)
    write_known(label, measured, whole(*label.shape), known, recorded_robot=recorded_robot)
    return known


def write_known(
    label: NDArray[np.uint8],
    measured: NDArray[np.bool_] | None,
    windows: NDArray[np.int32],
    out: NDArray[np.uint8],
    *,
    recorded_robot: bool = True,
) -> None:
    """Write the same in windows (K, 4) of an array (H, W)."""
    mask = np.zeros(label.shape, dtype=np.bool_) if measured is None else measured
    _known(label, mask, np.uint8(RAW if recorded_robot else FRESH), windows, out)


@compiled
def _known(label: Any, mask: Any, robot: Any, windows: Any, out: Any) -> None:
    """The kind of noise of each pixel (H, W), of the robot's the one that is given."""
    for n in range(windows.shape[0]):
        left, top, right, bottom = windows[n]
        for v in range(top, bottom):
            here = slice(left, right)
            _known_row(label[v, here], mask[v, here], robot, out[v, here])


@compiled
def _known_row(label: Any, mask: Any, robot: Any, out: Any) -> None:
    fresh, mean = np.uint8(FRESH), np.uint8(MEAN)
    for u in range(out.shape[0]):
        name = label[u]
        still = mean if (name == np.uint8(ENVIRONMENT)) & mask[u] else fresh
        out[u] = robot if name == np.uint8(ROBOT) else still


def noise_data(noise: DepthNoise) -> Any:
    """Return a noise model as plain data, for dataset.yaml; of a plug-in its name."""
    model = getattr(noise, 'model', None)
    return plain(asdict(model)) if isinstance(model, NoiseModel) else noise.name


def measured_pixels(scene: Scene) -> NDArray[np.bool_]:
    """Pixels (H, W) in which a camera that stands still has measured the environment."""
    return measured_often(scene, times_measured(scene))


def times_measured(scene: Scene) -> NDArray[np.int64]:
    """In how many frames each pixel (H, W) shows the environment."""
    count = np.zeros(scene.labels[0].shape, dtype=np.int64)
    for label in scene.labels:
        count += label == ENVIRONMENT
    return count


def measured_often(scene: Scene, times: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where that is often enough for a mean."""
    return times >= min(_MOST_SEEN, len(scene.labels))
