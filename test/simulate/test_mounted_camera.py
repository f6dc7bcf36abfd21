# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import drivers, panda, record
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.rig import TWO_ARMS
from r2rgen_ros.simulate.world import CAMERA2BASE, EXTERNAL, World

BENT = np.array([0.3, -0.4, 0.2, -2.2, 0.1, 1.9, 0.5, 0.03, 0.03])


def test_a_camera_on_the_hand_goes_where_the_joints_bring_it():
    wrist = load_camera('panda_wrist')
    world = World([], camera=wrist)
    robot = Robot.from_urdf(panda.description(), panda.BASE, panda.TOOL)
    edge = (panda.BASE, wrist.mount)

    for joints in (np.concatenate([panda.HOME, [0.04, 0.04]]), BENT):
        world.place(joints, {})
        hand = robot.link_poses(panda.JOINTS, joints[None], [edge])[edge][0]
        assert world.camera2base() == pytest.approx(hand @ wrist.camera2mount, abs=1e-6)


@pytest.mark.parametrize('name', ['panda_left_wrist', 'panda_right_wrist'])
def test_of_two_arms_either_carries_a_camera(name):
    mounted = load_camera(name)
    world = World([], camera=mounted, rig=TWO_ARMS)
    robot = Robot.from_urdf(TWO_ARMS.description, TWO_ARMS.base, TWO_ARMS.arms[0].tool)
    edge = (TWO_ARMS.base, mounted.mount)

    for joints in (np.tile(BENT, 2), np.concatenate([BENT, panda.HOME, [0.04, 0.04]])):
        world.place(joints, {})
        hand = robot.link_poses(TWO_ARMS.joints, joints[None], [edge])[edge][0]
        assert world.camera2base() == pytest.approx(hand @ mounted.camera2mount, abs=1e-6)


def test_images_of_a_mounted_camera_have_its_size_and_range():
    wrist = load_camera('panda_wrist')
    with Eye(World([], camera=wrist)) as eye:
        assert eye.camera == wrist.camera
        assert eye.colour().shape == (240, 424, 3)
        depth = eye.depth()
    # The fingers are nearer than the robot's own camera could measure.
    assert wrist.range_m[0] <= np.nanmin(depth) < 0.2
    assert np.nanmax(depth) <= wrist.range_m[1]


def test_the_robots_own_camera_stands_where_it_always_stood():
    assert World([]).camera2base() == pytest.approx(CAMERA2BASE, abs=1e-6)


def test_cameras_that_cannot_be_drawn_or_mounted_are_refused():
    wrist = load_camera('panda_wrist')
    with pytest.raises(R2RGenError, match=r'no link "thumb".*panda_hand'):
        World([], camera=replace(wrist, mount='thumb'))
    aside = PinholeCamera(424, 240, 230.0, 230.0, 200.0, 119.5)
    with pytest.raises(R2RGenError, match='principal point in the middle'):
        World([], camera=replace(wrist, camera=aside))


def test_two_cameras_of_one_world_see_what_each_sees_alone():
    wrist = load_camera('panda_wrist')
    joints = np.concatenate([panda.HOME, [0.04, 0.04]])
    both = World([], others=[wrist])
    both.place(joints, {})
    for which, mounted in enumerate((EXTERNAL, wrist)):
        alone = World([], camera=mounted)
        alone.place(joints, {})
        assert both.camera2base(which) == pytest.approx(alone.camera2base(), abs=1e-9)
        with Eye(both, which=which) as eye, Eye(alone) as own:
            assert eye.camera == own.camera
            apart = np.abs(eye.depth() - own.depth())
        # The depth buffer's steps follow from the nearest of both cameras' ranges.
        assert np.nanmax(apart) < 0.002
        assert np.isnan(apart).mean() < 0.5


def test_a_recording_by_two_cameras_has_the_topics_and_frames_of_both(acts, tmp_path):
    wrist = load_camera('panda_wrist')
    images = np.zeros((3, 4, 3), np.uint8), np.ones((3, 4), np.float32)
    small = PinholeCamera(4, 3, 5.0, 5.0, 1.5, 1.0)
    states = acts('place-bottle').rollout.states
    bags = []
    for others in ((), (wrist,)):
        cameras = [
            drivers.Camera(lambda _: images, small, 400, (0.01, 0.02), '32FC1', mounted)
            for mounted in (EXTERNAL, *others)
        ]
        bags.append(tmp_path / f'of_{len(cameras)}')
        with BagWriter(bags[-1]) as bag:
            drivers.Drivers(states, cameras[0], np.random.default_rng(0), others=cameras[1:]).write(
                bag
            )
    with BagReader(bags[1]) as reader:
        counts = {topic.name: topic.count for topic in reader.topics}
        tree = next(reader.decoded(['/tf_static']))[2]
        stamps = {
            name: [messages.stamp_ns(m.header) for _, _, m in reader.decoded([name])]
            for name in (drivers.DEPTH, wrist.topics['depth'])
        }
    assert {counts[name] for name in wrist.topics.values()} == {counts[drivers.DEPTH]}
    assert stamps[drivers.DEPTH] == stamps[wrist.topics['depth']]
    edges = {(item.header.frame_id, item.child_frame_id) for item in tree.transforms}
    assert {('panda_hand', wrist.frame), ('camera_link', EXTERNAL.frame)} <= edges


@pytest.mark.parametrize('change', [{}, {'frame': 'another_optical_frame'}])
def test_cameras_with_one_frame_or_topic_are_refused_before_any_work(change):
    wrist = load_camera('panda_wrist')
    twin = replace(wrist, name='twin', **change)
    with pytest.raises(R2RGenError, match='"panda_wrist" and "twin" both have'):
        record.act('place-bottle', 0, camera=wrist, others=[twin])
