# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the frames of a depth camera show before the environment, without the robot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.evidence import Look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.parse.background import Background
    from r2rgen_ros.parse.ground import Ground
    from r2rgen_ros.parse.room import Room

_FRONT_M = 0.004
_SIGMAS = 4.0
_MOST_BYTES = 2**29
"""Depth images kept, so that they are read once; longer demonstrations read the rest again."""


def front(support: SupportPlane, behind: Background | Room, frame: int = 0) -> NDArray[np.float32]:
    """How far (H, W) before the environment a point must be to count as something else, metres."""
    residual = support.residual
    least = max(_FRONT_M, _SIGMAS * residual) if np.isfinite(residual) else _FRONT_M
    grown = _SIGMAS * behind.noise * behind.at(frame) ** 2
    return np.asarray(np.maximum(least, grown), dtype=np.float32)


class Looks:
    """The frames of a demonstration before a known environment.

    Args:
        ground: The survey of the demonstration.
        behind: The environment.

    """

    def __init__(self, ground: Ground, behind: Background | Room) -> None:
        self.ground, self.behind = ground, behind
        self.front = front(ground.support, behind)
        sensor = ground.demo.sensor
        assert sensor is not None
        self._shape = (sensor.camera.height, sensor.camera.width)
        self._still: NDArray[np.float32] | None = None
        if sensor.is_static:
            self._still = self._limit(0)
        self._depths: dict[int, NDArray[np.float32]] = {}
        self._robot: dict[int, NDArray[np.uint8]] = {}

    def robot(self, frame: int) -> NDArray[np.bool_] | None:
        """Pixels (H, W) that show the robot; None where its surface is not known."""
        view = self.ground.view
        if view is None:
            return None
        if frame not in self._robot:
            self._robot[frame] = np.packbits(view.mask(frame))
        count = self._shape[0] * self._shape[1]
        return np.unpackbits(self._robot[frame], count=count).view(bool).reshape(self._shape)

    def depth(self, frame: int) -> NDArray[np.float32]:
        """Depth (H, W) of a frame, metres; not to be changed."""
        depth = self._depths.get(frame)
        if depth is None:
            depth = self.ground.demo.frames[frame].depth
            assert depth is not None
            if (len(self._depths) + 1) * depth.nbytes <= _MOST_BYTES:
                self._depths[frame] = depth
        return depth

    def before(self, depth: NDArray[np.float32], frame: int = 0) -> NDArray[np.bool_]:
        """Which pixels (H, W) of the depth image of a frame lie before the environment."""
        limit = self._limit(frame) if self._still is None else self._still
        with np.errstate(invalid='ignore'):
            return np.asarray(np.isfinite(depth) & (np.isnan(limit) | (depth < limit)))

    def _limit(self, frame: int) -> NDArray[np.float32]:
        """Depth (H, W) from which on a pixel shows the environment; NaN where it is unknown."""
        return self.behind.at(frame) - front(self.ground.support, self.behind, frame)

    def __call__(self, frame: int) -> Look:
        """Return what a frame shows that may be objects."""
        sensor = self.ground.demo.sensor
        assert sensor is not None
        depth = self.depth(frame)
        robot = self.robot(frame)
        if robot is not None:
            depth = np.where(robot, np.float32(np.nan), depth)
        v, u = np.nonzero(self.before(depth, frame))
        points = sensor.camera.points_at(u, v, depth[v, u])
        pose = sensor.camera2base[frame]
        return Look(se3.apply(pose, points), depth, pose, v * sensor.camera.width + u)
