# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT, UNSEEN
from r2rgen_ros.parse.labelling import Labeller, draw_objects
from r2rgen_ros.parse.looks import Looks


def surface(block, spacing=0.0015):
    """Points (N, 3) all over a block."""
    half = np.array(block.size) / 2
    ticks = [np.arange(-h, h + spacing / 2, spacing) for h in half]
    grid = np.stack(np.meshgrid(*ticks, indexing='ij'), axis=-1).reshape(-1, 3)
    return grid[(np.abs(grid) > half - 0.6 * spacing).any(axis=1)]


def labeller(stage, looks=None):
    return Labeller(
        stage.looks() if looks is None else looks, [surface(block) for block in stage.blocks]
    )


def poses(stage, frame):
    return [block.path[frame] for block in stage.blocks]


def iou(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def two(staged, **stage):
    """A block that is an object, and one that nobody has named."""
    object_, other = (
        staged.Block(size, np.tile(place, (3, 1, 1)))
        for size, place in (
            ((0.10, 0.08, 0.08), staged.at(-0.15, 0.0, 0.04, 10.0)),
            ((0.10, 0.10, 0.20), staged.at(0.15, -0.02, 0.10)),
        )
    )
    return staged.Stage([object_], extras=[other], **stage)


def test_pixels_are_environment_objects_robot_or_unseen(staged):
    def torn(frame, depth, owner, rng):
        depth[:4] = np.nan
        return depth

    stage = two(staged, spoil=torn)
    looks = stage.looks()
    depth, truth = stage.seen(1)
    labels = labeller(stage).label(1, poses(stage, 1))
    assert labels.shape == depth.shape
    assert labels.dtype == np.uint8
    assert (labels[:4] == UNSEEN).all()
    below = np.arange(len(depth))[:, None] >= 4
    clear = (looks.behind.depth - depth > 0.02) & below  # not the foot, which blends into the table
    assert (labels[clear & (truth == 0)] == FIRST_OBJECT).mean() > 0.99
    assert (labels[clear & (truth == 1)] == ROBOT).mean() > 0.99
    assert (labels[below & (truth == -1)] == ENVIRONMENT).mean() > 0.995
    assert iou(labels == FIRST_OBJECT, (truth == 0) & below) > 0.95
    # Where the environment is unknown, an object is still an object, and the rest is the robot.
    blind = Looks(looks.ground, replace(looks.behind, depth=np.full_like(depth, np.nan)))
    labels = labeller(stage, blind).label(1, poses(stage, 1))
    assert (labels[clear & (truth == 0)] == FIRST_OBJECT).mean() > 0.99
    assert (labels[below & (truth != 0)] == ROBOT).mean() > 0.99


@pytest.mark.parametrize('growth', [0.001, 0.002, 0.003])
def test_a_plate_that_hardly_rises_above_the_table_is_labelled(staged, growth):
    path = np.tile(staged.at(0.02, 0.0, 0.005, 20.0), (3, 1, 1))
    stage = staged.Stage([staged.Block((0.16, 0.12, 0.01), path)], growth=growth)
    found = labeller(stage)
    for frame in range(3):
        labels = found.label(frame, poses(stage, frame))
        assert iou(labels == FIRST_OBJECT, stage.seen(frame)[1] == 0) >= 0.9


@pytest.mark.parametrize('share', [0.3, 0.9])
def test_holes_over_an_object_are_its_own_where_the_robot_is_known(staged, share):
    def glass(frame, depth, owner, rng):
        depth[(owner == 0) & (rng.random(depth.shape) < share)] = np.nan
        return depth

    for robot, is_filled in (('known', True), ('unseen', False)):
        stage = staged.carried(robot=robot, spoil=glass)
        depth, truth = stage.seen(2)
        labels = labeller(stage).label(2, poses(stage, 2))
        holes = np.isnan(depth) & (truth == 0)
        named = (labels[holes] == FIRST_OBJECT).mean()
        assert named > 0.95 if is_filled else named == 0.0
        assert (labels[holes] != ENVIRONMENT).all()
        assert (labels[np.isfinite(depth) & (truth == 0)] == FIRST_OBJECT).mean() > 0.95


def test_the_nearer_object_hides_the_farther(staged):
    one, behind = (
        staged.Block((0.08, 0.04, height), np.tile(staged.at(0.0, y, height / 2), (2, 1, 1)))
        for y, height in ((-0.06, 0.10), (0.02, 0.06))
    )
    stage = staged.Stage([one, behind])
    looks = stage.looks()
    depth, truth = stage.seen(0)
    drawn, on = draw_objects(looks, 0, depth, [surface(one), surface(behind)], poses(stage, 0))
    for k in (0, 1):
        assert iou(on & (drawn.owner == k), truth == k) > 0.9


def test_a_stranger_is_told_and_the_hand_is_not(staged):
    person = staged.between(
        (0, staged.at(0.6, -0.1, 0.15)), (14, staged.at(0.6, -0.1, 0.15)),
        (18, staged.at(0.2, -0.1, 0.15)), (29, staged.at(0.6, -0.1, 0.15)),
    )  # fmt: skip
    arm = staged.Block((0.25, 0.08, 0.08), person)
    stage = staged.carried(robot='known', extras=[arm])
    found = labeller(stage)
    for frame in (2, 10, 18, 19):
        found.label(frame, poses(stage, frame))
    assert found.strangers == [18, 19]


def test_the_environment_is_the_mean_of_what_was_seen_of_it(staged):
    stage = two(staged, growth=0.003)
    found = labeller(stage)
    for frame in range(3):
        found.label(frame, poses(stage, frame))
    depth, truth = stage.exact([], 0)[0], stage.seen(0)[1]
    mean = found.environment()
    table = (truth == -1) & np.isfinite(mean)
    assert np.isnan(mean[truth == 0]).mean() > 0.9
    one = np.abs(stage.seen(0)[0] - depth)[table].mean()
    assert np.abs(mean - depth)[table].mean() < 0.7 * one
