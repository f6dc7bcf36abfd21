# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Drawing only what may come to something: no hopeless samples, and no others are lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.generate.assemble import Assembler, object_changes
from r2rgen_ros.generate.config import (
    CameraConfig,
    FeasibilityConfig,
    GenerateConfig,
    MoveRange,
    PerturbationConfig,
    SamplingConfig,
)
from r2rgen_ros.generate.feasibility import PlaneCheck
from r2rgen_ros.generate.prior import moves_in
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.model.episode import Episode, PlanarMove, Rejection, Variation

WIDE = MoveRange((-0.4, 0.4), (-0.4, 0.4), (-180.0, 180.0))
NARROW = MoveRange((-0.03, 0.03), (-0.03, 0.03), (-10.0, 10.0))


def _config(ranges=WIDE, learn=True, base=None, count=1):
    sampling = SamplingConfig(ranges=ranges, learn=learn)
    if base is not None:
        sampling = replace(sampling, base=base)
    return GenerateConfig(
        sampling=sampling,
        perturbation=PerturbationConfig(count=count),
        feasibility=FeasibilityConfig(collisions=False),
        camera=CameraConfig(mode='off'),
    )


@pytest.fixture(scope='module')
def learnt(virtual_scene):
    """Draws from the wide range what may come to something; it learns that once."""
    return Sampler.create(virtual_scene, _config(), 0)


def _variations(scene, config, count, seed=0):
    sampler = Sampler.create(scene, config, seed)
    return [sampler.variation(index) for index in range(count)]


def _fits_the_plane(scene, variation):
    check = PlaneCheck.create(scene, FeasibilityConfig())
    return check.check(variation, object_changes(scene, variation.transforms)) is None


def test_only_who_learns_draws_nothing_but_what_the_plane_allows(virtual_scene, learnt):
    drawn = [learnt.variation(k) for k in range(60)]
    careless = _variations(virtual_scene, _config(learn=False), 60)

    assert all(isinstance(one, Variation) for one in drawn)
    assert all(_fits_the_plane(virtual_scene, one) for one in drawn)
    assert not all(_fits_the_plane(virtual_scene, one) for one in careless)


def test_only_who_learns_draws_nothing_but_what_the_maps_allow(virtual_scene, learnt):
    drawn = [learnt.variation(k).transforms for k in range(60)]
    careless = [one.transforms for one in _variations(virtual_scene, _config(learn=False), 60)]

    assert set(learnt._prior.maps) == {0, 1}
    for index, reach in learnt._prior.maps.items():
        assert reach.allows(np.array(drawn)[:, index]).all()
        assert not reach.allows(np.array(careless)[:, index]).all()


def test_without_kinematics_the_plane_is_learnt_all_the_same(table_scene):
    drawn = _variations(table_scene, _config(), 40)
    careless = _variations(table_scene, _config(learn=False), 40)

    assert all(_fits_the_plane(table_scene, one) for one in drawn)
    assert not all(_fits_the_plane(table_scene, one) for one in careless)


def test_pieces_that_go_together_are_judged_together(bridge_scene):
    drawn = _variations(bridge_scene, _config(MoveRange((-0.2, 0.2), (-0.2, 0.2))), 30)

    assert all(_fits_the_plane(bridge_scene, one) for one in drawn)


def test_more_comes_of_what_is_learnt_and_little_that_works_is_left_out(virtual_scene, learnt):
    assembler = Assembler.create(virtual_scene, _config())
    careless = _variations(virtual_scene, _config(learn=False), 50)

    working = [one for one in careless if isinstance(assembler.assemble(one), Episode)]
    made = [assembler.assemble(learnt.variation(k)) for k in range(50)]

    accepted = sum(isinstance(one, Episode) for one in made)
    assert len(working) > 5
    assert accepted >= 1.5 * len(working)
    # Single cells' edges may be.
    assert np.mean([learnt._prior.allows(one) for one in working]) > 0.8


def test_samples_are_spread_over_all_of_what_works(learnt):
    drawn = [learnt.variation(k) for k in range(150)]
    moves = np.array([[(m.x, m.y, m.yaw) for m in one.moves] for one in drawn])

    assert np.abs(moves[..., :2]).max() <= 0.4
    assert (np.ptp(moves, axis=0) > [0.5, 0.5, 5.0]).all()
    assert len(np.unique(moves[:, 0, 0])) == 150


def test_the_same_seed_gives_the_same_variations_in_any_order(virtual_scene):
    ranges = MoveRange((-0.4, 0.1), (-0.3, 0.3), (-20.0, 20.0))
    config = _config(ranges, base=MoveRange((-0.05, 0.05), (-0.05, 0.05), (-5.0, 5.0)), count=3)
    forwards, backwards = (Sampler.create(virtual_scene, config, 7) for _ in range(2))

    first = [forwards.variation(k) for k in range(12)]
    second = [backwards.variation(k) for k in reversed(range(12))][::-1]
    others = _variations(virtual_scene, config, 12, seed=8)

    for one, other, another in zip(first, second, others, strict=True):
        assert (one.moves, one.base) == (other.moves, other.base)
        np.testing.assert_array_equal(one.transforms, other.transforms)
        assert one.moves != another.moves


def test_where_everything_works_learning_changes_nothing(virtual_scene):
    base = MoveRange((-0.02, 0.02), (-0.02, 0.02), (-3.0, 3.0))
    for moved in (None, base):
        learnt, plain = (
            _variations(virtual_scene, _config(NARROW, learn, moved), 20) for learn in (True, False)
        )
        for one, other in zip(learnt, plain, strict=True):
            assert (one.moves, one.base) == (other.moves, other.base)
            np.testing.assert_array_equal(one.transforms, other.transforms)


def test_a_range_of_which_nothing_works_still_gives_attempts(virtual_scene):
    """So that a person learns why, instead of waiting for ever."""
    hopeless = MoveRange((2.0, 2.1), (2.0, 2.1), (0.0, 0.0))

    drawn = _variations(virtual_scene, _config(hopeless), 2)

    assert all(isinstance(one, Variation) for one in drawn)
    assert all(2.0 <= move.x <= 2.1 for one in drawn for move in one.moves)
    assert drawn[0].moves != drawn[1].moves


def test_given_moves_are_tried_whatever_was_learnt(virtual_scene):
    far = {'pick object_2': PlanarMove(2.0, 2.0)}
    config = replace(_config(), sampling=SamplingConfig('given', given=(far,)))

    assert _variations(virtual_scene, config, 1)[0].moves[0] == PlanarMove(2.0, 2.0)


def test_moves_of_a_range_hold_its_ends_and_turns_between():
    wide = moves_in(MoveRange((0.0, 1.0), (2.0, 2.0), (-90.0, 90.0)))
    assert {(x, y) for x, y, _ in wide} == {(0.0, 2.0), (1.0, 2.0)}
    yaws = sorted({yaw for _, _, yaw in wide})
    assert yaws[0] == -np.pi / 2
    assert yaws[-1] == np.pi / 2
    assert np.diff(yaws).max() < 0.3
    assert {yaw for _, _, yaw in moves_in(MoveRange((0.0, 1.0), (0.0, 0.0), (10.0, 10.0)))} == {
        np.deg2rad(10.0)
    }


def test_what_works_from_a_moved_base_is_mostly_allowed(virtual_scene):
    base = MoveRange((-0.1, 0.1), (-0.1, 0.1), (10.0, 30.0))
    ranges = MoveRange((-0.1, 0.1), (-0.1, 0.1), (-180.0, 180.0))
    config = replace(_config(), sampling=SamplingConfig(ranges=ranges, base=base, learn=False))
    careless = Sampler.create(virtual_scene, config, 0)
    assembler = Assembler.create(virtual_scene, config)
    learnt = Sampler.create(
        virtual_scene, replace(config, sampling=replace(config.sampling, learn=True)), 0
    )
    worked = [
        variation
        for variation in (careless.variation(k) for k in range(30))
        if not isinstance(assembler.assemble(variation), Rejection)
    ]
    assert len(worked) > 15
    assert sum(learnt._prior.allows(variation) for variation in worked) > 0.85 * len(worked)
