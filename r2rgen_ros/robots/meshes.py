# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The triangles of a robot description's links: where its meshes are, and what is in them.

Names of mesh files are resolved as ROS does (`package://`, `file://`), first below the folders that
the user gives.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.mesh_files import INSTALL, can_read, read_mesh
from r2rgen_ros.robots.paint import Paint
from r2rgen_ros.robots.surface import Surface

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Colour = tuple[int, int, int]

HOW_TO_GIVE = 'give the folder that holds it, or source the workspace that has it'
WITHOUT_READER = (
    "the robot's surface is left out: its meshes cannot be read without the package trimesh; to "
    f'fix: {INSTALL}'
)
_UNREADABLE = 'COLLADA'

_WHEEL = 'example-robot-data'
_ROUND = 32  # sides of a cylinder: 0.5 % of its radius lies between it and the round one


class MeshFinder:
    """Finds the files that a robot description names.

    Packages are looked for in the given folders, then in ROS_PACKAGE_PATH, in AMENT_PREFIX_PATH and
    in the wheel `example-robot-data`.

    Args:
        folders: Each holds the packages, or is one.
        relative_to: What relative paths start from; None where the description has no file.

    """

    def __init__(self, folders: Sequence[Path | str] = (), relative_to: Path | None = None) -> None:
        self._folders = tuple(Path(folder).expanduser() for folder in folders)
        for folder in self._folders:
            if not folder.is_dir():
                raise R2RGenError(f'there is no folder {folder}', 'a folder with robot meshes')
        self._relative_to = relative_to

    def find(self, name: str) -> Path | None:
        """Return the file of a mesh, None where there is none.

        Args:
            name: `package://PKG/path`, `file:///path`, or a path.

        """
        kind, _, rest = name.rpartition('://')
        rest = unquote(rest) if kind else rest
        if kind in {'package', 'model'}:
            package, _, inside = rest.partition('/')
            return self._in_package(package, inside)
        if kind not in {'', 'file'}:  # nothing is fetched from elsewhere
            return None
        path = Path(rest.removeprefix('localhost') if kind else rest)
        places = [path] if path.is_absolute() else [root / path for root in self._roots()]
        return next((place for place in places if place.is_file()), None)

    def _roots(self) -> list[Path]:
        return [*([self._relative_to] if self._relative_to else []), *self._folders]

    def _in_package(self, package: str, inside: str) -> Path | None:
        if '..' in Path(inside).parts or not package:
            return None
        for folder in self._package_folders(package):
            if (folder / inside).is_file():
                return folder / inside
        return None

    def _package_folders(self, package: str) -> Iterator[Path]:
        for folder in self._folders:
            yield from (folder / package, folder / 'share' / package, folder)
            yield from sorted(folder.glob(f'*/{package}'))
        for entry in _entries('ROS_PACKAGE_PATH'):
            yield entry / package
            if entry.name == package:
                yield entry
            yield from sorted(entry.glob(f'*/{package}'))
        for entry in _entries('AMENT_PREFIX_PATH'):
            yield entry / 'share' / package
        share = _wheel_share()
        if share is not None:
            yield share / package
            yield share / _WHEEL / 'robots' / package


def link_surfaces(
    description: str, finder: MeshFinder, *, painted: bool = False
) -> tuple[dict[str, Surface], tuple[str, ...]]:
    """Triangles of every link of a robot description, as the camera sees them.

    The visual geometry is taken; where a part of it is missing, the link's collision geometry.

    Args:
        description: Text of a URDF.
        finder: Finds the meshes.
        painted: Whether their colours are wanted: those of the meshes, or else of the URDF.

    Returns:
        Surfaces by the name of the link, without those that have none; and warnings. Where the
        package that reads meshes is not installed, a warning is all.

    Raises:
        R2RGenError: The text is no XML, or a mesh was found but cannot be read.

    """
    try:
        root = ET.fromstring(description)
    except ET.ParseError as error:
        raise R2RGenError(f'the robot description cannot be read: {error}', 'a URDF') from None
    if not can_read():
        return {}, (WITHOUT_READER,)
    out: dict[str, Surface] = {}
    lost: dict[str, list[str]] = {}
    palette = _palette(root) if painted else None
    for link in root.findall('link'):
        surface = _link_surface(link, finder, lost, palette)
        if surface is not None and len(surface.faces):
            out[str(link.get('name'))] = surface
    return out, tuple(_warning(where, names) for where, names in lost.items())


def _link_surface(
    link: ET.Element,
    finder: MeshFinder,
    lost: dict[str, list[str]],
    palette: dict[str, Colour] | None = None,
) -> Surface | None:
    """Visual geometry if all of it is there, else collision geometry if all of it is, else both."""
    kinds: list[list[Surface]] = []
    missing: list[str] = []
    for kind in ('visual', 'collision'):
        elements = link.findall(kind)
        found = [_part(element, finder, missing, palette) for element in elements]
        parts = [part for part in found if part is not None]
        if elements and len(parts) == len(elements):
            if kind == 'collision' and missing:
                _note(lost, missing, finder, ' (its collision geometry serves instead)')
            return Surface.concatenate(parts)
        kinds.append(parts)
    if missing:
        some = any(kinds)
        _note(lost, missing, finder, '' if not some else ' (the rest of the link is used)')
    parts = max(kinds, key=len)
    return Surface.concatenate(parts) if parts else None


def _part(
    element: ET.Element,
    finder: MeshFinder,
    missing: list[str],
    palette: dict[str, Colour] | None,
) -> Surface | None:
    """One visual or collision element in the frame of its link; None where its mesh is missing."""
    geometry = element.find('geometry')
    shape = geometry[0] if geometry is not None and len(geometry) else None
    if shape is None:
        return Surface.concatenate([])
    scale = np.ones(3)
    if shape.tag == 'mesh':
        name = shape.get('filename', '')
        path = finder.find(name)
        if path is None or not can_read(path):
            missing.append(name)
            return None
        surface = read_mesh(path, painted=palette is not None)
        scale = np.asarray(_numbers(shape.get('scale', '1 1 1')))
    else:
        surface = _primitive(shape)
    if palette is not None:
        surface = _painted(surface, element, palette)
    return surface.moved(_origin(element), scale)


def _palette(root: ET.Element) -> dict[str, Colour]:
    """Colours of a robot description's materials by name."""
    found = {str(item.get('name')): _rgb(item) for item in root.findall('material')}
    return {name: colour for name, colour in found.items() if colour is not None}


def _rgb(material: ET.Element) -> Colour | None:
    colour = material.find('color')
    if colour is None:
        return None
    values = _numbers(' '.join(colour.get('rgba', '').split()[:3]))
    red, green, blue = (round(255 * min(max(value, 0.0), 1.0)) for value in values)
    return red, green, blue


def _painted(surface: Surface, element: ET.Element, palette: dict[str, Colour]) -> Surface:
    """Give a surface without colours the one that its element's material has, if any."""
    if surface.paint is not None and not surface.paint.is_bare:
        return surface
    count = len(surface.faces)
    material = element.find('material')
    colour = None if material is None else _rgb(material) or palette.get(str(material.get('name')))
    paint = Paint.bare(count)
    if colour is not None:
        paint = Paint.of_corners(np.tile(np.array(colour, dtype=np.uint8), (count, 3, 1)))
    return replace(surface, paint=paint)


def _note(lost: dict[str, list[str]], names: list[str], finder: MeshFinder, what_then: str) -> None:
    for name in names:
        kind, _, rest = name.rpartition('://')
        where = f'package "{rest.partition("/")[0]}"' if kind in {'package', 'model'} else name
        if finder.find(name) is not None:
            where = _UNREADABLE
        lost.setdefault(where, []).append(rest.rpartition('/')[2] + what_then)


def _warning(where: str, names: list[str]) -> str:
    few = ', '.join(names[:3]) + (f' and {len(names) - 3} more' if len(names) > 3 else '')
    if where == _UNREADABLE:
        return f'meshes of the robot cannot be read without pycollada: {few}; to fix: {INSTALL}'
    return f'meshes of the robot are not found in {where}: {few}; to fix: {HOW_TO_GIVE}'


def _primitive(shape: ET.Element) -> Surface:
    """Box, sphere, cylinder or capsule of a URDF, about its origin, along z."""
    import trimesh

    radius = float(shape.get('radius', 0.0))
    length = float(shape.get('length', 0.0))
    mesh: Any
    if shape.tag == 'box':
        mesh = trimesh.creation.box(extents=_numbers(shape.get('size', '0 0 0')))
    elif shape.tag == 'sphere':
        mesh = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    elif shape.tag == 'cylinder':
        mesh = trimesh.creation.cylinder(radius=radius, height=length, sections=_ROUND)
    elif shape.tag == 'capsule':
        mesh = trimesh.creation.capsule(radius=radius, height=length, count=[_ROUND, _ROUND])
    else:
        raise R2RGenError(
            f'the robot description has the shape "{shape.tag}"',
            'mesh, box, sphere, cylinder or capsule',
        )
    return Surface(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int32))


def _origin(element: ET.Element) -> NDArray[np.float64]:
    """Pose (4, 4) of a URDF element's origin."""
    origin = element.find('origin')
    if origin is None:
        return np.eye(4)
    turn = Rotation.from_euler('xyz', _numbers(origin.get('rpy', '0 0 0')))
    return se3.compose(turn.as_matrix(), _numbers(origin.get('xyz', '0 0 0')))


def _numbers(text: str) -> list[float]:
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not np.isfinite(numbers).all():
        raise R2RGenError(f'the robot description has "{text}"', 'three numbers')
    return numbers


def _entries(variable: str) -> list[Path]:
    """Folders of an environment variable that is a list of them."""
    return [Path(entry) for entry in os.environ.get(variable, '').split(os.pathsep) if entry]


@lru_cache(maxsize=1)
def _wheel_share() -> Path | None:
    """The folder `share` of the wheel `example-robot-data`; None where it is not installed."""
    try:
        files = metadata.distribution(_WHEEL).files or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        parts = file.parts
        if 'robots' in parts and parts[parts.index('robots') - 2 : parts.index('robots')] == (
            'share',
            _WHEEL,
        ):
            located = Path(str(file.locate()))
            return located.parents[len(parts) - parts.index('share') - 2]
    return None
