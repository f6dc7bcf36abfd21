# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What came of the attempts, in words."""

from __future__ import annotations

import pytest

from r2rgen_ros.generate.run import Status
from r2rgen_ros.generate.verdict import MEANINGS, REMEDIES, shortfall, summary, worst
from r2rgen_ros.model.episode import Reason


def test_every_reason_has_a_meaning_and_a_remedy():
    assert set(MEANINGS) == set(REMEDIES) == set(Reason)


def test_summary_says_how_many_and_what_to_change():
    assert summary(5, {}) == '5 of 5 attempts gave an episode.'
    counts = {Reason.OVERLAP: 3, Reason.OUT_OF_VIEW: 7}
    assert worst(counts) is Reason.OUT_OF_VIEW
    text = summary(0, counts)
    assert text.startswith('0 of 10 attempts')
    assert 'the camera would not see an object' in text
    assert 'lower the shares under feasibility' in text


@pytest.mark.parametrize('accepted', [10, 12])
def test_nothing_is_lacking_where_as_many_were_accepted_as_asked_for(accepted):
    assert shortfall(Status(10, accepted, 20, {'overlap': 20 - accepted})) == ''


def test_what_helps_with_the_most_frequent_reason_is_said():
    text = shortfall(Status(10, 4, 200, {'overlap': 6, 'unreachable': 190}))
    assert text.startswith('fewer than the 10 asked for, mostly because the arm would not reach')
    assert REMEDIES[Reason.UNREACHABLE] in text
    assert 'attempts_per_episode' in text


def test_more_attempts_are_no_advice_where_none_came_to_anything():
    text = shortfall(Status(10, 0, 200, {'off_support': 200}))
    assert text.startswith('no episode at all, mostly because an object would leave the support')
    assert 'attempts_per_episode' not in text
