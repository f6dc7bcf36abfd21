# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip('threadpoolctl')
several = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason='one core has one thread')

PROGRAM = """
import {name}
import numpy
import threadpoolctl
print(max(each['num_threads'] for each in threadpoolctl.threadpool_info()))
"""


def threads_with(name, **chosen):
    """Threads of NumPy's linear algebra in a process that begins like an entry point."""
    environment = {key: value for key, value in os.environ.items() if 'NUM_THREADS' not in key}
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM.format(name=name)],
        env={**environment, **chosen},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.parametrize('name', ['r2rgen_ros.cli.main', 'r2rgen_ros.nodes', 'benchmarks'])
def test_entry_points_use_one_thread_for_linear_algebra(name):
    assert threads_with(name) == 1


@several
def test_what_somebody_has_said_of_threads_stands():
    assert threads_with('r2rgen_ros.cli.main', OPENBLAS_NUM_THREADS='2') == 2
    assert threads_with('r2rgen_ros.cli.main', OMP_NUM_THREADS='2') == 2


@several
def test_a_library_changes_nothing_of_who_imports_it():
    assert threads_with('r2rgen_ros') > 1
