# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which arms the virtual robot has: one Panda, or two side by side in one description."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.simulate import panda

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORLD = 'world'
"""The link above both arms."""
_ASIDE_M = 0.32  # of each of two arms from the middle


@dataclass(frozen=True)
class RigArm:
    """One Panda.

    Attributes:
        name: As in skills.
        prefix: What all its names begin with.
        place: (x, y, z) of its foot in the base frame, metres.

    """

    name: str
    prefix: str
    place: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def tool(self) -> str:
        """Its end effector's frame."""
        return f'{self.prefix}{panda.TOOL}'

    @property
    def arm_joints(self) -> tuple[str, ...]:
        """Its seven joints."""
        return tuple(f'{self.prefix}{name}' for name in panda.ARM_JOINTS)

    @property
    def finger_joints(self) -> tuple[str, ...]:
        """Its two fingers."""
        return tuple(f'{self.prefix}{name}' for name in panda.FINGER_JOINTS)


@dataclass(frozen=True)
class Rig:
    """The arms of a robot.

    Attributes:
        base: The frame that everything is expressed in.
        arms: The arms, in the order of the joints.

    """

    base: str
    arms: tuple[RigArm, ...]

    @cached_property
    def description(self) -> str:
        """Text of the URDF, as it goes to /robot_description."""
        if len(self.arms) == 1:
            return panda.description()
        return _together(self)

    @cached_property
    def joints(self) -> tuple[str, ...]:
        """All joints, arm by arm, the fingers after each arm."""
        return tuple(name for arm in self.arms for name in (*arm.arm_joints, *arm.finger_joints))

    @cached_property
    def arm_joints(self) -> tuple[str, ...]:
        """The joints of all arms without the fingers."""
        return tuple(name for arm in self.arms for name in arm.arm_joints)

    @cached_property
    def arm_columns(self) -> NDArray[np.int64]:
        """(7 A,) columns of the arms' joints among all joints."""
        each = np.arange(len(self.arms))[:, None] * len(panda.JOINTS)
        return np.asarray((each + np.arange(len(panda.ARM_JOINTS))).ravel(), dtype=np.int64)

    @cached_property
    def home(self) -> NDArray[np.float64]:
        """(7 A,) joints of the arms at rest, rad."""
        return np.tile(panda.HOME, len(self.arms))


def _together(rig: Rig) -> str:
    """URDF of several Pandas below one link, each with its prefix."""
    root = ET.Element('robot', name='dual_panda')
    ET.SubElement(root, 'link', name=rig.base)
    for arm in rig.arms:
        mount = ET.SubElement(root, 'joint', name=f'{arm.prefix}panda_mount', type='fixed')
        ET.SubElement(mount, 'parent', link=rig.base)
        ET.SubElement(mount, 'child', link=f'{arm.prefix}{panda.BASE}')
        ET.SubElement(mount, 'origin', xyz=' '.join(map(str, arm.place)), rpy='0 0 0')
        for element in ET.fromstring(panda.description()):
            if element.tag in {'link', 'joint'}:
                root.append(_prefixed(element, arm.prefix))
    ET.indent(root)
    return ET.tostring(root, encoding='unicode')


def _prefixed(element: ET.Element, prefix: str) -> ET.Element:
    out = copy.deepcopy(element)
    out.set('name', f'{prefix}{out.get("name")}')
    for key, below in (('link', 'parent'), ('link', 'child'), ('joint', 'mimic')):
        for part in out.findall(below):
            part.set(key, f'{prefix}{part.get(key)}')
    return out


ONE_ARM = Rig(panda.BASE, (RigArm('arm', ''),))
TWO_ARMS = Rig(
    WORLD,
    (
        RigArm('left', 'left_', (0.0, _ASIDE_M, 0.0)),
        RigArm('right', 'right_', (0.0, -_ASIDE_M, 0.0)),
    ),
)
