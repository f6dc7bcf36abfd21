# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read rosbag2 and ROS 1 bags through one class."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rosbags.highlevel import AnyReader
from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag1,
    ConnectionExtRosbag2,
    Qos,
    QosDurability,
)
from rosbags.typesys import Stores, get_typestore

from r2rgen_ros.bags.failures import reading, recovery
from r2rgen_ros.bags.qos import LATCHED, RELIABLE
from r2rgen_ros.bags.unpacked import Unpacked
from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

    from rosbags.typesys.store import Typestore

STORAGE_SUFFIXES = ('.mcap', '.db3')
STORES_BY_DISTRO = {
    'foxy': Stores.ROS2_FOXY,
    'galactic': Stores.ROS2_GALACTIC,
    'humble': Stores.ROS2_HUMBLE,
    'iron': Stores.ROS2_IRON,
    'jazzy': Stores.ROS2_JAZZY,
    'kilted': Stores.ROS2_KILTED,
    'lyrical': Stores.ROS2_LYRICAL,
}


@dataclass(frozen=True)
class Topic:
    """What a bag says of one topic.

    Attributes:
        name: Full name.
        type: Message type in the ROS 2 manner, 'sensor_msgs/msg/Image'; the first one where
            publishers used several.
        count: Number of messages.
        qos: The profiles that publishers offered.
        types: All message types on this topic.

    """

    name: str
    type: str
    count: int
    qos: tuple[Qos, ...]
    types: tuple[str, ...]

    @property
    def is_latched(self) -> bool:
        """Whether late subscribers get its last messages."""
        return any(item.durability is QosDurability.TRANSIENT_LOCAL for item in self.qos)


class Entry(NamedTuple):
    """Where one message is: enough to read it again.

    Attributes:
        topic: Its topic.
        log_ns: When it was recorded, nanoseconds.
        ordinal: Its place among the topic's messages of that very instant.

    """

    topic: str
    log_ns: int
    ordinal: int


class BagReader:
    """Context manager over one bag: a rosbag2 folder, a .mcap or .db3 file, or a ROS 1 .bag.

    The object may be inherited by a forked process or sent to another one: each process opens the
    files for itself, so that no two of them share a position in a file.

    Args:
        path: The bag.

    Raises:
        R2RGenError: The path is missing, no bag, damaged, empty or not readable.

    Attributes:
        path: The bag.
        topics: All topics, by name.
        custom_data: What the writer put into metadata.yaml.
        start_ns: Log time of the first message.
        end_ns: Log time of the last message.
        is_ros1: Whether it is a ROS 1 bag.
        distro: The distribution that recorded it, where known.
        notes: What was mended to open it.

    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.topics: tuple[Topic, ...] = ()
        self.custom_data: dict[str, str] = {}
        self.start_ns = 0
        self.end_ns = 0
        self.is_ros1 = self.path.suffix == '.bag'
        self.distro: str | None = None
        self.notes: tuple[str, ...] = ()
        self._any: AnyReader | None = None
        self._process = 0
        self._unpacked: Unpacked | None = None
        self._inherited: list[AnyReader] = []

    def __enter__(self) -> BagReader:
        self._opened()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_any': None, '_process': 0, '_unpacked': None, '_inherited': []}

    def close(self) -> None:
        """Close the files; reading afterwards opens them again."""
        if self._any is not None and self._process == os.getpid():
            with suppress(Exception):
                self._any.close()
            self._any = self._unpacked = None

    def topic(self, name: str) -> Topic:
        """Return a topic by name.

        Raises:
            R2RGenError: The bag has no such topic.

        """
        for topic in self.topics:
            if topic.name == name:
                return topic
        names = ', '.join(topic.name for topic in self.topics)
        raise R2RGenError(f'{self.path} has no topic {name}', f'one of {names}')

    def messages(self, topics: Iterable[str] | None = None) -> Iterator[tuple[str, int, bytes]]:
        """Read messages in the order of their log time.

        Args:
            topics: Names to read; all where None.

        Yields:
            Topic, log time in nanoseconds, and the message as recorded.

        Raises:
            R2RGenError: The bag is damaged.

        """
        for connection, log_ns, raw in self._messages(self._chosen(topics)):
            yield connection.topic, log_ns, raw

    def decoded(self, topics: Iterable[str] | None = None) -> Iterator[tuple[str, int, Any]]:
        """Read messages as objects in the order of their log time.

        Args:
            topics: Names to read; all where None.

        Yields:
            Topic, log time in nanoseconds, and the message.

        Raises:
            R2RGenError: The bag is damaged.

        """
        for entry, message in self.indexed(topics):
            yield entry.topic, entry.log_ns, message

    def indexed(self, topics: Iterable[str] | None = None) -> Iterator[tuple[Entry, Any]]:
        """Read messages as objects, each with the entry that `fetch` finds it again by."""
        for entry, connection, raw in _numbered(self._messages(self._chosen(topics))):
            yield entry, self.decode(entry.topic, raw, connection.msgtype)

    def fetch(self, entry: Entry) -> Any:
        """Read one message again.

        Raises:
            R2RGenError: The bag changed on disk, or is damaged.

        """
        return self.fetch_together([entry])[0]

    def fetch_together(self, entries: Sequence[Entry]) -> list[Any]:
        """Read messages again that were recorded near each other, in one go.

        Raises:
            R2RGenError: The bag changed on disk, or is damaged.

        """
        first = min(entry.log_ns for entry in entries)
        last = max(entry.log_ns for entry in entries)
        wanted: dict[Entry, Any] = dict.fromkeys(entries)
        for entry, connection, raw in _numbered(self._between(entries, first, last)):
            if entry in wanted:
                wanted[entry] = self.decode(entry.topic, raw, connection.msgtype)
        for entry, message in wanted.items():
            if message is None:
                raise R2RGenError(
                    f'{self.path} no longer holds the message of {entry.topic} at'
                    f' {entry.log_ns} ns',
                    'a bag that stays as it is while it is read',
                )
        return [wanted[entry] for entry in entries]

    def decode(self, topic: str, raw: bytes | memoryview, msgtype: str | None = None) -> Any:
        """Turn a message as recorded into an object.

        Args:
            topic: Its topic.
            raw: What `messages` gave.
            msgtype: Its type, where publishers used several on this topic.

        Raises:
            R2RGenError: The bytes are not of that type.

        """
        name = msgtype or self.topic(topic).type
        try:
            return self._opened().deserialize(bytes(raw), name)
        except Exception as err:
            raise R2RGenError(
                f'a message of {topic} in {self.path} is not a valid {name}',
                '',
                recovery(self.path),
            ) from err

    def _chosen(self, topics: Iterable[str] | None) -> list[Connection]:
        connections = self._opened().connections
        if topics is None:
            return connections
        names = {self.topic(name).name for name in topics}
        return [item for item in connections if item.topic in names]

    def _between(
        self, entries: Sequence[Entry], first: int, last: int
    ) -> Iterator[tuple[Connection, int, bytes]]:
        self._opened()
        topics = {self.topic(entry.topic).name for entry in entries}
        if self._unpacked is None:
            return self._messages(self._chosen(topics), first, last + 1)
        with reading(self.path):
            return iter([*self._unpacked.messages(topics, first, last)])

    def _messages(
        self, connections: list[Connection], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        if not connections:
            return
        found = self._merged(connections, start, stop)
        while True:
            with reading(self.path):
                try:
                    item = next(found)
                except StopIteration:
                    return
            yield item

    def _merged(
        self, connections: list[Connection], start: int | None, stop: int | None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        opened = self._opened()
        directory, files = _storages(opened)
        if len(files) < 2:
            return iter(opened.messages(connections, start, stop))
        # rosbags reads the files of a split bag one after the other; their times may overlap.
        single = [copy(directory) for _ in files]
        for part, file in zip(single, files, strict=True):
            part.storages = [file]
        parts = [part.messages(connections, start, stop) for part in single]
        return merge(*parts, key=lambda item: item[1])

    def _opened(self) -> AnyReader:
        if self._any is not None and self._process == os.getpid():
            return self._any
        if self._any is not None:
            # Dropping it would close, or even delete, what the parent still reads.
            self._inherited.append(self._any)
        with reading(self.path):
            source = self._locate()
            store = _default_store(source)
            opened = AnyReader([source], default_typestore=store)
            opened.open()
            self._describe(opened)
        self._any, self._process = opened, os.getpid()
        storage, files = _storages(opened)
        mode = getattr(getattr(storage, 'metadata', None), 'compression_mode', None)
        self._unpacked = None if mode == 'message' else Unpacked.of(files)
        return opened

    def _locate(self) -> Path:
        if not self.path.exists():
            raise R2RGenError(
                f'there is no bag at {self.path}',
                'a rosbag2 folder, a .mcap or .db3 file, or a ROS 1 .bag',
                'check the path',
            )
        if self.path.is_dir() and not (self.path / 'metadata.yaml').exists():
            return self._lone_storage()
        if self.path.is_file() and self.path.suffix not in {*STORAGE_SUFFIXES, '.bag'}:
            raise R2RGenError(
                f'{self.path} is not a bag',
                'a rosbag2 folder, a .mcap or .db3 file, or a ROS 1 .bag',
            )
        if self.path.is_file() and self.path.stat().st_size == 0:
            raise R2RGenError(f'{self.path} is an empty file', 'a recording', 'record it again')
        return self.path

    def _lone_storage(self) -> Path:
        files = sorted(p for p in self.path.iterdir() if p.suffix in STORAGE_SUFFIXES)
        if not any({*STORAGE_SUFFIXES} & {*p.suffixes} for p in self.path.iterdir()):
            is_dataset = (self.path / 'dataset.yaml').exists()
            raise R2RGenError(
                f'{self.path} is a dataset' if is_dataset else f'{self.path} holds no recording',
                'a rosbag2 folder, a .mcap or .db3 file, or a ROS 1 .bag',
                'name one of its episodes, such as shard_00000/episode_000000, or the recording '
                'that it was made of'
                if is_dataset
                else 'check the path',
            )
        if len(files) != 1:
            raise R2RGenError(
                f'{self.path} holds no metadata.yaml and {len(files)} storage files',
                'a rosbag2 folder',
                f'run "ros2 bag reindex {self.path}", or name one of its files',
            )
        self.notes = (f'metadata.yaml is missing: read {files[0].name} without it',)
        return files[0]

    def _describe(self, opened: AnyReader) -> None:
        found: dict[str, list[Connection]] = {}
        for connection in opened.connections:
            found.setdefault(connection.topic, []).append(connection)
        self.topics = tuple(_topic(name, found[name]) for name in sorted(found))
        require(
            opened.message_count > 0,
            f'{self.path} holds no messages',
            'a recording',
            'record it again, and check that the topics were being published',
        )
        self.start_ns, self.end_ns = opened.start_time, opened.end_time - 1
        reader = opened.readers[0]
        metadata = getattr(getattr(reader, 'storage', None), 'metadata', None)
        custom = getattr(metadata, 'custom', None) or {}
        self.custom_data = {str(key): str(value) for key, value in custom.items()}
        self.distro = 'ros1' if self.is_ros1 else getattr(metadata, 'ros_distro', None) or None


def _storages(opened: AnyReader) -> tuple[Any, list[Any]]:
    """What rosbags has of a rosbag2 folder or file, and of its files; none of ROS 1."""
    storage: Any = getattr(opened.readers[0], 'storage', None)
    return storage, getattr(storage, 'storages', [] if storage is None else [storage])


def _numbered(
    found: Iterator[tuple[Connection, int, bytes]],
) -> Iterator[tuple[Entry, Connection, bytes]]:
    """Tell messages of one topic and instant apart by counting them."""
    last: dict[str, tuple[int, int]] = {}
    for connection, log_ns, raw in found:
        before, ordinal = last.get(connection.topic, (-1, 0))
        ordinal = ordinal + 1 if before == log_ns else 0
        last[connection.topic] = (log_ns, ordinal)
        yield Entry(connection.topic, log_ns, ordinal), connection, raw


def _topic(name: str, connections: list[Connection]) -> Topic:
    profiles: list[Qos] = []
    for connection in connections:
        if isinstance(connection.ext, ConnectionExtRosbag2):
            profiles += connection.ext.offered_qos_profiles
        elif isinstance(connection.ext, ConnectionExtRosbag1):
            profiles.append(LATCHED if connection.ext.latching else RELIABLE)
    types = tuple(dict.fromkeys(connection.msgtype for connection in connections))
    count = sum(connection.msgcount for connection in connections)
    return Topic(name, types[0], count, tuple(dict.fromkeys(profiles)), types)


def _default_store(source: Path) -> Typestore:
    """The definitions to fall back to: bags of Humble and before hold none in SQLite files."""
    store = Stores.ROS2_HUMBLE
    metadata = source / 'metadata.yaml'
    if source.is_dir() and metadata.exists():
        named = re.search(r'^  ros_distro: *[\'"]?(\w+)', metadata.read_text('utf8'), re.MULTILINE)
        store = STORES_BY_DISTRO.get(named.group(1) if named else '', store)
    return get_typestore(store)
