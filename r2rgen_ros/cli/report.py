# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw the report of a dataset: where objects went, before and after, why attempts failed.

Example:
  r2rgen report datasets/bottle
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_ros.cli import console

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `r2rgen report`."""
    parser.add_argument('dataset', type=Path, metavar='DATASET', help='a generated dataset')


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Parse the source again and draw the report."""
    from r2rgen_ros.generate.dataset import Dataset
    from r2rgen_ros.generate.session import reopen
    from r2rgen_ros.report.dataset import write_report

    dataset = Dataset.open(args.dataset)
    scene, config = reopen(dataset)
    report = write_report(dataset, scene, config)
    console.say(report.verdict)
    console.say(f'report: {report.page}')
    for picture in report.pictures:
        console.say(f'        {picture}')
    return {
        'report': str(report.page),
        'pictures': [str(picture) for picture in report.pictures],
        'accepted': report.accepted,
        'reasons': {reason.value: count for reason, count in report.reasons.items()},
    }
