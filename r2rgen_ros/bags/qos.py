# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Qualities of service that topics are recorded with, and how they enter a bag."""

from __future__ import annotations

from functools import lru_cache

from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2.metadata import dump_qos_v8

FOREVER = QosTime(9223372036, 854775807)
"""RMW_DURATION_INFINITE: no deadline, no lifespan."""


def profile(
    *, reliable: bool = True, latched: bool = False, depth: int = 10, keep_all: bool = False
) -> Qos:
    """Build a profile with infinite times and automatic liveliness.

    Args:
        reliable: Whether lost messages are sent again.
        latched: Whether late subscribers get the last messages (transient local).
        depth: Length of the queue.
        keep_all: Whether the queue has no limit.

    """
    return Qos(
        QosHistory.KEEP_ALL if keep_all else QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        FOREVER,
        FOREVER,
        QosLiveliness.AUTOMATIC,
        FOREVER,
        False,
    )


SENSOR = profile(reliable=False, depth=5)
"""rmw_qos_profile_sensor_data: what camera drivers offer."""
RELIABLE = profile()
"""The default of ROS 2: reliable, volatile, the last ten."""
LATCHED = profile(latched=True, depth=1)
"""For /robot_description, and for what is sent once."""
LATCHED_TF = profile(latched=True, depth=1, keep_all=True)
"""For /tf_static, whose publishers may be several and send several messages."""
TF = profile(depth=100)
"""tf2_ros's DynamicBroadcasterQoS."""


@lru_cache(maxsize=64)
def qos_text(profiles: tuple[Qos, ...]) -> str:
    """The profiles as the YAML that metadata version 8 and MCAP channels hold."""
    return dump_qos_v8(list(profiles))
