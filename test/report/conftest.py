# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small scene whose every number is known: a block is put onto a pad."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from r2rgen_ros.bags import keys, messages, qos
from r2rgen_ros.bags.clouds import STANDARD, encode_cloud
from r2rgen_ros.bags.load import demo_of
from r2rgen_ros.bags.source import Source, read_source
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import (
    Annotation,
    Grasp,
    ObjectNote,
    Prompt,
    Skill,
    SupportPlane,
)
from r2rgen_ros.model.demo import Arm, Demo, Frame, Sensor
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT, Scene, SceneObject

FRAMES = 30
BLOCK, PAD = (0.4, 0.2, 0.02), (0.5, -0.2, 0.01)


def _box(size: tuple[float, float, float], colour: tuple[int, int, int], count: int) -> Cloud:
    random = np.random.default_rng(count)
    points = random.uniform(-0.5, 0.5, (count, 3)) * size
    return Cloud.from_arrays(points, np.tile(colour, (count, 1)))


def _camera2base() -> np.ndarray:
    eye, centre = np.array([1.2, 0.0, 0.7]), np.array([0.45, 0.0, 0.0])
    forward = (centre - eye) / np.linalg.norm(centre - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return se3.compose(np.stack([right, np.cross(forward, right), forward], axis=1), eye)


def _hand_path() -> np.ndarray:
    stops = np.array([[0.4, 0.0, 0.3], [*BLOCK[:2], 0.05], [*PAD[:2], 0.06], [0.4, 0.0, 0.3]])
    at = np.interp(np.arange(FRAMES), [0, 8, 20, FRAMES - 1], np.arange(4.0))
    return se3.interpolate(se3.compose(np.eye(3), stops), at)


@pytest.fixture(scope='session')
def scene() -> Scene:
    hand = _hand_path()
    block = _box((0.06, 0.04, 0.04), (200, 40, 40), 400)
    pad = _box((0.1, 0.1, 0.02), (40, 40, 200), 400)
    robot = _box((0.03, 0.1, 0.1), (120, 120, 120), 200)
    table = _box((0.5, 0.8, 0.001), (230, 225, 210), 2000)
    block2base = np.tile(se3.compose(np.eye(3), BLOCK), (FRAMES, 1, 1))
    held = np.full(FRAMES, -1, dtype=np.int8)
    held[8:21] = 0
    block2base[8:21] = hand[8:21] @ se3.inverse(hand[8]) @ block2base[0]
    block2base[21:] = block2base[20]
    pad2base = np.tile(se3.compose(np.eye(3), PAD), (FRAMES, 1, 1))
    ground = table.transformed(se3.compose(np.eye(3), (0.45, 0.0, 0.0)))
    frames = [
        Frame(
            cloud=Cloud.concatenate(
                [
                    ground,
                    robot.transformed(hand[i]),
                    block.transformed(block2base[i]),
                    pad.transformed(pad2base[i]),
                ]
            )
        )
        for i in range(FRAMES)
    ]
    labels = np.repeat(
        np.array([0, ROBOT, FIRST_OBJECT, FIRST_OBJECT + 1], dtype=np.uint8),
        [len(ground), len(robot), len(block), len(pad)],
    )
    camera = PinholeCamera(640, 480, 500.0, 500.0, 319.5, 239.5)
    gripper = np.where(held >= 0, 0.0, 0.08)
    demo = Demo(
        'block_on_pad',
        Path('block_on_pad'),
        1_000_000_000 + 100_000_000 * np.arange(FRAMES, dtype=np.int64),
        'panda_link0',
        (Arm('arm', 'panda_hand', hand, gripper),),
        frames,
        Sensor('camera', camera, np.tile(_camera2base(), (FRAMES, 1, 1))),
    )
    corners = np.array([[0.2, -0.4, 0], [0.7, -0.4, 0], [0.7, 0.4, 0], [0.2, 0.4, 0.0]])
    annotation = Annotation(
        (
            ObjectNote('red_block', Prompt(point=BLOCK), (Grasp('arm', 8, 20),)),
            ObjectNote('pad', Prompt(point=PAD)),
        ),
        (
            Skill('pick block', 6, 12, ('red_block',)),
            Skill('put on pad', 17, 24, ('pad',), ('red_block',)),
        ),
        frames=FRAMES,
        notes=('the gripper opens at frame 21',),
    )
    return Scene(
        demo,
        annotation,
        SupportPlane(np.array([0.0, 0.0, 1.0]), 0.0, corners),
        (
            SceneObject('red_block', block, block2base, held),
            SceneObject('pad', pad, pad2base, np.full(FRAMES, -1, dtype=np.int8)),
        ),
        ground,
        (labels,) * FRAMES,
    )


def _write_source(path: Path, demo: Demo) -> None:
    """Record the scene's demonstration as a robot would have."""
    assert demo.sensor is not None
    arm = demo.arms[0]
    with BagWriter(path, custom_data={keys.END_EFFECTOR: arm.end_effector}) as bag:
        bag.add_topic('/tf_static', messages.TF, qos.LATCHED_TF)
        bag.add_topic('/tf', messages.TF, qos.TF)
        bag.add_topic('/camera/camera_info', messages.CAMERA_INFO, qos.SENSOR)
        bag.add_topic('/camera/points', messages.POINT_CLOUD, qos.SENSOR)
        bag.add_topic('/gripper/joint_states', messages.JOINT_STATE, qos.RELIABLE)
        for index, stamp in enumerate(demo.stamps.tolist()):
            if index == 0:
                camera = messages.transform_matrix(
                    stamp, demo.base_frame, 'camera', demo.sensor.camera2base[0]
                )
                bag.write('/tf_static', stamp, messages.tf_message([camera]))
            hand = messages.transform_matrix(
                stamp, demo.base_frame, arm.end_effector, arm.ee2base[index]
            )
            bag.write('/tf', stamp, messages.tf_message([hand]))
            grip = messages.joint_state(stamp, ['gripper'], arm.gripper[index : index + 1])
            bag.write('/gripper/joint_states', stamp, grip)
            info = messages.camera_info(stamp, 'camera', demo.sensor.camera)
            bag.write('/camera/camera_info', stamp, info)
            cloud = demo.frames[index].cloud
            assert cloud is not None
            points = encode_cloud(cloud, STANDARD, demo.base_frame, stamp)
            bag.write('/camera/points', stamp, points)


@pytest.fixture(scope='session')
def recorded(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Source]:
    """The scene over a bag that really lies on the disk, and that bag."""
    path = tmp_path_factory.mktemp('demos') / 'block_on_pad'
    _write_source(path, scene.demo)
    source = read_source(path)
    return replace(scene, demo=demo_of(source)), source
