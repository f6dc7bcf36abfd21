# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Straight lines of the joints between skills, where the recorded motion cannot be kept.

Each skill is reached by itself, so the arm may take it in another configuration than the hand's
path from the skill before would lead it to; in between every joint runs from where it is to where
it has to be (a point-to-point motion), as a cubic that keeps the speeds at both ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from r2rgen_ros.generate.course import Course, Refusal
from r2rgen_ros.generate.stays import MOST, Stay, keeps, last_step, through
from r2rgen_ros.model.episode import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.course import ArmModel, Surroundings
    from r2rgen_ros.generate.motion import Limits, MovedPath
    from r2rgen_ros.generate.stays import Upright

    Floats = NDArray[np.float64]

_LONGER = 1.15


@dataclass(frozen=True)
class JointLinePlanner:
    """Runs all joints straight from skill to skill.

    Attributes:
        arm: The arm; `plan` is for an only one.
        limits: Largest step of its hand.
        upright: How much it may tilt.
        rights: Whether it is held upright on lines that would tilt it more.

    """

    arm: ArmModel
    limits: Limits
    upright: Upright
    rights: bool = False

    def plan(
        self, paths: Sequence[MovedPath], around: Surroundings, *, forced: bool = False
    ) -> Course | Refusal:
        """Return what the arm does; see `MotionPlanner`."""
        (path,) = paths
        return through(self.arm, path, partial(self.lead, path, around), forced=forced)

    def lead(
        self, _: MovedPath, __: Surroundings, ___: int, before: Stay, after: Stay
    ) -> Stay | Refusal:
        """Frames strictly between two stays; see `led.Leader`."""
        first, last = float(before.times[-1]), float(after.times[0])
        least = round(last - first)
        frames = least
        while frames <= MOST * least:
            share = np.arange(1, frames) / frames
            times = first + share * (last - first)
            joints = self._cubic(before, after, times, frames)
            led = Stay(times, self.arm.hand(times, joints), joints)
            if not self.upright.keeps(times, led.ee2base):
                righted = self._righted(led) if self.rights else None
                if righted is None:
                    return self.upright.refusal(times, led.ee2base)
                led = righted
            if keeps(self.arm, self.limits, before, led, after):
                return led
            frames = int(np.ceil(_LONGER * frames))
        detail = f'the joints are too fast even if the motion takes {MOST:.0f} times as long'
        return Refusal(Reason.TOO_FAST, detail, first, MOST)

    def _righted(self, led: Stay) -> Stay | None:
        """Hold the hand upright on its way, by joints near those of the line; None if it cannot."""
        poses = self.upright.righted(led.times, led.ee2base)
        found = self.arm.follow(led.times, poses, near=led.joints)
        if found.first_failed >= 0:
            return None
        return Stay(led.times, poses, found.positions)

    def _cubic(self, before: Stay, after: Stay, times: Floats, frames: int) -> Floats:
        """Joints (F, J) at times between two stays, so many frames of the source's period apart."""
        ends = np.stack([before.joints[-1], after.joints[0]])
        speeds = np.stack([last_step(before.joints), last_step(after.joints[::-1]) * -1.0])
        curve = CubicHermiteSpline([0.0, float(frames)], ends, speeds)
        out = self.arm.recorded(times)
        columns = self.arm.check.columns
        out[:, columns] = curve(np.arange(1, frames))[:, columns]
        return out
