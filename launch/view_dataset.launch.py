# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays a recorded or a generated demonstration and shows it in RViz.

    ros2 launch r2rgen_ros view_dataset.launch.py bag:=datasets/flower/episode_000000

A generated bag has the recorded bag's topics and types, so one file serves both.
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from r2rgen_ros.nodes import transport

ARGUMENTS = (
    ('bag', None, 'Folder of the bag to play: a demo, or an episode of a dataset.'),
    ('rate', '1.0', 'How many times as fast as recorded to play.'),
    ('loop', 'true', 'Start again at the end: true or false.'),
    ('start_paused', 'false', 'Wait for the space bar before playing: true or false.'),
    ('rviz', 'true', 'Start RViz: true or false.'),
    (
        'rviz_config',
        PathJoinSubstitution([FindPackageShare('r2rgen_ros'), 'rviz', 'episode.rviz']),
        'What RViz shows.',
    ),
    ('use_sim_time', 'true', "Let RViz follow the bag's clock: true or false."),
    ('log_level', 'info', 'Least severity that RViz logs: debug, info, warn, error or fatal.'),
)


def _transport() -> list[SetEnvironmentVariable]:
    """Chooses what loses no images, unless the user chose otherwise."""
    return [SetEnvironmentVariable(*item) for item in transport.settings().items()]


def _play(context: LaunchContext) -> list[ExecuteProcess]:
    """Builds the `ros2 bag play` command from the arguments' values."""

    def value(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    command = ['ros2', 'bag', 'play', value('bag'), '--rate', value('rate'), '--clock']
    command += ['--loop'] if value('loop').lower() == 'true' else []
    command += ['--start-paused'] if value('start_paused').lower() == 'true' else []
    return [ExecuteProcess(cmd=command, output='screen')]


def generate_launch_description() -> LaunchDescription:
    """Returns the player and RViz, with the arguments that ARGUMENTS documents."""
    rviz = Node(
        package='rviz2',
        executable='rviz2',
        arguments=[
            '--display-config',
            LaunchConfiguration('rviz_config'),
            '--ros-args',
            '--log-level',
            LaunchConfiguration('log_level'),
        ],
        parameters=[{'use_sim_time': LaunchConfiguration('use_sim_time')}],
        condition=IfCondition(LaunchConfiguration('rviz')),
        output='screen',
    )
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*_transport(), *declared, OpaqueFunction(function=_play), rviz])
