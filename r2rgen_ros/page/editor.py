# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The panel at the right: objects, skills, what to check, save."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import viser

from r2rgen_ros.model.annotation import Skill
from r2rgen_ros.page import markup

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.page.view import View

NEW_OBJECT = 'a new object'
NEW_SKILL = 'a new skill'
_ROLES = ('no part', 'target', 'in hand')
_WIDTH_PX = 340


@dataclass(frozen=True)
class Deeds:
    """What the panel calls when a person uses it; all of it returns at once.

    Attributes:
        rename_object: Called with the old and the new name.
        remove_object: Called with the name.
        set_skill: Called with what makes the skill and with the name of the one it replaces.
        remove_skill: Called with the name.
        go: Shows a frame.
        here: Tells which frame is shown.
        guess: Tells the likely targets and in-hand objects of a skill of an arm, from its frames.
        marked: Called when the frames of the skill being edited have changed.
        undo: Takes back what was done last.
        save: Saves.

    """

    rename_object: Callable[[str, str], None]
    remove_object: Callable[[str], None]
    set_skill: Callable[[Callable[[], Skill], str], None]
    remove_skill: Callable[[str], None]
    go: Callable[[int], None]
    here: Callable[[], int]
    guess: Callable[[int, int, str], tuple[str, str]]
    marked: Callable[[], None]
    undo: Callable[[], None]
    save: Callable[[], None]


class Editor:
    """The panel at the right.

    Args:
        server: Where it is shown.
        demo: The demonstration.
        deeds: What it calls.

    """

    def __init__(self, server: viser.ViserServer, demo: Demo, deeds: Deeds) -> None:
        self._gui = server.gui
        self._deeds = deeds
        self._arms = tuple(arm.name for arm in demo.arms)
        self._last = len(demo) - 1
        self._skills: dict[str, Skill] = {}
        self._roles: dict[str, viser.GuiDropdownHandle[str]] = {}
        self._has_start = self._has_end = False
        self._message = self._gui.add_html(markup.message('Welcome.'))
        self._doing = self._gui.add_markdown('', visible=False)
        self._bar = self._gui.add_progress_bar(0.0, visible=False)
        self._build_objects()
        self._build_skills()
        with self._gui.add_folder('Please check'):
            self._checks = self._gui.add_html(markup.checks(()))
        self._button('Undo', viser.Icon.ARROW_BACK_UP, deeds.undo)
        self._button('Save', viser.Icon.DEVICE_FLOPPY, deeds.save, color='green')
        server.gui.main_panel.dock_right()
        server.gui.main_panel.set_width(_WIDTH_PX)

    # What is read from it.

    @property
    def object_name(self) -> str:
        """What the object that is clicked next shall be called; may be empty."""
        return str(self._name.value).strip()

    @property
    def object_selected(self) -> str:
        """The object that the next click is on; empty for another one."""
        return '' if self._object.value == NEW_OBJECT else self._object.value

    @property
    def marks(self) -> tuple[int, int] | None:
        """First and last frame of the skill being edited; None where it is not being marked."""
        if not (self._has_start or self._has_end or self._skill.value != NEW_SKILL):
            return None
        first = int(self._first.value) if self._has_start else int(self._last_frame.value)
        last = int(self._last_frame.value) if self._has_end else int(self._first.value)
        return min(first, last), max(first, last)

    # What is shown in it.

    def show(self, view: View) -> None:
        """Show how things stand."""
        self._objects.content = markup.objects(view.objects)
        self._list.content = markup.skills(view.skills, shows_arm=len(self._arms) > 1)
        self._checks.content = markup.checks(view.checks)
        self._offer(self._object, (NEW_OBJECT, *view.names))
        before = self._skill.value
        self._skills = {skill.name: skill for skill in view.skills}
        self._offer(self._skill, (NEW_SKILL, *self._skills))
        if tuple(self._roles) != view.names:
            self._build_roles(view.names)
        if self._skill.value != before:
            self._load()

    def progress(self, text: str, share: float | None) -> None:
        """Show what is under way; nothing if the text is empty."""
        self._doing.content = text
        self._doing.visible = self._bar.visible = bool(text)
        self._bar.animated = share is None
        self._bar.value = 100.0 if share is None else min(100.0 * share, 100.0)

    def say(self, text: str, *, is_bad: bool = False) -> None:
        """Show what has happened."""
        self._message.content = markup.message(text, is_bad=is_bad)

    def object_done(self) -> None:
        """Begin with another object."""
        self._name.value = ''
        self._object.value = NEW_OBJECT

    def skill_done(self) -> None:
        """Begin with another skill."""
        self._skill.value = NEW_SKILL
        self._load()

    # What keys do too.

    def mark_start(self) -> None:
        """Let the skill start at the frame that is shown."""
        self._has_start = True
        self._first.value = self._deeds.here()
        self._marked()

    def mark_end(self) -> None:
        """Let the skill end at the frame that is shown."""
        self._has_end = True
        self._last_frame.value = self._deeds.here()
        self._marked()

    def set_skill(self) -> None:
        """Have the skill added or changed."""
        selected = self._skill.value
        instead = '' if selected == NEW_SKILL else selected
        name = self._skill_name.value.strip() or self._free_name()
        first, last = int(self._first.value), int(self._last_frame.value)
        targets, in_hand = self._with_role('target'), self._with_role('in hand')
        arm = self._arm.value
        # Made by whoever tells a person what is wrong with it.
        self._deeds.set_skill(lambda: Skill(name, first, last, targets, in_hand, arm), instead)

    # How it is built.

    def _build_objects(self) -> None:
        with self._gui.add_folder('Objects'):
            self._objects = self._gui.add_html(markup.objects(()))
            self._name = self._gui.add_text(
                'Name', '', hint='What to call the object that you click next. May stay empty.'
            )
            self._object: viser.GuiDropdownHandle[str] = self._gui.add_dropdown(
                'A click is on', (NEW_OBJECT,),
                hint='Choose an object to point at it anew, to rename it or to take it out.',
            )  # fmt: skip
            self._rename = self._button('Rename', viser.Icon.PENCIL, self._on_rename)
            self._remove = self._button('Take out', viser.Icon.TRASH, self._on_remove)
        self._rename.visible = self._remove.visible = False

        async def selected(_event: Any) -> None:
            is_one = bool(self.object_selected)
            self._rename.visible = self._remove.visible = is_one

        self._object.on_update(selected)

    def _build_skills(self) -> None:
        with self._gui.add_folder('Skills'):
            self._list = self._gui.add_html(markup.skills((), shows_arm=False))
            self._skill: viser.GuiDropdownHandle[str] = self._gui.add_dropdown(
                'Edit', (NEW_SKILL,), hint='The skill that the fields below are of.'
            )
            self._skill_name = self._gui.add_text('Skill', '', hint='What happens in it.')
            self._first = self._gui.add_number('Start (I)', 0, min=0, max=self._last, step=1)
            self._last_frame = self._gui.add_number('End (O)', 0, min=0, max=self._last, step=1)
            self._arm: viser.GuiDropdownHandle[str] = self._gui.add_dropdown(
                'Arm', self._arms, visible=len(self._arms) > 1
            )
            self._role_folder = self._gui.add_folder('Which objects it is about')
            self._button('Set skill (Enter)', viser.Icon.CHECK, self.set_skill, color='blue')
            self._drop = self._button('Take out', viser.Icon.TRASH, self._on_drop)
            self._drop.visible = False

        async def selected(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:
                self._load()
                skill = self._skills.get(self._skill.value)
                if skill is not None:
                    self._deeds.go(skill.first)

        async def typed_first(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:
                self._has_start = True
                self._deeds.marked()

        async def typed_last(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:
                self._has_end = True
                self._deeds.marked()

        self._skill.on_update(selected)
        self._first.on_update(typed_first)
        self._last_frame.on_update(typed_last)

    def _build_roles(self, names: tuple[str, ...]) -> None:
        roles = {name: handle.value for name, handle in self._roles.items()}
        for handle in self._roles.values():
            handle.remove()
        with self._role_folder:
            self._roles = {
                name: self._gui.add_dropdown(name, _ROLES, initial_value=roles.get(name, _ROLES[0]))
                for name in names
            }

    def _button(
        self, label: str, icon: Any, work: Callable[[], None], color: Any = 'gray'
    ) -> viser.GuiButtonHandle:
        button = self._gui.add_button(label, icon=icon, color=color)
        button.on_click(_later(work))
        return button

    # What it does.

    def _load(self) -> None:
        """Fill the fields with the skill that is chosen."""
        skill = self._skills.get(self._skill.value)
        self._drop.visible = skill is not None
        self._has_start = self._has_end = skill is not None
        self._skill_name.value = '' if skill is None else skill.name
        if skill is not None:
            self._first.value, self._last_frame.value = skill.first, skill.last
            self._arm.value = skill.arm
        self._set_roles(skill.targets if skill else (), skill.in_hand if skill else ())
        self._deeds.marked()

    def _marked(self) -> None:
        """Guess the objects of a new skill, once both its ends are marked."""
        marks = self.marks
        is_new = self._skill.value == NEW_SKILL
        nothing = not (self._with_role('target') or self._with_role('in hand'))
        if marks is not None and self._has_start and self._has_end and is_new and nothing:
            target, in_hand = self._deeds.guess(*marks, self._arm.value)
            self._set_roles((target,), (in_hand,))
        self._deeds.marked()

    def _set_roles(self, targets: tuple[str, ...], in_hand: tuple[str, ...]) -> None:
        for name, handle in self._roles.items():
            handle.value = _ROLES[1 if name in targets else 2 if name in in_hand else 0]

    def _with_role(self, role: str) -> tuple[str, ...]:
        return tuple(name for name, handle in self._roles.items() if handle.value == role)

    def _free_name(self) -> str:
        number = 1
        while f'skill_{number}' in self._skills:
            number += 1
        return f'skill_{number}'

    def _on_rename(self) -> None:
        self._deeds.rename_object(self.object_selected, self.object_name)

    def _on_remove(self) -> None:
        self._deeds.remove_object(self.object_selected)

    def _on_drop(self) -> None:
        if self._skill.value != NEW_SKILL:
            self._deeds.remove_skill(self._skill.value)

    @staticmethod
    def _offer(dropdown: viser.GuiDropdownHandle[str], options: tuple[str, ...]) -> None:
        if tuple(dropdown.options) != options:
            dropdown.options = options


def _later(work: Callable[[], None]) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """Work as a callback that the library calls in the order of events."""

    async def call(_event: Any) -> None:
        work()

    return call
