# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is done for a person at the page; all of it in the thread of the worker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.annotation import ObjectNote, Prompt
from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.page import edits
from r2rgen_ros.page.picking import pick
from r2rgen_ros.page.view import View
from r2rgen_ros.parse.draft import Draft, free_name
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.report.annotation import draw_annotation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from r2rgen_ros.model.annotation import Skill
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.page.audience import Audience
    from r2rgen_ros.parse.workbench import Workbench

_BESIDE_PX = 3.0
"""How far from a pixel the nearest point may be for the pixel to be of it."""


@dataclass(frozen=True)
class _Before:
    """How things stood before a person did something.

    Attributes:
        deed: What the person did.
        draft: What was said until then.
        kept: Skills that were to be kept through the next proposal.

    """

    deed: str
    draft: Draft
    kept: tuple[Skill, ...]


class Session:
    """A demonstration that a person annotates, with undo for each thing that is done.

    Args:
        bench: The demonstration and what is said of it.
        audience: Who is told.

    """

    def __init__(self, bench: Workbench, audience: Audience) -> None:
        self._bench = bench
        self._audience = audience
        self._history: list[_Before] = []
        self._has_file = self._is_written = bench.target.exists()
        self._kept: tuple[Skill, ...] = ()
        self._proposed: frozenset[ObjectNote] = frozenset()
        self._saved = bench.draft
        self._latest = View()

    @property
    def view(self) -> View:
        """How things stand; may be asked for in any thread."""
        return self._latest

    @property
    def is_saved(self) -> bool:
        """Whether all that a person has done is in the file."""
        return self._bench.draft == self._saved

    @property
    def is_in_file(self) -> bool:
        """Whether there is a file, and all that a person has done is in it."""
        return self._is_written and self.is_saved

    @property
    def undo_next(self) -> str:
        """What would be taken back; empty where nothing was done yet."""
        return self._history[-1].deed if self._history else ''

    # Objects.

    def click_pixel(self, frame: int, pixel: tuple[float, float], name: str, selected: str) -> None:
        """Take a click on the camera's picture.

        Args:
            frame: The frame that was shown.
            pixel: Column and row, from 0.
            name: What a person wants the object to be called; may be empty.
            selected: Name of the object that is pointed at anew; empty for another one.

        Raises:
            R2RGenError: Nothing is there, or the name is taken.

        """
        u, v = self._bench.pixel(*pixel)
        seen = Snapshot.take(self._bench.demo, frame)
        beside = np.linalg.norm(seen.pixels(self._bench.demo, frame) - (u, v), axis=1)
        beside[np.isnan(beside)] = np.inf
        nearest = int(beside.argmin())
        hit = None
        if beside[nearest] <= _BESIDE_PX:
            hit = self._latest.name_at(frame, int(seen.index[nearest]))
        self._point(Prompt(frame, pixel=(round(u, 1), round(v, 1))), name.strip(), selected, hit)

    def click_ray(
        self, frame: int, origin: ArrayLike, direction: ArrayLike, name: str, selected: str
    ) -> None:
        """Take a click in the 3D view.

        Args:
            frame: The frame that was shown.
            origin: (3,) where the ray of the click begins, base frame, metres.
            direction: (3,) where it goes.
            name: What a person wants the object to be called; may be empty.
            selected: Name of the object that is pointed at anew; empty for another one.

        Raises:
            R2RGenError: Nothing is there, or the name is taken.

        """
        seen = Snapshot.take(self._bench.demo, frame)
        met = pick(seen.points, origin, direction)
        if met is None:
            raise R2RGenError('the click in the 3D view is on no point', 'a click on an object')
        hit = self._latest.name_at(frame, int(seen.index[met]))
        x, y, z = np.round(seen.points[met], 4).tolist()
        self._point(Prompt(frame, point=(x, y, z)), name.strip(), selected, hit)

    def rename_object(self, old: str, new: str) -> None:
        """Call an object otherwise.

        Raises:
            R2RGenError: There is no such object, or the name is taken or empty.

        """
        new = new.strip()
        require(bool(new), f'there is no new name for "{old}"', 'a name in the field above')
        note = next((note for note in self._latest.objects if note.name == old), None)
        require(note is not None, f'there is no object "{old}"')
        assert note is not None
        before = self._before(f'the name "{new}"')
        draft = edits.repointed(self._seeded(), old, replace(note, name=new, grasps=()))
        self._kept = tuple(edits.in_other_words(skill, {old: new}) for skill in self._kept)
        self._try(draft, before)
        self._audience.say(f'"{old}" is now called "{new}"')

    def remove_object(self, name: str) -> None:
        """Take out an object.

        Raises:
            R2RGenError: There is no such object.

        """
        before = self._before(f'that "{name}" was taken out')
        draft = edits.without_object(self._seeded(), name)
        self._kept = tuple(edits.in_other_words(skill, {name: None}) for skill in self._kept)
        self._try(draft, before)
        self._audience.say(f'"{name}" is taken out')

    # Skills.

    def set_skill(self, skill: Skill, instead: str = '') -> None:
        """Add a skill, or put it in the place of another one.

        Args:
            skill: The skill.
            instead: Name of the one that it replaces; empty for none but that of its own name.

        Raises:
            R2RGenError: It does not fit.

        """
        self._refresh()
        before = self._before(f'skill "{skill.name}"')
        with self._bench.attempt():
            if instead and instead != skill.name:
                self._bench.remove_skill(instead)
            self._bench.set_skill(skill)
        self._done(before)
        self._audience.say(f'skill "{skill.name}" runs from frame {skill.first} to {skill.last}')

    def remove_skill(self, name: str) -> None:
        """Take out a skill.

        Raises:
            R2RGenError: There is none of that name.

        """
        self._refresh()
        before = self._before(f'that skill "{name}" was taken out')
        self._bench.remove_skill(name)
        self._done(before)
        self._audience.say(f'skill "{name}" is taken out')

    # The whole.

    def undo(self) -> None:
        """Take back what a person did last.

        Raises:
            R2RGenError: There is nothing to take back.

        """
        if not self._history:
            raise R2RGenError('there is nothing to take back', 'a click or a marked skill')
        before = self._history.pop()
        self._bench.draft, self._kept = before.draft, before.kept
        self._show()
        self._audience.say(f'taken back: {before.deed}')

    def save(self) -> None:
        """Write annotation and picture, as the command line does.

        Raises:
            R2RGenError: There is nothing to save, or the disk says no.

        """
        scene = self._refresh()
        self._audience.progress('Saving', None)
        old = self._bench.save(lambda path: draw_annotation(scene, path))
        self._saved, self._is_written = self._bench.draft, True
        kept = '' if old is None else f'; the one before is now {old.name}'
        self._audience.progress('', None)
        self._audience.say(f'Saved: {self._bench.target}{kept}')

    def refresh(self) -> None:
        """Bring the scene up to date.

        Raises:
            R2RGenError: Nothing is found.

        """
        self._refresh()

    def catch_up(self) -> None:
        """Bring the scene up to date, where something is said to make one of.

        Raises:
            R2RGenError: Nothing is found.

        """
        if self._bench.is_stale:
            self._show()
            scene = self._refresh()
            objects, skills = len(scene.objects), len(scene.annotation.skills)
            listed = ' and what is listed below' if self._latest.checks else ''
            self._audience.say(
                f'Objects: {objects}. Skills: {skills}. Check them{listed}, then save.'
            )
        else:
            self._show()

    # How it is done.

    def _point(self, prompt: Prompt, name: str, selected: str, hit: str | None) -> None:
        """Point at an object: a selected one, one that is known already, or another one."""
        if not selected and hit is not None and not self._is_proposed(hit) and name != hit:
            try:
                self._add(prompt, name)
            except R2RGenError as error:
                # Nothing parts the two places: it is one thing, which may get another name.
                if not name:
                    raise _known(hit) from error
            else:
                self._audience.say(
                    f'"{self._latest.names[-1]}" is parted from "{hit}"; undo it if they are one'
                )
                return
        if not selected and hit is not None and name in ('', hit):
            raise _known(hit)
        old = selected or hit
        if old is None:
            self._add(prompt, name)
            self._audience.say(f'"{self._latest.names[-1]}" was clicked in frame {prompt.frame}')
            return
        new = name or old
        before = self._before(f'the click for "{new}"')
        seeded = self._seeded()
        known = {note.name: note for note in seeded.clicks}
        note = replace(known.get(old, ObjectNote(new, prompt)), prompt=prompt, grasps=())
        draft = edits.repointed(seeded, old, replace(note, name=new))
        self._kept = tuple(edits.in_other_words(skill, {old: new}) for skill in self._kept)
        self._try(draft, before)
        self._audience.say(f'"{new}" was clicked in frame {prompt.frame}')

    def _add(self, prompt: Prompt, name: str) -> None:
        """Point at one more object, beside all that are known."""
        new = free_name(self._latest.names, [name])
        require(name in ('', new), f'there is "{name}" already', 'another name')
        before = self._before(f'the click for "{new}"')
        self._try(self._seeded().added(ObjectNote(new, prompt)), before)

    def _is_proposed(self, name: str) -> bool:
        """Whether an object was found by the program, and nobody has pointed at it or named it."""
        if not self._bench.draft.clicks:
            return not self._has_file
        return any(note.name == name for note in self._proposed & set(self._bench.draft.clicks))

    def _seeded(self) -> Draft:
        """What was said, with the objects of a proposal or a file as if clicked."""
        draft, scene = self._bench.draft, self._bench.scene
        if draft.clicks or scene is None:
            return draft
        if self._has_file:
            # They are a person's: what is proposed for the objects must not replace them.
            self._kept = scene.annotation.skills
        seeded = edits.seeded(draft, scene.annotation.objects)
        if not self._has_file:
            self._proposed = frozenset(seeded.clicks)
        return seeded

    def _try(self, draft: Draft, before: _Before) -> None:
        """Have another draft, if all its clicks are on something."""
        self._audience.progress('Looking at what was clicked', None)
        self._bench.draft = draft
        try:
            refused = self._bench.look()
            if refused:
                raise refused[0]
        except BaseException:
            self._bench.draft, self._kept = before.draft, before.kept
            raise
        finally:
            self._audience.progress('', None)
        self._done(before)

    def _before(self, deed: str) -> _Before:
        return _Before(deed, self._bench.draft, self._kept)

    def _done(self, before: _Before) -> None:
        self._history.append(before)
        self._show()

    def _refresh(self) -> Scene:
        """Bring the scene up to date and return it."""
        scene = self._bench.scene
        if scene is None or self._kept:
            scene = self._parsed()
            self._show()
        return scene

    def _parsed(self) -> Scene:
        total = len(self._bench.demo)
        done = 0
        self._audience.progress('Looking for objects and skills', None)

        def count(steps: int) -> None:
            nonlocal done
            done += steps
            self._audience.progress(f'Parsing frame {done} of {total}', done / total)

        try:
            scene = self._bench.refresh(count)
        finally:
            self._audience.progress('', None)
        if self._kept:
            for skill in scene.annotation.skills:
                self._bench.remove_skill(skill.name)
            for skill in self._kept:
                self._bench.set_skill(skill)
            self._kept = ()
            scene = self._bench.refresh()
        return scene

    def _show(self) -> None:
        """Tell how things stand."""
        bench, before = self._bench, self._latest
        scene, ground, clicks = bench.scene, bench.ground, bench.draft.clicks
        view = replace(before, scene=scene, clicked={})
        if ground is not None:
            view = replace(view, support=ground.support)
        if scene is not None:
            said = scene.annotation
            checks = tuple(dict.fromkeys((*bench.demo.warnings, *said.notes, *bench.remarks)))
            view = replace(
                view,
                support=scene.support,
                objects=said.objects,
                skills=said.skills,
                checks=checks,
            )
        else:
            found = {note.prompt.frame: bench.labels(note.prompt.frame) for note in clicks}
            clicked = {frame: labels for frame, labels in found.items() if labels is not None}
            objects = clicks or before.objects
            view = replace(view, objects=objects, clicked=clicked)
        self._latest = view
        self._audience.show(view)


def _known(name: str) -> R2RGenError:
    return R2RGenError(
        f'that is "{name}" already',
        'another object',
        'type a name first to rename it, or choose it to point at it anew',
    )
