# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When a gripper presses on something, and what that adds to the reading of its width."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.model.demo import Arm
from r2rgen_ros.parse.events import closed_frames, grasp_intervals
from r2rgen_ros.parse.grip_effort import loaded_spans
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.scene import survey
from r2rgen_ros.simulate.ground_truth import GroundTruth


def arm(width, effort, **fields):
    poses = np.tile(np.eye(4), (len(effort), 1, 1))
    effort = np.array(effort, dtype=float)
    return Arm('arm', 'tool', poses, np.array(width, dtype=float), effort=effort, **fields)


@given(
    st.lists(st.integers(4, 20), min_size=3, max_size=9),
    st.sampled_from([-40.0, -1.0, 1.0, 200.0]),
    st.floats(-0.1, 0.1),
    st.integers(0, 1000),
)
def test_spans_of_two_levels_are_found_whatever_unit_sign_and_noise(lengths, force, idle, seed):
    """Idle and pressing in turn; the drive of an idle gripper may say a little."""
    parts = [np.full(n, force * (1.0 if k % 2 else idle)) for k, n in enumerate(lengths)]
    effort = np.concatenate(parts)
    effort += np.random.default_rng(seed).uniform(-0.05, 0.05, len(effort)) * abs(force)
    ends = np.cumsum(lengths)
    wanted = [(int(ends[k - 1]), int(ends[k]) - 1) for k in range(1, len(lengths), 2)]
    assert loaded_spans(effort) == wanted


@pytest.mark.parametrize(
    'effort',
    [
        np.zeros(60),
        np.full(60, -30.0),
        np.random.default_rng(1).normal(0.0, 1.0, 60),
        np.linspace(0.0, 5.0, 60),
        np.sin(np.arange(60) / 6.0),
        np.where(np.arange(60) == 20, 50.0, 0.0),
        np.array([0.0, 0.0, 9.0, 9.0, 9.0]),
    ],
    ids=['zeros', 'constant', 'noise', 'ramp', 'sway', 'one spike', 'too few'],
)
def test_what_has_not_two_levels_says_nothing_and_does_no_harm(effort):
    assert loaded_spans(effort) == []
    width = np.where((np.arange(len(effort)) // 20) == 1, 0.02, 0.08)
    with_it, without = arm(width, effort), replace(arm(width, effort), effort=None)
    assert grasp_intervals(with_it) == grasp_intervals(without)
    assert loaded_spans(None) == []


def test_an_object_as_wide_as_the_open_hand_is_seen_by_the_effort():
    """The fingers hardly close on it; on a thin one, later, they do."""
    width = [0.08] * 20 + [0.079] * 10 + [0.08] * 10 + [0.01] * 10 + [0.08] * 10
    effort = [0.0] * 20 + [30.0] * 10 + [0.0] * 10 + [30.0] * 10 + [0.0] * 10
    assert grasp_intervals(replace(arm(width, effort), effort=None)) == [(40, 49)]
    both = arm(width, effort)
    assert grasp_intervals(both) == [(20, 29), (40, 49)]
    assert np.flatnonzero(closed_frames(both)).tolist() == [*range(20, 30), *range(40, 50)]


def test_a_clear_width_is_believed_before_the_effort():
    ramp = list(np.linspace(0.08, 0.03, 8))
    width = [0.08] * 10 + ramp + [0.03] * 20 + ramp[::-1] + [0.08] * 10
    effort = [0.0] * 16 + [5.0] * 21 + [0.0] * (len(width) - 37)
    both = arm(width, effort)
    assert grasp_intervals(both) == grasp_intervals(replace(both, effort=None))


def test_a_drive_that_holds_by_itself_does_not_end_a_grasp():
    """The effort drops as soon as it has closed; the command says for how long it stays so."""
    command = [1.0] * 20 + [0.0] * 30 + [1.0] * 10
    effort = [0.0] * 24 + [8.0] * 4 + [0.0] * 32
    assert grasp_intervals(arm(command, effort)) == [(20, 49)]


def noisy(width, size):
    return width + np.random.default_rng(3).normal(0.0, size, len(width))


READINGS = {
    'absent': lambda width: np.full(len(width), np.nan),
    'standing still': lambda width: np.full(len(width), width.max()),
    'in steps of 10 mm': lambda width: np.round(width, 2),
    'a command': lambda width: (width > 0.9 * width.max()).astype(float),
    '1 mm noise': lambda width: noisy(width, 0.001),
    '3 mm noise': lambda width: noisy(width, 0.003),
}


@pytest.fixture(scope='module', params=['bottle', 'bridge'])
def recorded(request, virtual_demo, bridge_demo):
    """A demonstration of the virtual robot, and what is true of it."""
    folder = {'bottle': virtual_demo, 'bridge': bridge_demo}[request.param]
    demo, truth = load_demo(folder), GroundTruth.load(folder)
    fingers, held = truth.joints[:, 7], truth.held.any(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], held, [False]]).astype(np.int8)))
    spans = []
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        # The truth says held from lift to release: the fingers close before and open after that.
        still = np.abs(fingers - np.median(fingers[first:after])) < 0.0005
        while first > 0 and still[first - 1]:
            first -= 1
        while after < len(still) and still[after]:
            after += 1
        spans.append((int(first), int(after) - 1))
    return SimpleNamespace(folder=folder, demo=demo, truth=truth, spans=spans)


def test_the_virtual_robot_tells_its_effort_and_it_changes_no_clear_closure(recorded):
    hand = recorded.demo.arms[0]
    assert loaded_spans(hand.effort) != []
    assert grasp_intervals(hand) == grasp_intervals(replace(hand, effort=None))


@pytest.mark.parametrize('reading', READINGS)
def test_contact_and_release_are_true_to_3_frames_with_any_reading(recorded, reading):
    hand = recorded.demo.arms[0]
    found = grasp_intervals(replace(hand, gripper=READINGS[reading](hand.gripper)))
    assert len(found) == len(recorded.spans)
    assert np.abs(np.array(found) - recorded.spans).max() <= 3


@pytest.mark.parametrize('reading', ['1 mm noise', 'in steps of 10 mm'])
def test_a_noisy_or_coarse_width_alone_is_enough(recorded, reading):
    hand = recorded.demo.arms[0]
    hand = replace(hand, gripper=READINGS[reading](hand.gripper), effort=None)
    found = grasp_intervals(hand)
    assert len(found) == len(recorded.spans)
    assert np.abs(np.array(found) - recorded.spans).max() <= 3


@pytest.mark.parametrize('reading', ['absent', '3 mm noise'])
def test_skills_are_the_true_ones_when_only_the_effort_tells(virtual_demo, reading):
    demo, truth = load_demo(virtual_demo), GroundTruth.load(virtual_demo)
    hand = demo.arms[0]
    blind = replace(demo, arms=(replace(hand, gripper=READINGS[reading](hand.gripper)),))
    skills = propose(survey(blind), virtual_demo).skills
    assert len(skills) == len(truth.skills)
    for mine, true in zip(skills, truth.skills, strict=True):
        assert len(mine.in_hand) == len(true.in_hand)
        assert abs(mine.first - true.first) <= 3
        assert abs(mine.last - true.last) <= 3
