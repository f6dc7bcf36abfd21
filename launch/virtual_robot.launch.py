# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts the virtual robot, which publishes as the drivers of a real one do.

    ros2 launch r2rgen_ros virtual_robot.launch.py task:=mug-in-bowl
    ros2 service call /virtual_robot/run_expert std_srvs/srv/Trigger

It simulates and draws for about half a minute before it publishes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from r2rgen_ros.nodes import transport

SHARE = Path(__file__).resolve().parent.parent
CONFIG = SHARE / 'config'

ARGUMENTS = (
    (
        'task',
        '',
        'place-bottle, mug-in-bowl, box-in-bowl or build-bridge; empty: as in the parameters.',
    ),
    ('seed', '', 'Draws where the objects stand; empty: as in the parameters.'),
    ('recording', '', 'Bag to publish instead of simulating; empty: as in the parameters.'),
    ('fault', '', 'Fault to make, see config/virtual_robot.yaml; empty: as in the parameters.'),
    ('params_file', '', 'Parameters laid over config/virtual_robot.yaml.'),
    ('namespace', '', "The node's namespace."),
    ('autostart', 'true', 'Configure and activate by itself: true or false.'),
    ('rviz', 'false', 'Start RViz: true or false.'),
    ('rviz_config', str(SHARE / 'rviz' / 'recorder.rviz'), 'What RViz shows.'),
    ('log_level', 'info', 'Least severity to log: debug, info, warn, error or fatal.'),
)


def _transport() -> list[SetEnvironmentVariable]:
    """Chooses what loses no images, unless the user chose otherwise."""
    return [SetEnvironmentVariable(*item) for item in transport.settings().items()]


def _node(context: LaunchContext) -> list[Node]:
    """Returns the virtual robot, from the arguments' values."""

    def value(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    files = [str(CONFIG / 'virtual_robot.yaml')]
    files += [str(Path(value('params_file')).expanduser())] if value('params_file') else []
    own: dict[str, Any] = {'autostart': value('autostart').lower() == 'true'}
    own.update({name: value(name) for name in ('task', 'recording', 'fault') if value(name)})
    own.update({'seed': int(value('seed'))} if value('seed') else {})
    return [
        Node(
            package='r2rgen_ros',
            executable='virtual_robot',
            namespace=value('namespace'),
            parameters=[*files, own],
            arguments=['--ros-args', '--log-level', value('log_level')],
            output='screen',
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Returns the virtual robot and RViz, with the arguments that ARGUMENTS documents."""
    rviz = Node(
        package='rviz2',
        executable='rviz2',
        arguments=['--display-config', LaunchConfiguration('rviz_config')],
        condition=IfCondition(LaunchConfiguration('rviz')),
        output='screen',
    )
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*_transport(), *declared, OpaqueFunction(function=_node), rviz])
