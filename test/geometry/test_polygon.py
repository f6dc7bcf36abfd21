# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry.polygon import contains, convex_hull, gap, overhang

seeds = st.integers(0, 2**31)


def heap(seed, count=12, centre=(0.0, 0.0)):
    return np.random.default_rng(seed).normal(size=(count, 2)) * 0.1 + centre


def area(corners):
    x, y = corners.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2.0


@given(seeds, st.integers(3, 40))
def test_a_hull_holds_its_points_and_goes_round_counter_clockwise(seed, count):
    points = heap(seed, count)
    hull = convex_hull(points)
    assert area(hull) > 0.0
    assert contains(hull, points).all()
    assert {tuple(corner) for corner in hull} <= {tuple(point) for point in points}
    assert np.allclose(area(convex_hull(hull)), area(hull))


@pytest.mark.parametrize('points', [[[0, 0]], [[0, 0], [1, 1]], [[0, 0], [1, 1], [2, 2]]])
def test_a_sliver_has_a_small_area(points):
    points = np.array(points, dtype=float)
    hull = convex_hull(points)
    assert 0.0 < area(hull) < 0.001
    assert contains(hull, points).all()


@given(seeds)
def test_what_is_inside_is_a_mean_of_the_corners(seed):
    rng = np.random.default_rng(seed)
    hull = convex_hull(heap(seed))
    inside = rng.dirichlet(np.ones(len(hull)), 20) @ hull
    assert contains(hull, inside).all()
    centre = hull.mean(axis=0)
    outside = centre + 1.01 * (hull - centre)
    assert not contains(hull, outside).any()
    assert not contains(hull, np.array([[np.nan, 0.0]])).any()
    assert overhang(inside, hull) <= 1e-12
    assert overhang(outside, hull) > 0.0


@settings(max_examples=60)
@given(seeds, st.floats(0.0, 6.28), st.floats(0.0, 1.0))
def test_two_polygons_overlap_exactly_where_no_line_separates_them(seed, heading, distance):
    first = convex_hull(heap(seed))
    toward = np.array([np.cos(heading), np.sin(heading)])
    second = convex_hull(heap(seed + 1) + distance * toward)
    apart = gap(first, second)
    assert apart == pytest.approx(gap(second, first))
    # Dense samples of both: the least distance between them bounds the gap from above.
    rng = np.random.default_rng(seed)
    a, b = (rng.dirichlet(np.full(len(p), 0.4), 400) @ p for p in (first, second))
    if apart > 1e-9:
        assert not contains(first, b).any()
        assert np.linalg.norm(a[:, None] - b, axis=2).min() >= apart - 1e-9
    elif apart < -0.01:
        # Moving along any direction by less than the depth keeps them overlapping.
        for turn in np.linspace(0, 6.28, 9):
            step = 0.99 * -apart * np.array([np.cos(turn), np.sin(turn)])
            assert gap(first, second + step) < 0.0


def test_gap_and_overhang_of_squares_are_those_of_the_ruler():
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert gap(square, square + np.array([1.5, 0.0])) == pytest.approx(0.5)
    assert gap(square, square + np.array([0.75, 0.0])) == pytest.approx(-0.25)
    assert overhang(square + np.array([0.25, 0.0]), square) == pytest.approx(0.25)
    assert overhang(square * 0.5 + 0.25, square) == pytest.approx(-0.25)
