# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several arms on one time base, some of whose motions are led along joints.

Skills keep their time and their paths, and what hands carry together is led by them as recorded.
Only motions that fail, or collide, are led anew, and each by itself: a `Leader` finds a way of one
arm's joints between two skills while the others keep theirs. What fails is blamed on the motions of
that moment; a skill that fails may be begun afresh after a led motion. When all ways are found the
time base is worked out for all arms at once, and the whole is judged together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from scipy.interpolate import CubicSpline

from r2rgen_ros.generate.afresh import follow_afresh
from r2rgen_ros.generate.blend import ROUNDS, slower_for
from r2rgen_ros.generate.course import Course, Refusal
from r2rgen_ros.generate.motion import source_times
from r2rgen_ros.generate.stays import Stay
from r2rgen_ros.model.episode import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.course import ArmModel, Surroundings
    from r2rgen_ros.generate.motion import Limits, MovedPath
    from r2rgen_ros.model.demo import Demo

    Floats = NDArray[np.float64]

_MOTIONS = (Reason.UNREACHABLE, Reason.TOO_FAST, Reason.COLLISION, Reason.SELF_COLLISION)
"""What another motion may mend."""
_ROUNDING = 0.5  # frames of a rejection come whole


class Led(NamedTuple):
    """A motion that is led along joints.

    Attributes:
        arm: Place of the arm.
        number: Of the motion: how many spans with one transform the arm has before it, less one.

    """

    arm: int
    number: int


class Leader(Protocol):
    """Finds ways of one arm's joints."""

    def lead(
        self, path: MovedPath, around: Surroundings, number: int, before: Stay, after: Stay, /
    ) -> Stay | Refusal:
        """Return the frames strictly between two stays.

        Args:
            path: Moved path of the arm.
            around: What is about it.
            number: How many stays came before.
            before: The stay that it leaves; its joints are those of all arms.
            after: The stay that it goes to.

        """


@dataclass(frozen=True)
class _Way:
    """Joints of an arm along a led motion, as a function of source time.

    Attributes:
        first: Source frame that it begins at.
        last: Source frame that it ends at.
        times: (F,) source frames of its own frames, both ends among them.
        joints: (F, J) of the arm.
        away: (J,) how far from the recorded joints the arm goes on after it.

    """

    first: float
    last: float
    times: Floats
    joints: Floats
    away: Floats

    @cached_property
    def _curve(self) -> CubicSpline:
        return CubicSpline(np.arange(len(self.times)), self.joints)

    def at(self, times: Floats, start: Floats | None = None, end: Floats | None = None) -> Floats:
        """Joints (M, J) at source frames (M,); drawn to other ends (J,) where these are given."""
        out = np.asarray(self._curve(np.interp(times, self.times, np.arange(len(self.times)))))
        share = ((times - self.first) / (self.last - self.first))[:, None]
        smooth = share * share * (3.0 - 2.0 * share)
        if start is not None:
            out = out + (1.0 - smooth) * (start - self.joints[0])
        if end is not None:
            out = out + smooth * (end - self.joints[-1])
        return np.asarray(out)

    def slower(self, count: int) -> Floats:
        """How much longer (count - 1,) the intervals of the source take by its own frames."""
        out = np.ones(count - 1)
        steps = np.diff(self.times)
        low = np.floor(self.times[:-1] + 1e-9).astype(np.int64)
        high = np.ceil(self.times[1:] - 1e-9).astype(np.int64)
        for a, b, step in zip(low, high, steps, strict=True):
            out[a:b] = np.maximum(out[a:b], 1.0 / step)
        return out


@dataclass(frozen=True)
class _LedPath:
    """The moved path of an arm, some of whose motions are led."""

    arm: ArmModel
    path: MovedPath
    ways: tuple[_Way, ...] = ()

    def motions(self) -> list[tuple[float, float]]:
        """Spans of source time between the skills."""
        return self.path.motions()

    def at(self, times: Floats) -> Floats:
        """Poses (M, 4, 4) of the hand at fractional source frames (M,)."""
        out = self.path.at(times)
        for way in self.ways:
            inside = (times > way.first) & (times < way.last)
            if inside.any():
                rows = self.arm.recorded(times[inside])
                rows[:, self.arm.check.columns] = way.at(times[inside])
                out[inside] = self.arm.hand(times[inside], rows)
        return out

    def follow(self, times: Floats, *, forced: bool) -> Floats | Refusal:
        """Joints (M, J) of the arm at rising source frames (M,), with all its skills' among them.

        What lies between two led motions is followed as one.
        """
        columns = self.arm.check.columns
        out = self.arm.recorded(times)[:, columns]
        for way, following in zip((None, *self.ways), (*self.ways, None), strict=True):
            inside = _between(times, way, following)
            away = None if way is None else way.away
            found = self.arm.follow(
                times[inside], self.path.at(times[inside]), forced=forced, away=away
            )
            if found.first_failed >= 0 and not forced:
                return self.arm.refusal(found, times[inside])
            out[inside] = found.positions[:, columns]
        for way in self.ways:
            inside = (times > way.first) & (times < way.last)
            # How redundant joints come out depends a little on the times.
            ends = (out[times == edge] for edge in (way.first, way.last))
            out[inside] = way.at(times[inside], *(row[0] if len(row) else None for row in ends))
        return out

    def begun(self, *, forced: bool) -> _LedPath | Refusal:
        """Find out with which joints the arm can go on after each led motion."""
        every, ways = np.arange(float(len(self.path.source))), list[_Way]()
        before: Floats | None = None
        for way, following in zip((None, *self.ways), (*self.ways, None), strict=True):
            times = every[_between(every, way, following)]
            found, away = follow_afresh(
                self.arm, times, self.path.at(times), forced=forced or way is None, before=before
            )
            if found.first_failed >= 0 and not forced:
                return self.arm.refusal(found, times)
            before = found.positions[-1, self.arm.check.columns]
            if way is not None:
                ways.append(replace(way, away=away))
        return replace(self, ways=tuple(ways))


@dataclass(frozen=True)
class LedPlanner:
    """Leads motions of several arms along joints, where they do not work as they are.

    Attributes:
        demo: The demonstration.
        limits: Largest step of every arm.
        spans: Of every arm, first and last frame of what it keeps the time of.
        arms: Kinematics of every arm.
        leaders: What finds the ways of every arm.

    """

    demo: Demo
    limits: tuple[Limits, ...]
    spans: tuple[tuple[tuple[int, int], ...], ...]
    arms: tuple[ArmModel, ...]
    leaders: tuple[Leader, ...]

    def plan(
        self, paths: Sequence[MovedPath], surroundings: Surroundings, /, *, forced: bool = False
    ) -> Course | Refusal:
        """Return what the arms do; see `MotionPlanner`."""
        failed, led = surroundings.failed, frozenset[Led]()
        if failed is None:
            led = _free(paths)
        while True:
            if failed is not None:
                more = led | self._blamed(paths, failed)
                if more == led:
                    return failed
                led = more
            found = self._led(paths, surroundings, led, forced=forced)
            if isinstance(found, Refusal):
                failed = found
                continue
            failed = None if forced else surroundings.wrong(found)
            if failed is None:
                return found

    def _blamed(self, paths: Sequence[MovedPath], failed: Refusal) -> frozenset[Led]:
        """Motions that may mend a failure if they are led: those of its moment, else before it."""
        if failed.reason not in _MOTIONS:
            return frozenset()
        free = [led for led in sorted(_free(paths)) if failed.arm in (-1, led.arm)]
        during, before = set[Led](), set[Led]()
        for led in free:
            knot, after = paths[led.arm].knots[led.number : led.number + 2]
            if knot.last - _ROUNDING < failed.frame < after.first + _ROUNDING:
                during.add(led)
            elif after.first <= failed.frame <= after.last:
                before.add(led)
        return frozenset(during or before)

    def _led(
        self,
        paths: Sequence[MovedPath],
        surroundings: Surroundings,
        led: frozenset[Led],
        *,
        forced: bool,
    ) -> Course | Refusal:
        """What the arms do when some motions are led."""
        times = np.arange(len(self.demo), dtype=np.float64)
        plain = []
        for arm, path in zip(self.arms, paths, strict=True):
            begun = _LedPath(arm, path, _gaps(path, arm, led)).begun(forced=forced)
            if isinstance(begun, Refusal):
                return begun
            plain.append(begun)
        rows = self._joints(plain, times, forced=forced)
        if isinstance(rows, Refusal):
            return rows
        out = []
        for one in plain:
            ways = []
            for way, (_, number) in zip(one.ways, _of(one.arm, led), strict=True):
                found = self._way(one, way, number, rows, surroundings)
                if isinstance(found, Refusal):
                    return replace(found, arm=one.arm.place)
                ways.append(found)
                inside = (times > way.first) & (times < way.last)
                rows[np.ix_(inside, one.arm.check.columns)] = found.at(times[inside])
            out.append(replace(one, ways=tuple(ways)))
        return self._timed(out, forced=forced)

    def _way(
        self, one: _LedPath, gap: _Way, number: int, rows: Floats, surroundings: Surroundings
    ) -> _Way | Refusal:
        """Find the way of a led motion, while all arms have joints (T, N) in the source frames."""
        before, after = (
            self._stay(one, rows, knot.first, knot.last)
            for knot in one.path.knots[number : number + 2]
        )
        hands = tuple(arm.hand(np.arange(len(rows), dtype=np.float64), rows) for arm in self.arms)
        around = replace(surroundings, rows=rows, hands=hands)
        led = self.leaders[one.arm.place].lead(one.path, around, number, before, after)
        if isinstance(led, Refusal):
            return led
        columns = one.arm.check.columns
        joints = [before.joints[-1:, columns], led.joints[:, columns], after.joints[:1, columns]]
        times = np.concatenate([[gap.first], led.times, [gap.last]])
        return replace(gap, times=times, joints=np.concatenate(joints))

    @staticmethod
    def _stay(one: _LedPath, rows: Floats, first: float, last: float) -> Stay:
        times = np.arange(first, last + 1.0)
        return Stay(times, one.path.at(times), rows[times.astype(np.int64)])

    def _joints(
        self, paths: Sequence[_LedPath], times: Floats, *, forced: bool
    ) -> Floats | Refusal:
        """Joints (M, N) of all arms at source frames (M,)."""
        out = self.arms[0].recorded(times)
        for one in paths:
            found = one.follow(times, forced=forced)
            if isinstance(found, Refusal):
                return found
            out[:, one.arm.check.columns] = found
        return out

    def _timed(self, paths: Sequence[_LedPath], *, forced: bool) -> Course | Refusal:
        """Slow the motions down until all arms keep their limits."""
        count = len(self.demo)
        slower = np.ones(count - 1)
        for way in (way for one in paths for way in one.ways):
            slower = np.maximum(slower, way.slower(count))
        for _ in range(ROUNDS):
            times = source_times(paths, self.limits, count, slower)
            joints = self._joints(paths, times, forced=forced)
            if isinstance(joints, Refusal):
                return joints
            more = slower_for(self.demo, self.arms, self.spans, joints, times)
            if isinstance(more, Refusal) and not forced:
                return more
            if more is None or forced:
                moved = tuple(self._poses(one, times, joints) for one in paths)
                return Course(times, moved, joints)
            assert not isinstance(more, Refusal)
            slower = np.maximum(slower, more)
        detail = 'the joints are too fast however slow the motion is'
        return Refusal(Reason.TOO_FAST, detail, float(slower.argmax()), float(slower.max()))

    @staticmethod
    def _poses(one: _LedPath, times: Floats, joints: Floats) -> Floats:
        """Poses (M, 4, 4) of a hand; where it is led, those of its joints (M, N)."""
        out = one.path.at(times)
        for way in one.ways:
            inside = (times > way.first) & (times < way.last)
            if inside.any():
                out[inside] = one.arm.hand(times[inside], joints[inside])
        return out


def _free(paths: Sequence[MovedPath]) -> frozenset[Led]:
    """Motions that may be led: what several hands carry is led by them as it was recorded."""
    return frozenset(
        Led(arm, number)
        for arm, path in enumerate(paths)
        for number, (before, after) in enumerate(pairwise(path.knots))
        if after.first - before.last > 1.0 and after.pivot is None
    )


def _of(arm: ArmModel, led: frozenset[Led]) -> list[Led]:
    """The led motions of an arm, in order."""
    return sorted(one for one in led if one.arm == arm.place)


def _gaps(path: MovedPath, arm: ArmModel, led: frozenset[Led]) -> tuple[_Way, ...]:
    """Led motions of an arm for which there is no way yet: the recorded one."""
    out = []
    for _, number in _of(arm, led):
        before, after = path.knots[number : number + 2]
        times = np.arange(before.last, after.first + 1.0)
        joints = arm.recorded(times)[:, arm.check.columns]
        out.append(_Way(before.last, after.first, times, joints, np.zeros(joints.shape[1])))
    return tuple(out)


def _between(times: Floats, before: _Way | None, after: _Way | None) -> NDArray[np.bool_]:
    """Which source frames (M,) are after one led motion and before the next."""
    out = np.ones(len(times), dtype=np.bool_)
    if before is not None:
        out &= times >= before.last
    if after is not None:
        out &= times <= after.first
    return out
