# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a bag holds of the robot alone: joints, transforms, descriptions and odometry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import keys, messages
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.series import fractional_index, interpolate_rows
from r2rgen_ros.bags.source import bag_path
from r2rgen_ros.bags.streams import COMMAND, GRIPPER, TF_TYPES
from r2rgen_ros.bags.transforms import TransformBuffer, TransformBuilder, frame_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.bags.reader import Topic

    Floats = NDArray[np.float64]
    Stamps = NDArray[np.int64]

ODOMETRY = (messages.ODOMETRY,)
_APART = 0.01
_ALIKE = 0.2


@dataclass(frozen=True, eq=False)
class JointSeries:
    """What one topic tells of one joint.

    Attributes:
        topic: The topic.
        stamps: (N,) int64 nanoseconds, not falling.
        positions: (N,) rad or m.

    """

    topic: str
    stamps: Stamps
    positions: Floats

    def at(self, stamps: Stamps) -> Floats:
        """Positions (Q,) at instants (Q,), linearly between the recorded ones."""
        place = fractional_index(self.stamps, stamps)
        return interpolate_rows(self.positions[:, None], place)[:, 0]

    def is_torn(self) -> bool:
        """Whether it jumps to and fro between two values, as where two publishers alternate."""
        one = np.abs(np.diff(self.positions))
        two = np.abs(self.positions[2:] - self.positions[:-2])
        if not len(two):
            return False
        step = float(np.median(one))
        return step > _APART and float(np.median(two)) < _ALIKE * step

    def contradicts(self, other: JointSeries) -> bool:
        """Whether another topic tells of other positions in the time that both were recorded."""
        first = max(self.stamps[0], other.stamps[0])
        last = min(self.stamps[-1], other.stamps[-1])
        common = self.stamps[(self.stamps >= first) & (self.stamps <= last)]
        if not len(common):
            return False
        return float(np.median(np.abs(self.at(common) - other.at(common)))) > _APART


@dataclass(frozen=True, eq=False)
class RecordedRobot:
    """What a bag holds of the robot.

    Attributes:
        joints: By joint, what each topic tells of it; the topic that counts comes first.
        transforms: All transforms.
        parents: By frame, all frames that transforms hang it below.
        descriptions: By topic, the text of a robot description.
        odometry: Topics of nav_msgs/Odometry.

    """

    joints: Mapping[str, tuple[JointSeries, ...]]
    transforms: TransformBuffer
    parents: Mapping[str, tuple[str, ...]]
    descriptions: Mapping[str, str]
    odometry: tuple[str, ...]

    @property
    def description(self) -> str | None:
        """The robot description; None where there is none."""
        return next(iter(self.descriptions.values()), None)

    def torn_joints(self) -> dict[str, tuple[str, ...]]:
        """Joints that are told of differently at the same time, with the topics that do so."""
        out = {}
        for name, series in self.joints.items():
            others = [item for item in series[1:] if series[0].contradicts(item)]
            if others:
                out[name] = (series[0].topic, *(item.topic for item in others))
            elif series[0].is_torn():
                out[name] = (series[0].topic,)
        return out


def read_robot(path: Path | str, joint_topic: str | None = None) -> RecordedRobot:
    """Read what a bag holds of the robot.

    Args:
        path: A bag, or a folder that holds one.
        joint_topic: Topic of the robot's joints that a person chose: then no other is read.

    Raises:
        R2RGenError: The path is no bag, or the bag is damaged or has no such topic.

    """
    with BagReader(bag_path(path)) as reader:
        topics = [topic for topic in reader.topics if not topic.name.startswith(keys.OWN_TOPICS)]
        joints = _joint_topics(topics) if joint_topic is None else [reader.topic(joint_topic)]
        collector = _Collector(topics, joints)
        if collector.names:
            for entry, message in reader.indexed(collector.names):
                collector.add(entry.topic, message)
    odometry = tuple(topic.name for topic in topics if topic.type in ODOMETRY)
    return collector.collected(odometry)


def _joint_topics(topics: list[Topic]) -> list[Topic]:
    """Topics that tell where joints are, rather than where they shall go; the robot's own first."""
    found = [
        topic
        for topic in topics
        if topic.type == messages.JOINT_STATE and not COMMAND.search(topic.name)
    ]
    return sorted(found, key=lambda t: (not GRIPPER.search(t.name), t.count), reverse=True)


class _Collector:
    def __init__(self, topics: list[Topic], joints: list[Topic]) -> None:
        self._joints = [topic.name for topic in joints]
        transforms = [topic for topic in topics if topic.type in TF_TYPES]
        self._fixed = {t.name for t in transforms if t.is_latched or t.name.endswith('tf_static')}
        texts = [
            topic.name
            for topic in topics
            if topic.type == messages.STRING and topic.name.endswith('robot_description')
        ]
        self._transforms = [topic.name for topic in transforms]
        self.names = [*self._joints, *self._transforms, *texts]
        self._rows: dict[tuple[str, str], list[tuple[int, float]]] = {}
        self._builder = TransformBuilder()
        self._parents: dict[str, set[str]] = {}
        self._texts: dict[str, str] = {}

    def add(self, topic: str, message: Any) -> None:
        """Add one message."""
        if topic in self._transforms:
            for item in message.transforms:
                self._builder.add(item, is_static=topic in self._fixed)
                parent, child = frame_name(item.header.frame_id), frame_name(item.child_frame_id)
                self._parents.setdefault(child, set()).add(parent)
        elif topic in self._joints:
            stamp = messages.stamp_ns(message.header)
            if len(message.position) == len(message.name):
                for name, value in zip(message.name, message.position, strict=True):
                    self._rows.setdefault((topic, name), []).append((stamp, float(value)))
        else:
            self._texts[topic] = str(message.data)

    def collected(self, odometry: tuple[str, ...]) -> RecordedRobot:
        """What was added."""
        joints: dict[str, tuple[JointSeries, ...]] = {}
        for topic in self._joints:
            for (where, name), rows in self._rows.items():
                series = _series(topic, rows) if where == topic else None
                if series is not None:
                    joints[name] = (*joints.get(name, ()), series)
        parents = {child: tuple(sorted(found)) for child, found in self._parents.items()}
        return RecordedRobot(joints, self._builder.build(), parents, self._texts, odometry)


def _series(topic: str, rows: list[tuple[int, float]]) -> JointSeries | None:
    """Rows by their stamps, without those that are no numbers; None where none are left."""
    stamps = np.array([stamp for stamp, _ in rows], dtype=np.int64)
    values = np.array([value for _, value in rows], dtype=np.float64)
    order = np.argsort(stamps, kind='stable')
    order = order[np.isfinite(values[order])]
    return JointSeries(topic, stamps[order], values[order]) if len(order) else None
