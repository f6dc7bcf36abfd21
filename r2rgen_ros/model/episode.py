# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What changes (Variation), what comes of it (Episode), or why nothing does (Rejection)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import check_array, require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class PlanarMove:
    """A move in the support plane.

    Attributes:
        x: Metres along the plane's x axis (the base frame's x laid onto the plane).
        y: Metres along the plane's y axis.
        yaw: Radians about the support normal, about the centre that the owner states.

    """

    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0

    def __post_init__(self) -> None:
        """Check that the numbers are finite."""
        require(bool(np.isfinite([self.x, self.y, self.yaw]).all()), f'{self} is not finite')

    @property
    def is_identity(self) -> bool:
        """Whether nothing moves."""
        return self.x == 0.0 and self.y == 0.0 and self.yaw == 0.0

    def then(self, other: PlanarMove) -> PlanarMove:
        """Return the move that makes this one and then another, seen from where this one ends."""
        if other.is_identity:
            return self
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return PlanarMove(
            float(self.x + cos * other.x - sin * other.y),
            float(self.y + sin * other.x + cos * other.y),
            self.yaw + other.yaw,
        )


@dataclass(frozen=True)
class Variation:
    """A transform per skill, and one for the base.

    Attributes:
        index: Number of the attempt.
        seed: Seed of the dataset.
        moves: Per skill, the move that was sampled or given; None where the skill inherited.
        transforms: (S, 4, 4) per skill, base frame, to be multiplied from the left: T' = T_i T.
        base: Move of the robot's base, with its camera, in the support plane.
        base2base: (4, 4) that takes the base frame's old coordinates to the new ones.
        docking: The part of `base` that is an error, seen from where the base should stand.

    """

    index: int
    seed: int
    moves: tuple[PlanarMove | None, ...]
    transforms: NDArray[np.float64]
    base: PlanarMove = field(default_factory=PlanarMove)
    base2base: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    docking: PlanarMove = field(default_factory=PlanarMove)

    def __post_init__(self) -> None:
        """Check shapes and rigidity."""
        transforms = check_array('transforms', self.transforms, (len(self.moves), 4, 4))
        require(se3.is_transform(transforms), 'a transform of the variation is not rigid')
        object.__setattr__(self, 'transforms', transforms)
        object.__setattr__(self, 'base2base', check_array('base2base', self.base2base, (4, 4)))


class Reason(str, Enum):
    """Why an attempt gave no episode."""

    INCONSISTENT = 'inconsistent'
    OVERLAP = 'overlap'
    OFF_SUPPORT = 'off_support'
    UNREACHABLE = 'unreachable'
    TOO_FAST = 'too_fast'
    COLLISION = 'collision'
    SELF_COLLISION = 'self_collision'
    OUT_OF_VIEW = 'out_of_view'
    OUT_OF_WORKSPACE = 'out_of_workspace'
    UNSEEN = 'unseen'


@dataclass(frozen=True)
class Rejection:
    """An attempt that gave no episode.

    Attributes:
        index: Number of the attempt.
        reason: Kind of reason, for counting.
        detail: One sentence for a person.
        frame: Source frame at which it fails; -1 where it concerns no single frame.
        amount: By how much, in metres, radians or as a share; 0 where that has no size.
        variation: What was tried; None where the sample itself was inconsistent.
        moves: The raw moves that were tried.

    """

    index: int
    reason: Reason
    detail: str
    frame: int = -1
    amount: float = 0.0
    variation: Variation | None = None
    moves: tuple[PlanarMove | None, ...] = ()


@dataclass(frozen=True)
class Episode:
    """A scene under a variation, before it is sensed.

    Attributes:
        variation: What changed.
        stamps: (M,) int64 nanoseconds, strictly rising.
        source: (M,) float64, the fractional source frame that each frame replays.
        ee2base: Per arm name (M, 4, 4).
        gripper: Per arm name (M,), the source's values.
        object2base: (K, M, 4, 4), objects in the order of the scene.
        skill: (M,) int16, index of the skill that a frame belongs to, -1 for motion.
        joints: (M, J) joint positions in the order of the demonstration; None without a URDF.

    """

    variation: Variation
    stamps: NDArray[np.int64]
    source: NDArray[np.float64]
    ee2base: Mapping[str, NDArray[np.float64]]
    gripper: Mapping[str, NDArray[np.float64]]
    object2base: NDArray[np.float64]
    skill: NDArray[np.int16]
    joints: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Check shapes and that time rises."""
        stamps = check_array('episode stamps', self.stamps, (None,), np.int64)
        require(bool((np.diff(stamps) > 0).all()), 'episode stamps do not rise')
        count = len(stamps)
        object.__setattr__(self, 'stamps', stamps)
        object.__setattr__(self, 'source', check_array('source frames', self.source, (count,)))
        object.__setattr__(self, 'skill', check_array('skill', self.skill, (count,), np.int16))
        objects = check_array('object poses', self.object2base, (None, count, 4, 4))
        object.__setattr__(self, 'object2base', objects)
        for arm, poses in self.ee2base.items():
            check_array(f'path of "{arm}"', poses, (count, 4, 4))
            check_array(f'gripper of "{arm}"', self.gripper[arm], (count,))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.stamps)

    @property
    def source_frames(self) -> NDArray[np.int64]:
        """(M,) whole source frame nearest to each frame (halves go down)."""
        return np.ceil(self.source - 0.5).astype(np.int64)

    def actions(self, arm: str) -> NDArray[np.float64]:
        """Commands (M, 4, 4) that lead from state to state: ee[t] = actions[t] @ ee[t - 1].

        The first action is the identity. States and actions agree by construction: composing the
        actions from the first state gives back every state.
        """
        poses = self.ee2base[arm]
        out = np.empty_like(poses)
        out[0] = np.eye(4)
        out[1:] = poses[1:] @ se3.inverse(poses[:-1])
        return out
