# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the points of an episode move: by what they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.model.scene import Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.episode import Episode


class Moves:
    """The transform of every label in every frame of an episode.

    Args:
        scene: The parsed demonstration.
        episode: The episode.

    """

    def __init__(self, scene: Scene, episode: Episode) -> None:
        self.source = episode.source_frames
        self.environment = episode.variation.base2base
        # From the frame whose points are shown, so that they are where the state says the hand is.
        self.hands = np.stack(
            [
                episode.ee2base[arm.name] @ se3.inverse(arm.ee2base[self.source])
                for arm in scene.demo.arms
            ]
        )
        shape = (len(scene.objects), len(episode), 4, 4)
        recorded = np.array([item.object2base[self.source] for item in scene.objects])
        self.objects = episode.object2base @ se3.inverse(recorded.reshape(shape))

    def table(self, frame: int) -> NDArray[np.float64]:
        """Transforms (1 + K + A, 4, 4) by label of one episode frame; see `labels_by_hand`."""
        first, others = self.hands[:1, frame], self.hands[1:, frame]
        return np.concatenate([self.environment[None], first, self.objects[:, frame], others])


@compiled
def move_points(points: Any, labels: Any, table: Any, out: Any) -> None:
    """Map every point (N, 3) by the transform of its label.

    Args:
        points: (N, 3) float32.
        labels: (N,) places in the table.
        table: (K, 4, 4) transforms.
        out: (N, 3) float32, written.

    """
    for i in range(points.shape[0]):
        m = table[labels[i]]
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for k in range(3):
            out[i, k] = np.float32(m[k, 0] * x + m[k, 1] * y + m[k, 2] * z + m[k, 3])
