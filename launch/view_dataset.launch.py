# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays a recorded or a generated demonstration and shows it in RViz.

    ros2 launch r2rgen_ros view_dataset.launch.py bag:=datasets/flower/shard_00000/episode_000000

A generated bag has the recorded bag's topics and types, so one file serves both.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import ExecuteProcess, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from r2rgen_ros.nodes import bringup

SHARE = Path(__file__).resolve().parent.parent

ARGUMENTS = (
    ('bag', None, 'Folder of the bag to play: a demo, or an episode of a dataset.'),
    ('rate', '1.0', 'How many times as fast as recorded to play.'),
    ('loop', 'true', 'Start again at the end: true or false.'),
    ('start_paused', 'false', 'Wait for the space bar before playing: true or false.'),
    ('rviz', 'true', 'Start RViz: true or false.'),
    ('rviz_config', str(SHARE / 'rviz' / 'episode.rviz'), 'What RViz shows.'),
    ('use_sim_time', 'true', "Let RViz follow the bag's clock: true or false."),
    ('log_level', 'info', 'Least severity that RViz logs: debug, info, warn, error or fatal.'),
)


def _play(context: LaunchContext) -> list[ExecuteProcess]:
    """Builds the `ros2 bag play` command from the arguments' values."""
    value = partial(bringup.value, context)
    command = ['ros2', 'bag', 'play', value('bag'), '--rate', value('rate'), '--clock']
    command += ['--loop'] if bringup.is_true(context, 'loop') else []
    command += ['--start-paused'] if bringup.is_true(context, 'start_paused') else []
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
    return LaunchDescription(
        [*bringup.loss_free(), *bringup.declared(ARGUMENTS), OpaqueFunction(function=_play), rviz]
    )
