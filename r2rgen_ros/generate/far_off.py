# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is too far for the sensor of a camera on a base that drives, and is in its images.

The base goes as it was recorded and its camera with it, so what is far off is where it was in the
recorded frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_opening

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.scene import ENVIRONMENT, UNSEEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.deployment import MountedCamera

    Floats = NDArray[np.float64]

_SAME_M, _SAME_RAD = 0.05, 0.01  # between two frames a base goes a little
_WIDE = 7  # pixels; narrower holes are those of edges, and of things


class FarOff:
    """Colours of the recording where it has no depth.

    Args:
        demo: The demonstration, of images in colour.

    """

    def __init__(self, demo: Demo) -> None:
        self._demo = demo

    @classmethod
    def of(cls, demo: Demo, mounted: MountedCamera) -> FarOff | None:
        """Return it for the camera that recorded, on a base that drives; None for any other."""
        if demo.drive is None or demo.sensor is None or demo.frames[0].colour is None:
            return None
        own = mounted.frame == demo.sensor.frame and mounted.camera == demo.sensor.camera
        return cls(demo) if own else None

    def add(
        self,
        source: int,
        camera2base: Floats,
        world2base: Floats,
        colour: NDArray[np.uint8],
        label: NDArray[np.uint8],
    ) -> None:
        """Draw into an image, in place, where nothing is, what a source frame saw far off there.

        Args:
            source: The source frame.
            camera2base: (4, 4) where the camera is.
            world2base: (4, 4) by which the world has moved, which is seen turned by that.
            colour: (H, W, 3).
            label: (H, W); what is drawn becomes a part of the environment, without depth.

        """
        assert self._demo.sensor is not None
        then = self._demo.sensor.camera2base[source]
        apart = float(np.linalg.norm(camera2base[:3, 3] - then[:3, 3]))
        if apart > _SAME_M or float(se3.angle_between(then, camera2base)) > _SAME_RAD:
            return
        frame = self._demo.frames[source]
        assert frame.depth is not None
        assert frame.colour is not None
        far = binary_opening(np.isnan(frame.depth), np.ones((_WIDE, _WIDE), dtype=bool))
        # The same way, as it was seen before the world turned.
        camera = self._demo.sensor.camera
        rows, columns = np.nonzero(label == UNSEEN)
        turn = then[:3, :3].T @ world2base[:3, :3].T @ then[:3, :3]
        inside, v, u, _ = camera.pixels_of(camera.rays()[rows, columns] @ turn.T)
        rows, columns = rows[inside], columns[inside]
        shown = far[v, u]
        rows, columns, v, u = rows[shown], columns[shown], v[shown], u[shown]
        colour[rows, columns], label[rows, columns] = frame.colour[v, u], ENVIRONMENT
