# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whole scenes of blocks before a depth camera, from one click each; the truth is known exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import FIRST_OBJECT, IN_HAND, PUSHED, RELEASED, ROBOT, UNTOUCHED
from r2rgen_ros.parse.image_scene import spans
from r2rgen_ros.parse.scene import build_scene, survey

HOLD = [[(8, 26)]]


def parse(stage, colourless=False, **said):
    demo = stage.demo()
    if colourless:
        demo = replace(demo, frames=[replace(frame, colour=None) for frame in demo.frames])
    return build_scene(survey(demo), stage.annotation(**said), Path())


def check(staged, scene, stage, frames, k=0, metres=0.003, degrees=2.0):
    moved, turned = staged.errors(scene.objects[k].object2base, stage.blocks[k].path)
    assert moved[frames].max() < metres
    assert turned[frames].max() < degrees


def overlap(scene, stage, k, frame):
    found, truth = scene.labels[frame] == FIRST_OBJECT + k, stage.seen(frame)[1] == k
    return (found & truth).sum() / (found | truth).sum()


def test_a_block_that_a_known_robot_carries(staged):
    stage = staged.carried(robot='known')
    scene = parse(stage, grasps=HOLD)
    item = scene.objects[0]
    check(staged, scene, stage, slice(None))
    assert item.state[[0, 12, 20, 29]].tolist() == [UNTOUCHED, IN_HAND, IN_HAND, RELEASED]
    assert item.is_trusted.all()
    assert np.nanmax(item.residual) < 0.003
    assert 0.3 < item.seen_share < 1.0
    assert scene.warnings == ()
    assert min(overlap(scene, stage, 0, frame) for frame in (2, 12, 18, 29)) > 0.9
    hand = stage.seen(18)[1] > 0
    assert (scene.labels[18] == ROBOT)[hand].mean() > 0.95
    heights = scene.environment.points[:, 2]
    assert (np.abs(heights) < 0.004).mean() > 0.99


def test_a_low_tray_set_down_where_nothing_else_was_ever_seen_is_not_the_environment(staged):
    at = staged.at
    hand = staged.between(
        (0, at(-0.12, 0, 0.3)), (6, at(-0.12, 0, 0.07)), (10, at(-0.12, 0, 0.07)),
        (14, at(-0.12, 0, 0.15)), (21, at(0.12, 0.05, 0.15, 10)), (24, at(0.12, 0.05, 0.07, 10)),
        (27, at(0.12, 0.05, 0.07, 10)), (29, at(0.12, 0.05, 0.3, 10)),
    )  # fmt: skip
    path = np.tile(at(-0.12, 0, 0.007), (30, 1, 1))
    path[8:27] = hand[8:27] @ se3.inverse(hand[8]) @ path[8]
    path[27:] = path[26]
    screen = np.tile(at(0.06, -0.2, 0.27), (30, 1, 1))  # before the place where the tray goes
    screen[27:] = at(0.0, 0.0, 3.0)
    tray = staged.Block((0.12, 0.1, 0.014), path)
    extras = [staged.Block((0.06, 0.02, 0.05), screen)]
    stage = staged.Stage([tray], hand, extras, robot='known')

    scene = parse(stage, grasps=HOLD)

    check(staged, scene, stage, slice(None))
    heights = scene.environment.points[:, 2]
    assert not ((heights > 0.009) & (heights < 0.019)).any()


def test_without_a_urdf_the_hand_is_what_moves_and_is_no_object(staged):
    stage = staged.carried(robot='seen')
    scene = parse(stage, grasps=HOLD)
    check(staged, scene, stage, slice(None))
    assert min(overlap(scene, stage, 0, frame) for frame in (2, 12, 18, 29)) > 0.8
    hand = stage.seen(18)[1] > 0
    assert (scene.labels[18] == ROBOT)[hand].mean() > 0.9


def test_a_prompt_at_the_end_gives_the_same_path(staged):
    stage = staged.carried()
    scene = parse(stage, grasps=HOLD, frames=[29])
    check(staged, scene, stage, slice(None))


def test_what_drops_is_released_where_it_lies(staged):
    stage = staged.carried(robot='known', drop=(18, staged.at(0.02, 0.03, 0.04, 25)))
    scene = parse(stage, grasps=HOLD)
    check(staged, scene, stage, [*range(16), *range(20, 30)])
    assert (scene.objects[0].state[20:] == RELEASED).all()
    assert any('does not move with it' in warning for warning in scene.warnings)


@pytest.mark.parametrize('colourless', [False, True])
def test_two_alike_side_by_side_are_two_objects_with_a_path_each(staged, colourless):
    stage = staged.carried()
    beside = np.tile(staged.at(-0.032, 0.01, 0.04, 10), (30, 1, 1))
    stage = staged.Stage([*stage.blocks, staged.Block((0.06, 0.05, 0.08), beside)], stage.hand)
    scene = parse(stage, colourless, grasps=[*HOLD, []])
    check(staged, scene, stage, slice(None))
    check(staged, scene, stage, slice(None), k=1, metres=2e-4)
    assert (scene.objects[1].state == UNTOUCHED).all()
    for frame in (2, 18):
        assert min(overlap(scene, stage, k, frame) for k in (0, 1)) > 0.9


def test_a_hold_that_is_none_and_a_push_are_told(staged):
    path = np.tile(staged.at(-0.1, 0.0, 0.03, 20.0), (30, 1, 1))
    stays = staged.Block((0.08, 0.05, 0.06), path)
    path = staged.between(
        (0, staged.at(0.1, -0.08, 0.03, 10)), (8, staged.at(0.1, -0.08, 0.03, 10)),
        (22, staged.at(0.17, -0.06, 0.03, 40)), (29, staged.at(0.17, -0.06, 0.03, 40)),
    )  # fmt: skip
    pushed = staged.Block((0.08, 0.06, 0.06), path)
    stage = staged.Stage([stays, pushed], staged.carried().hand)
    scene = parse(stage, grasps=HOLD)
    check(staged, scene, stage, slice(None))
    check(staged, scene, stage, [*range(8), *range(12, 30)], k=1)
    assert (scene.objects[1].state[13:21] == PUSHED).all()
    assert scene.objects[1].state[[0, 29]].tolist() == [UNTOUCHED, RELEASED]
    told = '\n'.join(scene.warnings)
    assert '"block 0" is said to be in the hand' in told
    assert '"block 1" moves in no hand' in told


def test_a_grasp_that_nobody_annotated_is_told(staged):
    stage = staged.carried(robot='known')
    scene = parse(stage)
    check(staged, scene, stage, [*range(8), *range(13, 30)])
    assert any('moves with the hand' in warning for warning in scene.warnings)
    assert (scene.objects[0].state[14:25] == IN_HAND).all()


def test_a_person_in_the_picture_is_told(staged):
    reach = staged.between(
        (0, staged.at(0.6, -0.1, 0.15)), (10, staged.at(0.6, -0.1, 0.15)),
        (16, staged.at(0.2, -0.1, 0.15)), (20, staged.at(0.2, -0.1, 0.15)),
        (29, staged.at(0.8, -0.1, 0.15)),
    )  # fmt: skip
    stage = staged.carried(robot='known', extras=[staged.Block((0.25, 0.08, 0.08), reach)])
    scene = parse(stage, grasps=HOLD)
    check(staged, scene, stage, slice(None))
    assert any('neither robot nor object' in warning for warning in scene.warnings)


def test_an_object_that_leaves_the_view_in_the_hand_goes_on_with_it(staged):
    hand = staged.between(
        (0, staged.at(-0.1, 0, 0.1)), (9, staged.at(-0.1, 0, 0.1)), (14, staged.at(-0.1, 0, 0.2)),
        (20, staged.at(0.9, 0.05, 0.2)), (24, staged.at(0.9, 0.05, 0.2)),
    )  # fmt: skip
    path = np.tile(staged.at(-0.1, 0, 0.04, 10), (25, 1, 1))
    path[8:] = hand[8:] @ se3.inverse(hand[8]) @ path[8]
    stage = staged.Stage([staged.Block((0.06, 0.05, 0.08), path)], hand, robot='known')
    scene = parse(stage, grasps=[[(8, 24)]])
    check(staged, scene, stage, slice(None))
    assert (scene.labels[24] != FIRST_OBJECT).all()


def test_an_object_in_the_hand_at_first_is_followed_from_where_it_is_put_down(staged):
    hand = staged.between(
        (0, staged.at(-0.1, 0, 0.25)), (10, staged.at(0.1, 0.05, 0.2, 20)),
        (14, staged.at(0.1, 0.05, 0.1, 20)), (16, staged.at(0.1, 0.05, 0.1, 20)),
        (21, staged.at(0.1, 0.05, 0.35, 20)),
    )  # fmt: skip
    path = hand @ staged.at(0, 0, -0.06, 15)
    path[16:] = path[15]
    stage = staged.Stage([staged.Block((0.06, 0.05, 0.08), path)], hand, robot='known')
    for frame in (0, 21):
        scene = parse(stage, grasps=[[(0, 15)]], frames=[frame])
        check(staged, scene, stage, slice(None))
        assert (scene.objects[0].state[:15] == IN_HAND).all()


@pytest.mark.parametrize('share', [0.5, 0.9])
def test_a_see_through_object_gives_a_scene_or_one_clear_message(staged, share):
    def glass(frame, depth, owner, rng):
        depth[(owner == 0) & (rng.random(depth.shape) < share)] = np.nan
        return depth

    stage = staged.carried(robot='known', spoil=glass)
    if share < 0.8:
        scene = parse(stage, grasps=HOLD)
        check(staged, scene, stage, slice(None))
        assert overlap(scene, stage, 0, 2) > 0.85  # the holes are filled
    else:
        with pytest.raises(R2RGenError):
            parse(stage, grasps=HOLD)


@pytest.mark.parametrize('pixel', [(40.0, 200.0), (300.0, 20.0)])
def test_a_click_on_nothing_gives_one_clear_message(staged, pixel):
    stage = staged.carried(robot='known')
    with pytest.raises(R2RGenError, match='"block 0"'):
        parse(stage, pixels=[pixel])


def test_frames_are_written_as_ranges():
    assert spans(np.array([3, 4, 5, 9, 12, 13])) == '3-5, 9, 12-13'
    assert spans(np.array([3, 4, 5, 9, 12, 13]), least=2) == '3-5, 12-13'
    assert spans(np.array([], dtype=np.int64)) == ''
