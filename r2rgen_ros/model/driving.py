# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A base that drives as joints below a frame that stands, such as odom.

Six joints, three that slide along x, y, z and three that turn about z, y, x, lead from that frame
to the root of the robot: with them the kinematics of the arm are those of the whole robot. They
have no limits, and inverse kinematics leave them alone: the base goes as it was recorded.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.demo import BasePath, Joints
from r2rgen_ros.model.errors import require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo

    Floats = NDArray[np.float64]

_PREFIX = 'r2rgen_base_'
_AXES = {
    'x': '1 0 0',
    'y': '0 1 0',
    'z': '0 0 1',
    'yaw': '0 0 1',
    'pitch': '0 1 0',
    'roll': '1 0 0',
}
BASE_JOINTS = tuple(f'{_PREFIX}{axis}' for axis in _AXES)
"""Names of the joints of a base that drives, from the frame that stands down."""
_FAR = '1e9'


def is_base_joint(name: str) -> bool:
    """Whether a joint is one of a base that drives, and none of the robot's own."""
    return name in BASE_JOINTS


def own_columns(names: Iterable[str]) -> NDArray[np.int64]:
    """Columns of the robot's own joints, without those of a base that drives."""
    return np.array([i for i, name in enumerate(names) if name not in BASE_JOINTS], dtype=np.int64)


def root_link(description: str) -> str | None:
    """The link of a URDF that no joint carries; None where that is not one link."""
    try:
        tree = ET.fromstring(description)
    except ET.ParseError:
        return None
    below = {str(child.get('link')) for child in tree.findall('joint/child')}
    roots = [
        str(link.get('name')) for link in tree.findall('link') if link.get('name') not in below
    ]
    return roots[0] if len(roots) == 1 else None


def body_frame(demo: Demo) -> str:
    """A frame on the base: the base frame, or the robot's root where the base drives in it."""
    if demo.drive is None or demo.robot_description is None:
        return demo.base_frame
    last = ET.fromstring(demo.robot_description).find(f"joint[@name='{BASE_JOINTS[-1]}']/child")
    return demo.base_frame if last is None else str(last.get('link'))


def driving_description(description: str, frame: str) -> str:
    """Hang the root of a URDF below a frame that stands, by the joints of a base that drives.

    Args:
        description: The URDF; it has one root.
        frame: The frame, which becomes the root.

    """
    tree = ET.fromstring(description)
    root = root_link(description)
    names = {str(link.get('name')) for link in tree.findall('link')}
    require(
        root is not None and frame not in names,
        f'the robot description has one root {root}, and links {sorted(names)}',
        f'one root, and no link "{frame}", which is the frame that the base drives in',
    )
    assert root is not None
    ET.SubElement(tree, 'link', name=frame)
    above = frame
    for name, axis in zip(BASE_JOINTS, _AXES, strict=True):
        below = root if name == BASE_JOINTS[-1] else f'{name}_link'
        if below != root:
            ET.SubElement(tree, 'link', name=below)
        kind = 'prismatic' if len(axis) == 1 else 'revolute'
        joint = ET.SubElement(tree, 'joint', name=name, type=kind)
        ET.SubElement(joint, 'parent', link=above)
        ET.SubElement(joint, 'child', link=below)
        ET.SubElement(joint, 'axis', xyz=_AXES[axis])
        ET.SubElement(joint, 'limit', lower=f'-{_FAR}', upper=_FAR, effort='0', velocity='0')
        above = below
    return ET.tostring(tree, encoding='unicode')


def base_joints(root2frame: Floats) -> Joints:
    """Positions of the joints of a base that drives.

    Args:
        root2frame: (T, 4, 4) root of the robot to the frame that stands.

    Returns:
        Metres, and angles in radians that do not jump by whole turns. Of R = Rz(a) Ry(b) Rx(c), by
        R20 = -sin b, R10 / R00 = tan a and R21 / R22 = tan c.

    """
    turn = root2frame[:, :3, :3]
    angles = [
        np.arctan2(turn[:, 1, 0], turn[:, 0, 0]),
        np.arctan2(-turn[:, 2, 0], np.hypot(turn[:, 0, 0], turn[:, 1, 0])),
        np.arctan2(turn[:, 2, 1], turn[:, 2, 2]),
    ]
    turned = np.unwrap(np.stack(angles, axis=1), axis=0)
    return Joints(BASE_JOINTS, np.concatenate([root2frame[:, :3, 3], turned], axis=1))


_WHILE_S = 0.25
_SPEED_M_S, _TURN_RAD_S = 0.01, np.deg2rad(1.0)
_REST_S = 0.5


def driving_spans(path: BasePath, stamps: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last frames between which a base drives.

    Args:
        path: Where it was.
        stamps: (T,) nanoseconds.

    Returns:
        In order; stops of less than half a second do not count.

    """
    seconds = (stamps - stamps[0]) / 1e9
    before = np.searchsorted(seconds, seconds - _WHILE_S)
    after = np.searchsorted(seconds, seconds + _WHILE_S, side='right') - 1
    poses = path.base2frame
    span = np.maximum(seconds[after] - seconds[before], 1e-9)
    far = np.linalg.norm(poses[after, :3, 3] - poses[before, :3, 3], axis=1)
    turn = np.arccos(np.clip((_traces(poses[before], poses[after]) - 1.0) / 2.0, -1.0, 1.0))
    drives = (far > _SPEED_M_S * span) | (turn > _TURN_RAD_S * span)
    out: list[tuple[int, int]] = []
    for frame in np.flatnonzero(drives):
        if out and seconds[frame] - seconds[out[-1][1]] < _REST_S:
            out[-1] = (out[-1][0], int(frame))
        else:
            out.append((int(frame), int(frame)))
    return out


def _traces(one: Floats, other: Floats) -> Floats:
    """Traces (N,) of the rotations from one to the other poses (N, 4, 4)."""
    return np.asarray(np.einsum('nij,nij->n', one[:, :3, :3], other[:, :3, :3]))
