# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np

from r2rgen_ros.parse.unprompted import Sighting, standing


def box(x, low=0.0, high=0.1, width=0.05):
    """Points on a grid in a box whose middle is at x."""
    side = np.arange(-width / 2, width / 2 + 1e-9, 0.005)
    rise = np.arange(low, high + 1e-9, 0.005)
    return np.stack(np.meshgrid(x + side, side, rise), axis=-1).reshape(-1, 3)


def seen(frame, points):
    return Sighting(frame, points, bool(points[:, 2].min() < 0.03))


def test_a_single_frame_shows_each_thing_that_stands_for_itself():
    near, beside, floating = (
        seen(0, points) for points in (box(0.0), box(0.06), box(0.3, low=0.05))
    )
    # A stripe above something that stands is not a part of it, as nothing else shows it.
    stripe = seen(0, box(0.0, low=0.105, high=0.3))

    assert standing([near, beside, floating, stripe]) == [near, beside]
    assert standing([floating]) == []
    assert standing([]) == []


def test_a_corner_in_the_first_frame_gives_way_to_the_whole_thing():
    corner, whole, little_more = (
        seen(frame, box(0.0, high=high)) for frame, high in ((0, 0.06), (5, 0.15), (5, 0.062))
    )
    assert standing([corner, whole]) == [whole]
    assert standing([corner, little_more]) == [corner]


def test_things_that_the_first_frame_has_apart_stay_apart():
    one, other = seen(0, box(0.0)), seen(0, box(0.06))
    both = seen(5, np.concatenate([box(0.0), box(0.06)]))
    assert standing([one, other, both]) == [one, other]


def test_what_later_frames_show_has_to_be_seen_twice():
    plate = seen(0, box(0.4, high=0.02))
    assert standing([plate, seen(5, box(0.0))]) == [plate]
    twice = [seen(5, box(0.0, high=0.08)), seen(8, box(0.0))]
    assert standing([plate, *twice]) == [plate, twice[1]]
    of_one_frame = [seen(5, box(0.0, high=0.04)), seen(5, box(0.0, low=0.05))]
    assert standing([plate, *of_one_frame]) == [plate]


def test_a_thing_whose_foot_is_hidden_from_above_is_one_once_its_foot_is_seen():
    cap, neck = box(0.0, low=0.18, high=0.2, width=0.02), box(0.0, low=0.12, high=0.17)
    above = [seen(frame, part) for frame in (3, 6) for part in (cap, neck)]
    aside = seen(9, box(0.0, high=0.2))

    assert standing(above) == []
    assert standing([*above, aside]) == [aside]
