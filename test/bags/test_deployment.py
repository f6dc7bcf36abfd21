# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording as if another camera had made it: its topics; clouds beside its images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.clouds import STANDARD, decode_cloud
from r2rgen_ros.bags.deployment import seen_by
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.load import demo_of
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.deployment import MountedCamera
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.sensed import SensedFrame

SMALL = PinholeCamera(12, 8, 10.0, 10.0, 5.5, 3.5)
TOPICS = {'depth': '/own/depth', 'depth_info': '/own/camera_info', 'colour': '/own/colour'}


def _camera(workshop, **topics):
    pose = se3.compose(np.eye(3), [0.0, 0.0, 0.1])
    return MountedCamera('own', SMALL, workshop.HAND, pose, 'own_optical', {**TOPICS, **topics})


def _recorded(workshop, folder, *, organised):
    camera = workshop.CAMERA
    layout = STANDARD
    if organised:
        layout = replace(STANDARD, height=camera.height, width=camera.width)
    points = camera.height * camera.width if organised else 50
    workshop.record(
        folder, workshop.Recipe(cloud=layout, cloud_frame=workshop.OPTICAL, points=points)
    )
    return read_source(folder)


def _images(count):
    """Depth with a hole, and colours, that such a camera might see."""
    rng = np.random.default_rng(3)
    for _ in range(count):
        depth = rng.uniform(0.3, 1.0, (8, 12)).astype(np.float32)
        depth[2, 3:6] = np.nan
        yield SensedFrame(np.round(depth, 3), rng.integers(0, 256, (8, 12, 3), dtype=np.uint8))


@pytest.mark.parametrize('organised', [True, False])
@pytest.mark.parametrize('topics', [{}, {'cloud': '/own/points'}], ids=['same', 'own'])
def test_clouds_beside_the_images_are_those_of_the_other_camera(
    tmp_path, workshop, organised, topics
):
    source = _recorded(workshop, tmp_path / 'bag', organised=organised)
    episode = workshop.episode_of(demo_of(source))
    frames = list(_images(len(episode)))

    writer = EpisodeWriter(seen_by(source, _camera(workshop, **topics)))
    writer.write(tmp_path / 'ep', episode, iter(frames))

    with BagReader(tmp_path / 'ep') as reader:
        names = {topic.name for topic in reader.topics}
        name = topics.get('cloud', '/cam/points')
        clouds = [message for _, _, message in reader.decoded([name])]
    assert {*TOPICS.values(), name} <= names
    assert '/cam/aligned_depth/image' not in names
    assert ('/cam/points' in names) == (name == '/cam/points')
    assert len(clouds) == len(frames)
    for message, frame in zip(clouds, frames, strict=True):
        cloud, _ = decode_cloud(message)
        valid = np.isfinite(frame.depth)
        assert message.header.frame_id == 'own_optical'
        assert (message.height, message.width) == ((8, 12) if organised else (1, valid.sum()))
        expected = SMALL.unproject(frame.depth)[valid]
        np.testing.assert_allclose(cloud.points, expected, atol=1e-6)
        np.testing.assert_array_equal(cloud.colours, frame.colour[valid])


def test_a_recording_without_clouds_gets_none(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')

    seen = seen_by(read_source(tmp_path / 'bag'), _camera(workshop, cloud='/own/points'))

    assert seen.cloud is None
    assert seen.recorded.cloud is None


def test_a_name_that_two_topics_would_have_is_refused(tmp_path, workshop):
    source = _recorded(workshop, tmp_path / 'bag', organised=True)

    with pytest.raises(R2RGenError, match='/joint_states'):
        seen_by(source, _camera(workshop, cloud='/joint_states'))
