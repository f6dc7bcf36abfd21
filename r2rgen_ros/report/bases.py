# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the robot's base stood in every attempt, seen from above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.drives import base_place
from r2rgen_ros.generate.sampling import move_transform
from r2rgen_ros.model.episode import PlanarMove
from r2rgen_ros.report import plans, style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from r2rgen_ros.model.scene import Scene

_ARROW_IN = 0.30
"""Length of the arrows, inches on the page."""
_LEAST_CM = 2.0
"""The near view shows at least this far around the bases."""
_WIDE = 1.13
"""Width of a panel over its height."""


@dataclass(frozen=True)
class _Poses:
    """Bases on the page: places (N, 2), and the headings (N,) as turns of the recorded one."""

    places: NDArray[np.float64]
    yaw: NDArray[np.float64]

    @classmethod
    def of(cls, scene: Scene, moves: Sequence[PlanarMove]) -> _Poses:
        support, base = scene.support, base_place(scene)
        poses = [move_transform(support, base[:3, 3], move) @ base for move in moves]
        places = [plans.on_page(support, pose[:3, 3]) for pose in poses]
        yaw = np.array([move.yaw for move in moves]) + support.yaw(base[:3, 0])
        return cls(np.array(places).reshape(-1, 2), yaw)


def draw_bases(
    scene: Scene, accepted: Sequence[PlanarMove], rejected: Sequence[PlanarMove], path: Path
) -> Path:
    """Draw the bases before the support with the recorded objects, and once more from nearby.

    Args:
        scene: The source.
        accepted: Moves of the base of the attempts that gave an episode.
        rejected: Those of the others.
        path: PNG to write.

    Returns:
        The path.

    """
    return style.picture(path, (11.0, 5.4), lambda figure: _draw(figure, scene, accepted, rejected))


def _draw(
    figure: Figure, scene: Scene, accepted: Sequence[PlanarMove], rejected: Sequence[PlanarMove]
) -> None:
    support = scene.support
    good, bad = (_Poses.of(scene, moves) for moves in (accepted, rejected))
    recorded = _Poses.of(scene, [PlanarMove()])
    every = np.concatenate([recorded.places, good.places, bad.places])
    ends = (every - _LEAST_CM, every + _LEAST_CM)
    for ax, shown, title in zip(
        figure.subplots(1, 2),
        (np.concatenate([plans.objects_and_hands(scene), *ends]), np.concatenate(ends)),
        ('Where the base stood', 'The same from nearby'),
        strict=True,
    ):
        style.plan(ax, title)
        plans.look_at(ax, _window(shown))
        plans.draw_support(ax, support)
        for place, item in enumerate(scene.objects):
            outline = plans.footprint(support, item, np.eye(4), 0)
            plans.draw_footprint(ax, outline, style.object_colour(place), filled=False)
        _draw_poses(ax, bad, style.REJECTED, 0.5)
        _draw_poses(ax, good, style.ACCEPTED, 0.8)
        _draw_poses(ax, recorded, style.INK, 1.0)
    keys = [
        style.mark('as recorded, with its heading', 'o', style.INK, style.INK),
        style.mark(f'accepted ({len(accepted)})', 'o', style.ACCEPTED, style.ACCEPTED),
        style.mark(f'rejected ({len(rejected)})', 'o', style.REJECTED, style.REJECTED),
        *(
            style.stroke(style.pretty(item.name), style.object_colour(place))
            for place, item in enumerate(scene.objects)
        ),
    ]
    style.legend(figure, keys)


def _window(shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Low and high corners (2, 2) that show places (N, 2) with a margin, and fill a panel."""
    low, high = shown.min(axis=0), shown.max(axis=0)
    size = (high - low) + 0.24 * float((high - low).max())
    size = np.maximum(size, [_WIDE * size[1], size[0] / _WIDE])
    middle = 0.5 * (low + high)
    return np.stack([middle - 0.5 * size, middle + 0.5 * size])


def _draw_poses(axes: Axes, poses: _Poses, colour: str, strong: float) -> None:
    """Draw dots with arrows along the base's x, which as recorded points up the page."""
    across, up = poses.places.T
    axes.scatter(across, up, s=13, color=colour, alpha=strong, linewidths=0, zorder=4)
    arrows = axes.quiver(
        across, up, -np.sin(poses.yaw), np.cos(poses.yaw), angles='uv',
        scale_units='inches', scale=1.0 / _ARROW_IN, units='inches', width=0.012,
        headwidth=5.0, headlength=6.0, color=colour, alpha=strong, zorder=4,
    )  # fmt: skip
    arrows.set_in_layout(False)
