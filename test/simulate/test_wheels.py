# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.geometry import se3
from r2rgen_ros.simulate import drivers, panda, wheels
from r2rgen_ros.simulate import record as recording
from r2rgen_ros.simulate.wheels import Wheels
from r2rgen_ros.simulate.world import FLOOR


@pytest.fixture(scope='module')
def docked(acts, tmp_path_factory):
    """The first half second of a demonstration on a mobile base, and where that stands."""
    done = acts('place-bottle')
    states = done.rollout.states[:60]
    base = Wheels.docked(3)
    begun = replace(done, rollout=replace(done.rollout, states=states, spans=(), holds=()))
    options = recording.Options(with_truth=False)
    folder = tmp_path_factory.mktemp('docked') / 'demo'
    return base, recording.write(replace(begun, wheels=base), folder, options=options)


def test_a_mobile_base_stands_on_the_floor_somewhere_else_for_each_seed():
    poses = [Wheels.docked(seed).base2odom for seed in range(5)]

    np.testing.assert_allclose([pose[2, 3] for pose in poses], -FLOOR)
    assert len({round(float(pose[0, 3]), 6) for pose in poses}) == 5
    assert all(np.linalg.norm(pose[:2, 3]) > 0.5 for pose in poses)
    np.testing.assert_array_equal(Wheels.docked(2).base2odom, poses[2])


def test_odometry_and_transforms_say_where_it_stands(docked, read_bag):
    base, path = docked

    demo = load_demo(path)
    assert demo.base_frame == panda.BASE
    (track,) = demo.base_paths
    assert track.frame == wheels.ODOM
    np.testing.assert_allclose(track.base2frame[-1], base.base2odom, atol=1e-9)
    found = read_bag(path)[wheels.ODOMETRY]
    assert len(found) == pytest.approx(27, abs=1)
    message = found[3][1]
    assert (message.header.frame_id, message.child_frame_id) == (wheels.ODOM, wheels.FOOTPRINT)
    place = message.pose.pose.position
    np.testing.assert_allclose([place.x, place.y, place.z], base.foot2odom[:3, 3])


def test_a_fixed_base_publishes_no_odometry(bag):
    assert wheels.ODOMETRY not in bag
    frames = {item.header.frame_id for _, m in bag['/tf'] for item in m.transforms}
    assert wheels.ODOM not in frames
    assert drivers.JOINT_STATES in bag
    assert se3.is_transform(wheels.base2foot())
