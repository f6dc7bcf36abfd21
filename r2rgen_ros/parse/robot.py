# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the robot is, so that what the camera sees of it is not taken for objects."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.raster import rasterise, shows
from r2rgen_ros.parse.fingers import with_fingers
from r2rgen_ros.parse.robot_tolerance import Tolerance, learn_from_clouds, learn_from_images
from r2rgen_ros.robots.body import SPACING_M, RobotBody
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.robots.surface import sample_surface

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from r2rgen_ros.model.demo import Demo, Joints

    Floats = NDArray[np.float64]

_STEP_M = 0.03
_NEIGHBOURS = 2  # joints between two fingers of a hand

_MOST_PIXELS = 4
_KEPT = 4
_log = logging.getLogger(__name__)


def robot_of(demo: Demo, arm: int = 0) -> Robot | None:
    """Return the kinematics of an arm of a demonstration; None without URDF or joints.

    Args:
        demo: The demonstration.
        arm: Its place among the arms; links of all of them are known either way.

    Raises:
        R2RGenError: The URDF is broken, or lacks the base or end effector link.

    """
    if demo.robot_description is None or demo.joints is None:
        return None
    return Robot.from_urdf(demo.robot_description, demo.base_frame, demo.arms[arm].end_effector)


def robot_points(demo: Demo, robot: Robot | None, frame: int) -> NDArray[np.float64]:
    """Points (L, 3) along the arms in one frame, base frame, metres.

    With a URDF these run along the lines between the origins of neighbouring links; without one
    they are the end effectors alone.
    """
    hands = np.array([arm.ee2base[frame, :3, 3] for arm in demo.arms])
    if robot is None or demo.joints is None:
        return hands
    edges = [(robot.base_frame, link) for link in robot.links]
    positions = demo.joints.positions[frame : frame + 1]
    poses = robot.link_poses(demo.joints.names, positions, edges)
    origins = np.array([poses[edge][0, :3, 3] for edge in edges])
    lines = [origins, hands]
    apart = between_arms(robot, len(demo.arms))
    for link, (start, end) in enumerate(pairwise(origins)):
        length = float(np.linalg.norm(end - start))
        if 0.0 < length < 0.6 and link not in apart:
            shares = np.linspace(0.0, 1.0, max(2, int(length / _STEP_M)))[:, None]
            lines.append(start + shares * (end - start))
    return np.concatenate(lines)


def between_arms(robot: Robot, arms: int) -> frozenset[int]:
    """Places of links of several arms whose next link is not of the same arm."""
    if arms < 2:
        return frozenset()
    return frozenset(
        place
        for place, pair in enumerate(pairwise(robot.links))
        if len(robot.tree.between(*pair)) > _NEIGHBOURS
    )


@dataclass(frozen=True)
class Drawing:
    """The robot alone, as the demonstration's camera should see it.

    Attributes:
        depth: (H, W) float32 metres, NaN where there is no robot.
        face: (H, W) int32 index of the face seen, -1 where there is none.
        vertices: (V, 3) float64, camera optical frame.
        faces: (F, 3) indices.

    """

    depth: NDArray[np.float32]
    face: NDArray[np.int32]
    vertices: Floats
    faces: NDArray[np.int32]


class RobotView:
    """The robot of a demonstration, frame by frame.

    Args:
        demo: The demonstration.
        body: The robot's surface.
        joints: Joint positions per frame; fingers whose position is not recorded may be absent.
        correction: (4, 4) moves measured points of the base frame onto the robot, as found by
            `parse.calibration`; None where nothing is known.
        delay_s: How much later than the joints the images are stamped, seconds.
        warnings: What is missing and how to mend it.

    Attributes:
        demo: The demonstration.
        body: The robot's surface.
        joints: Joint positions per frame.
        correction: As given.
        delay_s: As given.
        warnings: As given.
        poses: (T, P, 4, 4) poses of the body's parts in the base frame.
        part_of_face: (F,) place of the part that each face belongs to.

    """

    def __init__(
        self,
        demo: Demo,
        body: RobotBody,
        joints: Joints,
        *,
        correction: Floats | None = None,
        delay_s: float = 0.0,
        warnings: Sequence[str] = (),
    ) -> None:
        self.demo = demo
        self.body = body
        self.joints = joints
        self.correction = np.eye(4) if correction is None else np.asarray(correction)
        self.delay_s = delay_s
        self.warnings = tuple(warnings)
        self.poses = body.poses(joints.names, _delayed(demo, joints.positions, delay_s))
        parts = body.parts(joints.names)
        counts = [len(body.surfaces[part.link].faces) for part in parts]
        self.part_of_face = np.repeat(np.arange(len(parts)), counts)
        self._drawings: dict[int, Drawing] = {}
        self._lock = threading.Lock()
        self._trees: dict[int, tuple[cKDTree, Floats]] = {}
        self._tolerance: Tolerance | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, '_lock': None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    @classmethod
    def of(
        cls,
        demo: Demo,
        mesh_folders: Sequence[Path | str] = (),
        tell: Callable[[str], None] = _log.warning,
        *,
        painted: bool = False,
    ) -> RobotView | None:
        """Look at the robot of a demonstration.

        Args:
            demo: The demonstration.
            mesh_folders: Folders that hold the packages of the robot's meshes, or are these.
            tell: Called with what is missing of the surface where there is no view that could
                have it among its own warnings.
            painted: Whether the surface shall have its colours.

        Returns:
            The view; None without robot description, joints, or any surface that can be placed.

        Raises:
            R2RGenError: The description is broken or lacks the base frame, or a mesh is broken.

        """
        if demo.robot_description is None or demo.joints is None:
            return None
        body = RobotBody.from_urdf(
            demo.robot_description, demo.base_frame, mesh_folders, painted=painted
        )
        joints = with_fingers(demo, body)
        if not body.parts(joints.names):
            for warning in body.warnings:
                tell(warning)
            return None
        warnings = list(body.warnings)
        lost = body.left_out(joints.names)
        if lost:
            warnings.append(
                f'the joint states say nothing of where {", ".join(lost[:4])} '
                f'{"is" if len(lost) == 1 else "are"}; to fix: record all joint_states topics'
            )
        return cls(demo, body, joints, warnings=warnings)

    def corrected(self, correction: Floats, delay_s: float = 0.0) -> RobotView:
        """Return the view with what `parse.calibration` found, which makes the filter sharper."""
        return RobotView(
            self.demo, self.body, self.joints,
            correction=correction, delay_s=delay_s, warnings=self.warnings,
        )  # fmt: skip

    def camera2base(self, frame: int) -> Floats:
        """Pose (4, 4) of the optical frame, with the correction."""
        assert self.demo.sensor is not None
        return np.asarray(self.correction @ self.demo.sensor.camera2base[frame])

    def drawing(self, frame: int) -> Drawing:
        """Draw the robot alone as the camera of a frame should see it; needs a camera.

        Several threads may draw at a time.
        """
        found = self._drawings.get(frame)
        if found is None:
            assert self.demo.sensor is not None
            part2camera = se3.inverse(self.camera2base(frame)) @ self.poses[frame]
            vertices, faces, _ = self.body.triangles_at(self.joints.names, part2camera)
            depth, face = rasterise(vertices, faces, self.demo.sensor.camera)
            found = Drawing(depth, face, vertices, faces)
            with self._lock:
                self._drawings[frame] = found
                while len(self._drawings) > _KEPT:
                    self._drawings.pop(next(iter(self._drawings)))
        return found

    @property
    def tolerance(self) -> Tolerance:
        """How far measured points of the robot lie from its description, over the whole demo."""
        if self._tolerance is None:
            images = self.demo.has_images and self.demo.sensor is not None
            self._tolerance = learn_from_images(self) if images else learn_from_clouds(self)
        return self._tolerance

    def mask(self, frame: int, depth: NDArray[np.float32] | None = None) -> NDArray[np.bool_]:
        """Pixels (H, W) of a depth image that show the robot.

        A pixel does if its depth is that of the drawn robot there or a few pixels beside, to the
        tolerance, or if it hangs between the edge of the robot and what is behind. What is before
        the robot or beside it is not the robot; nor is a pixel without depth.

        Args:
            frame: The frame.
            depth: Its depth (H, W) in metres, where that has been read; None to read it.

        """
        measured = self.demo.frames[frame].depth if depth is None else depth
        assert measured is not None
        drawn = self.drawing(frame).depth
        seen = np.isfinite(drawn)
        if not seen.any():
            return np.zeros(drawn.shape, dtype=bool)
        radius = self._radius(float(np.median(drawn[seen])))
        out = np.zeros(drawn.shape, dtype=bool)
        rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
        around = (
            slice(max(0, rows[0] - radius - 2), rows[-1] + radius + 3),
            slice(max(0, columns[0] - radius - 2), columns[-1] + radius + 3),
        )
        limit = self.tolerance.at(measured[around]).astype(np.float32)
        out[around] = shows(measured[around], drawn[around], limit, radius)
        return out

    def near(self, points: ArrayLike, frame: int) -> NDArray[np.bool_]:
        """Return which points (N, 3) of the base frame lie on the robot in a frame."""
        places = np.asarray(points, dtype=np.float64)
        limit = np.full(len(places), self.tolerance.at(0.0))
        if self.demo.sensor is not None:
            base2camera = se3.inverse(self.demo.sensor.camera2base[frame])
            limit = self.tolerance.at(se3.apply(base2camera, places)[:, 2])
        return np.asarray(self.distance(places, frame, float(limit.max(initial=0.0))) <= limit)

    def distance(self, points: ArrayLike, frame: int, most: float) -> Floats:
        """Distances (N,) of points of the base frame from the robot, infinite beyond `most` m.

        They are measured to points of the surface, so what is along it is taken off.
        """
        places = se3.apply(self.correction, np.asarray(points, dtype=np.float64))
        out = np.full(len(places), np.inf)
        # No point of the surface is farther from a sample than the diagonal of its cell.
        slack = 0.5 * np.sqrt(2.0) * SPACING_M
        for part, pose in zip(self.body.parts(self.joints.names), self.poses[frame], strict=True):
            tree, box = self._tree(part.link)
            corners = se3.apply(pose, box)
            low, high = corners.min(axis=0) - most, corners.max(axis=0) + most
            close = np.flatnonzero(((places > low) & (places < high)).all(axis=1))
            if close.size:
                local = se3.apply(se3.inverse(pose), places[close])
                reach = float(np.hypot(most, slack))
                far = tree.query(local, distance_upper_bound=reach)[0]
                across = np.sqrt(np.maximum(far**2 - slack**2, 0.0))
                out[close] = np.minimum(out[close], across)
        return out

    def points(self, frame: int, spacing: float = SPACING_M) -> tuple[Floats, NDArray[np.int32]]:
        """Complete surface (N, 3) in the base frame, and the place (N,) of each point's link."""
        parts = self.body.parts(self.joints.names)
        clouds = [self.body.samples(part, spacing) for part in parts]
        moved = [se3.apply(pose, c) for pose, c in zip(self.poses[frame], clouds, strict=True)]
        owner = np.repeat([part.link for part in parts], [len(cloud) for cloud in clouds])
        return np.concatenate(moved), owner.astype(np.int32)

    def _radius(self, depth: float) -> int:
        """How many pixels beside the drawing the robot may be seen."""
        assert self.demo.sensor is not None
        aside = self.demo.sensor.camera.fx * self.tolerance.flat / depth
        return int(np.clip(1 + np.ceil(aside), 1, _MOST_PIXELS))

    def _tree(self, link: int) -> tuple[cKDTree, Floats]:
        if link not in self._trees:
            vertices = self.body.surfaces[link].vertices
            ends = np.stack([vertices.min(axis=0), vertices.max(axis=0)])
            box = np.stack(np.meshgrid(*ends.T, indexing='ij'), axis=-1).reshape(-1, 3)
            self._trees[link] = cKDTree(sample_surface(self.body.surfaces[link], SPACING_M)), box
        return self._trees[link]


def _delayed(demo: Demo, positions: Floats, delay_s: float) -> Floats:
    """Joint positions (T, J) a little before the stamps of the images."""
    if delay_s == 0.0:
        return positions
    seconds = (demo.stamps - demo.stamps[0]) * 1e-9
    columns = [np.interp(seconds - delay_s, seconds, column) for column in positions.T]
    return np.stack(columns, axis=1)
