# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of a demonstration as the page shows them: some points, and the camera's picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.report.overlay import camera_overlay, tinted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo

POINTS = 60_000
"""As many as a browser gets at the rate of the recording without falling behind."""


@dataclass(frozen=True)
class Shot:
    """One frame, ready to be shown.

    Attributes:
        frame: Its number.
        points: (N, 3) base frame, metres; N is the same in all frames.
        colours: (N, 3) uint8, with the objects tinted.
        picture: (H, W, 3) uint8 of the camera, with the objects tinted; None without a camera.

    """

    frame: int
    points: NDArray[np.float32]
    colours: NDArray[np.uint8]
    picture: NDArray[np.uint8] | None


class Film:
    """A demonstration to be looked at; for one thread only.

    Args:
        demo: The demonstration, with frames that no other thread reads.

    """

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        # Not each so-many-th point, which would be a pattern of stripes.
        self._places = np.arange(POINTS) + np.random.default_rng(0).random(POINTS)

    def shot(self, frame: int, labels: NDArray[np.uint8] | None) -> Shot:
        """Return one frame.

        Args:
            frame: Its number.
            labels: Labels of its pixels or points; None where none are known.

        """
        seen = Snapshot.take(self._demo, frame)
        # Of few points some are given twice: the number of them must not change.
        chosen = (self._places * (len(seen.points) / POINTS)).astype(np.int64)
        colours = seen.colours[chosen]
        if labels is not None:
            colours = tinted(colours, labels.reshape(-1)[seen.index[chosen]])
        picture = None
        if self._demo.sensor is not None:
            picture = camera_overlay(self._demo, frame, labels)
        return Shot(frame, seen.points[chosen].astype(np.float32), colours, picture)
