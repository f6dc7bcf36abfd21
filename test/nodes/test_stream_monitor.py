# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2rgen_ros.nodes.capture import Stream
from r2rgen_ros.nodes.stream_monitor import StreamMonitor

NOW = 1_700_000_000_000_000_000
MS = 1_000_000


def _fed(monitor, stamps, delay_ns=5 * MS):
    for stamp in stamps:
        monitor.add(NOW + stamp + delay_ns, NOW + stamp, 100)
    return NOW + stamps[-1] + delay_ns


def test_rate_delay_and_size_are_those_of_what_arrived():
    monitor = StreamMonitor('/a', 10.0)
    now = _fed(monitor, [100 * MS * k for k in range(25)])
    assert monitor.rate_hz(now) == pytest.approx(10.0)
    assert monitor.usual_hz() == pytest.approx(10.0)
    assert monitor.skew_s(now) == pytest.approx(0.005)
    assert monitor.age_s(now + 200 * MS) == pytest.approx(0.2)
    assert (monitor.messages, monitor.bytes, monitor.gaps) == (25, 2500, 0)
    assert monitor.problem(now, NOW) == ''


@given(st.sets(st.integers(1, 58), max_size=20))
def test_every_message_that_is_missing_between_two_stamps_is_counted(missing):
    monitor = StreamMonitor('/a', 30.0)
    _fed(monitor, [33 * MS * k for k in range(60) if k not in missing])
    assert monitor.gaps == len(missing)


@given(st.lists(st.integers(-6, 6), min_size=2, max_size=60))
def test_jitter_is_no_gap(jitter):
    monitor = StreamMonitor('/a', 30.0)
    _fed(monitor, [33 * MS * k + j * MS for k, j in enumerate(jitter)])
    assert monitor.gaps == 0
    assert monitor.jumped_s == 0.0


@pytest.mark.parametrize('stream', [
    Stream('/joint_states', 'sensor_msgs/msg/JointState', publishers=2),
    Stream('/tf', 'tf2_msgs/msg/TFMessage'),
])  # fmt: skip
def test_stamps_of_several_publishers_may_mingle(stream):
    monitor = StreamMonitor.of(stream, 100.0)
    # One stamps what it sends 30 ms late, at another rate.
    stamps = sorted(
        [(10 * k, 10 * k) for k in range(300)] + [(25 * k, 25 * k - 30) for k in range(120)]
    )
    for at, stamp in stamps:
        monitor.add(NOW + at * MS, NOW + stamp * MS, 10)
    now = NOW + stamps[-1][0] * MS
    assert (monitor.gaps, monitor.jumped_s) == (0, 0.0)
    assert monitor.usual_hz() == pytest.approx(140.0, rel=0.05)
    assert monitor.problem(now, NOW) == ''
    monitor.add(now, now - 5_000 * MS, 10)
    assert 'stamps jumped back by' in monitor.problem(now, NOW)


def test_what_is_wrong_is_said():
    monitor = StreamMonitor('/a', 30.0)
    assert 'silent for 4.0 s' in monitor.problem(NOW + 4_000 * MS, NOW)
    now = _fed(monitor, [330 * MS * k for k in range(30)])
    assert '3.0 Hz instead of 30.0' in monitor.problem(now, NOW)
    assert 'silent for' in monitor.problem(now + 2_000 * MS, NOW)
    lossy = StreamMonitor('/b', 10.0)
    now = _fed(lossy, [100 * MS * k for k in range(50)])
    lossy.lost = 3
    assert '3 messages lost' in lossy.problem(now, NOW)
    assert 'fastdds.xml' in lossy.problem(now, NOW)
    _fed(lossy, [0])
    assert 'stamps jumped back by 4.90 s' in lossy.problem(now, NOW)


def test_a_topic_without_stamps_or_messages_has_neither_rate_nor_delay():
    empty = StreamMonitor('/a')
    assert empty.rate_hz(NOW) == empty.usual_hz() == 0.0
    assert math.isnan(empty.age_s(NOW))
    assert math.isnan(empty.skew_s(NOW))
    assert empty.problem(NOW + 10**12, NOW) == ''
    bare = StreamMonitor('/b')
    bare.add(NOW, None, 8)
    assert math.isnan(bare.skew_s(NOW))
    assert bare.usual_hz() == 0.0


def test_it_forgets_what_is_long_past():
    monitor = StreamMonitor('/a', 500.0)
    _fed(monitor, [2 * MS * k for k in range(20_000)])
    assert len(monitor._recent) < 2_000
    assert monitor.messages == 20_000
