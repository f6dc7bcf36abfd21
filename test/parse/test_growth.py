# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.parse.growth import grow, resting_frames
from r2rgen_ros.parse.labels import ObjectMatcher
from r2rgen_ros.parse.snapshot import Snapshot

COUNT = 40


def face(side, size=0.06, step=0.003):
    """One side of a cube about the origin: +x, -x, +y or -y, as (N, 3) points."""
    a, b = np.meshgrid(*[np.arange(-size / 2, size / 2 + 1e-9, step)] * 2)
    axis, sign = 'xy'.index(side[1]), 1.0 if side[0] == '+' else -1.0
    out = np.zeros((a.size, 3))
    out[:, axis], out[:, 1 - axis], out[:, 2] = sign * size / 2, a.ravel(), b.ravel()
    return out


def still(place):
    return np.tile(se3.compose(np.eye(3), place), (COUNT, 1, 1))


def scene(held_span=(10, 20), turn=np.pi / 2):
    """A cube that is turned in a hand, which leaves; and a far one that nobody touches."""
    first = still([0.0, 0.0, 0.0])
    turned = se3.compose(se3.rotation_about([0, 0, 1], turn), [0.3, 0.0, 0.0])
    first[held_span[1] :] = turned
    held = np.full(COUNT, -1, dtype=np.int8)
    held[slice(*held_span)] = 0
    return first, held


def robot_at(frame):
    """Near the first cube while it is held and a little before and after; else far away."""
    if 6 <= frame <= 24:
        return np.array([[0.1 if frame < 15 else 0.25, 0.0, 0.1]])
    return np.array([[2.0, 0.0, 0.1]])


def test_it_rests_where_nothing_moves_and_the_robot_is_away():
    poses, held = scene()
    frames = resting_frames(poses, held, robot_at)
    assert frames == sorted(frames)
    assert all(held[frame] < 0 and not 6 <= frame <= 24 for frame in frames)
    assert any(frame < 6 for frame in frames)
    assert any(frame > 24 for frame in frames)
    assert len(frames) <= 4
    beside = np.array([[0.05, 0.0, 0.0], [0.35, 0.0, 0.0]])
    assert resting_frames(poses, held, lambda _: beside) == []
    assert resting_frames(poses, np.zeros(COUNT, np.int8), robot_at) == []


def test_a_face_that_comes_into_view_later_is_added_and_nothing_else():
    poses, held = scene()
    other = still([0.0, 0.5, 0.0])
    unseen = np.full(COUNT, -1, dtype=np.int8)
    front = face('-x')
    clouds = [Cloud.from_arrays(front), Cloud.from_arrays(front)]
    stranger = np.random.default_rng(0).uniform(-0.02, 0.02, (300, 3)) - 0.4

    def foreground(frame):
        later = frame >= 20
        mine = np.concatenate([front, face('-y')]) if later else front
        points = np.concatenate(
            [se3.apply(poses[frame], mine), se3.apply(other[frame], front), stranger]
        )
        count = len(points)
        snapshot = Snapshot(points, np.zeros((count, 3), np.uint8), np.arange(count), (count,))
        return snapshot, np.arange(count)

    grown = grow(
        clouds,
        [poses, other],
        [held, unseen],
        ObjectMatcher(clouds, 0.008),
        foreground,
        robot_at,
    )
    # All of the side face is there but its rim, which lies within reach of the front.
    gaps = np.linalg.norm(face('-y')[:, None] - grown[0].points, axis=2).min(axis=1)
    assert gaps.max() < 0.0101
    assert (gaps < 0.0005).mean() > 0.8
    assert np.abs(grown[0].points).max() < 0.031
    assert len(grown[1]) == len(front)


def test_an_object_in_a_hand_does_not_grow():
    poses, _ = scene()
    cloud = Cloud.from_arrays(face('-x'))
    grown = grow(
        [cloud],
        [poses],
        [np.zeros(COUNT, np.int8)],
        ObjectMatcher([cloud], 0.008),
        lambda frame: (_ for _ in ()).throw(AssertionError(f'frame {frame} was looked at')),
        robot_at,
    )
    assert np.array_equal(grown[0].points, cloud.points)
