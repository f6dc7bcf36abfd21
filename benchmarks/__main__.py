# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""python -m benchmarks NAME [--json]: run one benchmark and print what it measured."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module

NAMES = ('speed', 'record', 'parse', 'replay', 'driving', 'cameras', 'fidelity', 'sizes', 'scale')


def main() -> int:
    """Run the benchmark that the command line names."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__)
    verbs = parser.add_subparsers(dest='name', metavar='NAME', required=True)
    for name in NAMES:
        verb = verbs.add_parser(name)
        verb.add_argument('--json', action='store_true', help='print one JSON object')
        # Only the one that runs is imported: some need what others do not.
        if name in sys.argv[1:]:
            module = import_module(f'benchmarks.{name}')
            verb.description = str(module.__doc__)
            verb.formatter_class = argparse.RawDescriptionHelpFormatter
            if hasattr(module, 'add_arguments'):
                module.add_arguments(verb)
    args = vars(parser.parse_args())
    name, as_json = args.pop('name'), args.pop('json')
    measured = import_module(f'benchmarks.{name}').measure(**args)
    if as_json:
        print(json.dumps(measured))
    else:
        for key, value in measured.items():
            print(f'{key:26s} {value}')
    return 0


sys.exit(main())
