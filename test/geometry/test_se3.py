# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3

metres = st.floats(-10.0, 10.0, allow_subnormal=False)
vectors = arrays(np.float64, 3, elements=metres)
angles = st.floats(-np.pi, np.pi)


@st.composite
def transforms(draw, count=None):
    """One transform (4, 4), or a batch of them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lead = () if count is None else (count,)
    quaternions = rng.normal(size=(*lead, 4))
    return se3.from_quaternion(rng.uniform(-10, 10, (*lead, 3)), quaternions)


@given(transforms(), transforms(), transforms())
def test_transforms_form_a_group(a, b, c):
    assert np.allclose((a @ b) @ c, a @ (b @ c), atol=1e-12)
    assert np.allclose(a @ se3.inverse(a), np.eye(4), atol=1e-12)
    assert np.allclose(se3.inverse(a @ b), se3.inverse(b) @ se3.inverse(a), atol=1e-12)
    assert np.allclose(se3.inverse(a), np.linalg.inv(a), atol=1e-9)
    assert se3.is_transform(a @ b)


@given(transforms(), transforms(), arrays(np.float64, (7, 3), elements=metres))
def test_applying_two_transforms_is_applying_their_product(a, b, points):
    assert np.allclose(se3.apply(a, se3.apply(b, points)), se3.apply(a @ b, points), atol=1e-10)
    assert np.allclose(se3.apply(se3.inverse(a), se3.apply(a, points)), points, atol=1e-10)
    homogeneous = np.concatenate([points, np.ones((7, 1))], axis=1)
    assert np.allclose(se3.apply(a, points), (a @ homogeneous.T).T[:, :3], atol=1e-10)


@given(transforms(count=5), arrays(np.float64, (4, 3), elements=metres))
def test_a_batch_does_what_its_members_do(batch, points):
    single = [se3.apply(one, points) for one in batch]
    assert np.array_equal(se3.apply(batch, points), np.stack(single))
    assert np.array_equal(se3.inverse(batch), np.stack([se3.inverse(one) for one in batch]))
    places, quaternions = se3.to_quaternion(batch)
    assert places.shape == (5, 3)
    assert quaternions.shape == (5, 4)
    nested = se3.from_quaternion(places.reshape(1, 5, 3), quaternions.reshape(1, 5, 4))
    assert np.allclose(nested[0], batch, atol=1e-12)


@given(transforms(count=6))
def test_quaternions_lead_back_and_have_one_sign(batch):
    places, quaternions = se3.to_quaternion(batch)
    assert np.allclose(se3.from_quaternion(places, quaternions), batch, atol=1e-12)
    assert (quaternions[:, 3] >= 0.0).all()
    assert np.allclose(np.linalg.norm(quaternions, axis=1), 1.0, atol=1e-12)
    assert np.allclose(se3.from_quaternion(places, -3.0 * quaternions), batch, atol=1e-12)


def test_quaternions_are_x_y_z_w():
    quarter = se3.from_quaternion([1.0, 2.0, 3.0], [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)])
    assert np.allclose(se3.apply(quarter, [[1.0, 0.0, 0.0]]), [[1.0, 3.0, 3.0]])


@given(transforms(), transforms(), angles)
def test_the_angle_between_two_poses_is_that_of_the_turn_between_them(a, b, angle):
    axis = np.array([1.0, -2.0, 0.5]) / np.linalg.norm([1.0, -2.0, 0.5])
    turned = a @ se3.compose(se3.rotation_about(axis, angle), np.zeros(3))
    assert se3.angle_between(a, turned) == pytest.approx(abs(angle), abs=1e-7)
    assert se3.angle_between(a, b) == pytest.approx(se3.angle_between(b, a), abs=1e-7)
    assert se3.angle_between(a, a) == pytest.approx(0.0, abs=1e-7)


@given(vectors, vectors, angles)
def test_turning_about_a_point_leaves_the_point(point, shift, angle):
    turn = se3.rotation_about([0.0, 0.0, 1.0], angle)
    only = se3.about_point(turn, point, np.zeros(3))
    assert np.allclose(se3.apply(only, point[None]), point, atol=1e-12)
    moved = se3.about_point(turn, point, shift)
    assert np.allclose(se3.apply(moved, point[None]), point + shift, atol=1e-12)
    assert np.allclose(moved[:3, :3], turn)


@given(arrays(np.float64, 4, elements=angles))
def test_rotations_about_an_axis_keep_the_axis_and_add_up(some):
    axis = np.array([2.0, 3.0, -6.0]) / 7.0
    turns = se3.rotation_about(axis, some)
    assert np.allclose(turns @ axis, axis, atol=1e-12)
    assert np.allclose(turns[0] @ turns[1], se3.rotation_about(axis, some[0] + some[1]), atol=1e-9)


@given(transforms(count=8), st.lists(st.integers(-3, 12), min_size=1, max_size=9))
def test_whole_indices_give_the_poses_bit_for_bit(path, at):
    found = se3.interpolate(path, at)
    assert np.array_equal(found, path[np.clip(at, 0, 7)])


@given(transforms(count=5), arrays(np.float64, 12, elements=st.floats(0.0, 4.0)))
def test_between_two_poses_the_path_is_straight_and_the_turn_even(path, at):
    found = se3.interpolate(path, at)
    assert se3.is_transform(found, 1e-9)
    low = np.minimum(np.floor(at).astype(int), 3)
    share = at - low
    before, after = path[low], path[low + 1]
    straight = before[:, :3, 3] + share[:, None] * (after[:, :3, 3] - before[:, :3, 3])
    assert np.allclose(found[:, :3, 3], straight, atol=1e-12)
    whole = se3.angle_between(before, after)
    assert np.allclose(se3.angle_between(before, found), share * whole, atol=1e-6)
    assert np.allclose(se3.angle_between(found, after), (1 - share) * whole, atol=1e-6)


def test_one_pose_alone_can_be_interpolated():
    path = se3.from_quaternion([[1.0, 2.0, 3.0]], [[0.0, 0.0, 0.0, 1.0]])
    assert np.array_equal(se3.interpolate(path, [-1.0, 0.0, 0.4]), np.tile(path, (3, 1, 1)))


def test_interpolation_leaves_its_input_alone():
    path = se3.from_quaternion(np.eye(3), Rotation.random(3, random_state=1).as_quat())
    kept = path.copy()
    se3.interpolate(path, [0.5, 1.5])
    assert np.array_equal(path, kept)


@settings(max_examples=30)
@given(transforms(), st.integers(0, 2), st.integers(0, 2), st.floats(0.01, 3.0))
def test_what_is_no_rigid_transform_is_found_out(good, row, column, wrong):
    assert se3.is_transform(good)
    scaled = good.copy()
    scaled[:3, :3] *= 1.0 + wrong
    assert not se3.is_transform(scaled)
    mirrored = good.copy()
    mirrored[:3, row] *= -1.0
    assert not se3.is_transform(mirrored)
    broken = good.copy()
    broken[row, column] = np.nan
    assert not se3.is_transform(broken)
    last = good.copy()
    last[3, column] = wrong
    assert not se3.is_transform(last)
    assert not se3.is_transform(good[:3])
    assert not se3.is_transform(np.stack([good, scaled]))
