# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Footprints on the support: overlap and overhang, measured against brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull, Delaunay
from scipy.spatial.distance import cdist

from r2rgen_ros.generate.assemble import object_changes
from r2rgen_ros.generate.config import FeasibilityConfig, GenerateConfig, MoveRange, SamplingConfig
from r2rgen_ros.generate.feasibility import PlaneCheck, convex_hull, gap, overhang
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import SupportPlane
from r2rgen_ros.model.episode import PlanarMove, Reason, Rejection


def _filled(polygon: np.ndarray, count: int = 4000) -> np.ndarray:
    """Random points inside a convex polygon."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(len(polygon), 0.5), count)
    return np.concatenate([shares @ polygon, polygon])


@pytest.mark.parametrize('seed', range(15))
def test_the_gap_has_the_sign_of_brute_force(seed):
    rng = np.random.default_rng(seed)
    first = convex_hull(rng.normal(size=(8, 2)))
    second = convex_hull(rng.normal(size=(8, 2)) + rng.uniform(-4, 4, 2))
    found = gap(first, second)

    inside = (Delaunay(first).find_simplex(_filled(second)) >= 0).any()
    if found > 0:
        assert not inside
        # Along the best edge normal: never more than the distance itself.
        assert found <= cdist(_filled(first), _filled(second)).min() + 1e-12
    elif found < -0.3:
        assert inside
    assert found == pytest.approx(gap(second, first))


def test_gaps_of_squares_are_what_a_ruler_says():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)

    assert gap(square, square + np.array([1.5, 0])) == pytest.approx(0.5)
    assert gap(square, square + np.array([0.9, 0])) == pytest.approx(-0.1)
    assert gap(square, square + np.array([1.0, 0])) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize('seed', range(10))
def test_overhang_is_how_far_the_outline_would_have_to_grow(seed):
    rng = np.random.default_rng(seed)
    outline = convex_hull(rng.normal(size=(12, 2)) * 3)
    polygon = convex_hull(rng.normal(size=(6, 2)) + rng.uniform(-4, 4, 2))
    found = overhang(polygon, outline)

    inside = Delaunay(outline).find_simplex(polygon) >= 0
    assert (found <= 0) == inside.all()
    if found < 0:
        # That much room is left all around.
        ring = np.stack([np.cos(np.arange(0, 6.3, 0.1)), np.sin(np.arange(0, 6.3, 0.1))], 1)
        around = (polygon[:, None] + ring * -found * (1 - 1e-9)).reshape(-1, 2)
        assert (Delaunay(outline).find_simplex(around) >= 0).all()


@pytest.mark.parametrize(
    'points', [np.zeros((1, 2)), np.ones((5, 2)), np.stack([np.arange(9.0), np.arange(9.0)], 1)]
)
def test_slivers_have_a_footprint(points):
    hull = convex_hull(points)

    assert len(hull) >= 3
    low, high = hull.min(axis=0), hull.max(axis=0)
    assert (low <= points.min(axis=0)).all()
    assert (high >= points.max(axis=0)).all()
    assert gap(hull, hull + 100.0) > 0


def _check(scene, moves, **settings):
    config = GenerateConfig(feasibility=FeasibilityConfig(**settings))
    variation = Sampler.create(scene, config, 0).from_moves(0, moves)
    check = PlaneCheck.create(scene, config.feasibility)
    return check.check(variation, object_changes(scene, variation.transforms))


def test_the_source_is_legal_though_it_stacks_things(table_scene, bridge_scene):
    assert _check(table_scene, {}) is None
    assert _check(bridge_scene, {}) is None
    assert _check(bridge_scene, {}, support_margin_m=1.0) is None


def test_a_relation_of_the_source_that_is_kept_is_legal(bridge_scene):
    assert _check(bridge_scene, {3: PlanarMove(0.03, 0.02, 0.2)}) is None


def test_an_object_put_onto_another_is_an_overlap(table_scene):
    places = {o.name: o.object2base[0, :2, 3] for o in table_scene.objects}
    away = places['plate'] - places['red']

    found = _check(table_scene, {0: PlanarMove(*away)})

    assert isinstance(found, Rejection)
    assert found.reason is Reason.OVERLAP
    assert 'red' in found.detail
    assert 'plate' in found.detail
    assert found.amount > 0.05


def test_the_clearance_is_kept(table_scene):
    feet = [o.object2base[0, :3, 3] + o.cloud.points for o in table_scene.objects]
    # Straight towards the plate along y until the boxes touch.
    touch = feet[1][:, 1].min() - feet[0][:, 1].max()
    x = feet[1][:, 0].mean() - feet[0][:, 0].mean()

    assert _check(table_scene, {0: PlanarMove(x, touch - 0.006)}) is None
    assert _check(table_scene, {0: PlanarMove(x, touch - 0.004)}).reason is Reason.OVERLAP
    assert _check(table_scene, {0: PlanarMove(x, touch - 0.004)}, clearance_m=0.0) is None


def test_an_object_over_the_edge_is_off_the_support(table_scene):
    found = _check(table_scene, {0: PlanarMove(-0.45, 0.0)})

    assert found.reason is Reason.OFF_SUPPORT
    assert found.frame == 0
    assert 'red' in found.detail


def test_a_margin_is_kept_from_the_edge(table_scene):
    move = {0: PlanarMove(-0.3, 0.0)}

    assert _check(table_scene, move) is None
    assert _check(table_scene, move, support_margin_m=0.1).reason is Reason.OFF_SUPPORT


def test_what_is_placed_is_checked_where_it_ends_too(bridge_scene):
    # Only what is placed at the end moves, far away; at frame 0 nothing has changed but pier 1.
    found = _check(bridge_scene, {3: PlanarMove(0.36, 0.0)})

    assert found.reason is Reason.OFF_SUPPORT


@pytest.mark.parametrize('tilt', [0.0, 0.4])
def test_nothing_that_is_accepted_overlaps_or_leaves_also_on_a_tilted_table(table_scene, tilt):
    turn = se3.compose(se3.rotation_about(np.array([0.0, 1.0, 0.0]), np.array(tilt)), np.zeros(3))
    support = table_scene.support
    support = SupportPlane(
        turn[:3, :3] @ support.normal, support.offset, se3.apply(turn, support.outline)
    )
    objects = tuple(replace(o, object2base=turn @ o.object2base) for o in table_scene.objects)
    scene = replace(table_scene, support=support, objects=objects)
    wide = MoveRange((-0.3, 0.4), (-0.3, 0.4), (-180.0, 180.0))
    config = GenerateConfig(SamplingConfig(ranges=wide, learn=False))
    sampler, check = Sampler.create(scene, config, 0), PlaneCheck.create(scene, config.feasibility)
    reasons = set()
    for index in range(150):
        variation = sampler.variation(index)
        changes = object_changes(scene, variation.transforms)
        found = check.check(variation, changes)
        reasons.add(found.reason if found else None)
        if found is not None:
            continue
        feet = [
            points[ConvexHull(points).vertices]
            for k, o in enumerate(objects)
            for points in [
                support.to_plane(se3.apply(changes[k, 0] @ o.object2base[0], o.cloud.points))
            ]
        ]
        outline = Delaunay(support.to_plane(support.outline))
        assert (outline.find_simplex(np.concatenate(feet)) >= 0).all()
        assert (Delaunay(feet[0]).find_simplex(_filled(feet[1], 500)) < 0).all()
        assert (Delaunay(feet[1]).find_simplex(_filled(feet[0], 500)) < 0).all()
    assert reasons == {None, Reason.OVERLAP, Reason.OFF_SUPPORT}
