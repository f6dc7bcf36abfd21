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
from r2rgen_ros.page.camera_panel import CameraPanel, Moves
from r2rgen_ros.page.editor import Deeds, Editor
from r2rgen_ros.page.film import Film
from r2rgen_ros.page.player import Player
from r2rgen_ros.page.server import serving
from r2rgen_ros.page.session import Session
from r2rgen_ros.page.stage import Stage
from r2rgen_ros.page.worker import Worker
from r2rgen_ros.parse.workbench import Workbench
from r2rgen_ros.report.style import pretty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import viser

    from r2rgen_ros.bags.streams import StreamSelection
    from r2rgen_ros.model.annotation import Skill
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
        self._camera = CameraPanel(
            server, self._demo, Moves(self._player.go, self._step, self._player.toggle, self._pixel)
        )
        self._editor = Editor(server, self._demo, self._deeds())
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
        self._redraw()

    def progress(self, text: str, share: float | None) -> None:
        """Show what is under way."""
        self._editor.progress(text, share)

    def say(self, text: str, *, is_bad: bool = False) -> None:
        """Show what has happened."""
        self._editor.say(text, is_bad=is_bad)
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

    # What a person does.

    def _deeds(self) -> Deeds:
        session, player = self._session, self._player
        return Deeds(
            lambda old, new: self._ask(lambda: self._then(session.rename_object, old, new)),
            lambda name: self._ask(lambda: self._then(session.remove_object, name)),
            self._set_skill,
            lambda name: self._ask(lambda: session.remove_skill(name)),
            player.go,
            lambda: player.frame,
            self._guess,
            self._redraw,
            lambda: self._ask(session.undo),
            lambda: self._ask(session.save),
        )

    def _then(self, work: Callable[..., None], *words: str) -> None:
        work(*words)
        self._editor.object_done()

    def _set_skill(self, make: Callable[[], Skill], instead: str) -> None:
        def work() -> None:
            self._session.set_skill(make(), instead)
            self._editor.skill_done()

        self._ask(work)

    def _ask(self, work: Callable[[], None]) -> None:
        self._worker.ask(work)

    def _pixel(self, u: float, v: float) -> None:
        frame, name, selected = self._said()

        def work() -> None:
            self._session.click_pixel(frame, (u, v), name, selected)
            self._editor.object_done()

        self._ask(work)

    async def _ray(self, event: viser.SceneClickEvent) -> None:
        frame, name, selected = self._said()
        origin, direction = event.ray_origin, event.ray_direction

        def work() -> None:
            self._session.click_ray(frame, origin, direction, name, selected)
            self._editor.object_done()

        self._ask(work)

    def _said(self) -> tuple[int, str, str]:
        return self._player.frame, self._editor.object_name, self._editor.object_selected

    def _step(self, frames: int) -> None:
        self._player.go(self._player.frame + frames)

    def _skip(self, ahead: bool) -> None:
        """Go to the nearest frame ahead, or behind, at which a skill begins or ends."""
        now, last = self._player.frame, len(self._demo) - 1
        skills = self._session.view.skills
        edges = {0, last, *(s.first for s in skills), *(s.last for s in skills)}
        passed = [edge for edge in edges if (edge > now if ahead else edge < now)]
        if passed:
            self._player.go(min(passed) if ahead else max(passed))

    def _guess(self, first: int, last: int, arm: str) -> tuple[str, str]:
        """The object nearest to where a hand ends up, and the one that it brings along."""
        scene = self._session.view.scene
        if scene is None:
            return '', ''
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
        editor, player = self._editor, self._player
        self._key('Play or pause', 'space', player.toggle)
        self._key('One frame back', 'J', lambda: self._step(-1))
        self._key('One frame on', 'L', lambda: self._step(1))
        self._key('Ten frames back', 'J', lambda: self._step(-_LEAP), 'shift')
        self._key('Ten frames on', 'L', lambda: self._step(_LEAP), 'shift')
        self._key('To the edge of a skill before', 'P', lambda: self._skip(ahead=False))
        self._key('To the next edge of a skill', 'N', lambda: self._skip(ahead=True))
        self._key('The skill starts here', 'I', editor.mark_start)
        self._key('The skill ends here', 'O', editor.mark_end)
        self._key('Set the skill', 'enter', editor.set_skill)
        self._key('Undo', 'Z', lambda: self._ask(self._session.undo))
        self._key('Undo', 'Z', lambda: self._ask(self._session.undo), 'cmd/ctrl')
        self._key('Save', 'S', lambda: self._ask(self._session.save), 'cmd/ctrl')

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
