# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts the recorder, with presets for cameras and robots, and RViz.

    ros2 launch r2rgen_ros record.launch.py camera:=realsense robot:=franka
    ros2 service call /recorder/start std_srvs/srv/Trigger

Presets are laid over config/recorder.yaml, params_file over the presets, and the arguments below
over all of them.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from r2rgen_ros.nodes import bringup

SHARE = Path(__file__).resolve().parent.parent
CONFIG = SHARE / 'config'
CAMERAS = ('', *sorted(path.stem for path in (CONFIG / 'cameras').glob('*.yaml')))
ROBOTS = ('', *sorted(path.stem for path in (CONFIG / 'robots').glob('*.yaml')))

ARGUMENTS = (
    ('camera', '', 'Preset of config/cameras; empty: cameras are found by type and name.'),
    ('robot', '', 'Preset of config/robots; empty: all joints, and no frame is checked.'),
    ('params_file', '', 'Parameters laid over the presets, as in config/recorder.yaml.'),
    ('demos_folder', '', 'Folder that bags are written to; empty: as in the parameters.'),
    ('base_frame', '', "Frame of the robot's base; empty: as in the parameters."),
    (
        'end_effector_frames',
        '',
        'End effector, or "left=FRAME, right=FRAME"; empty: as in the parameters.',
    ),
    ('namespace', '', "The recorder's namespace."),
    ('autostart', 'true', 'Configure and activate by itself: true or false.'),
    ('use_sim_time', 'false', 'Follow /clock: true or false.'),
    ('rviz', 'true', 'Start RViz: true or false.'),
    ('rviz_config', str(SHARE / 'rviz' / 'recorder.rviz'), 'What RViz shows.'),
    ('log_level', 'info', 'Least severity to log: debug, info, warn, error or fatal.'),
)
CHOICES = {'camera': CAMERAS, 'robot': ROBOTS}


# Topics that recorder.rviz names, and the parameter that holds the preset's.
SHOWN = {
    '/camera/aligned_depth_to_color': 'depth_topics',
    '/camera/color': 'colour_topics',
}


def _read(files: list[Path]) -> dict[str, Any]:
    """Returns the parameters of some files; later ones win."""
    out: dict[str, Any] = {}
    for file in files:
        for node in (yaml.safe_load(file.read_text(encoding='utf-8')) or {}).values():
            out.update(node['ros__parameters'])
    return out


def _nodes(context: LaunchContext) -> list[Node]:
    """Returns the recorder and RViz, from the arguments' values."""
    value = partial(bringup.value, context)
    files = [CONFIG / 'recorder.yaml']
    for folder, name in (('cameras', 'camera'), ('robots', 'robot')):
        files += [CONFIG / folder / f'{value(name)}.yaml'] if value(name) else []
    files += map(Path, bringup.parameters_file(context))
    own: dict[str, Any] = {
        name: bringup.is_true(context, name) for name in ('autostart', 'use_sim_time')
    }
    own.update({name: value(name) for name in ('demos_folder', 'base_frame') if value(name)})
    if value('end_effector_frames'):
        own['end_effector_frames'] = bringup.texts_of(value('end_effector_frames'))
    nodes = [bringup.node(context, 'recorder', [*map(str, files), own])]
    if bringup.is_true(context, 'rviz'):
        level = ['--ros-args', '--log-level', value('log_level')]
        led = bringup.rviz_remappings(context, 'recorder')
        nodes.append(_rviz(value, {**_read(files), **own}, level, led))
    return nodes


def _rviz(
    value: Any, settings: dict[str, Any], level: list[str], led: list[tuple[str, str]]
) -> Node:
    """Returns RViz; it shows the first camera of the presets, in the frame of the base."""
    remappings = [*led]
    for shown, parameter in SHOWN.items():
        topic = (settings.get(parameter) or [''])[0]
        folder, _, _ = topic.rpartition('/')
        if topic:
            remappings += [(f'{shown}/image_raw', topic)]
            remappings += [(f'{shown}/camera_info', f'{folder}/camera_info')]
    frame = settings.get('base_frame')
    return Node(
        package='rviz2',
        executable='rviz2',
        arguments=[
            *('--display-config', value('rviz_config')),
            *(('--fixed-frame', frame) if frame else ()),
            *level,
        ],
        remappings=remappings,
        parameters=[{'use_sim_time': settings['use_sim_time']}],
        output='screen',
    )


def generate_launch_description() -> LaunchDescription:
    """Returns the recorder and RViz, with the arguments that ARGUMENTS documents."""
    declared = bringup.declared(ARGUMENTS, CHOICES)
    return LaunchDescription([*bringup.loss_free(), *declared, OpaqueFunction(function=_nodes)])
