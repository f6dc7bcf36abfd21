# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.mesh_files import read_mesh
from r2rgen_ros.robots.meshes import MeshFinder, link_surfaces
from r2rgen_ros.robots.surface import sample_surface
from r2rgen_ros.simulate import panda

INSIDE = 'meshes/part.stl'


def urdf(*elements):
    return f'<robot name="r"><link name="base">{"".join(elements)}</link></robot>'


def part(kind, shape, origin=''):
    return f'<{kind}>{origin}<geometry>{shape}</geometry></{kind}>'


def mesh(name, kind='visual', scale=''):
    return part(kind, f'<mesh filename="{name}" {scale}/>')


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv('ROS_PACKAGE_PATH', raising=False)
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)


@pytest.fixture
def workspace(tmp_path):
    """A package `arm_description` with one box, 0.2 x 0.1 x 0.1 m."""
    file = tmp_path / 'share' / 'arm_description' / INSIDE
    file.parent.mkdir(parents=True)
    trimesh.creation.box(extents=(0.2, 0.1, 0.1)).export(file)
    return tmp_path


@pytest.mark.parametrize('folder', ['share', 'share/arm_description', '.'])
def test_a_package_is_found_in_the_folder_that_holds_it_or_is_it(workspace, folder):
    found = MeshFinder([workspace / folder]).find(f'package://arm_description/{INSIDE}')
    assert found is not None
    assert found.samefile(workspace / 'share' / 'arm_description' / INSIDE)


@pytest.mark.parametrize(
    ('variable', 'folder'),
    [
        ('ROS_PACKAGE_PATH', 'share'),
        ('ROS_PACKAGE_PATH', 'share/arm_description'),
        ('AMENT_PREFIX_PATH', '.'),
    ],
)
def test_a_package_is_found_through_the_environment(workspace, monkeypatch, variable, folder):
    name = f'package://arm_description/{INSIDE}'
    assert MeshFinder().find(name) is None
    monkeypatch.setenv(variable, f'/nowhere:{workspace / folder}')
    assert MeshFinder().find(name) is not None


def test_a_given_folder_goes_before_the_environment(workspace, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp('other')
    shutil.copytree(workspace / 'share', other / 'share')
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(other))
    found = MeshFinder([workspace]).find(f'package://arm_description/{INSIDE}')
    assert found is not None
    assert workspace in found.parents


def test_paths_and_file_names_with_escapes_are_found(workspace):
    file = workspace / 'share' / 'arm_description' / INSIDE
    spaced = workspace / 'with space.stl'
    shutil.copy(file, spaced)
    finder = MeshFinder([workspace], relative_to=file.parent)
    for name in (file.as_uri(), str(file), spaced.as_uri(), 'part.stl', 'with space.stl'):
        assert finder.find(name) is not None, name
    assert finder.find('http://example.org/part.stl') is None
    assert finder.find('package://arm_description/../../with space.stl') is None


def test_packages_of_the_wheel_are_found_by_their_own_name():
    names = [
        'package://example-robot-data/robots/panda_description/meshes/visual/link0.dae',
        'package://panda_description/meshes/visual/link0.dae',
    ]
    assert [MeshFinder().find(name) is not None for name in names] == [True, True]


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(R2RGenError, match='nowhere'):
        MeshFinder([Path('/nowhere')])


@pytest.mark.parametrize('suffix', ['stl', 'obj', 'ply', 'dae'])
def test_every_format_gives_the_same_box(tmp_path, suffix):
    file = tmp_path / f'box.{suffix}'
    trimesh.creation.box(extents=(0.2, 0.1, 0.3)).export(file)
    surface = read_mesh(file)
    assert len(surface.faces) == 12
    assert len(surface.vertices) == 8
    assert np.allclose(np.ptp(surface.vertices, axis=0), [0.2, 0.1, 0.3], atol=1e-5)


def test_collada_is_scaled_by_its_unit(tmp_path):
    file = tmp_path / 'box.dae'
    trimesh.creation.box(extents=(200, 100, 100)).export(file)
    text = file.read_text()
    unit = '<unit name="millimeter" meter="0.001"/></asset>'
    file.write_text(text.replace('</asset>', unit))
    assert np.allclose(np.ptp(read_mesh(file).vertices, axis=0), [0.2, 0.1, 0.1])


def test_a_broken_mesh_is_named(tmp_path):
    file = tmp_path / 'broken.stl'
    file.write_bytes(b'solid nothing')
    with pytest.raises(R2RGenError, match=r'broken\.stl'):
        read_mesh(file)
    with pytest.raises(R2RGenError, match='no mesh'):
        read_mesh(tmp_path / 'part.blend')


@pytest.mark.parametrize(
    ('shape', 'size'),
    [
        ('<box size="0.1 0.2 0.3"/>', (0.1, 0.2, 0.3)),
        ('<sphere radius="0.1"/>', (0.2, 0.2, 0.2)),
        ('<cylinder radius="0.1" length="0.5"/>', (0.2, 0.2, 0.5)),
        ('<capsule radius="0.1" length="0.3"/>', (0.2, 0.2, 0.5)),
    ],
)
def test_primitives_are_as_large_as_they_say_and_centred(shape, size):
    origin = '<origin xyz="1 2 3" rpy="0 0 0"/>'
    surfaces, warnings = link_surfaces(urdf(part('visual', shape, origin)), MeshFinder())
    vertices = surfaces['base'].vertices
    assert np.allclose(np.ptp(vertices, axis=0), size, atol=2e-3)
    middle = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
    assert np.allclose(middle, [1, 2, 3], atol=1e-3)
    assert warnings == ()


def test_scale_and_origin_move_a_mesh(workspace):
    shape = f'<mesh filename="package://arm_description/{INSIDE}" scale="2 1 1"/>'
    origin = '<origin xyz="0 0 1" rpy="0 0 1.5707963267948966"/>'
    surfaces, _ = link_surfaces(urdf(part('visual', shape, origin)), MeshFinder([workspace]))
    vertices = surfaces['base'].vertices
    assert np.allclose(np.ptp(vertices, axis=0), [0.1, 0.4, 0.1])
    assert np.allclose(vertices[:, 2].mean(), 1.0)


def test_a_missing_package_is_one_warning_and_collision_serves_instead():
    lost = mesh('package://lost_description/a.dae')
    text = (
        '<robot name="r"><link name="one">'
        + lost + part('collision', '<box size="1 1 1"/>')
        + '</link><link name="two">' + lost + '</link></robot>'
    )  # fmt: skip
    surfaces, warnings = link_surfaces(text, MeshFinder())
    assert list(surfaces) == ['one']
    assert len(warnings) == 1
    assert 'lost_description' in warnings[0]
    assert 'folder' in warnings[0]


def without(monkeypatch, *packages):
    for name in packages:
        monkeypatch.setitem(sys.modules, name, None)


def test_without_the_package_that_reads_meshes_a_warning_is_all(workspace, monkeypatch):
    text = urdf(mesh(f'package://arm_description/{INSIDE}'), part('visual', '<sphere radius="1"/>'))
    without(monkeypatch, 'trimesh')
    surfaces, (warning,) = link_surfaces(text, MeshFinder([workspace]))
    assert surfaces == {}
    assert 'trimesh' in warning
    assert 'pip install' in warning
    with pytest.raises(R2RGenError, match='without the package trimesh'):
        read_mesh(workspace / 'share' / 'arm_description' / INSIDE, painted=True)


def test_without_the_package_that_reads_collada_collision_serves_instead(monkeypatch):
    without(monkeypatch, 'collada')
    surfaces, (warning,) = link_surfaces(panda.description(), MeshFinder())
    assert len(surfaces) == 11
    assert 'pycollada' in warning
    assert 'collision geometry serves instead' in warning


def test_visual_geometry_goes_before_collision_geometry():
    both = part('visual', '<sphere radius="0.1"/>') + part('collision', '<box size="1 1 1"/>')
    surfaces, _ = link_surfaces(urdf(both), MeshFinder())
    assert np.ptp(surfaces['base'].vertices) < 0.3
    surfaces, _ = link_surfaces(urdf(part('collision', '<box size="1 1 1"/>')), MeshFinder())
    assert np.ptp(surfaces['base'].vertices) == 1.0


def test_nonsense_in_a_description_is_named():
    with pytest.raises(R2RGenError, match='three numbers'):
        link_surfaces(urdf(part('visual', '<box size="1 b 3"/>')), MeshFinder())
    with pytest.raises(R2RGenError, match='torus'):
        link_surfaces(urdf(part('visual', '<torus/>')), MeshFinder())


def test_samples_cover_a_surface_evenly_and_are_always_the_same():
    surfaces, _ = link_surfaces(urdf(part('visual', '<box size="0.2 0.1 0.3"/>')), MeshFinder())
    points = sample_surface(surfaces['base'], 0.01)
    assert np.array_equal(points, sample_surface(surfaces['base'], 0.01))
    on_a_side = np.isclose(np.abs(points), [0.1, 0.05, 0.15]).any(axis=1)
    assert on_a_side.all()
    dense = sample_surface(surfaces['base'], 0.002)
    from scipy.spatial import cKDTree

    assert cKDTree(points).query(dense)[0].max() < 0.02


def test_the_panda_has_a_surface_for_each_link():
    surfaces, warnings = link_surfaces(panda.description(), MeshFinder())
    assert len(surfaces) == 11
    assert warnings == ()
