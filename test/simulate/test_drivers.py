# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import drivers

RATES = {
    drivers.JOINT_STATES: 100.0,
    drivers.GRIPPER: 100.0,
    '/tf': 50.0,
    drivers.COLOUR: 10.0,
    drivers.DEPTH: 10.0,
    drivers.COLOUR_INFO: 10.0,
    drivers.DEPTH_INFO: 10.0,
}


def stamp_of(header):
    return header.stamp.sec * 10**9 + header.stamp.nanosec


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
    joints = {stamp_of(m.header): m for _, m in bag[drivers.JOINT_STATES]}
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
    info = bag[drivers.DEPTH_INFO][0][1]
    camera = PinholeCamera(info.width, info.height, info.k[0], info.k[4], info.k[2], info.k[5])
    sizes = {'bottle': (0.033, 0.033, 0.190), 'plate': (0.100, 0.100, 0.016)}
    for index, (_, message) in enumerate(bag[drivers.DEPTH]):
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
        message = bag[drivers.COLOUR][index][1]
        image = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        plate = image[truth.labels[index] == FIRST_OBJECT + 1].mean(axis=0)
        robot = image[truth.labels[index] == ROBOT].mean(axis=0)
        assert plate[2] > 1.5 * plate[0]  # blue
        assert robot.max() - robot.min() < 20.0  # grey


def test_a_late_camera_does_not_change_the_order_of_its_images(acts, read_bag, tmp_path):
    seen = []
    images = np.zeros((3, 4, 3), np.uint8), np.ones((3, 4), np.float32)

    def look(state):
        seen.append(drivers.stamp_of(state))
        return images

    camera = drivers.Camera(
        look, PinholeCamera(4, 3, 5.0, 5.0, 1.5, 1.0), drivers.CAMERA_EVERY, (0.0, 0.5), '32FC1'
    )
    states = acts('place-bottle').rollout.states
    with BagWriter(tmp_path / 'bag') as bag:
        drivers.Drivers(states, camera, np.random.default_rng(0)).write(bag)
    found = read_bag(tmp_path / 'bag')[drivers.DEPTH]
    logged = np.array([time for time, _ in found])
    stamps = np.array([stamp_of(message.header) for _, message in found])
    assert stamps.tolist() == seen
    assert (np.diff(stamps) == 100_000_000).all()
    assert (np.diff(logged) >= 0).all()
    assert (logged - stamps).min() >= 0
    assert 200_000_000 < (logged - stamps).max() <= 500_000_000
    assert {(m.width, m.height, m.encoding) for _, m in found} == {(4, 3, '32FC1')}
