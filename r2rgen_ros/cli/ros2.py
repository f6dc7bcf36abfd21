# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command r2rgen as a command of ros2: ros2 r2rgen VERB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ros2cli.command import CommandExtension

from r2rgen_ros.cli.main import add_verbs, perform

if TYPE_CHECKING:
    import argparse


class R2RGenCommand(CommandExtension):  # type: ignore[misc]  # ros2cli has no types
    """Make many demonstrations of one: record, annotate, generate, report."""

    def add_arguments(self, parser: argparse.ArgumentParser, cli_name: str, **_: Any) -> None:
        """Add the verbs to the parser of `ros2 r2rgen`."""
        del cli_name
        add_verbs(parser)

    def main(self, *, parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
        """Do what the words on the command line say."""
        del parser
        return perform(args)
