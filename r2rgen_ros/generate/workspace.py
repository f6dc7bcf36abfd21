# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether hands and objects stay in the box that a person allows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.config import Workspace
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import Reason, Rejection, Variation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.scene import Scene

    Floats = NDArray[np.float64]

_SAME = 1e-9


@dataclass(frozen=True)
class WorkspaceCheck:
    """Compares with a box in the base frame, made as wide as the source itself went.

    Attributes:
        scene: The parsed demonstration.
        middles: (K, 3) middle of each object, in its own frame.
        objects: (K, 2, 3) least and largest place of each object's middle.
        hands: (A, 2, 3) the same of each arm's end effector.

    """

    scene: Scene
    middles: Floats
    objects: Floats
    hands: Floats

    @classmethod
    def create(cls, scene: Scene, box: Workspace) -> WorkspaceCheck | None:
        """Widen a box by what the source did; None where it bounds nothing.

        Args:
            scene: The parsed demonstration.
            box: What a person allows.

        """
        if box == Workspace():
            return None
        ends = np.array([box.x_m, box.y_m, box.z_m]).T
        clouds = [item.cloud.points for item in scene.objects]
        middles = np.array([0.5 * (c.min(axis=0) + c.max(axis=0)) for c in clouds]).reshape(-1, 3)
        tracks = [
            _places(item.object2base, middle)
            for item, middle in zip(scene.objects, middles, strict=True)
        ]
        return cls(
            scene,
            middles,
            np.array([_widened(ends, track) for track in tracks]).reshape(-1, 2, 3),
            np.array([_widened(ends, arm.ee2base[:, :3, 3]) for arm in scene.demo.arms]),
        )

    def before(self, variation: Variation, changes: Floats) -> Rejection | None:
        """Return why a variation is impossible, from where objects would lie.

        Args:
            variation: What was sampled.
            changes: (K, T, 4, 4) world transform of each object at each source frame.

        """
        for place, item in enumerate(self.scene.objects):
            lies = np.flatnonzero(item.held < 0)
            moved = variation.base2base @ changes[place, lies] @ item.object2base[lies]
            at, amount = _first(_places(moved, self.middles[place]), self.objects[place])
            if amount > 0.0:
                return _rejected(variation, f'"{item.name}"', int(lies[at]), amount)
        return None

    def check(self, episode: Episode) -> Rejection | None:
        """Return where a hand, or what it holds, leaves the box; None where nothing does."""
        tracks = [
            (f'the hand of "{arm.name}"', episode.ee2base[arm.name][:, :3, 3], ends)
            for arm, ends in zip(self.scene.demo.arms, self.hands, strict=True)
        ]
        tracks += [
            (f'"{item.name}"', _places(poses, middle), ends)
            for item, poses, middle, ends in zip(
                self.scene.objects, episode.object2base, self.middles, self.objects, strict=True
            )
        ]
        for name, places, ends in tracks:
            at, amount = _first(places, ends)
            if amount > 0.0:
                return _rejected(episode.variation, name, round(episode.source[at]), amount)
        return None


def _places(poses: Floats, point: Floats) -> Floats:
    """Where a point (3,) of a body is at its poses (M, 4, 4)."""
    return np.asarray(se3.apply(poses, point[None])[:, 0])


def _widened(ends: Floats, places: Floats) -> Floats:
    return np.stack(
        [np.minimum(ends[0], places.min(axis=0)), np.maximum(ends[1], places.max(axis=0))]
    )


def _first(places: Floats, ends: Floats) -> tuple[int, float]:
    """First of places (M, 3) beyond the ends (2, 3), and by how much the worst one is."""
    beyond = np.maximum(ends[0] - places, places - ends[1]).max(axis=1, initial=0.0)
    out = np.flatnonzero(beyond > _SAME)
    return (int(out[0]), float(beyond.max())) if out.size else (-1, 0.0)


def _rejected(variation: Variation, what: str, frame: int, amount: float) -> Rejection:
    return Rejection(
        variation.index,
        Reason.OUT_OF_WORKSPACE,
        f'{what} would leave the workspace by {1e3 * amount:.0f} mm',
        frame,
        amount,
        variation,
        variation.moves,
    )
