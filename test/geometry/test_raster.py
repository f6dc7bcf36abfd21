# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.raster import Raster, rasterise, shows

CAMERA = PinholeCamera(160, 120, 150.0, 140.0, 80.3, 58.6)
SQUARE = np.array([[0, 1, 2], [0, 2, 3]])


def square(z, half, x=0.0, tilt=0.0):
    corners = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])
    corners[:, 2] += tilt * corners[:, 0]
    corners[:, 0] += x
    return corners


def sphere(radius, centre, rings=120, sectors=240):
    polar = np.linspace(0.0, np.pi, rings)
    round_ = np.linspace(0.0, 2.0 * np.pi, sectors, endpoint=False)
    p, r = np.meshgrid(polar, round_, indexing='ij')
    points = np.stack([np.sin(p) * np.cos(r), np.sin(p) * np.sin(r), np.cos(p)], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(rings - 1), np.arange(sectors), indexing='ij')
    a, b = i * sectors + j, i * sectors + (j + 1) % sectors
    faces = np.stack([a, b, a + sectors, b, b + sectors, a + sectors], -1).reshape(-1, 3)
    return radius * points + centre, faces


def test_a_tilted_plane_has_the_depth_of_its_rays():
    depth, face = rasterise(square(1.0, 5.0, tilt=0.3), SQUARE, CAMERA)
    expected = 1.0 / (1.0 - 0.3 * CAMERA.rays()[..., 0])
    assert np.abs(depth - expected).max() < 1e-6
    assert set(np.unique(face)) == {0, 1}


def test_a_sphere_has_the_depth_and_the_outline_of_a_sphere():
    centre, radius = np.array([0.05, -0.03, 1.0]), 0.2
    depth, _ = rasterise(*sphere(radius, centre), CAMERA)
    rays = CAMERA.rays()
    a, b = (rays**2).sum(-1), rays @ centre
    inside = b**2 - a * (centre @ centre - radius**2)
    exact = (b - np.sqrt(np.maximum(inside, 0.0))) / a
    both = np.isfinite(depth) & (inside > 0.0)
    grazing = np.abs(inside) < 2e-3 * inside.max()
    assert ((np.isfinite(depth) == (inside > 0.0)) | grazing).all()
    assert np.abs(depth - exact)[both & ~grazing].max() < 1e-3


def test_a_closed_box_leaves_no_crack_between_its_faces():
    cube = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in sides for t in ((a, b, c), (a, c, d))])
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    depth, _ = rasterise(0.3 * cube @ turn.T + [0.0, 0.0, 1.5], faces, CAMERA)
    rays, eye = CAMERA.rays() @ turn, np.array([0.0, 0.0, -1.5]) @ turn
    one, two = (-0.3 - eye) / rays, (0.3 - eye) / rays
    enter, leave = np.minimum(one, two).max(-1), np.maximum(one, two).min(-1)
    clear = np.abs(leave - enter) > 0.02
    assert (np.isfinite(depth) == (enter < leave))[clear].all()
    both = clear & (enter < leave)
    assert np.abs(depth - enter)[both].max() < 1e-5


@pytest.mark.parametrize('order', [(0, 1), (1, 0)])
def test_the_nearer_face_hides_the_other_in_any_order(order):
    parts = [square(1.0, 0.1), square(2.0, 5.0)]
    vertices = np.concatenate([parts[k] for k in order])
    faces = np.concatenate([SQUARE, SQUARE + 4])
    depth, face = rasterise(vertices, faces, CAMERA)
    near = depth < 1.5
    assert np.allclose(depth[near], 1.0)
    assert np.allclose(depth[~near], 2.0)
    assert (face[near] // 2 == order.index(0)).all()
    assert near.any()


def test_what_crosses_the_near_plane_is_cut_there():
    floor = np.array([[-5.0, 0.5, -3.0], [5.0, 0.5, -3.0], [5.0, 0.5, 8.0], [-5.0, 0.5, 8.0]])
    depth, _ = rasterise(floor, SQUARE, CAMERA, near=1.2)
    with np.errstate(divide='ignore'):
        expected = 0.5 / CAMERA.rays()[..., 1]
    hit = (expected > 1.2) & (expected < 8.0) & (np.abs(CAMERA.rays()[..., 0] * expected) < 5.0)
    clear = np.abs(expected - 1.2) > 0.05
    assert (np.isfinite(depth) == hit)[clear].all()
    assert np.abs(depth / expected - 1.0)[hit & clear].max() < 1e-5


def test_nothing_is_drawn_of_nothing_or_behind_the_camera():
    for vertices, faces in ((np.zeros((0, 3)), np.zeros((0, 3))), (square(-1.0, 0.5), SQUARE)):
        depth, face = rasterise(vertices, faces, CAMERA)
        assert np.isnan(depth).all()
        assert (face == -1).all()


def test_faces_without_vertices_are_refused():
    with pytest.raises(ValueError, match='vertices'):
        rasterise(square(1.0, 0.1), SQUARE + 1, CAMERA)


def _scene():
    """A drawn square before a wall, and what is measured of it."""
    drawn, _ = rasterise(square(1.0, 0.2), SQUARE, CAMERA)
    wall = np.full(drawn.shape, 1.6, np.float32)
    return drawn, np.where(np.isfinite(drawn), drawn, wall).astype(np.float32)


def test_pixels_show_what_is_drawn_but_not_what_is_before_beside_or_behind():
    drawn, measured = _scene()
    tolerance = np.full(drawn.shape, 0.01, np.float32)
    measured[50:60, 80:90] = 0.9  # something held before it
    truth = np.isfinite(drawn) & (measured > 0.95)
    assert (shows(measured, drawn, tolerance, 2) == truth).all()


def test_flying_pixels_at_the_edge_go_with_the_drawing():
    drawn, measured = _scene()
    right = np.flatnonzero(np.isfinite(drawn[58]))[-1] + 1
    rng = np.random.default_rng(1)
    measured[40:70, right] = rng.uniform(1.1, 1.5, 30)
    found = shows(measured, drawn, np.full(drawn.shape, 0.01, np.float32), 2)
    assert found[42:68, right].mean() > 0.9
    assert not found[:, right + 1 :].any()


def test_a_drawing_that_is_a_pixel_aside_still_matches():
    drawn, measured = _scene()
    aside = np.roll(drawn, 2, axis=1)
    found = shows(measured, aside, np.full(drawn.shape, 0.01, np.float32), 2)
    assert found[np.isfinite(drawn)].all()


def test_triangles_of_one_side_are_seen_from_there_only():
    camera = PinholeCamera(40, 30, 40.0, 40.0, 19.5, 14.5)
    corners = np.array([[-0.2, -0.2, 1.0], [0.2, -0.2, 1.0], [0.0, 0.2, 1.0]])
    clockwise, counter = np.array([[0, 1, 2]]), np.array([[0, 2, 1]])  # y points down
    for faces, one_sided, seen in (
        (counter, True, True), (clockwise, True, False), (clockwise, False, True),
    ):  # fmt: skip
        raster = Raster(camera)
        raster.add(corners, faces, one_sided=one_sided)
        assert np.isfinite(raster.image()[0]).any() == seen
