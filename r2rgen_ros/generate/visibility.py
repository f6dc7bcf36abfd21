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
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.scene import Scene

    Floats = NDArray[np.float64]

_WIDE = 160  # pixels of the images that are compared: points of clouds lie closer than these
_HIDES_M = 0.015
_SAME = 1e-9
_SLACK = 0.02  # what whole pixels make of one and the same share


@dataclass(frozen=True)
class _Moment:
    """All that moves, at one frame.

    Attributes:
        source: Source frame.
        joints: (J,) positions of the demonstration's joints; None where unknown.
        object2base: (K, 4, 4).
        environment2base: (4, 4).

    """

    source: int
    joints: Floats | None
    object2base: Floats
    environment2base: Floats


@dataclass(frozen=True, eq=False)
class ViewCheck:
    """Compares what the camera sees of objects with what it saw in the source.

    Attributes:
        scene: The parsed demonstration.
        least_inside: Share of an object that must lie inside the image.
        least_shown: Share of what it would show alone that must not be hidden.
        moments: Source frames at which objects are looked for, each with their places.

    """

    scene: Scene
    least_inside: float
    least_shown: float
    moments: dict[int, tuple[int, ...]]
    _body: RobotBody | None
    _source: dict[tuple[int, int], tuple[float, float]]
    _rooms: dict[bytes, NDArray[np.float32]]

    @classmethod
    def create(cls, scene: Scene, config: FeasibilityConfig) -> ViewCheck | None:
        """Look at the source once.

        Args:
            scene: The parsed demonstration.
            config: What must be seen, and when.

        Returns:
            The check; None where the camera is not known, or nothing needs to be seen.

        Raises:
            R2RGenError: A frame is asked for that the demonstration does not have.

        """
        demo = scene.demo
        if demo.sensor is None or max(config.min_visible_share, config.min_shown_share) <= 0.0:
            return None
        body = None
        if demo.joints is not None and demo.robot_description is not None:
            text, folders = demo.robot_description, scene.mesh_folders
            body = RobotBody.from_urdf(text, demo.base_frame, folders)
        moments = moments_of(scene, config.visible_at)
        shares = config.min_visible_share, config.min_shown_share
        check = cls(scene, *shares, moments, body, {}, {})
        for frame, places in moments.items():
            poses = np.array([item.object2base[frame] for item in scene.objects])
            joints = None if demo.joints is None else demo.joints.positions[frame]
            now = _Moment(frame, joints, poses, np.eye(4))
            for place, shares in check._shares(now, places):
                check._source[frame, place] = shares
        return check

    def before(self, variation: Variation, changes: Floats) -> Rejection | None:
        """Return which object begins outside the image, before anything is worked out.

        Args:
            variation: What was sampled.
            changes: (K, T, 4, 4) world transform of each object at each source frame.

        """
        for place in self.moments.get(0, ()):
            item = self.scene.objects[place]
            pose = variation.base2base @ changes[place, 0] @ item.object2base[0]
            share, least = self._inside(place, pose, 0), self._source[0, place][0]
            if share < min(self.least_inside, least) - _SAME:
                return self._outside(variation, place, 0, share)
        return None

    def check(self, episode: Episode) -> Rejection | None:
        """Return which object the camera does not see at a moment; None where it sees all."""
        variation = episode.variation
        for frame, places in self.moments.items():
            at = int(np.abs(episode.source - frame).argmin())
            now = _Moment(
                frame,
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
            inside = self._inside(place, now.object2base[place], now.source)
            shown = 1.0
            if self.least_shown > 0.0:
                if layers is None:
                    layers = self._layers(now)
                shown = _shown(layers, place)
            yield place, (inside, shown)

    def _base2camera(self, source: int) -> Floats:
        assert self.scene.demo.sensor is not None
        return np.asarray(se3.inverse(self.scene.demo.sensor.camera2base[source]))

    def _inside(self, place: int, object2base: Floats, source: int) -> float:
        """Share of an object's points inside the image."""
        assert self.scene.demo.sensor is not None
        camera = self.scene.demo.sensor.camera
        object2camera = self._base2camera(source) @ object2base
        points = self.scene.objects[place].cloud.points
        return _share_inside(camera.project(se3.apply(object2camera, points)), camera)

    def _layers(self, now: _Moment) -> list[NDArray[np.float32]]:
        """Depth images (H, W), small, of each object alone, and of all that is no object."""
        assert self.scene.demo.sensor is not None
        camera = self.scene.demo.sensor.camera
        zbuffer = ZBuffer(camera.thinned(max(1, camera.width // _WIDE)), ZBufferRule(0, 0.0, 1))
        base2camera = self._base2camera(now.source)
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


def moments_of(scene: Scene, visible_at: str | tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    """Source frames at which objects are looked for, in order, each with their places.

    Args:
        scene: The parsed demonstration.
        visible_at: `start` (all objects, first frame), `skills` (as well the targets of each skill
            as it begins), or source frames (all objects).

    Raises:
        R2RGenError: There is no such frame.

    """
    everything = tuple(range(len(scene.objects)))
    if not isinstance(visible_at, str):
        for frame in visible_at:
            check_range('a frame of visible_at', frame, 0, len(scene.demo) - 1)
        return dict.fromkeys(sorted(visible_at), everything)
    out = {0: everything}
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
