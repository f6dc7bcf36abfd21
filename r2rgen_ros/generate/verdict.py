# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What came of the attempts, in words, and what helps where too few gave an episode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from r2rgen_ros.model.episode import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from r2rgen_ros.generate.run import Status

MEANINGS = {
    Reason.INCONSISTENT: 'skills would inherit two different moves',
    Reason.OVERLAP: 'objects would overlap',
    Reason.OFF_SUPPORT: 'an object would leave the support',
    Reason.UNREACHABLE: 'the arm would not reach',
    Reason.TOO_FAST: 'a joint would be too fast in a skill',
    Reason.COLLISION: 'the robot or what it holds would run into something',
    Reason.SELF_COLLISION: 'the arm would run into itself',
    Reason.OUT_OF_VIEW: 'the camera would not see an object',
    Reason.OUT_OF_WORKSPACE: 'the hand or an object would leave the workspace',
    Reason.UNSEEN: 'too much of the image was never seen by the source',
}
REMEDIES = {
    Reason.INCONSISTENT: 'move the skills that share objects together, or annotate fewer targets',
    Reason.OVERLAP: 'give smaller ranges, or ranges that lead the objects apart',
    Reason.OFF_SUPPORT: 'give smaller ranges, or check the outline of the support plane',
    Reason.UNREACHABLE: 'give smaller ranges of yaw, or ranges towards the base',
    Reason.TOO_FAST: 'give smaller ranges of yaw, or raise the limits under motion',
    Reason.COLLISION: 'give smaller ranges, or lower feasibility.collision_clearance_m',
    Reason.SELF_COLLISION: 'give smaller ranges of yaw',
    Reason.OUT_OF_VIEW: 'give smaller ranges, or lower the shares under feasibility',
    Reason.OUT_OF_WORKSPACE: 'give smaller ranges, or a larger feasibility.workspace',
    Reason.UNSEEN: 'move the base less, or raise camera.max_unseen_share',
}


def worst(counts: Mapping[Reason, int]) -> Reason | None:
    """Return the most frequent reason, None where nothing was rejected."""
    least = max(counts, key=lambda reason: counts[reason], default=None)
    return least if least is not None and counts[least] else None


def summary(accepted: int, counts: Mapping[Reason, int]) -> str:
    """Say in one sentence what came of the attempts, and what to change."""
    attempts = accepted + sum(counts.values())
    text = f'{accepted} of {attempts} attempts gave an episode'
    reason = worst(counts)
    if reason is None:
        return f'{text}.'
    text = f'{text}; most of the others because {MEANINGS[reason]}'
    return f'{text}. To get more: {REMEDIES[reason]}.' if accepted * 2 < attempts else f'{text}.'


def shortfall(status: Status) -> str:
    """Say what helps where fewer episodes were accepted than asked for; else empty.

    More attempts are suggested only where some came to something.
    """
    if status.accepted >= status.wanted:
        return ''
    reason = worst({Reason(name): count for name, count in status.reasons.items()})
    if reason is None:
        return ''
    what = f'fewer than the {status.wanted} asked for' if status.accepted else 'no episode at all'
    text = f'{what}, mostly because {MEANINGS[reason]}: {REMEDIES[reason]}'
    return f'{text}, or allow more attempts_per_episode' if status.accepted else text
