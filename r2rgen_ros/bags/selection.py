# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a person chose of the streams of a bag, from the words of an option or a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from r2rgen_ros.bags.keys import parse_end_effectors
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Iterable

ROLES = ('depth', 'colour', 'camera_info', 'cloud', 'joint_states', 'gripper')


def select_streams(
    topics: Iterable[str] = (), base_frame: str = '', end_effectors: str = ''
) -> StreamSelection:
    """Return what words choose; what is empty is found by type and name.

    Args:
        topics: ROLE=TOPIC each, with a role of `ROLES`; gripper may be repeated.
        base_frame: Frame of the robot's base.
        end_effectors: Frame of the end effector, or ARM=FRAME, ARM=FRAME.

    Raises:
        R2RGenError: A role is unknown, or given no topic.

    """
    values: dict[str, str] = {}
    grippers: list[str] = []
    for text in topics:
        role, _, topic = text.partition('=')
        if role not in ROLES or not topic:
            raise R2RGenError(
                f'a topic is given as "{text}"', f'ROLE=TOPIC with a role of {", ".join(ROLES)}'
            )
        if role == 'gripper':
            grippers.append(topic)
        else:
            values[role] = topic
    return StreamSelection(
        base_frame=base_frame or None,
        end_effectors=parse_end_effectors(end_effectors),
        gripper=tuple(grippers),
        **values,
    )
