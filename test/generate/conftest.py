# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scenes that the tests of this folder share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.load import demo_of, load_demo
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.generate.config import CameraConfig, GenerateConfig, MoveRange, SamplingConfig
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.run import generate
from r2rgen_ros.generate.session import find_annotation
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import ObjectNote, Prompt
from r2rgen_ros.model.annotation_file import dump_annotation
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.scene import build_scene, survey

TASKS = ('flower', 'egg', 'sauce')


@pytest.fixture(scope='session')
def content():
    """Returns the bytes of a dataset's files but those that tell the time or who is at work."""

    def read(folder):
        out = {}
        for path in sorted(folder.rglob('*')):
            name = str(path.relative_to(folder))
            if path.is_file() and name not in {'timings.jsonl', '.lock'}:
                out[name] = path.read_bytes()
        return out

    return read


@pytest.fixture(scope='session')
def table_job(table_demo):
    """A block put onto a plate, with moves of which some overlap, ready to be generated from."""
    ranges = MoveRange((-0.3, 0.3), (-0.3, 0.3), (-90.0, 90.0))
    config = GenerateConfig(SamplingConfig(ranges=ranges, learn=False), camera=CameraConfig('off'))
    return Job.prepare(table_demo, *find_annotation(table_demo), config, seed=3)


@pytest.fixture(scope='session')
def undisturbed(table_job, tmp_path_factory):
    """A dataset of 40 episodes, made in one go by one worker; do not change it."""
    folder = tmp_path_factory.mktemp('undisturbed') / 'dataset'
    assert generate(table_job, folder, 40).accepted == 40
    return folder


@pytest.fixture(scope='session')
def undisturbed_400(table_job, tmp_path_factory):
    """The same of 400 episodes, of which some are left whatever happens after the first ones."""
    folder = tmp_path_factory.mktemp('undisturbed_400') / 'dataset'
    assert generate(table_job, folder, 400, workers=2).accepted == 400
    return folder


@pytest.fixture(scope='session')
def table_scene(tabletop, table_demo):
    """A block put onto a plate, parsed."""
    return tabletop.scene_of(table_demo, tabletop.BOTTLE)


@pytest.fixture(scope='session')
def bridge_scene(tabletop, tmp_path_factory):
    """The bridge of the paper's worked example, parsed."""
    folder = tabletop.record(tmp_path_factory.mktemp('bridge') / 'demo', tabletop.BRIDGE)
    return tabletop.scene_of(folder, tabletop.BRIDGE)


@pytest.fixture(scope='session')
def virtual_recorded(virtual_demo):
    """The virtual robot's recording of the bottle put onto the plate, and the scene found in it."""
    source = read_source(virtual_demo)
    ground = survey(demo_of(source))
    return source, build_scene(ground, propose(ground, virtual_demo, ()), virtual_demo)


@pytest.fixture(scope='session')
def small_recorded(small_demo):
    """The same put small and at 5 Hz, and its annotation."""
    return small_demo, propose(survey(load_demo(small_demo)), small_demo, ())


@pytest.fixture(scope='session')
def virtual_scene(virtual_recorded):
    """The bottle put onto the plate by the virtual robot, parsed: object_2 onto object_1."""
    return virtual_recorded[1]


@pytest.fixture(scope='session')
def real_scenes(data_dir, tmp_path_factory):
    """The nine real recordings of DemoGen by 'task episode', imported, annotated and parsed."""
    from r2rgen_ros.exchange.demogen import import_demogen

    root, scenes = tmp_path_factory.mktemp('real'), {}
    for task in TASKS:
        for episode in range(3):
            folder = root / f'{task}_{episode}'
            zarr = data_dir / 'demogen_franka_l515' / f'{task}.zarr'
            import_demogen(zarr, folder, episode=episode)
            ground = survey(load_demo(folder))
            masks = sorted((folder / 'masks').glob('*.png'))
            notes = [ObjectNote(path.stem, Prompt(mask=f'masks/{path.name}')) for path in masks]
            annotation = propose(ground, folder, notes)
            (folder / 'annotation.yaml').write_text(dump_annotation(annotation), encoding='utf-8')
            scenes[f'{task} {episode}'] = build_scene(ground, annotation, folder)
    return scenes


@pytest.fixture(scope='session')
def with_environment():
    """How a scene gets more points (N, 3), grey, base frame, in its environment."""

    def with_more(scene, points):
        cloud = scene.environment
        grey = np.full((len(points), 3), 128, dtype=np.uint8)
        more = Cloud.from_arrays(
            np.concatenate([cloud.points, points]), np.concatenate([cloud.colours, grey])
        )
        return replace(scene, environment=more)

    return with_more
