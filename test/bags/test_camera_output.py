# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes without images hold clouds, and read back as demonstrations of these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags import episode as episode_module
from r2rgen_ros.bags import keys
from r2rgen_ros.bags.camera_output import with_output
from r2rgen_ros.bags.clouds import STANDARD
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.images import ImageCoding
from r2rgen_ros.bags.inspection import inspect_bag
from r2rgen_ros.bags.load import demo_of, load_demo
from r2rgen_ros.bags.preview import read_preview
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.sensed import SensedFrame

INFO = '/cam/aligned_depth/camera_info'
PACKED = {
    'depth': ImageCoding('16UC1', '16UC1; compressedDepth png', prefix=True),
    'colour': ImageCoding('rgb8', 'rgb8; jpeg compressed bgr8'),
}


def _recorded(workshop, folder, **changes):
    workshop.record(folder, workshop.Recipe(**changes))
    return read_source(folder)


def _clouds_beside(workshop):
    return {'cloud': STANDARD, 'cloud_frame': workshop.OPTICAL}


def _sensed(demo, *, labelled):
    """Frames with depth and colour, and labelled clouds of a few of their points."""
    for number in range(len(demo)):
        frame = demo.frames[number]
        if frame.depth is None:
            yield SensedFrame(cloud=frame.cloud)
            continue
        points = np.random.default_rng(number).uniform(-1.0, 1.0, (40, 3))
        cloud, labels = Cloud.from_arrays(points), np.arange(40, dtype=np.uint8) % 4
        more = {'labelled': cloud, 'labels': labels} if labelled else {}
        yield SensedFrame(frame.depth, frame.colour, **more)


def _written(source, workshop, path, *, labelled):
    demo = demo_of(source)
    left = with_output(source, images=False, labelled=labelled)
    episode = workshop.episode_of(demo)
    EpisodeWriter(left).write(path, episode, _sensed(demo, labelled=labelled))
    with BagReader(path) as reader:
        return demo, left, {topic.name for topic in reader.topics if topic.count}


@pytest.mark.parametrize('coding', [{}, PACKED], ids=['raw', 'compressed'])
def test_without_images_the_labelled_clouds_are_the_demonstration(tmp_path, workshop, coding):
    source = _recorded(workshop, tmp_path / 'bag', **coding)

    demo, left, topics = _written(source, workshop, tmp_path / 'ep', labelled=True)

    assert {INFO, keys.LABELLED_POINTS, '/joint_states', '/tf'} <= topics
    assert not topics & {'/cam/aligned_depth/image', '/cam/color/image'}
    assert set(left.left_out) - set(source.left_out) == {
        '/cam/aligned_depth/image (output.images is false)',
        '/cam/color/image (output.images is false)',
    }
    again = load_demo(tmp_path / 'ep')
    np.testing.assert_array_equal(again.stamps, demo.stamps)
    np.testing.assert_allclose(again.arms[0].ee2base, demo.arms[0].ee2base, atol=1e-9)
    assert again.sensor.camera == demo.sensor.camera
    np.testing.assert_allclose(again.sensor.camera2base, demo.sensor.camera2base, atol=1e-9)
    for number, frame in enumerate(_sensed(demo, labelled=True)):
        np.testing.assert_array_equal(again.frames[number].cloud.points, frame.labelled.points)
    found = inspect_bag(tmp_path / 'ep')
    assert found.is_demonstration
    assert found.topic(keys.LABELLED_POINTS).role == 'cloud'
    preview = read_preview(tmp_path / 'ep', 3)
    assert [len(seen.cloud) for seen in preview.clouds] == [40, 40, 40]


@pytest.mark.parametrize('labelled', [True, False])
def test_clouds_of_the_recording_stay_and_come_first(tmp_path, workshop, labelled):
    source = _recorded(workshop, tmp_path / 'bag', **_clouds_beside(workshop))

    demo, _, topics = _written(source, workshop, tmp_path / 'ep', labelled=labelled)

    assert {INFO, '/cam/points'} <= topics
    assert (keys.LABELLED_POINTS in topics) == labelled
    again = load_demo(tmp_path / 'ep')
    depth = demo.frames[3].depth
    own = workshop.CAMERA.unproject(depth)[np.isfinite(depth)]
    placed = Cloud.from_arrays(own).transformed(workshop.CAMERA2BASE)
    np.testing.assert_allclose(again.frames[3].cloud.points, placed.points, atol=1e-5)


def test_images_that_are_not_written_are_not_coded(tmp_path, workshop, monkeypatch):
    source = _recorded(workshop, tmp_path / 'bag', **PACKED)

    def fail(*_):
        raise AssertionError('an image was coded')

    monkeypatch.setattr(episode_module, 'encode_depth', fail)
    monkeypatch.setattr(episode_module, 'encode_colour', fail)

    _written(source, workshop, tmp_path / 'ep', labelled=True)
    with pytest.raises(AssertionError, match='was coded'):
        EpisodeWriter(source).write(
            tmp_path / 'whole',
            workshop.episode_of(demo_of(source)),
            _sensed(demo_of(source), labelled=True),
        )


def test_an_episode_that_would_hold_nothing_that_the_camera_sees_is_refused(tmp_path, workshop):
    source = _recorded(workshop, tmp_path / 'bag')

    with pytest.raises(R2RGenError, match=r'images and labelled_points are false.*to fix: set'):
        with_output(source, images=False, labelled=False)


def test_recordings_of_clouds_lose_nothing(tmp_path, workshop):
    workshop.record(tmp_path / 'bag', workshop.clouds_only())
    source = read_source(tmp_path / 'bag')

    left = with_output(source, images=False, labelled=False)

    assert left.cloud is source.cloud
    assert left.camera_info is source.camera_info
    assert left.left_out == source.left_out


def test_an_episode_without_images_is_itself_a_source(tmp_path, workshop):
    source = _recorded(workshop, tmp_path / 'bag')
    _written(source, workshop, tmp_path / 'ep', labelled=True)
    first = read_source(tmp_path / 'ep')
    demo = demo_of(first)
    labels = np.arange(40, dtype=np.uint8) % 4
    frames = (
        SensedFrame(cloud=frame.cloud, labelled=frame.cloud, labels=labels)
        for frame in (demo.frames[number] for number in range(len(demo)))
    )

    writer = EpisodeWriter(with_output(first, images=True, labelled=True))
    writer.write(tmp_path / 'again', workshop.episode_of(demo), frames)

    again = read_preview(tmp_path / 'again', 2)
    assert again.clouds[0].labels.tolist() == labels.tolist()
    np.testing.assert_array_equal(again.clouds[0].cloud.points, demo.frames[0].cloud.points)
    with pytest.raises(R2RGenError, match='labelled_points is false, and there is no topic'):
        with_output(first, images=True, labelled=False)


def test_clouds_that_nobody_could_put_together_are_left_out(tmp_path, workshop):
    beside = _clouds_beside(workshop)
    source = _recorded(workshop, tmp_path / 'bag', **beside)
    riding = np.tile(np.eye(4), (len(source.stamps), 1, 1))
    riding[:, 0, 3] = np.linspace(0.0, 1.0, len(riding))
    driving = replace(source, drive=object(), camera2base=riding)

    left = with_output(driving, images=False, labelled=True)

    assert left.cloud is None
    assert any('rides on a base that drives' in note for note in left.left_out)
    with pytest.raises(R2RGenError, match='no topic of clouds'):
        with_output(driving, images=False, labelled=False)
    other = replace(source, cloud=replace(source.cloud, frame_id='lidar'))
    assert any('not made of the depth' in x for x in with_output(
        other, images=False, labelled=True
    ).left_out)  # fmt: skip


def test_labelled_clouds_may_be_named(tmp_path, workshop):
    source = _recorded(workshop, tmp_path / 'bag', **_clouds_beside(workshop))
    _written(source, workshop, tmp_path / 'ep', labelled=True)

    demo = load_demo(tmp_path / 'ep', StreamSelection(cloud=keys.LABELLED_POINTS))

    assert len(demo.frames[0].cloud) == 40
