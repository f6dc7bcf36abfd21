# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np

from r2rgen_ros.parse.following import ObjectPath
from r2rgen_ros.parse.views import object_views, seed_views, telling_frames

COUNT = 30
HELD = np.full(COUNT, -1, dtype=np.int8)
HELD[8:27] = 0


def still_path(**other):
    path = ObjectPath(
        np.tile(np.eye(4), (COUNT, 1, 1)), np.full(COUNT, np.nan), HELD,
        np.ones(COUNT, dtype=bool), np.zeros(COUNT, dtype=bool),
    )  # fmt: skip
    return replace(path, **other)


def test_every_part_of_the_demonstration_tells_something():
    frames = telling_frames(still_path(), HELD, in_hand=True)
    assert frames == sorted(set(frames))
    for span in (range(8), range(8, 27), range(27, 30)):
        assert len(set(frames) & set(span)) >= 3
    assert len(frames) <= 20


def test_frames_that_cannot_be_trusted_tell_nothing():
    doubtful, moving = np.ones(COUNT, dtype=bool), np.zeros(COUNT, dtype=bool)
    doubtful[:4], moving[20:24] = False, True
    path = still_path(is_trusted=doubtful, has_moved=moving)
    frames = telling_frames(path, HELD, in_hand=True)
    assert not set(frames) & {0, 1, 2, 3, 20, 21, 22, 23}
    frames = telling_frames(path, HELD, in_hand=False)
    assert frames
    assert not set(frames) & set(range(8, 27))
    nothing = still_path(is_trusted=np.zeros(COUNT, dtype=bool))
    assert telling_frames(nothing, HELD, in_hand=True) == []


def test_an_object_that_rests_is_seen_in_the_frames_around_its_prompt(staged):
    stage = staged.carried(robot='known')
    chosen = np.flatnonzero(stage.seen(2)[1].reshape(-1) == 0)
    views = seed_views(stage.looks(), 2, chosen, stage.blocks[0].path[2], HELD)
    assert len(views) > 3
    shares = [view.inside.reshape(-1)[chosen].mean() for view in views]
    assert max(shares) > 0.97
    assert min(shares) < 0.8  # where the hand is before it
    for view in views:
        assert not np.delete(view.inside.reshape(-1), chosen).any()
    in_hand = np.flatnonzero(stage.seen(15)[1].reshape(-1) == 0)
    assert len(seed_views(stage.looks(), 15, in_hand, stage.blocks[0].path[15], HELD)) == 1


def test_faces_that_turn_into_view_belong_to_the_object(staged):
    stage = staged.carried(robot='known')
    block, frame = stage.blocks[0], 22
    first = block.surface(stage.pose, 0)  # of the faces seen from where it stood
    got = object_views(stage.looks(), frame, [first], [block.path[frame]], [0])
    _, truth = stage.seen(frame)
    inside, mine = got[0].inside, truth == 0
    assert (inside & mine).sum() / (inside | mine).sum() > 0.85
    # The hand beside it says nothing of it.
    assert (got[0].uncertain[(truth > 0) & ~inside]).mean() > 0.95
    assert not (got[0].uncertain & inside).any()


def test_what_is_out_of_sight_gives_no_view(staged):
    stage = staged.carried()
    block = stage.blocks[0]
    gone = [staged.at(3.0, 0.0, 0.0)]
    assert object_views(stage.looks(), 3, [block.surface(stage.pose)], gone, [0]) == {}
