# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.simulate import record
from r2rgen_ros.simulate.depth_noise import StereoCamera, StereoNoise
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.objects import box
from r2rgen_ros.simulate.steps import standing
from r2rgen_ros.simulate.world import World

CAMERA = PinholeCamera(320, 240, 600.0, 600.0, 159.5, 119.5)
EXACT = StereoNoise(axial=0.0, turned=0.0, steps=0, wander=0.0, flying=0.0, torn=0.0)


def spoilt(depth, noise, seed=0, count=1):
    camera = StereoCamera(CAMERA, noise, np.random.default_rng(seed))
    images = [camera(depth) for _ in range(count)]
    return images[0] if count == 1 else np.stack(images)


def wall(distance):
    return np.full((CAMERA.height, CAMERA.width), distance, dtype=np.float32)


def tilted(angle):
    """A plane 1 m away, turned about the vertical so that its middle is seen at an angle."""
    normal = np.array([np.sin(angle), 0.0, np.cos(angle)])
    return (normal[2] / (CAMERA.rays() @ normal)).astype(np.float32)


def box_before_wall(near=0.8, far=1.2):
    depth = wall(far)
    depth[80:160, 120:200] = near
    return depth


def test_without_any_effect_the_depth_stays_as_it_is():
    depth = wall(1.3)
    depth[:20] = np.nan
    assert np.allclose(spoilt(depth, EXACT), depth, rtol=1e-6, equal_nan=True)


def test_the_same_seed_gives_the_same_images_and_another_seed_others():
    depth = box_before_wall()
    first, again, other = (spoilt(depth, StereoNoise(), seed, 2) for seed in (1, 1, 2))
    assert np.array_equal(first, again, equal_nan=True)
    assert not np.array_equal(first, other, equal_nan=True)
    assert not np.array_equal(first[0], first[1], equal_nan=True)


@pytest.mark.parametrize('distance', [0.5, 1.0, 2.0])
def test_the_noise_grows_with_the_square_of_the_distance(distance):
    noise = replace(EXACT, axial=0.002)
    error = spoilt(wall(distance), noise) - distance
    assert np.std(error) == pytest.approx(0.002 * distance**2, rel=0.05)
    assert abs(np.mean(error)) < 0.1 * np.std(error)


def test_the_noise_is_smooth_over_a_few_pixels_only():
    error = spoilt(wall(1.0), replace(EXACT, axial=0.002)) - 1.0

    def correlation(shift):
        return np.corrcoef(error[:, shift:].ravel(), error[:, : -shift or None].ravel())[0, 1]

    assert correlation(1) > 0.7
    assert abs(correlation(8)) < 0.1


@pytest.mark.parametrize('share', [0.0, 0.25, 1.0])
def test_a_share_of_the_variance_is_the_same_in_every_image(share):
    noise = replace(EXACT, axial=0.002, steady=share)
    images = spoilt(wall(1.0), noise, count=12)
    within = np.var(images, axis=0, ddof=1).mean() / 0.002**2
    assert within == pytest.approx(1.0 - share, abs=0.05)


def test_left_of_what_is_nearer_there_is_a_shadow_as_wide_as_the_disparities_differ():
    image = spoilt(box_before_wall(), EXACT)
    hole = np.isnan(image[120])
    gain = CAMERA.fx * EXACT.baseline
    width = gain / 0.8 - gain / 1.2
    assert hole[100:140].sum() == pytest.approx(width, abs=1.0)
    assert hole[int(120 - width) + 1 : 120].all()
    assert not hole[120:].any()
    assert not np.isnan(image[:79]).any()


def test_only_edges_have_flying_pixels_and_those_lie_between_the_two_depths():
    depth = box_before_wall()
    image = spoilt(depth, replace(EXACT, flying=0.5))
    off = np.isfinite(image) & (np.abs(image - depth) > 1e-4)
    assert 100 < off.sum() < 500
    assert image[off].min() > 0.8 - 1e-6
    assert image[off].max() < 1.2 + 1e-6
    assert np.sum(off & (image > 0.85) & (image < 1.15)) > 0.5 * off.sum()
    far_from_edges = np.ones_like(off)
    far_from_edges[78:162, 118:202] = False
    far_from_edges[82:158, 122:198] = True
    assert not off[far_from_edges].any()


def test_edges_are_torn_and_wander_but_stay_near():
    depth = box_before_wall()
    torn = np.isnan(spoilt(depth, replace(EXACT, torn=0.4)))
    edge = torn[79:81, 120:200]
    assert edge.mean() == pytest.approx(0.4, abs=0.15)
    image = spoilt(depth, replace(EXACT, wander=1.0))
    other = np.isfinite(image) & (np.abs(image - depth) > 0.1)
    assert other.sum() > 20
    assert not other[90:150, 130:190].any()
    assert not other[:70].any()


@pytest.mark.parametrize('degrees', [0.0, 40.0, 60.0])
def test_a_surface_that_does_not_turn_away_has_no_holes(degrees):
    assert np.isfinite(spoilt(tilted(np.radians(degrees)), EXACT)[:, 140:180]).all()


def test_holes_grow_with_the_grazing_angle_until_nothing_is_left():
    noise = replace(EXACT, edge=50.0)
    shares = [
        np.isnan(spoilt(tilted(np.radians(degrees)), noise)[:, 155:165]).mean()
        for degrees in (65.0, 74.0, 79.0, 87.0)
    ]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert 0.1 < shares[1] < shares[2] < 0.95
    assert shares[3] > 0.95


def test_surfaces_that_turn_away_are_noisier():
    noise = replace(EXACT, turned=1e-4)
    spread = [
        np.nanstd((spoilt(tilted(np.radians(d)), noise) - tilted(np.radians(d)))[:, 150:170])
        for d in (10.0, 45.0, 65.0)
    ]
    assert spread == sorted(spread)
    assert spread[1] == pytest.approx(1e-4, rel=0.3)  # t / (pi / 2 - t) = 1 at 45 degrees


def test_disparity_comes_in_steps():
    image = spoilt(wall(1.0), replace(EXACT, axial=0.002, steps=32))
    disparity = CAMERA.fx * EXACT.baseline / image * 32
    assert np.abs(disparity - np.round(disparity)).max() < 0.01
    assert len(np.unique(np.round(disparity))) < 40


def test_sizes_that_make_no_sense_are_refused():
    for wrong in ({'axial': -1.0}, {'steady': 2.0}, {'flying': 0.7, 'torn': 0.5},
                  {'grazing': (1.4, 1.2)}, {'baseline': 0.0}):  # fmt: skip
        with pytest.raises(R2RGenError):
            StereoNoise(**wrong)


def test_the_eye_sees_what_a_stereo_camera_would_and_an_empty_room_where_asked():
    world = World([box()])
    world.reset({'box': standing(0.5, 0.0, 0.3)})
    with Eye(world) as eye:
        exact, labels = eye.depth(), eye.labels()
    with Eye(world, rng=np.random.default_rng(1), stereo=StereoNoise()) as eye:
        first = eye.depth()
    with Eye(World([]), robot=False) as eye:
        empty = eye.depth()
        assert not eye.labels().any()
    assert np.array_equal(empty[labels == 0], exact[labels == 0], equal_nan=True)
    both = np.isfinite(first) & np.isfinite(exact) & (exact < 1.5)
    assert 0.001 < np.median(np.abs(first - exact)[both]) < 0.004
    lost = np.isnan(first) & np.isfinite(exact)
    assert 0.005 < lost.mean() < 0.1


def test_options_say_which_noise():
    assert record.Options().stereo is None
    assert record.Options(sensor_noise='stereo').stereo == StereoNoise()
    given = record.Options(sensor_noise='stereo', depth_noise_m=0.003).stereo
    assert given == StereoNoise(axial=0.003)
    with pytest.raises(R2RGenError, match='laser'):
        record.Options(sensor_noise='laser')
