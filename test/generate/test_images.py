# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Generating from depth images: the virtual robot puts the bottle onto the plate."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from r2rgen_ros.bags.chunks import Compression
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.compose_images import ImageComposer
from r2rgen_ros.generate.config import CameraConfig, GenerateConfig
from r2rgen_ros.generate.motion import largest_step
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import PlanarMove, Rejection
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, UNSEEN
from r2rgen_ros.parse.robot import robot_of

EVERY = 5


@pytest.fixture(scope='module')
def recorded(virtual_recorded):
    """The recording and the scene that is found in it."""
    return virtual_recorded


def _identity(scene, config):
    assembler = Assembler.create(scene, config)
    return assembler.assemble(Sampler.create(scene, config, 0).from_moves(0, {}))


def _every(composer, episode):
    for number, frame in enumerate(composer.frames(episode)):
        if number % EVERY == 0:
            yield number, frame


def test_the_identity_seen_by_the_camera_is_what_it_saw(recorded):
    _, scene = recorded
    config = GenerateConfig(camera=CameraConfig(mode='on'))
    episode = _identity(scene, config)
    composer = make_composer(scene, config, robot_of(scene.demo))
    shares = []
    for number, frame in _every(composer, episode):
        depth = scene.demo.frames[number].depth
        valid = np.isfinite(depth)
        with np.errstate(invalid='ignore'):
            near = np.abs(frame.depth - depth) <= 0.002
        shares.append(near[valid].mean())

    print(f'within 2 mm: {np.mean(shares):.4%} on average, {np.min(shares):.4%} at worst')
    assert np.mean(shares) >= 0.99
    assert np.min(shares) >= 0.99


def test_the_identity_without_the_camera_is_the_recording(recorded):
    _, scene = recorded
    config = GenerateConfig(camera=CameraConfig(mode='off'))
    episode = _identity(scene, config)

    np.testing.assert_array_equal(episode.stamps, scene.demo.stamps)
    assert np.abs(episode.ee2base['arm'] - scene.demo.arms[0].ee2base).max() < 1e-6
    recorded_objects = np.stack([item.object2base for item in scene.objects])
    assert np.abs(episode.object2base - recorded_objects).max() < 1e-6
    for number, frame in _every(make_composer(scene, config), episode):
        np.testing.assert_allclose(frame.depth, scene.demo.frames[number].depth, atol=1e-6)
        np.testing.assert_array_equal(frame.colour, scene.demo.frames[number].colour)


def test_the_bag_of_the_identity_reads_as_the_recording_does(recorded, tmp_path):
    source, scene = recorded
    config = GenerateConfig(camera=CameraConfig(mode='off'))
    robot = robot_of(scene.demo)
    episode = _identity(scene, config)
    writer = EpisodeWriter(source, link_poses=robot.link_poses, compression=Compression('zstd'))
    writer.write(tmp_path / 'bag', episode, make_composer(scene, config).frames(episode))

    read, demo = load_demo(tmp_path / 'bag'), scene.demo

    np.testing.assert_array_equal(read.stamps, demo.stamps)
    assert np.abs(read.arms[0].ee2base - demo.arms[0].ee2base).max() < 1e-9
    assert read.joints.names == demo.joints.names
    assert np.abs(read.joints.positions - demo.joints.positions).max() < 1e-9
    np.testing.assert_array_equal(read.arms[0].gripper, demo.arms[0].gripper)
    for number in range(0, len(demo), 20):
        np.testing.assert_array_equal(read.frames[number].depth, demo.frames[number].depth)
        np.testing.assert_array_equal(read.frames[number].colour, demo.frames[number].colour)


@pytest.fixture(scope='module')
def moved(recorded):
    """An episode in which the objects stand 6 cm and 30 degrees away."""
    _, scene = recorded
    config = GenerateConfig()
    sampler = Sampler.create(scene, config, 0)
    first, last = sampler.free_skills
    variation = sampler.from_moves(
        0, {first: PlanarMove(0.04, -0.05, 0.5), last: PlanarMove(-0.03, 0.05, -0.5)}
    )
    episode = Assembler.create(scene, config).assemble(variation)
    assert not isinstance(episode, Rejection), episode
    return episode


def test_joints_reach_the_moved_path_and_do_not_jump(recorded, moved):
    _, scene = recorded
    robot, demo = robot_of(scene.demo), scene.demo
    hand = robot.forward(demo.joints.names, moved.joints)

    assert np.abs(hand - moved.ee2base['arm']).max() < 1e-3
    own = np.abs(np.diff(demo.joints.positions, axis=0)).max()
    assert np.abs(np.diff(moved.joints, axis=0)).max() < 3 * own + 0.1
    step = largest_step(moved.ee2base['arm'])
    assert step.translation <= max(largest_step(demo.arms[0].ee2base).translation, 0.03) + 1e-6


def test_moved_objects_are_seen_where_they_stand(recorded, moved):
    _, scene = recorded
    config = GenerateConfig()
    composer = make_composer(scene, config, robot_of(scene.demo))
    frame = next(iter(composer.frames(moved)))
    labels = frame.labels
    assert (labels != UNSEEN).all()
    for k, item in enumerate(scene.objects):
        points = frame.labelled.points[labels == FIRST_OBJECT + k]
        assert len(points) > 20
        own = np.linalg.inv(moved.object2base[k, 0]) @ np.c_[points, np.ones(len(points))].T
        low, high = item.cloud.points.min(axis=0) - 0.01, item.cloud.points.max(axis=0) + 0.01
        places = own[:3].T
        assert (places >= low).all()
        assert (places <= high).all()


def test_a_moved_base_leaves_no_pixel_from_outside_the_recording(recorded):
    _, scene = recorded
    pictures = {}
    for fill in ('none', 'shrink', 'expand'):
        config = GenerateConfig(camera=CameraConfig(fill=fill))
        sampler = Sampler.create(scene, config, 0)
        variation = sampler.from_moves(0, {}, PlanarMove(0.0, 0.06, 0.08))
        episode = Assembler.create(scene, config).assemble(variation)
        assert not isinstance(episode, Rejection), episode
        pictures[fill] = next(iter(make_composer(scene, config).frames(episode))).depth
    seen = {fill: np.isfinite(depth) for fill, depth in pictures.items()}

    assert seen['shrink'].sum() < seen['none'].sum() <= seen['expand'].sum()
    rows, columns = np.nonzero(seen['shrink'])
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    # Shrinking leaves one smaller window, in which nothing has changed.
    assert seen['shrink'][window].mean() > 0.9
    np.testing.assert_array_equal(pictures['shrink'][window], pictures['none'][window])
    # Expanding keeps what is seen and adds depth that fits the scene.
    assert np.isfinite(pictures['expand'][seen['none']]).all()
    added = pictures['expand'][seen['expand'] & ~seen['none']]
    assert added.size
    assert added.min() > 0.1


def test_a_support_is_as_flat_before_a_moved_base_as_it_was(recorded, monkeypatch):
    _, scene = recorded
    config, camera2base = GenerateConfig(), scene.demo.sensor.camera2base[0]
    variation = Sampler.create(scene, config, 0).from_moves(0, {}, PlanarMove(0.05, 0.06, 0.2))
    moved = Assembler.create(scene, config).assemble(variation)

    def roughness(episode):
        image = next(iter(make_composer(scene, config).images(episode)))
        points = scene.demo.sensor.camera.unproject(image.depth)
        points = se3.apply(se3.inverse(episode.variation.base2base) @ camera2base, points)
        height = scene.support.height(points.reshape(-1, 3)).reshape(image.depth.shape)
        flat = (image.label == ENVIRONMENT) & (np.abs(height) < 0.01)
        assert flat.sum() > 50_000
        return np.nanstd(np.where(flat, height, np.nan))

    still, there = roughness(_identity(scene, config)), roughness(moved)
    monkeypatch.setattr(ImageComposer, '_moved_planes', lambda self, base2base: None)
    points = roughness(moved)
    print(f'{1e3 * still:.2f} mm still, {1e3 * there:.2f} moved, {1e3 * points:.2f} by points')
    assert there < still + 0.3 * (points - still)


def test_a_source_of_images_is_not_changed_by_all_this(recorded, virtual_demo, tmp_path):
    shutil.copytree(virtual_demo, tmp_path / 'copy')

    assert load_demo(tmp_path / 'copy').stamps.tolist() == recorded[1].demo.stamps.tolist()
