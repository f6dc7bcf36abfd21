# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When an episode's messages come, and which instant of the source each of them replays.

Between two frames that are as far apart as in the source, to the nanosecond, the source's own
messages are taken and shifted. Where an episode takes more or less time than its source, messages
are placed evenly at the stream's own rate. What comes before the first frame and after the last is
kept and shifted, if the episode begins and ends where its source does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.bags.series import fractional_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.bags.tracks import Track

    Floats = NDArray[np.float64]
    Stamps = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Placement:
    """The K messages of a stream in an episode.

    Attributes:
        stamps: (K,) int64 nanoseconds in the episode, not falling.
        source_ns: (K,) int64 nanoseconds in the source.
        at: (K,) which of the source's messages each replays; fractional between two.
        rate: (K,) how fast the source's time passes: 1 where messages are merely shifted.
        frame: (K,) fractional frame of the episode, from 0 to its last.
        latency: (K,) int64 nanoseconds from stamp to log time.

    """

    stamps: Stamps
    source_ns: Stamps
    at: Floats
    rate: Floats
    frame: Floats
    latency: Stamps

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.stamps)

    @property
    def logs(self) -> Stamps:
        """(K,) int64 log times, nanoseconds."""
        return self.stamps + self.latency


def frame_times(stamps: Stamps, frames: Floats) -> Stamps:
    """Instants (M,) in nanoseconds of fractional frames (M,), given the frames' stamps (T,)."""
    low = np.clip(np.floor(frames).astype(np.int64), 0, len(stamps) - 1)
    high = np.minimum(low + 1, len(stamps) - 1)
    share = np.rint((frames - low) * (stamps[high] - stamps[low])).astype(np.int64)
    return np.asarray(stamps[low] + share)


class Timeline:
    """Maps the time of an episode to that of its source.

    Args:
        source: (T,) int64 stamps of the source's frames.
        stamps: (M,) int64 stamps of the episode's frames.
        frames: (M,) fractional source frame that each replays.

    """

    def __init__(self, source: Stamps, stamps: Stamps, frames: Floats) -> None:
        self.stamps = stamps
        self.source_ns = frame_times(source, frames)
        self.from_start = bool(self.source_ns[0] <= source[0])
        self.to_end = bool(self.source_ns[-1] >= source[-1])

    def place(self, track: Track) -> Placement:
        """Place the messages of a stream."""
        pieces = [self._shifted(track, *span) for span in self._runs(track)]
        pieces += [self._even(track, interval) for interval in self._stretched()]
        pieces += self._corners(track)
        pieces += self._ends(track, np.concatenate([piece[0] for piece in pieces]))
        # A stable sort keeps the source's order among messages of one instant.
        stamps, source_ns, index, rate = (
            np.concatenate([piece[part] for piece in pieces]) for part in range(4)
        )
        order = np.argsort(stamps, kind='stable')
        stamps, source_ns, index, rate = (x[order] for x in (stamps, source_ns, index, rate))
        at = np.where(index >= 0, index, _at(track, source_ns))
        latency = track.latency[np.floor(at).astype(np.int64)] if len(track) else index
        if (np.diff(track.stamps + track.latency) >= 0).all():
            # Messages that arrived in the order of their stamps do so in the episode, though their
            # delays vary by more than their distance there.
            latency = np.maximum.accumulate(stamps + latency) - stamps
        frame = fractional_index(self.stamps, stamps)
        return Placement(stamps, source_ns, at.astype(np.float64), rate, frame, latency)

    def _is_shift(self) -> NDArray[np.bool_]:
        return np.asarray(np.diff(self.stamps) == np.diff(self.source_ns))

    def _stretched(self) -> NDArray[np.int64]:
        return np.flatnonzero(~self._is_shift())

    def _runs(self, track: Track) -> list[tuple[int, int, int]]:
        """Spans of the source's messages (first, end) that are shifted, with the shift."""
        borders = np.searchsorted(track.stamps, self.source_ns)
        shifts = self.stamps - self.source_ns
        runs: list[tuple[int, int, int]] = []
        if self.from_start:
            runs.append((0, int(borders[0]), int(shifts[0])))
        runs += [
            (int(borders[j]), int(borders[j + 1]), int(shifts[j]))
            for j in np.flatnonzero(self._is_shift())
        ]
        last = len(track) if self.to_end else int(borders[-1])
        runs.append((int(borders[-1]), last, int(shifts[-1])))
        return _joined(runs)

    def _corners(self, track: Track) -> list[tuple[Stamps, Stamps, Stamps, Floats]]:
        """A message where stretched time ends, unless the source has one there.

        The speed jumps at that frame: between messages on either side, its value would be off.
        """
        stretched = ~self._is_shift()
        ends = 1 + np.flatnonzero(stretched & ~np.append(stretched[1:], False))
        if len(track) < 2:
            return []
        source_ns = self.source_ns[ends]
        inside = (source_ns >= track.stamps[0]) & (source_ns <= track.stamps[-1])
        bare = ends[inside & ~np.isin(source_ns, track.stamps)]
        none = np.full(len(bare), -1, dtype=np.int64)
        return [(self.stamps[bare], self.source_ns[bare], none, np.ones(len(bare)))]

    def _ends(self, track: Track, stamps: Stamps) -> list[tuple[Stamps, Stamps, Stamps, Floats]]:
        """A message at the first and the last frame, where the episode is a part of its source.

        Without it the value at that frame could not be told from the episode's bag.
        """
        if not len(track):
            return []
        low, high = int(track.stamps[0]), int(track.stamps[-1])
        first = not self.from_start and int(stamps.min(initial=self.stamps[-1])) > self.stamps[0]
        last = not self.to_end and int(stamps.max(initial=self.stamps[0])) < self.stamps[-1]
        return [
            (self.stamps[place : place + 1], at, np.array([-1]), np.ones(1))
            for place, is_bare in ((0, first), (len(self.stamps) - 1, last))
            if is_bare and low <= (at := self.source_ns[place : place + 1])[0] <= high
        ]

    @staticmethod
    def _shifted(
        track: Track, first: int, end: int, shift: int
    ) -> tuple[Stamps, Stamps, Stamps, Floats]:
        index = np.arange(first, end, dtype=np.int64)
        source_ns = track.stamps[first:end]
        return source_ns + shift, source_ns, index, np.ones(len(index))

    def _even(self, track: Track, interval: int) -> tuple[Stamps, Stamps, Stamps, Floats]:
        out, took = self.stamps[interval : interval + 2], self.source_ns[interval : interval + 2]
        duration, played = int(out[1] - out[0]), int(took[1] - took[0])
        count = round(duration / track.period_ns) if track.period_ns > 0.0 else 0
        step = np.arange(count, dtype=np.int64)
        stamps = out[0] + step * duration // max(count, 1)
        source_ns = took[0] + step * played // max(count, 1)
        return stamps, source_ns, np.full(count, -1, np.int64), np.full(count, played / duration)


def _at(track: Track, source_ns: Stamps) -> Floats:
    return fractional_index(track.stamps, source_ns) if len(track) else np.zeros(len(source_ns))


def _joined(runs: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    out: list[tuple[int, int, int]] = []
    for first, end, shift in runs:
        if out and out[-1][1] == first and out[-1][2] == shift:
            out[-1] = (out[-1][0], end, shift)
        else:
            out.append((first, end, shift))
    return out
