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

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from r2rgen_ros.generate.synchrony import Stage
from r2rgen_ros.geometry import se3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import MotionConfig
    from r2rgen_ros.model.annotation import Skill

_SLACK = 1e-9
_ROUNDS = 60
_MORE = 1.01
_CELLS = 8  # parts of an interval between two frames, in which it may be slowed differently
_EASE = 12  # parts in which a lower speed is reached and left


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
    moved, turned = step_sizes(ee2base)
    return Limits(float(moved.max(initial=0.0)), float(turned.max(initial=0.0)))


def step_sizes(ee2base: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far (T - 1,) a path (T, 4, 4) goes and turns from frame to frame."""
    moved = np.linalg.norm(np.diff(ee2base[:, :3, 3], axis=0), axis=1)
    return np.asarray(moved), np.asarray(se3.angle_between(ee2base[:-1], ee2base[1:]))


def _excess(ee2base: NDArray[np.float64], limit: Limits) -> NDArray[np.float64]:
    """How many times (T - 1,) its limit each step of a path (T, 4, 4) is; 0 for no limit."""
    out = np.zeros(len(ee2base) - 1)
    for steps, most in zip(step_sizes(ee2base), (limit.translation, limit.rotation), strict=True):
        if most > 0.0:
            out = np.maximum(out, steps / most)
    return out


def step_limits(ee2base: NDArray[np.float64], period_s: float, config: MotionConfig) -> Limits:
    """Return what a step may be: the limit, or the source's own largest step if that is larger."""
    own = largest_step(ee2base)
    return Limits(
        max(own.translation, config.max_speed_m_s * period_s),
        max(own.rotation, np.deg2rad(config.max_turn_deg_s) * period_s),
    )


@dataclass(frozen=True)
class _Knot:
    """A span of source time over which one transform holds.

    Attributes:
        first: First frame.
        last: Last frame.
        transform: (4, 4).
        pivot: (T, 3) point whose place is blended on the way here; None for the hand itself.

    """

    first: float
    last: float
    transform: NDArray[np.float64]
    pivot: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class MovedPath:
    """The path of one end effector under a variation, at any source time.

    Attributes:
        source: (T, 4, 4) end effector to base frame, as recorded.
        normal: (3,) support normal, about which the turns are blended.
        knots: Spans with one transform, in order; what lies between is blended.
        unwound: Whether turns go back through the heading of the source, and never through the
            half turn opposite, even where that is shorter: a wrist has an end.

    """

    source: NDArray[np.float64]
    normal: NDArray[np.float64]
    knots: tuple[_Knot, ...]
    unwound: bool = False

    @classmethod
    def create(
        cls,
        source: NDArray[np.float64],
        normal: NDArray[np.float64],
        skills: Sequence[tuple[Skill | Stage, NDArray[np.float64]]],
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
        knots = [
            _Knot(skill.first, skill.last, transform, _pivot(skill)) for skill, transform in skills
        ]
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
                points = poses[inside, :3, 3]
                if after.pivot is not None:
                    points = _between(after.pivot, times[inside])
                out[inside] = self._blend(poses[inside], share, before, after, points)
        return out

    @property
    def winds(self) -> bool:
        """Whether unwinding would turn the hand the other way somewhere."""
        if self.unwound:
            return False
        other = replace(self, unwound=True)
        pairs = list(pairwise(self.knots))
        return any(abs(self._angle(*pair) - other._angle(*pair)) > 1e-6 for pair in pairs)

    def _angle(self, before: _Knot, after: _Knot) -> float:
        """Turn about the normal from one knot to the next, radians."""
        if self.unwound:
            return self._turn(after.transform) - self._turn(before.transform)
        return self._turn(after.transform @ se3.inverse(before.transform))

    def _turn(self, transform: NDArray[np.float64]) -> float:
        """In-plane moves turn about the normal only: the turn is an angle with a sign."""
        turn = transform[:3, :3]
        axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
        return float(np.arctan2(axis @ self.normal / 2.0, (np.trace(turn) - 1.0) / 2.0))

    def _blend(
        self,
        poses: NDArray[np.float64],
        share: NDArray[np.float64],
        before: _Knot,
        after: _Knot,
        pivots: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Lead poses (M, 4, 4) from knot to knot, so that points (M, 3) go the straight way."""
        smooth = share * share * (3.0 - 2.0 * share)
        if np.array_equal(before.transform, after.transform):
            return np.asarray(before.transform @ poses)
        points = pivots[:, None]
        start = se3.apply(before.transform, points)[:, 0]
        end = se3.apply(after.transform, points)[:, 0]
        angle = self._angle(before, after)
        turns = se3.rotation_about(self.normal, smooth * angle)
        rotations = turns @ (before.transform[:3, :3] @ poses[:, :3, :3])
        places = start + smooth[:, None] * (end - start)
        if after.pivot is not None:  # the hand keeps its place on what is led
            lever = poses[:, :3, 3] - pivots
            places = places + np.einsum('mij,mj->mi', turns @ before.transform[:3, :3], lever)
        return se3.compose(rotations, places)


def _pivot(skill: Skill | Stage) -> NDArray[np.float64] | None:
    return skill.pivot if isinstance(skill, Stage) else None


def _between(points: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (M, 3) of a path (T, 3) at fractional frames (M,)."""
    low = np.floor(times).astype(np.int64)
    high = np.minimum(low + 1, len(points) - 1)
    return np.asarray(points[low] + (times - low)[:, None] * (points[high] - points[low]))


class TimedPath(Protocol):
    """A path that can be gone along at any speed."""

    def motions(self) -> list[tuple[float, float]]:
        """Return the spans of source time that may be slowed."""

    def at(self, times: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Return the poses (M, 4, 4) at fractional source frames (M,)."""


def source_times(
    paths: Sequence[TimedPath],
    limits: Sequence[Limits],
    count: int,
    slower: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Choose which fractional source frame each episode frame replays.

    Skills keep their frames. A motion keeps its frames too where its steps keep the limits; where
    one would exceed them the motion is slowed, and reaches and leaves its lower speed smoothly.

    Args:
        paths: The moved path of every arm.
        limits: Largest step of every arm.
        count: Number of source frames.
        slower: (count - 1,) how much longer each interval of the source must take at least, for
            reasons other than these limits; None for none.

    Returns:
        (M,) rising source frames, M >= count, with every whole frame of the skills among them.

    """
    factors = np.ones((count - 1, _CELLS))
    for path, limit in zip(paths, limits, strict=True):
        for first, last in path.motions():
            span = slice(int(first), int(last))
            need = _slowing(path, limit, int(first), int(last))
            if slower is not None:
                need = np.maximum(need, slower[span, None])
            factors[span] = np.maximum(factors[span], _smooth(need))
    times = _spread(factors)
    for _ in range(_ROUNDS):
        # Within a part the speed still varies a little.
        excess = _worst(paths, limits, times)
        if excess <= 1.0 + _SLACK:
            break
        slowed = factors.max(axis=1) > 1.0 + _SLACK
        factors[slowed] *= max(excess, _MORE)  # frames come whole
        times = _spread(factors)
    return times


def _worst(
    paths: Sequence[TimedPath], limits: Sequence[Limits], times: NDArray[np.float64]
) -> float:
    """How many times its limit the longest step of any motion is that was slowed."""
    slowed = np.diff(times) < 1.0 - _SLACK
    worst = 0.0
    for path, limit in zip(paths, limits, strict=True):
        worst = max(worst, float(_excess(path.at(times), limit)[slowed].max(initial=0.0)))
    return worst


def _slowing(path: TimedPath, limit: Limits, first: int, last: int) -> NDArray[np.float64]:
    """How much longer (N, _CELLS) each part of the intervals of a motion must take, at least 1."""
    cells = _CELLS * (last - first)
    need = _CELLS * _excess(path.at(np.linspace(first, last, cells + 1)), limit)
    return np.where(need > 1.0 + _SLACK, need, 1.0).reshape(-1, _CELLS)


def _smooth(need: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make a slowing (N, _CELLS) vary slowly, without taking any of it away."""
    if need.max() <= 1.0 + _SLACK:
        return np.ones_like(need)
    flat = maximum_filter1d(need.reshape(-1), 2 * _EASE + 1, mode='nearest')
    return np.asarray(uniform_filter1d(flat, 2 * _EASE + 1, mode='nearest').reshape(need.shape))


def _spread(factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place frames so that each part (N, _CELLS) of the intervals takes as long as it must."""
    kept = factors.max(axis=1) <= 1.0 + _SLACK
    edges = np.flatnonzero(np.diff(kept)) + 1
    bounds = [0, *edges.tolist(), len(factors)]
    parts = []
    for low, high in pairwise(bounds):
        if kept[low]:
            parts.append(np.arange(low, high, dtype=np.float64))
            continue
        passed = np.concatenate([[0.0], np.cumsum(factors[low:high])]) / _CELLS
        frames = int(np.ceil(passed[-1] - _SLACK))
        places = low + np.arange(len(passed)) / _CELLS
        parts.append(np.interp(np.arange(frames) * (passed[-1] / frames), passed, places))
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
