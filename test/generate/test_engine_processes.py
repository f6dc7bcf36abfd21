# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Worker processes that are killed: nothing is lost, nothing is double."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from r2rgen_ros.generate.engine import TRIES
from r2rgen_ros.generate.engine_processes import Processes
from r2rgen_ros.generate.run import generate
from r2rgen_ros.model.errors import R2RGenError


def _workers():
    """Numbers of the processes that this one has forked and that still run."""
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, parent = stat.read_text().rpartition(')')[2].split()[:2]
            if int(parent) == os.getpid() and state != 'Z':
                found.append(int(stat.parent.name))
    return found


def test_attempts_of_killed_workers_are_made_again(table_job, undisturbed, tmp_path, content):
    before, killed = set(_workers()), []

    def kill_one(status):
        mine = sorted(set(_workers()) - before)
        if status.attempts % 9 == 4 and mine:
            killed.append(mine[status.attempts % len(mine)])
            os.kill(killed[-1], signal.SIGKILL)

    generate(table_job, tmp_path / 'dataset', 40, workers=2, progress=kill_one)

    assert len(killed) > TRIES  # only those in a row count
    assert content(tmp_path / 'dataset') == content(undisturbed)
    assert set(_workers()) <= before


class _Deadly:
    """A maker whose worker dies of one attempt."""

    def __init__(self, maker, index):
        self.maker, self.index = maker, index

    def attempt(self, index, pending):
        if index == self.index:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.maker.attempt(index, pending)


class _DeadlyProcesses(Processes):
    """Processes in which an attempt is the death of each worker."""

    def results(self, maker, pending, indices):
        return super().results(_Deadly(maker, 7), pending, indices)


def test_an_attempt_that_kills_every_worker_is_given_up_and_the_dataset_resumes(
    table_job, undisturbed, tmp_path, content
):
    folder, heard = tmp_path / 'dataset', []

    with pytest.raises(R2RGenError, match=f'died {TRIES} times in a row at attempt 7 .*--resume'):
        generate(table_job, folder, 40, engine=_DeadlyProcesses(2), progress=heard.append)

    assert heard[-1].attempts == 7  # all before it are there
    assert not [path for path in folder.iterdir() if path.name.startswith('.')]
    generate(table_job, folder, 40, workers=2, resume=True)
    assert content(folder) == content(undisturbed)


def test_a_bag_that_was_whole_when_its_worker_was_killed_is_made_again(
    table_job, undisturbed, tmp_path, content
):
    marks = tmp_path / 'marks'
    marks.mkdir()

    class _Mute(_Deadly):
        """Dies when the bag is written, but nobody has been told."""

        def attempt(self, index, pending):
            result = self.maker.attempt(index, pending)
            if result[1] is not None and len(list(marks.iterdir())) < TRIES - 1:
                (marks / str(len(list(marks.iterdir())))).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return result

    class _MuteProcesses(Processes):
        def results(self, maker, pending, indices):
            return super().results(_Mute(maker, 0), pending, indices)

    generate(table_job, tmp_path / 'dataset', 40, engine=_MuteProcesses(1))

    assert len(list(marks.iterdir())) == TRIES - 1
    assert content(tmp_path / 'dataset') == content(undisturbed)
