# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Empty captures as real bags, taken of the table whose truth is known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.images import encode_colour, encode_depth
from r2rgen_ros.bags.writer import LATCHED_TF, SENSOR, TF, BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.background import find_background
from r2rgen_ros.parse.empty_capture import empty_background, with_empty

START, PERIOD = 1_700_000_000_000_000_000, 100_000_000
TABLE, BOX = (90, 90, 90), (200, 0, 0)
STILL = ((0.0, -0.05, 0.0), (0.1, 0.05, 0.08))
NOISE_M = 0.001


def write_bag(folder, images, camera, *, frame='camera', pose=None, hand=False, cloud=False):
    """A bag of depth and colour images; with the camera's pose and a moving hand if asked."""
    topics = {
        '/camera/depth/image_raw': (messages.IMAGE, SENSOR),
        '/camera/color/image_raw': (messages.IMAGE, SENSOR),
        '/camera/depth/camera_info': (messages.CAMERA_INFO, SENSOR),
    }
    if pose is not None:
        topics['/tf_static'] = (messages.TF, LATCHED_TF)
    if hand:
        topics['/tf'] = (messages.TF, TF)
    with BagWriter(folder) as bag:
        for name, (kind, profile) in topics.items():
            bag.add_topic(name, kind, profile)
        if pose is not None:
            fixed = messages.transform_matrix(START, 'base', frame, pose)
            bag.write('/tf_static', START, messages.tf_message([fixed]))
        for number, depth in enumerate(images):
            at = START + number * PERIOD
            colour = np.tile(np.array(TABLE, np.uint8), (*depth.shape, 1))
            out = {
                '/camera/depth/image_raw': encode_depth(depth, '32FC1', frame, at),
                '/camera/color/image_raw': encode_colour(colour, 'rgb8', frame, at),
                '/camera/depth/camera_info': messages.camera_info(at, frame, camera),
            }
            if hand:
                place = se3.compose(np.eye(3), [0.0, 0.01 * number, 1.0])
                link = messages.transform_matrix(at, 'base', 'tool', place)
                out['/tf'] = messages.tf_message([link])
            for name, message in out.items():
                bag.write(name, at, message)
    return folder


def noisy(depth, count):
    """Depth images of a still scene, with the noise of a sensor."""
    rng = np.random.default_rng(np.random.SeedSequence([7]))
    return [depth + rng.normal(0.0, NOISE_M, depth.shape).astype(np.float32) for _ in range(count)]


@pytest.fixture
def truth(table):
    """Depth (H, W) of the table with nothing on it."""
    return table.draw(table.camera, table.pose, [])[0]


@pytest.fixture
def demo(table):
    """A box stands on the table in every frame."""
    depth, owner = table.draw(table.camera, table.pose, [STILL])
    colour = np.where((owner == 0)[..., None], np.uint8(BOX), np.uint8(TABLE)).astype(np.uint8)
    return table.make_demo([Frame(depth, colour)] * 4)


def test_images_of_the_camera_alone_are_averaged(demo, truth, table, tmp_path):
    bag = write_bag(tmp_path / 'empty', noisy(truth, 25), table.camera)
    found = empty_background(bag, demo)
    assert np.sqrt(np.mean((found.depth - truth) ** 2)) < 0.5 * NOISE_M
    assert 0.5 * NOISE_M < found.noise * np.median(truth) ** 2 < 1.5 * NOISE_M
    assert (found.colour == TABLE).all()


def test_what_never_moves_is_seen_through(demo, truth, table, tmp_path):
    own = find_background(demo)
    assert np.abs(own.depth - truth).max() > 0.05
    whole = with_empty(
        own, empty_background(write_bag(tmp_path / 'e', [truth], table.camera), demo)
    )
    np.testing.assert_allclose(whole.depth, truth, atol=1e-5)
    assert (whole.colour == TABLE).all()


@pytest.mark.parametrize('hand', [False, True])
def test_the_robot_may_be_recorded_with_it(demo, truth, table, tmp_path, hand):
    bag = write_bag(tmp_path / 'e', [truth] * 3, table.camera, pose=table.pose, hand=hand)
    np.testing.assert_allclose(empty_background(bag, demo).depth, truth, atol=1e-5)
    assert empty_background(tmp_path, demo).depth.shape == truth.shape


def test_holes_of_the_capture_are_what_the_demonstration_saw(demo, truth, table, tmp_path):
    holes = truth.copy()
    holes[:, :40] = np.nan
    empty = empty_background(write_bag(tmp_path / 'e', [holes] * 3, table.camera), demo)
    assert np.isnan(empty.depth[:, :40]).all()
    whole = with_empty(find_background(demo), empty)
    np.testing.assert_allclose(whole.depth, truth, atol=1e-5)


def test_what_the_demonstration_sees_past_is_no_part_of_the_scene(demo, truth, table, tmp_path):
    left_behind = ((-0.4, -0.2, 0.0), (-0.3, -0.1, 0.1))
    capture, _ = table.draw(table.camera, table.pose, [left_behind])
    empty = empty_background(write_bag(tmp_path / 'e', [capture] * 3, table.camera), demo)
    whole = with_empty(find_background(demo), empty)
    high = np.abs(capture - truth) > 0.011
    assert np.abs(whole.depth - truth)[high].max() < 1e-5
    assert np.abs(whole.depth - truth).max() < 0.011


def test_the_camera_is_told_by_its_frame(demo, truth, table, tmp_path):
    """Of two cameras in the capture, the demonstration's is taken."""
    bag = tmp_path / 'e'
    with BagWriter(bag) as out:
        for name in ('front', 'side'):
            out.add_topic(f'/{name}/depth', messages.IMAGE, SENSOR)
            out.add_topic(f'/{name}/camera_info', messages.CAMERA_INFO, SENSOR)
        for number in range(2):
            at = START + number * PERIOD
            for name, frame, depth in (('front', 'other', truth + 0.5), ('side', 'camera', truth)):
                out.write(f'/{name}/depth', at, encode_depth(depth, '32FC1', frame, at))
                info = messages.camera_info(at, frame, table.camera)
                out.write(f'/{name}/camera_info', at, info)
    np.testing.assert_allclose(empty_background(bag, demo).depth, truth, atol=1e-5)


def _moved(pose, metres=0.0, degrees=0.0):
    turn = se3.rotation_about([0.0, 0.0, 1.0], np.radians(degrees))
    return se3.compose(turn, [metres, 0.0, 0.0]) @ pose


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'camera': PinholeCamera(320, 240, 303.0, 300.0, 159.5, 119.5)}, 'differs by 3.0 pixels'),
        ({'size': 2}, 'its images are 160 x 120 pixels rather than 320 x 240'),
        ({'pose': (0.05, 0.0)}, 'its camera stands 50.0 mm and 0.00 degrees away'),
        ({'pose': (0.05, 0.0), 'hand': True}, 'its camera stands 50.0 mm'),
        ({'pose': (0.0, 1.0)}, '1.00 degrees away'),
    ],
)
def test_another_camera_is_refused_in_one_line(demo, truth, table, tmp_path, change, words):
    depth, camera = truth, change.get('camera', table.camera)
    if 'size' in change:
        depth, camera = truth[1::2, 1::2], camera.thinned(2)
    pose = _moved(table.pose, *change['pose']) if 'pose' in change else None
    bag = write_bag(tmp_path / 'e', [depth] * 3, camera, pose=pose, hand=change.get('hand', False))
    with pytest.raises(R2RGenError, match=words) as caught:
        empty_background(bag, demo)
    assert 'is not of the camera of "table"' in str(caught.value)
    assert 'empty_capture' in caught.value.fix
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('change', [(0.001, 0.0), (0.0, 0.1), (0.0, 0.0)])
def test_noise_of_the_calibration_is_another_place_of_no_camera(
    demo, truth, table, tmp_path, change
):
    pose = _moved(table.pose, *change)
    bag = write_bag(tmp_path / 'e', [truth] * 2, table.camera, pose=pose)
    assert np.isfinite(empty_background(bag, demo).depth).all()


def test_another_scene_is_refused(demo, truth, table, tmp_path):
    bag = write_bag(tmp_path / 'e', [truth - 0.2] * 2, table.camera)
    with pytest.raises(R2RGenError, match='shows another scene: 0 % of its pixels'):
        with_empty(find_background(demo), empty_background(bag, demo))


def test_what_is_no_capture_is_refused(demo, truth, table, tmp_path):
    with BagWriter(tmp_path / 'info') as bag:
        bag.add_topic('/camera_info', messages.CAMERA_INFO, SENSOR)
        info = messages.camera_info(START, 'camera', table.camera)
        bag.write('/camera_info', START, info)
    with pytest.raises(R2RGenError, match='holds no depth images'):
        empty_background(tmp_path / 'info', demo)
    with pytest.raises(R2RGenError, match='nowhere'):
        empty_background(tmp_path / 'nowhere', demo)
    bag = write_bag(tmp_path / 'empty', [truth] * 2, table.camera)
    clouds = replace(demo, frames=[table.cloud_frame(np.zeros((3, 3)))] * len(demo))
    with pytest.raises(R2RGenError, match='holds clouds'):
        empty_background(bag, clouds)
