# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""python -m benchmarks NAME [--json]: run one benchmark and print what it measured."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module

NAMES = ('speed', 'record')


def main() -> int:
    """Run the benchmark that the command line names."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__)
    parser.add_argument('name', choices=NAMES)
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    args = parser.parse_args()
    measured = import_module(f'benchmarks.{args.name}').measure()
    if args.json:
        print(json.dumps(measured))
    else:
        for key, value in measured.items():
            print(f'{key:26s} {value}')
    return 0


sys.exit(main())
