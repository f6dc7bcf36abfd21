# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The robot in generated images, against the virtual robot put into the episode's joints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.config import CameraConfig, GenerateConfig, OutputConfig
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.model.episode import PlanarMove, Rejection
from r2rgen_ros.model.scene import ROBOT, UNSEEN
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.tasks import make_task
from r2rgen_ros.simulate.world import State, World

CONFIG = GenerateConfig(output=OutputConfig(labelled_count=0))
MOVES = {
    'small': (PlanarMove(0.03, -0.03, 0.2), PlanarMove(-0.02, 0.02, -0.1)),
    'large': (PlanarMove(0.10, -0.16, 0.9), PlanarMove(-0.07, 0.10, -0.45)),
}
FEW = 5


@pytest.fixture(scope='module')
def composer(virtual_scene):
    """What composes the frames of the bottle's scene."""
    return make_composer(virtual_scene, CONFIG, robot_of(virtual_scene.demo))


@pytest.fixture(scope='module')
def moved(virtual_scene):
    """Returns the episode of moves by name."""

    def make(name):
        sampler = Sampler.create(virtual_scene, CONFIG, 0)
        moves = dict(zip(sampler.free_skills, MOVES[name], strict=True))
        episode = Assembler.create(virtual_scene, CONFIG).assemble(sampler.from_moves(0, moves))
        assert not isinstance(episode, Rejection), episode
        return episode

    return make


def _label_image(frame):
    """Labels (H, W) of a frame all of whose points are labelled."""
    out = np.full(frame.depth.shape, UNSEEN, dtype=np.uint8)
    out[np.isfinite(frame.depth)] = frame.labels
    return out


def _truth(scene, folder, episode, frames):
    """Yield depth and labels (H, W) of the simulated robot at an episode's joints and objects."""
    truth = GroundTruth.load(folder)
    world = World(make_task('place-bottle', np.random.default_rng(0)).things)
    columns = [scene.demo.joints.names.index(name) for name in panda.JOINTS]
    middles = {name: truth.object2base[k, 0, :3, 3] for k, name in enumerate(truth.names)}
    with Eye(world) as eye:
        for frame in frames:
            poses = {}
            for k, item in enumerate(scene.objects):
                # Objects that nobody named are told apart by where they stand.
                name = min(
                    middles,
                    key=lambda n: np.linalg.norm(middles[n][:2] - item.object2base[0, :2, 3]),
                )
                own = (
                    se3.inverse(item.object2base[0]) @ truth.object2base[truth.names.index(name), 0]
                )
                poses[name] = episode.object2base[k, frame] @ own
            world.reset(poses)
            state = world.state()
            state.qpos[: len(columns)] = episode.joints[frame, columns]
            world.restore(State(0.0, state.qpos, 0.0 * state.qvel, state.effort))
            yield eye.depth(), eye.labels()


@pytest.mark.parametrize(('name', 'least'), [('small', 0.99), ('large', 0.99)])
def test_the_robot_is_whole_and_where_its_joints_say(
    name, least, virtual_scene, virtual_demo, composer, moved
):
    episode = moved(name)
    frames = np.linspace(0, len(episode) - 1, FEW).astype(int).tolist()
    made = [frame for n, frame in enumerate(composer.frames(episode)) if n in frames]
    overlaps, missing, errors = [], [], []
    for frame, (depth, labels) in zip(
        made, _truth(virtual_scene, virtual_demo, episode, frames), strict=True
    ):
        mine, true = _label_image(frame) == ROBOT, (labels == ROBOT) & np.isfinite(depth)
        overlaps.append((mine & true).sum() / (mine | true).sum())
        missing.append((true & ~mine).sum() / true.sum())
        errors.append(np.abs(frame.depth - depth)[mine & true])
    error = np.concatenate(errors)

    print(
        f'{name}: overlap {min(overlaps):.4f}, missing {max(missing):.4f}', np.quantile(error, 0.95)
    )
    assert min(overlaps) > least
    assert max(missing) < 0.003
    assert np.median(error) < 0.0005
    assert np.quantile(error, 0.95) < 0.001


def test_the_robot_of_the_unchanged_source_is_as_recorded(virtual_scene, composer):
    sampler = Sampler.create(virtual_scene, CONFIG, 0)
    episode = Assembler.create(virtual_scene, CONFIG).assemble(sampler.from_moves(0, {}))
    for number, frame in enumerate(composer.frames(episode)):
        if number % 20 == 0:
            data, labels = virtual_scene.demo.frames[number], virtual_scene.labels[number]
            robot = labels == ROBOT
            shown = _label_image(frame) == ROBOT
            both = robot & shown
            assert both.sum() >= 0.99 * robot.sum()
            assert shown.sum() <= 1.005 * robot.sum()
            assert (np.abs(frame.depth - data.depth)[both] <= 1e-6).mean() > 0.998
            assert (frame.colour[both] == data.colour[both]).mean() > 0.998


def test_nothing_pops_when_the_robot_begins_to_move(virtual_scene, composer):
    sampler = Sampler.create(virtual_scene, CONFIG, 0)
    episode = Assembler.create(virtual_scene, CONFIG).assemble(sampler.from_moves(0, {}))
    still = _label_image(next(composer.frames(episode)))
    joints = episode.joints.copy()
    joints[0, list(virtual_scene.demo.joints.names).index(panda.ARM_JOINTS[0])] += 1e-5
    frame = next(composer.frames(replace(episode, joints=joints)))

    assert ((_label_image(frame) == ROBOT) != (still == ROBOT)).sum() < 0.002 * (
        still == ROBOT
    ).sum()


def test_without_meshes_the_recorded_pixels_move(virtual_scene, moved):
    bare = virtual_scene.demo.robot_description.replace('package://', 'package://nowhere_')
    scene = replace(virtual_scene, demo=replace(virtual_scene.demo, robot_description=bare))
    composer = make_composer(scene, CONFIG, robot_of(scene.demo))
    frame = next(composer.frames(moved('large')))

    assert (_label_image(frame) == ROBOT).any()


def _thinned(scene, count, seed=0):
    """The scene as a camera of clouds would have it: some points of every image, cropped to x."""
    sensor, frames, labels = scene.demo.sensor, [], []
    rng = np.random.default_rng(seed)
    for frame in range(len(scene.demo)):
        data, names = scene.demo.frames[frame], scene.labels[frame].reshape(-1)
        points = se3.apply(
            sensor.camera2base[frame], sensor.camera.unproject(data.depth).reshape(-1, 3)
        )
        inside = (names != UNSEEN) & (points[:, 0] > 0.1) & (points[:, 2] > -0.02)
        near = inside & (np.abs(points[:, 1]) < 0.4) & np.isfinite(points).all(axis=1)
        index = rng.choice(np.flatnonzero(near), count, replace=False)
        frames.append(
            Frame(cloud=Cloud.from_arrays(points[index], data.colour.reshape(-1, 3)[index]))
        )
        labels.append(names[index])
    table = scene.environment.select(
        (scene.environment.points[:, 0] > 0.1)
        & (np.abs(scene.environment.points[:, 1]) < 0.4)
        & (scene.environment.points[:, 2] > -0.02)
    )
    few = table.select(rng.choice(len(table), 3 * count, replace=False))
    return replace(
        scene,
        demo=replace(scene.demo, frames=tuple(frames)),
        labels=tuple(labels),
        environment=few,
        objects=tuple(
            replace(item, cloud=item.cloud.select(rng.random(len(item.cloud)) < 0.05))
            for item in scene.objects
        ),
    )


@pytest.fixture(scope='module')
def sparse(virtual_scene):
    """The bottle's scene with clouds of 2048 points."""
    return _thinned(virtual_scene, 2048)


def test_the_robot_of_clouds_is_where_its_joints_say(sparse, virtual_scene, virtual_demo, moved):
    episode = moved('large')
    composer = make_composer(sparse, CONFIG, robot_of(sparse.demo))
    frames = np.linspace(0, len(episode) - 1, FEW).astype(int).tolist()
    made = [frame for n, frame in enumerate(composer.frames(episode)) if n in frames]
    off, holes = [], []
    for frame, (depth, labels) in zip(
        made, _truth(virtual_scene, virtual_demo, episode, frames), strict=True
    ):
        camera = virtual_scene.demo.sensor.camera
        camera2base = virtual_scene.demo.sensor.camera2base[0]
        assert len(frame.cloud) == 2048
        mine = frame.labelled.points[frame.labels == ROBOT]
        true = (labels == ROBOT) & np.isfinite(depth)
        surface = se3.apply(camera2base, camera.unproject(depth)[true])
        off.append(cKDTree(surface).query(mine)[0])
        low, high = sparse.demo.frames[0].cloud.points.min(0), np.array([9, 0.4, 9])
        inside = ((surface > low) & (surface < high)).all(axis=1)
        holes.append((cKDTree(mine).query(surface[inside])[0] > 0.03).mean())
    far = np.concatenate(off)

    print(f'off: {np.median(far):.4f}, 95 % {np.quantile(far, 0.95):.4f}; holes {max(holes):.4f}')
    assert np.quantile(far, 0.95) < 0.005
    assert max(holes) < 0.05


@pytest.mark.parametrize('mode', ['on', 'off'])
def test_the_robot_of_unchanged_clouds_is_as_recorded(sparse, mode):
    config = replace(CONFIG, camera=CameraConfig(mode=mode))
    sampler = Sampler.create(sparse, config, 0)
    episode = Assembler.create(sparse, config).assemble(sampler.from_moves(0, {}))
    frame = next(make_composer(sparse, config, robot_of(sparse.demo)).frames(episode))
    recorded = sparse.demo.frames[0].cloud.points[sparse.labels[0] == ROBOT]
    mine = frame.labelled.points[frame.labels == ROBOT]

    assert np.isfinite(cKDTree(recorded).query(mine, distance_upper_bound=1e-6)[0]).all()
    if mode == 'off':
        np.testing.assert_array_equal(frame.cloud.points, sparse.demo.frames[0].cloud.points)


class _WithBracket:
    """Frames in which something magenta sticks out 4 cm before the robot's hand."""

    def __init__(self, scene):
        self._frames, self.labels = scene.demo.frames, scene.labels
        camera2base, self._camera = scene.demo.sensor.camera2base[0], scene.demo.sensor.camera
        self._places = se3.apply(se3.inverse(camera2base), scene.demo.arms[0].ee2base[:, :3, 3])

    def __len__(self):
        return len(self._frames)

    def patch(self, frame):
        """Rows and columns of it: on the hand's flange, above its tool."""
        u, v = np.rint(self._camera.project(self._places[frame][None])[0, :2]).astype(int)
        return slice(v - 62, v - 52), slice(u - 5, u + 5)

    def __getitem__(self, frame):
        data, patch = self._frames[frame], self.patch(frame)
        depth, colour = data.depth.copy(), data.colour.copy()
        depth[patch] -= 0.04
        colour[patch] = (255, 0, 255)
        return Frame(depth=depth, colour=colour)


def test_what_is_on_the_robot_but_on_no_mesh_moves_along(virtual_scene, moved):
    frames = _WithBracket(virtual_scene)
    scene = replace(virtual_scene, demo=replace(virtual_scene.demo, frames=frames))
    episode = moved('large')
    middle = len(episode) // 2
    source = int(episode.source_frames[middle])
    assert (virtual_scene.labels[source][frames.patch(source)] == ROBOT).all()
    composer = make_composer(scene, CONFIG, robot_of(scene.demo))
    frame = next(f for n, f in enumerate(composer.frames(episode)) if n == middle)
    shown = (frame.colour == (255, 0, 255)).all(axis=2)

    assert 50 < shown.sum() < 200
    assert (_label_image(frame)[shown] == ROBOT).all()
    # It sticks out of what is around it as it did.
    v, u = np.nonzero(shown)
    around = frame.depth[v.min() - 4 : v.max() + 5, u.min() - 4 : u.max() + 5]
    assert np.nanmedian(around[around > np.median(frame.depth[shown]) + 0.01]) - np.median(
        frame.depth[shown]
    ) == pytest.approx(0.04, abs=0.03)
