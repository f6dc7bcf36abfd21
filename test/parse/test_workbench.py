# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A demonstration that is annotated step by step, as the annotator node does it."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.load import demo_of
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import ObjectNote, Prompt, Skill
from r2rgen_ros.model.annotation_file import read_annotation
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import FIRST_OBJECT
from r2rgen_ros.model.scene_file import dump_scene, settled
from r2rgen_ros.parse.cache import FOLDER, cached_scene
from r2rgen_ros.parse.scene import parse_scene
from r2rgen_ros.parse.sources import with_urdf
from r2rgen_ros.parse.workbench import Workbench

RED, PLATE = (0.4, -0.15, 0.05), (0.5, 0.15, 0.02)


class StoppedError(Exception):
    """Work was told to stop."""


@pytest.fixture
def demo(table_demo, tmp_path):
    # Without what other tests of this process have parsed.
    return shutil.copytree(table_demo, tmp_path / 'demo', ignore=shutil.ignore_patterns(FOLDER))


@pytest.fixture
def bench(demo):
    return Workbench.open(demo, demo / 'annotation.yaml')


def _note(name, place, frame=0):
    return ObjectNote(name, Prompt(frame, point=place))


def _names(scene):
    return [note.name for note in scene.annotation.objects]


def _draw(path):
    path.write_bytes(b'picture')


def test_it_begins_with_the_file_and_saving_that_changes_nothing(bench, demo):
    before = (demo / 'annotation.yaml').stat().st_mtime_ns
    assert bench.scene is None
    assert bench.is_stale
    assert _names(bench.refresh()) == ['red', 'plate']
    assert not bench.is_stale
    assert bench.save(_draw) is None
    assert (demo / 'annotation.yaml').stat().st_mtime_ns == before
    assert (demo / 'annotation.png').read_bytes() == b'picture'


def test_a_file_that_is_edited_is_read_again(bench, demo):
    bench.refresh()
    file = demo / 'annotation.yaml'
    file.write_text(file.read_text().replace('name: red', 'name: cup').replace('[red]', '[cup]'))
    assert bench.scene is None
    assert _names(bench.refresh()) == ['cup', 'plate']


def test_clicks_make_a_proposal_that_is_saved_beside_the_old_file(bench, demo):
    old = (demo / 'annotation.yaml').read_bytes()
    bench.click(_note('cup', RED))
    bench.click(_note('dish', PLATE))
    assert bench.look() == ()
    assert set(np.unique(bench.labels(0))) == {0, 2, 3}
    assert _names(bench.refresh()) == ['cup', 'dish']
    assert bench.save(_draw) == demo / 'annotation.1.yaml'
    assert (demo / 'annotation.1.yaml').read_bytes() == old
    assert bench.undo() == 'dish'
    assert _names(bench.refresh()) == ['cup']
    bench.discard()
    assert _names(bench.refresh()) == ['cup', 'dish']


def _never(*_):
    raise AssertionError('it is parsed again')


def _asked_for(demo, parse):
    """The scene as `generate` asks for it."""
    said = read_annotation(demo / 'annotation.yaml')
    read = demo_of(with_urdf(read_source(demo), said.sources, demo))
    return cached_scene(read, said, demo, None, keep=parse is _never, parse=parse)


def test_what_is_saved_is_not_parsed_again(bench, demo):
    bench.click(_note('cup', RED))
    bench.click(_note('dish', PLATE))
    bench.look()
    bench.refresh()
    skill = bench.scene.annotation.skills[0]
    bench.set_skill(replace(skill, first=skill.first + 1))
    assert not [*demo.glob(f'{FOLDER}/*.npz')]
    bench.save(_draw)
    assert len([*demo.glob(f'{FOLDER}/*.npz')]) == 1

    kept, anew = _asked_for(demo, _never), _asked_for(demo, parse_scene)
    assert kept.annotation.skills[0].first == skill.first + 1
    assert dump_scene(settled(kept), 'key') == dump_scene(settled(anew), 'key')


def test_nothing_is_kept_of_files_that_changed_meanwhile(bench, demo):
    bench.click(_note('cup', RED))
    bench.refresh()
    (file,) = demo.glob('*.mcap')
    file.touch()
    bench.save(_draw)
    assert not [*demo.glob(f'{FOLDER}/*.npz')]


def test_clicks_on_nothing_and_on_the_same_thing_are_dropped(bench):
    bench.click(_note('cup', RED))
    bench.click(_note('air', (0.1, 0.45, 0.0)))
    bench.click(_note('twin', (RED[0], RED[1], RED[2] + 0.02)))
    nothing, same = bench.look()
    assert '"air"' in str(nothing)
    assert 'is on "cup"' in str(same)
    assert [note.name for note in bench.draft.clicks] == ['cup']
    with pytest.raises(R2RGenError, match='the frame of "late"'):
        bench.click(_note('late', RED, 4000))


def test_a_click_on_what_another_one_took_in_parts_them_and_its_end_joins_them(tmp_path, tabletop):
    sizes = {'left': (0.05, 0.05, 0.08), 'right': (0.05, 0.05, 0.05)}
    demo = tabletop.record(
        tmp_path / 'touching',
        (
            tabletop.Block('left', sizes['left'], (0.5, 0.1, 0.04)),
            tabletop.Block('right', sizes['right'], (0.5, 0.153, 0.025)),
            tabletop.Block('red', (0.04, 0.04, 0.1), (0.35, -0.2, 0.05), (0.45, -0.3, 0.05)),
        ),
    )
    bench = Workbench.open(demo, demo / 'annotation.yaml')
    bench.click(_note('one', (0.5, 0.09, 0.08)))
    assert bench.look() == ()
    both = int((bench.labels(0) == FIRST_OBJECT).sum())
    bench.click(_note('two', (0.5, 0.165, 0.05)))
    assert bench.look() == ()
    one, two = (int((bench.labels(0) == FIRST_OBJECT + k).sum()) for k in range(2))
    assert one + two == both
    assert min(one, two) > 0.4 * both
    bench.undo()
    assert bench.look() == ()
    assert int((bench.labels(0) == FIRST_OBJECT).sum()) == both


def test_points_are_taken_in_every_frame_of_the_recording(bench, tabletop):
    there = se3.apply(se3.inverse(tabletop.camera2base()), np.array([RED]))[0]
    assert bench.to_base(there, tabletop.OPTICAL, 0) == pytest.approx(RED)
    assert bench.to_base(RED, f'/{tabletop.BASE}', 3) == RED
    for place, frame, said in ((RED, 'odom', '"odom"'), ((np.nan, 0, 0), tabletop.BASE, 'NaN')):
        with pytest.raises(R2RGenError, match=said):
            bench.to_base(place, frame, 0)
    with pytest.raises(R2RGenError, match='no camera_info'):
        bench.pixel(1.0, 1.0)


def test_a_marked_skill_is_checked_against_what_is_there(bench):
    with pytest.raises(R2RGenError, match='nothing is annotated'):
        bench.set_skill(Skill('pick red', 9, 11, ('red',)))
    skill = bench.refresh().annotation.skills[0]
    for name, arm in (('', skill.arm), ('left', 'left')):
        with pytest.raises(R2RGenError):
            bench.set_skill(Skill(name, 0, 1, ('red',), (), arm))
    bench.remove_skill(skill.name)
    assert skill not in bench.scene.annotation.skills
    assert not bench.is_stale
    assert bench.undo() == skill.name
    assert skill in bench.scene.annotation.skills


def test_a_failed_attempt_is_taken_back(bench):
    bench.refresh()
    before = bench.draft
    with pytest.raises(R2RGenError, match='"air"'), bench.attempt():
        bench.start_anew([_note('cup', RED), _note('air', (0.1, 0.45, 0.0))])
    assert bench.draft == before
    assert _names(bench.scene) == ['red', 'plate']


def test_work_stops_when_it_is_told_to(demo):
    shutil.rmtree(demo / FOLDER, ignore_errors=True)  # a scene that is kept takes no work
    stop = []

    def check():
        if stop:
            raise StoppedError

    bench = Workbench.open(demo, demo / 'annotation.yaml', check=check)
    stop.append(True)
    with pytest.raises(StoppedError):
        bench.refresh()
    stop.clear()
    assert _names(bench.refresh()) == ['red', 'plate']


def test_without_a_file_it_proposes_or_waits_as_told(demo):
    target = demo / 'annotation.yaml'
    target.unlink()
    waiting = Workbench.open(demo, target, proposes=False)
    assert waiting.is_empty
    with pytest.raises(R2RGenError, match='nothing is annotated yet'):
        waiting.refresh()
    waiting.start_anew()
    scene = waiting.refresh()
    assert len(scene.objects) == 2
    assert waiting.save(_draw) is None
    assert read_annotation(target).objects == scene.annotation.objects
