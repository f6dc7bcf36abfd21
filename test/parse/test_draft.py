# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from r2rgen_ros.model.annotation import Annotation, ObjectNote, Prompt, Skill
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.draft import Draft, Removal, free_name

CUP, PLATE = (ObjectNote(name, Prompt(point=(0.0, 0.0, 0.0))) for name in ('cup', 'plate'))
PICK, PLACE = Skill('pick', 2, 5, ('cup',)), Skill('place', 8, 9, ('plate',), ('cup',))
PROPOSED = Annotation((CUP, PLATE), (PICK, PLACE))


def test_steps_are_taken_back_in_reverse_order():
    draft = Draft().added(CUP).added(PICK).added(Removal('place'))
    taken = []
    while draft.steps:
        draft, step = draft.undone()
        taken.append(step)
    assert taken == [Removal('place'), PICK, CUP]
    with pytest.raises(R2RGenError, match='nothing to take back'):
        draft.undone()


def test_an_object_has_one_name_of_its_own():
    draft = Draft().added(CUP)
    with pytest.raises(R2RGenError, match='named twice'):
        draft.added(ObjectNote('cup', Prompt(point=(1.0, 0.0, 0.0))))
    assert draft.without(CUP).added(CUP).clicks == (CUP,)


def test_what_a_person_says_of_skills_goes_over_the_proposal():
    longer, first = Skill('pick', 2, 7, ('cup',)), Skill('nudge', 0, 1, ('plate',))
    draft = Draft((longer, first, Removal('place')))
    assert draft.applied(PROPOSED) == (Annotation((CUP, PLATE), (first, longer)), ())


def test_what_does_not_fit_any_more_is_left_out_and_named():
    overlapping, unknown = Skill('late', 4, 8, ('cup',)), Skill('who', 0, 1, ('mug',))
    draft = Draft((overlapping, Removal('none'), unknown))
    annotation, remarks = draft.applied(PROPOSED)
    assert annotation == PROPOSED
    assert [f'skill "{name}"' in text for name, text in zip(
        ('late', 'none', 'who'), remarks, strict=True
    )] == [True] * 3  # fmt: skip


def test_names_are_those_wanted_then_numbers():
    assert free_name(['cup'], ['cup', ' ', 'mug']) == 'mug'
    assert free_name(['object_1', 'object_3']) == 'object_2'
