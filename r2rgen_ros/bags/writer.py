# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write MCAP rosbag2 folders: whole or not at all, the same bytes for the same input.

Metadata is written as version 8. That is the newest version that states QoS profiles as a string
of numbers, which is what Humble (version 5) reads; Humble skips the keys it does not know, and
Iron, Jazzy and Kilted read version 8 as such. Version 9 names the profiles in words and as a list,
which Humble rejects.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinition,
    MessageDefinitionFormat,
    Qos,
)
from rosbags.rosbag2 import StoragePlugin, Writer

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.chunks import NONE, ChunkWriter, Compression
from r2rgen_ros.bags.failures import writing
from r2rgen_ros.bags.qos import LATCHED, LATCHED_TF, RELIABLE, SENSOR, TF, qos_text
from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.model.paths import remove_leftovers, sync

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

__all__ = ['LATCHED', 'LATCHED_TF', 'RELIABLE', 'SENSOR', 'TF', 'BagWriter', 'Compression']

METADATA_VERSION: Literal[8] = 8


class GrowingWriter(Writer):
    """The writer of rosbags, with its YAML written by libyaml.

    The emitter that rosbags uses is pure Python and takes 25 ms for a bag of ten topics, more than
    all messages of a short episode. The text it makes and this one parse to the same metadata.

    Args:
        path: Folder to create.
        compression: Of the chunks.
        overlapped: Whether a thread of its own compresses and writes them.

    """

    def __init__(
        self, path: Path, compression: Compression = NONE, *, overlapped: bool = False
    ) -> None:
        super().__init__(path, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
        self._compression, self._overlapped = compression, overlapped

    def open(self) -> None:
        """Create the folder and the storage in it."""
        self.path.mkdir(mode=0o755, parents=True)
        self.storage = ChunkWriter(self.path, self._compression, overlapped=self._overlapped)

    def declare(self, topic: str, msgtype: str, profiles: tuple[Qos, ...]) -> Connection:
        """Add a connection whose definition, hash and QoS text are looked up, not made again.

        Args:
            topic: Full name, as in '/camera/depth/image_raw'.
            msgtype: As in 'sensor_msgs/msg/Image'; one of the standard types.
            profiles: Those that publishers offered.

        Raises:
            R2RGenError: The topic is declared twice, or the type is not a standard one.

        """
        require(
            all(each.topic != topic for each in self.connections),
            f'topic {topic} is declared twice', 'once',
        )  # fmt: skip
        if msgtype not in messages.store().fielddefs:
            raise R2RGenError(
                f'topic {topic} has the type {msgtype}', 'a standard message type of ROS 2 Humble'
            )
        assert self.storage is not None
        text, digest = messages.definition(msgtype)
        connection = Connection(
            len(self.connections) + 1,
            topic,
            msgtype,
            MessageDefinition(MessageDefinitionFormat.MSG, text),
            digest,
            0,
            ConnectionExtRosbag2('cdr', list(profiles)),
            self,
        )
        if msgtype not in self.added_types:
            self.storage.add_msgtype(connection)
            self.added_types.add(msgtype)
        self.storage.add_connection(connection, qos_text(profiles))
        self.connections.append(connection)
        self.counts[connection.id] = 0
        return connection

    def close(self) -> None:
        """Close the storage and write metadata.yaml, in it and beside it."""
        assert self.storage is not None
        information = self.information(self.storage.path.name)
        self.storage.close(self.version, _yaml(information).strip())
        self.storage = None
        self.metapath.write_text(dump_metadata(information), 'utf8')

    def information(self, filename: str) -> dict[str, Any]:
        """Return what metadata.yaml says of the bag so far."""
        count = sum(self.counts.values())
        start = self.min_timestamp if count else 0
        span = {
            'starting_time': {'nanoseconds_since_epoch': start},
            'duration': {'nanoseconds': max(0, self.max_timestamp - start)},
            'message_count': count,
        }
        return {
            'version': self.version,
            'storage_identifier': 'mcap',
            'relative_file_paths': [filename],
            **span,
            'topics_with_message_count': [self._topic(item) for item in self.connections],
            'compression_format': '',
            'compression_mode': '',
            'files': [{'path': filename, **span}],
            'custom_data': self.custom_data or None,
            'ros_distro': 'rosbags',
        }

    def _topic(self, connection: Connection) -> dict[str, Any]:
        assert isinstance(connection.ext, ConnectionExtRosbag2)
        return {
            'topic_metadata': {
                'name': connection.topic,
                'type': connection.msgtype,
                'serialization_format': connection.ext.serialization_format,
                'offered_qos_profiles': qos_text(tuple(connection.ext.offered_qos_profiles)),
                'type_description_hash': connection.digest,
            },
            'message_count': self.counts[connection.id],
        }


class _Dumper(getattr(yaml, 'CSafeDumper', yaml.SafeDumper)):  # type: ignore[misc]
    """Emits YAML without anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write shared values out; yaml-cpp reads anchors, people would rather not."""
        return True


def dump_metadata(information: dict[str, Any]) -> str:
    """Return the text of metadata.yaml."""
    return _yaml({'rosbag2_bagfile_information': information})


def _yaml(value: dict[str, Any]) -> str:
    text = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, sort_keys=False, allow_unicode=True,
        width=2**20,
    )  # fmt: skip
    return str(text)


class BagWriter:
    """Context manager that writes one MCAP rosbag2 folder.

    The bag grows under a temporary sibling name, is synced, and is renamed when the block ends
    well; when it ends in an error nothing is left. The same calls give the same bytes.

    Args:
        path: Folder to create.
        custom_data: Provenance for metadata.yaml, string to string.
        compression: Of the MCAP chunks.
        overlapped: Whether they are compressed and written by a thread of the bag's own, which
            takes a second core.

    Raises:
        R2RGenError: The path exists, or cannot be written.

    """

    def __init__(
        self,
        path: Path | str,
        *,
        custom_data: Mapping[str, str] | None = None,
        compression: Compression = NONE,
        overlapped: bool = False,
    ) -> None:
        self.path = Path(path)
        # The storage file takes its name from its folder: so the temporary name is that of a
        # folder around the bag, and the bag has its own name from the start.
        self._around = self.path.absolute().parent / f'.{self.path.name}.tmp-{os.getpid()}'
        self._inside = self._around / self.path.name
        self._compression, self._overlapped = compression, overlapped
        self._custom_data = dict(sorted((custom_data or {}).items()))
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> BagWriter:
        require(bool(self.path.name), f'"{self.path}" has no name of its own', 'a new folder')
        self._refuse_existing()
        with writing(self.path):
            remove_leftovers(self._around.parent, self.path.name)
            self._around.mkdir(parents=True)
            self._writer = self._open()
        return self

    def _open(self) -> GrowingWriter:
        writer = GrowingWriter(self._inside, self._compression, overlapped=self._overlapped)
        for key, value in self._custom_data.items():
            writer.set_custom_data(key, str(value))
        writer.open()
        return writer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with writing(self.path):
                if isinstance(error, OSError):
                    raise error
                if error is None:
                    self._writer.close()
                    self._publish()
        finally:
            # A full disk also fails to flush what the storage still holds.
            with suppress(Exception):
                self._writer.abort()
            shutil.rmtree(self._around, ignore_errors=True)

    def add_topic(
        self, name: str, msgtype: str, qos: Qos | Sequence[Qos] | None = RELIABLE
    ) -> None:
        """Declare a topic before its first message.

        Args:
            name: Full name, as in '/camera/depth/image_raw'.
            msgtype: As in 'sensor_msgs/msg/Image'; one of the standard types.
            qos: The profile, or profiles, that publishers offered.

        Raises:
            R2RGenError: The topic is declared twice, or the type is not a standard one.

        """
        profiles = () if qos is None else (qos,) if isinstance(qos, Qos) else tuple(qos)
        with writing(self.path):
            self._connections[name] = self._writer.declare(name, msgtype, profiles)

    def write(self, topic: str, stamp_ns: int, message: Any) -> None:
        """Write one message.

        Args:
            topic: A declared topic.
            stamp_ns: Log time in nanoseconds.
            message: A message object, or its little-endian CDR as bytes or memoryview, which must
                stay as it is until the bag is closed.

        Raises:
            R2RGenError: The topic was not declared, or the disk is full.

        """
        connection = self._connections.get(topic)
        if connection is None:
            names = sorted(self._connections)
            raise R2RGenError(f'topic {topic} was not declared', f'one of {names}')
        raw = message if isinstance(message, bytes | memoryview) else messages.serialize(message)
        try:
            self._writer.write(connection, int(stamp_ns), raw)
        except OSError:
            with writing(self.path):
                raise

    def _refuse_existing(self) -> None:
        if os.path.lexists(self.path):
            raise R2RGenError(
                f'{self.path} exists already', 'a new name', 'choose another, or remove it'
            )

    def _publish(self) -> None:
        for item in self._inside.iterdir():
            sync(item)
        sync(self._inside)
        self._refuse_existing()
        self._inside.rename(self.path)
        self._around.rmdir()
        sync(self._around.parent)
