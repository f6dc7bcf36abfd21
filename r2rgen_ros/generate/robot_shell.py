# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The robot's whole surface in the colours that the recording shows of it.

A camera elsewhere sees sides of the robot that the recording's camera never saw, in the colours of
its meshes, lit like the rest (`skin_paint`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.skin_paint import paint_of
from r2rgen_ros.generate.skin_parts import painted_parts
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


class RobotShell:
    """Triangles of the robot with a colour each.

    Args:
        scene: A parsed demonstration of images.
        view: Its robot.

    """

    def __init__(self, scene: Scene, view: RobotView) -> None:
        self._scene, self._view = scene, view
        self._parts = painted_parts(view)
        frames = np.unique(np.linspace(0, len(scene.demo) - 1, _MOST_FRAMES).astype(int))
        self._colours = paint_of(self._parts, [self._seen(frame) for frame in frames.tolist()])

    @classmethod
    def of(cls, scene: Scene) -> RobotShell | None:
        """Return the shell of a scene's robot; None where its surface or its joints are unknown."""
        if scene.demo.joints is None or scene.demo.robot_description is None:
            return None
        view = RobotView.of(scene.demo, scene.mesh_folders, lambda _: None, painted=True)
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
        return self._view.body.poses(names, values)[:, list(self._parts.places)]

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
        depth, face = self._draw(camera, part2camera)
        return depth, self._colours[face]

    def _draw(
        self, camera: PinholeCamera, part2camera: Floats
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        vertices = [
            se3.apply(pose, part)
            for pose, part in zip(part2camera, self._parts.vertices, strict=True)
        ]
        return rasterise(np.concatenate(vertices), self._parts.faces, camera)

    def _seen(self, frame: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Which triangles (N,) a source frame saw, and their colours (N, 3)."""
        demo, view = self._scene.demo, self._view
        colour = demo.frames[frame].colour
        if colour is None:
            return np.zeros(0, np.int32), np.zeros((0, 3), np.uint8)
        assert demo.sensor is not None
        poses = view.poses[frame][list(self._parts.places)]
        face = self._draw(demo.sensor.camera, in_camera(view.camera2base(frame), poses))[1]
        pixels = (face >= 0) & (self._scene.labels[frame] == ROBOT)
        return face[pixels], colour[pixels]


def in_camera(camera2base: Floats, poses: Floats) -> Floats:
    """Poses (P, 4, 4) of parts in the optical frame, from those in the base frame."""
    return np.asarray(se3.inverse(camera2base) @ poses)
