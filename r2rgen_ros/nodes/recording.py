# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One recording: a queue, a thread that writes it to a bag, and what it counts on the way."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from r2rgen_ros.bags.live import LiveWriter
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.nodes.stream_monitor import StreamMonitor
from r2rgen_ros.nodes.stream_plan import REQUIRED_ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from r2rgen_ros.nodes.capture import Message
    from r2rgen_ros.nodes.stream_plan import Planned

_WAIT_S = 0.1
_LOOK_S = 0.5


class Recording:
    """Writes messages to a bag from a thread of its own, until stopped or out of disk.

    Args:
        path: The bag to make.
        streams: The topics.
        expected_hz: Rates that are normal, by topic.
        custom_data: Provenance for the bag.
        free_bytes: What must stay free on the disk.
        queue_bytes: How much may wait for the disk; what comes on top is lost, and counted.

    Raises:
        R2RGenError: The bag cannot be made.

    """

    def __init__(
        self,
        path: Path,
        streams: Sequence[Planned],
        expected_hz: Mapping[str, float],
        custom_data: Mapping[str, str],
        *,
        free_bytes: int,
        queue_bytes: int,
    ) -> None:
        self.path = path
        self._streams = tuple(streams)
        self.monitors = {
            each.stream.topic: StreamMonitor.of(
                each.stream, expected_hz.get(each.stream.topic, 0.0)
            )
            for each in streams
        }
        self.problem = ''
        """Why the recording ended by itself; empty if it did not."""
        self.began_ns = time.time_ns()
        self._free_bytes, self._queue_bytes = free_bytes, queue_bytes
        self._queue: deque[Message] = deque()
        self._waiting = 0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self.ended = threading.Event()
        """Set when nothing more is written, whatever the reason."""
        self._writer = LiveWriter(path, custom_data=custom_data)
        self._declare(streams)
        self._thread = threading.Thread(target=self._work, name='recording', daemon=True)
        self._thread.start()

    def _declare(self, streams: Sequence[Planned]) -> None:
        try:
            for each in streams:
                stream = each.stream
                self._writer.add_topic(
                    stream.topic, stream.type, reliable=stream.reliable, latched=stream.latched
                )
            self._writer.begin()
        except BaseException:
            self._writer.discard()
            raise

    @property
    def bytes(self) -> int:
        """Bytes received."""
        return sum(each.bytes for each in self.monitors.values())

    @property
    def messages(self) -> int:
        """Messages received."""
        return sum(each.messages for each in self.monitors.values())

    @property
    def lost(self) -> int:
        """Messages lost on the way here, or because the disk was too slow."""
        return sum(each.lost for each in self.monitors.values())

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return (time.time_ns() - self.began_ns) * 1e-9

    @property
    def silent(self) -> list[str]:
        """Topics that a demonstration needs and of which nothing has arrived."""
        return [
            each.stream.topic
            for each in self._streams
            if each.role in REQUIRED_ROLES and not self.monitors[each.stream.topic].messages
        ]

    def faults(self, now_ns: int) -> list[str]:
        """Return what is wrong with streams that a demonstration needs, by topic."""
        found, silent = [], self.silent
        for each in self._streams:
            monitor = self.monitors[each.stream.topic]
            fault = monitor.fault(now_ns, self.began_ns)
            if each.stream.topic in silent:
                fault = 'nothing arrived'
            if fault:
                found.append(f'{each.stream.topic}: {fault}')
        return found

    def add(self, message: Message) -> None:
        """Take a message; returns at once."""
        monitor = self.monitors.get(message.stream.topic)
        if monitor is None or self._ending.is_set() or self.ended.is_set():
            return
        monitor.add(message.arrived_ns, message.stamp_ns, len(message.raw))
        with self._lock:
            if self._waiting + len(message.raw) > self._queue_bytes:
                monitor.lost += 1
                return
            self._queue.append(message)
            self._waiting += len(message.raw)

    def add_lost(self, topic: str, count: int) -> None:
        """Count what the middleware says is lost."""
        if topic in self.monitors:
            self.monitors[topic].lost += count

    def stop(self) -> Path:
        """Write what waits, end the bag and return it.

        Raises:
            R2RGenError: The bag could not be ended; what there is of it can be salvaged.

        """
        self._finish()
        if self.problem and not self._writer_is_good:
            self._writer.abandon()
            raise R2RGenError(self.problem)
        return self._writer.close()

    def discard(self) -> None:
        """Throw the bag away."""
        self._queue.clear()
        self._finish()
        self._writer.discard()

    def _finish(self) -> None:
        self._ending.set()
        self._thread.join()

    _writer_is_good = True

    def _work(self) -> None:
        looked = 0.0
        try:
            while not (self._ending.is_set() and not self._queue):
                if time.monotonic() - looked > _LOOK_S:
                    looked = time.monotonic()
                    if not self._has_room():
                        break
                self._write_some()
        except R2RGenError as error:
            self.problem, self._writer_is_good = str(error), False
        except Exception as error:  # noqa: BLE001  # said in the status, never lost in a thread
            self.problem, self._writer_is_good = f'writing failed: {error!r}', False
        finally:
            self.ended.set()

    def _write_some(self) -> None:
        if not self._queue:
            self._writer.flush_if_due()
            self._ending.wait(_WAIT_S / 4)
            return
        while self._queue:
            with self._lock:
                if not self._queue:
                    return
                message = self._queue.popleft()
                self._waiting -= len(message.raw)
            self._writer.write(message.stream.topic, message.arrived_ns, message.raw)
            if self._waiting < _LITTLE:
                return

    def _has_room(self) -> bool:
        free = shutil.disk_usage(self.path.parent).free
        if free >= self._free_bytes:
            return True
        self.problem = (
            f'stopped before the disk is full: {free / 1e6:.0f} MB are free on {self.path.parent}, '
            f'{self._free_bytes / 1e6:.0f} must stay; remove what is not needed, or lower '
            'min_free_mb'
        )
        return False


_LITTLE = 2**20
