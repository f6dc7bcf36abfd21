# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.clouds import STANDARD, encode_cloud
from r2rgen_ros.bags.frames import find_base, find_hands
from r2rgen_ros.bags.keys import format_end_effectors, parse_end_effectors
from r2rgen_ros.bags.qos import LATCHED
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.streams import StreamSelection, find_streams
from r2rgen_ros.bags.trajectory import TRAJECTORY
from r2rgen_ros.bags.transforms import TransformBuffer
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.errors import R2RGenError

CAMERA = PinholeCamera(8, 6, 9.0, 9.0, 4.0, 3.0)


def depth(frame='optical', size=(6, 8), encoding='16UC1'):
    kind = np.float32 if encoding == '32FC1' else np.uint16
    return messages.image(1, frame, np.ones(size, kind), encoding)


def colour(frame='optical', size=(6, 8), encoding='rgb8'):
    shape = size if encoding == 'mono8' else (*size, 3)
    return messages.image(1, frame, np.ones(shape, np.uint8), encoding)


def info(frame='optical', camera=CAMERA):
    return messages.camera_info(1, frame, camera)


def joints(*names):
    return messages.joint_state(1, names, np.zeros(len(names)))


def bag(path, topics, latched=()):
    with BagWriter(path) as out:
        for name, message in topics.items():
            out.add_topic(name, message.__msgtype__, *([LATCHED] if name in latched else []))
            out.write(name, 1, message)
    return BagReader(path)


def found(path, topics, wanted=None, latched=()):
    with bag(path, topics, latched) as reader:
        return find_streams(reader, wanted)


def name(topic):
    return None if topic is None else topic.name


@pytest.mark.parametrize(
    ('topics', 'chosen'),
    [
        # realsense2_camera
        (
            {
                '/camera/camera/depth/image_rect_raw': depth('depth_optical', (5, 7)),
                '/camera/camera/aligned_depth_to_color/image_raw': depth(),
                '/camera/camera/aligned_depth_to_color/camera_info': info(),
                '/camera/camera/color/image_raw': colour(),
                '/camera/camera/color/camera_info': info(),
                '/camera/camera/infra1/image_rect_raw': colour('infra', encoding='mono8'),
            },
            (
                '/camera/camera/aligned_depth_to_color/image_raw',
                '/camera/camera/color/image_raw',
                '/camera/camera/aligned_depth_to_color/camera_info',
            ),
        ),
        # Orbbec
        (
            {
                '/camera/depth/image_raw': depth(),
                '/camera/depth/camera_info': info(),
                '/camera/color/image_raw': colour(encoding='bgr8'),
                '/camera/color/camera_info': info(),
                '/camera/ir/image_raw': depth('ir', encoding='mono16'),
            },
            ('/camera/depth/image_raw', '/camera/color/image_raw', '/camera/depth/camera_info'),
        ),
        # Azure Kinect
        (
            {
                '/depth_to_rgb/image_raw': depth(encoding='32FC1'),
                '/depth_to_rgb/camera_info': info(),
                '/depth/image_raw': depth('depth_camera', (7, 7), '32FC1'),
                '/rgb/image_raw': colour(encoding='bgr8'),
                '/rgb/camera_info': info(),
            },
            ('/depth_to_rgb/image_raw', '/rgb/image_raw', '/depth_to_rgb/camera_info'),
        ),
        # ZED
        (
            {
                '/zed/zed_node/depth/depth_registered': depth(encoding='32FC1'),
                '/zed/zed_node/depth/camera_info': info(),
                '/zed/zed_node/rgb/image_rect_color': colour(encoding='bgr8'),
                '/zed/zed_node/rgb/camera_info': info(),
            },
            (
                '/zed/zed_node/depth/depth_registered',
                '/zed/zed_node/rgb/image_rect_color',
                '/zed/zed_node/depth/camera_info',
            ),
        ),
    ],
    ids=['realsense', 'orbbec', 'azure kinect', 'zed'],
)
def test_topics_of_camera_drivers_are_recognised(tmp_path, topics, chosen):
    streams = found(tmp_path / 'bag', topics)
    assert (name(streams.depth), name(streams.colour), name(streams.camera_info)) == chosen


def test_intrinsics_of_the_same_camera_are_all_kept_and_the_rest_left_out(tmp_path):
    topics = {
        '/a/depth/image': depth(),
        '/a/depth/camera_info': info(),
        '/a/color/camera_info': info(),
        '/b/camera_info': info('other'),
        '/odd': messages.path('base', [1], np.eye(4)[None]),
    }
    streams = found(tmp_path / 'bag', topics)
    assert name(streams.camera_info) == '/a/depth/camera_info'
    assert [t.name for t in streams.more_info] == ['/a/color/camera_info']
    assert [t.name for t in streams.left_out] == ['/b/camera_info', '/odd']


def test_two_cameras_must_be_told_apart_by_the_user(tmp_path):
    topics = {f'/{side}/depth/image': depth(side) for side in ('left', 'right')}
    with pytest.raises(
        R2RGenError, match='could be the depth: /left/depth/image, /right/depth/image'
    ):
        found(tmp_path / 'bag', topics)
    wanted = StreamSelection(depth='/right/depth/image')
    assert name(found(tmp_path / 'other', topics, wanted).depth) == '/right/depth/image'


def test_depth_and_colour_of_different_size_are_refused(tmp_path):
    topics = {'/d/depth': depth(), '/c/color': colour(size=(12, 16))}
    with pytest.raises(R2RGenError, match='8 x 6 pixels, but the colour images are: /c/color 16'):
        found(tmp_path / 'bag', topics)


def test_infrared_alone_is_no_depth(tmp_path):
    assert found(tmp_path / 'bag', {'/ir/image': depth('ir', encoding='mono16')}).depth is None


def test_clouds_robot_and_own_topics(tmp_path):
    cloud = encode_cloud(Cloud.from_arrays(np.ones((3, 3))), STANDARD, 'base', 1)
    topics = {
        '/camera/points': cloud,
        '/r2rgen/labelled_points': cloud,
        '/gripper/command': messages.number(1.0),
        '/gripper/width': messages.number(0.05),
        '/joint_commands': joints('a', 'b'),
        '/joint_states': joints('a', 'b'),
        '/robot_description': messages.string('<robot/>'),
        '/tf': messages.tf_message([]),
        '/tf_static': messages.tf_message([]),
        '/map_note': messages.string('latched'),
        '/chatter': messages.string('not latched'),
        '/target': messages.pose_stamped(1, 'base', [0, 0, 0], [0, 0, 0, 1]),
    }
    streams = found(tmp_path / 'bag', topics, latched=('/tf_static', '/map_note'))
    assert name(streams.cloud) == '/camera/points'
    assert [t.name for t in streams.grippers] == ['/gripper/width']
    assert [t.name for t in streams.joint_states] == ['/joint_states', '/joint_commands']
    assert [t.name for t in streams.transforms] == ['/tf']
    assert [t.name for t in streams.static_transforms] == ['/tf_static']
    assert name(streams.description) == '/robot_description'
    assert [t.name for t in streams.latched] == ['/map_note']
    assert [t.name for t in streams.left_out] == ['/chatter']
    assert [t.name for t in streams.poses] == ['/target']


def tree(*pairs, static=()):
    moving = [
        messages.tf_message([messages.transform_matrix(1, *pair, np.eye(4))]) for pair in pairs
    ]
    fixed = [
        messages.tf_message([messages.transform_matrix(1, *pair, np.eye(4))]) for pair in static
    ]
    return TransformBuffer.from_messages(moving, fixed)


def chain(*frames):
    return list(pairwise(frames))


@pytest.mark.parametrize(
    ('buffer', 'base', 'hands'),
    [
        (
            tree(
                *chain('panda_link0', 'panda_link1', 'panda_link8', 'panda_hand'),
                ('panda_hand', 'panda_leftfinger'),
                static=[('panda_hand', 'panda_hand_tcp'), ('panda_link0', 'camera_link')],
            ),
            'panda_link0',
            {'arm': 'panda_hand_tcp'},
        ),
        (
            tree(
                *chain('base_link_inertia', 'shoulder_link', 'wrist_3_link'),
                static=[
                    ('world', 'base_link'), ('base_link', 'base'),
                    ('base_link', 'base_link_inertia'), ('wrist_3_link', 'flange'),
                    ('flange', 'tool0'),
                ],
            ),
            'base_link',
            {'arm': 'tool0'},
        ),
        (
            tree(
                *chain('world', 'left_link0', 'left_link1', 'left_tcp'),
                *chain('world', 'right_link0', 'right_link1', 'right_tcp'),
            ),
            'world',
            {'left': 'left_tcp', 'right': 'right_tcp'},
        ),
        (
            tree(*chain('link_base', 'link1', 'link2', 'link_tcp')),
            'link_base',
            {'arm': 'link_tcp'},
        ),
        (tree(*chain('odd', 'one', 'two', 'three'), ('odd', 'short')), 'odd', {'arm': 'three'}),
    ],
    ids=['panda', 'ur5e', 'two arms', 'xarm', 'unknown robot'],
)  # fmt: skip
def test_base_and_hands_of_robots_are_recognised(buffer, base, hands):
    pairs, _ = find_hands(buffer, StreamSelection(), {})
    assert dict(pairs) == hands
    assert find_base(buffer, StreamSelection(), {}, [frame for _, frame in pairs]) == base


def test_hands_that_cannot_be_told_apart_are_asked_for():
    buffer = tree(*chain('base', 'a_x_tcp'), *chain('base', 'a_y_tcp'))
    with pytest.raises(R2RGenError, match='several frames could be the end effector'):
        find_hands(buffer, StreamSelection(), {})


@pytest.mark.parametrize(
    'pairs', [(('arm', 'tcp'),), (('left', 'l_tcp'), ('right', 'r_tcp')), (('x', 'tcp'),)]
)
def test_end_effectors_survive_being_written_down(pairs):
    assert parse_end_effectors(format_end_effectors(pairs)) == pairs


def test_a_latched_motion_is_not_carried_over_as_it_was(tmp_path):
    trajectory = messages.message_class(TRAJECTORY)(messages.header(1, 'base'), ['joint'], [])
    topics = {
        '/depth': depth(), '/depth/camera_info': info(), '/note': messages.string('kept'),
        '/arm_controller/joint_trajectory': trajectory,
        '/plan': messages.path('base', [1], np.eye(4)[None]),
    }  # fmt: skip
    latched = ('/arm_controller/joint_trajectory', '/plan', '/note')
    streams = found(tmp_path / 'bag', topics, latched=latched)

    assert [t.name for t in streams.latched] == ['/note']
    assert {t.name for t in streams.left_out} == {'/arm_controller/joint_trajectory', '/plan'}
