# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts the annotator, and RViz with its clicks.

ros2 launch r2rgen_ros annotate.launch.py demo:=newest
"""

from __future__ import annotations

from pathlib import Path

from launch import LaunchDescription

from r2rgen_ros.nodes.bringup import node_with_rviz

SHARE = Path(__file__).resolve().parent.parent

ARGUMENTS = (
    ('demos_folder', '', 'Folder of the recorder; empty: as in the parameters.'),
    ('demo', '', 'Bag to load at once, or "newest"; empty: as in the parameters.'),
    ('params_file', '', 'Parameters laid over config/annotator.yaml.'),
    ('namespace', '', "The node's namespace."),
    ('autostart', 'true', 'Configure and activate by itself: true or false.'),
    ('use_sim_time', 'false', 'Follow /clock: true or false.'),
    ('rviz', 'true', 'Start RViz: true or false.'),
    ('rviz_config', str(SHARE / 'rviz' / 'annotator.rviz'), 'What RViz shows.'),
    ('log_level', 'info', 'Least severity to log: debug, info, warn, error or fatal.'),
)


def generate_launch_description() -> LaunchDescription:
    """Returns the annotator and RViz, with the arguments that ARGUMENTS documents."""
    return node_with_rviz(
        'annotator',
        SHARE,
        ARGUMENTS,
        flags=('autostart', 'use_sim_time'),
        texts=('demos_folder', 'demo'),
    )
