# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The robot's whole surface in the colours that the recording shows of it.

A camera elsewhere sees sides of the robot that the recording's camera never saw: those have the
colour of the nearest part of the same link that it did see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.raster import rasterise
from r2rgen_ros.model.scene import ROBOT
from r2rgen_ros.parse.robot import RobotView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.scene import Scene

    Floats = NDArray[np.float64]

_MOST_FRAMES = 12
_TURNED_M = 0.05  # a side that faces away counts as being this far off
_GREY = 128


class RobotShell:
    """Triangles of the robot with a colour each.

    Args:
        scene: A parsed demonstration of images.
        view: Its robot.

    """

    def __init__(self, scene: Scene, view: RobotView) -> None:
        self._scene, self._view = scene, view
        self._colours = self._learnt()

    @classmethod
    def of(cls, scene: Scene) -> RobotShell | None:
        """Return the shell of a scene's robot; None where its surface or its joints are unknown."""
        if scene.demo.joints is None or scene.demo.robot_description is None:
            return None
        view = RobotView.of(scene.demo, scene.mesh_folders, lambda _: None)
        return None if view is None else cls(scene, view)

    def poses(self, episode: Episode) -> Floats:
        """Poses (M, P, 4, 4) of the robot's parts in the frames of an episode, base frame."""
        demo, names = self._scene.demo, self._view.joints.names
        # Fingers that no joint state tells of are where the gripper's reading puts them.
        values = self._view.joints.positions[episode.source_frames]
        if episode.joints is not None:
            assert demo.joints is not None
            values = values.copy()
            for place, name in enumerate(demo.joints.names):
                values[:, names.index(name)] = episode.joints[:, place]
        return self._view.body.poses(names, values)

    def see(
        self, camera: PinholeCamera, part2camera: Floats
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw the robot alone.

        Args:
            camera: Intrinsics.
            part2camera: (P, 4, 4) poses of the parts in the camera optical frame.

        Returns:
            (H, W) float32 depth in metres, NaN where there is no robot; and (H, W, 3) colours.

        """
        body, names = self._view.body, self._view.joints.names
        vertices, faces, _ = body.triangles_at(names, part2camera)
        depth, face = rasterise(vertices, faces, camera)
        return depth, self._colours[face]

    def _learnt(self) -> NDArray[np.uint8]:
        """Colours (F, 3): the mean of a face's pixels in some frames, or those of a near face."""
        demo, view = self._scene.demo, self._view
        assert demo.sensor is not None
        count = len(view.part_of_face)
        sums, seen = np.zeros((count, 3)), np.zeros(count)
        frames = np.unique(np.linspace(0, len(demo) - 1, _MOST_FRAMES).astype(int))
        for frame in frames.tolist():
            colour = demo.frames[frame].colour
            if colour is None:
                break
            face = view.drawing(frame).face
            pixels = (face >= 0) & (self._scene.labels[frame] == ROBOT)
            np.add.at(sums, face[pixels], colour[pixels].astype(np.float64))
            np.add.at(seen, face[pixels], 1.0)
        out = np.full((count, 3), _GREY, dtype=np.uint8)
        known = seen > 0
        out[known] = np.rint(sums[known] / seen[known, None]).astype(np.uint8)
        self._spread(out, known)
        return out

    def _spread(self, colours: NDArray[np.uint8], known: NDArray[np.bool_]) -> None:
        """Give faces that were never seen the colour of the nearest seen one of their link."""
        names = self._view.joints.names
        still = np.broadcast_to(np.eye(4), (len(self._view.body.parts(names)), 4, 4))
        vertices, faces, link = self._view.body.triangles_at(names, still)
        a, b, c = np.moveaxis(vertices[faces], 1, 0)
        normals = np.cross(b - a, c - a)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        places = np.hstack([(a + b + c) / 3.0, _TURNED_M * normals])
        for one in np.unique(link):
            mine = link == one
            have, lack = np.flatnonzero(mine & known), np.flatnonzero(mine & ~known)
            if have.size and lack.size:
                colours[lack] = colours[have[cKDTree(places[have]).query(places[lack])[1]]]


def in_camera(camera2base: Floats, poses: Floats) -> Floats:
    """Poses (P, 4, 4) of parts in the optical frame, from those in the base frame."""
    return np.asarray(se3.inverse(camera2base) @ poses)
