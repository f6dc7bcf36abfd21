# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Joints that run straight from skill to skill keep the skills, the limits and what is held."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import GenerateConfig, MotionConfig, MoveRange, SamplingConfig
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import Episode, PlanarMove, Rejection
from r2rgen_ros.model.errors import R2RGenError

LINE = GenerateConfig(motion=MotionConfig(planners=('line',)))
AWAY = {0: PlanarMove(-0.08, -0.1, 0.5), 1: PlanarMove(0.04, 0.08, -0.5)}


@pytest.fixture(scope='module')
def assembler(virtual_scene):
    return Assembler.create(virtual_scene, LINE)


@pytest.fixture(scope='module')
def moved(virtual_scene, assembler):
    variation = Sampler.create(virtual_scene, LINE, 0).from_moves(0, AWAY)
    episode = assembler.assemble(variation)
    assert isinstance(episode, Episode), episode
    return episode


def test_skills_are_those_of_the_blended_motion(virtual_scene, moved):
    blended = Assembler.create(virtual_scene, GenerateConfig()).assemble(moved.variation)
    for index in range(len(virtual_scene.annotation.skills)):
        one, other = (episode.skill == index for episode in (moved, blended))
        np.testing.assert_allclose(
            moved.ee2base['arm'][one], blended.ee2base['arm'][other], atol=1e-12
        )


def test_joints_bring_the_hand_where_the_poses_say(assembler, moved):
    hand = assembler.arm.hand(moved.source, moved.joints)
    apart = np.linalg.norm(hand[:, :3, 3] - moved.ee2base['arm'][:, :3, 3], axis=1)
    assert apart.max() < 5e-4
    assert np.rad2deg(se3.angle_between(hand, moved.ee2base['arm']).max()) < 0.2


def test_between_skills_every_joint_goes_one_way(virtual_scene, assembler, moved):
    pick, place = virtual_scene.annotation.skills
    between = (moved.source >= pick.last) & (moved.source <= place.first)
    joints = moved.joints[between][:, assembler.arm.check.columns]
    # The cubic keeps the speeds at its ends, so it may swing a little beyond them.
    low, high = joints[[0, -1]].min(axis=0), joints[[0, -1]].max(axis=0)
    assert (joints > low - 0.05).all()
    assert (joints < high + 0.05).all()


def test_limits_are_kept_and_time_rises(assembler, moved):
    speed, acceleration = assembler.arm.check.shares(moved.joints, moved.stamps)
    assert speed.max() <= 1.0 + 1e-6
    assert acceleration.max() <= 1.0 + 1e-6
    assert (np.diff(moved.source) > 0.0).all()
    assert moved.source[[0, -1]].tolist() == [0.0, len(assembler.scene.demo) - 1.0]


def test_what_is_held_stays_in_the_hand_and_is_not_tilted(virtual_scene, moved):
    (place,) = (k for k, item in enumerate(virtual_scene.objects) if (item.held >= 0).any())
    item = virtual_scene.objects[place]
    inside = item.held[moved.source_frames] >= 0
    hand2thing = se3.inverse(moved.object2base[place]) @ moved.ee2base['arm']
    spread = np.ptp(hand2thing[inside][:, :3, 3], axis=0)
    own = se3.inverse(item.object2base) @ virtual_scene.demo.arms[0].ee2base
    assert spread.max() <= np.ptp(own[item.held >= 0][:, :3, 3], axis=0).max() + 1e-6
    up = moved.object2base[place, inside, :3, 2] @ virtual_scene.support.normal
    before = item.object2base[item.held >= 0, :3, 2] @ virtual_scene.support.normal
    assert up.min() > before.min() - np.sin(np.deg2rad(15.0))


def test_it_is_tried_only_where_the_blended_motion_fails(virtual_scene):
    wide = SamplingConfig(ranges=MoveRange((-0.6, 0.6), (-0.7, 0.7), (-180.0, 180.0)))
    config = GenerateConfig(sampling=wide)
    alone = replace(config, motion=MotionConfig(planners=('blend',)))
    sampler = Sampler.create(virtual_scene, config, 0)
    both, one = (Assembler.create(virtual_scene, each) for each in (config, alone))
    more = 0
    for index in range(200):
        variation = sampler.variation(index)
        wanted, found = one.assemble(variation), both.assemble(variation)
        if isinstance(wanted, Episode):
            np.testing.assert_array_equal(found.joints, wanted.joints)
        elif isinstance(found, Rejection):
            assert (found.reason, found.detail) == (wanted.reason, wanted.detail)
        else:
            more += 1
        if more and index > 20:
            return
    raise AssertionError('it never helps')


def test_unknown_planners_are_named():
    with pytest.raises(R2RGenError, match='warp'):
        MotionConfig(planners=('warp',))
    with pytest.raises(R2RGenError, match='planners'):
        MotionConfig(planners=())
