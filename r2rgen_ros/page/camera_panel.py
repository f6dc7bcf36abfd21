# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera's picture, which takes clicks, and what plays the demonstration below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import viser

from r2rgen_ros.page import markup

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.page.view import View

_WIDTH_PX = 500
_QUALITY = 88
_FIELD = 'Clicked at'
_MARK = '@'
# The library has pictures that are shown, and no clicks on them: so the pixel is put into a text
# field, as if typed. The time of the click makes two clicks on one pixel two texts. The listener is
# of the whole document, and so takes clicks in the enlarged picture too.
_CLICKS = """
<style>img { cursor: crosshair; }</style>
<img src="data:," alt="" style="display: none" onerror="
  if (window.r2rgenClicks) return;
  window.r2rgenClicks = true;
  document.addEventListener('click', function (event) {
    const image = event.target;
    if (image.tagName !== 'IMG' || !image.naturalWidth) return;
    const at = image.getBoundingClientRect();
    const u = (event.clientX - at.left) / at.width * image.naturalWidth - 0.5;
    const v = (event.clientY - at.top) / at.height * image.naturalHeight - 0.5;
    const labels = Array.from(document.querySelectorAll('label'));
    let part = labels.find((label) => label.textContent === 'CAPTION');
    while (part && !part.querySelector('input')) part = part.parentElement;
    if (!part) return;
    const field = part.querySelector('input');
    const write = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
    write.call(field, u.toFixed(2) + ', ' + v.toFixed(2) + ' MARK' + event.timeStamp);
    field.dispatchEvent(new Event('input', {bubbles: true}));
  });
">
""".replace('CAPTION', _FIELD).replace('MARK', _MARK)


@dataclass(frozen=True)
class Moves:
    """What the panel calls when a person uses it; all of it returns at once.

    Attributes:
        go: Shows a frame.
        step: Goes on by some frames.
        toggle: Plays or pauses.
        click: Takes a click on a pixel.

    """

    go: Callable[[int], None]
    step: Callable[[int], None]
    toggle: Callable[[], None]
    click: Callable[[float, float], None]


class CameraPanel:
    """The panel at the left.

    Args:
        server: Where it is shown.
        demo: The demonstration.
        moves: What it calls.

    """

    def __init__(self, server: viser.ViserServer, demo: Demo, moves: Moves) -> None:
        self._gui = server.gui
        self._arms = [arm.name for arm in demo.arms]
        self._frames = len(demo)
        self._stamps = demo.stamps
        self._moves = moves
        self._picture: viser.GuiImageHandle | None = None
        panel = self._gui.add_panel()
        has_camera = demo.sensor is not None
        with panel.add_tab('Camera' if has_camera else 'Time'):
            # Pictures come with the first frame, and belong above all else.
            self._timeline = self._gui.add_html('', order=3)
            self._slider = self._gui.add_slider(
                'Frame', min=0, max=self._frames - 1, step=1, initial_value=0, order=2
            )
            self._play = self._gui.add_button('Play', icon=viser.Icon.PLAYER_PLAY, order=4)
            if has_camera:
                self._clicked = self._gui.add_text(
                    _FIELD, '', order=5, hint='Column and row of the last click on the picture.'
                )
                self._gui.add_html(_CLICKS, order=6)
                self._clicked.on_update(self._on_click)
            self._gui.add_html(markup.keys(), order=7)
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
            view.skills, self._arms, self._frames, frame, marks
        )
        self._slider.value = frame
        label = 'Pause' if is_playing else 'Play'
        if self._play.label != label:
            self._play.label = label
            self._play.icon = viser.Icon.PLAYER_PAUSE if is_playing else viser.Icon.PLAYER_PLAY
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
        text, marked, _ = self._clicked.value.partition(_MARK)
        if event.client is None or not marked:
            return
        try:
            u, v = (float(part) for part in text.split(','))
        except ValueError:
            return
        self._clicked.value = f'{u:.0f}, {v:.0f}'
        self._moves.click(u, v)
