# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The moved path of an end effector as a function of source time, and its time base.

In a skill every pose gets the skill's transform, p' = T_i p. Between two skills the source motion
is kept and an offset is blended in: p' = (1 - s) T_i p + s T_{i+1} p with the smoothstep
s = 3 a^2 - 2 a^3 of the share a of the motion that has passed (arXiv 2510.08547; the authors name
no planner, their notebook blends so). The turn is blended as an angle about the support normal.
Where a step would be longer than allowed, the motion gets more frames instead of a jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import MotionConfig
    from r2rgen_ros.model.annotation import Skill

_SLACK = 1e-9
_ROUNDS = 60


@dataclass(frozen=True)
class Limits:
    """Largest step from frame to frame.

    Attributes:
        translation: Metres.
        rotation: Radians.

    """

    translation: float
    rotation: float


def largest_step(ee2base: NDArray[np.float64]) -> Limits:
    """Return the largest step of a path (T, 4, 4) from frame to frame."""
    moved = np.linalg.norm(np.diff(ee2base[:, :3, 3], axis=0), axis=1)
    turned = se3.angle_between(ee2base[:-1], ee2base[1:])
    return Limits(float(moved.max(initial=0.0)), float(turned.max(initial=0.0)))


def step_limits(ee2base: NDArray[np.float64], period_s: float, config: MotionConfig) -> Limits:
    """Return what a step may be: the limit, or the source's own largest step if that is larger."""
    own = largest_step(ee2base)
    return Limits(
        max(own.translation, config.max_speed_m_s * period_s),
        max(own.rotation, np.deg2rad(config.max_turn_deg_s) * period_s),
    )


@dataclass(frozen=True)
class _Knot:
    """A span of source time over which one transform holds."""

    first: float
    last: float
    transform: NDArray[np.float64]


@dataclass(frozen=True)
class MovedPath:
    """The path of one end effector under a variation, at any source time.

    Attributes:
        source: (T, 4, 4) end effector to base frame, as recorded.
        normal: (3,) support normal, about which the turns are blended.
        knots: Spans with one transform, in order; what lies between is blended.

    """

    source: NDArray[np.float64]
    normal: NDArray[np.float64]
    knots: tuple[_Knot, ...]

    @classmethod
    def create(
        cls,
        source: NDArray[np.float64],
        normal: NDArray[np.float64],
        skills: Sequence[tuple[Skill, NDArray[np.float64]]],
        rest: NDArray[np.float64],
    ) -> MovedPath:
        """Build the path of one arm.

        Args:
            source: (T, 4, 4) recorded path.
            normal: (3,) support normal.
            skills: The arm's skills in order, each with its transform (4, 4).
            rest: (4, 4) transform of the pose that the arm starts from; the identity keeps it.

        """
        last = float(len(source) - 1)
        if not skills:
            return cls(source, normal, (_Knot(0.0, last, rest),))
        knots = [_Knot(skill.first, skill.last, transform) for skill, transform in skills]
        if knots[0].first > 0.0:
            knots.insert(0, _Knot(0.0, 0.0, rest))
        end = knots[-1]
        if end.last < last:
            # A demonstration that goes back to where it began really does go back there; one that
            # merely retreats from the last object retreats from where that object is now.
            home, here = source[0, :3, 3], source[int(end.last), :3, 3]
            stop = source[-1, :3, 3]
            returns = np.linalg.norm(stop - home) < np.linalg.norm(stop - here)
            knots.append(_Knot(last, last, rest if returns else end.transform))
        return cls(source, normal, tuple(knots))

    def motions(self) -> list[tuple[float, float]]:
        """Return the spans of source time between the skills."""
        return [
            (before.last, after.first)
            for before, after in pairwise(self.knots)
            if after.first > before.last
        ]

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the moved poses (M, 4, 4) at fractional source frames (M,)."""
        poses = se3.interpolate(self.source, times)
        out = poses.copy()
        for knot in self.knots:
            inside = (times >= knot.first) & (times <= knot.last)
            out[inside] = knot.transform @ poses[inside]
        for before, after in pairwise(self.knots):
            inside = (times > before.last) & (times < after.first)
            if inside.any():
                share = (times[inside] - before.last) / (after.first - before.last)
                out[inside] = self._blend(poses[inside], share, before, after)
        return out

    def _blend(
        self, poses: NDArray[np.float64], share: NDArray[np.float64], before: _Knot, after: _Knot
    ) -> NDArray[np.float64]:
        smooth = share * share * (3.0 - 2.0 * share)
        if np.array_equal(before.transform, after.transform):
            return np.asarray(before.transform @ poses)
        points = poses[:, None, :3, 3]
        start = se3.apply(before.transform, points)[:, 0]
        end = se3.apply(after.transform, points)[:, 0]
        turn = after.transform[:3, :3] @ before.transform[:3, :3].T
        # In-plane moves turn about the normal only, so that the turn is an angle with a sign.
        axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
        angle = np.arctan2(axis @ self.normal / 2.0, (np.trace(turn) - 1.0) / 2.0)
        turns = se3.rotation_about(self.normal, smooth * angle)
        rotations = turns @ (before.transform[:3, :3] @ poses[:, :3, :3])
        return se3.compose(rotations, start + smooth[:, None] * (end - start))


def source_times(
    paths: Sequence[MovedPath], limits: Sequence[Limits], count: int
) -> NDArray[np.float64]:
    """Choose which fractional source frame each episode frame replays.

    Skills keep their frames. A motion keeps its frames too, unless a step would exceed a limit;
    then the whole motion is slowed evenly.

    Args:
        paths: The moved path of every arm.
        limits: Largest step of every arm.
        count: Number of source frames.

    Returns:
        (M,) rising source frames, M >= count, with every whole frame of the skills among them.

    """
    factors = np.ones(count - 1)
    for path, limit in zip(paths, limits, strict=True):
        for first, last in path.motions():
            span = slice(int(first), int(last))
            factor = _stretch(path, limit, int(first), int(last))
            factors[span] = np.maximum(factors[span], factor)
    return _spread(factors)


def _stretch(path: MovedPath, limit: Limits, first: int, last: int) -> float:
    """How much longer a motion must be for its steps to keep the limit."""
    steps = last - first
    frames = steps
    for _ in range(_ROUNDS):
        poses = path.at(np.linspace(first, last, frames + 1))
        step = largest_step(poses)
        excess = max(
            step.translation / limit.translation if limit.translation > 0.0 else 0.0,
            step.rotation / limit.rotation if limit.rotation > 0.0 else 0.0,
        )
        if excess <= 1.0 + _SLACK:
            break
        frames = max(frames + 1, int(np.ceil(frames * min(excess, 8.0))))
    return frames / steps


def _spread(factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place frames over runs of equal stretch; every run keeps its ends."""
    edges = np.flatnonzero(np.diff(factors)) + 1
    bounds = [0, *edges.tolist(), len(factors)]
    parts = []
    for low, high in pairwise(bounds):
        frames = int(np.ceil((high - low) * factors[low] - _SLACK))
        if frames == high - low:
            parts.append(np.arange(low, high, dtype=np.float64))
        else:
            parts.append(low + (high - low) * np.arange(frames) / frames)
    parts.append(np.array([float(len(factors))]))
    return np.concatenate(parts)


def episode_stamps(stamps: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Stamp the frames: source intervals where they are kept, the median period elsewhere.

    Args:
        stamps: (T,) source stamps, nanoseconds.
        times: (M,) fractional source frame per episode frame.

    Returns:
        (M,) stamps that begin with the source's first.

    """
    gaps = np.diff(stamps)
    low = np.floor(times[:-1]).astype(np.int64)
    kept = (times[:-1] == low) & (np.diff(times) == 1.0)
    steps = np.where(kept, gaps[np.minimum(low, len(gaps) - 1)], int(np.median(gaps)))
    return np.concatenate([stamps[:1], stamps[0] + np.cumsum(steps)]).astype(np.int64)
