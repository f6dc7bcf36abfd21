# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which skills are moved freely and which inherit: the paper's worked example, and what follows."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.generate.groups import backtrack, together
from r2rgen_ros.model.annotation import Skill

# Build-Bridge of arXiv 2510.08547: 1 and 2 are the piers, 3 is the deck.
BRIDGE = (
    Skill('pick 2', 0, 1, ('2',)),
    Skill('place 2', 2, 3, ('1',), ('2',)),
    Skill('pick 3', 4, 5, ('3',)),
    Skill('place 3', 6, 7, ('1', '2'), ('3',)),
)


def test_the_worked_example_of_the_paper():
    last, pick3, place2, pick2 = backtrack(BRIDGE)

    assert (last.skill, last.samples) == (3, True)
    assert last.group == {'1', '2', '3'}
    assert last.fixed == {'1', '2'}

    assert (pick3.skill, pick3.samples) == (2, True)
    assert pick3.group == {'3'}
    assert pick3.fixed == {'1', '2', '3'}

    assert (place2.skill, place2.samples) == (1, False)
    assert place2.group == {'1', '2'}
    assert place2.inherits == last.skill
    assert place2.fixed == {'1', '3'}

    assert (pick2.skill, pick2.samples) == (0, True)
    assert pick2.group == {'2'}
    assert pick2.fixed == {'1', '2', '3'}
    assert not any(step.conflict for step in (last, pick3, place2, pick2))


def test_in_six_skills_all_places_share_one_transform_and_each_pick_has_its_own():
    skills = (
        Skill('pick 1', 0, 1, ('1',)),
        Skill('place 1', 2, 3, (), ('1',)),
        Skill('pick 2', 4, 5, ('2',)),
        Skill('place 2', 6, 7, (), ('2',)),
        Skill('pick 3', 8, 9, ('3',)),
        Skill('place 3', 10, 11, ('1', '2'), ('3',)),
    )

    inherits = {step.skill: step.inherits for step in backtrack(skills)}

    assert inherits == {5: None, 4: None, 3: 5, 2: None, 1: 5, 0: None}


def test_inheritance_passes_through_a_chain_to_the_skill_that_was_sampled():
    skills = (
        Skill('a', 0, 0, ('x',)),
        Skill('b', 1, 1, ('x', 'y')),
        Skill('c', 2, 2, ('y', 'z')),
        Skill('d', 3, 3, ('z',)),
    )

    steps = backtrack(skills)

    assert [step.skill for step in steps if step.samples] == [3]
    assert {step.inherits for step in steps if not step.samples} == {3}


def test_objects_fixed_by_different_skills_are_a_conflict():
    skills = (
        Skill('both', 0, 0, ('x', 'y')),
        Skill('x', 1, 1, ('x',)),
        Skill('y', 2, 2, ('y',)),
    )

    both = backtrack(skills)[-1]

    assert not both.samples
    assert {both.inherits, *both.conflict} == {1, 2}


def _paper(skills):
    """The pseudocode of the paper, word by word, with the skill that fixed each object."""
    fixed: dict[str, int] = {}
    out = {}
    for i in reversed(range(len(skills))):
        shared = {fixed[name] for name in skills[i].group & set(fixed)}
        owners = shared or {i}
        out[i] = (not shared, shared, None)
        for name in skills[i].targets:
            fixed[name] = min(owners)
        for name in skills[i].in_hand:
            fixed.pop(name, None)
        out[i] = (not shared, shared, set(fixed))
    return out


@pytest.mark.parametrize('seed', range(20))
def test_any_skills_follow_the_pseudocode(seed):
    rng = np.random.default_rng(seed)
    names = list('abcde')
    skills = []
    for i in range(rng.integers(1, 8)):
        some = rng.permutation(names)[: rng.integers(1, 4)].tolist()
        held = some[:1] if rng.random() < 0.5 else []
        skills.append(Skill(str(i), i, i, tuple(set(some) - set(held)), tuple(held)))

    expected = _paper(skills)

    for step in backtrack(skills):
        samples, shared, fixed = expected[step.skill]
        assert step.samples == samples
        assert ({step.inherits, *step.conflict} - {None}) == shared
        assert step.fixed == fixed


LIFT = (
    Skill('take l', 0, 9, ('box',), arm='left'),
    Skill('take r', 2, 11, ('box',), arm='right'),
    Skill('put l', 20, 29, (), ('box',), 'left'),
    Skill('put r', 20, 28, (), ('box',), 'right'),
)
HAND_OVER = (
    Skill('pick', 0, 9, ('rod',), arm='left'),
    Skill('give', 20, 40, (), ('rod',), 'left'),
    Skill('take', 22, 42, ('rod',), arm='right'),
    Skill('place', 50, 60, ('mat',), ('rod',), 'right'),
)


def test_skills_of_two_arms_on_one_object_at_the_same_time_are_one():
    assert together(LIFT) == ((0, 1), (2, 3))
    assert together(HAND_OVER) == ((0,), (1, 2), (3,))
    assert together(BRIDGE) == ((0,), (1,), (2,), (3,))


def test_skills_of_two_arms_on_different_objects_or_one_after_another_are_not_one():
    apart = (Skill('a', 0, 9, ('x',), arm='left'), Skill('b', 0, 9, ('y',), arm='right'))
    later = (Skill('a', 0, 9, ('x',), arm='left'), Skill('b', 10, 19, ('x',), arm='right'))
    for skills in (apart, later):
        assert together(skills) == ((0,), (1,))


def test_two_hands_that_lift_move_with_one_transform_and_put_down_with_another():
    inherits = {step.skill: step.inherits for step in backtrack(LIFT)}
    assert inherits == {3: None, 2: 3, 1: None, 0: 1}


def test_a_meeting_in_the_air_has_a_transform_of_its_own_for_both_hands():
    inherits = {step.skill: step.inherits for step in backtrack(HAND_OVER)}
    assert inherits == {3: None, 2: None, 1: 2, 0: None}


def test_steps_run_from_the_last_skill_to_the_first_whatever_is_done_together():
    for skills in (LIFT, HAND_OVER, BRIDGE):
        assert [step.skill for step in backtrack(skills)] == list(range(len(skills)))[::-1]
