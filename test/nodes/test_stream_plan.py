# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.nodes.capture import Stream
from r2rgen_ros.nodes.stream_plan import plan

IMAGE, INFO = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CameraInfo'
CLOUD, JOINT, TF = (
    'sensor_msgs/msg/PointCloud2',
    'sensor_msgs/msg/JointState',
    'tf2_msgs/msg/TFMessage',
)
REALSENSE = {
    '/camera/color/image_raw': IMAGE,
    '/camera/color/camera_info': INFO,
    '/camera/depth/image_rect_raw': IMAGE,
    '/camera/depth/camera_info': INFO,
    '/camera/aligned_depth_to_color/image_raw': IMAGE,
    '/camera/aligned_depth_to_color/camera_info': INFO,
    '/camera/infra1/image_rect_raw': IMAGE,
    '/camera/depth/color/points': CLOUD,
}
ROBOT = {'/tf': TF, '/tf_static': TF, '/joint_states': JOINT,
         '/robot_description': 'std_msgs/msg/String'}  # fmt: skip
DEFAULTS = {'tf_topic': '/tf', 'tf_static_topic': '/tf_static',
            'robot_description_topic': '/robot_description'}  # fmt: skip


def _offered(topics):
    return {topic: [Stream(topic, kind)] for topic, kind in topics.items()}


def _roles(topics, **settings):
    planned = plan({**DEFAULTS, **settings}, _offered(topics))
    return {each.stream.topic: each.role for each in planned}


def _fault(topics, **settings):
    with pytest.raises(R2RGenError) as error:
        plan({**DEFAULTS, **settings}, _offered(topics))
    return str(error.value)


def test_depth_aligned_to_colour_is_preferred_and_its_camera_info_comes_along():
    assert _roles(REALSENSE | ROBOT) == {
        '/camera/aligned_depth_to_color/image_raw': 'depth',
        '/camera/aligned_depth_to_color/camera_info': 'camera_info',
        '/camera/color/image_raw': 'colour',
        '/camera/color/camera_info': 'camera_info',
        '/joint_states': 'joint',
        '/tf': 'tf',
        '/tf_static': 'tf_static',
        '/robot_description': 'robot_description',
    }


def test_clouds_are_taken_where_there_are_no_images_but_not_those_shown_to_people():
    clouds = {'/lidar/points': CLOUD, '/annotator/labelled_points': CLOUD}
    roles = _roles(clouds | ROBOT)
    assert roles['/lidar/points'] == 'cloud'
    assert '/annotator/labelled_points' not in roles


def test_what_is_named_is_taken_and_nothing_else_of_its_kind():
    roles = _roles(
        REALSENSE | ROBOT | {'/left/joint_states': JOINT},
        depth_topics=['/camera/depth/image_rect_raw'], joint_topics=['left/joint_states'],
    )  # fmt: skip
    assert roles['/camera/depth/image_rect_raw'] == 'depth'
    assert roles['/camera/depth/camera_info'] == 'camera_info'
    assert roles['/left/joint_states'] == 'joint'
    assert '/joint_states' not in roles
    assert '/camera/color/image_raw' not in roles


def test_all_faults_are_named_at_once_each_with_a_remedy():
    said = _fault({'/tf': TF, '/depth': INFO}, depth_topics=['/depth'], joint_topics=['/joints'])
    assert f'/depth (depth) has the type {INFO}' in said
    assert 'correct depth_topics' in said
    assert '/joints (joint) is not published' in said
    assert 'correct joint_topics' in said


def test_a_missing_topic_comes_with_those_that_are_there():
    said = _fault(REALSENSE | ROBOT, colour_topics=['/color'], depth_topics=['/depth'])
    assert 'published are /camera/aligned_depth_to_color/image_raw' in said


def test_without_a_camera_the_message_says_what_to_start():
    assert 'start the camera' in _fault(ROBOT)


def test_two_types_on_one_topic_are_refused():
    offered = _offered(REALSENSE | ROBOT)
    offered['/joint_states'].append(Stream('/joint_states', 'std_msgs/msg/String'))
    with pytest.raises(R2RGenError, match='is published with the types'):
        plan(DEFAULTS, offered)


def test_types_that_no_bag_reader_knows_are_refused():
    said = _fault(REALSENSE | ROBOT | {'/own': 'my_msgs/msg/Own'}, other_topics=['/own'])
    assert 'my_msgs/msg/Own, which is not a standard one; leave it out' in said
