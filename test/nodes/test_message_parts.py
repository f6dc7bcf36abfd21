# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages hold the numbers they are made of, and can be sent."""

from __future__ import annotations

import numpy as np
import pytest
from builtin_interfaces.msg import Duration, Time
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from r2rgen_ros.bags.clouds import decode_cloud, decode_field
from r2rgen_ros.geometry import se3
from r2rgen_ros.nodes import message_parts

HEADER = Header(stamp=Time(sec=5, nanosec=6), frame_id='base')
POSE = se3.from_quaternion([0.1, -0.2, 0.3], [0.5, 0.5, -0.5, 0.5])


def _sent(message):
    """What a subscriber gets."""
    return deserialize_message(serialize_message(message), type(message))


def _numbers(message):
    return [getattr(message, name) for name in message.get_fields_and_field_types()]


@pytest.mark.parametrize('stamp', [0, 1, 10**9 - 1, 10**9, 1_700_000_000_123_456_789])
def test_nanoseconds_come_back(stamp):
    for count in (stamp, np.int64(stamp)):
        time = _sent(message_parts.time_message(count))
        assert isinstance(time, Time)
        assert time.sec * 10**9 + time.nanosec == stamp
        duration = _sent(message_parts.duration_message(count))
        assert isinstance(duration, Duration)
        assert duration.sec * 10**9 + duration.nanosec == stamp


@pytest.mark.parametrize('make', [tuple, np.array, lambda xyz: np.array(xyz, dtype=np.float32)])
def test_places_vectors_and_colours_are_made_of_any_three_numbers(make):
    given = make([0.5, 0.25, 1])
    assert _numbers(_sent(message_parts.point_message(given))) == [0.5, 0.25, 1.0]
    assert _numbers(_sent(message_parts.vector_message(given))) == [0.5, 0.25, 1.0]
    assert _numbers(_sent(message_parts.colour_message(given))) == [0.5, 0.25, 1.0, 1.0]
    assert _numbers(_sent(message_parts.colour_message(given, 0.5))) == [0.5, 0.25, 1.0, 0.5]


def test_poses_and_transforms_hold_place_and_rotation():
    pose = _sent(message_parts.pose_message(POSE))
    moved = _sent(message_parts.transform_message('base', 'hand', POSE, HEADER.stamp))

    assert (moved.header, moved.child_frame_id) == (HEADER, 'hand')
    for place, turn in (
        (pose.position, pose.orientation),
        (moved.transform.translation, moved.transform.rotation),
    ):
        assert np.allclose(se3.from_quaternion(_numbers(place), _numbers(turn)), POSE)


def test_frames_are_laid_onto_each_other_from_the_first_one_down():
    transforms = _sent(message_parts.still_transforms('abc', HEADER.stamp)).transforms

    assert [(t.header.frame_id, t.child_frame_id) for t in transforms] == [('a', 'b'), ('b', 'c')]
    for each in transforms:
        assert each.header.stamp == HEADER.stamp
        assert _numbers(each.transform.translation) == [0.0, 0.0, 0.0]
        assert _numbers(each.transform.rotation) == [0.0, 0.0, 0.0, 1.0]
    assert message_parts.still_transforms(['a'], Time()).transforms == []


@pytest.mark.parametrize('count', [0, 1, 257])
@pytest.mark.parametrize(('kind', 'label'), [(np.float32, np.uint32), (np.float64, np.uint8)])
def test_a_labelled_cloud_is_read_back_as_it_was(count, kind, label):
    rng = np.random.default_rng(count)
    points = rng.normal(size=(count, 3)).astype(kind)
    colours = rng.integers(0, 256, (count, 3)).astype(np.uint8)
    labels = np.arange(count).astype(label)

    message = _sent(message_parts.labelled_cloud(HEADER, points, colours, labels))

    assert message.header == HEADER
    assert message.is_dense
    assert (message.height, message.width, message.point_step) == (1, count, 20)
    assert [field.name for field in message.fields] == ['x', 'y', 'z', 'rgb', 'label']
    if count:
        cloud = decode_cloud(message)[0]
        assert np.array_equal(cloud.points, points.astype(np.float32))
        assert np.array_equal(cloud.colours, colours)
        assert np.array_equal(decode_field(message, 'label').reshape(-1), labels)


def test_a_marker_lies_at_the_origin_of_its_frame_until_it_is_moved():
    marker = _sent(
        message_parts.marker_message(HEADER, 'objects', 7, Marker.CUBE, (1.0, 0.5, 0.0), 0.25)
    )
    assert (marker.header, marker.ns, marker.id) == (HEADER, 'objects', 7)
    assert (marker.type, marker.action) == (Marker.CUBE, Marker.ADD)
    assert _numbers(marker.color) == [1.0, 0.5, 0.0, 0.25]
    assert _numbers(marker.pose.position) == [0.0, 0.0, 0.0]
    assert _numbers(marker.pose.orientation) == [0.0, 0.0, 0.0, 1.0]


def test_what_clears_the_screen_removes_all_markers():
    clear = _sent(message_parts.clear_message(HEADER))
    assert (clear.header, clear.action) == (HEADER, Marker.DELETEALL)
