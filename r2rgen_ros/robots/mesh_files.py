# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Triangles from files, with the colours of their vertices, materials and textures.

COLLADA files are scaled by their unit, and their up axis is ignored, as in RViz. What a file names
beside itself (MTL files, textures) may be missing: its triangles are then bare.
"""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
from PIL import Image

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.paint import Paint
from r2rgen_ros.robots.surface import CLOSE_M, Surface, merged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FORMATS = ('.stl', '.obj', '.ply', '.dae')
INSTALL = 'pip install trimesh pycollada'

_IMAGES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.tga', '.gif', '.webp')
_HEAD_BYTES = 65536
_UNIT = re.compile(rb'<unit\b[^>]*\bmeter\s*=\s*["\']([0-9.eE+-]+)["\']')
_DAE_IMAGE = re.compile(r'<init_from>(?:\s*<ref>)?\s*([^<]+?)\s*<')
_PLY_IMAGE = re.compile(r'^comment\s+TextureFile\s+(.+?)\s*$', re.MULTILINE | re.IGNORECASE)
_OBJ_LIBRARY = re.compile(r'^mtllib\s+(.+?)\s*$', re.MULTILINE)
_MTL_LINE = re.compile(r'^\s*(newmtl|Kd|map_Kd)\s+(.+?)\s*$', re.MULTILINE | re.IGNORECASE)


def can_read(path: Path | None = None) -> bool:
    """Whether the packages are installed that read a mesh of such a name, or any mesh."""
    if path is not None and path.suffix.lower() == '.dae' and find_spec('collada') is None:
        return False
    return find_spec('trimesh') is not None


def read_mesh(path: Path, *, painted: bool = False) -> Surface:
    """Read the triangles of an STL, OBJ, PLY or COLLADA file, metres.

    Args:
        path: The file.
        painted: Whether their colours are wanted. Without, each file is read once per process;
            with, only vertices at the very same place are made one.

    Returns:
        The triangles. Their `paint` is None unless it was asked for; its `missing` names the files
        with colours that are not there.

    Raises:
        R2RGenError: The file cannot be read, or holds no triangles.

    """
    if path.suffix.lower() not in FORMATS:
        raise R2RGenError(f'{path} is no mesh that can be read', f'one of {FORMATS}')
    if painted:
        return _load(path, painted=True)
    info = path.stat()
    return _read_once(path.resolve(), info.st_mtime_ns, info.st_size)


@lru_cache(maxsize=256)
def _read_once(path: Path, _changed: int, _size: int) -> Surface:
    return _load(path, painted=False)


def _load(path: Path, *, painted: bool) -> Surface:
    suffix = path.suffix.lower()
    if not can_read(path):
        wanted = 'trimesh' if not can_read() else 'pycollada'
        raise R2RGenError(f'{path.name} cannot be read without the package {wanted}', '', INSTALL)
    import trimesh

    try:
        options: dict[str, Any] = {'skip_materials': not painted} if suffix == '.obj' else {}
        with _silenced('trimesh'):  # what is missing is told once, in our words
            scene: Any = trimesh.load_scene(path, process=False, **options)
        parts = [part for part in scene.dump() if hasattr(part, 'faces')]
        looks = _Looks(path) if painted else None
        surface = Surface.concatenate([_surface(part, looks) for part in parts])
    except Exception as error:  # each format's reader has its own kinds of error
        raise R2RGenError(f'the mesh {path} cannot be read: {error}', 'a whole mesh') from error
    if not len(surface.faces) or not np.isfinite(surface.vertices).all():
        raise R2RGenError(f'the mesh {path} has no triangles, or broken ones', 'a whole mesh')
    unit = _UNIT.search(_head(path)) if suffix == '.dae' else None
    return merged(surface, float(unit.group(1)) if unit else 1.0, 1e-8 if painted else CLOSE_M)


def _surface(part: Any, looks: _Looks | None) -> Surface:
    vertices, faces = np.asarray(part.vertices, np.float64), np.asarray(part.faces, np.int32)
    return Surface(vertices, faces, None if looks is None else looks.paint(part))


def files_beside(path: Path) -> tuple[Path, ...]:
    """Return the files that a mesh takes its colours from, MTL files and images, if they exist."""
    if not path.is_file():
        return ()
    return tuple(file for file in _Looks(path).files if file.is_file())


class _Looks:
    """What the text of a mesh file says of its colours, beside what its reader makes of it.

    Attributes:
        files: MTL files and images that it names.

    """

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self._is_obj = path.suffix.lower() == '.obj'
        self._is_dae = path.suffix.lower() == '.dae'
        self._images: list[str] = []
        self._materials: dict[str, dict[str, str]] = {}
        libraries: list[str] = []
        if self._is_obj:
            text = path.read_text(encoding='utf-8', errors='replace')
            libraries = list(dict.fromkeys(_OBJ_LIBRARY.findall(text)))
            for name in libraries:
                self._add_library(name)
        elif path.suffix.lower() == '.ply':
            head = _head(path).partition(b'end_header')[0].decode('utf-8', errors='replace')
            self._images = _PLY_IMAGE.findall(head)
        elif self._is_dae:
            names = _DAE_IMAGE.findall(path.read_text(encoding='utf-8', errors='replace'))
            # A name without such an ending is a reference to another element.
            self._images = [name for name in names if name.lower().endswith(_IMAGES)]
        self._lost = tuple(name for name in libraries if not self._place(name).is_file())
        named = [*libraries, *dict.fromkeys(self._images)]
        self.files = tuple(dict.fromkeys(self._place(name) for name in named))

    def _add_library(self, name: str) -> None:
        try:
            text = self._place(name).read_text(encoding='utf-8', errors='replace')
        except OSError:
            return
        material: dict[str, str] = {}
        for key, value in _MTL_LINE.findall(text):
            if key.lower() == 'newmtl':
                material = self._materials.setdefault(value, {})
            elif key.lower() == 'map_kd':
                # Options come before the name of the file, which may hold spaces.
                file = value.split()[-1] if value.startswith('-') else value
                material['image'] = file
                self._images.append(file)
            else:
                material['colour'] = value

    def _place(self, name: str) -> Path:
        kind, _, rest = name.rpartition('file://')
        plain = (unquote(rest) if kind or name.startswith('file://') else name).replace('\\', '/')
        place = self._folder / plain
        # Absolute paths are those of whoever made the mesh.
        return place if place.is_file() else self._folder / Path(plain).name

    def paint(self, part: Any) -> Paint:
        """Colours of a part as its reader gives it, a `trimesh.Trimesh`."""
        visual, faces = part.visual, np.asarray(part.faces)
        if visual.kind == 'vertex':
            return Paint.of_corners(np.asarray(visual.vertex_colors)[:, :3][faces])
        if visual.kind == 'face':
            colours = np.asarray(visual.face_colors)[:, None, :3]
            return Paint.of_corners(np.repeat(colours, 3, axis=1))
        if visual.kind != 'texture':
            return Paint.bare(len(faces), self._lost)
        return self._of_material(visual, faces)

    def _of_material(self, visual: Any, faces: NDArray[np.int64]) -> Paint:
        material = visual.material
        said = self._materials.get(str(getattr(material, 'name', '')), {})
        if self._is_obj and not said:  # the reader makes up a material where there is none
            return Paint.bare(len(faces), self._lost)
        names = [said['image']] if 'image' in said else [] if self._is_obj else self._images
        pixels = self._picture(material, names)
        if pixels is not None and visual.uv is not None:
            return Paint.of_texture(np.asarray(visual.uv, dtype=np.float64)[faces][..., :2], pixels)
        if self._is_dae:  # nothing tells which of its materials had which image
            has_colour = getattr(material, 'baseColorFactor', None) is not None
            lost = tuple(name for name in names if not self._place(name).is_file())
        else:
            lost = tuple(name for name in names if pixels is None)
            has_colour = 'colour' in said and not lost
        if not has_colour:
            return Paint.bare(len(faces), lost)
        colour = np.asarray(material.main_color, dtype=np.uint8)[:3]
        return Paint.of_corners(np.tile(colour, (len(faces), 3, 1)))

    def _picture(self, material: Any, names: list[str]) -> NDArray[np.uint8] | None:
        """The texture (H, W, 3) of a material; None where it has none that can be read.

        That of a COLLADA file is its reader's; elsewhere, the reader puts one of its own in place
        of what is missing.
        """
        try:
            if self._is_dae:
                image = getattr(material, 'baseColorTexture', None)
            else:
                image = Image.open(self._place(names[0])) if names else None
            return None if image is None else np.asarray(image.convert('RGB'), dtype=np.uint8)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return None


@contextmanager
def _silenced(name: str) -> Iterator[None]:
    """Nothing is logged by a library meanwhile."""
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def _head(path: Path) -> bytes:
    with path.open('rb') as file:
        return file.read(_HEAD_BYTES)
