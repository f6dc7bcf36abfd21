# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of several depth cameras."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.bags import keys, messages
from r2rgen_ros.bags.cameras import depth_range, without
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.images import encode_colour, encode_depth
from r2rgen_ros.bags.inspection import inspect_bag
from r2rgen_ros.bags.load import demo_of, load_demo
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.sensed import SensedFrame

SMALL = PinholeCamera(16, 12, 14.0, 14.0, 7.5, 5.5)
CAMERA2HAND = se3.compose(se3.rotation_about([0.0, 1.0, 0.0], np.array(0.4)), [0.05, 0.0, 0.02])
LATENCY = 5_000_000
DEPTH, COLOUR, INFO = '/wrist/depth/image', '/wrist/color/image', '/wrist/depth/camera_info'


def two_cameras(
    workshop,
    path,
    *,
    frame='wrist_optical',
    topics=(DEPTH, COLOUR, INFO),
    mount=CAMERA2HAND,
    parent=None,
    info=SMALL,
    back=False,
    lead=0,
    custom=None,
):
    """Copy of the workshop's recording with a camera on the hand, late by `lead` ns."""
    one = path.with_name(path.name + '_one')
    stamps = workshop.record(one).stamps
    depth_topic, colour_topic, info_topic = topics
    with BagReader(one) as reader, BagWriter(path, custom_data=custom or {}) as bag:
        for topic in reader.topics:
            bag.add_topic(topic.name, topic.type, topic.qos)
        bag.add_topic(depth_topic, messages.IMAGE)
        bag.add_topic(colour_topic, messages.IMAGE)
        if info is not None:
            bag.add_topic(info_topic, messages.CAMERA_INFO)
        rows = [(log, n, name, raw) for n, (name, log, raw) in enumerate(reader.messages())]
        if mount is not None:
            pose = messages.transform_matrix(int(stamps[0]), parent or workshop.HAND, frame, mount)
            first = min(row[0] for row in rows)
            rows.append((first, len(rows), '/tf_static', messages.tf_message([pose])))
        for number, main in enumerate(stamps.tolist()):
            stamp = main + lead - (10**9 if back and number == 5 else 0)
            depth = np.full((12, 16), 0.3 + 0.01 * number, np.float32)
            grey = np.full((12, 16, 3), number, np.uint8)
            made = [
                (depth_topic, encode_depth(depth, '16UC1', frame, stamp)),
                (colour_topic, encode_colour(grey, 'rgb8', frame, stamp)),
            ]
            if info is not None:
                made.append((info_topic, messages.camera_info(stamp, frame, info)))
            rows += [(main + LATENCY, len(rows), name, message) for name, message in made]
        for log, _, name, message in sorted(rows, key=lambda row: row[:2]):
            bag.write(name, log, message)
    return path


def test_a_second_camera_is_found_with_its_place_on_the_hand(workshop, tmp_path):
    source = read_source(two_cameras(workshop, tmp_path / 'bag'))
    (wrist,) = source.others

    assert source.depth.topic.name == '/cam/aligned_depth/image'
    assert source.left_out == ()
    assert wrist.topics.name == 'wrist'
    assert [topic.name for topic in wrist.topics.all] == [DEPTH, COLOUR, INFO]
    assert (wrist.camera, wrist.frame) == (SMALL, 'wrist_optical')
    # The fixed part is what was told, whatever the arm does.
    assert np.abs(wrist.camera2base - source.arms[0].ee2base @ CAMERA2HAND).max() < 1e-9
    assert np.ptp(wrist.camera2base[:, 0, 3]) > 0.1
    assert depth_range(source, wrist) == pytest.approx((0.30, 0.41))


def test_its_images_are_written_at_the_main_cameras_stamps(workshop, tmp_path):
    source = read_source(two_cameras(workshop, tmp_path / 'bag', lead=20_000_000))
    demo = demo_of(source)
    writer = EpisodeWriter(source, link_poses=workshop.link_poses)
    main = [SensedFrame(demo.frames[k].depth, demo.frames[k].colour) for k in range(len(demo))]
    depths = [np.full((12, 16), 0.5 + 0.001 * k, np.float32) for k in range(len(demo))]
    seen = [SensedFrame(depth, np.full((12, 16, 3), 9, np.uint8)) for depth in depths]
    writer.write(tmp_path / 'new', workshop.episode_of(demo), main, others=[seen])

    other = load_demo(tmp_path / 'new', StreamSelection(depth=DEPTH))
    assert other.sensor.frame == 'wrist_optical'
    assert other.stamps.tolist() == demo.stamps.tolist()
    assert [frame.depth[3, 4] for frame in other.frames] == pytest.approx(
        [depth[3, 4] for depth in depths], abs=5e-4
    )
    assert (other.frames[0].colour == 9).all()
    again = read_source(tmp_path / 'new')
    assert again.depth.topic == source.depth.topic
    assert again.custom_data[keys.DEPTH] == source.depth.topic.name
    assert [camera.frame for camera in again.others] == ['wrist_optical']
    with BagReader(tmp_path / 'new') as reader:
        logs = [log for _, log, _ in reader.messages()]
    assert logs == sorted(logs)
    with pytest.raises(R2RGenError, match='0 further cameras were sensed'):
        writer.write(tmp_path / 'none', workshop.episode_of(demo), main)


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'info': None}, 'no camera_info of its size'),
        ({'info': PinholeCamera(20, 12, 14.0, 14.0, 7.5, 5.5)}, 'no camera_info of its size'),
        ({'mount': None}, 'no transform leads from "arm_link0" to "wrist_optical"'),
        ({'frame': 'camera_optical_frame', 'mount': None}, 'is that of the main camera as well'),
        ({'back': True}, 'before the one before it'),
    ],
)
def test_a_second_camera_that_cannot_be_rendered_is_left_out_with_the_reason(
    workshop, tmp_path, changes, reason
):
    bag = two_cameras(workshop, tmp_path / 'bag', **changes)
    source = read_source(bag)

    assert source.others == ()
    (told,) = [note for note in source.left_out if note.startswith(f'{DEPTH} (of camera "wrist"')]
    assert reason in told
    assert len(demo_of(source)) == 12
    found = inspect_bag(bag)
    assert found.is_demonstration
    assert reason in found.cameras[1].trouble


def test_the_unaligned_depth_of_the_main_camera_is_no_camera_of_its_own(workshop, tmp_path):
    beside = workshop.CAMERA2BASE @ se3.compose(np.eye(3), [0.015, 0.0, 0.0])
    topics = ('/cam/depth/image', '/cam/infra/image', '/cam/depth/camera_info')
    bag = two_cameras(
        workshop, tmp_path / 'bag', frame='depth_optical', topics=topics, mount=beside,
        parent=workshop.BASE,
    )  # fmt: skip
    source = read_source(bag)

    assert source.others == ()
    assert any('the camera of /cam/aligned_depth/image as well' in x for x in source.left_out)


def test_inspection_tells_the_cameras_and_which_is_main(workshop, tmp_path):
    bag = two_cameras(workshop, tmp_path / 'bag')
    cameras = inspect_bag(bag).cameras
    assert [(each.name, each.is_main, each.trouble) for each in cameras] == [
        ('cam', True, ''),
        ('wrist', False, ''),
    ]
    turned = inspect_bag(bag, StreamSelection(depth=DEPTH)).cameras
    assert [(each.name, each.is_main) for each in turned] == [('wrist', True), ('cam', False)]
    assert inspect_bag(tmp_path / 'bag_one').cameras == ()


def test_the_writer_of_a_bag_can_say_which_camera_is_main(workshop, tmp_path):
    told = two_cameras(workshop, tmp_path / 'told', custom={keys.DEPTH: DEPTH})
    assert read_source(told).depth.topic.name == DEPTH
    assert read_source(told, StreamSelection(depth='/cam/aligned_depth/image')).others


def test_a_camera_that_is_not_wanted_is_left_out(workshop, tmp_path):
    source = read_source(two_cameras(workshop, tmp_path / 'bag'))
    left = without(source, source.others[0], 'nobody asked')
    assert left.others == ()
    assert left.left_out == tuple(
        f'{name} (of camera "wrist": nobody asked)' for name in (DEPTH, COLOUR, INFO)
    )
