# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Contact and release: when a gripper closes and opens, and whether an object moves with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.grip_effort import loaded_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import ObjectNote
    from r2rgen_ros.model.demo import Arm

    Floats = NDArray[np.float64]

_SWING = 0.08
_SETTLED = 0.05
_NOISES = 6.0
_MANY = 20
_MOVED_M = 0.03
_FEW_LEVELS = 6
_SWING_NOISES = 4.25
_COVERED = 0.5


@dataclass(frozen=True)
class Closure:
    """A gripper that is closed from one frame to another.

    Attributes:
        first: Frame in which it has closed as far as it does.
        last: Last frame before it opens again, or the last of all.
        level: The reading in between, as if smaller meant more closed.
        depth: How far it closed, in the unit of the reading; 0 where only the effort tells.

    """

    first: int
    last: int
    level: float
    depth: float


def closures(arm: Arm) -> list[Closure]:
    """When a gripper was closed, however far and however slowly.

    A closing is a fall of the reading by more than 8 % of its whole range, an opening such a rise;
    what lies between the two is closed from where it has come within 5 % of where it settles.
    A wide object that the fingers hardly close on counts as well as a thin one.

    The effort of the gripper, where it is known and tells pressing from idling, says more: that
    the gripper closes on something whose width is all but that of the open hand, so that the
    reading stands still; and when, where the reading is missing, noisy, or a mere command.

    Args:
        arm: The arm; its reading may be a width, an angle, or an open/close command.

    Returns:
        The closures in order of time; none where the gripper never moves or there is none.

    """
    width, loads = _filled(arm), loaded_spans(arm.effort)
    if width is None:
        return [Closure(first, last, 0.0, 0.0) for first, last in loads]
    found = _closures_of(width)
    lasting = [load for load in loads if any(_covers(load, each) for each in found)]
    if lasting and _roughness(width) > _SETTLED * float(np.ptp(width)):
        return [Closure(first, last, 0.0, 0.0) for first, last in loads]
    if lasting and len(np.unique(np.round(width / float(np.ptp(width)), 6))) <= _FEW_LEVELS:
        found = [_bounded(each, lasting) for each in found]
    for first, last in loads:
        beside = all(first > each.last + 1 or last < each.first - 1 for each in found)
        inside = width[first : last + 1]
        if beside and float(np.ptp(inside)) <= _SWING * float(np.ptp(width)):
            found.append(Closure(first, last, float(np.median(inside)), 0.0))
    return sorted(found, key=lambda closure: closure.first)


def _covers(load: tuple[int, int], closure: Closure) -> bool:
    """Whether a load lasts for half a closure: a drive may hold by itself once it has closed."""
    shared = min(load[1], closure.last) - max(load[0], closure.first) + 1
    return shared > _COVERED * (closure.last - closure.first + 1)


def _bounded(closure: Closure, loads: list[tuple[int, int]]) -> Closure:
    """A closure with the first and last frame of the load that covers it, if one does."""
    for first, last in loads:
        if _covers((first, last), closure):
            return replace(closure, first=first, last=last)
    return closure


def _roughness(width: Floats) -> float:
    """How much a reading (T,) jumps about from frame to frame; 0 where frames are too few."""
    return float(np.median(np.abs(np.diff(width, 2)))) if len(width) > _MANY else 0.0


def _closures_of(width: Floats) -> list[Closure]:
    """The closures that a reading (T,) tells of, smaller for more closed."""
    rough, span = _roughness(width), float(np.ptp(width))
    low = max(_SWING * span, min(_SWING_NOISES * rough, 0.5 * span))
    out = []
    for begin, end in _valleys(width, low):
        inside = width[begin : end + 1]
        floor = float(inside.min())
        sides = [float(width[k]) for k in (begin, end) if width[k] - floor > low]
        depth = min(sides) - floor
        near = inside[inside <= floor + max(0.1 * depth, 2.0 * rough)]
        level = float(np.median(near))
        settled = np.flatnonzero(inside <= level + max(_SETTLED * depth, rough))
        first, last = begin + int(settled[0]), begin + int(settled[-1])
        out.append(Closure(first, last, level, depth))
    return out


def _filled(arm: Arm) -> Floats | None:
    """The reading (T,) without NaN, smaller for more closed; None where it says nothing."""
    known = np.flatnonzero(np.isfinite(arm.gripper))
    if known.size < 2:
        return None
    before = np.searchsorted(known, np.arange(len(arm.gripper)), side='right') - 1
    width = arm.gripper[known[np.maximum(before, 0)]]
    span = float(np.ptp(width))
    still = 0.02 * max(float(np.abs(width).max()), 1e-9)
    # A reading that goes up and down by about its range from frame to frame is noise.
    if span <= still or span < _NOISES * _roughness(width):
        return None
    return np.asarray(width if arm.closed_is_low else -width)


def _valleys(width: Floats, swing: float) -> list[tuple[int, int]]:
    """Spans from one turning point above to the next, each around a fall by more than a swing."""
    turns = []
    low = high = 0
    way = 0
    for k, value in enumerate(width):
        low = k if value < width[low] else low
        high = k if value >= width[high] else high
        if way >= 0 and value < width[high] - swing:
            turns.append((high, 1))
            way, low = -1, k
        elif way <= 0 and value > width[low] + swing:
            turns.append((low, -1))
            way, high = 1, k
    if way < 0:
        turns.append((low, -1))
    out = []
    for place, (_, kind) in enumerate(turns):
        if kind < 0:
            begin = turns[place - 1][0] if place else 0
            end = turns[place + 1][0] if place + 1 < len(turns) else len(width) - 1
            # The highest point at the end is where it opened to, or where the last frame is.
            if place + 1 == len(turns) and way > 0:
                end = high
            out.append((begin, end))
    return out


def closed_frames(arm: Arm) -> NDArray[np.bool_]:
    """Which frames (T,) the gripper is at least half closed in; all False where it never moves."""
    out = np.zeros(len(arm.gripper), dtype=bool)
    width = _filled(arm)
    for closure in closures(arm):
        if width is None or closure.depth <= 0.0:  # the effort tells of it
            out[closure.first : closure.last + 1] = True
            continue
        low = width <= closure.level + 0.5 * closure.depth
        out |= low & _around(low, closure.first) & np.isfinite(arm.gripper)
    return out


def _around(mask: NDArray[np.bool_], place: int) -> NDArray[np.bool_]:
    """The run of True (T,) that a place is in."""
    name = np.cumsum(np.concatenate([[0], np.diff(mask.astype(np.int8)) != 0]))
    return np.asarray(name == name[place])


def grasp_intervals(arm: Arm) -> list[tuple[int, int]]:
    """Spans of frames in which a closed gripper neither closes nor opens, both ends included."""
    return [(closure.first, closure.last) for closure in closures(arm)]


@dataclass(frozen=True)
class Body:
    """An object as far as proposals need it.

    Attributes:
        note: Its name, prompt and grasps.
        points: (N, 3) what the prompt's frame saw of it, its own frame, metres.
        poses: (T, 4, 4) object2base.

    """

    note: ObjectNote
    points: Floats
    poses: Floats

    @property
    def name(self) -> str:
        """As annotated."""
        return self.note.name

    def at(self, frame: int) -> Floats:
        """Its points (N, 3) in a frame, base frame."""
        return se3.apply(self.poses[frame], self.points)

    @property
    def centres(self) -> Floats:
        """(T, 3) the middle of its points, base frame."""
        return np.asarray(self.poses[:, :3, :3] @ self.points.mean(axis=0) + self.poses[:, :3, 3])


@dataclass(frozen=True)
class Hold:
    """An object in a hand.

    Attributes:
        body: Place of the object among the bodies.
        arm: Name of the arm.
        first: Frame of the contact.
        last: Frame of the release, or the last of all.
        is_seen_to_begin: Whether the gripper closes; an object may be in it from the start.

    """

    body: int
    arm: str
    first: int
    last: int
    is_seen_to_begin: bool = True


@dataclass(frozen=True)
class Push:
    """An object that moves without being held.

    Attributes:
        body: Place of the object among the bodies.
        arm: Name of the arm whose hand is near.
        first: First frame of its motion.
        last: Last frame of it.

    """

    body: int
    arm: str
    first: int
    last: int


def comes_along(body: Body, path: Floats, closure: tuple[int, int]) -> float:
    """What `carried` returns, from the poses of an object that was tracked.

    Args:
        body: The object.
        path: (T, 4, 4) ee2base of the hand.
        closure: First and last frame of the closed gripper.

    """
    first, last = closure
    centres = body.centres[first : last + 1]
    in_hand = se3.apply(se3.inverse(path[first]), centres[:1])
    with_hand = path[first : last + 1, :3, :3] @ in_hand[0] + path[first : last + 1, :3, 3]
    far = np.linalg.norm(with_hand - centres[0], axis=1) > _MOVED_M
    if not far.any():
        return float('nan')
    there = np.linalg.norm(centres - with_hand, axis=1)[far]
    here = np.linalg.norm(centres - centres[0], axis=1)[far]
    return float(np.median((here - there) / (here + there)))


def lost_at(body: Body, path: Floats, closure: tuple[int, int]) -> int | None:
    """Last frame in which a tracked object was in a hand that is still closed; None if it stayed.

    Arguments as of `comes_along`.
    """
    first, last = closure
    hand = path[first : last + 1]
    centres = body.centres[first : last + 1]
    in_hand = np.einsum('tji,tj->ti', hand[:, :3, :3], centres - hand[:, :3, 3])
    off = np.linalg.norm(in_hand - in_hand[0], axis=1) > _MOVED_M
    # A slip within the hand is no loss: it goes on with the hand.
    rest = np.linalg.norm(centres - centres[-1], axis=1) < 0.5 * _MOVED_M
    moves = np.linalg.norm(hand[:, :3, 3] - hand[-1, :3, 3], axis=1) > _MOVED_M
    gone = np.flatnonzero(off & rest & moves)
    if not off[-1] or not gone.size:
        return None
    return first + max(0, int(gone[0]) - 1)
