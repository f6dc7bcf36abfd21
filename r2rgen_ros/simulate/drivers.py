# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the drivers of the virtual robot and its camera publish, and when it is received."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.images import encode_colour, encode_depth
from r2rgen_ros.bags.writer import LATCHED, LATCHED_TF, RELIABLE, SENSOR, TF
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import require
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate.rig import ONE_ARM
from r2rgen_ros.simulate.wheels import EVERY as WHEELS_EVERY
from r2rgen_ros.simulate.wheels import ODOM, ODOMETRY
from r2rgen_ros.simulate.world import CAMERA2BASE, EXTERNAL, TIME_STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.bags.writer import BagWriter
    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.model.deployment import MountedCamera
    from r2rgen_ros.simulate.rig import Rig, RigArm
    from r2rgen_ros.simulate.wheels import Wheels
    from r2rgen_ros.simulate.world import State

    Images = tuple[NDArray[np.uint8], NDArray[np.float32]]
    Made = list[tuple[str, Any]]
    Edges = list[tuple[str, str]]

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
OPTICAL_FRAME = EXTERNAL.frame
CAMERA_FRAME = 'camera_link'
_TOPICS = (
    (DESCRIPTION, messages.STRING, LATCHED),
    ('/tf_static', messages.TF, LATCHED_TF),
    ('/tf', messages.TF, TF),
    (JOINT_STATES, messages.JOINT_STATE, RELIABLE),
)
_CAMERA_TOPICS = {
    'colour': COLOUR,
    'colour_info': COLOUR_INFO,
    'depth': DEPTH,
    'depth_info': DEPTH_INFO,
}
_GRIPPER_PLACE = 4  # of the grippers among the topics
# REP-103: a camera's body has x forward; its optical frame has z forward and x right.
_OPTICAL2BODY = se3.compose([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]], np.zeros(3))


@dataclass(frozen=True)
class Camera:
    """The camera and its driver.

    Attributes:
        look: Gives the colour (H, W, 3) and depth (H, W; metres, NaN where there is none) of a
            state. It is called in the order in which the images are received.
        intrinsics: Of those images.
        every: Time steps from one image to the next.
        latency_s: Least and largest time from an image's stamp to its reception, seconds.
        depth_encoding: '16UC1' (millimetres) or '32FC1' (metres).
        mounted: Where it is, and the names of its frame and topics.

    """

    look: Callable[[State], Images]
    intrinsics: PinholeCamera
    every: int
    latency_s: tuple[float, float]
    depth_encoding: str
    mounted: MountedCamera = EXTERNAL

    @property
    def topics(self) -> tuple[tuple[str, str, str], ...]:
        """Role, name and type of its topics, in the order in which they are declared."""
        kinds = {'colour': messages.IMAGE, 'depth': messages.IMAGE}
        return tuple(
            (role, name, kinds.get(role, messages.CAMERA_INFO))
            for role, name in camera_topics(self.mounted).items()
        )


def camera_topics(mounted: MountedCamera) -> dict[str, str]:
    """Names of a camera's topics by what is on them."""
    return {**_CAMERA_TOPICS, **mounted.topics}


def require_apart(cameras: Sequence[MountedCamera]) -> None:
    """Check that no two cameras publish to one topic, or from one frame.

    Raises:
        R2RGenError: Two do.

    """
    seen: dict[str, str] = {}
    for mounted in cameras:
        for what in (f'the frame "{mounted.frame}"', *camera_topics(mounted).values()):
            require(
                what not in seen,
                f'the cameras "{seen.get(what)}" and "{mounted.name}" both have {what}',
                'a frame and topics of its own for each camera',
                'name "frame" and all four "topics" in the camera file, and each camera once',
            )
            seen[what] = mounted.name


class _Driver(NamedTuple):
    """What publishes every so many time steps, and the latency (s) with which that is received."""

    every: int
    phase: int
    latency_s: tuple[float, float]
    make: Callable[[int], Made]


def step_of(state: State) -> int:
    """Return the number of time steps from the start to a state."""
    return round(state.time / TIME_STEP)


def stamp_of(state: State) -> int:
    """Return the header stamp of a state, nanoseconds."""
    return START_NS + step_of(state) * round(1e9 * TIME_STEP)


def camera_due(step: int, every: int) -> bool:
    """Whether the camera takes an image in a time step, if it takes one every so many."""
    return _due(step, every, CAMERA_DELAY)


def wanted(step: int, camera_every: int) -> bool:
    """Whether any driver publishes what there is in a time step."""
    return _due(step, JOINTS_EVERY, 0) or camera_due(step, camera_every)


def _due(step: int, every: int, phase: int) -> bool:
    return step % every == phase % every


def gripper_topic(arm: RigArm, rig: Rig) -> str:
    """Topic of an arm's gripper: without its name where there is but one."""
    return f'/{arm.name}{GRIPPER}' if len(rig.arms) > 1 else GRIPPER


class Drivers:
    """Turns states into messages in the order in which they reach the recorder.

    Args:
        states: All instants that are `wanted`, in order.
        camera: The camera.
        rng: Source of the latencies.
        rig: The robot.
        wheels: The mobile base that the robot stands on; None for a fixed one.
        others: Further cameras.

    """

    def __init__(
        self,
        states: Sequence[State],
        camera: Camera,
        rng: np.random.Generator,
        rig: Rig = ONE_ARM,
        wheels: Wheels | None = None,
        others: Sequence[Camera] = (),
    ) -> None:
        self._wheels = wheels
        self._states, self._camera, self._rng = states, camera, rng
        self._cameras = (camera, *others)
        self._rig, self._text = rig, rig.description
        moving, still = _edges(self._text)
        robot = Robot.from_urdf(self._text, rig.base, rig.arms[0].tool)
        joints = np.stack([state.joints for state in states])
        moved = robot.link_poses(rig.joints, joints, moving)
        self._moving = {edge: se3.to_quaternion(pose) for edge, pose in moved.items()}
        self._still = robot.link_poses(rig.joints, joints[:1], still)

    def write(self, bag: BagWriter) -> None:
        """Write all of it into a new bag; images are looked at on the way."""
        grippers = [
            (gripper_topic(arm, self._rig), messages.JOINT_STATE, RELIABLE)
            for arm in self._rig.arms
        ]
        topics = (*_TOPICS[:_GRIPPER_PLACE], *grippers, *_TOPICS[_GRIPPER_PLACE:])
        for topic, msgtype, qos in topics:
            bag.add_topic(topic, msgtype, qos)
        for camera in self._cameras:
            for _, topic, msgtype in camera.topics:
                bag.add_topic(topic, msgtype, SENSOR)
        if self._wheels is not None:
            bag.add_topic(ODOMETRY, messages.ODOMETRY, RELIABLE)
        bag.write(DESCRIPTION, START_NS, messages.string(self._text))
        bag.write('/tf_static', START_NS, self._static_transforms())
        for logged, _, make, index in self._events():
            for topic, message in make(index):
                bag.write(topic, logged, message)

    def _static_transforms(self) -> Any:
        edges = [(parent, child, pose[0]) for (parent, child), pose in self._still.items()]
        for mounted in (camera.mounted for camera in self._cameras):
            if mounted is EXTERNAL:
                body2base, above = CAMERA2BASE @ se3.inverse(_OPTICAL2BODY), self._rig.base
                if self._wheels is not None and self._wheels.trail is not None:
                    body2base, above = self._wheels.base2odom @ body2base, ODOM
                edges.append((above, CAMERA_FRAME, body2base))
                edges.append((CAMERA_FRAME, OPTICAL_FRAME, _OPTICAL2BODY))
            else:
                edges.append((mounted.mount or self._rig.base, mounted.frame, mounted.camera2mount))
        if self._wheels is not None:
            edges.append(self._wheels.static_edge(self._rig.base))
        return messages.tf_message([messages.transform_matrix(START_NS, *edge) for edge in edges])

    def _events(self) -> list[tuple[int, int, Callable[[int], Made], int]]:
        """All that is logged: log time, a number that breaks ties, what makes it of which state."""
        camera = self._camera
        drivers = [
            _Driver(JOINTS_EVERY, 0, (3e-4, 1.2e-3), self._joint_messages),
            _Driver(TF_EVERY, 0, (8e-4, 2.0e-3), self._tf_messages),
            _Driver(
                camera.every, CAMERA_DELAY, camera.latency_s, partial(self._camera_messages, camera)
            ),
        ]
        if self._wheels is not None:
            drivers.append(_Driver(WHEELS_EVERY, 0, (8e-4, 2.0e-3), self._wheel_messages))
        for item in self._cameras[1:]:
            make = partial(self._camera_messages, item)
            drivers.append(_Driver(item.every, CAMERA_DELAY, item.latency_s, make))
        latest = dict.fromkeys(drivers, START_NS)
        out: list[tuple[int, int, Callable[[int], Made], int]] = []
        for index, state in enumerate(self._states):
            for driver in drivers:
                if _due(step_of(state), driver.every, driver.phase):
                    delay = int(1e9 * self._rng.uniform(*driver.latency_s))
                    # A driver may be late, but does not change the order of its messages.
                    latest[driver] = max(stamp_of(state) + delay, latest[driver])
                    out.append((latest[driver], len(out), driver.make, index))
        return sorted(out, key=lambda event: event[:2])

    def _joint_messages(self, index: int) -> Made:
        state = self._states[index]
        stamp = stamp_of(state)

        def message(names: tuple[str, ...]) -> Any:
            start = self._rig.joints.index(names[0])
            part = slice(start, start + len(names))
            values = (state.joints[part], state.velocities[part], state.effort[part])
            return messages.joint_state(stamp, names, *values)

        grippers = [
            (gripper_topic(arm, self._rig), message(arm.finger_joints)) for arm in self._rig.arms
        ]
        return [(JOINT_STATES, message(self._rig.joints)), *grippers]

    def _tf_messages(self, index: int) -> Made:
        stamp = stamp_of(self._states[index])
        transforms = [
            messages.transform(stamp, parent, child, places[index], turns[index])
            for (parent, child), (places, turns) in self._moving.items()
        ]
        return [('/tf', messages.tf_message(transforms))]

    def _wheel_messages(self, index: int) -> Made:
        assert self._wheels is not None
        return self._wheels.messages(stamp_of(self._states[index]), index)

    def _camera_messages(self, camera: Camera, index: int) -> Made:
        state, encoding = self._states[index], camera.depth_encoding
        stamp = stamp_of(state)
        colour, depth = camera.look(state)
        frame = camera.mounted.frame
        info = messages.camera_info(stamp, frame, camera.intrinsics)
        made = {
            'colour': encode_colour(colour, 'rgb8', frame, stamp),
            'colour_info': info,
            'depth': encode_depth(depth, encoding, frame, stamp),
            'depth_info': info,
        }
        return [(topic, made[role]) for role, topic, _ in camera.topics]


def _edges(urdf: str) -> tuple[Edges, Edges]:
    """Pairs (parent, child) of the URDF's moving and fixed joints, as robot_state_publisher."""
    moving: Edges = []
    still: Edges = []
    for joint in ET.fromstring(urdf).findall('joint'):
        parent, child = joint.find('parent'), joint.find('child')
        assert parent is not None
        assert child is not None
        edge = (str(parent.get('link')), str(child.get('link')))
        (still if joint.get('type') == 'fixed' else moving).append(edge)
    return moving, still
