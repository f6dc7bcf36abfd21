# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Straight lines of the joints between skills, where the recorded motion cannot be kept.

Each skill is reached by itself, so the arm may take it in another configuration than the hand's
path from the skill before would lead it to; in between every joint runs from where it is to where
it has to be (a point-to-point motion), as a cubic that keeps the speeds at both ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from r2rgen_ros.generate.course import Course, Refusal
from r2rgen_ros.generate.motion import episode_stamps, largest_step
from r2rgen_ros.model.episode import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.course import ArmModel
    from r2rgen_ros.generate.motion import Limits, MovedPath

    Floats = NDArray[np.float64]

_LONGER = 1.15
_MOST = 20.0
_SLACK = 1e-6
_TILT_RAD = float(np.deg2rad(10.0))


@dataclass(frozen=True)
class _Stay:
    """A span of source frames: a skill, or where the arm starts or ends, or what lies between."""

    times: Floats
    ee2base: Floats
    joints: Floats


@dataclass(frozen=True)
class JointLinePlanner:
    """Runs all joints straight from skill to skill.

    Attributes:
        arm: The one arm.
        limits: Largest step of its hand.
        loaded: (T,) whether the hand holds anything in a source frame: then it is not tilted more
            than the recorded motion tilts it.
        normal: (3,) support normal.

    """

    arm: ArmModel
    limits: Limits
    loaded: NDArray[np.bool_]
    normal: Floats

    def plan(self, paths: Sequence[MovedPath], *, forced: bool = False) -> Course | Refusal:
        """Return what the arm does; see `MotionPlanner`."""
        (path,) = paths
        stays = []
        for knot in path.knots:
            times = np.arange(knot.first, knot.last + 1.0)
            found = self.arm.follow(times, path.at(times), forced=forced)
            if found.first_failed >= 0 and not forced:
                at = found.first_failed
                miss = float(found.position_error_m[at])
                return Refusal(Reason.UNREACHABLE, self.arm.why(found), times[at], miss)
            stays.append(_Stay(times, path.at(times), found.positions))
        parts = stays[:1]
        for before, after in pairwise(stays):
            if after.times[0] - before.times[-1] > 1.0:
                led = self._led(before, after)
                if isinstance(led, Refusal):
                    return led
                parts.append(led)
            parts.append(after)
        course = Course(
            np.concatenate([part.times for part in parts]),
            (np.concatenate([part.ee2base for part in parts]),),
            np.concatenate([part.joints for part in parts]),
        )
        return self._checked(course, forced)

    def _led(self, before: _Stay, after: _Stay) -> _Stay | Refusal:
        """Frames strictly between two stays: times, poses of the hand, and joints."""
        first, last = float(before.times[-1]), float(after.times[0])
        least = round(last - first)
        frames = least
        while frames <= _MOST * least:
            share = np.arange(1, frames) / frames
            times = first + share * (last - first)
            joints = self._cubic(before, after, times, frames)
            poses = self.arm.hand(times, joints)
            ends = [before.ee2base[-1:], poses, after.ee2base[:1]]
            step = largest_step(np.concatenate(ends))
            short = step.translation <= self.limits.translation
            if (
                short
                and step.rotation <= self.limits.rotation
                and self._keeps(before, joints, after)
            ):
                if self._tilts(times, poses):
                    detail = 'the straight way of the joints would tilt what is held'
                    return Refusal(Reason.UNREACHABLE, detail, first, _TILT_RAD)
                return _Stay(times, poses, joints)
            frames = int(np.ceil(_LONGER * frames))
        detail = 'the joints are too fast however slow the motion is'
        return Refusal(Reason.TOO_FAST, detail, first, _MOST)

    def _cubic(self, before: _Stay, after: _Stay, times: Floats, frames: int) -> Floats:
        """Joints (F, J) at times between two stays, so many frames of the source's period apart."""
        ends = np.stack([before.joints[-1], after.joints[0]])
        speeds = np.stack([_last_step(before.joints), _last_step(after.joints[::-1]) * -1.0])
        curve = CubicHermiteSpline([0.0, float(frames)], ends, speeds)
        out = self.arm.recorded(times)
        columns = self.arm.check.columns
        out[:, columns] = curve(np.arange(1, frames))[:, columns]
        return out

    def _keeps(self, before: _Stay, joints: Floats, after: _Stay) -> bool:
        """Whether the joints keep their limits within a motion and where it begins and ends."""
        every = np.concatenate([before.joints[-2:], joints, after.joints[:2]])
        period = int(self.arm.demo.period_ns)
        speed, acceleration = self.arm.check.shares(every, period * np.arange(len(every)))
        return bool(max(speed.max(initial=0.0), acceleration.max(initial=0.0)) <= 1.0 + _SLACK)

    def _tilts(self, times: Floats, poses: Floats) -> bool:
        """Whether the hand, if it holds anything, tilts more than in the source's motion."""
        frames = np.arange(int(times[0]), int(np.ceil(times[-1])) + 1)
        if not self.loaded[frames].any():
            return False
        own = self.arm.demo.arms[0].ee2base[frames, :3, :3]
        tilt, recorded = (
            np.arccos(np.clip(self.normal @ turns[:, :, 2].T, -1.0, 1.0))
            for turns in (poses[:, :3, :3], own)
        )
        return bool(
            tilt.max() > recorded.max() + _TILT_RAD or tilt.min() < recorded.min() - _TILT_RAD
        )

    def _checked(self, course: Course, forced: bool) -> Course | Refusal:
        """Refuse a course that a skill makes too fast."""
        assert course.joints is not None
        stamps = episode_stamps(self.arm.demo.stamps, course.times)
        shares = self.arm.check.shares(course.joints, stamps)
        worst = max(float(share.max(initial=0.0)) for share in shares)
        if worst <= 1.0 + _SLACK or forced:
            return course
        frame = int(max(shares, key=lambda share: share.max(initial=0.0)).max(axis=1).argmax())
        detail = f'a joint would need {100 * worst:.0f} % of its limit'
        return Refusal(Reason.TOO_FAST, detail, course.times[frame], worst - 1.0)


def _last_step(joints: Floats) -> Floats:
    """Change (J,) in the last interval of joints (N, J); at rest where there is none."""
    return np.asarray(joints[-1] - joints[-2] if len(joints) > 1 else np.zeros(joints.shape[1]))
