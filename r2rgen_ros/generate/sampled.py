# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A way around obstacles from skill to skill, by a sampling-based planner.

At either end the arm first keeps to the recorded motion, moved with its skill, until it is clear of
what the skill touches, and comes to rest; in between, the planner finds a way of the joints that
keeps clear of everything. What is too close even there must at least not come closer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.course import Course, Refusal
from r2rgen_ros.generate.motion import step_sizes
from r2rgen_ros.generate.passable import Passable
from r2rgen_ros.generate.stays import MOST, Stay, keeps, last_step, through
from r2rgen_ros.generate.time_law import passing_times, rounded
from r2rgen_ros.model.episode import Reason
from r2rgen_ros.robots.joint_planner import JointSpace, plan_joints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy.interpolate import BSpline

    from r2rgen_ros.generate.collisions import CollisionCheck
    from r2rgen_ros.generate.course import ArmModel, Surroundings
    from r2rgen_ros.generate.motion import Limits, MovedPath
    from r2rgen_ros.generate.passable import Fields
    from r2rgen_ros.generate.stays import Upright

    Floats = NDArray[np.float64]

_PURPOSE = 2  # of the random numbers; 0 and 1 are the sampler's
# How far beyond both ends the joints may go, and how often the trees may grow.
_ATTEMPTS = ((0.8, 1500), (2.0 * np.pi, 6000))
_STEP_RAD = 0.04
_GROWTH = 0.05  # metres of distance that are gained per radian of way, where an end is not clear
_SPACINGS_RAD = (0.4, 0.2, 0.1, 0.05, 0.025)
_BLUR_M = 0.009  # what nodes and samples make of a distance: a short way comes as close as it may
_SPARE_M = 0.003
_SPARE_RAD = float(np.deg2rad(2.0))
_PLACES = 200
_SHARE = 0.9  # of the limits that the time law uses: frames come whole
_LONGER = 1.1
_REST = 1e-6
_AFRESH_RAD = 1e-3  # joints that a skill begins with beside those that the recorded ones lead to
_SAME_M = 1e-6
_MOMENTS = 3  # of another arm's motion, that an arm keeps clear of


@dataclass(frozen=True)
class _End:
    """How the arm comes to rest after a skill; seen backwards in time, how it sets out to one.

    Attributes:
        joints: (1 + kept + slowing, J) of the arm from the end of the skill on.
        kept: How many frames go on as recorded.
        slowing: How many more it takes to come to rest.

    """

    joints: Floats
    kept: int
    slowing: int


@dataclass(frozen=True)
class _Way:
    """All that is asked of joints between two skills.

    Attributes:
        arm: The arm.
        passable: What is about it.
        frame: Source frame whose objects, fingers and grasps hold.
        upright: Tells how much the hand tilts.
        band: Least and largest tilt of it, radians.
        others: (R, N) joints of all arms at moments of the motion: the other arms are kept clear of
            as they are at each of them.

    """

    arm: ArmModel
    passable: Passable
    frame: float
    upright: Upright
    band: tuple[float, float]
    others: Floats

    def hand(self, arm: Floats) -> Floats:
        """Poses (M, 4, 4) of the hand at joints (M, J) of the arm."""
        return self.arm.hand(np.full(len(arm), self.frame), self.passable.rows(arm))

    def _overlaps(self, arm: Floats) -> NDArray[np.bool_]:
        """Which pairs (Q, M) of links overlap, whenever, at joints (M, J) of the arm."""
        if not len(self.others):
            return self.passable.overlaps(arm)
        overlaps = [self.passable.overlaps(arm, row) for row in self.others]
        return np.asarray(np.any(overlaps, axis=0))

    def rest(self, onwards: Floats, stay: Stay) -> _End:
        """Leave a stay until all is clear, and come to rest.

        Args:
            onwards: (E, J) joints of the arm that go on as recorded, from the stay's end on.
            stay: The stay.

        """
        room = (self.passable.gaps(onwards) - self.passable.clear).min(axis=(1, 2))
        free = np.flatnonzero(room >= 0.0)
        kept = int(free[0] if free.size else room.argmax())
        check = self.arm.check
        done = np.concatenate([stay.joints[:-1, check.columns], onwards[: kept + 1]])
        speed, period = last_step(done), self.arm.demo.period_ns * 1e-9
        if np.abs(speed).max() < _REST:
            return _End(onwards[: kept + 1], kept, 0)
        slowing = int(np.ceil((np.abs(speed) / (0.5 * check.acceleration * period**2)).max()))
        passed = np.arange(1.0, slowing + 1)[:, None]
        slower = onwards[kept] + speed * (passed - passed**2 / (2.0 * slowing))
        return _End(np.concatenate([onwards[: kept + 1], slower]), kept, slowing)

    def space(self, start: Floats, goal: Floats, room: float, *, spare: bool) -> JointSpace:
        """Where the joints may be on a way between two positions (J,) of the arm.

        Args:
            start: One end.
            goal: The other end.
            room: How far beyond them the joints may go, rad or m.
            spare: Whether to be stricter than need be, so that corners can be rounded.

        """
        ends = np.stack([start, goal])
        more = _BLUR_M + (_SPARE_M if spare else 0.0)
        most = np.minimum(self.passable.clear + more, self.passable.margin)
        tilts = self.upright.tilts(self.hand(ends))
        inwards = _SPARE_RAD if spare else 0.0
        band = min(self.band[0] + inwards, tilts.min()), max(self.band[1] - inwards, tilts.max())
        gaps = self.passable.gaps(ends)
        touching = self._overlaps(ends).any(axis=1)

        def is_clear(arm: Floats) -> NDArray[np.bool_]:
            wanted = np.broadcast_to(most, (len(arm), *most.shape))
            for end, gap in zip(ends, gaps, strict=True):
                gained = _GROWTH * np.abs(arm - end).max(axis=1)
                wanted = np.minimum(wanted, gap + gained[:, None, None])
            out = self.passable.keeps(arm, wanted)
            if np.isfinite(self.band).all() and out.any():
                tilts = self.upright.tilts(self.hand(arm[out]))
                out[out] = (tilts >= band[0]) & (tilts <= band[1])
            if out.any():
                out[out] = ~self._overlaps(arm[out])[~touching].any(axis=0)
            return out

        low, high = self.arm.robot.limits(self.arm.robot.chain).T
        # Where the recorded joints are beyond nominal limits, so may these be.
        low = np.minimum(np.maximum(low, ends.min(axis=0) - room), ends.min(axis=0))
        high = np.maximum(np.minimum(high, ends.max(axis=0) + room), ends.max(axis=0))
        return JointSpace(low, high, is_clear, _STEP_RAD)


@dataclass(frozen=True)
class SampledPlanner:
    """Goes around obstacles.

    Attributes:
        arm: The arm; `plan` is for an only one.
        limits: Largest step of its hand.
        upright: How much it may tilt.
        collisions: What there is to go around.
        fields: Its fields of distances.

    """

    arm: ArmModel
    limits: Limits
    upright: Upright
    collisions: CollisionCheck
    fields: Fields

    def plan(
        self, paths: Sequence[MovedPath], surroundings: Surroundings, *, forced: bool = False
    ) -> Course | Refusal:
        """Return what the arm does; see `MotionPlanner`."""
        (path,) = paths
        lead = partial(self.lead, path, surroundings)
        return through(self.arm, path, lead, forced=forced)

    def lead(
        self, path: MovedPath, surroundings: Surroundings, number: int, before: Stay, after: Stay
    ) -> Stay | Refusal:
        """Frames strictly between two stays; see `led.Leader`."""
        first, last = float(before.times[-1]), float(after.times[0])
        held = np.stack([item.held for item in self.collisions.scene.objects]) == self.arm.place
        span = held[:, int(first) : int(last) + 1]
        if (span != span[:, :1]).any():
            detail = 'something is grasped or let go between the skills'
            return Refusal(Reason.UNREACHABLE, detail, first, 0.0)
        band = self.upright.band(np.array([first, last]))
        others = self._others(surroundings, first, last)
        way = _Way(
            self.arm, self._passable(surroundings, before), first, self.upright, band, others
        )
        leave = way.rest(self._onwards(path, number, before, after), before)
        arrive = way.rest(self._backwards(path, number + 1, before, after), after.reversed)
        entropy = [surroundings.variation.seed, surroundings.variation.index]
        arm = (self.arm.place,) * (self.arm.place > 0)
        for attempt, (room, iterations) in enumerate(_ATTEMPTS):
            seed = np.random.SeedSequence(entropy, spawn_key=(_PURPOSE, number, attempt, *arm))
            ends = leave.joints[-1], arrive.joints[-1]
            corners = plan_joints(*ends, way.space(*ends, room, spare=True), seed, iterations)
            allowed = way.space(*ends, room, spare=False)
            curve = None if corners is None else _smooth(corners, allowed)
            if curve is not None:
                return self._timed(before, after, leave, arrive, curve, way)
        detail = 'no way around what is in the way was found'
        return Refusal(Reason.COLLISION, detail, first, 0.0)

    def _passable(self, surroundings: Surroundings, before: Stay) -> Passable:
        """What is about the arm once a skill has ended."""
        frame = before.times[-1]
        hands = [path[int(frame)][None] for path in surroundings.hands] or [before.ee2base[-1:]]
        objects = surroundings.objects(np.array([frame]), hands)[:, 0]
        return Passable.between(
            self.collisions, self.fields, self.arm.robot, int(frame), before.joints[-1],
            objects, surroundings.variation.base2base, self.arm.place,
        )  # fmt: skip

    def _others(self, surroundings: Surroundings, first: float, last: float) -> Floats:
        """Joints (R, N) of all arms at some moments of a motion; none of a single arm."""
        rows = surroundings.rows
        if rows is None:
            return np.zeros((0, len(self.arm.joints.names)))
        return rows[np.unique(np.linspace(first, last, _MOMENTS).round().astype(np.int64))]

    def _onwards(self, path: MovedPath, number: int, before: Stay, after: Stay) -> Floats:
        """Joints (E, J) of the arm that go on as recorded from the end of a stay, its end first."""
        knot, most = path.knots[number], _most(before, after)
        times = np.arange(knot.first, knot.last + most + 1.0)
        kept = self._kept(path, number, times, before.joints[0])[len(before.times) - 1 :]
        return kept if len(kept) else before.joints[-1:, self.arm.check.columns]

    def _backwards(self, path: MovedPath, number: int, before: Stay, after: Stay) -> Floats:
        """Joints (E, J) of the arm before the beginning of a stay, backwards in time."""
        first = path.knots[number].first
        times = first - np.arange(_most(before, after) + 1.0)
        return self._kept(path, number, times, after.joints[0])

    def _kept(self, path: MovedPath, number: int, times: Floats, start: Floats) -> Floats:
        """Joints (E, J) that move with one knot as recorded, as far as the arm can, from (N,)."""
        poses = path.knots[number].transform @ path.source[times.astype(np.int64)]
        columns = self.arm.check.columns
        found = self.arm.follow(times, poses)
        if np.abs(found.positions[0] - start)[columns].max() > _AFRESH_RAD:
            away = (start - self.arm.recorded(times[:1])[0])[columns]
            found = self.arm.follow(times, poses, away=away)
        end = len(times) if found.first_failed < 0 else found.first_failed
        return np.concatenate([start[None, columns], found.positions[1:end, columns]])

    def _timed(
        self, before: Stay, after: Stay, leave: _End, arrive: _End, curve: BSpline, way: _Way
    ) -> Stay | Refusal:
        """Place frames so that all limits are kept."""
        period = self.arm.demo.period_ns * 1e-9
        places = np.linspace(0.0, 1.0, _PLACES)
        passed = self._law(curve, places, way, period)
        low, high = before.times[-1] + leave.kept, after.times[0] - arrive.kept
        around = leave.slowing + arrive.slowing
        least = max(passed[-1] / (_SHARE * period), high - low - around, 1.0)
        frames = int(np.ceil(least))
        columns = self.arm.check.columns
        while frames <= MOST * max(least, after.times[0] - before.times[-1]):
            share = np.interp(np.arange(frames + 1) / frames * passed[-1], passed, places)
            middle = curve(share)
            arm = np.concatenate([leave.joints[1:], middle[1:-1], arrive.joints[:0:-1]])
            between = np.linspace(low, high, around + frames + 1)
            kept = np.arange(1, leave.kept + 1), np.arange(arrive.kept, 0, -1)
            times = np.concatenate(
                [before.times[-1] + kept[0], between[1:-1], after.times[0] - kept[1]]
            )
            joints = self.arm.recorded(times)
            joints[:, columns] = arm
            led = Stay(times, self.arm.hand(times, joints), joints)
            if keeps(self.arm, self.limits, before, led, after):
                return led
            frames = int(np.ceil(_LONGER * frames))
        detail = f'the joints are too fast even if the motion takes {MOST:.0f} times as long'
        return Refusal(Reason.TOO_FAST, detail, float(before.times[-1]), MOST)

    def _law(self, curve: BSpline, places: Floats, way: _Way, period: float) -> Floats:
        """When places (U,) of a curve are passed, seconds from 0."""
        first, second = curve.derivative(1)(places), curve.derivative(2)(places)
        poses = way.hand(curve(places))
        moved, turned = step_sizes(poses)
        gap = places[1] - places[0]
        need = np.maximum(moved / self.limits.translation, turned / self.limits.rotation)
        need *= period / gap
        joints = (np.abs(first) / self.arm.check.speed).max(axis=1)
        hand = np.maximum(np.append(need, 0.0), np.insert(need, 0, 0.0))
        fastest = 1.0 / np.maximum(np.maximum(joints, hand), _REST)
        return passing_times(first, second, places, fastest, self.arm.check.acceleration)


def _most(before: Stay, after: Stay) -> int:
    """How many frames of a motion may be kept as recorded at either end."""
    return int(after.times[0] - before.times[-1] - 1.0) // 3


def _smooth(corners: Floats, space: JointSpace) -> BSpline | None:
    """Return the smoothest curve along corners (P, J) that is allowed; None where none is."""
    length = float(np.abs(np.diff(corners, axis=0)).max(axis=1).sum())
    shares = np.linspace(0.0, 1.0, int(np.ceil(2.0 * length / space.step)) + 2)
    for spacing in _SPACINGS_RAD:
        curve = rounded(corners, spacing)
        if space.clear(curve(shares)).all():
            return curve
    return None
