# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of a variation before it is worked out: the plane's checks and the arm's reach."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.assemble import object_changes
from r2rgen_ros.generate.course import ArmModel
from r2rgen_ros.generate.feasibility import PlaneCheck
from r2rgen_ros.generate.reachable import ReachMap, explore, moves_of
from r2rgen_ros.generate.skills_reach import SkillsReach
from r2rgen_ros.generate.synchrony import stages_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import GenerateConfig, MoveRange
    from r2rgen_ros.generate.groups import GroupStep
    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.model.episode import Variation
    from r2rgen_ros.model.scene import Scene

    Floats = NDArray[np.float64]


_TURNS = 13


@dataclass(frozen=True)
class Prior:
    """Tells of a variation that nothing can come of it: of one arm in well under a millisecond.

    Attributes:
        scene: The parsed demonstration.
        plane: The checks on the support plane.
        maps: Where each skill that is sampled, and those that inherit from it, can be moved to;
            empty without kinematics.
        skills: Whether several arms reach all of their skills; None for one arm, or without
            kinematics.

    """

    scene: Scene
    plane: PlaneCheck
    maps: Mapping[int, ReachMap]
    skills: SkillsReach | None = None

    @classmethod
    def learn(
        cls,
        scene: Scene,
        config: GenerateConfig,
        steps: Sequence[GroupStep],
        centres: Floats,
        bounds: Mapping[int, tuple[Floats, Floats]],
    ) -> Prior:
        """Find out where skills can be moved to.

        Args:
            scene: The parsed demonstration.
            config: The checks on the plane, and what the arm can do.
            steps: What backtracking decided.
            centres: (S, 3) points that the skills turn about.
            bounds: Per sampled skill, least and largest x, y and yaw of what may be drawn.

        """
        arms = ArmModel.of(scene.demo, config)
        maps: dict[int, ReachMap] = {}
        roots = _roots(steps)
        for index, ends in bounds.items():
            skills = [skill for k, skill in enumerate(scene.annotation.skills) if roots[k] == index]
            for arm in arms:
                frames = [
                    frame
                    for skill in skills
                    if skill.arm == scene.demo.arms[arm.place].name
                    for frame in (skill.first, (skill.first + skill.last) // 2, skill.last)
                ]
                if not frames:
                    continue
                found = explore(scene, arm.robot, frames, centres[index], ends)
                # Every arm must reach its part of what they do together.
                known = maps.get(index, found)
                maps[index] = replace(found, cells=found.cells & known.cells)
        several = len(arms) > 1 and scene.demo.drive is None
        reach = SkillsReach(arms, stages_of(scene)) if several else None
        return cls(scene, PlaneCheck.create(scene, config.feasibility), maps, reach)

    def allows(self, variation: Variation) -> bool:
        """Whether a variation may come to something."""
        for index, reach in self.maps.items():
            moved = variation.base2base @ variation.transforms[index]
            if not reach.allows(moved[None])[0]:
                return False
        changes = object_changes(self.scene, variation.transforms)
        if self.plane.check(variation, changes) is not None:
            return False
        return self.skills is None or self.skills.allows(variation)


def bounds_of(
    support: SupportPlane,
    centre: Floats,
    transforms: Sequence[Floats],
    yaws: tuple[float, float],
) -> tuple[Floats, Floats]:
    """Least and largest x, y and yaw of moves about a point.

    Args:
        support: The support plane.
        centre: (3,) the point.
        transforms: (4, 4) moves at the ends of what may be drawn, and between.
        yaws: Least and largest turn, radians; beyond half a turn it is all turns.

    """
    moves = moves_of(np.stack(transforms), support, centre)
    low, high = moves.min(axis=0), moves.max(axis=0)
    low[2], high[2] = yaws if -np.pi <= yaws[0] and yaws[1] <= np.pi else (-np.pi, np.pi)
    return low, high


def moves_in(bound: MoveRange) -> list[tuple[float, float, float]]:
    """Moves (x, y, yaw in radians) at the ends of a range, and turns between."""
    yaws = np.deg2rad(np.linspace(*bound.yaw_deg, _TURNS if bound.is_wide[2] else 1))
    return list(product(bound.x_m, bound.y_m, yaws.tolist()))


def _roots(steps: Sequence[GroupStep]) -> dict[int, int]:
    """The skill that each skill has its transform from."""
    out: dict[int, int] = {}
    for step in steps:  # the last skill comes first, so that what is inherited is known
        out[step.skill] = step.skill if step.inherits is None else out[step.inherits]
    return out
