# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The panel at the right: objects, skills, what to check, save."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast

import viser

from r2rgen_ros.model.annotation import Skill
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.page import markup
from r2rgen_ros.page.deeds import Deeds, Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from r2rgen_ros.page.board import Board
    from r2rgen_ros.page.view import View

NEW_OBJECT = 'a new object'
NEW_SKILL = 'a new skill'
_ROLES = ('no part', 'target', 'in hand')
_WIDTH_PX = 340
_SAVE = viser.Icon.DEVICE_FLOPPY


_Method = TypeVar('_Method', bound='Callable[..., Any]')


def _alone(method: _Method) -> _Method:
    """Keep a method from running while another thread is in one."""

    @functools.wraps(method)
    def call(self: Editor, *words: Any, **named: Any) -> Any:
        with self._lock:
            return method(self, *words, **named)

    return cast('_Method', call)


class Editor:
    """The panel at the right.

    Args:
        board: What it is built on.
        deeds: What it calls.

    """

    def __init__(self, board: Board, deeds: Deeds) -> None:
        self._board = board
        self._gui = board.gui
        self._deeds = deeds
        # The worker shows what has come about, while the browser's messages fill in fields.
        self._lock = threading.RLock()
        self._skills: dict[str, Skill] = {}
        self._roles: dict[str, viser.GuiDropdownHandle[str]] = {}
        self._has_start = self._has_end = self._has_roles = False
        self._said: tuple[str, bool] = ('Welcome.', False)
        self._doing: tuple[str, float | None] = ('', None)
        self._message = self._gui.add_html('')
        self._save = self._button('', _SAVE, deeds.save, color='green')
        self._undo = self._button('Undo (Z)', viser.Icon.ARROW_BACK_UP, deeds.undo)
        # Above what may be scrolled away; takes no room where there is nothing to check.
        self._check_folder = self._gui.add_folder('Please check', visible=False)
        with self._check_folder:
            self._checks = self._gui.add_html('')
        self._build_objects()
        self._build_skills()
        self._tell()
        self._undo.disabled = True
        self.show_saved(is_saved=False, undo='')
        self._gui.main_panel.dock_right()
        self._gui.main_panel.set_width(_WIDTH_PX)

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
    def skill_selected(self) -> str:
        """The skill that is being edited; empty for a new one."""
        return '' if self._skill.value == NEW_SKILL else self._skill.value

    @property
    def marks(self) -> tuple[int, int] | None:
        """First and last frame of the skill being edited; None where it is not being marked."""
        if not (self._has_start or self._has_end or self.skill_selected):
            return None
        first = int(self._first.value) if self._has_start else int(self._last_frame.value)
        last = int(self._last_frame.value) if self._has_end else int(self._first.value)
        return min(first, last), max(first, last)

    @_alone
    def fields(self) -> Fields:
        """Read what is said of the skill being edited."""
        roles = tuple((name, handle.value) for name, handle in self._roles.items())
        is_given = self._has_roles or any(role != _ROLES[0] for _, role in roles)
        return Fields(
            self.skill_selected,
            str(self._skill_name.value).strip(),
            self.marks if self._has_start and self._has_end else None,
            roles if is_given or self.skill_selected else None,
            self._arm.value,
        )

    @_alone
    def skill(self, said: Fields) -> Skill:
        """Return the skill that the fields said.

        Args:
            said: What they said.

        Raises:
            R2RGenError: Its first or its last frame was not marked.

        """
        if said.marks is None:
            raise R2RGenError(
                'no skill is marked from its first to its last frame',
                'both',
                'press I at its first frame and O at its last one',
            )
        if said.roles is None:
            guess = self._deeds.guess(*said.marks, said.arm) or ('', '')
            targets, in_hand = (tuple(filter(None, [name])) for name in guess)
        else:
            targets, in_hand = said.with_role('target'), said.with_role('in hand')
        name = said.name or self._free_name()
        return Skill(name, *said.marks, targets, in_hand, said.arm)

    # What is shown in it.

    @_alone
    def show(self, view: View) -> None:
        """Show how things stand."""
        self._objects.content = markup.objects(view.objects)
        self._list.content = markup.skills(view.skills, shows_arm=len(self._board.arms) > 1)
        self._checks.content = markup.checks(view.checks)
        if self._check_folder.visible != bool(view.checks):
            self._check_folder.visible = bool(view.checks)
        self._offer(self._object, (NEW_OBJECT, *view.names))
        before = self._skill.value
        self._skills = {skill.name: skill for skill in view.skills}
        self._offer(self._skill, (NEW_SKILL, *self._skills))
        if tuple(self._roles) != view.names:
            self._build_roles(view.names)
        if self._skill.value != before:
            self.load()
        elif view.scene is not None:
            self._guess()

    @_alone
    def progress(self, text: str, share: float | None) -> None:
        """Show what is under way; nothing if the text is empty."""
        self._doing = text, share
        self._tell()

    @_alone
    def say(self, text: str, *, is_bad: bool = False) -> None:
        """Show what has happened."""
        self._said = text, is_bad
        self._tell()

    @_alone
    def show_saved(self, *, is_saved: bool, undo: str) -> None:
        """Show whether all is in the file, and what would be taken back, empty for nothing."""
        label = 'Saved' if is_saved else 'Save (Ctrl S)'
        if self._save.label != label:
            self._save.label = label
            self._save.icon = viser.Icon.CHECK if is_saved else _SAVE
            self._save.color = 'gray' if is_saved else 'green'
        label = f'Undo (Z): {undo}' if undo else 'Undo (Z)'
        if self._undo.label != label:
            self._undo.label, self._undo.disabled = label, not undo

    @_alone
    def take_object(self) -> tuple[str, str]:
        """Read name and selection for what is clicked now, and begin with another object."""
        taken = self.object_name, self.object_selected
        self._name.value, self._object.value = '', NEW_OBJECT
        return taken

    @_alone
    def give_back_object(self, taken: tuple[str, str]) -> None:
        """Fill in again what was taken, because nothing came of it."""
        if (self.object_name, self.object_selected) == ('', ''):
            self._name.value = taken[0]
            if taken[1] in self._object.options:
                self._object.value = taken[1]

    @_alone
    def skill_done(self, said: Fields) -> None:
        """Begin with another skill, but leave what was filled in since for that one."""
        if self.skill_selected not in ('', said.selected):
            return
        typed = str(self._skill_name.value).strip()
        self._skill.value = NEW_SKILL
        self.load()
        if typed != said.name:
            self._skill_name.value = typed

    # What a person does, also with keys.

    @_alone
    def mark_start(self, frame: int) -> None:
        """Let the skill start at a frame."""
        self._has_start = True
        self._first.value = frame
        self._marked()

    @_alone
    def mark_end(self, frame: int) -> None:
        """Let the skill end at a frame."""
        self._has_end = True
        self._last_frame.value = frame
        self._marked()

    @_alone
    def mark_typed(self, *, is_start: bool) -> None:
        """Let the skill start, or end, at the frame that is in the field."""
        if is_start:
            self._has_start = True
        else:
            self._has_end = True
        self._marked()

    @_alone
    def load(self) -> Skill | None:
        """Fill the fields with the skill that is selected, and return it; None for a new one."""
        skill = self._skills.get(self._skill.value)
        self._drop.visible = skill is not None
        self._has_start = self._has_end = self._has_roles = skill is not None
        self._skill_name.value = '' if skill is None else skill.name
        if skill is not None:
            self._first.value, self._last_frame.value = skill.first, skill.last
            self._arm.value = skill.arm
        self._set_roles(skill.targets if skill else (), skill.in_hand if skill else ())
        self._deeds.marked()
        return skill

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
            self._rename = self._button('Rename', viser.Icon.PENCIL, self._deeds.rename_object)
            self._remove = self._button('Take out', viser.Icon.TRASH, self._deeds.remove_object)
        self._rename.visible = self._remove.visible = False

        async def selected(_event: Any) -> None:
            is_one = bool(self.object_selected)
            self._rename.visible = self._remove.visible = is_one

        self._object.on_update(selected)

    def _build_skills(self) -> None:
        last = self._board.frames - 1
        with self._gui.add_folder('Skills'):
            self._list = self._gui.add_html(markup.skills((), shows_arm=False))
            self._skill: viser.GuiDropdownHandle[str] = self._gui.add_dropdown(
                'Edit', (NEW_SKILL,), hint='The skill that the fields below are of.'
            )
            self._skill_name = self._gui.add_text('Skill', '', hint='What happens in it.')
            self._first = self._gui.add_number('Start (I)', 0, min=0, max=last, step=1)
            self._last_frame = self._gui.add_number('End (O)', 0, min=0, max=last, step=1)
            self._arm: viser.GuiDropdownHandle[str] = self._gui.add_dropdown(
                'Arm', self._board.arms, visible=len(self._board.arms) > 1
            )
            self._role_folder = self._gui.add_folder('Which objects it is about')
            self._button('Set skill (Enter)', viser.Icon.CHECK, self._deeds.set_skill, color='blue')
            self._drop = self._button('Take out', viser.Icon.TRASH, self._deeds.remove_skill)
            self._drop.visible = False

        async def selected(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:
                self._deeds.edit_skill()

        async def typed_first(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:
                self._deeds.typed(True)

        async def typed_last(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:
                self._deeds.typed(False)

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

        async def chosen(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:
                self._has_roles = True

        for handle in self._roles.values():
            handle.on_update(chosen)

    def _button(
        self, label: str, icon: Any, work: Callable[[], None], color: Any = 'gray'
    ) -> viser.GuiButtonHandle:
        button = self._gui.add_button(label, icon=icon, color=color)
        button.on_click(_later(work))
        return button

    # What it does.

    def _tell(self) -> None:
        text, is_bad = self._said
        self._message.content = markup.message(text, is_bad=is_bad, doing=self._doing)

    def _marked(self) -> None:
        self._guess()
        self._deeds.marked()

    def _guess(self) -> None:
        """Guess the objects of a new skill, once both its ends are marked."""
        said = self.fields()
        if said.roles is None and said.marks is not None:
            guess = self._deeds.guess(*said.marks, said.arm)
            if guess is not None:
                self._set_roles((guess[0],), (guess[1],))

    def _set_roles(self, targets: tuple[str, ...], in_hand: tuple[str, ...]) -> None:
        for name, handle in self._roles.items():
            handle.value = _ROLES[1 if name in targets else 2 if name in in_hand else 0]

    def _free_name(self) -> str:
        number = 1
        while f'skill_{number}' in self._skills:
            number += 1
        return f'skill_{number}'

    @staticmethod
    def _offer(dropdown: viser.GuiDropdownHandle[str], options: tuple[str, ...]) -> None:
        if tuple(dropdown.options) != options:
            dropdown.options = options


def _later(work: Callable[[], None]) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """Work as a callback that the library calls in the order of events."""

    async def call(_event: Any) -> None:
        work()

    return call
