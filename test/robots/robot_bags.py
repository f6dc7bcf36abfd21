# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small bags of a robot that moves all its joints, with its transforms by the URDF."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from importlib import metadata

import numpy as np

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.writer import LATCHED, LATCHED_TF, RELIABLE, TF, BagWriter
from r2rgen_ros.robots.kinematics import Robot

WHEEL = {
    'panda': 'panda_description/urdf/panda.urdf',
    'ur5e': 'ur_description/urdf/ur5_robot.urdf',
    'xarm7': 'xarm_description/urdf/xarm7.urdf',
    'baxter': 'baxter_description/urdf/baxter.urdf',
    'tiago_hey5': 'tiago_description/robots/tiago.urdf',
}
START, PERIOD, COUNT = 1_700_000_000_000_000_000, 20_000_000, 30
JOINTS, DESCRIPTION = '/joint_states', '/robot_description'
ODOMETRY = 'nav_msgs/msg/Odometry'


def of_the_wheel(name: str) -> str:
    """Text of a URDF."""
    files = metadata.distribution('example-robot-data').files
    return next(f for f in files if str(f).endswith(WHEEL[name])).read_text()


def two_pandas() -> str:
    """Both Pandas of the preset, one link "world" above them."""
    world = ET.Element('robot', name='two_pandas')
    ET.SubElement(world, 'link', name='world')
    for side, y in (('left', 0.3), ('right', -0.3)):
        root = ET.fromstring(of_the_wheel('panda'))
        for element in root.iter():
            for key in ('link', 'joint', 'name') if element.tag != 'material' else ():
                if element.get(key, '').startswith('panda_'):
                    element.set(key, f'{side}_{element.get(key)}')
        joint = ET.SubElement(world, 'joint', name=f'{side}_mount', type='fixed')
        ET.SubElement(joint, 'origin', xyz=f'0 {y} 0', rpy='0 0 0')
        ET.SubElement(joint, 'parent', link='world')
        ET.SubElement(joint, 'child', link=f'{side}_panda_link0')
        world.extend([*root.findall('link'), *root.findall('joint')])
    return ET.tostring(world, encoding='unicode')


def motion(urdf: str) -> tuple[Robot, list[str], np.ndarray]:
    """A robot, and joint positions (COUNT, J) that move about the middle of their ranges."""
    root = ET.fromstring(urdf)
    below = {joint.find('child').get('link') for joint in root.findall('joint')}
    base = next(n for link in root.findall('link') if (n := link.get('name')) not in below)
    robot = Robot.from_urdf(urdf, base, base)
    names = [name for name in robot.joint_names if name not in robot.tree.mimics]
    limits = np.clip(robot.limits(names), -3.0, 3.0)
    phase = np.linspace(0.0, 2.0, COUNT)[:, None] + 0.7 * np.arange(len(names))
    return robot, names, limits.mean(axis=1) + 0.2 * np.sin(phase) * np.ptp(limits, axis=1)


def record(
    path,
    urdf: str,
    *,
    joints=None,
    descriptions=None,
    without=(),
    static=(),
    moving=(),
    odometry=None,
    late_ns: int = 0,
):
    """Write a bag.

    Args:
        path: Folder to create.
        urdf: What robot_state_publisher would have.
        joints: By topic, a function from names and positions to what is published there.
        descriptions: By topic, the text; the URDF where None.
        without: Child frames whose transforms are left out.
        static: Further fixed transforms: parent and child.
        moving: Further transforms that move: parent and child.
        odometry: A topic of odometry.
        late_ns: How much later the joint states are stamped.

    """
    robot, names, values = motion(urdf)
    joints = {JOINTS: lambda names, row, step: (names, row)} if joints is None else joints
    descriptions = {DESCRIPTION: urdf} if descriptions is None else descriptions
    pairs = {True: [], False: []}
    for joint in ET.fromstring(urdf).findall('joint'):
        edge = (joint.find('parent').get('link'), joint.find('child').get('link'))
        if edge[1] not in without:
            pairs[joint.get('type') == 'fixed'].append(edge)
    poses = robot.link_poses(names, values, pairs[True] + pairs[False])
    with BagWriter(path) as bag:
        if static or pairs[True]:
            bag.add_topic('/tf_static', messages.TF, LATCHED_TF)
            still = [
                messages.transform_matrix(START, *edge, poses.get(edge, np.eye(4)[None])[0])
                for edge in (*pairs[True], *static)
            ]
            bag.write('/tf_static', START, messages.tf_message(still))
        for topic, text in descriptions.items():
            bag.add_topic(topic, messages.STRING, LATCHED)
            bag.write(topic, START, messages.string(text))
        for topic in joints:
            bag.add_topic(topic, messages.JOINT_STATE, RELIABLE)
        if moving or pairs[False]:
            bag.add_topic('/tf', messages.TF, TF)
        if odometry is not None:
            bag.add_topic(odometry, ODOMETRY, RELIABLE)
        for step in range(COUNT):
            stamp = START + step * PERIOD
            for topic, told in joints.items():
                said = messages.joint_state(stamp + late_ns, *told(names, values[step], step))
                bag.write(topic, stamp, said)
            if odometry is not None:
                bag.write(odometry, stamp, _odometry(stamp))
            drive = np.eye(4)
            drive[0, 3] = 0.01 * step
            moved = [(edge, poses[edge][step]) for edge in pairs[False]]
            moved += [(edge, drive) for edge in moving]
            if moved:
                parts = [messages.transform_matrix(stamp, *edge, pose) for edge, pose in moved]
                bag.write('/tf', stamp, messages.tf_message(parts))
    return path


def _odometry(stamp: int):
    kind = messages.message_class
    pose = messages.pose([0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0])
    vector = kind('geometry_msgs/msg/Vector3')(0.0, 0.0, 0.0)
    twist = kind('geometry_msgs/msg/Twist')(vector, vector)
    return kind(ODOMETRY)(
        messages.header(stamp, 'odom'),
        'base',
        kind('geometry_msgs/msg/PoseWithCovariance')(pose, np.zeros(36)),
        kind('geometry_msgs/msg/TwistWithCovariance')(twist, np.zeros(36)),
    )
