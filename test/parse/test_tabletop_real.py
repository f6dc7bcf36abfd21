# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One click on real things: six captures of a depth camera, nine episodes of small clouds."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.exchange.demogen import import_demogen
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.annotation import Annotation, ObjectNote, Prompt, Skill
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT
from r2rgen_ros.parse.prompts import find_candidates, read_mask, select
from r2rgen_ros.parse.scene import build_scene, survey
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.parse.support import fit_support

NOWHERE = np.array([[0.0, 0.0, 9.0]])
CAPTURES = ('blue_mug', 'cheezit', 'cylinder', 'green_bowl', 'pepper', 'red_mug')
SAME_CAMERA = ('blue_mug', 'cheezit', 'green_bowl', 'red_mug')
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


def one_click(name, mask):
    v, u = nearest_to_median(np.argwhere(mask))
    return ObjectNote(name, Prompt(pixel=(float(u), float(v))))


@pytest.mark.parametrize('name', CAPTURES)
def test_one_click_gives_the_whole_object(capture, name):
    demo, mask = capture(name)
    snapshot = Snapshot.take(demo, 0)
    support = fit_support(snapshot.points)
    outline = support.to_plane(support.outline)
    candidates = find_candidates(0, snapshot, support, NOWHERE, outline)
    note = one_click(name, mask)
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


@pytest.fixture(scope='module')
def emptied(capture):
    """Captures of one camera, by name, and what is left of them without their object.

    Images (H, W): the depth that was seen and that of the environment, what the object covers,
    and what surely shows the environment.
    """

    def get(name):
        demo, mask = capture(name)
        note = one_click(name, mask)
        said = Annotation((note,), (Skill('all of it', 0, 1, (name,)),), frames=2)
        scene = build_scene(survey(demo), said, Path())
        assert scene.warnings == ()
        depth = np.full(mask.shape, np.nan)
        points = se3.apply(se3.inverse(demo.sensor.camera2base[0]), scene.environment.points)
        pixels = np.rint(demo.sensor.camera.project(points)[:, :2]).astype(int)
        depth[pixels[:, 1], pixels[:, 0]] = points[:, 2]
        covered = scene.labels[0] == FIRST_OBJECT
        shown = (scene.labels[0] == ENVIRONMENT) & ~binary_dilation(covered | mask, iterations=2)
        return SimpleNamespace(seen=demo.frames[0].depth, depth=depth, covered=covered, shown=shown)

    return {name: get(name) for name in SAME_CAMERA}


@pytest.mark.parametrize(('one', 'other'), list(permutations(SAME_CAMERA, 2)))
def test_without_its_object_a_capture_shows_what_another_saw_there(emptied, one, other):
    here, there = emptied[one], emptied[other]
    still = here.shown & there.shown
    assert np.median(np.abs(here.seen - there.seen)[still]) < 0.0002  # the camera never moved
    shadow = np.isnan(here.seen) & binary_dilation(here.covered, iterations=40)
    for what, place in (('behind', here.covered), ('in the shadow of', shadow)):
        known = place & there.shown
        error = np.abs(here.depth - there.seen)[known]
        print(f'{what} {one}, as {other} saw it: {1e3 * np.nanmedian(error):.2f} mm, {known.sum()}')
        assert known.sum() > 200
        assert np.isfinite(error).mean() > 0.98
        assert np.nanmedian(error) < 0.003


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
