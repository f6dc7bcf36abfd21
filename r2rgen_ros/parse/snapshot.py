# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One camera frame as points of the base frame, whatever the source recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo


@dataclass(frozen=True)
class Snapshot:
    """The valid points of one frame.

    Attributes:
        points: (N, 3) float64, base frame, metres.
        colours: (N, 3) uint8.
        index: (N,) place of each point in the flattened image or in the cloud.
        shape: Shape of the labels of this frame, (H, W) or (N,).

    """

    points: NDArray[np.float64]
    colours: NDArray[np.uint8]
    index: NDArray[np.int64]
    shape: tuple[int, ...]

    @classmethod
    def take(cls, demo: Demo, frame: int) -> Snapshot:
        """Read one frame of a demonstration."""
        data = demo.frames[frame]
        if data.depth is None:
            assert data.cloud is not None
            count = len(data.cloud)
            points = data.cloud.points.astype(np.float64)
            return cls(points, data.cloud.colours, np.arange(count), (count,))
        if demo.sensor is None:
            raise R2RGenError(
                f'"{demo.name}" has depth images but no camera_info', '', 'record camera_info too'
            )
        index = np.flatnonzero(np.isfinite(data.depth).reshape(-1))
        points = demo.sensor.camera.unproject(data.depth).reshape(-1, 3)[index]
        colours = np.full((len(index), 3), 128, dtype=np.uint8)
        if data.colour is not None:
            colours = data.colour.reshape(-1, 3)[index]
        moved = se3.apply(demo.sensor.camera2base[frame], points)
        return cls(moved, colours, index, data.depth.shape)

    def pixels(self, demo: Demo, frame: int) -> NDArray[np.float64]:
        """Pixels (N, 2) of the points in the demonstration's camera; NaN behind it.

        Raises:
            R2RGenError: The demonstration has no camera.

        """
        if demo.sensor is None:
            raise R2RGenError(
                f'"{demo.name}" has no camera_info, so pixels, boxes and masks mean nothing',
                'prompts that are points or regions',
            )
        if len(self.shape) == 2:
            v, u = np.divmod(self.index, self.shape[1])
            return np.stack([u, v], axis=1).astype(np.float64)
        base2camera = se3.inverse(demo.sensor.camera2base[frame])
        return demo.sensor.camera.project(se3.apply(base2camera, self.points))[:, :2]
