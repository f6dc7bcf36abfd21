# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small recordings of blocks moved about a table, of which every number is known.

They are clouds of some hundred points at 10 Hz, so that tests may generate hundreds of episodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.bags import keys, messages
from r2rgen_ros.bags.clouds import STANDARD, encode_cloud
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.writer import LATCHED_TF, RELIABLE, SENSOR, TF, BagWriter
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
from r2rgen_ros.model.annotation_file import dump_annotation
from r2rgen_ros.parse.scene import parse_scene

if TYPE_CHECKING:
    from pathlib import Path

    from r2rgen_ros.model.scene import Scene

START, PERIOD = 1_700_000_000_000_000_000, 100_000_000
BASE, HAND, OPTICAL = 'base_link', 'tcp', 'camera_optical_frame'
POINTS, INFO, TF_TOPIC, COMMAND, JOINTS = (
    '/camera/points', '/camera/camera_info', '/tf', '/cartesian_command', '/gripper/joint_states'
)  # fmt: skip
CAMERA = PinholeCamera(640, 480, 500.0, 500.0, 319.5, 239.5)
HOME = (0.3, 0.0, 0.35)
_LIFT, _REACH, _MOTION = 0.12, 3, 8
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Block:
    """A block and where it goes: (x, y, z of its middle); None for one that stays."""

    name: str
    size: tuple[float, float, float]
    start: tuple[float, float, float]
    end: tuple[float, float, float] | None = None
    turn: float = 0.0
    onto: tuple[str, ...] = ()


BOTTLE = (
    Block('red', (0.04, 0.04, 0.1), (0.4, -0.15, 0.05), (0.5, 0.15, 0.07), 0.6, ('plate',)),
    Block('plate', (0.12, 0.12, 0.02), (0.5, 0.15, 0.01)),
)
# The worked example of the paper: 1 and 2 are piers, 3 is the deck.
BRIDGE = (
    Block('2', (0.04, 0.04, 0.06), (0.35, -0.2, 0.03), (0.5, 0.06, 0.03), 0.4, ('1',)),
    Block('3', (0.05, 0.16, 0.02), (0.55, -0.25, 0.01), (0.5, 0.0, 0.07), -0.3, ('1', '2')),
    Block('1', (0.04, 0.04, 0.06), (0.5, -0.06, 0.03)),
)


@dataclass
class _Show:
    """What happens, frame by frame."""

    blocks: tuple[Block, ...]
    hand: list[tuple[tuple[float, ...], float, float]] = field(default_factory=list)
    skills: list[Skill] = field(default_factory=list)
    grasps: dict[str, Grasp] = field(default_factory=dict)

    def go(self, stop: tuple[float, ...], yaw: float, gripper: float, frames: int) -> None:
        begin, turn, _ = self.hand[-1]
        for share in np.arange(1, frames + 1) / frames:
            place = tuple(np.asarray(begin) + share * (np.asarray(stop) - begin))
            self.hand.append((place, turn + share * (yaw - turn), gripper))

    def _above(self, place: tuple[float, ...]) -> tuple[float, ...]:
        return (place[0], place[1], place[2] + _LIFT)

    def act(self) -> None:
        """Carry every block that has an end to it."""
        self.hand.append((HOME, 0.0, 0.08))
        yaw = 0.0
        for block in self.blocks:
            if block.end is None:
                continue
            first = self._reach(block.start, yaw, 0.08, 0.0)
            self.skills.append(Skill(f'pick {block.name}', *first, (block.name,)))
            grasped = first[0] + _REACH
            yaw += block.turn
            last = self._reach(block.end, yaw, 0.0, 0.08)
            self.skills.append(Skill(f'place {block.name}', *last, block.onto, (block.name,)))
            self.grasps[block.name] = Grasp('arm', grasped, last[0] + _REACH)
        self.go(HOME, 0.0, 0.08, _MOTION)

    def _reach(
        self, place: tuple[float, ...], yaw: float, before: float, after: float
    ) -> tuple[int, int]:
        """Move above a place, down, act with the gripper, and up again."""
        self.go(self._above(place), yaw, before, _MOTION)
        first = len(self.hand) - 1
        self.go(place, yaw, before, _REACH)
        self.go(place, yaw, after, 2)
        self.go(self._above(place), yaw, after, _REACH)
        return first, len(self.hand) - 1

    @property
    def ee2base(self) -> np.ndarray:
        down = np.diag([1.0, -1.0, -1.0])
        turns = se3.rotation_about(_UP, np.array([yaw for _, yaw, _ in self.hand]))
        return se3.compose(turns @ down, np.array([place for place, _, _ in self.hand]))

    def poses(self, block: Block) -> np.ndarray:
        """Poses (T, 4, 4) of a block: still, with the hand, still."""
        out = np.tile(se3.compose(np.eye(3), block.start), (len(self.hand), 1, 1))
        grasp = self.grasps.get(block.name)
        if grasp is not None:
            hand = self.ee2base
            change = hand @ se3.inverse(hand[grasp.first])
            out[grasp.first : grasp.last + 1] = change[grasp.first : grasp.last + 1] @ out[0]
            out[grasp.last + 1 :] = out[grasp.last]
        return out


def _annotation(show: _Show) -> Annotation:
    notes = []
    for block in show.blocks:
        half = 0.5 * np.asarray(block.size) + 0.005
        low, high = np.asarray(block.start) - half, np.asarray(block.start) + half
        low[2] = 0.002
        region = (tuple(map(float, low)), tuple(map(float, high)))
        grasp = show.grasps.get(block.name)
        notes.append(ObjectNote(block.name, Prompt(region=region), (grasp,) if grasp else ()))
    outline = np.array([[0.0, -0.5, 0], [0.9, -0.5, 0], [0.9, 0.5, 0], [0.0, 0.5, 0]])
    support = SupportPlane(_UP, 0.0, outline, 0.0)
    return Annotation(tuple(notes), tuple(show.skills), support, len(show.hand))


def camera2base() -> np.ndarray:
    """Pose of a camera that looks at the table."""
    eye, centre = np.array([1.3, 0.0, 0.8]), np.array([0.45, 0.0, 0.0])
    forward = (centre - eye) / np.linalg.norm(centre - eye)
    right = np.cross(forward, _UP) / np.linalg.norm(np.cross(forward, _UP))
    return se3.compose(np.stack([right, np.cross(forward, right), forward], axis=1), eye)


def _clouds(show: _Show) -> list[Cloud]:
    random = np.random.default_rng(5)
    x, y = np.meshgrid(np.arange(0.0, 0.91, 0.05), np.arange(-0.5, 0.51, 0.05))
    table = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    fingers = random.uniform(-1, 1, (40, 3)) * (0.02, 0.04, 0.02) - (0.0, 0.0, 0.16)
    parts = [(table, np.tile(np.eye(4), (len(show.hand), 1, 1)), (150, 150, 150))]
    parts.append((fingers, show.ee2base, (20, 20, 20)))
    for number, block in enumerate(show.blocks):
        points = random.uniform(-0.5, 0.5, (80, 3)) * block.size
        parts.append((points, show.poses(block), (200, 60 * number, 40)))
    return [
        Cloud.concatenate(
            [
                Cloud.from_arrays(se3.apply(poses[t], points), np.tile(colour, (len(points), 1)))
                for points, poses, colour in parts
            ]
        )
        for t in range(len(show.hand))
    ]


def record(
    folder: Path,
    blocks: tuple[Block, ...] = BOTTLE,
    *,
    camera: bool = False,
    without: tuple[str, ...] = (),
    back_at: int | None = None,
    blind: bool = False,
) -> Path:
    """Write an annotated demonstration and return its folder.

    Args:
        folder: Folder to create.
        blocks: What is there and where it goes.
        camera: Whether to record the camera's intrinsics.
        without: Topics to leave out.
        back_at: Frame whose stamp is before the one of the frame before.
        blind: Whether all points are NaN.

    """
    show = _Show(blocks)
    show.act()
    clouds = _clouds(show)
    topics = {
        '/tf_static': (messages.TF, LATCHED_TF),
        TF_TOPIC: (messages.TF, TF),
        POINTS: (messages.POINT_CLOUD, SENSOR),
        JOINTS: (messages.JOINT_STATE, RELIABLE),
        COMMAND: (messages.POSE_STAMPED, RELIABLE),
        INFO: (messages.CAMERA_INFO, SENSOR),
    }
    left_out = {*without} if camera else {*without, INFO}
    with BagWriter(folder, custom_data={keys.BASE_FRAME: BASE, keys.END_EFFECTOR: HAND}) as bag:
        for name, (kind, profile) in topics.items():
            if name not in left_out:
                bag.add_topic(name, kind, profile)
        for t, pose in enumerate(show.ee2base):
            log = START + t * PERIOD
            stamp = log - 2 * PERIOD if t == back_at else log
            cloud = clouds[t].transformed(np.full((4, 4), np.nan)) if blind else clouds[t]
            for name, message in _messages(show, t, pose, stamp, cloud):
                if name not in left_out:
                    bag.write(name, log, message)
    (folder / 'annotation.yaml').write_text(dump_annotation(_annotation(show)), encoding='utf-8')
    return folder


def _messages(
    show: _Show, t: int, pose: np.ndarray, stamp: int, cloud: Cloud
) -> list[tuple[str, object]]:
    hand = messages.transform_matrix(stamp, BASE, HAND, pose)
    place, turn = se3.to_quaternion(pose)
    gripper = np.array([show.hand[t][2]])
    out: list[tuple[str, object]] = []
    if t == 0:
        fixed = messages.transform_matrix(stamp, BASE, OPTICAL, camera2base())
        out.append(('/tf_static', messages.tf_message([fixed])))
    return [
        *out,
        (TF_TOPIC, messages.tf_message([hand])),
        (JOINTS, messages.joint_state(stamp, ['gripper'], gripper)),
        (COMMAND, messages.pose_stamped(stamp, BASE, place, turn)),
        (INFO, messages.camera_info(stamp, OPTICAL, CAMERA)),
        (POINTS, encode_cloud(cloud, STANDARD, BASE, stamp)),
    ]


def annotation_of(blocks: tuple[Block, ...]) -> Annotation:
    """What a person would say of the recording of some blocks."""
    show = _Show(blocks)
    show.act()
    return _annotation(show)


def scene_of(folder: Path, blocks: tuple[Block, ...]) -> Scene:
    """The recording of some blocks, parsed."""
    return parse_scene(load_demo(folder), annotation_of(blocks), folder)
