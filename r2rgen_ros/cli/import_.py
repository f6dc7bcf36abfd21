# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turn other people's demonstrations into a bag.

Formats:
  demogen   a zarr of DemoGen (TEA-Lab): clouds of 1024 points, states and actions, no times

Masks of the objects that lie beside the zarr (sam_mask/TASK/EPISODE) come along, and
"r2rgen annotate" takes them as prompts.

Examples:
  r2rgen import flower.zarr -o demos/flower --format demogen
  r2rgen import flower.zarr -o demos/flower_2 --format demogen --episode 2
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `r2rgen import`."""
    parser.add_argument('source', type=Path, metavar='SOURCE', help='what to import')
    parser.add_argument('-o', '--output', required=True, type=Path, help='demo folder to create')
    parser.add_argument('--format', default='demogen', choices=('demogen',), help='its format')
    parser.add_argument(
        '--episode', type=int, default=0, help='which episode, from 0 (default: %(default)s)'
    )
    parser.add_argument(
        '--rate-hz',
        type=float,
        default=10.0,
        help='frames per second to assume, for the format has no times (default: %(default)s)',
    )
    parser.add_argument('--masks', type=Path, help='folder with one binary image per object')
    parser.add_argument(
        '--published-skills', action='store_true', help="also write the authors' skill boundaries"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Import one episode."""
    from r2rgen_ros.cli import console
    from r2rgen_ros.exchange.demogen import import_demogen

    done = import_demogen(
        args.source,
        args.output,
        episode=args.episode,
        rate_hz=args.rate_hz,
        masks=args.masks,
        published_skills=args.published_skills,
    )
    console.say(f'{done.path}: episode {done.episode} of {done.episodes}, {done.frames} frames')
    for note in done.notes:
        console.say(f'  note: {note}')
    console.say(f'next: r2rgen annotate {done.path} --auto')
    return {
        'demo': str(done.path),
        'episode': done.episode,
        'episodes': done.episodes,
        'frames': done.frames,
        'masks': [str(mask) for mask in done.masks],
        'notes': list(done.notes),
    }
