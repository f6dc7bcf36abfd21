# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which hand holds which object when, and what is pushed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.model.annotation import Grasp
from r2rgen_ros.parse.events import Body, Hold, Push, comes_along, grasp_intervals, lost_at
from r2rgen_ros.parse.skills import HandPath
from r2rgen_ros.parse.tracking import track
from r2rgen_ros.parse.witness import Witness, arrival, carried, departure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Arm, Demo
    from r2rgen_ros.parse.ground import Ground

    Floats = NDArray[np.float64]

_GRASP_REACH_M = 0.25
_SHORTEST = 2
_PROVEN = 0.25
_REFUTED = -0.25
_STEP_M = 0.004
_PUSHED_M = 0.015
_ALIKE = 2.0


@dataclass(frozen=True)
class _Closed:
    """A closed gripper, which may hold something."""

    arm: Arm
    first: int
    last: int

    @property
    def begins_closed(self) -> bool:
        return self.first == 0


@dataclass
class Events:
    """What has been found of a demonstration so far.

    Attributes:
        ground: The survey of the demonstration.
        bodies: The objects; their grasps and poses change as holds are found.
        hands: How the hands moved, by name of the arm.
        witness: What the camera says.
        is_tracked: Whether the poses of the bodies were measured, rather than follow from holds.
        remarks: What a person should check.
        holds: What was in a hand, in order of time.
        pushes: What was pushed, in order of time.

    """

    ground: Ground
    bodies: list[Body]
    hands: dict[str, HandPath]
    witness: Witness
    is_tracked: bool
    remarks: list[str]
    holds: list[Hold] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)

    @classmethod
    def find(cls, ground: Ground, bodies: Sequence[Body], *, is_tracked: bool) -> Events:
        """Find holds, then pushes; arguments as of the attributes."""
        demo = ground.demo
        noise = 0.0 if ground.background is None else ground.background.noise
        hands = {arm.name: HandPath.of(arm, demo.stamps) for arm in demo.arms}
        out = cls(ground, list(bodies), hands, Witness(demo, noise), is_tracked, [])
        out._find_holds()
        out._find_pushes()
        return out

    @property
    def demo(self) -> Demo:
        """The demonstration."""
        return self.ground.demo

    def _find_holds(self) -> None:
        """Give each closed gripper the object that moves with it."""
        end = len(self.demo) - 1
        self.holds = [
            Hold(k, grasp.arm, grasp.first, grasp.last, grasp.first > 0)
            for k, body in enumerate(self.bodies)
            for grasp in body.note.grasps
        ]
        closed = [
            _Closed(arm, first, last)
            for arm in self.demo.arms
            for first, last in grasp_intervals(arm) or [(0, end)]
            if last - first >= _SHORTEST and not self._is_given(arm, first, last)
        ]
        for span in sorted(closed, key=lambda span: (span.first, span.arm.name)):
            k = self._held(span)
            if k is not None:
                self._take(k, span)
        self.holds.sort(key=lambda hold: (hold.first, hold.arm))

    def _is_given(self, arm: Arm, first: int, last: int) -> bool:
        """Whether a person has said what this gripper holds in these frames."""
        return any(
            hold.arm == arm.name and hold.first <= last and first <= hold.last
            for hold in self.holds
        )

    def _held(self, span: _Closed) -> int | None:
        """Which object a closed gripper holds, if any."""
        near = sorted(self._gaps(span).items(), key=lambda entry: entry[1])
        where = f'the gripper of "{span.arm.name}" closes at frame {span.first}'
        if len(self.demo.arms) == 1:
            where = f'the gripper closes at frame {span.first}'
        if not near:
            if not span.begins_closed:
                self.remarks.append(f'{where} with no object near it')
            return None
        score = {k: self._score(k, span) for k, _ in near}
        for k, _ in near:
            if score[k] > _PROVEN:
                return k
        if span.begins_closed:
            return None  # Most grippers that are closed at first hold nothing, or a tool.
        for k, _ in near:
            if not score[k] < _REFUTED:
                name = self.bodies[k].name
                self.remarks.append(
                    f'{where} beside "{name}", which is hardly seen to move with it'
                )
                return k
        self.remarks.append(f'{where}, but no object moves with it')
        return None

    def _gaps(self, span: _Closed) -> dict[int, float]:
        """How far the objects within reach are from the hand."""
        out = {}
        for k, body in enumerate(self.bodies):
            anchor = _anchor(body, span)
            if anchor != span.first and not span.first <= anchor <= span.last:
                continue
            hand = span.arm.ee2base[anchor, :3, 3]
            gap = float(np.linalg.norm(body.at(anchor) - hand, axis=1).min())
            if gap <= _GRASP_REACH_M:
                out[k] = gap
        return out

    def _score(self, k: int, span: _Closed) -> float:
        body, closure = self.bodies[k], (span.first, span.last)
        if self.is_tracked:
            return comes_along(body, span.arm.ee2base, closure)
        anchor = _anchor(body, span)
        return carried(
            self.witness, body.points, body.poses[anchor], span.arm.ee2base, closure, anchor
        )

    def _take(self, k: int, span: _Closed) -> None:
        """Note that a hand holds an object."""
        body, last = self.bodies[k], span.last
        if self.is_tracked:
            lost = lost_at(body, span.arm.ee2base, (span.first, span.last))
            if lost is not None and lost > span.first:
                self.remarks.append(f'"{body.name}" leaves the closed gripper at frame {lost}')
                last = lost
        self.holds.append(Hold(k, span.arm.name, span.first, last, not span.begins_closed))
        grasps = _with_grasp(body.note.grasps, Grasp(span.arm.name, span.first, last))
        if grasps is None:
            self.remarks.append(
                f'"{body.name}" is held by two hands at frame {span.first}: it moves with '
                f'"{body.note.grasps[-1].arm}"'
            )
            return
        note = replace(body.note, grasps=grasps)
        poses = body.poses
        if not self.is_tracked:
            frame = note.prompt.frame
            poses = track(self.demo, body.poses[frame], frame, grasps)
        self.bodies[k] = Body(note, body.points, poses)

    def _find_pushes(self) -> None:
        """Find what moves while no hand holds it."""
        for k, body in enumerate(self.bodies):
            for first, last in _free_spans(len(self.demo), [h for h in self.holds if h.body == k]):
                found = (
                    _motions(body, first, last, self._window)
                    if self.is_tracked
                    else self._seen_motion(k, first, last)
                )
                for begin, end in found:
                    self._note_push(k, begin, end)
        self.pushes.sort(key=lambda push: (push.first, push.body))

    @property
    def _window(self) -> int:
        return next(iter(self.hands.values())).window

    def _note_push(self, k: int, begin: int, end: int) -> None:
        body = self.bodies[k]
        points = body.at(begin)
        gaps = {
            arm.name: float(np.linalg.norm(points - arm.ee2base[begin, :3, 3], axis=1).min())
            for arm in self.demo.arms
        }
        arm = min(gaps, key=lambda name: gaps[name])
        if gaps[arm] > _GRASP_REACH_M:
            self.remarks.append(f'"{body.name}" moves at frame {begin} with no hand near it')
            return
        self.remarks.append(f'"{body.name}" is pushed, not held, from frame {begin} to {end}')
        self.pushes.append(Push(k, arm, begin, end))

    def _seen_motion(self, k: int, first: int, last: int) -> list[tuple[int, int]]:
        """First and last frame in which an object that should rest is seen to move."""
        body = self.bodies[k]
        is_end = last == len(self.demo) - 1
        # A gripper that closes may centre an object a little; that is part of the grasp.
        begin = departure(
            self.witness, body, first, last if is_end else last - 3 * self._window, self._window
        )
        if begin is None:
            return []
        points = self._found_again(k, last) if is_end else None
        if points is None:
            return [(begin, begin)]
        end = arrival(self.witness, points, begin, last)
        shift = points.mean(axis=0) - body.at(first).mean(axis=0)
        poses = body.poses.copy()
        share = np.clip((np.arange(last + 1) - begin) / max(1, end - begin), 0.0, 1.0)
        poses[first : last + 1, :3, 3] += share[first:, None] * shift
        self.bodies[k] = replace(body, poses=poses)
        return [(begin, end)]

    def _found_again(self, k: int, frame: int) -> Floats | None:
        """Points of what looks like an object in a frame, where nothing else is known to be."""
        candidates = self.ground.candidates(frame)
        extent = float(np.ptp(self.bodies[k].points, axis=0).max())
        start = self.bodies[k].at(frame).mean(axis=0)
        others = [body.at(frame) for place, body in enumerate(self.bodies) if place != k]
        known = cKDTree(np.concatenate(others)) if others else None
        best, nearest = None, np.inf
        for label in candidates.objects:
            points = candidates.snapshot.points[candidates.label == label]
            size = float(np.ptp(points, axis=0).max())
            if not extent / _ALIKE < size < extent * _ALIKE:
                continue
            few = points[:: max(1, len(points) // 300)]
            if known is not None and float(np.median(known.query(few)[0])) < _PUSHED_M:
                continue
            away = float(np.linalg.norm(points.mean(axis=0) - start))
            if away < nearest:
                best, nearest = points, away
        return best


def _anchor(body: Body, span: _Closed) -> int:
    """Frame of a closure in which the pose of an object is known before anything is said of it."""
    return min(max(body.note.prompt.frame, span.first), span.last)


def _with_grasp(grasps: tuple[Grasp, ...], grasp: Grasp) -> tuple[Grasp, ...] | None:
    """Grasps with one more; None where another hand holds on for longer.

    An object has one carrier at a time: who takes it over, carries it from then on.
    """
    kept = []
    for other in grasps:
        if other.last < grasp.first or other.first > grasp.last:
            kept.append(other)
        elif other.last >= grasp.last or other.first >= grasp.first:
            return None
        else:
            kept.append(replace(other, last=grasp.first - 1))
    return tuple(sorted((*kept, grasp), key=lambda one: one.first))


def _free_spans(count: int, holds: Sequence[Hold]) -> list[tuple[int, int]]:
    """First and last frames of the spans in which no hand holds an object."""
    busy = np.zeros(count, dtype=bool)
    for hold in holds:
        busy[max(0, hold.first - 1) : hold.last + 2] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[True], busy, [True]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _motions(body: Body, first: int, last: int, window: int) -> list[tuple[int, int]]:
    """First and last frames of the motions of a tracked object in a span."""
    centres = body.centres[first : last + 1]
    frames = first + np.flatnonzero(np.linalg.norm(np.diff(centres, axis=0), axis=1) > _STEP_M)
    if not frames.size:
        return []
    groups = np.split(frames, np.flatnonzero(np.diff(frames) > 2 * window) + 1)
    spans = [(int(group[0]), int(group[-1]) + 1) for group in groups]
    return [
        (a, b) for a, b in spans if np.linalg.norm(body.centres[b] - body.centres[a]) > _PUSHED_M
    ]
