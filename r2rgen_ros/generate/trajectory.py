# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The joints of an episode as trajectories, for the controllers of a robot's arm and gripper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.bags import keys
from r2rgen_ros.bags.trajectory import Trajectory
from r2rgen_ros.generate.joint_limits import derivatives

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.robots.kinematics import Robot

    Floats = NDArray[np.float64]


def knots(positions: Floats, stamps: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Velocities and accelerations (M, J) at positions that a robot passes at rest at both ends.

    Accelerations are the second differences that the limits are held against; velocities are those
    of the parabola through a position and its neighbours, so none is above the larger of the two
    speeds beside it. At both ends they are zero, as controllers ask for.

    Args:
        positions: (M, J) rad or m.
        stamps: (M,) nanoseconds.

    """
    velocities, accelerations = np.zeros((2, *positions.shape))
    if len(positions) > 2:
        speeds, accelerations[1:-1] = derivatives(positions, stamps)
        seconds = np.diff(stamps)[:, None] * 1e-9
        before, after = seconds[:-1], seconds[1:]
        velocities[1:-1] = (after * speeds[:-1] + before * speeds[1:]) / (before + after)
    return velocities, accelerations


def gripper_joints(robot: Robot, names: Sequence[str]) -> tuple[str, ...]:
    """Those joints that the arm carries and that have a drive of their own."""
    if not robot.chain:
        return ()
    last, tree = robot.chain[-1], robot.tree
    return tuple(
        name
        for name in names
        if name in robot.joint_names
        and name not in robot.chain
        and name not in tree.mimics
        and last in tree.chain(tree.child(name))
    )


class Trajectories:
    """Makes the trajectories of a demonstration's episodes: of each arm, and of its gripper.

    They are two because they go to two controllers, and one that is told of a joint of the other
    refuses all of it.

    Args:
        demo: The demonstration; it has joints.
        robots: Its arms, in their order.

    """

    def __init__(self, demo: Demo, *robots: Robot) -> None:
        assert demo.joints is not None
        names, groups = demo.joints.names, {}
        for arm, robot in zip(demo.arms, robots, strict=True):
            own = tuple(name for name in robot.chain if name in names)
            groups[keys.trajectory_topic(arm.name, len(robots))] = own
            fingers = gripper_joints(robot, names)
            groups[keys.trajectory_topic(arm.name, len(robots), 'gripper')] = fingers
        self._groups = [
            (topic, own, [names.index(name) for name in own])
            for topic, own in groups.items()
            if own
        ]

    def __call__(self, episode: Episode) -> list[Trajectory]:
        """Return the trajectories of an episode; none where its joints are not known."""
        if episode.joints is None:
            return []
        out = []
        for topic, names, columns in self._groups:
            positions = episode.joints[:, columns]
            velocities, accelerations = knots(positions, episode.stamps)
            since = episode.stamps - episode.stamps[0]
            out.append(Trajectory(topic, names, since, positions, velocities, accelerations))
        return out
