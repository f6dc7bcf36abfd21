# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parsed scenes kept beside their recording, so that the second run starts at once.

A scene is found again only under a hash of all that it follows from: the bytes of the recording,
masks and meshes, how the recording was read, the annotation, settings, and the code that parses.
There are no times of change to be fooled by. Deleting the folder costs nothing but time.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import re
import threading
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from r2rgen_ros import __version__
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import inside, os_errors, write_bytes
from r2rgen_ros.model.scene_file import FORMAT, content_hash, dump_scene, load_scene, settled
from r2rgen_ros.parse.scene import parse_scene
from r2rgen_ros.parse.sources import mesh_folders as named_folders
from r2rgen_ros.parse.sources import source_files
from r2rgen_ros.robots.meshes import MeshFinder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from r2rgen_ros.model.annotation import Annotation
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.model.scene import Scene

    FilesState: TypeAlias = dict[str, tuple[str, int, int, int]]
    Parse: TypeAlias = Callable[[Demo, Annotation, Path, Callable[[int], None] | None], Scene]

FOLDER = '.r2rgen-cache'
"""Name of the folder; git, backups and readers of bags pass over it."""
_KEPT = 3
_NAME = r'[0-9a-f]{32}\.npz'
_TORN = re.compile(rf'\..*{_NAME}\.tmp-\d+')
_TORN_AFTER_S = 3600.0
_PIECE_BYTES = 16 * 2**20
_READERS = 4
_ANNOTATION = 'annotation.'
_NOT_RECORDED = {'.html', '.json', '.md', '.png', '.rrd', '.txt', '.yaml', '.yml'}
_METADATA = 'metadata.yaml'
_ROOMS = ('geometry', 'model', 'bags', 'robots', 'parse')
_LIBRARIES = (
    'numba',
    'numpy',
    'open3d',
    'pillow',
    'pin',
    'pycollada',
    'rosbags',
    'scipy',
    'trimesh',
)
_TAG = b'Signature: 8a477f597d28d172789f06886806bc55\n# Parsed scenes; see r2rgen_ros.\n'
_log = logging.getLogger(__name__)
_writing = threading.Lock()


def cached_scene(
    demo: Demo,
    annotation: Annotation,
    folder: Path,
    selection: StreamSelection | None,
    progress: Callable[[int], None] | None = None,
    *,
    keep: bool = True,
    settings: Any = None,
    inputs: Sequence[Path] = (),
    mesh_folders: Sequence[Path | str] = (),
    parse: Parse = parse_scene,
) -> Scene:
    """Do what `parse_scene` does, or give back what it made of the very same before.

    A cache that cannot be read or written is no failure; the log says so in one line.

    Args:
        demo: The demonstration.
        annotation: What a person said of it.
        folder: Folder that mask paths are relative to.
        selection: Topics and frames that a person chose when the demonstration was read.
        progress: Called with the number of frames done; once with all of them if none are to do.
        keep: False to parse whatever is kept, and to keep nothing.
        settings: All else that `parse` was set to: plain values, arrays, dataclasses of them.
        inputs: Files, and folders of files, that `parse` reads besides.
        mesh_folders: Where meshes of the robot are looked for first; see `MeshFinder`.
        parse: What makes a scene; it must follow from the arguments above alone.

    Returns:
        The scene, bit for bit the same whether it was kept or made anew.

    Raises:
        R2RGenError: See `parse_scene`.

    """

    def parsed() -> Scene:
        scene = parse(demo, annotation, folder, progress)
        try:
            return settled(scene)
        except R2RGenError as error:
            _log.warning('the parsed scene cannot be kept: %s', error)
            return scene

    def key_now() -> str | None:
        said = _said(demo, annotation, selection, settings)
        more = (*inputs, *source_files(annotation, folder))
        meshes = (*mesh_folders, *named_folders(annotation, folder))
        return _key(said, lambda: _files(demo, annotation, folder, more, meshes))

    key = key_now() if keep else None
    if key is None:
        return parsed()
    kept = _load(key, demo)
    if kept is not None:
        if progress is not None:
            progress(len(demo))
        # The folders may have moved with the annotation.
        meshes = tuple(str(path) for path in named_folders(annotation, folder))
        return replace(kept, mesh_folders=meshes)
    scene = parsed()
    if key == key_now():  # nothing changed while it was parsed
        _store(key, scene)
    return scene


def files_state(demo: Demo, annotation: Annotation, folder: Path) -> FilesState | None:
    """Return sizes and times of all files that a scene follows from, see `keep_scene`.

    Args:
        demo: The demonstration.
        annotation: What a person said of it.
        folder: Folder that mask paths are relative to.

    Returns:
        By what each file is to the scene; None where one of them cannot be read.

    """
    try:
        more, meshes = source_files(annotation, folder), named_folders(annotation, folder)
        found = _files(demo, annotation, folder, more, meshes)
        states = {name: path.stat() for name, path in found.items()}
    except (OSError, R2RGenError):
        return None
    return {
        name: (str(found[name]), state.st_mtime_ns, state.st_size, state.st_ino)
        for name, state in states.items()
    }


def keep_scene(
    scene: Scene, folder: Path, selection: StreamSelection | None, before: FilesState | None
) -> None:
    """Keep a scene that somebody else parsed, so that `cached_scene` finds it.

    Args:
        scene: The scene, with the annotation that it will be asked for by.
        folder: Folder that mask paths are relative to.
        selection: Topics and frames that a person chose when the demonstration was read.
        before: `files_state` before it was parsed; if files have changed since, or could not be
            read, nothing is kept.

    """
    demo, annotation = scene.demo, scene.annotation
    if before is None or files_state(demo, annotation, folder) != before:
        return
    more, meshes = source_files(annotation, folder), named_folders(annotation, folder)
    said = _said(demo, annotation, selection, None)
    key = _key(said, lambda: _files(demo, annotation, folder, more, meshes))
    if key is None:
        return
    try:
        _store(key, settled(scene))
    except R2RGenError as error:
        _log.warning('the parsed scene cannot be kept: %s', error)


def cache_folder(bag: Path) -> Path:
    """Where the scenes of a recording are kept: in its folder, or beside its file."""
    return (bag if bag.is_dir() else bag.parent) / FOLDER


def bag_files(bag: Path) -> list[Path]:
    """The files that reading a recording may depend on.

    Any file of the folder may be one of the recording's: metadata.yaml names them as it likes, and
    SQLite keeps journals beside its own. What people and this package write beside them is none:
    annotations, pictures, noise, notes.

    Raises:
        OSError: There is none, or its folder cannot be read.

    """
    bag.stat()
    folder, beginning = (bag, '') if bag.is_dir() else (bag.parent, bag.name)
    return [
        path
        for path in sorted(folder.iterdir())
        if path.name.startswith(beginning)
        and not path.name.startswith(('.', _ANNOTATION))
        and (path.suffix not in _NOT_RECORDED or path.name == _METADATA)
        # SQLite makes these while it reads.
        and not path.name.endswith('-shm')
        and path.is_file()
        and path.stat().st_size > 0
    ]


# What a scene follows from.


def _said(
    demo: Demo, annotation: Annotation, selection: StreamSelection | None, settings: Any
) -> list[Any]:
    """All that a scene follows from and that is in memory.

    What was read of the recording belongs to it: should the files change after that, then this and
    their contents do not go together, and are never found together again.
    """
    read = {
        each.name: getattr(demo, each.name)
        for each in fields(demo)
        if each.name not in ('frames', 'path')
    }
    return [read, annotation, selection or StreamSelection(), settings]


def _key(said: list[Any], files: Callable[[], dict[str, Path]]) -> str | None:
    """Hash of all that a scene follows from; None where that cannot be told."""
    try:
        contents = {name: file_hash(path) for name, path in files().items()}
    except (OSError, R2RGenError):
        return None  # parsing fails as well, and says why
    try:
        return content_hash([FORMAT, _CODE, _versions(), said, contents])
    except R2RGenError as error:
        _log.warning('the parsed scene is not kept: %s', error)
        return None


def file_hash(path: Path) -> str:
    """Return a hash of a file's contents, made by several threads: disks outrun one.

    Raises:
        OSError: It cannot be read.

    """
    starts = range(0, path.stat().st_size, _PIECE_BYTES)

    def piece(start: int) -> bytes:
        with path.open('rb') as file:
            file.seek(start)
            return blake2b(file.read(_PIECE_BYTES), digest_size=32).digest()

    digest = blake2b(digest_size=16)
    with ThreadPoolExecutor(min(_READERS, os.cpu_count() or 1)) as pool:
        for part in pool.map(piece, starts):
            digest.update(part)
    return digest.hexdigest()


def _files(
    demo: Demo,
    annotation: Annotation,
    folder: Path,
    inputs: Sequence[Path],
    mesh_folders: Sequence[Path | str],
) -> dict[str, Path]:
    """All files that a scene follows from, by what they are to it."""
    found = {f'bag {path.name}': path for path in bag_files(demo.path)}
    for note in annotation.objects:
        if note.prompt.mask is not None:
            found[f'mask {note.prompt.mask}'] = inside(folder, note.prompt.mask)
    for number, path in enumerate(inputs):
        for item in _files_of(path):
            found[f'input {number} {item.relative_to(path).as_posix()}'] = item
    finder = MeshFinder(mesh_folders)
    for name in _mesh_names(demo.robot_description):
        mesh = finder.find(name)
        if mesh is not None:
            found[f'mesh {name}'] = mesh
    return found


def _files_of(path: Path) -> list[Path]:
    """A file itself, those of a recording, or all in a folder."""
    if not path.is_dir():
        return [path]
    if (path / _METADATA).exists():
        return bag_files(path)
    return sorted(item for item in path.rglob('*') if item.is_file())


def _mesh_names(description: str | None) -> list[str]:
    """Names of the meshes of a robot description, in the same order in every process."""
    try:
        root = ET.fromstring(description or '<robot/>')
    except ET.ParseError:
        return []
    return sorted({mesh.get('filename', '') for mesh in root.iter('mesh')})


def _versions() -> dict[str, str]:
    found = {'r2rgen_ros': __version__}
    for name in _LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _code_hash() -> str:
    """Hash of the source files that a scene follows from, so that editing one is enough."""
    root = Path(__file__).parents[1]
    files = [path for room in _ROOMS for path in sorted((root / room).rglob('*.py'))]
    digest = blake2b(digest_size=16)
    for path in files:
        text = path.read_bytes()
        digest.update(f'{path.relative_to(root).as_posix()} {len(text)}\n'.encode() + text)
    return digest.hexdigest()


_CODE = _code_hash()
"""Taken when the code is loaded: what is edited later does not run in this process."""


# The files.


def _beginning(bag: Path) -> str:
    """How names begin: recordings that are files may share a folder."""
    return '' if bag.is_dir() else f'{bag.name}.'


def _place(bag: Path, key: str) -> Path:
    return cache_folder(bag) / f'{_beginning(bag)}{key}.npz'


def _load(key: str, demo: Demo) -> Scene | None:
    path = _place(demo.path, key)
    try:
        scene = load_scene(path.read_bytes(), key, demo)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        _log.warning('%s is made anew: it cannot be read (%s)', path, error.strerror)
        return None
    except R2RGenError as error:
        _log.warning('%s is made anew: %s', path, error)
        return None
    with suppress(OSError):  # what is used stays longest
        os.utime(path)
    return scene


def _store(key: str, scene: Scene) -> None:
    path = _place(scene.demo.path, key)
    try:
        data = dump_scene(scene, key)
        with _writing, os_errors(f'cannot write {path}'):
            _make(path.parent)
            write_bytes(path, data, replace=True)
            _tidy(path.parent, _beginning(scene.demo.path))
    except R2RGenError as error:
        _log.warning('the parsed scene is not kept for the next run: %s', error)


def _make(folder: Path) -> None:
    """Make a folder that git and backup programs leave out; https://bford.info/cachedir/."""
    try:
        folder.mkdir()
    except FileExistsError:
        return
    write_bytes(folder / '.gitignore', b'*\n', replace=True)
    write_bytes(folder / 'CACHEDIR.TAG', _TAG, replace=True)


def _tidy(folder: Path, beginning: str) -> None:
    """Remove all but the scenes of a recording used last, and what a killed process left."""
    own = re.compile(re.escape(beginning) + _NAME)
    ages = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process tidies too
            age = path.stat().st_mtime
            if own.fullmatch(path.name):
                ages.append((age, path))
            elif _TORN.fullmatch(path.name) and age < time.time() - _TORN_AFTER_S:
                path.unlink()
    for _, path in sorted(ages)[:-_KEPT]:
        path.unlink(missing_ok=True)
