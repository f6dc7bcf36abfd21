# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A profile's arms on a robot's URDF: which joints they have, and what these can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.errors import check_array, require
from r2rgen_ros.robots.description import listed, missing_names, nearest
from r2rgen_ros.robots.profile_parts import ANY_JOINT, ArmProfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from r2rgen_ros.robots.kinematics import Robot
    from r2rgen_ros.robots.profile import RobotProfile

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
