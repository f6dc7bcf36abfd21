# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from r2rgen_ros.model.annotation import Annotation, ObjectNote, Prompt, Sources
from r2rgen_ros.model.annotation_file import dump_annotation, located
from r2rgen_ros.model.annotation_folder import masked_objects, save_annotation, with_local_masks
from r2rgen_ros.model.errors import R2RGenError


def _annotation(*masks, name='cup'):
    notes = [ObjectNote(f'{name}_{k}', Prompt(mask=mask)) for k, mask in enumerate(masks)]
    return Annotation(tuple(notes or [ObjectNote(name, Prompt(point=(0.1, 0.2, 0.3)))]), ())


def _files(folder):
    return {str(p.relative_to(folder)): p.is_dir() or p.read_bytes() for p in folder.rglob('*')}


def _draw(path):
    path.write_bytes(b'picture')


@pytest.fixture
def folder(tmp_path):
    """A demonstration's folder with an annotation and its picture."""
    here = tmp_path / 'demo'
    here.mkdir()
    save_annotation(here / 'annotation.yaml', _annotation(name='old'), _draw)
    (here / 'annotation.png').write_bytes(b'old picture')
    return here


def _mask(folder, name, data):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def test_older_annotations_are_kept_under_numbers(folder):
    target = folder / 'annotation.yaml'
    texts = [dump_annotation(_annotation(name=name)) for name in ('old', 'one', 'two')]

    assert save_annotation(target, _annotation(name='one'), _draw) == folder / 'annotation.1.yaml'
    assert save_annotation(target, _annotation(name='two'), _draw) == folder / 'annotation.2.yaml'

    names = ('annotation.1.yaml', 'annotation.2.yaml', 'annotation.yaml')
    assert {name: (folder / name).read_text() for name in names} == dict(
        zip(names, texts, strict=True)
    )
    assert _files(folder).keys() == {*names, 'annotation.png'}
    assert (folder / 'annotation.png').read_bytes() == b'picture'


@pytest.mark.parametrize('there', [True, False])
@pytest.mark.parametrize('at', ['drawing', 'masks', 'second mask', 'picture'])
def test_a_failure_at_any_step_changes_nothing(folder, at, there):
    target = folder / 'annotation.yaml'
    if not there:
        target.unlink()
        (folder / 'annotation.png').unlink()
    masks = {'masks/a.png': b'a', 'masks/b.png': b'b'}
    draw, error = _draw, R2RGenError
    if at == 'drawing':
        error = KeyboardInterrupt

        def draw(path):
            _draw(path)
            raise KeyboardInterrupt
    elif at == 'masks':
        (folder / 'masks').write_text('no folder')
    elif at == 'second mask':
        _mask(folder / 'masks', 'b.png', b'other')
    else:
        (folder / 'annotation.png').unlink(missing_ok=True)
        (folder / 'annotation.png').mkdir()
    before = _files(folder)

    with pytest.raises(error):
        save_annotation(target, _annotation(), draw, masks)

    assert _files(folder) == before


def test_masks_from_elsewhere_take_names_that_are_free(folder, tmp_path):
    for place, data in (('left', b'left'), ('right', b'right'), ('third', b'there')):
        _mask(tmp_path / place, 'cup.png', data)
    _mask(folder / 'masks', 'cup.png', b'there')
    (folder / 'masks' / 'cup_3.png').mkdir()
    said = _annotation('left/cup.png', 'right/cup.png', 'third/cup.png', 'left/cup.png',
                       'demo/masks/cup.png')  # fmt: skip
    before = _files(folder)

    local, copies = with_local_masks(said, tmp_path, folder)

    assert _files(folder) == before
    names = [note.prompt.mask for note in local.objects]
    first, second, there = 'masks/cup_2.png', 'masks/cup_4.png', 'masks/cup.png'
    assert names == [first, second, there, first, there]
    assert copies == {first: b'left', second: b'right'}
    save_annotation(folder / 'annotation.yaml', local, _draw, copies)
    assert [(folder / name).read_bytes() for name in names] == [
        b'left', b'right', b'there', b'left', b'there'
    ]  # fmt: skip
    assert {note.name for note in masked_objects(folder)} >= {'cup', 'cup_2', 'cup_4'}


def test_a_mask_that_is_not_there_is_named(folder, tmp_path):
    with pytest.raises(R2RGenError, match=r'there is no mask .*none\.png'):
        with_local_masks(_annotation('none.png'), tmp_path, folder)


def test_an_annotation_in_its_own_folder_stays_as_it_is(folder):
    said = _annotation('masks/whatever.png')
    assert with_local_masks(said, folder, folder) == (said, {})


def _sourced(mesh, *sources):
    note = ObjectNote('cup', Prompt(point=(0.1, 0.2, 0.3)), mesh=mesh)
    return Annotation((note,), (), sources=Sources(*sources))


def test_sources_stay_where_they_are_and_are_named_from_the_new_folder(folder, tmp_path):
    other = tmp_path / 'other'
    said = _sourced('cup.ply', '../demo/empty', ('meshes', str(other / 'meshes')), 'sam2', 'fast')

    moved, copies = with_local_masks(said, other, folder)

    assert copies == {}
    assert moved.objects[0].mesh == str(other / 'cup.ply')
    assert moved.sources == Sources('empty', (str(other / 'meshes'),), 'sam2', 'fast')
    assert with_local_masks(moved, folder, folder)[0] == moved


def test_absolute_names_below_the_folder_become_relative(folder):
    said = _sourced(str(folder / 'a' / 'cup.ply'), str(folder / 'empty'))
    local, _ = with_local_masks(said, folder, folder)
    assert local.objects[0].mesh == 'a/cup.ply'
    assert local.sources.empty_capture == 'empty'


def test_relative_names_are_kept_as_a_person_wrote_them(folder):
    said = _sourced('../meshes/./cup.ply', None, ('../meshes',))
    assert with_local_masks(said, folder, folder)[0] == said
    assert located(folder, said.objects[0].mesh).resolve() == folder.parent / 'meshes' / 'cup.ply'
