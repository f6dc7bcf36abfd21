# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Boxes on a table before a camera that passes by, the first at the rim of the first image."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.parse.beyond import with_what_lies_beyond
from r2rgen_ros.parse.room import Room

COUNT = 30
BOX = ((0.05, -0.04, 0.0), (0.13, 0.04, 0.06))
LOW, HIGH, TOP = np.array([[0.02, 0.02, 0.0], [0.02, 0.02, 0.006], [0.0, 0.0, 0.08]])
FREE = np.full(COUNT, -1, dtype=np.int8)


def staged(table, boxes_at, hand_at=None, spoil=None):
    """A survey of what a camera sees that looks down and moves along x past the boxes."""
    down = np.diag([1.0, -1.0, -1.0])
    poses = np.stack([se3.compose(down, [x, 0.0, 0.5]) for x in np.linspace(-0.2, 0.15, COUNT)])
    frames, owners = [], []
    for t, pose in enumerate(poses):
        depth, owner = table.draw(table.camera, pose, boxes_at(t))
        frames.append(Frame(depth=depth if spoil is None else spoil(depth)))
        owners.append(owner)
    hands = np.tile(se3.compose(np.eye(3), [0.0, 0.0, 1.0]), (COUNT, 1, 1))
    if hand_at is not None:
        hands[:, :3, 3] = [hand_at(t) for t in range(COUNT)]
    demo = table.make_demo(frames, ee2base=hands)
    demo = replace(demo, sensor=replace(demo.sensor, camera2base=poses))
    nobody = SimpleNamespace(
        mask=lambda frame, depth: np.zeros(depth.shape, dtype=bool),
        drawing=lambda frame: SimpleNamespace(depth=np.full(owners[0].shape, np.nan)),
    )
    room = Room(Cloud.empty(), demo.sensor, 0.0005)
    ground = SimpleNamespace(demo=demo, view=nobody, background=room, support=table.support)
    return ground, owners


def chosen_in(ground, owners, frame, k):
    """Pixels of a box in a frame, and their points."""
    pixels = np.flatnonzero((owners[frame] == k).reshape(-1))
    sensor, depth = ground.demo.sensor, ground.demo.frames[frame].depth
    points = se3.apply(sensor.camera2base[frame], sensor.camera.unproject(depth).reshape(-1, 3))
    known = np.isfinite(points[pixels, 0])
    return pixels[known], points[pixels[known]]


def found(ground, owners, held=(FREE,), frames=(0,)):
    both = [chosen_in(ground, owners, frame, k) for k, frame in enumerate(frames)]
    pixels, seeds = zip(*both, strict=True)
    whole = with_what_lies_beyond(ground, frames, pixels, seeds, held)
    return seeds, whole


def is_whole(points, box=BOX):
    """Whether points reach from side to side of a box, and not beyond it."""
    low, high = points.min(axis=0), points.max(axis=0)
    reaches = (np.abs(low - box[0])[:2] < 0.006).all() and (np.abs(high - box[1]) < 0.006).all()
    return bool(reaches and low[2] > 0.0)


def test_what_is_cut_off_by_the_rim_is_completed_from_other_frames(table):
    ground, owners = staged(table, lambda t: [BOX])
    (seed,), ((points, frames),) = found(ground, owners)
    assert seed[:, 0].max() < 0.1
    assert is_whole(points)
    assert 0 in frames
    assert len(frames) > 5


def test_a_band_without_depth_is_a_rim_as_well(table):
    def narrowed(depth):
        depth[:, -6:] = np.nan
        return depth

    ground, owners = staged(table, lambda t: [BOX], spoil=narrowed)
    _, ((points, _),) = found(ground, owners)
    assert is_whole(points)


def test_what_is_seen_whole_stays_as_it_was_chosen(table):
    ground, owners = staged(table, lambda t: [BOX])
    (seed,), ((points, frames),) = found(ground, owners, frames=(COUNT - 8,))
    assert np.array_equal(points, seed)
    assert frames == []


def test_what_is_in_a_hand_stays_as_it_was_chosen(table):
    ground, owners = staged(table, lambda t: [BOX])
    (seed,), ((points, frames),) = found(ground, owners, held=(np.zeros(COUNT, dtype=np.int8),))
    assert np.array_equal(points, seed)
    assert frames == []


@pytest.mark.parametrize('gap', [0.0, 0.03])
def test_what_stands_beside_it_is_none_of_it(table, gap):
    beside = ((0.05, -0.13 - gap, 0.0), (0.13, -0.04 - gap, 0.06))
    ground, owners = staged(table, lambda t: [BOX, beside])
    _, ((points, _), _) = found(ground, owners, held=(FREE, FREE), frames=(0, 0))
    assert points[:, 1].min() > -0.05
    if gap:
        assert is_whole(points)


def test_what_is_carried_onto_it_is_none_of_it(table):
    arrives = COUNT * 2 // 3
    start, end = np.array([-0.5, 0.25, 0.1]), np.array([0.09, 0.0, 0.062])

    def place(t):
        return start + min(t / arrives, 1.0) * (end - start)

    def boxes(t):
        return [BOX, (place(t) - LOW, place(t) + HIGH)]

    held = np.where(np.arange(COUNT) <= arrives, 0, -1).astype(np.int8)
    ground, owners = staged(table, boxes, hand_at=lambda t: place(t) + TOP)
    pixels, seed = chosen_in(ground, owners, 0, 0)
    carried = np.array([place(0)] * 20)
    ((points, _), _) = with_what_lies_beyond(
        ground, (0, 0), (pixels, pixels[:0]), (seed, carried), (FREE, held)
    )
    assert is_whole(points)


def test_where_it_is_pushed_later_is_no_part_of_it(table):
    def boxes(t):
        away = 0.12 if t > COUNT // 2 else 0.0
        return [tuple(tuple(np.add(corner, [0.0, away, 0.0])) for corner in BOX)]

    ground, owners = staged(table, boxes)
    _, ((points, frames),) = found(ground, owners)
    assert points[:, 1].max() < 0.05
    assert max(frames) <= COUNT // 2
