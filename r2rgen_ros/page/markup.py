# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the page says in HTML: lists, the bar of skills, keys. All names in it are made harmless."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from r2rgen_ros.page.browser import TIMELINE
from r2rgen_ros.report.style import (
    ACCEPTED,
    FAINT,
    HAIRLINE,
    INK,
    REJECTED,
    object_colour,
    skill_colour,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from r2rgen_ros.model.annotation import ObjectNote, Skill

KEYS = (
    ('Space', 'play, pause'),
    ('J', 'one frame back'),
    ('L', 'one frame on'),
    ('⇧ J', 'ten back'),
    ('⇧ L', 'ten on'),
    ('P', 'edge before'),
    ('N', 'next edge of a skill'),
    ('I', 'skill starts here'),
    ('O', 'skill ends here'),
    ('Enter', 'set the skill'),
    ('Z', 'undo'),
    ('Ctrl S', 'save'),
)
_TEXT = f'font-size:13px;line-height:1.45;color:{INK};padding:0 10px 6px 10px;'
_SWATCH = 'flex:none;width:11px;height:11px;border-radius:3px;margin-right:7px;'
_BUSY, _WARNS = '#228be6', '#e8a33d'


def message(
    text: str, *, is_bad: bool = False, doing: tuple[str, float | None] = ('', None)
) -> str:
    """What has happened last, and what is under way; as high with as without the latter.

    Args:
        text: What has happened.
        is_bad: Whether it is a refusal.
        doing: What is under way, empty for nothing, and how much of it is done, 0 to 1; None
            where nobody knows.

    """
    colour = REJECTED if is_bad else INK
    edge = f'border-left:3px solid {REJECTED if is_bad else ACCEPTED};'
    style = (
        f'{_TEXT}margin:8px 10px 0 10px;padding:4px 9px;{edge}color:{colour};'
        f'min-height:37px;overflow-wrap:anywhere;'
    )
    said = f'<div role="status" style="{style}background:#f6f5f1">{escape(text)}</div>'
    return said + _progress(*doing)


def _progress(text: str, share: float | None) -> str:
    """A bar with a text over it; the same room without either."""
    bar = ''
    if text:
        # A stripe that wanders tells that something goes on where nobody knows how long.
        place = (
            'left:0;width:30%;animation:r2rgen-wander 1.6s ease-in-out infinite alternate'
            if share is None
            else f'left:0;width:{100.0 * min(max(share, 0.0), 1.0):.1f}%'
        )
        bar = (
            '<style>@keyframes r2rgen-wander { to { left: 70%; } }</style>'
            f'<div style="position:absolute;top:0;bottom:0;background:{_BUSY};{place}"></div>'
        )
    track = f'position:relative;height:4px;overflow:hidden;background:{HAIRLINE};'
    return (
        f'<div style="margin:0 10px 6px 10px"><div style="{track}">{bar}</div>'
        f'<div style="font-size:12px;line-height:18px;height:18px;color:{FAINT}">{escape(text)}'
        '</div></div>'
    )


def objects(notes: Sequence[ObjectNote]) -> str:
    """The objects, with their colours."""
    if not notes:
        return _faint('None yet: click on them, in the picture or in 3D.')
    rows = ''.join(
        _row(object_colour(place), f'<b>{escape(note.name)}</b>{_grey(_prompt(note))}')
        for place, note in enumerate(notes)
    )
    return f'<div style="{_TEXT}">{rows}</div>'


def skills(every: Sequence[Skill], *, shows_arm: bool) -> str:
    """The skills, with their colours."""
    if not every:
        return _faint('None yet: mark the first with I, the last frame with O.')
    rows = []
    for place, skill in enumerate(every):
        about = ', '.join(skill.targets) or 'the support'
        hand = f', {", ".join(skill.in_hand)} in hand' if skill.in_hand else ''
        arm = f'{skill.arm}: ' if shows_arm else ''
        rows.append(
            _row(
                skill_colour(place),
                f'<b>{escape(skill.name)}</b> {skill.first}–{skill.last}'  # noqa: RUF001
                f'<br>{_grey(escape(arm + about + hand))}',
            )
        )
    return f'<div style="{_TEXT}">{"".join(rows)}</div>'


def checks(texts: Sequence[str]) -> str:
    """What a person should check."""
    style = (
        f'margin-bottom:5px;padding:3px 8px;border-left:3px solid {_WARNS};background:#fdf6e3;'
        'overflow-wrap:anywhere;'
    )
    rows = ''.join(f'<div style="{style}">{escape(text)}</div>' for text in texts)
    return f'<div role="list" style="{_TEXT}">{rows}</div>'


def timeline(
    every: Sequence[Skill],
    arms: Sequence[str],
    frames: int,
    now: int,
    marks: tuple[int, int] | None,
) -> str:
    """The skills as bars over time, a row for each arm, with the frame that is shown.

    Args:
        every: The skills.
        arms: Names of the arms.
        frames: Number of frames.
        now: The frame that is shown.
        marks: First and last frame of the skill that is being marked.

    """
    high = 16
    parts = []
    for place, skill in enumerate(every):
        top = 4 + (high + 4) * arms.index(skill.arm) if skill.arm in arms else 4
        parts.append(
            f'<div title="{escape(skill.name, quote=True)} {skill.first} to {skill.last}" '
            f'style="{_span(skill.first, skill.last, frames)}top:{top}px;height:{high}px;'
            f'background:{skill_colour(place)};border-radius:3px;overflow:hidden;'
            f'font-size:10px;line-height:{high}px;padding-left:4px;white-space:nowrap;'
            f'box-sizing:border-box;color:{INK}">{escape(skill.name)}</div>'
        )
    whole = 8 + (high + 4) * len(arms)
    if marks is not None:
        parts.append(
            f'<div style="{_span(*marks, frames)}top:1px;height:{whole - 4}px;'
            f'border:2px dashed {INK};border-radius:3px;box-sizing:border-box"></div>'
        )
    at = 100.0 * (now + 0.5) / frames
    parts.append(
        f'<div style="position:absolute;left:{at:.2f}%;top:0;bottom:0;width:2px;'
        f'margin-left:-1px;background:{REJECTED}"></div>'
    )
    style = (
        f'position:relative;margin:2px 10px 8px 10px;height:{whole}px;background:#f1efe9;'
        f'border:1px solid {HAIRLINE};border-radius:4px'
    )
    return f'<div class="{TIMELINE}" style="{style}">{"".join(parts)}</div>'


def keys() -> str:
    """The legend of the keys."""
    cap = (
        f'display:inline-block;min-width:20px;text-align:center;border:1px solid {HAIRLINE};'
        f'border-bottom-width:2px;border-radius:4px;padding:0 5px;background:#fff;'
        f'font:600 11px/17px sans-serif;color:{INK};margin-right:6px;'
    )
    cells = ''.join(
        f'<div style="white-space:nowrap"><span style="{cap}">{key}</span>{text}</div>'
        for key, text in KEYS
    )
    grid = 'display:grid;grid-template-columns:repeat(3,auto);gap:4px 12px;font-size:12px;'
    note = _faint(
        'While you type, keys are letters: Enter leaves the field. Drag the 3D view to turn it, '
        'click on the bar above to go to a frame.'
    )
    return f'<div style="{_TEXT}{grid}">{cells}</div>{note}'


def _row(colour: str, text: str) -> str:
    """A line of a list, with its colour before it and what is long beside that."""
    swatch = f'<span style="{_SWATCH}background:{colour}"></span>'
    return (
        f'<div style="display:flex;align-items:baseline">{swatch}'
        f'<div style="overflow-wrap:anywhere">{text}</div></div>'
    )


def _prompt(note: ObjectNote) -> str:
    ways = ('mask', 'box', 'pixel', 'point', 'region')
    way = next(way for way in ways if getattr(note.prompt, way) is not None)
    return f'{way} in frame {note.prompt.frame}'


def _span(first: int, last: int, frames: int) -> str:
    left, width = 100.0 * first / frames, 100.0 * (last - first + 1) / frames
    return f'position:absolute;left:{left:.2f}%;width:{width:.2f}%;'


def _grey(text: str) -> str:
    return f' <span style="color:{FAINT}">{text}</span>'


def _faint(text: str) -> str:
    return f'<div style="{_TEXT}color:{FAINT}">{text}</div>'
