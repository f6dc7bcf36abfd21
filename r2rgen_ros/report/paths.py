# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The paths of the end effector, from above and from the side, with the skills marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection

from r2rgen_ros.generate.course import skills_at
from r2rgen_ros.report import plans, style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import Annotation
    from r2rgen_ros.model.scene import Scene

_MOST = 200


@dataclass(frozen=True)
class HandPath:
    """Where an end effector went, and which skill it was at.

    Attributes:
        places: (M, 3) positions, base frame, metres.
        skill: (M,) index of the skill, -1 for motion.

    """

    places: NDArray[np.float64]
    skill: NDArray[np.int16]


def source_paths(scene: Scene) -> list[HandPath]:
    """Return the recorded path of every arm."""
    frames = np.arange(len(scene.demo), dtype=np.float64)
    return [
        HandPath(arm.ee2base[:, :3, 3], skills_of(scene.annotation, arm.name, frames))
        for arm in scene.demo.arms
    ]


def skills_of(annotation: Annotation, arm: str, frames: NDArray[np.float64]) -> NDArray[np.int16]:
    """Return which skill an arm is at; another arm may be at another one meanwhile.

    Args:
        annotation: Gives the skills.
        arm: Name of the arm.
        frames: (M,) source frames.

    Returns:
        (M,) index of the skill, -1 for motion.

    """
    never = 1, 0
    return skills_at(
        frames,
        [(item.first, item.last) if item.arm == arm else never for item in annotation.skills],
    )


def draw_paths(scene: Scene, generated: Sequence[HandPath], path: Path) -> Path:
    """Draw the recorded and the generated paths.

    Args:
        scene: The source.
        generated: Paths of the accepted episodes.
        path: PNG to write.

    Returns:
        The path.

    """
    hands = [*source_paths(scene), *generated]
    across = _longest_axis(scene)
    flat, tall = _projections(scene, np.concatenate([hand.places for hand in hands]), across)
    above, side = plans.around(flat), plans.around(tall)
    size = max((plans.page_size(seen, 2) for seen in (above, side)), key=lambda each: each[1])
    return style.picture(
        path, size, lambda figure: _draw(figure, scene, generated, across, above, side)
    )


def _draw(
    figure: Figure,
    scene: Scene,
    generated: Sequence[HandPath],
    across: int,
    seen_above: NDArray[np.float64],
    seen_side: NDArray[np.float64],
) -> None:
    above, side = figure.subplots(1, 2)
    style.plan(above, 'From above')
    plans.look_at(above, seen_above)
    for place, item in enumerate(scene.objects):
        outline = plans.footprint(scene.support, item, np.eye(4), 0)
        plans.draw_footprint(above, outline, style.object_colour(place), filled=True, strong=0.25)
    style.plan(side, 'From the side')
    plans.look_at(side, seen_side)
    if across == 0:
        side.invert_xaxis()
    side.set_xlabel(f'{"xy"[across]} [cm]')
    side.set_ylabel('height above the support [cm]')
    side.axhline(0.0, color=style.INK, linewidth=1.0)
    shown = generated[:: max(1, len(generated) // _MOST)]
    strong = float(np.clip(12.0 / max(len(shown), 1), 0.22, 0.8))
    for hand in shown:
        _draw_hand(above, side, scene, hand, across, width=1.1, strong=strong)
    for hand in source_paths(scene):
        _draw_source(above, side, scene, hand, across)
    _draw_legend(figure, scene, len(generated))


def _longest_axis(scene: Scene) -> int:
    spans = [np.ptp(scene.support.to_plane(arm.ee2base[:, :3, 3]), axis=0)
             for arm in scene.demo.arms]  # fmt: skip
    return int(np.argmax(np.max(spans, axis=0)))


def _projections(
    scene: Scene, places: NDArray[np.float64], across: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    flat = plans.CM * scene.support.to_plane(places)
    height = plans.CM * scene.support.height(places)
    return plans.on_page(scene.support, places), np.stack([flat[:, across], height], axis=1)


def _draw_hand(
    above: Axes,
    side: Axes,
    scene: Scene,
    hand: HandPath,
    across: int,
    width: float,
    strong: float,
) -> None:
    for axes, points in zip((above, side), _projections(scene, hand.places, across), strict=True):
        segments = np.stack([points[:-1], points[1:]], axis=1)
        colours = [
            style.skill_colour(int(skill)) if skill >= 0 else style.MOTION
            for skill in hand.skill[1:]
        ]
        lines = LineCollection(
            list(segments), colors=colours, linewidths=width, alpha=strong, zorder=2.5
        )
        axes.add_collection(lines)


def _draw_source(above: Axes, side: Axes, scene: Scene, hand: HandPath, across: int) -> None:
    """Draw the recorded path dark, with a ring in the skill's colour where each skill begins."""
    for axes, points in zip((above, side), _projections(scene, hand.places, across), strict=True):
        axes.plot(points[:, 0], points[:, 1], color=style.INK, linewidth=1.6, zorder=4)
        for place in np.unique(hand.skill[hand.skill >= 0]):
            first, last = np.flatnonzero(hand.skill == place)[[0, -1]]
            for at, marker in ((first, 'o'), (last, 's')):
                axes.plot(
                    *points[at], marker=marker, markersize=7, markeredgecolor=style.INK,
                    markerfacecolor=style.skill_colour(int(place)), zorder=5,
                )  # fmt: skip


def _draw_legend(figure: Figure, scene: Scene, count: int) -> None:
    keys: list[Artist] = [
        style.stroke(style.pretty(skill.name), style.skill_colour(place), 3.0)
        for place, skill in enumerate(scene.annotation.skills)
    ]
    keys += [
        style.stroke('motion', style.MOTION, 3.0),
        style.stroke('as recorded', style.INK),
        style.mark('skill begins', 'o', style.INK),
        style.mark('skill ends', 's', style.INK),
    ]
    arms = len(scene.demo.arms)
    recorded = 'one' if arms == 1 else f'{arms}'
    style.legend(figure, keys, f'{count} generated paths over the recorded {recorded}')
