# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Group-wise backtracking: which skills are moved freely, and which inherit.

R2RGen, arXiv 2510.08547, section III-B. Skill i has the group O_i = targets_i + in_hand_i. Skills
are visited from last to first with a set of objects whose place is fixed already, because a later
skill depends on it. A skill none of whose objects is fixed is sampled; one that shares an object
with the fixed set inherits the transform that fixed it.

Skills of several arms on one object at the same time are visited as one: two hands that lift a box,
or one that gives and one that takes. They have one transform, drawn for the last of them.
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


def together(skills: Sequence[Skill]) -> tuple[tuple[int, ...], ...]:
    """Skills that are one: of different arms, about a common object, in common frames.

    Args:
        skills: In order of time.

    Returns:
        Their indices, rising, those with the last skill last; a skill without others is alone.

    """
    owner = list(range(len(skills)))
    for late, after in enumerate(skills):
        for early, before in enumerate(skills[:late]):
            if before.arm == after.arm or before.last < after.first:
                continue
            if before.group & after.group:
                old, new = owner[early], owner[late]
                owner = [new if one == old else one for one in owner]
    clusters = [tuple(k for k, one in enumerate(owner) if one == name) for name in set(owner)]
    return tuple(sorted(clusters, key=lambda cluster: cluster[-1]))


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
    for cluster in reversed(together(skills)):
        members = [skills[index] for index in cluster]
        group = frozenset[str]().union(*(skill.group for skill in members))
        roots = sorted({fixed[name] for name in group if name in fixed})
        root = roots[0] if roots else cluster[-1]
        for skill in members:
            fixed.update(dict.fromkeys(skill.targets, root))
        for skill in members:
            for name in skill.in_hand:
                fixed.pop(name, None)
        steps += [
            GroupStep(
                skill=index,
                group=skills[index].group,
                inherits=None if index == root else root,
                conflict=tuple(roots[1:]),
                fixed=frozenset(fixed),
            )
            for index in cluster
        ]
    return tuple(sorted(steps, key=lambda step: -step.skill))
