# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One click on real things: six captures of a depth camera, nine episodes of small clouds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.exchange.demogen import import_demogen
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.annotation import ObjectNote, Prompt
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.parse.prompts import find_candidates, read_mask, select
from r2rgen_ros.parse.scene import survey
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.parse.support import fit_support

NOWHERE = np.array([[0.0, 0.0, 9.0]])
CAPTURES = ('blue_mug', 'cheezit', 'cylinder', 'green_bowl', 'pepper', 'red_mug')
_OFF_PX = 16  # the published camera is up to 12 of 1920 pixels off, as much for a whole task


def above_a_table(tilt=0.6):
    """Camera pose (4, 4) that is about right: nobody measured where the camera stood."""
    forward = np.array([np.cos(tilt), 0.0, -np.sin(tilt)])
    right = np.array([0.0, -1.0, 0.0])
    return se3.compose(np.stack([right, np.cross(forward, right), forward], axis=1), [0, 0, 0.4])


@pytest.fixture(scope='module')
def capture(data_dir, table):
    """A capture as a demonstration of two equal frames, and the true mask."""

    def get(name):
        with np.load(data_dir / 'tabletop_realsense' / f'{name}.npz') as data:
            rgb, depth, K, alone = (data[key] for key in ('rgb', 'depth_m', 'K', 'object_points'))
        depth = np.where(depth > 0.0, depth, np.nan).astype(np.float32)
        camera = PinholeCamera(640, 480, K[0, 0], K[1, 1], K[0, 2], K[1, 2])
        u, v = np.rint(camera.project(alone)[:, :2]).astype(int).T
        mask = np.zeros(depth.shape, dtype=bool)
        mask[v, u] = True
        frames = [Frame(depth, rgb)] * 2
        return table.make_demo(frames, camera2base=above_a_table(), camera=camera), mask

    return get


def nearest_to_median(places):
    """Which of some places (N, D) lies nearest to their median."""
    return places[np.linalg.norm(places - np.median(places, axis=0), axis=1).argmin()]


def overlap(one, two):
    return (one & two).sum() / (one | two).sum()


@pytest.mark.parametrize('name', CAPTURES)
def test_one_click_gives_the_whole_object(capture, name):
    demo, mask = capture(name)
    snapshot = Snapshot.take(demo, 0)
    support = fit_support(snapshot.points)
    outline = support.to_plane(support.outline)
    candidates = find_candidates(0, snapshot, support, NOWHERE, outline)
    v, u = nearest_to_median(np.argwhere(mask))
    note = ObjectNote(name, Prompt(pixel=(float(u), float(v))))
    found = np.zeros(mask.size, dtype=bool)
    found[snapshot.index[select(demo, note, candidates, Path())]] = True
    value = overlap(found.reshape(mask.shape), mask)
    print(f'{name}: IoU {value:.3f}')
    # The reference stops 7 mm above the table, so that even the whole object is not all of 1.
    assert value > 0.92
    # Nobody needs to click: it is the one thing that stands there.
    sizes = [int((candidates.label == k).sum()) for k in candidates.objects]
    assert sizes[0] == found.sum()
    assert sum(sizes[1:]) < 0.02 * sizes[0]


@pytest.mark.parametrize('task', ['flower', 'egg', 'sauce'])
@pytest.mark.parametrize('episode', [0, 1, 2])
def test_one_click_in_a_cloud_agrees_with_the_published_mask(data_dir, tmp_path, task, episode):
    folder = tmp_path / 'demo'
    import_demogen(data_dir / 'demogen_franka_l515' / f'{task}.zarr', folder, episode=episode)
    demo = load_demo(folder)
    candidates = survey(demo).candidates(0)
    pixels = np.rint(candidates.snapshot.pixels(demo, 0)).astype(int)
    shape = (demo.sensor.camera.height, demo.sensor.camera.width)
    masks = {path.stem: read_mask(path, shape) for path in (folder / 'masks').glob('*.png')}
    under = {name: at_shifts(mask, pixels) for name, mask in masks.items()}
    notes = []
    for name, shifts in under.items():
        point = nearest_to_median(candidates.snapshot.points[shifts[0, 0]])
        notes.append(ObjectNote(name, Prompt(point=tuple(point.tolist()))))
    assert notes
    for note in notes:
        found = np.zeros(len(pixels), dtype=bool)
        found[select(demo, note, candidates, folder, notes)] = True
        values = {shift: overlap(found, mask) for shift, mask in under[note.name].items()}
        best = max(values, key=values.get)
        print(f'{task} {episode} {note.name}: IoU {values[0, 0]:.3f}, {values[best]:.3f} at {best}')
        assert values[0, 0] > 0.86
        assert values[best] > 0.93


def at_shifts(mask, pixels):
    """Points (N,) under a mask that is moved by (u, v) pixels, by how far it is moved."""
    steps = range(-_OFF_PX, _OFF_PX + 1, 4)
    limits = np.array(mask.shape)[::-1] - 1
    out = {}
    for shift in ((du, dv) for du in steps for dv in steps):
        u, v = np.clip(pixels + shift, 0, limits).T
        out[shift] = mask[v, u]
    return out
