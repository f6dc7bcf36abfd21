# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recorded motion between skills, with the change of place blended in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.course import Course, Refusal, skills_at
from r2rgen_ros.generate.joint_limits import Excess
from r2rgen_ros.generate.motion import episode_stamps, source_times
from r2rgen_ros.model.episode import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.course import ArmModel, Surroundings
    from r2rgen_ros.generate.motion import Limits, MovedPath
    from r2rgen_ros.model.demo import Demo

    Floats = NDArray[np.float64]

ROUNDS = 6
"""How often a time base is worked out anew, at most, until the joints keep their limits."""


@dataclass(frozen=True)
class BlendPlanner:
    """Keeps the source's motion; slow enough for the hand's limits and those of the joints.

    Attributes:
        demo: The demonstration.
        limits: Largest step of every arm.
        spans: Of every arm, first and last frame of what it keeps the time of.
        arms: Kinematics of every arm; none where there are none.

    """

    demo: Demo
    limits: tuple[Limits, ...]
    spans: tuple[tuple[tuple[int, int], ...], ...]
    arms: tuple[ArmModel, ...]

    def plan(
        self, paths: Sequence[MovedPath], _: Surroundings, *, forced: bool = False
    ) -> Course | Refusal:
        """Return what the arms do; see `MotionPlanner`."""
        found = self._timed(paths, forced)
        for arms in () if isinstance(found, Course) else _unwindings(paths):
            other = self._timed(
                [replace(path, unwound=k in arms) for k, path in enumerate(paths)], forced
            )
            if isinstance(other, Course):
                return other
        return found

    def _timed(self, paths: Sequence[MovedPath], forced: bool) -> Course | Refusal:
        """Slow the motions down until the joints keep their limits."""
        count = len(self.demo)
        slower: Floats | None = None
        for _ in range(ROUNDS):
            times = source_times(paths, self.limits, count, slower)
            moved = tuple(path.at(times) for path in paths)
            if not self.arms:
                return Course(times, moved, None)
            joints = solved(self.arms, times, moved, forced=forced)
            if isinstance(joints, Refusal):
                return joints
            more = slower_for(self.demo, self.arms, self.spans, joints, times)
            if more is None or forced:
                return Course(times, moved, joints)
            if isinstance(more, Refusal):
                return more
            slower = more if slower is None else np.maximum(slower, more)
        assert slower is not None
        detail = 'the joints are too fast however slow the motion is'
        return Refusal(Reason.TOO_FAST, detail, float(slower.argmax()), float(slower.max()))


def _unwindings(paths: Sequence[MovedPath]) -> list[set[int]]:
    """Which arms may turn the other way: those that wind, all at once and each by itself."""
    winding = [k for k, path in enumerate(paths) if path.winds]
    if len(winding) < 2:
        return [{k} for k in winding]
    # Hands that carry something together turn alike.
    bound = any(knot.pivot is not None for path in paths for knot in path.knots)
    return [set(winding), *([] if bound else [{k} for k in winding])]


def slower_for(
    demo: Demo,
    arms: Sequence[ArmModel],
    spans: Sequence[Sequence[tuple[int, int]]],
    joints: Floats,
    times: Floats,
) -> Floats | Refusal | None:
    """How much longer the intervals of the source must take for all arms to keep their limits.

    Args:
        demo: The demonstration.
        arms: The arms.
        spans: Of every arm, first and last frame of what it keeps the time of.
        joints: (M, N) of an episode.
        times: (M,) source frame that each frame replays.

    Returns:
        As `JointCheck.slower`, for all arms; what a skill makes too fast as a refusal.

    """
    stamps, out = episode_stamps(demo.stamps, times), None
    for arm in arms:
        skill = skills_at(times, spans[arm.place])
        more = arm.check.slower(joints, stamps, times, skill, len(demo))
        if isinstance(more, Excess):
            share, frame = more.share - 1.0, times[more.frame]
            return Refusal(Reason.TOO_FAST, str(more), frame, share, arm.place)
        if more is not None:
            out = more if out is None else np.maximum(out, more)
    return out


def solved(
    arms: Sequence[ArmModel], times: Floats, moved: Sequence[Floats], *, forced: bool
) -> Floats | Refusal:
    """Joints (M, J) that bring all hands along their paths (M, 4, 4), or why there are none."""
    joints = arms[0].recorded(times)
    for arm in arms:
        path = arm.follow(times, moved[arm.place], forced=forced)
        if path.first_failed >= 0 and not forced:
            return arm.refusal(path, times)
        joints[:, arm.check.columns] = path.positions[:, arm.check.columns]
    return joints
