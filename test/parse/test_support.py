# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.support import assumed_support, fit_support


def tilted(rng, tilt, heading, height):
    """Table to base (4, 4): turned about a level axis and raised."""
    axis = np.array([np.cos(heading), np.sin(heading), 0.0])
    return se3.compose(se3.rotation_about(axis, tilt), [0.4, -0.1, height])


def slab(rng, count, x, y, noise=0.0):
    points = np.stack([rng.uniform(*x, count), rng.uniform(*y, count), np.zeros(count)], axis=1)
    points[:, 2] += rng.normal(0.0, noise, count) if noise else 0.0
    return points


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**31),
    st.floats(0.0, 0.35),
    st.floats(0.0, 6.2),
    st.floats(-1.0, 1.0),
    st.floats(0.0, 0.0015),
    st.floats(0.0, 0.5),
)
def test_a_tilted_table_is_found_through_noise_and_clutter(
    seed, tilt, heading, height, noise, clutter
):
    rng = np.random.default_rng(seed)
    table2base = tilted(rng, tilt, heading, height)
    flat = slab(rng, 3000, (-0.5, 0.5), (-0.4, 0.4), noise)
    above = rng.uniform([-0.4, -0.3, 0.02], [0.4, 0.3, 0.4], (int(3000 * clutter), 3))
    support = fit_support(se3.apply(table2base, np.concatenate([flat, above])))
    angle = np.arccos(np.clip(support.normal @ table2base[:3, 2], -1.0, 1.0))
    assert np.rad2deg(angle) < 0.3
    assert abs(float(support.height(table2base[None, :3, 3])[0])) < 0.001
    assert support.residual == pytest.approx(noise, abs=4e-4)
    corners = se3.apply(se3.inverse(table2base), support.outline)
    assert np.abs(corners[:, 0]).max() == pytest.approx(0.5, abs=0.03)
    assert np.abs(corners[:, 1]).max() == pytest.approx(0.4, abs=0.03)
    assert np.allclose(support.height(support.outline), 0.0, atol=1e-9)


def test_the_same_points_give_the_same_plane():
    points = slab(np.random.default_rng(0), 9000, (-0.5, 0.5), (-0.5, 0.5), 0.001)
    first, second = fit_support(points), fit_support(points)
    assert np.array_equal(first.normal, second.normal)
    assert np.array_equal(first.outline, second.outline)


def test_what_lies_in_the_plane_but_apart_is_no_support():
    rng = np.random.default_rng(3)
    table = slab(rng, 6000, (-0.4, 0.4), (-0.4, 0.4), 0.0005)
    wall = np.stack(
        [np.full(3000, 1.2), rng.uniform(-0.8, 0.8, 3000), rng.uniform(-0.1, 0.8, 3000)], axis=1
    )
    support = fit_support(np.concatenate([table, wall]))
    assert support.normal[2] > 0.9999
    assert support.outline[:, 0].max() < 0.45


def test_a_table_against_a_wall_is_found_not_the_wall():
    rng = np.random.default_rng(4)
    table = slab(rng, 4000, (-0.4, 0.4), (-0.4, 0.4), 0.0005)
    wall = np.stack(
        [np.full(9000, 0.4), rng.uniform(-1.0, 1.0, 9000), rng.uniform(0.0, 1.0, 9000)], axis=1
    )
    support = fit_support(np.concatenate([table, wall]))
    assert support.normal[2] > 0.9999
    assert abs(support.offset) < 0.001


def test_a_plate_is_no_support():
    rng = np.random.default_rng(5)
    assert fit_support(slab(rng, 4000, (-0.12, 0.12), (-0.12, 0.12), 0.0005)) is None


def test_a_shelf_above_most_of_what_is_seen_is_no_support():
    rng = np.random.default_rng(6)
    shelf = slab(rng, 2000, (-0.5, 0.5), (-0.4, 0.4)) + np.array([0, 0, 0.5])
    below = rng.uniform([-0.5, -0.4, 0.0], [0.5, 0.4, 0.4], (4000, 3))
    assert fit_support(np.concatenate([shelf, below])) is None


@pytest.mark.parametrize('shape', ['wall', 'line', 'point', 'few', 'nothing', 'haze'])
def test_where_there_is_no_plane_none_is_found(shape):
    rng = np.random.default_rng(7)
    points = {
        'wall': slab(rng, 4000, (-0.5, 0.5), (-0.4, 0.4))[:, [0, 2, 1]],
        'line': np.stack([np.linspace(0, 1, 500)] * 3, axis=1) * [1, 0, 0],
        'point': np.ones((500, 3)),
        'few': slab(rng, 49, (-0.5, 0.5), (-0.4, 0.4)),
        'nothing': np.zeros((0, 3)),
        'haze': rng.uniform(-1, 1, (6000, 3)),
    }[shape]
    assert fit_support(points) is None


def test_an_assumed_plane_lies_level_under_everything_and_says_so():
    rng = np.random.default_rng(8)
    points = rng.uniform([0.3, -0.2, 0.05], [0.6, 0.2, 0.3], (2000, 3))
    support = assumed_support(points, points, 0.15)
    assert np.isnan(support.residual)
    assert support.normal.tolist() == [0.0, 0.0, 1.0]
    assert (support.height(points) > -0.001).mean() > 0.99
    assert support.offset == pytest.approx(0.05, abs=0.002)
    assert support.outline.min(axis=0)[:2] == pytest.approx([0.15, -0.35], abs=0.01)
