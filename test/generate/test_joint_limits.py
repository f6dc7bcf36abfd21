# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Joints keep their limits: motions take longer, skills never, and the source is allowed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import (
    FeasibilityConfig,
    GenerateConfig,
    MotionConfig,
    MoveRange,
    PerturbationConfig,
    SamplingConfig,
)
from r2rgen_ros.generate.joint_limits import Excess, JointCheck, derivatives
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.model.demo import Joints
from r2rgen_ros.model.episode import Episode, PlanarMove, Reason, Rejection
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.profile import load_profile

ARM = tuple(f'panda_joint{i}' for i in range(1, 8))
URDF_SPEED = np.array([2.175] * 4 + [2.61] * 3)
AWAY = {0: PlanarMove(-0.12, -0.12, 0.6), 1: PlanarMove(0.05, 0.1, -0.6)}

PROFILE = """format: r2rgen/robot/1
name: slow
base: {{frame: panda_link0, type: fixed}}
arms:
  - name: {arm}
    end_effector: panda_hand_tcp
    max_acceleration: {{panda_joint1: 1.2, "*": 50.0}}
"""


def _config(motion=None, **others):
    # Collisions are tested elsewhere.
    feasibility = FeasibilityConfig(collisions=False)
    return GenerateConfig(motion=motion or MotionConfig(), feasibility=feasibility, **others)


def _assemble(scene, config, moves):
    return Assembler.create(scene, config).assemble(
        Sampler.create(scene, config, 0).from_moves(0, moves)
    )


def _rates(positions, stamps):
    """Largest speed and acceleration per joint, written out frame by frame."""
    seconds = (stamps - stamps[0]) / 1e9
    speed, acceleration = np.zeros(positions.shape[1]), np.zeros(positions.shape[1])
    for k in range(len(positions) - 1):
        after = (positions[k + 1] - positions[k]) / (seconds[k + 1] - seconds[k])
        speed = np.maximum(speed, np.abs(after))
        if k > 0:
            before = (positions[k] - positions[k - 1]) / (seconds[k] - seconds[k - 1])
            change = (after - before) / ((seconds[k + 1] - seconds[k - 1]) / 2.0)
            acceleration = np.maximum(acceleration, np.abs(change))
    return speed, acceleration


def _of_arm(scene, positions):
    names = scene.demo.joints.names
    return positions[:, [names.index(name) for name in ARM]]


def _own_rates(scene):
    return _rates(_of_arm(scene, scene.demo.joints.positions), scene.demo.stamps)


def test_rates_of_a_parabola_are_exact_whatever_the_intervals():
    rng = np.random.default_rng(0)
    stamps = 10**18 + np.cumsum(rng.integers(20_000_000, 200_000_000, 30))
    t = (stamps - stamps[0])[:, None] * 1e-9
    a, b = np.array([0.7, -2.0]), np.array([0.3, 1.0])

    speeds, accelerations = derivatives(a * t**2 + b * t, stamps)

    middle = 0.5 * (t[:-1] + t[1:])
    np.testing.assert_allclose(speeds, 2.0 * a * middle + b, atol=1e-9)
    np.testing.assert_allclose(accelerations, np.tile(2.0 * a, (28, 1)), atol=1e-7)


@pytest.mark.parametrize(
    'motion',
    [MotionConfig(), MotionConfig(joint_speed_share=0.25, max_joint_acceleration=2.5)],
)
def test_no_episode_over_a_wide_range_exceeds_a_limit(virtual_scene, motion):
    ranges = MoveRange((-0.3, 0.3), (-0.3, 0.3), (-180.0, 180.0))
    config = _config(
        motion,
        sampling=SamplingConfig(ranges=ranges),
        perturbation=PerturbationConfig(count=1),
    )
    sampler = Sampler.create(virtual_scene, config, 0)
    assembler = Assembler.create(virtual_scene, config)
    own = _own_rates(virtual_scene)
    speed = np.maximum(motion.joint_speed_share * URDF_SPEED, own[0])
    acceleration = np.maximum(motion.max_joint_acceleration, own[1])

    shares = []
    for index in range(40):
        episode = assembler.assemble(sampler.variation(index))
        if isinstance(episode, Episode):
            found = _rates(_of_arm(virtual_scene, episode.joints), episode.stamps)
            shares.append(max((found[0] / speed).max(), (found[1] / acceleration).max()))

    assert len(shares) >= 10
    assert max(shares) <= 1.0 + 1e-6
    assert max(shares) > 0.9  # so the limits were felt


def test_less_acceleration_makes_motions_longer_and_leaves_skills_alone(virtual_scene):
    lengths, spans = [], []
    for most in (10.0, 2.5, 1.5):
        episode = _assemble(
            virtual_scene,
            _config(
                MotionConfig(max_speed_m_s=2.0, max_turn_deg_s=360.0, max_joint_acceleration=most)
            ),
            AWAY,
        )
        assert isinstance(episode, Episode), episode
        lengths.append(len(episode))
        spans.append([])
        for k, skill in enumerate(virtual_scene.annotation.skills):
            inside = episode.skill == k
            np.testing.assert_array_equal(
                episode.source[inside], np.arange(skill.first, skill.last + 1)
            )
            spans[-1].append(np.ptp(episode.stamps[inside]))

    assert lengths[0] < lengths[1] < lengths[2]
    assert spans[0] == spans[1] == spans[2]


def test_the_source_is_allowed_however_low_the_limits_are(virtual_scene):
    config = _config(MotionConfig(joint_speed_share=0.01, max_joint_acceleration=0.01))

    episode = _assemble(virtual_scene, config, {})

    assert isinstance(episode, Episode), episode
    np.testing.assert_array_equal(episode.stamps, virtual_scene.demo.stamps)
    assert np.abs(episode.joints - virtual_scene.demo.joints.positions).max() < 1e-6


def test_a_source_faster_than_the_default_share_comes_back_as_it_is(virtual_scene):
    # The recording is played faster, until its fastest joint moves at 99 % of its URDF's speed.
    demo = virtual_scene.demo
    share = (_own_rates(virtual_scene)[0] / URDF_SPEED).max()
    stamps = demo.stamps[0] + ((demo.stamps - demo.stamps[0]) * (share / 0.99)).astype(np.int64)
    scene = replace(virtual_scene, demo=replace(demo, stamps=stamps))
    assert (_own_rates(scene)[0] / URDF_SPEED).max() == pytest.approx(0.99, rel=1e-4)

    episode = _assemble(scene, _config(), {})

    assert isinstance(episode, Episode), episode
    np.testing.assert_array_equal(episode.stamps, stamps)
    assert np.abs(episode.joints - demo.joints.positions).max() < 1e-6
    # What is changed has the same bounds: the share of the others, the recording's own of this one.
    check = Assembler.create(scene, _config()).arm.check
    np.testing.assert_allclose(
        check.speed, np.maximum(0.95 * URDF_SPEED, _own_rates(scene)[0]), rtol=1e-6
    )


def test_limits_are_never_below_what_the_source_did(virtual_scene):
    config = _config(MotionConfig(joint_speed_share=0.01, max_joint_acceleration=0.01))
    check = Assembler.create(virtual_scene, config).arm.check

    own = _own_rates(virtual_scene)
    np.testing.assert_allclose(check.speed, np.maximum(own[0], 0.01 * URDF_SPEED), rtol=1e-6)
    np.testing.assert_allclose(check.acceleration, np.maximum(own[1], 0.01), rtol=1e-6)
    shares = check.shares(virtual_scene.demo.joints.positions, virtual_scene.demo.stamps)
    assert max(part.max() for part in shares) <= 1.0 + 1e-9


@pytest.mark.parametrize(
    ('kind', 'x', 'most'), [('speed', -0.3, 10.0), ('acceleration', -0.2, 2.5)]
)
def test_a_skill_that_would_be_too_fast_is_rejected_where_and_for_what_it_is(
    virtual_scene, kind, x, most
):
    # Close to the base the elbow has to swing fast for the hand to move as it did.
    config = _config(MotionConfig(max_joint_acceleration=most))
    assembler = Assembler.create(virtual_scene, config)
    variation = Sampler.create(virtual_scene, config, 0).from_moves(0, {0: PlanarMove(x)})

    found = assembler.assemble(variation)

    assert isinstance(found, Rejection)
    assert found.reason is Reason.TOO_FAST
    skill = virtual_scene.annotation.skills[0]
    assert skill.first <= found.frame <= skill.last
    # What the arm would have to do there really is beyond the limit of the joint that is named.
    forced = assembler.assemble(variation, forced=True)
    at = int(np.flatnonzero(forced.source == found.frame)[0])
    around = slice(at if kind == 'speed' else at - 1, at + 2)
    rates = _rates(_of_arm(virtual_scene, forced.joints)[around], forced.stamps[around])
    limit = getattr(assembler.arm.check, kind)
    shares = rates[0 if kind == 'speed' else 1] / limit
    assert shares.max() == pytest.approx(1.0 + found.amount, rel=1e-3)
    assert f'{ARM[int(shares.argmax())]} would need' in found.detail
    assert f'{np.ceil(100 * (1.0 + found.amount)):.0f} % of its largest {kind}' in found.detail


def _line(speed, count=21):
    """A joint at an even speed, and a check that allows 1 rad/s and any acceleration."""
    stamps = np.arange(count, dtype=np.int64) * 100_000_000
    positions = speed * stamps[:, None] * 1e-9
    check = JointCheck(('elbow',), np.array([0]), np.array([1.0]), np.array([100.0]))
    return check, positions, stamps, np.arange(float(count))


def test_a_motion_gets_at_least_the_time_that_its_speed_needs():
    check, positions, stamps, times = _line(2.5)
    motion = np.full(21, -1, dtype=np.int16)

    slower = check.slower(positions, stamps, times, motion, 21)

    assert (slower >= 2.5).all()
    assert (slower <= 2.5 * 1.1).all()
    assert check.slower(0.39 * positions, stamps, times, motion, 21) is None


def test_a_skill_keeps_its_time_so_its_speed_is_an_excess():
    check, positions, stamps, times = _line(2.5)
    skill = np.full(21, -1, dtype=np.int16)
    skill[10:15] = 0

    found = check.slower(positions, stamps, times, skill, 21)

    assert found == Excess(10, 'elbow', 'speed', pytest.approx(2.5))
    assert str(found) == 'elbow would need 250 % of its largest speed'


def test_only_what_lies_about_a_jerk_is_slowed_and_a_jerk_in_a_skill_is_an_excess():
    check, positions, stamps, times = _line(0.0, 31)
    positions = positions.copy()
    positions[15:] += 0.05 * np.arange(16)[:, None]  # from rest to 0.5 rad/s within a frame
    check = JointCheck(check.names, check.columns, check.speed, np.array([1.25]))
    motion = np.full(31, -1, dtype=np.int16)

    slower = check.slower(positions, stamps, times, motion, 31)

    # Four times the acceleration takes twice the time.
    changed = np.flatnonzero(slower > 1.0)
    assert slower.max() == pytest.approx(2.0, rel=0.1)
    assert {14, 15} <= set(changed)
    assert changed.min() >= 10
    assert changed.max() <= 20
    skill = motion.copy()
    skill[10:21] = 0
    found = check.slower(positions, stamps, times, skill, 31)
    assert isinstance(found, Excess)
    assert (found.frame, found.kind) == (15, 'acceleration')
    assert found.share == pytest.approx(4.0)


def test_a_robot_profile_gives_the_accelerations(virtual_scene):
    low = MotionConfig(max_speed_m_s=2.0, max_turn_deg_s=360.0, max_joint_acceleration=1.5)
    known = load_profile('panda').arms[0].max_acceleration
    by_profile = _config(low, robot='panda')

    limits = Assembler.create(virtual_scene, by_profile).arm.check

    own = _own_rates(virtual_scene)[1]
    expected = np.maximum(own, [known[name] for name in ARM])
    np.testing.assert_allclose(limits.acceleration, expected, rtol=1e-6)
    # So the low number of the configuration slows nothing.
    fast, slow = (_assemble(virtual_scene, c, AWAY) for c in (by_profile, _config(low)))
    assert len(fast) < len(slow)


def test_a_profile_of_the_users_own_slows_the_joint_that_it_names(virtual_scene, tmp_path):
    lengths = {}
    for name, text in {'slow': PROFILE, 'fast': PROFILE.replace('1.2', '50.0')}.items():
        file = tmp_path / f'{name}.yaml'
        file.write_text(text.format(arm='right'))  # the only arm, whatever it is called
        config = _config(MotionConfig(max_speed_m_s=2.0, max_turn_deg_s=360.0), robot=str(file))
        lengths[name] = len(_assemble(virtual_scene, config, AWAY))

    assert lengths['fast'] < lengths['slow']


def test_a_profile_of_another_robot_is_refused(virtual_scene, tmp_path):
    file = tmp_path / 'other.yaml'
    file.write_text(PROFILE.format(arm='arm').replace('panda_hand_tcp', 'wrist_3_link'))

    with pytest.raises(R2RGenError, match='wrist_3_link'):
        Assembler.create(virtual_scene, _config(robot=str(file)))


def test_joints_that_a_profile_does_not_name_stay_as_recorded(virtual_scene, tmp_path):
    """As those of a torso that shall stand still: the rest of the arm does what is to be done."""
    still = ARM[2]
    kept = [name for name in ARM if name != still]
    file = tmp_path / 'six.yaml'
    joints = f'    joints: [{", ".join(kept)}]\n'
    file.write_text(PROFILE.format(arm='arm').replace('    max_acc', f'{joints}    max_acc'))
    names = list(virtual_scene.demo.joints.names)

    episode = _assemble(virtual_scene, _config(robot=str(file)), {0: PlanarMove(0.02, -0.03)})

    recorded = virtual_scene.demo.joints.positions[:, names.index(still)]
    own = np.interp(episode.source, np.arange(len(recorded)), recorded)
    np.testing.assert_allclose(episode.joints[:, names.index(still)], own, atol=1e-12)
    other = names.index(kept[0])
    moved = virtual_scene.demo.joints.positions[episode.source_frames, other]
    assert np.abs(episode.joints[:, other] - moved).max() > 0.01


def test_a_recording_without_one_of_the_arms_joints_is_refused_in_one_sentence(virtual_scene):
    demo = virtual_scene.demo
    left = [k for k, name in enumerate(demo.joints.names) if name != ARM[3]]
    names = tuple(demo.joints.names[k] for k in left)
    joints = Joints(names, demo.joints.positions[:, left])
    scene = replace(virtual_scene, demo=replace(demo, joints=joints))

    with pytest.raises(R2RGenError, match=f'no positions of the joints "{ARM[3]}"'):
        Assembler.create(scene, _config())
