# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameter files are the nodes' own parameters: names, types, ranges and defaults."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

pytest.importorskip('rclpy', reason='no ROS 2 here')
pytest.importorskip('r2rgen_interfaces', reason='r2rgen_interfaces is not built')

from r2rgen_ros.nodes.base import AUTOSTART, BaseNode

CONFIG = Path(__file__).resolve().parent.parent / 'config'
NODES = ('recorder', 'annotator', 'generator', 'virtual_robot')
PRESETS = sorted(CONFIG.glob('*/*.yaml'))
EVERY_NODE = pytest.mark.parametrize('name', NODES)
EVERY_PRESET = pytest.mark.parametrize('path', PRESETS, ids=lambda path: path.stem)


def _declared(name):
    """The parameters of a node by name."""
    module = importlib.import_module(f'r2rgen_ros.nodes.{name}')
    (node,) = (
        found
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, BaseNode)
        and found.__module__ == module.__name__
    )
    return {item.name: item for item in (AUTOSTART, *node.PARAMETERS)}


def _values(path, name):
    """The values of a file, which is for one node in any namespace."""
    content = yaml.safe_load(path.read_text(encoding='utf-8'))
    assert list(content) == [f'/**/{name}']
    assert list(content[f'/**/{name}']) == ['ros__parameters']
    return content[f'/**/{name}']['ros__parameters']


def _assert_fits(parameter, value):
    assert type(value) is type(parameter.default), parameter.name
    if isinstance(value, list):
        assert {type(each) for each in value} == {type(parameter.default[0])}, parameter.name
    if parameter.low is not None:
        assert parameter.low <= value <= parameter.high, parameter.name
    if parameter.choices:
        assert value in parameter.choices, parameter.name


@EVERY_NODE
def test_a_file_holds_every_parameter_with_its_default(name):
    declared = _declared(name)
    values = _values(CONFIG / f'{name}.yaml', name)
    assert list(values) == list(declared)
    assert values == {key: parameter.default for key, parameter in declared.items()}
    for key, value in values.items():
        _assert_fits(declared[key], value)


@EVERY_NODE
def test_a_file_explains_every_parameter_and_tells_its_range(name):
    lines = (CONFIG / f'{name}.yaml').read_text(encoding='utf-8').splitlines()
    said = ''
    for line in lines[lines.index('  ros__parameters:') + 1 :]:
        if line.lstrip().startswith('#'):
            said += line.strip(' #') + ' '
        elif not line.strip():
            said = ''
        else:
            parameter = _declared(name)[line.strip().partition(':')[0]]
            assert said, f'{parameter.name} has no comment'
            if parameter.low is not None:
                assert f'{parameter.low:g}' in said, parameter.name
                assert str(parameter.high) in said or f'{parameter.high:g}' in said, parameter.name


@EVERY_NODE
def test_a_parameter_is_described(name):
    for parameter in _declared(name).values():
        assert len(parameter.description) > 3, parameter.name
        assert (parameter.low is None) == (parameter.high is None), parameter.name
        _assert_fits(parameter, parameter.default)


@EVERY_PRESET
def test_a_preset_sets_some_parameters_of_the_recorder(path):
    declared = _declared('recorder')
    values = _values(path, 'recorder')
    for name, value in values.items():
        _assert_fits(declared[name], value)
    needed = {
        'cameras': {'depth_topics', 'colour_topics', 'camera_info_topics'},
        'robots': {'joint_topics', 'base_frame', 'end_effector_frames'},
    }
    assert values.keys() >= needed[path.parent.name]
    topics = [each for name in values if name.endswith('_topics') for each in values[name]]
    assert all(topic.startswith('/') for topic in topics)


@EVERY_PRESET
def test_a_preset_names_its_driver_and_how_to_start_it(path):
    lines = path.read_text(encoding='utf-8').splitlines()
    assert any(line.startswith('#') and 'ros2 launch' in line for line in lines)


def test_there_are_presets_for_common_cameras_and_robots():
    assert {path.stem for path in (CONFIG / 'cameras').glob('*.yaml')} >= {
        'realsense', 'orbbec', 'azure_kinect', 'zed', 'virtual_robot',
    }  # fmt: skip
    assert {path.stem for path in (CONFIG / 'robots').glob('*.yaml')} >= {
        'franka', 'ur', 'xarm', 'mobile_manipulator', 'virtual_robot',
    }  # fmt: skip
