# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.body import Part, RobotBody
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.world import CAMERA, CAMERA2BASE

# A ball on a rail, with two fingers of which the second follows the first.
SIMPLE = """<robot name="simple">
  <link name="base"><visual><geometry><box size="0.1 0.1 0.1"/></geometry></visual></link>
  <link name="ball"><visual><geometry><sphere radius="0.05"/></geometry></visual></link>
  <link name="left"><visual><geometry><box size="0.01 0.01 0.04"/></geometry></visual></link>
  <link name="right"><visual><geometry><box size="0.01 0.01 0.04"/></geometry></visual></link>
  <joint name="rail" type="prismatic"><parent link="base"/><child link="ball"/>
    <axis xyz="1 0 0"/><limit lower="0" upper="2" effort="1" velocity="1"/></joint>
  <joint name="grip" type="prismatic"><parent link="ball"/><child link="left"/>
    <origin xyz="0 0 0.1"/><axis xyz="0 1 0"/><limit lower="0" upper="0.04" effort="1"
    velocity="1"/></joint>
  <joint name="follow" type="prismatic"><parent link="ball"/><child link="right"/>
    <origin xyz="0 0 0.1"/><axis xyz="0 -1 0"/><limit lower="0" upper="0.04" effort="1"
    velocity="1"/><mimic joint="grip"/></joint>
</robot>"""

CONFIGURATION = np.array([*panda.HOME, 0.03, 0.03])


@pytest.fixture(scope='module')
def body():
    return RobotBody.from_urdf(panda.description(), panda.BASE)


@pytest.fixture
def simple():
    return RobotBody.from_urdf(SIMPLE, 'base')


def test_points_lie_on_the_triangles_at_any_configuration(body):
    vertices, faces, owner = body.triangles(panda.JOINTS, CONFIGURATION)
    points, links = body.points(panda.JOINTS, CONFIGURATION, 0.02)
    assert set(links) == set(owner) == set(range(11))
    corners = vertices[faces]
    places = cKDTree(corners.mean(axis=1))
    for point, link in zip(points[::40], links[::40], strict=True):
        near = places.query(point, 4000)[1]
        near = near[owner[near] == link]
        a, b, c = np.moveaxis(corners[near], 1, 0)
        normal = np.cross(b - a, c - a)
        area = np.linalg.norm(normal, axis=1)
        height = np.abs(np.einsum('ij,ij->i', point - a, normal)) / area
        parts = [np.cross(v - u, point - u) for u, v in ((a, b), (b, c), (c, a))]
        inside = np.all([np.einsum('ij,ij->i', p, normal) >= -1e-9 * area for p in parts], axis=0)
        assert (height[inside] < 1e-7).any()


def test_links_move_with_their_joints(simple):
    positions = np.array([[0.0, 0.0], [1.5, 0.02]])
    poses = simple.poses(['rail', 'grip'], positions)
    assert np.allclose(poses[1, :, :3, 3], [[0, 0, 0], [1.5, 0, 0], [1.5, 0.02, 0.1],
                                            [1.5, -0.02, 0.1]])  # fmt: skip
    points, links = simple.points(['rail', 'grip'], positions[1])
    ball = points[links == 1]
    away = np.linalg.norm(ball - [1.5, 0.0, 0.0], axis=1)
    assert (away > 0.0485).all()
    assert (away < 0.0501).all()


def test_fingers_without_a_position_are_at_both_extremes(simple):
    assert simple.parts(['rail']) == (Part(0), Part(1), Part(2, -1), Part(2, 1), Part(3, -1),
                                      Part(3, 1))  # fmt: skip
    poses = simple.poses(['rail'], [[1.0]])[0]
    assert np.allclose(poses[2:, 1, 3], [0.0, 0.04, 0.0, -0.04])
    assert simple.loose(['rail']) == (('grip', 2),)
    assert simple.loose(['rail', 'grip']) == ()


def test_links_on_a_large_joint_without_a_position_are_left_out(simple, body):
    assert simple.left_out(['grip']) == ('ball', 'left', 'right')
    assert body.left_out(panda.JOINTS[:6]) == (
        'panda_link7', 'panda_hand', 'panda_leftfinger', 'panda_rightfinger',
    )  # fmt: skip


def test_depth_is_that_of_the_nearest_point_of_the_surface(body):
    depth = body.depth(panda.JOINTS, CONFIGURATION, CAMERA, CAMERA2BASE)
    points, _ = body.points(panda.JOINTS, CONFIGURATION)
    seen = CAMERA.project(se3.apply(se3.inverse(CAMERA2BASE), points))
    u, v = np.rint(seen[:, :2]).astype(int).T
    inside = (u >= 0) & (v >= 0) & (u < CAMERA.width) & (v < CAMERA.height)
    at = depth[v[inside], u[inside]]
    # Rounding to a pixel moves a point aside, so a few lie beyond an edge.
    assert np.isfinite(at).mean() > 0.95
    assert (seen[inside, 2] > at - 0.004)[np.isfinite(at)].mean() > 0.98
    assert (np.abs(seen[inside, 2] - at) < 0.004).mean() > 0.2


def test_the_drawing_moves_with_the_camera(body):
    moved = CAMERA2BASE @ se3.compose(np.eye(3), [0.0, 0.0, -0.1])
    one = body.depth(panda.JOINTS, CONFIGURATION, CAMERA, CAMERA2BASE)
    two = body.depth(panda.JOINTS, CONFIGURATION, CAMERA, moved)
    assert np.nanmin(two) - np.nanmin(one) == pytest.approx(0.1, abs=5e-3)


def test_a_robot_without_any_mesh_is_empty_and_says_so():
    text = panda.description().replace('example-robot-data', 'lost_description')
    text = text.replace('<box', '<mesh filename="package://lost_description/finger.stl"')
    body = RobotBody.from_urdf(text, panda.BASE)
    assert not body
    assert len(body.warnings) == 1
    assert 'lost_description' in body.warnings[0]


def test_a_base_that_is_no_link_is_named():
    with pytest.raises(R2RGenError, match='world'):
        RobotBody.from_urdf(SIMPLE, 'world')
