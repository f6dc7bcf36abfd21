# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fitting noise whose truth is known: that of the simulator's camera, and that of the model."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.noise import AxialNoise, EdgeNoise, HoleNoise, NoiseModel, ShadowNoise
from r2rgen_ros.sense.noise import FRESH, ParametricNoise
from r2rgen_ros.sense.noise_fit import fit_noise
from r2rgen_ros.sense.noise_look import Look, Pair
from r2rgen_ros.simulate.depth_noise import StereoCamera, StereoNoise

CAMERA = PinholeCamera(640, 480, 600.0, 600.0, 319.5, 239.5)
IMAGES = 8


def room(seed):
    """A floor that runs up to 74 degrees, a wall 2 m away, and plates that stand before them."""
    rng = np.random.default_rng(seed)
    normal = np.array([0.0, 0.78, 0.62]) / np.hypot(0.78, 0.62)
    depth = 0.75 / (CAMERA.rays() @ normal)
    depth[~(depth > 0.0)] = 9.0
    depth = np.minimum(depth, 2.0).astype(np.float32)
    for _ in range(14):
        v, u = rng.integers(20, 400), rng.integers(20, 550)
        high, wide = rng.integers(20, 90, 2)
        part = depth[v : v + high, u : u + wide]
        part[:] = np.minimum(part, np.float32(np.median(part) * rng.uniform(0.6, 0.9)))
    return depth


def pairs_of(spoil, seed):
    clean = room(seed)
    kinds = np.full(clean.shape, FRESH, dtype=np.uint8)
    return [Pair(clean, spoil(clean), kinds, number=t) for t in range(IMAGES)]


@pytest.fixture(scope='module')
def stereo():
    """The simulator's stereo camera, and what is fitted to its images."""
    truth = StereoNoise()
    camera = StereoCamera(CAMERA, truth, np.random.default_rng(3))
    return truth, fit_noise(pairs_of(camera, 0), CAMERA)


def size(axial, depth):
    """Standard deviation of what is seen head on, metres."""
    parts = axial.constant_m, axial.slope * depth, axial.growth_1_m * depth**2
    return np.sqrt(np.square(parts).sum())


def test_numbers_that_the_simulator_has_too_are_found(stereo):
    truth, fit = stereo
    axial, model = fit.model.axial, fit.model
    assert axial.growth_1_m == pytest.approx(truth.axial, rel=0.05)
    assert size(axial, 0.6) == pytest.approx(truth.axial * 0.6**2, rel=0.1)
    assert size(axial, 1.8) == pytest.approx(truth.axial * 1.8**2, rel=0.05)
    sigma = [
        growth + turned * (np.radians(68.0) / np.radians(22.0)) ** 2
        for growth, turned in ((truth.axial, truth.turned), (axial.growth_1_m, axial.turned_m))
    ]
    assert sigma[1] == pytest.approx(sigma[0], rel=0.2)  # a metre away, at 68 degrees
    assert axial.width_px == pytest.approx(truth.smooth, rel=0.05)
    assert axial.coarse < 0.05
    assert axial.steady == pytest.approx(truth.steady, abs=0.04)
    assert axial.memory < 0.05
    assert model.shadow.baseline_m == pytest.approx(truth.baseline, rel=0.08)
    assert model.shadow.share > 0.97
    step = 1.0 / (CAMERA.fx * truth.baseline * truth.steps)
    assert model.step_1_m == pytest.approx(step, rel=0.01)
    assert model.edges.wander_px == pytest.approx(truth.wander, rel=0.3)


def test_what_is_fitted_makes_images_like_those_of_the_simulator(stereo):
    _, fit = stereo
    have, want = fit.modelled, fit.measured
    _, wanted, count = want.by_depth()
    _, got, _ = have.by_depth()
    seen = count > 5000
    assert seen.sum() >= 5
    assert np.abs(got / wanted - 1.0)[seen].max() < 0.1
    assert have.edge_hole_rate[1] == pytest.approx(want.edge_hole_rate[1], abs=0.05)
    assert have.edge_flying_rate[1] == pytest.approx(want.edge_flying_rate[1], abs=0.02)
    assert have.edge_turned_rate[1] == pytest.approx(want.edge_turned_rate[1], abs=0.03)
    _, wanted, count = want.holes_by_angle()
    _, got, _ = have.holes_by_angle()
    seen = count > 5000
    assert wanted[seen].max() > 0.1
    assert np.abs(got - wanted)[seen].max() < 0.1
    np.testing.assert_allclose(have.along[:5], want.along[:5], atol=0.03)


def test_it_holds_for_images_that_were_not_seen(stereo):
    truth, fit = stereo
    fresh = fit_noise(pairs_of(StereoCamera(CAMERA, truth, np.random.default_rng(8)), 5), CAMERA)
    _, wanted, count = fresh.measured.by_depth()
    depth, got, _ = fit.modelled.by_depth()
    both = (count > 5000) & np.isfinite(got)
    assert both.sum() >= 4
    assert np.abs(got / wanted - 1.0)[both].max() < 0.15, depth[both]
    assert fit.model.axial.growth_1_m == pytest.approx(fresh.model.axial.growth_1_m, rel=0.05)


def near_boxes(seed):
    """Boxes a hand's breadth away whose sides slant by 50 to 75 degrees, and a wall behind."""
    rng, rays = np.random.default_rng(seed), CAMERA.rays()
    depth = np.full((CAMERA.height, CAMERA.width), 0.5, dtype=np.float32)
    for _ in range(12):
        v, u = rng.integers(20, 360), rng.integers(20, 500)
        high, wide = rng.integers(60, 120, 2)
        angle, turn = np.radians(rng.uniform(50.0, 75.0)), rng.uniform(0.0, 2.0 * np.pi)
        side = np.array([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)])
        window = slice(v, v + high), slice(u, u + wide)
        ray = rays[v + high // 2, u + wide // 2]
        plane = rng.uniform(0.25, 0.35) * (side @ ray) / (rays[window] @ side)
        near = (plane > 0.15) & (plane < depth[window])
        depth[window][near] = plane[near]
    return depth


def test_near_surfaces_that_slant_are_torn_as_much_as_the_simulators():
    truth = StereoNoise()
    camera = StereoCamera(CAMERA, truth, np.random.default_rng(3))
    clean = [near_boxes(seed) for seed in range(4)]
    kinds = np.full(clean[0].shape, FRESH, dtype=np.uint8)
    pairs = [Pair(depth, camera(depth), kinds, number=10 * t) for t, depth in enumerate(clean)]
    model = fit_noise(pairs, CAMERA).model
    assert model.edges.jump_px == pytest.approx(truth.edge, rel=0.15)
    spoiler = ParametricNoise(model).start(CAMERA, np.random.default_rng(1))
    fresh = near_boxes(99)
    made, recorded = spoiler.apply(fresh, kinds), camera(fresh)
    slants = (fresh < 0.4) & (Look(Pair(fresh, recorded, kinds), CAMERA, NoiseModel()).edge == 0)
    want, have = (float(np.isnan(image[slants]).mean()) for image in (recorded, made))
    assert want > 0.05
    assert have == pytest.approx(want, abs=0.04)


def test_a_model_finds_itself_again():
    truth = NoiseModel(
        'truth',
        AxialNoise(0.0015, 0.0, 0.0004, 0.0, 1.0, 0.25, 0.3, 0.6),
        EdgeNoise(0.02, 0.0, 0.3, 0.3, 0.0),
        HoleNoise(rate=0.02),
        ShadowNoise(-0.03),
    )
    camera = ParametricNoise(truth).start(CAMERA, np.random.default_rng(2))
    kinds = np.full((480, 640), FRESH, dtype=np.uint8)
    model = fit_noise(pairs_of(lambda clean: camera.apply(clean, kinds), 1), CAMERA).model
    sigma = [size(m.axial, 1.5) for m in (truth, model)]
    assert sigma[1] == pytest.approx(sigma[0], rel=0.05)
    assert model.axial.width_px == pytest.approx(1.0, abs=0.1)
    assert model.axial.coarse == pytest.approx(0.25, abs=0.08)
    assert model.axial.steady + model.axial.memory == pytest.approx(0.9, abs=0.2)
    assert model.edges.torn == pytest.approx(0.3, abs=0.05)
    assert model.edges.flying == pytest.approx(0.3, abs=0.06)
    assert model.edges.wander_px < 0.2
    assert model.holes.rate == pytest.approx(0.02, abs=0.005)
    assert model.shadow.baseline_m == pytest.approx(-0.03, abs=0.003)
    assert model.step_1_m == 0.0


@pytest.mark.parametrize('size_px', [0.6, 2.0])
def test_how_large_holes_at_edges_are_is_found(size_px):
    truth = NoiseModel('truth', edges=EdgeNoise(torn=0.5, reach_px=3.0, patch_px=size_px))
    camera = ParametricNoise(truth).start(CAMERA, np.random.default_rng(2))
    kinds = np.full((480, 640), FRESH, dtype=np.uint8)
    fit = fit_noise(pairs_of(lambda clean: camera.apply(clean, kinds), 1), CAMERA)
    assert fit.model.edges.patch_px == pytest.approx(size_px, rel=0.2)
    assert 'edges.patch_px' not in fit.assumed


def test_the_same_pairs_give_the_same_model(stereo):
    truth, fit = stereo
    again = fit_noise(pairs_of(StereoCamera(CAMERA, truth, np.random.default_rng(3)), 0), CAMERA)
    assert again.model == fit.model


def test_exact_images_have_no_noise():
    fit = fit_noise(pairs_of(lambda clean: clean, 0), CAMERA)
    model = fit.model
    assert model.axial.growth_1_m < 1e-4
    assert model.axial.constant_m < 1e-4
    assert (model.edges.torn, model.edges.wander_px, model.edges.flying) == (0.0, 0.0, 0.0)
    assert (model.holes.rate, model.shadow.baseline_m, model.step_1_m) == (0.0, 0.0, 0.0)
    assert 'shadow.baseline_m' in fit.assumed


def test_nothing_to_compare_is_said():
    empty = np.full((480, 640), np.nan, dtype=np.float32)
    with pytest.raises(R2RGenError, match='there are no images'):
        fit_noise([], CAMERA)
    with pytest.raises(R2RGenError, match='hardly any surface'):
        fit_noise([Pair(empty, empty, np.zeros(empty.shape, dtype=np.uint8))], CAMERA)


def test_what_is_spread_too_thinly_is_said():
    clean = np.full((CAMERA.height, CAMERA.width), np.nan, dtype=np.float32)
    clean[200:202] = np.linspace(0.5, 4.0, CAMERA.width, dtype=np.float32)
    kinds = np.full(clean.shape, FRESH, dtype=np.uint8)
    with pytest.raises(R2RGenError, match='spread too thinly') as told:
        fit_noise([Pair(clean, clean, kinds)], CAMERA)
    assert '--frames' in str(told.value)
