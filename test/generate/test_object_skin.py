# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Objects drawn as surfaces, in the colours that the camera saw of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, binary_fill_holes

from r2rgen_ros.generate import object_skin
from r2rgen_ros.generate.object_skin import ObjectSkin, _is_shadow
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.zbuffer import ZBufferRule
from r2rgen_ros.model.scene import FIRST_OBJECT, UNSEEN
from r2rgen_ros.sense.depth_camera import DepthCamera
from r2rgen_ros.sense.layers import Layer, unpacked

STEP_M = 0.002


def _pixels(scene, drawn):
    """Mask and colours (H, W) of what is drawn, every pixel of which is there once."""
    camera = scene.demo.sensor.camera
    mask = np.zeros(camera.height * camera.width, dtype=bool)
    colour = np.zeros((len(mask), 3), dtype=np.uint8)
    mask[drawn.pixel] = True
    colour[drawn.pixel] = unpacked(drawn.tint)
    assert mask.sum() == len(drawn)
    shape = camera.height, camera.width
    return mask.reshape(shape), colour.reshape(*shape, 3)


@pytest.fixture(scope='module')
def square(virtual_scene):
    """The scene with a square of 10 cm for its first object."""
    along = np.arange(-0.05, 0.05 + 1e-9, STEP_M)
    x, y = (part.reshape(-1) for part in np.meshgrid(along, along))
    cloud = Cloud.from_arrays(np.stack([x, y, 0.0 * x], axis=1))
    first, *others = virtual_scene.objects
    return replace(virtual_scene, objects=(replace(first, cloud=cloud), *others))


def _before_camera(scene, distance):
    """Pose (4, 4) that faces the camera at a distance, base frame."""
    return scene.demo.sensor.camera2base[0] @ se3.compose(np.eye(3), [0.0, 0.0, distance])


@pytest.mark.parametrize('distance', [0.25, 0.5, 1.0, 2.0])
def test_a_surface_is_as_large_as_it_is_and_without_gaps_at_any_distance(square, distance):
    drawn = ObjectSkin(square).layer(0, _before_camera(square, distance), 0)
    mask, _ = _pixels(square, drawn)
    wide = 0.1 * square.demo.sensor.camera.fx / distance
    assert np.array_equal(mask, binary_fill_holes(mask))
    assert (wide - 1.0) ** 2 <= mask.sum() <= (wide + 2.0) ** 2
    assert np.allclose(drawn.depth, distance, atol=1e-4)


def test_where_nothing_moves_the_colours_are_the_recorded_ones(virtual_scene):
    scene, frame = virtual_scene, 0
    skin = ObjectSkin(scene)
    for k, item in enumerate(scene.objects):
        mask, colour = _pixels(scene, skin.layer(k, item.object2base[frame], frame))
        own = binary_erosion(scene.labels[frame] == FIRST_OBJECT + k, iterations=2)
        assert mask[own].mean() > 0.98
        same = (colour == scene.demo.frames[frame].colour).all(axis=2)
        assert same[mask & own].mean() > 0.9  # shadows are left behind


def test_what_was_drawn_before_makes_no_difference(virtual_scene):
    scene = virtual_scene
    poses = [scene.objects[0].object2base[frame] for frame in (0, 40, 0)]
    skin, fresh = ObjectSkin(scene), ObjectSkin(scene)
    *_, last = [skin.layer(0, pose, frame) for pose, frame in zip(poses, (0, 40, 7), strict=True)]
    alone = fresh.layer(0, poses[-1], 7)
    assert np.array_equal(last.pixel, alone.pixel)
    assert np.array_equal(last.depth, alone.depth)
    assert np.array_equal(last.tint, alone.tint)


def _rendered(scene, layer):
    """The labels (H, W) of what the camera sees of a layer alone."""
    camera = DepthCamera(scene.demo.sensor.camera, ZBufferRule())
    return camera.render([layer]).label


def test_an_object_behind_the_camera_is_not_drawn(square):
    behind, ahead = (
        ObjectSkin(square).layer(0, _before_camera(square, distance), 0) for distance in (-0.5, 0.5)
    )
    assert (_rendered(square, behind) == UNSEEN).all()
    assert (_rendered(square, ahead) == FIRST_OBJECT).any()


def test_an_object_that_is_in_part_beside_the_camera_has_the_colours_that_were_seen(virtual_scene):
    scene = virtual_scene
    first, *others = scene.objects
    pose, camera2base = first.object2base[0], scene.demo.sensor.camera2base[0]
    aside = se3.inverse(pose) @ camera2base @ se3.compose(np.eye(3), [0.0, 0.0, 0.01])
    points = np.concatenate([first.cloud.points, aside[:3, 3][None].astype(np.float32)])
    colours = np.concatenate([first.cloud.colours, first.cloud.colours[:1]])
    wider = replace(scene, objects=(replace(first, cloud=Cloud(points, colours)), *others))
    layer = ObjectSkin(wider).layer(0, pose, 0)
    assert isinstance(layer, Layer)
    assert len(layer) == len(points)
    assert 0.0 < se3.apply(layer.frame2camera, layer.cloud.points)[:, 2].min() < 0.02
    assert (layer.cloud.colours != colours).any(axis=1).mean() > 0.1  # those of the frame


@pytest.mark.parametrize(('seen', 'usual', 'dark'), [
    ((30, 45, 90), (60, 90, 180), True),
    ((58, 88, 175), (60, 90, 180), False),
    ((90, 10, 10), (200, 200, 200), False),
    ((0, 0, 0), (0, 0, 0), False),
])  # fmt: skip
def test_a_shadow_is_the_usual_colour_but_darker(seen, usual, dark):
    assert _is_shadow(np.array(seen, np.uint8), np.array(usual, np.uint8)) == dark


def test_what_is_kept_of_the_source_does_not_grow_without_end(virtual_scene, monkeypatch):
    monkeypatch.setattr(object_skin, '_MOST_HELD', 40_000)
    skin, whole = ObjectSkin(virtual_scene), ObjectSkin(virtual_scene)
    pose = virtual_scene.objects[0].object2base[0]
    for source in [*range(0, 30, 3), *range(0, 30, 3)]:
        one, other = skin.layer(0, pose, source), whole.layer(0, pose, source)
        np.testing.assert_array_equal(one.tint, other.tint)
        assert skin._held <= 40_000
    assert 0 < len(skin._looks) < 10
