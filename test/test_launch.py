# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch files load, and document their arguments; what they name is there."""

from __future__ import annotations

import ast
import os
import re
from importlib import util
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from r2rgen_ros.nodes import transport

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = sorted((REPOSITORY / 'launch').glob('*.launch.py'))
NAMES = [path.name.partition('.')[0] for path in FILES]
STARTS = {
    'record': 'recorder',
    'annotate': 'annotator',
    'generate': 'generator',
    'virtual_robot': 'virtual_robot',
}
VARIABLES = (
    'FASTDDS_BUILTIN_TRANSPORTS',
    'FASTDDS_DEFAULT_PROFILES_FILE',
    'FASTRTPS_DEFAULT_PROFILES_FILE',
)
EVERY_FILE = pytest.mark.parametrize('path', FILES, ids=NAMES)
EVERY_NODE = pytest.mark.parametrize(('name', 'executable'), STARTS.items())


def _path(name):
    return REPOSITORY / 'launch' / f'{name}.launch.py'


def _texts(path):
    """All constant texts of a file."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    return {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and type(n.value) is str}


def _arguments(path):
    """The entries of ARGUMENTS: name and description."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    (found,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == 'ARGUMENTS'
    )
    return {entry.elts[0].value: ast.literal_eval(entry.elts[2]) for entry in found.elts}


# Without launch.


def test_all_are_there():
    assert {*STARTS, 'demo', 'view_dataset'} <= set(NAMES)


@EVERY_FILE
def test_a_file_compiles_and_names_only_files_that_exist(path):
    compile(path.read_text(encoding='utf-8'), str(path), 'exec')
    for text in _texts(path):
        if re.fullmatch(r'\w+\.(yaml|rviz)', text):
            folder = 'rviz' if text.endswith('.rviz') else 'config'
            assert (REPOSITORY / folder / text).is_file(), text


@EVERY_FILE
def test_every_argument_is_described(path):
    for name, description in _arguments(path).items():
        assert description.endswith('.'), name
        assert len(description) > 10, name


@EVERY_NODE
def test_a_file_starts_its_node(name, executable):
    texts = _texts(_path(name))
    assert executable in texts
    assert {'autostart', 'params_file', 'rviz', 'log_level', 'namespace'} <= _arguments(
        _path(name)
    ).keys()
    assert (REPOSITORY / 'r2rgen_ros' / 'nodes' / f'{executable}.py').is_file()


# With launch.


@pytest.fixture
def load(monkeypatch):
    """Load a launch file as `ros2 launch` does."""
    pytest.importorskip('launch_ros', reason='launch is not installed')
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def load_file(path):
        spec = util.spec_from_file_location(path.name.replace('.', '_'), path)
        module = util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load_file


@pytest.fixture
def run(monkeypatch):
    """Carry out a launch description, but for starting the processes: give those instead."""
    launch = pytest.importorskip('launch', reason='launch is not installed')
    pytest.importorskip('launch_ros', reason='launch is not installed')
    from launch.actions.execute_local import ExecuteLocal

    nodes = []

    def execute(node, context):
        node.process_description.prepare(context, node)
        nodes.append(node)

    monkeypatch.setattr(ExecuteLocal, 'execute', execute)
    monkeypatch.setattr(os, 'environ', dict(os.environ))

    def run_description(description, **arguments):
        context = launch.LaunchContext()
        context.launch_configurations.update(arguments)
        waiting, found = list(description.entities), {}
        while waiting:
            waiting[:0] = waiting.pop(0).visit(context) or []
            found.update(context.environment)
        return nodes, found

    return run_description


@EVERY_FILE
def test_launch_lists_the_arguments(load, path):
    declared = load(path).generate_launch_description().get_launch_arguments()
    assert [each.name for each in declared][: len(_arguments(path))] == list(_arguments(path))
    assert all(each.description for each in declared)


@EVERY_NODE
def test_a_node_gets_its_file_and_the_arguments(load, run, name, executable):
    description = load(_path(name)).generate_launch_description()
    nodes, environment = run(description, rviz='false', autostart='false', namespace='cell')
    (node,) = nodes
    assert (node.node_package, node.node_executable) == ('r2rgen_ros', executable)
    assert node.expanded_node_namespace == '/cell'
    assert environment['FASTDDS_DEFAULT_PROFILES_FILE'] == str(transport.PROFILE)
    values = _parameters(node)
    expected = yaml.safe_load((REPOSITORY / 'config' / f'{executable}.yaml').read_text())
    assert values == expected[f'/**/{executable}']['ros__parameters'] | values
    assert values['autostart'] is False


def _words(node):
    return node.process_description.final_cmd


def _parameters(node):
    """The parameters that a node is started with; later files win."""
    out = {}
    for word, file in pairwise(_words(node)):
        if word == '--params-file':
            # launch_ros tags lists so; the node passes over it.
            text = Path(file).read_text(encoding='utf-8').replace('!!python/tuple', '')
            for content in yaml.safe_load(text).values():
                out.update(content['ros__parameters'])
    return out


@pytest.mark.parametrize('variable', VARIABLES)
def test_transports_that_the_user_chose_stay(load, run, monkeypatch, variable):
    monkeypatch.setenv(variable, 'mine')
    _, environment = run(load(_path('record')).generate_launch_description(), rviz='false')
    assert {name: environment.get(name) for name in VARIABLES} == {
        name: 'mine' if name == variable else None for name in VARIABLES
    }


def test_a_bag_is_played(load, run):
    description = load(_path('view_dataset')).generate_launch_description()
    (player,), _ = run(description, rviz='false', bag='some/bag', start_paused='true', loop='false')
    assert _words(player) == [
        'ros2', 'bag', 'play', 'some/bag', '--rate', '1.0', '--clock', '--start-paused',
    ]  # fmt: skip


def test_presets_are_laid_over_the_defaults_and_a_file_over_them(load, run, tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text('/**/recorder:\n  ros__parameters:\n    base_frame: table\n    check_s: 9.0\n')
    nodes, _ = run(
        load(_path('record')).generate_launch_description(),
        rviz='false', camera='zed', robot='franka', params_file=str(own), demos_folder='2026',
        end_effector_frames='left=a, right=b',
    )  # fmt: skip
    values = _parameters(nodes[0])
    assert values['depth_topics'] == ['/zed/zed_node/depth/depth_registered']
    assert values['joint_topics'] == ['/franka/joint_states']
    assert (values['base_frame'], values['check_s']) == ('table', 9.0)
    assert values['demos_folder'] == '2026'
    assert values['end_effector_frames'] == ['left=a', 'right=b']


@pytest.fixture
def no_rviz(monkeypatch):
    """RViz need not be installed to see what it would be told."""
    pytest.importorskip('launch_ros', reason='launch is not installed')
    from launch_ros.substitutions import ExecutableInPackage

    monkeypatch.setattr(ExecutableInPackage, 'perform', lambda *_: 'rviz2')


@pytest.mark.usefixtures('no_rviz')
def test_rviz_shows_the_camera_of_the_preset(load, run):
    nodes, _ = run(
        load(_path('record')).generate_launch_description(), camera='realsense', robot='ur'
    )
    words = _words(nodes[1])
    assert '/camera/color/image_raw:=/camera/camera/color/image_raw' in words
    assert words[words.index('--fixed-frame') + 1] == 'base_link'


def _rviz_words(load, run, name, **arguments):
    nodes, _ = run(load(_path(name)).generate_launch_description(), **arguments)
    (rviz,) = (node for node in nodes if node.node_package == 'rviz2')
    return {word for word in _words(rviz) if ':=' in word and word.startswith('/')}


@pytest.mark.usefixtures('no_rviz')
@pytest.mark.parametrize('namespace', ['cell', '/cell/'])
@pytest.mark.parametrize('name', ['annotate', 'generate'])
def test_rviz_finds_a_node_in_a_namespace(load, run, name, namespace):
    file = REPOSITORY / 'rviz' / f'{STARTS[name]}.rviz'
    named = set(re.findall(r'Value: (/.+)', file.read_text(encoding='utf-8')))
    assert len(named) > 2
    assert ('/clicked_point' in named) == (name == 'annotate')
    words = _rviz_words(load, run, name, rviz='true', namespace=namespace)
    assert words == {f'{topic}:=/cell{topic}' for topic in named}


@pytest.mark.usefixtures('no_rviz')
def test_rviz_finds_the_recorder_in_a_namespace(load, run, tmp_path):
    file = tmp_path / 'own.rviz'
    file.write_text('a:\n  Topic: /recorder/status\n  Other Topic: /generator/markers\n')
    words = _rviz_words(load, run, 'record', rviz_config=str(file), namespace='cell')
    assert words == {'/recorder/status:=/cell/recorder/status'}


@pytest.mark.usefixtures('no_rviz')
@pytest.mark.parametrize('arguments', [{}, {'namespace': 'cell', 'rviz_config': 'absent.rviz'}])
def test_rviz_is_led_nowhere_without_need(load, run, arguments):
    assert _rviz_words(load, run, 'annotate', rviz='true', **arguments) == set()


def test_the_demo_starts_all_nodes_on_the_same_folder(load, run):
    nodes, _ = run(
        load(_path('demo')).generate_launch_description(), rviz='false', demos_folder='here'
    )
    found = {node.node_executable: _parameters(node) for node in nodes}
    assert set(found) == set(STARTS.values())
    assert {found[name]['demos_folder'] for name in found if name != 'virtual_robot'} == {'here'}
    assert found['recorder']['base_frame'] == 'panda_link0'
    assert all(values['autostart'] is True for values in found.values())


def test_the_demo_records_two_arms_where_the_task_has_two(load, run):
    nodes, _ = run(
        load(_path('demo')).generate_launch_description(),
        rviz='false', task='hand-over', base='mobile',
    )  # fmt: skip
    found = {node.node_executable: _parameters(node) for node in nodes}
    robot, recorder = found['virtual_robot'], found['recorder']
    assert (robot['task'], robot['base'], robot['camera']) == ('hand-over', 'mobile', ['external'])
    assert recorder['base_frame'] == 'world'
    assert len(recorder['end_effector_frames']) == 2


def test_the_virtual_robot_may_have_several_cameras(load, run):
    description = load(_path('virtual_robot')).generate_launch_description()
    (node,), _ = run(description, rviz='false', camera='external, panda_wrist')
    assert _parameters(node)['camera'] == ['external', 'panda_wrist']
