# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import objects, panda
from r2rgen_ros.simulate.eye import FAR_M, NEAR_M, Eye
from r2rgen_ros.simulate.mujoco_library import load_mujoco
from r2rgen_ros.simulate.steps import standing
from r2rgen_ros.simulate.tasks import NAMES, make_task
from r2rgen_ros.simulate.world import CAMERA, CAMERA2BASE, World


@pytest.fixture(scope='module')
def still_life():
    things = [objects.mug(), objects.bowl(), objects.bottle()]
    world = World(things)
    world.reset(
        {
            'mug': standing(0.45, -0.15, 0.8),
            'bowl': standing(0.55, 0.1, 0.0),
            'bottle': standing(0.4, 0.05, 0.0),
        }
    )
    for _ in range(400):
        world.step()
    return world


def test_objects_rest_on_the_table_and_the_arm_keeps_its_place(still_life):
    for name in still_life.things:
        assert abs(still_life.pose(name)[2, 3]) < 5e-4
        assert still_life.speed(name) < 1e-3
    assert np.abs(still_life.state().joints[:7] - panda.HOME).max() < 1e-3


def test_the_hand_points_down_at_home():
    robot = Robot.from_urdf(panda.description(), panda.BASE, panda.TOOL)
    pose = robot.forward(panda.ARM_JOINTS, panda.HOME[None])[0]
    assert np.abs(pose[:3, :3] - np.diag([1.0, -1.0, -1.0])).max() < 1e-9


def test_the_simulated_arm_has_the_kinematics_of_its_description(still_life):
    robot = Robot.from_urdf(panda.description(), panda.BASE, panda.TOOL)
    joints = still_life.state().joints
    pose = robot.forward(panda.JOINTS, joints[None])[0]
    body = still_life.data.body(panda.TOOL)
    assert np.abs(body.xpos - pose[:3, 3]).max() < 1e-6
    assert np.abs(body.xmat.reshape(3, 3) - pose[:3, :3]).max() < 1e-6


def test_depth_and_labels_agree_with_rays_cast_through_the_pixels(still_life):
    """Pixel (u, v) looks along K^-1 (u, v, 1), and its depth is measured along the axis."""
    mujoco = load_mujoco()
    with Eye(still_life) as eye:
        depth, labels = eye.depth(), eye.labels()
    rng = np.random.default_rng(0)
    on_things = np.argwhere(labels >= ROBOT)
    pixels = np.concatenate(
        [on_things[rng.choice(len(on_things), 800)], rng.integers(0, (480, 640), (800, 2))]
    )
    rays = CAMERA.rays() @ CAMERA2BASE[:3, :3].T
    seen = np.ones(6, dtype=np.uint8)
    seen[panda.SOLID_GROUP] = 0
    geom = np.zeros(1, dtype=np.int32)
    agree, errors = 0, []
    for v, u in pixels:
        far = mujoco.mj_ray(
            still_life.model, still_life.data, CAMERA2BASE[:3, 3], rays[v, u], seen, 1, -1, geom,
            None,
        )  # fmt: skip
        body = still_life.model.body(still_life.model.geom_bodyid[geom[0]]).name
        names = ['', '', *still_life.things]
        want = ROBOT if body.startswith('panda') else names.index(body) if body in names else 0
        agree += want == labels[v, u]
        if want == labels[v, u] and np.isfinite(depth[v, u]):
            errors.append(abs(depth[v, u] - far))
    assert agree >= 0.99 * len(pixels)
    assert np.quantile(errors, 0.99) < 2e-5


def test_depth_ends_where_the_sensor_does(still_life):
    with Eye(still_life) as eye:
        depth = eye.depth()
    assert np.nanmin(depth) >= NEAR_M
    assert np.nanmax(depth) <= FAR_M


def test_depth_noise_grows_with_the_square_of_the_distance(still_life):
    with Eye(still_life) as eye:
        exact = eye.depth()
    with Eye(still_life, 0.002, np.random.default_rng(3)) as eye:
        noise = eye.depth() - exact
    near, far = exact < 1.2, exact > 1.8
    ratio = np.nanstd(noise[far]) / np.nanstd(noise[near])
    expected = np.sqrt(np.nanmean(exact[far] ** 4) / np.nanmean(exact[near] ** 4))
    assert ratio == pytest.approx(expected, rel=0.05)
    assert np.nanstd(noise[near] / exact[near] ** 2) == pytest.approx(0.002, rel=0.05)


def test_a_ball_dropped_into_the_mug_stays_inside():
    """The mug is hollow: a rod thinner than its mouth sinks to its floor."""
    rod = objects.Thing(
        'rod', 0.02, (0.02, 0.02, 0.06),
        ((objects.Cylinder(0.01, 0.0, 0.06), (1.0, 1.0, 1.0)),),
        (objects.Cylinder(0.01, 0.0, 0.06),),
    )  # fmt: skip
    world = World([objects.mug(), rod])
    world.reset({'mug': standing(0.5, 0.0, 0.0), 'rod': standing(0.5, 0.0, 0.0, 0.05)})
    for _ in range(1000):
        world.step()
    assert world.pose('rod')[2, 3] == pytest.approx(world.things['mug'].rest, abs=3e-3)
    assert np.linalg.norm(world.pose('rod')[:2, 3] - [0.5, 0.0]) < 0.03


@pytest.mark.parametrize('name', NAMES)
def test_starting_poses_are_apart_on_the_table_and_in_view(name):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        task = make_task(name, rng)
        poses = task.sample(rng)
        spots = np.stack([pose[:3, 3] for pose in poses.values()])
        pixels = CAMERA.project(se3.apply(se3.inverse(CAMERA2BASE), spots))
        assert (pixels[:, 0] > 40).all()
        assert (pixels[:, 0] < 600).all()
        assert (pixels[:, 1] > 40).all()
        assert (pixels[:, 1] < 440).all()
        between = np.linalg.norm(spots[:, None] - spots[None], axis=-1)
        assert between[np.triu_indices(len(spots), 1)].min() > 0.1


def test_the_seed_decides_where_things_stand():
    def sample(seed):
        rng = np.random.default_rng(seed)
        return make_task('place-bottle', rng).sample(rng)['bottle']

    assert np.array_equal(sample(3), sample(3))
    assert np.abs(sample(3) - sample(4)).max() > 0.01


def test_labels_name_every_object(still_life):
    with Eye(still_life) as eye:
        labels = set(np.unique(eye.labels()))
    assert {ROBOT, *(FIRST_OBJECT + k for k in range(3))} <= labels


def test_unknown_tasks_are_named():
    with pytest.raises(R2RGenError, match='place-bottle'):
        make_task('fly', np.random.default_rng(0))


def test_a_machine_without_egl_is_told_what_to_install(tmp_path):
    """An EGL platform that cannot exist stands for a machine without one."""
    code = (
        'from r2rgen_ros.simulate.eye import Eye\n'
        'from r2rgen_ros.simulate.world import World\n'
        'from r2rgen_ros.model.errors import R2RGenError\n'
        'try:\n'
        '    Eye(World([]))\n'
        'except R2RGenError as error:\n'
        '    print(error)\n'
    )
    environment = {**os.environ, 'MUJOCO_GL': 'egl', 'MUJOCO_EGL_DEVICE_ID': '99'}
    done = subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True, check=False
    )
    assert 'apt-get install libegl1' in done.stdout, done.stderr


def test_a_table_that_stands_elsewhere_carries_what_is_put_there():
    turned = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], 0.5), [0.35, 0.4, 0.0])
    edge = turned @ standing(0.36 - 0.57, 0.69, 0.0)  # a corner of the table, just inside
    beyond = turned @ standing(0.36 - 0.65, 0.69, 0.0)
    ends = {}
    for name, pose in (('edge', edge), ('beyond', beyond)):
        world = World([objects.bottle()], turned)
        world.reset({'bottle': pose})
        for _ in range(800):
            world.step()
        ends[name] = world.pose('bottle')[2, 3]
    assert abs(ends['edge']) < 1e-3
    assert ends['beyond'] < -0.1
