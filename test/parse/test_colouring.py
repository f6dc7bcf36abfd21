# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.parse.colouring import Palette, own_by_colour

RED, BLUE = np.array([200, 40, 40]), np.array([40, 40, 200])


def shades(middle, count=300, spread=15.0, seed=0):
    values = np.random.default_rng(seed).normal(middle, spread, (count, 3))
    return np.clip(values, 0, 255).astype(np.uint8)


def frames(middle, spread=15.0):
    return [shades(middle, spread=spread, seed=seed) for seed in range(4)]


def test_colours_lean_to_whom_they_are_of():
    palette = Palette.learn(frames(RED), frames(BLUE))
    assert (palette.leaning(shades(RED, seed=9)) > 0.0).all()
    assert (palette.leaning(shades(BLUE, seed=9)) < 0.0).all()


def test_a_common_colour_leans_to_nobody_however_many_points_each_has():
    grey = np.array([120, 120, 120])
    own = [np.concatenate([shades(RED), shades(grey, 60)]) for _ in range(2)]
    robot = [np.concatenate([shades(BLUE, 3000), shades(grey, 600)]) for _ in range(2)]
    palette = Palette.learn(own, robot)
    assert abs(float(np.median(palette.leaning(shades(grey, seed=9))))) < 1.0


@pytest.mark.parametrize(
    ('own', 'robot'),
    [
        (frames(RED), frames(RED)),
        (frames([120, 90, 90], spread=60.0), frames([90, 90, 120], spread=60.0)),
        ([], []),
        (frames(RED)[:1], frames(BLUE)[:1]),
        ([part[:10] for part in frames(RED)], frames(BLUE)),
    ],
    ids=['same', 'alike', 'nothing', 'one frame', 'few points'],
)
def test_colours_that_tell_nothing_are_not_used(own, robot):
    assert Palette.learn(own, robot) is None


def strip(start, stop):
    """Points of a strip along x, a point every 2 mm."""
    x, y = np.meshgrid(np.arange(start, stop, 0.002), np.arange(0.0, 0.02, 0.002))
    return np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)


def test_what_hangs_together_with_the_object_and_has_its_colours_is_taken():
    known, beyond, arm, apart = (
        strip(0.0, 0.06), strip(0.06, 0.07), strip(0.07, 0.2), strip(-0.03, -0.02),
    )  # fmt: skip
    points = np.concatenate([known, beyond, arm, apart])
    part = np.repeat(np.arange(4), [len(known), len(beyond), len(arm), len(apart)])
    colours = np.concatenate(
        [shades(RED, len(known)), shades(RED, len(beyond)), shades(BLUE, len(arm)),
         shades(RED, len(apart))]
    )  # fmt: skip
    taken = own_by_colour(
        points, colours, part == 0, part > 0, known, np.eye(4),
        Palette.learn(frames(RED), frames(BLUE)),
    )  # fmt: skip
    assert taken[part == 1].mean() > 0.8
    assert not taken[part == 0].any(), 'what is known is not taken again'
    assert taken[part == 2].mean() < 0.05
    assert not taken[part == 3].any(), 'it does not hang together with the object'


def test_a_spot_of_the_robot_in_the_colour_of_the_object_is_not_taken():
    known, arm = strip(0.0, 0.06), strip(0.06, 0.1)
    points = np.concatenate([known, arm])
    mine = np.arange(len(points)) < len(known)
    colours = np.concatenate([shades(RED, len(known)), shades(BLUE, len(arm))])
    spot = len(known) + 5 * 20 + 10
    colours[spot] = RED
    taken = own_by_colour(
        points, colours, mine, ~mine, known, np.eye(4), Palette.learn(frames(RED), frames(BLUE))
    )
    assert not taken[spot]
