# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where objects started and where they went, seen from above."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.assemble import object_changes
from r2rgen_ros.geometry import se3
from r2rgen_ros.report import plans, style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from r2rgen_ros.model.scene import Scene

_MOST = 300
"""More footprints than this are only darker, not clearer."""


def draw_placements(
    scene: Scene, transforms: Sequence[NDArray[np.float64]], path: Path, count: int | None = None
) -> Path:
    """Draw footprints of all objects at the beginning and at the end of every episode.

    Args:
        scene: The source.
        transforms: Per accepted episode (S, 4, 4) world transforms of the skills.
        path: PNG to write.
        count: Episodes of which these are some; None where they are all.

    Returns:
        The path.

    """
    count = len(transforms) if count is None else count
    shown = transforms[:: max(1, len(transforms) // _MOST)]
    changes = [object_changes(scene, item) for item in shown]
    still = np.tile(np.eye(4), (len(scene.objects), len(scene.demo), 1, 1))
    ends = (0, len(scene.demo) - 1)
    corners = [
        plans.footprint(scene.support, item, change[place, frame], frame)
        for place, item in enumerate(scene.objects)
        for change in [still, *changes]
        for frame in ends
    ]
    seen = plans.focus(scene.support, np.concatenate(corners))
    return style.picture(
        path,
        plans.page_size(seen, 2),
        lambda figure: _draw(figure, scene, changes, seen, count),
    )


def _draw(
    figure: Figure,
    scene: Scene,
    changes: list[NDArray[np.float64]],
    seen: NDArray[np.float64],
    count: int,
) -> None:
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    ends = ((0, 'Where objects start'), (len(scene.demo) - 1, 'Where they end up'))
    for ax, (frame, title) in zip(axes, ends, strict=True):
        style.plan(ax, title)
        plans.look_at(ax, seen)
        plans.draw_support(ax, scene.support)
        for layer, place in enumerate(_upwards(scene, frame)):
            moved = [change[place, frame] for change in changes]
            _draw_object(ax, scene, place, frame, moved, layer)
    axes[1].set_ylabel('')
    keys: list[Artist] = [
        style.swatch(style.pretty(item.name), style.object_colour(place))
        for place, item in enumerate(scene.objects)
    ]
    keys += [
        style.stroke('as recorded', style.FAINT),
        style.swatch(f'generated ({count}), with its middle', style.FAINT, 0.3),
        *plans.edge_key(scene.support, seen),
    ]
    style.legend(figure, keys)


def _upwards(scene: Scene, frame: int) -> list[int]:
    """Objects from the lowest to the highest in a frame: what lies on another is seen on it."""
    heights = [
        float(scene.support.height(se3.apply(item.object2base[frame], item.cloud.points)).mean())
        for item in scene.objects
    ]
    return sorted(range(len(heights)), key=lambda place: heights[place])


def _draw_object(
    axes: Axes,
    scene: Scene,
    place: int,
    frame: int,
    changes: list[NDArray[np.float64]],
    layer: int,
) -> None:
    """Draw the recorded footprint as a line, and the generated ones as areas and centres."""
    item, colour = scene.objects[place], style.object_colour(place)
    recorded = plans.footprint(scene.support, item, np.eye(4), frame)
    strong = float(np.clip(4.0 / max(len(changes), 1), 0.05, 0.3))
    for change in changes:
        outline = plans.footprint(scene.support, item, change, frame)
        plans.draw_footprint(axes, outline, colour, filled=True, strong=strong, layer=layer)
    if changes:
        middle = item.cloud.points.mean(axis=0)[None]
        poses = np.stack([change @ item.object2base[frame] for change in changes])
        flat = plans.on_page(scene.support, se3.apply(poses, middle)[:, 0])
        axes.scatter(
            flat[:, 0],
            flat[:, 1],
            s=14,
            color=colour,
            edgecolors=style.PAPER,
            linewidths=0.6,
            zorder=layer + 2.5,
        )
    plans.draw_footprint(axes, recorded, colour, filled=False, layer=layer)
