# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of replays: what it counts, and that it carries out what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.replay import Bench, Outcome, summary, wilson
from r2rgen_ros.model.episode import PlanarMove

GOOD = Outcome(0, '', seconds=(0.01, 0.03), shares=(0.5, 0.6), miss_mm=0.1, frames=100)
BAD = replace(GOOD, index=1, wrong='it fell over')
TOLD = Outcome(2, 'unreachable')


@pytest.mark.parametrize(
    ('good', 'count', 'low', 'high'),
    [(98, 100, 0.930, 0.994), (100, 100, 0.963, 1.0), (0, 10, 0.0, 0.278), (0, 0, 0.0, 1.0)],
)
def test_intervals_are_those_of_wilson(good, count, low, high):
    assert wilson(good, count) == pytest.approx((low, high), abs=1e-3)


def test_what_was_accepted_rejected_and_forced_is_counted_apart():
    forced = [
        replace(TOLD, forced=True, wrong='it fell over', cause='task'),
        replace(TOLD, index=3, forced=True),
        # That it was too fast by our own limits says nothing of reach and collisions.
        Outcome(4, 'too_fast', forced=True, wrong='the arm stops itself', cause='stop'),
    ]
    found = summary([GOOD, GOOD, BAD, TOLD, replace(TOLD, index=3), *forced])
    assert found['identity_success'] == 1.0
    assert found['success'] == 0.5
    assert found['acceptance'] == 0.5
    assert found['rejected_that_fail'] == 0.5
    assert found['forced']['unreachable'] == {'tried': 2, 'failed': 1, 'task': 1}
    assert found['forced']['too_fast'] == {'tried': 1, 'failed': 1, 'stop': 1}
    assert found['reasons'] == {'unreachable': 2}
    assert found['failures'] == ['1: it fell over']
    assert found['feasibility_ms_per_demo'] == pytest.approx(10.0)
    assert found['feasibility_with_collisions_ms_per_demo'] == pytest.approx(30.0)


def test_where_nothing_was_forced_nothing_is_said_of_rejections():
    assert summary([GOOD, GOOD, BAD])['rejected_that_fail'] is None


def test_breaches_of_limits_are_counted():
    fast = replace(GOOD, shares=(1.2, 0.5))
    assert summary([GOOD, GOOD, fast])['limit_violations'] == 1


@pytest.fixture(scope='module')
def bench(virtual_demo):
    return Bench.create(virtual_demo, 'place-bottle', 0)


def test_the_source_succeeds_when_it_is_carried_out(bench):
    found = bench.identity()
    assert not found.wrong
    assert max(found.shares) <= 1.0 + 1e-6
    assert found.miss_mm < 1e-3


def _carried_out(bench, episode):
    return bench.judged(0, episode, bench._replayed(episode))


@pytest.mark.parametrize('base', [PlanarMove(), PlanarMove(0.1, -0.1, 0.2)])
def test_what_was_moved_succeeds_where_it_was_moved_to(bench, base):
    moves = {0: PlanarMove(-0.05, -0.06, 0.4), 1: PlanarMove(0.03, 0.05, -0.3)}
    found = _carried_out(bench, bench.assembler.assemble(bench.sampler.from_moves(0, moves, base)))
    assert not found.wrong
    assert found.miss_mm <= 0.5


def test_objects_that_stand_elsewhere_are_a_failure(bench):
    moved = bench.sampler.from_moves(0, {0: PlanarMove(-0.05, -0.06, 0.4)})
    other = bench.sampler.from_moves(0, {0: PlanarMove(0.0, 0.06, 0.4)})
    episode = bench.assembler.assemble(moved)
    found = _carried_out(bench, replace(episode, variation=other))
    assert 'bottle' in found.wrong
    assert found.cause == 'task'


def test_an_arm_that_gets_too_fast_stops_itself(bench):
    episode, _ = bench.source
    hasty = replace(episode, stamps=episode.stamps[0] + (episode.stamps - episode.stamps[0]) // 8)
    result = bench._replayed(hasty)
    assert (result.fastest > bench.largest_speeds).any()
    assert bench.judged(0, hasty, result).cause in {'task', 'stop'}
    _, calm = bench.source
    assert (calm.fastest < bench.largest_speeds).all()
