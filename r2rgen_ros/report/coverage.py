# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How well the sampled moves fill the ranges they were drawn from."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch, Rectangle

from r2rgen_ros.report import style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

    from r2rgen_ros.model.episode import PlanarMove

CELLS = 4
_BINS = 19
_TICK_IN = 0.13
"""Length of the ticks that show the yaw, inches on the page."""
_MOST_UNEQUAL = 2.5
"""Ranges longer in one direction than this many times the other are not drawn to scale."""
_REACH_CM = 0.5
"""A plan shows at least this far around the middle of the range."""
UNREACHED = '#b9b4ab'
_SAME = 1e-9
_LETTERS = 44
"""Letters that fit over a plan."""


@dataclass(frozen=True)
class SkillMoves:
    """The moves of one freely moved skill.

    Attributes:
        name: Name of the skill.
        low: Lower ends of the range: x and y in metres, yaw in radians.
        high: Upper ends.
        accepted: (N, 3) moves that gave an episode.
        rejected: (M, 3) moves that did not.
        spread: Reach of the perturbations beyond the range: x and y in metres, yaw in radians.
        reach: (X, Y) share of the turns with which the arm reaches the cells that the range is cut
            into; None where that is not known.
        given: (K, 3) the moves asked for where they were listed, so that there is no range; else
            None.

    """

    name: str
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    accepted: NDArray[np.float64]
    rejected: NDArray[np.float64]
    spread: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    reach: NDArray[np.float64] | None = None
    given: NDArray[np.float64] | None = None

    @property
    def summary(self) -> str:
        """How much of what was asked for gave an episode."""
        if self.given is None:
            return f'{self.cells_reached} of {style.counted(self.cells, "cell")} reached'
        count = style.counted(len(self.given), 'given move')
        return f'{self._given_accepted} of {count} accepted'

    @property
    def _given_accepted(self) -> int:
        """How many of the given moves, perturbed or not, were accepted."""
        if self.given is None:
            return 0
        gaps = np.abs(self.given[:, None] - self.accepted[None])
        hit = np.all(gaps <= self.spread + _SAME, axis=2)
        return int(np.count_nonzero(np.any(hit, axis=1)))

    @property
    def cells_reached(self) -> int:
        """How many of the CELLS x CELLS parts of the x-y range hold an accepted move."""
        width = self.high[:2] - self.low[:2]
        if not len(self.accepted):
            return 0
        share = (self.accepted[:, :2] - self.low[:2]) / np.where(width > 0.0, width, 1.0)
        cells = np.clip(np.floor(share * CELLS), 0, CELLS - 1).astype(int)
        return len({tuple(cell) for cell in cells.tolist()})

    @property
    def cells(self) -> int:
        """How many parts there are; a range without width has one."""
        return int(np.prod(np.where(self.high[:2] > self.low[:2], CELLS, 1)))


def as_rows(moves: Sequence[PlanarMove]) -> NDArray[np.float64]:
    """Moves as rows (N, 3) of x, y in metres and yaw in radians."""
    return np.array([[move.x, move.y, move.yaw] for move in moves]).reshape(-1, 3)


def draw_coverage(skills: Sequence[SkillMoves], path: Path) -> Path:
    """Draw, per skill, accepted and rejected moves over the range, and their yaw.

    Args:
        skills: One entry per freely moved skill.
        path: PNG to write.

    Returns:
        The path.

    """
    size = (9.5, 0.7 + 3.3 * max(len(skills), 1))
    return style.picture(path, size, lambda figure: _draw(figure, skills))


def _draw(figure: Figure, skills: Sequence[SkillMoves]) -> None:
    axes = figure.subplots(
        max(len(skills), 1), 2, squeeze=False, gridspec_kw={'width_ratios': [1.0, 1.3]}
    )
    if not skills:
        for ax in axes[0]:
            style.bare(ax)
        axes[0, 0].set_title('No skill was moved freely')
    for row, skill in zip(axes, skills, strict=False):
        _draw_plane(row[0], skill)
        _draw_yaw(row[1], skill)
    for row in axes[:-1]:
        row[0].set_xlabel('')
        row[1].set_xlabel('')
    keys: list[Line2D | Patch] = [
        style.mark('accepted', 'o', style.ACCEPTED, style.ACCEPTED),
        style.mark('rejected', 'x', style.REJECTED),
    ]
    if any(skill.given is None for skill in skills):
        keys.append(style.stroke('range asked for', style.INK, 1.0))
    if any(skill.given is not None for skill in skills):
        keys.append(style.mark('given', 's', style.INK))
    if any(skill.spread.any() for skill in skills):
        keys.append(style.dashes('with perturbations', style.FAINT))
    if any(skill.reach is not None and skill.reach.min() < 1.0 for skill in skills):
        keys.append(Patch(facecolor=UNREACHED, label='the arm does not reach, or leaves the table'))
    style.legend(figure, keys)


def _draw_plane(axes: Axes, skill: SkillMoves) -> None:
    """Draw the moves over their range, x up the page and y to the left, as in all plans."""
    low, high = 100.0 * skill.low[1::-1], 100.0 * skill.high[1::-1]
    spread = 100.0 * skill.spread[1::-1]
    name = textwrap.shorten(style.pretty(skill.name), _LETTERS, placeholder=' …')
    title = f'{name}\n{skill.summary}'
    style.plan(axes, title)
    axes.grid(visible=False)
    axes.update_datalim(0.5 * (low + high) + _REACH_CM * np.array([[-1.0], [1.0]]))
    if skill.given is None:
        _draw_range(axes, skill, low, high)
        _draw_spread(axes, low, high, spread)
    else:
        places = 100.0 * skill.given[:, 1::-1]
        axes.scatter(
            places[:, 0],
            places[:, 1],
            s=36,
            marker='s',
            facecolors='none',
            edgecolors=style.INK,
            lw=0.8,
        )
        for place in places:
            _draw_spread(axes, place, place, spread)
    rejected, accepted = 100.0 * skill.rejected[:, 1::-1], 100.0 * skill.accepted[:, 1::-1]
    axes.scatter(
        rejected[:, 0],
        rejected[:, 1],
        s=14,
        marker='x',
        color=style.REJECTED,
        lw=0.8,
        alpha=0.6,
        zorder=2,
    )
    axes.scatter(accepted[:, 0], accepted[:, 1], s=12, color=style.ACCEPTED, lw=0, zorder=3)
    _draw_ticks(axes, accepted, skill.accepted[:, 2])
    wide, tall = np.abs([np.diff(axes.get_xlim()), np.diff(axes.get_ylim())]).ravel()
    if max(wide, tall) > _MOST_UNEQUAL * min(wide, tall):
        axes.set_aspect('auto')
        axes.set_title(f'{title}, not to scale')
    axes.set_xlabel('move along y [cm]; ticks show the yaw', loc='left')
    axes.set_ylabel('move along x [cm]')


def _draw_range(
    axes: Axes, skill: SkillMoves, low: NDArray[np.float64], high: NDArray[np.float64]
) -> None:
    """Draw the range, the cells in which accepted moves are counted, and where the arm reaches."""
    axes.add_patch(
        Rectangle(tuple(low), *(high - low), facecolor=style.TABLE, edgecolor=style.INK, lw=1.0)
    )
    if skill.reach is not None:
        _shade(axes, low, high, skill.reach)
    for share in np.arange(1, CELLS) / CELLS:
        across, up = low + share * (high - low)
        axes.plot([across, across], [low[1], high[1]], color=style.HAIRLINE, lw=0.6, zorder=1)
        axes.plot([low[0], high[0]], [up, up], color=style.HAIRLINE, lw=0.6, zorder=1)


def _draw_spread(
    axes: Axes, low: NDArray[np.float64], high: NDArray[np.float64], spread: NDArray[np.float64]
) -> None:
    """Draw how far perturbations lead beyond what is asked for."""
    if spread.any():
        axes.add_patch(
            Rectangle(
                tuple(low - spread), *(high - low + 2.0 * spread), facecolor='none',
                edgecolor=style.FAINT, lw=0.8, linestyle=(0, (4, 3)),
            )
        )  # fmt: skip


def _shade(
    axes: Axes, low: NDArray[np.float64], high: NDArray[np.float64], reach: NDArray[np.float64]
) -> None:
    """Shade the cells (X, Y) of the range, across and up the page, that are hardly reached."""
    colour = np.ones((*reach.shape, 4))
    colour[..., :3] = to_rgb(UNREACHED)
    colour[..., 3] = 1.0 - reach
    across, up = (np.linspace(low[k], high[k], reach.shape[1 - k] + 1) for k in (0, 1))
    axes.pcolormesh(across, up, colour, zorder=1.01, linewidth=0, antialiased=False)


def _draw_ticks(axes: Axes, places: NDArray[np.float64], yaw: NDArray[np.float64]) -> None:
    """Show where a turned x axis points to: x is up the page and y to the left."""
    ticks = axes.quiver(
        *places.T, -np.sin(yaw), np.cos(yaw), angles='uv', scale_units='inches',
        scale=1.0 / _TICK_IN, units='inches', width=0.014, headwidth=0, headlength=0,
        headaxislength=0, color=style.ACCEPTED, zorder=3, clip_on=False,
    )  # fmt: skip
    ticks.set_in_layout(False)


def _draw_yaw(axes: Axes, skill: SkillMoves) -> None:
    yaw = [np.rad2deg(moves[:, 2]) for moves in (skill.accepted, skill.rejected)]
    low, high = np.rad2deg([skill.low[2], skill.high[2]])
    every = np.concatenate([*yaw, [low, high]])
    first, last = float(every.min()) - 1.0, float(every.max()) + 1.0
    axes.hist(
        yaw,
        bins=list(np.linspace(first, last, _BINS + 1)),
        stacked=True,
        color=[style.ACCEPTED, style.REJECTED],
        rwidth=0.88,
    )
    if skill.given is None:
        axes.axvspan(low, high, color=style.TABLE, zorder=0)
    ends = (low, high) if skill.given is None else np.unique(np.rad2deg(skill.given[:, 2]))
    for end in ends:
        axes.axvline(end, color=style.INK, linewidth=1.0)
    axes.set_title('Yaw')
    axes.set_xlabel('yaw [°]')
    axes.set_ylabel('attempts')
    style.whole_numbers(axes.yaxis)
