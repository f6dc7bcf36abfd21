# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Objects of a draft are pointed at anew, renamed and taken out, and skills follow."""

from __future__ import annotations

import pytest

from r2rgen_ros.model.annotation import Grasp, ObjectNote, Prompt, Skill
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.page.edits import repointed, seeded, without_object
from r2rgen_ros.parse.draft import Draft, Removal

CUP = ObjectNote('cup', Prompt(0, pixel=(3.0, 4.0)))
DISH = ObjectNote('dish', Prompt(2, point=(0.1, 0.2, 0.3)))
POUR = Skill('pour', 3, 5, ('dish',), ('cup',))
DRAFT = Draft((CUP, POUR, DISH, Removal('grasp')))


def test_another_click_and_name_keep_the_place_and_reach_the_skills():
    mug = ObjectNote('mug', Prompt(4, pixel=(9.0, 9.0)))
    after = repointed(DRAFT, 'cup', mug)
    assert after.steps == (mug, Skill('pour', 3, 5, ('dish',), ('mug',)), DISH, Removal('grasp'))


def test_what_is_taken_out_is_in_no_skill():
    after = without_object(DRAFT, 'dish')
    assert after.steps == (CUP, Skill('pour', 3, 5, (), ('cup',)), Removal('grasp'))


def test_known_objects_come_before_what_was_said_without_their_grasps():
    held = ObjectNote('cup', CUP.prompt, (Grasp('arm', 2, 4),))
    assert seeded(Draft((POUR,)), [held, DISH]).steps == (CUP, DISH, POUR)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (
            lambda: repointed(DRAFT, 'cup', ObjectNote('dish', CUP.prompt)),
            'there is "dish" already',
        ),
        (lambda: repointed(DRAFT, 'pan', CUP), 'there is no object "pan"; expected one of'),
        (lambda: without_object(DRAFT, 'pan'), 'there is no object "pan"'),
    ],
)
def test_what_cannot_be_is_refused(change, said):
    with pytest.raises(R2RGenError, match=said):
        change()
