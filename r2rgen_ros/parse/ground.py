# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of a demonstration before anything is said of its objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.demo import require_standing
from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.parse.background import Background, find_background
from r2rgen_ros.parse.calibration import Calibration, check_calibration
from r2rgen_ros.parse.empty_capture import empty_background, with_empty
from r2rgen_ros.parse.prompts import Candidates, find_candidates
from r2rgen_ros.parse.robot import RobotView, robot_of, robot_points
from r2rgen_ros.parse.room import Room, find_room
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.parse.standing import check_standing
from r2rgen_ros.parse.support import assumed_support, fit_support, fit_support_near

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.robots.kinematics import Robot

_MARGIN_M = 0.15
_LIFT_SIGMAS = 3.0
_AVERAGED = 12
_LASTING = 0.2


@dataclass(frozen=True)
class Ground:
    """What is known of a demonstration before anything is said of its objects.

    Attributes:
        demo: The demonstration.
        robot: Its kinematics, where it has a URDF.
        support: The support plane, fitted or assumed.
        background: What a depth camera sees behind everything; None for clouds.
        view: The robot's surface in every frame, where its meshes are known.
        calibration: How well the camera's pose fits the robot; None where nothing can be compared.
        remarks: Why the robot's surface is not known.

    """

    demo: Demo
    robot: Robot | None
    support: SupportPlane
    background: Background | Room | None
    view: RobotView | None = None
    calibration: Calibration | None = None
    remarks: tuple[str, ...] = ()

    def candidates(self, frame: int) -> Candidates:
        """Part what stands on the support in a frame into objects."""
        outline = None
        if np.isfinite(self.support.residual):
            outline = self.support.to_plane(self.support.outline)
        points = robot_points(self.demo, self.robot, frame)
        snapshot = self.snapshot(frame)
        lift = self._lift(snapshot, frame)
        return find_candidates(
            frame, snapshot, self.support, points, outline, lift, self._robot_mask(snapshot, frame)
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the robot's description or the camera's pose, and what to do."""
        about_robot = self.remarks if self.view is None else self.view.warnings
        about_camera = () if self.calibration is None else self.calibration.warnings
        return (*about_robot, *about_camera)

    def snapshot(self, frame: int) -> Snapshot:
        """Read a frame; where a still camera saw the same thing before and after, their mean."""
        snapshot = Snapshot.take(self.demo, frame)
        if not isinstance(self.background, Background) or self.background.noise <= 0.0:
            return snapshot
        assert self.demo.sensor is not None
        depth = self._averaged(frame)
        points = self.demo.sensor.camera.unproject(depth).reshape(-1, 3)[snapshot.index]
        moved = se3.apply(self.demo.sensor.camera2base[frame], points)
        return Snapshot(moved, snapshot.colours, snapshot.index, snapshot.shape)

    def _averaged(self, frame: int) -> NDArray[np.float32]:
        """Depth (H, W) of a frame, averaged over neighbours that agree with it."""
        assert isinstance(self.background, Background)
        depth = self.demo.frames[frame].depth
        assert depth is not None
        limit = np.maximum(0.003, 4.0 * np.sqrt(2.0) * self.background.noise * depth**2)
        first = max(0, min(frame - _AVERAGED // 2, len(self.demo) - _AVERAGED))
        total, count = depth.astype(np.float64), np.ones(depth.shape)
        for other in range(first, min(len(self.demo), first + _AVERAGED)):
            beside = self.demo.frames[other].depth
            if other == frame or beside is None:
                continue
            with np.errstate(invalid='ignore'):
                same = np.abs(beside - depth) < limit
            total[same] += beside[same]
            count[same] += 1.0
        return np.asarray(total / count, dtype=np.float32)

    def _robot_mask(self, snapshot: Snapshot, frame: int) -> NDArray[np.bool_] | None:
        """Which points (N,) of a snapshot are the robot's; None where nobody knows."""
        if self.view is None:
            return None
        if len(snapshot.shape) == 2:
            return self.view.mask(frame).reshape(-1)[snapshot.index]
        return self.view.near(snapshot.points, frame)

    def _lift(self, snapshot: Snapshot, frame: int) -> NDArray[np.float64] | float:
        """How far (N,) the noise of a depth camera lifts points above the support, metres.

        The noise of the depth z lies along the line of sight, which falls by the camera's height
        over the support within z: of sigma = growth z^2, growth z height is upwards.
        """
        if self.background is None or self.demo.sensor is None:
            return 0.0
        camera2base = self.demo.sensor.camera2base[frame]
        height = abs(float(self.support.height(camera2base[:3, 3])))
        z = (snapshot.points - camera2base[:3, 3]) @ camera2base[:3, 2]
        # The mean of n frames is quieter, but for the part of the noise that stays.
        mean_of = min(_AVERAGED, len(self.demo)) if isinstance(self.background, Background) else 1
        quieter = np.sqrt(1.0 / mean_of + _LASTING**2)
        return np.asarray(_LIFT_SIGMAS * quieter * self.background.noise * height * z)


def survey(
    demo: Demo,
    support: SupportPlane | None = None,
    mesh_folders: Sequence[Path | str] = (),
    empty_capture: Path | None = None,
) -> Ground:
    """Find the support plane, the background, and the robot.

    Args:
        demo: The demonstration.
        support: A support plane that a person has given; None to fit one.
        mesh_folders: Folders that hold the packages of the robot's meshes, or are these.
        empty_capture: A bag in which the same camera sees the scene without objects.

    Returns:
        What later steps start from.

    Raises:
        R2RGenError: The base drives, or carries the camera away, unknown to the transforms; or
            there is no support plane.

    """
    if demo.drive is None:
        require_standing(demo.name, demo.base_paths)
    robot = robot_of(demo)
    remarks: list[str] = []
    view = RobotView.of(demo, mesh_folders, remarks.append)
    calibration = None
    moves = demo.has_images and demo.sensor is not None and not demo.sensor.is_static
    if view is not None and demo.has_images and not moves:
        calibration = check_calibration(demo, view)
        if calibration.trusted:
            # What was found makes the filter of the robot's pixels sharper.
            view = view.corrected(calibration.correction, calibration.delay_s)
    background: Background | Room | None = None
    if moves:
        require(
            empty_capture is None,
            f'the camera of "{demo.name}" moves, and an empty capture is named',
            'a camera that stands still',
            'leave out the empty capture',
        )
        background = find_room(demo, view)
        points = background.cloud.points.astype(np.float64)
    elif demo.has_images:
        remark = check_standing(demo, view)
        if remark is not None:
            remarks.append(remark)
        background = find_background(demo, view)
        if empty_capture is not None:
            assert background is not None
            background = with_empty(background, empty_background(empty_capture, demo, mesh_folders))
        assert demo.sensor is not None
        assert background is not None
        points = demo.sensor.camera.unproject(background.depth).reshape(-1, 3)
        points = points[np.isfinite(points[:, 2])]
        points = se3.apply(demo.sensor.camera2base[0], points)
    else:
        points = Snapshot.take(demo, 0).points
    if support is None:
        support = _fitted(demo, points, moves=moves)
    if support is None and background is not None:
        raise R2RGenError(
            f'no support plane is to be seen in "{demo.name}"',
            'a table or floor that fills 15 % of the image',
            'give the plane in annotation.yaml under "support"',
        )
    if support is None:
        reach = np.concatenate([points, *(arm.ee2base[:, :3, 3] for arm in demo.arms)])
        support = assumed_support(points, reach, _MARGIN_M)
    return Ground(demo, robot, support, background, view, calibration, tuple(remarks))


def _fitted(demo: Demo, points: NDArray[np.float64], *, moves: bool) -> SupportPlane | None:
    """Fit the support plane; a camera on a base that drives sees more floor than table."""
    if demo.drive is None or not moves:
        return fit_support(points)
    hands = np.concatenate([arm.ee2base[:, :3, 3] for arm in demo.arms])
    return fit_support_near(points, hands)
