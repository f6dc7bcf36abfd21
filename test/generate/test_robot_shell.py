# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np

from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import GenerateConfig
from r2rgen_ros.generate.robot_shell import RobotShell, in_camera
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.model.scene import ROBOT


def test_the_shell_is_where_the_recording_shows_the_robot_in_the_colours_it_has(virtual_scene):
    shell, sensor = RobotShell.of(virtual_scene), virtual_scene.demo.sensor
    config = GenerateConfig()
    episode = Assembler.create(virtual_scene, config).assemble(
        Sampler.create(virtual_scene, config, 0).from_moves(0, {})
    )
    poses = shell.poses(episode)
    for frame in (0, 40, 80):
        depth, colour = shell.see(sensor.camera, in_camera(sensor.camera2base[frame], poses[frame]))
        data = virtual_scene.demo.frames[frame]
        both = (virtual_scene.labels[frame] == ROBOT) & np.isfinite(depth)
        assert both.sum() > 5000
        assert np.median(np.abs(depth - data.depth)[both]) < 0.001
        assert np.median(np.abs(colour.astype(int) - data.colour)[both]) < 12


def test_there_is_no_shell_without_description_or_joints(virtual_scene):
    demo = virtual_scene.demo
    for lacking in (replace(demo, robot_description=None), replace(demo, joints=None)):
        assert RobotShell.of(replace(virtual_scene, demo=lacking)) is None
