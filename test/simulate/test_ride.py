# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a robot that drives did, done again open loop: with contact physics, as recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.simulate import record as recording
from r2rgen_ros.simulate.replay import Orders, replay
from r2rgen_ros.simulate.ride import rooms_of
from r2rgen_ros.simulate.world import World


@pytest.fixture(scope='module')
def done():
    """The bottle taken at one stop, put down at the other."""
    return recording.act('place-bottle', 1, base='driving')


@pytest.fixture(scope='module')
def orders(done):
    """What the arm did and where the base was at the frames; the hand presses on what it holds."""
    truth = recording.truth(done, np.zeros((len(done.frames), 1, 1), dtype=np.uint8))
    base2room = se3.inverse(done.wheels.base2odom) @ done.base2fixed
    widths = np.where(truth.held.any(axis=0), 0.0, truth.joints[:, 7:].sum(axis=1))
    seconds = (truth.stamps - truth.stamps[0]) * 1e-9
    return Orders(seconds, truth.joints[:, :7], widths, rooms_of(base2room))


def _start(done):
    return done.world.poses(done.frames[0].qpos)


def test_what_the_expert_did_while_it_drove_can_be_done_again_from_frames(done, orders):
    result = replay(done.world, _start(done), orders)

    assert result.failure(done.task) == ''
    # Where things are in the room at the end is where they were recorded to be.
    state = done.frames[-1]
    room2base = se3.inverse(done.wheels.trail[-1])
    for name, pose in done.world.poses(state.qpos).items():
        ends = se3.inverse(room2base) @ pose
        assert np.linalg.norm(ends[:3, 3] - result.paths[name][-1, :3, 3]) < 0.005
    # What stands on the table stays there, however the base moves.
    plate = result.paths['plate']
    assert np.abs(plate[:, :3, 3] - plate[0, :3, 3]).max() < 0.003


def test_a_base_that_does_not_drive_brings_the_bottle_to_the_wrong_place(done, orders):
    still = replace(orders, rooms=np.tile(orders.rooms[:1], (len(orders.rooms), 1)))

    assert 'bottle' in replay(done.world, _start(done), still).failure(done.task)


def test_a_base_cannot_drive_in_a_world_in_which_it_stands(done, orders):
    with pytest.raises(R2RGenError, match='shall drive'):
        replay(World(done.task.things), _start(done), orders)
