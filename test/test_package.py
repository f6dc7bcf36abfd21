# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The package describes itself once and its rooms keep their doors."""

from __future__ import annotations

import ast
import configparser
import itertools
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import r2rgen_ros

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / 'r2rgen_ros'

# From the ground floor up: a room may import the rooms before it.
ROOMS = (
    'geometry',
    'model',
    'bags',
    'robots',
    'parse',
    'sense',
    'generate',
    'exchange',
    'simulate',
    'report',
    'page',
    'nodes',
    'cli',
)

# Each outside library has one room.
LIBRARY_ROOM = {
    'numba': 'geometry',
    'rosbags': 'bags',
    'lz4': 'bags',
    'backports': 'bags',
    'pinocchio': 'robots',
    'coal': 'robots',
    'ompl': 'robots',
    'mujoco': 'simulate',
    'trimesh': 'robots',
    'zarr': 'exchange',
    'ray': 'generate',
    'matplotlib': 'report',
    'rerun': 'report',
    'viser': 'page',
    'rclpy': 'nodes',
    'rich': 'cli',
}

MODULES = sorted(PACKAGE.rglob('*.py'))


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ''


def _imported(path: Path, source: str) -> list[str]:
    """Absolute names of all that a module imports, wherever in the module it does so."""
    package = ['r2rgen_ros', *path.relative_to(PACKAGE).parts[:-1]]
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = '.'.join([*base, *([node.module] if node.module else [])])
            names += [f'{origin}.{alias.name}' for alias in node.names]
    return names


def _faults(path: Path, source: str) -> list[str]:
    """The room rules that a module breaks."""
    room = _room(path)
    if not room:  # r2rgen_ros/__init__.py names the version and imports nothing of ours
        return [name for name in _imported(path, source) if name.startswith('r2rgen_ros')]
    allowed = ROOMS[: ROOMS.index(room) + 1]
    faults = []
    for name in _imported(path, source):
        top, _, rest = name.partition('.')
        if top == 'r2rgen_ros' and rest.split('.')[0] not in (*allowed, '__version__'):
            faults.append(f'{room} imports {name}, which is not below it')
        if LIBRARY_ROOM.get(top, room) != room:
            faults.append(f'{room} imports {top}, which only {LIBRARY_ROOM[top]} may know')
    if room != 'cli':
        faults += [
            f'line {node.lineno} prints, which only cli may do'
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == 'print'
        ]
    return faults


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_keeps_the_rules_of_its_room(path: Path):
    assert _faults(path, path.read_text(encoding='utf-8')) == []


@pytest.mark.parametrize(
    ('room', 'source'),
    [
        ('geometry', 'from r2rgen_ros.model.errors import R2RGenError'),
        ('model', 'from r2rgen_ros import bags'),
        ('parse', 'from ..generate import dataset'),
        ('bags', 'def late():\n    from .. import report'),
        ('parse', 'import rosbags.rosbag2'),
        ('generate', 'from matplotlib import pyplot'),
        ('report', 'import rich'),
        ('sense', "print('done')"),
    ],
)
def test_rules_of_the_rooms_are_noticed_when_broken(room: str, source: str):
    assert len(_faults(PACKAGE / room / 'module.py', source)) == 1


def test_every_room_is_known():
    folders = {path.parent.relative_to(PACKAGE).parts[0] for path in PACKAGE.glob('*/__init__.py')}
    assert folders <= set(ROOMS)


def test_every_source_file_names_its_licence():
    first = '# Copyright 2026 The r2rgen_ros authors\n# SPDX-License-Identifier: Apache-2.0\n'
    folders = ('r2rgen_ros', 'test', 'benchmarks', 'launch', 'scripts')
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob('*.py')]
    texts = {path.name: path.read_text(encoding='utf-8') for path in files}
    assert texts
    assert [name for name, text in texts.items() if not text.startswith(first)] == []


@pytest.fixture(scope='module')
def manifest() -> ET.Element:
    return ET.parse(REPOSITORY / 'package.xml').getroot()


def test_manifest_is_an_ament_python_package_of_format_3(manifest: ET.Element):
    assert manifest.get('format') == '3'
    assert manifest.findtext('name') == 'r2rgen_ros'
    assert manifest.findtext('license') == 'Apache-2.0'
    assert manifest.findtext('export/build_type') == 'ament_python'
    assert (REPOSITORY / 'resource' / 'r2rgen_ros').is_file()


def test_versions_agree(manifest: ET.Element):
    said_by_setup = subprocess.run(
        [sys.executable, 'setup.py', '--quiet', '--version'],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[-1]
    assert manifest.findtext('version') == r2rgen_ros.__version__ == said_by_setup


def test_scripts_are_installed_where_ros2_run_looks():
    config = configparser.ConfigParser()
    config.read(REPOSITORY / 'setup.cfg')
    assert config['install']['install_scripts'] == '$base/lib/r2rgen_ros'
    assert config['develop']['script_dir'] == '$base/lib/r2rgen_ros'


def test_lock_pins_every_line_and_names_no_index():
    lines = (REPOSITORY / 'requirements' / 'lock.txt').read_text(encoding='utf-8').splitlines()
    pins = [line for line in lines if line.strip() and not line.lstrip().startswith('#')]
    assert pins
    assert [line for line in pins if not re.match(r'[a-z0-9._-]+==[^ ]+( ; .+)?$', line)] == []


@pytest.fixture(scope='module')
def asked() -> dict[str, list[str]]:
    """What setup.py asks for: by extra, and under '' what is always needed."""
    tree = ast.parse((REPOSITORY / 'setup.py').read_text(encoding='utf-8'))
    extras = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == 'EXTRAS'
    )
    call = tree.body[-1].value
    core = next(ast.literal_eval(k.value) for k in call.keywords if k.arg == 'install_requires')
    return {'': core, **extras}


def test_lock_has_all_that_setup_asks_for(asked: dict[str, list[str]]):
    lock = (REPOSITORY / 'requirements' / 'lock.txt').read_text(encoding='utf-8')
    names = itertools.chain.from_iterable(asked.values())
    wanted = {re.split('[<>=]', name)[0].lower() for name in names}
    assert {name for name in wanted if f'\n{name}==' not in lock} == set()


# What a package of PyPI is called by rosdep, where that is not python3-NAME.
ROSDEP = {
    'pillow': 'python3-pil',
    'pin': 'pinocchio',
    'pycollada': 'python3-collada',
    'pytransform3d': 'python3-pytransform3d-pip',
    'pyyaml': 'python3-yaml',
    'rosbags': 'python3-rosbags-pip',
    'trimesh': 'python3-trimesh-pip',
}


def test_manifest_asks_for_all_that_setup_always_needs(
    manifest: ET.Element, asked: dict[str, list[str]]
):
    names = {re.split('[<>=]', name)[0] for name in asked['']}
    keys = {element.text for element in manifest.findall('exec_depend')}
    wanted = {ROSDEP.get(name, f'python3-{name}') for name in names}
    assert wanted - keys == set()
    assert set(ROSDEP) <= names


def test_what_reads_the_surface_of_the_robot_is_no_extra(asked: dict[str, list[str]]):
    for name in ('trimesh', 'pycollada'):
        assert [extra for extra, names in asked.items() if name in names] == ['']
