# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show a bag in a 3D viewer (rerun): clouds or images, camera, transforms, end-effector path.

Example:
  r2rgen view datasets/bottle/shard_00000/episode_000000
  r2rgen view datasets/bottle/shard_00000/episode_000000 --save episode.rrd
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_ros.cli import console

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `r2rgen view`."""
    parser.add_argument('bag', type=Path, metavar='BAG', help='a recorded or generated bag')
    parser.add_argument('--save', type=Path, metavar='FILE', help='write an .rrd, open no window')


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Show or save a bag."""
    from r2rgen_ros.report.viewer import view_bag

    frames = view_bag(args.bag, save=args.save)
    console.say(f'{args.bag}: {frames} frames' + (f' in {args.save}' if args.save else ''))
    return {'bag': str(args.bag), 'frames': frames, 'saved': str(args.save) if args.save else None}
