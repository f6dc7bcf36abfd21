# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Colours of an object without the shadows that fell on it for a while.

While an object rests before a camera that does, each of its pixels shows one place of it, lit or in
the shadow of an arm that passes. In the mean of all it would keep a part of that shadow for ever.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.parse.fusion import View

_FEWEST = 3
_POSE_DIGITS = 4  # followed objects that rest move by nanometres
LIT = 0.2
"""A place that is lit in this share of its views is lit; fewer brighter ones may be reflections."""
SHADE = 0.8
"""What is darker than this share of the light is in a shadow, if it has the same hue."""
SAME_HUE = 0.985
"""Cosine between colours of one hue."""


def without_shadows(views: Sequence[View]) -> list[View]:
    """Return the views, with the colours of lit places where these are in a shadow for a while."""
    out = list(views)
    groups: dict[bytes, list[int]] = {}
    for place, view in enumerate(views):
        if view.colour is not None:
            poses = np.round([view.object2base, view.camera2base], _POSE_DIGITS) + 0.0
            groups.setdefault(poses.tobytes(), []).append(place)
    for places in groups.values():
        if len(places) >= _FEWEST:
            lit = _lit([out[place] for place in places])
            for place, view in zip(places, lit, strict=True):
                out[place] = view
    return out


def _lit(views: list[View]) -> list[View]:
    """The same for views (V) of one object at one place by one camera."""
    inside = np.stack([view.inside for view in views])
    rows, columns = np.nonzero(inside.any(axis=0))
    if not rows.size:
        return views
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    inside = inside[:, box[0], box[1]]
    colours = np.stack([_colour(view)[box] for view in views]).astype(np.float32)
    usual, is_lit = _usual(colours, inside)
    both = (colours * usual).sum(axis=3)
    sizes = np.linalg.norm(colours, axis=3) * np.linalg.norm(usual, axis=2)
    in_shadow = inside & ~is_lit & (both > SAME_HUE * sizes)
    out = []
    for view, own in zip(views, in_shadow, strict=True):
        colour = _colour(view).copy()
        colour[box][own] = np.rint(usual[own])
        out.append(replace(view, colour=colour))
    return out


def _usual(
    colours: NDArray[np.float32], inside: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Mean colour (h, w, 3) of views (V, h, w, 3) in which a place is lit, and which these are."""
    light = np.where(inside, colours.sum(axis=3), -np.inf)
    ranked = -np.sort(-light, axis=0)
    rank = (LIT * inside.sum(axis=0)).astype(np.int64)
    bright = np.take_along_axis(ranked, rank[None], axis=0)
    is_lit = inside & (light >= SHADE * bright)
    total = np.maximum(is_lit.sum(axis=0), 1)[..., None]
    usual = (colours * is_lit[..., None]).sum(axis=0) / total
    return usual.astype(np.float32), is_lit


def _colour(view: View) -> NDArray[np.uint8]:
    assert view.colour is not None
    return view.colour
