# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a person does at the page, without the page: clicks, skills, undo, save."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import trimesh
import yaml

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import Skill
from r2rgen_ros.model.annotation_file import read_annotation
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.page.session import Session
from r2rgen_ros.parse.workbench import Workbench

RED, PLATE = (0.4, -0.15, 0.05), (0.5, 0.15, 0.02)
EYE = np.array([0.2, -0.1, 0.9])


class Audience:
    """Keeps what it was told."""

    def __init__(self):
        self.views, self.shares, self.said = [], [], []

    def show(self, view):
        self.views.append(view)

    def progress(self, text, share):
        self.shares.append((text, share))

    def say(self, text, *, is_bad=False):
        self.said.append((text, is_bad))


@pytest.fixture
def demo(tabletop, tmp_path):
    return tabletop.record(tmp_path / 'demo', camera=True)


@pytest.fixture
def bare(demo):
    (demo / 'annotation.yaml').unlink()
    return demo


@pytest.fixture
def session():
    def begin(demo):
        session = Session(Workbench.open(demo, demo / 'annotation.yaml'), Audience())
        session.catch_up()
        return session

    return begin


def _ray(place):
    return EYE, np.array(place) - EYE


def _pixel(tabletop, place):
    at = se3.apply(se3.inverse(tabletop.camera2base()), np.array([place]))
    u, v = tabletop.CAMERA.project(at)[0, :2]
    return float(u), float(v)


def _skills(session):
    return [skill.name for skill in session.view.skills]


def test_what_is_proposed_gets_names_by_clicks(bare, session, tabletop):
    session = session(bare)
    assert set(session.view.names) == {'object_1', 'object_2'}
    session.click_pixel(0, _pixel(tabletop, RED), 'cup', '')
    session.click_ray(0, *_ray(PLATE), 'dish', '')
    session.catch_up()
    assert set(session.view.names) == {'cup', 'dish'}
    assert len(session.view.skills) == 2
    session.save()
    assert session.is_saved
    assert {note.name for note in read_annotation(bare / 'annotation.yaml').objects} == {
        'cup',
        'dish',
    }


def test_skills_of_the_file_stay_when_an_object_is_clicked_anew(demo, session):
    before = read_annotation(demo / 'annotation.yaml').skills
    session = session(demo)
    session.click_ray(0, *_ray(RED), 'cup', 'red')
    session.catch_up()
    after = session.view.skills
    assert [(s.name, s.first, s.last) for s in after] == [(s.name, s.first, s.last) for s in before]
    assert {name for skill in after for name in skill.group} == {'cup', 'plate'}
    session.undo()
    session.catch_up()
    assert session.view.names == ('red', 'plate')
    assert session.view.skills == before


@pytest.mark.parametrize(
    ('place', 'name', 'selected', 'said'),
    [
        ((0.1, 0.45, 0.0), '', '', 'the click in the 3D view is on no point|nothing is near'),
        ((0.4, -0.15, 0.099), '', '', 'that is "red" already; .* type a name first'),
        ((0.4, -0.15, 0.099), 'plate', '', 'there is "plate" already'),
    ],
)
def test_clicks_that_are_refused_change_nothing(demo, session, place, name, selected, said):
    session = session(demo)
    before = session.view
    with pytest.raises(R2RGenError, match=said):
        session.click_ray(0, *_ray(place), name, selected)
    session.catch_up()
    assert session.view.names == before.names
    assert session.is_saved
    with pytest.raises(R2RGenError, match='nothing to take back'):
        session.undo()


TOUCHING = (
    ('left', (0.05, 0.05, 0.08), (0.5, 0.1, 0.04), None),
    ('right', (0.05, 0.05, 0.05), (0.5, 0.153, 0.025), None),
    ('red', (0.04, 0.04, 0.1), (0.35, -0.2, 0.05), (0.45, -0.3, 0.05)),
)
LEFT, RIGHT = (0.5, 0.09, 0.08), (0.5, 0.165, 0.05)


def test_an_object_that_is_clicked_anew_keeps_its_mesh(demo, session):
    target = demo / 'annotation.yaml'
    trimesh.creation.box((0.05, 0.05, 0.1)).export(demo / 'thing.ply')
    said = yaml.safe_load(target.read_text())
    (red,) = (item for item in said['objects'] if item['name'] == 'red')
    red['mesh'] = 'thing.ply'
    target.write_text(yaml.safe_dump(said))
    begun = session(demo)
    begun.click_ray(0, *_ray(RED), '', 'red')
    begun.catch_up()
    begun.save()
    kept = {note.name: note.mesh for note in read_annotation(target).objects}
    assert kept == {'red': 'thing.ply', 'plate': None}


@pytest.fixture
def touching(tabletop, tmp_path):
    demo = tabletop.record(
        tmp_path / 'touching', tuple(tabletop.Block(*each) for each in TOUCHING), camera=True
    )
    (demo / 'annotation.yaml').unlink()
    return demo


@pytest.mark.parametrize('caught_up', [True, False])
@pytest.mark.parametrize('name', ['dish', ''])
def test_a_second_click_parts_two_things_that_touch(touching, session, caught_up, name):
    session = session(touching)
    assert len(session.view.names) == 2
    session.click_ray(0, *_ray(LEFT), 'cup', '')
    if caught_up:
        session.catch_up()
    session.click_ray(0, *_ray(RIGHT), name, '')
    session.catch_up()
    assert len(session.view.names) == 3
    assert {'cup', name or 'object_1'} <= set(session.view.names)
    scene = session.view.scene
    for item in scene.objects:
        points = se3.apply(item.object2base[0], item.cloud.points.astype(np.float64))
        if item.name in ('cup', name or 'object_1'):
            sides = points[:, 1] < 0.1265
            assert sides.mean() == pytest.approx(float(item.name == 'cup'), abs=0.05)
    session.undo()
    session.catch_up()
    assert len(session.view.names) == 2


def test_a_second_click_on_one_thing_gives_it_another_name_or_is_refused(touching, session):
    session = session(touching)
    session.click_ray(0, *_ray(LEFT), 'cup', '')
    session.catch_up()
    with pytest.raises(R2RGenError, match='that is "cup" already'):
        session.click_ray(0, *_ray(LEFT), '', '')
    session.click_ray(0, *_ray(LEFT), 'mug', '')
    session.catch_up()
    assert 'mug' in session.view.names
    assert 'cup' not in session.view.names


def test_objects_are_renamed_and_taken_out_of_skills_too(demo, session):
    session = session(demo)
    session.rename_object('plate', 'dish')
    session.catch_up()
    assert session.view.names == ('red', 'dish')
    assert all('plate' not in skill.group for skill in session.view.skills)
    session.remove_object('dish')
    session.catch_up()
    assert session.view.names == ('red',)
    session.undo()
    session.undo()
    session.catch_up()
    assert session.view.names == ('red', 'plate')
    with pytest.raises(R2RGenError, match='no new name'):
        session.rename_object('plate', ' ')


def test_skills_are_set_changed_and_taken_back_one_by_one(demo, session):
    session = session(demo)
    first, *others = session.view.skills
    session.set_skill(Skill('wait', 0, 1, ('plate',), (), first.arm))
    session.set_skill(Skill('stay', 0, 2, ('plate',), (), first.arm), 'wait')
    assert _skills(session)[0] == 'stay'
    session.remove_skill(first.name)
    assert _skills(session) == ['stay', *(skill.name for skill in others)]
    with pytest.raises(R2RGenError, match='share frames'):
        session.set_skill(Skill('late', 2, 3, (), (), first.arm))
    assert not session.is_saved
    for expected in (['stay', first.name], ['wait', first.name], [first.name]):
        session.undo()
        assert _skills(session)[: len(expected)] == expected


def test_an_older_file_is_kept_beside_the_new_one(demo, session):
    old = (demo / 'annotation.yaml').read_bytes()
    session = session(demo)
    session.remove_skill(session.view.skills[0].name)
    session.save()
    assert (demo / 'annotation.1.yaml').read_bytes() == old
    assert len(read_annotation(demo / 'annotation.yaml').skills) == len(session.view.skills)


def test_progress_is_told_and_ends(bare):
    audience = Audience()
    Session(Workbench.open(bare, bare / 'annotation.yaml'), audience).catch_up()
    shares = [share for text, share in audience.shares if text.startswith('Parsing')]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert audience.shares[-1] == ('', None)


def test_a_demonstration_of_clouds_has_no_pixels(table_demo, tmp_path, session):
    session = session(shutil.copytree(table_demo, tmp_path / 'demo'))
    with pytest.raises(R2RGenError, match='pixels mean nothing; expected a click on the points'):
        session.click_pixel(0, (3.0, 4.0), '', '')
