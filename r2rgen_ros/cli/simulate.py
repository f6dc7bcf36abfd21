# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Record the virtual robot's expert: a demonstration to start from where there is no robot.

A Franka Panda in MuJoCo picks and places with contact physics on a table, watched by a depth
camera, and is recorded as a rosbag2 (MCAP) with the topics that a real robot's drivers publish.
What really happened (object poses, who is in which pixel, skills) is written beside the bag as
ground_truth.npz; no other verb reads that file.

Tasks:
  place-bottle   put the bottle onto the plate
  mug-in-bowl    put the mug into the bowl
  box-in-bowl    put the box into the bowl
  build-bridge   two piers and a deck: six skills
  hang-cup       hang the cup on the peg of a stand
  stack-bricks   stack three bricks: four skills
  pour           pour from the tumbler into the bowl, put it onto the coaster
  lift-box       two arms lift a crate together and put it down elsewhere
  hand-over      the left arm hands a baton to the right one, which puts it onto a mat

Examples:
  r2rgen simulate -o demos/bottle
  r2rgen simulate -o demos/bridge --task build-bridge --seed 3
  r2rgen simulate -o demos/noisy --depth-noise 0.002 --depth-encoding 32FC1
  r2rgen simulate -o demos/stereo --sensor-noise stereo
  r2rgen simulate -o demos/wrist --camera panda_wrist
  r2rgen simulate -o demos/both --camera external --camera panda_wrist
  r2rgen simulate -o demos/docked --base mobile
  r2rgen simulate -o demos/mast --base driving --camera panda_mast --seed 1
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

NOISES = ('none', 'stereo')
BASES = ('fixed', 'mobile', 'driving')
TASKS = (
    'place-bottle',
    'mug-in-bowl',
    'box-in-bowl',
    'build-bridge',
    'hang-cup',
    'stack-bricks',
    'pour',
    'lift-box',
    'hand-over',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `r2rgen simulate`."""
    parser.add_argument('-o', '--output', required=True, type=Path, help='folder to create')
    parser.add_argument(
        '--task', default='place-bottle', choices=TASKS, help='what to do (default: %(default)s)'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='draws where things stand (default: %(default)s)'
    )
    parser.add_argument(
        '--camera',
        action='append',
        metavar='CAMERA',
        help='what watches: external (across the table), panda_wrist, of two arms '
        'panda_left_wrist or panda_right_wrist, panda_side, panda_mast or a camera file; may be '
        'repeated, the main one first (default: external)',
    )
    parser.add_argument(
        '--base',
        default='fixed',
        choices=BASES,
        help='what the arm and its camera stand on: a fixed base, a mobile one with odometry, or '
        'one that drives between two stops; external stands in the room then, other cameras ride '
        'along (default: %(default)s)',
    )
    parser.add_argument(
        '--depth-encoding',
        default='16UC1',
        choices=('16UC1', '32FC1'),
        help='millimetres or metres (default: %(default)s)',
    )
    parser.add_argument(
        '--depth-noise',
        type=float,
        default=0.0,
        metavar='M',
        help='standard deviation of the depth at 1 m in metres; it grows with the square of the '
        'distance (default: 0, or what the sensor has)',
    )
    parser.add_argument(
        '--sensor-noise',
        default='none',
        choices=NOISES,
        help='what else is wrong with the depth: nothing, or what a small stereo camera does at '
        'edges, behind them and at grazing angles (default: %(default)s)',
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Simulate and record one demonstration.

    Args:
        args: The parsed options.

    Returns:
        What was recorded, for `--json`.

    Raises:
        R2RGenError: The expert fails, the folder exists or cannot be written, or MuJoCo is
            missing or cannot render.

    """
    from r2rgen_ros.cli import console
    from r2rgen_ros.simulate import record
    from r2rgen_ros.simulate.cameras import cameras_named
    from r2rgen_ros.simulate.world import EXTERNAL

    options = record.Options(
        depth_encoding=args.depth_encoding,
        depth_noise_m=args.depth_noise,
        sensor_noise=args.sensor_noise,
    )
    main, *others = cameras_named(args.camera or [EXTERNAL.name])
    record.refuse_existing(args.output)
    console.say(f'{args.task}, seed {args.seed}: the expert sets to work')
    done = record.act(args.task, args.seed, camera=main, others=others, base=args.base)
    with console.progress('recording', len(done.frames)) as bar:
        record.write(done, args.output, options=options, progress=lambda _, __: bar.update(1))
    console.say(
        f'{args.output}: {len(done.frames)} frames; next: r2rgen annotate {args.output} --auto'
    )
    return {
        'bag': str(args.output),
        'task': args.task,
        'seed': args.seed,
        'objects': list(done.world.things),
        'skills': [span.step.name for span in done.rollout.spans],
        'frames': len(done.frames),
        'seconds': round(done.rollout.states[-1].time, 3),
    }
