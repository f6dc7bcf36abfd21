# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera that moves although no transform says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.ground import survey
from r2rgen_ros.parse.robot import RobotView
from r2rgen_ros.parse.standing import check_standing
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.simulate import record

MAST = replace(load_camera('panda_mast'), camera=PinholeCamera(160, 120, 120, 120, 79.5, 59.5))
ODOM = 'odom'


@pytest.fixture(scope='module')
def lost(tmp_path_factory):
    """A base drove with its camera, and its odometry was not recorded."""
    folder = tmp_path_factory.mktemp('standing')
    done = record.act('place-bottle', 1, base='driving', camera_every=800, camera=MAST)
    record.write(done, folder / 'whole', options=record.Options(with_truth=False))
    with BagReader(folder / 'whole') as reader, BagWriter(folder / 'lost') as bag:
        kept = [topic for topic in reader.topics if ODOM not in topic.name]
        for topic in kept:
            bag.add_topic(topic.name, topic.type, topic.qos)
        for topic, log, raw in reader.messages():
            if ODOM in topic:
                continue
            message = reader.decode(topic, raw)
            if topic == '/tf':
                moves = [one for one in message.transforms if one.header.frame_id != ODOM]
                message.transforms = moves
            bag.write(topic, log, message)
    return load_demo(folder / 'lost')


class Passing:
    """Frames in which something stands close before half of the image in some of them."""

    def __init__(self, frames, covered):
        self._frames, self._covered = frames, covered

    def __len__(self):
        return len(self._frames)

    def __getitem__(self, index):
        frame = self._frames[index]
        if index not in self._covered:
            return frame
        depth = frame.depth.copy()
        depth[:, : depth.shape[1] // 2] = 0.4
        return Frame(depth, frame.colour)


def test_a_base_that_drives_without_odometry_is_refused(lost):
    assert lost.sensor.is_static
    with pytest.raises(R2RGenError, match=r'no transform moves it.*record its odometry on /tf'):
        survey(lost)


def test_where_the_robot_is_unknown_that_is_a_warning(lost):
    assert 'record its odometry' in check_standing(lost, None)


def test_a_camera_that_stands_still_does(virtual_demo):
    demo = load_demo(virtual_demo)
    assert check_standing(demo, RobotView.of(demo, [], lambda _: None)) is None
    assert check_standing(demo, None) is None


@pytest.mark.parametrize(('share', 'fine'), [(0.15, True), (0.5, False)])
def test_what_passes_by_is_no_move_of_the_camera(virtual_demo, share, fine):
    demo = load_demo(virtual_demo)
    count = len(demo)
    first = count // 4
    covered = range(first, first + int(share * count))
    passed = replace(demo, frames=Passing(demo.frames, covered))
    assert (check_standing(passed, None) is None) == fine


def test_images_without_any_depth_in_common_tell_nothing(virtual_demo):
    demo = load_demo(virtual_demo)
    empty = Frame(np.full(demo.frames[0].depth.shape, np.nan, dtype=np.float32))
    frames = [empty] * len(demo)
    assert check_standing(replace(demo, frames=frames), None) is None
