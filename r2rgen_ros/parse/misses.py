# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Why a prompt meets no object, and what a person does about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from r2rgen_ros.model.annotation import ObjectNote, Prompt
    from r2rgen_ros.parse.prompts import Candidates

_ANOTHER_FRAME = 'choose a frame in which the object is seen well'
_SEE_THROUGH = (
    'see-through and shiny things have none: click on an opaque part, or choose a frame in which '
    'it is seen better'
)
MANY_HOLES = 0.5
"""Share of pixels without depth from which on these are why nothing is found."""
_AROUND_PX = 12.0


def no_depth(note: ObjectNote, holes: float) -> R2RGenError:
    """Say that a click is on what has no depth.

    Args:
        note: The object.
        holes: Share of the pixels around the click without depth.

    """
    return R2RGenError(
        f'the click for "{note.name}" in frame {note.prompt.frame} is where the camera measures '
        f'no depth: {100 * holes:.0f} % of the pixels around it are holes',
        'a click on a surface with depth',
        _SEE_THROUGH,
    )


def nothing_near(note: ObjectNote, candidates: Candidates, hit: int | None) -> R2RGenError:
    """Say why a click meets no object.

    Args:
        note: The object.
        candidates: Objects of the prompt's frame.
        hit: Index of the point that was clicked on, whatever it belongs to; None for none.

    """
    frame = candidates.frame
    if hit is not None and int(candidates.label[hit]) in candidates.robot:
        return R2RGenError(
            f'the click for "{note.name}" in frame {frame} is on what touches the robot; without '
            "the robot's surface the two cannot be told apart",
            'a click on an object that stands alone',
            'choose a frame in which the robot is away from it, or record /robot_description, or '
            'name the URDF with --urdf',
        )
    if not candidates.free.size:
        return R2RGenError(
            f'nothing stands on the support in frame {frame}, at the click for "{note.name}" or '
            'elsewhere',
            'an object that rises above it',
            _ANOTHER_FRAME,
        )
    return R2RGenError(
        f'nothing is near the click for "{note.name}" in frame {frame}',
        'a click on an object',
        f'click on what rises above the support plane, or {_ANOTHER_FRAME}; a see-through object '
        'may measure as what is behind it',
    )


def remedy(prompt: Prompt, holes: float) -> str:
    """Return what to do about a prompt that selects nothing.

    Args:
        prompt: The prompt.
        holes: Share of the pixels that it encloses without depth.

    """
    if prompt.point is not None or prompt.pixel is not None:
        return 'click on the object itself, above the support plane'
    # A box is drawn wider than what it is about.
    if holes > 0.5 * MANY_HOLES:
        return f'{100 * holes:.0f} % of the pixels in it have no depth; {_SEE_THROUGH}'
    return f'draw it around the object itself, above the support plane, or {_ANOTHER_FRAME}'


def holes_around(candidates: Candidates, note: ObjectNote) -> float:
    """Share of the pixels around a clicked pixel that have no depth; 0 for clouds and points.

    Raises:
        R2RGenError: The pixel lies outside the image.

    """
    pixel, shape = note.prompt.pixel, candidates.snapshot.shape
    if pixel is None or len(shape) != 2:
        return 0.0
    (u, v), (rows, columns) = pixel, shape
    if not (-0.5 <= u <= columns - 0.5 and -0.5 <= v <= rows - 0.5):
        raise R2RGenError(
            f'the click for "{note.name}" is at ({u:g}, {v:g}), outside the image',
            f'a pixel of {columns} x {rows}, counted from the upper left',
            'what has left the view cannot be clicked on: choose a frame in which it is seen',
        )
    reach = _AROUND_PX
    return holes_in_box(candidates, (u - reach, v - reach, u + reach, v + reach))


def holes_in_box(candidates: Candidates, box: tuple[float, float, float, float]) -> float:
    """Share of the pixels of an image in a box (u0, v0, u1, v1) without depth; 0 for clouds."""
    snapshot = candidates.snapshot
    if len(snapshot.shape) != 2:
        return 0.0
    rows, columns = snapshot.shape
    u0, v0 = max(0, int(np.ceil(box[0]))), max(0, int(np.ceil(box[1])))
    u1, v1 = min(columns - 1, int(np.floor(box[2]))), min(rows - 1, int(np.floor(box[3])))
    v, u = np.divmod(snapshot.index, columns)
    measured = int(((u >= u0) & (u <= u1) & (v >= v0) & (v <= v1)).sum())
    count = max(0, u1 - u0 + 1) * max(0, v1 - v0 + 1)
    return 1.0 - measured / count if count else 0.0
