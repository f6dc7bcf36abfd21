# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of a robot's profile: arms, grippers, base and cameras."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from r2rgen_ros.model.errors import check_range, require
from r2rgen_ros.robots.description import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ANY_JOINT = '*'
"""Stands for every joint of an arm that has no value of its own."""
BASE_TYPES = ('fixed', 'mobile')
MOUNTS = ('external', 'base', 'wrist')
MAX_SPEED = 100.0
MAX_ACCELERATION = 10_000.0
MAX_WIDTH_M = 2.0
LEAST = 1e-4
"""What is smaller is no limit of a speed or an acceleration."""


@dataclass(frozen=True)
class Gripper:
    """What closes on objects.

    Attributes:
        joints: Its joints, those that follow others included.
        links: Links that may touch what is held.
        open_width_m: Distance of the fingers when open; None where not known.
        closed_width_m: Distance of the fingers when closed; None where not known.

    """

    joints: tuple[str, ...]
    links: tuple[str, ...]
    open_width_m: float | None = None
    closed_width_m: float | None = None

    def __post_init__(self) -> None:
        check_names('joints of the gripper', self.joints)
        check_names('links of the gripper', self.links)
        for what, width in (('open', self.open_width_m), ('closed', self.closed_width_m)):
            if width is not None:
                check_range(f'the width of the {what} gripper', width, 0.0, MAX_WIDTH_M, 'm')
        if self.open_width_m is not None and self.closed_width_m is not None:
            require(
                self.closed_width_m < self.open_width_m,
                f'the gripper is {self.closed_width_m:g} m wide when closed and'
                f' {self.open_width_m:g} m when open',
                'open wider than closed',
            )


@dataclass(frozen=True)
class ArmProfile:
    """One arm.

    Attributes:
        name: What skills and end effectors call it.
        end_effector: Link between the fingertips.
        joints: Joints that may be moved for it, from the base on; empty for all joints between base
            and end effector.
        max_speed: Largest speed by joint, rad/s (m/s where it slides), instead of the URDF's; the
            key `*` is for all others.
        max_acceleration: Largest acceleration by joint, rad/s^2 or m/s^2, likewise.
        gripper: Its gripper, if it has one.

    """

    name: str
    end_effector: str
    joints: tuple[str, ...] = ()
    max_speed: Mapping[str, float] = field(default_factory=dict)
    max_acceleration: Mapping[str, float] = field(default_factory=dict)
    gripper: Gripper | None = None

    def __post_init__(self) -> None:
        require(bool(self.name), 'an arm has no name', 'a name for each arm')
        require(
            bool(self.end_effector),
            f'arm "{self.name}" has no end effector',
            'the frame between its fingertips',
        )
        check_names(f'joints of arm "{self.name}"', self.joints)
        for what, values, most in (
            ('max_speed', self.max_speed, MAX_SPEED),
            ('max_acceleration', self.max_acceleration, MAX_ACCELERATION),
        ):
            for joint, value in values.items():
                check_range(f'{what} of joint "{joint}"', value, LEAST, most)
                near = nearest(joint, self.joints) or list(self.joints)
                require(
                    not self.joints or joint in (ANY_JOINT, *self.joints),
                    f'{what} names "{joint}", which is no joint of arm "{self.name}"',
                    f'one of {near}',
                )


@dataclass(frozen=True)
class BaseProfile:
    """What the arms stand on.

    Attributes:
        frame: Link that everything is expressed in; it carries all arms.
        type: "fixed", or "mobile" where it can drive.
        odom_frame: Frame that a mobile base's odometry is expressed in; empty for a fixed base.

    """

    frame: str
    type: str = 'fixed'
    odom_frame: str = ''

    def __post_init__(self) -> None:
        require(bool(self.frame), 'the base has no frame', 'the link that carries the arms')
        require(
            self.type in BASE_TYPES,
            f'the type of the base is "{self.type}"',
            f'one of {list(BASE_TYPES)}',
        )
        require(
            bool(self.odom_frame) == (self.type == 'mobile'),
            f'a {self.type} base has the odometry frame "{self.odom_frame}"',
            'an odometry frame for a mobile base, and none for a fixed one',
        )
        require(
            self.odom_frame != self.frame,
            f'the odometry frame is the base frame "{self.frame}"',
            'the frame that the base moves in, such as "odom"',
        )

    @property
    def is_mobile(self) -> bool:
        """Whether it can drive."""
        return self.type == 'mobile'


@dataclass(frozen=True)
class CameraProfile:
    """One camera.

    Attributes:
        name: What to call it.
        frame: Its optical frame (REP-103: z forward).
        mount: "external" (stands in the room), "base" (on the base, torso or head), or "wrist".

    """

    name: str
    frame: str
    mount: str

    def __post_init__(self) -> None:
        require(bool(self.name), 'a camera has no name', 'a name for each camera')
        require(bool(self.frame), f'camera "{self.name}" has no frame', 'its optical frame')
        require(
            self.mount in MOUNTS,
            f'the mount of camera "{self.name}" is "{self.mount}"',
            f'one of {list(MOUNTS)}',
        )


def check_names(what: str, names: Sequence[str]) -> None:
    """Raise unless names are given and differ."""
    require(all(names), f'the {what} have an empty name', 'names')
    check_distinct(what, names)


def check_distinct(what: str, names: Iterable[str], fix: str = '') -> None:
    """Raise where a name comes twice."""
    names = list(names)
    double = sorted({name for name in names if names.count(name) > 1})
    require(not double, f'two {what} are named {double}', 'different names', fix)
