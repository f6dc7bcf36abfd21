# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts the virtual robot, which publishes as the drivers of a real one do.

    ros2 launch r2rgen_ros virtual_robot.launch.py task:=mug-in-bowl
    ros2 launch r2rgen_ros virtual_robot.launch.py task:=lift-box base:=mobile
    ros2 service call /virtual_robot/run_expert std_srvs/srv/Trigger

It simulates and draws for about half a minute before it publishes.
"""

from __future__ import annotations

from pathlib import Path

from launch import LaunchDescription

from r2rgen_ros.nodes.bringup import node_with_rviz

SHARE = Path(__file__).resolve().parent.parent

ARGUMENTS = (
    (
        'task',
        '',
        (
            'place-bottle, mug-in-bowl, box-in-bowl, build-bridge, hang-cup, stack-bricks or pour;'
            ' with two arms lift-box or hand-over; empty: as in the parameters.'
        ),
    ),
    ('seed', '', 'Draws where the objects stand; empty: as in the parameters.'),
    ('base', '', 'fixed, mobile or driving; empty: as in the parameters.'),
    (
        'camera',
        '',
        'What watches, such as "external, panda_wrist"; empty: as in the parameters.',
    ),
    ('recording', '', 'Bag to publish instead of simulating; empty: as in the parameters.'),
    ('fault', '', 'Fault to make, see config/virtual_robot.yaml; empty: as in the parameters.'),
    ('params_file', '', 'Parameters laid over config/virtual_robot.yaml.'),
    ('namespace', '', "The node's namespace."),
    ('autostart', 'true', 'Configure and activate by itself: true or false.'),
    ('rviz', 'false', 'Start RViz: true or false.'),
    ('rviz_config', str(SHARE / 'rviz' / 'recorder.rviz'), 'What RViz shows.'),
    ('log_level', 'info', 'Least severity to log: debug, info, warn, error or fatal.'),
)


def generate_launch_description() -> LaunchDescription:
    """Returns the virtual robot and RViz, with the arguments that ARGUMENTS documents."""
    return node_with_rviz(
        'virtual_robot',
        SHARE,
        ARGUMENTS,
        texts=('task', 'base', 'recording', 'fault'),
        numbers=('seed',),
        lists=('camera',),
    )
