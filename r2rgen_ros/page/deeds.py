# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the panel at the right calls when a person uses it, and what its fields say then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Deeds:
    """What the panel calls when a person uses it; all of it returns at once.

    Attributes:
        rename_object: Called when the selected object shall get the name that is typed.
        remove_object: Called when the selected object shall be taken out.
        set_skill: Called when what the fields say shall be a skill.
        remove_skill: Called when the selected skill shall be taken out.
        edit_skill: Called when another skill is selected.
        typed: Called with whether it is the first frame, when a person has typed an end's frame.
        guess: Tells the likely targets and in-hand objects of a skill of an arm, from its frames;
            None while nobody knows.
        marked: Called when the frames of the skill being edited have changed.
        undo: Takes back what was done last.
        save: Saves.

    """

    rename_object: Callable[[], None]
    remove_object: Callable[[], None]
    set_skill: Callable[[], None]
    remove_skill: Callable[[], None]
    edit_skill: Callable[[], None]
    typed: Callable[[bool], None]
    guess: Callable[[int, int, str], tuple[str, str] | None]
    marked: Callable[[], None]
    undo: Callable[[], None]
    save: Callable[[], None]


@dataclass(frozen=True)
class Fields:
    """What the fields of the skill being edited say at some moment.

    Attributes:
        selected: The skill that they are of; empty for a new one.
        name: What it shall be called; may be empty.
        marks: First and last frame; None where one of them, or both, are not marked.
        roles: What each object is to it; None to be guessed.
        arm: The arm.

    """

    selected: str
    name: str
    marks: tuple[int, int] | None
    roles: tuple[tuple[str, str], ...] | None
    arm: str

    def with_role(self, role: str) -> tuple[str, ...]:
        """Names of the objects that are this to the skill."""
        return tuple(name for name, given in self.roles or () if given == role)
