# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Datasets without images, from depth images: clouds for a policy, and all that reads them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.preview import read_preview
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.cli.main import main
from r2rgen_ros.generate.config import (
    CameraConfig,
    GenerateConfig,
    OutputConfig,
    PerturbationConfig,
    SamplingConfig,
)
from r2rgen_ros.generate.dataset import Dataset
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.maker import Maker
from r2rgen_ros.generate.run import InterruptedGenerationError, generate
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import PlanarMove
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.report.dataset import write_report
from r2rgen_ros.robots.camera_file import load_camera

POINTS = 4096
STILL = {'pick object_2': PlanarMove(), 'place object_2 at object_1': PlanarMove()}
MOVED = {'pick object_2': PlanarMove(0.03, 0.02, 0.2)}
CONFIG = GenerateConfig(
    sampling=SamplingConfig(mode='given', given=(STILL, MOVED)),
    perturbation=PerturbationConfig(count=1),
    output=OutputConfig(images=False, labelled_count=POINTS),
)


@pytest.fixture(scope='module')
def prepare(small_recorded):
    """How to prepare the small recording with a configuration."""
    bag, annotation = small_recorded
    return lambda config: Job.prepare(bag, annotation, bag, config, 3)


@pytest.fixture(scope='module')
def dataset(prepare, tmp_path_factory):
    """The recording as clouds, and one variation of it; do not change it."""
    folder = tmp_path_factory.mktemp('clouds') / 'dataset'
    assert generate(prepare(CONFIG), folder, 2).accepted == 2
    return folder


@pytest.fixture(scope='module')
def whole(prepare, tmp_path_factory):
    """The first of them with images."""
    folder = tmp_path_factory.mktemp('images') / 'dataset'
    job = prepare(replace(CONFIG, output=replace(CONFIG.output, images=True)))
    assert generate(job, folder, 1).accepted == 1
    return folder


def _messages(bag):
    with BagReader(bag) as reader:
        out = {topic.name: [] for topic in reader.topics}
        for topic, log, raw in reader.messages():
            out[topic].append((log, bytes(raw)))
    return out


def test_all_but_the_images_is_as_with_them(dataset, whole):
    few, all_ = (_messages(Dataset.open(each).episode(0)) for each in (dataset, whole))

    gone = set(all_) - set(few)
    assert gone == {
        '/camera/aligned_depth_to_color/image_raw',
        '/camera/color/image_raw',
        '/camera/color/camera_info',
    }
    assert few == {topic: found for topic, found in all_.items() if topic not in gone}
    assert sum(len(raw) for found in few.values() for _, raw in found) < 0.25 * sum(
        len(raw) for found in all_.values() for _, raw in found
    )


@pytest.mark.parametrize('overlapped', [False, True])
def test_images_are_the_same_whether_or_not_they_are_written_beside(
    prepare, whole, tmp_path, overlapped
):
    job = prepare(replace(CONFIG, output=replace(CONFIG.output, images=True)))
    _, bag, _ = Maker(job, overlapped=overlapped).attempt(0, tmp_path)

    for file in Dataset.open(whole).episode(0).iterdir():
        assert (bag / file.name).read_bytes() == file.read_bytes()


def test_every_frame_is_a_cloud_for_a_policy(dataset, prepare):
    demo, recording = load_demo(Dataset.open(dataset).episode(1)), prepare(CONFIG).scene.demo

    assert not demo.has_images
    assert {len(demo.frames[k].cloud) for k in range(len(demo))} == {POINTS}
    assert demo.sensor.camera == recording.sensor.camera
    depth = recording.frames[0].depth
    placed = recording.sensor.camera.unproject(depth)[np.isfinite(depth)].reshape(-1, 3)
    placed = se3.apply(recording.sensor.camera2base[0], placed)
    seen = load_demo(Dataset.open(dataset).episode(0)).frames[0].cloud.points
    assert np.median(cKDTree(placed).query(seen)[0]) < 0.002
    labels = read_preview(Dataset.open(dataset).episode(1), 2).clouds[0].labels
    assert {0, 1, 2, 3} == set(labels.tolist())


def test_a_dataset_without_images_goes_on_to_the_same_bytes(prepare, dataset, tmp_path, content):
    job, folder = prepare(CONFIG), tmp_path / 'dataset'

    def stop(status):
        raise KeyboardInterrupt

    with pytest.raises(InterruptedGenerationError):
        generate(job, folder, 2, progress=stop)
    generate(job, folder, 2, resume=True, workers=2)

    assert content(folder) == content(dataset)
    other = prepare(replace(CONFIG, output=replace(CONFIG.output, images=True)))
    with pytest.raises(R2RGenError, match=r'output\.images was False, is True'):
        generate(other, folder, 3, resume=True)


def test_the_report_and_the_verbs_read_it(prepare, dataset, capsys, tmp_path):
    job = prepare(CONFIG)

    report = write_report(Dataset.open(dataset), job.scene, job.config)

    assert report.accepted == 2
    assert all(path.stat().st_size > 1000 for path in report.pictures)
    bag = str(Dataset.open(dataset).episode(1))
    for words in (['inspect', str(dataset)], ['inspect', bag]):
        assert main([*words, '--json']) == 0
    assert main(['view', bag, '--save', str(tmp_path / 'ep.rrd')]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[0])['accepted'] == 2
    assert json.loads(lines[1])['is_demonstration']


def test_another_camera_gives_its_clouds(prepare, tmp_path):
    config = replace(CONFIG, camera=CameraConfig(render_for='panda_wrist'))
    generate(prepare(config), tmp_path / 'dataset', 1)

    with BagReader(Dataset.open(tmp_path / 'dataset').episode(0)) as reader:
        topics = {topic.name for topic in reader.topics}
    wrist = load_camera('panda_wrist')
    assert wrist.topics['depth_info'] in topics
    assert not topics & {wrist.topics['depth'], wrist.topics['colour']}
    demo = load_demo(Dataset.open(tmp_path / 'dataset').episode(0))
    assert demo.sensor.frame == wrist.frame
    assert not demo.sensor.is_static


def test_no_clouds_and_no_images_is_refused_before_anything_is_parsed(small_recorded):
    bag, annotation = small_recorded
    config = GenerateConfig(output=OutputConfig(images=False, labelled_points=False))
    progress = []

    with pytest.raises(R2RGenError, match='nothing that the camera sees'):
        Job.prepare(bag, annotation, bag, config, 3, None, progress.append, cache=False)

    assert progress == []
