# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is about the same part keeps its order; what is about another one need not wait."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2rgen_ros.page.turns import Part, Turns

PARTS = [Part.NONE, *Part, Part.FRAME | Part.FORM, Part.FORM | Part.SKILLS]


class Page:
    """Turns whose worker does something only when it is told to."""

    def __init__(self):
        self.waiting, self.done, self.errors = deque(), [], []
        self.turns = Turns(self.waiting.append, self.errors.append)

    def work(self):
        if self.waiting:
            self.waiting.popleft()()


@given(st.lists(st.tuples(st.sampled_from(PARTS), st.booleans(), st.integers(0, 2)), max_size=30))
def test_whatever_the_worker_does_when_each_part_sees_the_order_of_the_browser(deeds):
    page = Page()
    for number, (parts, is_quick, worked) in enumerate(deeds):
        take = page.turns.take_at_once if is_quick else page.turns.take
        take(lambda number=number, parts=parts: page.done.append((number, parts)), parts)
        for _ in range(worked):
            page.work()
    while page.waiting:
        page.work()
    for part in Part:
        seen = [number for number, parts in page.done if part & parts]
        assert seen == sorted(seen)
    assert len(page.done) == len(deeds)


def test_only_what_is_about_the_same_part_waits():
    page = Page()
    page.turns.take(lambda: page.done.append('skill'), Part.FORM | Part.SKILLS)
    page.turns.take_at_once(lambda: page.done.append('frame'), Part.FRAME)
    page.turns.take_at_once(lambda: page.done.append('edge'), Part.FRAME | Part.SKILLS)
    page.turns.take_at_once(lambda: page.done.append('next frame'), Part.FRAME)
    assert page.done == ['frame']
    assert not page.turns.are_free(Part.FRAME)
    for _ in range(3):
        page.work()
    assert page.done == ['frame', 'skill', 'edge', 'next frame']
    assert page.turns.are_free(~Part.NONE)


@pytest.mark.parametrize('is_quick', [True, False])
def test_what_fails_holds_up_nothing(is_quick):
    page = Page()

    def fail():
        raise ValueError('no')

    if is_quick:
        page.turns.take_at_once(fail, Part.FORM)
        assert [str(error) for error in page.errors] == ['no']
    else:
        page.turns.take(fail, Part.FORM)
        with pytest.raises(ValueError, match='no'):
            page.work()
    assert page.turns.are_free(Part.FORM)
