# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Meshes of objects that are seen from above, and colours from mesh files."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from PIL import Image

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.raster import rasterise
from r2rgen_ros.parse.closing import Resting
from r2rgen_ros.parse.completion import MESH, surroundings
from r2rgen_ros.parse.fusion import Seen, View, fuse
from r2rgen_ros.parse.mesh_model import Mesh, MeshFit, complete_with_mesh, register_mesh

CAMERA = PinholeCamera(320, 240, 300.0, 300.0, 159.5, 119.5)
GROWTH = 0.002
TABLE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], dtype=float)


def block(size):
    """Triangles of a block on the table."""
    box = trimesh.creation.box(extents=size)
    box.apply_translation([0.0, 0.0, size[2] / 2])
    return np.array(box.vertices), np.array(box.faces, dtype=np.int64)


def from_above(vertices, faces, tilt):
    """What a noisy camera 0.6 m above a block sees of it: what was seen, and what is free."""
    rng = np.random.default_rng(np.random.SeedSequence([4]))
    eye = 0.6 * np.array([np.sin(tilt), 0.0, np.cos(tilt)])
    right = np.cross(-eye, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    pose = se3.compose(np.stack([right, np.cross(-eye / 0.6, right), -eye / 0.6], axis=1), eye)
    base2camera = se3.inverse(pose)
    behind, _ = rasterise(se3.apply(base2camera, TABLE), [[0, 1, 2], [0, 2, 3]], CAMERA)
    drawn, _ = rasterise(se3.apply(base2camera, vertices), faces, CAMERA)
    inside = np.isfinite(drawn) & ~(behind <= drawn)
    exact = np.where(inside, drawn, behind).astype(np.float64)
    views = []
    for _ in range(8):
        depth = exact + GROWTH * exact**2 * rng.standard_normal(exact.shape)
        views.append(View(depth.astype(np.float32), CAMERA, pose, np.eye(4), inside))
    seen = fuse(views, GROWTH)
    return seen, surroundings(seen, views, GROWTH)


@pytest.mark.parametrize('stands', [True, False])
@pytest.mark.parametrize(
    ('size', 'degrees'),
    [((0.06, 0.09, 0.10), 0), ((0.05, 0.05, 0.12), 3), ((0.08, 0.12, 0.05), 8)],
)
def test_a_block_of_which_only_the_top_is_seen_reaches_the_table(size, degrees, stands):
    """Its foot is never seen: where it stands follows from the mesh, with or without a plane."""
    vertices, faces = block(size)
    seen, space = from_above(vertices, faces, np.deg2rad(degrees))
    assert seen.points[:, 2].min() > 0.5 * size[2]
    turn = se3.rotation_about(np.array([0.6, 0.0, 0.8]), 2.0)
    plane = Resting(np.array([0.0, 0.0, 1.0]), 0.0) if stands else None
    fit = register_mesh(Mesh(vertices @ turn.T + [0.3, 0.0, 0.0], faces), seen, space, plane)
    assert fit.is_trusted
    assert fit.violation < 0.01
    done = complete_with_mesh(fit, seen)
    low, high = done.cloud.points.min(axis=0), done.cloud.points.max(axis=0)
    assert np.abs(low - [-size[0] / 2, -size[1] / 2, 0.0]).max() < 0.004
    assert np.abs(high - [size[0] / 2, size[1] / 2, size[2]]).max() < 0.004


# Colours of files.

SQUARE = """mtllib square.mtl
v 0 0 0
v 0.1 0 0
v 0.1 0.1 0
v 0 0.1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
usemtl label
f 1/1 2/2 3/3
f 1/1 3/3 4/4
"""


@pytest.fixture
def square(tmp_path):
    """An OBJ of a square whose texture is red, green, blue and white in its quarters."""
    (tmp_path / 'square.obj').write_text(SQUARE)
    (tmp_path / 'square.mtl').write_text('newmtl label\nKd 1 1 1\nmap_Kd label.png\n')
    quarters = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    Image.fromarray(np.kron(quarters, np.ones((8, 8, 1), np.uint8))).save(tmp_path / 'label.png')
    return tmp_path / 'square.obj'


def seen_far_away():
    """What was seen, and is no part of the square: half of it dark, half of it darker."""
    points = np.random.default_rng(0).uniform(1.0, 1.1, (100, 3))
    colours = np.tile([[40, 50, 60]], (100, 1))
    return Seen(Cloud.from_arrays(points, colours), np.zeros((100, 3)))


def painted(path):
    mesh = Mesh.load(path)
    fit = MeshFit(mesh, np.eye(4), 'metres', 0.0, 1.0, 0.0)
    done = complete_with_mesh(fit, seen_far_away())
    assert (done.kinds == MESH).all()
    return done.cloud.points, done.cloud.colours.astype(int), mesh.remark


def test_a_texture_gives_what_was_not_seen_its_colours(square):
    points, colours, remark = painted(square)
    assert remark == ''
    inner = (np.abs(points[:, :2] - 0.05) > 0.008).all(axis=1)
    right, up = points[inner, 0] > 0.05, points[inner, 1] > 0.05
    for place, wanted in (
        (~right & up, (255, 0, 0)),
        (right & up, (0, 255, 0)),
        (~right & ~up, (0, 0, 255)),
        (right & ~up, (255, 255, 255)),
    ):
        assert place.sum() > 100
        assert (colours[inner][place] == wanted).all()


@pytest.mark.parametrize('lost', ['label.png', 'square.mtl'])
def test_colours_that_are_missing_are_one_remark_and_plain(square, lost):
    (square.parent / lost).unlink()
    _, colours, remark = painted(square)
    assert remark.count(lost) == 1
    assert (colours == (40, 50, 60)).all()


def test_a_mesh_without_colours_says_nothing(tmp_path):
    trimesh.creation.box(extents=(0.1, 0.1, 0.1)).export(tmp_path / 'box.stl')
    _, colours, remark = painted(tmp_path / 'box.stl')
    assert remark == ''
    assert (colours == (40, 50, 60)).all()
