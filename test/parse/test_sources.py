# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sources as a person gives them: mesh files, and plug-ins that are really installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import Annotation, Grasp, ObjectNote, Prompt, Sources
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse import sources
from r2rgen_ros.parse.closing import Resting
from r2rgen_ros.parse.completion import KINDS
from r2rgen_ros.parse.fusion import Seen

BLOCK = ((-0.05, -0.05, 0.0), (0.05, 0.05, 0.08))
PLATE = ((-0.15, -0.15, 0.0), (0.15, 0.15, 0.01))
SIZE = np.array([0.10, 0.06, 0.04])

MODULE = '''
import numpy as np

asked = []


class Nearest:
    """Masks what is as near as the point, or the middle of the box, that was given."""

    name = 'nearest'
    reach = 0.05

    def masks(self, colour, depth, prompts):
        asked.append(prompts)
        out = []
        for prompt in prompts:
            u, v = (prompt[0] + prompt[-2]) / 2, (prompt[1] + prompt[-1]) / 2
            if len(prompt) == 2:
                u, v = prompt
            out.append(np.abs(depth - depth[round(v), round(u)]) < self.reach)
        return out


class Blind(Nearest):
    name = 'blind'
    reach = -1.0


class Slide:
    """An object that slides away from frame 6 to 9, and cannot be seen in the last frame."""

    name = 'slide'

    def track(self, demo, cloud, start, frame):
        poses = np.tile(start, (len(demo), 1, 1))
        poses[:, 0, 3] += 0.01 * np.clip(np.arange(len(demo)) - 5, 0, 4)
        residual = np.full(len(demo), 0.001)
        residual[3], residual[-1] = 0.03, np.nan
        return poses, residual
'''

ENTRIES = """
[r2rgen_ros.mask_sources]
nearest = near_masks.core:Nearest
blind = near_masks.core:Blind

[r2rgen_ros.trackers]
slide = near_masks.core:Slide
"""


@pytest.fixture
def package(install):
    """The module of a package that offers plug-ins, installed as pip would."""
    texts = {'near_masks/__init__.py': '', 'near_masks/core.py': MODULE}
    return install(texts, ENTRIES, 'near_masks.core')


@pytest.fixture
def scene(table):
    """A block on a plate, seen in twelve frames; and which pixels (H, W) show which."""
    depth, owner = table.draw(table.camera, table.pose, [BLOCK, PLATE])
    colour = np.tile((60 + 60 * owner[..., None]).astype(np.uint8), (1, 1, 3))
    return table.make_demo([Frame(depth, colour)] * 12), owner


def note(name='block', frame=0, **way):
    return ObjectNote(name, Prompt(frame, **way))


def at(owner, number):
    """A pixel in the middle of an object."""
    v, u = np.nonzero(owner == number)
    return float(np.median(u)), float(np.median(v))


# Meshes.


@pytest.fixture
def box_file(tmp_path):
    """Writes a box into a file of a format, and returns its name."""

    def write(ending, unit=1.0):
        box = trimesh.creation.box(extents=SIZE * unit).subdivide()
        box.export(tmp_path / f'box.{ending}')
        return f'box.{ending}'

    return write


@pytest.mark.parametrize('ending', ['ply', 'obj', 'stl', 'dae'])
def test_a_mesh_is_read_from_any_format(box_file, tmp_path, ending):
    named = ObjectNote('box', Prompt(point=(0, 0, 0)), mesh=box_file(ending))
    for folder, each in ((tmp_path, named), (tmp_path / 'else', None)):
        absolute = str(tmp_path / named.mesh)
        mesh = sources.mesh_of(each or ObjectNote('box', named.prompt, mesh=absolute), folder)
        np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0), SIZE, rtol=1e-6)
        points, normals, _ = mesh.sample(500)
        assert ((points * normals).sum(axis=1) > 0.0).all()
    assert sources.mesh_of(note(point=(0, 0, 0)), tmp_path) is None


def test_a_mesh_that_has_gone_or_is_broken_is_named(tmp_path):
    lost = ObjectNote('box', Prompt(point=(0, 0, 0)), mesh='box.ply')
    with pytest.raises(R2RGenError, match=r'no mesh .*box\.ply of "box"'):
        sources.mesh_of(lost, tmp_path)
    (tmp_path / 'box.ply').write_text('ply\nformat ascii 1.0\nend_header\n')
    with pytest.raises(R2RGenError, match=r'box\.ply'):
        sources.mesh_of(lost, tmp_path)


def seen_box():
    """Three sides of the box, as a camera sees them; the box stands on z = 0."""
    half, faces = SIZE / 2, []
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 30), np.linspace(-1, 1, 30)), axis=-1)
    for axis in range(3):
        side = np.insert(grid.reshape(-1, 2), axis, 1.0, axis=1) * half
        faces.append((side, np.tile(np.eye(3)[axis], (len(side), 1))))
    points, normals = (np.concatenate(part) for part in zip(*faces, strict=True))
    return Seen(Cloud.from_arrays(points + half * (0, 0, 1)), normals, 0.0005)


@pytest.mark.parametrize('unit', [1.0, 1000.0])
def test_an_object_is_completed_with_its_mesh(box_file, tmp_path, unit):
    named = ObjectNote('box', Prompt(point=(0, 0, 0)), mesh=box_file('ply', unit))
    resting = Resting(np.array([0.0, 0.0, 1.0]), 0.0)
    done, remark = sources.complete_object(named, tmp_path, seen_box(), None, resting)
    assert remark == ''
    assert done.how == ('mesh',)
    np.testing.assert_allclose(np.ptp(done.cloud.points, axis=0), SIZE, atol=0.003)
    assert 0.2 < done.seen_share < 0.8


def test_a_texture_colours_what_was_not_seen_and_is_missed_in_one_remark(tmp_path):
    box = trimesh.creation.box(extents=SIZE)
    uv = np.random.default_rng(0).random((len(box.vertices), 2))
    blue = Image.new('RGB', (8, 8), (10, 20, 200))
    box.visual = trimesh.visual.TextureVisuals(uv, image=blue)
    box.export(tmp_path / 'box.obj')
    named = ObjectNote('box', Prompt(point=(0, 0, 0)), mesh='box.obj')
    beside = [path for path in tmp_path.iterdir() if path.name != 'box.obj']
    assert set(sources.source_files(Annotation((named,), ()), tmp_path)) == {
        tmp_path / 'box.obj', *beside,
    }  # fmt: skip
    resting = Resting(np.array([0.0, 0.0, 1.0]), 0.0)
    done, remark = sources.complete_object(named, tmp_path, seen_box(), None, resting)
    assert remark == ''
    unseen = done.kinds == KINDS.index('mesh')
    assert (done.cloud.colours[unseen] == (10, 20, 200)).all()
    assert (done.cloud.colours[~unseen] == seen_box().cloud.colours[0]).all()
    (picture,) = (path for path in beside if path.suffix == '.png')
    picture.unlink()
    done, remark = sources.complete_object(named, tmp_path, seen_box(), None, resting)
    assert remark.count(picture.name) == 1
    assert '"box"' in remark
    assert done.how == ('mesh',)


def test_a_mesh_of_another_thing_is_told_of_and_not_used(tmp_path):
    trimesh.creation.icosphere(radius=0.06).export(tmp_path / 'ball.ply')
    trimesh.creation.box(extents=SIZE * 5.0).export(tmp_path / 'house.ply')
    ball = ObjectNote('box', Prompt(point=(0, 0, 0)), mesh='ball.ply')
    done, remark = sources.complete_object(ball, tmp_path, seen_box(), None, None)
    assert {KINDS[kind] for kind in np.unique(done.kinds)} == {'seen'}
    assert 'ball.ply is not used' in remark
    assert '"box"' in remark
    house = ObjectNote('box', Prompt(point=(0, 0, 0)), mesh='house.ply')
    with pytest.raises(R2RGenError, match=r'house\.ply does not fit "box": the mesh is'):
        sources.complete_object(house, tmp_path, seen_box(), None, None)


def test_without_a_mesh_it_is_as_ever(tmp_path):
    done, remark = sources.complete_object(note(point=(0, 0, 0)), tmp_path, seen_box(), None, None)
    assert remark == ''
    assert len(done.cloud) == len(seen_box().cloud)


# Masks.


def test_every_kind_of_prompt_becomes_a_mask(package, scene, table):
    demo, owner = scene
    truth = owner == 0
    u, v = at(owner, 0)
    box = (u - 3, v - 3, u + 3, v + 3)
    top = (0.0, 0.0, 0.08)
    for way in ({'pixel': (u, v)}, {'box': box}, {'point': top}, {'region': BLOCK}):
        found = sources.masks_for(demo, [note(**way)], 'nearest')
        assert list(found) == ['block']
        assert found['block'].dtype == np.bool_
        assert (found['block'] & truth).sum() > 0.8 * truth.sum()
    low, high = np.array(package.asked[-1][0]).reshape(2, 2)
    pixels = np.argwhere(truth)[:, ::-1]
    assert (low <= pixels.min(axis=0)).all()
    assert (high >= pixels.max(axis=0)).all()
    assert package.asked[-2][0] == pytest.approx(
        table.camera.project(se3.apply(se3.inverse(table.pose), [top]))[0, :2]
    )


def test_objects_of_a_frame_are_asked_for_together(package, scene):
    demo, owner = scene
    notes = [
        note('block', 3, pixel=at(owner, 0)),
        note('drawn', 3, mask='masks/drawn.png'),
        note('plate', 3, pixel=at(owner, 1)),
        note('later', 7, pixel=at(owner, 0)),
    ]
    found = sources.masks_for(demo, notes, 'near_masks.core:Nearest')
    assert set(found) == {'block', 'plate', 'later'}
    assert [len(prompts) for prompts in package.asked] == [2, 1]
    # The plug-in gives both objects of frame 3 the pixels that both are near to.
    assert not (found['block'] & found['plate']).any()
    assert (found['block'] | found['plate']).sum() >= found['later'].sum()


def test_the_same_question_has_the_same_answer(package, scene):
    demo, owner = scene
    notes = [note('block', pixel=at(owner, 0)), note('plate', pixel=at(owner, 1))]
    one, two = (sources.masks_for(demo, notes, 'nearest') for _ in range(2))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert sources.masks_for(demo, [], 'nearest') == {}


@pytest.mark.parametrize(
    ('name', 'way', 'words'),
    [
        ('blind', {'pixel': (150.0, 120.0)}, '"blind" finds nothing of "block" in frame 0'),
        ('nearest', {'point': (5.0, 0.0, 0.0)}, '"block" lies outside the image of frame 0'),
        ('nearest', {'point': (0.0, -50.0, 99.0)}, '"block" lies outside'),
        ('farthest', {'pixel': (150.0, 120.0)}, 'no mask source "farthest"; installed: blind'),
        ('nearest', {'pixel': (900.0, 120.0)}, '"nearest" failed: IndexError'),
    ],
)
def test_no_mask_is_one_clear_line(package, scene, name, way, words):
    with pytest.raises(R2RGenError, match=words) as caught:
        sources.masks_for(scene[0], [note(**way)], name)
    assert '\n' not in str(caught.value)


def test_masks_need_colours(package, scene, table):
    depth = scene[0].frames[0].depth
    for frame in (Frame(depth), table.cloud_frame(np.zeros((3, 3)))):
        demo = table.make_demo([frame] * 2)
        with pytest.raises(R2RGenError, match='needs colour and depth images'):
            sources.masks_for(demo, [note(pixel=(150.0, 120.0))], 'nearest')


# Trackers.


def test_a_tracker_gives_the_paths_of_objects(package, scene):
    demo, _ = scene
    notes = [
        note(frame=2, point=(0, 0, 0)),
        ObjectNote('held', Prompt(point=(0, 0, 0)), (Grasp('arm', 6, 10),)),
    ]
    clouds = [Cloud.from_arrays(np.eye(3) * 0.05), Cloud.from_arrays(np.zeros((1, 3)))]
    starts = [np.eye(4), se3.compose(np.eye(3), [0.1, 0.2, 0.3])]
    pushed, held = sources.tracked_paths(demo, notes, clouds, starts, 'slide')
    np.testing.assert_allclose(pushed.poses[-1, :3, 3], [0.04, 0.0, 0.0])
    np.testing.assert_allclose(held.poses[0], starts[1])
    assert pushed.carrier.tolist() == [-1] * 12
    assert held.carrier.tolist() == [-1] * 6 + [0] * 5 + [-1]
    assert np.flatnonzero(~pushed.is_trusted).tolist() == [3]
    assert np.isnan(pushed.residual[-1])
    moving = np.flatnonzero(pushed.has_moved)
    assert set(range(6, 10)) <= set(moving) <= set(range(4, 12))
    assert not held.has_moved.any()


def test_no_tracker_is_one_clear_line(package, scene):
    with pytest.raises(R2RGenError, match='no tracker "nearest"; installed: slide'):
        sources.tracked_paths(scene[0], [], [], [], 'nearest')


# What they read.


def test_files_of_all_sources_are_listed(package, tmp_path):
    folder = tmp_path / 'demo'
    (folder / 'empty' / 'bag').mkdir(parents=True)
    (folder / 'empty' / 'bag' / 'metadata.yaml').write_text('')
    notes = (
        ObjectNote('one', Prompt(point=(0, 0, 0)), mesh='one.ply'),
        ObjectNote('two', Prompt(point=(0, 0, 0)), mesh='/meshes/two.ply'),
        note('none', point=(0, 0, 0)),
    )
    said = Annotation(notes, (), sources=Sources('empty', ('a', '/b'), 'nearest', 'bright:x'))
    found = [str(path) for path in sources.source_files(said, folder)]
    site = tmp_path / 'site' / 'near_masks'
    assert found == [
        str(folder / 'one.ply'),
        '/meshes/two.ply',
        str(folder / 'empty' / 'bag'),
        str(site / '__init__.py'),
        str(site / 'core.py'),
    ]
    assert sources.mesh_folders(said, folder) == (folder / 'a', Path('/b'))
    assert sources.source_files(Annotation(notes[2:], ()), folder) == ()
