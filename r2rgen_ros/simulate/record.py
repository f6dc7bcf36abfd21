# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Record the virtual robot's expert as a rosbag2, as a real robot's drivers would."""

from __future__ import annotations

import os
import shutil
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import keys, messages
from r2rgen_ros.bags.failures import writing
from r2rgen_ros.bags.images import encode_colour, encode_depth
from r2rgen_ros.bags.writer import LATCHED, LATCHED_TF, RELIABLE, SENSOR, TF, BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import Skill
from r2rgen_ros.model.errors import R2RGenError, check_range, require
from r2rgen_ros.model.paths import sync
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.expert import Rollout, perform
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.tasks import Task, make_task
from r2rgen_ros.simulate.world import CAMERA, CAMERA2BASE, TIME_STEP, State, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

START_NS = 1_750_000_000_000_000_000
"""Header stamp of the first instant; fixed, so that the same seed gives the same bytes."""
JOINTS_EVERY = 20
TF_EVERY = 40
CAMERA_EVERY = 200
CAMERA_DELAY = 8
"""In time steps: joints at 100 Hz, TF at 50 Hz, camera at 10 Hz and 4 ms out of step with them."""

COLOUR = '/camera/color/image_raw'
COLOUR_INFO = '/camera/color/camera_info'
DEPTH = '/camera/aligned_depth_to_color/image_raw'
DEPTH_INFO = '/camera/aligned_depth_to_color/camera_info'
JOINT_STATES = '/joint_states'
GRIPPER = '/gripper/joint_states'
DESCRIPTION = '/robot_description'
OPTICAL_FRAME = 'camera_color_optical_frame'
CAMERA_FRAME = 'camera_link'
# REP-103: a camera's body has x forward; its optical frame has z forward and x right.
_OPTICAL2BODY = se3.compose([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]], np.zeros(3))


@dataclass(frozen=True)
class Options:
    """How to record.

    Attributes:
        depth_encoding: '16UC1' (millimetres) or '32FC1' (metres).
        depth_noise_m: Standard deviation of the depth at one metre; it grows with the square of
            the distance. 0 for exact depth.
        compression: 'zstd' or 'none', of the bag's chunks.

    """

    depth_encoding: str = '16UC1'
    depth_noise_m: float = 0.0
    compression: str = 'zstd'

    def __post_init__(self) -> None:
        """Check the values."""
        known = ('16UC1', '32FC1')
        require(
            self.depth_encoding in known,
            f'the depth encoding is "{self.depth_encoding}"',
            f'one of {known}',
        )
        check_range('the depth noise', self.depth_noise_m, 0.0, 0.1, 'm')


@dataclass(frozen=True)
class Act:
    """A task carried out, before it is written.

    Attributes:
        task: The task.
        seed: Its seed.
        world: The world it happened in.
        rollout: What happened.

    """

    task: Task
    seed: int
    world: World
    rollout: Rollout

    @property
    def frames(self) -> tuple[State, ...]:
        """The states that the camera sees."""
        return tuple(state for state in self.rollout.states if _camera_due(_number(state)))


def act(task: str, seed: int, object_poses: Mapping[str, Floats] | None = None) -> Act:
    """Let the expert carry out a task.

    Args:
        task: Name of the task.
        seed: Draws where everything stands.
        object_poses: object2base (4, 4) by name, instead of what the seed draws.

    Raises:
        R2RGenError: The expert fails, or a pose is given for an object that does not exist.

    """
    require(seed >= 0, f'the seed is {seed}', 'a whole number from 0')
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    made = make_task(task, rng)
    poses = made.sample(rng)
    names = list(poses)
    for name, pose in (object_poses or {}).items():
        require(name in poses, f'there is no object "{name}" in task "{task}"', f'one of {names}')
        require(se3.is_transform(pose), f'the pose of "{name}" is not a rigid transform')
        poses[name] = np.asarray(pose, dtype=np.float64)
    world = World(made.things)
    world.reset(poses)
    pairs = [sorted(pair) for pair in world.touching() if pair <= set(names)]
    require(not pairs, f'the objects {pairs} overlap at the start', 'room between them')
    return Act(made, seed, world, perform(world, made, _wanted))


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
        rng = np.random.default_rng(np.random.SeedSequence([done.seed, 1]))
        with Eye(done.world, options.depth_noise_m, rng) as eye:
            labels = _Recorder(done, eye, options, progress).write(inside)
        with writing(out):
            truth(done, labels).save(inside)
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


def _camera_due(step: int) -> bool:
    return step % CAMERA_EVERY == CAMERA_DELAY


def _wanted(step: int) -> bool:
    return step % JOINTS_EVERY == 0 or _camera_due(step)


def _number(state: State) -> int:
    return round(state.time / TIME_STEP)


def _stamp(state: State) -> int:
    return START_NS + _number(state) * round(1e9 * TIME_STEP)


class _Recorder:
    """Turns states into messages in the order in which they reach the recorder."""

    def __init__(
        self,
        done: Act,
        eye: Eye,
        options: Options,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._done, self._eye, self._options = done, eye, options
        self._progress = progress
        self._rng = np.random.default_rng(np.random.SeedSequence([done.seed, 2]))
        self._text = panda.description()
        moving, still = _edges(self._text)
        states = done.rollout.states
        robot = Robot.from_urdf(self._text, panda.BASE, panda.TOOL)
        joints = np.stack([state.joints for state in states])
        self._moving = _split(robot.link_poses(panda.JOINTS, joints, moving))
        self._still = robot.link_poses(panda.JOINTS, joints[:1], still)
        self._labels: list[NDArray[np.uint8]] = []
        self._total = len(done.frames)

    def write(self, path: Path) -> NDArray[np.uint8]:
        """Write the bag and return the labels (T, H, W) of its camera frames."""
        custom = {
            'r2rgen.source': 'simulate',
            'r2rgen.task': self._done.task.name,
            'r2rgen.seed': str(self._done.seed),
            keys.BASE_FRAME: panda.BASE,
            keys.END_EFFECTOR: panda.TOOL,
        }
        compression: Any = self._options.compression
        with BagWriter(path, custom_data=custom, compression=compression) as bag:
            _declare(bag)
            self._write_latched(bag)
            for logged, _, make in self._events():
                for topic, message in make():
                    bag.write(topic, logged, message)
        return np.stack(self._labels)

    def _write_latched(self, bag: BagWriter) -> None:
        stamp = START_NS
        bag.write(DESCRIPTION, stamp, messages.string(self._text))
        static = [
            messages.transform_matrix(stamp, parent, child, pose[0])
            for (parent, child), pose in self._still.items()
        ]
        body2base = CAMERA2BASE @ se3.inverse(_OPTICAL2BODY)
        static.append(messages.transform_matrix(stamp, panda.BASE, CAMERA_FRAME, body2base))
        static.append(messages.transform_matrix(stamp, CAMERA_FRAME, OPTICAL_FRAME, _OPTICAL2BODY))
        bag.write('/tf_static', stamp, messages.tf_message(static))

    def _events(self) -> list[tuple[int, int, Callable[[], list[tuple[str, Any]]]]]:
        """All that is logged: log time, a number that breaks ties, and what makes the messages."""
        out: list[tuple[int, int, Callable[[], list[tuple[str, Any]]]]] = []

        def add(stamp: int, low: float, high: float, make: Any, index: int) -> None:
            delay = int(1e9 * self._rng.uniform(low, high))
            out.append((stamp + delay, len(out), lambda: make(index)))

        for index, state in enumerate(self._done.rollout.states):
            step, stamp = _number(state), _stamp(state)
            if step % JOINTS_EVERY == 0:
                add(stamp, 3e-4, 1.2e-3, self._joint_messages, index)
            if step % TF_EVERY == 0:
                add(stamp, 8e-4, 2.0e-3, self._tf_messages, index)
            if _camera_due(step):
                add(stamp, 0.022, 0.034, self._camera_messages, index)
        return sorted(out, key=lambda event: event[:2])

    def _joint_messages(self, index: int) -> list[tuple[str, Any]]:
        state = self._done.rollout.states[index]
        stamp = _stamp(state)

        def message(names: tuple[str, ...], part: slice) -> Any:
            values = (state.joints[part], state.velocities[part], state.effort[part])
            return messages.joint_state(stamp, names, *values)

        return [
            (JOINT_STATES, message(panda.JOINTS, slice(0, 9))),
            (GRIPPER, message(panda.FINGER_JOINTS, slice(7, 9))),
        ]

    def _tf_messages(self, index: int) -> list[tuple[str, Any]]:
        stamp = _stamp(self._done.rollout.states[index])
        transforms = [
            messages.transform(stamp, parent, child, places[index], turns[index])
            for (parent, child), (places, turns) in self._moving.items()
        ]
        return [('/tf', messages.tf_message(transforms))]

    def _camera_messages(self, index: int) -> list[tuple[str, Any]]:
        state = self._done.rollout.states[index]
        stamp, encoding = _stamp(state), self._options.depth_encoding
        self._done.world.restore(state)
        colour, depth = self._eye.colour(), self._eye.depth()
        self._labels.append(self._eye.labels())
        if self._progress is not None:
            self._progress(len(self._labels), self._total)
        info = messages.camera_info(stamp, OPTICAL_FRAME, CAMERA)
        return [
            (COLOUR, encode_colour(colour, 'rgb8', OPTICAL_FRAME, stamp)),
            (COLOUR_INFO, info),
            (DEPTH, encode_depth(depth, encoding, OPTICAL_FRAME, stamp)),
            (DEPTH_INFO, info),
        ]


def _declare(bag: BagWriter) -> None:
    bag.add_topic(DESCRIPTION, 'std_msgs/msg/String', LATCHED)
    bag.add_topic('/tf_static', 'tf2_msgs/msg/TFMessage', LATCHED_TF)
    bag.add_topic('/tf', 'tf2_msgs/msg/TFMessage', TF)
    bag.add_topic(JOINT_STATES, 'sensor_msgs/msg/JointState', RELIABLE)
    bag.add_topic(GRIPPER, 'sensor_msgs/msg/JointState', RELIABLE)
    bag.add_topic(COLOUR, 'sensor_msgs/msg/Image', SENSOR)
    bag.add_topic(COLOUR_INFO, 'sensor_msgs/msg/CameraInfo', SENSOR)
    bag.add_topic(DEPTH, 'sensor_msgs/msg/Image', SENSOR)
    bag.add_topic(DEPTH_INFO, 'sensor_msgs/msg/CameraInfo', SENSOR)


def _edges(urdf: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs (parent, child) of the URDF's moving and fixed joints, as robot_state_publisher."""
    moving: list[tuple[str, str]] = []
    still: list[tuple[str, str]] = []
    for joint in ET.fromstring(urdf).findall('joint'):
        parent, child = joint.find('parent'), joint.find('child')
        assert parent is not None
        assert child is not None
        edge = (str(parent.get('link')), str(child.get('link')))
        (still if joint.get('type') == 'fixed' else moving).append(edge)
    return moving, still


def _split(
    poses: Mapping[tuple[str, str], Floats],
) -> dict[tuple[str, str], tuple[Floats, Floats]]:
    return {edge: se3.to_quaternion(pose) for edge, pose in poses.items()}


def truth(done: Act, labels: NDArray[np.uint8]) -> GroundTruth:
    """What really happened, with the labels (T, H, W) that were rendered of it."""
    frames = done.frames
    times = np.array([state.time for state in frames])
    qpos = np.stack([state.qpos for state in frames])
    poses = done.world.poses(qpos)
    names = tuple(done.world.things)
    joints = qpos[:, : len(panda.JOINTS)]
    robot = Robot.from_urdf(panda.description(), panda.BASE, panda.TOOL)
    held = np.zeros((len(names), len(times)), dtype=np.bool_)
    for hold in done.rollout.holds:
        held[names.index(hold.thing)] |= (times >= hold.start) & (times <= hold.end)
    return GroundTruth(
        names=names,
        stamps=np.array([_stamp(state) for state in frames], dtype=np.int64),
        object2base=np.stack([poses[name] for name in names]),
        labels=labels,
        held=held,
        joints=joints,
        ee2base=robot.forward(panda.JOINTS, joints),
        camera2base=np.array(CAMERA2BASE),
        skills=_skills(done, times),
    )


def _skills(done: Act, times: Floats) -> tuple[Skill, ...]:
    out = []
    for span in done.rollout.spans:
        inside = np.flatnonzero((times >= span.start) & (times <= span.end))
        in_hand = () if span.step.goal is None else (span.step.thing,)
        first, last = int(inside[0]), int(inside[-1])
        out.append(Skill(span.step.name, first, last, span.step.targets, in_hand))
    return tuple(out)
