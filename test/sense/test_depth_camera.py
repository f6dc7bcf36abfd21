# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A table, a box and a ball before a camera: what is drawn must be what the rays would meet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.zbuffer import ZBufferRule
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, UNSEEN
from r2rgen_ros.sense.depth_camera import DepthCamera
from r2rgen_ros.sense.layers import Drawn, Layer, packed
from r2rgen_ros.sense.planes import moved_planes

CAMERA = PinholeCamera(80, 60, 70.0, 70.0, 39.5, 29.5)
RULE = ZBufferRule(1, 0.02, 5)
PLANE = np.array([0.0, 0.0, -1.0]), -1.0  # a wall one metre away, seen head on
GREY, RED = (100, 100, 100), (200, 0, 0)


def wall(depth=1.0, colour=GREY, margin=0):
    """One point on every pixel's line of sight, and some beyond the image."""
    v, u = np.mgrid[-margin : CAMERA.height + margin, -margin : CAMERA.width + margin]
    rays = np.stack(
        [(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(u.shape)], axis=-1
    )
    points = rays.reshape(-1, 3) * depth
    return Cloud.from_arrays(points, np.tile(np.array(colour, np.uint8), (len(points), 1)))


def patch(size, depth, colour=RED, step=0.004):
    """A square facing the camera, sampled finer than pixels."""
    x, y = np.meshgrid(*[np.arange(-size / 2, size / 2, step)] * 2)
    points = np.stack([x.ravel(), y.ravel(), np.full(x.size, depth)], axis=1)
    return Cloud.from_arrays(points, np.tile(np.array(colour, np.uint8), (len(points), 1)))


def before(cloud, *, moved=False, fill='none', frame2camera=None, **more):
    camera = DepthCamera(CAMERA, RULE)
    pose = np.eye(4) if frame2camera is None else frame2camera
    layer = Layer(cloud, pose, ENVIRONMENT)
    camera.set_environment(layer, moved=moved, fill=fill, plane=PLANE, **more)
    return camera


def wholly(camera, layers):
    """The image with all of it drawn, not only where something moves."""
    camera._canvas.tiles.mask[:] = True
    return camera.render(layers)


def shift(x, y=0.0, z=0.0):
    return se3.compose(np.eye(3), [x, y, z])


def test_a_still_environment_is_drawn_as_it_was_seen():
    image = before(wall()).render([])
    assert np.array_equal(image.depth, np.ones((60, 80), np.float32))
    assert (image.colour == GREY).all()
    assert (image.label == ENVIRONMENT).all()


@settings(deadline=None, max_examples=20)
@given(st.floats(-0.3, 0.3), st.floats(-0.2, 0.2), st.floats(0.4, 0.9))
def test_what_is_nearer_hides_what_is_behind_and_nothing_else(x, y, depth):
    square = Layer(patch(0.2, 0.0), shift(x, y, depth), FIRST_OBJECT)
    image = before(wall()).render([square])
    rays = CAMERA.rays()[..., :2] * depth
    inside = (np.abs(rays - [x, y]) < 0.1 - depth / CAMERA.fx).all(axis=-1)
    outside = (np.abs(rays - [x, y]) > 0.1 + 2 * depth / CAMERA.fx).any(axis=-1)
    assert (image.label[inside] == FIRST_OBJECT).all()
    assert np.allclose(image.depth[inside], depth, atol=1e-6)
    assert (image.colour[inside] == RED).all()
    assert (image.label[outside] == ENVIRONMENT).all()
    assert (image.depth[outside] == 1.0).all()
    assert np.isfinite(image.depth).all()


def test_what_is_behind_the_environment_is_not_seen():
    square = Layer(patch(0.2, 0.0), shift(0, 0, 1.2), FIRST_OBJECT)
    assert (before(wall()).render([square]).label == ENVIRONMENT).all()


def test_frames_do_not_depend_on_those_before():
    camera = before(wall())
    first = camera.render([])
    near = Layer(patch(0.3, 0.0), shift(0.1, 0, 0.5), FIRST_OBJECT)
    with_square = camera.render([near])
    again = camera.render([])
    assert not np.array_equal(first.label, with_square.label)
    for one, two in ((first, again), (with_square, camera.render([near]))):
        assert np.array_equal(one.depth, two.depth)
        assert np.array_equal(one.colour, two.colour)
        assert np.array_equal(one.label, two.label)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(st.floats(-0.6, 0.6), st.floats(-0.5, 0.5), st.floats(0.4, 1.2)), max_size=3
    ),
    st.booleans(),
)
def test_only_what_changes_is_drawn_anew_and_nothing_is_missed(places, moved):
    cloud = wall(margin=3).select(np.arange(66 * 86) % 7 > 0)
    camera = before(cloud, moved=moved, fill='shrink', frame2camera=shift(0.05 * moved))
    for n in range(len(places) + 1):
        layers = [
            Layer(patch(0.15, 0.0, (k, 2, 3)), shift(*place), FIRST_OBJECT + k)
            for k, place in enumerate(places[:n])
        ]
        quick = camera.render(layers)
        fresh = before(cloud, moved=moved, fill='shrink', frame2camera=shift(0.05 * moved))
        plain = wholly(fresh, layers)
        assert np.array_equal(quick.depth, plain.depth, equal_nan=True)
        assert np.array_equal(quick.colour, plain.colour)
        assert np.array_equal(quick.label, plain.label)


def test_the_order_of_layers_makes_no_difference_to_what_is_in_front():
    one = Layer(patch(0.2, 0.0, (1, 2, 3)), shift(0.03, 0, 0.5), FIRST_OBJECT)
    two = Layer(patch(0.2, 0.0, (4, 5, 6)), shift(-0.03, 0, 0.7), FIRST_OBJECT + 1)
    camera = before(wall())
    there, back = camera.render([one, two]), camera.render([two, one])
    assert np.array_equal(there.depth, back.depth, equal_nan=True)
    assert np.array_equal(there.label, back.label)
    assert {FIRST_OBJECT, FIRST_OBJECT + 1} <= set(np.unique(there.label).tolist())


def test_where_the_sensor_saw_nothing_nothing_is_drawn_but_the_backdrop():
    whole = wall()
    hole = np.zeros((60, 80), dtype=bool)
    hole[20:30, 30:45] = True
    cloud = whole.select(~hole.reshape(-1))
    bare = before(cloud).render([])
    assert np.isnan(bare.depth[hole]).all()
    assert (bare.colour[hole] == 0).all()
    assert (bare.label[hole] == UNSEEN).all()
    backdrop = np.full((60, 80, 3), 7, np.uint8)
    image = before(cloud, backdrop=backdrop).render([])
    assert np.isnan(image.depth[hole]).all()
    assert (image.colour[hole] == 7).all()
    assert (image.colour[~hole] == GREY).all()
    # Something in front of the hole is seen all the same.
    square = Layer(patch(0.2, 0.0), shift(-0.01, -0.05, 0.6), FIRST_OBJECT)
    front = before(cloud, backdrop=backdrop).render([square])
    assert (front.label[hole] == FIRST_OBJECT).mean() > 0.5
    assert (front.colour[front.label == FIRST_OBJECT] == RED).all()


def test_a_backdrop_does_not_move_with_the_environment():
    backdrop = np.full((60, 80, 3), 7, np.uint8)
    image = before(wall(), moved=True, frame2camera=shift(0.2), backdrop=backdrop).render([])
    assert (image.colour[image.label == UNSEEN] == 0).all()
    assert (image.label == UNSEEN).any()


@pytest.mark.parametrize('x', [0.2, -0.15])
def test_shrinking_leaves_a_window_without_the_empty_border(x):
    camera = before(wall(), moved=True, fill='shrink', frame2camera=shift(x))
    image = camera.render([Layer(patch(0.5, 0.0), shift(0, 0, 0.5), FIRST_OBJECT)])
    u0, v0, u1, v1 = camera.window
    assert (v0, v1) == (0, 60)
    assert u1 - u0 == pytest.approx(80 - abs(x) * 70, abs=1.1)
    assert np.isfinite(image.depth[v0:v1, u0:u1]).all()
    outside = np.ones((60, 80), dtype=bool)
    outside[v0:v1, u0:u1] = False
    assert np.isnan(image.depth[outside]).all()
    assert (image.colour[outside] == 0).all()
    assert (image.label[outside] == UNSEEN).all()
    # The next environment starts from the whole image again.
    camera.set_environment(
        Layer(wall(), np.eye(4), ENVIRONMENT), moved=False, fill='shrink', plane=PLANE
    )
    assert camera.window == (0, 0, 80, 60)
    assert np.isfinite(camera.render([]).depth).all()


def test_expanding_continues_the_plane_to_the_edge_of_the_image():
    camera = before(wall(), moved=True, fill='expand', frame2camera=shift(0.2, -0.1))
    image = camera.render([])
    assert camera.window == (0, 0, 80, 60)
    assert np.allclose(image.depth, 1.0, atol=1e-6)
    assert (image.colour == GREY).all()
    assert (image.label == ENVIRONMENT).all()
    # What was added is environment too: an object stands before it.
    square = Layer(patch(0.2, 0.0), shift(-0.4, 0.3, 0.8), FIRST_OBJECT)
    assert (camera.render([square]).label == FIRST_OBJECT).sum() > 50
    assert np.array_equal(camera.render([]).depth, image.depth)


@pytest.mark.parametrize('slant', [0.3, 0.9, -1.1])
def test_a_moved_slant_is_seen_where_rays_through_the_centres_of_pixels_meet_it(slant):
    normal = np.array([0.0, np.tan(slant), 1.0]).astype(np.float32)
    depth = (1.0 / (CAMERA.rays() @ normal)).astype(np.float32)
    cloud = Cloud.from_arrays(CAMERA.unproject(depth).reshape(-1, 3))
    move = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], 0.3), [0.013, -0.021, 0.017])
    planes = moved_planes(np.tile(normal, (len(cloud), 1)), move)
    truth = 1.0 / (CAMERA.rays() @ planes[0])
    shown = {}
    for name, more in (('points', None), ('centres', planes)):
        image = before(cloud, moved=True, frame2camera=move, planes=more).render([])
        shown[name] = np.abs(1.0 / image.depth - 1.0 / truth)
        assert np.isfinite(image.depth).mean() > 0.6
    # Gaps, which are closed from their neighbours, are few.
    centres, points = (np.nanquantile(shown[name], 0.75) for name in ('centres', 'points'))
    assert points > 1e-3
    assert centres < 1e-3 * points


@pytest.mark.parametrize('fill', ['shrink', 'expand', 'none'])
def test_a_gap_that_opens_behind_something_near_has_no_depth_and_is_not_black(fill):
    hidden = np.zeros((60, 80), dtype=bool)
    hidden[20:40, 30:50] = True
    near = wall(0.5, RED).select(hidden.reshape(-1))
    scene = Cloud(
        np.concatenate([wall(1.0).select(~hidden.reshape(-1)).points, near.points]),
        np.concatenate([wall(1.0).select(~hidden.reshape(-1)).colours, near.colours]),
    )
    nothing = np.zeros((60, 80, 3), np.uint8)

    camera = before(scene, moved=True, fill=fill, frame2camera=shift(0.05), far_off=nothing)
    image = camera.render([])

    gap = np.zeros((60, 80), dtype=bool)
    gap[22:38, 35:36] = True  # the wall moves by 3.5 pixels, what is near by 7
    assert np.isnan(image.depth[gap]).all()
    assert (image.label[gap] == UNSEEN).all()
    assert (image.colour[gap] == 0).all() == (fill == 'none')
    if fill != 'none':
        u0, v0, u1, v1 = camera.window
        seen = image.colour[v0:v1, u0:u1].reshape(-1, 3)
        assert {tuple(colour) for colour in np.unique(seen, axis=0).tolist()} == {GREY, RED}


def test_without_filling_the_border_stays_empty():
    image = before(wall(), moved=True, frame2camera=shift(0.2)).render([])
    assert (image.label[:, :13] == UNSEEN).all()
    assert np.isnan(image.depth[:, :13]).all()
    assert (image.label[:, 15:] == ENVIRONMENT).all()


def test_what_the_source_had_in_view_without_depth_is_no_border():
    """The source saw no depth in its left half: shrinking must not cut that half away."""
    half = wall().select(np.tile(np.arange(80) >= 40, 60))
    blind = before(half, moved=True, fill='shrink', frame2camera=shift(0.0))
    assert blind.window[0] > 30
    told = before(half, moved=True, fill='shrink', frame2camera=shift(0.0), in_view=wall().points)
    assert told.window == (0, 0, 80, 60)


def test_coming_nearer_opens_no_gaps_in_what_moved():
    image = before(wall(), moved=True, frame2camera=shift(0.0, 0.0, -0.2)).render([])
    assert np.isfinite(image.depth[1:-1, 1:-1]).mean() > 0.99
    assert np.nanmax(np.abs(image.depth - 0.8)) < 1e-5


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**31),
    st.sampled_from([(37, 53), (17, 33), (60, 80), (5, 9)]),
    st.sampled_from([ZBufferRule(1, 0.02, 5), ZBufferRule(2, 0.02, 1)]),
)
def test_images_one_after_another_are_those_of_a_camera_that_drew_nothing_before(seed, shape, rule):
    rng = np.random.default_rng(seed)
    height, width = shape
    view = PinholeCamera(width, height, 60.0, 60.0, 0.5 * width - 0.5, 0.5 * height - 0.5)
    rays = view.rays().reshape(-1, 3)
    cloud = Cloud.from_arrays(1.5 * rays[rng.random(len(rays)) > 0.1])
    used = DepthCamera(view, rule)
    for _ in range(2):  # two episodes
        moved, fill = bool(rng.integers(2)), ('none', 'shrink', 'expand')[rng.integers(3)]
        pose = se3.compose(np.eye(3), [0.08 * moved, 0.0, 0.0])
        environment = Layer(cloud, pose, ENVIRONMENT)
        used.set_environment(environment, moved=moved, fill=fill, plane=PLANE)
        last = None
        for _ in range(4):
            layers = [
                Layer(
                    patch(0.15, 0.0, step=0.012),
                    se3.compose(np.eye(3), rng.uniform([-0.5, -0.4, 0.4], [0.5, 0.4, 1.2])),
                    FIRST_OBJECT + k,
                )
                for k in range(rng.integers(0, 3))
            ]
            image = used.render(layers, keep=bool(rng.random() < 0.3))
            fresh = DepthCamera(view, rule)
            fresh.set_environment(environment, moved=moved, fill=fill, plane=PLANE)
            wanted = wholly(fresh, layers)
            np.testing.assert_array_equal(image.depth, wanted.depth)
            np.testing.assert_array_equal(image.colour, wanted.colour)
            np.testing.assert_array_equal(image.label, wanted.label)
            now = image.depth.copy(), image.label.copy()
            if last is not None:
                same = np.ones(shape, dtype=bool)
                for left, top, right, bottom in image.changed:
                    same[top:bottom, left:right] = False
                np.testing.assert_array_equal(now[0][same], last[0][same])
                np.testing.assert_array_equal(now[1][same], last[1][same])
            last = now


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.sampled_from([(37, 53), (48, 64), (5, 9)]))
def test_what_is_drawn_already_is_seen_as_its_points_are(seed, shape):
    rng = np.random.default_rng(seed)
    height, width = shape
    view = PinholeCamera(width, height, 60.0, 60.0, 0.5 * width - 0.5, 0.5 * height - 0.5)
    rays = view.rays().reshape(-1, 3).astype(np.float32)
    environment = Layer(Cloud.from_arrays(1.5 * rays), np.eye(4), ENVIRONMENT)
    one, other = (DepthCamera(view, ZBufferRule(1, 0.02, 5)) for _ in range(2))
    for camera in (one, other):
        camera.set_environment(environment, moved=False, fill='none', plane=PLANE)
    for _ in range(4):
        drawn = []
        for k in range(rng.integers(0, 3)):
            pixel = np.flatnonzero(rng.random(len(rays)) < 0.4).astype(np.int32)
            depth = rng.choice([0.5, 0.75, 1.0, 2.0], len(pixel)).astype(np.float32)
            tint = packed(rng.integers(0, 256, (len(pixel), 3)).astype(np.uint8))
            drawn.append(Drawn(pixel, depth, tint, FIRST_OBJECT + k))
        between = Layer(patch(0.15, 0.9), np.eye(4), FIRST_OBJECT + 5)
        points = [layer.layer(rays) for layer in drawn]
        image = one.render([between, *drawn], keep=bool(rng.integers(2)))
        wanted = other.render([between, *points])
        np.testing.assert_array_equal(image.depth, wanted.depth)
        np.testing.assert_array_equal(image.colour, wanted.colour)
        np.testing.assert_array_equal(image.label, wanted.label)
