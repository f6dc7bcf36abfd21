# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a demonstration keeps its annotation, and how a dataset finds its source again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from r2rgen_ros.bags.load import demo_of
from r2rgen_ros.bags.source import bag_path, read_source
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.generate.config import GenerateConfig
from r2rgen_ros.generate.config_file import parse_config
from r2rgen_ros.generate.dataset import INFO_NAME, Dataset, fingerprint, is_dataset
from r2rgen_ros.model.annotation_file import FILE_NAME, parse_annotation, read_annotation
from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.model.yaml_file import YamlSection
from r2rgen_ros.parse.cache import cached_scene
from r2rgen_ros.parse.sources import mesh_folders as named_folders
from r2rgen_ros.parse.sources import with_urdf
from r2rgen_ros.robots.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.model.annotation import Annotation
    from r2rgen_ros.model.scene import Scene


def annotation_path(demo: Path) -> Path:
    """Where the annotation of a demonstration lies: in its folder, or beside its file.

    Of a folder that holds one bag it may lie in the folder or in the bag; the folder's goes before.

    Raises:
        R2RGenError: The folder holds several bags, and no annotation.

    """
    if not demo.is_dir():
        return demo.with_name(f'{demo.stem}.{FILE_NAME}')
    path = demo / FILE_NAME
    if path.exists() or (bag := bag_path(demo)) == demo:
        return path
    own = annotation_path(bag)
    return own if own.exists() else path


def find_annotation(demo: Path, given: Path | None = None) -> tuple[Annotation, Path]:
    """Read the annotation of a demonstration.

    Args:
        demo: The demonstration.
        given: Another file to read.

    Returns:
        The annotation and the folder that its mask paths are relative to.

    Raises:
        R2RGenError: There is none, or it is wrong.

    """
    if not demo.exists():
        raise R2RGenError(f'there is no {demo}', 'a bag or the folder of one')
    if given is not None and not given.is_file():
        raise R2RGenError(f'there is no annotation {given}', 'a YAML file')
    path = given or annotation_path(demo)
    require(
        path.exists() or not is_dataset(demo),
        f'{demo} is a dataset', 'a demonstration',
        'name the recording that it was made of, or one of its episodes',
    )  # fmt: skip
    if not path.exists():
        raise R2RGenError(
            f'{demo} has no annotation ({path} is missing)',
            '',
            f'run: r2rgen annotate {demo} --auto',
        )
    return read_annotation(path), path.parent


def streams_data(wanted: StreamSelection) -> dict[str, Any]:
    """Return what a person chose of the streams as plain data."""
    chosen: dict[str, Any] = {}
    for key, value in asdict(wanted).items():
        if value:
            chosen[key] = (
                [list(v) if isinstance(v, tuple) else v for v in value]
                if isinstance(value, tuple)
                else value
            )
    return chosen


def described(source: Source, profile: str, mesh_folders: Sequence[Path | str] = ()) -> Source:
    """Return a recording with the robot description that the robot's profile names.

    Args:
        source: The recording.
        profile: Name or path of the profile, as in the configuration; empty for none.
        mesh_folders: Folders of packages, see `MeshFinder`.

    Returns:
        The recording as it is where the profile names no URDF.

    Raises:
        R2RGenError: The profile is wrong, or its URDF is not found.

    """
    if not profile:
        return source
    robot = load_profile(profile)
    if robot.urdf is None:
        return source
    return source.with_description(robot.description(source.robot_description, mesh_folders))


def reopen(
    dataset: Dataset, progress: Callable[[int], None] | None = None
) -> tuple[Scene, GenerateConfig]:
    """Parse the source of a dataset again, with the annotation that the dataset was made with.

    Args:
        dataset: An open dataset.
        progress: Called with the number of frames parsed.

    Raises:
        R2RGenError: The source has gone or changed.

    """
    file = str(dataset.folder / INFO_NAME)
    root = YamlSection.parse(yaml.safe_dump(dataset.info), file)
    source = dataset.info.get('source', {})
    bag = Path(str(source.get('bag', '')))
    if not bag.exists():
        raise R2RGenError(
            f'the source of {dataset.folder} has gone: there is no {bag}', '', 'move it back'
        )
    if fingerprint(bag) != source.get('fingerprint'):
        raise R2RGenError(
            f'the source of {dataset.folder} has changed: {bag}', 'the recording it was made from'
        )
    streams = dict(source.get('streams', {}))
    for key in ('gripper', 'end_effectors'):
        if key in streams:
            streams[key] = tuple(tuple(v) if isinstance(v, list) else v for v in streams[key])
    annotation = parse_annotation(root['annotation'])
    folder = Path(str(source.get('annotation_folder', bag.parent)))
    wanted = StreamSelection(**streams)
    config = parse_config(root['config'])
    meshes = named_folders(annotation, folder)
    recorded = with_urdf(read_source(bag, wanted), annotation.sources, folder)
    demo = demo_of(described(recorded, config.robot, meshes))
    return cached_scene(demo, annotation, folder, wanted, progress), config
