# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is to be generated: the parsed source and all that was asked for."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from r2rgen_ros import __version__
from r2rgen_ros.bags.load import demo_of
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import plain
from r2rgen_ros.generate.dataset import fingerprint
from r2rgen_ros.generate.noise import noise_data, wanted_noise
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.session import described, streams_data
from r2rgen_ros.generate.written import written_source
from r2rgen_ros.model.annotation_file import annotation_data
from r2rgen_ros.model.errors import check_range
from r2rgen_ros.parse.cache import cached_scene
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.parse.sources import mesh_folders as named_folders
from r2rgen_ros.parse.sources import with_urdf
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.robots.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.model.annotation import Annotation
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.sense.noise import DepthNoise


_OTHERS = ('numba', 'rosbags', 'lz4', 'backports.zstd', 'pillow', 'pin', 'ompl')
"""Of compiled code, bags, their compression, images, kinematics and planners."""


def versions() -> dict[str, str]:
    """Versions of what decides the bytes of an episode; '' for what is not installed by name."""
    own = {
        'r2rgen_ros': __version__,
        'numpy': np.__version__,
        'scipy': scipy.__version__,
    }
    return own | {name: _installed(name) for name in _OTHERS}


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ''


@dataclass(frozen=True, eq=False)
class Job:
    """All that is needed to make any attempt.

    Attributes:
        source: The recording.
        scene: The same, parsed.
        config: What is asked for.
        seed: Seed of the dataset.
        info: All that decides the bytes of a dataset as plain data, for dataset.yaml.
        noise: Noise of the cameras; None for none.

    """

    source: Source
    scene: Scene
    config: GenerateConfig
    seed: int
    info: dict[str, Any]
    noise: DepthNoise | None = None

    @classmethod
    def prepare(
        cls,
        bag: Path,
        annotation: Annotation,
        folder: Path,
        config: GenerateConfig,
        seed: int,
        wanted: StreamSelection | None = None,
        progress: Callable[[int], None] | None = None,
        *,
        cache: bool = True,
    ) -> Job:
        """Read and parse the source.

        Args:
            bag: The recording.
            annotation: What a person said of it.
            folder: Folder that mask paths in the annotation are relative to.
            config: What is asked for.
            seed: Seed of the dataset, 0 or more.
            wanted: Topics and frames that a person chose.
            progress: Called with the number of frames parsed.
            cache: Whether a scene that was parsed before is used, and this one kept.

        Raises:
            R2RGenError: Something does not fit.

        """
        check_range('the seed', seed, 0, 2**63 - 1)
        meshes = named_folders(annotation, folder)
        read = read_source(bag, wanted)
        source = described(with_urdf(read, annotation.sources, folder), config.robot, meshes)
        written_source(source, config)  # what cannot be written is said before anything is parsed
        demo = demo_of(source)
        scene = cached_scene(demo, annotation, folder, wanted, progress, keep=cache)
        info = {
            'source': {
                'bag': str(source.path.resolve()),
                'fingerprint': fingerprint(source.path),
                'annotation_folder': str(folder.resolve()),
                'streams': streams_data(wanted or StreamSelection()),
            },
            'seed': seed,
            'config': config.to_data(),
            'annotation': annotation_data(annotation),
            'versions': versions(),
        }
        if config.robot:
            # Its contents, so that a dataset is not resumed with other limits.
            profile = load_profile(config.robot)
            info['robot'] = plain(asdict(profile))
        if source.robot_description != read.robot_description:
            # A file's contents, which may change while its name stays.
            text = str(source.robot_description)
            info['robot_description'] = hashlib.sha256(text.encode()).hexdigest()
        if config.camera.render_for:
            info['render_for'] = plain(asdict(load_camera(config.camera.render_for)))
        noise = wanted_noise(scene, config, robot_of(demo))
        if noise is not None:
            info['noise'] = noise_data(noise)
        return cls(source, scene, config, seed, info, noise)

    @cached_property
    def assembler(self) -> Assembler:
        """What makes episodes of variations; see `Assembler.create` for errors."""
        return Assembler.create(self.scene, self.config)

    def __getstate__(self) -> dict[str, Any]:
        """All but what is made of it again."""
        return {name: value for name, value in self.__dict__.items() if name != 'assembler'}

    def repeats(self, attempts: int) -> str:
        """A note for a person where some of the first attempts are alike; else empty.

        Raises:
            R2RGenError: The configuration does not fit the annotation.

        """
        return Sampler.create(self.scene, self.config, self.seed).repeats(attempts)
