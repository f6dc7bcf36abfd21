# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Datasets: the same bytes whoever makes them, nothing changed once it is written."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.generate.config import (
    CameraConfig,
    DockingConfig,
    FeasibilityConfig,
    GenerateConfig,
    MoveRange,
    OutputConfig,
    SamplingConfig,
)
from r2rgen_ros.generate.dataset import Dataset, fingerprint
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.manifest import Entry
from r2rgen_ros.generate.run import InterruptedGenerationError, generate, has_idle_core
from r2rgen_ros.generate.session import find_annotation, reopen
from r2rgen_ros.model.episode import PlanarMove
from r2rgen_ros.model.errors import R2RGenError

CONFIG = GenerateConfig(
    SamplingConfig(ranges=MoveRange((-0.3, 0.3), (-0.3, 0.3), (-90.0, 90.0)), learn=False),
    camera=CameraConfig(mode='off'),
)


@pytest.fixture(scope='module')
def job(table_demo):
    return Job.prepare(table_demo, *find_annotation(table_demo), CONFIG, seed=3)


def _entries(folder):
    return list(Dataset.open(folder).entries())


@pytest.fixture(scope='module')
def dataset(job, tmp_path_factory):
    """A dataset of 12 episodes, made in one go by one worker; do not change it."""
    folder = tmp_path_factory.mktemp('run') / 'dataset'
    status = generate(job, folder, 12)
    assert status.accepted == 12
    return folder


def test_every_attempt_is_accounted_for(dataset, job, tmp_path):
    lines = [json.loads(line) for line in (dataset / 'manifest.jsonl').read_text().splitlines()]

    assert [line['index'] for line in lines] == list(range(len(lines)))
    accepted = [line for line in lines if line['accepted']]
    assert len(accepted) == 12
    assert lines[-1]['accepted']
    bags = {str(path.relative_to(dataset)) for path in dataset.glob('*/*') if path.is_dir()}
    assert bags == {line['episode'] for line in accepted}
    rejected = [line for line in lines if not line['accepted']]
    assert rejected
    for line in rejected:
        assert line['reason'] in {'overlap', 'off_support'}
        assert line['detail']
        assert len(line['moves']) == 2
    timed = (dataset / 'timings.jsonl').read_text().splitlines()
    assert [json.loads(line)['index'] for line in timed] == list(range(len(lines)))


def test_two_workers_write_the_same_bytes_as_one(dataset, job, tmp_path, content):
    generate(job, tmp_path / 'two', 12, workers=2)

    assert content(tmp_path / 'two') == content(dataset)


def _twin(dataset, bag):
    """The episode of another dataset that was made in the same attempt."""
    return dataset / bag.parent.name / bag.name


@pytest.mark.parametrize('kind', ['lz4', 'zstd'])
def test_compressed_episodes_hold_the_same_messages(dataset, table_demo, tmp_path, content, kind):
    config = replace(
        CONFIG, output=OutputConfig(compression=kind, compression_level=3, chunk_mib=2)
    )
    job = Job.prepare(table_demo, *find_annotation(table_demo), config, seed=3)
    for workers in (1, 2):
        generate(job, tmp_path / str(workers), 3, workers=workers)

    assert content(tmp_path / '1') == content(tmp_path / '2')
    for bag in sorted((tmp_path / '1').glob('shard_*/episode_*')):
        with BagReader(bag) as packed, BagReader(_twin(dataset, bag)) as plain:
            assert list(packed.messages()) == list(plain.messages())
        small, large = (
            (path / f'{bag.name}.mcap').stat().st_size for path in (bag, _twin(dataset, bag))
        )
        assert small < 0.9 * large


def test_an_idle_core_is_one_that_no_worker_needs():
    cores = len(os.sched_getaffinity(0))
    assert not has_idle_core(cores)
    assert has_idle_core(cores - 1)


def test_docking_errors_are_the_same_whoever_makes_the_attempts(table_demo, tmp_path, content):
    sampling = replace(CONFIG.sampling, docking=DockingConfig('normal', 0.03, 3.0))
    config = replace(CONFIG, sampling=sampling)
    docked = Job.prepare(table_demo, *find_annotation(table_demo), config, seed=3)
    generate(docked, tmp_path / 'one', 4)
    generate(docked, tmp_path / 'two', 4, workers=2)

    assert content(tmp_path / 'one') == content(tmp_path / 'two')
    entries = _entries(tmp_path / 'one')
    errors = {entry.docking for entry in entries}
    assert len(errors) == len(entries)
    assert all(entry.base == entry.docking for entry in entries)  # nothing else moves the base


def test_another_seed_writes_others(dataset, job, tmp_path):
    other = replace(job, seed=4, info={**job.info, 'seed': 4})
    generate(other, tmp_path / 'other', 2)

    assert [e.moves for e in _entries(tmp_path / 'other')] != [e.moves for e in _entries(dataset)]


@pytest.mark.parametrize('workers', [1, 2])
def test_an_interrupted_generation_goes_on_as_if_nothing_had_been(
    dataset, job, tmp_path, workers, content
):
    folder = tmp_path / 'dataset'

    def stop(status):
        if status.accepted == 5:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedGenerationError, match='after 5 of 12') as stopped:
        generate(job, folder, 12, workers=workers, progress=stop)
    assert stopped.value.status.accepted == 5
    assert {p.name for p in folder.iterdir() if p.name.startswith('.')} == set()
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob('*.mcap')}
    assert len(before) == 5

    generate(job, folder, 12, workers=workers, resume=True)

    assert content(folder) == content(dataset)
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in before} == before


def test_more_episodes_can_be_asked_for_later(dataset, job, tmp_path, content):
    folder = tmp_path / 'dataset'
    generate(job, folder, 4)
    before = content(folder)
    generate(job, folder, 12, resume=True)

    after = content(folder)

    assert after == content(dataset)
    assert after['manifest.jsonl'].startswith(before.pop('manifest.jsonl'))
    assert {name: after[name] for name in before} == before


def test_a_resume_with_nothing_to_do_changes_nothing(job, tmp_path):
    folder = tmp_path / 'dataset'
    generate(job, folder, 2)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob('*') if p.is_file()}

    assert generate(job, folder, 2, resume=True).accepted == 2

    assert {p: p.stat().st_mtime_ns for p in folder.rglob('*') if p.is_file()} == before


@pytest.mark.parametrize('crash', ['line cut short', 'bag without line', 'pending bag'])
def test_what_a_crash_leaves_is_put_right(dataset, job, tmp_path, crash, content):
    folder = tmp_path / 'dataset'
    generate(job, folder, 6)
    manifest = folder / 'manifest.jsonl'
    lines = manifest.read_bytes().splitlines(keepends=True)
    if crash == 'line cut short':
        manifest.write_bytes(b''.join(lines[:-1]) + lines[-1][:40])
    elif crash == 'bag without line':
        manifest.write_bytes(b''.join(lines[:-1]))
    else:
        (folder / '.pending-4242' / 'episode_000099').mkdir(parents=True)
        (folder / '.pending-4242' / 'episode_000099' / 'x.mcap').write_bytes(b'half')

    generate(job, folder, 12, resume=True)

    assert content(folder) == content(dataset)


def _changed(job, key, value):
    return replace(job, info={**job.info, key: value})


@pytest.mark.parametrize(
    ('key', 'change'),
    [
        ('seed', lambda info: 99),
        ('config', lambda info: replace(CONFIG, camera=CameraConfig()).to_data()),
        ('annotation', lambda info: {**info['annotation'], 'frames': 999}),
        ('source', lambda info: {**info['source'], 'fingerprint': 'another'}),
        ('versions', lambda info: {**info['versions'], 'r2rgen_ros': '0.0.0'}),
    ],
)
def test_a_dataset_goes_on_only_with_what_it_was_begun_with(job, tmp_path, key, change, content):
    folder = tmp_path / 'dataset'
    generate(job, folder, 1)
    before = content(folder)

    with pytest.raises(R2RGenError, match=f'another {key}'):
        generate(_changed(job, key, change(job.info)), folder, 3, resume=True)

    assert content(folder) == before


def test_only_one_process_works_on_a_dataset(job, tmp_path, content):
    folder = tmp_path / 'dataset'
    generate(job, folder, 1)
    info = dict(Dataset.open(folder).info)
    info.pop('format')
    first = Dataset.resume(folder, info)
    before = content(folder)
    try:
        with pytest.raises(R2RGenError, match='another process'):
            generate(job, folder, 3, resume=True)
    finally:
        first.unlock()

    assert content(folder) == before
    assert generate(job, folder, 3, resume=True).accepted == 3


def test_a_folder_that_exists_is_left_alone(job, tmp_path):
    (tmp_path / 'kept').write_text('mine')

    with pytest.raises(R2RGenError, match='exists already'):
        generate(job, tmp_path, 1)

    assert [p.name for p in tmp_path.iterdir()] == ['kept']


def test_resume_needs_a_dataset(job, tmp_path):
    with pytest.raises(R2RGenError, match='nothing'):
        generate(job, tmp_path / 'nothing', 1, resume=True)

    assert not (tmp_path / 'nothing').exists()


def test_a_damaged_manifest_is_told_by_its_line(job, tmp_path):
    folder = tmp_path / 'dataset'
    generate(job, folder, 3)
    manifest = folder / 'manifest.jsonl'
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text(lines[0] + '{"index": \n' + ''.join(lines[2:]))

    with pytest.raises(R2RGenError, match='line 2'):
        generate(job, folder, 4, resume=True)

    manifest.write_text(''.join(lines[1:]))
    with pytest.raises(R2RGenError, match='lacks attempt 0'):
        generate(job, folder, 4, resume=True)


def test_attempts_run_out_and_say_why(job, tmp_path):
    far = SamplingConfig(ranges=MoveRange((2.0, 3.0), (2.0, 3.0), (0.0, 0.0)))
    config = replace(CONFIG, sampling=far, feasibility=FeasibilityConfig(attempts_per_episode=7))
    impossible = replace(job, config=config, info={**job.info, 'config': config.to_data()})

    status = generate(impossible, tmp_path / 'none', 2)

    assert (status.accepted, status.attempts, status.reasons) == (0, 14, {'off_support': 14})
    assert not list((tmp_path / 'none').glob('shard_*/episode_*'))
    assert len(_entries(tmp_path / 'none')) == 14


@pytest.mark.parametrize(
    ('count', 'workers'), [(0, 1), (-3, 1), (1, 0), (1, -2), (10**9, 1), (1, 10**6)]
)
def test_counts_that_make_no_sense_are_refused_before_anything_is_written(
    job, tmp_path, count, workers
):
    with pytest.raises(R2RGenError, match='number of'):
        generate(job, tmp_path / 'dataset', count, workers=workers)

    assert not (tmp_path / 'dataset').exists()


@pytest.mark.parametrize('seed', [-1, 2**64])
def test_seeds_that_make_no_sense_are_refused(table_demo, seed):
    with pytest.raises(R2RGenError, match='seed'):
        Job.prepare(table_demo, *find_annotation(table_demo), CONFIG, seed)


def test_an_episode_is_a_recording_like_its_source(dataset, table_demo):
    def topics(bag):
        with BagReader(bag) as reader:
            return {topic.name: (topic.type, topic.qos) for topic in reader.topics}

    source = topics(table_demo)
    for entry in [e for e in _entries(dataset) if e.accepted][:2]:
        bag = Dataset.open(dataset).episode(entry.index)
        made = topics(bag)
        own = {name for name in made if name.startswith('/r2rgen/')}
        assert own == {'/r2rgen/end_effector_path', '/r2rgen/labelled_points'}
        assert {name: kind for name, kind in made.items() if name not in own} == source
        demo = load_demo(bag)
        assert len(demo) == entry.frames
        assert demo.base_frame == load_demo(table_demo).base_frame


def test_a_bag_says_where_it_comes_from(dataset, table_demo):
    entry = next(e for e in _entries(dataset) if e.accepted)

    with BagReader(Dataset.open(dataset).episode(entry.index)) as reader:
        said = reader.custom_data

    assert said['r2rgen.source'] == table_demo.name
    assert said['r2rgen.source_fingerprint'] == fingerprint(table_demo)
    assert (said['r2rgen.seed'], said['r2rgen.index']) == ('3', str(entry.index))
    assert Entry.from_line(said['r2rgen.variation']) == entry


def test_an_episode_is_itself_a_source(dataset, tmp_path):
    entry = next(e for e in _entries(dataset) if e.accepted)
    bag = Dataset.open(dataset).episode(entry.index)

    again = load_demo(bag)

    assert again.arms[0].end_effector == 'tcp'
    assert len(np.unique(again.arms[0].gripper)) == 2


def test_a_dataset_finds_its_source_again(dataset, job):
    scene, config = reopen(Dataset.open(dataset))

    assert config == CONFIG
    assert scene.annotation.skills == job.scene.annotation.skills
    np.testing.assert_array_equal(scene.demo.stamps, job.scene.demo.stamps)


def test_entries_read_back_as_they_were_written():
    moves = (PlanarMove(0.1, -0.2, 1 / 3), None)
    for entry in (
        Entry(3, True, moves, PlanarMove(1e-17, 0, 0), frames=12),
        Entry(4, False, moves, reason='overlap', detail='„a“ and "b"', frame=7, amount=0.25),
        Entry(5, True, moves, frames=12, docking=PlanarMove(0.01, 0.0, -0.1), unseen=0.125),
    ):
        line = entry.to_line()
        assert line.count('\n') == 1
        assert Entry.from_line(line) == entry
