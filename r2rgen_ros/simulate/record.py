# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Record the virtual robot's expert as a rosbag2, as a real robot's drivers would."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.bags import keys
from r2rgen_ros.bags.chunks import ZSTD, Compression
from r2rgen_ros.bags.failures import writing
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import Skill
from r2rgen_ros.model.errors import R2RGenError, check_range, require
from r2rgen_ros.model.paths import sync
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import drivers
from r2rgen_ros.simulate.depth_noise import StereoNoise
from r2rgen_ros.simulate.duet import perform_duet
from r2rgen_ros.simulate.expert import Rollout, perform
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.steps import Task
from r2rgen_ros.simulate.tasks import make_task
from r2rgen_ros.simulate.trip import TABLE_AHEAD, Trip, base_twist, planar, seen
from r2rgen_ros.simulate.wheels import BASES, Wheels
from r2rgen_ros.simulate.world import EXTERNAL, TIME_STEP, State, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.deployment import MountedCamera

    Floats = NDArray[np.float64]

SENSOR_NOISES = ('none', 'stereo')


@dataclass(frozen=True)
class Options:
    """How to record.

    Attributes:
        depth_encoding: '16UC1' (millimetres) or '32FC1' (metres).
        depth_noise_m: Standard deviation of the depth at one metre; it grows with the square of
            the distance. 0 for exact depth, or for what the kind of sensor has by default.
        sensor_noise: Kind of sensor: 'none', whose depth is exact but for independent noise of the
            above size, or 'stereo' (`simulate.depth_noise`).
        compression: Of the bag's chunks.
        latency_s: Least and largest time from an image's stamp to its log time, seconds.
        shrink: How many times smaller than they are drawn the images are: see `camera.thin`.
        with_truth: Whether the ground truth is drawn and written beside the bag.

    """

    depth_encoding: str = '16UC1'
    depth_noise_m: float = 0.0
    sensor_noise: str = 'none'
    compression: Compression = ZSTD
    latency_s: tuple[float, float] = (0.022, 0.034)
    shrink: int = 1
    with_truth: bool = True

    def __post_init__(self) -> None:
        """Check the values."""
        known = ('16UC1', '32FC1')
        require(
            self.depth_encoding in known,
            f'the depth encoding is "{self.depth_encoding}"',
            f'one of {known}',
        )
        check_range('the depth noise', self.depth_noise_m, 0.0, 0.1, 'm')
        require(
            self.sensor_noise in SENSOR_NOISES,
            f'the sensor noise is "{self.sensor_noise}"',
            f'one of {SENSOR_NOISES}',
        )
        least, largest = self.latency_s
        check_range('the largest latency', largest, 0.0, 1.0, 's')
        check_range('the least latency', least, 0.0, largest, 's')
        require(self.shrink >= 1, f'the images are shrunk by {self.shrink}', 'a number from 1')

    @property
    def stereo(self) -> StereoNoise | None:
        """The noise of a stereo camera, if it is one."""
        if self.sensor_noise == 'none':
            return None
        default = StereoNoise()
        return replace(default, axial=self.depth_noise_m) if self.depth_noise_m else default


@dataclass(frozen=True)
class Act:
    """A task carried out, before it is written.

    Attributes:
        task: The task.
        seed: Its seed.
        world: The world it happened in.
        rollout: What happened.
        camera_every: Time steps from one image of the camera to the next.
        wheels: The mobile base that the robot stands on; None for a fixed one.

    """

    task: Task
    seed: int
    world: World
    rollout: Rollout
    camera_every: int = drivers.CAMERA_EVERY
    wheels: Wheels | None = None

    @property
    def frames(self) -> tuple[State, ...]:
        """The states that the camera sees."""
        return tuple(state for state in self.rollout.states if self._is_seen(state))

    @property
    def base2fixed(self) -> Floats | None:
        """Where a base that drives was in odom, (T, 4, 4) at the frames; None for any other."""
        if self.wheels is None or self.wheels.trail is None:
            return None
        seen = [self._is_seen(state) for state in self.rollout.states]
        return self.wheels.base2odom @ self.wheels.trail[seen]

    def _is_seen(self, state: State) -> bool:
        return drivers.camera_due(drivers.step_of(state), self.camera_every)


def act(
    task: str,
    seed: int,
    object_poses: Mapping[str, Floats] | None = None,
    *,
    camera_every: int = drivers.CAMERA_EVERY,
    camera: MountedCamera = EXTERNAL,
    others: Sequence[MountedCamera] = (),
    base: str = 'fixed',
) -> Act:
    """Let the expert carry out a task.

    Args:
        task: Name of the task.
        seed: Draws where everything stands.
        object_poses: object2base (4, 4) by name, instead of what the seed draws.
        camera_every: Time steps (`world.TIME_STEP`) from one image of the camera to the next.
        camera: What watches.
        others: What watches as well; the ground truth is of the first camera.
        base: 'fixed'; 'mobile' for one with odometry, which stands where the seed says; or
            'driving' for one that drives along the table between taking and putting down.

    Raises:
        R2RGenError: The expert fails, a pose is given for an object that does not exist, or two
            cameras have one topic or frame.

    """
    drivers.require_apart((camera, *others))
    require(base in BASES, f'the base is "{base}"', f'one of {BASES}')
    require(seed >= 0, f'the seed is {seed}', 'a whole number from 0')
    check_range("the camera's period", camera_every, 1, round(1.0 / TIME_STEP), 'time steps')
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    made = make_task(task, rng)
    poses = made.sample(rng)
    names = list(poses)
    for name, pose in (object_poses or {}).items():
        require(name in poses, f'there is no object "{name}" in task "{task}"', f'one of {names}')
        require(se3.is_transform(pose), f'the pose of "{name}" is not a rigid transform')
        poses[name] = np.asarray(pose, dtype=np.float64)
    if base == 'driving':
        return _act_driving(made, seed, poses, camera_every, (camera, *others))
    world = World(made.things, camera=camera, rig=made.rig, others=others)
    world.reset(poses)
    pairs = [sorted(pair) for pair in world.touching() if pair <= set(names)]
    require(not pairs, f'the objects {pairs} overlap at the start', 'room between them')
    expert = perform if made.script is None else perform_duet
    rollout = expert(world, made, lambda step: drivers.wanted(step, camera_every))
    wheels = Wheels.docked(seed) if base == 'mobile' else None
    return Act(made, seed, world, rollout, camera_every, wheels)


def _act_driving(
    task: Task,
    seed: int,
    poses: dict[str, Floats],
    camera_every: int,
    cameras: Sequence[MountedCamera],
) -> Act:
    """Let the expert carry out a task on a base that drives."""
    trip = Trip.sample(seed)
    room = seen(trip.start)
    world = World(task.things, TABLE_AHEAD, cameras[0], task.rig, cameras[1:], drives=True)
    spread = trip.spread(task, poses)
    world.reset({name: planar(room) @ pose for name, pose in spread.items()})
    world.drive(room, np.zeros(3))
    rollout = perform(world, task, lambda step: drivers.wanted(step, camera_every), trip)
    rooms, speeds = (np.stack(part) for part in zip(*map(world.room, rollout.states), strict=True))
    wheels = replace(
        Wheels.docked(seed), trail=planar(seen(rooms)), twists=base_twist(rooms, speeds)
    )
    return Act(task, seed, world, rollout, camera_every, wheels)


def record(
    task: str,
    seed: int,
    out: Path | str,
    *,
    options: Options | None = None,
    progress: Callable[[int, int], None] | None = None,
    object_poses: Mapping[str, Floats] | None = None,
) -> Path:
    """Let the expert carry out a task and record it as a rosbag2 with its ground truth.

    Args:
        task: Name of the task.
        seed: Draws where everything stands; the same seed gives the same bytes.
        out: Folder to create.
        options: How to record.
        progress: Called with the number of camera frames done and the total.
        object_poses: object2base (4, 4) by name, instead of what the seed draws.

    Returns:
        The folder.

    Raises:
        R2RGenError: The expert fails, the folder exists or cannot be written, or the machine
            cannot render.

    """
    out = Path(out)
    refuse_existing(out)
    done = act(task, seed, object_poses)
    return write(done, out, options=options, progress=progress)


def write(
    done: Act,
    out: Path | str,
    *,
    options: Options | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a task that was carried out; arguments as of `record`."""
    out = Path(out)
    options = options if options is not None else Options()
    refuse_existing(out)
    with writing(out):
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        around = Path(tempfile.mkdtemp(prefix=f'.{out.name}.tmp-', dir=out.absolute().parent))
    try:
        inside = around / out.name
        labels = _write_bag(done, inside, options, progress)
        with writing(out):
            if options.with_truth:
                truth(done, np.stack(labels)).save(inside)
            sync(inside)
            refuse_existing(out)
            inside.rename(out)
            sync(out.absolute().parent)
    finally:
        shutil.rmtree(around, ignore_errors=True)
    return out


def refuse_existing(out: Path) -> None:
    """Raise `R2RGenError` where there is something already, before any work is done."""
    require(bool(out.name), f'"{out}" has no name of its own', 'a new folder')
    if os.path.lexists(out):
        raise R2RGenError(f'{out} exists already', 'a new name', 'choose another, or remove it')


def _write_bag(
    done: Act, path: Path, options: Options, progress: Callable[[int, int], None] | None
) -> list[NDArray[np.uint8]]:
    """Draw and write all that is published; returns the labels (H, W) per image, if wanted."""
    noise, latency = (
        np.random.default_rng(np.random.SeedSequence([done.seed, purpose])) for purpose in (1, 2)
    )
    rig = done.task.rig
    hands = tuple((arm.name, arm.tool) for arm in rig.arms)
    custom = {
        'r2rgen.source': 'simulate',
        'r2rgen.task': done.task.name,
        'r2rgen.seed': str(done.seed),
        keys.BASE_FRAME: rig.base,
        keys.END_EFFECTOR: keys.format_end_effectors(hands),
    }
    labels: list[NDArray[np.uint8]] = []
    plain = options.depth_noise_m if options.stereo is None else 0.0
    with ExitStack() as eyes:
        cameras = []
        for place, mounted in enumerate(done.world.cameras):
            if place:
                custom[keys.DEPTH] = drivers.camera_topics(done.world.camera)['depth']
                noise = np.random.default_rng(np.random.SeedSequence([done.seed, 1, place]))
            eye = Eye(done.world, plain, noise, options.shrink, options.stereo, which=place)
            eyes.enter_context(eye)
            wanted = labels if options.with_truth and not place else None
            look = _looker(done, eye, wanted, None if place else progress)
            cameras.append(
                drivers.Camera(
                    look,
                    eye.camera,
                    done.camera_every,
                    options.latency_s,
                    options.depth_encoding,
                    mounted,
                )
            )
        main, *others = cameras
        robot = drivers.Drivers(done.rollout.states, main, latency, rig, done.wheels, others)
        with BagWriter(path, custom_data=custom, compression=options.compression) as bag:
            robot.write(bag)
    return labels


def _looker(
    done: Act,
    eye: Eye,
    labels: list[NDArray[np.uint8]] | None,
    progress: Callable[[int, int], None] | None,
) -> Callable[[State], drivers.Images]:
    """Return what draws the images of a state, and appends its labels to a list if there is one."""
    numbers, total = count(1), len(done.frames)

    def look(state: State) -> drivers.Images:
        done.world.restore(state)
        images = eye.colour(), eye.depth()
        if labels is not None:
            labels.append(eye.labels())
        if progress is not None:
            progress(next(numbers), total)
        return images

    return look


def truth(done: Act, labels: NDArray[np.uint8]) -> GroundTruth:
    """What really happened, with the labels (T, H, W) that were rendered of it."""
    frames = done.frames
    times = np.array([state.time for state in frames])
    qpos = np.stack([state.qpos for state in frames])
    poses = done.world.poses(qpos)
    names = tuple(done.world.things)
    rig = done.task.rig
    joints = qpos[:, : len(rig.joints)]
    base2fixed = done.base2fixed
    if base2fixed is not None:
        poses = {name: base2fixed @ path for name, path in poses.items()}
    hands = np.stack(
        [
            Robot.from_urdf(rig.description, rig.base, arm.tool).forward(rig.joints, joints)
            for arm in rig.arms
        ]
    )
    if base2fixed is not None:
        hands = base2fixed @ hands
    arms = [arm.name for arm in rig.arms]
    held_by = np.zeros((len(arms), len(names), len(times)), dtype=np.bool_)
    for hold in done.rollout.holds:
        closed = (times >= hold.start) & (times <= hold.end)
        held_by[arms.index(hold.arm), names.index(hold.thing)] |= closed
    several = len(arms) > 1
    return GroundTruth(
        names=names,
        stamps=np.array([drivers.stamp_of(state) for state in frames], dtype=np.int64),
        object2base=np.stack([poses[name] for name in names]),
        labels=labels,
        held=np.asarray(held_by.any(axis=0)),
        joints=joints,
        ee2base=hands[0],
        camera2base=_camera2base(done),
        skills=_skills(done, times),
        hands2base=hands if several else None,
        held_by=held_by if several else None,
    )


def _camera2base(done: Act) -> Floats:
    """Pose of the camera: (4, 4), or (T, 4, 4) where a link carries it."""
    mounted = done.world.camera
    base2fixed, wheels = done.base2fixed, done.wheels
    if not mounted.mount:
        still = np.array(mounted.camera2mount)
        if base2fixed is None or wheels is None:
            return still
        return wheels.base2odom @ still if mounted is EXTERNAL else base2fixed @ still
    rig = done.task.rig
    robot = Robot.from_urdf(rig.description, rig.base, rig.arms[0].tool)
    joints = np.stack([state.joints for state in done.frames])
    edge = (rig.base, mounted.mount)
    poses = robot.link_poses(rig.joints, joints, [edge])[edge] @ mounted.camera2mount
    return poses if base2fixed is None else base2fixed @ poses


def _skills(done: Act, times: Floats) -> tuple[Skill, ...]:
    out = []
    for span in done.rollout.spans:
        inside = np.flatnonzero((times >= span.start) & (times <= span.end))
        name = span.step.name
        require(inside.size > 0, f'the camera took no image of "{name}"', 'more images per second')
        in_hand = () if span.step.goal is None else (span.step.thing,)
        first, last = int(inside[0]), int(inside[-1])
        out.append(Skill(name, first, last, span.step.targets, in_hand, span.step.arm))
    return tuple(out)
