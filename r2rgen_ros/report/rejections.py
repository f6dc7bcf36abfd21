# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many attempts gave an episode, and why the others did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from r2rgen_ros.generate.verdict import MEANINGS
from r2rgen_ros.model.episode import Reason
from r2rgen_ros.report import style

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.figure import Figure


def draw_rejections(accepted: int, counts: Mapping[Reason, int], path: Path) -> Path:
    """Draw a bar for the accepted attempts and one per reason, also where none was accepted.

    Args:
        accepted: Attempts that gave an episode.
        counts: Rejected attempts by reason; those not named are zero.
        path: PNG to write.

    Returns:
        The path.

    """
    return style.picture(path, (9.5, 3.4), lambda figure: _draw(figure, accepted, counts))


def _draw(figure: Figure, accepted: int, counts: Mapping[Reason, int]) -> None:
    axes = figure.subplots()
    ranked = sorted(Reason, key=lambda reason: -counts.get(reason, 0))
    names = ['accepted', *(MEANINGS[reason] for reason in ranked)]
    values = [accepted, *(counts.get(reason, 0) for reason in ranked)]
    colours = [style.ACCEPTED, *([style.REJECTED] * len(ranked))]
    attempts = max(sum(values), 1)
    axes.barh(range(len(values)), values, color=colours, height=0.68)
    for row, value in enumerate(values):
        text = f' {value}   {100 * value / attempts:.0f} %' if value else ' 0'
        ink = style.INK if value else style.FAINT
        axes.text(value, row, text, va='center', color=ink, fontweight='bold' if value else None)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(*values, 1))
    axes.set_xlabel('attempts')
    style.whole_numbers(axes.xaxis)
    axes.tick_params(axis='y', length=0)
    axes.spines['left'].set_visible(False)
    title = f'{accepted} of {sum(values)} attempts gave an episode'
    axes.set_title(title, color=style.INK if accepted else style.REJECTED)
