# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fit the noise of its depth camera to a demonstration, and draw how well it fits.

The scene is rendered as it was, and what was recorded is held against it: noise over depth and
angle, edges, holes, shadows, steps. The file that comes of it may be edited, and given to
"r2rgen generate" for this or any other demonstration of the camera: camera.noise in the
configuration. "noise: fitted" there does the same without a file.

Example:
  r2rgen noise demos/bottle -o bottle_camera.yaml
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_ros.cli import console
from r2rgen_ros.cli.streams import add_stream_arguments, selected_streams

if TYPE_CHECKING:
    import argparse

MOST_FRAMES = 100
"""All of them are held in memory."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `r2rgen noise`."""
    parser.add_argument('demo', type=Path, metavar='DEMO', help='an annotated demonstration')
    parser.add_argument(
        '-o',
        '--output',
        required=True,
        type=Path,
        metavar='FILE',
        help='YAML file to write; a picture of the fit is written beside it',
    )
    parser.add_argument(
        '--frames', type=int, default=24, help='frames to look at (default: %(default)s)'
    )
    parser.add_argument(
        '--annotation', type=Path, metavar='FILE', help="another annotation than the demo's own"
    )
    parser.add_argument(
        '--no-cache',
        action='store_true',
        help='parse the demo anew, and keep nothing in its folder',
    )
    add_stream_arguments(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Fit, write and draw."""
    from dataclasses import asdict

    from r2rgen_ros.bags.load import demo_of
    from r2rgen_ros.bags.source import read_source
    from r2rgen_ros.generate.noise_pairs import fit_scene
    from r2rgen_ros.generate.session import find_annotation
    from r2rgen_ros.model.errors import check_range, require
    from r2rgen_ros.model.paths import require_new, write_bytes
    from r2rgen_ros.parse.cache import cached_scene
    from r2rgen_ros.parse.robot import robot_of
    from r2rgen_ros.parse.sources import with_urdf
    from r2rgen_ros.report.noise import draw_noise
    from r2rgen_ros.report.style import counted
    from r2rgen_ros.sense.noise_file import dump_noise

    check_range('the number of frames', args.frames, 2, MOST_FRAMES)
    require(
        args.output.suffix in ('.yaml', '.yml'),
        f'the noise would be written to "{args.output}"',
        'a name that ends in .yaml',
        'change -o',
    )
    require_new(args.output)
    require_new(args.output.with_suffix('.png'))
    annotation, folder = find_annotation(args.demo, args.annotation)
    wanted = selected_streams(args)
    demo = demo_of(with_urdf(read_source(args.demo, wanted), annotation.sources, folder))
    with console.progress('parsing', len(demo)) as bar:
        scene = cached_scene(demo, annotation, folder, wanted, bar.update, keep=not args.no_cache)
    fit = fit_scene(scene, robot_of(demo), args.frames)
    about = f'Fitted to {counted(fit.images, "image")} of "{demo.name}".'
    text = dump_noise(fit.model, about, fit.assumed)
    write_bytes(args.output, text.encode())
    picture = draw_noise(fit, args.output.with_suffix('.png'))
    for line in text.splitlines()[2:]:
        console.say(line)
    console.say(f'noise:   {args.output}')
    console.say(f'picture: {picture}')
    return {
        'noise': str(args.output),
        'picture': str(picture),
        'model': asdict(fit.model),
        'not_measured': list(fit.assumed),
        'images': fit.images,
    }
