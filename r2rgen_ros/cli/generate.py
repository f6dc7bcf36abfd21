# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Generate new demonstrations from one: a folder of bags, a manifest and a report.

Ten first, look at them, then a thousand: --resume goes on with what is there, also after Ctrl-C or
a crash. The same seed gives the same bytes with any number of workers, on one machine or a cluster.

Examples:
  r2rgen generate demos/bottle -o datasets/bottle -n 10
  r2rgen generate demos/bottle -o datasets/bottle -n 1000 --resume
  r2rgen generate demos/bottle -o datasets/turned -n 100 --config my_generate.yaml --seed 7
  r2rgen generate demos/bottle -o datasets/many -n 100000 --engine ray --address head:6379
"""

from __future__ import annotations

import os
import shlex
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_ros.cli import console
from r2rgen_ros.cli.streams import add_stream_arguments, selected_streams
from r2rgen_ros.generate.engines import LOCAL, NAMES, engine_named
from r2rgen_ros.generate.interrupts import Interrupts
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    import argparse

    from r2rgen_ros.generate.engine import Engine
    from r2rgen_ros.generate.job import Job
    from r2rgen_ros.generate.run import Status


_LOADED = 'job', 'run', 'session', 'config_file'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `r2rgen generate`."""
    parser.add_argument('demo', type=Path, metavar='DEMO', help='an annotated demonstration')
    parser.add_argument(
        '-o',
        '--output',
        required=True,
        type=Path,
        metavar='DATASET',
        help='folder to create, or with --resume to go on with',
    )
    parser.add_argument(
        '-n',
        '--count',
        type=int,
        default=10,
        help='episodes the dataset shall hold (default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=0, help='seed (default: %(default)s)')
    parser.add_argument(
        '--config',
        type=Path,
        metavar='FILE',
        help='what to vary and how; config/generate.yaml shows every setting',
    )
    parser.add_argument(
        '--annotation', type=Path, metavar='FILE', help="another annotation than the demo's own"
    )
    parser.add_argument(
        '--workers', type=int, help='processes (default: one per core, of a cluster all)'
    )
    parser.add_argument(
        '--engine',
        choices=NAMES,
        default=LOCAL,
        help='processes of this machine, or Ray (default: %(default)s)',
    )
    parser.add_argument(
        '--address',
        metavar='HOST:PORT',
        help='with --engine ray: a cluster, or "auto"; left out, Ray is started on this machine',
    )
    parser.add_argument('--resume', action='store_true', help='go on with a dataset')
    parser.add_argument(
        '--no-cache',
        action='store_true',
        help='parse the demo anew, and keep nothing in its folder',
    )
    parser.add_argument('--no-report', action='store_true', help='draw no pictures at the end')
    add_stream_arguments(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Generate a dataset and draw its report."""
    # Python may drop a Ctrl-C that comes while a module is loaded.
    with Interrupts() as interrupts:
        for name in _LOADED:
            import_module(f'r2rgen_ros.generate.{name}')
    interrupts.check()
    if not args.resume:
        _require_free(args.output)
    with engine_named(args.engine, args.address or '', args.workers) as engine:
        return _run(args, engine)


def exit_status(result: dict[str, Any]) -> int:
    """Exit status: 1 where there is no episode at all, for scripts that would go on with them."""
    return 0 if result['accepted'] else 1


def _run(args: argparse.Namespace, engine: Engine | None) -> dict[str, Any]:
    from r2rgen_ros.bags.failures import DiskFullError
    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.generate.config_file import read_config
    from r2rgen_ros.generate.dataset import Dataset
    from r2rgen_ros.generate.job import Job
    from r2rgen_ros.generate.run import InterruptedGenerationError, generate
    from r2rgen_ros.generate.session import find_annotation

    config = read_config(args.config) if args.config else GenerateConfig()
    annotation, folder = find_annotation(args.demo, args.annotation)
    with console.progress('parsing', annotation.frames or 0) as bar:
        wanted, cache = selected_streams(args), not args.no_cache
        job = Job.prepare(
            args.demo, annotation, folder, config, args.seed, wanted, bar.update, cache=cache
        )
    unchecked = job.assembler.unchecked
    for note in unchecked:
        _say_note(note)
    repeats = job.repeats(args.count)
    _say_note(repeats)
    try:
        with console.progress('generating', args.count) as bar:

            def show(status: Status) -> None:
                bar.move_to(status.accepted, f'{status.attempts - status.accepted} rejected')

            status = generate(
                job,
                args.output,
                args.count,
                resume=args.resume,
                workers=args.workers or os.cpu_count() or 1,
                engine=engine,
                progress=show,
            )
    except InterruptedGenerationError as stop:
        raise KeyboardInterrupt(
            f' after {stop.status.accepted} episodes; go on with: {_resume_command(args)}'
        ) from None
    except DiskFullError as full:
        fix = f'free some space, and go on with: {_resume_command(args)}'
        raise R2RGenError(full.found, full.expected, fix) from full
    _describe(status, args.output)
    if status.accepted and not repeats:
        _say_note(job.repeats(status.attempts))
    left_out = Dataset.open(args.output).info.get('left_out', [])
    for topic in left_out:
        console.say(f'  not written: {topic}')
    result = {
        'dataset': str(args.output),
        'accepted': status.accepted,
        'attempts': status.attempts,
        'reasons': status.reasons,
        'left_out': left_out,
        'unchecked': list(unchecked),
    }
    if not args.no_report:
        result['report'] = _report(job, args.output)
    return result


def _require_free(folder: Path) -> None:
    """Refuse a folder that is there, and name the ways out of it."""
    from r2rgen_ros.generate.dataset import is_dataset

    if is_dataset(folder):
        fix = 'choose another output, or pass --resume to go on with it'
        raise R2RGenError(f'{folder} exists already', '', fix)
    if folder.exists() or folder.is_symlink():
        fix = 'choose another output, or move it away'
        raise R2RGenError(f'{folder} exists already, and is no dataset', '', fix)


def _say_note(note: str) -> None:
    if note:
        console.say(f'note: {note}')


def _resume_command(args: argparse.Namespace) -> str:
    """The command line that goes on with what was stopped."""
    words = ['r2rgen', 'generate', str(args.demo), '-o', str(args.output), '-n', str(args.count)]
    words += ['--seed', str(args.seed)] if args.seed else []
    options = (
        ('--config', args.config),
        ('--annotation', args.annotation),
        ('--base-frame', args.base_frame),
        ('--ee-frame', args.ee_frame),
        ('--engine', args.engine if args.engine != LOCAL else None),
        ('--address', args.address),
        *(('--topic', topic) for topic in args.topic),
    )
    for option, value in options:
        words += [option, str(value)] if value else []
    return shlex.join([*words, '--resume'])


def _describe(status: Status, folder: Path) -> None:
    from r2rgen_ros.generate.verdict import shortfall

    rejected = status.attempts - status.accepted
    reasons = ', '.join(f'{count} {name}' for name, count in sorted(status.reasons.items()))
    why = f' ({reasons})' if rejected else ''
    console.say(
        f'{status.accepted} of {status.attempts} attempts accepted, {rejected} rejected{why}'
    )
    lacking = shortfall(status)
    if lacking:
        console.say(lacking)
    if status.accepted > status.wanted:
        console.say(f'that is more than the {status.wanted} asked for: there was nothing to do')
    console.say(f'dataset: {folder}')


def _report(job: Job, folder: Path) -> str:
    from r2rgen_ros.generate.dataset import Dataset
    from r2rgen_ros.report.dataset import write_report

    report = write_report(Dataset.open(folder), job.scene, job.config)
    console.say(f'report:  {report.page}')
    return str(report.page)
