# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command r2rgen: one module per verb, one line per error."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from r2rgen_ros import __version__
from r2rgen_ros.cli import console
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

VERBS = {
    'demo': 'demo',
    'live': 'live',
    'simulate': 'simulate',
    'import': 'import_',
    'inspect': 'inspect',
    'annotate': 'annotate',
    'noise': 'noise',
    'generate': 'generate',
    'report': 'report',
    'view': 'view',
}
OK, WRONG, STOPPED = 0, 2, 130


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the words, as with everything else."""

    def error(self, message: str) -> NoReturn:
        """Complain and end with status 2."""
        console.complain(f'{self.prog}: {message}; to fix: see {self.prog} --help')
        raise SystemExit(WRONG)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog='r2rgen',
        description='One real demonstration in, a folder of new ones out, as ROS 2 bags.',
        epilog='r2rgen VERB --help says more of a verb.',
    )
    parser.add_argument('--version', action='version', version=__version__)
    add_verbs(parser)
    return parser


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add all verbs to a parser."""
    verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True, parser_class=_Parser)
    for verb, name in VERBS.items():
        module = import_module(f'r2rgen_ros.cli.{name}')
        text = (module.__doc__ or '').strip()
        child = verbs.add_parser(
            verb,
            help=text.splitlines()[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(child)
        child.add_argument(
            '--json', action='store_true', help='print the result as JSON, for programs'
        )
        child.set_defaults(run=module.run, exit_status=getattr(module, 'exit_status', _done))


def _done(_result: dict[str, Any]) -> int:
    return OK


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Words after the command's name; those of the process if None.

    Returns:
        Exit status: 0 done, 1 done but without a single episode, 2 something that the user can
        mend, 130 stopped by Ctrl-C.

    """
    try:
        args = _parser().parse_args(arguments)
    except KeyboardInterrupt:
        console.complain('r2rgen: stopped')
        return STOPPED
    return perform(args)


def perform(args: argparse.Namespace) -> int:
    """Do what the words on the command line say.

    Args:
        args: What a parser with `add_verbs` has made of them.

    Returns:
        Exit status, as of `main`.

    """
    logging.basicConfig(level=logging.WARNING, format='%(levelname)s: %(message)s')
    name = f'r2rgen {args.verb}'
    try:
        if args.json:
            console.use_standard_error()
        result: dict[str, Any] = args.run(args)
        if args.json:
            console.emit(json.dumps(result, default=str))
    except R2RGenError as error:
        console.complain(f'{name}: {error}')
        return WRONG
    except OSError as error:
        # Such as a disk that fills up while a library writes a picture.
        console.complain(f'{name}: {error}')
        return WRONG
    except console.ReaderGoneError:
        console.forget_standard_output()
        return OK
    except KeyboardInterrupt as stop:
        console.complain(f'{name}: stopped{stop}')
        return STOPPED
    status: int = args.exit_status(result)
    return status


if __name__ == '__main__':
    sys.exit(main())
