# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where skills begin and end, and what they are about."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import ObjectNote, Prompt, Skill
from r2rgen_ros.model.demo import Arm
from r2rgen_ros.parse.events import Body, Hold
from r2rgen_ros.parse.skills import HandPath, find_rests, hold_skills, numbered

HOME, HOVER, CONTACT, LIFT = (0.1, 0.3, 0.4), (0.5, 0, 0.1), (0.5, 0, 0), (0.5, 0, 0.15)


def least_jerk(stops, seconds, rate):
    """Places (T, 3) that rest for an instant at each stop, and the frames of the stops."""
    places, frames = [np.array(stops[0], dtype=float)], [0]
    for begin, end in pairwise(stops):
        t = np.arange(1, round(seconds * rate) + 1)[:, None] / round(seconds * rate)
        share = t**3 * (10 - 15 * t + 6 * t**2)
        places += list(begin + share * (np.array(end) - begin))
        frames.append(len(places) - 1)
    return np.array(places), frames


def even(stops, step):
    """Places (T, 3) at a constant speed along lines, and the frames nearest to the corners."""
    places, frames = [np.array(stops[0], dtype=float)], [0]
    for begin, end in pairwise(stops):
        count = max(1, round(float(np.linalg.norm(np.subtract(end, begin))) / step))
        share = np.arange(1, count + 1)[:, None] / count
        places += list(begin + share * (np.array(end, dtype=float) - begin))
        frames.append(len(places) - 1)
    return np.array(places), frames


def hand(places, rate, gripper=None):
    poses = se3.compose(np.tile(np.eye(3), (len(places), 1, 1)), places)
    width = np.zeros(len(places)) if gripper is None else gripper
    stamps = (np.arange(len(places)) * 1e9 / rate).astype(np.int64)
    return HandPath.of(Arm('arm', 'tool', poses, width), stamps)


@pytest.mark.parametrize('rate', [5, 10, 30, 60])
def test_a_skill_lies_between_the_rests_around_its_contact(rate):
    places, stops = least_jerk([HOME, HOVER, CONTACT, LIFT, HOME], 1.2, rate)
    path = hand(places, rate)
    _, hover, contact, lift, end = stops
    reach = max(1, round(0.1 * rate))
    assert abs(path.approach(contact, 0) - hover) <= reach
    assert abs(path.departure(contact, end) - lift) <= reach


def test_without_rests_a_skill_lies_between_the_corners_of_the_path():
    places, stops = even([HOME, (0.5, 0, 0.2), CONTACT, (0.5, 0, 0.2), HOME], 0.015)
    path = hand(places, 10)
    _, down, contact, up, end = stops
    assert abs(path.approach(contact, 0) - down) <= 1
    assert abs(path.departure(contact, end) - up) <= 1


def test_an_approach_from_the_side_has_its_corner_too():
    places, stops = even([(0.3, -0.4, 0.2), (0.3, 0, 0.2), (0.5, 0, 0.2)], 0.01)
    assert abs(hand(places, 10).approach(stops[2], 0) - stops[1]) <= 2


def test_a_hand_that_turns_in_place_above_a_contact_does_not_rest():
    places, stops = even([HOME, (0.5, 0, 0.2), (0.5, 0, 0.15), CONTACT], 0.015)
    turn = 12
    places = np.insert(places, [stops[2]] * turn, places[stops[2]], axis=0)
    angles = np.zeros(len(places))
    angles[stops[2] : stops[2] + turn + 1] = np.linspace(0, 1.2, turn + 1)
    angles[stops[2] + turn :] = 1.2
    poses = se3.compose(se3.rotation_about([0, 0, 1], angles), places)
    arm = Arm('arm', 'tool', poses, np.zeros(len(places)))
    path = HandPath.of(arm, np.arange(len(places)) * 100_000_000)
    assert abs(path.approach(len(places) - 1, 0) - stops[1]) <= 1


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**31))
def test_skills_keep_within_the_frames_that_are_free(earliest, contact, seed):
    places = np.cumsum(np.random.default_rng(seed).normal(0, 0.03, (21, 3)), axis=0)
    path = hand(places, 10)
    assert min(earliest, contact) <= path.approach(contact, earliest) <= max(contact, earliest)
    assert min(earliest, contact) <= path.departure(earliest, contact) <= max(contact, earliest)


def test_a_rest_is_slow_beside_what_is_around_it():
    bumps = np.abs(np.sin(np.linspace(0, 3 * np.pi, 31)))
    for (first, last), low in zip(find_rests(bumps).tolist(), (0, 10, 20, 30), strict=True):
        assert first <= low <= last
    assert len(find_rests(np.full(20, 0.2))) == 0
    assert len(find_rests(0.2 + 0.05 * np.sin(np.arange(40.0)))) == 0


def box(name, places, size=(0.05, 0.05, 0.05)):
    """A body of the top face of a box that stood with its middle at places (T, 3)."""
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 11) * size[0], np.linspace(-0.5, 0.5, 11) * size[1])
    points = np.stack([x.ravel(), y.ravel(), np.full(x.size, size[2] / 2)], axis=1)
    poses = se3.compose(np.tile(np.eye(3), (len(places), 1, 1)), np.asarray(places))
    return Body(ObjectNote(name, Prompt(point=(0.0, 0.0, 0.0))), points, poses)


def bridge(table, gap):
    """Two piers put down with a gap between them, then a deck laid on both."""
    places, bodies, holds = [np.array([0.0, 0.0, 0.3])], [], []
    goals = [(0.3, 0.0, 0.025), (0.3, gap + 0.05, 0.025), (0.3, gap / 2 + 0.025, 0.06)]
    starts = [(0.0, -0.3, 0.025), (0.0, 0.3, 0.025), (-0.3, 0.0, 0.01)]
    spans = []
    for start, goal in zip(starts, goals, strict=True):
        stops = [(*start[:2], 0.2), start, (*start[:2], 0.2), (*goal[:2], 0.2), goal,
                 (*goal[:2], 0.2)]  # fmt: skip
        more, frames = least_jerk([places[-1], *stops], 1.0, 10)
        spans.append((len(places) - 1 + frames[2], len(places) - 1 + frames[5]))
        places += list(more[1:])
    sizes = [(0.05, 0.05, 0.05)] * 2 + [(0.05, gap + 0.1, 0.02)]
    for k, (start, (first, last)) in enumerate(zip(starts, spans, strict=True)):
        path = np.tile(start, (len(places), 1))
        carried = np.array(places[first : last + 1])
        path[first : last + 1] = start + carried - carried[0]
        path[last:] = path[last]
        bodies.append(box(('pier_1', 'pier_2', 'deck')[k], path, sizes[k]))
        holds.append(Hold(k, 'arm', first, last))
    return hold_skills(bodies, holds, {'arm': hand(np.array(places), 10)}, table.support)


def test_a_pier_is_placed_beside_the_one_that_bears_the_same_deck(table):
    skills = numbered(bridge(table, 0.09))
    said = {skill.name: (set(skill.targets), skill.in_hand) for skill in skills}
    assert said == {
        'pick pier_1': ({'pier_1'}, ()),
        'place pier_1': (set(), ('pier_1',)),
        'pick pier_2': ({'pier_2'}, ()),
        'place pier_2 at pier_1': ({'pier_1'}, ('pier_2',)),
        'pick deck': ({'deck'}, ()),
        'place deck at pier_1 and pier_2': ({'pier_1', 'pier_2'}, ('deck',)),
    }
    assert [skill.name.split()[0] for skill in skills] == ['pick', 'place'] * 3
    assert all(a.last < b.first for a, b in pairwise(skills))


def test_what_is_hardly_lifted_is_picked_and_placed_all_the_same(table):
    places, _ = least_jerk([(0, 0, 0.2), (0, 0, 0), (0.05, 0, 0), (0.05, 0, 0.2)], 1.0, 10)
    body = box('block', np.zeros((len(places), 3)))
    hands = {'arm': hand(places, 10)}
    pick, place = hold_skills([body], [Hold(0, 'arm', 10, 20)], hands, table.support)
    assert pick.first <= 10 <= pick.last < place.first <= 20 <= place.last


def test_what_is_in_the_hand_from_the_start_is_not_picked(table):
    places, stops = least_jerk([(0, 0, 0.2), (0.3, 0, 0.2), (0.3, 0, 0), (0.3, 0, 0.2)], 1.0, 10)
    hold = Hold(0, 'arm', 0, stops[2], is_seen_to_begin=False)
    hands = {'arm': hand(places, 10)}
    (place,) = hold_skills([box('block', places)], [hold], hands, table.support)
    assert place.in_hand == ('block',)
    assert abs(place.first - stops[1]) <= 1
    assert abs(place.last - stops[3]) <= 1


def test_skills_of_one_name_are_told_apart():
    names = [skill.name for skill in numbered([Skill('s', 9, 9, ()), Skill('s', 1, 2, ())])]
    assert names == ['s', 's (2)']
