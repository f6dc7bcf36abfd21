# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A base that drives by its odometry in the transforms."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.bags.drive import find_drive, require_standing_camera, unseen_drive
from r2rgen_ros.bags.transforms import EdgeSamples, TransformBuffer
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError

STAMPS = (np.arange(40) * 50_000_000 + 10**9).astype(np.int64)
URDF = (
    '<robot name="r"><link name="base_link"/><link name="tool"/><joint name="j" type="fixed">'
    '<parent link="base_link"/><child link="tool"/></joint></robot>'
)
FOOT2BASE = se3.compose(np.eye(3), [0.1, 0.0, -0.3])


def _buffer(along):
    """A base that goes so far along x, metres per stamp, with a tool on it."""
    odometry = se3.compose(
        np.tile(np.eye(3), (len(STAMPS), 1, 1)), np.asarray(along)[:, None] * [1.0, 0.0, 0.0]
    )
    once = STAMPS[:1]
    return TransformBuffer(
        [
            EdgeSamples('odom', 'foot', False, STAMPS, odometry),
            EdgeSamples('foot', 'base_link', True, once, se3.inverse(FOOT2BASE)[None]),
            EdgeSamples('base_link', 'tool', True, once, np.eye(4)[None]),
        ]
    )


def _find(along, base='base_link', description=URDF):
    return find_drive(_buffer(along), base, ['tool'], description, STAMPS[5:30])


def test_a_base_that_drives_is_found_and_where_it_was():
    way = np.linspace(0.0, 0.8, len(STAMPS))

    drive = _find(way)

    assert (drive.edge, drive.root) == (('odom', 'foot'), 'base_link')
    np.testing.assert_allclose(drive.path.base2frame[:, 0, 3], way[5:30] - 0.1, atol=1e-9)
    np.testing.assert_allclose(drive.path.base2frame[:, 2, 3], 0.3, atol=1e-9)


def test_a_base_that_stands_does_not_drive_unless_odom_is_said_to_be_the_base_frame():
    creeping = np.linspace(0.0, 0.01, len(STAMPS))

    assert _find(creeping) is None
    drive = _find(creeping, base='odom')
    assert drive.edge == ('odom', 'foot')


def test_odometry_that_jumps_is_refused():
    way = np.linspace(0.0, 0.8, len(STAMPS))
    way[20:] += 0.4

    with pytest.raises(R2RGenError, match='"odom" > "foot" jumps'):
        _find(way)


def test_without_a_description_nothing_tells_the_robot_from_its_base():
    way = np.linspace(0.0, 0.8, len(STAMPS))

    assert _find(way, description=None) is None
    assert _find(way, description='<robot name="r"/>') is None


@pytest.mark.parametrize('base', ['base_link', 'odom'])
def test_without_a_description_a_base_that_drives_is_noticed_all_the_same(base):
    way = _buffer(np.linspace(0.0, 0.8, len(STAMPS)))
    creeping = _buffer(np.linspace(0.0, 0.01, len(STAMPS)))

    found = unseen_drive(way, base, ['tool'], (), STAMPS)

    assert found.frame == 'odom'
    assert found.largest_move[0] == pytest.approx(0.8)
    assert unseen_drive(creeping, base, ['tool'], (), STAMPS) is None


def test_an_arm_that_turns_is_no_base_that_drives():
    turns = se3.compose(
        se3.rotation_about([0.0, 0.0, 1.0], np.linspace(0.0, 1.0, len(STAMPS))), np.zeros(3)
    )
    buffer = TransformBuffer([EdgeSamples('base_link', 'tool', False, STAMPS, turns)])

    assert unseen_drive(buffer, 'base_link', ['tool'], (), STAMPS) is None


def test_clouds_of_a_camera_that_rides_on_a_base_that_drives_are_refused():
    buffer = _buffer(np.linspace(0.0, 0.8, len(STAMPS)))
    drive = find_drive(buffer, 'base_link', ['tool'], URDF, STAMPS)

    require_standing_camera(buffer, drive, 'odom', STAMPS)
    with pytest.raises(R2RGenError, match='the camera "tool" moves with it'):
        require_standing_camera(buffer, drive, 'tool', STAMPS)
