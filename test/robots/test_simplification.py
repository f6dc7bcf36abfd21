# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from r2rgen_ros.robots.paint import Paint
from r2rgen_ros.robots.simplification import simplified
from r2rgen_ros.robots.surface import Surface, merged

CELL, ERROR = 0.004, 0.0005


def surface_of(mesh):
    return merged(Surface(np.array(mesh.vertices), np.array(mesh.faces, dtype=np.int32)))


def box(size=0.1, cuts=40):
    """A box in small triangles."""
    mesh = trimesh.creation.box((size, size, size))
    while len(mesh.faces) < 12 * cuts:
        mesh = mesh.subdivide()
    return surface_of(mesh.subdivide().subdivide())


def sheet(count=61, size=0.12, halves=True):
    """A flat square in small triangles, red on one side and blue on the other."""
    at = np.linspace(0.0, size, count)
    x, y = np.meshgrid(at, at)
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(count**2)], axis=1)
    corner = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
    one = np.stack([corner, corner + 1, corner + count], axis=1)
    other = np.stack([corner + 1, corner + count + 1, corner + count], axis=1)
    faces = np.concatenate([one, other]).astype(np.int32)
    left = vertices[faces][:, :, 0].mean(axis=1) < 0.5 * size
    colours = np.where((left & halves)[:, None], [255, 0, 0], [0, 0, 255]).astype(np.uint8)
    paint = Paint(
        np.repeat(colours[:, None], 3, axis=1),
        np.zeros((len(faces), 3, 2)),
        np.full(len(faces), -1, dtype=np.int32),
    )
    return Surface(vertices, faces, paint)


def areas(surface):
    a, b, c = np.moveaxis(surface.vertices[surface.faces], 1, 0)
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)


def test_a_sphere_stays_round_with_few_triangles():
    radius = 0.06
    ball = surface_of(trimesh.creation.icosphere(6, radius))
    coarse = simplified(ball, CELL, ERROR)
    assert len(coarse.faces) < 0.1 * len(ball.faces)
    assert np.linalg.norm(coarse.vertices, axis=1) == pytest.approx(radius, abs=2 * ERROR)
    middle = coarse.vertices[coarse.faces].mean(axis=1)
    assert np.linalg.norm(middle, axis=1) == pytest.approx(radius, abs=3 * ERROR)


def test_edges_and_corners_of_a_box_stay_sharp():
    cube = box()
    coarse = simplified(cube, CELL, ERROR)
    assert len(coarse.faces) < 0.2 * len(cube.faces)
    mesh = trimesh.Trimesh(coarse.vertices, coarse.faces, process=False)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(0.1**3, rel=1e-3)
    for corner in trimesh.creation.box((0.1, 0.1, 0.1)).vertices:
        assert np.linalg.norm(coarse.vertices - corner, axis=1).min() < 1e-6


def test_a_sheet_keeps_its_outline_and_what_is_of_which_colour():
    source = sheet()
    coarse = simplified(source, CELL, ERROR)
    assert len(coarse.faces) < 0.3 * len(source.faces)
    assert np.ptp(coarse.vertices, axis=0) == pytest.approx([0.12, 0.12, 0.0], abs=2 * ERROR)
    assert areas(coarse).sum() == pytest.approx(0.12**2, rel=0.02)
    red = coarse.paint.corners[:, 0, 0] == 255
    assert areas(coarse)[red].sum() == pytest.approx(0.5 * 0.12**2, rel=0.1)


def test_one_colour_takes_fewer_triangles_than_two():
    one, two = (simplified(sheet(halves=halves), CELL, ERROR) for halves in (False, True))
    assert len(one.faces) < len(two.faces)


def test_the_side_that_triangles_show_stays():
    ball = surface_of(trimesh.creation.icosphere(5, 0.06))
    coarse = simplified(ball, CELL, ERROR)
    a, b, c = np.moveaxis(coarse.vertices[coarse.faces], 1, 0)
    assert (np.einsum('ij,ij->i', np.cross(b - a, c - a), a + b + c) > 0.0).all()


def test_nothing_stays_nothing():
    empty = Surface(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int32))
    assert len(simplified(empty, CELL, ERROR).faces) == 0
