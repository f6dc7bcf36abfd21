# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.series import fractional_index
from r2rgen_ros.bags.transforms import TransformBuffer
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError

NOW = 1_700_000_000_000_000_007
"""A stamp that float64 seconds cannot hold to the nanosecond."""


def random_poses(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return se3.compose(Rotation.random(count, rng=rng).as_matrix(), rng.normal(size=(count, 3)))


def message(stamp: int, parent: str, child: str, pose: np.ndarray):
    return messages.tf_message([messages.transform_matrix(stamp, parent, child, pose)])


def track(stamps, parent, child, poses):
    return [message(s, parent, child, p) for s, p in zip(stamps, poses, strict=True)]


@pytest.fixture
def stamps() -> np.ndarray:
    steps = np.random.default_rng(5).integers(1, 40_000_000, 50)
    return NOW + np.cumsum(steps)


def test_chains_are_exact_at_recorded_stamps(stamps):
    first, second = random_poses(50, 1), random_poses(50, 2)
    (fixed,) = random_poses(1, 3)
    buffer = TransformBuffer.from_messages(
        [*track(stamps, 'base', 'a', first), *track(stamps, 'a', 'b', second)],
        [message(0, 'b', 'hand', fixed)],
    )
    found = buffer.lookup('base', 'hand', stamps)
    assert np.abs(found - first @ second @ fixed).max() < 1e-12
    back = buffer.lookup('hand', 'base', stamps)
    assert np.abs(back @ found - np.eye(4)).max() < 1e-12


def test_between_stamps_it_interpolates_as_tf2_does(stamps):
    poses = random_poses(50)
    buffer = TransformBuffer.from_messages(track(stamps, 'base', 'a', poses))
    rng = np.random.default_rng(1)
    at = np.sort(rng.integers(stamps[0], stamps[-1], 200))
    found = buffer.lookup('base', 'a', at)
    seconds, query = (stamps - NOW) / 1e9, (at - NOW) / 1e9
    for axis in range(3):
        assert np.allclose(found[:, axis, 3], np.interp(query, seconds, poses[:, axis, 3]))
    slerp = Slerp(seconds, Rotation.from_matrix(poses[:, :3, :3]))
    assert np.allclose(found[:, :3, :3], slerp(query).as_matrix(), atol=1e-9)


def test_a_nanosecond_matters():
    poses = random_poses(2)
    buffer = TransformBuffer.from_messages(track([NOW, NOW + 2], 'base', 'a', poses))
    middle = buffer.lookup('base', 'a', [NOW + 1])[0, :3, 3]
    assert np.allclose(middle, poses[:, :3, 3].mean(axis=0), atol=1e-12)


def test_order_repeats_slashes_and_bad_rotations_are_mended():
    poses = random_poses(5)
    stamps = [NOW + 10 * k for k in range(5)]
    mixed = track(stamps, '/base', 'a', poses)
    mixed[1], mixed[3] = mixed[3], mixed[1]
    mixed.append(message(stamps[2], 'base', '/a', random_poses(1, 9)[0]))
    broken = message(NOW + 45, 'base', 'a', poses[0])
    broken.transforms[0].transform.rotation.w = 17.0
    buffer = TransformBuffer.from_messages([*mixed, broken])
    found, samples = buffer.edge_samples('base', 'a')
    assert found.tolist() == stamps
    assert np.abs(samples - poses).max() < 1e-12
    notes = ' / '.join(buffer.notes)
    for words in ('6 transforms had a leading slash', 'out of order', '1 transforms repeated',
                  '1 transforms had no valid rotation'):  # fmt: skip
        assert words in notes


def test_static_wins_and_holds_for_all_time():
    moving, fixed = random_poses(2)
    buffer = TransformBuffer.from_messages(
        [message(NOW, 'base', 'a', moving)], [message(NOW + 99, 'world', 'a', fixed)]
    )
    assert [tuple(edge) for edge in buffer.edges] == [('world', 'a', True)]
    assert np.allclose(buffer.lookup('world', 'a', [0, NOW, 2 * NOW]), fixed)
    assert any('second parent' in note for note in buffer.notes)


def test_a_child_keeps_the_parent_it_had_most_often():
    poses = random_poses(5)
    stamps = [NOW + k for k in range(5)]
    both = [*track(stamps[:2], 'table', 'cup', poses[:2]),
            *track(stamps[2:], 'hand', 'cup', poses[2:])]  # fmt: skip
    assert TransformBuffer.from_messages(both).parent('cup') == 'hand'


def test_structure_is_told():
    one = np.eye(4)
    pairs = [('base', 'a'), ('a', 'b'), ('base', 'c'), ('elsewhere', 'd')]
    buffer = TransformBuffer.from_messages([message(NOW, *pair, one) for pair in pairs])
    assert buffer.roots == ('base', 'elsewhere')
    assert buffer.leaves == ('b', 'c', 'd')
    assert buffer.chain('b') == ('b', 'a', 'base')
    assert [edge.child for edge in buffer.path('c', 'b')] == ['c', 'a', 'b']
    assert buffer.connected('b', 'c')
    assert not buffer.connected('b', 'd')
    assert '/b' in buffer
    assert buffer.time_range('base', 'b') == (NOW, NOW)


def test_errors_name_the_frame_the_trees_and_the_time(stamps):
    buffer = TransformBuffer.from_messages(
        [*track(stamps, 'base', 'panda_hand', random_poses(50)),
         message(NOW, 'map', 'odom', np.eye(4))]
    )  # fmt: skip
    with pytest.raises(R2RGenError, match=r'frame "panda_hnd" is unknown.*panda_hand'):
        buffer.lookup('base', 'panda_hnd', stamps)
    with pytest.raises(R2RGenError, match='trees of "base" and "map"'):
        buffer.lookup('base', 'odom', stamps)
    with pytest.raises(R2RGenError, match=r'2\.000 s after it was last recorded'):
        buffer.lookup('base', 'panda_hand', [stamps[-1] + 2_000_000_000])
    with pytest.raises(R2RGenError, match=r'0\.500 s before it was first recorded'):
        buffer.lookup('base', 'panda_hand', [stamps[0] - 500_000_000])
    near = buffer.lookup('base', 'panda_hand', [stamps[-1] + 90_000_000])
    assert np.allclose(near, buffer.lookup('base', 'panda_hand', stamps[-1:]))
    with pytest.raises(R2RGenError, match='there is no transform base > odom'):
        buffer.edge_samples('base', 'odom')


def test_frames_are_at_rest_in_themselves(stamps):
    buffer = TransformBuffer.from_messages(track(stamps, 'base', 'a', random_poses(50)))
    assert np.array_equal(buffer.lookup('a', 'a', stamps), np.tile(np.eye(4), (50, 1, 1)))


def test_nothing_is_warned_of(stamps):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        buffer = TransformBuffer.from_messages(track(stamps, 'base', 'a', random_poses(50)))
        buffer.lookup('base', 'a', stamps)


def test_fractional_indices_are_whole_at_stamps_even_if_repeated():
    stamps = np.array([5, 10, 10, 20]) + NOW
    at = np.array([0, 5, 6, 10, 15, 20, 99]) + NOW
    assert fractional_index(stamps, at).tolist() == [0.0, 0.0, 0.2, 2.0, 2.5, 3.0, 3.0]
    assert fractional_index(stamps[:1], at).tolist() == [0.0] * 7
    assert fractional_index(stamps[1:3], at[3:]).tolist() == [1.0] * 4


def test_real_transforms(data_dir):
    with BagReader(data_dir / 'ros1_bags' / 'jsk_watercan.bag') as reader:
        buffer = TransformBuffer.from_messages(m for _, _, m in reader.decoded(['/tf']))
    assert len(buffer.edges) == 83
    assert max(len(buffer.chain(frame)) - 1 for frame in buffer.frames) > 10
    assert not any(frame.startswith('/') for frame in buffer.frames)
    first, last = buffer.time_range('BODY', 'LARM_LINK7')
    at = np.arange(first, last, 50_000_000)
    whole = buffer.lookup('BODY', 'LARM_LINK7', at)
    steps = np.eye(4)
    for edge in buffer.path('BODY', 'LARM_LINK7'):
        steps = steps @ buffer.lookup(edge.parent, edge.child, at)
    assert np.abs(whole - steps).max() < 1e-12
    assert se3.is_transform(whole)
