# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Try the ROS 2 nodes: record, annotate and generate over DDS on the virtual robot, and replay.

Starts virtual_robot, recorder, annotator and generator as processes, and asks of them what a person
asks with ros2 service call and ros2 action send_goal. Needs rclpy.

Example:
  r2rgen live
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.cli import console
from r2rgen_ros.cli.demo import add_demo_arguments, free_folder
from r2rgen_ros.model.errors import R2RGenError, check_range
from r2rgen_ros.model.paths import require_new

_DOMAIN = 77


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `r2rgen live`."""
    add_demo_arguments(parser, 'live', 10)
    parser.add_argument(
        '--recording', type=Path, metavar='BAG', help='bag that the robot plays, not simulating'
    )
    parser.add_argument(
        '--domain',
        type=int,
        default=_DOMAIN,
        help='DDS domain, 0 to 101; not that of a live robot (default: %(default)s)',
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Tell the live story."""
    begin = time.monotonic()
    check_range('the number of episodes', args.count, 1, 10_000_000)
    check_range('the DDS domain', args.domain, 0, 101)
    folder = require_new(args.output) if args.output else free_folder('live')
    try:
        from r2rgen_ros.nodes.director import Director
    except ImportError as error:
        raise R2RGenError(
            f'the nodes cannot run here ({error})', 'ROS 2', 'source ROS 2, or run "make setup"'
        ) from error
    with Director(folder, args.domain, args.task, args.seed, args.recording) as director:
        result = _play(director, args)
    console.say()
    console.heading(f'done in {time.monotonic() - begin:.0f} s')
    console.say(f'source bag  {result["source"]}')
    console.say(f'annotation  {result["annotation"]}')
    console.say(f'dataset     {result["dataset"]}  ({result["accepted"]} episodes, one bag each)')
    console.say(f'report      {result["report"]}')
    console.say(f'logs        {director.logs}')
    console.say('next, try:')
    console.say(f'  .venv/bin/r2rgen view {result["episode"]}')
    console.say(f'  .venv/bin/r2rgen inspect {result["source"]}')
    console.say('  .venv/bin/recorder --ros-args --params-file config/recorder.yaml')
    return result


def _play(director: Any, args: argparse.Namespace) -> dict[str, Any]:
    from r2rgen_ros.generate.dataset import Dataset

    console.heading(f'1 of 5: the nodes start, in DDS domain {args.domain}')
    console.say('the virtual robot simulates first what it will do; to watch, in another terminal:')
    console.say(f'  tail -f {director.logs}/*.log')
    director.wait_ready()
    console.heading('2 of 5: the recorder records while the robot acts')
    demo = director.record()
    console.say(f'{demo}')
    console.heading('3 of 5: the annotator proposes objects and skills')
    annotated = director.annotate(demo)
    for skill in annotated.skills:
        console.say(f'skill {skill.name}: frames {skill.first} to {skill.last}')
    for note in annotated.notes:
        console.say(f'note: {note}')
    console.heading(f'4 of 5: the generator makes {args.count} demonstrations')
    with console.progress('generating', args.count) as bar:
        result = director.generate(
            demo, 'live', args.count, args.seed, lambda heard: bar.move_to(heard.done)
        )
    rejected = dict(zip(result.reasons, result.rejected, strict=True))
    console.say(f'{result.accepted} of {result.attempts} attempts accepted; rejected: {rejected}')
    console.heading('5 of 5: an episode is replayed into the topics of the robot')
    dataset = Path(result.dataset)
    episode = Dataset.open(dataset).first()
    if episode is None:
        raise R2RGenError('no attempt was accepted', 'an episode to replay', 'try another --seed')
    heard = director.replay(episode, _moving_topics(episode))
    for topic, count in heard.items():
        console.say(f'{count:6d} messages of {topic}')
    return {
        'source': str(demo),
        'annotation': annotated.annotation,
        'dataset': result.dataset,
        'episode': str(episode),
        'report': str(dataset / 'report.html'),
        'accepted': result.accepted,
        'attempts': result.attempts,
        'replayed': heard,
    }


def _moving_topics(bag: Path) -> dict[str, str]:
    """Topics of a bag that are not latched, and their types."""
    with BagReader(bag) as reader:
        return {
            topic.name: topic.type
            for topic in reader.topics
            if topic.count and not topic.is_latched
        }
