# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recorded performance, and how its messages are moved to another time."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from rclpy.serialization import deserialize_message, serialize_message

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.peek import stamp_ns
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.model.errors import require
from r2rgen_ros.nodes.capture import message_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from r2rgen_ros.bags.reader import Topic

_SECOND = 1_000_000_000
_LONGEST_DELAY_NS = _SECOND


@dataclass
class Part:
    """One topic of a performance.

    Attributes:
        topic: Its name.
        type: As in 'sensor_msgs/msg/Image'.
        message_class: The class of its messages.
        reliable: Whether lost messages are sent again.
        latched: Whether late subscribers get the last messages.
        first: Its first message.
        last: Its last message.
        first_ns: Stamp of the first message.
        last_ns: Stamp of the last message.
        period_ns: Median time from one message to the next; 0 where there is but one.
        delays_ns: Time from stamp to publication, of every message in turn.
        kept: All messages, where it is latched.
        edges: First and last of its transforms by child frame, while they are heard.

    """

    topic: str
    type: str
    message_class: Any
    reliable: bool
    latched: bool
    first: bytes = b''
    last: bytes = b''
    first_ns: int = 0
    last_ns: int = 0
    period_ns: int = 0
    delays_ns: list[int] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)
    edges: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def is_camera(self) -> bool:
        """Whether a camera's driver publishes it."""
        return self.type in (messages.IMAGE, messages.CAMERA_INFO, messages.POINT_CLOUD)

    def hear(self, raw: bytes) -> None:
        """Take up the next of its messages."""
        self.first, self.last = self.first or raw, raw
        if self.latched:
            self.kept.append(raw)
        elif self.type == messages.TF:
            for each in deserialize_message(raw, self.message_class).transforms:
                self.edges.setdefault(each.child_frame_id, [each, each])[1] = each

    def settle(self) -> None:
        """Once all is heard: of transforms by several publishers, hold all of them at rest."""
        if self.edges:
            ends = zip(*self.edges.values(), strict=True)
            self.first, self.last = map(self._whole, (self.first, self.last), ends)
            self.edges.clear()

    def _whole(self, raw: bytes, transforms: tuple[Any, ...]) -> bytes:
        """Return a message of transforms, with all of them where it has fewer."""
        held = deserialize_message(raw, self.message_class)
        if len(held.transforms) == len(transforms):
            return raw
        held.transforms = list(transforms)
        return bytes(serialize_message(held))

    def moved(self, raw: bytes, stamp: int) -> bytes:
        """Return a message with another stamp, nanoseconds.

        In CDR a header that comes first begins, behind four bytes that name the byte order, with
        the seconds (int32) and nanoseconds (uint32).
        """
        if self.type == messages.TF:
            transforms = deserialize_message(raw, self.message_class)
            for each in transforms.transforms:
                each.header.stamp.sec, each.header.stamp.nanosec = divmod(stamp, _SECOND)
            return bytes(serialize_message(transforms))
        if stamp_ns(raw, self.type) is None:
            return raw
        order = '<' if raw[1] & 1 else '>'
        return raw[:4] + struct.pack(f'{order}iI', *divmod(stamp, _SECOND)) + raw[12:]


class Performance:
    """What a robot publishes while it acts, from a bag.

    Args:
        path: The bag.
        remove: Called once the bag is open, and may delete it: it stays readable while it is open,
            and nothing is left behind however the node ends.

    Raises:
        R2RGenError: The bag cannot be read or played.

    Attributes:
        parts: The topics by name.
        start_ns: The earliest stamp.
        duration_s: From the first stamp to the last, seconds.

    """

    def __init__(self, path: Path, remove: Callable[[], None] | None = None) -> None:
        self._reader = BagReader(path)
        try:
            self._reader.__enter__()
            require(not self._reader.is_ros1, f'{path} is a ROS 1 bag', 'a rosbag2')
            self.parts = {topic.name: _part(topic) for topic in self._reader.topics if topic.count}
            self._survey()
        except BaseException:
            self._reader.close()
            raise
        finally:
            if remove is not None:
                remove()

    def close(self) -> None:
        """Close the bag."""
        self._reader.close()

    def messages(self) -> Iterator[tuple[Part, int, int, bytes]]:
        """What is published while the robot acts, latched topics left out.

        Yields:
            Part, stamp and time of publication (nanoseconds), and the message, in the order of
            publication.

        """
        wanted = [name for name, part in self.parts.items() if not part.latched]
        for topic, logged, raw in self._reader.messages(wanted):
            part = self.parts[topic]
            stamp, delay = _times(part, logged, raw)
            yield part, stamp, stamp + delay, raw

    def _survey(self) -> None:
        stamps: dict[str, list[int]] = {name: [] for name in self.parts}
        for topic, logged, raw in self._reader.messages(list(self.parts)):
            part = self.parts[topic]
            stamp, delay = _times(part, logged, raw)
            stamps[topic].append(stamp)
            part.delays_ns.append(delay)
            part.hear(raw)
        moving = {name: found for name, found in stamps.items() if not self.parts[name].latched}
        for name, found in moving.items():
            part = self.parts[name]
            part.first_ns, part.last_ns = found[0], found[-1]
            # Several publishers of one topic may stamp alike.
            gaps = np.diff(sorted(set(found)))
            part.period_ns = int(np.median(gaps)) if gaps.size else 0
            part.settle()
        require(
            any(self.parts[name].period_ns > 0 for name in moving),
            f'{self._reader.path} holds no topic with two messages',
            'a demonstration',
        )
        self.start_ns = min(found[0] for found in moving.values())
        self.duration_s = 1e-9 * (max(found[-1] for found in moving.values()) - self.start_ns)


def _part(topic: Topic) -> Part:
    reliable = all(qos.reliability.name != 'BEST_EFFORT' for qos in topic.qos)
    latched = topic.is_latched or topic.name == '/tf_static'
    return Part(topic.name, topic.type, message_class(topic.type), reliable, latched)


def _times(part: Part, logged: int, raw: bytes) -> tuple[int, int]:
    """Stamp, and the delay to the publication; clocks that disagree count as no delay."""
    stamp = stamp_ns(raw, part.type)
    if stamp is None:
        return logged, 0
    delay = logged - stamp
    return stamp, delay if 0 <= delay <= _LONGEST_DELAY_NS else 0
