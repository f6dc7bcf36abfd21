# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.point_groups import PointGroups
from r2rgen_ros.geometry.polygon import contains, half_planes

SQUARE = np.array([[-0.2, -0.2], [0.2, -0.2], [0.2, 0.2], [-0.2, 0.2]])
MARGIN = 0.1


@pytest.fixture(params=range(4))
def parts(request):
    rng = np.random.default_rng(request.param)
    return [rng.uniform(-0.1, 0.1, (count, 3)) for count in (200, 1, 0, 57)]


def test_no_point_is_lost_and_each_lies_in_the_balls_of_its_group_and_body(parts):
    groups = PointGroups.of(parts)
    assert len(groups) == len(parts)
    for body, (part, found) in enumerate(zip(parts, groups.parts(), strict=True)):
        assert sorted(map(tuple, part)) == sorted(map(tuple, found))
        if len(part):
            away = np.linalg.norm(part - groups.body_centres[body], axis=1)
            assert away.max() <= groups.body_radii[body] + 1e-12
        for group in range(groups.bodies[body], groups.bodies[body + 1]):
            inside = groups.points[groups.starts[group] : groups.starts[group + 1]]
            assert len(inside)
            away = np.linalg.norm(inside - groups.centres[group], axis=1)
            assert away.max() <= groups.radii[group] + 1e-12
    again = PointGroups.of(list(groups.parts()))
    np.testing.assert_array_equal(again.points, groups.points)


def test_the_lowest_height_counts_over_the_part_of_the_plane_alone(parts):
    rng = np.random.default_rng(9)
    turns = se3.rotation_about([1.0, 0.0, 0.0], rng.uniform(-3, 3, (len(parts), 30)))
    poses = se3.compose(turns, rng.uniform(-0.3, 0.3, (len(parts), 30, 3)))
    normals, limits = half_planes(SQUARE)
    sides = np.column_stack([normals, np.zeros(len(normals))])
    plane = np.array([0.0, 0.0, 1.0]), -0.05, sides, limits

    groups = PointGroups.of(parts)
    found = groups.lowest(poses, *plane, MARGIN)
    roughly = groups.lowest(poses, *plane, MARGIN, 0.02)

    for body, part in enumerate(parts):
        for frame in range(30):
            points = se3.apply(poses[body, frame], part)
            over = points[contains(SQUARE, points[:, :2])]
            truth = min(MARGIN, float((over[:, 2] + 0.05).min(initial=MARGIN)))
            assert found[body, frame] == pytest.approx(truth, abs=1e-12)
            assert min(roughly[body, frame], 0.02) == pytest.approx(min(truth, 0.02), abs=1e-12)
    assert (found < 0.0).any()
    assert (found == MARGIN).any()
