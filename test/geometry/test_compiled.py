# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled code is kept, and never that of another source."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from r2rgen_ros.geometry import compiled as module

PACKAGE = Path(module.__file__).resolve().parent.parent
OUTER = """
from tiny.geometry.compiled import compiled
from tiny.geometry.inner import FACTOR, more

@compiled
def outer(x):
    return more(x) * FACTOR
"""
INNER = """
from tiny.geometry.compiled import compiled

FACTOR = 10

@compiled
def more(x):
    return x + 1
"""


class Tiny:
    """A package of two kernels, of which one calls the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.room = folder / 'tiny' / 'geometry'
        self.own = folder / 'tiny' / '__pycache__' / 'compiled'
        self.room.mkdir(parents=True)
        shutil.copy(Path(module.__file__), self.room)
        self.write(outer=OUTER, inner=INNER)

    def write(self, **sources: str) -> None:
        for name, source in sources.items():
            (self.room / f'{name}.py').write_text(source, encoding='utf-8')

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Call the outer kernel with 1 in a process of its own."""
        inherited = {k: v for k, v in os.environ.items() if k != 'NUMBA_CACHE_DIR'}
        out = subprocess.run(
            [sys.executable, '-B', '-c', 'from tiny.geometry.outer import outer; print(outer(1))'],
            cwd=self.folder, env={**inherited, **environment}, text=True, capture_output=True,
            timeout=400, check=False,
        )  # fmt: skip
        assert out.returncode == 0, out.stderr
        return out

    def kept(self) -> dict[Path, int]:
        """Files of compiled code, and when each was written."""
        return {path: path.stat().st_mtime_ns for path in self.own.rglob('*.nbc')}


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """Return a package of two kernels."""
    return Tiny(tmp_path)


def test_next_process_loads_what_was_compiled(tiny: Tiny):
    assert tiny.run().stdout == '20\n'
    before = tiny.kept()
    assert len(before) == 2
    assert tiny.run().stdout == '20\n'
    assert tiny.kept() == before


@pytest.mark.parametrize(
    ('old', 'new', 'result'), [('x + 1', 'x + 2', '30\n'), ('FACTOR = 10', 'FACTOR = 7', '14\n')]
)
def test_what_a_kernel_imports_may_change(tiny: Tiny, old: str, new: str, result: str):
    tiny.run()
    tiny.write(inner=INNER.replace(old, new))
    assert tiny.run().stdout == result


def test_what_it_does_not_import_is_nothing_to_it(tiny: Tiny):
    tiny.write(other='A = 1')
    tiny.run()
    before = tiny.kept()
    tiny.write(other='A = 2', outer=OUTER + '\n')
    tiny.run()
    after = tiny.kept()
    assert {path for path in before if 'inner' in path.name} <= set(after)
    assert len(after) == 3  # the outer one is another source now


def test_few_states_of_a_module_stay(tiny: Tiny):
    for number in range(6):
        tiny.write(inner=INNER.replace('10', str(number)))
        assert tiny.run().stdout == f'{2 * number}\n'
    assert len(list(tiny.own.glob('geometry.inner-*'))) == 3
    assert len(list(tiny.own.glob('geometry.outer-*'))) == 3


def test_package_that_cannot_be_written_in_keeps_it_in_the_users_cache(tiny: Tiny, tmp_path: Path):
    tiny.own.parent.mkdir()
    tiny.own.touch()  # to root, no folder is read-only
    out = tiny.run(XDG_CACHE_HOME=str(tmp_path / 'cache'))
    assert (out.stdout, out.stderr) == ('20\n', '')
    assert len(list((tmp_path / 'cache' / 'tiny' / 'compiled').rglob('*.nbc'))) == 2


def test_folder_that_is_named_keeps_it(tiny: Tiny, tmp_path: Path):
    tiny.run(NUMBA_CACHE_DIR=str(tmp_path / 'named'))
    assert len(list((tmp_path / 'named').rglob('*.nbc'))) == 2
    assert not tiny.own.exists()


def test_nowhere_to_keep_it_is_said_once_and_works(tiny: Tiny):
    out = tiny.run(NUMBA_CACHE_DIR='/proc/nowhere')
    assert out.stdout == '20\n'
    assert out.stderr.count('/proc/nowhere') == 1
    assert 'NUMBA_CACHE_DIR' in out.stderr


def test_setting_of_the_process_stays_as_it_was(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(numba.config, 'CACHE_DIR', 'somewhere')
    kernel = module.compiled(lambda x: x + 1)
    assert kernel(1) == 2
    assert numba.config.CACHE_DIR == 'somewhere'


def test_all_imports_of_this_package_are_found():
    for path in PACKAGE.rglob('*.py'):
        names = {
            f'{node.module}.{alias.name}'
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith('r2rgen_ros')
            for alias in node.names
        }
        files = {module._file(name) for name in names}
        files |= {module._file(name.rpartition('.')[0]) for name in names}
        assert files - {None} == module._imported(path), path
