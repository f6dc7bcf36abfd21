# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2rgen_ros.model.errors import (
    R2RGenError,
    check_array,
    check_finite,
    check_range,
    require,
)


@given(st.text(min_size=1), st.text(), st.text())
def test_an_error_crosses_process_borders_whole(found, expected, fix):
    error = R2RGenError(found, expected, fix)
    back = pickle.loads(pickle.dumps(error))
    assert (back.found, back.expected, back.fix) == (found, expected, fix)
    assert str(back) == str(error)


def test_an_error_says_what_was_found_expected_and_how_to_mend_it():
    error = R2RGenError('the lid is open.', 'a closed lid.', 'close it.')
    assert str(error) == 'the lid is open; expected a closed lid; to fix: close it'
    assert str(R2RGenError('the lid is open')) == 'the lid is open'


def test_require_raises_only_where_the_condition_fails():
    require(True, 'fine')
    with pytest.raises(R2RGenError, match='broken; expected whole'):
        require(False, 'broken', 'whole')


@given(st.lists(st.integers(0, 4), min_size=1, max_size=3), st.data())
def test_arrays_of_the_right_shape_pass_unchanged_and_cannot_be_written(shape, data):
    values = np.arange(np.prod(shape)).reshape(shape).tolist()
    mask = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    wanted = tuple(None if free else n for free, n in zip(mask, shape, strict=True))
    if np.asarray(values).shape == tuple(shape):  # a list cannot say (0, 3)
        checked = check_array('it', values, wanted)
        assert np.array_equal(checked, values)
        assert checked.dtype == np.float64
        with pytest.raises(ValueError, match='read-only'):
            checked[...] = 0.0
    other = (*wanted[:-1], shape[-1] + 1)
    with pytest.raises(R2RGenError, match='it has shape'):
        check_array('it', np.zeros(shape), other)
    with pytest.raises(R2RGenError, match='it has shape'):
        check_array('it', np.zeros(shape), (*wanted, None))


def test_checking_leaves_the_owner_able_to_write():
    mine = np.zeros(3)
    check_array('it', mine, (3,))
    mine[0] = 1.0
    assert mine.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_counted(bad):
    assert check_finite('it', np.ones(3)).sum() == 3
    with pytest.raises(R2RGenError, match='holds 2 values'):
        check_finite('it', np.array([bad, 1.0, bad]))


@given(st.floats(-10.0, 10.0), st.floats(-5.0, 0.0), st.floats(0.0, 5.0))
def test_ranges_hold_their_ends(value, low, high):
    if low <= value <= high:
        assert check_range('it', value, low, high) == value
    else:
        with pytest.raises(R2RGenError, match='a number from'):
            check_range('it', value, low, high, 'm')


@pytest.mark.parametrize('bad', ['1', None, float('nan'), [1.0]])
def test_what_is_no_number_is_in_no_range(bad):
    with pytest.raises(R2RGenError, match='it is'):
        check_range('it', bad, -1.0, 5.0)
