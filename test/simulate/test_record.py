# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import yaml
from rosbags.highlevel import AnyReader
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate import record as recording
from r2rgen_ros.simulate.ground_truth import GroundTruth

RATES = {
    recording.JOINT_STATES: 100.0,
    recording.GRIPPER: 100.0,
    '/tf': 50.0,
    recording.COLOUR: 10.0,
    recording.DEPTH: 10.0,
    recording.COLOUR_INFO: 10.0,
    recording.DEPTH_INFO: 10.0,
}


def stamp_of(header):
    return header.stamp.sec * 10**9 + header.stamp.nanosec


@pytest.fixture(scope='module')
def bag(virtual_demo):
    """All messages by topic: pairs of log time and message."""
    out = {}
    with AnyReader([virtual_demo]) as reader:
        for connection, logged, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            out.setdefault(connection.topic, []).append((logged, message))
    return out


@pytest.fixture(scope='module')
def truth(virtual_demo):
    return GroundTruth.load(virtual_demo)


def transforms(messages):
    for _, message in messages:
        for item in message.transforms:
            t, q = item.transform.translation, item.transform.rotation
            matrix = se3.from_quaternion([t.x, t.y, t.z], [q.x, q.y, q.z, q.w])
            yield stamp_of(item.header), item.header.frame_id, item.child_frame_id, matrix


def test_topics_come_at_the_rates_of_a_real_robot(bag):
    for topic, rate in RATES.items():
        head = [m.transforms[0].header if topic == '/tf' else m.header for _, m in bag[topic]]
        steps = np.diff([stamp_of(item) for item in head]) * 1e-9
        assert np.allclose(steps, 1.0 / rate, atol=1e-9), topic
    assert len(bag['/tf_static']) == 1
    assert len(bag['/robot_description']) == 1


def test_messages_are_logged_after_their_stamp(bag):
    for topic in RATES:
        for logged, message in bag[topic]:
            head = message.transforms[0].header if topic == '/tf' else message.header
            assert 0 < logged - stamp_of(head) < 50_000_000


def test_the_description_is_the_one_the_transforms_come_from(bag):
    text = bag['/robot_description'][0][1].data
    assert 'package://' in text
    robot = Robot.from_urdf(text, 'panda_link0', 'panda_hand_tcp')
    joints = {stamp_of(m.header): m for _, m in bag[recording.JOINT_STATES]}
    static = {(p, c): pose for _, p, c, pose in transforms(bag['/tf_static'])}
    moving = {}
    for stamp, parent, child, pose in transforms(bag['/tf']):
        moving.setdefault(stamp, {})[parent, child] = pose
    assert len(moving) > 100
    for stamp, edges in moving.items():
        state = joints[stamp]
        expected = robot.link_poses(state.name, state.position[None], list(edges))
        for edge, pose in edges.items():
            assert np.abs(expected[edge][0] - pose).max() < 1e-6
        # From the base to the tool along the tree.
        tool = np.eye(4)
        for i in range(1, 8):
            tool = tool @ edges[f'panda_link{i - 1}', f'panda_link{i}']
        tool = tool @ static['panda_link7', 'panda_link8'] @ static['panda_link8', 'panda_hand']
        tool = tool @ static['panda_hand', 'panda_hand_tcp']
        whole = robot.forward(state.name, state.position[None])[0]
        assert np.abs(tool - whole).max() < 1e-6


def test_the_camera_hangs_where_the_truth_says(bag, truth):
    static = {(p, c): pose for _, p, c, pose in transforms(bag['/tf_static'])}
    body = static['panda_link0', 'camera_link']
    pose = body @ static['camera_link', 'camera_color_optical_frame']
    assert np.abs(pose - truth.camera2base).max() < 1e-9
    assert abs(body[2, 1]) < 1e-9  # the body stands level: its left is horizontal
    turn = Rotation.from_matrix(pose[:3, :3])
    assert turn.apply([0.0, 0.0, 1.0])[2] < 0.0  # and the camera looks down


def test_every_pixel_of_an_object_lies_on_it(bag, truth):
    """Unprojected with camera_info, taken into the object's frame: inside its extents."""
    info = bag[recording.DEPTH_INFO][0][1]
    camera = PinholeCamera(info.width, info.height, info.k[0], info.k[4], info.k[2], info.k[5])
    sizes = {'bottle': (0.033, 0.033, 0.190), 'plate': (0.100, 0.100, 0.016)}
    for index, (_, message) in enumerate(bag[recording.DEPTH]):
        assert message.encoding == '16UC1'
        assert stamp_of(message.header) == truth.stamps[index]
        raw = np.frombuffer(message.data, '<u2').reshape(message.height, message.width)
        points = camera.unproject(np.where(raw > 0, raw * 1e-3, np.nan))
        for k, name in enumerate(truth.names):
            object2camera = se3.inverse(truth.camera2base) @ truth.object2base[k, index]
            own = points[truth.labels[index] == FIRST_OBJECT + k]
            if len(own) < 20:
                continue
            local = se3.apply(se3.inverse(object2camera), own)
            x, y, z = sizes[name]
            slack = 2e-3
            inside = (
                (np.hypot(local[:, 0], local[:, 1]) < x + slack)
                & (local[:, 2] > -slack)
                & (local[:, 2] < z + slack)
            )
            assert np.mean(inside) > 0.995
            assert x == y


def test_colour_shows_what_the_labels_say(bag, truth):
    for index in (0, 50):
        message = bag[recording.COLOUR][index][1]
        image = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        plate = image[truth.labels[index] == FIRST_OBJECT + 1].mean(axis=0)
        robot = image[truth.labels[index] == ROBOT].mean(axis=0)
        assert plate[2] > 1.5 * plate[0]  # blue
        assert robot.max() - robot.min() < 20.0  # grey


def test_the_truth_has_the_end_effector_at_the_camera_stamps(bag, truth):
    joints = bag[recording.JOINT_STATES]
    stamps = np.array([stamp_of(m.header) for _, m in joints])
    positions = np.stack([m.position for _, m in joints])
    between = np.stack(
        [np.interp(truth.stamps, stamps, positions[:, j]) for j in range(positions.shape[1])], 1
    )
    inside = truth.stamps <= stamps[-1]
    assert inside.sum() >= len(inside) - 1
    assert np.abs(between - truth.joints)[inside].max() < 5e-4
    robot = Robot.from_urdf(panda.description(), panda.BASE, panda.TOOL)
    assert np.abs(robot.forward(panda.JOINTS, truth.joints) - truth.ee2base).max() < 1e-9


def test_skills_of_the_bridge_are_those_of_the_paper(acts):
    done = acts('build-bridge')
    truth = recording.truth(done, np.zeros((len(done.frames), 1, 1), np.uint8))
    assert [(s.targets, s.in_hand) for s in truth.skills] == [
        (('pier_1',), ()),
        ((), ('pier_1',)),
        (('pier_2',), ()),
        (('pier_1',), ('pier_2',)),
        (('deck',), ()),
        (('pier_1', 'pier_2'), ('deck',)),
    ]
    for before, after in pairwise(truth.skills):
        assert after.first > before.last
    for k, name in enumerate(truth.names):
        held = np.flatnonzero(truth.held[k])
        pick, place = (s for s in truth.skills if name in s.name)
        assert pick.first < held[0] < pick.last
        assert place.first < held[-1] < place.last


def test_provenance_is_in_the_metadata(virtual_demo):
    text = (virtual_demo / 'metadata.yaml').read_text()
    custom = yaml.safe_load(text)['rosbag2_bagfile_information']['custom_data']
    assert custom['r2rgen.source'] == 'simulate'
    assert custom['r2rgen.task'] == 'place-bottle'
    assert custom['r2rgen.seed'] == '0'
    assert custom['r2rgen.base_frame'] == 'panda_link0'
    assert custom['r2rgen.end_effector'] == 'panda_hand_tcp'


def test_the_same_seed_gives_the_same_bytes(acts, tmp_path):
    first, second = acts('place-bottle'), recording.act('place-bottle', 0)
    pairs = list(zip(first.rollout.states, second.rollout.states, strict=True))
    assert all(np.array_equal(a.qpos, b.qpos) and np.array_equal(a.effort, b.effort)
               for a, b in pairs)  # fmt: skip
    folders = []
    for name, done in (('one', first), ('two', second)):
        start = replace(done.rollout, states=done.rollout.states[:120], spans=(), holds=())
        folders.append(recording.write(replace(done, rollout=start), tmp_path / name / 'demo'))
    files = sorted(item.name for item in folders[0].iterdir())
    assert files == ['demo.mcap', 'ground_truth.npz', 'metadata.yaml']
    for name in files:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_nothing_is_overwritten_or_left_behind(acts, virtual_demo, tmp_path):
    with pytest.raises(R2RGenError, match='exists already'):
        recording.record('place-bottle', 0, virtual_demo)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recording.write(acts('place-bottle'), tmp_path / 'cut', progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_options_are_checked():
    with pytest.raises(R2RGenError, match='8UC1'):
        recording.Options(depth_encoding='8UC1')
    with pytest.raises(R2RGenError, match='depth noise'):
        recording.Options(depth_noise_m=-1.0)


def test_a_missing_truth_is_named(tmp_path):
    with pytest.raises(R2RGenError, match=r'ground_truth\.npz'):
        GroundTruth.load(tmp_path)
    (tmp_path / 'ground_truth.npz').write_bytes(b'nothing of the kind')
    with pytest.raises(R2RGenError, match='cannot be read'):
        GroundTruth.load(tmp_path)
