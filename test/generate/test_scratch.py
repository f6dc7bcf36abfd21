# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scratch folders: filled once, shared, and gone when nobody holds them."""

from __future__ import annotations

import os
import signal
import tempfile

import pytest

from r2rgen_ros.bags.failures import DiskFullError
from r2rgen_ros.generate import scratch
from r2rgen_ros.generate.scratch import Scratch
from r2rgen_ros.model.errors import R2RGenError


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    return scratch.scratch_root()


@pytest.mark.parametrize('kind', ['a link', 'open to all', 'a file'])
def test_a_folder_that_others_could_change_is_refused_and_left_alone(root, tmp_path, kind):
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    (elsewhere / 'a.lock').write_text('')
    (elsewhere / 'a').mkdir()
    if kind == 'a link':
        root.symlink_to(elsewhere)
    elif kind == 'open to all':
        elsewhere.rename(root)
        root.chmod(0o777)
    else:
        root.write_text('')

    scratch.remove_leftovers()
    with pytest.raises(R2RGenError, match=str(root)):
        Scratch('b')

    if kind != 'a file':
        assert sorted(path.name for path in root.iterdir()) == ['a', 'a.lock']


def test_a_folder_is_filled_once_and_shared(root):
    filled = []

    def fill(folder):
        filled.append(folder)
        (folder / 'file').write_text('x')

    first = Scratch('a', fill)
    second = Scratch('a', fill)

    assert len(filled) == 1
    assert (second.path / 'file').read_text() == 'x'
    scratch.remove_leftovers()
    first.close()
    assert second.path.is_dir()  # somebody still holds it
    second.close()
    assert not list(root.iterdir())


@pytest.mark.parametrize('is_filled', [True, False])
def test_what_a_killed_process_has_left_is_removed(root, is_filled):
    def fill(folder):
        (folder / 'file').write_text('half')
        if not is_filled:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        Scratch('a', fill)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(list(root.iterdir())) == 2

    with Scratch('b') as kept:
        scratch.remove_leftovers()
        assert {path.name for path in root.iterdir()} == {'b', 'b.lock'}
        assert kept.is_dir()

    assert not list(root.iterdir())


def test_many_at_once_fill_it_once(root):
    children = []
    for _ in range(8):
        child = os.fork()
        if not child:
            with (
                Scratch('a', lambda folder: (folder / str(os.getpid())).touch()) as folder,
                (root / 'seen').open('a') as seen,
            ):
                seen.write(f'{len(list(folder.iterdir()))}\n')
            os._exit(0)
        children.append(child)

    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8

    assert (root / 'seen').read_text().split() == ['1'] * 8
    assert {path.name for path in root.iterdir()} == {'seen'}


def test_a_full_disk_is_told_and_the_next_one_can_begin(root):
    def fail(folder):
        raise OSError(28, 'No space left on device')

    with pytest.raises(DiskFullError):
        Scratch('a', fail)

    with Scratch('a') as folder:
        assert not list(folder.iterdir())
