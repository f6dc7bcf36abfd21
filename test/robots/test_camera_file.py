# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.camera_file import camera_names, load_camera, read_camera

FILE = """format: r2rgen/camera/1
image: {width: 640, height: 480, fx: 600.0, fy: 610.0, cx: 310.0, cy: 240.5}
mount: tool0
pose: {position_m: [0.1, 0.0, 0.05], rpy_deg: [0.0, 0.0, 90.0]}
frame: eye_optical_frame
"""


def read(tmp_path, text):
    path = tmp_path / 'eye.yaml'
    path.write_text(text, encoding='utf-8')
    return read_camera(path)


def test_every_preset_can_be_loaded_by_name():
    assert 'panda_wrist' in camera_names()
    for name in camera_names():
        assert load_camera(name).name == name


def test_a_file_says_how_the_camera_sees_and_hangs(tmp_path):
    found = read(tmp_path, FILE)

    assert (found.name, found.mount, found.frame) == ('eye', 'tool0', 'eye_optical_frame')
    assert (found.camera.width, found.camera.fy, found.camera.cx) == (640, 610.0, 310.0)
    # Turned by 90 degrees about z: what is at its right is along the mount's y.
    assert found.camera2mount @ [1.0, 0.0, 0.0, 1.0] == pytest.approx([0.1, 1.0, 0.05, 1.0])


def test_three_ways_to_say_a_direction_agree(tmp_path):
    poses = [
        read(tmp_path, FILE.replace('rpy_deg: [0.0, 0.0, 90.0]', way)).camera2mount
        for way in (
            'rpy_deg: [-90.0, 0.0, -90.0]',
            'quaternion_xyzw: [-0.5, 0.5, -0.5, 0.5]',
            'look_at_m: [2.1, 0.0, 0.05]',
        )
    ]

    # Level, along x: the image's right is -y, its down -z.
    assert poses[0][:3, :3] == pytest.approx(np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]]))
    assert poses[1] == pytest.approx(poses[0])
    assert poses[2] == pytest.approx(poses[0])


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('fx: 600.0', 'fx: -600.0', 'line 2'),
        ('cx: 310.0, ', '', 'line 2.*cx'),
        ('rpy_deg: [0.0, 0.0, 90.0]', '', 'line 4.*no direction'),
        ('rpy_deg: [0.0, 0.0, 90.0]', 'look_at_m: [0.1, 0.0, 0.05]', 'look at itself'),
        ('rpy_deg: [0.0, 0.0, 90.0]', 'quaternion_xyzw: [1, 1, 0, 0]', 'length is 1.414'),
        ('eye_optical_frame', 'tool0', 'frame of its own'),
        ('camera/1', 'camera/2', 'format'),
        ('mount: tool0', 'range_m: [2.0, 1.0]', 'eye.yaml.*least depth'),
        ('mount: tool0', 'topics: {depth: camera/depth}', 'begin with /'),
        ('mount: tool0', 'topics: {colour: /a, depth: /a}', 'one name'),
        ('mount: tool0', 'topics: {color: /a}', 'color'),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path, old, new, message):
    assert old in FILE
    with pytest.raises(R2RGenError, match=message):
        read(tmp_path, FILE.replace(old, new))


def test_an_unknown_camera_is_told_from_the_known():
    with pytest.raises(R2RGenError, match=r'no camera "wrist".*panda_wrist'):
        load_camera('wrist')
