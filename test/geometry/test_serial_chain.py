# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Joints in a row: poses, Jacobians, and what is reached of single poses and paths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.rigid import twist_between
from r2rgen_ros.geometry.serial_chain import SerialChain

TOLERANCE = 5e-4, 0.0035


def hat(twist):
    """Matrix (4, 4) of a twist, linear before angular."""
    x, y, z = twist[3:]
    out = np.zeros((4, 4))
    out[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    out[:3, 3] = twist[:3]
    return out


def random_pose(rng, size=0.3):
    return se3.compose(Rotation.random(random_state=rng).as_matrix(), rng.normal(0.0, size, 3))


def random_chain(seed, joints=7, frames=1):
    rng = np.random.default_rng(seed)
    links = np.array([[random_pose(rng) for _ in range(joints + 1)] for _ in range(frames)])
    axes = rng.normal(size=(joints, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    turns = rng.random(joints) < 0.7
    ends = np.full(joints, 3.0)
    return SerialChain(links, axes, turns, -ends, ends), rng


def written_out(chain, frame, values):
    """Product of exponentials, by scipy."""
    links = chain.links[min(frame, len(chain.links) - 1)]
    out = links[0]
    for j, value in enumerate(values):
        nothing = np.zeros(3)
        parts = (nothing, chain.axes[j]) if chain.turns[j] else (chain.axes[j], nothing)
        out = out @ expm(hat(np.concatenate(parts)) * value) @ links[j + 1]
    return out


@pytest.mark.parametrize('joints', [0, 1, 6, 7, 8])
def test_poses_are_products_of_exponentials(joints):
    for seed in range(5):
        chain, rng = random_chain(seed, joints, frames=2)
        values = rng.uniform(-2.0, 2.0, joints)
        for frame in (0, 1):
            found = chain.pose(frame, values)
            np.testing.assert_allclose(found, written_out(chain, frame, values), atol=1e-12)


def test_columns_of_the_jacobian_are_what_the_joints_do_in_the_frame_of_the_hand():
    for seed in range(5):
        chain, rng = random_chain(seed)
        values = rng.uniform(-2.0, 2.0, 7)
        found, here = chain.jacobian(0, values), chain.pose(0, values)
        for j in range(7):
            aside = values + 1e-6 * (np.arange(7) == j)
            moved = (se3.inverse(here) @ chain.pose(0, aside) - np.eye(4)) / 1e-6
            np.testing.assert_allclose(hat(found[:, j])[:3], moved[:3], atol=2e-6)


def test_a_pose_nearby_is_reached_within_the_limits_and_a_far_one_is_missed_by_what_is_told():
    reached = 0
    for seed in range(20):
        chain, rng = random_chain(seed)
        values = rng.uniform(-2.5, 2.5, 7)
        goal = np.clip(values + rng.uniform(-0.15, 0.15, 7), chain.low, chain.high)
        for target in (chain.pose(0, goal), se3.compose(np.eye(3), [30.0, 0.0, 0.0])):
            found, errors = chain.reach(0, values, values, target)
            twist = twist_between(chain.pose(0, found), target)
            np.testing.assert_allclose(
                errors, [np.linalg.norm(twist[:3]), np.linalg.norm(twist[3:])], atol=1e-9
            )
            assert (found >= chain.low).all()
            assert (found <= chain.high).all()
            reached += errors[0] < 1e-6
            if target[0, 3] == 30.0:
                assert errors[0] > 1.0
    assert reached >= 18


def test_a_seed_that_is_there_comes_back_bit_for_bit_even_beyond_the_limits():
    chain, rng = random_chain(1)
    values = rng.uniform(3.0, 3.2, 7)
    found, errors = chain.reach(0, values, values, written_out(chain, 0, values))
    np.testing.assert_array_equal(found, values)
    assert errors.max() < 1e-9


def test_of_the_freedom_left_a_path_keeps_to_its_seeds():
    chain, rng = random_chain(4, joints=8)
    turns = np.ones(8, dtype=bool)
    chain = SerialChain(chain.links, chain.axes, turns, chain.low, chain.high)
    values = rng.uniform(-1.0, 1.0, 8)
    aside = values + rng.uniform(-0.3, 0.3, 8)
    target = chain.pose(0, values)

    found, errors = chain.reach(0, values, aside, target)

    # Of all that reaches the pose the seed itself is nearest to the seed.
    assert errors.max() < 1e-6
    assert np.abs(found - values).max() < np.abs(aside - values).max()


def test_a_path_is_followed_frame_after_frame_with_links_of_their_own():
    rng = np.random.default_rng(8)
    one, _ = random_chain(2)
    drift = [se3.compose(np.eye(3), [0.01 * k, 0.0, 0.0]) for k in range(30)]
    links = np.array([[step @ one.links[0, 0], *one.links[0, 1:]] for step in drift])
    chain = SerialChain(links, one.axes, one.turns, one.low, one.high)
    seeds = rng.uniform(-1.0, 1.0, 7) + np.linspace(0.0, 0.3, 30)[:, None]
    goal = seeds + 0.1 * np.sin(np.linspace(0.0, 3.0, 30))[:, None]
    targets = np.array([chain.pose(k, row) for k, row in enumerate(goal)])
    first = chain.reach(0, seeds[0], seeds[0], targets[0])

    positions, errors, failed = chain.follow(
        seeds, targets, first, np.full(7, 0.5), TOLERANCE, persist=False
    )

    assert failed == -1
    assert errors.max() < 1e-6
    for k, row in enumerate(positions):
        np.testing.assert_allclose(chain.pose(k, row), targets[k], atol=1e-6)


def test_after_a_failure_only_who_persists_goes_on():
    chain, rng = random_chain(2)
    seeds = np.tile(rng.uniform(-1.0, 1.0, 7), (10, 1))
    targets = np.tile(chain.pose(0, seeds[0]), (10, 1, 1))
    targets[4, :3, 3] += 50.0
    first = seeds[0], np.zeros(2)
    far = np.full(7, np.inf)

    stopped = chain.follow(seeds, targets, first, far, TOLERANCE, persist=False)
    whole = chain.follow(seeds, targets, first, far, TOLERANCE, persist=True)

    assert stopped[2] == whole[2] == 4
    np.testing.assert_array_equal(stopped[0][5:], seeds[5:])
    assert np.isnan(stopped[1][5:]).all()
    assert np.isfinite(whole[1]).all()
    # A jump is a failure too, unless the seeds jump as far.
    small = np.full(7, 1e-3)
    jumpy = seeds.copy()
    jumpy[6:] += 0.1
    moved = np.array([chain.pose(0, row) for row in jumpy])
    assert chain.follow(seeds, moved, first, small, TOLERANCE, persist=False)[2] == 6
    assert chain.follow(jumpy, moved, first, small, TOLERANCE, persist=False)[2] == -1
