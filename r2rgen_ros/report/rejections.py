# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many attempts gave an episode, and why the others did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from r2rgen_ros.model.episode import Reason
from r2rgen_ros.report import style

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.figure import Figure

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


def draw_rejections(accepted: int, counts: Mapping[Reason, int], path: Path) -> Path:
    """Draw a bar for the accepted attempts and one per reason, also where none was accepted.

    Args:
        accepted: Attempts that gave an episode.
        counts: Rejected attempts by reason; those not named are zero.
        path: PNG to write.

    Returns:
        The path.

    """
    return style.picture(path, (9.5, 3.4), lambda figure: _draw(figure, accepted, counts))


def _draw(figure: Figure, accepted: int, counts: Mapping[Reason, int]) -> None:
    axes = figure.subplots()
    ranked = sorted(Reason, key=lambda reason: -counts.get(reason, 0))
    names = ['accepted', *(MEANINGS[reason] for reason in ranked)]
    values = [accepted, *(counts.get(reason, 0) for reason in ranked)]
    colours = [style.ACCEPTED, *([style.REJECTED] * len(ranked))]
    attempts = max(sum(values), 1)
    axes.barh(range(len(values)), values, color=colours, height=0.68)
    for row, value in enumerate(values):
        text = f' {value}   {100 * value / attempts:.0f} %' if value else ' 0'
        ink = style.INK if value else style.FAINT
        axes.text(value, row, text, va='center', color=ink, fontweight='bold' if value else None)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(*values, 1))
    axes.set_xlabel('attempts')
    style.whole_numbers(axes.xaxis)
    axes.tick_params(axis='y', length=0)
    axes.spines['left'].set_visible(False)
    title = f'{accepted} of {sum(values)} attempts gave an episode'
    axes.set_title(title, color=style.INK if accepted else style.REJECTED)
