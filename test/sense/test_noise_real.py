# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Noise of a real stereo camera, fitted to some captures and checked on others.

Four captures show one table from one place, each with another object on it: where none of them has
its object, the mean of the others is what a capture shows without what changes.

Where an object ends is seen in colour: a rim that the camera got no depth of would else pass for
holes in the table beside it, of which a bowl that turns away has many, and a box has none.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    distance_transform_edt,
    uniform_filter,
)

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.noise import NoiseModel
from r2rgen_ros.report.noise import draw_noise
from r2rgen_ros.sense.noise import FRESH, MEAN, RAW, ParametricNoise
from r2rgen_ros.sense.noise_fit import fit_noise, simulate
from r2rgen_ros.sense.noise_look import Look, Pair
from r2rgen_ros.sense.noise_statistics import first_gate, measure

SAME_CAMERA = ('blue_mug', 'cheezit', 'green_bowl', 'red_mug')
DEPTHS_M = ((0.35, 0.45), (0.45, 0.55), (0.55, 0.65), (0.65, 0.75))
WINDOW = 31
OFF_M = 0.004  # what is nearer than the table by this belongs to the object
AROUND_PX = (9, 15)  # windows in which the colours of object and table are taken
CLEAR_PX = 3  # from the object on, within which nothing counts for the colour of the table
TELLING = 25.0  # difference of colours, of 256 levels, from which they tell object from table


def read(folder, name):
    """A capture: its depth, what the object covers, what surely shows the table, its camera."""
    with np.load(folder / f'{name}.npz') as data:
        keys = ('depth_m', 'K', 'object_points', 'rgb')
        depth, K, alone, colour = (data[key] for key in keys)
    camera = PinholeCamera(640, 480, *(float(K[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2))))
    depth = np.where(depth > 0.0, depth, np.nan).astype(np.float32)
    u, v = np.rint(camera.project(alone)[:, :2]).astype(int).T
    mask = np.zeros(depth.shape, dtype=bool)
    mask[v, u] = True
    mask = binary_closing(mask, iterations=1)
    hidden = binary_dilation(mask, iterations=14) | binary_dilation(np.isnan(depth), iterations=3)
    colour = colour.astype(np.float32)
    return SimpleNamespace(depth=depth, mask=mask, table=~hidden, camera=camera, colour=colour)


@pytest.fixture(scope='module')
def captures(data_dir):
    folder = data_dir / 'tabletop_realsense'
    return {name: read(folder, name) for name in SAME_CAMERA}


def colour_around(colour, which, window):
    """Mean colour (H, W, 3) of some pixels in a window, and where there are any."""
    share = uniform_filter(which.astype(np.float32), window)
    mean = np.stack([uniform_filter(colour[..., k] * which, window) for k in range(3)], axis=-1)
    some = share > 0.5 / window**2
    return mean / np.where(some, share, 1.0)[..., None], some


def coloured_as_object(here, mine):
    """Pixels beside what is surely an object's that have its colour, not that of the table."""
    seen = np.isfinite(here.depth)
    own, some = colour_around(here.colour, mine & seen, AROUND_PX[0])
    clear = distance_transform_edt(~mine) > CLEAR_PX
    table, other = colour_around(here.colour, clear & seen, AROUND_PX[1])
    far, near, apart = (
        np.linalg.norm(one - two, axis=-1)
        for one, two in ((here.colour, table), (here.colour, own), (own, table))
    )
    return ~mine & some & other & (apart > TELLING) & (near < far)


def pair_of(here, others, number):
    """A capture beside the mean of others, with the depth of its own object before that.

    What has the object's colour but no depth is the object's, as deep as what is next to it; what
    has its colour and the table's depth is of neither for sure, and left out as well.
    """
    stack = np.stack([np.where(other.table, other.depth, np.float32(np.nan)) for other in others])
    count = np.isfinite(stack).sum(axis=0)
    mean = np.nansum(stack, axis=0) / np.maximum(count, 1)
    mean[count == 0] = np.nan
    with np.errstate(invalid='ignore'):
        mine = here.mask | (here.depth < mean - OFF_M)
    like = coloured_as_object(here, mine)
    lost = like & np.isnan(here.depth)
    measured = mine & np.isfinite(here.depth)
    next_to = distance_transform_edt(~measured, return_distances=False, return_indices=True)
    clean = np.where(mine, here.depth, np.where(lost, here.depth[tuple(next_to)], mean))
    known = np.where(mine | lost, RAW, MEAN).astype(np.uint8)
    return Pair(
        clean.astype(np.float32), here.depth, known, ~(mine | like), 10 * number,
        1.0 + 1.0 / len(others),
    )  # fmt: skip


def fitted(captures):
    pairs = [
        pair_of(here, [other for other in captures if other is not here], number)
        for number, here in enumerate(captures)
    ]
    return fit_noise(pairs, captures[0].camera, 'tabletop')


def spoilt(model, camera, clean, known):
    return ParametricNoise(model).start(camera, np.random.default_rng(4)).apply(clean, known)


def smoothed(depth):
    """A depth image (H, W) without noise: the inverse depth of a plane is linear in the image."""
    known = np.isfinite(depth)
    inverse = np.where(known, 1.0 / np.where(known, depth, 1.0), 0.0)
    share = uniform_filter(known.astype(float), WINDOW)
    out = np.full(depth.shape, np.nan, dtype=np.float32)
    good = known & (share > 0.5)
    out[good] = (share / np.maximum(uniform_filter(inverse, WINDOW), 1e-6))[good]
    return out


def roughness(image, smooth, camera):
    """Robust standard deviation of an image about planes, by `DEPTHS_M`, metres; and pixels."""
    nothing = np.zeros(smooth.shape, dtype=np.uint8)
    good = (Look(Pair(smooth, smooth, nothing), camera, NoiseModel()).edge == 0) & np.isfinite(
        image
    )
    whole = uniform_filter(good.astype(float), WINDOW, mode='constant') > 0.999
    whole[:32] = whole[-32:] = False
    whole[:, :32] = whole[:, -32:] = False
    inverse = np.where(good, 1.0 / np.where(good, image, 1.0), 0.0)
    with np.errstate(invalid='ignore'):
        beyond = (inverse - uniform_filter(inverse, WINDOW)) * smooth**2
    places = [whole & (smooth >= low) & (smooth < high) for low, high in DEPTHS_M]
    size = [1.4826 * np.median(np.abs(beyond[place])) for place in places]
    return np.array(size), np.array([place.sum() for place in places])


@pytest.fixture(scope='module')
def held_out(captures):
    """By name of the capture that is left out: the fit to the others, and its own pair."""
    out = {}
    for name, here in captures.items():
        others = [other for key, other in captures.items() if key != name]
        out[name] = fitted(others), pair_of(here, others, 0)
    return out


def test_axial_noise_of_captures_left_out_is_within_a_fifth(captures, held_out):
    ratios = []
    for name, (fit, pair) in held_out.items():
        camera = captures[name].camera
        seen = np.where(pair.known == MEAN, pair.raw, np.float32(np.nan))
        smooth = smoothed(seen)
        nothing = np.full(smooth.shape, FRESH, dtype=np.uint8)
        made = spoilt(fit.model, camera, smooth, nothing)
        want, count = roughness(seen, smooth, camera)
        have, _ = roughness(made, smooth, camera)
        print(name, 'recorded', np.round(1e3 * want, 3), 'model', np.round(1e3 * have, 3), 'mm')
        assert (count > 3000).all()
        ratios.append(have / want)
    assert np.abs(np.array(ratios) - 1.0).max() < 0.2


def test_holes_at_edges_of_captures_left_out_are_within_five_points(captures, held_out):
    counts = []
    for name, (fit, pair) in held_out.items():
        camera, model = captures[name].camera, fit.model
        look = Look(pair, camera, NoiseModel(shadow=model.shadow))
        made = spoilt(model, camera, pair.clean, pair.known)
        near = look.usable & (look.edge > 0)  # within six pixels, in shadows or not
        wide = look.usable & binary_dilation(look.edge > 0, iterations=34)  # all of the shadows
        for region in (near, wide):
            want, have = (np.isnan(image[region]).mean() for image in (pair.raw, made))
            print(f'{name}: {want:.3f} recorded, {have:.3f} of the model, {region.sum()} pixels')
            assert have == pytest.approx(want, abs=0.05)
        counts.append([near.sum(), *(np.isnan(image[near]).sum() for image in (pair.raw, made))])
    total, want, have = np.sum(counts, axis=0)
    assert want > 0.2 * total
    assert have / total == pytest.approx(want / total, abs=0.05)


def test_shadows_are_those_of_a_camera_with_this_baseline(held_out):
    for fit, _ in held_out.values():
        # 55 mm between the imagers of a D415, and 15 more to the colour that depth is aligned to.
        assert fit.model.shadow.baseline_m == pytest.approx(0.075, abs=0.012)
        assert fit.model.shadow.share > 0.95


def test_captures_left_out_are_drawn_beside_the_model(captures, held_out, tmp_path):
    for name, (fit, pair) in held_out.items():
        camera, model = captures[name].camera, fit.model
        look, gate = (
            Look(pair, camera, NoiseModel(shadow=model.shadow)),
            first_gate([pair]),
        )
        shown = replace(
            fit,
            model=replace(model, name=f'{name}, by the fit to the others'),
            measured=measure([look], [pair.raw], gate),
            modelled=simulate(model, [look], camera, gate),
            images=1,
            example=(pair.clean, pair.raw, spoilt(model, camera, pair.clean, pair.known)),
        )
        assert draw_noise(shown, tmp_path / f'{name}.png').stat().st_size > 20_000


def test_the_fit_is_drawn(captures, tmp_path):
    picture = draw_noise(fitted(list(captures.values())), tmp_path / 'fit.png')
    assert picture.stat().st_size > 20_000
