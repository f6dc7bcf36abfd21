# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np

from r2rgen_ros.parse.looks import Looks, front


def resting(staged, **stage):
    path = np.tile(staged.at(0.02, 0.0, 0.03, 20.0), (3, 1, 1))
    return staged.Stage([staged.Block((0.08, 0.05, 0.06), path)], **stage)


def test_only_what_lies_before_the_environment_is_shown(staged):
    stage = resting(staged)
    look = stage.looks()(1)
    truth = stage.seen(1)[1].reshape(-1) == 0
    assert truth[look.index].mean() > 0.98
    assert len(look.index) > 0.9 * truth.sum()  # all but the foot
    local = look.points - stage.blocks[0].path[1][:3, 3]
    assert np.quantile(np.abs(local), 0.99) < 0.06  # noise throws a point out now and then
    assert np.array_equal(look.camera2base, stage.pose)


def test_more_noise_asks_for_more_distance(staged):
    quiet, loud = (resting(staged, growth=growth).looks() for growth in (0.0005, 0.004))
    assert (loud.front > quiet.front).mean() > 0.5
    far = quiet.behind.depth > np.median(quiet.behind.depth)
    assert loud.front[far].mean() > loud.front[~far].mean()
    assert front(quiet.ground.support, quiet.behind).min() >= 0.004
    assumed = replace(staged.support, residual=float('nan'))
    assert np.isfinite(front(assumed, quiet.behind)).all()


def test_before_an_unknown_environment_everything_counts(staged):
    looks = resting(staged).looks()
    blind = Looks(looks.ground, replace(looks.behind, depth=np.full_like(looks.front, np.nan)))
    depth = looks.depth(0).copy()
    depth[:5] = np.nan
    assert np.array_equal(blind.before(depth), np.isfinite(depth))
    assert not looks.before(depth)[:5].any()


def test_the_robot_is_left_out_where_it_is_known(staged):
    stage = staged.carried(robot='seen')
    assert stage.looks().robot(10) is None
    assert (stage.seen(10)[1].reshape(-1)[stage.looks()(10).index] > 0).sum() > 1000
    stage = staged.carried(robot='known')
    looks = stage.looks()
    owner = stage.seen(10)[1]
    found = looks.robot(10)
    assert (found & (owner > 0)).sum() / (found | (owner > 0)).sum() > 0.95
    look = looks(10)
    assert (owner.reshape(-1)[look.index] == 0).mean() > 0.95
    assert np.isnan(look.depth[found]).all()
    assert np.isfinite(looks.depth(10)[found]).all()  # the image itself is left alone


def test_a_look_is_the_same_each_time(staged):
    looks = resting(staged).looks()
    one, two = looks(2), looks(2)
    assert np.array_equal(one.points, two.points)
    assert np.array_equal(one.depth, two.depth, equal_nan=True)
