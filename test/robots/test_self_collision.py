# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Distances between links: of hulls that are as large as the links, at any configuration."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.robots.body import RobotBody
from r2rgen_ros.robots.self_collision import SelfCollision
from r2rgen_ros.simulate import panda

HOME = np.array([*panda.HOME, 0.035, 0.035])
FOLDED = np.array([0.0, 1.5, 0.0, -3.0, 0.0, 0.0, 0.785, 0.0, 0.0])  # the forearm in the foot
SAMPLING_M = 0.01
# The hull is spanned by the vertices that lie farthest out in 128 directions, not by all.
HULL_M = 0.003

# A box and two balls that slide along one line, the second on two rails.
BALLS = """<robot name="balls">
  <link name="base"><visual><geometry><box size="0.1 0.1 0.1"/></geometry></visual></link>
  <link name="near"><visual><geometry><sphere radius="0.05"/></geometry></visual></link>
  <link name="far"><visual><geometry><sphere radius="0.04"/></geometry></visual></link>
  <joint name="first" type="prismatic"><parent link="base"/><child link="near"/>
    <axis xyz="1 0 0"/><limit lower="-2" upper="2" effort="1" velocity="1"/></joint>
  <link name="rail"/>
  <joint name="across" type="prismatic"><parent link="near"/><child link="rail"/>
    <axis xyz="0 1 0"/><limit lower="-2" upper="2" effort="1" velocity="1"/></joint>
  <joint name="second" type="prismatic"><parent link="rail"/><child link="far"/>
    <axis xyz="1 0 0"/><limit lower="-2" upper="2" effort="1" velocity="1"/></joint>
</robot>"""


@pytest.fixture(scope='module')
def body():
    return RobotBody.from_urdf(panda.description(), panda.BASE)


@pytest.fixture(scope='module')
def check(body):
    return SelfCollision.create(body)


def _configurations(count):
    """Configurations all over the joints' ranges."""
    limits = np.array(
        [(-2.9, 2.9), (-1.7, 1.7), (-2.9, 2.9), (-3.0, -0.1), (-2.9, 2.9), (0.0, 3.7), (-2.9, 2.9)]
    )
    values = np.random.default_rng(0).uniform(limits[:, 0], limits[:, 1], (count, 7))
    return np.hstack([values, np.full((count, 2), 0.02)])


def test_hulls_contain_their_links(body, check):
    positions = _configurations(12)
    found = check.distances(panda.JOINTS, positions)
    parts = {body.links[part.link]: i for i, part in enumerate(body.parts(panda.JOINTS))}
    poses = body.poses(panda.JOINTS, positions)
    points = {
        name: body.samples(body.parts(panda.JOINTS)[i], SAMPLING_M) for name, i in parts.items()
    }

    excess = []
    for pair, distances in zip(check.pairs, found, strict=True):
        one, other = pair
        for frame, distance in enumerate(distances):
            tree = cKDTree(se3.apply(poses[frame, parts[one]], points[one]))
            moved = se3.apply(poses[frame, parts[other]], points[other])
            excess.append(distance - tree.query(moved)[0].min())

    # Samples are never closer than the links are.
    assert max(excess) <= HULL_M
    # And the hulls are not much wider either: where nothing is hollow they are the links.
    assert np.median(excess) > -SAMPLING_M


def test_the_distance_of_two_balls_is_that_of_their_centres_less_their_radii():
    body = RobotBody.from_urdf(BALLS, 'base')
    check = SelfCollision.create(body)
    positions = np.array([[0.0, 0.5], [0.0, 0.2], [0.3, -0.2], [0.5, -0.5]])

    distances = check.distances(['first', 'across', 'second'], np.insert(positions, 1, 0.0, axis=1))

    # Neighbours are left out, so only the base and the far ball are a pair.
    assert check.pairs == (('base', 'far'),)
    centre = positions.sum(axis=1)
    np.testing.assert_allclose(distances[0, :2], centre[:2] - 0.05 - 0.04, atol=2e-3)
    assert distances[0, 2] == pytest.approx(0.01, abs=2e-3)
    # One in the other: the way out is as long as the box and the ball are together.
    assert distances[0, 3] == pytest.approx(-0.09, abs=4e-3)


def test_the_home_position_is_free_and_a_folded_arm_is_not(check):
    distances = check.distances(panda.JOINTS, [HOME, FOLDED])

    assert (distances[:, 0] > 0.02).all()
    inside = {pair for pair, gap in zip(check.pairs, distances[:, 1], strict=True) if gap < -0.02}
    # The forearm lies in the foot and the hand in the shoulder.
    assert ('panda_link0', 'panda_link5') in inside
    assert ('panda_link1', 'panda_hand') in inside


def test_distances_do_not_depend_on_the_frames_beside_or_on_the_order_of_names(check):
    positions = _configurations(5)
    together = check.distances(panda.JOINTS, positions)
    order = np.random.default_rng(1).permutation(9)

    alone = check.distances(panda.JOINTS, positions[3:4])
    shuffled = check.distances([panda.JOINTS[i] for i in order], positions[:, order])

    # Each search starts from what the one before found, and ends when that is near enough.
    np.testing.assert_allclose(alone, together[:, 3:4], atol=1e-5)
    np.testing.assert_allclose(shuffled, together, atol=1e-5)


def test_neighbours_are_left_out(check):
    tree = check.body.robot.tree
    for one, other in check.pairs:
        assert len(tree.between(one, other)) > 2
    links = [f'panda_link{k}' for k in range(8)]
    for neighbours in pairwise(links):
        assert neighbours not in check.pairs
    assert ('panda_hand', 'panda_leftfinger') not in check.pairs
    assert ('panda_link7', 'panda_hand') not in check.pairs  # bolted on
    assert ('panda_link0', 'panda_hand') in check.pairs


def test_pairs_that_may_touch_are_left_out_in_either_order_and_only_they(body, check):
    allowed = [('panda_link3', 'panda_link0'), ('panda_link0', 'panda_hand'), ('panda_hand', 'no')]

    fewer = SelfCollision.create(body, allowed)

    assert set(check.pairs) - set(fewer.pairs) == {
        ('panda_link0', 'panda_link3'), ('panda_link0', 'panda_hand'),
    }  # fmt: skip
    kept = [check.pairs.index(pair) for pair in fewer.pairs]
    np.testing.assert_array_equal(
        fewer.distances(panda.JOINTS, [HOME]), check.distances(panda.JOINTS, [HOME])[kept]
    )


def test_depths_are_the_distances_of_what_overlaps(check):
    positions = np.array([HOME, FOLDED, *_configurations(20)])
    distances, depths = (ask(panda.JOINTS, positions) for ask in (check.distances, check.depths))

    clearly = np.abs(distances) > 1e-4
    assert (np.isfinite(depths) == (distances < 0.0))[clearly].all()
    inside = np.isfinite(depths)
    assert inside.any()
    np.testing.assert_allclose(depths[inside], distances[inside], atol=1e-4)
