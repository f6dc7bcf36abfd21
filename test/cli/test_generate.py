# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Generating as a person does: killed, stopped, resumed, twice at once, in vain."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CONFIG = """\
format: r2rgen/generate/1
sampling: {ranges: {x_m: [-0.3, 0.3], y_m: [-0.3, 0.3], yaw_deg: [-90, 90]}}
camera: {mode: off}
"""
COUNT = 50
TIMINGS = {'timings.jsonl', '.lock'}


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    file = tmp_path_factory.mktemp('config') / 'generate.yaml'
    file.write_text(CONFIG)
    return file


@pytest.fixture(scope='module')
def words(table_demo, config):
    return ('generate', table_demo, '-n', COUNT, '--seed', '5', '--config', config, '--no-report')


@pytest.fixture(scope='module')
def whole(start, words, tmp_path_factory):
    """The dataset of an uninterrupted run with one worker; do not change it."""
    out = tmp_path_factory.mktemp('whole') / 'out'
    process = start(*words, '-o', out, '--workers', '1')
    text, err = process.communicate(timeout=400)
    assert process.returncode == 0, text + err
    return out


def _bytes(tree, folder):
    return {name: data for name, (_, data) in tree(folder).items() if name not in TIMINGS}


def _wait_for_episodes(process, out, wanted=5):
    end = time.monotonic() + 400
    while len(list(out.glob('shard_*/episode_*'))) < wanted:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def _interrupt(process, out, number, wanted=5):
    """Wait until some episodes are there, then send a signal."""
    _wait_for_episodes(process, out, wanted)
    process.send_signal(number)
    out_text, err = process.communicate(timeout=400)
    have = len(list(out.glob('shard_*/episode_*')))
    assert wanted <= have < COUNT
    return out_text, err


@pytest.mark.parametrize('how', ['--workers 1', '--workers 2', '--engine ray --workers 2'])
def test_after_a_kill_the_dataset_is_resumed_to_the_same_bytes(
    start, r2rgen, words, whole, tree, tmp_path, how
):
    if 'ray' in how:
        pytest.importorskip('ray')
    out = tmp_path / 'out'
    process = start(*words, '-o', out, *how.split())
    _interrupt(process, out, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    before = {k: v for k, v in tree(out).items() if k.startswith('shard_')}
    manifest = (out / 'manifest.jsonl').read_bytes()

    result = r2rgen(*words, '-o', out, '--workers', '2', '--resume')

    assert result.status == 0, result
    after = tree(out)
    assert {name: after[name] for name in before} == before
    whole_lines = manifest[: manifest.rfind(b'\n') + 1]
    assert (out / 'manifest.jsonl').read_bytes().startswith(whole_lines)
    assert _bytes(tree, out) == _bytes(tree, whole)


@pytest.mark.parametrize('how', ['--workers 1', '--workers 2', '--engine ray --workers 2'])
def test_ctrl_c_leaves_a_dataset_that_resumes(start, r2rgen, words, whole, tree, tmp_path, how):
    if 'ray' in how:
        pytest.importorskip('ray')
    out = tmp_path / 'out'
    process = start(*words, '-o', out, *how.split())
    _, err = _interrupt(process, out, signal.SIGINT)

    assert process.returncode == 130
    assert len(err.splitlines()) == 1, err
    assert '--resume' in err
    assert not list(out.glob('.*'))

    assert r2rgen(*words, '-o', out, '--workers', '2', '--resume').status == 0
    assert _bytes(tree, out) == _bytes(tree, whole)


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (('--address', 'localhost:1'), '--engine ray'),
        (('--engine', 'ray', '--address', 'nowhere'), 'expected HOST:PORT'),
        (('--engine', 'ray', '--address', '127.0.0.1:1'), 'no cluster answers'),
        (('--engine', 'ray', '--workers', '0'), 'number of workers'),
    ],
)
def test_engines_that_cannot_be_are_refused_before_anything_is_written(
    r2rgen, words, tmp_path, options, said
):
    if '--engine' in options:
        pytest.importorskip('ray')

    result = r2rgen(*words, '-o', tmp_path / 'out', *options)

    assert result.is_refusal()
    assert said in result.err
    assert not list(tmp_path.iterdir())


def test_without_ray_the_engine_says_what_to_install(r2rgen, words, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    monkeypatch.delitem(sys.modules, 'r2rgen_ros.generate.engine_ray', raising=False)

    result = r2rgen(*words, '-o', tmp_path / 'out', '--engine', 'ray')

    assert result.is_refusal()
    assert 'pip install ray' in result.err
    assert not list(tmp_path.iterdir())


def _workers(process):
    """Numbers of the processes that a process has started."""
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if int(stat.read_text().rpartition(')')[2].split()[1]) == process.pid:
                found.append(int(stat.parent.name))
    return found


def _send_all(processes, number):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def test_a_second_ctrl_c_does_not_wait_for_the_workers(start, r2rgen, words, whole, tree, tmp_path):
    out = tmp_path / 'out'
    process = start(*words, '-o', out, '--workers', '2')
    _wait_for_episodes(process, out)
    workers = _workers(process)
    assert len(workers) == 2
    _send_all(workers, signal.SIGSTOP)  # their attempts never end
    try:
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=400)
    finally:
        process.kill()
        _send_all(workers, signal.SIGKILL)

    assert process.returncode == 130
    assert len(err.splitlines()) == 1, err
    assert '--resume' in err
    assert not list(out.glob('.*'))
    assert not any(Path('/proc', str(worker)).exists() for worker in workers)

    assert r2rgen(*words, '-o', out, '--workers', '2', '--resume').status == 0
    assert _bytes(tree, out) == _bytes(tree, whole)


def test_two_processes_do_not_share_a_dataset(start, r2rgen, words, tmp_path):
    out = tmp_path / 'out'
    process = start(*words, '-o', out, '--workers', '1')
    end = time.monotonic() + 400
    while not list(out.glob('shard_*/episode_*')):
        assert time.monotonic() < end
        time.sleep(0.005)
    process.send_signal(signal.SIGSTOP)
    try:
        assert len(list(out.glob('shard_*/episode_*'))) < COUNT
        result = r2rgen(*words, '-o', out, '--workers', '1', '--resume')
        assert result.is_refusal()
        assert 'another process' in result.err
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=400)
    assert process.returncode == 130


@pytest.mark.parametrize('change', ['seed', 'config', 'annotation'])
def test_a_dataset_is_not_resumed_with_something_else(
    r2rgen, tabletop, config, tmp_path, tree, change
):
    demo, out, own = tabletop.record(tmp_path / 'demo'), tmp_path / 'out', tmp_path / 'own.yaml'
    own.write_text(CONFIG)
    words = ['generate', demo, '-o', out, '-n', '1', '--no-report', '--workers', '1']
    words += ['--config', own]
    assert r2rgen(*words).status == 0
    before = tree(out)
    if change == 'seed':
        words += ['--seed', '9']
    elif change == 'config':
        own.write_text(CONFIG + 'motion: {max_speed_m_s: 0.2}\n')
    else:
        note = demo / 'annotation.yaml'
        assert 'last: 32' in note.read_text()
        note.write_text(note.read_text().replace('last: 32', 'last: 31'))

    result = r2rgen(*words, '--resume')

    assert result.is_refusal()
    assert f'another {change}' in result.err
    assert tree(out) == before


GIVEN = """\
format: r2rgen/generate/1
sampling: {mode: given, given: [{pick red: {x_m: 0.01}}, {pick red: {x_m: 0.02}}]}
perturbation: {count: 1}
"""


@pytest.mark.parametrize(('count', 'is_noted'), [(2, False), (3, True)])
def test_a_person_is_told_when_the_given_moves_do_not_suffice(
    r2rgen, table_demo, tmp_path, count, is_noted
):
    file = tmp_path / 'given.yaml'
    file.write_text(GIVEN)
    words = ('generate', table_demo, '-o', tmp_path / 'out', '-n', count, '--config', file)

    result = r2rgen(*words, '--workers', '1', '--no-report')

    assert result.status == 0, result
    assert ('note: the mode "given" gives no new' in result.out) == is_noted
    assert f'{count} of {count} attempts accepted' in result.out


def test_ranges_that_nothing_fits_give_a_report_that_says_why(r2rgen, table_demo, tmp_path):
    config = tmp_path / 'far.yaml'
    config.write_text(
        'format: r2rgen/generate/1\nsampling: {ranges: {x_m: [2, 3], y_m: [2, 3]}}\n'
        'feasibility: {attempts_per_episode: 4}\n'
    )
    out = tmp_path / 'out'

    result = r2rgen('generate', table_demo, '-o', out, '-n', '3', '--config', config, '--json')

    assert result.status == 1, result  # a script that trains on it next stops here
    assert 'no episode at all, mostly because an object would leave the support' in result.err
    assert 'attempts_per_episode' not in result.err  # more of the same do not help
    said = json.loads(result.out)
    assert said['accepted'] == 0
    assert said['attempts'] == 12
    assert said['reasons'] == {'off_support': 12}
    page = (out / 'report.html').read_text()
    assert 'off_support' in page or 'off the support' in page or 'support' in page
    lines = [json.loads(line) for line in (out / 'manifest.jsonl').read_text().splitlines()]
    assert [line['index'] for line in lines] == list(range(12))
    assert {line['reason'] for line in lines} == {'off_support'}
    assert r2rgen('report', out).status == 0
