# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from r2rgen_ros.simulate import objects
from r2rgen_ros.simulate.shapes import bent_tube, revolve, stick, vessel, wall_pieces

STATIONS = ((0.0, 0.05, 0.045), (0.02, 0.07, 0.064), (0.05, 0.085, 0.08))


def volume(mesh):
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return float(np.einsum('ij,ij->i', a, np.cross(b, c)).sum() / 6.0)


def frustum(height, low, high):
    return np.pi * height / 3.0 * (low**2 + low * high + high**2)


def test_a_turned_cylinder_has_its_volume_and_faces_outwards():
    mesh = revolve([(0.0, 0.0), (0.1, 0.0), (0.1, 0.3), (0.0, 0.3)], 256)
    assert volume(mesh) == pytest.approx(np.pi * 0.1**2 * 0.3, rel=1e-3)


def test_a_vessel_is_hollow():
    solid = sum(frustum(z1 - z0, o0, o1) for (z0, o0, _), (z1, o1, _) in pairwise(STATIONS))
    # The floor replaces the lowest 6 mm of the hollow by its first radius.
    inner = [(0.006, 0.045), (0.02, 0.064), (0.05, 0.08)]
    hollow = sum(frustum(z1 - z0, r0, r1) for (z0, r0), (z1, r1) in pairwise(inner))
    assert volume(vessel(STATIONS, 0.006, 512)) == pytest.approx(solid - hollow, rel=1e-3)


def test_the_wall_that_collides_is_the_wall_that_is_seen():
    pieces = wall_pieces(STATIONS, 24)
    solid = sum(frustum(b[0] - a[0], a[1], b[1]) for a, b in pairwise(STATIONS))
    hollow = sum(frustum(b[0] - a[0], a[2], b[2]) for a, b in pairwise(STATIONS))
    assert sum(ConvexHull(p).volume for p in pieces) == pytest.approx(solid - hollow, rel=0.02)
    for piece in pieces:  # every piece keeps clear of the hollow
        assert np.hypot(piece[:, 0], piece[:, 1]).min() > 0.044


def test_a_bent_tube_faces_outwards_and_follows_its_line():
    mesh, line = bent_tube((0.03, 0.0, 0.05), 0.02, 0.005, (-1.5, 1.5))
    assert volume(mesh) > 0.0
    assert np.allclose(np.linalg.norm(line - [0.03, 0.0, 0.05], axis=1), 0.02)


@pytest.mark.parametrize(
    'make', [objects.mug, objects.bowl, objects.plate, objects.cup, objects.tumbler]
)
def test_vessels_have_room_inside_for_what_is_put_there(make):
    """Above the floor, no piece that collides reaches the axis."""
    thing = make()
    for solid in thing.solids:
        if isinstance(solid, objects.Piece):
            assert np.hypot(solid.vertices[:, 0], solid.vertices[:, 1]).min() > 0.02
        elif isinstance(solid, objects.Cylinder):
            assert solid.top <= thing.rest + 1e-9


def test_a_stick_faces_outwards_and_has_the_volume_of_a_capsule():
    start, end = np.array([0.02, 0.0, 0.1]), np.array([0.12, 0.05, 0.15])
    mesh = stick(start, end, 0.01, 128)
    length = np.linalg.norm(end - start)
    assert volume(mesh) == pytest.approx(np.pi * 1e-4 * (length + 4.0 / 3.0 * 0.01), rel=0.02)
    share = np.clip((mesh.vertices - start) @ (end - start) / length**2, 0.0, 1.0)
    away = mesh.vertices - start - share[:, None] * (end - start)
    assert np.linalg.norm(away, axis=1) == pytest.approx(0.01, abs=1e-6)
