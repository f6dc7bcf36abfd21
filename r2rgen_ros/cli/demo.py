# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Try everything: record the virtual robot, annotate, generate 20 episodes, draw the report.

Example:
  r2rgen demo
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from r2rgen_ros.cli import annotate, console, generate, simulate
from r2rgen_ros.model.errors import check_range
from r2rgen_ros.model.paths import require_new


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `r2rgen demo`."""
    add_demo_arguments(parser, 'demo', 20)


def add_demo_arguments(parser: argparse.ArgumentParser, name: str, count: int) -> None:
    """Declare the options that both demos have.

    Args:
        parser: Of the verb.
        name: Its folders are called so.
        count: Episodes that it makes unless told otherwise.

    """
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        metavar='FOLDER',
        help=f'folder to create (default: the next free output/{name}_NNN)',
    )
    parser.add_argument(
        '-n', '--count', type=int, default=count, help='episodes to generate (default: %(default)s)'
    )
    parser.add_argument(
        '--task',
        default='place-bottle',
        choices=simulate.TASKS,
        help='what the robot does (default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=0, help='seed (default: %(default)s)')


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Run the verbs one after another, as a person would."""
    from r2rgen_ros.generate.dataset import Dataset

    begin = time.monotonic()
    check_range('the number of episodes', args.count, 1, 10_000_000)
    folder = require_new(args.output) if args.output else free_folder('demo')
    demo, dataset = folder / 'source', folder / 'dataset'
    console.heading('1 of 3: the virtual robot shows it once')
    _verb(simulate, '-o', str(demo), '--task', args.task, '--seed', str(args.seed))
    console.heading('2 of 3: objects and skills are proposed')
    annotated = _verb(annotate, str(demo), '--auto')
    console.heading(f'3 of 3: {args.count} new demonstrations are generated')
    count, seed = str(args.count), str(args.seed)
    result = _verb(generate, str(demo), '-o', str(dataset), '-n', count, '--seed', seed)
    pictures = sorted(str(path) for path in dataset.glob('*.png'))
    console.say()
    console.heading(f'done in {time.monotonic() - begin:.0f} s')
    console.say(f'source bag  {demo}')
    console.say(f'annotation  {annotated["annotation"]}')
    console.say(f'dataset     {dataset}  ({result["accepted"]} episodes, one bag each)')
    console.say(f'report      {result["report"]}')
    console.say(f'pictures    {annotated["picture"]}')
    for picture in pictures:
        console.say(f'            {picture}')
    console.say('next, try:')
    episode = Dataset.open(dataset).first() or demo
    console.say(f'  .venv/bin/r2rgen view {episode}')
    console.say(f'  .venv/bin/r2rgen inspect {episode}')
    console.say(f'  .venv/bin/r2rgen generate {demo} -o {dataset} -n 100 --resume')
    return {'source': str(demo), 'pictures': [annotated['picture'], *pictures], **result}


def _verb(module: Any, *words: str) -> dict[str, Any]:
    """Run another verb with the words that a person would type."""
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    result: dict[str, Any] = module.run(parser.parse_args(words))
    return result


def free_folder(name: str) -> Path:
    """Return the first folder output/NAME_NNN that is not there yet."""
    number = 1
    while (folder := Path('output') / f'{name}_{number:03d}').exists():
        number += 1
    return folder
