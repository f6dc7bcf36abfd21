# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import contextlib
import io
import json
import pickle
import zipfile
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import Annotation, ObjectNote, Prompt, SupportPlane
from r2rgen_ros.model.demo import Arm, Demo, Frame
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import Scene, SceneObject
from r2rgen_ros.model.scene_file import content_hash, dump_scene, load_scene, settled

COUNT = 4
KEY = 'k' * 32
RANDOM = np.random.default_rng(0)


def _demo():
    still = np.tile(np.eye(4), (COUNT, 1, 1))
    frames = [Frame(cloud=_cloud(5))] * COUNT
    stamps = np.arange(COUNT) * 100
    return Demo(
        'demo', Path('demo'), stamps, 'base', (Arm('arm', 'tool', still, np.zeros(COUNT)),), frames
    )


def _cloud(count):
    colours = RANDOM.integers(0, 255, (count, 3), dtype=np.uint8)
    return Cloud(RANDOM.normal(size=(count, 3)).astype(np.float32), colours)


@pytest.fixture(scope='module')
def scene():
    """A scene with what is easily lost: NaN, odd memory, read-only arrays, no backdrop, umlauts."""
    normal = np.array([0.1, 0.2, 0.97])  # its length is one only after rounding
    support = SupportPlane(normal, 1 / 3, np.eye(3)[::-1])
    notes = (
        ObjectNote('Tölpel', Prompt(point=(0.1, 0.2, 1 / 3))),
        ObjectNote('cup', Prompt(1, mask='masks/cup.png')),
    )
    poses = np.asfortranarray(RANDOM.normal(size=(4, 4, 2 * COUNT))).T[::2]
    hands = np.array([-1, 0, 0, -1], dtype=np.int8)
    objects = tuple(SceneObject(note.name, _cloud(9), poses, hands) for note in notes)
    labels = tuple(RANDOM.integers(0, 4, (6, 8), dtype=np.uint8).T for _ in range(COUNT))
    annotation = Annotation(notes, (), support, COUNT, ('look\n', ''))
    return Scene(_demo(), annotation, support, objects, Cloud.empty(), labels)


def _assert_same(one, other, where='scene'):
    """The same types, values and bits, however deep."""
    assert type(one) is type(other), where
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), where
        assert one.flags.writeable == other.flags.writeable, where
        assert one.tobytes() == other.tobytes(), where
    elif is_dataclass(one):
        for each in fields(one):
            name = each.name
            _assert_same(getattr(one, name), getattr(other, name), f'{where}.{name}')
    elif isinstance(one, tuple | list):
        assert len(one) == len(other), where
        for k, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            _assert_same(mine, theirs, f'{where}[{k}]')
    else:
        assert repr(one) == repr(other), where  # NaN is not equal to itself


def test_a_scene_comes_back_bit_for_bit(scene):
    again = load_scene(dump_scene(scene, KEY), KEY, scene.demo)

    assert again.demo is scene.demo
    _assert_same(again, scene)
    _assert_same(settled(scene), again)


def test_what_comes_back_lies_in_order_in_memory(scene):
    assert not scene.labels[0].flags.c_contiguous
    for each in (settled(scene), load_scene(dump_scene(scene, KEY), KEY, scene.demo)):
        assert all(image.flags.c_contiguous for image in each.labels)
        assert each.labels[0].flags.writeable


def test_writing_twice_gives_the_same_bytes(scene):
    data = dump_scene(scene, KEY)

    assert dump_scene(scene, KEY) == data
    assert dump_scene(load_scene(data, KEY, scene.demo), KEY) == data


def test_any_reader_of_npz_files_can_open_it(scene):
    with np.load(io.BytesIO(dump_scene(scene, KEY)), allow_pickle=False) as file:
        assert json.loads(file['scene.json'])['key'] == KEY
        assert any(file[name].shape == scene.labels[0].shape for name in file.files[1:])


def test_a_large_scene_shrinks(scene):
    labels = tuple(np.full((480, 640), k, dtype=np.uint8) for k in range(COUNT))

    assert len(dump_scene(replace(scene, labels=labels), KEY)) < 0.02 * COUNT * 480 * 640


def test_the_scene_of_another_key_is_refused(scene):
    with pytest.raises(R2RGenError, match='made from something else'):
        load_scene(dump_scene(scene, KEY), 'other', scene.demo)


def test_a_file_cut_anywhere_is_refused(scene):
    data = dump_scene(scene, KEY)
    for length in range(0, len(data), 7):
        with pytest.raises(R2RGenError):
            load_scene(data[:length], KEY, scene.demo)


@settings(max_examples=400)
@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_file_with_a_flipped_bit_is_refused_or_means_the_same(scene, place, bit):
    data = bytearray(dump_scene(scene, KEY))
    data[place % len(data)] ^= 1 << bit

    with contextlib.suppress(R2RGenError):
        # What is not refused is a date in the zip file, say.
        _assert_same(load_scene(bytes(data), KEY, scene.demo), scene)


@dataclass
class Trap:
    """Leaves a file behind if it is ever unpickled."""

    path: Path

    def __reduce__(self):
        return (Path.write_text, (self.path, 'caught'))


def _changed(data, **members):
    """The same zip file with other contents of some members."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, 'w') as new:
        for name in old.namelist():
            new.writestr(name, members.get(name.replace('.', '_').lstrip('_'), old.read(name)))
    return out.getvalue()


def test_nothing_is_unpickled(scene, tmp_path):
    trap = tmp_path / 'trap'
    array = io.BytesIO()
    np.save(array, np.array([Trap(trap)], dtype=object), allow_pickle=True)
    data = dump_scene(scene, KEY)

    for content in (array.getvalue(), pickle.dumps(Trap(trap))):
        with pytest.raises(R2RGenError, match='damaged'):
            load_scene(_changed(data, **{'0_npy': content}), KEY, scene.demo)
    assert not trap.exists()


@pytest.mark.parametrize(
    'name',
    [
        'subprocess:Popen',
        'r2rgen_ros.cli.main:main',
        'r2rgen_ros.model.paths:write_bytes',
        'r2rgen_ros.model.scene:np',
        'r2rgen_ros.model.nothing:Cloud',
        'Cloud',
    ],
)
def test_only_dataclasses_of_this_package_are_built(scene, name):
    data = dump_scene(scene, KEY)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        text = file.read('scene.json').decode()
    assert 'r2rgen_ros.geometry.cloud:Cloud' in text
    other = text.replace('r2rgen_ros.geometry.cloud:Cloud', name).encode()

    with pytest.raises(R2RGenError):
        load_scene(_changed(data, scene_json=other), KEY, scene.demo)


def test_fields_that_came_or_went_since_are_noticed(scene):
    data = dump_scene(scene, KEY)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        text = file.read('scene.json').decode()

    with pytest.raises(R2RGenError, match='the fields of a Cloud'):
        load_scene(_changed(data, scene_json=text.replace('"colours"', '"hues"')), KEY, scene.demo)
    other = text.replace(', "backdrop": null', '')
    assert other != text
    with pytest.raises(R2RGenError, match='the fields of a Scene'):
        load_scene(_changed(data, scene_json=other), KEY, scene.demo)


def test_a_field_that_cannot_be_written_is_named(scene):
    with pytest.raises(R2RGenError, match='set cannot be written'):
        dump_scene(replace(scene, backdrop={1, 2}), KEY)
    with pytest.raises(R2RGenError, match='ndarray cannot be written'):
        settled(replace(scene, backdrop=np.array([None])))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([np.float64(0.1), np.int64(3), np.float32('nan'), np.bool_(True)])
    | st.integers(0, 3).map(lambda n: np.arange(n, dtype='>i4'))
    | st.integers(0, 3).map(lambda n: np.zeros((n, 2), dtype=np.float32)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def _plain(value):
    """A value as text that differs wherever type, shape or content does."""
    if isinstance(value, np.ndarray):
        return f'array {value.dtype.str} {value.shape} {value.tolist()!r}'
    if isinstance(value, list | tuple):
        return f'{type(value).__name__}({", ".join(map(_plain, value))})'
    if isinstance(value, dict):
        return '{' + ', '.join(f'{_plain(k)}: {_plain(v)}' for k, v in value.items()) + '}'
    return f'{type(value).__name__} {value!r}'


@given(VALUES)
def test_whatever_a_field_may_hold_comes_back(scene, value):
    made = replace(scene, backdrop=value)
    again = load_scene(dump_scene(made, KEY), KEY, scene.demo)

    assert _plain(again.backdrop) == _plain(value)


@given(VALUES, VALUES)
def test_hashes_are_the_same_where_values_are(one, other):
    assert (content_hash(one) == content_hash(other)) == (_plain(one) == _plain(other))
