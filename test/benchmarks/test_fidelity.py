# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of fidelity: what it counts, and that it records the very scene."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fidelity import MAIN, one_cell, rounded, summary
from benchmarks.fidelity_patches import Patches, accuracy, describe
from benchmarks.fidelity_pictures import draw_curves
from benchmarks.fidelity_rivals import ABLATIONS, as_demogen, plain, without
from benchmarks.fidelity_scoring import Made, figures, over_floor, score
from benchmarks.fidelity_stage import BASE, Cell, Retake, Stage
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.simulate.depth_noise import StereoCamera, StereoNoise

CAMERA = PinholeCamera(80, 60, 600.0, 600.0, 39.5, 29.5)
EVERYWHERE = np.ones((60, 80), dtype=bool)


def _wall(depth=1.0):
    exact = np.full((60, 80), depth, np.float32)
    colour = np.full((60, 80, 3), 100, np.uint8)
    no = np.zeros((60, 80), dtype=bool)
    label = np.zeros((60, 80), np.uint8)
    return Retake(exact, exact, exact, colour, label, EVERYWHERE, no, no)


def test_the_recording_itself_differs_in_nothing():
    wall = _wall()
    found = figures([score(Made(wall.one, wall.colour), wall, CAMERA, EVERYWHERE)])
    assert found['depth_mm_median'] == found['chamfer_mm'] == found['colour_median'] == 0.0
    assert found['iou'] == found['fscore_5mm'] == 1.0


@pytest.mark.parametrize(('off', 'share'), [(0.003, 1.0), (0.008, 0.0)])
def test_depth_that_is_off_is_told_in_millimetres(off, share):
    wall = _wall()
    found = figures([score(Made(wall.one + np.float32(off)), wall, CAMERA, EVERYWHERE)])
    assert found['depth_mm_median'] == pytest.approx(1e3 * off, rel=1e-3)
    assert found['fscore_5mm'] == pytest.approx(share)


def test_holes_lost_and_filled_are_counted_apart():
    wall = _wall()
    torn = wall.one.copy()
    torn[:, :40] = np.nan
    made = wall.one.copy()
    made[:30] = np.nan
    found = figures([score(Made(made), replace(wall, one=torn), CAMERA, EVERYWHERE)])
    assert found['iou'] == pytest.approx(1 / 3)
    assert found['hole_share'] == found['holes_added'] == found['holes_filled'] == 0.5


def test_points_beside_the_image_count_against_the_cloud():
    wall = _wall()
    beside = np.tile(np.float32([[5.0, 5.0, 1.0]]), (4800, 1))
    found = figures([score(Made(wall.one, outside=beside), wall, CAMERA, EVERYWHERE)])
    assert found['precision_5mm'] == pytest.approx(0.5, abs=0.03)
    assert found['recall_5mm'] == found['iou'] == 1.0


def test_a_ratio_to_nothing_is_none():
    wall = _wall()
    same = figures([score(Made(wall.one), wall, CAMERA, EVERYWHERE)])
    assert over_floor(same, same)['depth_mm_median'] is None
    assert over_floor(same, same)['iou'] == 1.0


def _patches(spoil, seed=0):
    rng = np.random.default_rng(seed)
    sensor = StereoCamera(CAMERA, StereoNoise(), rng)
    step = np.where(np.arange(80) < 40, 0.8, 1.0).astype(np.float32)
    exact = np.tile(step, (60, 1))
    edge = np.tile(np.abs(np.arange(80) - 40) < 10, (60, 1))
    pairs = [(spoil(sensor(exact)), sensor(exact)) for _ in range(20)]
    return [Patches.of(made, real, edge, rng, 60) for made, real in pairs]


def test_the_classifier_cannot_tell_two_recordings_apart():
    assert accuracy(_patches(lambda depth: depth)) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize('spoil', [
    lambda depth: np.round(depth, 2),
    lambda depth: np.where(np.isfinite(depth), depth, 1.0),
    lambda depth: depth + 0.004 * np.random.default_rng(0).standard_normal(depth.shape),
])  # fmt: skip
def test_the_classifier_tells_steps_filled_holes_and_grain(spoil):
    assert accuracy(_patches(lambda depth: spoil(depth).astype(np.float32))) > 0.65


def test_patches_of_every_kind_are_described_by_as_many_numbers():
    rng = np.random.default_rng(0)
    patch = rng.normal(1.0, 0.01, (12, 12)).astype(np.float32)
    empty = np.full_like(patch, np.nan)
    half = np.where(patch > 1.0, patch, np.nan).astype(np.float32)
    assert len({len(describe(one)) for one in (patch, half, empty)}) == 1
    assert all(np.isfinite(describe(one)).all() for one in (patch, half, empty))


@pytest.fixture(scope='module')
def stage(virtual_demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp('fidelity')
    (folder / 'place-bottle-0-external').symlink_to(virtual_demo)
    return Stage('place-bottle', 0, 'external', folder)


@pytest.fixture(scope='module')
def composer(stage):
    return make_composer(stage.scene, stage.config, robot_of(stage.scene.demo))


def test_where_nothing_changes_the_scene_is_recorded_as_the_source_was(stage):
    episode = stage.episode(Cell(0.0, 0.0), 40)
    for source, retake in zip(episode.source_frames, stage.retakes(episode), strict=True):
        depth = stage.scene.demo.frames[source].depth
        same = np.abs(retake.exact - depth) < 0.002
        assert same[np.isfinite(depth)].mean() > 0.999  # pixels on an edge may show either side
        assert (np.isfinite(retake.exact) == np.isfinite(depth)).mean() > 0.9999
        assert (retake.label == stage.truth.labels[source]).mean() > 0.999
        noise = np.abs(retake.one - retake.other)
        assert 0.0005 < np.nanmedian(noise) < 0.01
        moving = (retake.label == ROBOT) | (retake.label >= FIRST_OBJECT)
        assert (retake.region | ~moving).all()


def test_things_go_as_far_as_a_cell_says(stage):
    episode = stage.episode(Cell(0.05, 45.0), 40)
    moves = [move for move in episode.variation.moves if move is not None]
    assert [np.hypot(move.x, move.y) for move in moves] == pytest.approx([0.05] * len(moves))
    assert [abs(move.yaw) for move in moves] == pytest.approx([np.pi / 4] * len(moves))


def test_the_edit_of_demogen_gives_back_a_source_that_is_not_changed(stage):
    episode = stage.episode(Cell(0.0, 0.0), 40)
    edited = as_demogen(stage.scene)(episode)
    for source, made in zip(episode.source_frames, edited, strict=True):
        depth = stage.scene.demo.frames[source].depth
        assert np.array_equal(np.isfinite(made.depth), np.isfinite(depth))
        assert np.nanmax(np.abs(made.depth - depth)) < 1e-5


def test_a_base_that_moves_shows_only_what_the_source_saw(stage):
    episode = stage.episode(Cell(0.0, 0.0, BASE), 60)
    retake = next(stage.retakes(episode))
    assert retake.region[retake.label == ROBOT].all()
    assert 0.3 < retake.region.mean() < 0.95


def test_every_part_that_is_left_out_changes_the_frames(stage, composer):
    episode = stage.episode(Cell(0.15, 45.0, BASE), 60)
    whole = next(plain(composer)(episode))
    for name in ABLATIONS:
        made = next(without(name, composer)(episode))
        if name == 'no_noise' and getattr(composer, '_noise', None) is None:
            continue  # there is none to leave out
        same = np.array_equal(made.depth, whole.depth, equal_nan=True)
        assert not same or len(made.outside)
    again = next(plain(composer)(episode))
    assert np.array_equal(again.depth, whole.depth, equal_nan=True)


def test_what_is_generated_is_nearer_to_the_recording_than_an_edit(stage, composer, tmp_path):
    rivals = {'ours': plain(composer), 'demogen_like': as_demogen(stage.scene)}
    found = one_cell(stage, MAIN, rivals, 40, 0, None)
    top = rounded(summary({'place-bottle_external': {'cells': {MAIN.name: found}}}))
    assert top['demogen_like_over_ours'] > 1.5
    assert 0.3 < top['depth_error_over_floor'] < 1.5
    assert top['base_move_error_over_floor'] is None
    assert top['demogen_like']['iou_over_floor'] < top['iou_over_floor']
    json.dumps(top, allow_nan=False)
    draw_curves(tmp_path / 'curves.png', top['curves'])
    assert (tmp_path / 'curves.png').stat().st_size > 1000
