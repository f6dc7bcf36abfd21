# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the arm, or what it holds, would run into; what the source touched it may touch again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.collisions import CollisionCheck, _Motion, _room
from r2rgen_ros.generate.config import FeasibilityConfig, GenerateConfig
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.point_groups import PointGroups
from r2rgen_ros.model.annotation import Skill, SupportPlane
from r2rgen_ros.model.episode import Episode, PlanarMove, Reason, Rejection, Variation
from r2rgen_ros.model.scene import ENVIRONMENT, UNSEEN
from r2rgen_ros.robots.body import RobotBody

CONFIG = GenerateConfig()
UNCHECKED = GenerateConfig(feasibility=FeasibilityConfig(collisions=False))
CLEARANCE_M = CONFIG.feasibility.collision_clearance_m
AWAY = {0: PlanarMove(-0.12, -0.12)}
IN_THE_WAY = (0.42, -0.33)
BESIDE = (0.5, -0.3)
# Nodes are 10 mm apart, samples 12 mm, and 4 mm are let go.
BLUR_M = 0.008


def _variation(scene, moves, base=None):
    return Sampler.create(scene, CONFIG, 0).from_moves(0, moves, base)


def _shifted(*shifts):
    """A variation of given translations, one per skill, in any direction."""
    transforms = np.tile(np.eye(4), (len(shifts), 1, 1))
    transforms[:, :3, 3] = shifts
    return Variation(0, 0, (PlanarMove(),) * len(shifts), transforms)


def _post(x, y, top=0.3):
    """Points of a post on the table."""
    turns = np.linspace(0.0, 2.0 * np.pi, 9)[:-1]
    ring = np.column_stack([x + 0.012 * np.cos(turns), y + 0.012 * np.sin(turns)])
    heights = np.arange(0.02, top, 0.006)
    return np.column_stack([np.tile(ring, (len(heights), 1)), np.repeat(heights, len(ring))])


def _pixels(scene, points):
    sensor = scene.demo.sensor
    seen = sensor.camera.project(se3.apply(se3.inverse(sensor.camera2base[0]), points))
    return np.rint(seen[:, :2]).astype(int).T


def _distances(scene, joints, points):
    """Distance (M,) of the robot's surface from points, frame by frame, and the link (M,)."""
    demo, tree = scene.demo, cKDTree(points)
    body = RobotBody.from_urdf(demo.robot_description, demo.base_frame)
    names = demo.joints.names
    poses, parts = body.poses(names, joints), body.parts(names)
    gaps = np.array(
        [
            [tree.query(se3.apply(pose, body.samples(part)))[0].min() for pose in poses[:, place]]
            for place, part in enumerate(parts)
        ]
    )
    links = [body.links[part.link] for part in parts]
    return gaps.min(axis=0), [links[place] for place in gaps.argmin(axis=0)]


@pytest.fixture(scope='module')
def assembler(virtual_scene):
    return Assembler.create(virtual_scene, CONFIG)


@pytest.fixture(scope='module')
def free(virtual_scene, assembler):
    """An episode in which the bottle stands elsewhere and nothing is in the way."""
    episode = assembler.assemble(_variation(virtual_scene, AWAY))
    assert isinstance(episode, Episode), episode
    return episode


@pytest.fixture(scope='module')
def blocked(virtual_scene, with_environment):
    """The scene with a post where that episode leads, and its assembler."""
    scene = with_environment(virtual_scene, _post(*IN_THE_WAY))
    return scene, Assembler.create(scene, CONFIG)


@pytest.mark.parametrize('clearance', [0.0, 0.01, 0.04])
def test_the_source_collides_with_nothing_however_clear_all_must_be(
    virtual_scene, assembler, clearance
):
    check = replace(assembler.collisions, clearance=clearance)
    source = assembler.assemble(_variation(virtual_scene, {}))

    assert isinstance(source, Episode), source
    assert check.check(source) is None


def test_a_post_in_the_way_is_told_with_frame_link_and_amount(virtual_scene, free, blocked):
    scene, checker = blocked
    post = _post(*IN_THE_WAY)
    v, u = _pixels(scene, post)[::-1]
    assert np.mean([(labels[v, u] == ENVIRONMENT) for labels in scene.labels]) > 0.3

    found = checker.assemble(_variation(scene, AWAY))

    assert isinstance(found, Rejection)
    assert found.reason is Reason.COLLISION
    # What the surfaces say, point by point.
    true, links = _distances(virtual_scene, free.joints, post)
    close = np.flatnonzero(true < CLEARANCE_M)
    assert close.size
    at = int(np.flatnonzero(np.rint(free.source) == found.frame)[0])
    assert abs(at - close[0]) <= 3
    assert true[at] < CLEARANCE_M + BLUR_M
    assert found.detail.endswith('the environment')
    assert links[at] in found.detail
    assert 0.0 < found.amount <= CLEARANCE_M - true[at : at + 5].min() + BLUR_M


def test_what_is_told_of_distances_is_exact_where_it_counts(blocked, free):
    scene, checker = blocked
    near = checker.assemble(_variation(scene, AWAY), forced=True)
    for episode in (free, near):
        motion = _Motion(episode.source_frames, episode.joints, episode.object2base, np.eye(4))
        quick = dict(checker.collisions._gaps(motion, CLEARANCE_M))
        for pair, gap in checker.collisions._gaps(motion):
            known = np.minimum(gap, CLEARANCE_M)
            np.testing.assert_allclose(np.minimum(quick[pair], CLEARANCE_M), known, atol=1e-9)


def test_without_the_check_the_same_is_accepted(blocked, free):
    scene, _ = blocked

    episode = Assembler.create(scene, UNCHECKED).assemble(_variation(scene, AWAY))

    assert isinstance(episode, Episode)
    np.testing.assert_array_equal(episode.joints, free.joints)


def test_forced_episodes_are_made_in_spite_of_what_is_in_the_way(blocked, free):
    scene, checker = blocked

    assert isinstance(checker.assemble(_variation(scene, AWAY), forced=True), Episode)


def test_the_same_post_does_not_matter_to_who_stays_away(blocked):
    scene, checker = blocked

    assert isinstance(checker.assemble(_variation(scene, {})), Episode)


def test_a_post_beside_the_way_is_no_obstacle(virtual_scene, free, with_environment):
    post = _post(*BESIDE)
    scene = with_environment(virtual_scene, post)
    true, _ = _distances(virtual_scene, free.joints, post)
    assert CLEARANCE_M + BLUR_M < true.min() < 0.1

    assert isinstance(Assembler.create(scene, CONFIG).assemble(_variation(scene, AWAY)), Episode)


def test_the_room_stays_where_it_is_when_the_base_moves(blocked):
    scene, checker = blocked
    base = PlanarMove(0.0, -0.1, 0.0)

    still = checker.assemble(_variation(scene, {}, base))
    found = checker.assemble(_variation(scene, AWAY, base))

    # From the new base the post is elsewhere, but so is the bottle that it stands beside.
    assert isinstance(still, Episode), still
    assert isinstance(found, Rejection)
    assert found.reason is Reason.COLLISION
    assert found.detail.endswith('the environment')


def test_what_the_camera_never_saw_is_no_obstacle(blocked):
    scene, _ = blocked
    u, v = _pixels(scene, _post(*IN_THE_WAY))
    labels = [frame.copy() for frame in scene.labels]
    for frame in labels:
        for row in (-1, 0, 1):
            for column in (-1, 0, 1):
                frame[v + row, u + column] = UNSEEN
    made_up = replace(scene, labels=tuple(labels))

    episode = Assembler.create(made_up, CONFIG).assemble(_variation(made_up, AWAY))

    assert isinstance(episode, Episode), episode


def test_specks_of_noise_on_the_table_are_no_obstacle(virtual_scene, free, with_environment):
    demo = virtual_scene.demo
    hand = free.ee2base[demo.arms[0].name][:, :3, 3]
    low = np.round(hand[hand[:, 2].argmin()], 2) * [1.0, 1.0, 0.0]
    speck = low + np.array([[x, y, 0.013] for x in (0.0, 0.006) for y in (0.0, 0.006, 0.012)])
    alone = low + np.array([[x, y, 0.013] for x in (-0.2, 0.1) for y in (-0.3, 0.02, 0.2)])
    plate = low + np.array(
        [[x, y, 0.013] for x in np.arange(0.0, 0.05, 0.005) for y in np.arange(0.0, 0.05, 0.005)]
    )
    none, few, many = (
        _room(scene, RobotBody.from_urdf(demo.robot_description, demo.base_frame))
        for scene in (
            virtual_scene,
            with_environment(virtual_scene, np.concatenate([speck, alone])),
            with_environment(virtual_scene, plate),
        )
    )
    place = PointGroups.of([plate[55:56]])
    still = np.eye(4)[None, None]
    distances = [field.nearest(place, still)[0, 0] for field in (none, few, many)]
    assert distances[0] == distances[1] > 0.02
    assert distances[2] < 0.01


def test_leftovers_of_the_robot_are_no_obstacle(virtual_scene, with_environment):
    demo = virtual_scene.demo
    body = RobotBody.from_urdf(demo.robot_description, demo.base_frame)
    points, owner = body.points(demo.joints.names, demo.joints.positions[0], 0.01)
    hand = points[owner == body.links.index('panda_hand')] + np.array([0.0, 0.0, 0.01])
    scene = with_environment(virtual_scene, hand)
    # The arm starts from the same pose wherever its base is, so it meets what it left behind.
    variation = _variation(scene, {}, PlanarMove(0.03, 0.0))
    true, _ = _distances(scene, demo.joints.positions[:1], hand - np.array([0.03, 0.0, 0.0]))
    assert true[0] < CLEARANCE_M

    found = Assembler.create(scene, CONFIG).assemble(variation)

    assert isinstance(found, Episode), found


def test_an_arm_without_meshes_is_not_checked(blocked):
    scene, _ = blocked
    bare = scene.demo.robot_description.replace('example-robot-data', 'lost_description')
    bare = bare.replace('<box', '<mesh filename="package://lost_description/finger.stl"')
    lost = replace(scene, demo=replace(scene.demo, robot_description=bare))

    assert CollisionCheck.create(lost, CONFIG) is None
    assembler = Assembler.create(lost, CONFIG)
    assert assembler.collisions is None
    assert isinstance(assembler.assemble(_variation(lost, AWAY)), Episode)


def test_a_hand_that_dips_into_the_table_runs_into_the_support(virtual_scene):
    dip = Skill('dip', 8, 11, ())
    skills = (dip, *virtual_scene.annotation.skills)
    scene = replace(virtual_scene, annotation=replace(virtual_scene.annotation, skills=skills))
    assembler = Assembler.create(scene, CONFIG)
    low = scene.demo.arms[0].ee2base[8:12, 2, 3].min()

    above = assembler.assemble(_shifted((0, 0, 0.2 - low), (0, 0, 0), (0, 0, 0)))
    below = assembler.assemble(_shifted((0, 0, -0.02 - low), (0, 0, 0), (0, 0, 0)))

    assert isinstance(above, Episode), above
    assert isinstance(below, Rejection)
    assert below.reason is Reason.COLLISION
    assert below.detail.endswith('finger would run into the support')
    assert below.frame <= 11
    # The fingertips end 2 cm below the table; the source was far above.
    assert below.amount == pytest.approx(0.02 + CLEARANCE_M, abs=2 * BLUR_M)


@pytest.mark.parametrize('depth', [0.02, 0.05])
def test_what_is_held_runs_into_the_support(virtual_scene, assembler, depth):
    held = virtual_scene.objects[1].held >= 0

    found = assembler.assemble(_shifted((0, 0, -depth), (0, 0, 0)))

    assert isinstance(found, Rejection)
    assert found.reason is Reason.COLLISION
    assert found.detail == '"object_2" would run into the support'
    assert held[found.frame]
    # It stood on the table, so all of the depth is too deep.
    assert found.amount == pytest.approx(depth, abs=BLUR_M)


def test_what_is_held_runs_into_another_object(virtual_scene):
    pick, place = virtual_scene.annotation.skills
    skills = (
        Skill('lift the plate', 0, 3, ('object_1',)),
        pick,
        replace(place, targets=('object_2',), in_hand=()),
    )
    scene = replace(virtual_scene, annotation=replace(virtual_scene.annotation, skills=skills))
    assembler = Assembler.create(scene, CONFIG)

    found = assembler.assemble(_shifted((0, 0, 0.08), (0, 0, 0), (0, 0, 0)))

    assert isinstance(assembler.assemble(_shifted(*[(0, 0, 0)] * 3)), Episode)
    assert isinstance(found, Rejection)
    assert found.reason is Reason.COLLISION
    assert found.detail == '"object_2" would run into "object_1"'
    # It is lowered onto the plate 8 cm too early, at a few centimetres per frame.
    assert place.first <= found.frame <= place.last
    assert 0.0 < found.amount < 0.08


def test_nothing_stands_in_the_foot_of_the_robot(virtual_scene, assembler, free):
    check = assembler.collisions
    assert isinstance(check, CollisionCheck)
    assert 'panda_link0' in check._still

    def plate_at(x):
        poses = free.object2base.copy()
        poses[0, :, :2, 3] = (x, 0.0)
        return check.check(replace(free, object2base=poses))

    found = plate_at(-0.05)

    assert found is not None
    assert found.reason is Reason.COLLISION
    assert (found.frame, found.detail) == (0, 'panda_link0 would run into "object_1"')
    assert plate_at(-0.5) is None


def test_fingers_without_positions_may_be_where_they_may_have_been(virtual_scene, assembler, free):
    demo = virtual_scene.demo
    arm = [k for k, name in enumerate(demo.joints.names) if 'finger' not in name]
    names = tuple(demo.joints.names[k] for k in arm)
    joints = replace(demo.joints, names=names, positions=demo.joints.positions[:, arm])
    check = CollisionCheck.create(replace(virtual_scene, demo=replace(demo, joints=joints)), CONFIG)
    source = assembler.assemble(_variation(virtual_scene, {}))

    def with_bottle_moved(metres):
        poses = source.object2base.copy()
        # The fingers of a Panda close along y of its hand.
        closing = source.ee2base[demo.arms[0].name][:, :3, 1]
        poses[1, :, :3, 3] += metres * closing
        return check.check(replace(source, joints=source.joints[:, arm], object2base=poses))

    # Closed they reach into what they are about to grasp, open they do not: of each its own counts.
    assert with_bottle_moved(0.0) is None
    assert check.check(replace(free, joints=free.joints[:, arm])) is None
    found = with_bottle_moved(0.03)
    assert found is not None
    assert found.detail.startswith('panda_')
    assert found.detail.endswith('finger at its upper limit would run into "object_2"')


def test_a_base_drives_to_the_table_but_not_into_it(virtual_scene, free):
    # A table 30 cm above the foot of the robot, 20 cm in front of it.
    corners = np.array([[0.3, -0.8, 0.3], [1.2, -0.8, 0.3], [1.2, 0.8, 0.3], [0.3, 0.8, 0.3]])
    table = SupportPlane((0.0, 0.0, 1.0), 0.3, corners)
    scene = replace(virtual_scene, support=table)
    check = CollisionCheck.create(scene, CONFIG)
    source = Assembler.create(virtual_scene, CONFIG).assemble(_variation(virtual_scene, {}))

    def driven(ahead):
        variation = _variation(virtual_scene, {}, PlanarMove(ahead, 0.0, 0.0))
        return check.check(replace(source, variation=variation))

    found = driven(0.3)

    assert driven(0.1) is None
    assert found is not None
    assert (found.frame, found.detail) == (0, 'panda_link0 would run into the support')
    assert found.amount > 0.25


def _folded(scene, episode, **values):
    """The episode with joints of the home position changed in frame 5."""
    joints = episode.joints.copy()
    joints[5] = joints[0]
    for name, value in values.items():
        joints[5, scene.demo.joints.names.index(name)] = value
    return replace(episode, joints=joints)


def test_an_arm_folded_into_itself_is_a_self_collision(virtual_scene, assembler, free):
    folded = _folded(virtual_scene, free, panda_joint2=0.5, panda_joint4=-3.05, panda_joint6=0.3)

    found = assembler.collisions.check(folded)

    assert found.reason is Reason.SELF_COLLISION
    assert found.frame == 5
    assert found.detail == 'panda_link0 would run into panda_link6'
    assert 0.005 < found.amount < 0.1
    assert assembler.collisions.check(free) is None


def test_a_stretched_wrist_is_no_collision_and_a_folded_arm_is_one(virtual_scene, assembler, free):
    # Where the wrist is stretched the hulls of its parts overlap, though the parts do not.
    stretched = _folded(virtual_scene, free, panda_joint6=0.0)
    known = Assembler.create(virtual_scene, GenerateConfig(robot='panda')).collisions
    folded = _folded(virtual_scene, free, panda_joint2=0.5, panda_joint4=-3.05, panda_joint6=0.3)

    for check in (assembler.collisions, known):
        assert check.check(stretched) is None
        assert check.check(folded).reason is Reason.SELF_COLLISION
    assert len(known._own.pairs) < len(assembler.collisions._own.pairs)
