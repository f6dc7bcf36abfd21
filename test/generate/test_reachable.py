# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Maps of where a skill can be moved to agree with what the arm reaches when it is tried."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.path import Path

from r2rgen_ros.generate.reachable import CELL, explore, moves_of
from r2rgen_ros.generate.sampling import move_transform, skill_centre
from r2rgen_ros.model.episode import PlanarMove
from r2rgen_ros.parse.robot import robot_of

LOW, HIGH = np.array([-0.4, -0.4, -np.pi]), np.array([0.4, 0.4, np.pi])


def _frames(skill):
    return [skill.first, (skill.first + skill.last) // 2, skill.last]


def _explore(scene, index, low, high):
    skill, centre = scene.annotation.skills[index], skill_centre(scene, index)
    return explore(scene, robot_of(scene.demo), _frames(skill), centre, (low, high))


def _middles(found):
    """Moves (N, 3) in the middle of all cells, and whether each is reached (N,)."""
    shape = np.array(found.cells.shape)
    cells = np.stack(np.meshgrid(*map(np.arange, shape), indexing='ij'), axis=-1).reshape(-1, 3)
    return found.low + (cells + 0.5) * (found.high - found.low) / shape, found.cells.reshape(-1)


def _transforms(scene, centre, moves):
    return np.array([move_transform(scene.support, centre, PlanarMove(*move)) for move in moves])


@pytest.fixture(scope='module', params=[0, 1], ids=['pick', 'place'])
def explored(request, virtual_scene):
    """A skill's index and its map over a wide range."""
    return request.param, _explore(virtual_scene, request.param, LOW, HIGH)


def test_what_the_arm_follows_all_along_a_moved_skill_is_reached_and_little_else(
    virtual_scene, explored
):
    index, found = explored
    demo, skill = virtual_scene.demo, virtual_scene.annotation.skills[index]
    robot, span = robot_of(demo), slice(skill.first, skill.last + 1)
    names, seeds = demo.joints.names, demo.joints.positions[span]
    moves, reached = _middles(found)
    chosen = np.random.default_rng(0).choice(len(moves), 80, replace=False)
    changes = _transforms(virtual_scene, found.centre, moves[chosen])
    on_table = [_on_table(virtual_scene, found.centre, move) for move in moves[chosen]]
    hands = robot.forward(names, seeds)

    followed = np.array(
        [robot.solve_path(names, change @ hands, seeds).first_failed < 0 for change in changes]
    )

    expected = followed & on_table
    assert 10 < expected.sum() < 75
    # Nothing is lost, and what is promised is nearly always kept.
    assert reached[chosen][expected].all()
    assert expected[reached[chosen]].mean() > 0.9


def _on_table(scene, centre, move):
    outline = Path(scene.support.to_plane(scene.support.outline))
    return outline.contains_point(scene.support.to_plane(centre) + np.asarray(move)[:2])


def test_where_it_was_demonstrated_is_reached_and_far_outside_is_not(virtual_scene):
    for index in (0, 1):
        found = _explore(
            virtual_scene, index, np.array([-1.5, -1.5, 0.0]), np.array([1.5, 1.5, 0.0])
        )
        moves, reached = _middles(found)
        away = np.linalg.norm(moves[:, :2], axis=1)
        places = found.centre[:2] + moves[:, :2] @ virtual_scene.support.axes[:, :2]
        assert reached[away < 0.12].all()
        # The arm is 0.855 m long, and the hand is held up above the table.
        assert not reached[np.linalg.norm(places, axis=1) > 0.86].any()
        # Nor is what is beside the table, which ends 24 cm behind the base.
        outline = Path(virtual_scene.support.to_plane(virtual_scene.support.outline))
        assert not reached[~outline.contains_points(places, radius=0.02)].any()
        assert found.allows(np.eye(4)[None])[0]


def test_the_map_covers_the_range_with_cells_of_at_most_a_given_size(virtual_scene):
    low, high = np.array([-0.05, -0.13, 0.0]), np.array([0.1, 0.12, 1.0])
    found = _explore(virtual_scene, 0, low, high)

    assert found.cells.shape == (2, 3, 3)
    assert ((high - low) / found.cells.shape <= np.array(CELL) + 1e-12).all()
    np.testing.assert_array_equal(found.low, low)
    np.testing.assert_array_equal(found.high, high)


def test_the_map_of_a_part_of_the_range_agrees_with_the_map_of_all(virtual_scene, explored):
    index, wide = explored
    # The half in the middle has the same cells along x and y, and half of those of the turn.
    low, high = np.array([-0.2, -0.2, -np.pi]), np.array([0.2, 0.2, np.pi])

    narrow = _explore(virtual_scene, index, low, high)

    assert narrow.cells.shape == (4, 4, 18)
    np.testing.assert_array_equal(narrow.cells, wide.cells[2:-2, 2:-2])


def test_a_range_without_width_is_one_cell_that_holds_it(virtual_scene):
    found = _explore(virtual_scene, 0, np.zeros(3), np.zeros(3))

    assert found.cells.shape == (1, 1, 1)
    assert found.allows(np.eye(4)[None])[0]
    nudged = _transforms(virtual_scene, found.centre, [(0.01, 0.0, 0.0)])
    assert not found.allows(nudged)[0]


def test_a_range_that_leaves_out_the_demonstration_is_explored_from_its_end(virtual_scene):
    low, high = np.array([0.05, 0.0, 0.2]), np.array([0.15, 0.1, 0.5])

    found = _explore(virtual_scene, 0, low, high)

    assert found.cells.all()
    assert not found.allows(np.eye(4)[None])[0]


def test_a_range_far_from_the_demonstration_is_found_as_within_a_wide_one(virtual_scene, explored):
    index, wide = explored
    moves, reached = _middles(wide)
    half = 0.5 * (wide.high - wide.low) / wide.cells.shape
    far = moves[reached][np.argsort(-np.abs(moves[reached, 2]))[:6]]
    assert (np.abs(far[:, 2]) > 2.0).all()

    found = [_explore(virtual_scene, index, move - half, move + half) for move in far]

    assert all(one.cells.shape == (1, 1, 1) and one.cells.all() for one in found)


def test_transforms_outside_the_range_are_not_allowed_and_inside_it_cells_decide(
    virtual_scene, explored
):
    _, found = explored
    moves, reached = _middles(found)
    rng = np.random.default_rng(1)
    within = moves + rng.uniform(-0.45, 0.45, moves.shape) * (HIGH - LOW) / found.cells.shape

    allowed = found.allows(_transforms(virtual_scene, found.centre, within))
    outside = found.allows(
        _transforms(
            virtual_scene,
            found.centre,
            [(0.41, 0.0, 0.0), (0.0, -0.41, 0.0), (-0.5, 0.5, 1.0), (5.0, 0.0, 0.0)],
        )
    )

    np.testing.assert_array_equal(allowed, reached)
    assert not outside.any()


def test_a_turn_beyond_the_range_is_not_allowed(virtual_scene):
    found = _explore(virtual_scene, 0, np.array([0, 0, -0.5]), np.array([0, 0, 0.5]))
    turns = _transforms(virtual_scene, found.centre, [(0, 0, a) for a in (-0.6, -0.4, 0.4, 0.6)])

    assert found.allows(turns).tolist() == [False, True, True, False]


def test_rounding_does_not_leave_a_range_without_width(virtual_scene):
    found = _explore(virtual_scene, 0, np.array([0, 0, -0.5]), np.array([0, 0, 0.5]))
    moves = np.random.default_rng(0).uniform(-1e-12, 1e-12, (50, 3))

    assert found.allows(_transforms(virtual_scene, found.centre, moves)).all()


def test_moves_are_read_off_the_transforms_that_they_make(virtual_scene):
    support, centre = virtual_scene.support, np.array([0.4, -0.2, 0.1])
    moves = np.random.default_rng(2).uniform(-1.0, 1.0, (30, 3)) * [1.0, 1.0, 3.1]

    transforms = _transforms(virtual_scene, centre, moves)

    np.testing.assert_allclose(moves_of(transforms, support, centre), moves, atol=1e-12)
