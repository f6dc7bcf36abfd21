# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a person knows of a scene besides its recording, made use of.

A mesh of an object, a capture of the empty scene (see `parse.empty_capture`), folders with the
robot's meshes, its URDF, a mask source and a tracker: each is named in the annotation, and none is
needed.
"""

from __future__ import annotations

from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_dilation

from r2rgen_ros.bags.source import bag_path
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation_file import located
from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.parse.completion import complete
from r2rgen_ros.parse.following import ObjectPath
from r2rgen_ros.parse.mesh_model import Mesh, complete_with_mesh, register_mesh
from r2rgen_ros.parse.plugins import (
    MASK_SOURCES,
    TRACKERS,
    ask_masks,
    ask_tracker,
    installed,
    mask_source,
    tracker,
)
from r2rgen_ros.parse.tracking import held_by
from r2rgen_ros.robots.description import find_text
from r2rgen_ros.robots.mesh_files import files_beside
from r2rgen_ros.robots.meshes import MeshFinder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.bags.recording import Source
    from r2rgen_ros.geometry.cloud import Cloud
    from r2rgen_ros.model.annotation import Annotation, ObjectNote, Sources
    from r2rgen_ros.model.demo import Demo, Sensor
    from r2rgen_ros.parse.carving import Space
    from r2rgen_ros.parse.closing import Resting
    from r2rgen_ros.parse.completion import Completed
    from r2rgen_ros.parse.fusion import Seen
    from r2rgen_ros.parse.plugins import PointOrBox

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_TRUSTED_M = 0.01
_MOVED_M, _MOVED_FRAMES = 0.004, 2
_SAMPLES = 200
_TAKE_OUT = 'or take it out of the annotation'


def mesh_folders(annotation: Annotation, folder: Path) -> tuple[Path, ...]:
    """Return the folders of the robot's meshes; `folder` is the annotation's."""
    return tuple(located(folder, name) for name in annotation.sources.mesh_folders)


def with_urdf(source: Source, sources: Sources, folder: Path) -> Source:
    """Return a recording with the robot description that an annotation names, if it names one.

    Args:
        source: The recording.
        sources: Those of the annotation.
        folder: Folder that paths in the annotation are relative to.

    Raises:
        R2RGenError: The URDF is not found.

    """
    if sources.urdf is None:
        return source
    finder = MeshFinder([located(folder, name) for name in sources.mesh_folders], folder)
    return source.with_description(find_text(sources.urdf, finder, 'the URDF')[1])


def source_files(annotation: Annotation, folder: Path) -> tuple[Path, ...]:
    """Return all files, and folders of files, that sources read, so that a cache can ask of them.

    Of plug-ins these are the files of their code; what else they read is their own business. The
    folders of the robot's meshes are left out: `mesh_folders` returns them.

    Args:
        annotation: What names the sources.
        folder: Its folder.

    Raises:
        R2RGenError: The empty capture is a folder of several bags.

    """
    meshes = [located(folder, note.mesh) for note in annotation.objects if note.mesh is not None]
    # A texture that is there now belongs to it; one that comes later is one more file.
    found = [file for path in meshes for file in (path, *files_beside(path))]
    sources = annotation.sources
    if sources.empty_capture is not None:
        found.append(bag_path(located(folder, sources.empty_capture)))
    for name, group in ((sources.masks, MASK_SOURCES), (sources.tracker, TRACKERS)):
        if name is not None:
            found += _code_of(name if ':' in name else installed(group).get(name, name))
    return tuple(found)


def _code_of(place: str) -> list[Path]:
    """The Python files of the package or module of a `module:attribute`."""
    try:
        spec = find_spec(place.partition(':')[0].strip().partition('.')[0])
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        roots = [Path(root) for root in spec.submodule_search_locations]
        return [path for root in roots for path in sorted(root.rglob('*.py'))]
    return [Path(spec.origin)] if spec.origin and Path(spec.origin).is_file() else []


# A mesh per object.


def mesh_of(note: ObjectNote, folder: Path) -> Mesh | None:
    """Return the mesh that an object names, in the unit of its file; None where it names none.

    Args:
        note: The object.
        folder: The annotation's, which paths count from.

    Raises:
        R2RGenError: There is no such file, or it holds no triangles.

    """
    if note.mesh is None:
        return None
    path = located(folder, note.mesh)
    require(
        path.is_file(),
        f'there is no mesh {path} of "{note.name}"',
        'a file',
        f'put it there, {_TAKE_OUT}',
    )
    return Mesh.load(path)


def complete_object(
    note: ObjectNote, folder: Path, seen: Seen, space: Space | None, resting: Resting | None
) -> tuple[Completed, str]:
    """Complete an object with its mesh, or as `complete` does where it has none that fits.

    Args:
        note: The object.
        folder: The annotation's, which paths count from.
        seen: What was seen, in the object's frame.
        space: What is free around it; None where unknown.
        resting: The plane it stands on; None where unknown.

    Returns:
        The whole object, and what a person should know: empty, or why its mesh was not used, or
        which of its colours are missing.

    Raises:
        R2RGenError: The mesh cannot be read, or is of another size than the object in any unit.

    """
    mesh = mesh_of(note, folder)
    if mesh is None:
        return complete(seen, space, resting), ''
    try:
        fit = register_mesh(mesh, seen, space, resting)
    except R2RGenError as error:
        what = f'the mesh {note.mesh} does not fit "{note.name}": {error.found}'
        raise R2RGenError(what, error.expected, error.fix) from None
    if fit.is_trusted:
        about = f'"{note.name}" ({note.mesh}): {mesh.remark}' if mesh.remark else ''
        return complete_with_mesh(fit, seen), about
    return complete(seen, space, resting), (
        f'the mesh {note.mesh} is not used: it explains {100 * fit.explained:.0f} % of what was '
        f'seen of "{note.name}", and {100 * fit.violation:.0f} % of it would be where the camera '
        'sees nothing'
    )


# Plug-ins.


def masks_for(demo: Demo, notes: Sequence[ObjectNote], source_name: str) -> dict[str, Mask]:
    """Ask a mask source for the objects that are pointed at.

    Args:
        demo: The demonstration; one of colour and depth images.
        notes: Its objects. Those prompted by a mask have theirs already, and are not asked for.
        source_name: Name of the mask source.

    Returns:
        Per object's name a mask (H, W) of the frame of its prompt, to be used as if it had been
        drawn. What several objects of one frame claim belongs to the smallest of them.

    Raises:
        R2RGenError: There is no such source, it fails, or it finds nothing of an object.

    """
    source = mask_source(source_name)
    asked = [note for note in notes if note.prompt.mask is None]
    out: dict[str, Mask] = {}
    for frame in sorted({note.prompt.frame for note in asked}):
        those = [note for note in asked if note.prompt.frame == frame]
        image = demo.frames[frame]
        if image.depth is None or image.colour is None or demo.sensor is None:
            raise R2RGenError(
                f'the mask source "{source_name}" needs colour and depth images, which '
                f'"{demo.name}" does not hold',
                'aligned colour and depth images of one size',
                f'record them, {_TAKE_OUT}',
            )
        prompts = [_in_pixels(demo.sensor, note) for note in those]
        masks = _apart(ask_masks(source, image.colour, image.depth, prompts))
        for note, mask in zip(those, masks, strict=True):
            require(
                bool(mask.any()),
                f'the mask source "{source_name}" finds nothing of "{note.name}" in frame {frame}',
                'a mask of the object',
                f'point at its middle, or choose another frame, {_TAKE_OUT}',
            )
            out[note.name] = mask
    return out


def _in_pixels(sensor: Sensor, note: ObjectNote) -> PointOrBox:
    """A prompt as a pixel or a box of its image."""
    prompt, camera = note.prompt, sensor.camera
    if prompt.pixel is not None:
        return prompt.pixel
    if prompt.box is not None:
        return prompt.box
    if prompt.point is not None:
        corners = np.array([prompt.point])
    else:
        assert prompt.region is not None
        corners = np.array(list(product(*np.array(prompt.region).T)))
    base2camera = se3.inverse(sensor.camera2base[prompt.frame])
    pixels = camera.project(se3.apply(base2camera, corners))[:, :2]
    most = np.array([camera.width - 1.0, camera.height - 1.0])
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    require(
        bool(np.isfinite(pixels).all() and (low <= most).all() and (high >= 0.0).all()),
        f'the prompt of "{note.name}" lies outside the image of frame {prompt.frame}',
        'a point in view of the camera',
    )
    if prompt.point is not None:
        return float(pixels[0, 0]), float(pixels[0, 1])
    low, high = np.clip(low, 0.0, most), np.clip(high, 0.0, most)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _apart(masks: Sequence[Mask]) -> list[Mask]:
    """Masks (H, W) that share no pixel: a whole leaves its parts to them."""
    if not masks:
        return []
    owner = np.full(masks[0].shape, -1)
    for place in sorted(range(len(masks)), key=lambda place: -int(masks[place].sum())):
        owner[masks[place]] = place
    return [owner == place for place in range(len(masks))]


def tracked_paths(
    demo: Demo,
    notes: Sequence[ObjectNote],
    clouds: Sequence[Cloud],
    starts: Sequence[Floats],
    tracker_name: str,
) -> list[ObjectPath]:
    """Have a tracker follow the objects.

    Args:
        demo: The demonstration.
        notes: Its objects; their grasps say which hand they move with.
        clouds: What is known of their surfaces, in their own frames, metres.
        starts: Their poses (4, 4) object2base in the frames of their prompts.
        tracker_name: Name of the tracker.

    Returns:
        Their paths. Frames whose residual is above 10 mm are not trusted; an object moves by itself
        where its surface goes farther than 4 mm within five frames and no hand is at it.

    Raises:
        R2RGenError: There is no such tracker, or it fails.

    """
    source = tracker(tracker_name)
    out = []
    for note, cloud, start in zip(notes, clouds, starts, strict=True):
        poses, residual = ask_tracker(source, demo, cloud, start, note.prompt.frame)
        held = held_by(demo, note)
        trusted = ~(residual > _TRUSTED_M)
        out.append(ObjectPath(poses, residual, held, trusted, _moves(poses, cloud, held)))
    return out


def _moves(poses: Floats, cloud: Cloud, held: NDArray[np.int8]) -> Mask:
    """Frames (T,) in which an object moves and no hand holds it, nor did or will right away."""
    step = max(1, len(cloud) // _SAMPLES)
    points = cloud.points[::step].astype(np.float64) if len(cloud) else np.zeros((1, 3))
    places = np.arange(len(poses))
    before = poses[np.maximum(places - _MOVED_FRAMES, 0)]
    after = poses[np.minimum(places + _MOVED_FRAMES, len(poses) - 1)]
    way = np.linalg.norm(se3.apply(after, points) - se3.apply(before, points), axis=2)
    by_hand = binary_dilation(held >= 0, iterations=_MOVED_FRAMES)
    return np.asarray((np.sqrt((way**2).mean(axis=1)) > _MOVED_M) & ~by_hand)
