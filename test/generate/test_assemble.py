# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes: objects stay with what they belong to, and the robot with its commands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.config import (
    CameraConfig,
    FeasibilityConfig,
    GenerateConfig,
    MotionConfig,
    MoveRange,
    PerturbationConfig,
    SamplingConfig,
)
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import PlanarMove, Reason, Rejection, Variation

OFF = GenerateConfig(
    camera=CameraConfig(mode='off'),
    sampling=SamplingConfig(ranges=MoveRange((-0.15, 0.15), (-0.15, 0.15), (-90.0, 90.0))),
)


def _episodes(scene, count, config=OFF, seed=0):
    sampler, assembler = Sampler.create(scene, config, seed), Assembler.create(scene, config)
    tried = [sampler.variation(k) for k in range(count)]
    made = [assembler.assemble(v) for v in tried if isinstance(v, Variation)]
    return [one for one in made if not isinstance(one, Rejection)]


def _identity(scene, config=OFF):
    return Assembler.create(scene, config).assemble(
        Sampler.create(scene, config, 0).from_moves(0, {})
    )


def test_pieces_placed_together_stay_together(bridge_scene):
    episodes = _episodes(bridge_scene, 40)
    assert len(episodes) > 10

    source = np.stack([item.object2base[-1] for item in bridge_scene.objects])
    wanted = se3.inverse(source[:, None]) @ source[None]
    for episode in episodes:
        end = episode.object2base[:, -1]
        found = se3.inverse(end[:, None]) @ end[None]
        assert np.abs(found - wanted).max() < 1e-9
        # And they did go elsewhere, each from a place of its own.
        assert np.abs(end - source).max() > 1e-3


def test_the_first_pier_and_the_bridge_that_is_built_on_it_move_as_one(bridge_scene):
    names = [item.name for item in bridge_scene.objects]
    for episode in _episodes(bridge_scene, 10):
        change = episode.variation.transforms[3]
        pier = names.index('1')
        still = bridge_scene.objects[pier].object2base[0]
        assert np.abs(episode.object2base[pier] - change @ still).max() < 1e-12


def test_an_object_stays_put_until_it_is_grasped_and_then_goes_with_the_hand(bridge_scene):
    arm = bridge_scene.demo.arms[0]
    for episode in _episodes(bridge_scene, 10):
        hand = episode.ee2base[arm.name]
        for k, item in enumerate(bridge_scene.objects):
            poses, held = episode.object2base[k], item.held[episode.source_frames] >= 0
            grip = se3.inverse(hand) @ poses
            moves = np.abs(np.diff(poses, axis=0)).max(axis=(1, 2))
            slips = np.abs(np.diff(grip, axis=0)).max(axis=(1, 2))
            both, neither = held[:-1] & held[1:], ~held[:-1] & ~held[1:]
            assert slips[both].max(initial=0.0) < 1e-9
            assert moves[neither].max(initial=0.0) < 1e-9
            # At the instant of grasping and of letting go nothing jumps either.
            hand_moves = np.abs(np.diff(hand, axis=0)).max(axis=(1, 2))
            change = ~both & ~neither
            assert (moves[change] <= hand_moves[change] + 1e-9).all()


def test_actions_lead_from_state_to_state(bridge_scene):
    arm = bridge_scene.demo.arms[0]
    for episode in _episodes(bridge_scene, 5):
        state, states = episode.ee2base[arm.name][0], []
        for action in episode.actions(arm.name):
            state = action @ state
            states.append(state)
        assert np.abs(np.stack(states) - episode.ee2base[arm.name]).max() < 1e-9


def test_gripper_commands_come_when_they_came_in_the_source(bridge_scene):
    source = bridge_scene.demo.arms[0]
    for episode in _episodes(bridge_scene, 10):
        gripper = episode.gripper[source.name]
        changes = np.flatnonzero(np.diff(source.gripper))
        own = np.flatnonzero(np.diff(gripper))
        assert len(own) == len(changes)
        np.testing.assert_array_equal(episode.source[own + 1], changes + 1)
        np.testing.assert_array_equal(gripper, source.gripper[episode.source_frames])


def test_frames_know_their_skill(bridge_scene):
    for episode in _episodes(bridge_scene, 5):
        for index, skill in enumerate(bridge_scene.annotation.skills):
            frames = episode.source[episode.skill == index]
            np.testing.assert_array_equal(frames, np.arange(skill.first, skill.last + 1))
        inside = np.zeros(len(episode), bool)
        for skill in bridge_scene.annotation.skills:
            inside |= (episode.source >= skill.first) & (episode.source <= skill.last)
        assert ((episode.skill >= 0) == inside).all()


@pytest.mark.parametrize('name', ['table_scene', 'bridge_scene'])
def test_the_identity_is_the_source(request, name):
    scene = request.getfixturevalue(name)
    episode, demo = _identity(scene), scene.demo

    np.testing.assert_array_equal(episode.stamps, demo.stamps)
    np.testing.assert_array_equal(episode.source, np.arange(len(demo)))
    assert np.abs(episode.ee2base['arm'] - demo.arms[0].ee2base).max() < 1e-12
    np.testing.assert_array_equal(episode.gripper['arm'], demo.arms[0].gripper)
    source = np.stack([item.object2base for item in scene.objects])
    assert np.abs(episode.object2base - source).max() < 1e-12
    for frame, sensed in enumerate(make_composer(scene, OFF).frames(episode)):
        recorded = demo.frames[frame].cloud
        assert np.abs(sensed.cloud.points - recorded.points).max() < 1e-6
        np.testing.assert_array_equal(sensed.cloud.colours, recorded.colours)


def test_without_the_camera_every_point_goes_with_what_it_belongs_to(table_scene):
    scene = table_scene
    episode = _episodes(scene, 10)[0]
    for frame, sensed in enumerate(make_composer(scene, OFF).frames(episode)):
        source = episode.source_frames[frame]
        recorded, labels = scene.demo.frames[source].cloud, scene.labels[source]
        for label, old2new in (
            (0, np.eye(4)),
            *(
                (2 + k, episode.object2base[k, frame] @ se3.inverse(item.object2base[source]))
                for k, item in enumerate(scene.objects)
            ),
        ):
            mine = labels == label
            expected = se3.apply(old2new, recorded.points[mine])
            np.testing.assert_allclose(sensed.cloud.points[mine], expected, atol=1e-6)
        np.testing.assert_array_equal(sensed.labels, labels)


def test_the_hand_is_seen_where_the_state_says_it_is_also_between_source_frames(table_scene):
    scene, config = table_scene, replace(OFF, motion=MotionConfig(0.1, 30.0))
    source = scene.demo.arms[0].ee2base
    for episode in _episodes(scene, 10, config)[:3]:
        assert (episode.source % 1 > 0.2).any()
        hand2base = episode.ee2base['arm']
        for frame, sensed in enumerate(make_composer(scene, config).frames(episode)):
            k = episode.source_frames[frame]
            robot = scene.labels[k] == 1
            own = se3.apply(se3.inverse(source[k]), scene.demo.frames[k].cloud.points[robot])
            now = se3.apply(se3.inverse(hand2base[frame]), sensed.cloud.points[robot])
            np.testing.assert_allclose(now, own, atol=1e-6)


def test_a_moved_base_moves_everything_but_the_robots_start_the_other_way(table_scene):
    scene = table_scene
    sampler, assembler = Sampler.create(scene, OFF, 0), Assembler.create(scene, OFF)
    base = PlanarMove(0.05, -0.03, 0.2)
    plain = assembler.assemble(sampler.from_moves(0, {}))
    moved = assembler.assemble(sampler.from_moves(0, {}, base))
    old2new = moved.variation.base2base

    for k in range(len(scene.objects)):
        np.testing.assert_allclose(
            moved.object2base[k, 0], old2new @ plain.object2base[k, 0], atol=1e-12
        )
    np.testing.assert_allclose(moved.ee2base['arm'][0], plain.ee2base['arm'][0], atol=1e-12)
    for skill in scene.annotation.skills:
        for frame in (skill.first, skill.last):
            at = int(np.flatnonzero(moved.source == frame)[0])
            np.testing.assert_allclose(
                moved.ee2base['arm'][at], old2new @ plain.ee2base['arm'][frame], atol=1e-12
            )
    clouds = list(make_composer(scene, OFF).frames(moved))
    environment = scene.labels[0] == 0
    recorded = scene.demo.frames[0].cloud.points[environment]
    np.testing.assert_allclose(
        clouds[0].cloud.points[environment], se3.apply(old2new, recorded), atol=1e-6
    )


def test_what_leaves_the_cameras_view_is_rejected(tabletop, tmp_path):
    folder = tabletop.record(tmp_path / 'demo', tabletop.BOTTLE, camera=True)
    scene = tabletop.scene_of(folder, tabletop.BOTTLE)
    assert scene.demo.sensor is not None
    loose = FeasibilityConfig(support_margin_m=-1.0)
    config = replace(OFF, camera=CameraConfig(), feasibility=loose)
    sampler, assembler = Sampler.create(scene, config, 0), Assembler.create(scene, config)

    out = assembler.assemble(sampler.from_moves(4, {0: PlanarMove(0.6, -0.8)}))
    stay = assembler.assemble(sampler.from_moves(4, {}))

    assert isinstance(out, Rejection)
    assert (out.reason, out.index) == (Reason.OUT_OF_VIEW, 4)
    assert not isinstance(stay, Rejection)


def test_everything_off_the_table_leaves_reasons_and_no_episodes(table_scene):
    far = SamplingConfig(ranges=MoveRange((2.0, 3.0), (2.0, 3.0), (0.0, 0.0)))
    config = replace(OFF, sampling=far, perturbation=PerturbationConfig(count=1))
    sampler, assembler = (
        Sampler.create(table_scene, config, 0),
        Assembler.create(table_scene, config),
    )

    outcomes = [assembler.assemble(sampler.variation(k)) for k in range(10)]

    assert {outcome.reason for outcome in outcomes} == {Reason.OFF_SUPPORT}
    assert [outcome.index for outcome in outcomes] == list(range(10))
    assert all(len(outcome.moves) == 2 for outcome in outcomes)
