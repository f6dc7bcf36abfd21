# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recorded task, and the very scene that a variation of it describes, recorded anew.

The virtual robot is recorded by the camera model of `simulate.depth_noise` and parsed from one
click per object, with its true skills. For an episode, true objects are moved as it says, the room
as the moved base sees it, and the robot stands at its joints; the camera then looks again, exactly
and through two sensors of its kind whose noise differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import maximum_filter

from benchmarks.cameras import Seen, simulated_joints, true_poses
from benchmarks.parse import scene_of
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import (
    CameraConfig,
    FeasibilityConfig,
    GenerateConfig,
    OutputConfig,
    PerturbationConfig,
)
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.model.episode import Episode, PlanarMove, Variation
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT, UNSEEN
from r2rgen_ros.simulate import record
from r2rgen_ros.simulate.cameras import camera_named
from r2rgen_ros.simulate.depth_noise import StereoCamera, StereoNoise
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.tasks import make_task
from r2rgen_ros.simulate.world import World

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.deployment import MountedCamera

    Floats = NDArray[np.float64]
    Depth = NDArray[np.float32]

BASE = PlanarMove(0.2, 0.0, float(np.deg2rad(20.0)))
STAYS = PlanarMove()
MARGIN_PX = 10
"""How far around what moved a stereo shadow, a halo or a wandering edge may reach."""
_AROUND_PX = 4
_UNLIMITED = (0.01, 100.0)
_ATTEMPTS = 24
_OBJECTS_ALONE = 12
_STEP_M = 0.001  # depth in bags is in whole millimetres


@dataclass(frozen=True)
class Cell:
    """A kind of variation.

    Attributes:
        distance_m: How far every object that is free to move goes.
        yaw_deg: How far it turns.
        base: How the robot's base moves.

    """

    distance_m: float
    yaw_deg: float
    base: PlanarMove = STAYS

    @property
    def name(self) -> str:
        """Short name for people."""
        out = f'{100.0 * self.distance_m:.0f}cm_{self.yaw_deg:.0f}deg'
        if self.base.is_identity:
            return out
        far = 100.0 * float(np.hypot(self.base.x, self.base.y))
        return f'{out}_base_{far:.0f}cm_{np.rad2deg(self.base.yaw):.0f}deg'


@dataclass(frozen=True)
class Retake:
    """A frame of the scene that an episode describes, as the camera really sees it.

    Attributes:
        exact: (H, W) float32 depth without noise, metres, NaN outside the sensor's range.
        one: (H, W) the same with noise.
        other: (H, W) the same with other noise.
        colour: (H, W, 3) uint8.
        label: (H, W) uint8 what each pixel really shows.
        region: (H, W) bool, pixels that are compared.
        objects: (H, W) bool, those that show an object, or are close around one.
        hidden: (H, W) bool, pixels that the sensor's other imager does not look at.

    """

    exact: Depth
    one: Depth
    other: Depth
    colour: NDArray[np.uint8]
    label: NDArray[np.uint8]
    region: NDArray[np.bool_]
    objects: NDArray[np.bool_]
    hidden: NDArray[np.bool_]


def in_steps(depth: Depth) -> Depth:
    """Depth (H, W) as a bag has it: in whole millimetres."""
    return (np.round(depth / _STEP_M) * _STEP_M).astype(np.float32)


def recorded(task: str, seed: int, mount: str, folder: Path) -> Path:
    """Return the bag of a task as one camera sees it, with noise; if there is none, record it."""
    bag = folder / f'{task}-{seed}-{mount}'
    if not bag.exists():
        options = record.Options(sensor_noise='stereo')
        record.write(record.act(task, seed, camera=camera_named(mount)), bag, options=options)
    return bag


class Stage:
    """A task that one camera recorded, parsed, with the world to record it again.

    Args:
        task: Its name.
        seed: Draws where everything stands.
        mount: Name of the camera.
        folder: Where recordings are kept and looked for.

    """

    def __init__(self, task: str, seed: int, mount: str, folder: Path) -> None:
        self.task, self.seed, self.mount = task, seed, mount
        self.camera = camera_named(mount)
        self._folder = folder
        bag = recorded(task, seed, mount, folder)
        self.truth = GroundTruth.load(bag)
        self.scene = scene_of(bag, self.truth, seed)
        self._seen = Seen(self.scene, self.truth)

    @property
    def is_static(self) -> bool:
        """Whether the camera stands still."""
        assert self.scene.demo.sensor is not None
        return bool(self.scene.demo.sensor.is_static)

    @cached_property
    def config(self) -> GenerateConfig:
        """What is asked of the generator."""
        # What is cropped cannot be compared.
        camera = CameraConfig(fill='expand', noise='fitted')
        return GenerateConfig(
            perturbation=PerturbationConfig(count=1),
            feasibility=FeasibilityConfig(collisions=False),
            camera=camera,
            output=OutputConfig(labelled_points=False),
        )

    @cached_property
    def _makers(self) -> tuple[Sampler, Assembler]:
        return Sampler.create(self.scene, self.config, 0), Assembler.create(self.scene, self.config)

    def episode(self, cell: Cell, every: int, number: int = 0) -> Episode | None:
        """Return every so manieth frame of an episode of a kind, None where none can be made.

        Directions are drawn until the arm can do it; from half of the attempts on, only what is
        carried first moves. If nothing else helps, the arm is moved as well as it can.

        Args:
            cell: How far things move.
            every: Every how manieth frame is kept.
            number: Which of the episodes of this kind.

        """
        sampler, assembler = self._makers
        last: Episode | None = None
        for attempt in range(_ATTEMPTS):
            moves = self._moves(cell, number, attempt)
            variation = sampler.from_moves(attempt, moves, cell.base)
            if not isinstance(variation, Variation):
                continue
            found = assembler.assemble(variation)
            if isinstance(found, Episode):
                return _thinned(found, every)
            if last is None:
                tried = assembler.assemble(variation, forced=True)
                last = tried if isinstance(tried, Episode) else None
        return None if last is None else _thinned(last, every)

    def _moves(self, cell: Cell, number: int, attempt: int) -> dict[int, PlanarMove]:
        key = [self.seed, round(1000 * cell.distance_m), round(cell.yaw_deg), number, attempt]
        rng = np.random.default_rng(np.random.SeedSequence(key))
        skills = self._makers[0].free_skills
        if attempt >= _OBJECTS_ALONE:
            skills = skills[:1]
        out = {}
        for skill in skills:
            way, side = rng.uniform(-np.pi, np.pi), 1.0 if rng.random() < 0.5 else -1.0
            out[skill] = PlanarMove(
                cell.distance_m * float(np.cos(way)),
                cell.distance_m * float(np.sin(way)),
                side * float(np.deg2rad(cell.yaw_deg)),
            )
        return out

    def retakes(self, episode: Episode, key: Sequence[int] = ()) -> Iterator[Retake]:
        """Record every frame of an episode anew.

        Args:
            episode: The episode.
            key: Makes the noise another one.

        """
        made = make_task(self.task, np.random.default_rng(np.random.SeedSequence([self.seed, 0])))
        wide = replace(self.camera, range_m=_UNLIMITED)
        base = episode.variation.base2base
        # What does not move is built as it was for the recording.
        table = None if episode.variation.base.is_identity else base
        world = World(made.things, table, camera=wide)
        sensors = [
            StereoCamera(
                self.camera.camera,
                StereoNoise(),
                np.random.default_rng(np.random.SeedSequence([self.seed, 11, which, *key])),
            )
            for which in range(2)
        ]
        poses = true_poses(self.scene, self.truth, episode)
        near, far = self.camera.range_m
        with Eye(world) as eye:
            for frame in range(len(episode)):
                joints = simulated_joints(self.scene, episode, frame)
                world.place(joints, {name: path[frame] for name, path in poses})
                depth, label = eye.depth(), eye.labels()
                one, other = (_within(sensor(depth), near, far) for sensor in sensors)
                exact = _within(depth, near, far)
                region = self._region(episode, frame, exact, label, world.camera2base())
                hidden = _hidden(depth, self.camera) & np.isfinite(exact)
                things = (label >= FIRST_OBJECT) & (label != UNSEEN)
                objects = maximum_filter(things, 2 * _AROUND_PX + 1)
                yield Retake(exact, one, other, eye.colour(), label, region, objects, hidden)

    def _region(
        self,
        episode: Episode,
        frame: int,
        exact: Depth,
        label: NDArray[np.uint8],
        camera2base: Floats,
    ) -> NDArray[np.bool_]:
        """Pixels (H, W) that are compared.

        Where camera and room stand still: what moves, what it stood before, and around both.
        Otherwise all that the source can know of: robot, objects, and the room where it was seen.
        """
        if not self.is_static or not episode.variation.base.is_identity:
            return self._seen.knows(exact, label, self.camera, camera2base, episode)
        source = self.truth.labels[episode.source_frames[frame]]
        moving = (label == ROBOT) | (label >= FIRST_OBJECT)
        moving |= (source == ROBOT) | (source >= FIRST_OBJECT)
        return np.asarray(maximum_filter(moving, 2 * MARGIN_PX + 1))


def _within(depth: Depth, near: float, far: float) -> Depth:
    with np.errstate(invalid='ignore'):
        return np.where((depth >= near) & (depth <= far), depth, np.float32(np.nan))


def _hidden(depth: Depth, camera: MountedCamera) -> NDArray[np.bool_]:
    """Which pixels (H, W) something nearer hides from the right imager of a stereo camera."""
    with np.errstate(divide='ignore', invalid='ignore'):
        inverse = np.where(np.isfinite(depth) & (depth > 0.0), 1.0 / depth, 0.0)
    shift = camera.camera.fx * StereoNoise().baseline * inverse
    place = np.arange(depth.shape[1]) - shift
    return np.asarray(place > np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1])


def _thinned(episode: Episode, every: int) -> Episode:
    """Every so manieth frame of an episode."""
    few: Any = slice(None, None, every)
    return replace(
        episode,
        stamps=episode.stamps[few],
        source=episode.source[few],
        ee2base={arm: poses[few] for arm, poses in episode.ee2base.items()},
        gripper={arm: values[few] for arm, values in episode.gripper.items()},
        object2base=episode.object2base[:, few],
        skill=episode.skill[few],
        joints=None if episode.joints is None else episode.joints[few],
    )
