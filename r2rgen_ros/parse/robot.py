# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the robot is: points along its arms, so that its pixels are not taken for objects."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.robots.kinematics import Robot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo

_STEP_M = 0.03


def robot_of(demo: Demo) -> Robot | None:
    """Return the kinematics of a demonstration's arm; None without URDF, joints or a single arm.

    Raises:
        R2RGenError: The URDF is broken, or lacks the base or end effector link.

    """
    if demo.robot_description is None or demo.joints is None or len(demo.arms) != 1:
        return None
    return Robot.from_urdf(demo.robot_description, demo.base_frame, demo.arms[0].end_effector)


def robot_points(demo: Demo, robot: Robot | None, frame: int) -> NDArray[np.float64]:
    """Points (L, 3) along the arms in one frame, base frame, metres.

    With a URDF these run along the lines between the origins of neighbouring links; without one
    they are the end effectors alone.
    """
    hands = np.array([arm.ee2base[frame, :3, 3] for arm in demo.arms])
    if robot is None or demo.joints is None:
        return hands
    edges = [(robot.base_frame, link) for link in robot.links]
    positions = demo.joints.positions[frame : frame + 1]
    poses = robot.link_poses(demo.joints.names, positions, edges)
    origins = np.array([poses[edge][0, :3, 3] for edge in edges])
    lines = [origins, hands]
    for start, end in pairwise(origins):
        length = float(np.linalg.norm(end - start))
        if 0.0 < length < 0.6:
            shares = np.linspace(0.0, 1.0, max(2, int(length / _STEP_M)))[:, None]
            lines.append(start + shares * (end - start))
    return np.concatenate(lines)
