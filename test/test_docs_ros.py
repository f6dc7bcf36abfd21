# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The documents say of the nodes what is there: tables are the code's, ros2 commands could be run.

That the topics, services and actions of the tables are those of the running nodes is seen in
`test/nodes/test_reference.py`.
"""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from importlib import util
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

pytest.importorskip('rclpy', reason='no ROS 2 here')
pytest.importorskip('r2rgen_interfaces', reason='r2rgen_interfaces is not built')

from r2rgen_ros.nodes.stream_plan import PARAMETERS, TYPES

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*REPOSITORY.glob('*.md'), *(REPOSITORY / 'docs').rglob('*.md')])
EVERY_DOCUMENT = pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: path.name)


def _load(path):
    spec = util.spec_from_file_location(path.stem, path)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLES = _load(REPOSITORY / 'scripts' / 'node_tables.py')
PAGE = TABLES.PAGE.read_text(encoding='utf-8')
LAUNCH_FILES = sorted(path.name.partition('.')[0] for path in REPOSITORY.glob('launch/*.launch.py'))
PARAMETERS_OF = {node: {each.name: each for each in TABLES.declared(node)} for node in TABLES.NODES}
STATES = {'configure', 'activate', 'deactivate', 'cleanup', 'shutdown'}


# The reference.


def test_the_tables_are_written_from_the_code():
    assert TABLES.page(PAGE) == PAGE, 'run .venv/bin/python scripts/node_tables.py'


def test_every_node_launch_file_and_interface_has_its_table():
    expected = {('parameters', node) for node in TABLES.NODES}
    expected |= {('arguments', name) for name in LAUNCH_FILES}
    expected |= {('interface', name) for name in TABLES.interface_names()}
    assert TABLES.blocks(PAGE) == expected


def test_a_table_that_differs_from_the_code_is_noticed():
    assert TABLES.page(PAGE.replace('| `check_s` | `2.0` |', '| `check_s` | `3.0` |')) == PAGE
    assert '| `check_s` | `2.0` | 0.5 to 60 |' in PAGE


@pytest.mark.parametrize('name', TABLES.interface_names())
def test_a_table_has_the_fields_that_were_built(name):
    kind, _, stem = name.partition('/')
    built = getattr(importlib.import_module(f'r2rgen_interfaces.{kind}'), stem)
    _, parts = TABLES.read_interface(name)
    for title, fields in zip(TABLES.PARTS[kind], parts, strict=True):
        part = getattr(built, title) if title else built
        said = [key for key, _, value, _ in fields if not value]
        assert said == list(part.get_fields_and_field_types())
        assert {key: int(value) for key, _, value, _ in fields if value} == {
            key: getattr(part, key) for key, _, value, _ in fields if value
        }


def test_the_recorders_topics_have_the_types_that_it_takes():
    part = PAGE[PAGE.index('## recorder') : PAGE.index('## annotator')]
    said = dict(re.findall(r'^\| `(\w+_topics?)` \| ([^`|]*?) \|', part, re.MULTILINE))
    assert said == {
        parameter: ', '.join(TYPES[role]) if role in TYPES else 'any standard type'
        for role, parameter in PARAMETERS.items()
    }


# Commands.


SAID = {node: TABLES.offers(PAGE, node) for node in TABLES.NODES}


def _offered(kind):
    """Names of topics, services or actions, and their types."""
    rows = (row for said in SAID.values() for row in said[kind])
    return {name: cells[-1 if kind != 'topic' else 1] for name, *cells in rows}


def _arguments(name):
    return [key for key, _, _ in TABLES.launch_arguments(name)]


def _launch(words):
    name = words[0].removesuffix('.launch.py')
    assert name in LAUNCH_FILES
    for word in words[1:]:
        if word.startswith('-'):
            assert word in {'--show-args'}
            continue
        key, assigns, value = word.partition(':=')
        assert assigns
        assert key in _arguments(name), key
        if key in ('camera', 'robot') and value != 'my_camera':
            assert (REPOSITORY / 'config' / f'{key}s' / f'{value}.yaml').is_file(), value


def _node(words):
    """A node by hand: its name, and what follows --ros-args."""
    node, *rest = words
    if node == 'r2rgen':
        return  # test_docs looks at verbs
    assert node in TABLES.NODES
    for before, word in pairwise(rest):
        if before == '-p':
            assert word.partition(':=')[0] in PARAMETERS_OF[node]
        if before == '--params-file':
            assert (REPOSITORY / word).is_file()


def _service(words):
    verb, name, kind, *text = words
    assert verb == 'call'
    assert _offered('service')[name] == kind
    _fits(_class(kind).Request, yaml.safe_load(text[0]) if text else {})


def _action(words):
    verb, *words = [word for word in words if word not in ('-f', '--feedback')]
    name, kind, text = words
    assert verb == 'send_goal'
    assert _offered('action')[name] == kind
    _fits(_class(kind).Goal, yaml.safe_load(text))


def _topic(words):
    for word in words:
        if word.startswith(tuple(f'/{node}' for node in TABLES.NODES)):
            assert word in _offered('topic'), word


def _param(words):
    verb, node, name, *value = words
    parameter = PARAMETERS_OF[node.lstrip('/')][name]
    assert (verb, len(value)) in {('set', 1), ('get', 0), ('describe', 0)}
    if value:
        assert type(yaml.safe_load(value[0])) is type(parameter.default)


def _lifecycle(words):
    verb, node, *transition = words
    assert node.lstrip('/') in TABLES.NODES
    assert (verb, set(transition) <= STATES) in {('set', True), ('get', True)}


def _class(kind):
    package, folder, name = kind.split('/')
    return getattr(importlib.import_module(f'{package}.{folder}'), name)


PLAIN = {'string': str, 'boolean': bool, 'double': float, 'float': float}


def _fits(kind, values):
    """Hold a message in YAML against its definition."""
    types = kind.get_fields_and_field_types()
    for key, value in values.items():
        assert key in types, f'{kind.__name__} has no field {key}'
        inner = re.fullmatch(r'(sequence<)?([^>]+)>?', types[key])
        assert isinstance(value, list) == bool(inner[1]), key
        for each in value if inner[1] else [value]:
            if '/' in inner[2]:
                _fits(_class(inner[2].replace('/', '/msg/')), each)
            else:
                assert type(each) is PLAIN.get(inner[2], int), key


CHECKS = {
    'launch': lambda words: _launch(words[1:]) if words[0] == 'r2rgen_ros' else None,
    'run': lambda words: _node(words[1:]) if words[0] == 'r2rgen_ros' else None,
    'service': _service,
    'action': _action,
    'topic': _topic,
    'param': _param,
    'lifecycle': _lifecycle,
}


def _check(command):
    """Raise where a command could not be run."""
    words = shlex.split(command, comments=True)
    if words[0] == 'ros2' and words[1] in CHECKS:
        CHECKS[words[1]](words[2:])
    elif words[0] == 'make':
        makefile = (REPOSITORY / 'Makefile').read_text(encoding='utf-8')
        assert re.search(rf'^{words[1]}:', makefile, re.MULTILINE), words[1]
    elif words[0].startswith('.venv/bin/') and words[0].rpartition('/')[2] in TABLES.NODES:
        _node([words[0].rpartition('/')[2], *words[1:]])


def commands(text):
    """Commands of code spans, and of code blocks with continued lines joined."""
    joined = re.sub(r'\\\n\s*', '', text)
    lines = re.findall(r'^ {4,}(\S.*)$', joined, re.MULTILINE)
    spans = re.findall(r'`([^`\n]+)`', joined)
    start = re.compile(r'(ros2 \w+ \S|make [a-z]|\.venv/bin/\w+ )')
    return [code for code in [*lines, *spans] if start.match(code)]


@EVERY_DOCUMENT
def test_ros_commands_could_be_run(path):
    for command in commands(path.read_text(encoding='utf-8')):
        _check(command)


@pytest.mark.parametrize(
    'command',
    [
        'ros2 launch r2rgen_ros rekord.launch.py',
        'ros2 launch r2rgen_ros record.launch.py kamera:=zed',
        'ros2 launch r2rgen_ros record.launch.py camera:=polaroid',
        'ros2 run r2rgen_ros recoder',
        '.venv/bin/recorder --ros-args -p autostrat:=true',
        '.venv/bin/recorder --ros-args --params-file config/none.yaml',
        'ros2 service call /recorder/begin std_srvs/srv/Trigger',
        'ros2 service call /recorder/start r2rgen_interfaces/srv/LoadDemo',
        'ros2 service call /annotator/mark_skill r2rgen_interfaces/srv/MarkSkill "{skil: {}}"',
        'ros2 action send_goal /generator/generate r2rgen_interfaces/action/Generate "{n: 1}"',
        'ros2 action send_goal /generator/generate r2rgen_interfaces/action/Generate "{count: a}"',
        'ros2 service call /annotator/mark_skill r2rgen_interfaces/srv/MarkSkill "{skill: {a: 1}}"',
        'ros2 action send_goal /annotator/annotate r2rgen_interfaces/action/Annotate "{save: 1}"',
        'ros2 topic echo /recorder/state',
        'ros2 param set /annotator frames 1',
        'ros2 param set /annotator frame one',
        'ros2 lifecycle set /recorder start',
        'make lvie',
    ],
)
def test_commands_that_could_not_be_run_are_noticed(command):
    with pytest.raises((AssertionError, KeyError, ValueError)):
        _check(command)


def test_the_live_tutorial_calls_every_node():
    said = commands((REPOSITORY / 'docs' / 'live-tutorial.md').read_text(encoding='utf-8'))
    called = [command for command in said if re.search('service call|send_goal', command)]
    assert all(any(f'/{node}/' in command for command in called) for node in TABLES.NODES)


# Files shown.


def _blocks(text):
    """Indented blocks of code, without the indentation."""
    for block in re.findall(r'(?:^ {4,}.*\n|^\n)+', text, re.MULTILINE):
        if block.strip():
            indent = len(block.strip('\n')) - len(block.strip('\n').lstrip(' '))
            yield re.sub(rf'^ {{{indent}}}', '', block.strip('\n') + '\n', flags=re.MULTILINE)


@EVERY_DOCUMENT
def test_parameter_files_shown_are_valid(path):
    for block in _blocks(path.read_text(encoding='utf-8')):
        part = re.match(r'/\*\*/(\w+):\n(?: .*\n)+', block)
        if part:
            values = yaml.safe_load(part[0])[f'/**/{part[1]}']['ros__parameters']
            for name, value in values.items():
                assert type(value) is type(PARAMETERS_OF[part[1]][name].default), name


@EVERY_DOCUMENT
def test_python_shown_compiles_and_imports_what_is_there(path):
    for block in _blocks(path.read_text(encoding='utf-8')):
        if not re.match(r'(import|from) \w', block):
            continue
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, name.name) for name in node.names), node.module


def test_what_the_recorder_says_is_quoted_as_it_is():
    text = (REPOSITORY / 'docs' / 'how-to.md').read_text(encoding='utf-8')
    part = text[text.index('## Understand what') : text.index('## Get back a recording')]
    rows = re.findall(r'^\| ((?:`[^`]+`)) \|', part, re.MULTILINE)
    package = REPOSITORY / 'r2rgen_ros'
    says = ('stream_checks', 'stream_plan', 'stream_monitor', 'recording')
    code = ''.join(
        path.read_text(encoding='utf-8')
        for path in (package / 'bags' / 'live.py', *(package / 'nodes' / f'{n}.py' for n in says))
    )
    # Texts that run over lines, without their quotes.
    code = re.sub(r"['\"]\n\s*f?['\"]", '', code)
    assert len(rows) > 10
    for row in rows:
        pieces = [re.escape(piece) for piece in row.strip('`').split('…')]
        assert re.search(r'\{[^{}]*\}'.join(pieces), code), row
