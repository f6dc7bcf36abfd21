# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rendering a demonstration for a camera that did not record it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.deployment import seen_by
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.config import CameraConfig, GenerateConfig
from r2rgen_ros.generate.dataset import Dataset
from r2rgen_ros.generate.deployed import DeployedComposer
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.run import generate
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.annotation_file import dump_annotation
from r2rgen_ros.model.demo import Sensor
from r2rgen_ros.model.deployment import MountedCamera
from r2rgen_ros.model.episode import PlanarMove
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT, UNSEEN
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.tasks import make_task
from r2rgen_ros.simulate.world import World

WRIST = GenerateConfig(camera=CameraConfig(render_for='panda_wrist'))
MOVES = {'pick object_2': PlanarMove(0.04, 0.05, 0.4)}


def episode_of(scene, moves):
    assembler = Assembler.create(scene, WRIST)
    return assembler.assemble(Sampler.create(scene, WRIST, 0).from_moves(0, moves))


@pytest.fixture(scope='module')
def episode(virtual_scene):
    """The bottle is picked up elsewhere."""
    return episode_of(virtual_scene, MOVES)


@pytest.fixture(scope='module')
def rendered(virtual_scene, episode):
    """Every tenth frame of that episode as the wrist camera sees it."""
    composer = make_composer(virtual_scene, WRIST, robot_of(virtual_scene.demo))
    return {n: frame for n, frame in enumerate(composer.frames(episode)) if n % 10 == 0}


@pytest.fixture(scope='module')
def written(virtual_recorded, episode, tmp_path_factory):
    """The episode's bag for the wrist camera, and that bag as a demonstration."""
    source, scene = virtual_recorded
    robot = robot_of(scene.demo)
    writer = EpisodeWriter(seen_by(source, load_camera('panda_wrist')), link_poses=robot.link_poses)
    path = tmp_path_factory.mktemp('wrist') / 'episode'
    config = replace(WRIST, output=replace(WRIST.output, labelled_count=2000))
    writer.write(path, episode, make_composer(scene, config, robot).frames(episode))
    return path, load_demo(path)


def test_the_wrist_camera_sees_what_the_simulator_says_it_sees(
    virtual_demo, virtual_scene, episode, rendered
):
    truth, mounted = GroundTruth.load(virtual_demo), load_camera('panda_wrist')
    world = World(make_task('place-bottle', np.random.default_rng(0)).things, camera=mounted)
    names = virtual_scene.demo.joints.names
    errors, overlaps = [], []
    # The scene's objects by the truth's names: that one is nearest whose middle is nearest.
    order = [
        int(
            np.linalg.norm(
                item.object2base[0, :3, 3] - truth.object2base[:, 0, :3, 3], axis=1
            ).argmin()
        )
        for item in virtual_scene.objects
    ]
    with Eye(world) as eye:
        for number, frame in rendered.items():
            source = episode.source_frames[number]
            poses = {}
            for k, item in enumerate(virtual_scene.objects):
                moved = episode.object2base[k, number] @ se3.inverse(item.object2base[source])
                poses[truth.names[order[k]]] = moved @ truth.object2base[order[k], source]
            joints = np.array([episode.joints[number, names.index(x)] for x in panda.JOINTS])
            world.place(joints, poses)
            depth = eye.depth()
            both = np.isfinite(depth) & np.isfinite(frame.depth)
            errors.append(np.abs(depth - frame.depth)[both])
            overlaps.append(both.mean())

    error = np.concatenate(errors)
    print(f'{1e3 * np.median(error):.2f} mm, 95 %: {1e3 * np.percentile(error, 95):.2f} mm')
    assert np.median(error) < 0.001
    assert np.percentile(error, 95) < 0.005
    assert min(overlaps) > 0.9


def test_a_bag_for_a_wrist_camera_reads_back_as_recorded_by_it(virtual_scene, episode, written):
    path, demo = written
    mounted = load_camera('panda_wrist')
    hand = robot_of(virtual_scene.demo).link_poses(
        virtual_scene.demo.joints.names, episode.joints, [('panda_link0', 'panda_hand')]
    )['panda_link0', 'panda_hand']

    assert demo.sensor.frame == mounted.frame
    assert demo.sensor.camera == mounted.camera
    assert not demo.sensor.is_static
    assert demo.frames[0].depth.shape == demo.frames[0].colour.shape[:2] == (240, 424)
    # TF is published at 50 Hz and looked up between its messages.
    apart = np.abs(demo.sensor.camera2base - hand @ mounted.camera2mount)
    assert apart.max() < 2e-3
    assert np.median(apart) < 1e-4
    with BagReader(path) as reader:
        topics = {topic.name for topic in reader.topics}
    assert set(mounted.topics.values()) <= topics
    assert not [name for name in topics if name.startswith('/camera/')]


def test_labels_lie_on_what_the_episode_says_is_there(virtual_scene, episode, rendered):
    for number, frame in rendered.items():
        assert 0.0 <= frame.unseen <= 1.0
        for k, item in enumerate(virtual_scene.objects):
            points = frame.labelled.points[frame.labels == FIRST_OBJECT + k].astype(float)
            if len(points) < 50:
                continue
            own = se3.apply(se3.inverse(episode.object2base[k, number]), points)
            low, high = item.cloud.points.min(axis=0), item.cloud.points.max(axis=0)
            assert ((own > low - 0.005) & (own < high + 0.005)).all(axis=1).mean() > 0.99
        assert (frame.labels == ROBOT).any()  # the fingers are always in view
        assert not (frame.labels == UNSEEN).any()


def test_a_camera_on_the_base_stands_still_and_what_it_alone_sees_is_a_hole(virtual_scene):
    side = replace(load_camera('panda_side'), camera2mount=se3.compose(
        np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]]), [2.0, 0.0, 0.5]
    ))  # fmt: skip
    # Looks along -x at the robot from beyond the recording's camera: the wall is beside its view.
    composer = DeployedComposer(virtual_scene, WRIST, robot_of(virtual_scene.demo), side)
    frame = next(composer.frames(episode_of(virtual_scene, {})))

    holes = np.isnan(frame.depth)
    assert 0.05 < frame.unseen < 0.95
    assert holes.mean() >= frame.unseen
    assert not frame.colour[holes & (frame.colour.max(axis=2) == 0)].any()


def test_a_dataset_tells_the_share_of_unseen_pixels_and_is_the_same_with_any_number_of_workers(
    small_recorded, tmp_path, content
):
    bag, annotation = small_recorded
    (tmp_path / 'annotation.yaml').write_text(dump_annotation(annotation))
    config = replace(WRIST, perturbation=replace(WRIST.perturbation, count=1))
    job = Job.prepare(bag, annotation, tmp_path, config, 3, cache=False)
    for workers in (1, 2):
        generate(job, tmp_path / str(workers), 2, workers=workers)

    assert content(tmp_path / '1') == content(tmp_path / '2')
    dataset = Dataset.open(tmp_path / '1')
    assert dataset.info['render_for']['mount'] == 'panda_hand'
    shares = [entry.unseen for entry in dataset.entries() if entry.accepted]
    assert len(shares) == 2
    assert all(0.0 <= share < 0.2 for share in shares)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'mount': 'panda_thumb'}, 'mounted on "panda_thumb"'),
        ({'frame': 'camera_link'}, 'frame "camera_link".*one of the recording'),
        ({'topics': {'depth': '/tf'}}, r"publish \['/tf'\]"),
    ],
)
def test_a_camera_that_does_not_fit_the_recording_is_refused(virtual_recorded, change, message):
    with pytest.raises(R2RGenError, match=message):
        seen_by(virtual_recorded[0], replace(load_camera('panda_wrist'), **change))


def test_a_camera_on_a_link_that_nobody_can_follow_is_refused(virtual_scene):
    wrist = load_camera('panda_wrist')
    with pytest.raises(R2RGenError, match=r'no link of the robot.*panda_hand'):
        DeployedComposer(
            virtual_scene, WRIST, robot_of(virtual_scene.demo), replace(wrist, mount='camera_link')
        )
    blind = replace(virtual_scene, demo=replace(virtual_scene.demo, robot_description=None))
    with pytest.raises(R2RGenError, match='no robot_description'):
        DeployedComposer(blind, WRIST, None, wrist)
    still = replace(virtual_scene, demo=replace(virtual_scene.demo, joints=None))
    with pytest.raises(R2RGenError, match='no joint states'):
        DeployedComposer(still, WRIST, None, wrist)


def test_without_a_description_the_robot_is_its_recorded_pixels_with_the_hand(virtual_scene):
    blind = replace(virtual_scene, demo=replace(virtual_scene.demo, robot_description=None))
    side = load_camera('panda_side')
    frame = next(DeployedComposer(blind, WRIST, None, side).frames(episode_of(virtual_scene, {})))
    whole = next(
        DeployedComposer(virtual_scene, WRIST, robot_of(virtual_scene.demo), side).frames(
            episode_of(virtual_scene, {})
        )
    )

    shares = [float((each.labels == ROBOT).mean()) for each in (frame, whole)]
    assert 0.02 < shares[0] <= shares[1]


def test_a_scene_of_clouds_is_refused(table_scene):
    with pytest.raises(R2RGenError, match='holds clouds'):
        make_composer(table_scene, WRIST, None)


def test_clouds_of_a_camera_that_moves_are_only_moved_and_the_camera_step_is_refused(table_scene):
    poses = np.tile(np.eye(4), (len(table_scene.demo), 1, 1))
    poses[:, 0, 3] = np.linspace(0.0, 0.1, len(poses))
    moving = Sensor('camera', PinholeCamera(64, 48, 50.0, 50.0, 31.5, 23.5), poses)
    demo = replace(table_scene.demo, sensor=moving)
    scene = replace(table_scene, demo=demo)

    with pytest.raises(R2RGenError, match='moves, and recorded clouds alone'):
        make_composer(scene, GenerateConfig())
    off = GenerateConfig(camera=CameraConfig(mode='off'))
    episode = Assembler.create(scene, off).assemble(Sampler.create(scene, off, 0).from_moves(0, {}))
    frame = next(make_composer(scene, off).frames(episode))
    np.testing.assert_allclose(frame.cloud.points, demo.frames[0].cloud.points, atol=1e-6)


def test_mounted_cameras_check_themselves():
    wrist = load_camera('panda_wrist')
    with pytest.raises(R2RGenError, match='not rigid'):
        MountedCamera('c', wrist.camera, '', 2.0 * np.eye(4), 'optical')
