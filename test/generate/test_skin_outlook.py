# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from r2rgen_ros.generate.skin_outlook import Outlooks
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.raster import Raster

CAMERA = PinholeCamera(160, 120, 150.0, 150.0, 79.5, 59.5)


def ring():
    """A closed surface, a third of whose triangles run the other way round."""
    mesh = trimesh.creation.torus(0.1, 0.03, major_sections=64, minor_sections=32)
    faces = np.array(mesh.faces, dtype=np.int32)
    faces[::3] = faces[::3, ::-1]
    return np.array(mesh.vertices), faces


def pipe():
    """An open one that shows its inside."""
    mesh = trimesh.creation.cylinder(0.06, 0.2, sections=48)
    upright = np.abs(mesh.face_normals[:, 2]) < 0.5
    mesh = trimesh.Trimesh(mesh.vertices, mesh.faces[upright]).subdivide().subdivide()
    return np.array(mesh.vertices), np.array(mesh.faces, dtype=np.int32)


def poses(count=40):
    rng = np.random.default_rng(3)
    for _ in range(count):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        turn[:, 0] *= np.linalg.det(turn)
        yield se3.compose(turn, [*rng.uniform(-0.1, 0.1, 2), rng.uniform(0.5, 1.2)])


@pytest.mark.parametrize('make', [ring, pipe])
def test_what_a_camera_may_see_looks_like_the_whole(make):
    vertices, faces = make()
    first = 7
    outlooks = Outlooks(vertices, faces, first)
    seen = differ = 0
    for pose in poses():
        whole, chosen = Raster(CAMERA), Raster(CAMERA)
        whole.add(vertices, faces, pose)
        facet = outlooks.facet(pose)
        chosen.add(facet.vertices, facet.faces, pose, facet.number, one_sided=True)
        (one, face, _), (other, number, _) = whole.image(), chosen.image()
        there = np.isfinite(one) | np.isfinite(other)
        same = (number == face + first) & (np.abs(one - other) < 1e-6)
        seen, differ = seen + there.sum(), differ + (there & ~same).sum()
    assert seen > 20_000
    assert differ < 0.001 * seen


def test_of_a_closed_surface_less_than_all_is_drawn():
    vertices, faces = ring()
    outlooks = Outlooks(vertices, faces)
    assert all(len(outlooks.facet(pose).faces) < len(faces) for pose in poses(10))
