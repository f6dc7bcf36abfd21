# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What all verbs have in common: help, JSON, one way to end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

import r2rgen_ros
from r2rgen_ros.cli.main import VERBS


@pytest.mark.parametrize('verb', VERBS)
def test_every_verb_has_help(r2rgen, verb):
    result = r2rgen(verb, '--help')

    assert result.status == 0
    assert result.err == ''
    assert f'usage: r2rgen {verb}' in result.out
    assert '--json' in result.out
    about = r2rgen('--help').out
    assert verb in about


def test_the_version_is_the_packages(r2rgen):
    assert r2rgen('--version').out.strip() == r2rgen_ros.__version__


def _only_json(result):
    assert result.status == 0, result
    assert len(result.out.splitlines()) == 1, result.out
    value = json.loads(result.out)
    assert isinstance(value, dict)
    return value


def test_json_is_one_object_on_standard_output(r2rgen, tabletop, tmp_path, tree):
    demo, out = tabletop.record(tmp_path / 'demo'), tmp_path / 'out'

    found = _only_json(r2rgen('inspect', demo, '--json'))
    assert found['is_demonstration'] is True
    said = _only_json(r2rgen('annotate', demo, '--json'))
    assert said['objects'] == ['red', 'plate']
    assert [skill['name'] for skill in said['skills']] == ['pick red', 'place red']
    words = ('generate', demo, '-o', out, '-n', '2', '--workers', '1', '--no-report', '--json')
    made = _only_json(r2rgen(*words))
    assert made['accepted'] == 2
    assert made['attempts'] == 2 + sum(made['reasons'].values())
    before = tree(out)

    drawn = _only_json(r2rgen('report', out, '--json'))

    assert drawn['accepted'] == 2
    assert Path(drawn['report']).is_file()
    assert all(Path(picture).is_file() for picture in drawn['pictures'])
    after = tree(out)
    assert {name: after[name] for name in before} == before


def test_import_prints_json(r2rgen, data_dir, tmp_path):
    zarr = data_dir / 'demogen_franka_l515' / 'egg.zarr'

    done = _only_json(r2rgen('import', zarr, '-o', tmp_path / 'egg', '--json'))

    assert (done['episode'], done['episodes'], done['frames']) == (0, 3, 35)


def test_view_saves_what_it_would_show(r2rgen, table_demo, tmp_path):
    pytest.importorskip('rerun')
    saved = tmp_path / 'demo.rrd'

    done = _only_json(r2rgen('view', table_demo, '--save', saved, '--json'))

    assert done['frames'] == 41
    assert saved.stat().st_size > 10_000
    assert r2rgen('view', table_demo, '--save', saved).is_refusal()


def test_errors_leave_standard_output_to_the_json_that_is_not_there(r2rgen, tmp_path):
    result = r2rgen('inspect', tmp_path / 'nothing', '--json')

    assert result.is_refusal()
    assert result.out == ''


def test_the_folder_may_have_any_name(r2rgen, table_demo, tmp_path):
    demo = tmp_path / 'my [bold]demo[/bold] ü 名\n#1 %s {x}'
    shutil.copytree(table_demo, demo)

    made = _only_json(
        r2rgen('generate', demo, '-o', tmp_path / 'ö [1]', '-n', '1', '--no-report', '--json')
    )

    assert made['accepted'] == 1
    assert r2rgen('inspect', demo).status == 0
    assert r2rgen('generate', tmp_path / 'no\nsuch', '-o', tmp_path / 'x').is_refusal()


def test_an_annotation_is_kept_when_a_new_one_is_made(r2rgen, tabletop, tmp_path):
    demo = tabletop.record(tmp_path / 'demo')
    old = (demo / 'annotation.yaml').read_bytes()

    result = r2rgen('annotate', demo, '--auto', '--again')

    assert result.status == 0, result
    assert (demo / 'annotation.1.yaml').read_bytes() == old
    assert (demo / 'annotation.yaml').read_bytes() != old
    assert (demo / 'annotation.png').is_file()


def test_an_annotation_is_taken_from_a_file(r2rgen, tabletop, tmp_path):
    demo = tabletop.record(tmp_path / 'demo')
    text = (demo / 'annotation.yaml').read_text()
    other = tmp_path / 'other.yaml'
    other.write_text(text.replace('pick red', 'take it'))
    (demo / 'annotation.yaml').unlink()

    result = r2rgen('annotate', demo, '--from', other)

    assert result.status == 0, result
    assert 'take it' in (demo / 'annotation.yaml').read_text()


@pytest.mark.parametrize('options', [(), ('--json',)])
def test_a_reader_that_goes_away_is_no_error(start, table_demo, options):
    read, write = os.pipe()
    os.close(read)
    process = start('inspect', table_demo, *options, stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=400)

    assert process.returncode == 0
    assert 'Error' not in err
    assert options or err == ''


def _has_loaded(process, library):
    """Whether a process has begun to load a library: then it is inside the command."""
    return library in Path(f'/proc/{process.pid}/maps').read_text()


@pytest.mark.parametrize('moment', ['starting', 'at work'])
def test_ctrl_c_is_one_line_whenever_it_comes(start, table_demo, tmp_path, moment):
    out = tmp_path / 'out'
    process = start('generate', table_demo, '-o', out, '-n', '100000', '--workers', '2')
    end = time.monotonic() + 400
    while not (out.exists() if moment == 'at work' else _has_loaded(process, '/scipy/')):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=400)

    # CPython may end itself with the signal where it struck an import; a shell says 130 to both.
    assert process.returncode in (130, -signal.SIGINT), err
    assert len(err.splitlines()) == 1, err
