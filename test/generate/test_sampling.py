# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Variations: drawn from ranges, a grid or a list, the same for the same seed and index."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.generate.config import (
    DockingConfig,
    GenerateConfig,
    MoveRange,
    PerturbationConfig,
    SamplingConfig,
)
from r2rgen_ros.generate.sampling import Sampler, move_transform, skill_centre
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import SupportPlane
from r2rgen_ros.model.episode import PlanarMove, Reason, Rejection
from r2rgen_ros.model.errors import R2RGenError

ALONE = PerturbationConfig(count=1)
NARROW = MoveRange((0.01, 0.05), (-0.2, -0.1), (10.0, 40.0))


def _sampler(scene, sampling=None, perturbation=ALONE, seed=0):
    config = GenerateConfig(sampling=sampling or SamplingConfig(), perturbation=perturbation)
    return Sampler.create(scene, config, seed)


def _moves(sampler, count):
    """Moves (count, S, 3) of attempts; NaN where a skill inherits."""
    rows = []
    for index in range(count):
        moves = sampler.variation(index).moves
        rows.append([(m.x, m.y, m.yaw) if m else (np.nan,) * 3 for m in moves])
    return np.array(rows)


def test_ranges_bound_the_moves_and_are_filled(table_scene):
    moves = _moves(_sampler(table_scene, SamplingConfig(ranges=NARROW)), 400)

    low = [0.01, -0.2, np.deg2rad(10)]
    high = [0.05, -0.1, np.deg2rad(40)]
    assert (moves >= low).all()
    assert (moves <= high).all()
    shares = (moves - low) / np.subtract(high, low)
    np.testing.assert_allclose(shares.mean(axis=0), 0.5, atol=0.06)
    assert shares.min() < 0.02
    assert shares.max() > 0.98
    # Skills are drawn apart from each other.
    assert abs(np.corrcoef(shares[:, 0, 0], shares[:, 1, 0])[0, 1]) < 0.2


def test_a_skill_may_have_ranges_of_its_own(table_scene):
    still = MoveRange((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
    sampling = SamplingConfig(ranges=still, skills={'pick red': NARROW})

    moves = _moves(_sampler(table_scene, sampling), 20)

    assert (moves[:, 0] != 0).all()
    assert (moves[:, 1] == 0).all()


def test_a_grid_visits_every_combination_of_cell_centres_once(table_scene):
    ranges = MoveRange((0.0, 0.2), (-0.3, 0.3), (-90.0, 90.0))
    moves = _moves(_sampler(table_scene, SamplingConfig('grid', ranges, grid=(2, 3, 1))), 36)

    assert len({tuple(row.ravel().round(9)) for row in moves}) == 36
    assert {float(x) for x in moves[:, 0, 0].round(9)} == {0.05, 0.15}
    assert {float(y) for y in moves[:, 1, 1].round(9)} == {-0.2, 0.0, 0.2}
    assert (moves[:, :, 2] == 0).all()


def test_a_grid_has_one_cell_along_a_range_without_width(table_scene):
    ranges = MoveRange((0.0, 0.2), (0.1, 0.1), (-90.0, 90.0))
    sampler = _sampler(table_scene, SamplingConfig('grid', ranges, grid=(2, 5, 3)))

    assert sampler.configurations == 36
    moves = _moves(sampler, 36)
    assert len({tuple(row.ravel().round(9)) for row in moves}) == 36
    assert {float(y) for y in moves[:, :, 1].ravel().round(9)} == {0.1}


STILL = MoveRange((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
TWO = ({'pick red': PlanarMove(0.1)}, {'place red': PlanarMove(0.2)})


@pytest.mark.parametrize(
    ('sampling', 'perturbation', 'enough'),
    [
        (SamplingConfig('given', given=TWO), ALONE, 2),
        (SamplingConfig('given', given=TWO), PerturbationConfig(5), 10),
        (SamplingConfig('grid', NARROW, grid=(2, 1, 1)), ALONE, 4),
        (SamplingConfig('grid', STILL, grid=(2, 1, 1)), ALONE, 1),
        (SamplingConfig('ranges', STILL), ALONE, 1),
        (SamplingConfig('ranges', NARROW), ALONE, None),
        (SamplingConfig('given', given=TWO, base=NARROW), ALONE, None),
    ],
)
def test_it_is_told_when_the_configurations_come_again(table_scene, sampling, perturbation, enough):
    sampler = _sampler(table_scene, sampling, perturbation)

    if enough is None:
        assert sampler.repeats(10**6) == ''
        return
    assert sampler.repeats(enough) == ''
    note = sampler.repeats(enough + 1)
    assert f'no new configurations from attempt {enough + 1} on' in note
    assert ('the episodes repeat' in note) == (perturbation is ALONE)
    first, again = (sampler.variation(k).moves for k in (0, enough))
    assert (first == again) == (perturbation is ALONE)


def test_given_moves_are_taken_in_turn_and_others_stay(table_scene):
    given = ({'pick red': PlanarMove(0.1, 0.0, 0.5)}, {'place red': PlanarMove(0.0, 0.02)})
    sampler = _sampler(table_scene, SamplingConfig('given', given=given))

    assert sampler.variation(0).moves == (PlanarMove(0.1, 0.0, 0.5), PlanarMove())
    assert sampler.variation(1).moves == (PlanarMove(), PlanarMove(0.0, 0.02))
    assert sampler.variation(2).moves == sampler.variation(0).moves


def test_three_attempts_share_a_configuration_and_stay_near_it(table_scene):
    plain = _moves(_sampler(table_scene), 20)
    moved = _moves(_sampler(table_scene, perturbation=PerturbationConfig()), 60).reshape(
        20, 3, 2, 3
    )

    away = np.abs(moved - plain[:, None])
    assert away[..., :2].max() <= 0.015
    assert away[..., 2].max() <= np.deg2rad(20.0)
    assert away[..., :2].max() > 0.014
    assert len(np.unique(moved[:, :, 0, 0])) == 60


def test_an_attempt_does_not_depend_on_the_ones_before(table_scene):
    settings = PerturbationConfig()
    forwards = _sampler(table_scene, perturbation=settings)
    backwards = _sampler(table_scene, perturbation=settings)

    first = [forwards.variation(k) for k in range(9)]
    second = [backwards.variation(k) for k in reversed(range(9))][::-1]

    for one, other in zip(first, second, strict=True):
        assert one.moves == other.moves
        np.testing.assert_array_equal(one.transforms, other.transforms)


def test_seeds_differ(table_scene):
    assert (_moves(_sampler(table_scene), 5) != _moves(_sampler(table_scene, seed=1), 5)).all()


def test_an_inheriting_skill_takes_the_later_transform_and_not_the_identity(bridge_scene):
    sampler = _sampler(bridge_scene)

    for index in range(10):
        variation = sampler.variation(index)
        pick2, place2, pick3, place3 = variation.transforms
        np.testing.assert_array_equal(place2, place3)
        assert np.abs(place3 - np.eye(4)).max() > 1e-3
        assert variation.moves[1] is None
        assert np.abs(pick2 - place2).max() > 1e-3
        assert np.abs(pick3 - place3).max() > 1e-3


def _conflicting(scene):
    """The scene with a first skill about both objects, each fixed by a skill of its own later."""
    from dataclasses import replace

    from r2rgen_ros.model.annotation import Skill

    skills = (
        Skill('both', 0, 1, ('red', 'plate')),
        Skill('red', 4, 5, ('red',)),
        Skill('plate', 8, 9, ('plate',)),
    )
    annotation = replace(scene.annotation, skills=skills)
    return replace(scene, annotation=annotation)


def test_objects_fixed_by_different_transforms_are_rejected_as_inconsistent(table_scene):
    outcome = _sampler(_conflicting(table_scene)).variation(3)

    assert isinstance(outcome, Rejection)
    assert outcome.reason is Reason.INCONSISTENT
    assert outcome.index == 3
    assert 'both' in outcome.detail
    assert len(outcome.moves) == 3


def test_objects_fixed_by_equal_transforms_are_consistent(table_scene):
    sampler = _sampler(_conflicting(table_scene))
    move = PlanarMove(0.03, -0.02)

    variation = sampler.from_moves(0, {1: move, 2: move})

    assert not isinstance(variation, Rejection)
    np.testing.assert_array_equal(variation.transforms[0], variation.transforms[1])


def test_moves_are_told_only_to_skills_that_exist_and_are_free(bridge_scene):
    for name, said in (('fly', 'unknown'), ('place 2', 'inherit')):
        for sampling in (
            SamplingConfig(skills={name: NARROW}),
            SamplingConfig('given', given=({name: PlanarMove()},)),
        ):
            with pytest.raises(R2RGenError, match=said):
                _sampler(bridge_scene, sampling)


def test_a_move_turns_about_its_centre_in_the_plane_whatever_its_tilt():
    rng = np.random.default_rng(0)
    for _ in range(20):
        normal = rng.normal(size=3) + np.array([0, 0, 2])
        outline = rng.normal(size=(3, 3))
        support = SupportPlane(normal, rng.normal(), outline)
        centre, move = rng.normal(size=3), PlanarMove(*rng.uniform(-1, 1, 3))
        change = move_transform(support, centre, move)

        points = rng.normal(size=(50, 3))
        moved = se3.apply(change, points)
        np.testing.assert_allclose(support.height(moved), support.height(points), atol=1e-12)
        shift = se3.apply(change, centre[None])[0] - centre
        np.testing.assert_allclose(support.axes @ shift, [move.x, move.y], atol=1e-12)
        np.testing.assert_allclose(change[:3, :3] @ support.normal, support.normal, atol=1e-12)
        np.testing.assert_allclose(np.trace(change[:3, :3]), 1 + 2 * np.cos(move.yaw))
        assert np.linalg.det(change[:3, :3]) > 0.99
        turn = change[:3, :3] @ support.axes[0]
        assert np.sign(support.axes[1] @ turn) == np.sign(move.yaw)


def test_an_identity_move_is_the_identity_exactly():
    support = SupportPlane([0.1, 0.2, 1.0], 0.3, np.eye(3))

    np.testing.assert_array_equal(
        move_transform(support, np.array([3.0, 4.0, 5.0]), PlanarMove()), np.eye(4)
    )


def test_picks_turn_about_the_object_and_places_about_the_mean_of_what_is_there(bridge_scene):
    objects = {item.name: item.object2base[:, :3, 3] for item in bridge_scene.objects}
    last = bridge_scene.annotation.skills[3].last

    np.testing.assert_allclose(skill_centre(bridge_scene, 0), objects['2'][0])
    expected = np.mean([objects[name][last] for name in '123'], axis=0)
    np.testing.assert_allclose(skill_centre(bridge_scene, 3), expected)


def test_a_moved_base_moves_the_world_the_other_way(table_scene):
    sampler = _sampler(table_scene)
    base = PlanarMove(0.2, -0.1, 0.3)

    variation = sampler.from_moves(0, {}, base)

    new2old = move_transform(table_scene.support, np.zeros(3), base)
    np.testing.assert_allclose(variation.base2base @ new2old, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(
        se3.apply(variation.base2base, [[0.2, -0.1, 0.0]])[0], 0.0, atol=1e-12
    )


def _planar(move):
    return np.array([move.x, move.y, move.yaw])


@pytest.mark.parametrize(('shape', 'spread'), [('uniform', 3**-0.5), ('normal', 0.44)])
def test_docking_errors_are_drawn_for_every_attempt_within_their_bounds(table_scene, shape, spread):
    docking = DockingConfig(shape, 0.05, 4.0)
    sampler = _sampler(table_scene, SamplingConfig(ranges=STILL, docking=docking))

    bases = np.array([_planar(sampler.variation(k).base) for k in range(600)])

    shares = bases / [0.05, 0.05, np.deg2rad(4.0)]
    assert np.abs(shares).max() <= 1.0
    assert len(np.unique(bases[:, 0])) == 600
    np.testing.assert_allclose(shares.mean(axis=0), 0.0, atol=0.08)
    # A normal distribution cut off at two standard deviations has 0.88 of their spread.
    np.testing.assert_allclose(shares.std(axis=0), spread, atol=0.03)


def test_docking_errors_leave_all_other_moves_as_they_are(table_scene):
    small = PerturbationConfig()
    plain = _sampler(table_scene, SamplingConfig(base=NARROW), small)
    docked = SamplingConfig(base=NARROW, docking=DockingConfig('normal', 0.05, 5.0))
    sampler = _sampler(table_scene, docked, small)

    for index in reversed(range(6)):
        own, other = sampler.variation(index), plain.variation(index)
        assert own.moves == other.moves
        assert own.base == other.base.then(own.docking)
        assert not own.docking.is_identity
        assert other.docking.is_identity


def test_a_docking_error_is_seen_from_where_the_base_should_stand(table_scene):
    support, origin = table_scene.support, np.zeros(3)
    move, error = PlanarMove(0.4, -0.2, 0.7), PlanarMove(0.03, 0.02, -0.1)

    both = move_transform(support, origin, move.then(error))

    first, second = (move_transform(support, origin, part) for part in (move, error))
    np.testing.assert_allclose(both, first @ second, atol=1e-12)


def test_docking_errors_alone_make_configurations_differ(table_scene):
    sampling = SamplingConfig('given', given=TWO, docking=DockingConfig('normal', 0.03))

    note = _sampler(table_scene, sampling).repeats(3)

    assert 'perturbed in other ways' in note


def test_a_scene_without_skills_cannot_be_varied(table_scene):
    from dataclasses import replace

    bare = replace(table_scene, annotation=replace(table_scene.annotation, skills=()))

    with pytest.raises(R2RGenError, match='no skills'):
        _sampler(bare)


def _on_wheels(scene, yaw):
    """The scene on a base that stands in odom, turned by a yaw."""
    from dataclasses import replace

    from r2rgen_ros.model.demo import BasePath

    pose = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], yaw), [4.0, -1.0, 0.3])
    path = BasePath('odom', np.tile(pose, (len(scene.demo), 1, 1)))
    return replace(scene, demo=replace(scene.demo, base_paths=(path,))), pose


def test_a_base_may_be_moved_along_the_axes_of_odom(table_scene):
    scene, before = _on_wheels(table_scene, 0.8)
    ranges = MoveRange((0.3, 0.3), (-0.1, -0.1), (20.0, 20.0))
    sampling = SamplingConfig(ranges=STILL, base=ranges, base_frame='odom')

    variation = _sampler(scene, sampling).variation(0)

    after = before @ se3.inverse(variation.base2base)
    np.testing.assert_allclose(after[:3, 3] - before[:3, 3], [0.3, -0.1, 0.0], atol=1e-3)
    turn = after[:3, :3] @ before[:3, :3].T
    np.testing.assert_allclose(np.arctan2(turn[1, 0], turn[0, 0]), np.deg2rad(20.0), atol=1e-3)


def test_a_base_without_odometry_cannot_be_moved_along_that(table_scene):
    for scene in (table_scene, _on_wheels(table_scene, 0.0)[0]):
        with pytest.raises(R2RGenError, match=r'a base without odometry|odometry in \[\'odom\'\]'):
            _sampler(scene, SamplingConfig(base=NARROW, base_frame='map'))
