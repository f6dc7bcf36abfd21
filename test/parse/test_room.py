# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations whose camera moves: the virtual robot with a camera on its wrist."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.generate.carried import own_camera
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.config import CameraConfig, GenerateConfig
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import ObjectNote, Prompt, SupportPlane
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.parse.room import Room, _alone, find_room
from r2rgen_ros.parse.scene import build_scene, survey
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.record import act, write

SLOWER = 400
SHIFT = np.array([0.0, 0.0, 0.05, 1.0])


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    """The bottle put onto the plate, recorded from the wrist at 5 Hz, and the truth."""
    folder = tmp_path_factory.mktemp('wrist') / 'demo'
    wrist = load_camera('panda_wrist')
    write(act('place-bottle', 0, camera_every=SLOWER, camera=wrist), folder)
    return load_demo(folder), GroundTruth.load(folder), folder


@pytest.fixture(scope='module')
def ground(recorded):
    return survey(recorded[0])


def middle_of(mask):
    """A pixel (u, v) in the middle of a mask (H, W)."""
    v, u = np.nonzero(mask)
    return float(np.median(u)), float(np.median(v))


@pytest.fixture(scope='module')
def scene(recorded, ground):
    """Parsed from one click per object in the frame that shows most of it at rest."""
    _, truth, folder = recorded
    notes = []
    for k, name in enumerate(truth.names):
        mask = truth.labels == FIRST_OBJECT + k
        sizes = np.where(
            truth.held[k].any() & (truth.stamps > truth.stamps[12]), 0, mask.sum(axis=(1, 2))
        )
        frame = int(sizes.argmax())
        notes.append(ObjectNote(name, Prompt(frame, pixel=middle_of(mask[frame]))))
    proposed = propose(ground, folder, notes)
    return build_scene(ground, replace(proposed, skills=truth.skills), folder)


def test_the_room_is_where_it_is_and_holds_neither_robot_nor_what_was_taken_away(
    recorded, ground, scene
):
    truth = recorded[1]
    assert isinstance(ground.background, Room)
    assert np.rad2deg(np.arccos(ground.support.normal[2])) < 0.1
    assert abs(ground.support.offset) < 0.001
    points = scene.environment.points.astype(np.float64)
    # There is nothing above the table but the robot's base and its wall: and these are far.
    table = points[np.abs(points[:, 1]) < 0.5]
    table = table[table[:, 0] > 0.2]
    assert np.quantile(np.abs(table[:, 2]), 0.99) < 0.003
    for k in range(len(truth.names)):
        start = truth.object2base[k, 0, :3, 3]
        around = np.linalg.norm(points[:, :2] - start[:2], axis=1) < 0.03
        assert around.any()  # the table goes on below it
        assert np.abs(points[around, 2]).max() < 0.006


def test_objects_are_followed_by_a_camera_that_moves(recorded, scene):
    truth = recorded[1]
    for k, item in enumerate(scene.objects):
        moved, true = (x @ se3.inverse(x[0]) for x in (item.object2base, truth.object2base[k]))
        centre = truth.object2base[k, 0] @ SHIFT
        error = np.linalg.norm(((moved - true) @ centre)[:, :3], axis=1)
        print(item.name, f'{1e3 * np.median(error):.2f} mm, at most {1e3 * error.max():.2f} mm')
        assert np.median(error) < 0.002
        assert error.max() < 0.005
        assert item.is_trusted.all()


def overlaps(scene, truth, k):
    """Overlap of an object's mask with the true one, of the frames that show much of it."""
    out = []
    for mine, true in zip(scene.labels, truth.labels, strict=True):
        a, b = mine == FIRST_OBJECT + k, true == FIRST_OBJECT + k
        if b.sum() > 1000:
            out.append((a & b).sum() / (a | b).sum())
    return out


def test_labels_of_moving_images_are_those_of_the_truth(recorded, scene):
    truth = recorded[1]
    for k in range(len(scene.objects)):
        assert np.median(overlaps(scene, truth, k)) > 0.9
    right = [
        np.mean((a == ENVIRONMENT) == (b == ENVIRONMENT))
        for a, b in zip(scene.labels, truth.labels, strict=True)
    ]
    assert min(right) > 0.95


def test_what_a_wrist_only_sees_on_its_way_is_proposed_too(recorded, ground):
    _, truth, folder = recorded

    found = propose(ground, folder)

    starts = {name: truth.object2base[k, 0, :2, 3] for k, name in enumerate(truth.names)}
    near = [
        min(starts, key=lambda name: np.linalg.norm(starts[name] - note.prompt.point[:2]))
        for note in found.objects
    ]
    assert near == ['plate', 'bottle']
    assert [note.prompt.frame > 0 for note in found.objects] == [False, True]
    named = dict(zip([note.name for note in found.objects], near, strict=True))
    skills = [([named[x] for x in s.targets], [named[x] for x in s.in_hand]) for s in found.skills]
    assert skills == [(['bottle'], []), (['plate'], ['bottle'])]
    assert not found.notes


def test_a_click_on_a_corner_at_the_rim_of_an_image_is_for_the_whole_object(recorded, ground):
    _, truth, folder = recorded
    corner = truth.labels[0] == FIRST_OBJECT
    assert corner[0].any()
    assert corner.sum() < 0.02 * (truth.labels == FIRST_OBJECT).sum(axis=(1, 2)).max()
    notes = [
        ObjectNote('bottle', Prompt(0, pixel=middle_of(corner))),
        ObjectNote('plate', Prompt(0, pixel=middle_of(truth.labels[0] == FIRST_OBJECT + 1))),
    ]
    proposed = propose(ground, folder, notes)
    scene = build_scene(ground, replace(proposed, skills=truth.skills), folder)

    assert np.median(overlaps(scene, truth, 0)) > 0.9
    assert np.median(overlaps(scene, truth, 1)) > 0.9
    assert not [said for said in scene.warnings if 'neither robot nor object' in said]


def test_the_identity_rendered_for_the_wrist_is_what_the_wrist_saw(scene):
    from r2rgen_ros.generate.assemble import Assembler
    from r2rgen_ros.generate.sampling import Sampler

    config = GenerateConfig()
    episode = Assembler.create(scene, config).assemble(
        Sampler.create(scene, config, 0).from_moves(0, {})
    )
    composer = make_composer(scene, config, robot_of(scene.demo))
    shares = []
    for number, frame in enumerate(composer.frames(episode)):
        if number % 5 == 0:
            depth = scene.demo.frames[number].depth
            near = np.abs(frame.depth - depth) < 0.003
            shares.append(near[np.isfinite(depth)].mean())
    print(f'within 3 mm: {np.mean(shares):.4f}, at worst {np.min(shares):.4f}')
    assert np.mean(shares) > 0.97


def test_the_link_that_carries_the_camera_is_found(recorded):
    demo = recorded[0]
    found = own_camera(demo, robot_of(demo))

    assert found.mount == 'panda_hand_tcp'
    poses = demo.arms[0].ee2base @ found.camera2mount
    assert np.abs(poses - demo.sensor.camera2base).max() < 1e-3


def test_a_camera_that_moves_by_itself_is_refused(recorded, scene):
    demo = recorded[0]
    poses = demo.sensor.camera2base.copy()
    poses[:, 0, 3] += np.linspace(0.0, 0.3, len(poses))
    loose = replace(demo, sensor=replace(demo.sensor, camera2base=poses))
    with pytest.raises(R2RGenError, match='moves, but with no link'):
        own_camera(loose, robot_of(loose))
    with pytest.raises(R2RGenError, match='camera step is off'):
        make_composer(scene, GenerateConfig(camera=CameraConfig(mode='off')), None)


def test_a_moving_camera_without_the_robots_surface_is_refused(recorded):
    demo = recorded[0]
    with pytest.raises(R2RGenError, match='surface of the robot is not known'):
        survey(replace(demo, robot_description=None))
    with pytest.raises(R2RGenError, match='surface of the robot is not known'):
        find_room(replace(demo, joints=None), None)


TABLE = [200.0, 150.0, 100.0]
PLANE = SupportPlane(
    np.array([0.0, 0.0, 1.0]),
    0.0,
    0.2 * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]),
)


def block_on_table(hidden=0.0):
    """A cloud of a block on a table, of which so much around the block was not seen; the block."""
    side = np.arange(-0.2, 0.2, 0.004)
    x, y = (part.reshape(-1) for part in np.meshgrid(side, side))
    flat = np.stack([x, y, np.zeros_like(x)], axis=1)
    aside = np.maximum(np.abs(x), np.abs(y))
    block = np.concatenate(
        [flat[aside < 0.03] + [0.0, 0.0, h] for h in np.arange(0.004, 0.06, 0.004)]
    )
    seen = flat[aside > 0.03 + hidden]
    colours = np.concatenate([np.tile(TABLE, (len(seen), 1)), np.zeros_like(block)])
    return Cloud.from_arrays(np.concatenate([seen, block]), colours), block


@pytest.mark.parametrize('hidden', [0.0, 0.016])
def test_what_is_taken_out_of_a_room_leaves_the_plane_in_the_colours_around_it(recorded, hidden):
    cloud, block = block_on_table(hidden)

    # Only a half of the block is known; all of it hangs together.
    left = Room(cloud, recorded[0].sensor).without([block[block[:, 0] < 0.0]], PLANE).cloud

    assert np.abs(left.points[:, 2]).max() < 0.001
    middle = np.abs(left.points[:, :2]).max(axis=1) < 0.025
    assert middle.sum() > 100
    assert np.abs(left.colours[middle].astype(int) - TABLE).max() <= 1
    everywhere = np.stack(np.meshgrid(*2 * [np.arange(-0.1, 0.1, 0.002)]), axis=-1).reshape(-1, 2)
    assert cKDTree(left.points[:, :2]).query(everywhere)[0].max() < 0.006


def patch(x, y, z, count=(5, 5)):
    """Points of a small surface at a height."""
    side = [0.004 * np.arange(n) for n in count]
    u, v = (part.reshape(-1) for part in np.meshgrid(*side))
    return np.stack([x + u, y + v, np.full(len(u), z)], axis=1)


def test_what_is_left_of_a_foot_goes_with_its_thing_and_other_things_stay(recorded):
    cloud, block = block_on_table()
    rim, screw = patch(-0.01, 0.043, 0.008), patch(0.1, 0.1, 0.008)
    carried = block + np.array([0.1, 0.1, 0.15])
    wall = patch(-0.05, -0.09, 0.03, (30, 10))
    more = np.concatenate([rim, screw, wall])
    shown = Cloud.from_arrays(
        np.concatenate([cloud.points, more]), np.concatenate([cloud.colours, 0 * more])
    )

    left = Room(shown, recorded[0].sensor).without([block, carried], PLANE).cloud.points

    high = left[left[:, 2] > 0.004]
    assert len(high) == len(screw) + len(wall)
    assert cKDTree(high).query(np.concatenate([screw, wall]))[0].max() < 1e-6


def test_a_point_alone_is_no_surface():
    alone = [[0.0, 0.0, 0.3], [0.01, 0.0, 0.3], [0.0, 0.0, 0.06]]
    line = np.stack([np.arange(0.5, 0.7, 0.006), np.zeros(34), np.zeros(34)], axis=1)
    cloud = Cloud.from_arrays(np.concatenate([alone, patch(0, 0, 0), line]))

    assert _alone(cloud).tolist() == 3 * [True] + 59 * [False]


def test_a_room_without_a_thing_looks_as_if_it_had_never_been_there(recorded):
    sensor = recorded[0].sensor
    down = se3.compose(np.diag([1.0, -1.0, -1.0]), [0.0, 0.0, 0.5])
    sensor = replace(sensor, camera2base=np.tile(down, (len(sensor.camera2base), 1, 1)))
    cloud, block = block_on_table()

    left = Room(cloud, sensor).without([block], PLANE)

    # Without the support there is nothing but its own points that could close a hole.
    left, afresh = replace(left, support=None, _seen={}), Room(left.cloud, sensor)
    assert np.array_equal(np.isnan(left.at(0)), np.isnan(afresh.at(0)))
    assert np.nanmax(np.abs(left.at(0) - afresh.at(0))) < 1e-4
    v, u = int(sensor.camera.cy), int(sensor.camera.cx)
    assert left.at(0)[v - 20 : v + 20, u - 20 : u + 20] == pytest.approx(0.5, abs=1e-4)


def test_the_same_view_is_drawn_once(recorded):
    sensor = recorded[0].sensor
    poses = sensor.camera2base.copy()
    poses[1:4] = poses[0]
    poses[2, :3, 3] += 1e-9  # as transforms are interpolated
    poses[3, :3, 3] += 0.01
    room = Room(block_on_table()[0], replace(sensor, camera2base=poses))

    assert room.at(1) is room.at(0)
    assert room.at(2) is room.at(0)
    assert room.at(3) is not room.at(0)
