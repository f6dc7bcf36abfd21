# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The nine real recordings of DemoGen, 100 variations each."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.spatial import ConvexHull, Delaunay

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.exchange.demogen import COMMAND
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.config import CameraConfig, GenerateConfig
from r2rgen_ros.generate.motion import largest_step
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import Rejection

ATTEMPTS = 100
CONFIG = GenerateConfig()
OFF = GenerateConfig(camera=CameraConfig(mode='off'))
NAMES = [f'{task} {episode}' for task in ('flower', 'egg', 'sauce') for episode in range(3)]


@pytest.fixture(scope='module')
def outcomes(real_scenes):
    """Per recording the outcome of each attempt, in index order."""
    made = {}
    for name, scene in real_scenes.items():
        sampler, assembler = Sampler.create(scene, CONFIG, 0), Assembler.create(scene, CONFIG)
        tried = [sampler.variation(k) for k in range(ATTEMPTS)]
        made[name] = [v if isinstance(v, Rejection) else assembler.assemble(v) for v in tried]
    return made


def _accepted(outcomes, name):
    episodes = [one for one in outcomes[name] if not isinstance(one, Rejection)]
    assert len(episodes) >= ATTEMPTS // 2
    return episodes


@pytest.mark.parametrize('name', NAMES)
def test_every_attempt_is_accounted_for(outcomes, name):
    indices = [
        one.index if isinstance(one, Rejection) else one.variation.index for one in outcomes[name]
    ]

    assert indices == list(range(ATTEMPTS))
    assert all(one.detail for one in outcomes[name] if isinstance(one, Rejection))


@pytest.mark.parametrize('name', NAMES)
def test_no_step_is_longer_than_the_sources_longest_or_the_limit(outcomes, real_scenes, name):
    demo = real_scenes[name].demo
    own = largest_step(demo.arms[0].ee2base)
    period = demo.period_ns * 1e-9
    metres = max(own.translation, CONFIG.motion.max_speed_m_s * period)
    radians = max(own.rotation, np.deg2rad(CONFIG.motion.max_turn_deg_s) * period)
    for episode in _accepted(outcomes, name):
        step = largest_step(episode.ee2base['arm'])
        assert step.translation <= metres * (1 + 1e-6)
        assert step.rotation <= radians * (1 + 1e-6)
        assert np.diff(episode.stamps).min() >= 0.9 * demo.period_ns


@pytest.mark.parametrize('name', NAMES)
def test_states_and_actions_agree(outcomes, name):
    for episode in _accepted(outcomes, name):
        state, states = episode.ee2base['arm'][0], []
        for action in episode.actions('arm'):
            state = action @ state
            states.append(state)
        assert np.abs(np.stack(states) - episode.ee2base['arm']).max() < 1e-6
        assert se3.is_transform(episode.ee2base['arm'])


def _footprints(scene, poses):
    plane = scene.support
    return [
        plane.to_plane(se3.apply(pose, item.cloud.points))
        for pose, item in zip(poses, scene.objects, strict=True)
    ]


def _intruders(first, second):
    """How many points of either lie in the convex hull of the other."""
    return sum(
        int((Delaunay(hull[ConvexHull(hull).vertices]).find_simplex(points) >= 0).sum())
        for hull, points in ((first, second), (second, first))
    )


@pytest.mark.parametrize('name', NAMES)
def test_no_two_objects_overlap_that_stand(outcomes, real_scenes, name):
    scene = real_scenes[name]
    source = np.stack([item.object2base for item in scene.objects])
    held = np.stack([item.held for item in scene.objects]) >= 0
    for a, b in combinations(range(len(scene.objects)), 2):
        free = np.flatnonzero(~held[a] & ~held[b])
        for episode in _accepted(outcomes, name):
            for frame in {int(free[0]), int(free[-1])}:
                at = int(np.flatnonzero(episode.source == frame)[0])
                before, now = source[:, frame], episode.object2base[:, at]
                kept = se3.inverse(before[a]) @ before[b]
                if np.abs(se3.inverse(now[a]) @ now[b] - kept).max() < 1e-9:
                    continue  # as in the source, where the flowers do stand in the vase
                feet = _footprints(scene, now)
                assert _intruders(feet[a], feet[b]) == 0


@pytest.mark.parametrize('name', NAMES)
def test_flowers_end_in_the_vase_as_they_did(outcomes, real_scenes, name):
    scene = real_scenes[name]
    source = np.stack([item.object2base[-1] for item in scene.objects])
    wanted = se3.inverse(source[:1]) @ source
    for episode in _accepted(outcomes, name):
        end = episode.object2base[:, -1]
        assert np.abs(se3.inverse(end[:1]) @ end - wanted).max() < 1e-9


def _source_of(scene):
    return read_source(scene.demo.path)


def _identity(scene):
    variation = Sampler.create(scene, OFF, 0).from_moves(0, {})
    return Assembler.create(scene, OFF).assemble(variation)


@pytest.mark.parametrize('name', NAMES)
def test_the_identity_gives_back_the_recording(real_scenes, tmp_path, name):
    scene = real_scenes[name]
    episode, demo = _identity(scene), scene.demo
    assert np.abs(episode.ee2base['arm'] - demo.arms[0].ee2base).max() < 1e-6
    EpisodeWriter(_source_of(scene)).write(
        tmp_path / 'bag', episode, make_composer(scene, OFF).frames(episode)
    )

    again = load_demo(tmp_path / 'bag')

    np.testing.assert_array_equal(again.stamps, demo.stamps)
    assert np.abs(again.arms[0].ee2base - demo.arms[0].ee2base).max() < 1e-6
    np.testing.assert_array_equal(again.arms[0].gripper, demo.arms[0].gripper)
    for frame in range(len(demo)):
        one, other = demo.frames[frame].cloud, again.frames[frame].cloud
        assert np.abs(one.points - other.points).max() < 1e-6
        np.testing.assert_array_equal(one.colours, other.colours)


def _command_poses(bag):
    """Stamps and poses of the commands in a bag."""
    stamps, places, turns = [], [], []
    for _, _, message in BagReader(bag).decoded([COMMAND]):
        pose = message.pose
        stamps.append(messages.stamp_ns(message.header))
        places.append([pose.position.x, pose.position.y, pose.position.z])
        turns.append([getattr(pose.orientation, axis) for axis in 'xyzw'])
    return np.array(stamps), se3.from_quaternion(np.array(places), np.array(turns))


@pytest.mark.parametrize('name', ['flower 0', 'egg 1', 'sauce 2'])
def test_transforms_and_commands_in_a_written_bag_are_the_episodes(
    outcomes, real_scenes, tmp_path, name
):
    scene = real_scenes[name]
    writer, composer = EpisodeWriter(_source_of(scene)), make_composer(scene, CONFIG)
    for number, episode in enumerate(_accepted(outcomes, name)[:2]):
        path = tmp_path / str(number)
        writer.write(path, episode, composer.frames(episode))

        read = load_demo(path)

        np.testing.assert_array_equal(read.stamps, episode.stamps)
        assert np.abs(read.arms[0].ee2base - episode.ee2base['arm']).max() < 1e-6
        np.testing.assert_array_equal(read.arms[0].gripper, episode.gripper['arm'])
        stamps, commands = _command_poses(path)
        np.testing.assert_array_equal(stamps, episode.stamps)
        assert np.abs(commands - episode.ee2base['arm']).max() < 1e-6
