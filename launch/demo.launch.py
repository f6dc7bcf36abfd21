# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts everything on the virtual robot: recorder, annotator, generator, and RViz for each.

    ros2 launch r2rgen_ros demo.launch.py rviz:=false
    ros2 service call /recorder/start std_srvs/srv/Trigger
    ros2 service call /virtual_robot/run_expert std_srvs/srv/Trigger
    ros2 service call /recorder/stop std_srvs/srv/Trigger

The virtual robot simulates for about half a minute first; the recorder waits for it.
"""

from __future__ import annotations

from pathlib import Path

from launch import LaunchDescription
from launch.actions import GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PythonExpression

from r2rgen_ros.nodes import bringup

HERE = Path(__file__).resolve().parent

ARGUMENTS = (
    (
        'task',
        'place-bottle',
        (
            'place-bottle, mug-in-bowl, box-in-bowl, build-bridge, hang-cup, stack-bricks or pour;'
            ' with two arms lift-box or hand-over.'
        ),
    ),
    ('base', 'fixed', 'What arms and camera stand on: fixed, mobile or driving.'),
    ('seed', '0', 'Draws where the objects stand: a whole number.'),
    ('fault', 'none', 'Fault of the robot to make, see config/virtual_robot.yaml.'),
    ('demos_folder', 'demos', 'Folder that is recorded to and annotated in.'),
    ('datasets_folder', 'datasets', 'Folder that datasets are written below.'),
    ('rviz', 'true', 'Start RViz, a window each for recorder, annotator and generator.'),
    ('autostart', 'true', 'Configure and activate all nodes by themselves: true or false.'),
    ('log_level', 'info', 'Least severity to log: debug, info, warn, error or fatal.'),
)

TWO_ARMS = ('lift-box', 'hand-over')
ROBOT = PythonExpression(
    [
        "'virtual_robot_two_arms' if '",
        LaunchConfiguration('task'),
        f"' in {TWO_ARMS} else 'virtual_robot'",
    ]
)

# What is handed on to each launch file, beside autostart and log_level; a pair has another name or
# a value of its own.
INCLUDED: dict[str, tuple[str | tuple[str, str | PythonExpression], ...]] = {
    'virtual_robot': ('task', 'seed', 'base', 'fault', ('rviz', 'false')),
    'record': (
        'demos_folder',
        ('camera', 'virtual_robot'),
        ('robot', ROBOT),
        'rviz',
    ),
    'annotate': ('demos_folder', 'rviz'),
    'generate': ('demos_folder', 'datasets_folder', 'rviz'),
}


def _include(name: str) -> GroupAction:
    """Returns one of the launch files beside this one, in a scope of its own."""
    handed = {
        each if isinstance(each, str) else each[0]: (
            LaunchConfiguration(each) if isinstance(each, str) else each[1]
        )
        for each in (*INCLUDED[name], 'autostart', 'log_level')
    }
    source = PythonLaunchDescriptionSource(str(HERE / f'{name}.launch.py'))
    return GroupAction([IncludeLaunchDescription(source, launch_arguments=handed.items())])


def generate_launch_description() -> LaunchDescription:
    """Returns all nodes, with the arguments that ARGUMENTS documents."""
    included = (_include(name) for name in INCLUDED)
    return LaunchDescription([*bringup.declared(ARGUMENTS), *included])
