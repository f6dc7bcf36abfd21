# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which joint positions of an arm keep clear, compiled, for planners that ask very often.

Distances are those of `CollisionCheck`, from the same fields and surface samples, of things that
stand where they do between two skills. Poses come from the product of exponentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.collisions import support_sides
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.geometry.distance_field import is_far, nearest_of
from r2rgen_ros.geometry.point_groups import PointGroups, moved, over_plane
from r2rgen_ros.geometry.rigid import inverse_into, product_into, screw_into

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.generate.collisions import CollisionCheck
    from r2rgen_ros.robots.kinematics import Robot

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_SAME_M = 1e-9


@dataclass(frozen=True, eq=False)
class Fields:
    """Fields of distances after one another: of all objects, and of the environment if it has one.

    Attributes:
        origins: (F, 3).
        scales: (F,) one by the spacing.
        shapes: (F, 3).
        starts: (F + 1,) where the values of each begin.
        values: Of all of them.
        margin: Of all of them, metres.

    """

    origins: Floats
    scales: Floats
    shapes: Ints
    starts: Ints
    values: NDArray[np.float32]
    margin: float

    @classmethod
    def of(cls, check: CollisionCheck) -> Fields:
        """Gather the fields of a check of collisions."""
        fields = [*check._fields, *([] if check._room is None else [check._room])]
        return cls(
            np.array([field.origin for field in fields]).reshape(-1, 3),
            np.array([1.0 / field.spacing for field in fields]),
            np.array([field.values.shape for field in fields], dtype=np.int64).reshape(-1, 3),
            np.cumsum([0, *(field.values.size for field in fields)]),
            np.concatenate([np.zeros(0, np.float32), *(field.values.ravel() for field in fields)]),
            fields[0].margin if fields else 0.0,
        )


@dataclass(frozen=True, eq=False)
class Passable:
    """Tells which positions of an arm's joints keep clear, while all else stands still.

    Bodies are the robot's parts and what is held; obstacles the support plane and the fields.

    Attributes:
        row: (N,) positions of the demonstration's joints, of which the arm's are replaced.
        columns: (J,) where the arm's are.
        clear: (B, O) distance from which on a body is clear of an obstacle, metres; infinitely
            below zero for what is no pair.

    """

    row: Floats
    columns: NDArray[np.intp]
    clear: Floats
    _check: CollisionCheck
    _fields: Fields
    _screws: Floats
    _groups: PointGroups
    _poses: Floats
    _carried: Ints
    _base2fields: Floats
    _field_carried: Ints
    _plane: tuple[Floats, float, Floats, Floats]

    @classmethod
    def between(
        cls,
        check: CollisionCheck,
        fields: Fields,
        robot: Robot,
        frame: int,
        row: Floats,
        object2base: Floats,
        environment2base: Floats,
        hand: int = 0,
    ) -> Passable:
        """Fix all that does not depend on the arm.

        Args:
            check: Knows all things.
            fields: Its fields.
            robot: Its chain are the joints of the arm.
            frame: Source frame, which says what is held.
            row: (N,) positions of the demonstration's joints.
            object2base: (K, 4, 4) while the arm is there.
            environment2base: (4, 4) where the environment is, seen from the base.
            hand: Place of the arm.

        """
        scene, joints = check.scene, check.scene.demo.joints
        assert joints is not None
        columns = np.array([joints.names.index(name) for name in robot.chain], dtype=np.intp)
        above = [set(robot.tree.chain(name)) & set(robot.chain) for name in check.links]
        held = [place for place, item in enumerate(scene.objects) if item.held[frame] == hand]
        things = [check._things[place] for place in held]
        parts = check._body.poses(joints.names, row[None])[0, check._robot.places]
        arm = len(robot.chain)
        carried = np.array([len(names) for names in above] + [arm] * len(held), dtype=np.int64)
        room = [environment2base] * (check._room is not None)
        over = np.array(
            [arm if k in held else 0 for k in range(len(scene.objects))] + [0] * len(room)
        )
        bodies = [check._robot, *things]
        clear = np.full((len(carried), 1 + len(over)), check.clearance)
        # What another arm carries is no concern of this one, unless this one moves there.
        clear[np.ix_(carried == 0, np.concatenate([[True], over == 0]))] = -np.inf
        for place, thing in enumerate(held):
            # A thing is no obstacle to itself, nor to the hand that holds it.
            clear[len(above) + place, 1 + thing] = -np.inf
            clear[carried == arm, 1 + thing] = -np.inf
        groups = PointGroups.of([part for each in bodies for part in each.points.parts()])
        return cls(
            row, columns, clear, check, fields,
            robot.screws(joints.names, row),
            groups,
            np.concatenate([parts, object2base[held]]),
            carried,
            se3.inverse(np.concatenate([object2base, np.reshape(room, (-1, 4, 4))])),
            over,
            support_sides(scene.support, environment2base),
        )  # fmt: skip

    @property
    def margin(self) -> float:
        """No distance is told to be larger than this, metres."""
        return self._fields.margin

    def rows(self, arm: Floats) -> Floats:
        """Return all joints (M, N) from those of the arm (M, J)."""
        out = np.tile(self.row, (len(arm), 1))
        out[:, self.columns] = arm
        return out

    def gaps(self, arm: Floats) -> Floats:
        """Distances (M, B, O) of all bodies from all obstacles at joints (M, J) of the arm."""
        return self._measured(arm, np.full((len(arm), *self.clear.shape), -np.inf), quick=False)[0]

    def keeps(self, arm: Floats, wanted: Floats) -> NDArray[np.bool_]:
        """Whether all distances at joints (M, J) are as large as wanted (M, B, O)."""
        return self._measured(arm, np.ascontiguousarray(wanted - _SAME_M), quick=True)[1]

    def overlaps(self, arm: Floats, row: Floats | None = None) -> NDArray[np.bool_]:
        """Which pairs (Q, M) of links overlap at joints (M, J) of the arm, the others at (N,)."""
        joints = self._check.scene.demo.joints
        assert joints is not None
        rows = self.rows(arm)
        if row is not None:
            rows = np.tile(row, (len(arm), 1))
            rows[:, self.columns] = arm
        return self._check._own.overlaps(joints.names, rows)

    def _measured(
        self, arm: Floats, wanted: Floats, *, quick: bool
    ) -> tuple[Floats, NDArray[np.bool_]]:
        gaps, keeps = np.full(wanted.shape, np.inf), np.ones(len(arm), dtype=np.bool_)
        fields, groups = self._fields, self._groups
        moves = np.ascontiguousarray(arm - self.row[self.columns])
        up, offset, sides, limits = self._plane
        _measure(
            moves, wanted, self._screws, groups.points, groups.starts, groups.centres, groups.radii,
            groups.bodies, groups.body_centres, groups.body_radii, self._poses, self._carried,
            self._base2fields,
            self._field_carried, fields.origins, fields.scales, fields.shapes, fields.starts,
            fields.values, fields.margin, up, offset, sides, limits, gaps, keeps, quick,
        )  # fmt: skip
        return gaps, keeps


@compiled
def _measure(
    moves: Floats,
    wanted: Floats,
    screws: Floats,
    points: Floats,
    starts: Ints,
    centres: Floats,
    radii: Floats,
    groups: Ints,
    wide: Floats,
    wide_radii: Floats,
    poses: Floats,
    carried: Ints,
    fields: Floats,
    field_carried: Ints,
    origins: Floats,
    scales: Floats,
    shapes: Ints,
    field_starts: Ints,
    values: NDArray[np.float32],
    margin: float,
    up: Floats,
    offset: float,
    sides: Floats,
    limits: Floats,
    gaps: Floats,
    keeps: NDArray[np.bool_],
    quick: bool,
) -> None:
    """Distances; if it shall be quick, those that count until one is smaller than wanted."""
    count = len(screws)
    links = np.empty((count + 1, 4, 4))
    links[0] = np.eye(4)
    step, back, pose, there, onto = np.eye(4), np.eye(4), np.eye(4), np.eye(4), np.eye(4)
    for m in range(len(moves)):
        for joint in range(count):
            screw_into(moves[m, joint] * screws[joint], step)
            product_into(links[joint], step, links[joint + 1])
        inverse_into(links[count], back)
        # What is far out meets things first.
        for body in range(len(carried) - 1, -1, -1):
            product_into(links[carried[body]], poses[body], pose)
            for other in range(wanted.shape[2]):
                least, field = wanted[m, body, other], other - 1
                if quick and least == -np.inf:
                    continue
                local, nodes = pose, values[:0].reshape((0, 0, 0))
                if field >= 0:
                    size = shapes[field]
                    nodes = values[field_starts[field] : field_starts[field + 1]].reshape(
                        (size[0], size[1], size[2])
                    )
                    if field_carried[field] > 0:
                        product_into(back, pose, there)
                        local = there
                    product_into(fields[field], local, onto)
                    local = onto
                if field < 0:
                    x, y, z = moved(local, wide[body])
                    height = up[0] * x + up[1] * y + up[2] * z - offset - wide_radii[body]
                    if quick and height >= least:
                        continue
                    gap = over_plane(
                        points, starts[groups[body]], starts[groups[body + 1]], local, up, offset,
                        sides, limits, margin, least,
                    )  # fmt: skip
                    gaps[m, body, other] = gap
                    keeps[m] = gap >= least
                elif not quick or not is_far(
                    wide[body], wide_radii[body], local, origins[field], scales[field], nodes,
                    margin, least,
                ):  # fmt: skip
                    for group in range(groups[body], groups[body + 1]):
                        if quick and is_far(
                            centres[group], radii[group], local, origins[field], scales[field],
                            nodes, margin, least,
                        ):  # fmt: skip
                            continue
                        gap = nearest_of(
                            points[starts[group] : starts[group + 1]], local, origins[field],
                            scales[field], nodes, margin, least,
                        )  # fmt: skip
                        gaps[m, body, other] = min(gap, gaps[m, body, other])
                        if gap < least:
                            keeps[m] = False
                            break
                if not keeps[m]:
                    break
            if not keeps[m]:
                break
