# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A base that drives during a demonstration, by its odometry: that frame is then the base frame."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from r2rgen_ros.bags.mount import LONG, moving_edge
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.demo import BasePath
from r2rgen_ros.model.driving import root_link
from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.bags.tracks import OdometryTrack
    from r2rgen_ros.bags.transforms import TransformBuffer

_JUMP_M_S, _JUMP_RAD_S = 3.0, np.deg2rad(360.0)
_ODOMETRY = r'(^|[/_])odom($|_)|^map$'  # REP-105
_JUMP_M, _JUMP_RAD = 0.02, np.deg2rad(2.0)
"""No base is faster; smaller steps are noise."""


class Drive(NamedTuple):
    """How a base drives.

    Attributes:
        edge: The transform that says so: the frame that stands, such as odom, and its child.
        root: Root of the robot description, which rides on the child.
        path: Where the root was at the frames.

    """

    edge: tuple[str, str]
    root: str
    path: BasePath

    def at(self, buffer: TransformBuffer, stamps: NDArray[np.int64]) -> Drive:
        """The same at other instants (T,), nanoseconds."""
        poses = buffer.lookup(self.edge[0], self.root, stamps, tolerance_ns=LONG)
        return self._replace(path=BasePath(self.edge[0], poses))


def find_drive(
    buffer: TransformBuffer,
    base: str,
    hands: Sequence[str],
    description: str | None,
    stamps: NDArray[np.int64],
) -> Drive | None:
    """Find how a base drives.

    Args:
        buffer: All transforms.
        base: The base frame; where it is a frame that the robot moves in, that is the one.
        hands: End effectors.
        description: The robot's URDF.
        stamps: (T,) nanoseconds, the frames of the camera.

    Returns:
        None for a base that stands, or of which transforms and URDF do not tell.

    Raises:
        R2RGenError: The base drives and its odometry jumps.

    """
    root = root_link(description) if description is not None else None
    edge = None if root is None else moving_edge(buffer, root)
    if root is None or edge is None:
        return None
    parent = edge[0]
    if not all(parent in buffer.chain(hand) for hand in hands):
        return None
    path = BasePath(parent, buffer.lookup(parent, root, stamps, tolerance_ns=LONG))
    if not path.drives and base != parent:
        return None
    _check_jumps(buffer, edge)
    return Drive(edge, root, path)


def unseen_drive(
    buffer: TransformBuffer,
    base: str,
    hands: Sequence[str],
    odometry: Sequence[OdometryTrack],
    stamps: NDArray[np.int64],
) -> BasePath | None:
    """Find that a base drives of which `find_drive` does not know, for want of a URDF.

    Args:
        buffer: All transforms.
        base: The base frame: one of the robot, below the odometry, or that of the odometry.
        hands: End effectors.
        odometry: Odometry as messages.
        stamps: (T,) nanoseconds, the frames of the camera.

    Returns:
        Where it was; None where it stands, or nothing says that what moves is a base.

    """
    edge = moving_edge(buffer, base) or _below(buffer, base, hands)
    if edge is None:
        return None
    told = any(track.frame_id == edge[0] for track in odometry)
    if not told and re.search(_ODOMETRY, edge[0]) is None:
        return None  # a link that turns, chosen as the base
    path = BasePath(edge[0], buffer.lookup(*edge, stamps, tolerance_ns=LONG))
    return path if path.drives else None


def _below(buffer: TransformBuffer, base: str, hands: Sequence[str]) -> tuple[str, str] | None:
    """The first edge from the base frame down that moves, where it carries all hands."""
    paths = [buffer.path(base, hand) for hand in hands]
    edges = [edge for edge in paths[0] if not edge.is_static] if paths else []
    if not edges or not all(edges[0] in path for path in paths):
        return None
    return edges[0].parent, edges[0].child


def require_standing_camera(
    buffer: TransformBuffer, drive: Drive, camera: str, stamps: NDArray[np.int64]
) -> None:
    """Check that the camera of a recording of clouds stands where the base drives.

    Args:
        buffer: All transforms.
        drive: How the base drives.
        camera: Frame of the camera.
        stamps: (T,) nanoseconds, its frames.

    Raises:
        R2RGenError: It rides on the base, or on the arm.

    """
    frame = drive.edge[0]
    if camera == frame or not buffer.connected(frame, camera):
        return
    poses = buffer.lookup(frame, camera, stamps, tolerance_ns=LONG)
    far, turn = BasePath(frame, poses).largest_move
    require(
        not BasePath(frame, poses).drives,
        f'the base drives in "{frame}", and the camera "{camera}" moves with it: by {far:.2f} m and'
        f' {np.rad2deg(turn):.0f} degrees; its clouds cannot be put together',
        f'depth images, a camera that stands in "{frame}", or a base that stands',
        "record the camera's depth and camera_info as well",
    )


def _check_jumps(buffer: TransformBuffer, edge: tuple[str, str]) -> None:
    stamps, poses = buffer.edge_samples(*edge)
    seconds = np.diff(stamps) / 1e9
    far = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    turn = se3.angle_between(poses[:-1], poses[1:])
    jump = (far > np.maximum(_JUMP_M, _JUMP_M_S * seconds)) | (
        turn > np.maximum(_JUMP_RAD, _JUMP_RAD_S * seconds)
    )
    at = np.flatnonzero(jump)
    if at.size:
        k = int(at[0])
        raise R2RGenError(
            f'the odometry "{edge[0]}" > "{edge[1]}" jumps by {far[k]:.2f} m and'
            f' {np.rad2deg(turn[k]):.0f} degrees {(stamps[k + 1] - stamps[0]) / 1e9:.2f} s after it'
            ' begins',
            'odometry that goes on smoothly while the base drives',
            'record the odometry of the wheels (odom) rather than localisation, which corrects'
            ' itself',
        )
