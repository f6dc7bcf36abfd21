# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from r2rgen_ros.model.scene import UNSEEN
from r2rgen_ros.sense.sampling import (
    TRIES,
    even_runs,
    farthest_points,
    next_helper,
    pixel_at,
    shown_pixels,
)


def plain(points, count):
    """Farthest point sampling, one distance at a time."""
    chosen = [0]
    gaps = ((points - points[0]) ** 2).sum(axis=1)
    while len(chosen) < count:
        chosen.append(int(gaps.argmax()))
        gaps = np.minimum(gaps, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return chosen


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(2, 120), st.integers(1, 60))
def test_each_point_is_the_farthest_from_those_before(seed, size, count):
    # Whole numbers: every distance is exact, and ties happen.
    points = np.random.default_rng(seed).integers(-9, 10, (size, 3)).astype(np.float32)
    found = farthest_points(points, count)
    assert found.shape == (count,)
    if size > count:
        assert found.tolist() == plain(points, count)
    else:
        assert found.tolist() == [k % size for k in range(count)]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31))
def test_what_is_chosen_covers_the_cloud(seed):
    points = np.random.default_rng(seed).normal(size=(400, 3)).astype(np.float32)
    few, more = (points[farthest_points(points, count)] for count in (20, 80))

    def reach(chosen):
        return np.linalg.norm(points[:, None] - chosen, axis=2).min(axis=1).max()

    assert reach(more) < reach(few)
    # No two of them are nearer than the rest is to them: the property that defines the method.
    apart = np.linalg.norm(few[:, None] - few, axis=2)
    assert apart[~np.eye(len(few), dtype=bool)].min() >= reach(few) - 1e-5


def test_points_that_repeat_are_chosen_last():
    points = np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)
    assert {tuple(point) for point in points[farthest_points(points, 3)]} == {
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
    }


@pytest.mark.parametrize('wanted', [0, 1, 7, 30, 500])
def test_as_many_pixels_that_show_something_are_taken_as_are_wanted(wanted):
    depth, label, shown = speckled()
    index = shown_pixels(depth, label, wanted)
    assert len(index) == len(set(index)) == (min(wanted, len(shown)) or len(shown))
    assert np.isin(index, shown).all()
    if wanted in (0, 500):
        assert set(index) == set(shown)


def speckled():
    """A small image with gaps: depth, label, and the pixels that show something."""
    rng = np.random.default_rng(0)
    depth = np.where(rng.random((9, 11)) < 0.3, np.nan, 1.0).astype(np.float32)
    label = np.where(rng.random((9, 11)) < 0.2, UNSEEN, 0).astype(np.uint8)
    return depth, label, np.flatnonzero(np.isfinite(depth) & (label != UNSEEN))


SHAPES = [(480, 640), (477, 639), (720, 1280), (60, 80), (200, 30)]
# Some of these have a row hold about a whole number of equal shares, which once gave lines.
COUNTS = [100, 1024, 4096, 4320, 8192, 32768]
FEW = [(each, n) for each in SHAPES for n in COUNTS if each[0] * each[1] > 4 * n]


@pytest.mark.parametrize(('shape', 'wanted'), FEW)
@pytest.mark.parametrize('masked', [False, True])
def test_they_are_spread_evenly_over_the_image(shape, wanted, masked):
    depth, label = np.ones(shape, np.float32), np.zeros(shape, np.uint8)
    if masked:
        label[shape[0] // 3 : shape[0] // 2, shape[1] // 4 : shape[1] // 2] = UNSEEN
    share = float((label != UNSEEN).sum()) / wanted  # pixels for each
    index = shown_pixels(depth, label, wanted)
    chosen = np.zeros(shape, bool)
    chosen.reshape(-1)[index] = True
    far = distance_transform_edt(~chosen)[label != UNSEEN]
    assert far.max() <= 3.0 * np.sqrt(share) + 1.0
    assert far.mean() <= 0.6 * np.sqrt(share) + 0.5  # of a square grid 0.38, of lines far more
    # Larger parts have their shares, wherever they are.
    edge = max(8, int(4.0 * np.sqrt(share)))
    for top in range(0, shape[0] - edge, edge):
        for left in range(0, shape[1] - edge, edge):
            part = slice(top, top + edge), slice(left, left + edge)
            usual = (label[part] != UNSEEN).sum() / share
            assert abs(chosen[part].sum() - usual) <= 4.0 + 0.5 * usual


def test_what_a_hole_has_none_of_others_have_more_of():
    depth, label = np.ones((480, 640), np.float32), np.zeros((480, 640), np.uint8)
    reported = depth.copy()
    reported[100:300, 200:500] = np.nan
    index = shown_pixels(depth, label, 4096, reported)
    assert len(index) == len(set(index)) == 4096
    chosen = np.zeros(depth.shape, bool)
    chosen.reshape(-1)[index] = True
    assert not chosen[100:300, 200:500].any()
    parts, rows = (slice(0, 96), slice(304, 400), slice(400, 480)), (96, 96, 80)
    counts = [chosen[part].sum() for part in parts]
    usual = 4096 * 640 / (480 * 640 - 200 * 300)  # pixels of a row
    assert all(abs(n - usual * k) < 0.12 * usual * k for n, k in zip(counts, rows, strict=True))


def test_pixels_that_fill_up_keep_away_from_those_that_were_chosen():
    depth, label = np.ones((60, 80), np.float32), np.zeros((60, 80), np.uint8)
    reported = depth.copy()
    reported[:30] = np.nan
    index = np.sort(shown_pixels(depth, label, 240, reported))
    assert len(index) == len(set(index)) == 240
    counts = np.histogram2d(*np.divmod(index, 80), bins=(3, 4), range=((30, 60), (0, 80)))[0]
    assert (np.abs(counts - 20) <= 8).all()


def test_those_that_have_nothing_more_are_passed_over():
    after, live = np.arange(40), np.ones(40, bool)
    for gone in np.random.default_rng(2).permutation(40)[:-1]:
        after[gone], live[gone] = (gone + 1) % 40, False
        for start in range(40):
            around = (start + np.arange(40)) % 40
            assert next_helper(after, start) == around[live[around]][0]


@pytest.mark.parametrize('lost', [0.0, 0.3, 0.95, 1.0])
@pytest.mark.parametrize('wanted', [0, 1, 7, 30, 500])
def test_each_run_of_pixels_gives_the_first_that_is_reported(wanted, lost):
    depth, label, shown = speckled()
    gone = np.random.default_rng(1).random(depth.shape) < lost
    reported = np.where(gone, np.float32(np.nan), depth)
    good = np.isfinite(reported).reshape(-1)

    index = shown_pixels(depth, label, wanted, reported)

    left = int(good[shown].sum())
    assert len(index) == len(set(index)) == (min(wanted, left) if wanted else left)
    assert good[index].all()
    assert np.isin(index, shown).all()
    if wanted == 0:
        return
    starts, high = even_runs(depth, label, wanted)
    for first, end in itertools.pairwise(starts.tolist()):
        places = (pixel_at(place, high, depth.shape[1]) for place in range(first, end))
        run = [v * depth.shape[1] + u for v, u in places if v < depth.shape[0]]
        asked = [pixel for pixel in run if pixel in shown][:TRIES]
        found = [pixel for pixel in asked if good[pixel]]
        assert run[0] in shown
        assert not found or found[0] in index
