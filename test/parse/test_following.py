# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Blocks that a hand, or nobody, moves before a noisy depth camera; the truth is known exactly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.evidence import Comparison
from r2rgen_ros.parse.following import follow

FRAMES = 30
HOLD = (8, 26)


def holds(*spans, count=FRAMES):
    held = np.full(count, -1, dtype=np.int8)
    for first, last in spans:
        held[first : last + 1] = 0
    return held


def paths(stage, helds, first=None):
    first = [0] * len(stage.blocks) if first is None else first
    pairs = list(zip(stage.blocks, first, strict=True))
    return follow(
        [block.surface(stage.pose, frame) for block, frame in pairs],
        [block.path[frame] for block, frame in pairs],
        first, helds, [stage.hand], stage.looks(), stage.camera, stage.growth,
        stage.looks().ground.support,
    )  # fmt: skip


def off(path, block):
    """How far (T,) metres and (T,) degrees a path is from the truth."""
    away = np.linalg.norm(path.poses[:, :3, 3] - block.path[:, :3, 3], axis=1)
    return away, np.rad2deg(se3.angle_between(path.poses, block.path))


def check(path, block, frames, metres=0.003, degrees=2.0):
    away, turned = off(path, block)
    assert away[frames].max() < metres
    assert turned[frames].max() < degrees


def test_noise_never_moves_what_rests(staged):
    size, place = (0.08, 0.05, 0.06), staged.at(0.02, 0.0, 0.03, 20.0)
    for growth in (0.001, 0.004):
        block = staged.Block(size, np.tile(place, (FRAMES, 1, 1)))
        (path,) = paths(staged.Stage([block], growth=growth), [holds()])
        assert np.abs(path.poses - place).max() < 1e-5
        assert path.is_trusted.all()
        assert not path.has_moved.any()
        assert (path.carrier == -1).all()


@pytest.mark.parametrize('first', [0, 17, 29])
def test_what_is_held_moves_with_the_hand_wherever_the_prompt_is(staged, first):
    stage = staged.carried()
    (path,) = paths(stage, [holds(HOLD)], [first])
    check(path, stage.blocks[0], slice(None), 0.002, 0.5)
    assert not path.has_moved.any()
    assert path.is_trusted.all()
    assert (path.carrier[10:25] == 0).all()
    assert (path.carrier[:8] == -1).all()
    assert (path.residual[np.isfinite(path.residual)] < 0.002).all()
    measured = np.isfinite(path.residual[10:25])
    assert measured.sum() >= 14  # the prompt's own frame is given, not measured


@pytest.mark.parametrize('ends', [(2, -2), (-2, 2)])
def test_a_grasp_may_be_annotated_two_frames_off(staged, ends):
    stage = staged.carried()
    (path,) = paths(stage, [holds((HOLD[0] + ends[0], HOLD[1] + ends[1]))])
    check(path, stage.blocks[0], [*range(8), *range(13, 24), *range(28, 30)])


@pytest.mark.parametrize('slip', [(15, 1, 0.010, 0), (15, 1, 0.020, 0), (15, 2, 0.015, 10)])
def test_a_slip_in_the_hand_is_found_and_tracked(staged, slip):
    stage = staged.carried(slip=slip)
    (path,) = paths(stage, [holds(HOLD)])
    check(path, stage.blocks[0], [*range(16), *range(19, 30)])
    assert path.has_moved[15:19].any()
    assert not path.has_moved[[*range(14), *range(20, 30)]].any()
    assert (path.carrier[10:25] == 0).all()


def test_what_is_put_down_and_taken_again_is_tracked(staged):
    hand = staged.between(
        (0, staged.at(-0.1, 0, 0.1)), (3, staged.at(-0.1, 0, 0.1)), (6, staged.at(0, 0, 0.2)),
        (9, staged.at(0.05, 0, 0.1)), (11, staged.at(0.05, 0, 0.1)), (13, staged.at(0, 0, 0.2)),
        (15, staged.at(0.05, 0.01, 0.1, 40)), (18, staged.at(0.05, 0.01, 0.1, 40)),
        (22, staged.at(-0.1, 0.05, 0.2, 60)), (25, staged.at(-0.1, 0.05, 0.1, 60)),
        (27, staged.at(-0.1, 0.05, 0.3, 60)),
    )  # fmt: skip
    path = np.tile(staged.at(-0.1, 0, 0.04, 10), (28, 1, 1))
    path[2:11] = hand[2:11] @ se3.inverse(hand[2]) @ path[0]
    path[11:] = path[10]
    path[17:26] = hand[17:26] @ se3.inverse(hand[17]) @ path[16]
    path[26:] = path[25]
    stage = staged.Stage([staged.Block((0.06, 0.05, 0.08), path)], hand)
    (found,) = paths(stage, [holds((2, 10), (17, 25), count=28)])
    check(found, stage.blocks[0], slice(None))
    # Said to be one grasp: where the hand left it, and where it took it again, is found.
    (found,) = paths(stage, [holds((2, 25), count=28)])
    check(found, stage.blocks[0], [*range(10), *range(14, 18), *range(23, 28)])
    assert (found.carrier[13:17] == -1).all()
    assert (found.carrier[22:25] == 0).all()


@pytest.mark.parametrize(('step', 'turn'), [(0.003, 0.0), (0.006, 0.0), (0.004, 3.0)])
def test_what_is_pushed_moves_in_no_hand(staged, step, turn):
    path = staged.between(
        (0, staged.at(-0.08, 0, 0.03, 10)), (8, staged.at(-0.08, 0, 0.03, 10)),
        (22, staged.at(-0.08 + 14 * step, 0, 0.03, 10 + 14 * turn)),
        (29, staged.at(-0.08 + 14 * step, 0, 0.03, 10 + 14 * turn)),
    )  # fmt: skip
    stage = staged.Stage([staged.Block((0.08, 0.06, 0.06), path)])
    (found,) = paths(stage, [holds()])
    check(found, stage.blocks[0], [*range(9), *range(12, 30)])
    assert found.has_moved[12:22].all()
    assert not found.has_moved[[*range(8), *range(24, 30)]].any()
    assert (found.carrier == -1).all()


def test_what_falls_out_of_the_hand_is_found_below(staged):
    stage = staged.carried(drop=(18, staged.at(0.02, 0.03, 0.04, 25)))
    (path,) = paths(stage, [holds(HOLD)])
    check(path, stage.blocks[0], [*range(17), *range(20, 30)])
    assert (path.carrier[19:] == -1).all()
    assert not path.is_trusted[17:20].all() or path.has_moved[17:20].any()


@pytest.mark.parametrize('axis', [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0)])
@pytest.mark.parametrize('yaw', [0, 40])
def test_what_falls_over_is_not_sunk_into_the_table_and_not_trusted(staged, axis, yaw):
    lying = staged.at(0.02, 0.03, 0.03, yaw) @ se3.compose(
        se3.rotation_about(axis, np.pi / 2), np.zeros(3)
    )
    stage = staged.carried(drop=(18, lying))
    (path,) = paths(stage, [holds(HOLD)])
    check(path, stage.blocks[0], slice(17))
    assert path.is_trusted[:17].all()
    assert not path.is_trusted[20:].any()  # a side that was never seen may look the same
    corners = np.array(list(itertools.product(*[(-a / 2, a / 2) for a in (0.06, 0.05, 0.08)])))
    lowest = se3.apply(path.poses[-1], corners)[:, 2].min()
    assert lowest > -0.015


def test_hidden_for_a_while_is_not_moved(staged):
    place = np.tile(staged.at(0, 0, 0.03, 20), (FRAMES, 1, 1))
    eye = staged.Stage([staged.Block((0.1, 0.1, 0.1), place)]).pose[:3, 3]
    cover = staged.between((0, staged.at(-0.4, 0, 0.3)), (29, staged.at(0.4, 0, 0.3)))
    cover[:, :3, 3] += [0.0, 0.45 * eye[1], 0.0]
    block = staged.Block((0.08, 0.05, 0.06), place)
    stage = staged.Stage([block], extras=[staged.Block((0.15, 0.15, 0.02), cover)])
    assert min((stage.seen(frame)[1] == 0).sum() for frame in range(FRAMES)) == 0
    (path,) = paths(stage, [holds()])
    assert np.abs(path.poses - place).max() < 1e-4
    assert path.is_trusted.all()

    # In the hand, behind something for six frames.
    stage = staged.carried()
    held = stage.blocks[0]
    cover = np.tile(np.eye(4), (FRAMES, 1, 1))
    cover[:, :3, 3] = 0.65 * held.path[:, :3, 3] + 0.35 * stage.pose[:3, 3]
    cover[:14, :3, 3] = cover[20:, :3, 3] = [0.0, 0.0, -1.0]
    stage = staged.Stage([held], stage.hand, [staged.Block((0.12, 0.12, 0.02), cover)])
    assert (stage.seen(16)[1] == 0).sum() == 0
    (path,) = paths(stage, [holds(HOLD)])
    check(path, held, slice(None), 0.002, 0.5)
    assert path.is_trusted.all()


def test_what_leaves_the_view_stays_with_the_hand_or_is_flagged(staged):
    hand = staged.between(
        (0, staged.at(-0.1, 0, 0.1)), (9, staged.at(-0.1, 0, 0.1)), (14, staged.at(-0.1, 0, 0.2)),
        (20, staged.at(0.9, 0.05, 0.2)), (22, staged.at(0.9, 0.05, 0.2)),
        (29, staged.at(0.1, 0.05, 0.2)),
    )  # fmt: skip
    path = np.tile(staged.at(-0.1, 0, 0.04, 10), (FRAMES, 1, 1))
    path[8:] = hand[8:] @ se3.inverse(hand[8]) @ path[8]
    stage = staged.Stage([staged.Block((0.06, 0.05, 0.08), path)], hand)
    (found,) = paths(stage, [holds((8, 29))])
    check(found, stage.blocks[0], slice(None))

    gone = np.tile(staged.at(-0.08, 0, 0.03, 10), (FRAMES, 1, 1))
    gone[9:, 0, 3] = 0.9
    (found,) = paths(staged.Stage([staged.Block((0.06, 0.05, 0.08), gone)]), [holds()])
    assert se3.is_transform(found.poses)
    assert found.is_trusted[:9].all()
    assert not found.is_trusted[10:].any()


def test_objects_side_by_side_keep_apart(staged):
    stage = staged.carried()
    beside = np.tile(staged.at(-0.03, 0.0, 0.04, 10), (FRAMES, 1, 1))
    stage = staged.Stage([*stage.blocks, staged.Block((0.06, 0.05, 0.08), beside)], stage.hand)
    one, other = paths(stage, [holds(HOLD), holds()])
    check(one, stage.blocks[0], slice(None))
    assert np.abs(other.poses - beside).max() < 1e-4


def test_evidence_tells_here_from_hidden_from_elsewhere(staged):
    block = staged.Block((0.08, 0.05, 0.06), np.tile(staged.at(0, 0, 0.03, 20), (2, 1, 1)))
    stage = staged.Stage([block])
    look, truth = stage.looks()(0), block.path[0]
    compared = Comparison(block.surface(stage.pose), look, stage.camera, 0.006)
    here = compared.evidence(truth)
    assert here.share > 0.97
    assert here.hidden == 0
    under = compared.evidence(staged.at(0, 0, -0.3) @ truth)
    assert under.hidden > 100
    assert under.seen == 0
    above = compared.evidence(staged.at(0, 0, 0.3) @ truth)
    assert above.deny > 20
    assert above.share == 0.0
    assert len(compared.past(staged.at(0, 0, 0.3) @ truth)) == above.deny
    assert compared.evidence(staged.at(5, 0, 0) @ truth).seen == 0
