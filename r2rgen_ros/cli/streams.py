# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Options that say which topics and frames of a bag to use; shared by several verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from r2rgen_ros.bags.keys import parse_end_effectors
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    import argparse

_TOPICS = ('depth', 'colour', 'camera_info', 'cloud', 'joint_states', 'gripper')


def add_stream_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --topic, --base-frame and --ee-frame."""
    group = parser.add_argument_group('streams, found by type where not given')
    group.add_argument(
        '--topic',
        action='append',
        default=[],
        metavar='ROLE=TOPIC',
        help=f'use a topic for a role: {", ".join(_TOPICS)}; may be repeated',
    )
    group.add_argument('--base-frame', metavar='FRAME', help='frame of the robot base')
    group.add_argument(
        '--ee-frame', metavar='FRAME', help='frame of the end effector (or ARM=FRAME, ARM=FRAME)'
    )


def selected_streams(args: argparse.Namespace) -> StreamSelection:
    """Return what the options choose.

    Raises:
        R2RGenError: A role is unknown, or given no topic.

    """
    values: dict[str, object] = {}
    for text in args.topic:
        role, _, topic = text.partition('=')
        if role not in _TOPICS or not topic:
            raise R2RGenError(f'--topic is "{text}"', f'ROLE=TOPIC with a role of {list(_TOPICS)}')
        values[role] = (topic,) if role == 'gripper' else topic
    if args.base_frame:
        values['base_frame'] = args.base_frame
    if args.ee_frame:
        values['end_effectors'] = parse_end_effectors(args.ee_frame)
    return StreamSelection(**values)  # type: ignore[arg-type]
