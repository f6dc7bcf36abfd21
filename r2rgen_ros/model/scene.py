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

UNTOUCHED, IN_HAND, RELEASED, PUSHED = range(4)
"""States of an object: not moved yet, in a hand, at rest after it was moved, moving in no hand."""


@dataclass(frozen=True)
class SceneObject:
    """One object: a cloud in its own frame and where that frame was.

    Attributes:
        name: As annotated.
        cloud: Everything seen of it, in its own frame (origin at its centroid on the first frame,
            axes of the base frame).
        object2base: (T, 4, 4) pose per frame.
        held: (T,) int8, index of the arm that holds it, -1 for none.
        residual: (T,) metres, robust standard deviation of its measured points from its surface;
            NaN where it was not measured; None for NaN everywhere.
        state: (T,) uint8, UNTOUCHED, IN_HAND, RELEASED or PUSHED; None to follow from `held`.
        is_trusted: (T,) whether its pose agrees with what was seen; None for all.
        seen_share: Share of its surface that was really seen; NaN where nobody knows.

    """

    name: str
    cloud: Cloud
    object2base: NDArray[np.float64]
    held: NDArray[np.int8]
    residual: NDArray[np.float64] | None = None
    state: NDArray[np.uint8] | None = None
    is_trusted: NDArray[np.bool_] | None = None
    seen_share: float = float('nan')

    def __post_init__(self) -> None:
        """Check shapes."""
        poses = check_array(f'poses of "{self.name}"', self.object2base, (None, 4, 4))
        count = len(poses)
        held = check_array(f'held of "{self.name}"', self.held, (count,), np.int8)
        require(len(self.cloud) > 0, f'object "{self.name}" has no points')
        residual = np.full(count, np.nan) if self.residual is None else self.residual
        state = _state_of(held) if self.state is None else self.state
        trusted = np.ones(count, dtype=bool) if self.is_trusted is None else self.is_trusted
        values = {
            'object2base': poses,
            'held': held,
            'residual': check_array(f'residual of "{self.name}"', residual, (count,)),
            'state': check_array(f'state of "{self.name}"', state, (count,), np.uint8),
            'is_trusted': check_array(f'trust in "{self.name}"', trusted, (count,), np.bool_),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)


def _state_of(held: NDArray[np.int8]) -> NDArray[np.uint8]:
    """States (T,) of an object that only hands move."""
    after = np.maximum.accumulate(held >= 0)
    return np.where(held >= 0, IN_HAND, np.where(after, RELEASED, UNTOUCHED)).astype(np.uint8)


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
        warnings: What a person should look at: frames that cannot be trusted and why, what moves
            and is neither robot nor object, a camera pose that does not fit.
        mesh_folders: Folders that hold the packages of the robot's meshes, or are these.
        measured2robot: (4, 4) moves measured points of the base frame onto the robot's surface, as
            its calibration was found; None where that is not known.
        image_delay_s: How much later than the joints the images are stamped, seconds.

    """

    demo: Demo
    annotation: Annotation
    support: SupportPlane
    objects: tuple[SceneObject, ...]
    environment: Cloud
    labels: tuple[NDArray[np.uint8], ...]
    backdrop: NDArray[np.uint8] | None = None
    warnings: tuple[str, ...] = ()
    mesh_folders: tuple[str, ...] = ()
    measured2robot: NDArray[np.float64] | None = None
    image_delay_s: float = 0.0

    def __post_init__(self) -> None:
        """Check counts."""
        count = len(self.demo)
        require(len(self.labels) == count, f'{len(self.labels)} label frames', f'{count}')
        names = tuple(note.name for note in self.annotation.objects)
        have = tuple(item.name for item in self.objects)
        require(names == have, f'parsed objects are {have}', f'the annotated {names}')
