# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Changes of what was said of objects: pointed at anew, renamed, taken out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from r2rgen_ros.model.annotation import ObjectNote, Skill
from r2rgen_ros.model.errors import require
from r2rgen_ros.parse.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Iterable


def seeded(draft: Draft, notes: Iterable[ObjectNote]) -> Draft:
    """Return a draft in which objects are as if clicked, before all that was said.

    A proposal that follows from clicks knows no object but those clicked; so whoever corrects one
    object of a proposal, or of a file, has to name the others too.
    """
    # Grasps are found again: they follow from where the object is.
    clicks = tuple(replace(note, grasps=()) for note in notes)
    return Draft((*clicks, *draft.steps))


def repointed(draft: Draft, name: str, note: ObjectNote) -> Draft:
    """Return a draft in which an object is found, and called, otherwise.

    Args:
        draft: What was said.
        name: The object's name so far.
        note: What takes its place; skills follow if the name is another one.

    Raises:
        R2RGenError: There is no such object, or the new name is that of another one.

    """
    _check_known(draft, name)
    others = [each.name for each in draft.clicks if each.name != name]
    require(note.name not in others, f'there is "{note.name}" already', 'another name')
    steps = tuple(
        note if isinstance(step, ObjectNote) and step.name == name else step for step in draft.steps
    )
    return Draft(
        tuple(
            in_other_words(step, {name: note.name}) if isinstance(step, Skill) else step
            for step in steps
        )
    )


def without_object(draft: Draft, name: str) -> Draft:
    """Return a draft without an object; skills are no longer about it.

    Raises:
        R2RGenError: There is no such object.

    """
    _check_known(draft, name)
    kept = [
        step for step in draft.steps if not (isinstance(step, ObjectNote) and step.name == name)
    ]
    return Draft(
        tuple(
            in_other_words(step, {name: None}) if isinstance(step, Skill) else step for step in kept
        )
    )


def in_other_words(skill: Skill, names: dict[str, str | None]) -> Skill:
    """Return a skill whose objects have other names; those without a name are left out."""

    def renamed(objects: tuple[str, ...]) -> tuple[str, ...]:
        called = (names.get(name, name) for name in objects)
        return tuple(name for name in called if name is not None)

    return replace(skill, targets=renamed(skill.targets), in_hand=renamed(skill.in_hand))


def _check_known(draft: Draft, name: str) -> None:
    known = [note.name for note in draft.clicks]
    require(name in known, f'there is no object "{name}"', f'one of {known}')
