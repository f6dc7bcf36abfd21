# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Triangles and colours from files that other programs write."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from PIL import Image

from r2rgen_ros.robots.mesh_files import files_beside, read_mesh
from r2rgen_ros.robots.paint import BARE, Paint
from r2rgen_ros.robots.surface import Surface, merged
from r2rgen_ros.simulate import panda

MIDDLE = np.full((1, 3), 1 / 3)

TWO = """mtllib two.mtl
v 0 0 0
v 1 0 0
v 0 1 0
v 0 0 1
vt 0 0
vt 1 0
vt 0 1
usemtl plain
f 1 2 3
usemtl wooden
f 1/1 2/2 4/3
"""


def colour(paint, face):
    return paint.at(np.array([face]), MIDDLE)[0]


def triangle(surface, *, raised):
    """Which of the two triangles of `TWO` is level, or is raised."""
    high = surface.vertices[surface.faces][:, :, 2].max(axis=1)
    return int(np.argmax(high if raised else -high))


@pytest.fixture
def two(tmp_path):
    """An OBJ of two triangles, one of a plain colour and one with a texture."""
    (tmp_path / 'two.obj').write_text(TWO)
    (tmp_path / 'maps').mkdir()
    Image.new('RGB', (4, 4), (90, 60, 30)).save(tmp_path / 'maps' / 'oak wood.png')
    (tmp_path / 'two.mtl').write_text(
        'newmtl plain\nKd 1 0 0\nnewmtl wooden\nKd 1 1 1\nmap_Kd maps/oak wood.png\n'
    )
    return tmp_path / 'two.obj'


def test_materials_and_textures_of_an_obj_are_read(two):
    surface = read_mesh(two, painted=True)
    assert surface.paint.missing == ()
    plain, wooden = (triangle(surface, raised=raised) for raised in (False, True))
    assert colour(surface.paint, plain) == pytest.approx([255, 0, 0])
    assert colour(surface.paint, wooden) == pytest.approx([90, 60, 30])
    assert [path.name for path in files_beside(two)] == ['two.mtl', 'oak wood.png']


@pytest.mark.parametrize('broken', [True, False])
def test_a_texture_that_is_missing_or_broken_leaves_only_its_triangles_bare(two, broken):
    image = two.parent / 'maps' / 'oak wood.png'
    image.write_bytes(b'no picture') if broken else image.unlink()
    surface = read_mesh(two, painted=True)
    assert surface.paint.missing == ('maps/oak wood.png',)
    assert colour(surface.paint, triangle(surface, raised=False)) == pytest.approx([255, 0, 0])
    assert np.isnan(colour(surface.paint, triangle(surface, raised=True))).all()


def test_without_its_materials_an_obj_has_no_colours(two):
    (two.parent / 'two.mtl').unlink()
    surface = read_mesh(two, painted=True)
    assert surface.paint.is_bare
    assert surface.paint.missing == ('two.mtl',)
    assert files_beside(two) == ()
    assert read_mesh(two).paint is None
    assert len(read_mesh(two).faces) == len(surface.faces) == 2


LEAF = """ply
format ascii 1.0
comment TextureFile leaf.png
element vertex 4
property float x
property float y
property float z
property float s
property float t
element face 2
property list uchar int vertex_indices
end_header
0 0 0 0 0
1 0 0 1 0
1 1 0 1 1
0 1 0 0 1
3 0 1 2
3 0 2 3
"""


def test_the_texture_of_a_ply_is_read_and_missed_without_a_word_of_the_reader(tmp_path, caplog):
    file, image = tmp_path / 'leaf.ply', tmp_path / 'leaf.png'
    file.write_text(LEAF)
    Image.new('RGB', (4, 4), (30, 120, 10)).save(image)
    assert files_beside(file) == (image,)
    paint = read_mesh(file, painted=True).paint
    assert colour(paint, 1) == pytest.approx([30, 120, 10])
    for spoil in (lambda: image.write_bytes(b'no picture'), image.unlink):
        spoil()
        paint = read_mesh(file, painted=True).paint
        assert paint.is_bare
        assert paint.missing == ('leaf.png',)
    assert caplog.messages == []


@pytest.mark.parametrize('suffix', ['ply', 'obj', 'stl', 'dae'])
def test_painted_or_not_the_triangles_are_the_same(tmp_path, suffix):
    file = tmp_path / f'ball.{suffix}'
    trimesh.creation.icosphere(subdivisions=2, radius=0.1).export(file)
    plain, painted = read_mesh(file), read_mesh(file, painted=True)
    assert np.allclose(plain.vertices[plain.faces], painted.vertices[painted.faces], atol=1e-6)
    assert len(painted.paint) == len(painted.faces)


def test_colours_of_vertices_and_of_faces_are_read(tmp_path):
    box = trimesh.creation.box()
    wanted = np.random.default_rng(0).integers(0, 256, (8, 4), dtype=np.uint8)
    box.visual.vertex_colors = wanted
    box.export(tmp_path / 'vertices.ply')
    box.export(tmp_path / 'vertices.obj')
    for name in ('vertices.ply', 'vertices.obj'):
        paint = read_mesh(tmp_path / name, painted=True).paint
        for face in range(12):
            corners = wanted[box.faces[face], :3].astype(float)
            assert colour(paint, face) == pytest.approx(corners.mean(axis=0), abs=1.0)
    box.visual = trimesh.visual.ColorVisuals(box, face_colors=np.tile([[9, 8, 7, 255]], (12, 1)))
    box.export(tmp_path / 'faces.ply')
    assert colour(read_mesh(tmp_path / 'faces.ply', painted=True).paint, 3) == pytest.approx(
        [9, 8, 7]
    )


def test_the_panda_has_the_colours_of_its_materials():
    surface = read_mesh(panda.description_file().parents[1] / 'meshes/visual/hand.dae',
                        painted=True)  # fmt: skip
    assert (surface.paint.texture != BARE).all()
    assert 2 <= len(np.unique(surface.paint.corners[:, 0], axis=0)) <= 12


def test_paints_stay_with_their_triangles():
    red = np.tile(np.uint8([255, 0, 0]), (1, 3, 1))
    image = np.full((2, 2, 3), 77, dtype=np.uint8)
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    face = np.array([[0, 1, 2]], dtype=np.int32)
    line = Surface(corners * [1, 0, 0], face, Paint.bare(1, ('gone.png',)))
    plain = Surface(corners, face, Paint.of_corners(red))
    laid = Surface(corners + 1.0, face, Paint.of_texture(np.zeros((1, 3, 2)), image))
    whole = merged(Surface.concatenate([line, plain, laid]))  # a line is no triangle
    assert len(whole.faces) == len(whole.paint) == 2
    assert colour(whole.paint, 0) == pytest.approx([255, 0, 0])
    assert colour(whole.paint, 1) == pytest.approx([77, 77, 77])
    assert whole.paint.missing == ('gone.png',)
    other = whole.select(np.array([False, True]))
    assert np.allclose(other.vertices[other.faces[0]], corners + 1.0)
    assert colour(other.paint, 0) == pytest.approx([77, 77, 77])
    assert Surface.concatenate([plain, Surface(corners, face)]).paint is None


def test_a_texture_repeats_beyond_its_edges_and_does_not_mix_them():
    ramp = np.repeat(np.arange(0, 250, 50, dtype=np.uint8)[None, :, None], 3, axis=2)
    uv = np.array([[[0.0, 0.5], [1.0, 0.5], [1.1, 0.5]], [[-0.9, 3.5], [0.1, -2.5], [2.1, 0.5]]])
    paint = Paint.of_texture(uv, np.ascontiguousarray(ramp))
    corner = np.eye(3)
    values = paint.at(np.repeat([0, 1], 3), np.vstack([corner, corner]))[:, 0]
    assert values == pytest.approx([0.0, 200.0, 0.0, 0.0, 0.0, 0.0], abs=1e-9)
