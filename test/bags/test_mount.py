# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A base with odometry: where it stood is read, and where it would have stood is written."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.inspection import inspect_bag
from r2rgen_ros.bags.load import demo_of, load_demo
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.bags.transforms import TransformBuffer
from r2rgen_ros.bags.writer import RELIABLE, BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import Variation
from r2rgen_ros.model.sensed import SensedFrame

FOOT = 'base_footprint'
FOOT2ODOM = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], 0.9), [3.0, -2.0, 0.0])
BASE2FOOT = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], -0.2), [0.15, 0.02, 0.4])
ODOM2MAP = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], -0.5), [-1.0, 0.5, 0.0])
MOVED = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], 0.3), [0.2, -0.1, 0.0])
"""The new base in the old one."""
TOPIC = '/wheels/odom'


def add_odometry(path, out, base, *, transforms=True, odometry=True, child=FOOT, camera=None):
    """Copy a recording of an arm onto a base that stands at FOOT2ODOM."""
    with BagReader(path) as reader, BagWriter(out, custom_data=reader.custom_data) as bag:
        for topic in reader.topics:
            bag.add_topic(topic.name, topic.type, topic.qos)
        if odometry:
            bag.add_topic(TOPIC, messages.ODOMETRY, (RELIABLE,))
        for topic, log, raw in reader.messages():
            message = reader.decode(topic, raw)
            if topic == '/tf_static':
                stamp = messages.stamp_ns(message.transforms[0].header)
                message.transforms.append(messages.transform_matrix(stamp, FOOT, base, BASE2FOOT))
                if camera:
                    for item in message.transforms:
                        item.header.frame_id = camera.get(item.child_frame_id, item.header.frame_id)
            bag.write(topic, log, message)
            if topic != '/joint_states':
                continue
            stamp = messages.stamp_ns(message.header)
            if transforms:
                edges = [
                    messages.transform_matrix(stamp, 'map', 'odom', ODOM2MAP),
                    messages.transform_matrix(stamp, 'odom', FOOT, FOOT2ODOM),
                ]
                bag.write('/tf', log, messages.tf_message(edges))
            if odometry:
                row = np.concatenate(se3.to_quaternion(FOOT2ODOM))
                spread = np.diag([0.01] * 6).ravel()
                twist = [0.0, 0.0, 0.0, 0.0, 0.0, 1e-4]
                parts = (row, spread, twist, 2.0 * spread)
                bag.write(TOPIC, log, messages.odometry(stamp, 'odom', child, *parts))
    return out


@pytest.fixture(scope='module')
def standing(workshop, tmp_path_factory):
    folder = tmp_path_factory.mktemp('mount')
    workshop.record(folder / 'arm')
    return add_odometry(folder / 'arm', folder / 'mobile', workshop.BASE)


def _written(source, out, workshop, base2base):
    demo = demo_of(source)
    variation = Variation(0, 0, (), np.zeros((0, 4, 4)), base2base=base2base)
    episode = workshop.episode_of(demo, variation=variation)
    frames = [SensedFrame(f.depth, f.colour) for f in (demo.frames[k] for k in range(len(demo)))]
    writer = EpisodeWriter(source, link_poses=workshop.link_poses)
    writer.write(out, episode, frames)
    return writer


def _messages(path, topic):
    with BagReader(path) as reader:
        return [message for _, _, message in reader.decoded([topic])]


def _buffer(path):
    return TransformBuffer.from_messages(_messages(path, '/tf'), _messages(path, '/tf_static'))


def test_where_the_base_stood_is_known_in_every_frame_above_it(standing):
    demo = load_demo(standing)

    found = {path.frame: path.base2frame for path in demo.base_paths}
    assert list(found) == ['odom', 'map']
    for pose in found['odom']:
        np.testing.assert_allclose(pose, FOOT2ODOM @ BASE2FOOT, atol=1e-9)
    np.testing.assert_allclose(found['map'][3], ODOM2MAP @ FOOT2ODOM @ BASE2FOOT, atol=1e-9)
    assert demo.base_paths[0].largest_move == pytest.approx((0.0, 0.0), abs=1e-6)


def test_a_moved_base_is_moved_in_odom_and_what_stands_in_the_world_is_not(
    standing, workshop, tmp_path
):
    source = read_source(standing)
    base2base = se3.inverse(MOVED)
    _written(source, tmp_path / 'out', workshop, base2base)

    new, old = _buffer(tmp_path / 'out'), source.buffer
    stamps = source.stamps
    now = new.lookup('odom', source.base_frame, stamps)
    np.testing.assert_allclose(now[0], FOOT2ODOM @ BASE2FOOT @ MOVED, atol=1e-9)
    assert np.ptp(now, axis=0).max() < 1e-9
    # A thing that the old base saw at p is seen by the new one at base2base p: it stays in odom.
    thing = np.array([[0.5, 0.1, 0.0]])
    before = old.lookup('odom', source.base_frame, stamps)[0]
    np.testing.assert_allclose(
        se3.apply(now[0], se3.apply(base2base, thing)), se3.apply(before, thing), atol=1e-9
    )
    for edge in (('map', 'odom'), (FOOT, source.base_frame)):
        np.testing.assert_allclose(new.lookup(*edge, stamps), old.lookup(*edge, stamps), atol=1e-12)
    # What rides on the base is where it was, seen from there.
    for frame in (workshop.OPTICAL, workshop.HAND):
        np.testing.assert_allclose(
            new.lookup(source.base_frame, frame, stamps),
            old.lookup(source.base_frame, frame, stamps),
            atol=1e-9,
        )


@pytest.mark.parametrize('child', [FOOT, 'arm_link0'])
def test_odometry_messages_move_with_the_base(workshop, tmp_path, child):
    workshop.record(tmp_path / 'arm')
    path = add_odometry(tmp_path / 'arm', tmp_path / 'mobile', workshop.BASE, child=child)
    source = read_source(path)

    writer = _written(source, tmp_path / 'out', workshop, se3.inverse(MOVED))

    assert not any(TOPIC in note for note in writer.left_out)
    child2base = np.eye(4) if child == workshop.BASE else se3.inverse(BASE2FOOT)
    base2odom = FOOT2ODOM @ se3.inverse(child2base)
    before, after = (_messages(where, TOPIC) for where in (path, tmp_path / 'out'))
    assert len(after) == pytest.approx(len(before), abs=2)
    for message in after[:: len(after) // 5]:
        assert (message.header.frame_id, message.child_frame_id) == ('odom', child)
        place, turn = message.pose.pose.position, message.pose.pose.orientation
        pose = se3.from_quaternion(
            np.array([place.x, place.y, place.z]), np.array([turn.x, turn.y, turn.z, turn.w])
        )
        np.testing.assert_allclose(pose @ se3.inverse(child2base), base2odom @ MOVED, atol=1e-9)
        np.testing.assert_array_equal(message.pose.covariance, before[0].pose.covariance)
        np.testing.assert_array_equal(message.twist.covariance, before[0].twist.covariance)
        assert message.twist.twist.angular.z == 1e-4


def test_odometry_of_a_base_that_stays_is_the_recorded_one(standing, workshop, tmp_path):
    source = read_source(standing)
    _written(source, tmp_path / 'out', workshop, np.eye(4))

    def raw(path, topic):
        with BagReader(path) as reader:
            return {(log, bytes(data)) for _, log, data in reader.messages([topic])}

    again = raw(tmp_path / 'out', TOPIC)
    assert len(again) > 100
    assert again <= raw(standing, TOPIC)


def test_odometry_as_messages_alone_tells_where_the_base_stood(workshop, tmp_path):
    workshop.record(tmp_path / 'arm')
    path = add_odometry(tmp_path / 'arm', tmp_path / 'mobile', workshop.BASE, transforms=False)

    (base,) = load_demo(path).base_paths

    assert base.frame == 'odom'
    np.testing.assert_allclose(base.base2frame[5], FOOT2ODOM @ BASE2FOOT, atol=1e-9)


def test_odometry_of_what_is_not_fixed_to_the_base_is_left_out_and_said(workshop, tmp_path):
    workshop.record(tmp_path / 'arm')
    path = add_odometry(tmp_path / 'arm', tmp_path / 'mobile', workshop.BASE, child='elsewhere')

    writer = _written(read_source(path), tmp_path / 'out', workshop, se3.inverse(MOVED))

    assert any(TOPIC in note and 'elsewhere' in note for note in writer.left_out)
    with BagReader(tmp_path / 'out') as reader:
        assert TOPIC not in {topic.name for topic in reader.topics}


def test_a_camera_that_stands_in_the_room_does_not_ride(workshop, tmp_path):
    workshop.record(tmp_path / 'arm')
    path = add_odometry(
        tmp_path / 'arm', tmp_path / 'mobile', workshop.BASE, camera={workshop.OPTICAL: 'odom'}
    )

    source = read_source(path)

    assert source.mount is None
    assert any(f'"{workshop.OPTICAL}" hangs in "odom"' in note for note in source.warnings)


def test_a_fixed_base_has_no_odometry(workshop, tmp_path):
    workshop.record(tmp_path / 'arm')
    source = read_source(tmp_path / 'arm')

    assert source.mount is None
    assert source.base_paths == ()


def test_a_base_that_drives_is_said_by_inspect(workshop, tmp_path):
    workshop.record(tmp_path / 'arm')
    path = add_odometry(tmp_path / 'arm', tmp_path / 'mobile', workshop.BASE, odometry=False)

    def driving(topic, number, message):
        if topic == '/tf':
            for item in message.transforms:
                if item.child_frame_id == FOOT:
                    item.transform.translation.x += 0.002 * number
        return message

    assert inspect_bag(path).obstacle == ''
    driven = workshop.changed(path, tmp_path / 'driven', driving)
    assert 'the base moves in "driven"' in inspect_bag(driven).obstacle
    beside = add_odometry(
        tmp_path / 'arm',
        tmp_path / 'beside',
        workshop.BASE,
        odometry=False,
        camera={workshop.OPTICAL: 'odom'},
    )
    assert inspect_bag(beside).obstacle == ''
    watched = workshop.changed(beside, tmp_path / 'watched', driving)
    assert 'the base moves in "watched"' in inspect_bag(watched).obstacle
