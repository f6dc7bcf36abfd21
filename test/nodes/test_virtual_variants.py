# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The virtual robot with two arms, on a mobile base, and with a camera on its wrist, over DDS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.cli.main import main as r2rgen
from r2rgen_ros.model.annotation_file import read_annotation
from r2rgen_ros.nodes.base import latched
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import drivers, panda
from r2rgen_ros.simulate.rig import TWO_ARMS
from r2rgen_ros.simulate.wheels import FOOTPRINT, ODOM, ODOMETRY

SENSOR = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
CLICK = 'crate=0.517,0.095,0.060'
"""On the wall that faces the camera: what a person would click at."""
CONFIG = """
format: r2rgen/generate/1
sampling:
  ranges: {x_m: [-0.01, 0.01], y_m: [-0.01, 0.01], yaw_deg: [-3, 3]}
"""


def _preset(repository, name):
    """The recorder's parameters of a preset of robots."""
    text = (repository / 'config' / 'robots' / f'{name}.yaml').read_text(encoding='utf-8')
    return yaml.safe_load(text)['/**/recorder']['ros__parameters']


def _recorded(start, client, repository, folder, preset, **parameters):
    """Record what the robot that rests now does when asked."""
    start(
        'recorder', autostart=True, demos_folder=folder, min_free_mb=1, camera_min_hz=0.5,
        check_s=4.0, **_preset(repository, preset), **parameters,
    )  # fmt: skip
    client.wait_active('/recorder')
    states = client.listen(String, '/virtual_robot/state', latched())
    assert client.call(Trigger, '/recorder/start').success
    assert client.call(Trigger, '/virtual_robot/run_expert').success
    client.until(lambda: states and states[-1].data == 'done')
    stopped = client.call(Trigger, '/recorder/stop')
    assert stopped.success, stopped.message
    return Path(stopped.message)


def _assert_two_arms(demo):
    """Both arms are there and move, and transforms and joints tell the same of them."""
    assert demo.base_frame == TWO_ARMS.base
    for arm, track in zip(TWO_ARMS.arms, demo.arms, strict=True):
        assert (track.name, track.end_effector) == (arm.name, arm.tool)
        robot = Robot.from_urdf(demo.robot_description, TWO_ARMS.base, arm.tool)
        reached = robot.forward(demo.joints.names, demo.joints.positions)
        assert np.abs(reached - track.ee2base).max() < 2e-3
        assert np.ptp(track.ee2base[:, :3, 3], axis=0).max() > 0.05
        assert np.ptp(track.gripper) > 0.02


def test_two_arms_are_recorded_annotated_and_multiplied(start, client, repository, tmp_path):
    start('virtual_robot', autostart=True, task='lift-box', rate_hz=3.0, width=320, height=240)
    client.wait_active('/virtual_robot')
    heard = {
        topic: client.listen(JointState, topic)
        for topic in (
            drivers.JOINT_STATES, *(drivers.gripper_topic(arm, TWO_ARMS) for arm in TWO_ARMS.arms),
        )
    }  # fmt: skip
    texts = client.listen(String, drivers.DESCRIPTION, latched())
    client.until(lambda: texts and all(heard.values()))
    names = [tuple(messages[0].name) for messages in heard.values()]
    assert names == [TWO_ARMS.joints, *(arm.finger_joints for arm in TWO_ARMS.arms)]
    assert texts[0].data == TWO_ARMS.description

    bag = _recorded(start, client, repository, tmp_path / 'demos', 'virtual_robot_two_arms')
    demo = load_demo(bag)
    _assert_two_arms(demo)
    assert r2rgen(['annotate', str(bag), '--auto', '--point', CLICK]) == 0
    skills = read_annotation(bag / 'annotation.yaml').skills
    assert {(skill.arm, bool(skill.in_hand)) for skill in skills} == {
        (arm.name, held) for arm in TWO_ARMS.arms for held in (False, True)
    }
    (tmp_path / 'config.yaml').write_text(CONFIG)
    out, config = tmp_path / 'out', tmp_path / 'config.yaml'
    words = ['generate', bag, '-o', out, '-n', 1, '--config', config, '--workers', 1, '--no-report']
    assert r2rgen([*map(str, words)]) == 0
    (episode,) = (load_demo(path) for path in out.glob('shard_*/episode_*'))
    _assert_two_arms(episode)
    for made, source in zip(episode.arms, demo.arms, strict=True):
        lowest = [path[path[:, 2, 3].argmin(), :2, 3] for path in (made.ee2base, source.ee2base)]
        assert 1e-4 < np.linalg.norm(np.subtract(*lowest)) < 0.3


def test_a_mobile_base_and_a_camera_on_the_wrist(start, client, repository, tmp_path):
    start(
        'virtual_robot', autostart=True, task='mug-in-bowl', base='mobile', rate_hz=1.0,
        width=160, height=120, camera='[external, panda_wrist]',
    )  # fmt: skip
    client.wait_active('/virtual_robot')
    wrist = load_camera('panda_wrist')
    transforms = client.listen(TFMessage, '/tf', 100)
    odometry = client.listen(Odometry, ODOMETRY)
    images = client.listen(Image, wrist.topics['depth'], SENSOR)
    client.until(lambda: odometry and images and len(transforms) > 20)
    # Also at rest, where messages of wheels and of joints share a topic.
    edges = {(t.header.frame_id, t.child_frame_id) for m in transforms for t in m.transforms}
    assert {(ODOM, FOOTPRINT), ('panda_link6', 'panda_link7')} <= edges
    assert (odometry[0].header.frame_id, odometry[0].child_frame_id) == (ODOM, FOOTPRINT)
    assert images[0].header.frame_id == wrist.frame

    topics = {
        f'{name}_topics': f'[{topic}, {wrist.topics[name]}]'
        for name, topic in (('depth', drivers.DEPTH), ('colour', drivers.COLOUR))
    }
    bag = _recorded(start, client, repository, tmp_path / 'demos', 'virtual_robot', **topics)
    source = read_source(bag)
    assert source.camera_frame == drivers.OPTICAL_FRAME
    assert [other.frame for other in source.others] == [wrist.frame]
    demo = load_demo(bag)
    assert demo.base_frame == panda.BASE
    assert [path.frame for path in demo.base_paths] == [ODOM]


@pytest.mark.parametrize(
    ('parameters', 'expected'),
    [
        ({'base': 'floating'}, 'expected one of fixed, mobile, driving'),
        ({'camera': '[nowhere]'}, 'there is no camera "nowhere"'),
        ({'task': 'lift-box', 'camera': '[panda_wrist]'}, 'has no link "panda_hand"'),
        ({'task': 'lift-box', 'base': 'driving'}, 'a base that drives cannot do task "lift-box"'),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_words(start, client, parameters, expected):
    node = start('virtual_robot', autostart=True, **parameters)
    client.until(lambda: expected in node.text)
    assert 'Traceback' not in node.text
