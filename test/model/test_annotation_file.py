# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
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
from r2rgen_ros.model.annotation_file import dump_annotation, parse_annotation, read_annotation
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import write_text
from r2rgen_ros.model.yaml_file import YamlSection

TEXT = """\
format: r2rgen/annotation/1
frames: 100
objects:
  - name: cup
    prompt: {pixel: [320, 200]}
    grasps:
      - {first: 30, last: 60}
  - name: plate
    prompt:
      frame: 3
      region: [[0, 0, 0], [1, 1, 1]]
skills:
  - name: pick cup
    first: 10
    last: 40
    targets: [cup]
  - name: place cup
    first: 50
    last: 70
    targets: [plate]
    in_hand: [cup]
support:
  normal: [0, 0, 1]
  offset: 0.1
  outline: [[0, 0, 0.1], [1, 0, 0.1], [1, 1, 0.1]]
"""


def parse(text):
    return parse_annotation(YamlSection.parse(text, 'annotation.yaml'))


def refused(read, what, words, line):
    """The error of reading something: one line of text that says the words and names its line."""
    with pytest.raises(R2RGenError) as caught:
        read(what)
    message = str(caught.value)
    assert words in message
    assert f'annotation.yaml, line {line}: ' in message
    assert '\n' not in message
    return caught.value


def test_a_file_written_by_hand_is_read():
    annotation = parse(TEXT)
    cup, plate = annotation.objects
    assert cup == ObjectNote('cup', Prompt(pixel=(320.0, 200.0)), (Grasp('arm', 30, 60),))
    assert plate.prompt == Prompt(3, region=((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    assert annotation.skills[1] == Skill('place cup', 50, 70, ('plate',), ('cup',), 'arm')
    assert annotation.support.offset == 0.1
    assert np.isnan(annotation.support.residual)
    assert annotation.frames == 100


@pytest.mark.parametrize(
    ('old', 'new', 'line', 'words'),
    [
        ('annotation/1', 'annotation/2', 1, "format is 'r2rgen/annotation/2'"),
        ('frames: 100', 'frames: many', 2, "frames is 'many'"),
        ('frames: 100', 'frames: 1', 2, 'frames is 1'),
        ('frames: 100', 'fames: 100', 2, 'unknown key "fames"'),
        ('name: cup', 'nam: cup', 4, 'unknown key "nam"'),
        ('name: cup', 'name: 3', 4, 'objects[0].name is 3'),
        ('name: cup', 'name: ""', 4, "objects[0].name is ''"),
        ('{pixel: [320, 200]}', '{pixel: [320]}', 5, 'pixel has 1 entries'),
        ('{pixel: [320, 200]}', '{pixel: [320, -1]}', 5, 'objects[0].prompt.pixel[1] is -1'),
        ('{pixel: [320, 200]}', '{pixel: [1, 2], mask: a}', 5, 'does not say one thing'),
        ('{pixel: [320, 200]}', '{}', 5, 'does not say one thing'),
        ('{pixel: [320, 200]}', '{point: [1, 2]}', 5, 'point has 2 entries'),
        ('{pixel: [320, 200]}', '{box: [1, 2, 3, x]}', 5, "box[3] is 'x'"),
        ('{pixel: [320, 200]}', '{mask: 7}', 5, 'mask is 7'),
        ('{pixel: [320, 200]}', '[1]', 5, 'a mapping'),
        ('{first: 30, last: 60}', '{first: 30}', 7, 'lacks "last"'),
        ('{first: 30, last: 60}', '{first: 30, last: 20}', 7, 'a grasp runs from frame 30 to 20'),
        ('{first: 30, last: 60}', '{first: 3.5, last: 20}', 7, 'grasps[0].first is 3.5'),
        ('frame: 3', 'frame: -3', 10, 'frame is -3'),
        ('[[0, 0, 0], [1, 1, 1]]', '[[0, 0, 0]]', 11, 'region has 1 corners'),
        ('name: plate', 'name: cup', 8, "objects ['cup'] are named twice"),
        ('name: place cup', 'name: pick cup', 17, "skills ['pick cup'] are named twice"),
        ('first: 10', 'first: 45', 13, 'runs from frame 45 to 40'),
        ('last: 40', 'last: yes', 15, 'skills[0].last is True'),
        ('targets: [cup]', 'targets: [pot]', 16, 'unknown object "pot"'),
        ('targets: [cup]', 'targets: cup', 16, 'a list'),
        ('in_hand: [cup]', 'in_hand: [plate]', 17, 'both as target and in hand'),
        ('in_hand: [cup]', 'in_hand: [4]', 21, 'skills[1].in_hand[0] is 4'),
        ('first: 50', 'first: 40', 17, 'share frames'),
        ('last: 70', 'last: 100', 17, 'ends at frame 100'),
        ('normal: [0, 0, 1]', 'normal: [0, 0, 0]', 22, 'the support normal is zero'),
        ('normal: [0, 0, 1]', 'normal: [0, 0, .nan]', 23, 'support.normal[2] is nan'),
        ('offset: 0.1', 'offset: far', 24, "support.offset is 'far'"),
        ('[1, 0, 0.1], [1, 1, 0.1]', '[1, 0, 0.1]', 22, 'the support outline has 2 corners'),
        ('[1, 0, 0.1], [1, 1, 0.1]', '[1, 0]', 25, 'support.outline[1] has 2 entries'),
        ('skills:', 'skills: {}\nother:', 13, 'unknown key "other"'),
        ('frames: 100', 'frames: 100\nframes: 90', 3, 'there already'),
        ('objects:', 'objects: 3\nskills:', 13, 'there already'),
    ],
)
def test_every_mistake_is_one_line_that_names_file_and_line(old, new, line, words):
    assert TEXT.count(old) >= 1
    error = refused(parse, TEXT.replace(old, new, 1), words, line)
    assert str(error).count('annotation.yaml') == 1, error


names = st.text(
    st.characters(exclude_categories=['Cc', 'Cs', 'Zl', 'Zp'], exclude_characters='\ufeff'),
    min_size=1,
    max_size=12,
).filter(lambda name: name.strip())
lengths = st.integers(-99_000, 99_000).map(lambda n: n / 1000.0)
places = st.tuples(lengths, lengths, lengths)
pixels = st.integers(0, 4000).map(float)
prompts = st.builds(
    lambda frame, way: Prompt(frame, **way),
    st.integers(0, 500),
    st.one_of(
        names.map(lambda mask: {'mask': mask}),
        st.tuples(pixels, pixels, pixels, pixels).map(lambda box: {'box': box}),
        st.tuples(pixels, pixels).map(lambda pixel: {'pixel': pixel}),
        places.map(lambda point: {'point': point}),
        st.tuples(places, places).map(lambda region: {'region': region}),
    ),
)


files = st.builds('{}{}'.format, names, st.sampled_from(['.ply', '.OBJ', '.stl']))
meshes = st.none() | files.filter(lambda name: Path(name).suffix)  # "/.ply" ends in nothing
sources = st.builds(
    Sources,
    st.none() | names,
    st.lists(names, max_size=3, unique=True).map(tuple),
    st.none() | names,
    st.none() | names,
)


@st.composite
def spans(draw, most):
    """Spans of frames that follow one another."""
    edges = draw(st.lists(st.integers(0, 400), max_size=2 * most, unique=True).map(sorted))
    return list(zip(edges[::2], edges[1::2], strict=False))


@st.composite
def annotations(draw):
    called = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    objects = []
    for name in called:
        grasps = tuple(Grasp(draw(names), *span) for span in draw(spans(2)))
        objects.append(ObjectNote(name, draw(prompts), grasps, draw(meshes)))
    skills = []
    times = draw(spans(3))
    words = draw(st.lists(names, min_size=len(times), max_size=len(times), unique=True))
    for word, (first, last) in zip(words, times, strict=True):
        group = draw(st.permutations(called))
        cut = draw(st.integers(0, len(group)))
        end = draw(st.integers(cut, len(group)))
        parts = tuple(group[:cut]), tuple(group[cut:end])
        skills.append(Skill(word, first, last, *parts, draw(names)))
    frames = draw(st.none() | st.integers(401, 999))
    remarks = tuple(draw(st.lists(names)))
    return Annotation(tuple(objects), tuple(skills), None, frames, remarks, draw(sources))


@settings(max_examples=60, deadline=None)
@given(annotations())
def test_what_is_written_is_read_back_the_same(annotation):
    text = dump_annotation(annotation)
    assert parse(text) == annotation
    assert dump_annotation(parse(text)) == text


@given(st.tuples(lengths, lengths, st.floats(0.1, 1.0)), st.floats(-5.0, 5.0), st.floats(0.0, 0.01))
def test_a_support_plane_is_read_back_to_a_hundredth_of_a_millimetre(normal, offset, residual):
    corners = np.array([[0.0, 0.0, 1.0], [1.0, 0.25, 1.0], [0.5, 1.0, 1.0]])
    support = SupportPlane(np.array(normal), offset, corners, residual)
    note = ObjectNote('cup', Prompt(mask='m.png'))
    back = parse(dump_annotation(Annotation((note,), (), support))).support
    assert np.allclose(back.normal, support.normal, atol=2e-6)
    assert np.allclose(back.offset, support.offset, rtol=3e-6, atol=2e-6)
    assert np.allclose(back.outline, support.outline, atol=1e-6)
    assert back.residual == pytest.approx(support.residual, abs=1e-6)


def test_an_annotation_file_is_text_that_a_person_can_edit(tmp_path):
    path = tmp_path / 'annotation.yaml'
    write_text(path, dump_annotation(parse(TEXT)))
    text = path.read_text(encoding='utf-8')
    assert text.startswith('# What a person says')
    assert 'pixel: [320.0, 200.0]' in text
    assert max(len(line) for line in text.splitlines()) <= 100
    assert read_annotation(path).skills == parse(TEXT).skills


SOURCED = """\
format: r2rgen/annotation/1
sources:
  empty_capture: empty
  mesh_folders: [meshes]
  masks: sam2
  tracker: pose_trackers:Fast
  urdf: package://arm_description/urdf/arm.urdf
objects:
  - name: cup
    prompt: {pixel: [320, 200]}
    mesh: meshes/cup.stl
"""


@pytest.fixture
def sourced(tmp_path):
    """An annotation that names sources, in a folder with all of them."""
    for name in ('empty', 'meshes'):
        (tmp_path / name).mkdir()
    (tmp_path / 'meshes' / 'cup.stl').write_bytes(b'solid')
    write_text(tmp_path / 'annotation.yaml', SOURCED)
    return tmp_path / 'annotation.yaml'


def test_better_sources_are_read_and_written(sourced):
    annotation = read_annotation(sourced)
    assert annotation.objects[0].mesh == 'meshes/cup.stl'
    urdf = 'package://arm_description/urdf/arm.urdf'
    assert annotation.sources == Sources('empty', ('meshes',), 'sam2', 'pose_trackers:Fast', urdf)
    write_text(sourced, dump_annotation(annotation), replace=True)
    assert read_annotation(sourced) == annotation


def test_what_names_no_sources_is_written_as_ever():
    assert 'sources' not in dump_annotation(parse(TEXT))
    assert 'mesh' not in dump_annotation(parse(TEXT))
    empty = parse(TEXT.replace('frames: 100', 'sources: {mesh_folders: []}'))
    assert dump_annotation(empty) == dump_annotation(parse(TEXT.replace('frames: 100\n', '')))


def test_an_absolute_path_is_taken_as_it_is(sourced):
    elsewhere = sourced.parent / 'annotations' / 'annotation.yaml'
    text = SOURCED.replace('meshes/cup', f'{sourced.parent}/meshes/cup').replace(': empty', ': ..')
    write_text(elsewhere, text.replace('[meshes]', '[../meshes]'))
    annotation = read_annotation(elsewhere)
    assert annotation.objects[0].mesh == f'{sourced.parent}/meshes/cup.stl'


def test_nobody_looks_for_files_where_the_folder_is_not_known():
    assert parse(SOURCED).objects[0].mesh == 'meshes/cup.stl'


@pytest.mark.parametrize(
    ('old', 'new', 'line', 'words'),
    [
        ('meshes/cup.stl', 'meshes/pot.stl', 11, 'there is no mesh '),
        ('meshes/cup.stl', 'meshes', 11, 'ends in one of'),
        ('meshes/cup.stl', 'cup.blend', 11, 'ends in one of'),
        ('meshes/cup.stl', '[cup.stl]', 11, "mesh is ['cup.stl']"),
        ('mesh: ', 'mash: ', 11, 'unknown key "mash"'),
        (': empty', ': void', 3, 'there is no empty capture '),
        (': empty', ': 5', 3, 'sources.empty_capture is 5'),
        ('[meshes]', '[empty, moshes]', 4, 'there is no folder of meshes '),
        ('[meshes]', '[meshes/cup.stl]', 4, 'there is no folder of meshes '),
        ('[meshes]', 'meshes', 4, 'a list'),
        ('[meshes]', '[meshes, meshes]', 2, 'named twice'),
        ('masks: sam2', 'masks: " "', 5, 'sources.masks is'),
        ('masks: sam2', 'mask: sam2', 5, 'unknown key "mask"'),
        ('tracker: pose_trackers:Fast', 'tracker: {a: b}', 6, 'sources.tracker is'),
    ],
)
def test_a_source_that_is_not_there_is_named_with_its_line(sourced, old, new, line, words):
    write_text(sourced, SOURCED.replace(old, new, 1), replace=True)
    error = refused(read_annotation, sourced, words, line)
    assert 'there is no' not in words or error.fix
