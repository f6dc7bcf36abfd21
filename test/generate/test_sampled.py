# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A wall between two skills: the arm goes around it, whoever plans and in whatever order."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
from scipy.spatial import cKDTree

from r2rgen_ros.generate.assemble import Assembler, object_changes
from r2rgen_ros.generate.collisions import CollisionCheck, _Motion
from r2rgen_ros.generate.config import GenerateConfig, MotionConfig
from r2rgen_ros.generate.passable import Fields, Passable
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.episode import Episode, PlanarMove, Reason, Rejection
from r2rgen_ros.robots.body import RobotBody
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.objects import Box, Thing
from r2rgen_ros.simulate.replay import Orders, replay
from r2rgen_ros.simulate.tasks import make_task
from r2rgen_ros.simulate.world import World

# The bottle stands behind the wall, the plate before it; the source never went there.
AWAY = {0: PlanarMove(-0.12, -0.22)}
LOW, HIGH = np.array([0.26, -0.205, 0.0]), np.array([0.46, -0.175, 0.32])
SAMPLED = GenerateConfig(motion=MotionConfig(planners=('sampled',)))
ALL = GenerateConfig(motion=MotionConfig(planners=('blend', 'line', 'sampled')))
CLEARANCE_M = SAMPLED.feasibility.collision_clearance_m
# What the check lets go, and nodes and samples blur.
BLUR_M = 0.004 + 0.005


def _wall():
    """Points on the surface of the wall."""
    steps = [np.append(np.arange(a, b, 0.006), b) for a, b in zip(LOW, HIGH, strict=True)]
    grid = np.stack(np.meshgrid(*steps, indexing='ij'), axis=-1)
    return grid[((grid == LOW) | (grid == HIGH)).any(axis=-1)]


def _variation(scene, seed=0, index=0):
    return replace(Sampler.create(scene, SAMPLED, seed).from_moves(index, AWAY), seed=seed)


@pytest.fixture(scope='module')
def walled(virtual_scene):
    cloud, wall = virtual_scene.environment, _wall()
    grey = np.full((len(wall), 3), 128, dtype=np.uint8)
    more = Cloud.from_arrays(
        np.concatenate([cloud.points, wall]), np.concatenate([cloud.colours, grey])
    )
    return replace(virtual_scene, environment=more)


@pytest.fixture(scope='module')
def assembler(walled):
    return Assembler.create(walled, SAMPLED)


@pytest.fixture(scope='module')
def around(walled, assembler):
    episode = assembler.assemble(_variation(walled))
    assert isinstance(episode, Episode), episode
    return episode


def test_the_wall_blocks_the_blended_motion_and_straight_lines_of_the_joints(walled):
    for name in ('blend', 'line'):
        config = GenerateConfig(motion=MotionConfig(planners=(name,)))
        found = Assembler.create(walled, config).assemble(_variation(walled))
        assert isinstance(found, Rejection)
        assert found.reason is Reason.COLLISION
        assert found.detail.endswith('the environment')


def test_every_frame_clears_the_wall_as_the_surfaces_say(walled, around):
    demo, tree = walled.demo, cKDTree(_wall())
    body = RobotBody.from_urdf(demo.robot_description, demo.base_frame)
    names = demo.joints.names
    poses = body.poses(names, around.joints)
    for place, part in enumerate(body.parts(names)):
        points = body.samples(part)
        gaps = [tree.query(se3.apply(pose, points))[0].min() for pose in poses[:, place]]
        assert min(gaps) > CLEARANCE_M - BLUR_M
    bottle = walled.objects[1]
    for pose in around.object2base[1]:
        gap = tree.query(se3.apply(pose, bottle.cloud.points))[0].min()
        assert gap > CLEARANCE_M - BLUR_M


def test_limits_are_kept_and_time_rises(assembler, around):
    speed, acceleration = assembler.arm.check.shares(around.joints, around.stamps)
    assert speed.max() <= 1.0 + 1e-6
    assert acceleration.max() <= 1.0 + 1e-6
    assert (np.diff(around.source) > 0.0).all()
    assert around.source[[0, -1]].tolist() == [0.0, len(assembler.scene.demo) - 1.0]
    hand = assembler.arm.hand(around.source, around.joints)
    assert np.abs(hand - around.ee2base['arm']).max() < 5e-4


def test_skills_are_those_without_the_wall_bit_for_bit(virtual_scene, around):
    line = GenerateConfig(motion=MotionConfig(planners=('line',)))
    free = Assembler.create(virtual_scene, line).assemble(around.variation)
    for index in range(len(virtual_scene.annotation.skills)):
        one, other = around.skill == index, free.skill == index
        np.testing.assert_array_equal(around.joints[one], free.joints[other])
        np.testing.assert_array_equal(around.ee2base['arm'][one], free.ee2base['arm'][other])
        np.testing.assert_array_equal(around.source[one], free.source[other])


def test_what_is_held_is_not_tilted(walled, around):
    held = walled.objects[1].held[around.source_frames] >= 0
    up = around.object2base[1, held, :3, 2] @ walled.support.normal
    assert up.min() > np.cos(np.deg2rad(15.0))


def test_it_is_the_last_resort_where_it_is_named_last(walled, around):
    found = Assembler.create(walled, ALL).assemble(around.variation)

    np.testing.assert_array_equal(found.joints, around.joints)


def test_plans_do_not_depend_on_what_was_planned_before(walled, assembler, around):
    variations = [_variation(walled, seed, index) for seed in (0, 1) for index in (0, 1)]
    forwards = [assembler.assemble(variation) for variation in variations]
    backwards = [assembler.assemble(variation) for variation in variations[::-1]][::-1]

    for one, other in zip(forwards, backwards, strict=True):
        assert isinstance(one, Episode)
        np.testing.assert_array_equal(one.joints, other.joints)
    assert len({one.joints.tobytes() for one in forwards}) == len(variations)
    with ProcessPoolExecutor(2, get_context('fork')) as pool:
        elsewhere = [pool.submit(assembler.assemble, each) for each in variations[::-1]]
        for one, other in zip(forwards[::-1], elsewhere, strict=True):
            np.testing.assert_array_equal(one.joints, other.result().joints)


def test_the_virtual_robot_gets_around_the_wall(virtual_demo, walled, around):
    task = make_task('place-bottle', np.random.default_rng(np.random.SeedSequence([0, 0])))
    size = HIGH - LOW
    solid = Box((0.0, 0.0, 0.5 * size[2]), tuple(0.5 * size))
    wall = Thing('wall', 20.0, tuple(size), ((solid, (0.5, 0.5, 0.5)),), (solid,))
    truth, demo = GroundTruth.load(virtual_demo), walled.demo
    changes = object_changes(walled, around.variation.transforms)
    near = [
        int(np.argmin([np.linalg.norm(item.object2base[0, :2, 3] - pose[:2, 3]) for item in
                       walled.objects]))
        for pose in truth.object2base[:, 0]
    ]  # fmt: skip
    start = {
        name: changes[near[k], 0] @ truth.object2base[k, 0] for k, name in enumerate(truth.names)
    }
    start['wall'] = np.eye(4)
    start['wall'][:3, 3] = [*0.5 * (LOW + HIGH)[:2], 0.0]
    names = list(demo.joints.names)
    arm = [names.index(name) for name in panda.ARM_JOINTS]
    fingers = [names.index(name) for name in panda.FINGER_JOINTS]
    widths = around.joints[:, fingers].sum(axis=1)
    widths[walled.objects[1].held[around.source_frames] >= 0] = 0.0
    orders = Orders((around.stamps - around.stamps[0]) * 1e-9, around.joints[:, arm], widths)

    found = replay(World([*task.things, wall]), start, orders)

    assert found.failure(task, moved=True) == ''
    touched = {name for pair in found.touched if 'wall' in pair for name in pair} - {'wall'}
    assert not touched & {*truth.names}
    assert not any('panda' in name for name in touched)


@pytest.mark.parametrize('frame', [0, 55])
def test_compiled_distances_are_those_of_the_check(walled, assembler, frame):
    check, arm = assembler.collisions, assembler.arm
    row = walled.demo.joints.positions[frame]
    things = np.array([item.object2base[frame] for item in walled.objects])
    room = se3.compose(se3.rotation_about(np.array([0.0, 0.0, 1.0]), 0.1), [0.05, 0.02, 0.0])
    passable = Passable.between(check, Fields.of(check), arm.robot, frame, row, things, room)
    rng = np.random.default_rng(0)
    joints = row[passable.columns] + rng.normal(0.0, 0.9, (60, len(passable.columns)))
    rows = passable.rows(joints)
    carried = arm.hand(np.full(60, float(frame)), rows)
    carried = carried @ se3.inverse(arm.hand(np.array([float(frame)]), row[None]))
    held = [item.held[frame] >= 0 for item in walled.objects]
    poses = np.array(
        [carried @ pose if inside else np.tile(pose, (60, 1, 1))
         for pose, inside in zip(things, held, strict=True)]
    )  # fmt: skip
    known = dict(check._gaps(_Motion(np.full(60, frame), rows, poses, room)))

    gaps = passable.gaps(joints)

    bodies = [*check._robot.names, *(f'"{item.name}"' for item in walled.objects)]
    bodies = [name for name in bodies if not name.startswith('"') or held[int(name[-2]) - 1]]
    obstacles = ['the support', *(f'"{item.name}"' for item in walled.objects), 'the environment']
    for body, name in enumerate(bodies):
        for place, other in enumerate(obstacles):
            if np.isfinite(passable.clear[body, place]):
                np.testing.assert_allclose(
                    gaps[:, body, place], known[name, other], rtol=0.0, atol=1e-9
                )
    assert any(held) == (frame == 55)
    # The quick answer is that of the distances.
    for level in (0.0, 0.01, 0.03):
        wanted = np.where(np.isfinite(passable.clear), level, -np.inf)
        wanted = np.broadcast_to(wanted, gaps.shape)
        keeps = (gaps >= wanted - 1e-9).all(axis=(1, 2))
        np.testing.assert_array_equal(passable.keeps(joints, wanted), keeps)
        assert 0 < keeps.sum() < 60
    np.testing.assert_array_equal(
        passable.overlaps(joints), check._own.distances(walled.demo.joints.names, rows) < 0.0
    )


def test_without_meshes_the_motion_is_blended(virtual_scene):
    bare = virtual_scene.demo.robot_description.replace('example-robot-data', 'lost_description')
    bare = bare.replace('<box', '<mesh filename="package://lost_description/finger.stl"')
    lost = replace(virtual_scene, demo=replace(virtual_scene.demo, robot_description=bare))
    assert CollisionCheck.create(lost, SAMPLED) is None

    (planner,) = Assembler.create(lost, SAMPLED).planners

    assert type(planner).__name__ == 'BlendPlanner'


def test_importing_generation_needs_no_ompl():
    code = (
        "import sys; sys.modules['ompl'] = None\n"
        'import r2rgen_ros.generate.assemble\n'
        'from r2rgen_ros.robots.joint_planner import load_ompl\n'
        'try: load_ompl()\n'
        'except Exception as error: print(type(error).__name__, error)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith('R2RGenError')
    assert 'pip install ompl' in done.stdout
