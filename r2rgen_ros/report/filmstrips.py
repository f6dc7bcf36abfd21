# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Source and generated demonstrations side by side, as the camera saw them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.report import style
from r2rgen_ros.report.views import Window, camera_picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import Annotation
    from r2rgen_ros.model.demo import Demo

COLUMNS = 6

_LETTERS = 150


@dataclass(frozen=True)
class Strip:
    """One row of a filmstrip.

    Attributes:
        name: What it is.
        demo: Its frames.
        source: (T,) source frame that each frame replays.

    """

    name: str
    demo: Demo
    source: NDArray[np.float64]

    def nearest(self, source_frame: int) -> int:
        """Return the frame that replays a source frame best; the first of equals."""
        return int(np.argmin(np.abs(self.source - source_frame)))


def moments(annotation: Annotation, frames: int) -> list[int]:
    """Return the source frames worth showing: beginning, each skill's middle and end, the end."""
    wanted = {0, frames - 1}
    for skill in annotation.skills:
        wanted |= {skill.first, (skill.first + skill.last) // 2, skill.last}
    ordered = sorted(frame for frame in wanted if frame < frames)
    if len(ordered) <= COLUMNS:
        return ordered
    chosen = np.linspace(0, len(ordered) - 1, COLUMNS).round().astype(int)
    return [ordered[place] for place in chosen]


def caption(annotation: Annotation, frame: int, frames: int) -> str:
    """Say what happens at a source frame, of so many."""
    if frame == 0:
        return 'beginning'
    for skill in annotation.skills:
        if skill.first <= frame <= skill.last:
            where = {skill.first: ' begins', skill.last: ' ends'}.get(frame, '')
            return f'{style.pretty(skill.name)}{where}'
    return 'end' if frame == frames - 1 else 'motion'


def _shortened(text: str, width: int) -> str:
    """Leave out the middle of a text that is too long, so that its last word stays."""
    last = text.rsplit(' ', 1)[-1]
    if len(text) <= width or last not in {'begins', 'ends'}:
        return textwrap.shorten(text, width, placeholder=' …')
    start = textwrap.shorten(text[: -len(last) - 1], width - len(last) - 1, placeholder=' …')
    return f'{start} {last}'


def draw_filmstrip(
    annotation: Annotation, source: Demo, generated: Sequence[Strip], path: Path
) -> Path:
    """Draw the source above generated episodes, at the same moments of the task.

    Args:
        annotation: Gives the moments and their captions.
        source: The recorded demonstration.
        generated: Episodes to show below it.
        path: PNG to write.

    Returns:
        The path.

    """
    own = Strip('recorded', source, np.arange(len(source), dtype=np.float64))
    strips = [own, *generated]
    columns = moments(annotation, len(source))
    window = Window.around([strip.demo for strip in strips])
    pictures = [
        [camera_picture(strip.demo, strip.nearest(at), None, window) for at in columns]
        for strip in strips
    ]
    height, width = pictures[0][0].shape[:2]
    tall = 0.55 + len(strips) * (12.0 / len(columns) * height / width + 0.05)
    return style.picture(
        path,
        (12.0, tall),
        lambda figure: _draw(figure, annotation, strips, columns, pictures),
    )


def _draw(
    figure: Figure,
    annotation: Annotation,
    strips: list[Strip],
    columns: list[int],
    pictures: list[list[NDArray[np.uint8]]],
) -> None:
    figure.set_layout_engine('constrained', w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    axes = figure.subplots(len(strips), len(columns), squeeze=False)
    for row, strip, images in zip(axes, strips, pictures, strict=True):
        for ax, image in zip(row, images, strict=True):
            style.framed(ax)
            ax.imshow(image)
        row[0].set_ylabel(strip.name, fontweight='bold' if strip is strips[0] else None)
    for ax, at in zip(axes[0], columns, strict=True):
        # A column is as wide as so many letters of this size.
        width = max(12, _LETTERS // len(columns))
        title = _shortened(caption(annotation, at, len(strips[0].source)), width)
        ax.set_title(f'{title}\nframe {at}', fontsize=8.5, fontweight='normal')
