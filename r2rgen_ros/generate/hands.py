# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which of several hands a point of the robot moves with, where no kinematics tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.scene import Scene


def nearest_hand(demo: Demo, frame: int, points: NDArray[np.floating]) -> NDArray[np.int64]:
    """Place (N,) among the arms of the hand that each point (N, 3), base frame, is nearest to."""
    if len(demo.arms) == 1:
        return np.zeros(len(points), dtype=np.int64)
    hands = np.array([arm.ee2base[frame, :3, 3] for arm in demo.arms])
    gaps = np.linalg.norm(np.asarray(points)[:, None] - hands, axis=2)
    return np.asarray(gaps.argmin(axis=1), dtype=np.int64)


def labels_by_hand(
    scene: Scene, frame: int, points: NDArray[np.floating], labels: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Labels (N,) of points (N, 3) in which each hand after the first has one of its own.

    These follow the labels of the objects. Of one arm the labels are given back as they are.
    """
    if len(scene.demo.arms) == 1:
        return labels
    robot = np.flatnonzero(labels == ROBOT)
    hand = nearest_hand(scene.demo, frame, points[robot])
    out = labels.copy()
    last = FIRST_OBJECT + len(scene.objects) - 1
    out[robot] = np.where(hand > 0, last + hand, ROBOT)
    return out
