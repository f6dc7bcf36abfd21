# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.calibration import check_calibration
from r2rgen_ros.parse.robot import RobotView


@pytest.fixture(scope='module')
def demo(virtual_demo, noisy):
    return noisy(load_demo(virtual_demo), 0.002)


@pytest.fixture(scope='module')
def good(demo):
    """What is found where nothing is wrong."""
    return check(demo)


def displaced(demo, move):
    """The demonstration with the camera said to be elsewhere."""
    sensor = replace(demo.sensor, camera2base=demo.sensor.camera2base @ move)
    return replace(demo, sensor=sensor)


def check(demo):
    return check_calibration(demo, RobotView.of(demo))


def error(mm, degrees, seed):
    rng = np.random.default_rng(seed)
    axis, way = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 3)))
    return se3.compose(
        Rotation.from_rotvec(np.deg2rad(degrees) * axis).as_matrix(), 1e-3 * mm * way
    )


def test_good_extrinsics_are_found_good(good):
    found = good
    assert found.trusted
    assert found.translation_mm < 1.0
    assert found.rotation_deg < 0.1
    assert found.after_mm < 2.0
    assert abs(found.delay_s) < 0.005
    assert found.coverage > 0.95
    assert found.warnings == ()


def test_an_error_of_the_extrinsics_is_measured_and_mended(demo):
    wrong = displaced(demo, error(15.0, 2.0, 1))
    found = check(wrong)
    assert found.translation_mm == pytest.approx(15.0, abs=2.0)
    assert found.rotation_deg == pytest.approx(2.0, abs=0.3)
    pose = found.correction @ wrong.sensor.camera2base[0]
    assert np.linalg.norm((pose - demo.sensor.camera2base[0])[:3, 3]) < 2e-3
    assert found.after_mm < 2.0 < found.before_mm
    assert any('hand-eye' in text for text in found.warnings)
    view = RobotView.of(wrong)
    mended = view.corrected(found.correction, found.delay_s)
    assert mended.tolerance.flat < 0.003 < view.tolerance.flat


def test_late_images_are_told_from_wrong_extrinsics(demo):
    period = demo.period_ns * 1e-9
    ahead = np.concatenate([demo.joints.positions[1:], demo.joints.positions[-1:]])
    found = check(replace(demo, joints=replace(demo.joints, positions=ahead)))
    assert found.delay_s == pytest.approx(period, abs=0.1 * period)
    assert found.translation_mm < 2.0
    assert any('time sync' in text for text in found.warnings)


def test_joints_that_are_not_those_of_the_robot_are_warned_of(demo):
    bent = demo.joints.positions + np.deg2rad([0, 6, 0, -9, 0, 0, 0, 0, 0])
    found = check(replace(demo, joints=replace(demo.joints, positions=bent)))
    assert found.warnings


def test_a_camera_that_looks_elsewhere_cannot_be_judged(demo):
    away = se3.compose(se3.rotation_about([0.0, 1.0, 0.0], np.pi), np.zeros(3))
    found = check(displaced(demo, away))
    assert not found.judged
    assert not found.trusted
    assert np.array_equal(found.correction, np.eye(4))
    assert 'cannot be judged' in found.warnings[0]


def test_without_a_description_nothing_is_judged(demo):
    found = check_calibration(demo, None)
    assert not found.judged
    assert 'URDF' in found.warnings[0]


def test_the_same_demonstration_gives_the_same_numbers(demo, good):
    again = check(demo)
    assert np.array_equal(again.correction, good.correction)
    assert again.delay_s == good.delay_s
