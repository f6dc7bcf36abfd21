# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.model.scene import UNSEEN
from r2rgen_ros.sense.sampling import farthest_points, shown_pixels


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
def test_pixels_that_show_something_are_spread_evenly(wanted):
    rng = np.random.default_rng(0)
    depth = np.where(rng.random((9, 11)) < 0.3, np.nan, 1.0).astype(np.float32)
    label = np.where(rng.random((9, 11)) < 0.2, UNSEEN, 0).astype(np.uint8)
    shown = np.flatnonzero(np.isfinite(depth) & (label != UNSEEN))

    index = shown_pixels(depth, label, wanted)

    count = len(shown) if wanted == 0 else min(wanted, len(shown))
    assert np.array_equal(index, shown[np.arange(count) * len(shown) // count])


def test_pixels_that_fill_up_keep_away_from_those_that_were_chosen():
    depth, label = np.ones((60, 80), np.float32), np.zeros((60, 80), np.uint8)
    reported = depth.copy()
    reported[:30] = np.nan
    index = shown_pixels(depth, label, 240, reported)
    assert len(index) == 240
    assert np.diff(index).min() >= 5  # of 10 on average


@pytest.mark.parametrize('lost', [0.0, 0.3, 0.95, 1.0])
@pytest.mark.parametrize('wanted', [0, 1, 7, 30, 500])
def test_each_run_of_pixels_gives_the_first_that_is_reported(wanted, lost):
    rng = np.random.default_rng(0)
    depth = np.where(rng.random((9, 11)) < 0.3, np.nan, 1.0).astype(np.float32)
    label = np.where(rng.random((9, 11)) < 0.2, UNSEEN, 0).astype(np.uint8)
    reported = np.where(rng.random((9, 11)) < lost, np.nan, depth).astype(np.float32)
    shown = np.flatnonzero(np.isfinite(depth) & (label != UNSEEN))
    good = np.isfinite(reported).reshape(-1)

    index = shown_pixels(depth, label, wanted, reported)

    left = int(good[shown].sum())
    assert len(index) == (min(wanted, left) if wanted else left)
    assert (np.diff(index) > 0).all()
    assert good[index].all()
    assert np.isin(index, shown).all()
    runs = min(wanted, len(shown)) or len(shown)
    starts = np.append(np.arange(runs) * len(shown) // runs, len(shown))
    for first, end in itertools.pairwise(starts):
        run = shown[first:end]
        assert not good[run].any() or run[good[run]][0] in index
