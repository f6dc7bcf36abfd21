# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A first annotation for a person to confirm: objects, grasps and skills.

Objects are those prompted, or what stands on the support. A grasp is a closed gripper beside an
object. A skill is the part of the demonstration in which a hand, or what it holds, is near an
object that it is about to touch or has just let go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import Annotation, Grasp, ObjectNote, Prompt, Skill
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.prompts import select
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.parse.tracking import grasp_intervals, track

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Arm
    from r2rgen_ros.parse.scene import Ground

_NEAR_M = 0.1
_RETREAT_M = 0.08
_LIFT_M = 0.05
_TOUCH_M = 0.03
_GRASP_REACH_M = 0.25
_TOOL_NEAR_M = 0.06
_THINNED = 5000
_SMALLEST_M = 0.015
_LARGEST_M = 0.5
_MOST_OBJECTS = 12


@dataclass(frozen=True)
class _Body:
    """An object as far as proposals need it: points and poses."""

    note: ObjectNote
    points: NDArray[np.float64]
    poses: NDArray[np.float64]

    def at(self, frame: int) -> NDArray[np.float64]:
        """Its points (N, 3) in a frame, base frame."""
        return se3.apply(self.poses[frame], self.points)


def propose(ground: Ground, folder: Path, notes: Sequence[ObjectNote] = ()) -> Annotation:
    """Propose an annotation.

    Args:
        ground: The survey of the demonstration.
        folder: Folder that mask paths are relative to.
        notes: Objects that a person has prompted; empty to take all that stands on the support.

    Returns:
        Objects, skills and the support plane, with notes on what to check.

    Raises:
        R2RGenError: No object is found, or a prompt selects nothing.

    """
    remarks: list[str] = list(ground.demo.warnings)
    bodies = _bodies(ground, folder, notes or _standing(ground))
    held = []
    for arm in ground.demo.arms:
        bodies, own = _grasped(ground, bodies, arm, remarks)
        held += own
    skills = _grasp_skills(ground, bodies, held)
    if not held:
        skills = _tool_skills(ground, bodies)
        if skills:
            remarks.append('no grasp was found: skills are where a held tool is near an object')
    if not skills:
        remarks.append('no skill was found: mark first and last frames by hand')
    if not np.isfinite(ground.support.residual):
        remarks.append('the support plane is assumed, level under the lowest points: none is seen')
    return Annotation(
        tuple(body.note for body in bodies),
        tuple(skills),
        ground.support,
        len(ground.demo),
        tuple(remarks),
    )


def _standing(ground: Ground) -> list[ObjectNote]:
    """Notes for the clusters of the first frame that have the size of an object."""
    candidates = ground.candidates(0)
    points = candidates.snapshot.points
    sized = []
    for k in candidates.objects:
        mine = points[candidates.label == k]
        extent = np.ptp(mine, axis=0).max()
        stands = float(ground.support.height(mine).min()) < _TOUCH_M
        if stands and _SMALLEST_M <= extent <= _LARGEST_M:
            sized.append(mine)
    if not sized:
        raise R2RGenError(
            'nothing stands on the support in the first frame',
            'objects in view before the robot covers them',
            'point at them with --point, --pixel, --box or --mask',
        )
    # Names go from left to right as the base frame's y falls, so that they are easy to tell.
    sized = sorted(sized[:_MOST_OBJECTS], key=lambda mine: -float(mine[:, 1].mean()))
    return [
        ObjectNote(f'object_{place + 1}', Prompt(point=_handle(mine)))
        for place, mine in enumerate(sized)
    ]


def _handle(points: NDArray[np.float64]) -> tuple[float, float, float]:
    """The point of a cluster nearest to its centre, as a click would give it."""
    centre = points.mean(axis=0)
    x, y, z = points[int(np.linalg.norm(points - centre, axis=1).argmin())]
    return round(float(x), 4), round(float(y), 4), round(float(z), 4)


def _bodies(ground: Ground, folder: Path, notes: Sequence[ObjectNote]) -> list[_Body]:
    found = {frame: ground.candidates(frame) for frame in {note.prompt.frame for note in notes}}
    bodies = []
    for note in notes:
        candidates = found[note.prompt.frame]
        points = candidates.snapshot.points[select(ground.demo, note, candidates, folder)]
        centre = points.mean(axis=0)
        start = se3.compose(np.eye(3), centre)
        poses = track(ground.demo, start, note.prompt.frame, note.grasps)
        bodies.append(_Body(note, points - centre, poses))
    return bodies


def _grasped(
    ground: Ground, bodies: list[_Body], arm: Arm, remarks: list[str]
) -> tuple[list[_Body], list[tuple[int, Grasp]]]:
    """Give each span of a closed gripper to the object nearest to the hand."""
    out = list(bodies)
    held = []
    for first, last in grasp_intervals(arm):
        if last - first < 2:
            continue
        hand = arm.ee2base[first, :3, 3]
        gaps = [float(np.linalg.norm(body.at(first) - hand, axis=1).min()) for body in out]
        best = int(np.argmin(gaps))
        if gaps[best] > _GRASP_REACH_M or first <= out[best].note.prompt.frame:
            remarks.append(f'the gripper closes at frame {first} with no object near it')
            continue
        grasp = Grasp(arm.name, first, last)
        note = replace(out[best].note, grasps=(*out[best].note.grasps, grasp))
        start = out[best].poses[note.prompt.frame]
        poses = track(ground.demo, start, note.prompt.frame, note.grasps)
        out[best] = _Body(note, out[best].points, poses)
        held.append((best, grasp))
    return out, held


def _grasp_skills(
    ground: Ground, bodies: list[_Body], held: list[tuple[int, Grasp]]
) -> list[Skill]:
    """A pick and a place for every grasp."""
    skills: list[Skill] = []
    arms = {arm.name: arm for arm in ground.demo.arms}
    free_from = dict.fromkeys(arms, 0)
    ordered = sorted(held, key=lambda entry: entry[1].first)
    for place, (k, grasp) in enumerate(ordered):
        body, arm = bodies[k], arms[grasp.arm]
        following = [g.first for _, g in ordered[place + 1 :] if g.arm == grasp.arm]
        stop = following[0] - 1 if following else len(ground.demo) - 1
        picked, released = _pick(arm, grasp, free_from[grasp.arm]), _place(arm, grasp, stop)
        if released is not None and released[0] <= picked[1]:
            middle = (grasp.first + grasp.last) // 2
            picked = (picked[0], min(picked[1], middle))
            released = (max(released[0], middle + 1), max(released[1], middle + 1))
        name = body.note.name
        skills.append(Skill(f'pick {name}', *picked, (name,), (), grasp.arm))
        free_from[grasp.arm] = picked[1] + 1
        if released is not None:
            targets = _touched(ground, bodies, k, grasp.last)
            where = f' at {" and ".join(targets)}' if targets else ''
            skills.append(Skill(f'place {name}{where}', *released, targets, (name,), grasp.arm))
            free_from[grasp.arm] = released[1] + 1
    return _numbered(skills)


def _pick(arm: Arm, grasp: Grasp, earliest: int) -> tuple[int, int]:
    """From the approach to the lift."""
    path = arm.ee2base[:, :3, 3]
    away = np.linalg.norm(path - path[grasp.first], axis=1)
    before = np.flatnonzero(away[: grasp.first] > _NEAR_M)
    first = int(before[-1]) + 1 if before.size else 0
    lifted = np.flatnonzero(away[grasp.first : grasp.last + 1] > _LIFT_M)
    last = grasp.first + int(lifted[0]) if lifted.size else grasp.first
    return max(first, earliest), max(last, first, earliest)


def _place(arm: Arm, grasp: Grasp, stop: int) -> tuple[int, int] | None:
    """From the approach to the retreat; None where the object is never let go."""
    if grasp.last >= len(arm.ee2base) - 2:
        # Held to the end: bringing it there is the skill, if the hand went anywhere.
        path = arm.ee2base[:, :3, 3]
        if np.linalg.norm(path[-1] - path[grasp.first]) < _NEAR_M:
            return None
    path = arm.ee2base[:, :3, 3]
    away = np.linalg.norm(path - path[grasp.last], axis=1)
    before = np.flatnonzero(away[grasp.first : grasp.last] > _NEAR_M)
    first = grasp.first + int(before[-1]) + 1 if before.size else grasp.last
    after = np.flatnonzero(away[grasp.last : stop + 1] > _RETREAT_M)
    last = grasp.last + int(after[0]) if after.size else stop
    return first, max(first, last)


def _touched(ground: Ground, bodies: list[_Body], k: int, frame: int) -> tuple[str, ...]:
    """Objects that an object is brought to: those it touches, else the one it must rest on."""
    mine = bodies[k].at(frame)
    tree = cKDTree(mine)
    gaps = {
        body.note.name: float(np.min(tree.query(body.at(frame))[0]))
        for other, body in enumerate(bodies)
        if other != k
    }
    touched = tuple(name for name, gap in gaps.items() if gap < _TOUCH_M)
    floats = float(ground.support.height(mine).min()) > _TOUCH_M
    if not touched and floats and gaps:
        return (min(gaps, key=lambda name: gaps[name]),)
    return touched


def _tool_skills(ground: Ground, bodies: list[_Body]) -> list[Skill]:
    """Skills of a tool that is in the hand all along: the frames in which it is near an object."""
    demo = ground.demo
    start = ground.candidates(0)
    others = start.snapshot.points[~np.isin(start.label, sorted(start.robot))]
    still = cKDTree(others[:: max(1, len(others) // (10 * _THINNED))])
    skills = []
    for body in bodies:
        tree = cKDTree(body.at(0))
        near = []
        for frame in range(len(demo)):
            moving = _not_still(still, Snapshot.take(demo, frame).points)
            gap = float(np.min(tree.query(moving)[0])) if len(moving) else np.inf
            near.append(gap < _TOOL_NEAR_M)
        frames = np.flatnonzero(near)
        if frames.size:
            # The arm needs a frame of its own to start from.
            first, last = max(1, int(frames[0])), int(frames[-1])
            name = body.note.name
            skills.append(Skill(f'use tool on {name}', first, last, (name,), (), demo.arms[0].name))
    return sorted(skills, key=lambda skill: skill.first)[:1]


def _not_still(still: cKDTree, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (M, 3) of a frame, thinned, that were not there before anything moved."""
    few = points[:: max(1, len(points) // _THINNED)]
    return np.asarray(few[still.query(few)[0] > _TOUCH_M])


def _numbered(skills: list[Skill]) -> list[Skill]:
    """Make the names of repeated skills differ, and put them in order of time."""
    ordered = sorted(skills, key=lambda skill: (skill.first, skill.last))
    seen: dict[str, int] = {}
    out = []
    for skill in ordered:
        seen[skill.name] = seen.get(skill.name, 0) + 1
        count = seen[skill.name]
        out.append(replace(skill, name=f'{skill.name} ({count})') if count > 1 else skill)
    return out
