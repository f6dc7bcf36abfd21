# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Group-wise backtracking: which skills are moved freely, and which inherit.

R2RGen, arXiv 2510.08547, section III-B. Skill i has the group O_i = targets_i + in_hand_i. Skills
are visited from last to first with a set of objects whose place is fixed already, because a later
skill depends on it. A skill none of whose objects is fixed is sampled; one that shares an object
with the fixed set inherits the transform that fixed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from r2rgen_ros.model.annotation import Skill


@dataclass(frozen=True)
class GroupStep:
    """What backtracking decides for one skill.

    Attributes:
        skill: Index of the skill.
        group: Its objects.
        inherits: Index of the later skill whose transform it takes; None where it is sampled.
        conflict: Indices of later skills that fixed its objects differently; such a sample is
            consistent only if those skills happen to have the same transform.
        fixed: Objects whose place is fixed after this skill was visited.

    """

    skill: int
    group: frozenset[str]
    inherits: int | None
    conflict: tuple[int, ...]
    fixed: frozenset[str]

    @property
    def samples(self) -> bool:
        """Whether the skill gets a transform of its own."""
        return self.inherits is None


def backtrack(skills: Sequence[Skill]) -> tuple[GroupStep, ...]:
    """Decide for each skill whether it is sampled or inherits, from last to first.

    Args:
        skills: In order of time.

    Returns:
        One step per skill, in the order of the visit: the last skill comes first.

    """
    # Object -> the sampled skill whose transform fixed it. An inheriting skill passes on the root.
    fixed: dict[str, int] = {}
    steps: list[GroupStep] = []
    for index in range(len(skills) - 1, -1, -1):
        skill = skills[index]
        roots = sorted({fixed[name] for name in skill.group if name in fixed})
        root = roots[0] if roots else index
        for name in skill.targets:
            fixed[name] = root
        for name in skill.in_hand:
            fixed.pop(name, None)
        steps.append(
            GroupStep(
                skill=index,
                group=skill.group,
                inherits=root if roots else None,
                conflict=tuple(roots[1:]),
                fixed=frozenset(fixed),
            )
        )
    return tuple(steps)
