# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.zbuffer import ZBuffer, ZBufferRule, find_seen

CAMERA = PinholeCamera(16, 12, 20.0, 18.0, 7.4, 5.6)


def reference(camera, rule, points, frame2camera):
    """The same rule in plain numpy, one point at a time: visible points and their pixels."""
    m = np.concatenate([camera.matrix, np.zeros((3, 1))], axis=1) @ frame2camera
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ m.T
    depth = homogeneous[:, 2]
    pixels = np.full((len(points), 2), -1)
    nearest = np.full((camera.height, camera.width), np.inf)
    owner = np.full((camera.height, camera.width), -1)
    for k, (x, y, z) in enumerate(homogeneous):
        if not z > 1e-6:
            continue
        u, v = int(np.floor(x / z + 0.5)), int(np.floor(y / z + 0.5))
        if not (0 <= u < camera.width and 0 <= v < camera.height):
            continue
        pixels[k] = u, v
        if z < nearest[v, u]:
            nearest[v, u], owner[v, u] = z, k
    visible = np.zeros(len(points), dtype=bool)
    for k, (u, v) in enumerate(pixels):
        if u < 0:
            continue
        patch = nearest[
            max(0, v - rule.radius) : v + rule.radius + 1,
            max(0, u - rule.radius) : u + rule.radius + 1,
        ]
        visible[k] = (patch < depth[k] - rule.delta).sum() < rule.support
    return visible, pixels, owner, nearest


def cluttered(seed, count):
    """Points near pixel centres at depths of 5 cm steps: no rounding decides anything."""
    rng = np.random.default_rng(seed)
    z = np.round(rng.uniform(0.3, 2.0, count) / 0.05) * 0.05 + rng.uniform(-0.01, 0.01, count)
    u = rng.integers(-4, CAMERA.width + 4, count) + rng.uniform(-0.4, 0.4, count)
    v = rng.integers(-4, CAMERA.height + 4, count) + rng.uniform(-0.4, 0.4, count)
    points = np.stack([(u - CAMERA.cx) / CAMERA.fx * z, (v - CAMERA.cy) / CAMERA.fy * z, z], axis=1)
    points[rng.random(count) < 0.1] *= -1.0  # behind the camera
    return points


@st.composite
def rules(draw):
    radius = draw(st.integers(0, 3))
    support = draw(st.integers(1, min(5, (2 * radius + 1) ** 2)))
    return ZBufferRule(radius, 0.025, support)


@settings(deadline=None, max_examples=80)
@given(rules(), st.integers(0, 2**31), st.integers(0, 400), st.booleans())
def test_it_sees_what_the_plain_rule_sees(rule, seed, count, moved):
    frame2camera = np.eye(4)
    points = cluttered(seed, count)
    if moved:
        frame2camera = se3.compose(se3.rotation_about([0.0, 0.6, 0.8], 0.4), [0.1, -0.2, 0.3])
        points = se3.apply(se3.inverse(frame2camera), points)
    points = points.astype(np.float32)
    zbuffer = ZBuffer(CAMERA, rule)
    zbuffer.add(points, frame2camera)
    visible, _, owner, nearest = reference(CAMERA, rule, points.astype(float), frame2camera)
    assert np.array_equal(zbuffer.visible(), visible)
    seen, depth = zbuffer.image()
    hidden = np.where(owner >= 0, np.where(visible[owner], owner, -2), -1) if count else owner
    assert np.array_equal(seen, hidden)
    assert np.allclose(depth, nearest, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(rules(), st.integers(0, 2**31))
def test_layers_give_what_all_points_together_give(rule, seed):
    points = cluttered(seed, 300).astype(np.float32)
    whole, layered = ZBuffer(CAMERA, rule), ZBuffer(CAMERA, rule)
    whole.add(points, np.eye(4))
    for part in np.array_split(points, [40, 40, 170]):
        layered.add(part, np.eye(4))
    assert np.array_equal(whole.visible(), layered.visible())
    assert np.array_equal(whole.image()[0], layered.image()[0])


@settings(deadline=None, max_examples=25)
@given(rules(), st.integers(0, 2**31))
def test_a_cleared_buffer_is_as_a_new_one(rule, seed):
    points, others = cluttered(seed, 200).astype('f4'), cluttered(seed + 1, 150).astype('f4')
    zbuffer, fresh = ZBuffer(CAMERA, rule), ZBuffer(CAMERA, rule)
    zbuffer.add(points, np.eye(4))
    zbuffer.clear()
    assert zbuffer.visible().shape == (0,)
    assert (zbuffer.image()[0] == -1).all()
    for each in (zbuffer, fresh):
        each.add(others, np.eye(4))
    assert np.array_equal(zbuffer.visible(), fresh.visible())
    for one, two in zip(zbuffer.image(), fresh.image(), strict=True):
        assert np.array_equal(one, two)


@settings(deadline=None, max_examples=60)
@given(rules(), st.integers(0, 2**31))
def test_a_window_shows_what_the_whole_image_shows_there(rule, seed):
    rng = np.random.default_rng(seed)
    zbuffer = ZBuffer(CAMERA, rule)
    zbuffer.add(cluttered(seed, 300).astype('f4'), np.eye(4))
    whole, _ = zbuffer.image()
    left, right = np.sort(rng.choice(CAMERA.width + 1, 2, replace=False))
    top, bottom = np.sort(rng.choice(CAMERA.height + 1, 2, replace=False))
    out = np.empty((bottom - top, right - left), np.int32)
    window = int(left), int(top), int(right), int(bottom)
    find_seen(*zbuffer.buffers(), rule.radius, np.float32(rule.delta), rule.support, window, out)
    assert np.array_equal(out, whole[top:bottom, left:right])


def test_points_that_are_only_projected_are_not_added():
    zbuffer = ZBuffer(CAMERA, ZBufferRule(1, 0.01))
    points = cluttered(0, 50).astype('f4')
    zbuffer.add(points, np.eye(4))
    before = zbuffer.visible(), *(image.copy() for image in zbuffer.image())
    pixel, depth = zbuffer.project(cluttered(1, 300).astype('f4'), np.eye(4))
    assert len(pixel) == len(depth) == 300
    after = zbuffer.visible(), *zbuffer.image()
    assert all(np.array_equal(one, two) for one, two in zip(before, after, strict=True))


def test_of_two_points_in_one_place_the_first_is_shown_and_both_are_seen():
    zbuffer = ZBuffer(CAMERA, ZBufferRule(1, 0.01))
    zbuffer.add(np.full((3, 3), [0.0, 0.0, 1.0], np.float32), np.eye(4))
    assert zbuffer.visible().all()
    owner, depth = zbuffer.image()
    assert owner.max() == 0
    assert np.isfinite(depth).sum() == 1


def test_points_that_are_nowhere_are_not_seen():
    zbuffer = ZBuffer(CAMERA, ZBufferRule(1, 0.01))
    nowhere = [[np.nan] * 3, [0, 0, -1], [0, 0, 0], [np.inf, 0, 1], [0, 0, np.nan], [9, 0, 1]]
    zbuffer.add(np.array(nowhere, np.float32), np.eye(4))
    assert not zbuffer.visible().any()
    assert (zbuffer.image()[0] == -1).all()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.integers(0, 2))
def test_an_organised_cloud_of_a_smooth_surface_is_seen_as_it_is(seed, radius):
    rng = np.random.default_rng(seed)
    v, u = np.indices((CAMERA.height, CAMERA.width))
    depth = 1.0 + 1e-3 * (rng.normal() * u + rng.normal() * v)
    points = CAMERA.unproject(depth).reshape(-1, 3).astype(np.float32)
    zbuffer = ZBuffer(CAMERA, ZBufferRule(radius, 0.05))
    zbuffer.add(points, np.eye(4))
    owner, zbuf = zbuffer.image()
    assert np.array_equal(owner.reshape(-1), np.arange(len(points)))
    assert np.array_equal(zbuf.reshape(-1), points[:, 2])


def test_support_spares_the_rim_that_one_nearer_pixel_would_hide():
    depth = np.full((CAMERA.height, CAMERA.width), 1.0)
    depth[:, 8:] = 0.5
    points = CAMERA.unproject(depth).reshape(-1, 3).astype(np.float32)
    strict, lenient = (
        ZBuffer(CAMERA, ZBufferRule(1, 0.01)),
        ZBuffer(CAMERA, ZBufferRule(1, 0.01, 5)),
    )
    for zbuffer in (strict, lenient):
        zbuffer.add(points, np.eye(4))
    assert (strict.image()[0][:, 7] == -2).all()
    assert (strict.image()[0][:, :7] >= 0).all()
    assert (lenient.image()[0] >= 0).all()


@pytest.mark.parametrize(
    ('radius', 'delta', 'support'),
    [(-1, 0.1, 1), (65, 0.1, 1), (1, -0.1, 1), (1, float('nan'), 1), (1, 0.1, 0), (0, 0.1, 2)],
)
def test_impossible_rules_are_refused(radius, delta, support):
    with pytest.raises(ValueError, match='z-buffer'):
        ZBufferRule(radius, delta, support)
