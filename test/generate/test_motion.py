# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The moved path: rigid in skills, smooth between them, longer rather than faster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.generate.config import MotionConfig
from r2rgen_ros.generate.motion import (
    Limits,
    MovedPath,
    episode_stamps,
    largest_step,
    source_times,
    step_limits,
)
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import Skill

UP = np.array([0.0, 0.0, 1.0])
FRAMES = 40
SKILLS = (Skill('a', 8, 14, ('x',)), Skill('b', 24, 30, ('y',)))


def _source(returns: bool = True) -> np.ndarray:
    places = np.array([[0, 0, 0.3], [0.2, 0.1, 0.1], [0.3, -0.2, 0.1], [0, 0, 0.3]], float)
    if not returns:
        places[3] = [0.3, -0.2, 0.2]
    turns = se3.rotation_about(UP, np.array([0.0, 0.3, -0.4, 0.0])) @ np.diag([1.0, -1.0, -1.0])
    return se3.interpolate(
        se3.compose(turns, places), np.interp(np.arange(FRAMES), [0, 11, 27, 39], [0, 1, 2, 3])
    )


def _planar(x: float, y: float, yaw: float) -> np.ndarray:
    return se3.about_point(
        se3.rotation_about(UP, np.array(yaw)), np.array([0.2, 0.0, 0.0]), [x, y, 0.0]
    )


def _path(first=None, second=None, returns=True) -> MovedPath:
    identity = np.eye(4)
    changes = [identity if c is None else c for c in (first, second)]
    return MovedPath.create(
        _source(returns), UP, list(zip(SKILLS, changes, strict=True)), np.eye(4)
    )


FAR = (_planar(0.3, -0.2, 2.0), _planar(-0.2, 0.25, -2.5))
LIMITS = step_limits(_source(), 0.1, MotionConfig())


def test_identity_is_the_source_bit_for_bit():
    path = _path()
    times = source_times([path], [LIMITS], FRAMES)

    np.testing.assert_array_equal(times, np.arange(FRAMES))
    np.testing.assert_array_equal(path.at(times), _source())


def test_a_skill_is_moved_rigidly_from_its_first_to_its_last_frame():
    path, source = _path(*FAR), _source()

    for skill, change in zip(SKILLS, FAR, strict=True):
        span = np.arange(skill.first, skill.last + 1)
        np.testing.assert_allclose(path.at(span.astype(float)), change @ source[span], atol=1e-15)


def test_the_path_is_continuous_with_its_speed_at_both_ends_of_a_motion():
    path = _path(*FAR)
    for at in (14.0, 24.0):
        steps = []
        for h in (1e-3, 1e-4):
            before, here, after = path.at(np.array([at - h, at, at + h]))[:, :3, 3]
            steps.append(np.linalg.norm(after - 2 * here + before) / h)
        # The offset starts and ends at rest, so a jump of the speed would not shrink with h. What
        # is left is the source's own bend at a whole frame, which the identity has as well.
        own = _source()[[int(at) - 1, int(at), int(at) + 1], :3, 3]
        bend = np.linalg.norm(own[2] - 2 * own[1] + own[0])
        assert steps[1] <= bend * 1.5 + 2e-4


def test_all_poses_are_rigid_and_turn_about_the_normal_only():
    path = _path(*FAR)
    times = np.linspace(0.0, FRAMES - 1, 500)
    poses = path.at(times)

    assert se3.is_transform(poses)
    # The source's hand points straight down throughout, so must the moved one.
    np.testing.assert_allclose(poses[:, 2, 2], -1.0, atol=1e-12)


def test_the_arm_starts_where_it_started():
    np.testing.assert_array_equal(_path(*FAR).at(np.array([0.0]))[0], _source()[0])


@pytest.mark.parametrize('returns', [True, False])
def test_a_demonstration_that_returns_home_does_and_one_that_retreats_retreats(returns):
    path, source = _path(*FAR, returns=returns), _source(returns)

    end = path.at(np.array([FRAMES - 1.0]))[0]

    np.testing.assert_allclose(end, source[-1] if returns else FAR[1] @ source[-1], atol=1e-12)


@pytest.mark.parametrize('seed', range(10))
def test_motions_get_longer_instead_of_faster(seed):
    rng = np.random.default_rng(seed)
    changes = [_planar(*rng.uniform(-0.6, 0.6, 2), rng.uniform(-3, 3)) for _ in range(2)]
    path = _path(*changes)

    times = source_times([path], [LIMITS], FRAMES)
    step = largest_step(path.at(times))

    assert step.translation <= LIMITS.translation * (1 + 1e-6)
    assert step.rotation <= LIMITS.rotation * (1 + 1e-6)
    assert (np.diff(times) > 0).all()
    assert len(times) > FRAMES
    assert (times[0], times[-1]) == (0.0, FRAMES - 1.0)
    # Skills keep their frames, one for one.
    for skill in SKILLS:
        inside = times[(times >= skill.first) & (times <= skill.last)]
        np.testing.assert_array_equal(inside, np.arange(skill.first, skill.last + 1))


def test_the_sources_own_speed_is_always_allowed():
    source = _source()
    own = largest_step(source)

    limits = step_limits(source, 0.1, MotionConfig(max_speed_m_s=1e-3, max_turn_deg_s=0.1))

    assert limits == own
    fast = step_limits(source, 0.1, MotionConfig(max_speed_m_s=2.0, max_turn_deg_s=180.0))
    assert fast == Limits(0.2, pytest.approx(np.pi / 10))


def test_an_arm_at_rest_that_must_move_gets_frames_for_it():
    still = np.tile(se3.compose(np.diag([1.0, -1.0, -1.0]), [0.3, 0, 0.2]), (FRAMES, 1, 1))
    skills = list(zip(SKILLS, FAR, strict=True))
    path = MovedPath.create(still, UP, skills, np.eye(4))
    limits = step_limits(still, 0.1, MotionConfig(0.1, 30.0))

    times = source_times([path], [limits], FRAMES)

    assert largest_step(path.at(times)).translation <= 0.01 * (1 + 1e-6)


def test_two_arms_keep_one_time_base_within_both_limits():
    left, right = _path(*FAR), _path(_planar(0.5, 0.5, 0.0), None)

    times = source_times([left, right], [LIMITS, LIMITS], FRAMES)

    for path in (left, right):
        step = largest_step(path.at(times))
        assert step.translation <= LIMITS.translation * (1 + 1e-6)
        assert step.rotation <= LIMITS.rotation * (1 + 1e-6)


def test_stamps_rise_begin_as_the_source_and_keep_its_intervals_where_frames_are_kept():
    rng = np.random.default_rng(3)
    stamps = 10**18 + np.cumsum(rng.integers(90_000_000, 110_000_000, FRAMES))
    path = _path(*FAR)
    times = source_times([path], [LIMITS], FRAMES)

    out = episode_stamps(stamps, times)

    assert out[0] == stamps[0]
    assert (np.diff(out) > 0).all()
    for skill in SKILLS:
        inside = (times >= skill.first) & (times <= skill.last)
        np.testing.assert_array_equal(
            np.diff(out[inside]), np.diff(stamps[skill.first : skill.last + 1])
        )
    np.testing.assert_array_equal(episode_stamps(stamps, np.arange(float(FRAMES))), stamps)


def test_without_skills_the_path_is_the_source():
    path = MovedPath.create(_source(), UP, [], np.eye(4))

    np.testing.assert_array_equal(path.at(np.arange(float(FRAMES))), _source())
    assert path.motions() == []


SLOW = np.ones(FRAMES - 1)
SLOW[18] = 4.0  # an interval of the motion between the skills


def test_a_slowed_motion_reaches_and_leaves_its_lower_speed_smoothly():
    times = source_times([_path()], [LIMITS], FRAMES, SLOW)
    steps = np.diff(times)

    assert steps.min() <= 0.25 + 1e-9
    assert steps.max() <= 1.0 + 1e-9
    # From full speed to a quarter of it in one frame would be a change of 0.75.
    assert np.abs(np.diff(steps)).max() < 0.4
    low = int(steps.argmin())
    slowest = np.flatnonzero(steps < 0.3)
    assert (np.diff(steps[: slowest[0]]) <= 1e-9).all()
    assert (np.diff(steps[slowest[-1] + 1 :]) >= -1e-9).all()
    assert 17.0 < times[low] < 20.0


@pytest.mark.parametrize('seed', range(10))
def test_within_a_motion_that_is_slowed_the_pace_changes_little_from_frame_to_frame(seed):
    rng = np.random.default_rng(seed)
    changes = [_planar(*rng.uniform(-0.5, 0.5, 2), rng.uniform(-1, 1)) for _ in range(2)]

    times = source_times([_path(*changes)], [LIMITS], FRAMES)

    ends = np.array([0.0, FRAMES - 1.0, *(at for s in SKILLS for at in (s.first, s.last))])
    within = np.abs(times[1:-1, None] - ends).min(axis=1) > 1.0
    assert np.diff(times).min() < 0.8
    assert np.abs(np.diff(times, 2))[within].max() < 0.15


def test_frames_of_a_motion_that_need_no_slowing_are_kept():
    times = source_times([_path()], [LIMITS], FRAMES, SLOW)

    fast = np.arange(15.0)
    np.testing.assert_array_equal(times[:15], fast)
    after = times[times >= 22.0]
    np.testing.assert_array_equal(after, np.arange(22.0, FRAMES))
    assert np.isin([15.0, 22.0, 39.0], times).all()


@pytest.mark.parametrize('factor', [1.3, 2.0, 7.5])
def test_what_must_be_slower_takes_at_least_so_long_and_skills_are_never_slower(factor):
    wanted = np.ones(FRAMES - 1)
    wanted[[3, 10, 11, 18, 35]] = factor  # 10 and 11 lie in a skill

    times = source_times([_path()], [LIMITS], FRAMES, wanted)

    frames = np.arange(len(times))
    for interval in (3, 18, 35):
        start, end = np.interp([interval, interval + 1], times, frames)
        assert end - start >= 0.98 * factor
    for skill in SKILLS:
        inside = times[(times >= skill.first) & (times <= skill.last)]
        np.testing.assert_array_equal(inside, np.arange(skill.first, skill.last + 1))


def test_what_must_not_be_slower_changes_nothing():
    path = _path(*FAR)

    plain = source_times([path], [LIMITS], FRAMES)
    same = source_times([path], [LIMITS], FRAMES, np.ones(FRAMES - 1))

    np.testing.assert_array_equal(plain, same)


def _headings(path):
    """Turn of the hand from the source's about the normal, followed without jumps."""
    times = np.linspace(0.0, FRAMES - 1.0, 2000)
    turns = path.at(times)[:, :3, :3] @ np.swapaxes(
        se3.interpolate(path.source, times)[:, :3, :3], 1, 2
    )
    return times, np.unwrap(np.arctan2(turns[:, 1, 0], turns[:, 0, 0]))


def test_the_short_way_crosses_the_half_turn_and_the_unwound_one_the_sources_heading():
    # From 150 degrees to -150: 60 degrees the short way, 300 the other.
    path = _path(_planar(0.0, 0.0, np.deg2rad(150)), _planar(0.0, 0.0, np.deg2rad(-150)))
    assert path.winds
    unwound = replace(path, unwound=True)

    times, short = _headings(path)
    _, long = _headings(unwound)

    between = (times >= 14.0) & (times <= 24.0)
    assert np.ptp(short[between]) == pytest.approx(np.deg2rad(60), abs=1e-4)
    assert short[between].min() > np.deg2rad(149)
    assert np.ptp(long[between]) == pytest.approx(np.deg2rad(300), abs=1e-3)
    assert np.abs(long).max() <= np.deg2rad(150) + 1e-6
    assert np.abs(long[between]).min() < 0.02
    # Neither jumps, both agree in the skills, and at home.
    for headings in (short, long):
        assert np.abs(np.diff(headings)).max() < 0.1
    for skill, change in zip(SKILLS, (150, -150), strict=True):
        frames = np.arange(skill.first, skill.last + 1.0)
        np.testing.assert_allclose(path.at(frames), unwound.at(frames), atol=1e-12)
        turned = unwound.at(frames)[:, :3, :3] @ np.swapaxes(
            _source()[skill.first : skill.last + 1, :3, :3], 1, 2
        )
        expected = se3.rotation_about(UP, np.deg2rad(float(change)))
        np.testing.assert_allclose(turned, np.tile(expected, (len(frames), 1, 1)), atol=1e-9)


@pytest.mark.parametrize(
    ('first', 'second', 'winds'),
    [
        (0, 0, False),
        (80, -80, False),
        (170, 20, False),
        (100, -100, True),
        (-150, 150, True),
        (-120, 50, False),
    ],
)
def test_a_path_winds_only_where_the_short_way_crosses_the_half_turn(first, second, winds):
    turns = [np.deg2rad(float(angle)) for angle in (first, second)]
    path = _path(*(_planar(0.1, 0.0, turn) for turn in turns))

    assert path.winds == winds
    assert winds == (abs(first - second) > 180)
    assert not replace(path, unwound=True).winds


def test_where_nothing_winds_unwinding_changes_nothing():
    path = _path(_planar(0.2, 0.1, 1.0), _planar(-0.1, 0.0, -1.0))
    times = np.linspace(0.0, FRAMES - 1.0, 200)

    np.testing.assert_allclose(replace(path, unwound=True).at(times), path.at(times), atol=1e-12)
