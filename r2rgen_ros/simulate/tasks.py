# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the virtual robot is asked to do: its tasks by name."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.simulate import duet_tasks, objects
from r2rgen_ros.simulate.steps import Poses, Region, Step, Task, heading, standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from r2rgen_ros.simulate.objects import Thing

    Floats = NDArray[np.float64]


def _on(target: Thing) -> Callable[[Poses], Floats]:
    """Return the goal in the middle of a plate or bowl."""

    def goal(poses: Poses) -> Floats:
        return poses[target.name] @ standing(0.0, 0.0, 0.0, target.rest)

    return goal


def _put_one(name: str, says: str, thing: Thing, target: Thing) -> Task:
    """Return the task of putting one object onto or into another."""
    table = ((0.38, 0.62), (-0.27, 0.27))
    return Task(
        name,
        says,
        (thing, target),
        {thing.name: Region(*table, (-1.2, 1.2)), target.name: Region(*table, (-np.pi, np.pi))},
        (
            Step(f'pick {thing.name}', thing.name, targets=(thing.name,)),
            Step(f'place {thing.name}', thing.name, _on(target), (target.name,), keeps_yaw=True),
        ),
    )


def _place_bottle(rng: np.random.Generator) -> Task:  # noqa: ARG001
    return _put_one(
        'place-bottle', 'put the bottle onto the plate', objects.bottle(), objects.plate()
    )


def _mug_in_bowl(rng: np.random.Generator) -> Task:  # noqa: ARG001
    return _put_one('mug-in-bowl', 'put the mug into the bowl', objects.mug(), objects.bowl())


def _box_in_bowl(rng: np.random.Generator) -> Task:  # noqa: ARG001
    return _put_one('box-in-bowl', 'put the box into the bowl', objects.box(), objects.bowl())


def _build_bridge(rng: np.random.Generator) -> Task:
    first = objects.pier('pier_1', (0.78, 0.20, 0.17))
    second = objects.pier('pier_2', (0.16, 0.36, 0.72))
    deck = objects.deck()
    site = Region((0.43, 0.47), (-0.03, 0.03), (-0.25, 0.25)).sample(rng)
    span = 0.07

    def at_site(poses: Poses) -> Floats:  # noqa: ARG001
        return site @ standing(0.0, -span, 0.0)

    def beside_first(poses: Poses) -> Floats:
        return poses['pier_1'] @ standing(0.0, 2.0 * span, 0.0)

    def across(poses: Poses) -> Floats:
        middle = 0.5 * (poses['pier_1'][:3, 3] + poses['pier_2'][:3, 3])
        along = poses['pier_2'][:2, 3] - poses['pier_1'][:2, 3]
        yaw = float(np.arctan2(-along[0], along[1]))  # the deck's length is its y axis
        return standing(middle[0], middle[1], yaw, middle[2] + first.size[2])

    return Task(
        'build-bridge',
        'build a bridge of two piers and a deck',
        (first, second, deck),
        {
            'pier_1': Region((0.36, 0.56), (-0.34, -0.22), (-0.6, 0.6)),
            'pier_2': Region((0.36, 0.56), (0.22, 0.34), (-0.6, 0.6)),
            'deck': Region((0.65, 0.68), (-0.08, 0.08), (-0.5, 0.5)),
        },
        (
            Step('pick pier_1', 'pier_1', targets=('pier_1',)),
            Step('place pier_1', 'pier_1', at_site),
            Step('pick pier_2', 'pier_2', targets=('pier_2',)),
            Step('place pier_2', 'pier_2', beside_first, ('pier_1',)),
            Step('pick deck', 'deck', targets=('deck',)),
            Step('place deck', 'deck', across, ('pier_1', 'pier_2')),
        ),
        site=site,
        site_size=deck.size,
        carry_m=0.16,
    )


def _stack_bricks(rng: np.random.Generator) -> Task:  # noqa: ARG001
    bricks = (
        objects.brick('brick_1', (0.72, 0.16, 0.14)),
        objects.brick('brick_2', (0.95, 0.76, 0.12)),
        objects.brick('brick_3', (0.13, 0.42, 0.70)),
    )
    half_turn = 0.5 * np.pi  # a brick looks the same after half a turn
    table = Region((0.40, 0.66), (-0.34, 0.34), (-half_turn, half_turn))
    steps = []
    for below, brick in pairwise(bricks):
        name = brick.name
        steps.append(Step(f'pick {name}', name, targets=(name,)))
        steps.append(Step(f'place {name}', name, _on(below), (below.name,), within_m=0.015))
    return Task(
        'stack-bricks',
        'stack three bricks',
        bricks,
        {brick.name: table for brick in bricks},
        tuple(steps),
    )


_HANGS_AT = 0.087
"""Distance of a cup on the peg from the middle of the stand's post, metres."""


def _hang_cup(rng: np.random.Generator) -> Task:  # noqa: ARG001
    cup, stand = objects.cup(), objects.stand()
    peg = np.array(objects.PEG.end) - objects.PEG.start
    peg /= np.linalg.norm(peg)

    def hung(poses: Poses) -> Floats:
        return poses[stand.name] @ _hung_on_peg(cup, poses[stand.name])

    def onto_peg(poses: Poses) -> tuple[Floats, ...]:
        goal = hung(poses)
        lift = np.array([0.0, 0.0, 0.006])  # the peg in the middle of the handle's hole
        out = poses[stand.name][:3, :3] @ (0.08 * peg) + lift
        return (
            _shifted(goal, out + np.array([0.0, 0.0, 0.12])),  # above all of the stand
            _shifted(goal, out),
            _shifted(goal, lift),
        )

    return Task(
        'hang-cup',
        'hang the cup on the peg of the stand',
        (cup, stand),
        {
            cup.name: Region((0.38, 0.64), (-0.30, 0.30), (np.pi - 1.22, np.pi + 1.22)),
            stand.name: Region((0.45, 0.57), (-0.26, 0.12), (-0.05, 0.65), (0.0, 2.7)),
        },
        (
            Step('pick cup', cup.name, targets=(cup.name,)),
            Step('hang cup', cup.name, hung, (stand.name,), path=onto_peg, judge=_not_hanging),
        ),
        carry_m=0.26,
    )


def _hung_on_peg(cup: Thing, stand2base: Floats) -> Floats:
    """Pose cup2stand (4, 4) of the cup at rest on the peg, its middle of mass under the peg.

    Its foot shows to the right of the table, where the hand then points.
    """
    handle, rod = objects.CUP_HANDLE, objects.PEG
    arc = np.array([handle.middle[0], 0.0, handle.middle[1]])
    inside = arc - [0.0, 0.0, 0.42 * cup.size[2]]  # from the middle of mass, see `world`
    inside /= np.linalg.norm(inside)
    axis = np.array(rod.end) - rod.start
    slant = np.arctan2(axis[2], axis[0])
    touching = arc + (handle.radius - (handle.thickness + rod.radius) / np.cos(slant)) * inside
    tilt = np.arctan2(inside[0], inside[2])
    side = 0.5 * np.pi if np.cos(heading(stand2base)) < 0.0 else -0.5 * np.pi
    turn = se3.rotation_about([0.0, 0.0, 1.0], side) @ se3.rotation_about([0.0, 1.0, 0.0], -tilt)
    place = np.array(rod.start) + axis * (_HANGS_AT / axis[0])
    return se3.compose(turn, place - turn @ touching)


def _not_hanging(paths: Poses) -> str:
    """Say what keeps the cup from hanging on the peg, from object2base (N, 4, 4) of both."""
    handle, rod = objects.CUP_HANDLE, objects.PEG
    stand2cup = se3.inverse(paths['cup'][-1]) @ paths['stand'][-1]
    start, end = se3.apply(stand2cup, np.array([rod.start, rod.end]))
    if start[1] * end[1] >= 0.0:
        return 'the cup does not hang on the peg'
    x, _, z = start + (end - start) * (start[1] / (start[1] - end[1]))
    if x < handle.wall or np.hypot(x - handle.middle[0], z - handle.middle[1]) > handle.radius:
        return 'the peg does not pass through the handle of the cup'
    if paths['cup'][-1][2, 3] < 0.05:
        return 'the cup touches the table'
    return ''


def _shifted(pose: Floats, by: Floats) -> Floats:
    out = pose.copy()
    out[:3, 3] += by
    return out


_LEAN = 0.8
_POUR = 1.75
"""How far the hand leans, and how far it tilts a cup, to pour: radians."""


def _pour(rng: np.random.Generator) -> Task:  # noqa: ARG001
    cup, bowl, coaster = objects.tumbler(), objects.bowl(), objects.coaster()
    assert cup.grip is not None
    height = cup.grip.height
    mouth = np.array([0.0, 0.0, cup.size[2]])

    def from_the_side(poses: Poses) -> Floats:
        # From the left, leaning: tilted to the right, the hand is then above the cup.
        lean = se3.rotation_about([1.0, 0.0, 0.0], -_LEAN)
        down = se3.rotation_about([0.0, 0.0, 1.0], 0.5 * np.pi) @ np.diag([1.0, -1.0, -1.0])
        return se3.compose(lean @ down, poses[cup.name][:3, 3] + [0.0, 0.0, height])

    def beside(poses: Poses) -> Floats:
        x, y, z = poses[bowl.name][:3, 3]
        return standing(x, y + 0.08, heading(poses[cup.name]), z + 0.16)

    def over(poses: Poses) -> tuple[Floats, ...]:
        upright = beside(poses)
        tilted = se3.rotation_about([1.0, 0.0, 0.0], _POUR) @ upright[:3, :3]
        above = poses[bowl.name][:3, 3] + [0.0, 0.01, 0.21]
        pouring = se3.compose(tilted, above - tilted @ mouth)
        return upright, pouring, pouring

    def not_poured(paths: Poses) -> str:
        tilt = np.degrees(np.arccos(np.clip(paths[cup.name][:, 2, 2], -1.0, 1.0)))
        at = se3.apply(se3.inverse(paths[bowl.name]) @ paths[cup.name], mouth[None])[:, 0]
        inside = np.hypot(at[:, 0], at[:, 1]) < 0.5 * bowl.size[0]
        inside &= (at[:, 2] > bowl.size[2]) & (at[:, 2] < 0.3)
        if not (inside & (tilt > 80.0) & (tilt < 130.0)).any():
            return f'the {cup.name} was not emptied over the {bowl.name}'
        return ''

    x, yaw = (0.40, 0.59), (-np.pi, np.pi)
    return Task(
        'pour',
        'pour from the tumbler into the bowl and put it onto the coaster',
        (cup, bowl, coaster),
        {
            cup.name: Region(x, (-0.30, 0.30), yaw),
            bowl.name: Region(x, (-0.28, 0.16), yaw),  # tilted to the left of it, reach ends
            coaster.name: Region(x, (-0.30, 0.30), yaw),
        },
        (
            Step('pick tumbler', cup.name, targets=(cup.name,), grasp=from_the_side),
            Step(
                'pour over bowl',
                cup.name,
                beside,
                (bowl.name,),
                path=over,
                lets_go=False,
                judge=not_poured,
            ),
            Step('place tumbler', cup.name, _on(coaster), (coaster.name,), keeps_yaw=True),
        ),
    )


_TASKS: dict[str, Callable[[np.random.Generator], Task]] = {
    'place-bottle': _place_bottle,
    'mug-in-bowl': _mug_in_bowl,
    'box-in-bowl': _box_in_bowl,
    'build-bridge': _build_bridge,
    'hang-cup': _hang_cup,
    'stack-bricks': _stack_bricks,
    'pour': _pour,
}
NAMES = tuple(_TASKS)
"""Tasks of one arm."""
ALL_NAMES = (*NAMES, *duet_tasks.TASKS)


def make_task(name: str, rng: np.random.Generator) -> Task:
    """Return a task by name.

    Args:
        name: One of `ALL_NAMES`.
        rng: Draws what differs from seed to seed, such as where a bridge is built.

    Raises:
        R2RGenError: No such task.

    """
    known = {**_TASKS, **duet_tasks.TASKS}
    if name not in known:
        raise R2RGenError(f'there is no task "{name}"', f'one of {", ".join(known)}')
    return known[name](rng)
