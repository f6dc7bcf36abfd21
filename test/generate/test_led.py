# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Motions of two arms led along joints: together in time, whole where hands carry together."""

from __future__ import annotations

from dataclasses import replace
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from benchmarks.replay import Bench
from r2rgen_ros.generate.afresh import follow_afresh
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import FeasibilityConfig, GenerateConfig, MotionConfig
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.skills_reach import SkillsReach
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import Episode, PlanarMove, Rejection
from r2rgen_ros.simulate.world import World

_spec = util.spec_from_file_location('two_arms', Path(__file__).with_name('two_arms.py'))
two_arms = util.module_from_spec(_spec)
_spec.loader.exec_module(two_arms)

CONFIG = GenerateConfig(feasibility=FeasibilityConfig(min_visible_share=0.0))
MOVES = {0: PlanarMove(0.03, 0.04, 0.4), 2: PlanarMove(-0.03, 0.02, 0.5), 3: PlanarMove(0.05, 0.03)}
FAR = {
    0: PlanarMove(-0.13, 0.11, 1.05),
    2: PlanarMove(-0.11, 0.01, -0.77),
    3: PlanarMove(0.0, 0.02, -1.26),
}
"""What the arms cannot do as recorded: on its way to the mat the right one gets stuck."""
STUCK = {0: PlanarMove(-0.14, -0.08, 1.16)}
"""Where the left arm gets along when it begins to pick with other joints than the recorded."""


def with_planners(*names):
    return replace(CONFIG, motion=MotionConfig(planners=names))


@pytest.fixture(scope='module')
def hand_over():
    """The task carried out, its truth and its scene."""
    return two_arms.true_scene('hand-over')


@pytest.fixture(scope='module')
def sampler(hand_over):
    return Sampler.create(hand_over[2], CONFIG, 0)


@pytest.fixture(scope='module')
def made(hand_over, sampler):
    """Give the episode of planners and moves, and what made it; each is made once."""
    known = {}

    def get(planners, moves):
        if planners not in known:
            assembler = Assembler.create(hand_over[2], with_planners(*planners))
            episode = assembler.assemble(sampler.from_moves(0, moves))
            assert isinstance(episode, Episode), episode
            known[planners] = assembler, episode
        return known[planners]

    return get


CASES = pytest.mark.parametrize(
    ('planners', 'moves'),
    [(('line',), MOVES), (('sampled',), MOVES), (('blend', 'line'), FAR)],
    ids=['line', 'sampled', 'fallback'],
)


@CASES
def test_joints_bring_both_hands_where_the_episode_says_within_limits(made, planners, moves):
    assembler, episode = made(planners, moves)
    assert (np.diff(episode.source) > 0.0).all()
    for arm, path in zip(assembler.arms, episode.ee2base.values(), strict=True):
        hand = arm.hand(episode.source, episode.joints)
        assert np.linalg.norm(hand[:, :3, 3] - path[:, :3, 3], axis=1).max() < 5e-4
        assert np.rad2deg(se3.angle_between(hand, path).max()) < 0.2
        shares = arm.check.shares(episode.joints, episode.stamps)
        assert max(share.max() for share in shares) <= 1.0 + 1e-6
        low, high = arm.robot.limits(arm.robot.chain).T
        joints = episode.joints[:, arm.check.columns]
        assert ((joints >= low - 1e-9) & (joints <= high + 1e-9)).all()


@CASES
def test_skills_are_the_moved_ones_and_hands_do_them_together(
    made, hand_over, sampler, planners, moves
):
    assembler, episode = made(planners, moves)
    scene = hand_over[2]
    variation = sampler.from_moves(0, moves)
    for arm, stages in zip(scene.demo.arms, assembler.stages, strict=True):
        for stage in stages:
            inside = (episode.source >= stage.first) & (episode.source <= stage.last)
            own = se3.interpolate(arm.ee2base, episode.source[inside])
            wanted = variation.transforms[stage.skill] @ own
            assert np.abs(episode.ee2base[arm.name][inside] - wanted).max() < 1e-9
    give, take = scene.annotation.skills[1:3]
    assert give.first == take.first
    at = (episode.source >= take.first) & (episode.source <= take.last)
    left, right = (episode.ee2base[arm.name][at] for arm in scene.demo.arms)
    own = [se3.interpolate(arm.ee2base, episode.source[at]) for arm in scene.demo.arms]
    apart = np.linalg.norm((left - right)[:, :3, 3], axis=1)
    assert np.abs(apart - np.linalg.norm((own[0] - own[1])[:, :3, 3], axis=1)).max() < 1e-6


@CASES
def test_it_succeeds_with_contact_physics(made, hand_over, sampler, planners, moves):
    done, truth, scene = hand_over
    assembler, episode = made(planners, moves)
    world = World(done.task.things, rig=done.task.rig)
    bench = Bench(done.task, truth, scene, sampler, assembler, world)
    assert bench._wrong(episode, bench._replayed(episode)) == ''


def test_only_what_fails_is_led(made, hand_over, sampler):
    assembler, episode = made(('blend', 'line'), FAR)
    scene, variation = hand_over[2], sampler.from_moves(0, FAR)
    assert isinstance(
        Assembler.create(scene, with_planners('blend')).assemble(variation), Rejection
    )
    # The left arm is no part of what fails: its hand goes as the recorded one would, moved.
    plain = assembler._path(variation, 0).at(episode.source)
    assert np.abs(episode.ee2base['left'] - plain).max() < 1e-9
    led = np.abs(episode.ee2base['right'] - assembler._path(variation, 1).at(episode.source))
    assert led.max() > 0.01


def test_the_same_attempt_is_sampled_alike(made, hand_over, sampler):
    _, episode = made(('sampled',), MOVES)
    again = Assembler.create(hand_over[2], with_planners('sampled'))
    other = again.assemble(sampler.from_moves(0, MOVES))
    assert other.joints.tobytes() == episode.joints.tobytes()
    assert other.source.tobytes() == episode.source.tobytes()


def test_a_skill_is_begun_with_other_joints_where_the_recorded_ones_get_stuck(made, sampler):
    assembler, _ = made(('line',), MOVES)
    arm, stage = assembler.arms[0], assembler.stages[0][0]
    times = np.arange(stage.first, stage.last + 1.0)
    poses = assembler._path(sampler.from_moves(0, STUCK), 0).at(times)
    assert arm.follow(times, poses).first_failed >= 0
    found, away = follow_afresh(arm, times, poses)
    assert found.first_failed < 0
    assert np.abs(away).max() > 0.05
    hand = arm.hand(times, found.positions)
    assert np.linalg.norm((hand - poses)[:, :3, 3], axis=1).max() < 5e-4
    assert arm.check.shares(found.positions, arm.demo.stamps[: len(times)])[0].max() <= 1.0


def test_skills_that_an_arm_cannot_reach_are_known_before_they_are_drawn(made, sampler):
    assembler, _ = made(('line',), MOVES)
    reach = SkillsReach(assembler.arms, assembler.stages)
    assert reach.allows(sampler.from_moves(0, {}))
    assert reach.allows(sampler.from_moves(0, FAR))
    for skill in (0, 2, 3):
        assert not reach.allows(sampler.from_moves(0, {skill: PlanarMove(0.9, 0.0)}))


def test_what_two_hands_carry_is_never_led_by_their_joints():
    _, truth, scene = two_arms.true_scene('lift-box')
    moves = {1: PlanarMove(0.03, -0.04, 0.5), 3: PlanarMove(-0.02, 0.05, -0.6)}
    variation = Sampler.create(scene, CONFIG, 0).from_moves(0, moves)
    episode = Assembler.create(scene, with_planners('line')).assemble(variation)
    assert isinstance(episode, Episode), episode
    both = truth.held_by.any(axis=1).all(axis=0)[episode.source_frames]
    left, right = (episode.ee2base[arm.name][both, :3, 3] for arm in scene.demo.arms)
    own = [arm.ee2base[:, :3, 3] for arm in scene.demo.arms]
    wanted = np.linalg.norm(own[0] - own[1], axis=1)
    apart = np.linalg.norm(left - right, axis=1)
    recorded = np.interp(episode.source[both], np.arange(len(wanted)), wanted)
    assert np.abs(apart - recorded).max() < 1e-3
