# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.demo import Frame, Sensor
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.background import Background, _bridged, complete_behind, find_background

TABLE_GREY, MOVER_RED = np.array([90, 90, 90], np.uint8), np.array([200, 0, 0], np.uint8)


def paint(owner):
    colour = np.tile(TABLE_GREY, (*owner.shape, 1))
    colour[owner == 0] = MOVER_RED
    return colour


def sweep(table, count=12, still=()):
    """A box that crosses the table in front of a still camera."""
    frames = []
    for x in np.linspace(-0.5, 0.5, count):
        mover = ((x - 0.06, -0.1, 0.02), (x + 0.06, 0.1, 0.2))
        depth, owner = table.draw(table.camera, table.pose, [mover, *still])
        frames.append(Frame(depth, paint(owner)))
    return frames


def test_what_moves_is_not_in_the_background(table):
    found = find_background(table.make_demo(sweep(table)))
    truth, _ = table.draw(table.camera, table.pose, [])
    assert np.allclose(found.depth, truth, atol=1e-5)
    assert (found.colour == TABLE_GREY).all()


@pytest.mark.parametrize(('lit', 'shade', 'kept'), [(4, 0.6, 90), (1, 0.6, 54), (4, 0.95, 86)])
def test_a_shadow_that_falls_on_a_place_most_of_the_time_is_not_in_its_colour(
    table, lit, shade, kept
):
    frames = []
    for k, frame in enumerate(sweep(table)):
        colour = paint(np.ones(frame.depth.shape, dtype=int))
        if k >= lit:
            colour[10:14, 20:25] = (shade * TABLE_GREY).astype(np.uint8)
        depth, _ = table.draw(table.camera, table.pose, [])
        frames.append(Frame(depth, colour))

    found = find_background(table.make_demo(frames))

    # Once is a reflection, and a little darker is the noise of the colours.
    assert found.colour[10:14, 20:25, 0] == pytest.approx(kept, abs=1)
    assert (found.colour[:10] == TABLE_GREY).all()


def test_the_colour_of_something_else_beside_an_edge_is_no_light(table):
    depth, _ = table.draw(table.camera, table.pose, [])
    frames = []
    for k in range(12):
        colour = paint(np.ones(depth.shape, dtype=int))
        if k < 5:
            colour[10:14, 20:25] = (80, 120, 220)  # brighter, but blue
        frames.append(Frame(depth, colour))

    assert (find_background(table.make_demo(frames)).colour == TABLE_GREY).all()


def test_what_stands_still_stays_in_the_background(table):
    still = ((0.1, 0.15, 0.0), (0.2, 0.25, 0.05))
    found = find_background(table.make_demo(sweep(table, still=[still])))
    truth, _ = table.draw(table.camera, table.pose, [still])
    assert np.allclose(found.depth, truth, atol=1e-5)


def test_noise_is_averaged_and_single_far_readings_are_not_believed(table):
    rng = np.random.default_rng(0)
    truth, _ = table.draw(table.camera, table.pose, [])
    frames = []
    for frame in sweep(table, 40):
        noisy = frame.depth + rng.normal(0, 0.001, truth.shape).astype(np.float32)
        noisy[rng.random(truth.shape) < 0.002] += 0.3
        frames.append(replace(frame, depth=noisy))
    found = find_background(table.make_demo(frames))
    error = found.depth - truth
    assert np.median(np.abs(error)) < 0.0005
    assert (np.abs(error) < 0.005).mean() > 0.99


def test_a_hole_stays_a_hole_but_keeps_its_colour(table):
    frames = []
    for frame in sweep(table):
        depth = frame.depth.copy()
        depth[10:14, 20:25] = np.nan
        frames.append(replace(frame, depth=depth))
    found = find_background(table.make_demo(frames))
    hole = np.isnan(found.depth)
    assert hole[10:14, 20:25].all()
    assert hole.sum() == 20
    assert (found.colour[hole] == TABLE_GREY).all()


class Masks:
    """Knows where the robot is from the truth, as RobotView does from its joints."""

    tolerance = None

    def __init__(self, masks):
        self.masks = masks

    def mask(self, index, depth):
        del depth
        return self.masks[index]

    def drawing(self, index):
        return SimpleNamespace(depth=np.where(self.masks[index], 0.5, np.nan))


@pytest.mark.parametrize(('frames_covered', 'hidden'), [(12, 20), (9, 20), (2, 0)])
def test_what_the_robot_passes_before_a_backdrop_without_depth_is_not_hidden_by_it(
    table, frames_covered, hidden
):
    truth, _ = table.draw(table.camera, table.pose, [])
    frames, masks = [], []
    for k in range(12):
        depth, mask = truth.copy(), np.zeros(truth.shape, dtype=bool)
        mask[10:14, 20:25] = k < frames_covered
        depth[10:14, 20:25] = np.nan
        depth[mask] = 0.5
        frames.append(Frame(depth, None))
        masks.append(mask)

    found = find_background(table.make_demo(frames), Masks(masks))

    assert np.isnan(found.depth[10:14, 20:25]).all()
    assert found.hidden[10:14, 20:25].all() == (hidden > 0)
    assert found.hidden.sum() == hidden


def test_a_backdrop_without_depth_has_none_of_the_colours_of_the_robot_before_it(table):
    truth, _ = table.draw(table.camera, table.pose, [])
    frames, masks = [], []
    for k in range(12):
        depth, mask = truth.copy(), np.zeros(truth.shape, dtype=bool)
        mask[10:14, 20:25] = k < 8
        depth[10:14, 20:25] = np.nan
        depth[mask] = 0.5
        frames.append(Frame(depth, paint(np.where(mask, 0, -1))))
        masks.append(mask)

    found = find_background(table.make_demo(frames), Masks(masks))

    assert (found.colour == TABLE_GREY).all()


def test_depth_alone_gives_a_grey_background(table):
    frames = [replace(frame, colour=None) for frame in sweep(table)]
    assert (find_background(table.make_demo(frames)).colour == 128).all()


def test_a_camera_that_moves_has_no_background(table):
    demo = table.make_demo(sweep(table))
    poses = demo.sensor.camera2base.copy()
    poses[3:, 0, 3] += 0.01
    moving = replace(demo, sensor=Sensor('camera', table.camera, poses))
    with pytest.raises(R2RGenError, match='camera of "table" moves'):
        find_background(moving)


def test_behind_a_still_object_lies_the_support_plane(table):
    still = ((-0.1, -0.1, 0.0), (0.05, 0.05, 0.08))
    demo = table.make_demo(sweep(table, still=[still]))
    _, owner = table.draw(table.camera, table.pose, [still])
    covered = owner == 0
    found = complete_behind(demo, find_background(demo), covered, table.support)
    truth, _ = table.draw(table.camera, table.pose, [])
    assert np.allclose(found.depth, truth, atol=1e-5)
    assert (found.colour[covered] == TABLE_GREY).all()


def test_holes_of_the_table_are_closed_and_others_stay_open(table):
    frames = []
    for frame in sweep(table):
        depth = frame.depth.copy()
        depth[100:120, 60:90] = depth[180:200, :] = np.nan
        frames.append(replace(frame, depth=depth))
    demo = table.make_demo(frames)
    truth, _ = table.draw(table.camera, table.pose, [])
    nothing = np.zeros(truth.shape, dtype=bool)
    background = find_background(demo)
    found = complete_behind(demo, background, nothing, table.support)
    assert np.allclose(found.depth, truth, atol=1e-5)
    assert np.array_equal(found.colour, background.colour)
    short = replace(table.support, outline=table.support.outline * [1.0, 0.2, 1.0])
    found = complete_behind(demo, background, nothing, short)
    assert np.allclose(found.depth[100:120, 60:90], truth[100:120, 60:90], atol=1e-5)
    assert np.isnan(found.depth[180:200]).all()


def test_behind_an_object_the_table_is_bent_as_the_camera_bends_it_around(table):
    still = ((-0.06, -0.06, 0.0), (0.0, 0.0, 0.05))
    off = 0.004 * np.cos(np.arange(table.camera.width) / 40.0)  # of the inverse depth, 1/m
    frames = [
        replace(frame, depth=(1.0 / (1.0 / frame.depth + off)).astype(np.float32))
        for frame in sweep(table, still=[still])
    ]
    demo = table.make_demo(frames)
    covered = table.draw(table.camera, table.pose, [still])[1] == 0
    found = complete_behind(demo, find_background(demo), covered, table.support)
    flat, _ = table.draw(table.camera, table.pose, [])
    seen = 1.0 / (1.0 / flat + off)
    error, without = (np.abs(depth - seen)[covered] for depth in (found.depth, flat))
    assert np.median(without) > 0.001
    assert np.median(error) < 0.5 * np.median(without)


def test_beyond_the_outline_what_is_around_goes_on_behind_an_object(table):
    still = ((-0.1, -0.1, 0.0), (0.05, 0.05, 0.08))
    demo = table.make_demo(sweep(table, still=[still]))
    _, owner = table.draw(table.camera, table.pose, [still])
    small = replace(table.support, outline=table.support.outline * [0.02, 1.0, 1.0])
    found = complete_behind(demo, find_background(demo), owner == 0, small)
    truth, _ = table.draw(table.camera, table.pose, [])
    assert np.isfinite(found.depth).all()
    assert np.allclose(found.depth, truth, atol=1e-4)


@pytest.mark.parametrize(('above', 'below', 'half'), [(20, 10, 8), (24, 4, 60), (4, 24, 60)])
def test_what_hides_a_backdrop_without_depth_leaves_no_surface_there(table, above, below, half):
    depth, _ = table.draw(table.camera, table.pose, [])
    small = replace(table.support, outline=table.support.outline * 0.3)
    points = se3.apply(table.pose, table.camera.unproject(depth).reshape(-1, 3))
    inside = (np.abs(points[:, :2]) < np.abs(small.outline[:, :2]).max(axis=0)).all(axis=1)
    inside = inside.reshape(depth.shape)
    truth = np.where(inside, depth, np.float32(np.nan))
    colour = np.where(inside[..., None], TABLE_GREY, MOVER_RED).astype(np.uint8)
    rows, columns = np.nonzero(inside)
    top, middle = rows.min(), int(np.median(columns))
    covered = np.zeros(depth.shape, dtype=bool)
    covered[top - above : top + below, middle - half : middle + half] = True
    blue = np.where(covered[..., None], np.uint8([0, 0, 200]), colour)
    shown = Background(np.where(covered, np.float32(0.3), truth), blue)

    found = complete_behind(table.make_demo([Frame(truth, colour)] * 2), shown, covered, small)

    beyond = covered & ~binary_dilation(inside, iterations=2)
    assert beyond.sum() > 200
    assert np.isnan(found.depth[beyond]).all()
    assert (found.colour[beyond] == MOVER_RED).all()
    assert np.allclose(found.depth[covered & inside], truth[covered & inside], atol=1e-4)
    assert (
        found.colour[covered & inside & (np.indices(depth.shape)[0] > top + 3)] == TABLE_GREY
    ).all()


def test_an_object_that_fills_the_image_leaves_only_the_plane(table):
    demo = table.make_demo(sweep(table))
    background = find_background(demo)
    everything = np.ones(background.depth.shape, dtype=bool)
    wide = replace(table.support, outline=table.support.outline * 10)
    found = complete_behind(demo, background, everything, wide)
    truth, _ = table.draw(table.camera, table.pose, [])
    assert np.allclose(found.depth, truth, atol=1e-5)


def tilted(camera):
    """Depth (H, W) of a plane that is seen at a slant."""
    return 1.0 / (camera.rays() @ np.array([0.3, -0.5, 1.1]))


def test_a_plane_goes_on_through_its_holes():
    camera = PinholeCamera(60, 44, 50.0, 50.0, 29.5, 21.5)
    truth = tilted(camera).astype(np.float32)
    rng = np.random.default_rng(0)
    seeds = rng.random(truth.shape) < 0.004
    seeds[:, :4] = seeds[:, -4:] = seeds[:4] = seeds[-4:] = False
    holes = binary_dilation(seeds, iterations=3)
    assert 0.05 < holes.mean() < 0.9
    found = _bridged(np.where(holes, np.float32(np.nan), truth), holes)
    assert np.abs(found - truth).max() < 1e-6
    assert np.array_equal(found[~holes], truth[~holes])
    # Where the image ends no rim is known on that side: what is filled in is near the plane.
    holes[20:30, :7] = True
    assert np.abs(_bridged(np.where(holes, np.float32(np.nan), truth), holes) - truth).max() < 0.05


def test_a_hole_without_rim_stays_open():
    depth = np.full((20, 30), 0.8, dtype=np.float32)
    everything = np.ones(depth.shape, dtype=bool)
    assert np.isnan(_bridged(depth, everything)).all()
    depth[:, :10] = np.nan
    depth[:, 10:14] = np.nan
    apart = np.zeros_like(everything)
    apart[5:9, 2:6] = True  # amid what is not known either
    apart[5:9, 20:24] = True
    found = _bridged(depth, apart)
    assert np.isnan(found[:, :14]).all()
    assert np.allclose(found[:, 14:], 0.8)
    assert np.array_equal(_bridged(depth, np.zeros_like(apart)), depth, equal_nan=True)
