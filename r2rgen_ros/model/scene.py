# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A demonstration parsed: objects with poses, environment, robot, and which point is whose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.errors import check_array, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.cloud import Cloud
    from r2rgen_ros.model.annotation import Annotation, SupportPlane
    from r2rgen_ros.model.demo import Demo

ENVIRONMENT = 0
ROBOT = 1
FIRST_OBJECT = 2
UNSEEN = 255
"""Labels of points and pixels: object k has the label FIRST_OBJECT + k."""


@dataclass(frozen=True)
class SceneObject:
    """One object: a cloud in its own frame and where that frame was.

    Attributes:
        name: As annotated.
        cloud: Everything seen of it, in its own frame (origin at its centroid on the first frame,
            axes of the base frame).
        object2base: (T, 4, 4) pose per frame.
        held: (T,) int8, index of the arm that holds it, -1 for none.

    """

    name: str
    cloud: Cloud
    object2base: NDArray[np.float64]
    held: NDArray[np.int8]

    def __post_init__(self) -> None:
        """Check shapes."""
        poses = check_array(f'poses of "{self.name}"', self.object2base, (None, 4, 4))
        held = check_array(f'held of "{self.name}"', self.held, (len(poses),), np.int8)
        require(len(self.cloud) > 0, f'object "{self.name}" has no points')
        object.__setattr__(self, 'object2base', poses)
        object.__setattr__(self, 'held', held)


@dataclass(frozen=True)
class Scene:
    """A parsed demonstration.

    Attributes:
        demo: The demonstration.
        annotation: What a person said of it.
        support: The support plane.
        objects: In the order of the annotation.
        environment: What is neither object nor robot, base frame.
        labels: Per frame, uint8 of the shape of the depth image (H, W), or (N,) for a cloud.
        backdrop: (H, W, 3) uint8, colour of the environment as the camera saw it, also where it has
            no depth; None for clouds.

    """

    demo: Demo
    annotation: Annotation
    support: SupportPlane
    objects: tuple[SceneObject, ...]
    environment: Cloud
    labels: tuple[NDArray[np.uint8], ...]
    backdrop: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        """Check counts."""
        count = len(self.demo)
        require(len(self.labels) == count, f'{len(self.labels)} label frames', f'{count}')
        names = tuple(note.name for note in self.annotation.objects)
        have = tuple(item.name for item in self.objects)
        require(names == have, f'parsed objects are {have}', f'the annotated {names}')
