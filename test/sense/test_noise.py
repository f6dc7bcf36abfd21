# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.noise import AxialNoise, EdgeNoise, HoleNoise, NoiseModel, ShadowNoise
from r2rgen_ros.model.scene import UNSEEN
from r2rgen_ros.sense.noise import FRESH, MEAN, RAW, DepthNoise, ParametricNoise
from r2rgen_ros.sense.sampling import shown_pixels

CAMERA = PinholeCamera(320, 240, 400.0, 400.0, 159.5, 119.5)


def spoilt(depth, model, known=FRESH, seed=0, count=1):
    camera = ParametricNoise(model).start(CAMERA, np.random.default_rng(seed))
    kinds = np.full(depth.shape, known, dtype=np.uint8) if np.isscalar(known) else known
    images = [camera.apply(depth, kinds) for _ in range(count)]
    return images[0] if count == 1 else np.stack(images)


def wall(distance=1.0):
    return np.full((CAMERA.height, CAMERA.width), distance, dtype=np.float32)


def tilted(degrees):
    angle = np.radians(degrees)
    normal = np.array([np.sin(angle), 0.0, np.cos(angle)])
    return (normal[2] / (CAMERA.rays() @ normal)).astype(np.float32)


def box_before_wall(near=0.8, far=1.2):
    depth = wall(far)
    depth[80:160, 120:200] = near
    return depth


EVERYTHING = NoiseModel(
    'everything',
    AxialNoise(0.0002, 0.0001, 0.002, 1e-4, 2.0, 0.2, 0.3, 0.5),
    EdgeNoise(0.02, 0.7, 0.2, 0.3, 1.0),
    HoleNoise(0.01, (60.0, 80.0), (1.1, 3.0), 1.5, 0.5),
    ShadowNoise(0.05),
    0.001,
)


def test_without_noise_the_depth_stays_as_it_is():
    depth = box_before_wall()
    depth[:20] = np.nan
    np.testing.assert_allclose(spoilt(depth, NoiseModel()), depth, rtol=1e-6, equal_nan=True)


def test_the_model_follows_the_protocol_of_any_noise():
    assert isinstance(ParametricNoise(EVERYTHING), DepthNoise)


def test_the_same_seed_gives_the_same_images_and_another_others():
    depth = box_before_wall()
    first, again, other = (spoilt(depth, EVERYTHING, seed=s, count=2) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other, equal_nan=True)
    assert not np.array_equal(first[0], first[1], equal_nan=True)


def test_an_image_does_not_depend_on_what_was_seen_before_it():
    model = replace(EVERYTHING, axial=replace(EVERYTHING.axial, memory=0.0))
    last = box_before_wall()
    last[100:120, 40:60] = 1.0
    kinds = np.full(last.shape, FRESH, np.uint8)
    kinds[100:130, 90:140] = RAW
    earlier = [wall(), box_before_wall(0.9), tilted(50.0), last]
    outs = []
    for before in earlier:
        camera = ParametricNoise(model).start(CAMERA, np.random.default_rng(0))
        camera.apply(before, np.full(last.shape, MEAN if before is last else FRESH, np.uint8))
        outs.append(camera.apply(last, kinds))
    for out in outs[1:]:
        np.testing.assert_array_equal(out, outs[0])


@pytest.mark.parametrize('memory', [0.0, 0.5])
@pytest.mark.parametrize('wanted', [0, 1, 400, 10000, 60000])
def test_some_pixels_are_reported_as_all_are(wanted, memory):
    model = replace(EVERYTHING, axial=replace(EVERYTHING.axial, memory=memory))
    images = [box_before_wall(0.8, far) for far in (1.2, 1.2, 2.5)]  # the last is mostly lost
    images[1][30:60, 250:300] = 0.7
    images[2][:, :20] = np.nan
    kinds = np.full(images[0].shape, FRESH, np.uint8)
    kinds[100:130, 90:140], kinds[10:20] = RAW, MEAN
    label = np.zeros(kinds.shape, np.uint8)
    label[:, 300:] = UNSEEN
    one, other = (ParametricNoise(model).start(CAMERA, np.random.default_rng(3)) for _ in range(2))
    for depth in images:
        whole = one.apply(depth, kinds)
        index, found = other.report(depth, kinds, label, wanted)
        np.testing.assert_array_equal(index, shown_pixels(depth, label, wanted, whole))
        np.testing.assert_array_equal(found, whole.reshape(-1)[index])


@pytest.mark.parametrize('shape', [(37, 53), (1, 40), (50, 7), (40, 130)])
def test_pixels_of_windows_are_reported_as_those_of_whole_images(shape):
    rng = np.random.default_rng(0)
    height, width = shape
    view = PinholeCamera(width, height, 60.0, 60.0, 0.5 * width, 0.5 * height)
    one, other = (ParametricNoise(EVERYTHING).start(view, np.random.default_rng(1)) for _ in 'ab')
    depth, kinds, label = np.full(shape, 1.5, np.float32), *np.zeros((2, *shape), np.uint8)
    for _ in range(30):
        top, left = (16 * int(rng.integers((size + 15) // 16)) for size in shape)
        bottom, right = min(height, top + 16), min(width, left + 16)
        part = slice(top, bottom), slice(left, right)
        chance = rng.random(depth[part].shape)
        depth[part] = np.where(chance < 0.1, np.nan, rng.uniform(0.3, 3.0) + 0.01 * chance)
        kinds[part] = rng.integers(3)
        label[part] = np.where(chance > 0.9, UNSEEN, 1)
        whole, wanted = one.apply(depth, kinds), int(rng.integers(0, height * width // 7))
        window = np.array([[left, top, right, bottom]], dtype=np.int32)
        index, found = other.report(depth, kinds, label, wanted, window)
        np.testing.assert_array_equal(index, shown_pixels(depth, label, wanted, whole))
        np.testing.assert_array_equal(found, whole.reshape(-1)[index])


def test_the_clean_image_is_not_changed():
    depth = box_before_wall()
    kept = depth.copy()
    spoilt(depth, EVERYTHING, count=3)
    np.testing.assert_array_equal(depth, kept)


@pytest.mark.parametrize('distance', [0.5, 1.0, 2.0])
def test_axial_noise_grows_with_the_square_of_the_depth(distance):
    model = NoiseModel(axial=AxialNoise(constant_m=0.0005, slope=0.0007, growth_1_m=0.002))
    images = spoilt(wall(distance), model, count=8)
    expected = np.sqrt(0.0005**2 + (0.0007 * distance) ** 2 + (0.002 * distance**2) ** 2)
    assert np.std(images - distance) == pytest.approx(expected, rel=0.06)
    assert np.mean(images - distance) == pytest.approx(0.0, abs=0.2 * expected)


@pytest.mark.parametrize('degrees', [50.0, 70.0])
def test_a_surface_that_turns_away_is_noisier_by_nguyens_term(degrees):
    depth = tilted(degrees)
    images = spoilt(depth, NoiseModel(axial=AxialNoise(turned_m=1e-4)), count=8)
    middle = np.s_[100:140, 150:170]
    t = np.radians(degrees)
    expected = 1e-4 * (t / (0.5 * np.pi - t)) ** 2 / np.sqrt(np.median(depth[middle]))
    found = np.std((images - depth)[(slice(None), *middle)])
    assert found == pytest.approx(expected, rel=0.15)


def test_noise_is_as_smooth_as_the_model_says():
    error = spoilt(wall(), NoiseModel(axial=AxialNoise(growth_1_m=0.002, width_px=2.0)), count=6)
    error = error - error.mean()
    for lag in (2, 4):
        along = (error[..., lag:] * error[..., :-lag]).mean() / error.var()
        assert along == pytest.approx(np.exp(-(lag**2) / 16.0), abs=0.05)


@pytest.mark.parametrize(('steady', 'memory'), [(0.0, 0.0), (0.4, 0.0), (0.2, 0.6)])
def test_noise_of_images_correlates_as_the_model_says(steady, memory):
    axial = AxialNoise(growth_1_m=0.002, width_px=1.0, steady=steady, memory=memory)
    error = spoilt(wall(), NoiseModel(axial=axial), count=12) - 1.0
    level = error.var()
    for apart in (1, 2, 8):
        found = (error[apart:] * error[:-apart]).mean() / level
        assert found == pytest.approx(steady + (1.0 - steady) * memory**apart, abs=0.06)


def test_a_mean_over_time_gets_the_changing_part_alone():
    axial = AxialNoise(growth_1_m=0.002, width_px=1.0, steady=0.5)
    error = spoilt(wall(), NoiseModel(axial=axial), MEAN, count=8) - 1.0
    assert error.std() == pytest.approx(0.002 * np.sqrt(0.5), rel=0.05)
    assert abs((error[4:] * error[:-4]).mean()) < 0.05 * error.var()


def test_recorded_pixels_stay_as_they_are_unless_something_hides_them():
    depth = box_before_wall()
    out = spoilt(depth, EVERYTHING, RAW)
    hidden = np.isnan(out)
    np.testing.assert_array_equal(out[~hidden], depth[~hidden])
    rows, columns = np.nonzero(hidden)
    assert (rows.min(), rows.max()) == (80, 159)  # the shadow of the box, left of it
    assert (columns.min(), columns.max()) == (112, 119)


@pytest.mark.parametrize('baseline', [0.05, -0.08])
def test_a_near_thing_hides_a_strip_as_wide_as_the_disparities_differ(baseline):
    depth = box_before_wall(0.8, 1.2)
    out = spoilt(depth, NoiseModel(shadow=ShadowNoise(baseline)))
    width = 400.0 * abs(baseline) * (1.0 / 0.8 - 1.0 / 1.2)
    row = np.flatnonzero(np.isnan(out[120]))
    assert len(row) == pytest.approx(width, abs=1.0)
    assert row.max() == 119 if baseline > 0.0 else row.min() == 200
    assert not np.isnan(out[:79]).any()


def test_depths_lie_on_steps_of_the_disparity():
    depth = (wall() + np.linspace(0.0, 0.5, 320)).astype(np.float32)
    steps = 1.0 / spoilt(depth, NoiseModel(step_1_m=0.002)).astype(float) / 0.002
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)


def test_edges_lose_and_mix_as_many_pixels_as_the_model_says():
    depth = box_before_wall()
    images = spoilt(depth, NoiseModel(edges=EdgeNoise(torn=0.3, flying=0.2)), count=20)
    edge = np.zeros(depth.shape, dtype=bool)
    edge[79:161, 119:201] = True
    edge[81:159, 121:199] = False
    edge[[79, 79, 160, 160], [119, 200, 119, 200]] = False  # corners touch by a corner alone
    assert np.isnan(images[:, edge]).mean() == pytest.approx(0.3, abs=0.03)
    left = images[:, edge][np.isfinite(images[:, edge])]
    between = (left > 0.81) & (left < 1.19)
    assert between.mean() == pytest.approx(0.2, abs=0.04)
    assert not np.isnan(images[:, ~edge]).any()


def test_edges_wander_by_as_much_as_the_model_says():
    depth = box_before_wall()
    images = spoilt(depth, NoiseModel(edges=EdgeNoise(wander_px=0.8)), count=30)
    widths = (images[:, 90:150] < 1.0).sum(axis=2)
    # Both sides wander, by whole pixels.
    assert np.sqrt(widths.var() / 2.0) == pytest.approx(np.hypot(0.8, np.sqrt(1 / 12)), rel=0.15)
    assert widths.mean() == pytest.approx(80.0, abs=0.5)


@pytest.mark.parametrize(('degrees', 'share'), [(50.0, 0.0), (70.0, 0.5), (85.0, 1.0)])
def test_grazing_surfaces_lose_depth_in_patches(degrees, share):
    holes = HoleNoise(grazing_deg=(60.0, 80.0), patch_px=2.0)
    images = np.isnan(spoilt(tilted(degrees), NoiseModel(holes=holes), count=10))
    middle = images[:, :, 155:165]
    assert middle.mean() == pytest.approx(share, abs=0.12)
    if 0.0 < share < 1.0:
        same = (middle[:, 1:] == middle[:, :-1]).mean()
        assert same > 0.7  # neighbours go together


def test_nothing_is_left_beyond_the_range():
    depth = np.tile(np.linspace(0.5, 3.0, 320, dtype=np.float32), (240, 1))
    images = spoilt(depth, NoiseModel(holes=HoleNoise(range_m=(1.0, 2.0))), count=6)
    lost = np.isnan(images).mean(axis=(0, 1))
    assert not lost[depth[0] < 1.0].any()
    assert (lost[depth[0] > 2.0] == 1.0).all()
    assert lost[np.abs(depth[0] - 1.5) < 0.05].mean() == pytest.approx(0.5, abs=0.1)


def test_holes_of_a_scene_at_rest_come_back_as_often_as_the_model_says():
    def again(steady):
        holes = HoleNoise(rate=0.3, steady=steady)
        images = np.isnan(spoilt(wall(), NoiseModel(holes=holes), count=6))
        return (images[5] & images[0]).mean() / images.mean()

    assert again(0.0) == pytest.approx(0.3, abs=0.03)
    assert again(0.8) > 0.55
    assert again(1.0) == 1.0
