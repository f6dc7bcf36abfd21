# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the plane tells about a variation: objects that would overlap or leave the support."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.polygon import convex_hull, gap, overhang
from r2rgen_ros.model.episode import Reason, Rejection, Variation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import FeasibilityConfig
    from r2rgen_ros.model.scene import Scene

    Polygon = NDArray[np.float64]

_SAME = 1e-6  # metres; measured planes are no truer


@dataclass(frozen=True)
class _Rest:
    """The objects that stand still at one moment between the skills.

    Attributes:
        frame: Source frame.
        objects: Indices of the objects not in hand.
        footprints: Their convex hulls in the plane, as recorded.
        gaps: Recorded gap for each pair.
        overhangs: Recorded overhang for each object.

    """

    frame: int
    objects: tuple[int, ...]
    footprints: tuple[Polygon, ...]
    gaps: dict[tuple[int, int], float]
    overhangs: tuple[float, ...]


@dataclass(frozen=True)
class PlaneCheck:
    """Checks variations of one scene against the support plane.

    Objects are compared at every moment between skills, and only where they moved differently: a
    pair that keeps its relation from the source touches as it did there, which is legal. What the
    source itself did, say an object reaching over the edge of the table, is legal too.
    """

    scene: Scene
    config: FeasibilityConfig
    outline: Polygon
    rests: tuple[_Rest, ...]

    @classmethod
    def create(cls, scene: Scene, config: FeasibilityConfig) -> PlaneCheck:
        """Measure the source once."""
        outline = convex_hull(scene.support.to_plane(scene.support.outline))
        # Before the first skill, and whenever one has ended.
        moments = sorted({0, *(skill.last for skill in scene.annotation.skills)})
        return cls(scene, config, outline, tuple(_rest(scene, outline, at) for at in moments))

    def check(self, variation: Variation, changes: NDArray[np.float64]) -> Rejection | None:
        """Return why a variation is impossible, or None.

        Args:
            variation: What was sampled.
            changes: (K, T, 4, 4) world transform of each object at each source frame.

        """
        support = self.scene.support
        for rest in self.rests:
            moved = []
            for place, footprint in zip(rest.objects, rest.footprints, strict=True):
                moved.append(_move_footprint(footprint, changes[place, rest.frame], support.axes))
            failed = self._overhangs(variation, rest, moved) or self._overlaps(
                variation, rest, moved, changes
            )
            if failed is not None:
                return failed
        return None

    def _overhangs(
        self, variation: Variation, rest: _Rest, moved: list[Polygon]
    ) -> Rejection | None:
        for place, polygon, own in zip(rest.objects, moved, rest.overhangs, strict=True):
            allowed = max(own, -self.config.support_margin_m)
            amount = overhang(polygon, self.outline) - allowed
            if amount > _SAME:
                name = self.scene.objects[place].name
                return Rejection(
                    variation.index,
                    Reason.OFF_SUPPORT,
                    f'"{name}" would reach {1e3 * amount:.0f} mm beyond the support',
                    rest.frame,
                    amount,
                    variation,
                    variation.moves,
                )
        return None

    def _overlaps(
        self,
        variation: Variation,
        rest: _Rest,
        moved: list[Polygon],
        changes: NDArray[np.float64],
    ) -> Rejection | None:
        for (a, b), own in rest.gaps.items():
            first, second = rest.objects[a], rest.objects[b]
            relative = changes[first, rest.frame] - changes[second, rest.frame]
            if np.abs(relative).max() <= _SAME:
                continue
            wanted = min(own, self.config.clearance_m)
            amount = wanted - gap(moved[a], moved[b])
            if amount > _SAME:
                names = [self.scene.objects[place].name for place in (first, second)]
                return Rejection(
                    variation.index,
                    Reason.OVERLAP,
                    f'"{names[0]}" and "{names[1]}" would come {1e3 * amount:.0f} mm too close',
                    rest.frame,
                    amount,
                    variation,
                    variation.moves,
                )
        return None


def _rest(scene: Scene, outline: Polygon, frame: int) -> _Rest:
    still = tuple(k for k, item in enumerate(scene.objects) if item.held[frame] < 0)
    footprints = []
    for place in still:
        item = scene.objects[place]
        points = se3.apply(item.object2base[frame], item.cloud.points)
        footprints.append(convex_hull(scene.support.to_plane(points)))
    pairs = {
        (a, b): gap(footprints[a], footprints[b])
        for a in range(len(still))
        for b in range(a + 1, len(still))
    }
    over = tuple(overhang(footprint, outline) for footprint in footprints)
    return _Rest(frame, still, tuple(footprints), pairs, over)


def _move_footprint(
    footprint: Polygon, change: NDArray[np.float64], axes: NDArray[np.float64]
) -> Polygon:
    """Move a polygon of the plane with a transform that keeps the plane."""
    rotation = axes @ change[:3, :3] @ axes.T
    return np.asarray(footprint @ rotation.T + axes @ change[:3, 3])
