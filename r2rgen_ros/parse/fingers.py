# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Positions of fingers that only the gripper's own topic tells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Arm, Demo, Joints
    from r2rgen_ros.robots.body import RobotBody

    Floats = NDArray[np.float64]

_GRIPPER_SHARE = 0.15


def with_fingers(demo: Demo, body: RobotBody) -> Joints:
    """Joint positions, with those of fingers that are only known from the gripper's own topic."""
    assert demo.joints is not None
    loose_joints = body.loose(demo.joints.names)
    if not loose_joints or len(demo.arms) != 1:
        return demo.joints
    names = [name for name, _ in loose_joints]
    limits = body.robot.limits(names)
    moved = np.array([count for _, count in loose_joints])
    share = _openness(demo.arms[0], limits, moved)
    if share is None:
        return demo.joints
    positions = limits[:, 0] + share[:, None] * (limits[:, 1] - limits[:, 0])
    return replace(
        demo.joints,
        names=(*demo.joints.names, *names),
        positions=np.hstack([demo.joints.positions, positions]),
    )


def _openness(arm: Arm, limits: Floats, moved: NDArray[np.int64]) -> Floats | None:
    """Share (T,) of its range that each finger joint is at; None where the unit is not clear.

    A gripper topic tells the width between the fingers or the position of one of them. It is taken
    for whichever its largest reading reaches, since demonstrations begin or end with an open hand.
    """
    if not np.isfinite(arm.gripper).all():
        return None
    ranges = limits[:, 1] - limits[:, 0]
    most = float(arm.gripper.max())
    for full in (float(ranges @ moved), float(ranges.max())):
        if abs(most - full) <= _GRIPPER_SHARE * full:
            return np.asarray(np.clip(arm.gripper / full, 0.0, 1.0))
    return None
