# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import (
    as_is_or_below,
    inside,
    os_errors,
    require_new,
    write_bytes,
    write_text,
)


@pytest.fixture
def folder(tmp_path):
    """A folder with a neighbour, and links that stay inside and that leave."""
    here = tmp_path / 'here'
    (here / 'sub').mkdir(parents=True)
    (tmp_path / 'here2').mkdir()
    (here / 'sub' / 'mask.png').write_bytes(b'x')
    (here / 'out').symlink_to(tmp_path / 'here2')
    (here / 'in').symlink_to(here / 'sub')
    (here / 'circle').symlink_to(here / 'circle')
    return here


@pytest.mark.parametrize('name', ['sub/mask.png', 'new', 'sub/../new', 'in/mask.png', 'ä b.png'])
def test_names_below_a_folder_are_taken(folder, name):
    assert inside(folder, name) == folder / name


@pytest.mark.parametrize(
    'name',
    ['..', '../here2/x', '/etc/passwd', 'sub/../../here2', 'out/x', 'out', '../here/../x', 'a\0b'],
)
def test_names_that_lead_out_are_refused(folder, name):
    with pytest.raises(R2RGenError, match='below'):
        inside(folder, name)


def test_a_link_to_itself_leads_nowhere_or_stays_inside(folder):
    try:
        path = inside(folder, 'circle/x')  # Python 3.13 resolves it to itself
    except R2RGenError:
        return
    assert path == folder / 'circle' / 'x'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.text(alphabet=st.sampled_from('./ab\\~\0'), max_size=14))
def test_no_name_whatever_leads_out(tmp_path, name):
    try:
        path = inside(tmp_path, name)
    except R2RGenError:
        return
    assert Path(os.path.normpath(path)).is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ('name', 'found'),
    [
        ('only_below', 'here/only_below'),
        ('both', 'both'),
        ('neither', 'neither'),
        ('only_near', 'only_near'),
        ('deep/er', 'here/deep/er'),
    ],
)
def test_a_name_is_taken_as_it_is_unless_it_is_only_below_the_folder(
    tmp_path, monkeypatch, name, found
):
    for there in ('here/only_below', 'here/both', 'both', 'only_near', 'here/deep/er'):
        (tmp_path / there).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert as_is_or_below(Path('here'), name) == Path(found)
    assert as_is_or_below(tmp_path / 'here', name).absolute() == tmp_path / found
    assert as_is_or_below(Path('here'), str(tmp_path / name)) == tmp_path / name


def test_the_home_folder_may_be_written_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'bag').mkdir()
    assert as_is_or_below(tmp_path / 'demos', '~/bag') == tmp_path / 'bag'


def test_nothing_is_overwritten_unless_asked_for(tmp_path):
    target = tmp_path / 'deep' / 'note.txt'
    write_text(target, 'one ä\n')
    assert target.read_text(encoding='utf-8') == 'one ä\n'
    with pytest.raises(R2RGenError, match='exists already'):
        write_text(target, 'two')
    assert target.read_text(encoding='utf-8') == 'one ä\n'
    write_text(target, 'two', replace=True)
    assert target.read_text() == 'two'
    assert [path.name for path in target.parent.iterdir()] == ['note.txt']


def test_a_dangling_link_counts_as_being_there(tmp_path):
    link = tmp_path / 'link'
    link.symlink_to(tmp_path / 'gone')
    with pytest.raises(R2RGenError, match='exists already'):
        require_new(link)
    assert require_new(tmp_path / 'new') == tmp_path / 'new'


@pytest.mark.parametrize('step', ['fsync', 'replace'])
@pytest.mark.parametrize(
    ('number', 'words'),
    [
        (errno.ENOSPC, 'the disk is full'),
        (errno.EFBIG, 'the disk is full'),
        (errno.EIO, 'Input/output error'),
    ],
)
def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch, step, number, words):
    target = tmp_path / 'note.txt'
    write_text(target, 'old')

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*((os, 'fsync') if step == 'fsync' else (Path, 'replace')), fail)
    with pytest.raises(R2RGenError) as caught:
        write_text(target, 'new', replace=True)
    assert str(caught.value).startswith(f'cannot write {target}: {words}')
    assert target.read_text() == 'old'
    assert [path.name for path in tmp_path.iterdir()] == ['note.txt']


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'fsync', interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / 'a', b'a')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full on this system')
def test_a_disk_that_really_is_full_is_one_line():
    with (
        pytest.raises(R2RGenError) as caught,
        os_errors('cannot write it'),
        Path('/dev/full').open('wb', buffering=0) as full,
    ):
        full.write(b'x')
    assert str(caught.value) == (
        'cannot write it: the disk is full; to fix: free some space and run again'
    )


def test_a_file_in_the_way_of_a_folder_is_one_line(tmp_path):
    (tmp_path / 'file').write_text('x')
    with pytest.raises(R2RGenError, match='cannot write'):
        write_text(tmp_path / 'file' / 'below', 'y')


def test_other_errors_pass_through():
    with pytest.raises(ZeroDivisionError), os_errors('cannot'):
        raise ZeroDivisionError
