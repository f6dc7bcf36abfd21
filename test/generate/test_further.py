# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of a recording that two cameras made, against what the simulator says they see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.chunks import NONE
from r2rgen_ros.bags.load import demo_of, load_demo
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import (
    CameraConfig,
    GenerateConfig,
    OutputConfig,
    PerturbationConfig,
    SamplingConfig,
)
from r2rgen_ros.generate.dataset import Dataset
from r2rgen_ros.generate.further import mounted_camera, with_composers
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.run import generate
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.written import written_source
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation_file import dump_annotation
from r2rgen_ros.model.episode import PlanarMove
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.parse.scene import build_scene, survey
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.simulate import panda, record
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.tasks import make_task
from r2rgen_ros.simulate.world import EXTERNAL, World

WRIST = load_camera('panda_wrist')
SHRINK = 2
MOVED = {'pick object_2': PlanarMove(0.04, 0.05, 0.4)}
STILL = {'pick object_2': PlanarMove(), 'place object_2 at object_1': PlanarMove()}


@pytest.fixture(scope='module')
def both(tmp_path_factory):
    """The bottle put onto the plate, recorded at 5 Hz by two cameras, parsed from the external."""
    bag = tmp_path_factory.mktemp('cameras') / 'both'
    done = record.act('place-bottle', 0, camera_every=400, others=[WRIST])
    record.write(done, bag, options=record.Options(shrink=SHRINK, compression=NONE))
    source = read_source(bag)
    ground = survey(demo_of(source))
    return source, build_scene(ground, propose(ground, bag, ()), bag)


@pytest.fixture(scope='module')
def generated(both, tmp_path_factory):
    """The recording itself and one variation, and the job."""
    source, scene = both
    folder = tmp_path_factory.mktemp('further')
    (folder / 'annotation.yaml').write_text(dump_annotation(scene.annotation))
    config = GenerateConfig(
        sampling=SamplingConfig(mode='given', given=(STILL, MOVED)),
        perturbation=PerturbationConfig(count=1),
    )
    job = Job.prepare(source.path, scene.annotation, folder, config, 3, cache=False)
    generate(job, folder / 'dataset', 2)
    return job, folder / 'dataset'


def true_views(scene, truth, episode):
    """Depth images of the wrist camera at the episode's frames as the simulator draws them."""
    world = World(
        make_task('place-bottle', np.random.default_rng(0)).things, camera=EXTERNAL, others=[WRIST]
    )
    names = scene.demo.joints.names
    # The scene's objects by the truth's names: that one is nearest whose middle is nearest.
    order = [
        int(np.linalg.norm(item.object2base[0, :3, 3] - truth[:, 0, :3, 3], axis=1).argmin())
        for item in scene.objects
    ]
    with Eye(world, shrink=SHRINK, which=1) as eye:
        for number, source in enumerate(episode.source_frames.tolist()):
            poses = {}
            for k, item in enumerate(scene.objects):
                moved = episode.object2base[k, number] @ se3.inverse(item.object2base[source])
                poses[list(world.things)[order[k]]] = moved @ truth[order[k], source]
            joints = np.array([episode.joints[number, names.index(x)] for x in panda.JOINTS])
            world.place(joints, poses)
            yield eye.depth()


@pytest.mark.parametrize('index', [0, 1])
def test_the_second_cameras_images_are_what_the_simulator_draws(both, generated, index):
    source, _ = both
    job, dataset = generated
    variation = Sampler.create(job.scene, job.config, job.seed).variation(index)
    episode = Assembler.create(job.scene, job.config).assemble(variation)
    truth = GroundTruth.load(source.path).object2base
    wrist = load_demo(
        Dataset.open(dataset).episode(index), StreamSelection(depth=WRIST.topics['depth'])
    )

    assert wrist.sensor.frame == WRIST.frame
    assert wrist.stamps.tolist() == episode.stamps.tolist()
    errors, overlaps = [], []
    for number, depth in enumerate(true_views(job.scene, truth, episode)):
        have = wrist.frames[number].depth
        both_see = np.isfinite(depth) & np.isfinite(have)
        errors.append(np.abs(depth - have)[both_see])
        overlaps.append(both_see.sum() / (np.isfinite(depth) | np.isfinite(have)).sum())
    error = np.concatenate(errors)
    print(
        f'{1e3 * np.median(error):.2f} mm, 95 %: {1e3 * np.percentile(error, 95):.2f} mm,'
        f' overlap {np.mean(overlaps):.3f}, at least {min(overlaps):.3f}'
    )
    assert np.median(error) < 0.001
    assert np.percentile(error, 95) < 0.005
    assert min(overlaps) > 0.9


def test_an_episode_is_a_demonstration_of_either_camera(generated):
    _, dataset = generated
    path = Dataset.open(dataset).episode(1)
    main = load_demo(path)
    wrist = load_demo(path, StreamSelection(depth=WRIST.topics['depth']))
    assert main.sensor.frame == EXTERNAL.frame
    assert main.sensor.is_static
    assert not wrist.sensor.is_static
    hand = robot_of(wrist).link_poses(
        wrist.joints.names, wrist.joints.positions, [(panda.BASE, WRIST.mount)]
    )[panda.BASE, WRIST.mount]
    # TF is published at 50 Hz and looked up between its messages.
    assert np.abs(wrist.sensor.camera2base - hand @ WRIST.camera2mount).max() < 2e-3


def test_the_manifest_has_the_unseen_share_of_each_camera_apart(generated):
    entries = list(Dataset.open(generated[1]).entries())
    assert [list(entry.others) for entry in entries] == [['wrist_camera']] * 2
    assert all(0.0 <= entry.others['wrist_camera'] < 0.2 for entry in entries)
    assert entries[0].unseen is None  # the main camera's base did not move


def test_a_further_camera_is_mounted_where_it_was_recorded(both):
    source, scene = both
    mounted = mounted_camera(source, source.others[0], scene.demo, robot_of(scene.demo))
    assert mounted.mount in {'panda_hand', 'panda_hand_tcp'}
    near, far = mounted.range_m
    assert near < 0.15
    assert 0.3 < far < 3.0


@pytest.mark.parametrize(
    ('camera', 'reason'),
    [
        (CameraConfig(others='omit'), 'camera.others is omit'),
        (CameraConfig(mode='off'), 'the camera step is off'),
    ],
)
def test_further_cameras_can_be_omitted(both, camera, reason):
    source, scene = both
    left, composers = with_composers(
        source, scene, GenerateConfig(camera=camera), robot_of(scene.demo)
    )
    assert left.others == ()
    assert composers == {}
    assert len(left.left_out) == 4
    assert all(reason in note for note in left.left_out)


def test_without_images_no_further_camera_is_rendered(both):
    source, scene = both
    config = GenerateConfig(output=OutputConfig(images=False))
    left, composers = with_composers(
        written_source(source, config), scene, config, robot_of(scene.demo)
    )
    assert left.others == ()
    assert composers == {}
    name = source.others[0].topics.name
    further = [note for note in left.left_out if f'of camera "{name}"' in note]
    assert len(further) == 4
    assert all('output.images is false' in note for note in left.left_out)


def test_a_camera_that_moves_with_nothing_known_is_left_out(both):
    source, scene = both
    blind = replace(scene, demo=replace(scene.demo, robot_description=None))
    camera = source.others[0]
    drifting = camera.camera2base.copy()
    drifting[:, :3, 3] += np.linspace(0.0, 0.3, len(drifting))[:, None]
    adrift = replace(source, others=(replace(camera, camera2base=drifting),))
    left, composers = with_composers(adrift, blind, GenerateConfig(), None)
    assert composers == {}
    assert 'moves, but with no link of the robot' in left.left_out[0]
