# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""annotation.yaml: small, made for editing by hand, checked line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import yaml

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
from r2rgen_ros.model.yaml_file import YamlSection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMAT = 'r2rgen/annotation/1'
FILE_NAME = 'annotation.yaml'
_T = TypeVar('_T')
_MANY = 10_000_000
_FAR = 100.0

_HEADER = """\
# What a person says of this demonstration. Edit it freely; errors name the line.
# Frames count from 0, first and last are both included. Lengths are metres, in the base frame.
"""
_FIX = 'correct the path, which counts from the folder of the annotation, or take the key out'
_TURNS = 5


def located(folder: Path, name: str) -> Path:
    """Return the path that an annotation means by a name: from its folder, or as it is."""
    return folder / name


def read_annotation(path: Path) -> Annotation:
    """Read and check an annotation.

    Raises:
        R2RGenError: Naming the file and the line.

    """
    return parse_annotation(YamlSection.read(path), path.parent)


def as_written(annotation: Annotation) -> Annotation:
    """Return an annotation as it will be read from its file, where numbers are rounded.

    Directions are normalised after rounding, so it takes a second turn until nothing changes.
    """
    text = ''
    for _ in range(_TURNS):
        before, text = text, dump_annotation(annotation)
        if text == before:
            break
        annotation = parse_annotation(YamlSection.parse(text, 'annotation'))
    return annotation


def parse_annotation(root: YamlSection, folder: Path | None = None) -> Annotation:
    """Check and convert the contents of an annotation file.

    Args:
        root: The contents.
        folder: Folder that paths in it count from; what they name must be there. None where it is
            not known: then nobody looks.

    Raises:
        R2RGenError: Naming the file and the line.

    """
    root.keys(['format', 'objects'], ['skills', 'support', 'frames', 'notes', 'sources'])
    if root['format'].data != FORMAT:
        raise root['format'].error(f'format is {root["format"].data!r}', f'"{FORMAT}"')
    objects = tuple(_object(part, folder) for part in root['objects'].items())
    # One at a time, so that an error names the line of the one that does not fit.
    for k in range(len(objects)):
        _checked(root['objects'][k], Annotation, objects[: k + 1], ())
    skills = tuple(_skill(part, [note.name for note in objects]) for part in root['skills'].items())
    support = _support(root['support']) if 'support' in root else None
    frames = root['frames'].whole(2, _MANY) if 'frames' in root else None
    notes = root['notes'].words()
    sources = _sources(root['sources'], folder) if 'sources' in root else Sources()
    for k in range(len(skills)):
        _checked(root['skills'][k], Annotation, objects, skills[: k + 1], None, frames)
    return _checked(root, Annotation, objects, skills, support, frames, notes, sources)


def _checked(section: YamlSection, noun: Callable[..., _T], *parts: Any, **named: Any) -> _T:
    """Build a noun from parts already read, and let its own check name the line."""
    try:
        return noun(*parts, **named)
    except R2RGenError as error:
        raise section.error(error.found, error.expected, error.fix) from None


def _there(part: YamlSection, folder: Path | None, what: str, kind: str) -> str:
    """A path whose file or folder is there, where that can be told."""
    name = part.text()
    if folder is not None:
        path = located(folder, name)
        there = {'a file': path.is_file, 'a folder': path.is_dir}.get(kind, path.exists)
        if not there():
            raise part.error(f'there is no {what} {path}', kind, _FIX)
    return name


def _sources(part: YamlSection, folder: Path | None) -> Sources:
    part.keys([], ['empty_capture', 'mesh_folders', 'masks', 'tracker', 'urdf'])
    empty = None
    if 'empty_capture' in part:
        empty = _there(part['empty_capture'], folder, 'empty capture', 'a bag')
    folders = [
        _there(item, folder, 'folder of meshes', 'a folder')
        for item in part['mesh_folders'].items()
    ]
    names = {key: part[key].text() for key in ('masks', 'tracker', 'urdf') if key in part}
    return _checked(part, Sources, empty, tuple(folders), **names)


def _object(part: YamlSection, folder: Path | None) -> ObjectNote:
    part.keys(['name', 'prompt'], ['grasps', 'mesh'])
    prompt = part['prompt']
    prompt.keys([], ['frame', 'mask', 'box', 'pixel', 'point', 'region'])
    values: dict[str, Any] = {}
    if 'frame' in prompt:
        values['frame'] = prompt['frame'].whole(0, _MANY)
    if 'mask' in prompt:
        values['mask'] = prompt['mask'].text()
    if 'box' in prompt:
        values['box'] = prompt['box'].numbers(4, 0, 1e5, 'pixels')
    if 'pixel' in prompt:
        values['pixel'] = prompt['pixel'].numbers(2, 0, 1e5, 'pixels')
    if 'point' in prompt:
        values['point'] = prompt['point'].numbers(3, -_FAR, _FAR, 'm')
    if 'region' in prompt:
        corners = prompt['region'].items()
        if len(corners) != 2:
            raise prompt['region'].error(f'region has {len(corners)} corners', '2')
        values['region'] = tuple(corner.numbers(3, -_FAR, _FAR, 'm') for corner in corners)
    grasps = tuple(_grasp(item) for item in part['grasps'].items())
    note = _checked(
        part, ObjectNote, part['name'].text(), _checked(prompt, Prompt, **values), grasps
    )
    if 'mesh' in part:
        mesh = part['mesh'].text()
        # Its ending is checked first: a file that could not be read need not be looked for.
        note = _checked(part['mesh'], ObjectNote, note.name, note.prompt, grasps, mesh)
        _there(part['mesh'], folder, 'mesh', 'a file')
    return note


def _grasp(part: YamlSection) -> Grasp:
    part.keys(['first', 'last'], ['arm'])
    arm = part['arm'].text() if 'arm' in part else 'arm'
    first, last = part['first'].whole(0, _MANY), part['last'].whole(0, _MANY)
    return _checked(part, Grasp, arm, first, last)


def _skill(part: YamlSection, names: list[str]) -> Skill:
    part.keys(['name', 'first', 'last', 'targets'], ['in_hand', 'arm'])
    for key in ('targets', 'in_hand'):
        for item in part[key].items():
            if item.text() not in names:
                raise item.error(f'unknown object "{item.data}"', f'one of {names}')
    return _checked(
        part,
        Skill,
        part['name'].text(),
        part['first'].whole(0, _MANY),
        part['last'].whole(0, _MANY),
        part['targets'].words(),
        part['in_hand'].words(),
        part['arm'].text() if 'arm' in part else 'arm',
    )


def _support(part: YamlSection) -> SupportPlane:
    part.keys(['normal', 'offset', 'outline'], ['residual'])
    outline = [corner.numbers(3, -_FAR, _FAR, 'm') for corner in part['outline'].items()]
    residual = part['residual'].number(0, 1, 'm') if 'residual' in part else float('nan')
    return _checked(
        part,
        SupportPlane,
        np.array(part['normal'].numbers(3, -1e3, 1e3)),
        part['offset'].number(-_FAR, _FAR, 'm'),
        np.array(outline).reshape(-1, 3),
        residual,
    )


class _Dumper(yaml.SafeDumper):
    """Writes mappings in the given order, short lists on one line."""


def _represent_list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    flat = all(isinstance(item, int | float | str) for item in data)
    return dumper.represent_sequence('tag:yaml.org,2002:seq', data, flow_style=flat)


_Dumper.add_representer(list, _represent_list)


def _rounded(values: Any) -> Any:
    """Numbers as a person would write them: to a hundredth of a millimetre."""
    return np.round(np.asarray(values, dtype=np.float64), 6).tolist()


def annotation_data(annotation: Annotation) -> dict[str, Any]:
    """Return an annotation as plain data, with the keys of the file."""
    data: dict[str, Any] = {'format': FORMAT}
    if annotation.frames is not None:
        data['frames'] = annotation.frames
    if annotation.notes:
        data['notes'] = list(annotation.notes)
    if annotation.sources != Sources():
        data['sources'] = _sources_data(annotation.sources)
    data['objects'] = [_object_data(note) for note in annotation.objects]
    data['skills'] = [
        {
            'name': skill.name,
            'arm': skill.arm,
            'first': skill.first,
            'last': skill.last,
            'targets': list(skill.targets),
            'in_hand': list(skill.in_hand),
        }
        for skill in annotation.skills
    ]
    if annotation.support is not None:
        support = annotation.support
        data['support'] = {
            'normal': _rounded(support.normal),
            'offset': _rounded(support.offset),
            'outline': _rounded(support.outline),
        }
        if np.isfinite(support.residual):
            data['support']['residual'] = _rounded(support.residual)
    return data


def dump_annotation(annotation: Annotation) -> str:
    """Return the text of an annotation file; `parse_annotation` reads it back the same."""
    data = annotation_data(annotation)
    body = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return _HEADER + body


def _object_data(note: ObjectNote) -> dict[str, Any]:
    prompt: dict[str, Any] = {}
    if note.prompt.frame:
        prompt['frame'] = note.prompt.frame
    for way in ('mask', 'box', 'pixel', 'point', 'region'):
        value = getattr(note.prompt, way)
        if value is not None:
            prompt[way] = value if isinstance(value, str) else _rounded(value)
    out: dict[str, Any] = {'name': note.name, 'prompt': prompt}
    if note.mesh is not None:
        out['mesh'] = note.mesh
    if note.grasps:
        out['grasps'] = [
            {'arm': grasp.arm, 'first': grasp.first, 'last': grasp.last} for grasp in note.grasps
        ]
    return out


def _sources_data(sources: Sources) -> dict[str, Any]:
    data = {
        'empty_capture': sources.empty_capture,
        'mesh_folders': list(sources.mesh_folders),
        'masks': sources.masks,
        'tracker': sources.tracker,
        'urdf': sources.urdf,
    }
    return {key: value for key, value in data.items() if value}
