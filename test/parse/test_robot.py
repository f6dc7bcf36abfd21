# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT
from r2rgen_ros.parse.robot import RobotView
from r2rgen_ros.parse.robot_tolerance import LEAST_M, MOST_M, Tolerance
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.ground_truth import GroundTruth

ARM = len(panda.ARM_JOINTS)


@pytest.fixture(scope='module')
def demo(virtual_demo):
    return load_demo(virtual_demo)


@pytest.fixture(scope='module')
def truth(virtual_demo):
    return GroundTruth.load(virtual_demo)


@pytest.fixture(scope='module')
def view(demo):
    found = RobotView.of(demo)
    assert found is not None
    return found


def iou(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


@pytest.mark.parametrize('growth', [0.0, 0.002])
def test_the_filter_finds_the_robot_and_leaves_the_objects(demo, truth, noisy, growth):
    demo = noisy(demo, growth)
    view = RobotView.of(demo)
    for frame in range(0, len(demo), 11):
        mask, labels = view.mask(frame), truth.labels[frame]
        assert iou(mask, labels == ROBOT) > 0.97
        for k in range(len(truth.names)):
            item = labels == FIRST_OBJECT + k
            assert (mask & item).sum() <= 0.1 * item.sum()


def test_the_drawing_is_the_depth_that_was_measured(demo, truth, view):
    for frame in (0, 60):
        robot = truth.labels[frame] == ROBOT
        drawn = view.drawing(frame).depth
        error = np.abs(drawn - demo.frames[frame].depth)[robot & np.isfinite(drawn)]
        assert np.median(error) < 5e-4


def test_the_tolerance_learns_the_noise_of_the_camera(demo, noisy):
    learnt = RobotView.of(noisy(demo, 0.003)).tolerance
    assert learnt.growth == pytest.approx(0.003, rel=0.1)
    assert learnt.flat < 0.003


def test_the_tolerance_stays_within_its_bounds():
    assert Tolerance(0.0, 0.0).at(2.0) == LEAST_M
    assert Tolerance(0.5, 0.0).at(2.0) == MOST_M
    assert (np.diff(Tolerance(0.001, 0.002).at([0.5, 1.0, 1.5, 2.0])) > 0.0).all()


def test_a_pixel_without_depth_is_not_the_robot(demo, truth, view):
    hole = demo.frames[0].depth.copy()
    robot = truth.labels[0] == ROBOT
    hole[robot] = np.nan
    frames = [replace(demo.frames[0], depth=hole), *(demo.frames[i] for i in range(1, 3))]
    short = replace(
        demo,
        stamps=demo.stamps[:3],
        frames=frames,
        arms=tuple(
            replace(arm, ee2base=arm.ee2base[:3], gripper=arm.gripper[:3], effort=None)
            for arm in demo.arms
        ),
        sensor=replace(demo.sensor, camera2base=demo.sensor.camera2base[:3]),
        joints=replace(demo.joints, positions=demo.joints.positions[:3]),
    )
    assert not RobotView.of(short).mask(0)[robot].any()


def test_points_near_the_robot_are_found_in_a_cloud(demo, truth, view):
    frame = 50
    depth = demo.frames[frame].depth
    points = se3.apply(
        demo.sensor.camera2base[frame], demo.sensor.camera.unproject(depth).reshape(-1, 3)
    )
    labels = truth.labels[frame].reshape(-1)
    known = np.isfinite(points[:, 2])
    found = view.near(points[known], frame)
    assert iou(found, labels[known] == ROBOT) > 0.97


def test_a_demonstration_of_clouds_has_a_filter_too(demo, truth):
    def cloud(index):
        depth = demo.frames[index].depth
        points = demo.sensor.camera.unproject(depth)[::4, ::4].reshape(-1, 3)
        known = np.isfinite(points[:, 2])
        moved = se3.apply(demo.sensor.camera2base[index], points[known])
        labels.append(truth.labels[index][::4, ::4].reshape(-1)[known])
        return Frame(cloud=Cloud.from_arrays(moved))

    labels = []
    frames = [cloud(index) for index in range(len(demo))]
    view = RobotView.of(replace(demo, frames=frames, sensor=None))
    for index in (0, 55):
        found = view.near(frames[index].cloud.points, index)
        assert iou(found, labels[index] == ROBOT) > 0.95


def test_fingers_are_taken_from_the_gripper_where_joints_lack_them(demo):
    joints = replace(
        demo.joints, names=demo.joints.names[:ARM], positions=demo.joints.positions[:, :ARM]
    )
    # The recorded gripper is the position of one finger; a gripper driver gives the width.
    for scale in (1.0, 2.0):
        arm = replace(demo.arms[0], gripper=scale * demo.joints.positions[:, ARM])
        poses = RobotView.of(replace(demo, joints=joints, arms=(arm,))).poses
        assert np.abs(poses - RobotView.of(demo).poses).max() < 1e-3


def test_fingers_of_an_unknown_gripper_may_be_anywhere_they_end(demo, truth):
    joints = replace(
        demo.joints, names=demo.joints.names[:ARM], positions=demo.joints.positions[:, :ARM]
    )
    arm = replace(demo.arms[0], gripper=np.full(len(demo), np.nan))
    view = RobotView.of(replace(demo, joints=joints, arms=(arm,)))
    assert len(view.body.parts(joints.names)) == 13
    assert iou(view.mask(0), truth.labels[0] == ROBOT) > 0.97


def test_without_description_joints_or_meshes_there_is_no_view(demo, caplog):
    assert RobotView.of(replace(demo, robot_description=None)) is None
    assert RobotView.of(replace(demo, joints=None)) is None
    assert caplog.messages == []
    lost = demo.robot_description.replace('example-robot-data', 'lost_description')
    lost = lost.replace('<box', '<mesh filename="package://lost_description/finger.stl"')
    assert RobotView.of(replace(demo, robot_description=lost)) is None
    (warning,) = caplog.messages
    assert 'lost_description' in warning


def test_without_the_package_that_reads_meshes_there_is_a_warning_and_no_view(
    demo, caplog, monkeypatch
):
    monkeypatch.setitem(sys.modules, 'trimesh', None)
    assert RobotView.of(demo) is None
    (warning,) = caplog.messages
    assert 'pip install trimesh' in warning


def test_links_that_cannot_be_placed_are_named(demo):
    joints = replace(demo.joints, names=demo.joints.names[:6],
                     positions=demo.joints.positions[:, :6])  # fmt: skip
    view = RobotView.of(replace(demo, joints=joints))
    assert any('panda_hand' in text for text in view.warnings)
