# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a dataset keeps its episodes, and how it is listed."""

from __future__ import annotations

import os
import shutil
from dataclasses import astuple

import pytest

from r2rgen_ros.generate.dataset import FLAT_FORMAT, FORMAT, SHARD_SIZE, Dataset
from r2rgen_ros.generate.manifest import Entry, append_line, drop_cut_line, read_lines
from r2rgen_ros.generate.run import generate
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import temporary


@pytest.fixture
def dataset(tmp_path):
    made = Dataset.create(tmp_path / 'dataset', {'seed': 0})
    yield made
    made.unlock()


def _commit(dataset, index, accepted=True):
    bag = None
    if accepted:
        bag = dataset.pending / f'episode_{index:06d}'
        bag.mkdir(parents=True)
        (bag / 'file').write_text(str(index))
    dataset.commit(Entry(index, accepted, (None,)), bag, 0.0)


def test_episodes_lie_in_shards_that_the_manifest_names(dataset):
    wanted = {0: 'shard_00000', SHARD_SIZE - 1: 'shard_00000', SHARD_SIZE: 'shard_00001'}
    wanted[12_345_678] = 'shard_12345'
    for index in wanted:
        _commit(dataset, index)
        _commit(dataset, index + 1_000_000, accepted=False)

    for index, shard in wanted.items():
        assert dataset.episode(index).parent == dataset.folder / shard
        assert (dataset.episode(index) / 'file').read_text() == str(index)
    assert dataset.present() == set(wanted)
    text = (dataset.folder / 'manifest.jsonl').read_text()
    for index in wanted:
        assert f'"episode": "{dataset.place(index)}"' in text


def test_the_first_episode_is_found_though_attempts_were_rejected(dataset):
    assert dataset.first() is None
    _commit(dataset, 0, accepted=False)
    assert dataset.first() is None
    _commit(dataset, 1)
    _commit(dataset, 2)
    assert dataset.first() == dataset.episode(1)


def test_outcomes_are_the_entries_in_short(undisturbed):
    dataset = Dataset.open(undisturbed)

    entries, outcomes = list(dataset.entries()), list(dataset.outcomes())

    assert {entry.accepted for entry in entries} == {True, False}
    short = [(entry.index, entry.accepted, entry.frames, entry.reason) for entry in entries]
    assert [astuple(outcome) for outcome in outcomes] == short


def test_listing_opens_no_bag_and_notices_those_that_were_removed(dataset):
    for index in (0, 1, SHARD_SIZE + 2):
        _commit(dataset, index)
    shutil.rmtree(dataset.episode(1))

    assert [entry.index for entry in dataset.entries()] == [0, 1, SHARD_SIZE + 2]
    assert dataset.present() == {0, SHARD_SIZE + 2}


def _flattened(folder):
    """Turn a dataset into one of the layout without shards."""
    for bag in list(folder.glob('shard_*/*')):
        bag.rename(folder / bag.name)
    for shard in folder.glob('shard_*'):
        shard.rmdir()
    for name, old, new in (
        ('dataset.yaml', FORMAT, FLAT_FORMAT),
        ('manifest.jsonl', 'shard_00000/', ''),
    ):
        path = folder / name
        path.write_text(path.read_text().replace(old, new))


def test_a_dataset_without_shards_is_read_but_not_gone_on_with(table_job, undisturbed, tmp_path):
    flat = tmp_path / 'flat'
    shutil.copytree(undisturbed, flat)
    _flattened(flat)

    old, new = Dataset.open(flat), Dataset.open(undisturbed)
    assert list(old.entries()) == list(new.entries())
    assert old.present() == new.present()
    assert old.first() == flat / new.first().name
    with pytest.raises(R2RGenError, match=r'begun before datasets had shards.*a new folder'):
        generate(table_job, flat, 41, resume=True)


def test_a_dataset_that_was_being_made_when_its_process_was_killed_can_be_made(tmp_path):
    folder = tmp_path / 'dataset'
    child = os.fork()
    if not child:
        temporary(folder).mkdir()
        (temporary(folder) / 'dataset.yaml').write_text('half')
        os._exit(0)
    os.waitpid(child, 0)
    assert len(list(tmp_path.iterdir())) == 1

    Dataset.create(folder, {}).unlock()

    assert [path.name for path in tmp_path.iterdir()] == ['dataset']
    assert {path.name for path in folder.iterdir()} == {'dataset.yaml', 'manifest.jsonl'}


def test_a_resume_removes_files_that_killed_processes_were_writing(tmp_path):
    Dataset.create(tmp_path / 'dataset', {}).unlock()
    child = os.fork()
    if not child:
        temporary(tmp_path / 'dataset' / 'report.html').write_text('half')
        os._exit(0)
    os.waitpid(child, 0)
    mine = tmp_path / 'dataset' / f'.coverage.png.tmp-{os.getppid()}'
    mine.write_text('of a process that runs')

    Dataset.resume(tmp_path / 'dataset', {}).unlock()

    names = {path.name for path in (tmp_path / 'dataset').iterdir()}
    assert names == {'dataset.yaml', 'manifest.jsonl', mine.name}


def test_a_lock_is_waited_for_until_the_workers_of_a_killed_process_have_ended(tmp_path):
    folder = tmp_path / 'dataset'
    made = Dataset.create(folder, {})
    child = os.fork()
    if not child:  # has inherited the lock
        import time

        time.sleep(0.5)
        (tmp_path / 'ended').touch()
        os._exit(0)
    made._lock.drop()  # as if its process had been killed

    again = Dataset.resume(folder, {})

    assert (tmp_path / 'ended').exists()
    os.waitpid(child, 0)
    again.unlock()


def test_a_line_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / 'manifest.jsonl'
    append_line(path, 'one\n', durable=True)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, 'write', lambda handle, data: write(handle, data[:2]))
        with pytest.raises(OSError, match='space'):
            append_line(path, 'two\n', durable=True)

    assert path.read_text() == 'one\n'


@pytest.mark.parametrize('tail', ['', 'x', 'x' * 200_000])
@pytest.mark.parametrize('head', ['', 'one\n', 'one\n' + 'y' * 100_000 + '\n'])
def test_only_a_line_that_was_cut_short_is_dropped(tmp_path, head, tail):
    path = tmp_path / 'manifest.jsonl'
    path.write_text(head + tail)

    drop_cut_line(path)

    assert path.read_text() == head


def test_a_missing_manifest_is_told(tmp_path):
    with pytest.raises(R2RGenError, match=r'has no manifest\.jsonl'):
        list(read_lines(tmp_path / 'manifest.jsonl', Entry.from_line))
