# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scene + Episode -> images of the source's camera, which stands still."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.hands import labels_by_hand, nearest_hand
from r2rgen_ros.generate.moves import Moves, move_points
from r2rgen_ros.generate.noise import EpisodeNoise, measured_pixels
from r2rgen_ros.generate.object_skin import ObjectSkin
from r2rgen_ros.generate.robot_cloud import LinkMotion
from r2rgen_ros.generate.sensed import labelled, sensed
from r2rgen_ros.generate.skin import RobotSkin
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.zbuffer import ZBuffer, ZBufferRule
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT, Scene
from r2rgen_ros.model.sensed import SensedFrame
from r2rgen_ros.sense.depth_camera import DepthCamera, Image
from r2rgen_ros.sense.layers import Layer
from r2rgen_ros.sense.planes import moved_planes, planes_of
from r2rgen_ros.sense.sampling import shown_pixels
from r2rgen_ros.sense.unseen import could_be, never_seen, seen_far_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.robots.kinematics import Robot
    from r2rgen_ros.sense.layers import Drawn
    from r2rgen_ros.sense.noise import DepthNoise, Spoiler


_SAME = 0.001  # of a depth: the point that a pixel shows


class ImageComposer:
    """Depth and colour images with the camera step.

    Args:
        scene: The parsed demonstration; its camera stands still.
        config: What is asked for.
        robot: Kinematics, if they are known.
        noise: Noise of the camera; None for none.
        points_alone: Whether frames need no images: then they have labelled points alone, where
            these are asked for.

    """

    def __init__(
        self,
        scene: Scene,
        config: GenerateConfig,
        robot: Robot | None = None,
        noise: DepthNoise | None = None,
        *,
        points_alone: bool = False,
    ) -> None:
        sensor = scene.demo.sensor
        assert sensor is not None
        self._scene = scene
        self._config = config
        self._points_alone = points_alone and config.output.labelled_points
        radius = config.camera.radius_px or 1
        rule = ZBufferRule(radius, config.camera.delta_m, config.camera.support_px)
        self._camera = DepthCamera(sensor.camera, rule)
        self._base2camera = se3.inverse(sensor.camera2base[0])
        rays = sensor.camera.rays().reshape(-1, 3).astype(np.float32)
        self._rays = rays
        self._objects = ObjectSkin(scene)
        self._links = LinkMotion(scene.demo, robot) if robot is not None else None
        self._skin = None if self._links is None else RobotSkin.of(scene, self._links.assign)
        if self._skin is None:
            self._pixels = [self._robot_cloud(frame) for frame in range(len(scene.demo))]
            self._owners = [self._links_of(frame) for frame in range(len(scene.demo))]
        self._noise = None
        if noise is not None:
            measured = measured_pixels(scene)
            self._noise = EpisodeNoise(noise, sensor.camera, measured, recorded_robot=True)

    def _links_of(self, frame: int) -> NDArray[np.int64] | None:
        """The link of each robot pixel of a source frame."""
        if self._links is None:
            return None
        assert self._scene.demo.sensor is not None
        camera2base = self._scene.demo.sensor.camera2base[frame]
        return self._links.assign(se3.apply(camera2base, self._pixels[frame].points), frame)

    @cached_property
    def _source_depth(self) -> NDArray[np.float32]:
        """Depth (H, W) of the environment alone as the source's camera sees it, NaN for none."""
        sensor = self._scene.demo.sensor
        assert sensor is not None
        zbuffer = ZBuffer(sensor.camera, ZBufferRule(0, 0.0, 1))
        zbuffer.add(self._scene.environment.points, self._base2camera)
        depth = zbuffer.image()[1]
        return np.where(np.isfinite(depth), depth, np.float32(np.nan))

    def _in_view(self) -> NDArray[np.float32]:
        """A point per pixel of the source, base frame: the environment, far where it has none."""
        sensor = self._scene.demo.sensor
        assert sensor is not None
        depth = self._source_depth.reshape(-1)
        known = np.isfinite(depth)
        far = depth[known].max(initial=1.0)
        points = self._rays * np.where(known, depth, far)[:, None]
        return Cloud.from_arrays(points).transformed(sensor.camera2base[0]).points

    def unseen(self, base2base: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Pixels (H, W) in which the camera looks at what the source never saw of the environment.

        Args:
            base2base: (4, 4) of the moved base that the camera is on, see `Variation`.

        """
        sensor = self._scene.demo.sensor
        assert sensor is not None
        source2camera = self._base2camera @ base2base @ sensor.camera2base[0]
        return never_seen(self._source_depth, sensor.camera, source2camera, sensor.camera)

    @cached_property
    def _planes(self) -> NDArray[np.float32]:
        """Planes (N, 3) of the environment's points in the source's camera, see `planes_of`."""
        sensor, points = self._scene.demo.sensor, self._scene.environment.points
        assert sensor is not None
        depth = self._source_depth
        there = se3.apply(self._base2camera, points)
        inside, rows, columns, away = sensor.camera.pixels_of(there)
        planes = np.full(points.shape, np.nan, dtype=np.float32)
        own = planes_of(depth, sensor.camera)[rows, columns]
        with np.errstate(invalid='ignore'):
            own[~(np.abs(depth[rows, columns] - away) < _SAME * away)] = np.nan
        planes[inside] = own
        return planes

    def _moved_planes(self, base2base: NDArray[np.float64]) -> NDArray[np.float32]:
        """The same before the moved camera."""
        sensor = self._scene.demo.sensor
        assert sensor is not None
        return moved_planes(self._planes, self._base2camera @ base2base @ sensor.camera2base[0])

    def _far_off(self, base2base: NDArray[np.float64]) -> NDArray[np.uint8] | None:
        """Colours (H, W, 3) of what has no depth, as if it were very far; black elsewhere."""
        backdrop, sensor = self._scene.backdrop, self._scene.demo.sensor
        assert sensor is not None
        if backdrop is None:
            return None
        back = self._base2camera @ se3.inverse(base2base) @ sensor.camera2base[0]
        return seen_far_off(backdrop, self._source_depth, sensor.camera, back)

    def _could_be(
        self, base2base: NDArray[np.float64]
    ) -> Callable[[NDArray[np.float64]], NDArray[np.bool_]]:
        """Return what tells of points before the moved camera whether a surface may be there."""
        sensor = self._scene.demo.sensor
        assert sensor is not None
        back = self._base2camera @ se3.inverse(base2base) @ sensor.camera2base[0]
        return partial(could_be, depth=self._source_depth, source=sensor.camera, camera2source=back)

    def _robot_cloud(self, frame: int) -> Cloud:
        """The robot's pixels of a source frame, camera optical frame."""
        data = self._scene.demo.frames[frame]
        assert data.depth is not None
        index = np.flatnonzero(self._scene.labels[frame].reshape(-1) == ROBOT)
        points = self._rays[index] * data.depth.reshape(-1)[index, None]
        if data.colour is None:
            return Cloud.from_arrays(points)
        return Cloud(points, data.colour.reshape(-1, 3)[index])

    def frames(self, episode: Episode) -> Iterator[SensedFrame]:
        """Yield the frames of an episode in order."""
        sensor = self._scene.demo.sensor
        assert sensor is not None
        still = np.array_equal(episode.variation.base2base, np.eye(4))
        spoiler = None if self._noise is None else self._noise.start(episode)
        for image in self.images(episode, keep=not self._points_alone):
            yield self._sensed(image, spoiler, still=still)

    def _sensed(self, image: Image, spoiler: Spoiler | None, *, still: bool) -> SensedFrame:
        """What the camera reports of an image."""
        sensor, output = self._scene.demo.sensor, self._config.output
        assert sensor is not None
        camera2base = sensor.camera2base[0]
        if self._points_alone:
            wanted = output.labelled_count
            if spoiler is None or self._noise is None:
                index = shown_pixels(image.depth, image.label, wanted)
                depth = image.depth.reshape(-1)[index]
            else:
                index, depth = self._noise.reported(spoiler, image, wanted, still=still)
            cloud, labels = labelled(image, index, depth, self._rays, camera2base)
            return SensedFrame(labelled=cloud, labels=labels, unseen=image.unseen)
        reported = None
        if spoiler is not None and self._noise is not None:
            reported = self._noise.spoiled(spoiler, image.depth, image.label, still=still)
        return sensed(self._scene, image, reported, self._rays, camera2base, self._config)

    def images(self, episode: Episode, *, keep: bool = True) -> Iterator[Image]:
        """Yield the images of an episode as they are without noise.

        Args:
            episode: The episode.
            keep: Whether they are kept; else each is valid until the next only.

        """
        scene = self._scene
        moves = Moves(scene, episode)
        still = np.array_equal(moves.environment, np.eye(4))
        environment = Layer(scene.environment, self._base2camera @ moves.environment, ENVIRONMENT)
        self._camera.set_environment(
            environment,
            moved=not still,
            fill=self._config.camera.fill,
            plane=_plane_in_camera(scene, self._base2camera @ moves.environment),
            backdrop=scene.backdrop,
            in_view=None if still else self._in_view(),
            unseen=None if still else self.unseen(moves.environment),
            far_off=None if still else self._far_off(moves.environment),
            allowed=None if still else self._could_be(moves.environment),
            planes=None if still else self._moved_planes(moves.environment),
        )
        robot = self._robot_layers(episode, moves)
        for frame, shown in enumerate(robot):
            source = int(moves.source[frame])
            layers = [
                self._objects.layer(k, pose, source)
                for k, pose in enumerate(episode.object2base[:, frame])
            ]
            yield self._camera.render([*layers, *shown], keep=keep)

    def _robot_layers(self, episode: Episode, moves: Moves) -> Iterator[list[Drawn | Layer]]:
        """The robot in every frame of an episode."""
        assert self._scene.demo.sensor is not None
        camera2base = self._scene.demo.sensor.camera2base[0]
        links = None
        if self._links is not None and episode.joints is not None:
            links = self._links.moves(episode)
        if self._skin is not None:
            assert links is not None  # an arm whose surface is known has joints
            yield from self._skin.layers(episode, links)
            return
        for frame, source in enumerate(moves.source.tolist()):
            robot, owner = self._pixels[source], self._owners[source]
            if links is None or owner is None:
                hands = self._base2camera @ moves.hands[:, frame] @ camera2base
                if len(hands) == 1:
                    yield [Layer(robot, hands[0], ROBOT)]
                    continue
                places = se3.apply(camera2base, robot.points)
                near = nearest_hand(self._scene.demo, source, places)
                points = np.empty_like(robot.points)
                move_points(robot.points, near, hands, points)
                yield [Layer(Cloud(points, robot.colours), np.eye(4), ROBOT)]
            else:
                points = np.empty_like(robot.points)
                table = self._base2camera @ links[frame] @ camera2base
                move_points(robot.points, owner, table, points)
                yield [Layer(Cloud(points, robot.colours), np.eye(4), ROBOT)]


class PixelComposer:
    """Images without the camera step: every recorded pixel moves with what it belongs to.

    Without crop, patch and fill there remains the plain projection into the image, in which the
    nearest point of a pixel wins; under the identity it gives back the source.
    """

    def __init__(self, scene: Scene, config: GenerateConfig) -> None:
        sensor = scene.demo.sensor
        assert sensor is not None
        self._scene = scene
        self._config = config
        self._camera = DepthCamera(sensor.camera, ZBufferRule(0, config.camera.delta_m, 1))
        self._rays = sensor.camera.rays().reshape(-1, 3).astype(np.float32)

    def frames(self, episode: Episode) -> Iterator[SensedFrame]:
        """Yield the frames of an episode in order."""
        sensor = self._scene.demo.sensor
        assert sensor is not None
        moves = Moves(self._scene, episode)
        for frame, source in enumerate(moves.source.tolist()):
            camera2base = sensor.camera2base[source]
            base2camera = se3.inverse(camera2base)
            table = moves.table(frame)
            layers = [
                Layer(cloud, base2camera @ table[place] @ camera2base, name)
                for place, name, cloud in self._parts(source)
            ]
            self._camera.set_environment(
                layers[0],
                moved=False,
                fill='none',
                plane=(np.array([0.0, 0.0, 1.0]), 0.0),
                backdrop=self._scene.demo.frames[source].colour,
            )
            image = self._camera.render(layers[1:])
            yield sensed(self._scene, image, None, self._rays, camera2base, self._config)

    def _parts(self, source: int) -> list[tuple[int, int, Cloud]]:
        """What moves alike: its place in the table of transforms, its label and its points."""
        data = self._scene.demo.frames[source]
        assert data.depth is not None
        labels = self._scene.labels[source].reshape(-1)
        first = FIRST_OBJECT + len(self._scene.objects)
        if len(self._scene.demo.arms) > 1:
            assert self._scene.demo.sensor is not None
            points = self._rays * data.depth.reshape(-1)[:, None]
            points = se3.apply(self._scene.demo.sensor.camera2base[source], points)
            labels = labels_by_hand(self._scene, source, points, labels)
        out = []
        for place in range(first + len(self._scene.demo.arms) - 1):
            index = np.flatnonzero(labels == place)
            points = self._rays[index] * data.depth.reshape(-1)[index, None]
            colours = None if data.colour is None else data.colour.reshape(-1, 3)[index]
            name = place if place < first else ROBOT
            out.append((place, name, Cloud.from_arrays(points, colours)))
        return out


def _plane_in_camera(
    scene: Scene, base2camera: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Normal and offset of the support plane in the camera optical frame."""
    normal = base2camera[:3, :3] @ scene.support.normal
    return normal, float(scene.support.offset + normal @ base2camera[:3, 3])
