# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of scale: that it notices what it looks for, and measures a small dataset."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip('ray')

from benchmarks.scale import Place, at_size, digest, workers_of


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp('scale'), 3)
    made.run('one', '--workers', '1')
    return made


def test_any_byte_that_differs_is_noticed_but_those_of_timings(place):
    one = digest(place.folder / 'one')
    assert any(name.startswith('shard_00000/') for name in one)
    timings = place.folder / 'one' / 'timings.jsonl'
    timings.write_text(timings.read_text() + 'x')
    assert digest(place.folder / 'one') == one
    left = place.folder / 'one' / '.left'
    left.touch()
    assert digest(place.folder / 'one') != one
    left.unlink()


def test_a_small_dataset_is_grown_and_timed(place):
    found = at_size(place, 1500)

    assert found['entries'] == 1500
    assert {'list_s', 'present_s', 'inspect_s', 'resume_s', 'resume_small_s', 'report_s'} < set(
        found
    )


def test_workers_are_told_from_other_processes():
    child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
    try:
        assert child.pid in workers_of(os.getpid(), is_local=True)
        assert child.pid not in workers_of(os.getpid(), is_local=False)
    finally:
        child.kill()
        child.communicate()
