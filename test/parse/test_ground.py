# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.model.demo import BasePath
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.ground import survey
from r2rgen_ros.parse.snapshot import Snapshot


@pytest.fixture(scope='module')
def stage(staged):
    return staged.carried(robot='known', growth=0.002)


@pytest.fixture(scope='module')
def ground(stage):
    return survey(stage.demo())


def test_the_table_and_the_noise_are_found(ground, stage):
    assert np.rad2deg(np.arccos(ground.support.normal[2])) < 0.3
    assert abs(ground.support.offset) < 0.001
    assert ground.background.noise == pytest.approx(stage.growth, rel=0.2)
    assert ground.view is not None
    assert ground.robot is not None


def test_a_plane_that_a_person_gave_is_kept(stage, staged):
    assert survey(stage.demo(), staged.support).support is staged.support


def test_what_stands_on_the_table_is_a_candidate_and_the_hand_is_none(ground, stage):
    for frame in (2, 9, 18):
        found = ground.candidates(frame)
        truth = stage.seen(frame)[1].reshape(-1)[found.snapshot.index]
        label = found.label[truth == 0]
        name = np.bincount(label[label >= 0]).argmax()
        assert name in found.objects
        assert (label == name).mean() > 0.9
        assert (truth[found.label == name] == 0).mean() > 0.95


def test_a_snapshot_is_quieter_than_a_frame_but_not_smeared(ground, stage):
    demo, exact = ground.demo, stage.exact([*stage.blocks, *stage.extras], 2)
    one, mean = Snapshot.take(demo, 2), ground.snapshot(2)
    assert np.array_equal(one.index, mean.index)
    truth = demo.sensor.camera.unproject(exact[0].astype(np.float32)).reshape(-1, 3)
    truth = truth @ stage.pose[:3, :3].T + stage.pose[:3, 3]
    for mine in (exact[1].reshape(-1) == -1, exact[1].reshape(-1) == 0):
        mine = mine[mean.index]
        loud = np.linalg.norm(one.points - truth[one.index], axis=1)[mine]
        quiet = np.linalg.norm(mean.points - truth[mean.index], axis=1)[mine]
        assert quiet.mean() < 0.6 * loud.mean()
    # In the hand nothing is averaged with where it was before.
    exact = stage.exact([*stage.blocks, *stage.extras], 18)
    moving = ground.snapshot(18)
    at = moving.points - demo.sensor.camera2base[0][:3, 3]
    z = at @ demo.sensor.camera2base[0][:3, 2]
    mine = exact[1].reshape(-1)[moving.index] == 0
    assert np.median(np.abs(z - exact[0].reshape(-1)[moving.index])[mine]) < 0.002


def test_without_a_plane_in_view_there_is_one_clear_message(staged, stage):
    demo = stage.demo()
    frames = [replace(frame, depth=frame.depth.copy()) for frame in demo.frames]
    rng = np.random.default_rng(0)
    for frame in frames:
        frame.depth[:] = rng.uniform(0.3, 2.0, frame.depth.shape)
    with pytest.raises(R2RGenError, match='no support plane'):
        survey(replace(demo, frames=frames, joints=None))


def test_a_base_that_moves_during_the_demonstration_is_said(stage):
    demo = stage.demo()
    poses = np.tile(np.eye(4), (len(demo), 1, 1))
    creeping, driving = poses.copy(), poses.copy()
    creeping[:, 0, 3] = np.linspace(0.0, 0.02, len(demo))
    driving[len(demo) // 2 :, 0, 3] = 0.5

    survey(replace(demo, base_paths=(BasePath('odom', creeping),)))
    with pytest.raises(R2RGenError, match=r'the base moves .* up to 0.50 m and 0 degrees'):
        survey(replace(demo, base_paths=(BasePath('odom', driving),)))
