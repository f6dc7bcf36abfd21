# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the camera sees what a skill is about, at the moments that are asked for.

Two shares are told apart: how much of an object lies inside the image, and how much of what the
camera would see of it alone nothing else hides: the environment, other objects, the robot. What the
source showed less of may show as little again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.carried import camera_path, camera_path_of_source, require_link
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.zbuffer import ZBuffer, ZBufferRule
from r2rgen_ros.model.episode import Reason, Rejection, Variation
from r2rgen_ros.model.errors import check_range
from r2rgen_ros.robots.body import RobotBody

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import FeasibilityConfig
    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.model.deployment import MountedCamera
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.robots.kinematics import Robot

    Floats = NDArray[np.float64]

_WIDE = 160  # pixels of the images that are compared: points of clouds lie closer than these
_HIDES_M = 0.015
_SAME = 1e-9
_SLACK = 0.02  # what whole pixels make of one and the same share


@dataclass(frozen=True)
class _Moment:
    """All that moves, at one frame.

    Attributes:
        camera2base: (4, 4).
        joints: (J,) positions of the demonstration's joints; None where unknown.
        object2base: (K, 4, 4).
        environment2base: (4, 4).

    """

    camera2base: Floats
    joints: Floats | None
    object2base: Floats
    environment2base: Floats


@dataclass(frozen=True, eq=False)
class ViewCheck:
    """Compares what the camera sees of objects with what it saw in the source.

    Attributes:
        scene: The parsed demonstration.
        camera: The camera that shall see.
        least_inside: Share of an object that must lie inside the image.
        least_shown: Share of what it would show alone that must not be hidden.
        moments: Source frames at which objects are looked for, each with their places.

    """

    scene: Scene
    camera: MountedCamera
    least_inside: float
    least_shown: float
    moments: dict[int, tuple[int, ...]]
    _robot: Robot | None
    _start: Floats
    _body: RobotBody | None
    _source: dict[tuple[int, int], tuple[float, float]]
    _rooms: dict[bytes, NDArray[np.float32]]

    @classmethod
    def create(
        cls,
        scene: Scene,
        config: FeasibilityConfig,
        camera: MountedCamera,
        robot: Robot | None = None,
    ) -> ViewCheck | None:
        """Look at the source once.

        Args:
            scene: The parsed demonstration.
            config: What must be seen, and when.
            camera: The camera that shall see.
            robot: Kinematics; needed for a camera on a link that is no end effector.

        Returns:
            The check; None where nothing needs to be seen.

        Raises:
            R2RGenError: A frame is asked for that the demonstration does not have, or nobody knows
                where the camera's link is.

        """
        demo = scene.demo
        if max(config.min_visible_share, config.min_shown_share) <= 0.0:
            return None
        require_link(camera, demo, robot)
        body = None
        if demo.joints is not None and demo.robot_description is not None:
            text, folders = demo.robot_description, scene.mesh_folders
            body = RobotBody.from_urdf(text, demo.base_frame, folders)
        path = camera_path_of_source(camera, demo, robot)
        moves = bool(np.ptp(path, axis=0).max() > _SAME)
        moments = moments_of(scene, config.visible_at, comes_to_look=moves)
        shares = config.min_visible_share, config.min_shown_share
        check = cls(scene, camera, *shares, moments, robot, path[0], body, {}, {})
        for frame, places in moments.items():
            poses = np.array([item.object2base[frame] for item in scene.objects])
            joints = None if demo.joints is None else demo.joints.positions[frame]
            now = _Moment(path[frame], joints, poses, np.eye(4))
            for place, shares in check._shares(now, places):
                check._source[frame, place] = shares
        return check

    def before(self, variation: Variation, changes: Floats) -> Rejection | None:
        """Return which object begins outside the image, before anything is worked out.

        Args:
            variation: What was sampled.
            changes: (K, T, 4, 4) world transform of each object at each source frame.

        """
        # The arm starts from its rest pose, with whatever is mounted on it.
        for place in self.moments.get(0, ()):
            item = self.scene.objects[place]
            pose = variation.base2base @ changes[place, 0] @ item.object2base[0]
            share, least = self._inside(place, pose, self._start), self._source[0, place][0]
            if share < min(self.least_inside, least) - _SAME:
                return self._outside(variation, place, 0, share)
        return None

    def check(self, episode: Episode) -> Rejection | None:
        """Return which object the camera does not see at a moment; None where it sees all."""
        variation = episode.variation
        path = camera_path(self.camera, episode, self.scene.demo, self._robot)
        for frame, places in self.moments.items():
            at = int(np.abs(episode.source - frame).argmin())
            now = _Moment(
                path[at],
                None if episode.joints is None else episode.joints[at],
                episode.object2base[:, at],
                variation.base2base,
            )
            for place, (inside, shown) in self._shares(now, places):
                own_inside, own_shown = self._source[frame, place]
                if inside < min(self.least_inside, own_inside) - _SAME:
                    return self._outside(variation, place, frame, inside)
                if shown < min(self.least_shown, own_shown) - _SLACK:
                    return self._hidden(variation, place, frame, shown)
        return None

    def _outside(self, variation: Variation, place: int, frame: int, share: float) -> Rejection:
        name = self.scene.objects[place].name
        detail = f'only {100 * share:.0f} % of "{name}" would be inside the image'
        return _rejected(variation, detail, frame, self.least_inside - share)

    def _hidden(self, variation: Variation, place: int, frame: int, share: float) -> Rejection:
        name = self.scene.objects[place].name
        detail = f'{100 * (1.0 - share):.0f} % of "{name}" would be hidden from the camera'
        return _rejected(variation, detail, frame, self.least_shown - share)

    def _shares(
        self, now: _Moment, places: Iterable[int]
    ) -> Iterable[tuple[int, tuple[float, float]]]:
        """Of each object, the shares that are inside the image and, of those, not hidden."""
        layers: list[NDArray[np.float32]] | None = None
        for place in places:
            inside = self._inside(place, now.object2base[place], now.camera2base)
            shown = 1.0
            if self.least_shown > 0.0:
                if layers is None:
                    layers = self._layers(now)
                shown = _shown(layers, place)
            yield place, (inside, shown)

    def _inside(self, place: int, object2base: Floats, camera2base: Floats) -> float:
        """Share of an object's points inside the image."""
        camera = self.camera.camera
        object2camera = se3.inverse(camera2base) @ object2base
        points = self.scene.objects[place].cloud.points
        return _share_inside(camera.project(se3.apply(object2camera, points)), camera)

    def _layers(self, now: _Moment) -> list[NDArray[np.float32]]:
        """Depth images (H, W), small, of each object alone, and of all that is no object."""
        camera = self.camera.camera
        zbuffer = ZBuffer(camera.thinned(max(1, camera.width // _WIDE)), ZBufferRule(0, 0.0, 1))
        base2camera = se3.inverse(now.camera2base)
        out = []
        for item, pose in zip(self.scene.objects, now.object2base, strict=True):
            zbuffer.clear()
            zbuffer.add(item.cloud.points, base2camera @ pose)
            out.append(zbuffer.image()[1].copy())
        room = self._room(zbuffer, base2camera @ now.environment2base)
        zbuffer.clear()
        if self._body is not None and now.joints is not None:
            assert self.scene.demo.joints is not None
            points = self._body.points(self.scene.demo.joints.names, now.joints)[0]
            zbuffer.add(points.astype(np.float32), base2camera)
        return [*out, np.minimum(room, zbuffer.image()[1])]

    def _room(self, zbuffer: ZBuffer, room2camera: Floats) -> NDArray[np.float32]:
        """Depth image (H, W) of the environment; the last one is kept, for most are alike."""
        key = room2camera.tobytes()
        if key not in self._rooms:
            zbuffer.clear()
            zbuffer.add(self.scene.environment.points, room2camera)
            self._rooms.clear()
            self._rooms[key] = zbuffer.image()[1].copy()
        return self._rooms[key]


def moments_of(
    scene: Scene, visible_at: str | tuple[int, ...], *, comes_to_look: bool = False
) -> dict[int, tuple[int, ...]]:
    """Source frames at which objects are looked for, in order, each with their places.

    Args:
        scene: The parsed demonstration.
        visible_at: `start` (all objects, first frame), `skills` (as well the targets of each skill
            as it begins), or source frames (all objects).
        comes_to_look: Whether the camera moves, with the arm or a base: it need not see in the
            first frame what it sees when a skill begins.

    Raises:
        R2RGenError: There is no such frame.

    """
    everything = tuple(range(len(scene.objects)))
    if not isinstance(visible_at, str):
        for frame in visible_at:
            check_range('a frame of visible_at', frame, 0, len(scene.demo) - 1)
        return dict.fromkeys(sorted(visible_at), everything)
    out = {} if comes_to_look and visible_at == 'skills' else {0: everything}
    if visible_at == 'skills':
        names = [item.name for item in scene.objects]
        for skill in scene.annotation.skills:
            places = {names.index(name) for name in skill.targets}
            places |= set(out.get(skill.first, ()))
            out[skill.first] = tuple(sorted(places))
    return dict(sorted(out.items()))


def _shown(layers: list[NDArray[np.float32]], place: int) -> float:
    """Share of an object's pixels that no other layer hides; 1 where it has none."""
    own = layers[place]
    others = [layer for k, layer in enumerate(layers) if k != place]
    there = np.isfinite(own)
    if not there.any():
        return 1.0
    nearest = np.min([layer[there] for layer in others], axis=0)
    return float((nearest >= own[there] - _HIDES_M).mean())


def _share_inside(pixels: Floats, camera: PinholeCamera) -> float:
    """Share of projected points (N, 3) inside the image of a camera."""
    with np.errstate(invalid='ignore'):
        inside = (
            (pixels[:, 0] >= -0.5)
            & (pixels[:, 1] >= -0.5)
            & (pixels[:, 0] < camera.width - 0.5)
            & (pixels[:, 1] < camera.height - 0.5)
        )
    return float(inside.mean())


def _rejected(variation: Variation, detail: str, frame: int, amount: float) -> Rejection:
    return Rejection(
        variation.index, Reason.OUT_OF_VIEW, detail, frame, amount, variation, variation.moves
    )
