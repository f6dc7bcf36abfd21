# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.distance_field import DistanceField
from r2rgen_ros.geometry.point_groups import PointGroups

SPACING, MARGIN = 0.005, 0.06


def sphere(radius=0.05, count=20000):
    points = np.random.default_rng(0).normal(size=(count, 3))
    return radius * points / np.linalg.norm(points, axis=1, keepdims=True)


def places(count=2000, reach=0.1):
    return np.random.default_rng(1).uniform(-reach, reach, (count, 3))


def at(field, points):
    """Distances of points, each a body of its own."""
    points = np.asarray(points, dtype=float)
    still = np.tile(np.eye(4), (len(points), 1, 1, 1))
    return field.nearest(PointGroups.of(list(points[:, None])), still)[:, 0]


def test_distances_are_those_of_the_nearest_point():
    points = sphere(count=500)
    field = DistanceField.around(points, SPACING, MARGIN)
    truth = np.minimum(cKDTree(points).query(places())[0], MARGIN)
    assert np.abs(at(field, places()) - truth).max() < np.sqrt(3.0) * SPACING


def test_inside_what_is_closed_the_distance_is_negative():
    field = DistanceField.around(sphere(), SPACING, MARGIN, closed=True)
    truth = np.minimum(np.linalg.norm(places(), axis=1) - 0.05, MARGIN)
    assert np.abs(at(field, places()) - truth).max() < np.sqrt(3.0) * SPACING
    open_field = DistanceField.around(sphere(), SPACING, MARGIN)
    assert at(open_field, np.zeros((1, 3)))[0] > 0.04


def test_outside_the_grid_the_distance_is_the_margin():
    field = DistanceField.around(sphere(), SPACING, MARGIN)
    assert (at(field, [[1.0, 0.0, 0.0], [0.0, -5.0, 0.0]]) == MARGIN).all()


@pytest.mark.parametrize('seed', range(5))
def test_moving_bodies_are_as_far_as_the_nearest_of_their_points(seed):
    rng = np.random.default_rng(seed)
    field = DistanceField.around(sphere(), SPACING, MARGIN, closed=True)
    parts = [rng.uniform(-0.03, 0.03, (count, 3)) for count in (30, 40)]
    turns = se3.rotation_about([0.0, 0.0, 1.0], rng.uniform(-3, 3, (2, 9)))
    poses = se3.compose(turns, rng.uniform(-0.15, 0.15, (2, 9, 3)))
    found = field.nearest(PointGroups.of(parts), poses)
    roughly = field.nearest(PointGroups.of(parts), poses, 0.01)
    for body, part in enumerate(parts):
        for frame in range(9):
            truth = at(field, se3.apply(poses[body, frame], part)).min()
            assert found[body, frame] == pytest.approx(truth, abs=1e-9)
            assert min(roughly[body, frame], 0.01) == pytest.approx(min(truth, 0.01), abs=1e-9)
    assert (found == MARGIN).any()
    assert (found < 0.01).any()


def test_a_body_without_points_touches_nothing():
    field = DistanceField.around(sphere(), SPACING, MARGIN)
    nothing = PointGroups.of([np.zeros((0, 3))])
    found = field.nearest(nothing, np.tile(np.eye(4), (1, 3, 1, 1)))
    assert (found == MARGIN).all()


def test_what_makes_no_field_is_told():
    with pytest.raises(ValueError, match='no points'):
        DistanceField.around(np.zeros((0, 3)), SPACING, MARGIN)
    with pytest.raises(ValueError, match='nodes'):
        DistanceField.around([[0.0, 0.0, 0.0], [100.0, 100.0, 100.0]], SPACING, MARGIN)
