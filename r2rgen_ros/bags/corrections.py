# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an episode changes about its source's fast streams, at any instant.

A stream's value is the source's value at the instant that is replayed, corrected by what the
episode changes there: positions of joints by a difference, poses of an end effector by a transform.
Both are known at the frames and interpolated between them. Where nothing changes, the source's
numbers are kept bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.bags.match import measured_joints
from r2rgen_ros.bags.series import fractional_index, interpolate_rows
from r2rgen_ros.bags.timeline import frame_times
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.driving import BASE_JOINTS
from r2rgen_ros.model.errors import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.bags.timeline import Placement
    from r2rgen_ros.model.demo import Arm
    from r2rgen_ros.model.episode import Episode

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

NOTHING = 1e-12
"""Differences up to this (rad, m) are rounding, not change."""


class ArmCorrection:
    """What an episode changes about the path of one end effector.

    Args:
        source: The recording.
        arm: Its arm.
        episode: The episode.

    """

    def __init__(self, source: Source, arm: Arm, episode: Episode) -> None:
        self._source = se3.interpolate(arm.ee2base, episode.source)
        # Between frames the transforms, which are denser, tell better where the arm was.
        between = np.flatnonzero(episode.source % 1.0)
        if between.size:
            at = frame_times(source.stamps, episode.source[between])
            self._source[between] = source.buffer.lookup(source.base_frame, arm.end_effector, at)
        self._changed = episode.ee2base[arm.name]
        difference = np.abs(self._source - self._changed).reshape(len(episode), -1)
        self._moved = difference.max(axis=1) > NOTHING

    def at(self, frame: Floats) -> tuple[Mask, Floats]:
        """Transforms of the base frame that take the source's end effector to the episode's.

        Args:
            frame: (K,) fractional frames of the episode.

        Returns:
            Which of them (K,) change anything, and for those L the transforms (L, 4, 4), to be
            multiplied from the left.

        """
        low = np.floor(frame).astype(np.int64)
        high = np.minimum(low + 1, len(self._moved) - 1)
        moved = self._moved[low] | (self._moved[high] & (frame > low))
        at = frame[moved]
        source = se3.interpolate(self._source, at)
        return moved, se3.interpolate(self._changed, at) @ se3.inverse(source)


class JointCorrection:
    """What an episode changes about the positions of joints.

    Args:
        source: The recording.
        episode: The episode.

    """

    def __init__(self, source: Source, episode: Episode) -> None:
        self.names: tuple[str, ...] = ()
        self._stamps = episode.stamps
        self._change = np.zeros((len(episode), 0))
        if source.joints is None or episode.joints is None:
            return
        self.names = source.joints.names
        driven = 0 if source.drive is None else len(BASE_JOINTS)  # they come last
        require(
            episode.joints.shape == (len(episode), len(self.names) + driven),
            f'the joints of an episode have shape {episode.joints.shape}',
            f'({len(episode)}, {len(self.names) + driven})',
        )
        at = frame_times(source.stamps, episode.source)
        change = episode.joints[:, : len(self.names)] - joint_positions(source, at)
        self._change = np.where(np.abs(change) > NOTHING, change, 0.0)

    @property
    def is_nothing(self) -> bool:
        """Whether no joint changes at all."""
        return not self._change.any()

    def at(self, names: tuple[str, ...], frame: Floats) -> Floats:
        """Changes (K, J) of some joints at fractional frames (K,); zero for joints not known."""
        return interpolate_rows(self._columns(self._change, names), frame)

    def rate(self, names: tuple[str, ...], placed: Placement) -> Floats:
        """Rates of change (K, J) in rad/s or m/s at placed messages; zero beyond the ends."""
        seconds = np.diff(self._stamps) / 1e9
        slope = np.diff(self._change, axis=0) / seconds[:, None]
        slope = np.concatenate([slope, np.zeros((1, slope.shape[1]))])
        rate = self._columns(slope, names)[np.floor(placed.frame).astype(np.int64)]
        outside = (placed.stamps < self._stamps[0]) | (placed.stamps > self._stamps[-1])
        return np.where(outside[:, None], 0.0, rate)

    def _columns(self, values: Floats, names: tuple[str, ...]) -> Floats:
        out = np.zeros((len(values), len(names)))
        for column, name in enumerate(names):
            if name in self.names:
                out[:, column] = values[:, self.names.index(name)]
        return out


def joint_positions(source: Source, source_ns: NDArray[np.int64]) -> Floats:
    """Positions (K, J) of the joints in `source.joints` at instants (K,) of the source."""
    assert source.joints is not None
    out = np.zeros((len(source_ns), len(source.joints.names)))
    for column, name in enumerate(source.joints.names):
        track = next(t for t in measured_joints(source.recorded) if name in t.names)
        at = fractional_index(track.stamps, source_ns)
        place = track.names.index(name)
        out[:, column] = interpolate_rows(track.positions[:, place : place + 1], at)[:, 0]
    return out
