# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts the generator, and RViz, which shows the episodes as they are made.

    ros2 launch r2rgen_ros generate.launch.py
    ros2 action send_goal -f /generator/generate r2rgen_interfaces/action/Generate "{demo: ..."

The goal names the demo, the dataset, the number of episodes and more; see the definition of
r2rgen_interfaces/action/Generate.
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
    ('demos_folder', '', 'Folder of the recorder; empty: as in the parameters.'),
    ('datasets_folder', '', 'Folder for datasets; empty: as in the parameters.'),
    ('params_file', '', 'Parameters laid over config/generator.yaml.'),
    ('namespace', '', "The node's namespace."),
    ('autostart', 'true', 'Configure and activate by itself: true or false.'),
    ('use_sim_time', 'false', 'Follow /clock: true or false.'),
    ('rviz', 'true', 'Start RViz: true or false.'),
    ('rviz_config', str(SHARE / 'rviz' / 'generator.rviz'), 'What RViz shows.'),
    ('log_level', 'info', 'Least severity to log: debug, info, warn, error or fatal.'),
)


def _transport() -> list[SetEnvironmentVariable]:
    """Chooses what loses no images, unless the user chose otherwise."""
    return [SetEnvironmentVariable(*item) for item in transport.settings().items()]


def _node(context: LaunchContext) -> list[Node]:
    """Returns the generator, from the arguments' values."""

    def value(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    files = [str(CONFIG / 'generator.yaml')]
    files += [str(Path(value('params_file')).expanduser())] if value('params_file') else []
    own: dict[str, Any] = {
        name: value(name).lower() == 'true' for name in ('autostart', 'use_sim_time')
    }
    own.update({name: value(name) for name in ('demos_folder', 'datasets_folder') if value(name)})
    return [
        Node(
            package='r2rgen_ros',
            executable='generator',
            namespace=value('namespace'),
            parameters=[*files, own],
            arguments=['--ros-args', '--log-level', value('log_level')],
            output='screen',
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Returns the generator and RViz, with the arguments that ARGUMENTS documents."""
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
