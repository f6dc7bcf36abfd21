# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What lies on the support, seen from above.

On the page a point is (y, x) in centimetres of the support plane: see `style.plan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Polygon

from r2rgen_ros.generate.feasibility import convex_hull
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.scene import ROBOT
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.model.scene import Scene, SceneObject

CM = 100.0
_MOST_POINTS = 6000


def on_page(support: SupportPlane, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return points (..., 3) of the base frame, metres, as places (..., 2) on the page."""
    return CM * support.to_plane(points)[..., ::-1]


def page_size(support: SupportPlane, panels: int) -> tuple[float, float]:
    """Return width and height, inches, of a picture of panels side by side that show a support."""
    wide, high = np.ptp(on_page(support, support.outline), axis=0)
    each = 11.0 / panels - 0.4
    return 11.0, 1.35 + each * float(np.clip(high / wide, 0.3, 1.1))


def draw_support(axes: Axes, support: SupportPlane) -> None:
    """Draw the area that objects may stand on."""
    outline = on_page(support, support.outline)
    axes.add_patch(
        Polygon(
            convex_hull(outline),
            facecolor=style.TABLE,
            edgecolor=style.INK,
            linewidth=1.0,
            zorder=0.5,
        )
    )
    axes.update_datalim(outline)
    axes.autoscale_view()


def draw_labelled(axes: Axes, scene: Scene) -> None:
    """Draw the first frame's points in the colours of their owners, with the support."""
    draw_support(axes, scene.support)
    _dots(axes, scene.support, scene.environment.points, style.ENVIRONMENT)
    seen = Snapshot.take(scene.demo, 0)
    labels = scene.labels[0].reshape(-1)[seen.index]
    _dots(axes, scene.support, seen.points[labels == ROBOT], style.ROBOT_COLOUR)
    for place, item in enumerate(scene.objects):
        points = se3.apply(item.object2base[0], item.cloud.points)
        colour = style.object_colour(place)
        _dots(axes, scene.support, points, colour, size=3.0)
        outline = footprint(scene.support, item, np.eye(4), 0)
        draw_footprint(axes, outline, colour, filled=False)
        top = outline[np.argmax(outline[:, 1])]
        name = axes.annotate(
            style.pretty(item.name), top, xytext=(0, 4), textcoords='offset points',
            ha='center', va='bottom', color=colour, fontweight='bold', fontsize=8.5, zorder=6,
        )  # fmt: skip
        style.halo(name)


def _dots(
    axes: Axes,
    support: SupportPlane,
    points: NDArray[np.floating],
    colour: str,
    size: float = 1.5,
) -> None:
    flat = on_page(support, points[:: max(1, len(points) // _MOST_POINTS)])
    axes.scatter(flat[:, 0], flat[:, 1], s=size, color=colour, linewidths=0, rasterized=True)


def footprint(
    support: SupportPlane, item: SceneObject, change: NDArray[np.float64], frame: int
) -> NDArray[np.float64]:
    """Corners (M, 2) on the page of what an object covers of the plane.

    Args:
        support: The plane.
        item: The object.
        change: World transform (4, 4) on top of the recorded pose.
        frame: Source frame of that pose.

    """
    points = se3.apply(change @ item.object2base[frame], item.cloud.points)
    return convex_hull(on_page(support, points))


def draw_footprint(
    axes: Axes, outline: NDArray[np.float64], colour: str, *, filled: bool, strong: float = 1.0
) -> None:
    """Draw what an object covers, as an area or as a line."""
    axes.add_patch(
        Polygon(
            outline,
            facecolor=colour if filled else 'none',
            edgecolor='none' if filled else colour,
            alpha=strong,
            linewidth=1.4,
            zorder=2.0 if filled else 3.0,
        )
    )
    axes.update_datalim(outline)
    axes.autoscale_view()
