# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.sense.border import extend, unseen_border, window_without

SHAPE = (48, 64)
CAMERA = PinholeCamera(SHAPE[1], SHAPE[0], 60.0, 60.0, 31.5, 23.5)


def shifted(right, down):
    """Pixels seen by an environment moved across the image."""
    seen = np.zeros(SHAPE, dtype=bool)
    seen[max(0, down) : SHAPE[0] + min(0, down), max(0, right) : SHAPE[1] + min(0, right)] = True
    return seen


shifts = st.tuples(st.integers(-40, 40), st.integers(-30, 30))


@settings(deadline=None)
@given(shifts)
def test_the_border_is_what_the_moved_environment_leaves(shift):
    seen = shifted(*shift)
    assert np.array_equal(unseen_border(seen), ~seen)


@settings(deadline=None)
@given(shifts, st.integers(0, 2**31))
def test_holes_inside_are_no_border(shift, seed):
    seen = shifted(*shift)
    rows, columns = np.nonzero(seen)
    v0, v1, u0, u1 = rows.min() + 9, rows.max() - 9, columns.min() + 9, columns.max() - 9
    if v1 - v0 < 1 or u1 - u0 < 1:
        return
    rng = np.random.default_rng(seed)
    v, u = rng.integers(v0, v1), rng.integers(u0, u1)
    pierced = seen.copy()
    pierced[v : v + 3, u : u + 3] = False
    assert np.array_equal(unseen_border(pierced), ~seen)


@settings(deadline=None)
@given(shifts)
def test_the_window_that_is_left_holds_nothing_unseen_and_all_that_is_seen(shift):
    seen = shifted(*shift)
    u0, v0, u1, v1 = window_without(~seen)
    assert not (~seen)[v0:v1, u0:u1].any()
    assert (v1 - v0) * (u1 - u0) == seen.sum()


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0.0, 0.3))
def test_no_window_keeps_more_than_a_trace_of_the_unseen(seed, share):
    unseen = np.random.default_rng(seed).random(SHAPE) < share
    u0, v0, u1, v1 = window_without(unseen)
    inside = unseen[v0:v1, u0:u1]
    assert inside.sum() <= 0.002 * inside.size


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 40))
def test_what_is_seen_is_never_border_however_little_it_is(seed, count):
    rng = np.random.default_rng(seed)
    seen = np.zeros(SHAPE, dtype=bool)
    seen[rng.integers(0, SHAPE[0], count), rng.integers(0, SHAPE[1], count)] = True
    unseen = unseen_border(seen)
    assert unseen.all() or not (unseen & seen).any()


@pytest.mark.parametrize('line', ['row', 'column', 'diagonal', 'point', 'nothing'])
def test_a_line_is_no_view(line):
    seen = np.zeros(SHAPE, dtype=bool)
    places = {
        'row': (5, slice(3, 20)),
        'column': (slice(3, 20), 5),
        'diagonal': (np.arange(9), np.arange(9)),
        'point': (5, 5),
        'nothing': (slice(0), slice(0)),
    }
    seen[places[line]] = True
    assert unseen_border(seen).all()


def test_an_image_that_is_unseen_leaves_no_window():
    assert window_without(np.ones(SHAPE, dtype=bool)) == (0, 0, 0, 0)
    assert window_without(np.zeros(SHAPE, dtype=bool)) == (0, 0, SHAPE[1], SHAPE[0])


@settings(deadline=None, max_examples=30)
@given(shifts, st.floats(0.1, 0.9), st.floats(0.3, 1.0))
def test_the_table_is_continued_where_it_leaves_the_image(shift, tilt, distance):
    normal = np.array([0.0, -np.sin(tilt), -np.cos(tilt)])
    offset = -distance
    with np.errstate(divide='ignore'):
        truth = offset / (CAMERA.rays() @ normal)
    seen = shifted(*shift)
    depth = np.where(seen, truth, np.nan).astype(np.float32)
    added, lender = extend(CAMERA, depth, ~seen, (normal, offset))
    assert added.shape == lender.shape == ((~seen).sum(),)
    usual = (truth[~seen] > 0.0) & (truth[~seen] < 10.0)
    assert np.allclose(added[usual], truth[~seen][usual], rtol=1e-5)
    assert seen.reshape(-1)[lender].all()
    rows, columns = np.nonzero(~seen)
    for k in range(0, len(rows), 97):
        gap = np.hypot(*(np.argwhere(seen) - [rows[k], columns[k]]).T).min()
        v, u = divmod(int(lender[k]), SHAPE[1])
        assert np.hypot(v - rows[k], u - columns[k]) == pytest.approx(gap)


def test_what_is_beside_something_else_continues_that():
    """A wall that stands on no plane goes on at its own depth."""
    seen = shifted(20, 0)
    depth = np.where(seen, 0.8, np.nan).astype(np.float32)
    added, _ = extend(CAMERA, depth, ~seen, (np.array([0.0, -1.0, 0.0]), -0.5))
    assert np.allclose(added, 0.8)


def test_an_empty_image_has_nothing_to_continue():
    depth = np.full(SHAPE, np.nan, np.float32)
    plane = np.array([0.0, 0.0, -1.0]), -1.0
    added, lender = extend(CAMERA, depth, np.ones(SHAPE, dtype=bool), plane)
    assert len(added) == len(lender) == 0
