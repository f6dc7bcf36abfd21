# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera's picture, which takes clicks, and what plays the demonstration below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import viser

from r2rgen_ros.page import browser, markup

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from r2rgen_ros.page.board import Board
    from r2rgen_ros.page.view import View

_WIDTH_PX = 500
_QUALITY = 88
_PLAY = viser.Icon.PLAYER_PLAY


@dataclass(frozen=True)
class Moves:
    """What the panel calls when a person uses it; all of it returns at once.

    Attributes:
        go: Shows a frame.
        toggle: Plays or pauses.
        click: Takes a click on a pixel.

    """

    go: Callable[[int], None]
    toggle: Callable[[], None]
    click: Callable[[float, float], None]


class CameraPanel:
    """The panel at the left.

    Args:
        board: What it is built on.
        moves: What it calls.

    """

    def __init__(self, board: Board, moves: Moves) -> None:
        self._board = board
        self._gui = board.gui
        self._moves = moves
        self._picture: viser.GuiImageHandle | None = None
        panel = self._gui.add_panel()
        with panel.add_tab('Camera' if board.has_camera else 'Time'):
            # Pictures come with the first frame, and belong above all else.
            self._slider = self._gui.add_slider(
                'Frame', min=0, max=board.frames - 1, step=1, initial_value=0, order=2
            )
            self._timeline = self._gui.add_html('', order=3)
            self._play = self._gui.add_button('Play (Space)', icon=_PLAY, order=4)
            self._clicked = self._gui.add_text(browser.FIELD, '', order=5)
            self._gui.add_html(browser.SCRIPT, order=6)
            self._gui.add_html(markup.keys(), order=7)
        self._clicked.on_update(self._on_click)
        self._slider.on_update(self._on_slider)
        self._play.on_click(self._on_play)
        panel.dock_left()
        panel.set_width(_WIDTH_PX)
        self._panel = panel
        self._tab = panel._tab_handles[0]

    def show(
        self,
        frame: int,
        picture: NDArray[np.uint8] | None,
        view: View,
        marks: tuple[int, int] | None,
        *,
        is_playing: bool,
    ) -> None:
        """Show a frame, and how things stand."""
        self._timeline.content = markup.timeline(
            view.skills, self._board.arms, self._board.frames, frame, marks
        )
        self._slider.value = frame
        label = 'Pause (Space)' if is_playing else 'Play (Space)'
        if self._play.label != label:
            self._play.label = label
            self._play.icon = viser.Icon.PLAYER_PAUSE if is_playing else _PLAY
        if picture is None:
            return
        if self._picture is None:
            with self._tab:
                self._picture = self._gui.add_image(picture, jpeg_quality=_QUALITY, order=1)
        else:
            self._picture.image = picture

    # Not coroutines for their own sake: the library calls those in the order of events.

    async def _on_slider(self, event: viser.GuiEvent[Any]) -> None:
        if event.client is not None:
            self._moves.go(int(self._slider.value))

    async def _on_play(self, _event: viser.GuiEvent[Any]) -> None:
        self._moves.toggle()

    async def _on_click(self, event: viser.GuiEvent[Any]) -> None:
        place = browser.place_of(self._clicked.value)
        if event.client is None or place is None:
            return
        if isinstance(place, browser.Pixel):
            self._moves.click(place.u, place.v)
        else:
            self._moves.go(min(int(place.share * self._board.frames), self._board.frames - 1))
