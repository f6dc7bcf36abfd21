# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays a performance in real time, and holds the robot still before and after it.

At rest each topic repeats its first message at its own rate, and after the performance its last
one; only the stamps go on. They are those of a clock that never jumps, also from rest to action:
the slowest topic (a camera) keeps its period exactly, the others to within half a period.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from r2rgen_ros.nodes.virtual_performance import Part, Performance

_SECOND = 1_000_000_000


class _Due(NamedTuple):
    """A message that waits for its time; played, or held still."""

    when_ns: int
    number: int
    part: Part
    stamp_ns: int
    raw: bytes
    is_played: bool


class Player:
    """Publishes from a thread of its own.

    Args:
        performance: What to play.
        send: Called with a topic's part, a stamp in nanoseconds, and the message as recorded.
        on_end: Called when a performance has been played, with what went wrong; empty if nothing.

    """

    def __init__(
        self,
        performance: Performance,
        send: Callable[[Part, int, bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._performance, self._send, self._on_end = performance, send, on_end
        self._epoch_ns = time.time_ns() - time.monotonic_ns()
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._due: list[_Due] = []
        self._source: Iterator[tuple[Part, int, int, bytes]] = iter(())
        self._shift_ns = 0
        self._limits: dict[str, int] = {}
        self._sent: dict[str, int] = {}
        self._turns: dict[str, int] = {}
        self._is_ending = False
        self._late_ns = 0
        self._thread = threading.Thread(target=self._run, name='virtual_robot_player')
        self._rest()

    def start(self) -> None:
        """Begin to publish, the robot at rest."""
        self._thread.start()

    def close(self) -> None:
        """Stop publishing, and wait until nothing more is published."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def act(self) -> int:
        """Begin the performance; return the time of its beginning, nanoseconds."""
        with self._changed:
            slowest = max(self._due, key=lambda due: due.part.period_ns)
            begin = slowest.stamp_ns - (slowest.part.first_ns - self._performance.start_ns)
            while begin < self._now():
                begin += slowest.part.period_ns
            self._shift_ns = begin - self._performance.start_ns
            self._limits = {
                part.topic: part.first_ns + self._shift_ns - part.period_ns // 2
                for part in self._performance.parts.values()
            }
            self._due = [due for due in self._due if self._may_hold(due.part, due.stamp_ns)]
            heapq.heapify(self._due)
            self._source = self._performance.messages()
            self._play_next()
            self._changed.notify()
            return begin

    def rest(self, performance: Performance) -> None:
        """Put the robot at rest, at the beginning of a performance."""
        with self._changed:
            self._performance = performance
            self._rest()
            self._changed.notify()

    def lateness_s(self) -> float:
        """How late the latest message was since this was last asked, seconds."""
        late, self._late_ns = self._late_ns, 0
        return 1e-9 * late

    def _now(self) -> int:
        return time.monotonic_ns() + self._epoch_ns

    def _run(self) -> None:
        while not self._is_ending:
            with self._changed:
                wait_ns = self._due[0].when_ns - self._now() if self._due else _SECOND
                if wait_ns > 0:
                    self._changed.wait(1e-9 * wait_ns)
                    continue
                due = heapq.heappop(self._due)
                self._late_ns = max(self._late_ns, -wait_ns)
                self._sent[due.part.topic] = due.stamp_ns
                end = self._follow(due)
            self._send(due.part, due.stamp_ns, due.raw)
            if end is not None:
                self._on_end(end)

    def _follow(self, due: _Due) -> str | None:
        """Plan what comes next; at the end of the performance return what is wrong, if anything."""
        if not due.is_played:
            self._hold(due.part, due.stamp_ns + due.part.period_ns, due.raw)
            return None
        try:
            if self._play_next():
                return None
            problem = ''
        except R2RGenError as error:
            problem = str(error)
        self._limits = {}
        for part in self._performance.parts.values():
            last = part.last_ns + self._shift_ns
            self._hold(part, max(last, self._sent.get(part.topic, 0)) + part.period_ns, part.last)
        return problem

    def _play_next(self) -> bool:
        """Plan the performance's next message, if there is one more."""
        found = next(self._source, None)
        if found is None:
            return False
        part, stamp, published, raw = found
        self._plan(part, stamp + self._shift_ns, published - stamp, raw, is_played=True)
        return True

    def _rest(self) -> None:
        self._due, self._source, self._limits = [], iter(()), {}
        now = self._now()
        for part in self._performance.parts.values():
            stamp = now + part.first_ns - self._performance.start_ns
            sent = self._sent.get(part.topic)
            if sent is not None:
                stamp = max(stamp, sent + part.period_ns)
            self._hold(part, stamp, part.first)

    def _hold(self, part: Part, stamp: int, raw: bytes) -> None:
        """Plan a message of a robot that does not move."""
        if part.period_ns == 0 or part.latched or not self._may_hold(part, stamp):
            return
        turn = self._turns[part.topic] = self._turns.get(part.topic, -1) + 1
        delay = part.delays_ns[turn % len(part.delays_ns)]
        self._plan(part, stamp, delay, raw, is_played=False)

    def _may_hold(self, part: Part, stamp: int) -> bool:
        return stamp <= self._limits.get(part.topic, stamp)

    def _plan(self, part: Part, stamp: int, delay: int, raw: bytes, *, is_played: bool) -> None:
        number = next(self._numbers)
        heapq.heappush(self._due, _Due(stamp + delay, number, part, stamp, raw, is_played))
