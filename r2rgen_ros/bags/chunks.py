# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Chunks of an MCAP file: what is compressed as one, and how.

MCAP knows chunks that are plain, LZ4 frames or Zstandard frames (https://mcap.dev/spec), and
rosbag2 of every distribution reads all three as they are. Whatever is chosen, messages come back as
the bytes that were written, and the same messages make the same bytes.

Images of a camera that stands still repeat themselves from frame to frame, farther apart than
Zstandard looks back by default. So a chunk holds several frames, and matches are searched all
through it ("long distance matching" of zstd), which also takes less time than to compress each
frame anew.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from queue import Queue
from struct import Struct, pack
from threading import Thread
from typing import TYPE_CHECKING, Literal, get_args

# Both come with rosbags, which reads chunks with them.
import lz4.frame
from rosbags.rosbag2.enums import CompressionMode
from rosbags.rosbag2.storage_mcap import McapWriter, PendingChunk

from r2rgen_ros.model.errors import check_range, require

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rosbags.interfaces import Connection
    from typing_extensions import Buffer

Kind = Literal['none', 'lz4', 'zstd']
KINDS: tuple[Kind, ...] = get_args(Kind)
MIB = 2**20
LEVELS = (-7, 19)
"""Below, zstd hardly shrinks anything; above, it needs much memory to read."""
CHUNK_MIB = (1, 64)


@dataclass(frozen=True)
class Compression:
    """How the chunks of a bag are compressed.

    Attributes:
        kind: 'none', 'lz4' or 'zstd'.
        level: Of zstd, -7 (fast) to 19 (small).
        chunk_mib: Size from which a chunk that is to be compressed is ended, MiB.

    """

    kind: Kind = 'none'
    level: int = 1
    chunk_mib: int = 16

    def __post_init__(self) -> None:
        """Check the values."""
        require(self.kind in KINDS, f'compression is "{self.kind}"', f'one of {KINDS}')
        check_range('the compression level', self.level, *LEVELS)
        check_range('the size of a chunk', self.chunk_mib, *CHUNK_MIB, 'MiB')

    @property
    def chunk_bytes(self) -> int:
        """Bytes from which a chunk is ended: nothing is gained by large ones that stay plain."""
        return MIB * (1 if self.kind == 'none' else self.chunk_mib)

    def compressor(self) -> Callable[[bytes], bytes]:
        """Return what compresses the records of a chunk.

        It keeps nothing from one chunk to the next: what a reused context of zstd gives may depend
        on what it was used for before.
        """
        if self.kind == 'none':
            return bytes
        if self.kind == 'lz4':
            return _lz4
        options: dict[int, int] = {
            zstd.CompressionParameter.compression_level: self.level,
            zstd.CompressionParameter.window_log: (self.chunk_bytes - 1).bit_length(),
            zstd.CompressionParameter.enable_long_distance_matching: 1,
        }
        return lambda plain: zstd.compress(plain, options=options)


NONE = Compression()
ZSTD = Compression('zstd')


def _lz4(plain: bytes) -> bytes:
    # Blocks of 4 MiB: the largest that the format has.
    packed: bytes = lz4.frame.compress(plain, block_size=lz4.frame.BLOCKSIZE_MAX4MB)
    return packed


class _Parts(BytesIO):
    """What is written, kept as the pieces that it came in until it is asked for as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Buffer] = []
        self._size = 0

    def write(self, data: Buffer, /) -> int:
        size = memoryview(data).nbytes
        self.parts.append(data)
        self._size += size
        return size

    def tell(self) -> int:
        return self._size

    def getvalue(self) -> bytes:
        return b''.join(self.parts)


class _Aside:
    """A thread that puts chunks into a file, one after another, while further ones are filled.

    It begins with the first chunk and ends with the bag, so that no process is forked meanwhile.
    One chunk is under way and another one waits; whoever brings a third is kept waiting.

    Args:
        put: What puts a chunk into the file.

    """

    def __init__(self, put: Callable[[PendingChunk], None]) -> None:
        self._put = put
        self._waiting: Queue[PendingChunk | None] = Queue(1)
        self._error: BaseException | None = None
        self._is_dropping = False
        self._thread: Thread | None = None

    def _run(self) -> None:
        while (chunk := self._waiting.get()) is not None:
            if self._error is not None or self._is_dropping:
                continue
            try:
                self._put(chunk)
            except BaseException as error:  # noqa: BLE001  # raised where the next chunk comes from
                self._error = error

    def take(self, chunk: PendingChunk) -> None:
        """Put a chunk into the file, later.

        Raises:
            OSError: An earlier one could not be written.

        """
        if self._error is not None:
            raise self._error
        if self._thread is None:
            self._thread = Thread(target=self._run, name='chunks', daemon=True)
            self._thread.start()
        self._waiting.put(chunk)

    def end(self) -> None:
        """Wait until all chunks are in the file.

        Raises:
            OSError: One of them could not be written.

        """
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None
        if self._error is not None:
            raise self._error

    def drop(self) -> None:
        """End without the chunks that wait."""
        self._is_dropping = True
        with suppress(BaseException):
            self.end()


class ChunkWriter(McapWriter):
    """The storage of rosbags with chunks of any size and compression, and without copies.

    Args:
        path: Folder of the bag, in which the file is created.
        compression: Of the chunks.
        overlapped: Whether a thread of its own compresses and writes them.

    """

    # Opcode and length of a record (https://mcap.dev/spec#records), then of a message: channel,
    # sequence number, log time and publish time.
    _MESSAGE = Struct('<BQHIQQ')
    _OPCODE, _CHUNK, _INDEX = 0x05, 0x06, 0x07
    _BEFORE_DATA = Struct('<HIQQ').size

    def __init__(
        self, path: Path, compression: Compression = NONE, *, overlapped: bool = False
    ) -> None:
        super().__init__(path, CompressionMode.NONE)
        self._aside = _Aside(self._put) if overlapped else None
        self._most = compression.chunk_bytes
        self.compression = '' if compression.kind == 'none' else compression.kind
        self.compressor = compression.compressor()
        self._begin()

    def _begin(self) -> None:
        self.chunk = PendingChunk(2**63 - 1, 0, _Parts(), defaultdict(list))

    def close_chunk(self) -> None:
        """Write the pending chunk with its indices, or have it written, and begin another one."""
        chunk = self.chunk
        self._begin()
        if self._aside is None:
            self._put(chunk)
        else:
            self._aside.take(chunk)

    def close(self, version: int, metadata: str) -> None:
        """Write what is left, and the end."""
        if self.chunk.bio.tell():
            self.close_chunk()
        if self._aside is not None:
            self._aside.end()
        super().close(version, metadata)

    def abort(self) -> None:
        """Close without an end."""
        if self._aside is not None:
            self._aside.drop()
        super().abort()

    def _put(self, chunk: PendingChunk) -> None:
        """Write a chunk with its indices."""
        parts, name = chunk.bio, self.compression.encode()
        assert isinstance(parts, _Parts)
        plain, pieces = parts.tell(), parts.parts
        if name:
            pieces = [self.compressor(parts.getvalue())]
        packed = sum(memoryview(piece).nbytes for piece in pieces)
        named = pack('<I', len(name)) + name
        span = pack('<QQ', chunk.message_start_time, chunk.message_end_time)
        # No checksum: 0.
        head = span + pack('<QI', plain, 0) + named + pack('<Q', packed)
        begin = self.bio.tell()
        self.bio.write(pack('<BQ', self._CHUNK, len(head) + packed) + head)
        for piece in pieces:
            self.bio.write(piece)
        end = self.bio.tell()
        places = b''.join(
            pack('<HQ', number, self._write_index(number, found))
            for number, found in chunk.msgs.items()
        )
        record = BytesIO()
        record.write(span + pack('<QQI', begin, end - begin, len(places)) + places)
        record.write(pack('<Q', self.bio.tell() - end) + named + pack('<QQ', packed, plain))
        self.chunks.append(record)

    def _write_index(self, number: int, messages: list[tuple[int, int]]) -> int:
        """Write where the messages of a channel are in the chunk; return where that is."""
        place = self.bio.tell()
        entries = b''.join(pack('<QQ', *entry) for entry in messages)
        head = pack('<BQHI', self._INDEX, 6 + len(entries), number, len(entries))
        self.bio.write(head + entries)
        return place

    def write(self, connection: Connection, timestamp: int, data: bytes | memoryview) -> None:
        """Add a message to the pending chunk.

        Args:
            connection: Its topic.
            timestamp: Log time, nanoseconds.
            data: As CDR; not copied, so it must stay as it is until the bag is closed.

        """
        chunk, number = self.chunk, connection.id
        self.message_start_time = min(timestamp, self.message_start_time)
        self.message_end_time = max(timestamp, self.message_end_time)
        chunk.message_start_time = min(timestamp, chunk.message_start_time)
        chunk.message_end_time = max(timestamp, chunk.message_end_time)
        self.channel_stats[number] += 1
        chunk.msgs[number].append((timestamp, chunk.bio.tell()))
        length = self._BEFORE_DATA + memoryview(data).nbytes
        chunk.bio.write(
            self._MESSAGE.pack(self._OPCODE, length, number, 0, timestamp, timestamp)
        )  # fmt: skip
        chunk.bio.write(data)
        if chunk.bio.tell() > self._most:
            self.close_chunk()
