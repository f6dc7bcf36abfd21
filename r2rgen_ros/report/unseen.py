# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How much of the episodes' images looks at what the source never saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.report import style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

_BINS = 24


def draw_unseen(shares: Sequence[float], limit: float, rejected: int, path: Path) -> Path:
    """Draw a histogram of the episodes' shares, with the limit and what went beyond it.

    Args:
        shares: Per episode, the largest share of a frame, 0 to 1.
        limit: The largest share that is allowed.
        rejected: Attempts that were rejected for it.
        path: PNG to write.

    Returns:
        The path.

    """
    return style.picture(path, (9.5, 3.2), lambda figure: _draw(figure, shares, limit, rejected))


def _draw(figure: Figure, shares: Sequence[float], limit: float, rejected: int) -> None:
    axes = figure.subplots()
    percent = 100.0 * np.asarray(shares)
    limited = limit < 1.0
    last = 1.08 * max(float(percent.max(initial=1.0)), 100.0 * limit if limited else 0.0)
    axes.hist(
        percent, bins=list(np.linspace(0.0, last, _BINS + 1)), color=style.ACCEPTED, rwidth=0.9
    )
    axes.set_xlim(0.0, last)
    title = f'{style.counted(len(percent), "episode")}'
    if len(percent):
        title += f', the middle one with {np.median(percent):.0f} % at most'
    axes.set_title(f'{title}; {rejected} rejected for more')
    axes.set_xlabel('largest share of an image that was never seen [%]')
    axes.set_ylabel('episodes')
    style.whole_numbers(axes.yaxis)
    if limited:
        axes.axvline(100.0 * limit, color=style.REJECTED, linewidth=1.4)
        style.legend(figure, [style.stroke('camera.max_unseen_share', style.REJECTED)])
