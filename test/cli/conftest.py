# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Running the command, in this process and in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from r2rgen_ros.cli import console
from r2rgen_ros.cli.main import main
from r2rgen_ros.parse.cache import FOLDER


@dataclass(frozen=True)
class Result:
    """What a command left: status, output, errors."""

    status: int
    out: str
    err: str

    def is_refusal(self) -> bool:
        """Whether it ended with status 2, said why in one line, and nothing else went wrong."""
        assert self.status == 2, self
        assert 'Traceback' not in self.out + self.err, self
        assert len(self.err.splitlines()) == 1, self.err
        assert self.err.startswith('r2rgen'), self.err
        return True


@pytest.fixture
def r2rgen(capfd, monkeypatch):
    """Run the command in this process."""

    def run(*words) -> Result:
        # --json redirects text for the whole process; each call shall begin afresh.
        monkeypatch.setattr(console, '_terminal', console._Terminal())
        capfd.readouterr()
        try:
            status = main([str(word) for word in words])
        except SystemExit as stop:
            status = int(stop.code or 0)
        got = capfd.readouterr()
        return Result(status, got.out, got.err)

    return run


@pytest.fixture(scope='session')
def start(repository):
    """Start the command as a process of its own."""

    def run(*words, **options) -> subprocess.Popen:
        paths = [str(repository), os.environ.get('PYTHONPATH', '')]
        env = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))}
        pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, **options}
        command = [sys.executable, '-m', 'r2rgen_ros.cli.main', *map(str, words)]
        return subprocess.Popen(command, env=env, text=True, **pipes)

    return run


@pytest.fixture(scope='session')
def tree():
    """Everything below a folder but for kept scenes: path, time of change and bytes."""

    def read(folder: Path) -> dict[str, tuple[int, bytes]]:
        return {
            str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
            for path in sorted(folder.rglob('*'))
            if path.is_file() and FOLDER not in path.parts
        }

    return read
