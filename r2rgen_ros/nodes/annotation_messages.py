# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prompts, skills and objects: messages of r2rgen_interfaces to nouns and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from r2rgen_interfaces.msg import AnnotatedObject, ErrorCode
from r2rgen_interfaces.msg import Prompt as PromptMessage
from r2rgen_interfaces.msg import Skill as SkillMessage

from r2rgen_ros.model.annotation import ObjectNote, Prompt, Skill
from r2rgen_ros.model.errors import R2RGenError, check_finite
from r2rgen_ros.model.scene import FIRST_OBJECT
from r2rgen_ros.nodes.message_parts import pose_message
from r2rgen_ros.parse.draft import free_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from r2rgen_ros.model.demo import Arm
    from r2rgen_ros.model.scene import Scene

_WAYS = {
    PromptMessage.PIXEL: ('pixel', 2),
    PromptMessage.BOX: ('box', 4),
    PromptMessage.POINT: ('point', 3),
}


class RequestError(R2RGenError):
    """A field of a request that cannot be used."""

    code = ErrorCode.BAD_REQUEST

    @classmethod
    def of(cls, error: R2RGenError) -> RequestError:
        """Return the same error, as one of the request."""
        return cls(error.found, error.expected, error.fix)


def notes_of(prompts: Sequence[PromptMessage]) -> list[ObjectNote]:
    """Objects that prompts point at; those without a name get one.

    Raises:
        RequestError: A prompt has the wrong number of values, or some are not finite.

    """
    taken = [prompt.name for prompt in prompts if prompt.name]
    notes = []
    for prompt in prompts:
        name = prompt.name or free_name(taken)
        taken.append(name)
        notes.append(note_of(prompt, name))
    return notes


def note_of(prompt: PromptMessage, name: str) -> ObjectNote:
    """Object that a prompt points at.

    Raises:
        RequestError: It has the wrong number of values, or some are not finite.

    """
    if prompt.kind not in _WAYS:
        kinds = [f'{kind} ({way})' for kind, (way, _) in _WAYS.items()]
        raise RequestError(f'the prompt of "{name}" is of kind {prompt.kind}', f'one of {kinds}')
    way, count = _WAYS[prompt.kind]
    if len(prompt.values) != count:
        raise RequestError(
            f'the prompt of "{name}" has {len(prompt.values)} values', f'{count} for a {way}'
        )
    try:
        check_finite(f'the prompt of "{name}"', np.array(prompt.values))
        said: dict[str, Any] = {way: tuple(float(value) for value in prompt.values)}
        return ObjectNote(name, Prompt(int(prompt.frame), **said))
    except R2RGenError as error:
        raise RequestError.of(error) from None


def skill_of(message: SkillMessage, arms: Sequence[Arm]) -> Skill:
    """Skill of a message.

    Args:
        message: Its arm may be empty where there is but one.
        arms: Those of the demonstration.

    Raises:
        RequestError: The frames are out of order, or it is not said which arm.

    """
    arm = message.arm
    if not arm:
        names = [each.name for each in arms]
        if len(names) > 1:
            raise RequestError(f'skill "{message.name}" names no arm', f'one of {names}')
        arm = names[0]
    try:
        return Skill(
            message.name,
            int(message.first),
            int(message.last),
            tuple(message.targets),
            tuple(message.in_hand),
            arm,
        )
    except R2RGenError as error:
        raise RequestError.of(error) from None


def skill_messages(skills: Sequence[Skill]) -> list[SkillMessage]:
    """Messages of skills."""
    return [
        SkillMessage(
            name=skill.name,
            first=skill.first,
            last=skill.last,
            targets=list(skill.targets),
            in_hand=list(skill.in_hand),
            arm=skill.arm,
        )
        for skill in skills
    ]


def object_messages(scene: Scene) -> list[AnnotatedObject]:
    """Messages of the objects of a scene."""
    out = []
    for place, (note, item) in enumerate(zip(scene.annotation.objects, scene.objects, strict=True)):
        out.append(
            AnnotatedObject(
                name=note.name,
                label=FIRST_OBJECT + place,
                points=len(item.cloud),
                pose=pose_message(item.object2base[0]),
                grasp_first=[grasp.first for grasp in note.grasps],
                grasp_last=[grasp.last for grasp in note.grasps],
                grasp_arm=[grasp.arm for grasp in note.grasps],
            )
        )
    return out
