# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a robot description at the recorded joints says what the recorded transforms say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.bags.recorded_robot import RecordedRobot
    from r2rgen_ros.robots.kinematics import Robot

    Stamps = NDArray[np.int64]

POSITION_M = 1e-3
ROTATION_DEG = 0.1
"""A larger difference than these is not of the numbers, but of the robot, its joints or clocks."""


@dataclass(frozen=True)
class Agreement:
    """Forward kinematics against transforms.

    Attributes:
        instants: How many instants were compared.
        largest_mm: Largest distance between the two, millimetres.
        largest_deg: Largest angle between the two, degrees.

    """

    instants: int
    largest_mm: float
    largest_deg: float

    def __bool__(self) -> bool:
        """Whether both say the same."""
        return self.largest_mm <= 1e3 * POSITION_M and self.largest_deg <= ROTATION_DEG


def compare(robot: Robot, recorded: RecordedRobot, base: str, link: str) -> Agreement | None:
    """Compare the pose of a link by kinematics and by transforms, whenever transforms are stamped.

    Args:
        robot: Kinematics.
        recorded: What the bag holds.
        base: Link that the pose is in.
        link: Link whose pose is compared; transforms join both.

    Returns:
        The differences; None where joints and transforms share no instant, or a joint was not
        recorded.

    """
    names = sorted({robot.tree.leader(joint) for joint in robot.tree.between(base, link)})
    if not all(name in recorded.joints for name in names):
        return None
    stamps = _instants(recorded, base, link, names)
    if not len(stamps):
        return None
    positions = np.zeros((len(stamps), len(names)))
    for column, name in enumerate(names):
        positions[:, column] = recorded.joints[name][0].at(stamps)
    ours = robot.link_poses(names, positions, [(base, link)])[(base, link)]
    theirs = recorded.transforms.lookup(base, link, stamps)
    apart = np.linalg.norm(ours[:, :3, 3] - theirs[:, :3, 3], axis=1)
    turned = np.rad2deg(se3.angle_between(ours, theirs))
    return Agreement(len(stamps), float(1e3 * apart.max()), float(turned.max()))


def worst_edge(
    robot: Robot, recorded: RecordedRobot, base: str, link: str
) -> tuple[str, str] | None:
    """The transform between two links that differs most; None where each of them agrees."""
    worst, size = None, 1.0
    for edge in recorded.transforms.path(base, link):
        if edge.parent not in robot.links or edge.child not in robot.links:
            return edge.parent, edge.child
        found = compare(robot, recorded, edge.parent, edge.child)
        if found is None:
            continue
        parts = (found.largest_mm / (1e3 * POSITION_M), found.largest_deg / ROTATION_DEG)
        if max(parts) > size:
            worst, size = (edge.parent, edge.child), max(parts)
    return worst


def _instants(recorded: RecordedRobot, base: str, link: str, names: list[str]) -> Stamps:
    """When a moving transform between two links is stamped and all joints are known."""
    edges = recorded.transforms.path(base, link)
    moving = [edge for edge in edges if not edge.is_static]
    stamped = [recorded.transforms.edge_samples(e.parent, e.child)[0] for e in moving]
    joints = [recorded.joints[name][0].stamps for name in names]
    if not stamped:  # what is still in the bag may move by the URDF: then at the joints' instants
        stamped = joints[:1] or [np.zeros(1, dtype=np.int64)]
    first = max([int(times[0]) for times in (*stamped, *joints)], default=0)
    last = min([int(times[-1]) for times in (*stamped, *joints)], default=0)
    found = np.unique(np.concatenate(stamped))
    return found[(found >= first) & (found <= last)]
