# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT, UNSEEN
from r2rgen_ros.sense.border import extend
from r2rgen_ros.sense.unseen import could_be, never_seen, seen_far_off, unseen_share

CAMERA = PinholeCamera(64, 48, 60.0, 60.0, 31.5, 23.5)
WALL = np.full((48, 64), 2.0, dtype=np.float32)


def test_a_camera_that_did_not_move_sees_nothing_new():
    rough = np.random.default_rng(0).uniform(0.5, 3.0, WALL.shape).astype(np.float32)
    rough[10:20, 30:40] = np.nan

    assert not never_seen(rough, CAMERA, np.eye(4), CAMERA).any()


def test_a_camera_that_turns_sees_what_was_beside_the_image():
    # Looking at a wall, a move by 0.4 m aside is 12 of 64 columns.
    aside = se3.compose(np.eye(3), [-0.4, 0.0, 0.0])

    unseen = never_seen(WALL, CAMERA, aside, CAMERA)

    assert unseen[:, 52:].all()
    assert not unseen[:, :52].any()


@pytest.mark.parametrize('nearer', [0.3, 1.2, 1.7])
def test_a_camera_that_comes_nearer_sees_no_gaps(nearer):
    closer = se3.compose(np.eye(3), [0.0, 0.0, -nearer])

    assert not never_seen(WALL, CAMERA, closer, CAMERA).any()


def test_what_stood_behind_something_was_not_seen():
    depth = WALL.copy()
    depth[16:32, 20:40] = 1.0  # a board before the wall; its shadow on the wall is as large
    aside = se3.compose(np.eye(3), [-0.2, 0.0, 0.0])

    unseen = never_seen(depth, CAMERA, aside, CAMERA)

    # The wall moves by 6 columns and the board by 12: between the two nothing is known.
    inside = unseen[16:32, 8:58]
    columns = np.flatnonzero(inside.all(axis=0)) + 8
    assert columns.min() == pytest.approx(28, abs=1)
    assert columns.max() == pytest.approx(33, abs=1)


def test_objects_and_robot_hide_what_was_never_seen():
    label = np.full((4, 4), ENVIRONMENT, dtype=np.uint8)
    unseen = np.zeros((4, 4), dtype=bool)
    unseen[:, 2:] = True
    label[0, 2:] = [ROBOT, FIRST_OBJECT]
    label[1, 2:] = UNSEEN

    assert unseen_share(label, unseen) == 6 / 16
    assert unseen_share(label) == 2 / 16


def test_nothing_can_be_where_the_source_looked_through():
    depth = WALL.copy()
    depth[:, :20] = np.nan
    points = np.array([[0.0, 0.0, 1.5], [0.0, 0.0, 2.0], [0.0, 0.0, 3.0], [5.0, 0.0, 1.5]])
    unknown = np.array([[-0.6, 0.0, 1.5]])

    assert could_be(points, depth, CAMERA, np.eye(4)).tolist() == [False, True, True, True]
    assert could_be(unknown, depth, CAMERA, np.eye(4)).all()
    moved = se3.compose(np.eye(3), [0.0, 0.0, 0.6])
    assert could_be(points[:1], depth, CAMERA, moved).all()


def test_what_comes_out_from_behind_a_board_is_the_wall_and_not_more_board():
    depth = WALL.copy()
    depth[:, :32] = 1.0  # a board, whose front is the support plane
    aside = se3.compose(np.eye(3), [-0.1, 0.0, 0.0])
    unseen = never_seen(depth, CAMERA, aside, CAMERA)
    seen = np.full(WALL.shape, np.nan, dtype=np.float32)
    seen[:, :26], seen[:, 29:61] = 1.0, 2.0
    hole = unseen & np.isnan(seen)
    hole[:, 40:] = False
    plane = np.array([0.0, 0.0, 1.0]), 1.0

    def allowed(points):
        return could_be(points, depth, CAMERA, se3.inverse(aside))

    plain, _ = extend(CAMERA, seen, hole, plane)
    filled, lender = extend(CAMERA, seen, hole, plane, allowed)

    assert hole.any()
    assert (plain == 1.0).any()  # without knowing better, the board goes on
    assert (filled == 2.0).all()
    assert (seen.reshape(-1)[lender] == 2.0).all()


def test_what_has_no_depth_keeps_its_colour_in_its_direction():
    depth = WALL.copy()
    depth[:, :20] = np.nan
    colour = np.zeros((48, 64, 3), dtype=np.uint8)
    colour[:, :20], colour[:, 20:] = (10, 20, 30), (200, 0, 0)

    same = seen_far_off(colour, depth, CAMERA, np.eye(4))
    assert (same[:, :20] == (10, 20, 30)).all()
    assert (same[:, 20:] == 0).all()
    # At the largest depth, 2 m, a move by 0.2 m is 6 columns.
    moved = seen_far_off(colour, depth, CAMERA, se3.compose(np.eye(3), [-0.2, 0.0, 0.0]))
    assert (moved[:, 7:25] == (10, 20, 30)).all()
    assert (moved[:, :5] == 0).all()
    assert (moved[:, 27:] == 0).all()
