# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RViz's files name only topics that somebody publishes, and show something at first launch.

That the annotator and the generator publish what their files show is seen in `test/nodes`, beside
what they publish; the recorder's file shows the virtual robot, which is started here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from r2rgen_ros.bags import keys
from r2rgen_ros.simulate import drivers, panda

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = sorted((REPOSITORY / 'rviz').glob('*.rviz'))
EVERY_FILE = pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
ROBOT = {drivers.COLOUR, drivers.DEPTH, drivers.DESCRIPTION}
"""What the virtual robot, and the bags of `r2rgen simulate`, have for RViz."""
BAGS = {drivers.DESCRIPTION, keys.LABELLED_POINTS, keys.path_topic('arm', 1)}
"""What bags have for RViz: recorded, and added by the generator."""
CLOUD = '/camera/depth/color/points'
"""The cloud of a RealSense, and of imported demonstrations."""
PUBLISHED = {
    'recorder': ROBOT,
    'episode': {*BAGS, CLOUD},
    'annotator': {f'/annotator/{name}' for name in ('labelled_points', 'markers', 'overlay')},
    'generator': {
        f'/generator/{name}'
        for name in ('labelled_points', 'markers', 'end_effector_path', 'robot_description')
    },
}
_WAIT_S = 180.0


def _manager(path):
    return yaml.safe_load(path.read_text(encoding='utf-8'))['Visualization Manager']


def _topics(display):
    """The topics that a display names, with the durability asked for."""
    out = {}
    for key, value in display.items():
        if isinstance(value, dict) and str(value.get('Value', '')).startswith('/'):
            out[value['Value']] = value.get('Durability Policy', 'Volatile')
        elif key.endswith('Topic') and isinstance(value, str):
            out[value] = 'Volatile'
    return out


def _shown(path):
    return {topic for display in _manager(path)['Displays'] for topic in _topics(display)}


@EVERY_FILE
def test_a_file_shows_something_that_is_published(path):
    assert _shown(path)
    assert _shown(path) <= PUBLISHED[path.stem]


@EVERY_FILE
def test_a_file_has_a_fixed_frame_and_displays_with_names_of_their_own(path):
    manager = _manager(path)
    assert manager['Global Options']['Fixed Frame']
    names = [display['Name'] for display in manager['Displays']]
    assert len(set(names)) == len(names)


def test_the_virtual_robot_publishes_what_the_recorders_file_shows(tmp_path):
    rclpy = pytest.importorskip('rclpy', reason='no ROS 2 here')
    pytest.importorskip('r2rgen_interfaces', reason='r2rgen_interfaces is not built')
    from rclpy.context import Context
    from rclpy.qos import DurabilityPolicy

    path = REPOSITORY / 'rviz' / 'recorder.rviz'
    domain = 1 + os.getpid() % 100
    parameters = {'autostart': 'true', 'rate_hz': '1.0', 'width': '160', 'height': '120'}
    command = [sys.executable, '-m', 'r2rgen_ros.nodes.virtual_robot', '--ros-args']
    command += [word for name, value in parameters.items() for word in ('-p', f'{name}:={value}')]
    context = Context()
    context.init(args=None, domain_id=domain)
    with (tmp_path / 'log').open('wb') as log:
        robot = subprocess.Popen(
            command, env={**os.environ, 'ROS_DOMAIN_ID': str(domain)}, stdout=log, stderr=log
        )
    try:
        node = rclpy.create_node('test_rviz', context=context)
        wanted = {
            topic: durability == 'Transient Local'
            for display in _manager(path)['Displays']
            for topic, durability in _topics(display).items()
        }
        end = time.monotonic() + _WAIT_S
        while not all(node.get_publishers_info_by_topic(topic) for topic in wanted):
            assert time.monotonic() < end, (tmp_path / 'log').read_text()
            time.sleep(0.2)
        for topic, is_latched in wanted.items():
            (info,) = node.get_publishers_info_by_topic(topic)
            kept = info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
            assert kept >= is_latched, topic
        node.destroy_node()
    finally:
        context.try_shutdown()
        robot.send_signal(signal.SIGINT)
        assert robot.wait(_WAIT_S) == 0
    assert _manager(path)['Global Options']['Fixed Frame'] == panda.BASE
