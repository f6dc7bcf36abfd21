# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the annotator does for requests and clicks; all of it in the thread of its worker."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2rgen_ros.bags.newest import newest_bag
from r2rgen_ros.generate.session import annotation_path
from r2rgen_ros.model.annotation import ObjectNote
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import as_is_or_below
from r2rgen_ros.nodes import overlays
from r2rgen_ros.nodes.annotation_messages import RequestError
from r2rgen_ros.parse.draft import free_name
from r2rgen_ros.parse.workbench import Workbench
from r2rgen_ros.report.annotation import draw_annotation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from r2rgen_ros.bags.streams import StreamSelection
    from r2rgen_ros.model.annotation import Skill
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.nodes.annotation_screen import Screen
    from r2rgen_ros.nodes.worker import Job

NO_DEMO = 'no demonstration is loaded: call ~/load'


@dataclass(frozen=True)
class Options:
    """What a person chose with parameters.

    Attributes:
        demos_folder: Where bags without a path are looked for.
        wanted: Topics and frames of the bags; what is None or empty is found.
        proposes: Whether to propose as soon as a demo without annotation is loaded.

    """

    demos_folder: Path = Path()
    wanted: StreamSelection | None = None
    proposes: bool = True


@dataclass(frozen=True)
class Click:
    """A click that has not been looked at yet.

    Attributes:
        note: Makes the object of it, from the demo, the frame that is shown, and a name.
        names: What a person wants objects to be called.

    """

    note: Callable[[Workbench, int, str], ObjectNote]
    names: Sequence[str] = ()


class Desk:
    """A demonstration that is annotated, and the screen that shows it.

    Args:
        screen: Where it is shown.
        log: The node's logger.

    Attributes:
        options: What a person chose.
        clicks: Those not looked at yet; may be appended to from any thread.
        frame: The frame that is shown, and that clicks refer to.
        text: What a person should know now.
        is_bad: Whether that is a problem.
        facts: What there is, for diagnostics.

    """

    def __init__(self, screen: Screen, log: Any) -> None:
        self.options = Options()
        self.clicks: deque[Click] = deque()
        self.frame = 0
        self.text, self.is_bad = '', False
        self.facts: dict[str, str] = {}
        self._screen = screen
        self._log = log
        self._bench: Workbench | None = None
        self._job: Job | None = None
        self._shown: Any = None

    @property
    def bench(self) -> Workbench:
        """What is annotated.

        Raises:
            RequestError: No demonstration is loaded.

        """
        if self._bench is None:
            raise RequestError('no demonstration is loaded', '', 'call ~/load, or name one')
        return self._bench

    @property
    def frames(self) -> int | None:
        """Number of frames; None where nothing is loaded."""
        return None if self._bench is None else len(self._bench.demo)

    def forget(self) -> None:
        """Give the demonstration back."""
        self._bench = None
        self._screen.forget()
        self.clicks.clear()
        self.facts = {}
        self.text, self.is_bad = '', False

    def begin(self, job: Job) -> None:
        """Take note of the job under way, which may be told to stop."""
        self._job = job

    def path(self, said: str) -> Path:
        """Return the path that is meant; without one, that of the newest bag.

        Raises:
            R2RGenError: There is none.

        """
        folder = self.options.demos_folder
        if not said:
            return newest_bag(folder).absolute()
        path = as_is_or_below(folder, said)
        if not path.exists():
            raise R2RGenError(f'there is no {path.absolute()}', 'a bag or the folder of one')
        return path.absolute()

    def has(self, said: str) -> bool:
        """Whether the demonstration that is meant is the one that is loaded."""
        return self._bench is not None and self.path(said) == self._bench.path

    # What is asked for.

    def load(self, said: str) -> Workbench:
        """Load a demonstration and show it; the one before is forgotten.

        Raises:
            R2RGenError: It is no demonstration.

        """
        path = self.path(said)
        bench = Workbench.open(
            path,
            annotation_path(path),
            self.options.wanted,
            proposes=self.options.proposes,
            check=self._check,
        )
        self.clicks.clear()
        self._bench = bench
        self.frame = min(self.frame, len(bench.demo) - 1)
        for text in bench.demo.warnings:
            self._log.info(f'check: {text}')
        self.say(f'{path.name}: {len(bench.demo)} frames. Click on the objects.')
        self.show()
        return bench

    def propose(self, job: Job, notes: Sequence[ObjectNote] | None = None) -> list[str]:
        """Propose from notes, else from the clicks, else from whatever stands on the support.

        Args:
            job: The job under way.
            notes: Objects in place of those clicked.

        Returns:
            What had to be left out.

        Raises:
            R2RGenError: Nothing is found.

        """
        bench = self.bench
        self._take_clicks()
        with bench.attempt():
            job.total = len(bench.demo)
            try:
                bench.start_anew(notes)
            except R2RGenError as error:
                raise RequestError.of(error) from None
            return self.settle(job)

    def settle(self, job: Job) -> list[str]:
        """Bring scene and screen up to date; return what had to be left out.

        Raises:
            R2RGenError: Nothing is said yet, or nothing is found.

        """
        bench = self.bench
        self._take_clicks()
        dropped = [str(error) for error in bench.look()]
        for text in dropped:
            self.say(f'that click is left out: {text}', is_bad=True)
        if bench.is_stale and bench.draft.clicks:
            self.show()
        if bench.is_empty:
            raise RequestError('nothing is annotated yet', 'objects', 'click on them, or propose')
        job.total, job.done = len(bench.demo), 0
        job.advance(0)
        if bench.is_stale or bench.scene is None:
            scene = bench.refresh(job.advance)
            if not dropped:
                self.say(summary(scene))
            self.show()
        job.done = job.total
        return [*dropped, *bench.remarks]

    def scene(self) -> Scene:
        """Return the scene, which `settle` has brought up to date."""
        scene = self.bench.scene
        assert scene is not None
        return scene

    def save(self) -> Path:
        """Write the annotation and its picture, as the command line does; return its path.

        Raises:
            R2RGenError: The disk says no.

        """
        bench, scene = self.bench, self.scene()
        old = bench.save(lambda path: draw_annotation(scene, path))
        if old is not None:
            self._log.info(f'the old annotation is now {old}')
        self.say(f'saved: {bench.target}')
        self.show()
        return bench.target

    def set_skill(self, skill: Skill) -> None:
        """Add or replace a skill.

        Raises:
            R2RGenError: It does not fit.

        """
        self.bench.set_skill(skill)
        self.say(f'skill "{skill.name}" runs from frame {skill.first} to {skill.last}')
        self.show()

    def remove_skill(self, name: str) -> None:
        """Take out a skill.

        Raises:
            R2RGenError: There is none of that name.

        """
        self.bench.remove_skill(name)
        self.say(f'skill "{name}" is taken out')
        self.show()

    def undo(self) -> str:
        """Take back the last click or the last word on a skill; return what to tell.

        Raises:
            R2RGenError: There is nothing to take back.

        """
        self._take_clicks()
        self.say(f'"{self.bench.undo()}" is taken back')
        self.show()
        return self.text

    def discard(self) -> str:
        """Forget what was clicked and marked; return what to tell."""
        if self._bench is None:
            return 'there was nothing to discard'
        self._bench.discard()
        self.say('clicks and marked skills are forgotten')
        self.show()
        return self.text

    # What is done in between.

    def keep_up(self, job: Job) -> None:
        """Take in clicks, propose again, and show it.

        Raises:
            R2RGenError: Nothing is found.

        """
        self.begin(job)
        if self._bench is None:
            if self.clicks:
                self.clicks.clear()
                self.say(f'a click is left out: {NO_DEMO}', is_bad=True)
            self.show_nothing()
            return
        self._take_clicks()
        if self._bench.is_stale:
            self.settle(job)
        # A job that was stopped may have left something on the screen.
        if self._shown != self._state():
            self.show()

    def show(self) -> None:
        """Show how things stand."""
        if self._bench is None:
            self.show_nothing()
            return
        # Before the view is made: another frame may be chosen at any time, and must not be missed.
        state = self._state()
        view = self.view()
        self._screen.show(view)
        self._shown = state
        scene = view.scene
        self.facts = {
            'demo': str(self._bench.path),
            'frames': str(len(view.demo)),
            'objects': '' if scene is None else str(len(scene.objects)),
            'skills': '' if scene is None else str(len(scene.annotation.skills)),
        }

    def show_nothing(self) -> None:
        """Tell that nothing is loaded."""
        self._screen.notice(self.text or NO_DEMO)

    def view(self) -> overlays.View:
        """Return what is to be shown."""
        bench = self.bench
        scene, ground = bench.scene, bench.ground
        support = None if ground is None else ground.support
        frame = self.frame  # read once: it may be changed at any time
        return overlays.View(
            bench.demo,
            frame,
            bench.labels(frame),
            scene,
            support if scene is None else scene.support,
            bench.draft.clicks,
            self.text,
            self.is_bad,
        )

    def say(self, text: str, *, is_bad: bool = False) -> None:
        """Log a line, and have it on the screen when it is drawn next."""
        self.text, self.is_bad = text, is_bad
        if is_bad:
            self._log.warning(text)
        else:
            self._log.info(text)

    def _take_clicks(self) -> None:
        """Add what was clicked to the draft; what cannot be used is left out."""
        for _ in range(len(self.clicks)):
            try:
                click = self.clicks.popleft()
            except IndexError:  # they were discarded just now
                return
            name = free_name(self._names(), click.names)
            try:
                self.bench.click(click.note(self.bench, self.frame, name))
                self._log.info(f'"{name}" was clicked in frame {self.frame}')
            except R2RGenError as error:
                self.say(f'that click is left out: {error}', is_bad=True)

    def _state(self) -> Any:
        """All that what is shown depends on."""
        bench = self.bench
        return self.frame, bench.draft, bench.scene is None, self.text

    def _names(self) -> Iterable[str]:
        return [note.name for note in self.bench.draft.clicks]

    def _check(self) -> None:
        """Stop reading frames where the job under way shall stop."""
        if self._job is not None:
            self._job.check()


def summary(scene: Scene) -> str:
    """Return what there is of a scene, and what a person should check."""
    notes = ''.join(f'\ncheck: {note}' for note in scene.annotation.notes)
    objects, skills = len(scene.objects), len(scene.annotation.skills)
    return f'Objects: {objects}. Skills: {skills}. To write them: ~/save.{notes}'
