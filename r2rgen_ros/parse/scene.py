# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demo + Annotation -> Scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from r2rgen_ros.model.annotation_file import located
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import Scene
from r2rgen_ros.parse.background import Background
from r2rgen_ros.parse.cloud_scene import parse_clouds
from r2rgen_ros.parse.ground import Ground, survey
from r2rgen_ros.parse.image_scene import ImageParser, environment_cloud
from r2rgen_ros.parse.prompts import select
from r2rgen_ros.parse.sources import masks_for, mesh_folders
from r2rgen_ros.parse.tracking import held_by

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from r2rgen_ros.model.annotation import Annotation
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.parse.prompts import Candidates

__all__ = ['Ground', 'build_scene', 'parse_scene', 'survey', 'survey_for']


def parse_scene(
    demo: Demo,
    annotation: Annotation,
    folder: Path,
    progress: Callable[[int], None] | None = None,
) -> Scene:
    """Turn a demonstration and what a person said of it into a Scene.

    Args:
        demo: The demonstration.
        annotation: Objects, skills and perhaps the support plane.
        folder: Folder that mask paths are relative to.
        progress: Called with the number of frames done.

    Returns:
        The scene.

    Raises:
        R2RGenError: The annotation does not fit the demonstration, or a prompt selects nothing.

    """
    _check_fit(demo, annotation)
    return build_scene(survey_for(demo, annotation, folder), annotation, folder, progress)


def survey_for(demo: Demo, annotation: Annotation, folder: Path) -> Ground:
    """Survey a demonstration with the sources that its annotation names.

    Args:
        demo: The demonstration.
        annotation: What names them, and may give the support plane.
        folder: Folder that their paths are relative to.

    """
    capture = annotation.sources.empty_capture
    return survey(
        demo,
        annotation.support,
        mesh_folders(annotation, folder),
        None if capture is None else located(folder, capture),
    )


def build_scene(
    ground: Ground,
    annotation: Annotation,
    folder: Path,
    progress: Callable[[int], None] | None = None,
) -> Scene:
    """Do what `parse_scene` does, from a survey made before."""
    demo = ground.demo
    _check_fit(demo, annotation)
    held = [held_by(demo, note) for note in annotation.objects]
    found: dict[int, Candidates] = {}
    chosen = []
    source = annotation.sources.masks
    masks = {} if source is None else masks_for(demo, annotation.objects, source)
    for note in annotation.objects:
        frame = note.prompt.frame
        if frame not in found:
            found[frame] = ground.candidates(frame)
        chosen.append(
            select(demo, note, found[frame], folder, annotation.objects, masks.get(note.name))
        )
    meshes = tuple(str(path) for path in mesh_folders(annotation, folder))
    if ground.background is None:
        objects, labels, environment = parse_clouds(
            ground, annotation.objects, found, chosen, held, progress
        )
        return Scene(
            demo, annotation, ground.support, tuple(objects), environment, tuple(labels),
            warnings=(*ground.warnings, *_unused_meshes(annotation)), mesh_folders=meshes,
        )  # fmt: skip
    snapshots = [found[note.prompt.frame].snapshot for note in annotation.objects]
    parser = ImageParser(ground, annotation, folder, snapshots, chosen, held, progress)
    objects, labels, behind, warnings = parser.parse()
    return Scene(
        demo,
        annotation,
        ground.support,
        tuple(objects),
        environment_cloud(ground, behind),
        tuple(labels),
        behind.colour if isinstance(behind, Background) else None,
        (*ground.warnings, *warnings),
        meshes,
        None if ground.view is None else ground.view.correction,
        0.0 if ground.view is None else ground.view.delay_s,
    )


def _unused_meshes(annotation: Annotation) -> list[str]:
    """Say which meshes are of no use to a demonstration of clouds."""
    return [
        f'the mesh {note.mesh} of "{note.name}" is not used: the demonstration holds clouds, and '
        'objects of clouds stay as they were seen; to fix: record depth images'
        for note in annotation.objects
        if note.mesh is not None
    ]


def _check_fit(demo: Demo, annotation: Annotation) -> None:
    if annotation.frames is not None and annotation.frames != len(demo):
        raise R2RGenError(
            f'the annotation is for {annotation.frames} frames, "{demo.name}" has {len(demo)}',
            'the annotation of this demonstration',
            'annotate it again',
        )
    names = [arm.name for arm in demo.arms]
    for skill in annotation.skills:
        if skill.arm not in names:
            raise R2RGenError(f'skill "{skill.name}" names arm "{skill.arm}"', f'one of {names}')
        if skill.last >= len(demo):
            raise R2RGenError(
                f'skill "{skill.name}" ends at frame {skill.last}', f'less than {len(demo)} frames'
            )
    for note in annotation.objects:
        if note.prompt.frame >= len(demo):
            raise R2RGenError(
                f'the prompt of "{note.name}" is in frame {note.prompt.frame}',
                f'less than {len(demo)} frames',
            )
        held_by(demo, note)
