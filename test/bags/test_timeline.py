# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.reader import Topic
from r2rgen_ros.bags.timeline import Timeline
from r2rgen_ros.bags.tracks import Track

NOW = 1_700_000_000_000_000_007
TOPIC = Topic('/t', messages.JOINT_STATE, 0, (), (messages.JOINT_STATE,))
FRAMES = NOW + 100 * np.arange(6, dtype=np.int64)


def track(stamps, latency=7) -> Track:
    stamps = np.asarray(stamps, dtype=np.int64)
    return Track(TOPIC, '', stamps, np.full(len(stamps), latency, dtype=np.int64))


FAST = track(NOW - 35 + 10 * np.arange(70))


def test_identity_replays_every_message_as_it_was():
    placed = Timeline(FRAMES, FRAMES, np.arange(6.0)).place(FAST)
    assert np.array_equal(placed.stamps, FAST.stamps)
    assert np.array_equal(placed.at, np.arange(70))
    assert (placed.rate == 1.0).all()
    assert np.array_equal(placed.logs, FAST.stamps + 7)


@given(st.integers(-(10**15), 10**15))
def test_a_shift_shifts(shift):
    placed = Timeline(FRAMES, FRAMES + shift, np.arange(6.0)).place(FAST)
    assert np.array_equal(placed.stamps, FAST.stamps + shift)
    assert np.array_equal(placed.source_ns, FAST.stamps)


def test_a_stretched_interval_keeps_the_rate_and_plays_slowly():
    # The third interval takes three times as long.
    stamps = FRAMES + np.array([0, 0, 0, 200, 200, 200])
    placed = Timeline(FRAMES, stamps, np.arange(6.0)).place(FAST)
    # One message more, where the speed jumps.
    corner = placed.stamps == stamps[3]
    assert (placed.source_ns[corner] == FRAMES[3]).all()
    inside = (placed.stamps >= stamps[2]) & (placed.stamps < stamps[3])
    assert inside.sum() == 30
    assert np.allclose(np.diff(placed.stamps[inside]), 10)
    assert np.allclose(placed.rate[inside], 1 / 3)
    assert (placed.rate[~inside] == 1.0).all()
    exact = ~inside & ~corner
    assert np.array_equal(placed.at[exact] % 1, np.zeros(exact.sum()))
    assert np.abs(placed.source_ns[inside] - FRAMES[2]).max() <= 100
    assert (np.diff(placed.source_ns) >= 0).all()


def test_lengthened_at_the_frame_rate_gives_one_message_a_frame():
    # Four source intervals are played in eight, at the camera's own period.
    source = np.arange(0.0, 4.01, 0.5)
    stamps = NOW + 100 * np.arange(9, dtype=np.int64)
    placed = Timeline(FRAMES, stamps, source).place(track(FRAMES))
    within = placed.stamps <= stamps[-1]
    assert np.array_equal(placed.stamps[within], stamps)
    assert np.allclose(placed.at[within], source)


def test_what_comes_before_and_after_is_kept_only_where_the_episode_reaches_the_ends():
    whole = Timeline(FRAMES, FRAMES, np.arange(6.0)).place(FAST)
    part = Timeline(FRAMES, FRAMES[1:4], np.array([1.0, 2.0, 3.0])).place(FAST)
    assert len(whole) == 70
    # The value at the ends can still be told.
    assert part.stamps.min() == FRAMES[1]
    assert part.stamps.max() == FRAMES[3]
    assert part.at[0] == 13.5


def test_standing_still_repeats_one_instant():
    source = np.array([0.0, 1.0, 1.0, 1.0, 2.0])
    stamps = NOW + 100 * np.arange(5, dtype=np.int64)
    placed = Timeline(FRAMES, stamps, source).place(FAST)
    still = (placed.stamps >= stamps[1]) & (placed.stamps < stamps[3])
    assert still.sum() == 20
    assert (placed.rate[still] == 0.0).all()
    assert (placed.source_ns[still] == FRAMES[1]).all()


def test_streams_of_one_message_and_of_none():
    line = Timeline(FRAMES, FRAMES + np.arange(6) * 50, np.arange(6.0))
    assert len(line.place(track([]))) == 0
    assert line.place(track([NOW - 5])).stamps.tolist() == [NOW - 5]


def test_messages_arrive_in_the_order_of_their_stamps_though_delays_jitter():
    stamps = np.arange(70) * 10
    delays = np.where(np.arange(70) % 2, 0, 9)
    jittered = replace(track(stamps + NOW), latency=delays)
    assert (np.diff(jittered.stamps + jittered.latency) > 0).all()
    twice_as_fast = Timeline(FRAMES, NOW + np.arange(6) * 50, np.arange(6.0))
    placed = twice_as_fast.place(jittered)
    assert (np.diff(placed.logs) >= 0).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_episode_keeps_order_and_stays_within_its_source(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 20))
    steps = rng.choice([0.0, 0.25, 0.5, 1.0, 1.0, 1.5], count - 1)
    source = np.minimum(np.concatenate([[0.0], np.cumsum(steps)]), 5.0)
    stamps = NOW + np.concatenate([[0], np.cumsum(rng.choice([50, 100, 137], count - 1))])
    placed = Timeline(FRAMES, stamps, source).place(FAST)
    assert (np.diff(placed.stamps) >= 0).all()
    assert placed.at.min(initial=0) >= 0
    assert placed.at.max(initial=0) <= 69
    assert placed.frame.min(initial=0) >= 0
    assert placed.frame.max(initial=0) <= count - 1
    inside = (placed.stamps >= stamps[0]) & (placed.stamps <= stamps[-1])
    played = np.interp(placed.frame[inside], np.arange(count), (source * 100))
    assert np.abs(placed.source_ns[inside] - NOW - played).max(initial=0) <= 1.0
