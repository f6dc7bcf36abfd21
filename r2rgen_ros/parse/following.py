# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Object poses over time: kinematics as the prior, registration as the measurement.

An object rests, or moves with the hand that holds it; what is measured of it corrects that, in a
Kalman filter over the rigid motions with the error on the side of the object (Barfoot, State
Estimation for Robotics, 2017, chapter 7) and a Rauch-Tung-Striebel smoother. Noise never moves an
object: between grasps its pose is a constant unless several frames agree that it moved.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_closing

from r2rgen_ros.geometry import se3
from r2rgen_ros.parse.ahead import ahead
from r2rgen_ros.parse.clusters import clusters
from r2rgen_ros.parse.evidence import Comparison, Evidence
from r2rgen_ros.parse.registration import Fit, Surface, exp, log, register
from r2rgen_ros.parse.shape import owners
from r2rgen_ros.parse.uncertainty import inverse, joined, spread, widened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.parse.evidence import Look

    Floats = NDArray[np.float64]

_REACH_M = 0.02
_FAR_REACH_M = 0.05
_MOST_POINTS = 800
_SAMPLES = 300
_TOLERANCE_M = 0.008
_SIGMAS = 4.0
_GATE = 30.0
_SLIPS = 4.0
_STEP = 1.0
_SEEN = 25
_AGREES = 0.85
_VISIBLE = 0.4
_GAIN = 0.05
_DENIES = 0.5
_HAND_M = 0.35
_SUNK_M = 0.01
_GUESS_RAD = 0.8
_RESTING_STRIDE = 3
_SEARCH_M = 0.6
_YAWS = 8
_GAP_M = 0.015
_CLUSTERS = 4
_TRIES = 8
_TURNED = 0.02
_SETTLING = 2
_CARRIED_M = 0.005
_MOVING = 3
_PAUSE = 2


_CERTAIN = spread(1e-5, 1e-3)
_RESTING = spread(1e-6, 1e-4)
_IN_HAND = spread(1e-4, 0.05)
_CHANGING = spread(1.5e-3, 1.0)
_JUMP = spread(2e-2, 12.0)
_ANYWHERE = spread(1.0, 180.0)
"""How far an object may stray from kinematics in a frame, by what happens to it."""

_FALLS = [
    se3.rotation_about(axis, angle)
    for axis, angle in (
        ([1.0, 0.0, 0.0], 0.0), ([1.0, 0.0, 0.0], np.pi / 2), ([1.0, 0.0, 0.0], -np.pi / 2),
        ([0.0, 1.0, 0.0], np.pi / 2), ([0.0, 1.0, 0.0], -np.pi / 2),
    )
]  # fmt: skip


@dataclass(frozen=True)
class ObjectPath:
    """Where an object was.

    Attributes:
        poses: (T, 4, 4) object2base.
        residual: (T,) metres, robust standard deviation of what was measured of it; NaN where
            nothing was.
        carrier: (T,) int8, index of the arm that it moved with, -1 for none.
        is_trusted: (T,) whether what was seen, if anything, agrees with the pose.
        has_moved: (T,) whether it moved by itself, or was pushed, since the frame before.

    """

    poses: Floats
    residual: Floats
    carrier: NDArray[np.int8]
    is_trusted: NDArray[np.bool_]
    has_moved: NDArray[np.bool_]


@dataclass
class _State:
    """One object's filter."""

    pose: Floats
    covariance: Floats
    resting: int = 0
    moving: int = 0
    lost: int = 0
    denied: Fit | None = None
    guessed: bool = False
    """Whether it was found again turned so far that another side of it may look the same."""
    instead: int | None = None
    """What moves the object where that is not what a person said; until they say otherwise."""


@dataclass
class _Record:
    """What the smoother needs of one frame, in the order of the pass."""

    frame: int
    predicted: Floats
    spread: Floats
    pose: Floats
    covariance: Floats
    residual: float = np.nan
    is_trusted: bool = True
    has_jumped: bool = False
    carrier: int = -1


@dataclass
class _Follower:
    """Follows one object through the frames in one direction of time."""

    surface: Surface
    held: NDArray[np.int8]
    hands: Sequence[Floats]
    growth: float
    camera: PinholeCamera
    support: SupportPlane
    state: _State
    records: list[_Record] = field(default_factory=list)

    def begin(self, frame: int) -> None:
        """Take the pose of the prompt's frame as given."""
        state = self.state
        self.records.append(
            _Record(frame, state.pose, state.covariance, state.pose, state.covariance,
                    carrier=int(self.held[frame]))
        )  # fmt: skip

    def predict(self, frame: int) -> Floats:
        """Pose in the next frame by kinematics alone."""
        before = self.records[-1].frame
        self._carrier = self._held(before, frame)
        if self.held[frame] != self.held[before]:
            self.state.instead = None
        elif self.state.instead is not None:
            self._carrier = self.state.instead
        return self._moved(self.state.pose, before, frame, self._carrier)

    def _held(self, before: int, frame: int) -> int:
        arm = int(self.held[frame])
        return arm if arm == int(self.held[before]) else -1

    def _moved(self, pose: Floats, before: int, frame: int, arm: int) -> Floats:
        if arm < 0:
            return pose
        path = self.hands[arm]
        return np.asarray(path[frame] @ se3.inverse(path[before]) @ pose)

    def _process(self, frame: int) -> Floats:
        """How far the object may have strayed from kinematics since the frame before."""
        if self.state.moving > 0:
            return _JUMP
        low, high = max(0, frame - _SETTLING), frame + _SETTLING + 1
        around = self.held[low:high]
        if (around != around[0]).any():
            return _CHANGING
        return _IN_HAND if self._carrier >= 0 else _RESTING

    def sigma(self, pose: Floats, look: Look) -> float:
        """Standard deviation of a measured point of the object, metres."""
        z = float((se3.inverse(look.camera2base) @ pose)[2, 3])
        return max(5e-4, self.growth * z * z)

    def is_asleep(self, frame: int, predicted: Floats, look: Look) -> bool:
        """Whether the object rests where it did, so that nothing needs to be measured."""
        if self._carrier >= 0 or self.state.moving or self.state.lost:
            return False
        if self._process(frame) is _CHANGING or self.state.resting % _RESTING_STRIDE == 0:
            return False
        found = self._evidence(predicted, look)
        return found.seen < _SEEN or found.share > 0.9

    def _comparison(self, pose: Floats, look: Look) -> Comparison:
        tolerance = max(_TOLERANCE_M, _SIGMAS * self.sigma(pose, look))
        return Comparison(self.surface, look, self.camera, tolerance)

    def _evidence(self, pose: Floats, look: Look) -> Evidence:
        return self._comparison(pose, look).evidence(pose)

    def advance(
        self, frame: int, predicted: Floats, points: Floats, look: Look, free: Floats
    ) -> None:
        """Go on to a frame.

        Args:
            frame: The frame.
            predicted: (4, 4) what `predict` returned.
            points: (N, 3) measured points that are nearest to the object or to none.
            look: What the frame shows.
            free: (M, 3) points that no object explains, to find it again.

        """
        state = self.state
        spread = state.covariance + self._process(frame)
        record = _Record(frame, predicted, spread, predicted, spread,
                         is_trusted=not state.guessed, carrier=self._carrier)  # fmt: skip
        self.records.append(record)
        fit = self._fit(predicted, points, look, _REACH_M)
        if not self._stands(fit, predicted, look):
            found = self._elsewhere(frame, points, look, free)
            if found is not None:
                fit, carrier = found
                self._carry(record, carrier)
                self._jump(record, fit)
                return
            seen = self._evidence(predicted, look).seen >= _SEEN
            record.is_trusted &= not seen and not state.lost
            state.lost += int(seen)
            self._keep(record)
            return
        state.lost = 0
        if fit is None:
            self._keep(record)
        else:
            self._update(record, *self._refit(frame, fit, predicted, points, look), look)

    def _carry(self, record: _Record, carrier: int) -> None:
        """Believe that something else moves the object from here on."""
        if carrier != record.carrier:
            record.carrier = self.state.instead = carrier

    def _fit(self, start: Floats, points: Floats, look: Look, reach: float) -> Fit | None:
        points = points[self.surface.near(points, start, _FAR_REACH_M)]
        if len(points) > _MOST_POINTS:
            points = points[:: len(points) // _MOST_POINTS]
        sigma = self.sigma(start, look)
        return register(
            self.surface, points, start, sigma=sigma, reach=max(reach, _SIGMAS * sigma),
            prior=inverse(_JUMP),
            overhang=self._comparison(start, look).past,
        )  # fmt: skip

    def _refit(
        self, frame: int, fit: Fit, predicted: Floats, points: Floats, look: Look
    ) -> tuple[Fit, int]:
        """Look from farther away where what was fitted nearby is not quite what the frame shows.

        Returns:
            The fit, and what would have moved the object there.

        """
        best, carrier = fit, self._carrier
        found = self._evidence(fit.pose, look)
        if found.seen < _SEEN or found.share > _AGREES:
            return best, carrier
        for arm, start in [(self._carrier, predicted), *self._others(frame)]:
            far = self._fit(start, points, look, _FAR_REACH_M)
            if far is None:
                continue
            seen = self._evidence(far.pose, look)
            if self._sinks(far.pose):
                continue
            if seen.share > found.share + _GAIN and seen.agree > found.agree:
                best, carrier, found = far, arm, seen
        return best, carrier

    def _sinks(self, pose: Floats) -> bool:
        """Whether the object would be in the support, which hides that, farther than it is now.

        Its foot may never have been seen, and is then where the support is.
        """
        if not np.isfinite(self.support.residual):
            return False
        points = self.surface.points
        low = float(self.support.height(se3.apply(pose, points)).min())
        before = float(self.support.height(se3.apply(self.state.pose, points)).min())
        return low < min(before, 0.0) - _SUNK_M

    def _mover(self, record: _Record, fit: Fit) -> int:
        """What moved the object to a fit: by whom it would have come closer than it was thought."""
        place = fit.pose[:3, 3]
        away = float(np.linalg.norm(place - record.predicted[:3, 3]))
        gaps = [
            (float(np.linalg.norm(place - start[:3, 3])), arm)
            for arm, start in self._others(record.frame)
        ]
        gap, best = min(gaps, default=(away, record.carrier))
        return best if away > _CARRIED_M and gap < 0.5 * away else record.carrier

    def _others(self, frame: int) -> list[tuple[int, Floats]]:
        """Where the object would be if something else moved it than is thought."""
        before, pose = self.records[-2].frame, self.state.pose
        near = [
            arm
            for arm, path in enumerate(self.hands)
            if np.linalg.norm(path[before][:3, 3] - pose[:3, 3]) < _HAND_M
        ]
        out = [(arm, self._moved(pose, before, frame, arm)) for arm in (-1, *near)]
        out = [(arm, start) for arm, start in out if arm != self._carrier]
        if self.state.denied is not None:
            # Where the frame before showed it, though that was not believed yet.
            last = self.state.denied.pose
            out += [(arm, self._moved(last, before, frame, arm)) for arm in (-1, *near)]
        return out

    def _stands(self, fit: Fit | None, predicted: Floats, look: Look) -> bool:
        """Whether the frame does not deny that the object is where it was fitted."""
        found = self._evidence(predicted if fit is None else fit.pose, look)
        return found.seen < _SEEN or found.share >= _DENIES

    def _is_better(self, predicted: Floats, fit: Fit, look: Look) -> bool:
        """Whether a frame shows enough of the object, and speaks for a fit against kinematics."""
        compared = self._comparison(predicted, look)
        before, after = compared.evidence(predicted), compared.evidence(fit.pose)
        return (
            after.seen >= max(_SEEN, _VISIBLE * (after.seen + after.hidden))
            and after.share > _AGREES
            and after.share - before.share > _GAIN
        )

    def _elsewhere(
        self, frame: int, points: Floats, look: Look, free: Floats
    ) -> tuple[Fit, int] | None:
        """Look for the object where it would be by another carrier, then among what is free."""
        tries = [(self._carrier, self.records[-1].predicted), *self._others(frame)]
        found = [(self._fit(start, points, look, _FAR_REACH_M), arm, start) for arm, start in tries]
        if self.state.lost >= 1:
            found += [(fit, -1, fit.pose) for fit in self._search(free, look) if fit is not None]
        best: tuple[Fit, int] | None = None
        score = 0.0
        for fit, arm, start in found:
            if fit is None:
                continue
            seen = self._evidence(fit.pose, look)
            enough = max(_SEEN, _VISIBLE * (seen.seen + seen.hidden))
            if seen.seen < enough or seen.share <= _AGREES or self._sinks(fit.pose):
                continue
            # Of faces that look alike the one that it showed before.
            value = seen.share - _TURNED * float(se3.angle_between(self.state.pose, fit.pose))
            value -= float(np.linalg.norm(fit.pose[:3, 3] - start[:3, 3]))
            if best is None or value > score:
                best, score = (fit, arm), value
        return best

    def _search(self, free: Floats, look: Look) -> list[Fit | None]:
        """Fits to what no object explains near where the object was lost."""
        pose = self.state.pose
        near = free[np.linalg.norm(free - pose[:3, 3], axis=1) < _SEARCH_M]
        label = clusters(near, _GAP_M, _SEEN)
        starts: list[tuple[float, int, Floats]] = []
        for k in range(min(_CLUSTERS, int(label.max(initial=-1)) + 1)):
            points = near[label == k]
            few = points[:: max(1, len(points) // _SAMPLES)]
            for start in self._stances(points.mean(axis=0)):
                gap = self.surface.distances(few, start, _SEARCH_M)
                starts.append((float(np.minimum(gap, _SEARCH_M).mean()), len(starts), start))
        return [
            self._fit(start, free, look, _FAR_REACH_M) for _, _, start in sorted(starts)[:_TRIES]
        ]

    def _stances(self, place: Floats) -> list[Floats]:
        """Poses at a place: as it was, or fallen to one of four sides, turned all ways."""
        pose = self.state.pose
        middle = se3.apply(pose, self.surface.points.mean(axis=0)[None])[0]
        out = []
        for fall in _FALLS:
            for yaw in np.arange(_YAWS) * 2.0 * np.pi / _YAWS:
                turn = se3.rotation_about([0.0, 0.0, 1.0], yaw) @ fall
                out.append(se3.about_point(turn, middle, place - middle) @ pose)
        return out

    def _keep(self, record: _Record) -> None:
        """Go on with the prediction alone."""
        self.state.pose, self.state.covariance = record.predicted, record.spread
        self.state.resting += 1
        self.state.moving = max(0, self.state.moving - 1)

    def _update(self, record: _Record, fit: Fit, carrier: int, look: Look) -> None:
        """Correct the prediction by a measurement that agrees, or that moves twice alike."""
        state = self.state
        measured = widened(fit)
        off = log(se3.inverse(record.predicted) @ fit.pose)
        record.residual = fit.residual
        distance = float(off @ joined(record.spread, measured) @ off)
        # What the points of others would hide is told by what the frame shows.
        strays, sure = distance > _GATE, widened(fit, 1.0)
        slips = float(off @ joined(record.spread, sure) @ off) > _SLIPS
        slips = slips and self._is_better(record.predicted, fit, look)
        measured = sure if slips else measured
        if strays and not slips:
            record.is_trusted &= self._stands(None, record.predicted, look)
            self._keep(record)
            return
        if slips and state.moving == 0:
            # One frame may be wrong; the second that says the same is believed.
            if state.denied is None:
                state.denied = fit
                record.is_trusted = False
                self._keep(record)
                return
            state.moving = _MOVING + 1
            self._carry(record, carrier)
            leap = _JUMP if np.linalg.norm(off[:3]) < _FAR_REACH_M else _ANYWHERE
            record.spread = record.spread + leap
            record.has_jumped = True
            before = self.records[-2]
            before.has_jumped = before.is_trusted = True
            before.spread = before.spread + leap
            before.covariance = before.covariance + leap
        elif state.moving and float(off @ measured @ off) > _STEP:
            state.moving = _MOVING + 1
            record.has_jumped = True
            self._carry(record, self._mover(record, fit))
        state.denied = None
        state.moving = max(0, state.moving - 1)
        covariance = inverse(inverse(record.spread) + measured)
        record.covariance = (covariance + covariance.T) / 2.0
        record.pose = record.predicted @ exp(record.covariance @ measured @ off)
        state.pose, state.covariance = record.pose, record.covariance
        state.resting += 1

    def _jump(self, record: _Record, fit: Fit) -> None:
        """Take up the object somewhere else."""
        state = self.state
        record.spread = record.spread + _ANYWHERE
        record.has_jumped, record.residual = True, fit.residual
        record.covariance = inverse(inverse(record.spread) + widened(fit))
        record.pose = fit.pose
        state.pose, state.covariance = record.pose, record.covariance
        state.lost, state.denied, state.moving = 0, None, _MOVING
        turn = float(se3.angle_between(record.predicted, fit.pose))
        state.guessed = state.guessed or turn > _GUESS_RAD
        record.is_trusted = not state.guessed


def _smoothed(records: list[_Record]) -> list[Floats]:
    """Poses of a pass with what came later (Rauch, Tung and Striebel, 1965)."""
    out = [records[-1].pose]
    for now, then in zip(records[-2::-1], records[:0:-1], strict=True):
        gain = now.covariance @ inverse(then.spread)
        off = log(se3.inverse(then.predicted) @ out[-1])
        out.append(now.pose @ exp(gain @ off))
    return out[::-1]


def follow(
    surfaces: Sequence[Surface],
    starts: Sequence[Floats],
    first: Sequence[int],
    helds: Sequence[NDArray[np.int8]],
    hands: Sequence[Floats],
    look_at: Callable[[int], Look],
    camera: PinholeCamera,
    growth: float,
    support: SupportPlane,
    tell: Callable[[float], None] = lambda _: None,
) -> list[ObjectPath]:
    """Follow objects through a demonstration.

    Args:
        surfaces: Per object, what is known of its surface.
        starts: Per object, (4, 4) object2base in the frame in which it was pointed at.
        first: Per object, that frame.
        helds: Per object, (T,) index of the arm that holds it, -1 for none.
        hands: Per arm, (T, 4, 4) end effector to base.
        look_at: What a frame shows.
        camera: Intrinsics.
        growth: Standard deviation of the depth at 1 m; it grows with the square of the distance.
        support: The plane that nothing sinks into.
        tell: Called with the share of the work that is done, now and then.

    Returns:
        Per object, its path.

    """
    count = len(helds[0])
    frames = (count - 1 - min(first)) + max(first)
    advanced = itertools.count(1)

    def advance() -> None:
        tell(next(advanced) / frames)

    passes: list[list[list[_Record]]] = []
    for order in (range(count), range(count - 1, -1, -1)):
        followers = [
            _Follower(surface, held, hands, growth, camera, support, _State(start.copy(), _CERTAIN))
            for surface, start, held in zip(surfaces, starts, helds, strict=True)
        ]
        _run(followers, first, order, look_at, advance)
        passes.append([follower.records for follower in followers])
    return [
        _joined_path(count, forward, backward) for forward, backward in zip(*passes, strict=True)
    ]


def _run(
    followers: Sequence[_Follower],
    first: Sequence[int],
    order: range,
    look_at: Callable[[int], Look],
    advanced: Callable[[], None],
) -> None:
    """Take every object from its first frame to the end of a range of frames."""
    starting = [
        [f for f, begin in zip(followers, first, strict=True) if begin == frame] for frame in order
    ]
    wanted = [frame for frame in order if any((frame - begin) * order.step > 0 for begin in first)]
    # The next frame is read while this one is thought about.
    looks = zip(wanted, ahead(look_at, wanted), strict=True)
    for place, frame in enumerate(order):
        active = [
            follower
            for follower, begin in zip(followers, first, strict=True)
            if (frame - begin) * order.step > 0
        ]
        if active:
            _advance(active, *next(looks))
            advanced()
        for follower in starting[place]:
            follower.begin(frame)


def _advance(active: Sequence[_Follower], frame: int, look: Look) -> None:
    """Take the objects that are followed already to a frame."""
    predicted = [follower.predict(frame) for follower in active]
    asleep = [f.is_asleep(frame, p, look) for f, p in zip(active, predicted, strict=True)]
    for follower, pose, rests in zip(active, predicted, asleep, strict=True):
        if rests:
            _rest(follower, frame, pose)
    if all(asleep):
        return
    surfaces = [follower.surface for follower in active]
    owner = owners(surfaces, predicted, look.points, [_REACH_M] * len(active))
    free = look.points[owner < 0]
    for place, (follower, pose) in enumerate(zip(active, predicted, strict=True)):
        if not asleep[place]:
            mine = look.points[(owner == place) | (owner < 0)]
            follower.advance(frame, pose, mine, look, free)


def _rest(follower: _Follower, frame: int, pose: Floats) -> None:
    state = follower.state
    spread = state.covariance + _RESTING
    trusted = not state.guessed
    follower.records.append(_Record(frame, pose, spread, pose, spread, is_trusted=trusted))
    state.covariance = spread
    state.resting += 1


def _joined_path(count: int, forward: list[_Record], backward: list[_Record]) -> ObjectPath:
    poses = np.tile(np.eye(4), (count, 1, 1))
    residual = np.full(count, np.nan)
    carrier = np.full(count, -1, dtype=np.int8)
    trusted = np.ones(count, dtype=bool)
    moved = np.zeros(count, dtype=bool)
    for records in (backward, forward):
        for record, pose in zip(records, _smoothed(records), strict=True):
            poses[record.frame] = pose
            residual[record.frame] = record.residual
            carrier[record.frame] = record.carrier
            trusted[record.frame] = record.is_trusted
            moved[record.frame] = record.has_jumped
    # What moved before and after a frame or two moved in them, however little they tell.
    moved |= binary_closing(np.pad(moved, _PAUSE), np.ones(_PAUSE + 1, dtype=bool))[_PAUSE:-_PAUSE]
    return ObjectPath(poses, residual, carrier, trusted, moved)
