# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Locks: one holder, or several that share, and none after a death."""

from __future__ import annotations

import os
import signal

import pytest

from r2rgen_ros.model.locks import FileLock


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'lock'


def test_one_holds_it_at_a_time(path):
    first, second = FileLock(path), FileLock(path)

    assert first.take()
    assert not second.take(wait_s=0.05)
    first.drop()
    assert second.take()
    assert (first.is_held, second.is_held) == (False, True)
    second.drop()


def test_several_share_it_and_nobody_else_gets_it(path):
    first, second, third = FileLock(path), FileLock(path), FileLock(path)

    assert first.take(shared=True)
    assert second.take(shared=True)
    assert not third.take()
    first.drop()
    second.drop()
    assert third.take()
    assert not first.take(shared=True)
    third.drop()


def test_whoever_waited_for_a_removed_lock_gets_one_that_locks(path):
    first, second, third = FileLock(path), FileLock(path), FileLock(path)
    assert first.take()
    second._handle = os.open(path, os.O_RDWR)  # it has opened the file, and waits

    first.remove()

    assert not second.take()  # the file that it had opened is no more
    assert second.take()
    assert not third.take()
    second.remove()
    assert not path.exists()


def test_a_kill_frees_it(path):
    child = os.fork()
    if not child:
        FileLock(path).take()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)

    lock = FileLock(path)

    assert lock.take()
    lock.drop()
