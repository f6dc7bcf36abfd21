# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What stands in for sensor_msgs_py and tf_transformations does what they do."""

from __future__ import annotations

import sys
from importlib import reload

import numpy as np
import pytest
from sensor_msgs.msg import PointField
from std_msgs.msg import Header

from r2rgen_ros.bags.clouds import decode_cloud
from r2rgen_ros.nodes import ros_extras

FIELDS = [
    PointField(name=name, offset=4 * at, datatype=PointField.FLOAT32, count=1)
    for at, name in enumerate('xyz')
]
POINTS = np.array([(1.0, 2.0, 3.0), (4.0, 5.0, 6.0)], dtype=[(name, np.float32) for name in 'xyz'])


@pytest.fixture
def stand_in(monkeypatch):
    """The module as it is where neither package is installed."""
    for name in ('sensor_msgs_py', 'sensor_msgs_py.point_cloud2', 'tf_transformations'):
        monkeypatch.setitem(sys.modules, name, None)
    yield reload(ros_extras)
    monkeypatch.undo()
    reload(ros_extras)


def test_a_cloud_that_is_made_is_read_back(stand_in):
    message = stand_in.create_cloud(Header(frame_id='base'), FIELDS, POINTS)
    assert decode_cloud(message)[0].points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert message.header.frame_id == 'base'


def test_a_quaternion_is_that_of_the_rotation(stand_in):
    quarter = np.eye(4)
    quarter[:2, :2] = [[0.0, -1.0], [1.0, 0.0]]
    half = np.sqrt(0.5)
    assert np.allclose(stand_in.quaternion_from_matrix(quarter), [0.0, 0.0, half, half])


def test_clouds_equal_those_of_sensor_msgs_py(stand_in):
    mine = stand_in.create_cloud(Header(frame_id='base'), FIELDS, POINTS)
    sys.modules.pop('sensor_msgs_py', None)
    sys.modules.pop('sensor_msgs_py.point_cloud2', None)
    theirs = pytest.importorskip('sensor_msgs_py.point_cloud2', reason='no sensor_msgs_py here')
    assert theirs.create_cloud(Header(frame_id='base'), FIELDS, POINTS) == mine


def test_quaternions_equal_those_of_tf_transformations(stand_in):
    sys.modules.pop('tf_transformations', None)
    theirs = pytest.importorskip('tf_transformations', reason='no tf_transformations here')
    rng = np.random.default_rng(0)
    for _ in range(100):
        axis = rng.normal(size=4)
        x, y, z, w = axis / np.linalg.norm(axis)
        matrix = theirs.quaternion_matrix([x, y, z, w])
        mine = stand_in.quaternion_from_matrix(matrix)
        assert abs(mine @ theirs.quaternion_from_matrix(matrix)) == pytest.approx(1.0)
