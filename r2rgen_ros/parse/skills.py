# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a skill begins and ends, and what it is about.

A hand travels to a place, often rests there, goes on to the contact along a line, acts, and leaves
along a line. The skill begins with the last rest before the contact; where there is none, at the
corner where the travelling turns into the approach; where there is no corner either, at a
distance. It ends the same way, seen backwards in time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import Skill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.model.demo import Arm
    from r2rgen_ros.parse.events import Body, Hold, Push

    Floats = NDArray[np.float64]

_LEVER_M = 0.1
_SMOOTH_S = 0.04
_STILL = 0.005
_SLOWER = 4.0
_REST_WIDTH = 1.6
_REACH_M = 0.08
_CLEAR_M = 0.04
_FARTHEST_M = 0.3
_ASIDE_M = 0.015
_WINDOW_S = 0.3
_SLOW = 0.6
_TRAVEL_M = 0.1
_TOUCH_M = 0.03
_BELOW_M = 0.06
_BESIDE_M = 0.01


@dataclass(frozen=True)
class HandPath:
    """How one hand moved.

    Attributes:
        places: (T, 3) of the end effector, base frame, metres.
        speed: (T,) metres per second; turning counts as the speed of a point 0.1 m away.
        rests: (R, 2) first and last frame of each rest, in order of time.
        window: Frames of 0.3 seconds.

    """

    places: Floats
    speed: Floats
    rests: NDArray[np.int64]
    window: int

    @classmethod
    def of(cls, arm: Arm, stamps: NDArray[np.int64]) -> HandPath:
        """Look at an arm's path at the camera's stamps (T,), nanoseconds."""
        seconds = stamps * 1e-9
        speed = _speed(arm.ee2base, seconds - seconds[0])
        window = max(1, round(_WINDOW_S / float(np.median(np.diff(seconds)))))
        return cls(np.asarray(arm.ee2base[:, :3, 3]), speed, find_rests(speed), window)

    def approach(self, contact: int, earliest: int) -> int:
        """First frame of a skill.

        Args:
            contact: Frame of the contact.
            earliest: The first frame that it may have.

        """
        if contact <= earliest:
            return earliest
        around = slice(earliest, contact + 1)
        rests = self.rests[(self.rests[:, 1] >= earliest) & (self.rests[:, 1] <= contact), 1]
        back = _leave(
            self.places[around][::-1], self.speed[around][::-1], contact - rests, self.window
        )
        return contact - back

    def departure(self, contact: int, latest: int) -> int:
        """Last frame of a skill; the mirror image in time of `approach`."""
        if contact >= latest:
            return latest
        around = slice(contact, latest + 1)
        rests = self.rests[(self.rests[:, 0] >= contact) & (self.rests[:, 0] <= latest), 0]
        return contact + _leave(
            self.places[around], self.speed[around], rests - contact, self.window
        )

    def waits_from(self, frame: int) -> int:
        """First frame from which on the hand stays where it is in a later frame."""
        away = np.linalg.norm(self.places[: frame + 1] - self.places[frame], axis=1)
        gone = np.flatnonzero(away > _ASIDE_M)
        return int(gone[-1]) + 1 if gone.size else 0

    def slowest(self, first: int, last: int) -> int:
        """The slowest frame from one to another, both included."""
        return first + int(self.speed[first : last + 1].argmin())


def _speed(poses: Floats, seconds: Floats) -> Floats:
    """Speed (T,) at each frame of poses (T, 4, 4), smoothed where frames are many."""
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    steps = steps + _LEVER_M * se3.angle_between(poses[:-1], poses[1:])
    rate = steps / np.diff(seconds)
    between = np.concatenate([rate[:1], 0.5 * (rate[:-1] + rate[1:]), rate[-1:]])
    # Smoothing over less than half a frame does nothing.
    frames = _SMOOTH_S / float(np.median(np.diff(seconds)))
    return np.asarray(gaussian_filter1d(between, frames) if frames > 0.5 else between)


def find_rests(speed: Floats) -> NDArray[np.int64]:
    """Find where a hand comes to rest: it is four times as slow as before and after.

    Whether it stands still is not asked: a person's hand that turns round hardly does. The minima
    are those of the logarithm of the speed with a prominence of ln 4.

    Args:
        speed: (T,) metres per second.

    Returns:
        (R, 2) first and last frame of each rest; none of a hand that never moves.

    """
    level = np.log(np.maximum(speed, 0.0) + _STILL)
    # Before the first frame and after the last the hand may have been as fast as it ever was.
    padded = -np.concatenate([[level.max()], level, [level.max()]])
    lows, _ = find_peaks(padded, prominence=np.log(_SLOWER))
    out = []
    for low in lows - 1:
        near = level <= level[low] + np.log(_REST_WIDTH)
        first = last = int(low)
        while first > 0 and near[first - 1]:
            first -= 1
        while last + 1 < len(level) and near[last + 1]:
            last += 1
        out.append((first, last))
    return np.array(sorted(set(out)), dtype=np.int64).reshape(-1, 2)


def _leave(places: Floats, speed: Floats, rests: NDArray[np.int64], window: int) -> int:
    """How many frames after a contact a hand has left it.

    Args:
        places: (M, 3) places of the hand from the contact on.
        speed: (M,) of the hand.
        rests: (R,) frames in which it begins to rest.
        window: Frames that a boundary may be moved by to where the hand is slow.

    """
    away = np.linalg.norm(places - places[0], axis=1)
    beyond = np.flatnonzero(away > _REACH_M)
    reached = int(beyond[0]) if beyond.size else len(places) - 1
    corner = _corner(places, away, reached)
    near = rests[(rests <= corner) & (away[rests] >= _CLEAR_M)]
    if near.size:
        return int(near.min())
    if not beyond.size:
        return corner
    first, last = max(1, corner - window), min(len(places) - 1, corner + window)
    slow = first + int(speed[first : last + 1].argmin())
    is_slow = speed[slow] < _SLOW * float(np.median(speed[first : last + 1]))
    return slow if is_slow and away[slow] >= _CLEAR_M else corner


def _corner(places: Floats, away: Floats, reached: int) -> int:
    """Last frame, from the one that is well away on, that is still on the line of departure."""
    if away[reached] < 1e-6:
        return reached
    way = (places[reached] - places[0]) / away[reached]
    offset = places[reached:] - places[0]
    along = offset @ way
    aside = np.linalg.norm(offset - along[:, None] * way, axis=1)
    left = (aside > _ASIDE_M) | (away[reached:] > max(_FARTHEST_M, away[reached]))
    # Who turns back is on the way to something else.
    left |= along < np.maximum.accumulate(along) - _ASIDE_M
    gone = np.flatnonzero(left)
    return reached + (int(gone[0]) - 1 if gone.size else len(offset) - 1)


@dataclass(frozen=True)
class _Placing:
    """A skill that puts an object somewhere, with what its targets are found from."""

    skill: Skill
    hold: Hold


def hold_skills(
    bodies: Sequence[Body],
    holds: Sequence[Hold],
    paths: Mapping[str, HandPath],
    support: SupportPlane,
) -> list[Skill]:
    """Find a pick and a place for every hold; of an object that changes hands, a give and a take.

    Args:
        bodies: The objects.
        holds: What was in a hand, in order of time.
        paths: How the hands moved, by name of the arm.
        support: The support plane.

    Returns:
        The skills in order of time.

    """
    picks: list[Skill] = []
    placings: list[_Placing] = []
    free_from = dict.fromkeys(paths, 0)
    for place, hold in enumerate(holds):
        path, name = paths[hold.arm], bodies[hold.body].name
        later = [other.first for other in holds[place + 1 :] if other.arm == hold.arm]
        latest = later[0] - 1 if later else len(path.places) - 1
        pick, put = _spans(path, hold, free_from[hold.arm], latest)
        taker = _taker(holds, hold, path.window)
        if pick is not None:
            taken = any(_taker(holds, other, path.window) == hold for other in holds)
            verb = 'take' if taken else 'pick'
            picks.append(Skill(f'{verb} {name}', *pick, (name,), (), hold.arm))
            free_from[hold.arm] = pick[1] + 1
        if put is not None and taker is not None:
            # Who gives waits for who takes: no object stands where that is.
            first = max(put[0], min(path.waits_from(taker.first), put[1]))
            picks.append(Skill(f'give {name}', first, put[1], (), (name,), hold.arm))
            free_from[hold.arm] = put[1] + 1
        elif put is not None:
            targets = _brought_to(bodies, hold, support)
            placings.append(
                _Placing(Skill(f'place {name}', *put, targets, (name,), hold.arm), hold)
            )
            free_from[hold.arm] = put[1] + 1
    return [*picks, *(_named(skill) for skill in _with_built(bodies, holds, placings))]


def _taker(holds: Sequence[Hold], hold: Hold, window: int) -> Hold | None:
    """The hold of another hand that takes an object over while it is in this one; else None.

    Hands that take and leave it at about the same time carry it together.
    """
    for other in holds:
        if other.body != hold.body or other.arm == hold.arm:
            continue
        later = other.first > hold.first + window and other.last > hold.last + window
        if later and other.first <= hold.last + 1:
            return other
    return None


def _spans(
    path: HandPath, hold: Hold, earliest: int, latest: int
) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """First and last frames of the pick and of the place; None where there is none."""
    first, last = hold.first, hold.last
    pick = None
    if hold.is_seen_to_begin:
        pick = (path.approach(first, min(earliest, first)), path.departure(first, last))
    is_kept = last >= len(path.places) - 2
    travel = float(np.linalg.norm(path.places[-1] - path.places[first]))
    if is_kept and travel < _TRAVEL_M:
        return pick, None
    begin = max(first, earliest) if pick is None else pick[1] + 1
    if pick is not None and begin > last:
        # Hardly lifted: the slowest frame in between parts the two.
        middle = path.slowest((2 * first + last) // 3, (first + 2 * last) // 3)
        pick, begin = (pick[0], max(pick[0], min(middle, last - 1))), max(middle, first) + 1
    if begin > latest:
        return pick, None
    begin = min(begin, last)
    put = (path.approach(last, begin), max(last, path.departure(last, max(last, latest))))
    return pick, (max(put[0], pick[1] + 1 if pick else 0), put[1])


def _brought_to(bodies: Sequence[Body], hold: Hold, support: SupportPlane) -> tuple[str, ...]:
    """Objects that an object is brought onto, into or against; else the one it must rest on."""
    mine = bodies[hold.body].at(hold.last)
    gaps, found = {}, []
    for other, body in enumerate(bodies):
        if other != hold.body:
            theirs = body.at(hold.last)
            gaps[body.name] = float(np.min(cKDTree(mine).query(theirs)[0]))
            if gaps[body.name] < _TOUCH_M or _is_below(theirs, mine, support):
                found.append(body.name)
    rise = float(support.height(mine).min())
    if hold.is_seen_to_begin:
        # A camera that looks down sees tops alone: what counts is how far it has risen.
        rise = min(rise, rise - float(support.height(bodies[hold.body].at(hold.first)).min()))
    if not found and rise > _TOUCH_M and gaps:
        found.append(min(gaps, key=lambda name: gaps[name]))
    return tuple(found)


def _is_below(low: Floats, high: Floats, support: SupportPlane) -> bool:
    """Whether points (N, 3) lie under points (M, 3), within reach: one may rest on the other.

    Of a box on another the camera sees the tops, which are a box's height apart.
    """
    flat, above = support.to_plane(low), support.to_plane(high)
    distance, nearest = cKDTree(flat).query(above)
    over = np.flatnonzero(distance < _BESIDE_M)
    if over.size < 0.05 * len(high):
        return False
    foot = float(np.quantile(support.height(high), 0.02))
    under = float(np.quantile(support.height(low[np.asarray(nearest)[over]]), 0.9))
    return -_TOUCH_M < foot - under < _BELOW_M


def _with_built(
    bodies: Sequence[Body], holds: Sequence[Hold], placings: list[_Placing]
) -> list[Skill]:
    """Add to what is put on the bare support what it is put beside, as shown by a later skill.

    Whoever lays a deck on two piers has put the second pier where it is because of the first.
    """
    out = []
    for place, now in enumerate(placings):
        name = bodies[now.hold.body].name
        extra: list[str] = []
        for later in placings[place + 1 :]:
            if now.skill.targets or name not in later.skill.targets:
                continue
            moved = {
                bodies[hold.body].name
                for hold in holds
                if now.hold.last < hold.first <= later.hold.first
            }
            if name not in moved:
                extra += [t for t in later.skill.targets if t not in {name, *moved, *extra}]
        carried = bodies[now.hold.body].name
        targets = (*now.skill.targets, *(t for t in extra if t != carried))
        out.append(replace(now.skill, targets=targets))
    return out


def _named(skill: Skill) -> Skill:
    where = f' at {" and ".join(skill.targets)}' if skill.targets else ''
    return replace(skill, name=f'{skill.name}{where}')


def push_skills(
    bodies: Sequence[Body],
    pushes: Sequence[Push],
    holds: Sequence[Hold],
    paths: Mapping[str, HandPath],
    taken: Sequence[Skill],
) -> list[Skill]:
    """Find a skill for every push; arguments as of `hold_skills`.

    Skills of the same arm that are `taken` leave it the frames between them.
    """
    out: list[Skill] = []
    for push in pushes:
        path, name = paths[push.arm], bodies[push.body].name
        own = [skill for skill in (*taken, *out) if skill.arm == push.arm]
        begin = max([0, *(s.last + 1 for s in own if s.first <= push.first)])
        stop = min([len(path.places) - 1, *(s.first - 1 for s in own if s.first > push.first)])
        if begin > min(push.last, stop):
            continue  # It moves while the hand does something else: that skill moves it.
        first = path.approach(max(push.first, begin), begin)
        last = path.departure(min(push.last, stop), stop)
        hand = tuple(
            bodies[hold.body].name
            for hold in holds
            if hold.arm == push.arm and hold.first <= push.first <= hold.last
        )
        out.append(Skill(f'push {name}', first, max(first, last), (name,), hand, push.arm))
    return out


def numbered(skills: Sequence[Skill]) -> list[Skill]:
    """Make the names of repeated skills differ, by arm or number, and put them in order of time."""
    ordered = sorted(skills, key=lambda skill: (skill.first, skill.last, skill.arm))
    arms: dict[str, set[str]] = {}
    for skill in ordered:
        arms.setdefault(skill.name, set()).add(skill.arm)
    ordered = [
        replace(skill, name=f'{skill.name} ({skill.arm})') if len(arms[skill.name]) > 1 else skill
        for skill in ordered
    ]
    seen: dict[str, int] = {}
    out = []
    for skill in ordered:
        seen[skill.name] = seen.get(skill.name, 0) + 1
        count = seen[skill.name]
        out.append(replace(skill, name=f'{skill.name} ({count})') if count > 1 else skill)
    return out
