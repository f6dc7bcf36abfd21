# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rigid motions for compiled loops, against scipy's exponential of matrices."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.rigid import (
    inverse_into,
    part_way,
    product_into,
    screw_into,
    turn_about,
    twist_between,
)

ANGLES = st.one_of(
    st.floats(0.0, np.pi - 1e-6), st.sampled_from([0.0, 1e-9, 9.9e-3, 1.01e-2, np.pi - 1e-9])
)


def hat(twist):
    """Matrix (4, 4) of a twist, linear before angular."""
    x, y, z = twist[3:]
    out = np.zeros((4, 4))
    out[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    out[:3, 3] = twist[:3]
    return out


def random_pose(rng, size=0.3):
    return se3.compose(Rotation.random(random_state=rng).as_matrix(), rng.normal(0.0, size, 3))


def random_twist(rng, angle):
    axis = rng.normal(size=3)
    return np.concatenate([rng.normal(size=3), angle * axis / np.linalg.norm(axis)])


@settings(max_examples=60, deadline=None)
@given(angle=ANGLES, seed=st.integers(0, 99))
def test_the_exponential_is_that_of_the_matrix(angle, seed):
    twist = random_twist(np.random.default_rng(seed), angle)
    found = np.eye(4)

    screw_into(twist, found)

    np.testing.assert_allclose(found, expm(hat(twist)), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(angle=ANGLES, seed=st.integers(0, 99))
def test_the_logarithm_undoes_the_exponential_at_any_angle(angle, seed):
    rng = np.random.default_rng(seed)
    twist, start = random_twist(rng, angle), random_pose(rng)

    found = twist_between(start, start @ expm(hat(twist)))

    np.testing.assert_allclose(found, twist, atol=1e-7)


def test_products_and_inverses_are_those_of_matrices():
    rng = np.random.default_rng(0)
    for _ in range(10):
        one, other = random_pose(rng), random_pose(rng)
        product, inverse = np.full((4, 4), np.nan), np.full((4, 4), np.nan)

        product_into(one, other, product)
        inverse_into(one, inverse)

        np.testing.assert_allclose(product, one @ other, atol=1e-12)
        np.testing.assert_allclose(inverse, np.linalg.inv(one), atol=1e-12)


def test_a_pose_turns_about_an_axis_of_its_own():
    rng = np.random.default_rng(1)
    for _ in range(10):
        pose, turn = random_pose(rng), random_twist(rng, 1.0)
        turn[:3] = 0.0
        found = pose.copy()

        turn_about(found, turn[3:], 0.7)

        np.testing.assert_allclose(found, pose @ expm(0.7 * hat(turn)), atol=1e-12)


def test_half_of_a_screw_twice_is_all_of_it_and_none_is_nothing():
    rng = np.random.default_rng(3)
    for _ in range(10):
        one, other = random_pose(rng), random_pose(rng)
        half = part_way(one, other, 0.5)
        np.testing.assert_allclose(half @ se3.inverse(one) @ half, other, atol=1e-9)
        np.testing.assert_allclose(part_way(one, other, 0.0), one, atol=1e-12)
        np.testing.assert_allclose(part_way(one, other, 1.0), other, atol=1e-9)
