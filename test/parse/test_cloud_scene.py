# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import Annotation, Prompt
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, IN_HAND, RELEASED, UNTOUCHED
from r2rgen_ros.parse.scene import build_scene, survey

PAINT = np.array([[120, 120, 120], [200, 40, 40], [90, 90, 200]], dtype=np.uint8)
"""Colours of the table, the block and the robot."""


def clouds(stage, *, coloured=False):
    """The demonstration as clouds of every third pixel, and who owns each point."""
    demo = stage.demo()
    frames, owners = [], []
    for frame in range(stage.count):
        depth, owner = stage.seen(frame)
        points = stage.camera.unproject(depth)[::3, ::3].reshape(-1, 3)
        whose = owner[::3, ::3].reshape(-1)
        colours = PAINT[np.clip(whose, -1, 1) + 1] if coloured else None
        frames.append(Frame(cloud=Cloud.from_arrays(se3.apply(stage.pose, points), colours)))
        owners.append(whose)
    return replace(demo, frames=frames, sensor=None), owners


def pointed(stage, **said):
    """The annotation with points instead of pixels, which clouds do not have."""
    annotation = stage.annotation(**said)
    notes = tuple(
        replace(note, prompt=Prompt(0, point=tuple(block.path[0][:3, 3])))
        for note, block in zip(annotation.objects, stage.blocks, strict=True)
    )
    return Annotation(notes, annotation.skills, frames=annotation.frames)


@pytest.fixture(scope='module')
def stage(staged):
    return staged.carried(robot='seen')


@pytest.fixture(scope='module')
def scene(stage):
    return build_scene(survey(clouds(stage)[0]), pointed(stage, grasps=[[(8, 26)]]), Path())


def test_what_is_held_moves_with_the_hand_and_nothing_else_moves_it(staged, stage, scene):
    item = scene.objects[0]
    moved, turned = staged.errors(item.object2base, stage.blocks[0].path)
    assert moved.max() < 1e-6
    assert turned.max() < 1e-4
    assert item.state[[0, 12, 29]].tolist() == [UNTOUCHED, IN_HAND, RELEASED]
    assert np.isnan(item.residual).all()
    half = np.array(stage.blocks[0].size) / 2
    assert np.ptp(item.cloud.points, axis=0).max() < 2 * np.linalg.norm(half) + 0.01


def test_points_are_labelled_in_every_cloud(stage, scene):
    _, owners = clouds(stage)
    for frame in (0, 15, 29):
        labels, truth = scene.labels[frame], owners[frame]
        assert labels.shape == truth.shape
        # Faces that turn into view later are not known yet.
        assert (labels[truth == 0] == FIRST_OBJECT).mean() > (0.9 if frame == 0 else 0.7)
        assert (labels[truth == -1] == ENVIRONMENT).mean() > 0.9
    assert (np.abs(scene.environment.points[:, 2]) < 0.01).mean() > 0.95
    assert scene.backdrop is None


def test_colours_tell_faces_that_turn_into_view_later(stage, scene):
    demo, owners = clouds(stage, coloured=True)
    told = build_scene(survey(demo), pointed(stage, grasps=[[(8, 26)]]), Path())
    share, before, taken = [], [], []
    for frame in range(10, stage.count):
        mine, robot = owners[frame] == 0, owners[frame] > 0
        share.append((told.labels[frame][mine] == FIRST_OBJECT).mean())
        before.append((scene.labels[frame][mine] == FIRST_OBJECT).mean())
        # What lies within the tolerance is taken with colours or without.
        taken += [
            (each.labels[frame][robot] == FIRST_OBJECT).sum() / max(1, robot.sum())
            for each in (told, scene)
        ]
    print(f'{np.min(before):.2f} of the block without colours, {np.min(share):.2f} with')
    assert np.min(before) < 0.75
    assert np.min(share) > 0.9
    assert np.median(share) > 0.97
    assert (np.array(taken[::2]) <= np.array(taken[1::2]) + 0.01).all()
    assert len(told.objects[0].cloud) > len(scene.objects[0].cloud)


def test_a_point_where_nothing_is_gives_one_clear_message(stage):
    annotation = pointed(stage)
    note = replace(annotation.objects[0], prompt=Prompt(0, point=(0.3, 0.3, 0.3)))
    with pytest.raises(R2RGenError, match='"block 0"'):
        build_scene(survey(clouds(stage)[0]), replace(annotation, objects=(note,)), Path())


def test_a_mesh_that_clouds_have_no_use_for_is_told(stage):
    said = pointed(stage, grasps=[[(8, 26)]])
    note = replace(said.objects[0], mesh='block.ply')
    scene = build_scene(survey(clouds(stage)[0]), replace(said, objects=(note,)), Path())
    (warning,) = scene.warnings
    assert 'the mesh block.ply of "block 0" is not used' in warning
