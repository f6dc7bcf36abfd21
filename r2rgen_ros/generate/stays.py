# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each skill reached by itself, for planners that lead the joints from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from r2rgen_ros.generate.course import Course, Refusal
from r2rgen_ros.generate.motion import episode_stamps, largest_step
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from r2rgen_ros.generate.course import ArmModel
    from r2rgen_ros.generate.motion import Limits, MovedPath

    Floats = NDArray[np.float64]

MOST = 20.0
"""How many times longer than in the source a motion may take."""

_SLACK = 1e-6
_INSIDE, _TINY = 0.9, 1e-9
_TILT_RAD = float(np.deg2rad(10.0))


@dataclass(frozen=True)
class Stay:
    """A span of source frames: a skill, or where the arm starts or ends, or what lies between.

    Attributes:
        times: (F,) source frames.
        ee2base: (F, 4, 4) poses of the hand.
        joints: (F, J) positions of the demonstration's joints.

    """

    times: Floats
    ee2base: Floats
    joints: Floats

    @property
    def reversed(self) -> Stay:
        """The same backwards in time."""
        return Stay(self.times[::-1], self.ee2base[::-1], self.joints[::-1])


def through(
    arm: ArmModel,
    path: MovedPath,
    lead: Callable[[int, Stay, Stay], Stay | Refusal],
    *,
    forced: bool,
) -> Course | Refusal:
    """Return what the arm does when every skill is reached by itself.

    Args:
        arm: The one arm.
        path: Its moved path.
        lead: Gives the frames strictly between two stays; it is told how many stays came before.
        forced: Whether the arm shall try what it cannot do.

    """
    stays = []
    for knot in path.knots:
        times = np.arange(knot.first, knot.last + 1.0)
        found = arm.follow(times, path.at(times), forced=forced)
        if found.first_failed >= 0 and not forced:
            return arm.refusal(found, times)
        stays.append(Stay(times, path.at(times), found.positions))
    parts = stays[:1]
    for number, (before, after) in enumerate(pairwise(stays)):
        if after.times[0] - before.times[-1] > 1.0:
            led = lead(number, before, after)
            if isinstance(led, Refusal):
                return led
            parts.append(led)
        parts.append(after)
    course = Course(
        np.concatenate([part.times for part in parts]),
        (np.concatenate([part.ee2base for part in parts]),),
        np.concatenate([part.joints for part in parts]),
    )
    return _checked(arm, course, forced)


def _checked(arm: ArmModel, course: Course, forced: bool) -> Course | Refusal:
    """Refuse a course that a skill makes too fast."""
    assert course.joints is not None
    stamps = episode_stamps(arm.demo.stamps, course.times)
    shares = arm.check.shares(course.joints, stamps)
    worst = max(float(share.max(initial=0.0)) for share in shares)
    if worst <= 1.0 + _SLACK or forced:
        return course
    place = int(shares[1].max(initial=0.0) > shares[0].max(initial=0.0))
    excess = arm.check.excess(('speed', 'acceleration')[place], shares[place])
    return Refusal(Reason.TOO_FAST, str(excess), course.times[excess.frame], worst - 1.0)


def keeps(arm: ArmModel, limits: Limits, before: Stay, led: Stay, after: Stay) -> bool:
    """Whether a motion keeps all limits, where it begins and ends too."""
    poses = np.concatenate([before.ee2base[-1:], led.ee2base, after.ee2base[:1]])
    step = largest_step(poses)
    if step.translation > limits.translation or step.rotation > limits.rotation:
        return False
    every = np.concatenate([before.joints[-2:], led.joints, after.joints[:2]])
    speed, acceleration = arm.check.shares(every, int(arm.demo.period_ns) * np.arange(len(every)))
    return bool(max(speed.max(initial=0.0), acceleration.max(initial=0.0)) <= 1.0 + _SLACK)


@dataclass(frozen=True)
class Upright:
    """How much the hand may tilt.

    Attributes:
        arm: The arm.
        loaded: (T,) whether the hand holds anything in a source frame: then it is not tilted more
            than the recorded motion tilts it.
        normal: (3,) support normal.

    """

    arm: ArmModel
    loaded: NDArray[np.bool_]
    normal: Floats

    def band(self, times: Floats) -> tuple[float, float]:
        """Least and largest tilt, radians, about source frames (M,)."""
        frames = np.arange(int(times[0]), int(np.ceil(times[-1])) + 1)
        if not self.loaded[frames].any():
            return -np.inf, np.inf
        recorded = self.tilts(self.arm.demo.arms[self.arm.place].ee2base[frames])
        return float(recorded.min()) - _TILT_RAD, float(recorded.max()) + _TILT_RAD

    def tilts(self, poses: Floats) -> Floats:
        """Angles (M,) between the support normal and the third axis of poses (M, 4, 4)."""
        return np.asarray(np.arccos(np.clip(self.normal @ poses[:, :3, 2].T, -1.0, 1.0)))

    def righted(self, times: Floats, poses: Floats) -> Floats:
        """Turn poses (M, 4, 4) upright about where they are, until they tilt as they may.

        All are turned by one share of what they tilt more than the way from the first to the last
        does, so that they stay as smooth as they are.
        """
        low, high = self.band(times)
        tilts = self.tilts(poses)
        even = np.linspace(tilts[0], tilts[-1], len(tilts))
        room = np.where(tilts > even, high - even, even - low)
        share = float(np.clip(_INSIDE * room / np.maximum(np.abs(tilts - even), _TINY), 0, 1).min())
        axes = np.cross(self.normal, poses[:, :3, 2])
        axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), _TINY)
        turns = Rotation.from_rotvec(axes * ((1.0 - share) * (even - tilts))[:, None]).as_matrix()
        return se3.compose(turns @ poses[:, :3, :3], poses[:, :3, 3])

    def keeps(self, times: Floats, poses: Floats) -> bool:
        """Whether poses (M, 4, 4) at source frames (M,) tilt no more than they may."""
        low, high = self.band(times)
        tilts = self.tilts(poses)
        return bool((tilts >= low).all() and (tilts <= high).all())

    def refusal(self, times: Floats, poses: Floats) -> Refusal:
        """Say that a straight way through poses (M, 4, 4) at source frames (M,) tilts too much."""
        low, high = self.band(times)
        tilts = self.tilts(poses)
        more = np.maximum(low - tilts, tilts - high)
        at = int(more.argmax())
        detail = (
            'the straight way of the joints would tilt what is held '
            f'{np.rad2deg(more[at]):.0f} degrees too much'
        )
        return Refusal(Reason.UNREACHABLE, detail, float(times[at]), float(more[at]))


def last_step(joints: Floats) -> Floats:
    """Change (J,) in the last interval of joints (N, J); at rest where there is none."""
    return np.asarray(joints[-1] - joints[-2] if len(joints) > 1 else np.zeros(joints.shape[1]))
