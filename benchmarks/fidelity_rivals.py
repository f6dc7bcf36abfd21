# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is compared with the generator: itself with a part left out, and an edit as DemoGen's.

The parts are those that arXiv 2510.08547 leaves out in turn. Images have no room for what is
outside of them: without crop, those points count against the cloud.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from benchmarks.fidelity_scoring import Made
from r2rgen_ros.generate.compose_images import ImageComposer
from r2rgen_ros.generate.object_skin import ObjectSkin
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT
from r2rgen_ros.sense.depth_camera import DepthCamera, Image
from r2rgen_ros.sense.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.compose import Composer
    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.geometry.zbuffer import ZBufferRule
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.scene import Scene, SceneObject
    from r2rgen_ros.sense.layers import Drawn

    Frames = Callable[[Episode], Iterator[Made]]

ABLATIONS = (
    'no_completion',
    'no_environment',
    'environment_not_augmented',
    'no_crop',
    'no_z_buffer',
    'no_fill',
    'no_noise',
)
_LESSER = ('no_crop', 'no_z_buffer', 'no_fill')
_LEAST_POINTS = 4
_FAR_M = 100.0


def plain(composer: Composer) -> Frames:
    """Return the frames of a composer, to be judged."""

    def frames(episode: Episode) -> Iterator[Made]:
        for sensed in composer.frames(episode):
            assert sensed.depth is not None
            yield Made(sensed.depth, sensed.colour)

    return frames


def noiseless(composer: Composer) -> Frames:
    """Return the frames of a composer without the sensor's noise."""
    changed: Any = copy.copy(composer)
    changed._noise = None
    return plain(changed)


def without(name: str, composer: ImageComposer) -> Frames:
    """Return the frames of a composer with one of `ABLATIONS`."""
    if name == 'no_noise':
        return noiseless(composer)
    changed = copy.copy(composer)
    changed.__dict__.pop('_source_depth', None)
    scene, config = composer._scene, composer._config
    if name == 'no_completion':
        changed._scene = replace(scene, objects=_seen_at_first(scene))
        changed._objects = ObjectSkin(changed._scene)
    elif name == 'no_environment':
        behind = Cloud.from_arrays(np.full((1, 3), -_FAR_M))
        changed._scene = replace(scene, environment=behind, backdrop=None)
    elif name == 'no_fill':
        changed._config = replace(config, camera=replace(config.camera, fill='none'))
    assert scene.demo.sensor is not None
    if name in _LESSER:
        # All points of objects, as nothing has sorted out yet.
        changed._objects = cast('ObjectSkin', _WholeClouds(scene))
    camera = _LesserCamera(name, scene.demo.sensor.camera, composer._camera._rule)
    changed._camera = camera

    def frames(episode: Episode) -> Iterator[Made]:
        if name == 'environment_not_augmented':
            still = replace(episode.variation, base2base=np.eye(4))
            episode = replace(episode, variation=still)
        for sensed in changed.frames(episode):
            assert sensed.depth is not None
            yield Made(sensed.depth, sensed.colour, camera.outside)

    return frames


def _seen_at_first(scene: Scene) -> tuple[SceneObject, ...]:
    """The objects with nothing but what their first frame saw of them."""
    demo = scene.demo
    assert demo.sensor is not None
    out = []
    for k, item in enumerate(scene.objects):
        frame = scene.annotation.objects[k].prompt.frame
        depth = demo.frames[frame].depth
        colour = demo.frames[frame].colour
        assert depth is not None
        seen = (scene.labels[frame] == FIRST_OBJECT + k) & np.isfinite(depth)
        camera2object = se3.inverse(item.object2base[frame]) @ demo.sensor.camera2base[frame]
        points = se3.apply(camera2object, demo.sensor.camera.unproject(depth)[seen])
        cloud = Cloud.from_arrays(points, None if colour is None else colour[seen])
        out.append(replace(item, cloud=cloud) if len(cloud) > _LEAST_POINTS else item)
    return tuple(out)


class _WholeClouds:
    """Objects as all of their points, as they come, with the colours of their clouds."""

    def __init__(self, scene: Scene) -> None:
        assert scene.demo.sensor is not None
        self._clouds = [item.cloud for item in scene.objects]
        self._base2camera = se3.inverse(scene.demo.sensor.camera2base[0])

    def layer(self, k: int, object2base: NDArray[np.float64], source: int) -> Layer:  # noqa: ARG002
        """Return an object's points."""
        return Layer(self._clouds[k], self._base2camera @ object2base, FIRST_OBJECT + k)


class _LesserCamera(DepthCamera):
    """The camera step with a part left out.

    Attributes:
        outside: (N, 3) points that are on no pixel of the last frame; None where they are cropped.

    """

    def __init__(self, name: str, camera: PinholeCamera, rule: ZBufferRule) -> None:
        super().__init__(camera, rule)
        self._name = name
        self._view = camera
        self._rays = camera.rays().reshape(-1, 3).astype(np.float32)
        self._behind: Layer | None = None
        self.outside: NDArray[np.float32] | None = None

    def set_environment(self, layer: Layer, **options: Any) -> None:
        """Remember it as well."""
        super().set_environment(layer, **options)
        self._behind = layer

    def render(self, layers: Sequence[Layer | Drawn], *, keep: bool = True) -> Image:  # noqa: ARG002
        """Draw as the camera does but for what is left out."""
        image = replace(super().render(layers), changed=None)  # it is painted into
        if self._name not in _LESSER:
            return image
        assert self._behind is not None
        moving = [x if isinstance(x, Layer) else x.layer(self._rays) for x in layers]
        shown = (self._behind, *moving)
        points = np.concatenate([se3.apply(x.frame2camera, x.cloud.points) for x in shown])
        on, row, column, z = self._view.pixels_of(points)
        pixel = row * self._view.width + column
        if self._name == 'no_crop':
            self.outside = points[~on].astype(np.float32)
            return image
        depth, colour = image.depth.reshape(-1), image.colour.reshape(-1, 3)
        if self._name == 'no_fill':
            missed = np.ones(len(depth), dtype=bool)
            missed[pixel] = False
            depth[missed] = np.nan
            return image
        # The last that falls onto a pixel wins, hidden or not.
        colours = np.concatenate([x.cloud.colours for x in shown])
        depth[pixel] = z
        colour[pixel] = colours[on]
        return image


def as_demogen(scene: Scene) -> Frames:
    """Return frames edited as in DemoGen (arXiv 2502.16932): boxes are translated, nothing more.

    What lies in an object's box of the first frame, moved along with the object, is the object; it
    and the robot are translated as the episode moves them. Nothing is turned, completed, hidden or
    filled; where points fall onto one pixel, the nearest is taken, as an image has one depth there.
    """

    def frames(episode: Episode) -> Iterator[Made]:
        for frame, source in enumerate(episode.source_frames.tolist()):
            yield _translated(scene, episode, frame, source, boxes)

    boxes = [_box(scene, k) for k in range(len(scene.objects))]
    return frames


def _box(scene: Scene, k: int) -> NDArray[np.float64]:
    """Lower and upper corner (2, 3) of what the first frame saw of an object, base frame."""
    assert scene.demo.sensor is not None
    frame = scene.annotation.objects[k].prompt.frame
    depth = scene.demo.frames[frame].depth
    assert depth is not None
    mask = scene.labels[frame] == FIRST_OBJECT + k
    points = scene.demo.sensor.camera.unproject(depth)[mask]
    points = se3.apply(scene.demo.sensor.camera2base[frame], points)
    points -= scene.objects[k].object2base[frame, :3, 3]
    return np.quantile(points, [0.01, 0.99], axis=0)


def _translated(
    scene: Scene, episode: Episode, frame: int, source: int, boxes: Sequence[NDArray[np.float64]]
) -> Made:
    demo = scene.demo
    assert demo.sensor is not None
    camera, camera2base = demo.sensor.camera, demo.sensor.camera2base[source]
    data = demo.frames[source]
    assert data.depth is not None
    index = np.flatnonzero(np.isfinite(data.depth))
    points = se3.apply(camera2base, camera.unproject(data.depth).reshape(-1, 3)[index])
    label = scene.labels[source].reshape(-1)[index]
    shift = np.zeros_like(points)
    arm = demo.arms[0]
    shift[label == ROBOT] = episode.ee2base[arm.name][frame, :3, 3] - arm.ee2base[source, :3, 3]
    for k, (item, (low, high)) in enumerate(zip(scene.objects, boxes, strict=True)):
        at = item.object2base[source, :3, 3]
        inside = ((points >= at + low) & (points <= at + high)).all(axis=1) & (label != ROBOT)
        shift[inside] = episode.object2base[k, frame, :3, 3] - at
    places = se3.apply(se3.inverse(camera2base), points + shift)
    on, row, column, z = camera.pixels_of(places)
    order = np.argsort(-z, kind='stable')  # the nearest comes last
    pixel = (row * camera.width + column)[order]
    depth = np.full(data.depth.size, np.nan, dtype=np.float32)
    depth[pixel] = z[order]
    colour = np.zeros((data.depth.size, 3), dtype=np.uint8)
    if data.colour is not None:
        colour[pixel] = data.colour.reshape(-1, 3)[index[on][order]]
    shape = data.depth.shape
    outside = places[~on].astype(np.float32)
    return Made(depth.reshape(shape), colour.reshape(*shape, 3), outside)
