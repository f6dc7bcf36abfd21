# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the virtual robot is asked to do: objects, where they may start, steps, and success."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.simulate import objects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.simulate.objects import Thing

    Floats = NDArray[np.float64]

Poses = Mapping[str, 'Floats']

GAP_M = 0.06
"""Room between two objects at the start, for the fingers."""
_TRIES = 1000


@dataclass(frozen=True)
class Region:
    """Where something may stand on the table: ranges of x, y (metres) and yaw (radians)."""

    x: tuple[float, float]
    y: tuple[float, float]
    yaw: tuple[float, float]

    def sample(self, rng: np.random.Generator) -> Floats:
        """Draw a pose thing2base (4, 4)."""
        x, y, yaw = (rng.uniform(*span) for span in (self.x, self.y, self.yaw))
        return standing(x, y, yaw)


@dataclass(frozen=True)
class Step:
    """One skill: the hand takes an object, or puts down the one it holds.

    Attributes:
        name: Name of the skill.
        thing: The object in question.
        goal: Where it shall stand, object2base (4, 4) from the poses of all; None to take it.
        targets: Names of the objects that the goal depends on.
        keeps_yaw: Whether the object may keep the heading it has in the hand.

    """

    name: str
    thing: str
    goal: Callable[[Poses], Floats] | None = None
    targets: tuple[str, ...] = ()
    keeps_yaw: bool = False


@dataclass(frozen=True)
class Task:
    """A task of the virtual robot.

    Attributes:
        name: As in `--task`.
        says: What happens, for people.
        things: The objects, in the order of the ground truth.
        regions: Where each object may start.
        steps: The skills in order.
        site: Where something is built, if anywhere; kept clear at the start.
        site_size: Extents (3,) of what is kept clear there, metres.
        carry_m: Height of an object's foot above the table while it is carried.

    """

    name: str
    says: str
    things: tuple[Thing, ...]
    regions: Mapping[str, Region]
    steps: tuple[Step, ...]
    site: Floats | None = None
    site_size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    carry_m: float = 0.14

    def sample(self, rng: np.random.Generator) -> dict[str, Floats]:
        """Draw starting poses object2base (4, 4) by name, without overlap.

        Raises:
            R2RGenError: There is no room.

        """
        for _ in range(_TRIES):
            poses = {thing.name: self.regions[thing.name].sample(rng) for thing in self.things}
            if self._clear(poses):
                return poses
        raise R2RGenError(f'the objects of task "{self.name}" find no room on the table')

    def _clear(self, poses: Poses) -> bool:
        circles = [_circles(poses[thing.name], thing.size) for thing in self.things]
        if self.site is not None:
            circles.append(_circles(self.site, self.site_size))
        return all(_apart(a, b) >= GAP_M for i, a in enumerate(circles) for b in circles[:i])

    def failure(self, poses: Poses) -> str:
        """Return what is wrong with the end, from true poses; empty where all is well."""
        for step in self.steps:
            if step.goal is None:
                continue
            wrong = _deviation(step, poses)
            if wrong:
                return wrong
        return ''


def standing(x: float, y: float, yaw: float, z: float = 0.0) -> Floats:
    """Pose (4, 4) of an object that stands upright."""
    return se3.compose(se3.rotation_about([0.0, 0.0, 1.0], yaw), [x, y, z])


def heading(pose: Floats) -> float:
    """Yaw of a pose (4, 4), radians."""
    return float(np.arctan2(pose[1, 0], pose[0, 0]))


def _circles(pose: Floats, size: tuple[float, float, float]) -> Floats:
    """Circles (C, 3) of x, y and radius on the table that cover an upright object's footprint."""
    short, long = sorted(size[:2])
    count = int(np.ceil(long / short))
    along = (np.arange(count) - 0.5 * (count - 1)) * long / count
    axis = pose[:2, 0] if size[0] > size[1] else pose[:2, 1]
    radius = 0.5 * np.hypot(short, long / count)
    return np.column_stack([pose[:2, 3] + along[:, None] * axis, np.full(count, radius)])


def _apart(first: Floats, second: Floats) -> float:
    """Smallest gap between two sets of circles (C, 3), metres."""
    between = np.linalg.norm(first[:, None, :2] - second[None, :, :2], axis=-1)
    return float((between - first[:, None, 2] - second[None, :, 2]).min())


def _deviation(step: Step, poses: Poses) -> str:
    assert step.goal is not None
    pose, goal = poses[step.thing], step.goal(poses)
    aside = 1e3 * float(np.linalg.norm(pose[:2, 3] - goal[:2, 3]))
    high = 1e3 * abs(float(pose[2, 3] - goal[2, 3]))
    tilt = float(np.degrees(np.arccos(np.clip(pose[2, 2], -1.0, 1.0))))
    if aside > 20.0:
        return f'the {step.thing} stands {aside:.0f} mm beside where it belongs'
    if high > 6.0:
        return f'the {step.thing} is {high:.0f} mm above or below where it belongs'
    if tilt > 5.0:
        return f'the {step.thing} is tilted by {tilt:.0f} degrees'
    return ''


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


_TASKS: dict[str, Callable[[np.random.Generator], Task]] = {
    'place-bottle': _place_bottle,
    'mug-in-bowl': _mug_in_bowl,
    'box-in-bowl': _box_in_bowl,
    'build-bridge': _build_bridge,
}
NAMES = tuple(_TASKS)


def make_task(name: str, rng: np.random.Generator) -> Task:
    """Return a task by name.

    Args:
        name: One of `NAMES`.
        rng: Draws what differs from seed to seed, such as where a bridge is built.

    Raises:
        R2RGenError: No such task.

    """
    if name not in _TASKS:
        raise R2RGenError(f'there is no task "{name}"', f'one of {", ".join(NAMES)}')
    return _TASKS[name](rng)
