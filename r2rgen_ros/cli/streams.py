# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Options that say which topics and frames of a bag to use; shared by several verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from r2rgen_ros.bags.selection import ROLES, select_streams

if TYPE_CHECKING:
    import argparse

    from r2rgen_ros.bags.streams import StreamSelection


def add_stream_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --topic, --base-frame and --ee-frame."""
    group = parser.add_argument_group('streams, found by type where not given')
    group.add_argument(
        '--topic',
        action='append',
        default=[],
        metavar='ROLE=TOPIC',
        help=f'use a topic for a role: {", ".join(ROLES)}; may be repeated',
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
    return select_streams(args.topic, args.base_frame or '', args.ee_frame or '')
