# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of compressed MCAP chunks, of which the latest ones stay unpacked.

A chunk is unpacked as a whole. Where images are read one by one, rosbags does so for each of them,
though a chunk holds several.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from rosbags.rosbag2.storage_mcap import ChunkInfo, McapReader, msgsrc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rosbags.interfaces import Connection

MOST_BYTES = 48 * 2**20
"""What stays unpacked at most: two chunks of the size in which this package writes them."""

_MESSAGE_BYTES = 300  # what a message takes besides its own bytes


class Found(NamedTuple):
    """A message of a chunk.

    Attributes:
        connection: Its topic and type.
        log_ns: When it was recorded, nanoseconds.
        raw: As CDR.

    """

    connection: Connection
    log_ns: int
    raw: bytes


class Unpacked:
    """The chunks of a bag's MCAP files, all of them with an index.

    Args:
        files: The files, open.

    """

    def __init__(self, files: Sequence[McapReader]) -> None:
        self._files = files
        self._kept: OrderedDict[tuple[int, int], tuple[list[Found], int]] = OrderedDict()
        self._held = 0

    @classmethod
    def of(cls, files: Sequence[Any]) -> Unpacked | None:
        """Return the chunks of a bag's files; None if these are others, or none is compressed.

        Writers leave a chunk as it is where that is hardly larger.
        """
        for file in files:
            if not isinstance(file, McapReader):
                return None
            if not file.chunks and file.metadata.message_count:
                return None
        if not any(chunk.compression for file in files for chunk in file.chunks):
            return None
        return cls(files)

    def messages(
        self, topics: set[str], first_ns: int, last_ns: int
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield messages of some topics from one instant to another, by time.

        Those of one instant come in the order in which all of a bag are read: by file, then by
        place in it.

        Args:
            topics: Their names.
            first_ns: Log time of the first ones, nanoseconds.
            last_ns: Log time of the last ones.

        """
        found = [
            message
            for place, file in enumerate(self._files)
            for own in (file.connections,)
            for chunk in sorted(file.chunks, key=lambda chunk: chunk.chunk_start_offset)
            if chunk.message_start_time <= last_ns and chunk.message_end_time >= first_ns
            if any(each.topic in topics and each.id in chunk.channel_count for each in own)
            for message in self._chunk(place, file, chunk)
            if message.connection.topic in topics and first_ns <= message.log_ns <= last_ns
        ]
        yield from sorted(found, key=lambda message: message.log_ns)

    def _chunk(self, place: int, file: McapReader, chunk: ChunkInfo) -> list[Found]:
        key = place, chunk.chunk_start_offset
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        size = chunk.uncompressed_size + _MESSAGE_BYTES * sum(chunk.channel_count.values())
        while self._kept and self._held + size > MOST_BYTES:
            self._held -= self._kept.popitem(last=False)[1][1]
        every = {connection.id: connection for connection in file.connections}
        assert file.bio is not None
        found = [
            Found(message.connection, message.timestamp, message.data)
            for message in msgsrc(chunk, every, 0, chunk.message_end_time + 1, file.bio)
            if message.connection is not None and message.data is not None
        ]
        if size <= MOST_BYTES:
            self._kept[key] = found, size
            self._held += size
        return found
