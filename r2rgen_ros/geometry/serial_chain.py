# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Inverse kinematics of joints in a row, compiled: one pose, or frame after frame along a path.

Damped least squares (Sugihara 2011, damping that shrinks with the error), with the rest of the
freedom pulling towards the seeds. Errors are twists in the frame of the end effector, by the
logarithm of rigid transforms (Murray, Li, Sastry, *Robotic Manipulation*, 1994, appendix A).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.geometry.rigid import product_into, turn_about, twist_into

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SAME = 1e-9  # a seed this close to its target (m, rad) is the solution, bit for bit
_CONVERGED = 1e-7
_ITERATIONS = 40
_SNAP_RAD = 0.02
_NULL_SPACE_GAIN = 0.5
_LEAST_DAMPING = 1e-8
_DAMPING = 0.01
_STEP_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class SerialChain:
    """J joints in a row, from a base to an end effector, over F frames.

    Attributes:
        links: (F, J + 1, 4, 4) from each joint, and at last from the end effector, to what comes
            before it, with all these joints at zero; F may be 1 where that is the same always.
        axes: (J, 3) unit axis of each joint in its own frame.
        turns: (J,) whether a joint turns about its axis; else it slides along it.
        low: (J,) least positions, rad or m.
        high: (J,) largest ones.

    """

    links: Floats
    axes: Floats
    turns: NDArray[np.bool_]
    low: Floats
    high: Floats

    def pose(self, frame: int, values: Floats) -> Floats:
        """Pose (4, 4) of the end effector in the base at positions (J,)."""
        out = np.eye(4)
        _, _, _, jacobian = _room(len(self.axes))
        _place(self._links(frame), self.axes, self.turns, values, jacobian, out)
        return out

    def jacobian(self, frame: int, values: Floats) -> Floats:
        """Twists (6, J) of the end effector in its own frame, linear before angular, per joint."""
        _, _, _, out = _room(len(self.axes))
        _place(self._links(frame), self.axes, self.turns, values, out, np.eye(4))
        return out

    def reach(
        self, frame: int, seed: Floats, start: Floats, target: Floats
    ) -> tuple[Floats, Floats]:
        """Positions that bring the end effector to a pose, or as close as they get.

        Args:
            frame: Which of the links count.
            seed: (J,) that the rest of the freedom pulls to.
            start: (J,) that the search begins at.
            target: (4, 4) end effector to base.

        Returns:
            (J,), and the errors left (2,), metres and radians.

        """
        found, errors = np.empty(len(seed)), np.empty(2)
        _reach(
            self._links(frame), self.axes, self.turns, self.low, self.high, seed, start, target,
            found, errors, _room(len(seed)),
        )  # fmt: skip
        return found, errors

    def follow(
        self,
        seeds: Floats,
        targets: Floats,
        first: tuple[Floats, Floats],
        step: Floats,
        tolerance: tuple[float, float],
        *,
        persist: bool,
    ) -> tuple[Floats, Floats, int]:
        """Solve frame after frame of a path, each from its seed and the change of the one before.

        Args:
            seeds: (M, J), M at least 1.
            targets: (M, 4, 4) end effector to base.
            first: Positions (J,) in the first frame and the errors (2,) left there.
            step: (J,) largest change of a joint from frame to frame, unless its seed's is larger.
            tolerance: Errors, metres and radians, above which a target is missed.
            persist: Whether to go on after a failure.

        Returns:
            Positions (M, J), seeds after a failure; errors (M, 2), NaN there; and the first frame
            that fails, -1 for none.

        """
        positions, errors = seeds.copy(), np.full((len(seeds), 2), np.nan)
        positions[0], errors[0] = first
        failed = _follow(
            self.links, self.axes, self.turns, self.low, self.high, seeds, targets, step,
            np.array(tolerance), persist, positions, errors, _room(seeds.shape[1]),
        )  # fmt: skip
        return positions, errors, int(failed)

    def _links(self, frame: int) -> Floats:
        return np.asarray(self.links[min(frame, len(self.links) - 1)])


def _room(joints: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Room to work in: per joint, for six equations, for one pose, and for a Jacobian."""
    return np.empty((8, joints)), np.empty((8, 6)), np.eye(4), np.empty((6, joints))


@compiled
def _place(
    links: Floats,
    axes: Floats,
    turns: NDArray[np.bool_],
    values: Floats,
    jacobian: Floats,
    hand: Floats,
) -> None:
    """Pose (4, 4) of the end effector and its Jacobian (6, J), in its own frame."""
    count = len(axes)
    now = links[0].copy()
    for j in range(count):
        # The axis and the place of the joint, in the base, wait in the columns of the Jacobian.
        for i in range(3):
            along = 0.0
            for k in range(3):
                along += now[i, k] * axes[j, k]
            jacobian[3 + i, j] = along
            jacobian[i, j] = now[i, 3]
        if turns[j]:
            turn_about(now, axes[j], values[j])
        else:
            for i in range(3):
                now[i, 3] += jacobian[3 + i, j] * values[j]
        product_into(now, links[j + 1], hand)
        now[:, :] = hand
    hand[:, :] = now
    for j in range(count):
        ax, ay, az = jacobian[3, j], jacobian[4, j], jacobian[5, j]
        if turns[j]:
            x, y, z = (
                hand[0, 3] - jacobian[0, j],
                hand[1, 3] - jacobian[1, j],
                hand[2, 3] - jacobian[2, j],
            )
            vx, vy, vz = ay * z - az * y, az * x - ax * z, ax * y - ay * x
        else:
            vx, vy, vz = ax, ay, az
            ax, ay, az = 0.0, 0.0, 0.0
        for i in range(3):
            jacobian[i, j] = hand[0, i] * vx + hand[1, i] * vy + hand[2, i] * vz
            jacobian[3 + i, j] = hand[0, i] * ax + hand[1, i] * ay + hand[2, i] * az


@compiled
def _reach(
    links: Floats,
    axes: Floats,
    turns: NDArray[np.bool_],
    low: Floats,
    high: Floats,
    seed: Floats,
    start: Floats,
    target: Floats,
    best: Floats,
    errors: Floats,
    room: tuple[Floats, Floats, Floats, Floats],
) -> None:
    """Positions (J,) into `best` and what they miss (2,) into `errors`; see `SerialChain.reach`."""
    per_joint, six, hand, jacobian = room
    values, error, count = per_joint[0], six[0], len(seed)
    offset = 0.0
    for j in range(count):
        offset = max(offset, abs(start[j] - seed[j]))
    if offset < _SNAP_RAD:
        _place(links, axes, turns, seed, jacobian, hand)
        twist_into(hand, target, error)
        if np.abs(error).max() < _SAME:
            best[:] = seed
            _split(error, errors)
            return
    for j in range(count):
        values[j] = min(max(start[j], low[j]), high[j])
    best[:] = values
    errors[:] = np.inf
    least = np.inf
    for _ in range(_ITERATIONS):
        _place(links, axes, turns, values, jacobian, hand)
        twist_into(hand, target, error)
        size = np.abs(error).max()
        if size < least:
            best[:] = values
            least = size
            _split(error, errors)
        if size < _CONVERGED:
            break
        _advance(low, high, seed, values, error, jacobian, per_joint, six)


@compiled
def _split(error: Floats, out: Floats) -> None:
    out[0] = np.sqrt(error[0] ** 2 + error[1] ** 2 + error[2] ** 2)
    out[1] = np.sqrt(error[3] ** 2 + error[4] ** 2 + error[5] ** 2)


@compiled
def _advance(
    low: Floats,
    high: Floats,
    seed: Floats,
    values: Floats,
    error: Floats,
    jacobian: Floats,
    per_joint: Floats,
    six: Floats,
) -> None:
    """One damped step that stays within the limits."""
    count = len(seed)
    free, held, pull, step = per_joint[1], per_joint[2], per_joint[3], per_joint[4]
    damping = _LEAST_DAMPING
    for i in range(6):
        damping += _DAMPING * error[i] * error[i]
    free[:] = 1.0
    for j in range(count):
        pull[j] = _NULL_SPACE_GAIN * (seed[j] - values[j])
    _damped(jacobian, free, error, pull, damping, step, six)
    stuck = False
    for j in range(count):
        after = values[j] + step[j]
        held[j] = 0.0
        if after < low[j] or after > high[j]:
            stuck = True
            free[j] = 0.0
            held[j] = min(max(after, low[j]), high[j]) - values[j]
    if stuck:  # the others take over what a joint at its limit cannot do
        rest = six[1]
        for i in range(6):
            rest[i] = error[i]
            for j in range(count):
                rest[i] -= jacobian[i, j] * held[j]
        for j in range(count):
            pull[j] *= free[j]
        _damped(jacobian, free, rest, pull, damping, step, six)
        for j in range(count):
            step[j] = step[j] * free[j] + held[j]
    for j in range(count):
        values[j] = min(max(values[j] + step[j], low[j]), high[j])


@compiled
def _damped(
    jacobian: Floats,
    free: Floats,
    error: Floats,
    pull: Floats,
    damping: float,
    step: Floats,
    six: Floats,
) -> None:
    """Damped least squares over the free joints, with a pull (J,) in the null space."""
    count = len(pull)
    answer, gram = six[7], np.empty((6, 6))
    for i in range(6):
        answer[i] = error[i]
        for j in range(count):
            answer[i] -= jacobian[i, j] * free[j] * pull[j]
        for k in range(i + 1):
            value = damping if i == k else 0.0
            for j in range(count):
                value += jacobian[i, j] * free[j] * jacobian[k, j]
            gram[i, k] = value
    _solve(gram, answer)
    for j in range(count):
        step[j] = pull[j]
        for i in range(6):
            step[j] += jacobian[i, j] * free[j] * answer[i]


@compiled
def _solve(gram: Floats, answer: Floats) -> None:
    """Solve six equations, of which the lower half is given, in place (Cholesky)."""
    for i in range(6):
        for k in range(i + 1):
            value = gram[i, k]
            for m in range(k):
                value -= gram[i, m] * gram[k, m]
            # Damping keeps the matrix positive; rounding must not.
            gram[i, k] = np.sqrt(max(value, 1e-18)) if i == k else value / gram[k, k]
    for i in range(6):
        for m in range(i):
            answer[i] -= gram[i, m] * answer[m]
        answer[i] /= gram[i, i]
    for i in range(5, -1, -1):
        for m in range(i + 1, 6):
            answer[i] -= gram[m, i] * answer[m]
        answer[i] /= gram[i, i]


@compiled
def _follow(
    links: Floats,
    axes: Floats,
    turns: NDArray[np.bool_],
    low: Floats,
    high: Floats,
    seeds: Floats,
    targets: Floats,
    step: Floats,
    tolerance: Floats,
    persist: bool,
    positions: Floats,
    errors: Floats,
    room: tuple[Floats, Floats, Floats, Floats],
) -> int:
    """Fill positions (M, J) and errors (M, 2) from the second frame on; the first that fails."""
    per_joint = room[0]
    start, found = per_joint[5], per_joint[6]
    failed = -1
    for frame in range(len(seeds)):
        jumped = False
        if frame > 0:
            for j in range(seeds.shape[1]):
                start[j] = seeds[frame, j] + (positions[frame - 1, j] - seeds[frame - 1, j])
            _reach(
                links[min(frame, len(links) - 1)],
                axes,
                turns,
                low,
                high,
                seeds[frame],
                start,
                targets[frame],
                found,
                errors[frame],
                room,
            )
            for j in range(seeds.shape[1]):
                own = abs(seeds[frame, j] - seeds[frame - 1, j]) + _STEP_SLACK
                jumped |= abs(found[j] - positions[frame - 1, j]) > max(step[j], own)
                positions[frame, j] = found[j]
        missed = errors[frame, 0] > tolerance[0] or errors[frame, 1] > tolerance[1]
        if failed < 0 and (missed or jumped):
            failed = frame
            if not persist:
                break
    return failed
