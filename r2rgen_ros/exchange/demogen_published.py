# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What DemoGen's authors published beside their arrays: the camera, and where skills begin.

Sources: TEA-Lab/DemoGen at commit 69a4931 (MIT), its camera calibration and its task files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera

if TYPE_CHECKING:
    from numpy.typing import NDArray

CAMERA = PinholeCamera(1920, 1080, fx=1354.797, fy=1354.620, cx=986.013, cy=548.733)
"""RealSense L515, the colour stream that the clouds were coloured from."""

_TRANSLATION = (1.22741, -0.01919, 0.37631)
_QUATERNION = (0.0158739, -0.1884343, -0.0094524, 0.9819120)
_CORRECTION = ('x', -1.1), ('y', 1.1), ('z', -1.6)

# The published link looks along its negative x, with y to the right and z up. With this reading
# 96 to 100 % of the points of frame 0 fall into the image, on pixels of their own colours; with x
# forward and y left, none do.
_OPTICAL2LINK = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])

# The published pose is exact for sauce: its colours are those of the picture to 2 of 255 at all
# points. For flower and egg they differ by 20 to 26; turned by this rotation vector (degrees, about
# the optical centre) they agree to 4, in each of the six episodes. The camera had been turned.
_TURNED_DEG = dict.fromkeys(('flower', 'egg'), (-0.403, 0.558, -0.342))

SKILL_SPANS: dict[str, tuple[tuple[int, int | None], ...]] = {
    'flower': ((6, 67), (83, None)),
    'egg': ((7, None),),
    'sauce': ((5, None),),
}
"""First and last frame of each skill, both included; None is the last frame of the episode."""


def camera2base(task: str) -> NDArray[np.float64]:
    """Pose (4, 4) of the colour optical frame (REP-103) in the robot's base frame, metres.

    Args:
        task: Name of the recording; the camera of `flower` and `egg` stood a little otherwise.

    """
    rotation = Rotation.from_quat(_QUATERNION)
    for axis, degrees in _CORRECTION:
        rotation = rotation * Rotation.from_euler(axis, degrees, degrees=True)
    turned = Rotation.from_rotvec(_TURNED_DEG.get(task, (0.0, 0.0, 0.0)), degrees=True)
    turn = rotation.as_matrix() @ _OPTICAL2LINK @ turned.inv().as_matrix()
    return se3.compose(turn, _TRANSLATION)
