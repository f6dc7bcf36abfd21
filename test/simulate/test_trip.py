# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.simulate.record import act
from r2rgen_ros.simulate.trip import Trip, base_twist, planar, seen


def test_room_and_base_see_each_other():
    places = np.random.default_rng(0).uniform(-2.0, 2.0, (30, 3))

    np.testing.assert_allclose(planar(seen(places)), se3.inverse(planar(places)), atol=1e-12)
    np.testing.assert_allclose(seen(seen(places)), places, atol=1e-12)


def test_the_twist_of_odometry_is_how_the_base_moves_in_its_own_frame():
    step = 1e-3
    room, speed = Trip.sample(3).way(step)

    base = planar(seen(room))
    moved = se3.inverse(base[:-1]) @ base[1:]
    twist = base_twist(room, speed)
    middle = 0.5 * (twist[:-1] + twist[1:])
    np.testing.assert_allclose(moved[:, :2, 3] / step, middle[:, :2], atol=1e-4)
    np.testing.assert_allclose(np.arcsin(moved[:, 1, 0]) / step, middle[:, 5], atol=1e-4)
    assert np.abs(twist[[0, -1]]).max() < 1e-3


def test_what_is_not_carried_stands_in_the_room_while_the_base_drives():
    done = act('place-bottle', 1, base='driving')

    fixed = done.base2fixed
    poses = done.world.poses(np.stack([state.qpos for state in done.frames]))
    plate = (fixed @ poses['plate'])[:, :3, 3]
    assert np.ptp(plate, axis=0).max() < 2e-4
    assert np.linalg.norm(fixed[-1, :2, 3] - fixed[0, :2, 3]) > 0.4


def test_tasks_with_more_than_one_thing_to_bring_are_refused():
    with pytest.raises(R2RGenError, match='cannot do task "build-bridge"'):
        act('build-bridge', 0, base='driving')
