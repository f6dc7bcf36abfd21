# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bag that grows while it is recorded, and that a crash cannot take away.

The bag grows in `NAME.part/NAME/`. Every flush appends whole chunks and, behind them, an end that
is overwritten by the next flush: so at rest the file is a complete MCAP, only without an index.
When the recording ends well the index is written and the folder renamed to `NAME`. What a killed
recorder leaves is mended by `salvage`.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.failures import DiskFullError, writing
from r2rgen_ros.bags.qos import LATCHED, LATCHED_TF, RELIABLE, SENSOR, TF
from r2rgen_ros.bags.writer import GrowingWriter, dump_metadata
from r2rgen_ros.model.locks import FileLock
from r2rgen_ros.model.paths import require_new, sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rosbags.interfaces import Connection, Qos

PART = '.part'
_LARGE = 8 * 2**20
_PIECES = 1024
"""IOV_MAX of Linux."""
LOCK_NAME = '.recording'
MAGIC = b'\x89MCAP0\r\n'
# DataEnd and Footer records without a summary, and the magic that ends a file.
END = (
    b'\x0f' + (4).to_bytes(8, 'little') + bytes(4)
    + b'\x02' + (20).to_bytes(8, 'little') + bytes(20)
    + MAGIC
)  # fmt: skip
_HEAD = 9
"""Bytes of a record's kind and length; see the MCAP specification."""
_PRIVATE = b'\x80'
"""Kinds of records from here on are for anybody to use, and readers skip them."""


class _EndedFile:
    """A file to append to that always ends as an MCAP does.

    What is written waits in memory until `flush` puts it into the file: the new end, far behind;
    over the old end, the head of a private record that reaches there, which readers skip; all but
    the first head of the data; and that, which makes them count. So a process that is killed while
    megabytes are written leaves a complete file. (Between the first two steps, some microseconds,
    the file is torn as far as readers know; `salvage` mends it.)

    Args:
        path: An MCAP file that holds the beginning of one.

    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR)
        self._start = os.fstat(self._handle).st_size
        self._waiting: list[bytes | memoryview] = []
        self._size = 0

    def write(self, data: Any) -> int:
        """Append bytes."""
        # What comes is not changed any more: it need not be copied.
        self._waiting.append(data)
        size = memoryview(data).nbytes
        self._size += size
        return size

    def tell(self) -> int:
        """Where the next byte goes."""
        return self._start + self._size

    @property
    def waiting(self) -> int:
        """Bytes that wait."""
        return self._size

    def flush(self) -> None:
        """Put into the file what waits."""
        if not self._waiting:
            return
        head, *rest = self._head_first()
        skip = _PRIVATE + (self._size - _HEAD).to_bytes(8, 'little')
        for at, pieces in ((self._size, [END]), (0, [skip]), (_HEAD, rest), (0, [head])):
            self._put(pieces, self._start + at)
        self._take_note()

    def close(self) -> None:
        """Put the last bytes, without an end: they bring their own."""
        if self._handle >= 0:
            self._put(self._waiting, self._start)
            self._take_note()
            os.ftruncate(self._handle, self._start)
            os.close(self._handle)
            self._handle = -1

    def abandon(self) -> None:
        """Close without writing what waits."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _head_first(self) -> list[bytes | memoryview]:
        """What waits; its first piece is the head of the first record."""
        head = b''
        for piece in self._waiting:
            head += bytes(piece[: _HEAD - len(head)])
        return [head, *self._after_head(_HEAD)]

    def _after_head(self, skipped: int) -> list[bytes | memoryview]:
        out: list[bytes | memoryview] = []
        for piece in self._waiting:
            if skipped < len(piece):
                out.append(memoryview(piece)[skipped:] if skipped else piece)
            skipped = max(0, skipped - len(piece))
        return out

    def _put(self, pieces: Sequence[bytes | memoryview], at: int) -> None:
        total = sum(map(len, pieces))
        done = os.pwritev(self._handle, pieces, at) if 0 < len(pieces) < _PIECES else 0
        if done < total:
            rest = memoryview(b''.join(pieces))
            while done < total:
                done += os.pwrite(self._handle, rest[done:], at + done)

    def _take_note(self) -> None:
        """All that waited is in the file."""
        self._start += self._size
        self._waiting, self._size = [], 0


class LiveWriter:
    """Writes one bag as its messages arrive.

    Args:
        path: Folder that the bag will be.
        custom_data: Provenance for metadata.yaml, string to string.
        flush_s: Longest time, seconds, that a message waits in memory.

    Raises:
        R2RGenError: The path exists, or cannot be written.

    """

    def __init__(
        self, path: Path, *, custom_data: Mapping[str, str] | None = None, flush_s: float = 0.25
    ) -> None:
        self.path = require_new(path)
        self._part = path.with_name(path.name + PART)
        self._inside = self._part / path.name
        self._flush_s = flush_s
        self._flushed = time.monotonic()
        self._connections: dict[str, Connection] = {}
        self._last_ns = 0
        self.bytes = 0
        with writing(path):
            require_new(self._part)
            self._part.mkdir(parents=True)
            self._lock = lock(self._part)
            self._writer = self._open(custom_data or {})

    def _open(self, custom_data: Mapping[str, str]) -> GrowingWriter:
        writer = GrowingWriter(self._inside)
        for key, value in sorted(custom_data.items()):
            writer.set_custom_data(key, str(value))
        writer.open()
        storage: Any = writer.storage
        storage.bio.close()
        storage.bio = self._file = _EndedFile(storage.path)
        return writer

    def add_topic(
        self, name: str, msgtype: str, *, reliable: bool = True, latched: bool = False
    ) -> None:
        """Declare a topic before its first message.

        Args:
            name: Full name, as in '/camera/depth/image_raw'.
            msgtype: As in 'sensor_msgs/msg/Image'; one of the standard types.
            reliable: Whether its publishers send lost messages again.
            latched: Whether they keep messages for late subscribers.

        Raises:
            R2RGenError: The topic is declared twice, or the type is not a standard one.

        """
        qos = _qos(msgtype, reliable=reliable, latched=latched)
        self._connections[name] = self._writer.declare(name, msgtype, (qos,))

    def begin(self) -> None:
        """Write metadata.yaml for the first time; call it when all topics are declared."""
        with writing(self.path):
            self._write_metadata()

    def write(self, topic: str, arrived_ns: int, raw: bytes) -> None:
        """Write one serialized message.

        Args:
            topic: A declared topic.
            arrived_ns: When it arrived, nanoseconds; a time before the last one is taken as that,
                since a bag without an index is read in the order of its times.
            raw: Its CDR.

        Raises:
            R2RGenError: The disk is full.

        """
        self._last_ns = max(self._last_ns, arrived_ns)
        self.bytes += len(raw)
        self._writer.write(self._connections[topic], self._last_ns, raw)
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Write what has waited long enough, or is large enough."""
        storage: Any = self._writer.storage
        if time.monotonic() - self._flushed >= self._flush_s:
            if storage.chunk.bio.tell():
                storage.close_chunk()
            self._flush()
        elif self._file.waiting > _LARGE:
            self._flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say of a full disk where what was written lies."""
        try:
            with writing(self.path):
                yield
        except DiskFullError as error:
            raise DiskFullError(
                f'the disk is full: {self.path} could not be finished',
                'room for it',
                f'free some space; the recorder saves what is in {self._part} when it is '
                'configured again',
            ) from error

    def _flush(self) -> None:
        with self._writing():
            self._file.flush()
            self._write_metadata()
        self._flushed = time.monotonic()

    def _write_metadata(self) -> None:
        """Keep metadata.yaml about as new as the file, for readers of a cut-off recording."""
        information = self._writer.information(f'{self.path.name}.mcap')
        temporary = self._inside / '.metadata.yaml'
        temporary.write_text(dump_metadata(information), 'utf8')
        temporary.replace(self._inside / 'metadata.yaml')

    def close(self) -> Path:
        """End the bag, sync it and give it its name; return its path.

        Raises:
            R2RGenError: The disk says no; what was written so far stays in `NAME.part`.

        """
        with self._writing():
            self._writer.close()
            publish(self._part, self.path)
            self._lock.drop()
        return self.path

    def discard(self) -> None:
        """Remove the bag."""
        self._file.abandon()
        shutil.rmtree(self._part, ignore_errors=True)
        self._lock.drop()

    def abandon(self) -> None:
        """Let go of the bag as it is on the disk, for `salvage`."""
        self._file.abandon()
        self._lock.drop()


def _qos(msgtype: str, *, reliable: bool, latched: bool) -> Qos:
    """What `ros2 bag play` is to offer: all publishers' latched transforms must stay."""
    if latched:
        return LATCHED_TF if msgtype == messages.TF else LATCHED
    if msgtype == messages.TF:
        return TF
    return RELIABLE if reliable else SENSOR


def lock(part: Path) -> FileLock:
    """Hold the folder of a growing bag, so that nobody salvages it; return the lock.

    Raises:
        BlockingIOError: Another process holds it.

    """
    held = FileLock(part / LOCK_NAME)
    if not held.take():
        raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), str(part))
    return held


def publish(part: Path, path: Path) -> None:
    """Sync the bag in `NAME.part/NAME` and rename it to `path`."""
    bag = part / part.name.removesuffix(PART)
    for item in bag.iterdir():
        sync(item)
    sync(bag)
    require_new(path)
    bag.rename(path)
    shutil.rmtree(part)
    sync(path.parent)
