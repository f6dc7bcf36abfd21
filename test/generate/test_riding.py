# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A base that drives and carries the camera: what the simulator draws says what it should see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.load import demo_of, load_demo
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.config import (
    CameraConfig,
    DockingConfig,
    FeasibilityConfig,
    GenerateConfig,
    MoveRange,
    SamplingConfig,
)
from r2rgen_ros.generate.drives import base_place
from r2rgen_ros.generate.far_off import FarOff
from r2rgen_ros.generate.maker import _KnownLinks
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.annotation import ObjectNote, Prompt
from r2rgen_ros.model.driving import body_frame
from r2rgen_ros.model.episode import Episode, PlanarMove
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, UNSEEN
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.parse.scene import build_scene, survey
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate import record as recording
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.trip import TABLE_AHEAD, seen
from r2rgen_ros.simulate.world import World

SMALL = PinholeCamera(320, 240, 240.0, 240.0, 159.5, 119.5)
MAST = replace(load_camera('panda_mast'), camera=SMALL, range_m=(0.25, 2.5))
CONFIG = GenerateConfig(feasibility=FeasibilityConfig(collisions=False))
OPTIONS = recording.Options(depth_encoding='32FC1', with_truth=False)
WRIST = replace(
    load_camera('panda_wrist'), camera=PinholeCamera(212, 120, 115.0, 115.0, 105.5, 59.5)
)
EVERY = 8


@pytest.fixture(scope='module')
def ridden(tmp_path_factory):
    """What happened; the recording of a camera on the base; and the scene found in it."""
    folder = tmp_path_factory.mktemp('riding') / 'demo'
    done = recording.act('place-bottle', 1, base='driving', camera_every=600, camera=MAST)
    recording.write(done, folder, options=OPTIONS)
    source = read_source(folder)
    ground = survey(demo_of(source))
    return done, source, build_scene(ground, propose(ground, folder, ()), folder)


@pytest.fixture(scope='module')
def on_wrist(tmp_path_factory):
    """The same of a camera on the wrist, from one click per object: at first it sees the floor."""
    folder = tmp_path_factory.mktemp('wrist') / 'demo'
    done = recording.act('place-bottle', 1, base='driving', camera_every=600, camera=WRIST)
    recording.write(done, folder, options=replace(OPTIONS, with_truth=True))
    source, truth = read_source(folder), GroundTruth.load(folder)
    ground = survey(demo_of(source))
    proposed = propose(ground, folder, _clicks(truth))
    return done, source, build_scene(ground, replace(proposed, skills=truth.skills), folder)


def _clicks(truth):
    """A click on each object in the frame that shows most of it before it was ever in the hand."""
    notes = []
    for k, name in enumerate(truth.names):
        shown = (truth.labels == FIRST_OBJECT + k).sum(axis=(1, 2))
        if truth.held[k].any():
            shown[int(truth.held[k].argmax()) :] = 0
        frame = int(shown.argmax())
        v, u = np.nonzero(truth.labels[frame] == FIRST_OBJECT + k)
        at = float(np.median(u)), float(np.median(v))
        notes.append(ObjectNote(name, Prompt(frame, pixel=at)))
    return tuple(notes)


@pytest.fixture(scope='module')
def episode(ridden):
    """The bottle is taken and put down elsewhere."""
    return _moved(ridden[2])


def _moved(scene, base=None):
    free = Sampler.create(scene, CONFIG, 0).free_skills
    variation = Sampler.create(scene, CONFIG, 0).from_moves(
        0, {k: PlanarMove(0.03, -0.04, 0.3) for k in free}, base
    )
    made = Assembler.create(scene, CONFIG).assemble(variation)
    assert isinstance(made, Episode), made
    return made


def _truth(done, scene):
    """The truth, without labels, and the names in it of the scene's objects."""
    truth = recording.truth(done, np.zeros((len(scene.demo), 1, 1), dtype=np.uint8))
    names = []
    for item in scene.objects:
        away = item.object2base[0, :3, 3] - truth.object2base[:, 0, :3, 3]
        names.append(truth.names[int(np.linalg.norm(away, axis=1).argmin())])
    return truth, names


def _few(episode):
    """Some of an episode's frames."""
    return replace(
        episode,
        stamps=episode.stamps[::EVERY],
        source=episode.source[::EVERY],
        ee2base={arm: poses[::EVERY] for arm, poses in episode.ee2base.items()},
        gripper={arm: values[::EVERY] for arm, values in episode.gripper.items()},
        object2base=episode.object2base[:, ::EVERY],
        skill=episode.skill[::EVERY],
        joints=episode.joints[::EVERY],
    )


def _differences(ridden, episode, mounted, config=CONFIG):
    """Depth errors (N,) of rendered frames from what the simulator draws, and shares seen."""
    done, _, scene = ridden
    truth, known = _truth(done, scene)
    world = World(done.task.things, TABLE_AHEAD, mounted, drives=True)
    own = scene.demo.joints.names
    composer = make_composer(scene, config, robot_of(scene.demo))
    errors, overlaps = [], []
    with Eye(world) as eye:
        for number, frame in enumerate(composer.frames(episode)):
            nearest, at = episode.source_frames[number], episode.source[number : number + 1]
            base2odom = se3.interpolate(scene.demo.drive.base2frame, at)[0]
            poses = {}
            for k, (item, name) in enumerate(zip(scene.objects, known, strict=True)):
                moved = episode.object2base[k, number] @ se3.inverse(item.object2base[nearest])
                true = moved @ truth.object2base[truth.names.index(name), nearest]
                poses[name] = se3.inverse(base2odom) @ true
            room2odom = episode.variation.base2base @ done.wheels.base2odom
            base2room = se3.inverse(room2odom) @ base2odom
            yaw = np.arctan2(base2room[1, 0], base2room[0, 0])
            joints = np.array([episode.joints[number, own.index(name)] for name in panda.JOINTS])
            world.place(joints, poses, seen(np.array([*base2room[:2, 3], yaw])))
            depth = eye.depth()
            both = np.isfinite(depth) & np.isfinite(frame.depth)
            errors.append(np.abs(depth - frame.depth)[both])
            overlaps.append(both.sum() / np.isfinite(depth).sum())
    return np.concatenate(errors), np.array(overlaps)


def test_what_a_camera_on_the_base_saw_is_put_together_where_it_stands(ridden):
    done, _, scene = ridden
    truth, names = _truth(done, scene)

    assert scene.demo.base_frame == 'odom'
    assert not scene.demo.sensor.is_static
    assert np.abs(scene.demo.sensor.camera2base - truth.camera2base).max() < 1e-4
    spans = [(skill.first, skill.last) for skill in scene.annotation.skills]
    np.testing.assert_allclose(spans, [(s.first, s.last) for s in truth.skills], atol=3)
    assert sorted(names) == ['bottle', 'plate']
    for item, name in zip(scene.objects, names, strict=True):
        path = truth.object2base[truth.names.index(name)]
        moved = item.object2base[:, :3, 3] - item.object2base[0, :3, 3]
        assert np.abs(moved - path[:, :3, 3] + path[0, :3, 3]).max() < 0.005
    # The table, though most of what is to be seen is floor.
    height = scene.support.height(truth.object2base[:, 0, :3, 3])
    np.testing.assert_allclose(height, 0.0, atol=0.003)


def test_episodes_show_what_the_camera_sees_from_the_base(ridden, episode):
    error, overlap = _differences(ridden, _few(episode), MAST)

    assert np.median(error) < 0.001
    assert np.percentile(error, 95) < 0.005
    assert overlap.min() > 0.95


def test_what_is_too_far_for_the_sensor_keeps_its_colour_and_is_not_unseen(ridden, episode):
    scene = ridden[2]
    frames = make_composer(scene, CONFIG, robot_of(scene.demo)).frames(_few(episode))
    for source, frame in zip(_few(episode).source_frames, frames, strict=True):
        recorded = scene.demo.frames[source]
        far = np.isnan(frame.depth) & np.isnan(recorded.depth)
        assert 0.05 < far.mean() < 0.5
        same = (frame.colour == recorded.colour).all(axis=2)
        assert same[far].mean() > 0.95
        assert frame.unseen < 0.03


DOCKED = PlanarMove(0.04, -0.03, 0.06)


def test_a_base_that_docks_with_an_error_sees_all_from_there(ridden):
    scene = ridden[2]
    docked = _moved(scene, DOCKED)

    error, overlap = _differences(ridden, _few(docked), MAST)

    assert np.median(error) < 0.001
    assert np.percentile(error, 95) < 0.005
    assert overlap.min() > 0.8  # what comes to sight at one side was never seen
    # The base goes as it did; in odom the hand is where the objects are now.
    moved = docked.variation.base2base
    first = scene.annotation.skills[0].first
    stop = scene.demo.drive.base2frame[first]
    there = se3.inverse(stop) @ se3.inverse(moved) @ stop
    assert np.linalg.norm(there[:2, 3]) == pytest.approx(0.05, abs=1e-3)
    assert np.arctan2(there[1, 0], there[0, 0]) == pytest.approx(0.06, abs=1e-6)


def test_what_is_too_far_for_the_sensor_is_seen_turned_from_there(ridden):
    scene = ridden[2]
    docked = _few(_moved(scene, DOCKED))
    frames = make_composer(scene, CONFIG, robot_of(scene.demo)).frames(docked)
    for source, frame in zip(docked.source_frames, frames, strict=True):
        recorded = scene.demo.frames[source]
        far = np.isnan(frame.depth) & np.isnan(recorded.depth)
        assert far.mean() > 0.05
        assert (frame.colour[far] == 0).all(axis=1).mean() < 0.3  # at the rim it was never seen


def test_a_world_that_is_upside_down_is_seen_so_far_off(ridden):
    demo = ridden[2].demo
    recorded, camera2base = demo.frames[0], demo.sensor.camera2base[0]
    over = se3.compose(np.diag([-1.0, -1.0, 1.0]), np.zeros(3))  # about the line of sight
    world = camera2base @ over @ se3.inverse(camera2base)
    colour, label = np.zeros_like(recorded.colour), np.full(recorded.depth.shape, UNSEEN)

    FarOff(demo).add(0, camera2base, world, colour, label)

    drawn = label == ENVIRONMENT
    assert drawn.mean() > 0.05
    np.testing.assert_array_equal(colour[drawn], recorded.colour[::-1, ::-1][drawn])
    assert np.isnan(recorded.depth[::-1, ::-1][drawn]).all()


def test_docking_errors_are_told_from_the_base_where_it_stops(ridden):
    scene = ridden[2]
    docking = DockingConfig('uniform', 0.05, 4.0)
    config = replace(CONFIG, sampling=SamplingConfig(ranges=MoveRange(), docking=docking))
    sampler = Sampler.create(scene, config, 3)
    stop = base_place(scene)
    for index in range(20):
        variation = sampler.variation(index)
        there = se3.inverse(stop) @ se3.inverse(variation.base2base) @ stop
        said = variation.docking
        np.testing.assert_allclose(there[:2, 3], [said.x, said.y], atol=1e-3)
        assert max(abs(said.x), abs(said.y)) <= 0.05
        assert np.arctan2(there[1, 0], there[0, 0]) == pytest.approx(said.yaw, abs=1e-4)


@pytest.mark.parametrize('name', ['panda_wrist', 'panda_side'])
def test_other_cameras_are_rendered_where_the_base_carries_them(ridden, episode, name):
    config = replace(CONFIG, camera=CameraConfig(render_for=name))

    error, _ = _differences(ridden, _few(episode), load_camera(name), config)

    # Two thirds of the bottle were never seen, which the hand has before its camera.
    assert np.median(error) < 0.001
    assert (error < 0.005).mean() > 0.9


def test_a_written_episode_is_a_recording_of_that_camera_on_that_base(ridden, episode, tmp_path):
    _, source, scene = ridden
    robot = robot_of(scene.demo)
    frames = list(make_composer(scene, CONFIG, robot).frames(episode))

    out = tmp_path / 'out'
    EpisodeWriter(source, link_poses=_KnownLinks(robot)).write(out, episode, iter(frames))

    again = load_demo(out)
    base = se3.interpolate(scene.demo.drive.base2frame, episode.source)
    assert again.base_frame == 'odom'
    assert body_frame(again) == 'panda_link0'
    np.testing.assert_allclose(again.drive.base2frame, base, atol=2e-4)
    np.testing.assert_allclose(again.sensor.camera2base, base @ MAST.camera2mount, atol=3e-4)
    for number in (0, len(again) - 1):
        np.testing.assert_array_equal(again.frames[number].depth, frames[number].depth)


def test_a_camera_on_the_wrist_of_a_driving_base_is_parsed_where_the_arm_holds_it(on_wrist):
    done, _, scene = on_wrist
    truth, names = _truth(done, scene)

    assert scene.demo.base_frame == 'odom'
    assert np.abs(scene.demo.sensor.camera2base - truth.camera2base).max() < 2e-4
    assert sorted(names) == ['bottle', 'plate']
    for item, name in zip(scene.objects, names, strict=True):
        path = truth.object2base[truth.names.index(name)]
        moved = item.object2base[:, :3, 3] - item.object2base[0, :3, 3]
        assert np.abs(moved - path[:, :3, 3] + path[0, :3, 3]).max() < 0.01


def test_episodes_of_that_camera_show_what_it_sees_from_where_the_hand_goes(on_wrist, tmp_path):
    _, source, scene = on_wrist
    episode = _moved(scene)

    error, _ = _differences(on_wrist, _few(episode), WRIST)

    assert np.median(error) < 0.001
    assert (error < 0.005).mean() > 0.9
    robot = robot_of(scene.demo)
    frames = list(make_composer(scene, CONFIG, robot).frames(episode))
    out = tmp_path / 'out'
    EpisodeWriter(source, link_poses=_KnownLinks(robot)).write(out, episode, iter(frames))
    again = load_demo(out)
    base = se3.interpolate(scene.demo.drive.base2frame, episode.source)
    assert again.base_frame == 'odom'
    np.testing.assert_allclose(again.drive.base2frame, base, atol=2e-4)
    hand = again.arms[0].ee2base
    assert np.abs(hand - episode.ee2base['arm'])[:, :3, 3].max() < 1e-3
    # The camera keeps its place in the hand.
    held = se3.inverse(again.arms[0].ee2base) @ again.sensor.camera2base
    np.testing.assert_allclose(held, held[:1].repeat(len(held), axis=0), atol=1e-3)
    np.testing.assert_array_equal(again.frames[0].depth, frames[0].depth)
