# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Shadows that pass over things, pixel by pixel; the truth is what was painted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.parse.fusion import View
from r2rgen_ros.parse.lighting import without_shadows

CAMERA = PinholeCamera(40, 30, 40.0, 40.0, 19.5, 14.5)
PRINT = np.array([60, 58, 57], np.uint8)
PAPER = np.array([200, 196, 190], np.uint8)


def printed():
    """Paper with stripes of print, of the same hue."""
    colour = np.tile(PAPER, (30, 40, 1))
    colour[:, 12:28:2] = PRINT
    return colour


def view(colour, x=0.0):
    inside = np.zeros((30, 40), dtype=bool)
    inside[5:25, 10:30] = True
    depth = np.ones((30, 40), dtype=np.float32)
    pose = se3.compose(np.eye(3), [x, 0.0, 0.0])
    return View(depth, CAMERA, np.eye(4), pose, inside, None, colour)


def shaded(colour, columns):
    out = colour.copy()
    out[:, columns] = (0.55 * out[:, columns]).astype(np.uint8)
    return out


def test_a_shadow_that_passes_is_taken_off_and_print_stays():
    truth = printed()
    views = [view(shaded(truth, slice(8 + 2 * k, 14 + 2 * k))) for k in range(10)]

    found = without_shadows(views)

    for seen in found:
        assert np.abs(seen.colour[seen.inside].astype(int) - truth[seen.inside]).max() <= 1


def test_what_is_in_a_shadow_all_the_time_stays():
    views = [view(shaded(printed(), slice(8, 20)))] * 10

    assert all(
        np.array_equal(a.colour, b.colour)
        for a, b in zip(without_shadows(views), views, strict=True)
    )


@pytest.mark.parametrize('brighter', [1, 3])
def test_a_reflection_in_a_few_views_is_not_the_light(brighter):
    truth = printed() // 2
    bright = truth.copy()
    bright[10:15, 14:20] = np.minimum(2 * bright[10:15, 14:20].astype(int), 255).astype(np.uint8)
    views = [view(bright if k < brighter else truth) for k in range(10)]

    last = without_shadows(views)[-1]

    assert np.array_equal(last.colour, truth) == (brighter == 1)


def test_another_colour_is_no_shadow():
    truth = printed()
    hidden = truth.copy()
    hidden[8:12, 12:20] = (20, 20, 120)  # something blue that was taken for the object
    views = [view(truth)] * 6 + [view(hidden)] * 2

    assert np.array_equal(without_shadows(views)[-1].colour, hidden)


def test_of_what_moves_nothing_is_compared():
    truth = printed()
    views = [view(shaded(truth, slice(8 + 2 * k, 14 + 2 * k)), x=0.01 * k) for k in range(10)]

    assert all(a is b for a, b in zip(without_shadows(views), views, strict=True))


def test_views_without_colour_are_left_as_they_are():
    views = [replace(view(printed()), colour=None)] * 5

    assert all(a is b for a, b in zip(without_shadows(views), views, strict=True))
