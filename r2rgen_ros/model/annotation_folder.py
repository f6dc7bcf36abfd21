# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What lies beside a demonstration: its annotation, older ones, their picture and masks."""

from __future__ import annotations

import contextlib
import itertools
import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from r2rgen_ros.model.annotation import ObjectNote, Prompt
from r2rgen_ros.model.annotation_file import dump_annotation, located
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import inside, os_errors, write_bytes, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from r2rgen_ros.model.annotation import Annotation

_MASKS = 'masks'


def save_annotation(
    target: Path,
    annotation: Annotation,
    draw: Callable[[Path], object],
    masks: Mapping[str, bytes] | None = None,
) -> Path | None:
    """Write an annotation with its picture and masks: all of it, or nothing changes.

    The picture is drawn before anything else is touched. An annotation that is there is kept under
    a name with a number. There is an annotation at every moment, the old one or the new one.

    Args:
        target: The file to write; the picture goes beside it.
        annotation: What it shall say.
        draw: Draws the picture into the PNG file that it is given.
        masks: New files by their paths below the folder; see `with_local_masks`.

    Returns:
        The new name of the older annotation; None where there was none.

    Raises:
        R2RGenError: The disk says no; all is as it was.

    """
    picture = target.with_suffix('.png')
    drawn = target.with_name(f'.{target.stem}.tmp-{os.getpid()}.png')
    # What was done is undone, the last step first, unless all of it succeeds.
    with os_errors(f'cannot write {target}'), ExitStack() as undo:
        undo.callback(drawn.unlink, missing_ok=True)
        draw(drawn)
        _write_masks(target.parent, masks or {}, undo)
        old = _copy_of_old(target, undo)
        write_text(target, dump_annotation(annotation), replace=old is not None)
        undo.callback(target.unlink if old is None else lambda: old.replace(target))
        drawn.replace(picture)
        undo.pop_all()
    return old


def _write_masks(folder: Path, masks: Mapping[str, bytes], undo: ExitStack) -> None:
    place = folder / _MASKS
    if masks and not place.exists():
        undo.callback(_remove_empty, place)
    for name, data in masks.items():
        write_bytes(folder / name, data)
        undo.callback((folder / name).unlink)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it was never made, or somebody put something into it
        folder.rmdir()


def _copy_of_old(target: Path, undo: ExitStack) -> Path | None:
    """Copy an annotation to the next free number; renaming it would leave a moment without one."""
    if not target.exists():
        return None
    names = (target.with_name(f'{target.stem}.{n}{target.suffix}') for n in itertools.count(1))
    old = next(name for name in names if not os.path.lexists(name))
    write_bytes(old, target.read_bytes())
    undo.callback(old.unlink, missing_ok=True)
    return old


def masked_objects(folder: Path) -> tuple[ObjectNote, ...]:
    """Objects of the masks that lie in a demonstration's folder, named after their files."""
    return tuple(
        ObjectNote(path.stem, Prompt(mask=f'{_MASKS}/{path.name}'))
        for path in sorted((folder / _MASKS).glob('*.png'))
    )


def with_local_masks(
    annotation: Annotation, source: Path, folder: Path
) -> tuple[Annotation, dict[str, bytes]]:
    """Return an annotation whose masks lie in a demonstration's folder. Nothing is written.

    Meshes and other sources stay where they are: what lies below the folder is named from there,
    all else by its absolute path.

    Args:
        annotation: What names the masks and sources.
        source: Folder that their paths are relative to.
        folder: The demonstration's.

    Returns:
        The annotation, and the copies that `save_annotation` is to make: contents by path. Names
        that are taken by other contents get a number.

    Raises:
        R2RGenError: There is no such file, or it cannot be read.

    """
    copies: dict[str, bytes] = {}
    annotation = _with_local_names(annotation, source, folder)
    if source.resolve() == folder.resolve():
        return annotation, copies
    notes = []
    for note in annotation.objects:
        if note.prompt.mask is None:
            notes.append(note)
            continue
        mask = _local_mask(source / note.prompt.mask, folder, copies)
        notes.append(replace(note, prompt=replace(note.prompt, mask=mask)))
    return replace(annotation, objects=tuple(notes)), copies


def _with_local_names(annotation: Annotation, source: Path, folder: Path) -> Annotation:
    """An annotation that names the same meshes, folders and bags from another folder."""

    def named(name: str) -> str:
        if source.resolve() == folder.resolve() and not Path(name).is_absolute():
            return name
        path = located(source, name).resolve()
        below = path.is_relative_to(folder.resolve())
        return path.relative_to(folder.resolve()).as_posix() if below else str(path)

    notes = tuple(
        note if note.mesh is None else replace(note, mesh=named(note.mesh))
        for note in annotation.objects
    )
    sources = annotation.sources
    empty = None if sources.empty_capture is None else named(sources.empty_capture)
    # Two names may be of one folder.
    folders = tuple(dict.fromkeys(named(name) for name in sources.mesh_folders))
    urdf = sources.urdf  # a package:// stays what it is
    if urdf is not None and '://' not in urdf:
        urdf = named(urdf)
    sources = replace(sources, empty_capture=empty, mesh_folders=folders, urdf=urdf)
    return replace(annotation, objects=notes, sources=sources)


def _local_mask(file: Path, folder: Path, copies: dict[str, bytes]) -> str:
    """Path of a mask below a folder; one from elsewhere is added to the copies to be made."""
    if not file.is_file():
        raise R2RGenError(f'there is no mask {file}')
    if file.resolve().is_relative_to(folder.resolve()):
        return str(file.resolve().relative_to(folder.resolve()))
    with os_errors(f'cannot read {file}'):
        data = file.read_bytes()
        endings = itertools.chain([''], (f'_{number}' for number in itertools.count(2)))
        names = (f'{_MASKS}/{file.stem}{ending}{file.suffix}' for ending in endings)
        name = next(name for name in names if _contents(folder, name, copies) in (None, data))
        if not os.path.lexists(folder / name):
            copies[name] = data
    return name


def _contents(folder: Path, name: str, copies: dict[str, bytes]) -> bytes | None:
    """What a mask holds, or will hold; None where the name is free."""
    if name in copies:
        return copies[name]
    place = inside(folder, name)
    if place.is_file():
        return place.read_bytes()
    # Something else of that name, such as a folder, is no mask that could be used.
    return b'' if os.path.lexists(place) else None
