# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What arms do together: which skills are one, and what binds a hand to the other's skill.

Two arms that do something to one object at the same time move with one transform, as long as both
hold it: `groups.together` says which skills these are. An arm that merely holds what another arm's
skill is about moves with that skill as well. What several hands carry is led about its own middle,
so that the hands keep their places on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.groups import together
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import Skill
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.scene import Scene


@dataclass(frozen=True, eq=False)
class Stage:
    """A span of source frames in which an arm moves with a skill, its own or another arm's.

    Attributes:
        skill: Index of the skill.
        first: First frame.
        last: Last frame, included.
        pivot: (T, 3) the middle of what this arm and others carry to it together, base frame,
            metres; None where this arm comes alone.

    """

    skill: int
    first: int
    last: int
    pivot: NDArray[np.float64] | None = None


def stages_of(scene: Scene) -> tuple[tuple[Stage, ...], ...]:
    """Return the stages of every arm, in order of time.

    Raises:
        R2RGenError: A skill names an unknown arm.

    """
    skills, demo = scene.annotation.skills, scene.demo
    require_arms(demo, skills)
    clusters = {index: cluster for cluster in together(skills) for index in cluster}
    out = []
    for place, arm in enumerate(demo.arms):
        own = [
            Stage(index, *_span(scene, place, index, clusters[index]))
            for index, skill in enumerate(skills)
            if skill.arm == arm.name
        ]
        own = [*_trimmed(own, skills), *_companions(scene, place)]
        out.append(sorted(own, key=lambda stage: stage.first))
    if len(out) > 1:
        _carry_together(scene, out)
    return tuple(tuple(_merged(stages)) for stages in out)


def require_arms(demo: Demo, skills: Sequence[Skill]) -> None:
    """Raise unless all skills are of arms of the demonstration.

    Raises:
        R2RGenError: Naming the skill and the arms.

    """
    names = [arm.name for arm in demo.arms]
    for skill in skills:
        if skill.arm not in names:
            raise R2RGenError(
                f'skill "{skill.name}" is of arm "{skill.arm}"',
                f'one of {names}',
                'name the arm in annotation.yaml as --ee-frame does',
            )


def _span(scene: Scene, place: int, index: int, cluster: tuple[int, ...]) -> tuple[int, int]:
    """First and last frame in which an arm moves with its skill, one of those that are one.

    What several hands bring into it together they bring there at the same time; and who holds
    the object on does not leave before the others are done.
    """
    skill = scene.annotation.skills[index]
    others = [scene.annotation.skills[other] for other in cluster if other != index]
    bringing = [one for one in others if set(one.in_hand) & set(skill.in_hand)]
    first = min([skill.first, *(one.first for one in bringing)])
    end = max([skill.last, *(one.last for one in others)])
    last = skill.last
    for item in scene.objects:
        held = np.flatnonzero(item.held[skill.last : end + 1] == place)
        if item.name in skill.group and held.size and others:
            last = max(last, skill.last + int(held[-1]))
    return first, last


def _trimmed(stages: list[Stage], skills: Sequence[Skill]) -> list[Stage]:
    """Stages of one arm that leave its skills before and after the frames they have."""
    out = []
    for place, stage in enumerate(stages):
        first, last = stage.first, stage.last
        if place:
            first = max(first, skills[stages[place - 1].skill].last + 1)
        if place + 1 < len(stages):
            last = min(last, skills[stages[place + 1].skill].first - 1)
        out.append(replace(stage, first=first, last=last))
    return out


def _companions(scene: Scene, place: int) -> list[Stage]:
    """Stages in which an arm holds what another arm's skill is about, and does nothing else."""
    skills, arm = scene.annotation.skills, scene.demo.arms[place].name
    busy = np.zeros(len(scene.demo), dtype=bool)
    for skill in skills:
        if skill.arm == arm:
            busy[skill.first : skill.last + 1] = True
    out = []
    for index, skill in enumerate(skills):
        span = slice(skill.first, skill.last + 1)
        held = any(
            (item.held[span] == place).any() for item in scene.objects if item.name in skill.group
        )
        if skill.arm != arm and held and not busy[span].any():
            out.append(Stage(index, skill.first, skill.last))
            busy[span] = True
    return out


def _carry_together(scene: Scene, arms: list[list[Stage]]) -> None:
    """Give stages that several arms carry one object into its middle, and one motion before."""
    skills = scene.annotation.skills
    for cluster in together(skills):
        carried = [set(skills[index].in_hand) for index in cluster]
        shared = sorted(set.intersection(*carried))
        if len(cluster) < 2 or not shared:
            continue
        item = next(one for one in scene.objects if one.name == shared[0])
        places = [
            (own, place)
            for own in arms
            for place, stage in enumerate(own)
            if stage.skill in cluster and place
        ]
        begin = max((own[place - 1].last for own, place in places), default=0)
        for own, place in places:
            before, stage = own[place - 1], own[place]
            own[place - 1] = replace(before, last=min(max(before.last, begin), stage.first - 1))
            own[place] = replace(stage, pivot=np.asarray(item.object2base[:, :3, 3]))


def _merged(stages: list[Stage]) -> list[Stage]:
    """Leave out what other stages have taken all the frames of."""
    kept = [stage for stage in stages if stage.last >= stage.first]
    for before, after in pairwise(kept):
        assert before.last < after.first
    return kept
