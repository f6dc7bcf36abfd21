# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say what a bag holds, what a demonstration would still need, and how to mend it.

BAG is a rosbag2 folder, a .mcap or .db3 file, a ROS 1 .bag, or a folder that holds one of them.
Nothing is changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_ros.bags.inspection import Inspection, TopicReport, inspect_bag
from r2rgen_ros.cli import console
from r2rgen_ros.cli.streams import add_stream_arguments, selected_streams

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument('bag', metavar='BAG', type=Path, help='the recording')
    add_stream_arguments(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Inspect a bag, print the findings, and return them."""
    found = inspect_bag(args.bag, selected_streams(args))
    for line in describe(found):
        console.say(line)
    return found.to_json()


def describe(found: Inspection) -> Iterator[str]:
    """The lines that a person reads."""
    count = sum(topic.count for topic in found.topics)
    yield f'{found.path}: {found.format}, {found.duration_s:.2f} s, {count} messages'
    for topic in found.topics:
        yield from _topic(topic)
    if found.frames['pairs']:
        yield _tree(found.frames)
    if found.base_frame and found.end_effectors:
        yield f'  base frame {found.base_frame}, end effector {", ".join(found.end_effectors)}'
    for note in found.notes:
        yield f'  note: {note}'
    yield from _verdict(found)


def _topic(topic: TopicReport) -> Iterator[str]:
    rate = f', {topic.rate_hz:.4g} Hz' if topic.rate_hz == topic.rate_hz else ''
    role = f' [{topic.role}]' if topic.role else ''
    yield f'  {topic.name}{role}: {topic.count} x {topic.type}{rate}'
    summary = ', '.join(_details(topic.details))
    if summary:
        yield f'      {summary}'
    for problem in topic.problems:
        yield f'      ! {problem}'


def _details(details: Mapping[str, Any]) -> Iterator[str]:
    left = dict(details)
    if 'width' in left:
        yield f'{left.pop("width")} x {left.pop("height")}'
    for key, value in left.items():
        words = key.replace('_', ' ')
        if key.endswith('share'):
            yield f'{words} {value:.0%}'
        elif isinstance(value, bool):
            yield words.removeprefix('is ') if value else f'not {words.removeprefix("is ")}'
        elif isinstance(value, list):
            yield f'{words}: {" ".join(map(str, value))}'
        elif isinstance(value, float):
            yield f'{words} {value:.6g}'
        else:
            yield f'{words} {value}'


def _tree(frames: Mapping[str, Any]) -> str:
    chain = frames['longest_chain']
    return (
        f'  frames: {frames["pairs"]} pairs ({frames["moving_pairs"]} moving), roots'
        f' {" ".join(frames["roots"])}, longest chain {frames["depth"]} deep:'
        f' {chain[0]} ... {chain[-1]}'
    )


def _verdict(found: Inspection) -> Iterator[str]:
    needed = [lack for lack in found.lacks if lack.is_needed]
    useful = [lack for lack in found.lacks if not lack.is_needed]
    if found.is_demonstration:
        yield 'This is a demonstration: annotate it next.'
    else:
        yield 'This is no demonstration yet.'
    for title, lacks in (('missing', needed), ('useful, but missing', useful)):
        for lack in lacks:
            yield f'  {title}: {lack.what} ({lack.why}); to fix: {lack.fix}'
    if found.obstacle:
        yield f'  in the way: {found.obstacle}'
