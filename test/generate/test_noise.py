# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sensor noise of episodes: fitted to a recording of known noise, on the pixels that lack it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.parse import scene_of
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.compose_images import ImageComposer
from r2rgen_ros.generate.config import CameraConfig, GenerateConfig, OutputConfig
from r2rgen_ros.generate.noise import EpisodeNoise, measured_pixels, wanted_noise
from r2rgen_ros.generate.noise_pairs import fit_scene, identity
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.noise import NoiseModel
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT, UNSEEN
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.sense.noise import FRESH, MEAN, RAW, ParametricNoise
from r2rgen_ros.sense.noise_file import load_noise
from r2rgen_ros.simulate.depth_noise import StereoCamera, StereoNoise
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.record import Options, act, write

TRUTH = StereoNoise(steady=0.0)
LABELS = OutputConfig(labelled_points=False)


def config_of(noise, scale=1.0):
    return GenerateConfig(camera=CameraConfig(noise=noise, noise_scale=scale), output=LABELS)


@pytest.fixture(scope='module')
def scene(virtual_scene):
    """The bottle put onto the plate: a scene whose recording has the noise of a stereo camera."""
    demo = virtual_scene.demo
    stereo = StereoCamera(demo.sensor.camera, TRUTH, np.random.default_rng(0))
    clean = [demo.frames[number] for number in range(len(demo))]
    frames = [replace(frame, depth=stereo(frame.depth)) for frame in clean]
    labels = tuple(
        np.where(np.isnan(frame.depth) & (label < FIRST_OBJECT), np.uint8(UNSEEN), label)
        for frame, label in zip(frames, virtual_scene.labels, strict=True)
    )
    return replace(virtual_scene, demo=replace(demo, frames=frames), labels=labels)


@pytest.fixture(scope='module')
def fit(scene):
    return fit_scene(scene, robot_of(scene.demo), 12)


@pytest.fixture(scope='module')
def rendered(scene):
    """Some frames rendered clean, and the episode that they are of."""
    episode = identity(scene, np.array([20, 60, 90]))
    composer = ImageComposer(scene, config_of('off'), robot_of(scene.demo))
    return episode, list(composer.images(episode))


def noisy(scene, rendered, model):
    """Depth of the same frames with noise."""
    episode, images = rendered
    camera, measured = scene.demo.sensor.camera, measured_pixels(scene)
    noise = EpisodeNoise(ParametricNoise(model), camera, measured, recorded_robot=True)
    spoiler = noise.start(episode)
    return [noise.spoiled(spoiler, image.depth, image.label, still=True) for image in images]


def test_a_demonstration_tells_the_noise_of_its_camera(fit, scene):
    model, camera = fit.model, scene.demo.sensor.camera
    assert model.axial.growth_1_m == pytest.approx(TRUTH.axial, rel=0.1)
    assert model.axial.constant_m < 0.001
    assert model.axial.width_px == pytest.approx(TRUTH.smooth, rel=0.1)
    assert model.axial.memory < 0.1
    assert model.shadow.baseline_m == pytest.approx(TRUTH.baseline, rel=0.1)
    assert model.shadow.share > 0.9
    step = 1.0 / (camera.fx * TRUTH.baseline * TRUTH.steps)
    assert model.step_1_m == pytest.approx(step, rel=0.02)
    assert 0.15 < model.edges.torn < 0.6


def test_rendered_frames_are_as_noisy_as_recorded_ones(scene, fit, rendered):
    episode, images = rendered
    made, recorded = [], []
    for image, spoilt, place in zip(
        images, noisy(scene, rendered, fit.model), episode.source_frames.tolist(), strict=True
    ):
        there = (image.label == ENVIRONMENT) & (image.depth < 1.4)
        for depth, errors in ((spoilt, made), (scene.demo.frames[place].depth, recorded)):
            error = (depth - image.depth)[there]
            errors.append(error[np.abs(error) < 0.02])
    sizes = [np.concatenate(errors).std() for errors in (made, recorded)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_recorded_pixels_of_the_robot_get_no_more_noise(scene, fit, rendered):
    for image, spoilt in zip(rendered[1], noisy(scene, rendered, fit.model), strict=True):
        seen = np.isfinite(spoilt)
        robot = image.label == ROBOT
        np.testing.assert_array_equal(spoilt[robot & seen], image.depth[robot & seen])
        assert (robot & seen).sum() > 0.9 * robot.sum()
        objects = (image.label >= FIRST_OBJECT) & (image.label != UNSEEN) & seen
        assert (spoilt[objects] != image.depth[objects]).mean() > 0.9


def test_points_without_images_are_those_of_episodes_with_images(scene, fit):
    episode = identity(scene, np.array([20, 21, 60, 61, 90]))
    config = config_of('fitted')
    config = replace(config, output=OutputConfig(labelled_points=True, labelled_count=4096))
    model, robot = ParametricNoise(fit.model), robot_of(scene.demo)
    both = [
        list(ImageComposer(scene, config, robot, model, points_alone=alone).frames(episode))
        for alone in (False, True)
    ]
    for frame, alone in zip(*both, strict=True):
        assert alone.depth is None
        assert alone.colour is None
        assert len(alone.labels) == len(frame.labels) == 4096
        np.testing.assert_array_equal(alone.labelled.points, frame.labelled.points)
        np.testing.assert_array_equal(alone.labelled.colours, frame.labelled.colours)
        np.testing.assert_array_equal(alone.labels, frame.labels)


def test_points_without_images_of_another_noise_are_those_with_images(scene, rendered):
    class Every:
        name = 'every'

        def start(self, camera, rng):
            class Camera:
                def apply(self, depth, known):
                    return np.where(rng.random(depth.shape) < 0.2, np.nan, depth).astype('f4')

            return Camera()

    noise = EpisodeNoise(Every(), scene.demo.sensor.camera, None, recorded_robot=True)
    image = rendered[1][0]
    index, depth = noise.reported(noise.start(rendered[0]), image, 500, still=True)
    spoilt = noise.spoiled(noise.start(rendered[0]), image.depth, image.label, still=True)
    assert len(index) == 500
    np.testing.assert_array_equal(depth, spoilt.reshape(-1)[index])


def test_what_is_known_of_a_pixel_follows_from_what_it_shows(scene):
    sensor, measured = scene.demo.sensor, measured_pixels(scene)
    noise = ParametricNoise(NoiseModel())
    episode = EpisodeNoise(noise, sensor.camera, measured, recorded_robot=True)
    label = np.full(measured.shape, ENVIRONMENT, dtype=np.uint8)
    label[:, :100], label[:, 100:200] = ROBOT, FIRST_OBJECT
    known = episode.known(label, still=True)
    assert (known[:, :100] == RAW).all()
    assert (known[:, 100:200] == FRESH).all()
    np.testing.assert_array_equal(known[:, 200:] == MEAN, measured[:, 200:])
    deployed = EpisodeNoise(noise, sensor.camera, None, recorded_robot=False)
    assert (deployed.known(label, still=True) == FRESH).all()


def test_noise_of_nothing_is_none(scene):
    assert wanted_noise(scene, config_of('off'), None) is None
    assert wanted_noise(scene, config_of('fitted', 0.0), None) is None


def depths(composer, episode):
    return [frame.depth for frame in composer.frames(episode)]


def test_noise_belongs_to_the_attempt_and_not_to_who_makes_it(scene, rendered):
    episode, images = rendered
    other = replace(episode, variation=replace(episode.variation, index=1))
    composer = make_composer(scene, config_of('realsense_d435'), robot_of(scene.demo))
    one, another, again = (depths(composer, each) for each in (episode, other, episode))
    elsewhere = noisy(scene, rendered, read_preset('realsense_d435'))
    for image, a, b, c, d in zip(images, one, another, again, elsewhere, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(a, d)
        assert not np.array_equal(a, b, equal_nan=True)
        assert np.isnan(a).sum() > np.isnan(image.depth).sum()


def read_preset(name):
    return load_noise(name).model


def test_another_camera_that_is_rendered_for_has_noise_too(scene, rendered):
    episode = identity(scene, np.array([60]))
    other = replace(episode, variation=replace(episode.variation, index=1))
    camera = CameraConfig(noise='realsense_d435', render_for='panda_side')
    composer = make_composer(scene, GenerateConfig(camera=camera, output=LABELS))
    one, another = depths(composer, episode)[0], depths(composer, other)[0]
    both = np.isfinite(one) & np.isfinite(another)
    assert both.any()
    assert 0.0001 < np.abs(one - another)[both].mean() < 0.02


def test_noise_that_cannot_be_given_is_refused(scene, table_scene):
    with pytest.raises(R2RGenError, match='holds clouds'):
        wanted_noise(table_scene, config_of('fitted'), None)
    off = GenerateConfig(camera=CameraConfig(mode='off', noise='zivid'))
    with pytest.raises(R2RGenError, match='the camera step is off'):
        make_composer(scene, off)
    with pytest.raises(R2RGenError, match='no noise model "kinect9"'):
        make_composer(scene, config_of('kinect9'))
    sensor = scene.demo.sensor
    moving = sensor.camera2base.copy()
    moving[1:, 0, 3] += 0.1
    demo = replace(scene.demo, sensor=replace(sensor, camera2base=moving))
    with pytest.raises(R2RGenError, match='moves, but with no link'):
        wanted_noise(replace(scene, demo=demo), config_of('fitted'), None)


@pytest.fixture(scope='module')
def from_wrist(tmp_path_factory):
    """The bottle put onto the plate, recorded at 5 Hz by a noisy camera on the wrist, parsed."""
    folder = tmp_path_factory.mktemp('wrist') / 'demo'
    performance = act('place-bottle', 100, camera_every=400, camera=load_camera('panda_wrist'))
    write(performance, folder, options=Options(sensor_noise='stereo'))
    return scene_of(folder, GroundTruth.load(folder), 100)


def test_a_demonstration_watched_from_the_wrist_tells_the_noise_of_its_camera(from_wrist):
    fit = fit_scene(from_wrist, robot_of(from_wrist.demo))
    model, truth = fit.model, StereoNoise()
    assert model.axial.growth_1_m == pytest.approx(truth.axial, rel=0.15)
    assert model.axial.constant_m < 0.0003
    assert model.axial.width_px == pytest.approx(truth.smooth, rel=0.15)
    assert model.axial.coarse == 0.0
    assert model.shadow.baseline_m == pytest.approx(truth.baseline, rel=0.1)
    assert model.shadow.share > 0.9
    # Near surfaces that slant tell what tears.
    assert model.edges.jump_px == pytest.approx(truth.edge, rel=0.15)
    assert model.edges.torn == pytest.approx(truth.torn, abs=0.1)
    assert 'edges.jump_px' not in fit.assumed
    # Outlines are off by what its pose is off.
    assert {'edges.wander_px', 'edges.flying', 'edges.reach_px'} <= set(fit.assumed)


@pytest.mark.parametrize(
    ('answer', 'words'),
    [
        (lambda depth, known: 1 / 0, 'division by zero'),
        (lambda depth, known: depth[:10], 'returned an array'),
        (lambda depth, known: None, 'returned a NoneType'),
        (lambda depth, known: known, 'returned an array'),
    ],
)
def test_a_plug_in_that_fails_is_named(scene, rendered, answer, words):
    class Learned:
        name = 'learned'

        def start(self, camera, rng):
            return SimpleNamespace(apply=answer)

    episode, _ = rendered
    composer = make_composer(scene, config_of('off'), robot_of(scene.demo), noise=Learned())
    with pytest.raises(R2RGenError, match=f'noise model "learned".*{words}'):
        next(composer.frames(episode))


@pytest.mark.parametrize(
    ('answer', 'words'), [(lambda: 1 / 0, 'division by zero'), (lambda: 3, 'returned a int')]
)
def test_a_plug_in_that_does_not_begin_is_named(scene, rendered, answer, words):
    class Learned:
        name = 'learned'

        def start(self, camera, rng):
            return answer()

    composer = make_composer(scene, config_of('off'), robot_of(scene.demo), noise=Learned())
    with pytest.raises(R2RGenError, match=f'noise model "learned".*{words}'):
        next(composer.frames(rendered[0]))
