# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether several arms reach all of their skills, each begun in any configuration.

With several arms there are many skills in one variation, and the maps of what is reached, which are
coarse, let through too many of which one is not. So every skill is followed whole before a
variation is drawn; what lies between skills is for the planners to find out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.afresh import follow_afresh

if TYPE_CHECKING:
    from r2rgen_ros.generate.course import ArmModel
    from r2rgen_ros.generate.synchrony import Stage
    from r2rgen_ros.model.episode import Variation


@dataclass(frozen=True)
class SkillsReach:
    """Follows the skills of a variation.

    Attributes:
        arms: Kinematics of every arm.
        stages: What every arm moves with, and when.

    """

    arms: tuple[ArmModel, ...]
    stages: tuple[tuple[Stage, ...], ...]

    def allows(self, variation: Variation) -> bool:
        """Whether every arm gets along each of its skills."""
        return all(
            self._reaches(arm, stage, variation)
            for arm in self.arms
            for stage in self.stages[arm.place]
        )

    @staticmethod
    def _reaches(arm: ArmModel, stage: Stage, variation: Variation) -> bool:
        times = np.arange(stage.first, stage.last + 1.0)
        change = variation.base2base @ variation.transforms[stage.skill]
        poses = change @ arm.demo.arms[arm.place].ee2base[stage.first : stage.last + 1]
        found, _ = follow_afresh(arm, times, poses, forced=False)
        return found.first_failed < 0
