# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a task is made of: where objects may start, the steps, and how the end is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.simulate.rig import ONE_ARM, Rig

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.simulate.duet import Duet
    from r2rgen_ros.simulate.objects import Thing

    Floats = NDArray[np.float64]

Poses = Mapping[str, 'Floats']

GAP_M = 0.06
"""Room between two objects at the start, for the fingers."""
REST_SPEED = 0.01
"""What moves more slowly is at rest, m/s."""
_TRIES = 1000


@dataclass(frozen=True)
class Region:
    """Where something may stand on the table.

    Attributes:
        x: Range, metres.
        y: Range, metres.
        yaw: Range, radians.
        turns: What may be added to the yaw, each as likely as the others, radians.

    """

    x: tuple[float, float]
    y: tuple[float, float]
    yaw: tuple[float, float]
    turns: tuple[float, ...] = (0.0,)

    def sample(self, rng: np.random.Generator) -> Floats:
        """Draw a pose thing2base (4, 4)."""
        x, y, yaw = (rng.uniform(*span) for span in (self.x, self.y, self.yaw))
        # Of one there is nothing to draw.
        turn = int(rng.integers(len(self.turns))) if len(self.turns) > 1 else 0
        return standing(x, y, yaw + self.turns[turn])


@dataclass(frozen=True)
class Step:
    """One skill: the hand takes an object, or brings the one it holds somewhere.

    Attributes:
        name: Name of the skill.
        thing: The object in question.
        goal: Where it shall stand, object2base (4, 4) from the poses of all; None to take it.
        targets: Names of the objects that the goal depends on; without any, it is a place on the
            table.
        keeps_yaw: Whether the object may keep the heading it has in the hand.
        within_m: How far beside its goal it may stand, metres.
        grasp: How it is taken, tool2base (4, 4) from the poses of all; None for its own grip.
        path: Where it is led on its way to the goal, object2base (4, 4) each; the skill begins at
            the first. None to come down from above.
        lets_go: Whether the hand opens at the goal.
        judge: Says what went wrong, from object2base (N, 4, 4) of all over time; empty where all is
            well. None where the object shall stand at its goal in the end.
        arm: Name of the arm.

    """

    name: str
    thing: str
    goal: Callable[[Poses], Floats] | None = None
    targets: tuple[str, ...] = ()
    keeps_yaw: bool = False
    within_m: float = 0.02
    grasp: Callable[[Poses], Floats] | None = None
    path: Callable[[Poses], tuple[Floats, ...]] | None = None
    lets_go: bool = True
    judge: Callable[[Poses], str] | None = None
    arm: str = 'arm'


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
        rig: The robot.
        script: What several arms do; None for one arm, which does step after step.

    """

    name: str
    says: str
    things: tuple[Thing, ...]
    regions: Mapping[str, Region]
    steps: tuple[Step, ...]
    site: Floats | None = None
    site_size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    carry_m: float = 0.14
    rig: Rig = ONE_ARM
    script: Callable[[Duet], None] | None = None

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

    def failure(self, paths: Poses, *, moved: bool = False) -> str:
        """Return what went wrong; empty where all is well.

        Args:
            paths: True object2base (..., 4, 4) by name: over time, the end last, or the end alone.
                What has to happen on the way, such as pouring, is only seen in the former.
            moved: Whether everything was done elsewhere on the table than the task says. Then a
                place on the table does not count, but heights, tilts and what stands on what do.

        """
        over_time = {name: np.reshape(path, (-1, 4, 4)) for name, path in paths.items()}
        ends = {name: path[-1] for name, path in over_time.items()}
        for step in self.steps:
            if step.judge is not None:
                wrong = step.judge(over_time)
            elif step.goal is not None:
                anywhere = moved and not step.targets
                wrong = _deviation(step, step.goal(ends), ends[step.thing], anywhere=anywhere)
            else:
                continue
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


def _deviation(step: Step, goal: Floats, pose: Floats, *, anywhere: bool) -> str:
    aside = 1e3 * float(np.linalg.norm(pose[:2, 3] - goal[:2, 3]))
    high = 1e3 * abs(float(pose[2, 3] - goal[2, 3]))
    tilt = float(np.degrees(np.arccos(np.clip(pose[2, 2], -1.0, 1.0))))
    if aside > 1e3 * step.within_m and not anywhere:
        return f'the {step.thing} stands {aside:.0f} mm beside where it belongs'
    if high > 6.0:
        return f'the {step.thing} is {high:.0f} mm above or below where it belongs'
    if tilt > 5.0:
        return f'the {step.thing} is tilted by {tilt:.0f} degrees'
    return ''
