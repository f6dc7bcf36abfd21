# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A dataset is the same whether its source was parsed just now or in an earlier run."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.generate.config import GenerateConfig, MoveRange, SamplingConfig
from r2rgen_ros.generate.dataset import Dataset
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.run import generate
from r2rgen_ros.generate.session import find_annotation, reopen
from r2rgen_ros.model.annotation_file import dump_annotation
from r2rgen_ros.model.scene_file import dump_scene
from r2rgen_ros.parse.cache import FOLDER
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.scene import survey

CONFIG = GenerateConfig(
    SamplingConfig(ranges=MoveRange((-0.03, 0.03), (-0.03, 0.03), (-20.0, 20.0)))
)


@pytest.fixture(scope='module', params=['table_demo', 'small_demo'])
def demo(request, tmp_path_factory):
    """A demonstration of clouds, and one of depth images, with nothing kept of an earlier run."""
    folder = tmp_path_factory.mktemp(request.param) / 'demo'
    source = request.getfixturevalue(request.param)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(FOLDER))
    if not (folder / 'annotation.yaml').exists():
        annotation = propose(survey(load_demo(folder)), folder, ())
        (folder / 'annotation.yaml').write_text(dump_annotation(annotation), encoding='utf-8')
    return folder


def _job(demo, **how):
    return Job.prepare(demo, *find_annotation(demo), CONFIG, 5, **how)


def test_episodes_of_a_kept_scene_are_those_of_a_fresh_one_byte_for_byte(demo, tmp_path, content):
    fresh = _job(demo)
    kept = _job(demo)
    assert len(list((demo / FOLDER).glob('*.npz'))) == 1
    assert dump_scene(kept.scene, '') == dump_scene(fresh.scene, '')
    assert kept.info == fresh.info
    assert kept.scene.objects[0].cloud is not fresh.scene.objects[0].cloud

    generate(fresh, tmp_path / 'fresh', 1)
    generate(kept, tmp_path / 'kept', 1, workers=2)

    want = content(tmp_path / 'fresh')
    assert sum(name.endswith('.mcap') for name in want) == 1
    assert content(tmp_path / 'kept') == want


def test_without_the_cache_nothing_is_written_and_the_bytes_are_the_same(
    table_demo, tmp_path, content
):
    folder = tmp_path / 'demo'
    shutil.copytree(table_demo, folder, ignore=shutil.ignore_patterns(FOLDER))

    generate(_job(folder, cache=False), tmp_path / 'never', 2)
    assert not (folder / FOLDER).exists()
    for number in range(2):  # begun with a fresh scene, gone on with a kept one
        generate(_job(folder), tmp_path / 'some', 1 + number, resume=number > 0)

    assert content(tmp_path / 'some') == content(tmp_path / 'never')


def test_a_dataset_opened_again_finds_the_kept_scene(table_demo, tmp_path):
    folder = tmp_path / 'demo'
    shutil.copytree(table_demo, folder, ignore=shutil.ignore_patterns(FOLDER))
    job = _job(folder)
    generate(job, tmp_path / 'dataset', 1)
    before = {path: path.read_bytes() for path in (folder / FOLDER).glob('*.npz')}

    scene, _ = reopen(Dataset.open(tmp_path / 'dataset'))

    assert {path: path.read_bytes() for path in (folder / FOLDER).glob('*.npz')} == before
    assert dump_scene(replace(scene, demo=job.scene.demo), '') == dump_scene(job.scene, '')
