# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import numpy as np
import pytest

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.images import ImageCoding
from r2rgen_ros.bags.inspection import inspect_bag
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.model.errors import R2RGenError


def lacking(inspection, *, needed):
    return [lack.what for lack in inspection.lacks if lack.is_needed == needed]


def test_real_cloud_bag(data_dir):
    found = inspect_bag(data_dir / 'ros1_bags' / 'moveit_perception_tutorial.bag')
    assert found.format == 'ROS 1 bag'
    (topic,) = found.topics
    assert (topic.name, topic.count) == ('/camera/depth_registered/points', 1)
    details = topic.details
    assert (details['width'], details['height'], details['point_step']) == (640, 480, 32)
    assert details['fields'] == ['x', 'y', 'z', 'rgb']
    assert details['is_organised']
    assert not details['is_dense']
    assert details['frame'] == 'camera_rgb_optical_frame'
    assert f'{details["valid_share"]:.0%}' == '76%'
    assert details['distinct_depths'] == 285
    assert not found.is_demonstration
    needed = ' / '.join(lacking(found, needed=True))
    assert 'motion' in needed
    assert 'moving transforms' in needed
    assert 'joint states' in lacking(found, needed=False)


def test_real_transform_bag(data_dir):
    found = inspect_bag(data_dir / 'ros1_bags' / 'jsk_watercan.bag')
    tf = found.topic('/tf')
    assert tf.count == 3532
    assert tf.details['pairs'] == 83
    assert any('2 types are mixed' in text for text in tf.problems)
    assert found.frames['pairs'] == 83
    assert found.frames['depth'] > 10
    assert len(found.frames['longest_chain']) == found.frames['depth'] + 1
    cloud = found.topic('/euclidean_cluster_indices_decomposer/output00')
    assert cloud.details['frame'] == '/ground'
    assert any('leading slash' in text for text in cloud.problems)
    assert cloud.details['colour'] == 'rgb'
    assert any('motion' in what for what in lacking(found, needed=True))
    # The cloud's frame is found without its slash: no calibration is missing.
    assert not any('ground' in what for what in lacking(found, needed=True))


def test_real_joint_bag(data_dir):
    found = inspect_bag(data_dir / 'ros1_bags' / 'kuka_lwr_joint_states.bag')
    (topic,) = found.topics
    assert topic.count == 4101
    assert topic.rate_hz == pytest.approx(100.0, abs=0.01)
    assert found.duration_s == pytest.approx(41.0, abs=0.01)
    assert topic.details['joints'] == 7
    assert 'effort' in topic.details['has']
    assert f'{topic.details["repeated_share"]:.0%}' == '46%'
    assert any('46% of the readings' in text for text in topic.problems)
    assert set(lacking(found, needed=True)) == {'a depth camera', 'moving transforms (/tf)'}
    assert 'neither depth images nor point clouds' in found.obstacle


def test_complete_demonstration(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    found = inspect_bag(tmp_path / 'bag')
    assert found.is_demonstration
    assert found.lacks == ()
    assert found.base_frame == workshop.BASE
    assert found.end_effectors == (workshop.HAND,)
    roles = {topic.name: topic.role for topic in found.topics}
    assert roles == {
        '/cam/aligned_depth/camera_info': 'camera_info',
        '/cam/aligned_depth/image': 'depth',
        '/cam/color/image': 'colour',
        '/gripper/width': 'gripper',
        '/joint_states': 'joints',
        '/pose_command': 'pose',
        '/robot_description': 'robot description',
        '/tf': 'transforms',
        '/tf_static': 'static transforms',
    }
    depth = found.topic('/cam/aligned_depth/image')
    assert depth.rate_hz == pytest.approx(10.0)
    assert depth.details['encoding'] == '16UC1'
    assert depth.details['valid_share'] == pytest.approx(0.8, abs=0.1)
    assert found.topic('/joint_states').rate_hz == pytest.approx(100.0)
    assert found.topic('/cam/aligned_depth/camera_info').details['fx'] == 30.0
    assert all(not topic.problems for topic in found.topics)


def test_json_is_plain(tmp_path, workshop):
    workshop.record(tmp_path / 'bag')
    found = inspect_bag(tmp_path / 'bag')
    again = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert again['is_demonstration'] is True
    assert len(again['topics']) == 9
    assert again['topics'][0]['details']['width'] == 32


@pytest.mark.parametrize(
    ('changes', 'lack'),
    [
        ({'depth': None}, 'a depth camera'),
        ({'camera_info': False}, 'camera_info'),
        ({'transforms': False}, 'moving transforms (/tf)'),
        ({'frames': 1}, 'motion: /cam/aligned_depth/image holds 1 message'),
        (
            {'camera_transform': False},
            'a transform from "arm_link0" to the camera\'s frame "camera_optical_frame"',
        ),
    ],
)
def test_what_is_missing_is_listed_with_its_remedy(tmp_path, workshop, changes, lack):
    workshop.record(tmp_path / 'bag', workshop.Recipe(**changes))
    found = inspect_bag(tmp_path / 'bag')
    assert lacking(found, needed=True) == [lack]
    assert all(item.fix and item.why for item in found.lacks)
    assert not found.is_demonstration


def test_what_is_odd_is_listed(tmp_path, workshop):
    recipe = workshop.Recipe(
        depth=ImageCoding('32FC1'), depth_scale=1000.0, back_at=5, latency=2_000_000_000
    )
    workshop.record(tmp_path / 'bag', recipe)
    found = inspect_bag(tmp_path / 'bag')
    problems = ' / '.join(found.topic('/cam/aligned_depth/image').problems)
    assert 'looks like millimetres' in problems
    assert '1 stamps lie before the one before them, first that of message 6' in problems
    assert 'differ by 2.000 s' in problems
    assert 'is stamped 0.200000 s before' in found.obstacle


def blinded(message):
    """The same cloud without a point."""
    records = np.array(message.data).reshape(-1, message.point_step)
    records[:, :12] = np.full(3, np.nan, '<f4').view(np.uint8)
    message.data = records.reshape(-1)
    return message


def cut_short(message):
    """The same with half of its bytes."""
    message.data = np.array(message.data)[: len(message.data) // 2]
    return message


@pytest.mark.parametrize(
    ('topic', 'change', 'said', 'odd'),
    [
        ('/cam/points', blinded, 'cloud 7 of /cam/points holds only NaN points', 'clouds of only'),
        ('/cam/points', cut_short, 'cloud 7 of /cam/points cannot be read', 'clouds of only'),
        (
            '/cam/aligned_depth/image', cut_short,
            'image 7 of /cam/aligned_depth/image cannot be read', 'images of too few bytes',
        ),
        (
            '/cam/color/image', cut_short,
            'image 7 of /cam/color/image cannot be read', 'images of too few bytes',
        ),
    ],
)  # fmt: skip
def test_frames_that_cannot_be_used_are_found_wherever_they_are(
    tmp_path, workshop, topic, change, said, odd
):
    recipe = workshop.clouds_only() if topic == '/cam/points' else workshop.Recipe()
    workshop.record(tmp_path / 'good', recipe)
    bad = workshop.changed(
        tmp_path / 'good',
        tmp_path / 'bad',
        lambda name, k, message: change(message) if (name, k) == (topic, 7) else message,
    )

    found = inspect_bag(bad)

    assert said in found.obstacle
    assert 'to fix: ' in found.obstacle
    assert any(odd in text and '1 of 12, first message 8' in text
               for text in found.topic(topic).problems)  # fmt: skip
    assert inspect_bag(tmp_path / 'good').is_demonstration


def test_clouds_that_no_frame_is_made_of_are_no_obstacle(tmp_path, workshop):
    workshop.record(tmp_path / 'good', workshop.clouds_only())

    def change(name, k, message):
        """The first cloud is empty, and the robot is recorded only from later on."""
        if name == '/tf':
            stamp = messages.stamp_ns(message.transforms[0].header)
            return message if stamp > workshop.START + 1.5 * workshop.PERIOD else None
        return blinded(message) if name == '/cam/points' and k == 0 else message

    found = inspect_bag(workshop.changed(tmp_path / 'good', tmp_path / 'bad', change))

    assert found.is_demonstration, found.obstacle
    assert any('1 of 12' in text for text in found.topic('/cam/points').problems)


def test_gaps_repeats_and_unstamped_messages_are_seen(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        for name in ('/gaps', '/blank'):
            bag.add_topic(name, messages.JOINT_STATE)
        stamps = [k * 10_000_000 for k in (1, 2, 3, 3, 4, 5, 6, 60, 61, 62)]
        for k, stamp in enumerate(stamps):
            values = np.array([float(k)] * 3)
            bag.write('/gaps', stamp, messages.joint_state(stamp, 'abc', values))
            bag.write('/blank', stamp, messages.joint_state(0, 'abc', values))
    found = inspect_bag(tmp_path / 'bag')
    gaps = ' / '.join(found.topic('/gaps').problems)
    assert '1 gaps of more than 3 periods, the longest 0.540 s' in gaps
    assert '1 messages repeat the stamp' in gaps
    assert 'no message is stamped' in found.topic('/blank').problems[0]


def test_ambiguity_is_the_obstacle(tmp_path, workshop):
    with BagWriter(tmp_path / 'bag') as bag:
        for side in ('left', 'right'):
            bag.add_topic(f'/{side}/depth', messages.IMAGE)
            for k in range(3):
                image = messages.image(k, side, np.ones((4, 4), np.uint16), '16UC1')
                bag.write(f'/{side}/depth', k, image)
    found = inspect_bag(tmp_path / 'bag')
    assert 'several topics could be the depth' in found.obstacle
    # There are cameras; what else is there is not known before one is chosen.
    assert [lack.what for lack in found.lacks] == ['moving transforms (/tf)']
    chosen = inspect_bag(tmp_path / 'bag', StreamSelection(depth='/left/depth'))
    assert chosen.topic('/left/depth').role == 'depth'
    assert 'no camera_info' in chosen.obstacle


@pytest.mark.parametrize('wrong', [{'depth': '/dept'}, {'gripper': ('/grip',)}])
def test_a_topic_that_is_not_there_hides_nothing_of_those_that_are(tmp_path, workshop, wrong):
    place = tmp_path / 'bag'
    workshop.record(place)

    found = inspect_bag(place, StreamSelection(**wrong))

    (name,) = wrong.values()
    assert (name if isinstance(name, str) else name[0]) in found.obstacle
    usual = inspect_bag(place)
    assert [topic.role for topic in found.topics] == [topic.role for topic in usual.topics]


@pytest.mark.parametrize(
    'kind',
    [
        messages.IMAGE,
        messages.COMPRESSED_IMAGE,
        messages.POINT_CLOUD,
        messages.CAMERA_INFO,
        messages.JOINT_STATE,
        messages.TF,
        messages.STRING,
    ],
)
def test_a_topic_without_messages_is_told(tmp_path, kind):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/silent', kind)
        bag.add_topic('/state', messages.STRING)
        bag.write('/state', 1, messages.string('on'))
    found = inspect_bag(tmp_path / 'bag')
    assert found.topic('/silent').count == 0
    assert found.topic('/silent').problems == (
        'it holds no messages: check that its publisher ran',
    )
    assert 'a depth camera' in lacking(found, needed=True)


def test_damaged_bags_are_refused(tmp_path):
    with pytest.raises(R2RGenError, match='there is no bag'):
        inspect_bag(tmp_path / 'nope')
    (tmp_path / 'x.mcap').write_bytes(b'garbage')
    with pytest.raises(R2RGenError, match='cannot be read as a bag'):
        inspect_bag(tmp_path / 'x.mcap')
