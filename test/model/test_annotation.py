# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2rgen_ros.model.annotation import (
    Annotation,
    Grasp,
    ObjectNote,
    Prompt,
    Skill,
    Sources,
    SupportPlane,
)
from r2rgen_ros.model.errors import R2RGenError

CUP, PLATE = (ObjectNote(name, Prompt(pixel=(1.0, 2.0))) for name in ('cup', 'plate'))
SQUARE = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])


def test_a_good_annotation_is_taken():
    pick, place = Skill('pick', 0, 4, ('cup',)), Skill('place', 5, 9, ('plate',), ('cup',))
    annotation = Annotation((CUP, PLATE), (pick, place), None, 10)
    assert place.group == {'cup', 'plate'}
    assert annotation.index('plate') == 1


@pytest.mark.parametrize(
    ('build', 'words'),
    [
        (lambda: Annotation((CUP, CUP), ()), 'named twice'),
        (
            lambda: Annotation(tuple(ObjectNote(f'peg_{k}', CUP.prompt) for k in range(121)), ()),
            '121 objects are annotated.*at most 120',
        ),
        (
            lambda: Annotation((), (Skill('a', 0, 1, ()), Skill('a', 2, 3, ()))),
            r"skills \['a'\] are named twice",
        ),
        (lambda: Annotation((CUP,), (Skill('s', 0, 1, ('pot',)),)), r"unknown objects \['pot'\]"),
        (lambda: Annotation((CUP,), (Skill('s', 0, 1, (), ('pot',)),)), 'unknown objects'),
        (
            lambda: Annotation((), (Skill('b', 5, 6, ()), Skill('a', 0, 1, ()))),
            '"a" starts before "b"',
        ),
        (lambda: Annotation((), (Skill('a', 0, 5, ()), Skill('b', 5, 6, ()))), 'share frames'),
        (
            lambda: Annotation(
                (),
                (
                    Skill('a', 0, 5, ()),
                    Skill('x', 1, 2, (), (), 'left'),
                    Skill('b', 4, 6, ()),
                ),
            ),
            '"a" and "b" of arm "arm" share frames',
        ),
        (lambda: Annotation((), (Skill('a', 0, 10, ()),), None, 10), 'ends at frame 10'),
        (lambda: Annotation((CUP,), ()).index('pot'), 'no object "pot"'),
        (lambda: Skill('a', 5, 4, ()), 'from frame 5 to 4'),
        (lambda: Skill('a', -1, 4, ()), 'from frame -1'),
        (lambda: Skill('a', 0, 1, ('cup',), ('cup',)), 'both as target and in hand'),
        (lambda: Grasp('arm', 3, 2), 'a grasp runs'),
        (lambda: ObjectNote(' ', Prompt(mask='a')), 'empty name'),
        (
            lambda: ObjectNote('x', Prompt(mask='a'), (Grasp('a', 0, 5), Grasp('b', 5, 6))),
            'overlap at frame 5',
        ),
        (lambda: Prompt(), 'does not say one thing'),
        (lambda: Prompt(mask='a', pixel=(0.0, 0.0)), 'exactly one of'),
        (lambda: SupportPlane(np.zeros(3), 0.0, SQUARE), 'normal is zero'),
        (lambda: SupportPlane(np.array([0, np.nan, 1]), 0.0, SQUARE), 'NaN'),
        (lambda: SupportPlane(np.array([0, 0, 1]), 0.0, SQUARE[:2]), 'has 2 corners'),
        (lambda: SupportPlane(np.array([0, 0, 1]), 0.0, SQUARE + np.inf), 'NaN'),
        (lambda: SupportPlane(np.array([0, 0]), 0.0, SQUARE), 'shape'),
    ],
)
def test_contradictions_are_refused(build, words):
    with pytest.raises(R2RGenError, match=words):
        build()


def test_skills_of_two_arms_may_overlap():
    skills = Skill('a', 0, 5, ()), Skill('b', 3, 6, (), (), 'left')
    assert Annotation((), skills).skills == skills


normals = st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.3, 1))


@given(normals, st.floats(-2, 2), st.floats(0.1, 10.0), st.integers(0, 2**31))
def test_the_plane_is_the_same_whatever_the_length_of_its_normal(normal, offset, scale, seed):
    plane = SupportPlane(np.array(normal), offset, SQUARE)
    scaled = SupportPlane(scale * np.array(normal), scale * offset, SQUARE)
    points = np.random.default_rng(seed).normal(size=(9, 3))
    assert np.allclose(plane.height(points), scaled.height(points), atol=1e-9)
    assert np.linalg.norm(plane.normal) == pytest.approx(1.0)
    on = points - plane.height(points)[:, None] * plane.normal
    assert np.allclose(plane.height(on), 0.0, atol=1e-9)
    frame = np.stack([*plane.axes, plane.normal])
    assert np.allclose(frame @ frame.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1.0)
    back = plane.to_plane(on) @ plane.axes + plane.offset * plane.normal
    assert np.allclose(back, on, atol=1e-9)


@given(normals, st.booleans())
def test_corners_go_round_counter_clockwise_however_they_are_given(normal, backwards):
    corners = SQUARE[::-1] if backwards else SQUARE
    outline = SupportPlane(np.array(normal), 0.0, corners)
    x, y = outline.to_plane(outline.outline).T
    assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0.0
    assert {tuple(corner) for corner in outline.outline} == {tuple(corner) for corner in SQUARE}


def test_a_mesh_has_a_format_that_can_be_read():
    for name in ('cup.ply', 'a/cup.OBJ', '/b/cup.stl', 'cup.v2.dae'):
        assert ObjectNote('cup', Prompt(point=(0, 0, 0)), mesh=name).mesh == name
    for name in ('', 'ply', '.ply', 'cup', 'cup.blend'):
        with pytest.raises(R2RGenError, match='ends in one of'):
            ObjectNote('cup', Prompt(point=(0, 0, 0)), mesh=name)


@pytest.mark.parametrize(
    ('said', 'words'),
    [
        ({'empty_capture': ''}, 'empty_capture is empty'),
        ({'masks': ' '}, 'masks is empty'),
        ({'tracker': ''}, 'tracker is empty'),
        ({'mesh_folders': ('a', '')}, 'has an empty name'),
        ({'mesh_folders': ('a', 'b', 'a')}, r"\['a'\] are named twice"),
    ],
)
def test_sources_have_names(said, words):
    with pytest.raises(R2RGenError, match=words):
        Sources(**said)
