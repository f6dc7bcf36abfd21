# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of the virtual robot that tests share: each is made once per run of pytest."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def recorded(
    tmp_path_factory: pytest.TempPathFactory, task: str, make: Callable[[Path], None] | None = None
) -> Path:
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
            record(task, 0, folder) if make is None else make(folder)
    return folder


@pytest.fixture(scope='session')
def virtual_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bottle put onto the plate: a rosbag2 with its ground truth."""
    return recorded(tmp_path_factory, 'place-bottle')


@pytest.fixture(scope='session')
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bottle put onto the plate, small and at 5 Hz, for what shall be quick; without truth."""
    from r2rgen_ros.simulate import record

    def make(folder: Path) -> None:
        done = record.act('place-bottle', 0, camera_every=400)
        record.write(done, folder, options=record.Options(shrink=2, with_truth=False))

    return recorded(tmp_path_factory, 'place-bottle-small', make)


@pytest.fixture(scope='session')
def bridge_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bridge built: a rosbag2 with its ground truth."""
    return recorded(tmp_path_factory, 'build-bridge')
