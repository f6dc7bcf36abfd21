# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page as a whole: what is clicked goes to the session, what the session says is shown."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.page.board import Board
from r2rgen_ros.page.camera_panel import CameraPanel, Moves
from r2rgen_ros.page.deeds import Deeds
from r2rgen_ros.page.editor import Editor
from r2rgen_ros.page.film import Film
from r2rgen_ros.page.player import Player
from r2rgen_ros.page.server import serving
from r2rgen_ros.page.session import Session
from r2rgen_ros.page.stage import Stage
from r2rgen_ros.page.turns import Part, Turns
from r2rgen_ros.page.worker import Worker
from r2rgen_ros.parse.workbench import Workbench
from r2rgen_ros.report.style import pretty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import viser

    from r2rgen_ros.bags.streams import StreamSelection
    from r2rgen_ros.page.view import View

_LEAP = 10
_TOAST_S = 6.0
_GUESS_M = 0.25
_log = logging.getLogger(__name__)


class Site:
    """The page as a whole.

    Args:
        server: Where it is shown.
        path: The bag, or a folder of one.
        target: Where its annotation belongs.
        wanted: Topics and frames that a person chose.

    Raises:
        R2RGenError: It is no demonstration.

    """

    def __init__(
        self, server: viser.ViserServer, path: Path, target: Path, wanted: StreamSelection | None
    ) -> None:
        # Two readers of one bag, each for a thread: one works, the other one shows.
        self._demo = load_demo(path, wanted)
        self._worker = Worker(self._catch_up, self._failed)
        bench = Workbench.open(path, target, wanted, check=self._worker.check)
        self._session = Session(bench, self)
        self._server = server
        self._film = Film(self._demo)
        self._changed = threading.Condition()
        self._stale = True
        self._ending = False
        self._player = Player(len(self._demo), self._demo.period_ns * 1e-9, self._redraw)
        server.gui.configure_theme(show_logo=False, show_share_button=False)
        server.gui.set_panel_label(f'Annotate {pretty(self._demo.name)}')
        self._turns = Turns(self._worker.ask, self._failed)
        board = Board.of(server, self._demo)
        self._camera = CameraPanel(board, Moves(self._go, self._toggle, self._pixel))
        self._editor = Editor(board, self._deeds())
        self._stage = Stage(server, self._demo)
        self._take_keys()
        server.scene.on_click()(self._ray)
        self._drawer = threading.Thread(target=self._draw, name='drawer', daemon=True)
        self._drawer.start()
        self._worker.start()

    @property
    def is_saved(self) -> bool:
        """Whether all that a person has done is in the file."""
        return self._session.is_saved

    def close(self) -> None:
        """Stop what is under way."""
        self._worker.close()
        self._player.close()
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._drawer.join()

    # What the session tells.

    def show(self, view: View) -> None:
        """Show how things stand."""
        self._editor.show(view)
        self._show_saved()
        self._redraw()

    def progress(self, text: str, share: float | None) -> None:
        """Show what is under way."""
        self._editor.progress(text, share)

    def say(self, text: str, *, is_bad: bool = False) -> None:
        """Show what has happened."""
        self._editor.say(text, is_bad=is_bad)
        self._show_saved()
        if is_bad:
            # In front of all else, because the panel may be scrolled away or closed.
            for client in self._server.get_clients().values():
                client.add_notification(
                    'That did not work', text, auto_close_seconds=_TOAST_S, color='red'
                )

    def _failed(self, error: Exception) -> None:
        text = str(error)
        if not isinstance(error, R2RGenError | OSError):
            _log.error('the page goes on after a fault', exc_info=error)
            text = f'a fault of the program, of which the terminal says more: {text}'
        self.progress('', None)
        self.say(text, is_bad=True)
        self._redraw()

    # What a person does, in the order in which it is done.

    def _deeds(self) -> Deeds:
        return Deeds(
            self._rename_object,
            self._remove_object,
            self._set_skill,
            self._remove_skill,
            self._edit_skill,
            self._typed,
            self._guess,
            self._redraw,
            self._undo,
            self._save,
        )

    def _pixel(self, u: float, v: float) -> None:
        self._click(lambda *said: self._session.click_pixel(said[0], (u, v), *said[1:]))

    async def _ray(self, event: viser.SceneClickEvent) -> None:
        origin, direction = event.ray_origin, event.ray_direction
        self._click(lambda *said: self._session.click_ray(said[0], origin, direction, *said[1:]))

    def _click(self, do: Callable[[int, str, str], None]) -> None:
        """Take a click with what the page says at this moment."""
        frame, taken = self._player.frame, self._editor.take_object()

        def work() -> None:
            try:
                do(frame, *taken)
            except Exception:
                self._editor.give_back_object(taken)
                raise

        # What follows may go on before it is known what was clicked on.
        self._turns.take(work, Part.NONE)

    def _rename_object(self) -> None:
        new, old = self._editor.object_name, self._editor.object_selected

        def work() -> None:
            self._session.rename_object(old, new)
            if self._editor.object_name == new:
                self._editor.take_object()

        self._turns.take(work, Part.FORM | Part.SKILLS)

    def _remove_object(self) -> None:
        name = self._editor.object_selected
        self._turns.take(lambda: self._session.remove_object(name), Part.FORM | Part.SKILLS)

    def _set_skill(self) -> None:
        # What is in the fields now, unless something before this still has to fill them in.
        said = self._editor.fields() if self._turns.are_free(Part.FORM) else None

        def work() -> None:
            fields = said or self._editor.fields()
            if fields.marks is not None:
                self._session.refresh()
            self._session.set_skill(self._editor.skill(fields), fields.selected)
            self._editor.skill_done(fields)

        self._turns.take(work, Part.FORM | Part.SKILLS)

    def _remove_skill(self) -> None:
        name = self._editor.skill_selected
        self._turns.take(lambda: self._session.remove_skill(name), Part.FORM | Part.SKILLS)

    def _edit_skill(self) -> None:
        def work() -> None:
            skill = self._editor.load()
            if skill is not None:
                self._player.go(skill.first)

        self._turns.take_at_once(work, Part.FRAME | Part.FORM | Part.SKILLS)

    def _typed(self, is_start: bool) -> None:
        self._turns.take_at_once(lambda: self._editor.mark_typed(is_start=is_start), Part.FORM)

    def _mark(self, mark: Callable[[int], None]) -> None:
        """Mark the frame that is shown; the one at this moment, if that is settled."""
        if self._turns.are_free(Part.FRAME):
            frame = self._player.frame
            self._turns.take_at_once(lambda: mark(frame), Part.FORM)
        else:
            self._turns.take(lambda: mark(self._player.frame), Part.FRAME | Part.FORM)

    def _undo(self) -> None:
        self._turns.take(self._session.undo, Part.FORM | Part.SKILLS)

    def _save(self) -> None:
        self._turns.take(self._session.save, Part.SKILLS)

    def _go(self, frame: int) -> None:
        self._turns.take_at_once(lambda: self._player.go(frame), Part.FRAME)

    def _toggle(self) -> None:
        self._turns.take_at_once(self._player.toggle, Part.FRAME)

    def _step(self, frames: int) -> None:
        self._turns.take_at_once(lambda: self._player.go(self._player.frame + frames), Part.FRAME)

    def _skip(self, ahead: bool) -> None:
        """Go to the nearest frame ahead, or behind, at which a skill begins or ends."""

        def work() -> None:
            now, last = self._player.frame, len(self._demo) - 1
            skills = self._session.view.skills
            edges = {0, last, *(s.first for s in skills), *(s.last for s in skills)}
            passed = [edge for edge in edges if (edge > now if ahead else edge < now)]
            if passed:
                self._player.go(min(passed) if ahead else max(passed))

        self._turns.take_at_once(work, Part.FRAME | Part.SKILLS)

    def _guess(self, first: int, last: int, arm: str) -> tuple[str, str] | None:
        """The object nearest to where a hand ends up, and the one that it brings along."""
        scene = self._session.view.scene
        if scene is None:
            return None
        place = next(k for k, each in enumerate(self._demo.arms) if each.name == arm)
        hand = self._demo.arms[place].ee2base[last, :3, 3]
        carried = [item.name for item in scene.objects if item.held[first] == place]
        far = {
            item.name: float(
                np.linalg.norm(
                    se3.apply(item.object2base[last], item.cloud.points[::20].astype(np.float64))
                    - hand,
                    axis=1,
                ).min()
            )
            for item in scene.objects
            if item.name not in carried
        }
        nearest = min(far, key=lambda name: far[name], default='')
        near = nearest if nearest and far[nearest] < _GUESS_M else ''
        return near, carried[0] if carried else ''

    def _take_keys(self) -> None:
        """Offer all that keys do; it is also found by name, with Ctrl K."""
        editor = self._editor
        self._key('Play or pause', 'space', self._toggle)
        self._key('One frame back', 'J', lambda: self._step(-1))
        self._key('One frame on', 'L', lambda: self._step(1))
        self._key('Ten frames back', 'J', lambda: self._step(-_LEAP), 'shift')
        self._key('Ten frames on', 'L', lambda: self._step(_LEAP), 'shift')
        self._key('To the edge of a skill before', 'P', lambda: self._skip(ahead=False))
        self._key('To the next edge of a skill', 'N', lambda: self._skip(ahead=True))
        self._key('The skill starts here', 'I', lambda: self._mark(editor.mark_start))
        self._key('The skill ends here', 'O', lambda: self._mark(editor.mark_end))
        self._key('Set the skill', 'enter', self._set_skill)
        self._key('Undo', 'Z', self._undo)
        self._key('Undo', 'Z', self._undo, 'cmd/ctrl')
        self._key('Save', 'S', self._save, 'cmd/ctrl')

    def _key(
        self,
        label: str,
        key: Any,
        work: Callable[[], None],
        modifier: Literal['shift', 'cmd/ctrl'] | None = None,
    ) -> None:
        async def pressed(_event: viser.CommandEvent) -> None:
            work()

        command = self._server.gui.add_command(label, hotkey=key, modifier=modifier)
        command.on_trigger(pressed)

    # How it is done.

    def _catch_up(self) -> None:
        self._session.catch_up()

    def _show_saved(self) -> None:
        self._editor.show_saved(is_saved=self._session.is_in_file, undo=self._session.undo_next)

    def _redraw(self) -> None:
        """Have the page drawn again, soon; returns at once."""
        with self._changed:
            self._stale = True
            self._changed.notify_all()

    def _draw(self) -> None:
        """Draw whatever is the newest, as often as there is something new."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stale or self._ending)
                if self._ending:
                    return
                self._stale = False
            try:
                self._draw_once()
            except Exception as error:  # noqa: BLE001  # a page that stands still helps nobody
                self._failed(error)
                self._stale = False

    def _draw_once(self) -> None:
        view, frame = self._session.view, self._player.frame
        shot = self._film.shot(frame, view.labels(frame))
        self._camera.show(
            frame, shot.picture, view, self._editor.marks, is_playing=self._player.is_playing
        )
        self._stage.show(shot, view)


@contextlib.contextmanager
def open_site(
    path: Path,
    target: Path,
    wanted: StreamSelection | None = None,
    *,
    host: str = '127.0.0.1',
    port: int = 8080,
) -> Iterator[tuple[Site, str]]:
    """Have the page until the block is left.

    Args:
        path: The bag, or a folder of one.
        target: Where its annotation belongs.
        wanted: Topics and frames that a person chose.
        host: Address or name of this machine to listen on.
        port: Port; a later one if it is taken, any free one if it is 0.

    Yields:
        The page and its address.

    Raises:
        R2RGenError: It is no demonstration, or the page cannot be served there.

    """
    with serving(host, port, 'Annotate') as (server, address):
        site = Site(server, path, target, wanted)
        try:
            yield site, address
        finally:
            site.close()
