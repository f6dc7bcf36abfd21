# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The robot's surface at any configuration: points, triangles, and what a camera sees of it.

A body consists of parts: a link, or one of the two extremes of a link whose own small joint (a
finger's) has no known position, so that the finger is wherever it may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.raster import rasterise
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.robots.meshes import MeshFinder, link_surfaces
from r2rgen_ros.robots.surface import Surface, sample_surface

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

    Floats = NDArray[np.float64]

SPACING_M = 0.005
SMALL_M = 0.25
NARROW_M = 0.15
NARROW_RAD = float(np.deg2rad(120.0))
"""A joint without a position is a finger's if all below it stays this close to it, and its range is
no wider than this; a wrist turns farther.
"""


@dataclass(frozen=True)
class Part:
    """A link, or a link at one extreme of the joints above it that have no position.

    Attributes:
        link: Place of the link among the body's.
        extreme: 0 where all its joints are known; -1 and 1 for the lower and upper limits.

    """

    link: int
    extreme: int = 0


class RobotBody:
    """The surface of a robot given by its URDF.

    Attributes:
        robot: Its kinematics.
        links: Names of the L links that have a surface.
        surfaces: Their triangles in the frames of the links.
        warnings: What is missing of the surface and how to mend it.

    """

    def __init__(
        self,
        robot: Robot,
        surfaces: dict[str, Surface],
        warnings: Sequence[str] = (),
    ) -> None:
        known = [name for name in surfaces if name in robot.links]
        self.robot = robot
        self.links = tuple(known)
        self.surfaces = tuple(surfaces[name] for name in known)
        self.warnings = tuple(warnings)
        self._edges = [(robot.base_frame, name) for name in known]
        self._parts: dict[tuple[str, ...], tuple[Part, ...]] = {}
        self._faces: dict[tuple[Part, ...], tuple[NDArray[np.int32], NDArray[np.int32]]] = {}
        self._samples: dict[tuple[int, float], Floats] = {}

    @classmethod
    def from_urdf(
        cls,
        text: str,
        base_frame: str,
        mesh_folders: Sequence[Path | str] = (),
        *,
        painted: bool = False,
    ) -> RobotBody:
        """Read a robot description and the meshes that it names.

        Args:
            text: The URDF.
            base_frame: Link that everything is expressed in.
            mesh_folders: Folders that hold the packages of the meshes, or are these packages.
            painted: Whether the surfaces shall have their colours.

        Raises:
            R2RGenError: The text is no URDF, the base frame is no link of it, a mesh is broken, or
                a folder does not exist.

        """
        robot = Robot.from_urdf(text, base_frame, base_frame)
        surfaces, warnings = link_surfaces(text, MeshFinder(mesh_folders), painted=painted)
        return cls(robot, surfaces, warnings)

    def __bool__(self) -> bool:
        """Whether any link has a surface."""
        return bool(self.links)

    def parts(self, names: Sequence[str]) -> tuple[Part, ...]:
        """Parts of the body when the joints of these names are known.

        Links that hang on a large joint without a position are left out: they may be anywhere.
        """
        key = tuple(names)
        if key not in self._parts:
            self._parts[key] = self._find_parts(key)
        return self._parts[key]

    def left_out(self, names: Sequence[str]) -> tuple[str, ...]:
        """Names of the links that are left out for want of joint positions."""
        have = {part.link for part in self.parts(names)}
        return tuple(name for i, name in enumerate(self.links) if i not in have)

    def poses(self, names: Sequence[str], positions: ArrayLike) -> Floats:
        """Poses (T, P, 4, 4) of the parts in the base frame, at joint positions (T, J)."""
        values = np.asarray(positions, dtype=np.float64)
        parts = self.parts(names)
        out = np.empty((len(values), len(parts), 4, 4))
        for extreme in sorted({part.extreme for part in parts}):
            chosen = [i for i, part in enumerate(parts) if part.extreme == extreme]
            edges = [self._edges[parts[i].link] for i in chosen]
            all_names, all_values = self._with_extremes(names, values, extreme, edges)
            poses = self.robot.link_poses(all_names, all_values, edges)
            for i, edge in zip(chosen, edges, strict=True):
                out[:, i] = poses[edge]
        return out

    def samples(self, part: Part, spacing: float = SPACING_M) -> Floats:
        """Points (S, 3) spread evenly over the surface of a part, in the frame of its link."""
        key = (part.link, spacing)
        if key not in self._samples:
            self._samples[key] = sample_surface(self.surfaces[part.link], spacing)
        return self._samples[key]

    def points(
        self, names: Sequence[str], positions: ArrayLike, spacing: float = SPACING_M
    ) -> tuple[Floats, NDArray[np.int32]]:
        """Complete surface cloud at a configuration.

        Args:
            names: J joint names.
            positions: (J,) rad or m.
            spacing: Distance between neighbouring points, about, metres.

        Returns:
            Points (N, 3) in the base frame, and the place (N,) of each point's link in `links`.

        """
        parts = self.parts(names)
        poses = self.poses(names, np.asarray(positions, dtype=np.float64)[None])[0]
        clouds = [self.samples(part, spacing) for part in parts]
        moved = [se3.apply(pose, cloud) for pose, cloud in zip(poses, clouds, strict=True)]
        owner = np.repeat([part.link for part in parts], [len(cloud) for cloud in clouds])
        return np.concatenate([np.zeros((0, 3)), *moved]), owner.astype(np.int32)

    def triangles(
        self, names: Sequence[str], positions: ArrayLike
    ) -> tuple[Floats, NDArray[np.int32], NDArray[np.int32]]:
        """Triangles at a configuration.

        Args:
            names: J joint names.
            positions: (J,) rad or m.

        Returns:
            Vertices (V, 3) in the base frame, faces (F, 3), and the place (F,) of each face's link.

        """
        poses = self.poses(names, np.asarray(positions, dtype=np.float64)[None])[0]
        return self.triangles_at(names, poses)

    def triangles_at(
        self, names: Sequence[str], poses: Floats
    ) -> tuple[Floats, NDArray[np.int32], NDArray[np.int32]]:
        """Triangles, as of `triangles`, with the parts at poses (P, 4, 4) in any frame."""
        parts = self.parts(names)
        faces, owner = self._faces_of(parts)
        moved = [
            self.surfaces[part.link].vertices @ pose[:3, :3].T + pose[:3, 3]
            for part, pose in zip(parts, poses, strict=True)
        ]
        return np.concatenate([np.zeros((0, 3)), *moved]), faces, owner

    def loose(self, names: Sequence[str]) -> tuple[tuple[str, int], ...]:
        """Small joints without a position, and how many joints move with each, itself included."""
        parts = [part for part in self.parts(names) if part.extreme]
        joints = {joint for part in parts for joint in self._missing(names, self.links[part.link])}
        return tuple((joint, len(self.robot.tree.led_by(joint))) for joint in sorted(joints))

    def depth(
        self,
        names: Sequence[str],
        positions: ArrayLike,
        camera: PinholeCamera,
        camera2base: ArrayLike,
    ) -> NDArray[np.float32]:
        """What a perfect camera would see of the robot alone.

        Args:
            names: J joint names.
            positions: (J,) rad or m.
            camera: Intrinsics.
            camera2base: Pose (4, 4) of the optical frame.

        Returns:
            (H, W) float32 depth in metres, NaN where there is no robot.

        """
        poses = self.poses(names, np.asarray(positions, dtype=np.float64)[None])[0]
        vertices, faces, _ = self.triangles_at(names, se3.inverse(camera2base) @ poses)
        return rasterise(vertices, faces, camera)[0]

    def _find_parts(self, names: tuple[str, ...]) -> tuple[Part, ...]:
        out: list[Part] = []
        for link, edge in enumerate(self._edges):
            missing = self._missing(names, edge[1])
            if not missing:
                out.append(Part(link))
            elif all(self._is_small(joint) for joint in missing):
                out += [Part(link, -1), Part(link, 1)]
        return tuple(out)

    def _missing(self, names: Sequence[str], link: str) -> list[str]:
        """Joints without a position between the base and a link; leaders instead of followers."""
        between = self.robot.tree.between(self.robot.base_frame, link)
        lead = {self.robot.tree.leader(joint) for joint in between if joint not in names}
        return sorted(lead - set(names))

    def _is_small(self, joint: str) -> bool:
        """Whether a joint has narrow limits, and all that it moves stays close to it."""
        low, high = self.robot.limits([joint])[0]
        if not high - low <= (NARROW_M if self.robot.tree.slides(joint) else NARROW_RAD):
            return False
        names = self.robot.joint_names
        reach = 0.0
        for mover in self.robot.tree.led_by(joint):
            top = self.robot.tree.child(mover)
            for edge, surface in zip(self._edges, self.surfaces, strict=True):
                if mover in self.robot.tree.between(self.robot.base_frame, edge[1]):
                    link = (top, edge[1])
                    pose = self.robot.link_poses(names, np.zeros((1, len(names))), [link])[link][0]
                    points = se3.apply(pose, surface.vertices)
                    reach = max(reach, float(np.linalg.norm(points, axis=1).max(initial=0.0)))
        return reach <= SMALL_M

    def _with_extremes(
        self, names: Sequence[str], values: Floats, extreme: int, edges: list[tuple[str, str]]
    ) -> tuple[list[str], Floats]:
        """Add the joints that have no position, at their limits."""
        missing = sorted({joint for edge in edges for joint in self._missing(names, edge[1])})
        if not missing:
            return list(names), values
        limit = self.robot.limits(missing)[:, 0 if extreme < 0 else 1]
        return [*names, *missing], np.hstack([values, np.tile(limit, (len(values), 1))])

    def _faces_of(self, parts: tuple[Part, ...]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        if parts not in self._faces:
            surfaces = [self.surfaces[part.link] for part in parts]
            owner = np.repeat([part.link for part in parts], [len(item.faces) for item in surfaces])
            self._faces[parts] = Surface.concatenate(surfaces).faces, owner.astype(np.int32)
        return self._faces[parts]
