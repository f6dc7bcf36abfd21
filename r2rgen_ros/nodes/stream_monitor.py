# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Counts what arrives on a topic, and says what is wrong with it. Knows no ROS."""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from r2rgen_ros.nodes import transport

if TYPE_CHECKING:
    from r2rgen_ros.nodes.capture import Stream

_WINDOW_S = 3.0
_WINDOW_NS = int(_WINDOW_S * 1e9)
_LEAST = 20
_GAP = 1.6
"""A step of this many periods means that a message is missing."""
_SLOW = 0.5
_MINGLED_S = 0.5
"""How far apart the stamps of publishers of one topic may be, seconds."""
_SILENT_PERIODS = 5.0
_LEAST_SILENT_S = 1.0


@dataclass(frozen=True)
class Arrival:
    """A message that arrived.

    Attributes:
        arrived_ns: When, by this machine's clock.
        stamp_ns: Its header stamp; None if it has none.

    """

    arrived_ns: int
    stamp_ns: int | None


class StreamMonitor:
    """What has arrived on one topic.

    Args:
        topic: Its name.
        expected_hz: Messages per second that are normal; 0 for a latched topic.
        is_shared: Whether the stamps of several publishers mingle. Then they may go back a little,
            and their distances tell neither rate nor gaps.

    """

    def __init__(self, topic: str, expected_hz: float = 0.0, *, is_shared: bool = False) -> None:
        self.topic = topic
        self.expected_hz = expected_hz
        self.is_shared = is_shared
        self.messages = 0
        self.bytes = 0
        self.gaps = 0
        self.lost = 0
        self.jumped_s = 0.0
        """Largest step back of the stamps, seconds."""
        self._recent: deque[Arrival] = deque()

    @classmethod
    def of(cls, stream: Stream, expected_hz: float = 0.0) -> StreamMonitor:
        """Return a monitor of a stream."""
        return cls(stream.topic, expected_hz, is_shared=stream.is_shared)

    def add(self, arrived_ns: int, stamp_ns: int | None, size: int) -> None:
        """Count a message of some bytes."""
        self.messages += 1
        self.bytes += size
        if self._recent and stamp_ns is not None:
            before = self._recent[-1].stamp_ns
            if before is not None:
                self._step((stamp_ns - before) * 1e-9)
        self._recent.append(Arrival(arrived_ns, stamp_ns))
        # Of a fast stream only the last seconds; of a slow one enough to know its rate.
        limit = arrived_ns - _WINDOW_NS
        while len(self._recent) > _LEAST and self._recent[0].arrived_ns < limit:
            self._recent.popleft()

    def _step(self, step_s: float) -> None:
        if step_s < 0.0:
            if not self.is_shared or step_s < -_MINGLED_S:
                self.jumped_s = max(self.jumped_s, -step_s)
        elif self.expected_hz > 0.0 and not self.is_shared:
            periods = step_s * self.expected_hz
            if periods > _GAP:
                self.gaps += round(periods) - 1

    def rate_hz(self, now_ns: int) -> float:
        """Messages per second of the last seconds, by arrival."""
        recent = self._window(now_ns)
        if len(recent) < 2:
            return 0.0
        span = (recent[-1].arrived_ns - recent[0].arrived_ns) * 1e-9
        # A stream that has stopped gets slower with every second.
        idle = (now_ns - recent[-1].arrived_ns) * 1e-9
        return (len(recent) - 1) / max(span + max(0.0, idle - span / len(recent)), 1e-6)

    def usual_hz(self, *, by_arrival: bool = False) -> float:
        """Messages per second by the median step of the stamps, or by arrival where they mingle.

        0 if there are none.
        """
        if self.is_shared or by_arrival:
            return self.rate_hz(self._recent[-1].arrived_ns) if self._recent else 0.0
        stamps = [each.stamp_ns for each in self._recent if each.stamp_ns is not None]
        steps = [after - before for before, after in pairwise(stamps)]
        good = [step for step in steps if step > 0]
        return 1e9 / statistics.median(good) if good else 0.0

    def skew_s(self, now_ns: int) -> float:
        """Mean of arrival minus stamp in the last seconds; NaN without stamps."""
        delays = [
            (each.arrived_ns - each.stamp_ns) * 1e-9
            for each in self._window(now_ns)
            if each.stamp_ns is not None
        ]
        return statistics.fmean(delays) if delays else math.nan

    def age_s(self, now_ns: int) -> float:
        """Seconds since the last message; NaN if there was none."""
        return (now_ns - self._recent[-1].arrived_ns) * 1e-9 if self._recent else math.nan

    def problem(self, now_ns: int, since_ns: int) -> str:
        """What is wrong, in words; empty if nothing is. Arguments as of `fault`."""
        fault = self.fault(now_ns, since_ns)
        if not fault and self.lost:
            return (
                f'{self.lost} messages lost on the way; start its publisher with '
                f'FASTDDS_DEFAULT_PROFILES_FILE={transport.PROFILE}, too'
            )
        return fault

    def fault(self, now_ns: int, since_ns: int) -> str:
        """What is wrong with the stream itself; empty if nothing is.

        Args:
            now_ns: The present, by this machine's clock.
            since_ns: When watching began.

        """
        if self.jumped_s > 0.0:
            return (
                f'stamps jumped back by {self.jumped_s:.2f} s; the clock of its driver was set: '
                'record again'
            )
        if self.expected_hz > 0.0:
            limit = max(_LEAST_SILENT_S, _SILENT_PERIODS / self.expected_hz)
            age = self.age_s(now_ns)
            silent = (now_ns - since_ns) * 1e-9 if math.isnan(age) else age
            if silent > limit:
                return f'silent for {silent:.1f} s; check its driver and cable'
            watched = (now_ns - since_ns) * 1e-9
            rate = self.rate_hz(now_ns)
            if watched > _WINDOW_S and rate < _SLOW * self.expected_hz:
                return f'{rate:.1f} Hz instead of {self.expected_hz:.1f}; check its driver and bus'
        return ''

    def _window(self, now_ns: int) -> list[Arrival]:
        limit = now_ns - _WINDOW_NS
        recent = []
        for each in reversed(self._recent):
            if each.arrived_ns < limit:
                break
            recent.append(each)
        return recent[::-1]
