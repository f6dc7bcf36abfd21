# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of a base that drives from where the arm takes the bottle to where it puts it down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.load import demo_of, load_demo
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import (
    FeasibilityConfig,
    GenerateConfig,
    MotionConfig,
    MoveRange,
    SamplingConfig,
)
from r2rgen_ros.generate.drives import require_drivable
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.driving import BASE_JOINTS, driving_spans
from r2rgen_ros.model.episode import Episode, PlanarMove
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.sensed import SensedFrame
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.parse.scene import build_scene, survey
from r2rgen_ros.simulate import record as recording
from r2rgen_ros.simulate.ground_truth import GroundTruth

CONFIG = GenerateConfig(feasibility=FeasibilityConfig(collisions=False))


@pytest.fixture(scope='module')
def driven(tmp_path_factory):
    """A recording of the virtual robot, and the scene that was found in it."""
    folder = tmp_path_factory.mktemp('driving') / 'demo'
    done = recording.act('place-bottle', 1, base='driving', camera_every=400)
    recording.write(done, folder, options=recording.Options(shrink=2, depth_encoding='32FC1'))
    source = read_source(folder)
    ground = survey(demo_of(source))
    return source, build_scene(ground, propose(ground, folder, ()), folder)


def _episode(scene, moves):
    assembler = Assembler.create(scene, CONFIG)
    made = assembler.assemble(Sampler.create(scene, CONFIG, 0).from_moves(0, moves))
    assert isinstance(made, Episode), made
    return made


def _in_base(demo, poses, times):
    return se3.inverse(se3.interpolate(demo.drive.base2frame, times)) @ poses


def _written(source, episode, out):
    demo = demo_of(source)
    shown = np.ceil(episode.source - 0.5).astype(int)
    frames = [SensedFrame(f.depth, f.colour) for f in (demo.frames[k] for k in shown)]
    robot = robot_of(demo)

    def link_poses(names, positions, edges):
        own = [edge for edge in edges if set(edge) <= set(robot.links)]
        return robot.link_poses(names, positions, own)

    EpisodeWriter(source, link_poses=link_poses).write(out, episode, frames)
    return out


def test_skills_before_and_after_the_drive_are_found_in_what_stands_in_odom(driven):
    source, scene = driven
    truth = GroundTruth.load(source.path)

    assert scene.demo.base_frame == 'odom'
    assert scene.demo.sensor.is_static
    spans = [(skill.first, skill.last) for skill in scene.annotation.skills]
    np.testing.assert_allclose(spans, [(s.first, s.last) for s in truth.skills], atol=3)
    for item in scene.objects:
        seen = item.object2base[:, :3, 3] - item.object2base[0, :3, 3]
        far = [
            np.linalg.norm(seen - (path[:, :3, 3] - path[0, :3, 3]), axis=1).max()
            for path in truth.object2base
        ]
        assert min(far) < 0.01


def test_the_base_goes_as_recorded_and_only_the_arm_takes_up_the_moves(driven):
    _, scene = driven
    demo = scene.demo
    free = Sampler.create(scene, CONFIG, 0).free_skills

    episode = _episode(scene, {k: PlanarMove(0.03, -0.04, 0.3) for k in free})

    times = episode.source
    low, part = np.floor(times).astype(int), times % 1.0
    high = np.minimum(low + 1, len(demo) - 1)
    own = demo.joints.positions[:, -6:]
    expected = own[low] + part[:, None] * (own[high] - own[low])
    assert demo.joints.names[-6:] == BASE_JOINTS
    np.testing.assert_allclose(episode.joints[:, -6:], expected, atol=1e-12)
    hand, arm = episode.ee2base['arm'], demo.arms[0].ee2base
    for skill, transform in zip(scene.annotation.skills, episode.variation.transforms, strict=True):
        inside = (times >= skill.first) & (times <= skill.last)
        kept = arm[skill.first : skill.last + 1]
        np.testing.assert_allclose(hand[inside], transform @ kept, atol=1e-9)
    ((first, last),) = driving_spans(demo.drive, demo.stamps)
    drives = (times >= first) & (times <= last)
    recorded = _in_base(demo, se3.interpolate(arm, times), times)
    np.testing.assert_allclose(_in_base(demo, hand, times)[drives], recorded[drives], atol=1e-9)
    np.testing.assert_allclose(hand[-1], arm[-1], atol=1e-9)


def test_written_episodes_have_the_odometry_of_the_source_and_the_joints_of_the_arm(
    driven, tmp_path
):
    source, scene = driven
    free = Sampler.create(scene, CONFIG, 0).free_skills
    episode = _episode(scene, {k: PlanarMove(0.03, -0.04, 0.3) for k in free})

    out = _written(source, episode, tmp_path / 'out')

    again, new = load_demo(out), read_source(out)
    assert again.base_frame == 'odom'
    at = se3.interpolate(scene.demo.drive.base2frame, episode.source)
    np.testing.assert_allclose(again.drive.base2frame, at, atol=2e-4)
    hand = again.arms[0].ee2base
    assert np.abs(hand - episode.ee2base['arm'])[:, :3, 3].max() < 1e-3
    reached = robot_of(again).forward(again.joints.names, again.joints.positions)
    assert np.abs(reached - hand)[:, :3, 3].max() < 1e-3
    assert not any(set(BASE_JOINTS) & set(t.names) for t in new.recorded.joints)
    assert [t.topic.name for t in new.recorded.odometry] == ['/odom']


def test_an_episode_in_which_nothing_moves_is_the_source_again(driven, tmp_path):
    source, scene = driven

    out = read_source(_written(source, _episode(scene, {}), tmp_path / 'out'))

    for one, other in ((source.recorded, out.recorded),):
        for kind in ('transforms', 'odometry', 'joints'):
            for old, new in zip(getattr(one, kind), getattr(other, kind), strict=True):
                what = 'positions' if kind == 'joints' else 'translations'
                np.testing.assert_array_equal(getattr(new, what), getattr(old, what))
                np.testing.assert_array_equal(new.stamps, old.stamps)


def test_what_a_base_that_drives_cannot_do_is_said(driven):
    _, scene = driven
    moved = replace(CONFIG, sampling=SamplingConfig(base=MoveRange((0.0, 0.1))))
    lines = replace(CONFIG, motion=MotionConfig(planners=('line',)))
    pick, place = scene.annotation.skills
    long = replace(scene.annotation, skills=(replace(pick, last=place.first - 1), place))

    require_drivable(scene, CONFIG)
    with pytest.raises(R2RGenError, match='camera that stands beside it'):
        require_drivable(scene, moved)
    with pytest.raises(R2RGenError, match='blend among them'):
        require_drivable(scene, lines)
    with pytest.raises(R2RGenError, match='the base drives while skill "pick'):
        require_drivable(replace(scene, annotation=long), CONFIG)
