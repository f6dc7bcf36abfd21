# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A Scene as bytes and back, bit for bit; the recording itself stays in its bag.

The bytes are an `.npz` file: one array per member, and `scene.json`, which says what each of them
is. They follow from the fields of the dataclasses, so that a new field needs nothing here. Nothing
in them is ever executed: there is no pickle, and only dataclasses of this package are built.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.model.scene import Scene

if TYPE_CHECKING:
    from r2rgen_ros.model.demo import Demo

FORMAT = 'r2rgen/scene/1'
_TREE = 'scene.json'
_PACKAGE = 'r2rgen_ros.'
_ROOMS = ('r2rgen_ros.geometry.', 'r2rgen_ros.model.')
_FAST = 1
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def dump_scene(scene: Scene, key: str) -> bytes:
    """Return a scene as bytes, without its demonstration.

    Args:
        scene: The scene.
        key: What it was made from; `load_scene` asks for the same.

    Returns:
        An `.npz` file. The same scene gives the same bytes.

    Raises:
        R2RGenError: A field holds what cannot be written.

    """
    packed = _Packed()
    tree = {'format': FORMAT, 'key': key, 'scene': packed.fields_of(scene)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as file:
        file.writestr(zipfile.ZipInfo(_TREE, _LONG_AGO), json.dumps(tree))
        for number, array in enumerate(packed.arrays):
            # Labels shrink to a hundredth; measured coordinates are as good as random.
            few = array.dtype.itemsize == 1
            way = zipfile.ZIP_DEFLATED if few else zipfile.ZIP_STORED
            member = zipfile.ZipInfo(_member(number), _LONG_AGO)
            file.writestr(member, _npy(array), way, _FAST if few else None)
    return buffer.getvalue()


def load_scene(data: bytes, key: str, demo: Demo) -> Scene:
    """Return the scene that `dump_scene` was given.

    Args:
        data: What it returned.
        key: The key that it was given.
        demo: The demonstration of the scene.

    Raises:
        R2RGenError: The bytes are damaged, or not of that key.

    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            tree = json.loads(file.read(_TREE))
            require(tree['format'] == FORMAT, f'its format is {tree["format"]!r}', f'"{FORMAT}"')
            require(tree['key'] == key, 'it was made from something else')
            count = len(file.namelist()) - 1
            arrays = [_array(file.read(_member(number))) for number in range(count)]
        scene = _scene(tree['scene'], arrays, demo)
        require(len(scene.labels) == len(demo), f'it has {len(scene.labels)} frames of labels')
    except R2RGenError:
        raise
    except Exception as error:  # damage shows in a dozen ways, from the zip file to a missing field
        raise R2RGenError(f'it is damaged ({type(error).__name__}: {error})') from error
    return scene


def settled(scene: Scene) -> Scene:
    """Return a scene as `load_scene` gives it back: the same values, every array in C order.

    Sums of floats depend on the order in memory. What is computed from a scene shall not depend on
    whether it comes from a file.

    Raises:
        R2RGenError: A field holds what cannot be written.

    """
    packed = _Packed()
    return _scene(packed.fields_of(scene), packed.arrays, scene.demo)


def content_hash(value: Any) -> str:
    """Return a hash of all that a value holds: plain values, arrays, and dataclasses of them.

    Raises:
        R2RGenError: It holds something else.

    """
    packed = _Packed()
    digest = blake2b(json.dumps(packed.pack(value)).encode(), digest_size=16)
    for array in packed.arrays:
        digest.update(f'{array.dtype.str} {array.shape}\n'.encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


class _Packed:
    """Turns values into what JSON can say, and a list of arrays that it refers to by number."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray[Any, Any]] = []

    def fields_of(self, scene: Scene) -> dict[str, Any]:
        """Pack the fields of a scene other than its demonstration."""
        return {
            each.name: self.pack(getattr(scene, each.name))
            for each in fields(scene)
            if each.name != 'demo'
        }

    def pack(self, value: Any) -> Any:
        """Pack one value."""
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if kind is tuple:
            return [self.pack(item) for item in value]
        if kind is list:
            return {'list': [self.pack(item) for item in value]}
        if kind is dict:
            return {'dict': [[self.pack(name), self.pack(item)] for name, item in value.items()]}
        if isinstance(value, np.generic) and not value.dtype.hasobject:
            return {'number': self._place(np.asarray(value))}
        if kind is np.ndarray and not value.dtype.hasobject:
            return {'array': self._place(value), 'writeable': bool(value.flags.writeable)}
        if is_dataclass(kind) and kind.__module__.startswith(_PACKAGE):
            content = {each.name: self.pack(getattr(value, each.name)) for each in fields(value)}
            return {'class': f'{kind.__module__}:{kind.__qualname__}', 'fields': content}
        raise R2RGenError(
            f'a {kind.__module__}.{kind.__qualname__} cannot be written',
            'numbers, text, arrays, tuples, or dataclasses of them',
        )

    def _place(self, value: np.ndarray[Any, Any]) -> int:
        self.arrays.append(np.asarray(value, order='C'))
        return len(self.arrays) - 1


def _scene(content: dict[str, Any], arrays: list[np.ndarray[Any, Any]], demo: Demo) -> Scene:
    values = {name: _unpacked(item, arrays) for name, item in content.items()}
    built = _built(Scene, {**values, 'demo': demo})
    assert isinstance(built, Scene)
    return built


def _unpacked(item: Any, arrays: list[np.ndarray[Any, Any]]) -> Any:
    """Undo `_Packed.pack`."""
    if isinstance(item, list):
        return tuple(_unpacked(part, arrays) for part in item)
    if not isinstance(item, dict):
        return item
    if 'array' in item:
        view = arrays[item['array']].view()
        view.flags.writeable = item['writeable']
        return view
    if 'number' in item:
        return arrays[item['number']][()]
    if 'list' in item:
        return [_unpacked(part, arrays) for part in item['list']]
    if 'dict' in item:
        return {_unpacked(name, arrays): _unpacked(part, arrays) for name, part in item['dict']}
    content = {name: _unpacked(part, arrays) for name, part in item['fields'].items()}
    return _built(_class(item['class']), content)


def _class(name: str) -> type:
    module, _, label = name.partition(':')
    require(module.startswith(_ROOMS), f'it holds a {name}')
    found = getattr(import_module(module), label)
    require(isinstance(found, type) and is_dataclass(found), f'it holds a {name}')
    assert isinstance(found, type)
    return found


def _built(kind: type, content: dict[str, Any]) -> Any:
    """An object with exactly these fields.

    The class checked them when they were new. It may also have normalised them, which a second
    time could change their last bit.
    """
    names = {each.name for each in fields(kind)}
    require(names == set(content), f'the fields of a {kind.__name__} are others now')
    made: Any = object.__new__(kind)
    for name, value in content.items():
        object.__setattr__(made, name, value)
    return made


def _member(number: int) -> str:
    return f'{number}.npy'


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array(data: bytes) -> np.ndarray[Any, Any]:
    array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return np.asarray(array)
