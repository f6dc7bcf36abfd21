# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a depth image says of an object at a pose: there, hidden, or not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.parse.registration import Surface

    Floats = NDArray[np.float64]

_SAMPLES = 300


@dataclass(frozen=True)
class Look:
    """What one frame shows that may be objects.

    Attributes:
        points: (N, 3) before the environment and not of the robot, base frame, metres.
        depth: (H, W) metres, NaN where invalid or hidden by the robot.
        camera2base: (4, 4) pose of the camera.
        index: (N,) place of each point in the flattened image.

    """

    points: Floats
    depth: NDArray[np.float32]
    camera2base: Floats
    index: NDArray[np.int64]


@dataclass(frozen=True)
class Evidence:
    """How many points of a model are where a depth image says, hidden, or not there."""

    agree: int
    hidden: int
    deny: int

    @property
    def seen(self) -> int:
        """How many say anything."""
        return self.agree + self.deny

    @property
    def share(self) -> float:
        """Share of those that agree; 0 where there is nothing to see."""
        return self.agree / max(1, self.seen)


class Comparison:
    """A model at a pose beside a depth image.

    Args:
        surface: The model.
        look: What a frame shows; a depth image.
        camera: Its intrinsics.
        tolerance: How far apart two depths may be, metres.

    """

    def __init__(
        self, surface: Surface, look: Look, camera: PinholeCamera, tolerance: float
    ) -> None:
        stride = max(1, len(surface.points) // _SAMPLES)
        self._places = np.arange(0, len(surface.points), stride)
        self._points = surface.points[::stride]
        self._normals = surface.normals[::stride]
        self._look, self._camera, self._tolerance = look, camera, tolerance

    def _behind(self, pose: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Which samples (M,) are in the image, and how far (M,) behind what is measured there."""
        object2camera = se3.inverse(self._look.camera2base) @ pose
        points = se3.apply(object2camera, self._points)
        normals = self._normals @ object2camera[:3, :3].T
        # Faces that look away, or along the line of sight, prove nothing.
        facing = np.flatnonzero(
            np.einsum('ij,ij->i', normals, points) < -0.2 * np.linalg.norm(points, axis=1)
        )
        pixels = self._camera.project(points[facing])
        with np.errstate(invalid='ignore'):
            u, v = np.rint(pixels[:, 0]), np.rint(pixels[:, 1])
            inside = (u >= 0) & (v >= 0) & (u < self._camera.width) & (v < self._camera.height)
        u, v = u[inside].astype(np.int64), v[inside].astype(np.int64)
        facing = facing[inside]
        return facing, np.asarray(points[facing, 2] - self._look.depth[v, u])

    def evidence(self, pose: Floats) -> Evidence:
        """Count what agrees at a pose."""
        _, behind = self._behind(pose)
        return Evidence(
            int(np.sum(np.abs(behind) <= self._tolerance)),
            int(np.sum(behind > self._tolerance)),
            int(np.sum(behind < -self._tolerance)),
        )

    def past(self, pose: Floats) -> NDArray[np.int64]:
        """Points of the model past which the camera sees."""
        facing, behind = self._behind(pose)
        return self._places[facing[behind < -self._tolerance]]
