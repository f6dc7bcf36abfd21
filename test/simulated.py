# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of the virtual robot that tests share: each is made once per run of pytest."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def recorded(tmp_path_factory: pytest.TempPathFactory, task: str) -> Path:
    """Folder of a task's recording with seed 0; whoever comes first makes it."""
    from r2rgen_ros.simulate.record import record

    root = tmp_path_factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ:
        root = root.parent
    folder = root / 'virtual' / task.replace('-', '_')
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f'{task}.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            record(task, 0, folder)
    return folder


@pytest.fixture(scope='session')
def virtual_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bottle put onto the plate: a rosbag2 with its ground truth."""
    return recorded(tmp_path_factory, 'place-bottle')


@pytest.fixture(scope='session')
def bridge_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bridge built: a rosbag2 with its ground truth."""
    return recorded(tmp_path_factory, 'build-bridge')
