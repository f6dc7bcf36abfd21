# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The process in which the virtual robot's expert acts and its camera is drawn.

It writes a bag of what the drivers of such a robot would publish, with the topics of `r2rgen
simulate` and the camera's own rate, size and latency. ROS has no part in it. It ends when its
standard input does, so that it never outlives the node.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.images import encode_colour, encode_depth
from r2rgen_ros.bags.writer import LATCHED, LATCHED_TF, RELIABLE, SENSOR, TF, BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.nodes.virtual_stage import FAILED, SIZES, Scene
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import panda, record
from r2rgen_ros.simulate.expert import perform as carry_out
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.tasks import make_task
from r2rgen_ros.simulate.world import CAMERA, CAMERA2BASE, TIME_STEP, World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.simulate.world import State

    Made = list[tuple[str, Any]]
    Edges = list[tuple[str, str]]

_TOPICS = (
    (record.DESCRIPTION, messages.STRING, LATCHED),
    ('/tf_static', messages.TF, LATCHED_TF),
    ('/tf', messages.TF, TF),
    (record.JOINT_STATES, messages.JOINT_STATE, RELIABLE),
    (record.GRIPPER, messages.JOINT_STATE, RELIABLE),
    (record.COLOUR, messages.IMAGE, SENSOR),
    (record.COLOUR_INFO, messages.CAMERA_INFO, SENSOR),
    (record.DEPTH, messages.IMAGE, SENSOR),
    (record.DEPTH_INFO, messages.CAMERA_INFO, SENSOR),
)
# REP-103: a camera's body has x forward; its optical frame has z forward and x right.
_OPTICAL2BODY = se3.compose([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]], np.zeros(3))


def main(args: Sequence[str]) -> int:
    """Perform the scene given as JSON into the bag given as a path.

    Returns:
        0, or `FAILED`; then the last line of standard output is the error's three parts as JSON.

    """
    out = Path(args[1])
    threading.Thread(target=_end_with_parent, args=(out.parent,), daemon=True).start()
    try:
        perform(Scene(**json.loads(args[0])), out)
    except R2RGenError as error:
        sys.stdout.write('\n' + json.dumps([error.found, error.expected, error.fix]) + '\n')
        return FAILED
    return 0


def _end_with_parent(folder: Path) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)  # a parent that was killed could not
    os._exit(1)


def perform(scene: Scene, out: Path) -> None:
    """Let the expert act, and write what is published meanwhile.

    Args:
        scene: What to simulate.
        out: Bag to create.

    Raises:
        R2RGenError: The expert fails, the machine cannot draw, or the disk is full.

    """
    every = max(1, round(1.0 / scene.rate_hz / TIME_STEP))
    done = _act(scene, every)
    rng = np.random.default_rng(np.random.SeedSequence([scene.seed, 1]))
    with (
        Eye(done.world, scene.depth_noise_m, rng) as eye,
        BagWriter(out, compression='zstd') as bag,
    ):
        _Drivers(scene, done, eye, every).write(bag)


def _camera_due(step: int, every: int) -> bool:
    return step % every == record.CAMERA_DELAY % every


def _act(scene: Scene, every: int) -> record.Act:
    """Carry out the task as `record.act` does, seen at the camera's own rate."""
    rng = np.random.default_rng(np.random.SeedSequence([scene.seed, 0]))
    task = make_task(scene.task, rng)
    poses = task.sample(rng)
    world = World(task.things)
    world.reset(poses)

    def wanted(step: int) -> bool:
        return step % record.JOINTS_EVERY == 0 or _camera_due(step, every)

    return record.Act(task, scene.seed, world, carry_out(world, task, wanted))


class _Drivers:
    """Turns states into messages in the order in which they are published."""

    def __init__(self, scene: Scene, done: record.Act, eye: Eye, every: int) -> None:
        self._scene, self._eye, self._every = scene, eye, every
        self._world, self._states = done.world, done.rollout.states
        self._index = {_step(state): index for index, state in enumerate(self._states)}
        self._rng = np.random.default_rng(np.random.SeedSequence([scene.seed, 2]))
        self._shrink = SIZES[scene.width, scene.height]
        self._camera = _shrunk(CAMERA, self._shrink)
        self._text = panda.description()
        moving, still = _edges(self._text)
        joints = np.stack([state.joints for state in self._states])
        robot = Robot.from_urdf(self._text, panda.BASE, panda.TOOL)
        moved = robot.link_poses(panda.JOINTS, joints, moving)
        self._moving = {edge: se3.to_quaternion(pose) for edge, pose in moved.items()}
        self._still = robot.link_poses(panda.JOINTS, joints[:1], still)

    def write(self, bag: BagWriter) -> None:
        """Write all of it, drawing the images on the way."""
        for topic, msgtype, qos in _TOPICS:
            bag.add_topic(topic, msgtype, qos)
        start = record.START_NS
        bag.write(record.DESCRIPTION, start, messages.string(self._text))
        static = [messages.transform_matrix(start, *edge) for edge in self._static_edges()]
        bag.write('/tf_static', start, messages.tf_message(static))
        for published, _, make in self._events():
            for topic, message in make():
                bag.write(topic, published, message)

    def _static_edges(self) -> list[tuple[str, str, NDArray[np.float64]]]:
        """Parent, child and child2parent (4, 4) of what never moves."""
        body2base = CAMERA2BASE @ se3.inverse(_OPTICAL2BODY)
        return [
            *((parent, child, pose[0]) for (parent, child), pose in self._still.items()),
            (panda.BASE, record.CAMERA_FRAME, body2base),
            (record.CAMERA_FRAME, record.OPTICAL_FRAME, _OPTICAL2BODY),
        ]

    def _events(self) -> list[tuple[int, int, Callable[[], Made]]]:
        """All that is published: when, a number that breaks ties, and what makes the messages."""
        out: list[tuple[int, int, Callable[[], Made]]] = []
        latest: dict[str, int] = {}

        def add(low_s: float, high_s: float, make: Callable[[State], Made], state: State) -> None:
            delay = int(1e9 * max(0.0, self._rng.uniform(low_s, high_s)))
            # A driver may be late, but does not change the order of its messages.
            when = max(_stamp(state) + delay, latest.get(make.__name__, 0))
            latest[make.__name__] = when
            out.append((when, len(out), lambda: make(state)))

        latency, jitter = 1e-3 * self._scene.latency_ms, 1e-3 * self._scene.jitter_ms
        for state in self._states:
            step = _step(state)
            if step % record.JOINTS_EVERY == 0:
                add(3e-4, 1.2e-3, self._joint_messages, state)
            if step % record.TF_EVERY == 0:
                add(8e-4, 2.0e-3, self._tf_messages, state)
            if _camera_due(step, self._every):
                add(latency - jitter, latency + jitter, self._camera_messages, state)
        return sorted(out, key=lambda event: event[:2])

    def _joint_messages(self, state: State) -> Made:
        def message(names: tuple[str, ...], part: slice) -> Any:
            values = (state.joints[part], state.velocities[part], state.effort[part])
            return messages.joint_state(_stamp(state), names, *values)

        return [
            (record.JOINT_STATES, message(panda.JOINTS, slice(0, 9))),
            (record.GRIPPER, message(panda.FINGER_JOINTS, slice(7, 9))),
        ]

    def _tf_messages(self, state: State) -> Made:
        stamp, index = _stamp(state), self._index[_step(state)]
        transforms = [
            messages.transform(stamp, parent, child, places[index], turns[index])
            for (parent, child), (places, turns) in self._moving.items()
        ]
        return [('/tf', messages.tf_message(transforms))]

    def _camera_messages(self, state: State) -> Made:
        stamp, frame = _stamp(state), record.OPTICAL_FRAME
        self._world.restore(state)
        info = messages.camera_info(stamp, frame, self._camera)
        colour, depth = self._thinned(self._eye.colour()), self._thinned(self._eye.depth())
        return [
            (record.COLOUR, encode_colour(colour, 'rgb8', frame, stamp)),
            (record.COLOUR_INFO, info),
            (record.DEPTH, encode_depth(depth, '16UC1', frame, stamp)),
            (record.DEPTH_INFO, info),
        ]

    def _thinned(self, image: NDArray[Any]) -> NDArray[Any]:
        """Every k-th pixel: colour and depth stay aligned, and no depth is a mean of two."""
        first = self._shrink // 2
        return np.ascontiguousarray(image[first :: self._shrink, first :: self._shrink])


def _shrunk(camera: PinholeCamera, k: int) -> PinholeCamera:
    """Intrinsics of every k-th pixel, beginning with number k // 2."""
    return PinholeCamera(
        camera.width // k,
        camera.height // k,
        camera.fx / k,
        camera.fy / k,
        (camera.cx - k // 2) / k,
        (camera.cy - k // 2) / k,
    )


def _step(state: State) -> int:
    return round(state.time / TIME_STEP)


def _stamp(state: State) -> int:
    return record.START_NS + _step(state) * round(1e9 * TIME_STEP)


def _edges(urdf: str) -> tuple[Edges, Edges]:
    """Pairs (parent, child) of the URDF's moving and fixed joints, as robot_state_publisher."""
    moving: Edges = []
    still: Edges = []
    for joint in ET.fromstring(urdf).findall('joint'):
        ends = [joint.find(name) for name in ('parent', 'child')]
        parent, child = (str(end.get('link')) for end in ends if end is not None)
        (still if joint.get('type') == 'fixed' else moving).append((parent, child))
    return moving, still


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
