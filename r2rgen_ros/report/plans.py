# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What lies on the support, seen from above.

On the page a point is (y, x) in centimetres of the support plane: see `style.plan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Polygon

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.polygon import convex_hull
from r2rgen_ros.model.scene import ROBOT
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.report import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.model.scene import Scene, SceneObject

CM = 100.0
_MOST_POINTS = 6000
_MARGIN_CM = 8.0
_WORTH_SHOWING = 3.0
"""A support at most so many times as large as what matters is shown as a whole."""


def on_page(support: SupportPlane, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return points (..., 3) of the base frame, metres, as places (..., 2) on the page."""
    return CM * support.to_plane(points)[..., ::-1]


def focus(support: SupportPlane, shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a plan should show, as low and high corners (2, 2) on the page.

    That is what matters with a margin around it, and the whole support where that is not much more.

    Args:
        support: The plane.
        shown: Places (N, 2) on the page that must be seen.

    """
    near = around(shown)
    outline = on_page(support, support.outline)
    both = np.concatenate([near, outline - 3.0, outline + 3.0])
    whole = np.stack([both.min(axis=0), both.max(axis=0)])
    if np.prod(whole[1] - whole[0]) <= _WORTH_SHOWING * np.prod(near[1] - near[0]):
        return whole
    return near


def around(shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return low and high corners (2, 2) of places (N, 2) on the page, with a margin."""
    return np.stack([shown.min(axis=0) - _MARGIN_CM, shown.max(axis=0) + _MARGIN_CM])


def page_size(seen: NDArray[np.float64], panels: int) -> tuple[float, float]:
    """Return width and height, inches, of a picture of panels side by side.

    Args:
        seen: Low and high corners (2, 2) of what each of them shows.
        panels: Their number.

    """
    wide, high = seen[1] - seen[0]
    each = 11.0 / panels - 0.4
    return 11.0, 1.35 + each * float(np.clip(high / wide, 0.3, 1.1))


def look_at(axes: Axes, seen: NDArray[np.float64]) -> None:
    """Show the part of the page between two corners (2, 2)."""
    axes.set_xlim(seen[1, 0], seen[0, 0])
    axes.set_ylim(seen[0, 1], seen[1, 1])


def objects_and_hands(scene: Scene) -> NDArray[np.float64]:
    """Return places (N, 2) on the page that the objects and the hands have in the recording."""
    corners = [footprint(scene.support, item, np.eye(4), 0) for item in scene.objects]
    paths = [on_page(scene.support, arm.ee2base[:, :3, 3]) for arm in scene.demo.arms]
    return np.concatenate([*corners, *paths])


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


def edge_key(support: SupportPlane, seen: NDArray[np.float64]) -> list[Artist]:
    """Return what a legend says of the support's edge, if any of it is in view.

    Args:
        support: The plane.
        seen: (2, 2) lower and upper corner of what is in view, on the page.

    """
    corners = convex_hull(on_page(support, support.outline))
    share = np.linspace(0.0, 1.0, 200)[:, None, None]
    edge = corners + share * (np.roll(corners, -1, axis=0) - corners)
    if not ((edge > seen[0]) & (edge < seen[1])).all(axis=2).any():
        return []
    return [style.stroke('edge of the support', style.INK, 1.0)]


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
            clip_on=True,
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
    axes: Axes,
    outline: NDArray[np.float64],
    colour: str,
    *,
    filled: bool,
    strong: float = 1.0,
    layer: int = 0,
) -> None:
    """Draw what an object covers, as an area or as a line; higher layers lie on lower ones."""
    axes.add_patch(
        Polygon(
            outline,
            facecolor=colour if filled else 'none',
            edgecolor='none' if filled else colour,
            alpha=strong,
            linewidth=1.4,
            zorder=layer + (2.0 if filled else 2.8),
        )
    )
