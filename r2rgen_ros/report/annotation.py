# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A picture of an annotation: who does what when, and which points belong to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.report import plans, style
from r2rgen_ros.report.views import Window, camera_picture

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Arm
    from r2rgen_ros.model.scene import Scene

_DASHES = ('-', '--', ':')
_MOST_NOTES = 4
_LETTERS = 150
"""Letters that fit across the timeline."""


def draw_annotation(scene: Scene, path: Path) -> Path:
    """Draw the proposal for a person to judge: timeline, labelled cloud, the camera's view.

    Args:
        scene: A parsed demonstration; its annotation may have no skills yet.
        path: PNG to write; an older one is replaced.

    Returns:
        The path.

    """
    return style.picture(path, (12.0, 8.0), lambda figure: _draw(figure, scene))


def _draw(figure: Figure, scene: Scene) -> None:
    rows = len(scene.demo.arms) + len(scene.objects)
    grid = figure.add_gridspec(
        3, 2, height_ratios=[0.5 + 0.22 * rows, 1.1, 3.2], width_ratios=[1.0, 1.25]
    )
    bars = figure.add_subplot(grid[0, :])
    curves = figure.add_subplot(grid[1, :], sharex=bars)
    _draw_bars(bars, scene)
    _draw_curves(curves, scene)
    plan = figure.add_subplot(grid[2, 0])
    style.plan(plan, 'From above, first frame')
    plans.draw_labelled(plan, scene)
    view = figure.add_subplot(grid[2, 1])
    style.bare(view)
    view.set_anchor('NW')
    view.set_title('From the camera, first frame')
    view.imshow(camera_picture(scene.demo, 0, scene.labels[0], Window.around([scene.demo])))
    figure.suptitle(
        f'{style.pretty(scene.demo.name)}: {len(scene.annotation.objects)} objects, '
        f'{len(scene.annotation.skills)} skills, {len(scene.demo)} frames',
        x=0.01, ha='left', fontsize=13, fontweight='bold',
    )  # fmt: skip
    _draw_legend(figure, scene)


def _draw_legend(figure: Figure, scene: Scene) -> None:
    keys: list[Artist] = [
        style.swatch(style.pretty(item.name), style.object_colour(place))
        for place, item in enumerate(scene.objects)
    ]
    keys += [
        style.swatch('robot', style.ROBOT_COLOUR),
        style.swatch('environment', style.ENVIRONMENT),
        style.stroke('edge of the support', style.INK, 1.0),
    ]
    notes = list(scene.annotation.notes[:_MOST_NOTES])
    more = len(scene.annotation.notes) - len(notes)
    if more > 0:
        notes.append(f'{more} more in annotation.yaml')
    style.legend(figure, keys, 'Please check: ' + '; '.join(notes) if notes else None)


def _draw_bars(axes: Axes, scene: Scene) -> None:
    """One row of skills for each arm, and one row for each object that is ever in a hand."""
    names: list[str] = []
    axes.set_xlim(-0.5, len(scene.demo) - 0.5)
    for arm in scene.demo.arms:
        row = len(names)
        several = len(scene.demo.arms) > 1
        names.append(f'skills of {style.pretty(arm.name)}' if several else 'skills')
        for place, skill in enumerate(scene.annotation.skills):
            if skill.arm == arm.name:
                _bar(axes, row, skill.first, skill.last, style.skill_colour(place), skill.name)
    for place, item in enumerate(scene.objects):
        spans = _spans(item.held >= 0)
        if spans:
            names.append(f'{style.pretty(item.name)} in hand')
        for first, last in spans:
            _bar(axes, len(names) - 1, first, last, style.object_colour(place), '')
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis='both', length=0, labelbottom=False)
    axes.spines[['left', 'bottom']].set_visible(False)


def _bar(axes: Axes, row: int, first: int, last: int, colour: str, name: str) -> None:
    axes.barh(row, last - first + 1, left=first - 0.5, height=0.72, color=colour, linewidth=0)
    if not name:
        return
    text = f'{style.pretty(name)}   {first}–{last}'  # noqa: RUF001  # a span has an en dash
    frames = axes.get_xlim()[1]
    if len(text) <= _LETTERS * (last - first + 1) / frames:
        at, side = (first + last) / 2, 'center'
    elif last > frames / 2:
        at, side = first - 0.5 - 0.004 * frames, 'right'
    else:
        at, side = last + 0.5 + 0.004 * frames, 'left'
    style.halo(axes.text(at, row, text, ha=side, va='center', fontsize=8), colour, side == 'center')


def _spans(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last places, both included, of the runs of true in a mask."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(first), int(last) - 1) for first, last in edges.reshape(-1, 2)]


def _draw_curves(axes: Axes, scene: Scene) -> None:
    """Speed of the end effectors as areas, grippers as lines."""
    for place, skill in enumerate(scene.annotation.skills):
        axes.axvspan(
            skill.first - 0.5, skill.last + 0.5, color=style.skill_colour(place), alpha=0.18, lw=0
        )
    seconds = (scene.demo.stamps - scene.demo.stamps[0]) * 1e-9
    gripper = axes.twinx()
    for place, arm in enumerate(scene.demo.arms):
        speed = 100.0 * _speed(arm, seconds)
        axes.fill_between(range(len(speed)), speed, color=style.FAINT, alpha=0.35, lw=0)
        gripper.plot(
            _openness(arm), color=style.INK, linewidth=1.2, linestyle=_DASHES[place % 3],
            drawstyle='steps-mid',
        )  # fmt: skip
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel('hand speed\n[cm/s]')
    axes.set_xlabel(f'frame  (the last one at {seconds[-1]:.1f} s)')
    gripper.set_ylim(-0.12, 1.12)
    gripper.set_yticks([0.0, 1.0], ['closed', 'open'])
    gripper.tick_params(axis='y', length=0)
    gripper.set_ylabel('gripper (line)')


def _speed(arm: Arm, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    places = arm.ee2base[:, :3, 3]
    step = np.linalg.norm(np.diff(places, axis=0), axis=1) / np.diff(seconds)
    return np.concatenate([step[:1], step])


def _openness(arm: Arm) -> NDArray[np.float64]:
    """Gripper readings brought to 0 (closed) to 1 (open)."""
    low, high = float(np.nanmin(arm.gripper)), float(np.nanmax(arm.gripper))
    if not high > low:
        return np.zeros(len(arm.gripper))
    share = (arm.gripper - low) / (high - low)
    return share if arm.closed_is_low else 1.0 - share
