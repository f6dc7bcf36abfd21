# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT
from r2rgen_ros.parse.labels import ObjectMatcher, label_cloud

TOLERANCE = 0.01


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_a_point_belongs_to_the_nearest_object_within_reach(seed, count):
    rng = np.random.default_rng(seed)
    clouds = [Cloud.from_arrays(rng.uniform(-0.05, 0.05, (30, 3))) for _ in range(count)]
    poses = [
        se3.from_quaternion(rng.uniform(-0.08, 0.08, 3), rng.normal(size=4)) for _ in range(count)
    ]
    points = rng.uniform(-0.15, 0.15, (200, 3))
    # Every distance, one by one.
    gaps = np.stack(
        [
            np.linalg.norm(points[:, None] - se3.apply(pose, cloud.points)[None], axis=2).min(
                axis=1
            )
            for cloud, pose in zip(clouds, poses, strict=True)
        ]
    )
    best = gaps.min(axis=0)
    wanted = np.where(best < TOLERANCE, gaps.argmin(axis=0), -1)
    found = ObjectMatcher(clouds, TOLERANCE).match(points, poses)
    clear = np.abs(best - TOLERANCE) > 1e-6  # neither answer is wrong on the very edge
    assert np.array_equal(found[clear], wanted[clear])


def test_points_of_a_cloud_are_objects_first_then_still_then_robot():
    owner = np.array([-1, -1, 0, 1, 1])
    still = np.array([True, False, True, False, True])
    wanted = [ENVIRONMENT, ROBOT, FIRST_OBJECT, FIRST_OBJECT + 1, FIRST_OBJECT + 1]
    assert label_cloud(owner, still).tolist() == wanted
