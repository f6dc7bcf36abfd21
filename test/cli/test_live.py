# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The live demo: nodes in processes of their own, asked over real DDS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.cli.main import main

pytest.importorskip('rclpy', reason='no ROS 2 here')
pytest.importorskip('r2rgen_interfaces', reason='r2rgen_interfaces is not built')

COMMAND = [sys.executable, '-m', 'r2rgen_ros.cli.main', 'live']


def _nodes(folder):
    """Processes of nodes that write below a folder."""
    found = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if b'r2rgen_ros.nodes' in text and str(folder).encode() in text:
            found.append(int(path.parent.name))
    return found


def test_the_whole_story_is_told(virtual_demo, tmp_path, domain):
    out = tmp_path / 'out'
    words = ['-o', out, '-n', 2, '--recording', virtual_demo, '--domain', domain, '--json']

    done = subprocess.run(
        [*COMMAND, *map(str, words)], check=False, capture_output=True, text=True, timeout=800
    )

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result['accepted'] == 2
    assert Path(result['report']).is_file()
    assert len(load_demo(result['episode']).stamps) > 20
    with_images = {topic for topic, count in result['replayed'].items() if count > 20}
    assert {'/camera/color/image_raw', '/joint_states', '/tf'} <= with_images
    assert {path.stem for path in (out / 'logs').iterdir()} == {
        'virtual_robot', 'recorder', 'annotator', 'generator',
    }  # fmt: skip
    assert not _nodes(out)


@pytest.mark.parametrize('started', [1, 2, 3])
def test_ctrl_c_ends_all_nodes_also_while_they_are_started(started, virtual_demo, tmp_path, domain):
    out = tmp_path / 'out'
    words = ['-o', out, '--recording', virtual_demo, '--domain', domain]
    running = subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 400.0
    while len(_nodes(out)) < started:  # the virtual robot writes nothing there
        assert time.monotonic() < end

    os.kill(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=400)

    assert running.returncode == 130
    assert said.strip() == 'r2rgen live: stopped'
    assert not _nodes(out)


@pytest.mark.parametrize(
    ('word', 'value', 'said'),
    [
        ('--domain', '102', 'the DDS domain is 102; expected a number from 0 to 101'),
        ('--domain', '-1', 'the DDS domain is -1'),
        ('--count', '0', 'the number of episodes is 0; expected a number from 1'),
    ],
)
def test_absurd_numbers_are_refused_before_anything_starts(word, value, said, tmp_path, capsys):
    out = tmp_path / 'out'
    assert main(['live', '-o', str(out), word, value]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
