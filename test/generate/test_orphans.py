# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process ends with the one that started it, also when that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

_CHILD = """
import os, signal, time
from r2rgen_ros.generate.orphans import end_with
parent = os.getpid()
if os.fork() == 0:
    end_with(parent + {off}, signal.SIGKILL)
    print(os.getpid(), flush=True)
    time.sleep(600)
os.wait()
"""


def _started(repository, off=0):
    return subprocess.Popen(
        [sys.executable, '-c', _CHILD.format(off=off)], stdout=subprocess.PIPE, text=True,
        cwd=repository,
    )  # fmt: skip


def test_a_killed_parent_takes_its_child_along(repository):
    with _started(repository) as parent:
        child = int(parent.stdout.readline())
        assert os.path.exists(f'/proc/{child}')  # noqa: PTH110
        os.kill(parent.pid, signal.SIGKILL)
        # Its end of the pipe is closed only when it is gone.
        assert parent.stdout.read() == ''


def test_a_parent_that_is_gone_already_is_noticed(repository):
    with _started(repository, off=1) as parent:
        assert parent.stdout.read() == ''
        assert parent.wait() == 0
