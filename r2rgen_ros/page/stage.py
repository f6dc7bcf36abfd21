# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The 3D view: points, objects, the paths of the hands, the edge of the support."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.report.overlay import object_rgb, path_colours, prism, skill_rgb

if TYPE_CHECKING:
    import viser
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import Skill, SupportPlane
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.page.film import Shot
    from r2rgen_ros.page.view import View

_POINT_M, _RIM_M, _EDGE_M = 0.0055, 0.003, 0.002
_MOTION_M, _PATH_M, _DOT_M = 0.005, 0.010, 0.011
_ABOVE_M = 0.03
_GREY = (150, 150, 150)
_HAND_M = 0.06
_UP = np.array([0.0, 0.0, 1.0])
_UPRIGHTS = 6
_FARTHER = 1.15


class Stage:
    """What is drawn in 3D; for one thread only.

    Args:
        server: Where it is drawn.
        demo: The demonstration.

    """

    def __init__(self, server: viser.ViserServer, demo: Demo) -> None:
        self._server = server
        self._scene = server.scene
        self._demo = demo
        self._cloud: viser.PointCloudHandle | None = None
        self._drawn: viser.SceneNodeHandle | None = None
        self._root = ''
        self._round = 0
        self._objects: list[viser.SceneNodeHandle] = []
        self._shown: View | None = None
        self._hands = [
            self._scene.add_frame(
                f'/hands/{place}', axes_length=_HAND_M, axes_radius=0.04 * _HAND_M
            )
            for place, _ in enumerate(demo.arms)
        ]
        self._look()

    def show(self, shot: Shot, view: View) -> None:
        """Draw a frame, and how things stand."""
        with self._server.atomic():
            if self._cloud is None:
                self._cloud = self._scene.add_point_cloud(
                    '/points', shot.points, shot.colours, point_size=_POINT_M,
                    point_shape='circle', point_shading='flat', precision='float32',
                )  # fmt: skip
            else:
                self._cloud.points = shot.points
                self._cloud.colors = shot.colours
            for hand, arm in zip(self._hands, self._demo.arms, strict=True):
                _move(hand, arm.ee2base[shot.frame])
            if view is not self._shown:
                self._draw(view)
            self._pose(view.scene, shot.frame)

    def _look(self) -> None:
        """Look at where the hands work, as the camera does; from the front without one."""
        paths = np.concatenate([arm.ee2base[:, :3, 3] for arm in self._demo.arms])
        middle = 0.5 * (paths.min(axis=0) + paths.max(axis=0))
        middle[2] = paths[:, 2].min()
        eye = middle + np.array([0.7, 0.5, 0.7])
        if self._demo.sensor is not None:
            eye = self._demo.sensor.camera2base[0, :3, 3]
            # Through the middle of the picture, so that the view is what the picture shows.
            ahead = self._demo.sensor.camera2base[0, :3, 2]
            middle = eye + ahead * float(np.dot(middle - eye, ahead))
            eye = middle + _FARTHER * (eye - middle)
        camera = self._server.initial_camera
        camera.position, camera.look_at, camera.up = eye, middle, _UP
        camera.fov = np.deg2rad(50.0)

    def _draw(self, view: View) -> None:
        """Draw what stays the same in all frames."""
        before = self._drawn
        # A name is never used twice: browsers may get an addition before a removal.
        self._round += 1
        self._root = f'/drawn_{self._round}'
        self._drawn = self._scene.add_frame(self._root, show_axes=False)
        self._objects = []
        if view.support is not None:
            self._draw_support(view.support)
        for place, arm in enumerate(self._demo.arms):
            path = arm.ee2base[:, :3, 3]
            colours = path_colours(view.skills, arm.name, len(path))
            self._draw_path(f'{self._root}/path_{place}', path, colours)
            for number, skill in enumerate(view.skills):
                if skill.arm == arm.name:
                    self._draw_skill(f'{self._root}/skill_{number}', path, skill, number)
        self._draw_objects(view.scene)
        if before is not None:
            before.remove()
        self._shown = view

    def _draw_support(self, support: SupportPlane) -> None:
        rim = np.concatenate([support.outline, support.outline[:1]])
        self._line(f'{self._root}/support', rim, np.array(_GREY) / 255.0, _RIM_M)

    def _draw_path(
        self, name: str, path: NDArray[np.float64], colours: NDArray[np.float64]
    ) -> None:
        """Draw a path (N, 3), each stretch of it in the colour of where it begins, (N, 3)."""
        motion = path_colours((), '', 1)[0]
        changes = np.flatnonzero((colours[1:] != colours[:-1]).any(axis=1)) + 1
        ends = [0, *changes.tolist(), len(path) - 1]
        for begin, end in itertools.pairwise(ends):
            if end > begin:
                width = _MOTION_M if (colours[begin] == motion).all() else _PATH_M
                self._line(f'{name}/{begin}', path[begin : end + 1], colours[begin], width)

    def _draw_skill(self, name: str, path: NDArray[np.float64], skill: Skill, place: int) -> None:
        for end in (skill.first, skill.last):
            self._scene.add_icosphere(
                f'{name}/end_{end}', _DOT_M, color=skill_rgb(place), subdivisions=2,
                position=path[end], cast_shadow=False,
            )  # fmt: skip

    def _draw_objects(self, scene: Scene | None) -> None:
        """Draw each object where its own frame is, so that it only has to be moved."""
        if scene is None:
            return
        for place, item in enumerate(scene.objects):
            points = item.cloud.points.astype(np.float64)
            base = se3.apply(item.object2base[0], points)
            box = se3.apply(se3.inverse(item.object2base[0]), _few(prism(base, scene.support)))
            name = f'{self._root}/object_{place}'
            self._objects.append(self._scene.add_frame(name, show_axes=False))
            self._scene.add_line_segments(
                f'{name}/box', box, np.array(object_rgb(place)),
                thickness=_EDGE_M,
            )  # fmt: skip
            top = np.array([0.0, 0.0, points[:, 2].max() + _ABOVE_M])
            self._scene.add_label(f'{name}/name', item.name, position=top, anchor='bottom-center')

    def _pose(self, scene: Scene | None, frame: int) -> None:
        for handle, item in zip(
            self._objects, () if scene is None else scene.objects, strict=False
        ):
            _move(handle, item.object2base[frame])

    def _line(
        self, name: str, points: NDArray[np.float64], colour: NDArray[np.float64], width: float
    ) -> None:
        """Draw a line through points (N, 3) in one colour (3,), 0 to 1.

        The library takes colours of ends for linear light, which makes them pale and all lines
        much alike; one colour of a whole line it takes for what it is.
        """
        ends = np.stack([points[:-1], points[1:]], axis=1)
        self._scene.add_line_segments(name, ends, colour, thickness=width)


def _few(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out most upright edges of a prism: of (3 N, 2, 3), the last N."""
    count = len(edges) // 3
    return np.concatenate([edges[: 2 * count], edges[2 * count :: max(1, count // _UPRIGHTS)]])


def _move(handle: viser.SceneNodeHandle, pose: NDArray[np.float64]) -> None:
    position, (x, y, z, w) = se3.to_quaternion(pose)
    handle.position = position
    handle.wxyz = np.array([w, x, y, z])
