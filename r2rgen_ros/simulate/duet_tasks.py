# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What two arms are asked to do: lift something together, hand something over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.simulate import objects
from r2rgen_ros.simulate.duet import Duet, taken_from_above
from r2rgen_ros.simulate.expert import HOVER_M, SLACK_M, above
from r2rgen_ros.simulate.rig import TWO_ARMS
from r2rgen_ros.simulate.steps import Poses, Region, Step, Task, standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DROP_M = 0.0007
_HIGH_M = 0.10
_MEETING = (0.48, 0.0, 0.26)
_ALONG = 0.105
"""How far from its middle either hand holds the baton, metres."""


def _lift_box(rng: np.random.Generator) -> Task:
    crate = objects.crate()
    site = Region((0.44, 0.52), (-0.06, 0.06), (-0.3, 0.3)).sample(rng)
    out, high = objects.CRATE_GRIPS

    def at_site(poses: Poses) -> Floats:  # noqa: ARG001
        return site

    def script(duet: Duet) -> None:
        pose = duet.poses['crate']
        left = taken_from_above(pose, (0.0, out, high), 0.0)
        right = taken_from_above(pose, (0.0, -out, high), 0.0)
        duet.move(left=above(left, HOVER_M), right=above(right, HOVER_M))
        with duet.skill('take crate (left)', 'take crate (right)'):
            duet.move(left=left, right=right)
            duet.grip('crate', 'left', 'right')
            duet.carry('crate', above(duet.poses['crate'], _HIGH_M), 'left', 'right')
        duet.require_lifted('crate', _HIGH_M - SLACK_M)
        duet.carry('crate', above(site, _HIGH_M), 'left', 'right')
        with duet.skill('put crate (left)', 'put crate (right)'):
            duet.carry('crate', above(site, _DROP_M), 'left', 'right')
            duet.rest(0.15)
            duet.release('left', 'right')
            tools = {name: above(duet.tool(name), HOVER_M) for name in ('left', 'right')}
            duet.move(**tools)

    return Task(
        'lift-box',
        'lift the crate with both hands and put it down elsewhere',
        (crate,),
        {'crate': Region((0.42, 0.54), (-0.10, 0.10), (-0.4, 0.4))},
        tuple(
            Step(f'{what} crate ({arm})', 'crate', goal, targets, arm=arm)
            for what, goal, targets in (('take', None, ('crate',)), ('put', at_site, ()))
            for arm in ('left', 'right')
        ),
        rig=TWO_ARMS,
        script=script,
    )


def _hand_over(rng: np.random.Generator) -> Task:  # noqa: ARG001
    baton, mat = objects.baton(), objects.mat()
    middle = 0.5 * baton.size[2]

    def on_mat(poses: Poses) -> Floats:
        mat2base = poses['mat']
        return mat2base @ standing(0.0, 0.0, 0.0, mat.rest)

    def meeting(poses: Poses) -> Floats:  # noqa: ARG001
        x, y, z = _MEETING
        return standing(x, y, 0.0, z)

    def end(pose: Floats, side: float) -> Floats:
        return taken_from_above(pose, (0.0, side * _ALONG, middle), 0.5 * np.pi)

    def script(duet: Duet) -> None:
        left = end(duet.poses['baton'], 1.0)
        duet.move(left=above(left, HOVER_M))
        with duet.skill('pick baton'):
            duet.move(left=left)
            duet.grip('baton', 'left')
            duet.move(left=above(left, _HIGH_M))
        duet.require_lifted('baton', 0.5 * _HIGH_M)
        meet = meeting(duet.poses)
        # Both set out at once: the right hand waits above where it will take the other end.
        tool2baton = se3.inverse(duet.poses['baton']) @ duet.tool('left')
        duet.move(left=meet @ tool2baton, right=above(end(meet, -1.0), HOVER_M))
        given = duet.begin('give baton')
        taken = duet.begin('take baton')
        duet.move(right=end(duet.poses['baton'], -1.0))
        duet.grip('baton', 'right')
        duet.rest(0.2)
        duet.release('left')
        duet.move(left=above(duet.tool('left'), HOVER_M))
        given()
        taken()
        duet.require_lifted('baton', 0.5 * _MEETING[2])
        goal = above(on_mat(duet.poses), _DROP_M)
        tool2baton = se3.inverse(duet.poses['baton']) @ duet.tool('right')
        duet.move('left', right=above(goal, _HIGH_M) @ tool2baton)
        with duet.skill('place baton'):
            duet.move(right=goal @ tool2baton)
            duet.rest(0.15)
            duet.release('right')
            duet.move(right=above(duet.tool('right'), HOVER_M))

    return Task(
        'hand-over',
        'take the baton with the left hand, hand it to the right, put it onto the mat',
        (baton, mat),
        {
            'baton': Region((0.42, 0.56), (0.16, 0.30), (-0.35, 0.35)),
            'mat': Region((0.42, 0.56), (-0.32, -0.18), (-0.35, 0.35)),
        },
        (
            Step('pick baton', 'baton', targets=('baton',), arm='left'),
            Step('give baton', 'baton', meeting, judge=_not_handed_over, arm='left'),
            Step('take baton', 'baton', targets=('baton',), arm='right'),
            Step('place baton', 'baton', on_mat, ('mat',), arm='right', within_m=0.02),
        ),
        rig=TWO_ARMS,
        script=script,
    )


def _not_handed_over(paths: Poses) -> str:
    """Say where the baton was not held up on its way."""
    if float(paths['baton'][:, 2, 3].max()) < 0.5 * _MEETING[2]:
        return 'the baton was not held up'
    return ''


TASKS: dict[str, Callable[[np.random.Generator], Task]] = {
    'lift-box': _lift_box,
    'hand-over': _hand_over,
}
