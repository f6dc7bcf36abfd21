# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A profile's arms on a robot's URDF: which joints they have, and what these can do."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.errors import check_array, require
from r2rgen_ros.robots.description import check_description, listed, missing_names, nearest
from r2rgen_ros.robots.joint_tree import JointTree
from r2rgen_ros.robots.profile import ANY_JOINT, ArmProfile, BaseProfile, Gripper, RobotProfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from r2rgen_ros.robots.kinematics import Robot

    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JointLimits:
    """What the joints of an arm can do; infinite where it is not known.

    Attributes:
        names: J joint names, from the base on.
        lower: (J,) lowest position, rad or m.
        upper: (J,) highest position, rad or m.
        speed: (J,) largest speed, rad/s or m/s.
        acceleration: (J,) largest acceleration, rad/s^2 or m/s^2.

    """

    names: tuple[str, ...]
    lower: Floats
    upper: Floats
    speed: Floats
    acceleration: Floats

    def __post_init__(self) -> None:
        for key in ('lower', 'upper', 'speed', 'acceleration'):
            values = check_array(f'{key} limits', getattr(self, key), (len(self.names),))
            require(not np.isnan(values).any(), f'{key} limits hold NaN', 'numbers')
            object.__setattr__(self, key, values)
        below = [
            n for n, low, high in zip(self.names, self.lower, self.upper, strict=True) if low > high
        ]
        require(not below, f'joints {below} have lower limits above the upper ones')
        for key in ('speed', 'acceleration'):
            still = [
                n for n, value in zip(self.names, getattr(self, key), strict=True) if value <= 0
            ]
            require(not still, f'joints {still} have no positive {key} limit', 'more than 0')


def arm_joints(profile: RobotProfile, robot: Robot, arm: str) -> tuple[str, ...]:
    """Joints that may be moved for an arm, from the base on.

    Args:
        profile: The robot's profile.
        robot: Kinematics of the same robot, whatever its end effector.
        arm: Name of the arm.

    Raises:
        R2RGenError: The URDF has no such frame or joint, or a joint does not move the end effector.

    """
    item = profile.arm(arm)
    for link in (profile.base.frame, item.end_effector):
        require(
            link in robot.links,
            f'the robot description has no link "{link}"',
            f'one of {nearest(link, robot.links) or list(robot.links)[:8]}',
            f'name it as the URDF does, in the profile "{profile.name}"',
        )
    above, below = robot.tree.chain(profile.base.frame), robot.tree.chain(item.end_effector)
    require(
        set(above) <= set(below),
        f'"{profile.base.frame}" is not above "{item.end_effector}" in the robot description',
        'a base frame that carries the end effector',
    )
    chain = tuple(name for name in below if name not in above)
    if not item.joints:
        return chain
    _check_joints(item, chain, robot.joint_names)
    return tuple(name for name in chain if name in item.joints)


def _check_joints(arm: ArmProfile, chain: Sequence[str], names: Sequence[str]) -> None:
    unknown = [joint for joint in arm.joints if joint not in names]
    require(
        not unknown,
        f'the robot description has no joints {missing_names(unknown, names)}',
        f'the joints of arm "{arm.name}"',
        'name them as the URDF does',
    )
    off = [joint for joint in arm.joints if joint not in chain]
    require(
        not off,
        f'the joints {listed(off)} do not move the end effector "{arm.end_effector}"',
        f'some of {list(chain)}',
        f'correct the joints of arm "{arm.name}"',
    )


def arm_limits(profile: RobotProfile, robot: Robot, arm: str) -> JointLimits:
    """Limits of an arm's joints: the profile's, else those of the URDF, else infinite.

    Args:
        profile: The robot's profile.
        robot: Kinematics of the same robot, whatever its end effector.
        arm: Name of the arm.

    Raises:
        R2RGenError: The URDF has no such frame or joint, or a joint does not move the end effector.

    """
    item, names = profile.arm(arm), arm_joints(profile, robot, arm)
    positions = robot.limits(names)
    return JointLimits(
        names,
        positions[:, 0],
        positions[:, 1],
        _chosen(item.max_speed, names, robot.velocity_limits(names)),
        _chosen(item.max_acceleration, names, np.full(len(names), np.inf)),
    )


def _chosen(values: Mapping[str, float], names: Sequence[str], otherwise: ArrayLike) -> Floats:
    rest = np.asarray(otherwise, dtype=np.float64)
    found = [
        values.get(name, values.get(ANY_JOINT, float(value)))
        for name, value in zip(names, rest, strict=True)
    ]
    return np.array(found, dtype=np.float64)


def plain_profile(
    urdf: str, base_frame: str, end_effectors: Sequence[tuple[str, str]], name: str = ''
) -> RobotProfile:
    """Make a profile where the user gave none: a fixed base, all joints, grippers by the tree.

    What hangs below an arm's last joint and moves is its gripper.

    Args:
        urdf: Text of the URDF.
        base_frame: Link that carries the arms.
        end_effectors: Pairs of arm name and end effector.
        name: What to call it; the URDF's own name where empty.

    Raises:
        R2RGenError: The text is no URDF, or the links are not there.

    """
    root = check_description(urdf)
    tree = JointTree(urdf)
    links = [str(link.get('name')) for link in root.findall('link')]
    frames = [base_frame, *(frame for _, frame in end_effectors)]
    unknown = [frame for frame in frames if frame not in links]
    require(
        not unknown,
        f'the robot description has no links {missing_names(unknown, links)}',
        f'some of {links[:12]}',
        'choose with --base-frame and --ee-frame, or record the robot_description of this robot',
    )
    arms = tuple(
        ArmProfile(arm, frame, gripper=_gripper_below(root, tree, links, base_frame, frame))
        for arm, frame in end_effectors
    )
    return RobotProfile(name or str(root.get('name') or 'robot'), BaseProfile(base_frame), arms)


def _gripper_below(
    root: ET.Element, tree: JointTree, links: list[str], base: str, hand: str
) -> Gripper | None:
    """The joints below an arm's last one, with the links that they carry and hang on."""
    arm = tree.chain(hand)
    last = [joint for joint in arm if joint not in tree.chain(base)][-1:]
    carried = [link for link in links if last and last[0] in tree.chain(link)]
    joints = [
        joint
        for link in carried
        for joint in tree.chain(link)
        if joint not in arm and joint not in tree.chain(base)
    ]
    joints = list(dict.fromkeys(joints))
    if not joints:
        return None
    moved = {link for link in carried if set(tree.chain(link)) & set(joints)}
    held = {str(joint.find('parent').get('link')) for joint in root.findall('joint')  # type: ignore[union-attr]
            if joint.get('name') in joints}  # fmt: skip
    return Gripper(tuple(joints), tuple(link for link in carried if link in moved | held))
