# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Joints of an episode in its bag: trajectories for controllers, joint states and transforms."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.load import demo_of
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.bags.trajectory import TRAJECTORY
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import GenerateConfig
from r2rgen_ros.generate.joint_limits import derivatives
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.trajectory import Trajectories, knots
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import PlanarMove, Rejection
from r2rgen_ros.model.sensed import SensedFrame
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.simulate import panda

ARM, GRIPPER = '/r2rgen/joint_trajectory', '/r2rgen/gripper_trajectory'


@pytest.fixture(scope='module')
def written(virtual_recorded, tmp_path_factory):
    """An episode with moved objects, and its bag; the images are the source's."""
    source, scene = virtual_recorded
    demo, config = scene.demo, GenerateConfig()
    sampler = Sampler.create(scene, config, 0)
    first, last = sampler.free_skills
    moves = {first: PlanarMove(0.04, -0.05, 0.5), last: PlanarMove(-0.03, 0.05, -0.5)}
    episode = Assembler.create(scene, config).assemble(sampler.from_moves(0, moves))
    assert not isinstance(episode, Rejection), episode
    robot = robot_of(demo)
    writer = EpisodeWriter(
        source, link_poses=robot.link_poses, trajectories=Trajectories(demo, robot)
    )
    read = (demo.frames[frame] for frame in episode.source_frames.tolist())
    frames = (SensedFrame(depth=frame.depth, colour=frame.colour) for frame in read)
    path = tmp_path_factory.mktemp('trajectory') / 'bag'
    writer.write(path, episode, frames)
    return episode, path


def _decoded(path, topic):
    with BagReader(path) as reader:
        return [(log, message) for _, log, message in reader.decoded([topic])]


def _seconds(point):
    return point.time_from_start.sec + 1e-9 * point.time_from_start.nanosec


def _joint_states(path):
    states = [message for _, message in _decoded(path, '/joint_states')]
    stamps = np.array([messages.stamp_ns(message.header) for message in states])
    return states[0].name, stamps, np.stack([message.position for message in states])


@pytest.mark.parametrize(
    ('topic', 'names'), [(ARM, list(panda.ARM_JOINTS)), (GRIPPER, ['panda_finger_joint1'])]
)
def test_a_trajectory_is_what_the_joint_states_say(written, topic, names):
    episode, path = written
    ((log, message),) = _decoded(path, topic)
    have, stamps, positions = _joint_states(path)
    with BagReader(path) as reader:
        assert reader.topic(topic).is_latched
        assert reader.topic(topic).type == TRAJECTORY

    assert list(message.joint_names) == names
    assert message.header.frame_id == panda.BASE
    assert messages.stamp_ns(message.header) == 0
    assert log == episode.stamps[0]
    assert len(message.points) == len(episode)
    since = np.array([_seconds(point) for point in message.points])
    np.testing.assert_allclose(since, (episode.stamps - episode.stamps[0]) * 1e-9, atol=1e-9)
    for column, name in enumerate(names):
        place = list(have).index(name)
        told = [point.positions[column] for point in message.points]
        np.testing.assert_array_equal(told, episode.joints[:, place])
        # Frames lie between two joint states, and what is added to these is straight in between.
        states = np.interp(episode.stamps, stamps, positions[:, place])
        assert np.abs(states - told).max() < 1e-3


def test_velocities_and_accelerations_are_those_the_limits_are_held_against(written):
    episode, path = written
    ((_, message),) = _decoded(path, ARM)
    positions, velocities, accelerations = (
        np.stack([getattr(point, key) for point in message.points])
        for key in ('positions', 'velocities', 'accelerations')
    )
    speeds, gains = derivatives(positions, episode.stamps)

    np.testing.assert_allclose(accelerations[1:-1], gains, atol=1e-9)
    largest = np.maximum(np.abs(speeds[:-1]), np.abs(speeds[1:]))
    assert (np.abs(velocities[1:-1]) <= largest + 1e-12).all()
    for end in (0, -1):
        assert not velocities[end].any()
        assert not accelerations[end].any()


def test_velocities_are_exact_for_parabolas_at_any_times():
    seconds = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.2, 40))
    stamps = (1e9 * seconds).astype(np.int64)
    t = (stamps * 1e-9)[:, None]
    a, b = np.array([[0.4, -1.0]]), np.array([[0.3, 2.0]])
    velocities, accelerations = knots(a * t**2 + b * t, stamps)

    np.testing.assert_allclose(velocities[1:-1], (2 * a * t + b)[1:-1], atol=1e-6)
    np.testing.assert_allclose(accelerations[1:-1], np.broadcast_to(2 * a, (38, 2)), atol=1e-5)


def test_an_episode_with_trajectories_is_a_source_like_any_other(written, virtual_recorded):
    episode, path = written
    source = read_source(path)

    assert not any('trajectory' in topic for topic in source.left_out)
    assert not any('trajectory' in t.topic.name for t in source.recorded.latched)
    demo = demo_of(source)
    assert demo.joints.names == virtual_recorded[1].demo.joints.names
    assert np.abs(demo.joints.positions - episode.joints).max() < 1e-3


def test_transforms_of_all_links_agree_with_the_joint_states(written, virtual_recorded):
    _, path = written
    robot = robot_of(virtual_recorded[1].demo)
    names, stamps, positions = _joint_states(path)
    order = {int(stamp): row for row, stamp in enumerate(stamps)}
    edges, rows, poses = set(), [], {}
    for _, message in _decoded(path, '/tf'):
        for item in message.transforms:
            stamp = messages.stamp_ns(item.header)
            edge = (item.header.frame_id, item.child_frame_id)
            if stamp not in order or not set(edge) <= set(robot.links):
                continue
            place, turn = item.transform.translation, item.transform.rotation
            edges.add(edge)
            poses[order[stamp], edge] = se3.from_quaternion(
                np.array([place.x, place.y, place.z]), np.array([turn.x, turn.y, turn.z, turn.w])
            )
    rows = sorted({row for row, _ in poses})
    assert len(rows) > 100
    assert {child for _, child in edges} >= {f'panda_link{i}' for i in range(1, 8)} | {
        'panda_leftfinger', 'panda_rightfinger'
    }  # fmt: skip
    known = robot.link_poses(names, positions[rows], sorted(edges))
    worst = max(
        np.abs(poses[row, edge] - known[edge][place]).max()
        for place, row in enumerate(rows)
        for edge in edges
        if (row, edge) in poses
    )
    print(f'largest difference {worst:.2e}')
    assert worst < 1e-6
