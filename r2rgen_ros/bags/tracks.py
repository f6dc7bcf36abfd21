# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The streams of a recording as arrays: enough to write the same topics again.

A track holds messages of one shape: a topic that several nodes publish to, with other joints or
other frames each, becomes several tracks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.bags.clouds import CloudLayout
    from r2rgen_ros.bags.images import ImageCoding
    from r2rgen_ros.bags.reader import Entry, Topic

    Floats = NDArray[np.float64]
    Stamps = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Track:
    """Messages of one topic and one shape.

    Attributes:
        topic: Their topic.
        frame_id: Frame of their headers.
        stamps: (N,) int64 header stamps, nanoseconds, not falling; log times where there is no
            header.
        latency: (N,) int64 log time minus stamp, nanoseconds.

    """

    topic: Topic
    frame_id: str
    stamps: Stamps
    latency: Stamps

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.stamps)

    @property
    def period_ns(self) -> float:
        """Median time between two messages, nanoseconds; 0 for fewer than two."""
        steps = np.diff(self.stamps)
        return float(np.median(steps)) if len(steps) else 0.0


@dataclass(frozen=True, eq=False)
class ImageTrack(Track):
    """A camera's images, where to find them and how they are coded."""

    entries: tuple[Entry, ...]
    coding: ImageCoding


@dataclass(frozen=True, eq=False)
class CloudTrack(Track):
    """A camera's clouds, where to find them and how they are laid out."""

    entries: tuple[Entry, ...]
    layout: CloudLayout


@dataclass(frozen=True, eq=False)
class CameraTrack(Track):
    """sensor_msgs/CameraInfo: one message stands for all."""

    message: Any


@dataclass(frozen=True, eq=False)
class JointTrack(Track):
    """sensor_msgs/JointState of one set of joints.

    Attributes:
        names: J joint names.
        positions: (N, J) rad or m; (N, 0) where not published.
        velocities: (N, J) or (N, 0).
        efforts: (N, J) or (N, 0).

    """

    names: tuple[str, ...]
    positions: Floats
    velocities: Floats
    efforts: Floats


@dataclass(frozen=True, eq=False)
class NumberTrack(Track):
    """std_msgs/Float32 or Float64: values (N,)."""

    values: Floats


@dataclass(frozen=True, eq=False)
class PoseTrack(Track):
    """geometry_msgs/PoseStamped.

    Attributes:
        translations: (N, 3) metres.
        quaternions: (N, 4) x, y, z, w.

    """

    translations: Floats
    quaternions: Floats


@dataclass(frozen=True, eq=False)
class TransformTrack(Track):
    """tf2_msgs/TFMessage with the same edges in each.

    Attributes:
        edges: E pairs of parent and child frame.
        offsets: (N, E) int64, stamp of a transform minus the stamp of its message's first.
        translations: (N, E, 3) metres.
        quaternions: (N, E, 4) x, y, z, w.

    """

    edges: tuple[tuple[str, str], ...]
    offsets: Stamps
    translations: Floats
    quaternions: Floats


@dataclass(frozen=True, eq=False)
class OdometryTrack(Track):
    """nav_msgs/Odometry.

    Attributes:
        child: Frame whose poses they are.
        translations: (N, 3) metres.
        quaternions: (N, 4) x, y, z, w.
        spreads: (N, 36) covariances of the poses.
        twists: (N, 6) m/s and rad/s, in the child frame.
        twist_spreads: (N, 36) their covariances.

    """

    child: str
    translations: Floats
    quaternions: Floats
    spreads: Floats
    twists: Floats
    twist_spreads: Floats


@dataclass(frozen=True, eq=False)
class LatchedTrack:
    """Messages that are sent once and hold from then on: copied as they are.

    Attributes:
        topic: Their topic.
        log_ns: Log times, nanoseconds.
        messages: The messages.

    """

    topic: Topic
    log_ns: tuple[int, ...]
    messages: tuple[Any, ...]
