# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A picture of an annotation: who does what when, and which points belong to whom."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.report import plans, style
from r2rgen_ros.report.views import Window, camera_picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import Skill
    from r2rgen_ros.model.demo import Arm
    from r2rgen_ros.model.scene import Scene

_DASHES = ('-', '--', ':')
_MOST_NOTES = 4
_LETTERS = 165
"""Letters that fit across the timeline."""
_LINE = 0.5
"""Height of a line of text, in rows."""
_GAP = 0.01
"""Between two names, as a share of the timeline."""


def draw_annotation(scene: Scene, path: Path) -> Path:
    """Draw the proposal for a person to judge: timeline, labelled cloud, the camera's view.

    Args:
        scene: A parsed demonstration; its annotation may have no skills yet.
        path: PNG to write; an older one is replaced.

    Returns:
        The path.

    """
    view = camera_picture(scene.demo, 0, scene.labels[0], Window.around([scene.demo]))
    seen = plans.focus(scene.support, plans.objects_and_hands(scene))
    wide, high = seen[1] - seen[0]
    # Inches of each row: bars, curves, and the taller of plan and view.
    rows = [
        0.25 + 0.3 * _height(scene),
        1.5,
        0.4 + max(0.6 + 4.5 * min(high / wide, 1.0), 5.65 * view.shape[0] / view.shape[1]),
    ]
    return style.picture(
        path, (12.0, 1.1 + sum(rows)), lambda figure: _draw(figure, scene, view, seen, rows)
    )


def _draw(
    figure: Figure,
    scene: Scene,
    picture: NDArray[np.uint8],
    seen: NDArray[np.float64],
    rows: list[float],
) -> None:
    grid = figure.add_gridspec(3, 2, height_ratios=rows, width_ratios=[1.0, 1.25])
    bars = figure.add_subplot(grid[0, :])
    curves = figure.add_subplot(grid[1, :], sharex=bars)
    _draw_bars(bars, scene)
    _draw_curves(curves, scene)
    plan = figure.add_subplot(grid[2, 0])
    style.plan(plan, 'From above, first frame')
    plans.look_at(plan, seen)
    plans.draw_labelled(plan, scene)
    view = figure.add_subplot(grid[2, 1])
    style.bare(view)
    view.set_anchor('NW')
    has_camera = scene.demo.sensor is not None or scene.demo.frames[0].colour is not None
    view.set_title(f'From the {"camera" if has_camera else "side"}, first frame')
    view.imshow(picture)
    figure.suptitle(
        f'{style.pretty(scene.demo.name)}: '
        f'{style.counted(len(scene.annotation.objects), "object")}, '
        f'{style.counted(len(scene.annotation.skills), "skill")}, {len(scene.demo)} frames',
        x=0.01, ha='left', fontsize=13, fontweight='bold',
    )  # fmt: skip
    _draw_legend(figure, scene, seen)


def _draw_legend(figure: Figure, scene: Scene, seen: NDArray[np.float64]) -> None:
    keys: list[Artist] = [
        style.swatch(style.pretty(item.name), style.object_colour(place))
        for place, item in enumerate(scene.objects)
    ]
    keys += [
        style.swatch('robot', style.ROBOT_COLOUR),
        style.swatch('environment', style.ENVIRONMENT),
        *plans.edge_key(scene.support, seen),
    ]
    said = (*scene.annotation.notes, *scene.warnings)
    notes = list(said[:_MOST_NOTES])
    more = len(said) - len(notes)
    if more > 0:
        notes.append(f'{more} more, told by r2rgen annotate')
    text = textwrap.fill('Please check: ' + '; '.join(notes), _LETTERS)
    style.legend(figure, keys, text if notes else None)


@dataclass(frozen=True)
class _Label:
    """Where the name of a skill goes: level 0 is on its bar, others are lines below it."""

    text: str
    middle: float
    level: int


def _labels(skills: Sequence[Skill], frames: int) -> list[_Label]:
    """Put names that are longer than their bars below them, on as few lines as possible."""
    labels = []
    taken: list[float] = []
    for skill in skills:
        text = f'{style.pretty(skill.name)}  {skill.first}–{skill.last}'  # noqa: RUF001
        half = 0.5 * len(text) * frames / _LETTERS
        middle = (skill.first + skill.last) / 2
        if 2.0 * half <= skill.last - skill.first + 1:
            labels.append(_Label(text, middle, 0))
            continue
        middle = min(max(middle, half), max(frames - half, half))
        level = next((k for k, end in enumerate(taken) if end < middle - half), len(taken))
        taken[level : level + 1] = [middle + half + _GAP * frames]
        labels.append(_Label(text, middle, level + 1))
    return labels


def _rows(scene: Scene) -> list[list[_Label]]:
    """Return the labels of the skills of every arm."""
    skills = scene.annotation.skills
    return [
        _labels([skill for skill in skills if skill.arm == arm.name], len(scene.demo))
        for arm in scene.demo.arms
    ]


def _height(scene: Scene) -> float:
    """Height of the bars in rows."""
    levels = [max((label.level for label in labels), default=0) for labels in _rows(scene)]
    held = sum(bool((item.held >= 0).any()) for item in scene.objects)
    return len(levels) + _LINE * sum(levels) + held


def _draw_bars(axes: Axes, scene: Scene) -> None:
    """One row of skills for each arm, and one row for each object that is ever in a hand."""
    names: list[tuple[float, str]] = []
    y = 0.0
    for arm, labels in zip(scene.demo.arms, _rows(scene), strict=True):
        several = len(scene.demo.arms) > 1
        names.append((y, f'skills of {style.pretty(arm.name)}' if several else 'skills'))
        for place, skill in enumerate(scene.annotation.skills):
            if skill.arm == arm.name:
                _bar(axes, y, skill.first, skill.last, style.skill_colour(place))
        for label in labels:
            below = 0.2 + _LINE * label.level if label.level else 0.0
            axes.text(label.middle, y + below, label.text, ha='center', va='center', fontsize=8)
        y += 1.0 + _LINE * max((label.level for label in labels), default=0)
    for place, item in enumerate(scene.objects):
        spans = _spans(item.held >= 0)
        for first, last in spans:
            _bar(axes, y, first, last, style.object_colour(place))
        if spans:
            names.append((y, f'{style.pretty(item.name)} in hand'))
            y += 1.0
    axes.set_yticks([at for at, _ in names], [name for _, name in names])
    axes.set_ylim(y - 0.5, -0.5)
    axes.set_xlim(-0.5, len(scene.demo) - 0.5)
    axes.tick_params(axis='both', length=0, labelbottom=False)
    axes.spines[['left', 'bottom']].set_visible(False)


def _bar(axes: Axes, y: float, first: int, last: int, colour: str) -> None:
    axes.barh(y, last - first + 1, left=first - 0.5, height=0.72, color=colour, linewidth=0)


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
    """Gripper readings brought to 0 (closed) to 1 (open); nothing to draw where there are none."""
    if not np.isfinite(arm.gripper).any():
        return np.full(len(arm.gripper), np.nan)
    low, high = float(np.nanmin(arm.gripper)), float(np.nanmax(arm.gripper))
    if not high > low:
        return np.zeros(len(arm.gripper))
    share = (arm.gripper - low) / (high - low)
    return share if arm.closed_is_low else 1.0 - share
