# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera step for clouds: which of the points the camera sees, thinned to a count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.zbuffer import ZBuffer, ZBufferRule
from r2rgen_ros.sense.sampling import farthest_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.sense.layers import Layer

_RADIUS_PX = 2


def coarse_camera(
    points: NDArray[np.float64], gap_m: float, camera: PinholeCamera
) -> tuple[PinholeCamera, int]:
    """Scale a camera down until neighbouring points of a sparse cloud are a few pixels apart.

    A patch that closes the gaps between sparse points is many pixels wide in a full-size image;
    the same patch in a smaller image costs less and hides the same points.

    Args:
        points: (N, 3) camera optical frame, metres.
        gap_m: Distance between neighbouring points.
        camera: Intrinsics.

    Returns:
        The scaled intrinsics and the z-buffer radius in its pixels.

    """
    depth = float(np.median(points[:, 2])) if len(points) else 1.0
    radius = gap_m / 2.0 * camera.fx / max(depth, 1e-3)
    scale = max(1.0, radius / _RADIUS_PX)
    width = max(1, round(camera.width / scale))
    height = max(1, round(camera.height / scale))
    across, down = width / camera.width, height / camera.height
    # Pixel centres lie at whole numbers, so the image begins at -0.5.
    return PinholeCamera(
        width,
        height,
        camera.fx * across,
        camera.fy * down,
        (camera.cx + 0.5) * across - 0.5,
        (camera.cy + 0.5) * down - 0.5,
    ), _RADIUS_PX


class CloudCamera:
    """Sees clouds as a depth camera would, and thins them as the source was.

    Args:
        camera: Intrinsics.
        rule: When a point hides another.

    """

    def __init__(self, camera: PinholeCamera, rule: ZBufferRule) -> None:
        self._zbuffer = ZBuffer(camera, rule)

    def see(
        self, layers: Sequence[Layer], count: int
    ) -> tuple[Cloud, NDArray[np.uint8], NDArray[np.int64]]:
        """Return the visible points of some layers.

        Args:
            layers: Environment, objects and robot.
            count: Number of points wanted.

        Returns:
            The points, each in the frame of its own layer; their labels (count,); and the layer
            (count,) that each is from. Nothing visible gives no points.

        """
        self._zbuffer.clear()
        for layer in layers:
            self._zbuffer.add(layer.cloud.points, layer.frame2camera)
        seen = np.flatnonzero(self._zbuffer.visible())
        whole = Cloud.concatenate([layer.cloud for layer in layers])
        sizes = [len(layer.cloud) for layer in layers]
        labels = np.repeat(np.array([layer.label for layer in layers], dtype=np.uint8), sizes)
        origin = np.repeat(np.arange(len(layers)), sizes)
        if not seen.size:
            return Cloud.empty(), labels[:0], origin[:0]
        places = np.concatenate(
            [
                layer.cloud.points @ layer.frame2camera[:3, :3].T.astype(np.float32)
                + layer.frame2camera[:3, 3].astype(np.float32)
                for layer in layers
            ]
        )
        chosen = seen[farthest_points(places[seen], count)]
        return whole.select(chosen), labels[chosen], origin[chosen]
