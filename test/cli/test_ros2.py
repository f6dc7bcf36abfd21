# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ros2 r2rgen VERB does what r2rgen VERB does."""

from __future__ import annotations

import argparse
from importlib import metadata

import pytest

from r2rgen_ros.cli.main import VERBS, add_verbs, perform


def test_the_verbs_fit_below_another_command(tmp_path, capsys):
    ros2 = argparse.ArgumentParser('ros2')
    r2rgen = ros2.add_subparsers().add_parser('r2rgen')
    add_verbs(r2rgen)
    text = r2rgen.format_help()
    assert all(f'  {verb} ' in text for verb in VERBS)
    args = ros2.parse_args(['r2rgen', 'inspect', str(tmp_path / 'none')])
    assert perform(args) == 2
    assert 'there is no bag at' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        ros2.parse_args(['r2rgen', 'generate'])
    said = capsys.readouterr().err
    assert said.startswith('ros2 r2rgen generate: ')
    assert said.count('\n') == 1


def test_ros2cli_finds_the_command():
    (entry,) = (e for e in metadata.entry_points(group='ros2cli.command') if e.name == 'r2rgen')
    assert entry.value == 'r2rgen_ros.cli.ros2:R2RGenCommand'


def test_the_command_is_one_of_ros2(tmp_path, capsys):
    command = pytest.importorskip('ros2cli.command', reason='no ros2cli here')
    from r2rgen_ros.cli.ros2 import R2RGenCommand

    assert issubclass(R2RGenCommand, command.CommandExtension)
    own = R2RGenCommand()
    parser = argparse.ArgumentParser('ros2 r2rgen')
    own.add_arguments(parser, 'ros2')
    args = parser.parse_args(['inspect', str(tmp_path / 'none')])
    assert own.main(parser=parser, args=args) == 2
    assert 'there is no bag at' in capsys.readouterr().err
