# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recorded demonstration on one time base: the camera's frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError, check_array, check_finite, require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.geometry.cloud import Cloud


@dataclass(frozen=True)
class Sensor:
    """A depth camera: intrinsics and where it stood in every frame.

    Attributes:
        frame: Name of its optical frame (REP-103: x right, y down, z forward).
        camera: Intrinsics.
        camera2base: (T, 4, 4) optical frame to base frame, per frame.

    """

    frame: str
    camera: PinholeCamera
    camera2base: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check the poses."""
        poses = check_array('camera2base', self.camera2base, (None, 4, 4))
        require(se3.is_transform(poses), f'the pose of camera "{self.frame}" is not rigid')
        object.__setattr__(self, 'camera2base', poses)

    @property
    def is_static(self) -> bool:
        """Whether the camera kept one pose, to 0.1 mm and 1e-4 of the rotation matrix."""
        return bool(np.abs(self.camera2base - self.camera2base[:1]).max(initial=0.0) < 1e-4)


@dataclass(frozen=True)
class Arm:
    """One arm: the path of its end effector and its gripper.

    Attributes:
        name: Name of the arm.
        end_effector: Name of the end effector's frame.
        ee2base: (T, 4, 4) end effector to base frame, per camera frame.
        gripper: (T,) gripper reading or command, in the unit of its source; larger is more open
            where `closed_is_low`; NaN where the demonstration has no gripper.
        closed_is_low: Whether a smaller reading means a more closed gripper.
        effort: (T,) force or torque of the gripper's drive, of either sign, in the unit of its
            source; None where the demonstration does not tell.

    """

    name: str
    end_effector: str
    ee2base: NDArray[np.float64]
    gripper: NDArray[np.float64]
    closed_is_low: bool = True
    effort: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Check shapes, that the poses are rigid and efforts are numbers."""
        poses = check_array(f'the path of arm "{self.name}"', self.ee2base, (None, 4, 4))
        require(se3.is_transform(poses), f'a pose of arm "{self.name}" is not a rigid transform')
        gripper = check_array(f'the gripper of arm "{self.name}"', self.gripper, (len(poses),))
        object.__setattr__(self, 'ee2base', poses)
        object.__setattr__(self, 'gripper', gripper)
        if self.effort is not None:
            what = f'the effort of arm "{self.name}"'
            effort = check_finite(what, check_array(what, self.effort, (len(poses),)))
            object.__setattr__(self, 'effort', effort)


@dataclass(frozen=True)
class Joints:
    """Joint positions at the camera frames.

    Attributes:
        names: J joint names as in joint_states and the URDF.
        positions: (T, J) rad or m.

    """

    names: tuple[str, ...]
    positions: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check shapes."""
        value = check_array('joint positions', self.positions, (None, len(self.names)))
        object.__setattr__(self, 'positions', check_finite('joint positions', value))


@dataclass(frozen=True)
class BasePath:
    """Where a mobile base was, by its odometry or localisation.

    Attributes:
        frame: The frame that it moves in, such as odom or map.
        base2frame: (T, 4, 4) base frame to that frame, per camera frame.

    """

    frame: str
    base2frame: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check the poses."""
        poses = check_array(
            f'the path of the base in "{self.frame}"', self.base2frame, (None, 4, 4)
        )
        require(se3.is_transform(poses), f'a pose of the base in "{self.frame}" is not rigid')
        object.__setattr__(self, 'base2frame', poses)

    @property
    def largest_move(self) -> tuple[float, float]:
        """How far the base was from where it stood at first: metres, and radians."""
        away = np.linalg.norm(self.base2frame[:, :3, 3] - self.base2frame[0, :3, 3], axis=1)
        turn = se3.angle_between(self.base2frame[0], self.base2frame)
        return float(away.max()), float(np.max(turn))

    @property
    def drives(self) -> bool:
        """Whether the base moved by more than odometry of one that stands creeps."""
        far, turn = self.largest_move
        return far > _STANDS_M or turn > _STANDS_RAD


_STANDS_M = 0.03
_STANDS_RAD = np.deg2rad(3.0)
"""Odometry of a base that stands creeps by less."""


def require_standing(name: str, paths: Sequence[BasePath]) -> None:
    """Check that the base stands still: everything is expressed in its frame.

    Args:
        name: Of the demonstration.
        paths: Where the base was; the first one counts, for localisation above it may jump.

    Raises:
        R2RGenError: It drives.

    """
    for path in paths[:1]:
        far, turn = path.largest_move
        require(
            not path.drives,
            f'the base moves in "{name}": by its odometry in "{path.frame}" up to {far:.2f} m and'
            f' {np.rad2deg(turn):.0f} degrees from where it began',
            f'a base that stands still, to {_STANDS_M} m and {np.rad2deg(_STANDS_RAD):.0f} degrees',
            'record, or cut out, a part in which the base stands; with its odometry in /tf and'
            ' /robot_description a base may drive',
        )


@dataclass(frozen=True)
class Frame:
    """What the camera saw at one instant: depth and colour images, or a cloud.

    Attributes:
        depth: (H, W) float32 metres along the optical axis, NaN where invalid; or None.
        colour: (H, W, 3) uint8 RGB aligned to the depth; or None.
        cloud: Points in the base frame, without NaN, in the order of the message; or None.

    """

    depth: NDArray[np.float32] | None = None
    colour: NDArray[np.uint8] | None = None
    cloud: Cloud | None = None

    def __post_init__(self) -> None:
        """Check that there is something, and that depth and colour agree."""
        require(
            self.depth is not None or self.cloud is not None,
            'a frame holds neither depth nor a cloud',
        )
        if self.depth is not None and self.colour is not None:
            require(
                self.depth.shape == self.colour.shape[:2],
                f'depth is {self.depth.shape} but colour is {self.colour.shape[:2]} pixels',
                'depth aligned to colour, of the same size',
                'record the aligned depth topic of the camera driver',
            )


class Frames(Protocol):
    """The frames of a demonstration, loaded one at a time."""

    def __len__(self) -> int:
        """Return the number of frames."""

    def __getitem__(self, index: int, /) -> Frame:
        """Return one frame."""


@dataclass(frozen=True)
class Demo:
    """A recorded demonstration on the time base of its camera.

    Attributes:
        name: Short name, for pictures and messages.
        path: Folder or file of the source bag.
        stamps: (T,) int64 nanoseconds, header stamps of the camera frames, strictly rising.
        base_frame: The frame that everything is expressed in, fixed during the demonstration.
        arms: One or more arms.
        frames: T camera frames, loaded when asked for.
        sensor: The camera; None for a source of clouds without camera_info.
        joints: Joint positions; None where not recorded.
        robot_description: URDF text; None where not recorded.
        warnings: What the person should know about the recording.
        base_paths: Where a mobile base was, in every frame that it moves in; none for a fixed one.

    """

    name: str
    path: Path
    stamps: NDArray[np.int64]
    base_frame: str
    arms: tuple[Arm, ...]
    frames: Frames
    sensor: Sensor | None = None
    joints: Joints | None = None
    robot_description: str | None = None
    warnings: tuple[str, ...] = field(default=())
    base_paths: tuple[BasePath, ...] = ()

    def __post_init__(self) -> None:
        """Check lengths and that time rises."""
        stamps = check_array('stamps', self.stamps, (None,), np.int64)
        object.__setattr__(self, 'stamps', stamps)
        count = len(stamps)
        require(count >= 2, f'the demonstration "{self.name}" has {count} frames', 'at least 2')
        back = np.flatnonzero(np.diff(stamps) <= 0)
        if back.size:
            raise R2RGenError(
                f'the stamp of frame {back[0] + 1} of "{self.name}" is not after the one before',
                'stamps that rise',
                'check the clock of the camera driver, or drop the frame',
            )
        require(bool(self.arms), f'the demonstration "{self.name}" has no arm', 'at least one')
        names = [arm.name for arm in self.arms]
        double = sorted({name for name in names if names.count(name) > 1})
        require(
            not double,
            f'arms {double} of "{self.name}" are named twice',
            'one name each',
            'name them with --ee-frame left=FRAME,right=FRAME',
        )
        lengths = {f'arm "{arm.name}"': len(arm.ee2base) for arm in self.arms}
        lengths['the camera frames'] = len(self.frames)
        if self.sensor is not None:
            lengths['the camera poses'] = len(self.sensor.camera2base)
        if self.joints is not None:
            lengths['the joint positions'] = len(self.joints.positions)
        lengths |= {f'the base in "{p.frame}"': len(p.base2frame) for p in self.base_paths}
        for what, have in lengths.items():
            require(have == count, f'{what} of "{self.name}" number {have}', f'{count} as stamps')

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.stamps)

    @property
    def drive(self) -> BasePath | None:
        """Where the robot was in `base_frame`, if that is a frame that the base drives in."""
        path = next(iter(self.base_paths), None)
        return path if path is not None and path.frame == self.base_frame else None

    @property
    def period_ns(self) -> int:
        """Median time between two frames, nanoseconds."""
        return int(np.median(np.diff(self.stamps)))

    @property
    def has_images(self) -> bool:
        """Whether the source is depth images rather than clouds."""
        return self.frames[0].depth is not None
