# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small demonstration of a two-joint arm, whose every number is known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.chunks import NONE, Compression
from r2rgen_ros.bags.clouds import STANDARD, CloudLayout, encode_cloud
from r2rgen_ros.bags.images import ImageCoding, encode_colour, encode_depth
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.writer import LATCHED, LATCHED_TF, RELIABLE, SENSOR, TF, BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.episode import Episode, Variation

START = 1_700_000_000_123_456_789
PERIOD = 100_000_000
CAMERA = PinholeCamera(32, 24, 30.0, 31.0, 15.5, 11.5)
JOINTS = ('joint1', 'joint2', 'finger_joint1')
BASE, HAND, OPTICAL = 'arm_link0', 'arm_tcp', 'camera_optical_frame'
LINKS = ((BASE, 'arm_link1'), ('arm_link1', 'arm_link2'))
LINK2HAND = se3.compose(np.eye(3), [0.2, 0.0, 0.1])
CAMERA2BASE = se3.compose(se3.rotation_about([1.0, 0.0, 0.0], np.array(2.8)), [0.4, 0.1, 1.2])


def link_poses(names: Any, positions: Any, edges: Any) -> dict[tuple[str, str], np.ndarray]:
    """Kinematics of the arm: two joints about z, the second one 0.4 m out."""
    positions = np.asarray(positions)
    poses = {}
    for edge, joint, place in zip(
        LINKS, JOINTS[:2], ([0.0, 0.0, 0.3], [0.4, 0.0, 0.0]), strict=True
    ):
        angle = positions[:, list(names).index(joint)]
        poses[edge] = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], angle), place)
    return {edge: pose for edge, pose in poses.items() if edge in edges}


def hand_poses(positions: np.ndarray) -> np.ndarray:
    """hand2base (N, 4, 4) of joint positions (N, 3)."""
    poses = link_poses(JOINTS, positions, LINKS)
    return poses[LINKS[0]] @ poses[LINKS[1]] @ LINK2HAND


def joint_positions(stamps: np.ndarray) -> np.ndarray:
    """Positions (N, 3) of the joints at instants (N,): smooth, never at rest."""
    seconds = (np.asarray(stamps) - START) / 1e9
    return np.stack(
        [np.sin(1.3 * seconds), 0.5 + 0.4 * np.cos(seconds), 0.04 - 0.02 * seconds], axis=1
    )


@dataclass(frozen=True)
class Recipe:
    """What to record; the defaults are a complete demonstration with depth images."""

    frames: int = 12
    depth: ImageCoding | None = field(default_factory=lambda: ImageCoding('16UC1'))
    colour: ImageCoding | None = field(default_factory=lambda: ImageCoding('rgb8'))
    cloud: CloudLayout | None = None
    cloud_frame: str = BASE
    points: int = 50
    joints: bool = True
    transforms: bool = True
    camera_info: bool = True
    camera_transform: bool = True
    hand: str = HAND
    camera_delay: int = 0
    latency: int = 3_000_000
    depth_scale: float = 1.0
    colour_size: tuple[int, int] = (CAMERA.height, CAMERA.width)
    custom_data: tuple[tuple[str, str], ...] = ()
    back_at: int | None = None
    compression: Compression = NONE
    finger_effort: tuple[float, float] = (0.5, 0.5)


@dataclass(frozen=True)
class Truth:
    """What a recording holds."""

    path: Any
    stamps: np.ndarray
    depths: list[np.ndarray]
    colours: list[np.ndarray]
    clouds: list[Cloud]


def record(path: Any, recipe: Recipe | None = None) -> Truth:
    """Write a demonstration and return what is in it."""
    recipe = recipe or Recipe()
    rng = np.random.default_rng(7)
    stamps = START + PERIOD * np.arange(recipe.frames) + 4_000_000
    truth = Truth(path, stamps, [], [], [])
    out: list[tuple[int, int, str, Any]] = []

    def send(stamp: int, topic: str, message: Any, latency: int = 0) -> None:
        out.append((int(stamp) + latency, len(out), topic, message))

    with BagWriter(
        path, custom_data=dict(recipe.custom_data), compression=recipe.compression
    ) as bag:
        _declare(bag, recipe)
        fast = START - 200_000_000 + 10_000_000 * np.arange(10 * recipe.frames + 41)
        _send_robot(send, recipe, fast)
        for number, true_stamp in enumerate(stamps):
            stamp = int(true_stamp) + recipe.camera_delay
            late = 3 * PERIOD if number == recipe.back_at else 0
            delayed = replace(recipe, latency=recipe.latency + late)
            _send_frame(send, delayed, truth, rng, stamp - late)
        for log, _, topic, message in sorted(out, key=lambda item: item[:2]):
            bag.write(topic, log, message)
    return truth


def _declare(bag: BagWriter, recipe: Recipe) -> None:
    image = {True: messages.COMPRESSED_IMAGE, False: messages.IMAGE}
    if recipe.depth:
        bag.add_topic('/cam/aligned_depth/image', image[recipe.depth.is_compressed], SENSOR)
    if recipe.colour and recipe.depth:
        bag.add_topic('/cam/color/image', image[recipe.colour.is_compressed], SENSOR)
    if recipe.cloud:
        bag.add_topic('/cam/points', messages.POINT_CLOUD, SENSOR)
    if recipe.camera_info:
        bag.add_topic('/cam/aligned_depth/camera_info', messages.CAMERA_INFO, SENSOR)
    if recipe.joints:
        bag.add_topic('/joint_states', messages.JOINT_STATE, RELIABLE)
        bag.add_topic('/gripper/width', messages.FLOAT64, RELIABLE)
    if recipe.transforms:
        bag.add_topic('/tf', messages.TF, TF)
        bag.add_topic('/pose_command', messages.POSE_STAMPED, RELIABLE)
    bag.add_topic('/tf_static', messages.TF, LATCHED_TF)
    bag.add_topic('/robot_description', messages.STRING, LATCHED)


def _send_robot(send: Any, recipe: Recipe, stamps: np.ndarray) -> None:
    first = int(stamps[0])
    static = [messages.transform_matrix(first, 'arm_link2', recipe.hand, LINK2HAND)]
    if recipe.camera_transform:
        static.append(messages.transform_matrix(first, BASE, OPTICAL, CAMERA2BASE))
    send(first, '/tf_static', messages.tf_message(static))
    send(first, '/robot_description', messages.string('<robot name="arm"/>'))
    positions = joint_positions(stamps)
    velocities = np.gradient(positions, stamps / 1e9, axis=0)
    edges = link_poses(JOINTS, positions, LINKS)
    hands = hand_poses(positions)
    for number, stamp in enumerate(stamps):
        if recipe.joints:
            effort = np.array([0.5, 0.5, recipe.finger_effort[number > len(stamps) // 2]])
            message = messages.joint_state(
                stamp, JOINTS, positions[number], velocities[number], effort
            )
            send(stamp, '/joint_states', message, 1_000_000)
            send(stamp, '/gripper/width', messages.number(float(number > len(stamps) // 2)))
        if recipe.transforms and number % 2 == 0:
            items = [messages.transform_matrix(stamp, *e, edges[e][number]) for e in LINKS]
            send(stamp, '/tf', messages.tf_message(items), 2_000_000)
            place, turn = se3.to_quaternion(hands[number])
            send(stamp, '/pose_command', messages.pose_stamped(stamp, BASE, place, turn))


def _send_frame(send: Any, recipe: Recipe, truth: Truth, rng: Any, stamp: int) -> None:
    shape = (CAMERA.height, CAMERA.width)
    depth = (rng.integers(400, 1500, shape) / 1000.0).astype(np.float32)
    depth[rng.random(shape) < 0.2] = np.nan
    if recipe.depth:
        scaled = depth * np.float32(recipe.depth_scale)
        message = encode_depth(scaled, recipe.depth, OPTICAL, stamp)
        send(stamp, '/cam/aligned_depth/image', message, recipe.latency)
        truth.depths.append(depth)
    if recipe.colour and recipe.depth:
        colour = rng.integers(0, 256, (*recipe.colour_size, 3), dtype=np.uint8)
        message = encode_colour(colour, recipe.colour, OPTICAL, stamp + 1000)
        send(stamp, '/cam/color/image', message, 2 * recipe.latency)
        truth.colours.append(colour)
    if recipe.cloud:
        points = rng.uniform(-1.0, 1.0, (recipe.points, 3))
        cloud = Cloud.from_arrays(points, rng.integers(0, 256, points.shape))
        message = encode_cloud(cloud, recipe.cloud, recipe.cloud_frame, stamp)
        send(stamp, '/cam/points', message, recipe.latency)
        truth.clouds.append(cloud)
    if recipe.camera_info:
        info = messages.camera_info(stamp, OPTICAL, CAMERA)
        send(stamp, '/cam/aligned_depth/camera_info', info, recipe.latency)


def changed(path: Any, out: Any, change: Any) -> Any:
    """Copy a bag; change(topic, number, message) may alter a message or return None to drop it."""
    counts: dict[str, int] = {}
    with BagReader(path) as reader, BagWriter(out, custom_data=reader.custom_data) as bag:
        for topic in reader.topics:
            bag.add_topic(topic.name, topic.type, topic.qos)
        for topic, log, raw in reader.messages():
            number = counts[topic] = counts.get(topic, -1) + 1
            message = change(topic, number, reader.decode(topic, raw))
            if message is not None:
                bag.write(topic, log, message)
    return out


def clouds_only(**changes: Any) -> Recipe:
    """A demonstration of clouds in the base frame."""
    return Recipe(depth=None, colour=None, cloud=STANDARD, **changes)


def episode_of(demo: Any, **changes: Any) -> Episode:
    """The episode that repeats a demonstration, unless something is changed."""
    count = len(changes.get('source', demo.stamps))
    values = {
        'variation': Variation(0, 0, (), np.zeros((0, 4, 4))),
        'stamps': demo.stamps,
        'source': np.arange(len(demo), dtype=float),
        'ee2base': {arm.name: arm.ee2base for arm in demo.arms},
        'gripper': {arm.name: np.zeros(count) for arm in demo.arms},
        'object2base': np.zeros((0, count, 4, 4)),
        'skill': np.full(count, -1, np.int16),
        'joints': None if demo.joints is None else demo.joints.positions,
    }
    return Episode(**{**values, **changes})


class Workshop:
    """The helpers of this module, for tests to reach through a fixture."""

    START, PERIOD, CAMERA, JOINTS = START, PERIOD, CAMERA, JOINTS
    BASE, HAND, OPTICAL, LINKS = BASE, HAND, OPTICAL, LINKS
    CAMERA2BASE = CAMERA2BASE
    Recipe = Recipe
    record = staticmethod(record)
    changed = staticmethod(changed)
    clouds_only = staticmethod(clouds_only)
    episode_of = staticmethod(episode_of)
    link_poses = staticmethod(link_poses)
    hand_poses = staticmethod(hand_poses)
    joint_positions = staticmethod(joint_positions)


@pytest.fixture(scope='session')
def workshop() -> type[Workshop]:
    """Helpers that record small demonstrations."""
    return Workshop
