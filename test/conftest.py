# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every test may ask for."""

from __future__ import annotations

import fcntl
import itertools
import os
import signal
import sys
import tempfile
from importlib import util
from pathlib import Path

import pytest
from hypothesis import settings

from r2rgen_ros.model.threads import one_thread_for_algebra

# Before anything imports NumPy.
one_thread_for_algebra()

# What is started in the background of a shell ignores Ctrl-C, and so would all its children.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A test never asserts times: a busy machine is slow.
settings.register_profile('untimed', deadline=None)
settings.load_profile('untimed')


def _module(name):
    """A module of this folder; the import mode importlib puts none of them on the path."""
    spec = util.spec_from_file_location(name, Path(__file__).with_name(f'{name}.py'))
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_simulated = _module('simulated')
_tabletop = _module('tabletop')
virtual_demo = _simulated.virtual_demo
bridge_demo = _simulated.bridge_demo
small_demo = _simulated.small_demo

# 0 is everybody's domain, and above 101 the ports may be taken. One after another: ports of a test
# that has just ended are free only after a while.
_DOMAINS = itertools.cycle(range(1, 101))

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='session')
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture(scope='session')
def data_dir() -> Path:
    """The folder of real recordings: R2RGEN_DATA, else ../shared/data; skips where it is absent."""
    folder = Path(os.environ.get('R2RGEN_DATA') or REPOSITORY.parent / 'shared' / 'data')
    if not folder.is_dir():
        pytest.skip(f'no real recordings at {folder}; R2RGEN_DATA may name their folder')
    return folder


@pytest.fixture(scope='session')
def tabletop():
    """The module that records blocks moved about a table."""
    return _tabletop


@pytest.fixture(scope='session')
def table_demo(tmp_path_factory):
    """A block put onto a plate: an annotated bag of small clouds, made once; do not change it."""
    return _tabletop.record(tmp_path_factory.mktemp('table') / 'demo')


@pytest.fixture
def domain():
    """A DDS domain that no other test uses, in this run or in one beside it."""
    folder = Path(tempfile.gettempdir()) / 'r2rgen_ros_domains'
    folder.mkdir(exist_ok=True)
    for number in itertools.islice(_DOMAINS, 100):
        with (folder / str(number)).open('w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield number
            return
    pytest.fail('all DDS domains are in use')
