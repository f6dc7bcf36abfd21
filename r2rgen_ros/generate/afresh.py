# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Paths of the hand that are begun in another configuration than the recorded one.

After a motion that is led along joints an arm may begin a skill with any joints that bring the hand
there. The recorded ones come first. Where the arm gets stuck with them, positions spread evenly
between them and the limits of the joints are tried (a lattice after M. Roberts, 2018, whose steps
are powers of the root of x^(J + 1) = x + 1), each led to the beginning of the path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.generate.motion import episode_stamps
from r2rgen_ros.geometry import se3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from r2rgen_ros.generate.course import ArmModel
    from r2rgen_ros.robots.kinematics import IkPath

    Floats = NDArray[np.float64]

_STARTS = 12
_FAR = 0.5  # how far towards a place between the limits a start is, from the recorded joints
_ROOT_ROUNDS = 60
_SLACK = 1e-6


def follow_afresh(
    arm: ArmModel,
    times: Floats,
    ee2base: Floats,
    *,
    forced: bool = False,
    before: Floats | None = None,
) -> tuple[IkPath, Floats]:
    """Joints that bring the hand along poses in time, begun in any configuration.

    Args:
        arm: The arm.
        times: (M,) source frames, M at least 1.
        ee2base: (M, 4, 4) where the hand shall be.
        forced: Whether the arm shall try what it cannot do; then it begins as recorded.
        before: (J,) joints that it comes from, which are tried first; None for the recorded ones.

    Returns:
        The path, and how far (J,) from the recorded joints it is begun. Where it is too fast with
        all, the first with which the arm gets along; where it gets stuck with all, the farthest.

    """
    columns = arm.check.columns
    best, start = None, np.zeros(len(columns))
    for away in _begun(arm, times, ee2base, None if forced else before):
        found = arm.follow(times, ee2base, forced=forced, away=away)
        if best is None or 0 <= best.first_failed < _end(found):
            best, start = found, away
        if forced or _in_time(arm, times, found):
            return found, away
    assert best is not None
    return best, start


def _begun(
    arm: ArmModel, times: Floats, ee2base: Floats, before: Floats | None
) -> Iterator[Floats]:
    """How far (J,) from the recorded joints the beginning of a path can be reached."""
    columns = arm.check.columns
    recorded = arm.recorded(times[:1])
    own = recorded[0, columns]
    if before is None:
        yield np.zeros(len(columns))
    target = ee2base[:1] @ se3.interpolate(arm.hand2joints, times[:1])
    first = [] if before is None else [before, own]
    for start in (*first, *_starts(arm, own)):
        rows = recorded.copy()
        rows[0, columns] = start
        reached = arm.robot.reach(arm.joints.names, target, rows)
        if reached is not None:
            yield reached[0, columns] - own
    if before is not None:
        yield np.zeros(len(columns))


def _end(found: IkPath) -> float:
    """How far an arm gets along a path."""
    return np.inf if found.first_failed < 0 else float(found.first_failed)


def _in_time(arm: ArmModel, times: Floats, found: IkPath) -> bool:
    """Whether the arm gets along a whole path, no faster than it may as the source's frames go."""
    if found.first_failed >= 0:
        return False
    stamps = episode_stamps(arm.demo.stamps, times)
    shares = arm.check.shares(found.positions, stamps)
    return max(float(share.max(initial=0.0)) for share in shares) <= 1.0 + _SLACK


def _starts(arm: ArmModel, recorded: Floats) -> Floats:
    """Joints (S, J) to start from: each halfway between those recorded (J,) and somewhere else."""
    low, high = arm.robot.limits(arm.robot.chain).T
    low, high = np.maximum(low, recorded - np.pi), np.minimum(high, recorded + np.pi)
    count = len(recorded)
    root = 2.0
    for _ in range(_ROOT_ROUNDS):
        root = (1.0 + root) ** (1.0 / (count + 1))
    steps = root ** -np.arange(1.0, count + 1.0)
    shares = (0.5 + np.arange(1, _STARTS + 1)[:, None] * steps) % 1.0
    return np.asarray(recorded + _FAR * (low + shares * (high - low) - recorded))
