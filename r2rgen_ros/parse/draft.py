# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An annotation in the making: clicks on objects, and skills that a person sets or removes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from r2rgen_ros.model.annotation import ObjectNote, Skill
from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from r2rgen_ros.model.annotation import Annotation


@dataclass(frozen=True)
class Removal:
    """A skill that a person took out."""

    name: str


Step = ObjectNote | Skill | Removal


@dataclass(frozen=True)
class Draft:
    """What a person has said so far, in order; the last step can be taken back.

    Attributes:
        steps: Clicks on objects, skills that were set, and skills that were removed.

    """

    steps: tuple[Step, ...] = ()

    @property
    def clicks(self) -> tuple[ObjectNote, ...]:
        """The objects that were pointed at."""
        return tuple(step for step in self.steps if isinstance(step, ObjectNote))

    def added(self, step: Step) -> Draft:
        """Return the draft with one more step.

        Raises:
            R2RGenError: An object is pointed at that has the name of another one.

        """
        if isinstance(step, ObjectNote):
            names = [note.name for note in self.clicks]
            require(step.name not in names, f'objects {[step.name]} are named twice', 'one name')
        return Draft((*self.steps, step))

    def without(self, step: Step) -> Draft:
        """Return the draft without a step."""
        return Draft(tuple(other for other in self.steps if other is not step))

    def undone(self) -> tuple[Draft, Step]:
        """Return the draft without its last step, and that step.

        Raises:
            R2RGenError: There is none.

        """
        if not self.steps:
            raise R2RGenError('there is nothing to take back', 'a click or a marked skill')
        return Draft(self.steps[:-1]), self.steps[-1]

    def applied(self, annotation: Annotation) -> tuple[Annotation, tuple[str, ...]]:
        """Return an annotation with the skills as the person wants them.

        Args:
            annotation: As proposed, or read from a file.

        Returns:
            The annotation, and what was left out because it does not fit any more.

        """
        remarks = []
        for step in self.steps:
            try:
                if isinstance(step, Skill):
                    annotation = with_skill(annotation, step)
                elif isinstance(step, Removal):
                    annotation = without_skill(annotation, step.name)
            except R2RGenError as error:
                remarks.append(f'what was said of skill "{step.name}" does not fit: {error}')
        return annotation, tuple(remarks)


def free_name(taken: Iterable[str], wanted: Iterable[str] = ()) -> str:
    """Return the first name that is wanted and not taken, else object_1, object_2 and so on."""
    used = set(taken)
    for name in wanted:
        if name.strip() and name not in used:
            return name
    number = 1
    while f'object_{number}' in used:
        number += 1
    return f'object_{number}'


def with_skill(annotation: Annotation, skill: Skill) -> Annotation:
    """Return an annotation with a skill, in place of the one of the same name.

    Raises:
        R2RGenError: It names unknown objects, shares frames with another skill of its arm, or ends
            after the demonstration.

    """
    others = [other for other in annotation.skills if other.name != skill.name]
    ordered = sorted([*others, skill], key=lambda each: (each.first, each.last))
    return replace(annotation, skills=tuple(ordered))


def without_skill(annotation: Annotation, name: str) -> Annotation:
    """Return an annotation without a skill.

    Raises:
        R2RGenError: There is no such skill.

    """
    names = [skill.name for skill in annotation.skills]
    require(name in names, f'there is no skill "{name}"', f'one of {names}')
    kept = tuple(skill for skill in annotation.skills if skill.name != name)
    return replace(annotation, skills=kept)
