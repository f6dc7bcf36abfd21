# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where skills can be moved to, learnt before anything is sampled.

From where a skill was demonstrated its key poses are led outwards, cell by cell of a grid over
place and turn, each starting from the joints of the cell beside it. So what is found is what the
arm reaches without changing its configuration. Samples are then drawn from these cells first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.polygon import contains, convex_hull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.robots.kinematics import Robot

    Floats = NDArray[np.float64]
    Cell = tuple[int, int, int]

CELL = (0.1, 0.1, float(np.deg2rad(20.0)))
"""Extents of a cell at most, metres and radians."""

_SLACK = 1e-9  # metres and radians


@dataclass(frozen=True)
class ReachMap:
    """What the arm reaches of one skill.

    Attributes:
        support: The support plane.
        centre: (3,) point that the skill turns about, base frame, metres.
        low: (3,) least x, y (metres, in the plane) and yaw (radians) of a move.
        high: (3,) largest ones.
        cells: (X, Y, W) whether the middle of each cell is reached.

    """

    support: SupportPlane
    centre: Floats
    low: Floats
    high: Floats
    cells: NDArray[np.bool_]

    def allows(self, transforms: Floats) -> NDArray[np.bool_]:
        """Which transforms (N, 4, 4) lie in cells that are reached."""
        moves = moves_of(transforms, self.support, self.centre)
        size = np.array(self.cells.shape)
        share = (moves - self.low) / np.maximum(self.high - self.low, 1e-12)
        place = np.clip((share * size).astype(np.int64), 0, size - 1)
        # Of the moves themselves: a range of no width would blow rounding up.
        inside = ((moves > self.low - _SLACK) & (moves < self.high + _SLACK)).all(axis=1)
        return np.asarray(inside & self.cells[tuple(place.T)])


def moves_of(transforms: Floats, support: SupportPlane, centre: Floats) -> Floats:
    """Moves (N, 3), x, y and yaw, that transforms (N, 4, 4) of the plane are about a point."""
    shift = (se3.apply(transforms, centre[None, None])[:, 0] - centre) @ support.axes.T
    turned = support.axes @ transforms[:, :3, :3] @ support.axes.T
    yaw = np.arctan2(turned[:, 1, 0], turned[:, 0, 0])
    return np.column_stack([shift, yaw])


def explore(
    scene: Scene,
    robot: Robot,
    frames: Sequence[int],
    centre: Floats,
    bounds: tuple[Floats, Floats],
) -> ReachMap:
    """Find out where a skill can be moved to.

    Args:
        scene: The parsed demonstration, of one arm with joints.
        robot: Its kinematics.
        frames: Source frames whose poses of the hand have to be reached.
        centre: (3,) point that the skill turns about.
        bounds: Least and largest x, y and yaw of the moves.

    Returns:
        The map; cells whose centre point is off the support count as not reached.

    """
    demo, support = scene.demo, scene.support
    assert demo.joints is not None
    names, own = demo.joints.names, demo.joints.positions[list(frames)]
    hands = robot.forward(names, own)
    low, high = bounds
    size = np.maximum(np.ceil((high - low) / CELL - 1e-9), 1).astype(np.int64)
    steps = (high - low) / size
    # A range may lie far from where the skill was demonstrated: so many cells lead there.
    wide = np.where(steps > 0.0, steps, CELL)
    below = np.ceil(np.maximum(low, 0.0) / wide).astype(np.int64)
    above = np.ceil(np.maximum(-high, 0.0) / wide).astype(np.int64)
    cells = np.zeros(below + size + above, dtype=bool)
    outline = convex_hull(support.to_plane(support.outline))

    def reach(move: Floats, start: Floats) -> Floats | None:
        turn = se3.rotation_about(support.normal, move[2])
        change = se3.about_point(turn, centre, move[:2] @ support.axes)
        return robot.reach(names, change @ hands, start)

    def middle(cell: Cell) -> Floats:
        place = np.array(cell) - below + 0.5
        beyond = high + (place - size) * wide
        inside = np.where(place < size, low + place * steps, beyond)
        return np.asarray(np.where(place < 0, low + place * wide, inside))

    ends = np.array(cells.shape) - 1
    x, y, yaw = np.clip(below + np.floor(-low / wide).astype(np.int64), 0, ends).tolist()
    begin = (x, y, yaw)
    waiting: deque[tuple[Cell, Floats]] = deque([(begin, own)])
    known = {begin}
    while waiting:
        cell, start = waiting.popleft()
        place = support.to_plane(centre) + middle(cell)[:2]
        found = reach(middle(cell), start) if contains(outline, place[None])[0] else None
        if found is None:
            known.discard(cell)  # from another side it may be reached
            continue
        cells[cell] = True
        for beside in _beside(cell, cells.shape):
            if beside not in known and not cells[beside]:
                known.add(beside)
                waiting.append((beside, found))
    inside = tuple(slice(int(a), int(a + n)) for a, n in zip(below, size, strict=True))
    return ReachMap(support, centre, low, high, cells[inside])


def _beside(cell: Cell, size: Sequence[int]) -> list[Cell]:
    """Cells that share a face with one; half a turn to either side is not the same for a wrist."""
    out = []
    for axis, step in product(range(3), (-1, 1)):
        place = list(cell)
        place[axis] += step
        if 0 <= place[axis] < size[axis]:
            out.append((place[0], place[1], place[2]))
    return out
