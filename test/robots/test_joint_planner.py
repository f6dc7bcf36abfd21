# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ways of joints around what is in the way follow from their seed alone."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from r2rgen_ros.robots.joint_planner import JointSpace, plan_joints

START, GOAL = np.array([-1.0, 0.0, 0.3]), np.array([1.0, 0.2, -0.3])


def _beside(joints):
    """Two joints must go around a wall with a gap at one side."""
    return (np.abs(joints[:, 0]) > 0.2) | (joints[:, 1] > 1.2)


def _space(clear=_beside):
    return JointSpace(np.full(3, -2.0), np.full(3, 2.0), clear, 0.02)


def _plan(number):
    return plan_joints(START, GOAL, _space(), np.random.SeedSequence([7, number]), 3000)


def test_a_way_leads_from_end_to_end_through_what_is_allowed():
    way = _plan(0)

    np.testing.assert_array_equal(way[[0, -1]], [START, GOAL])
    assert len(way) > 2
    for one, other in pairwise(way):
        line = one + np.linspace(0.0, 1.0, 200)[:, None] * (other - one)
        # Between two positions that are looked at a corner may be cut.
        assert _beside(line + 0.0).mean() > 0.97
        assert (np.abs(line) <= 2.0).all()


def test_ways_are_short():
    lengths = [np.linalg.norm(np.diff(_plan(n), axis=0), axis=1).sum() for n in range(10)]
    straight = 2.0 * np.linalg.norm([1.0, 1.1, 0.3])
    assert np.median(lengths) < 1.3 * straight


def test_nothing_in_the_way_is_a_straight_line():
    clear = _space(lambda joints: np.ones(len(joints), dtype=bool))

    way = plan_joints(START, GOAL, clear, np.random.SeedSequence(0), 10)

    np.testing.assert_array_equal(way, [START, GOAL])


def test_where_there_is_no_way_it_ends():
    closed = _space(lambda joints: np.abs(joints[:, 0]) > 0.2)

    assert plan_joints(START, GOAL, closed, np.random.SeedSequence(0), 500) is None


def test_the_order_of_plans_changes_none_of_them():
    forwards = [_plan(number) for number in range(12)]
    backwards = [_plan(number) for number in reversed(range(12))][::-1]

    for one, other in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({one.tobytes() for one in forwards}) == 12


def test_another_process_plans_the_same():
    code = (
        'import sys, numpy as np\n'
        'from r2rgen_ros.robots.joint_planner import JointSpace, plan_joints\n'
        'def clear(q): return (np.abs(q[:, 0]) > 0.2) | (q[:, 1] > 1.2)\n'
        'space = JointSpace(np.full(3, -2.0), np.full(3, 2.0), clear, 0.02)\n'
        'start, goal = np.array([-1.0, 0.0, 0.3]), np.array([1.0, 0.2, -0.3])\n'
        'for n in map(int, sys.argv[1:]):\n'
        '    seed = np.random.SeedSequence([7, n])\n'
        '    print(plan_joints(start, goal, space, seed, 3000).tobytes().hex())'
    )
    numbers = [5, 0, 9]
    command = [sys.executable, '-c', code, *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout.split() == [_plan(number).tobytes().hex() for number in numbers]
    assert done.stderr == ''


def test_what_goes_wrong_in_the_check_comes_out():
    calls = iter(range(100))

    def broken(joints):
        if next(calls) > 5:
            raise ZeroDivisionError
        return _beside(joints)

    with pytest.raises(ZeroDivisionError):
        plan_joints(START, GOAL, _space(broken), np.random.SeedSequence(1), 3000)
