# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2rgen_ros.parse.steps import Steps


@given(st.lists(st.floats(0.0, 1.0)), st.integers(0, 1000))
def test_all_steps_are_told_once_whatever_the_order(shares, count):
    told = []
    steps = Steps(told.append, count)
    for share in shares:
        steps.reach(share)
    assert sum(told) <= max(shares, default=0.0) * count + 1e-6
    steps.reach(1.0)
    assert sum(told) == count
    assert all(number > 0 for number in told)


@given(st.floats(0.0, 1.0))
def test_a_part_is_told_as_its_share_of_the_whole(share):
    told = []
    Steps(told.append, 1000).part(0.2, 0.6)(share)
    assert sum(told) == pytest.approx(200 + 400 * share, abs=1.0)


def test_what_the_listener_raises_stops_the_work():
    def stop(_):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        Steps(stop, 10).reach(0.5)


def test_nobody_needs_to_listen():
    Steps(None, 10).reach(1.0)
