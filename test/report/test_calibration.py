# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.calibration import check_calibration
from r2rgen_ros.parse.robot import RobotView
from r2rgen_ros.report.calibration import draw_calibration


def test_the_picture_shows_both_outlines_and_is_always_the_same(virtual_demo, tmp_path):
    demo = load_demo(virtual_demo)
    turn = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], 0.03), [0.01, 0.0, 0.01])
    poses = demo.sensor.camera2base @ turn
    view = RobotView.of(replace(demo, sensor=replace(demo.sensor, camera2base=poses)))
    found = check_calibration(view.demo, view)
    one = draw_calibration(view, found, tmp_path / 'one.png')
    image = np.asarray(Image.open(one).convert('RGB')).astype(int)
    for colour in ((193, 67, 46), (47, 125, 79)):
        assert (np.abs(image - colour).max(axis=-1) < 12).sum() > 500
    assert one.read_bytes() == draw_calibration(view, found, tmp_path / 'two.png').read_bytes()
    with pytest.raises(ValueError, match='not judged'):
        draw_calibration(view, check_calibration(demo, None), tmp_path / 'three.png')
