# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A first annotation for a person to confirm: objects, grasps and skills.

Objects are those prompted, or what stands on the support. A grasp is a closed gripper with which
an object moves. A skill is what a hand, or what it holds, does around a contact with an object, a
release of it or a push.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.ndimage import median_filter
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import Annotation, Skill, Sources
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.events import Body, Hold
from r2rgen_ros.parse.holds import Events
from r2rgen_ros.parse.prompts import select
from r2rgen_ros.parse.skills import hold_skills, numbered, push_skills
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.parse.tracking import track
from r2rgen_ros.parse.unprompted import find_unprompted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import ObjectNote
    from r2rgen_ros.parse.ground import Ground

    Floats = NDArray[np.float64]

_TOUCH_M = 0.03
_TOOL_NEAR_M = 0.06
_TOOL_POINTS = 5
_STRAY_FRAMES = 3
_THINNED = 5000


class TrackedPath(Protocol):
    """Where an object was, as a tracker found it; `parse.following.ObjectPath` is one."""

    @property
    def poses(self) -> Floats:
        """(T, 4, 4) object2base."""


def propose(
    ground: Ground,
    folder: Path,
    notes: Sequence[ObjectNote] = (),
    paths: Sequence[TrackedPath] | None = None,
    sources: Sources | None = None,
) -> Annotation:
    """Propose an annotation.

    Args:
        ground: The survey of the demonstration.
        folder: Folder that mask paths are relative to.
        notes: Objects that a person has prompted, with the grasps that a person has given; empty
            to take all that stands on the support.
        paths: Where the objects of the notes were, in their order, if that was tracked; without
            them, an object moves with the hand that holds it, and rests otherwise.
        sources: What is known besides the recording; the annotation names it.

    Returns:
        Objects, skills and the support plane, with notes on what to check.

    Raises:
        R2RGenError: No object is found, or a prompt selects nothing.

    """
    if paths is not None and len(paths) != len(notes):
        raise R2RGenError(f'{len(paths)} tracked paths for {len(notes)} objects', 'one for each')
    bodies = _bodies(ground, folder, notes or find_unprompted(ground), paths)
    found = Events.find(ground, bodies, is_tracked=paths is not None)
    remarks = [*ground.demo.warnings, *found.remarks]
    # What is in the hand from beginning to end is a tool.
    holds = [hold for hold in found.holds if not _is_tool(hold, len(ground.demo))]
    skills = hold_skills(found.bodies, holds, found.hands, ground.support)
    skills += push_skills(found.bodies, found.pushes, found.holds, found.hands, skills)
    if not skills:
        skills = _tool_skills(ground, found)
        if skills:
            remarks.append('no grasp was found: skills are where a held tool is near an object')
    if not skills:
        remarks.append('no skill was found: mark first and last frames by hand')
    if not np.isfinite(ground.support.residual):
        remarks.append('the support plane is assumed, level under the lowest points: none is seen')
    return Annotation(
        tuple(body.note for body in found.bodies),
        tuple(numbered(skills)),
        ground.support,
        len(ground.demo),
        tuple(remarks),
        sources or Sources(),
    )


def _is_tool(hold: Hold, count: int) -> bool:
    return not hold.is_seen_to_begin and hold.last >= count - 1


def _bodies(
    ground: Ground,
    folder: Path,
    notes: Sequence[ObjectNote],
    paths: Sequence[TrackedPath] | None,
) -> list[Body]:
    found = {frame: ground.candidates(frame) for frame in {note.prompt.frame for note in notes}}
    bodies = []
    for place, note in enumerate(notes):
        frame = note.prompt.frame
        chosen = select(ground.demo, note, found[frame], folder, notes)
        points = found[frame].snapshot.points[chosen]
        if paths is None:
            start = se3.compose(np.eye(3), points.mean(axis=0))
            poses = track(ground.demo, start, frame, note.grasps)
        else:
            poses = np.asarray(paths[place].poses, dtype=np.float64)
        local = se3.apply(se3.inverse(poses[frame]), points)
        bodies.append(Body(note, local, poses))
    return bodies


def _tool_skills(ground: Ground, found: Events) -> list[Skill]:
    """Skills of a tool that is in the hand all along: the frames in which it is near an object."""
    demo, arm = ground.demo, ground.demo.arms[0]
    tools = {hold.body for hold in found.holds}
    start = ground.candidates(0)
    others = start.snapshot.points[~np.isin(start.label, sorted(start.robot))]
    still = cKDTree(others[:: max(1, len(others) // (10 * _THINNED))])
    moving = [_not_still(still, Snapshot.take(demo, frame).points) for frame in range(len(demo))]
    skills = []
    for k, body in enumerate(found.bodies):
        if k in tools:
            continue
        tree = cKDTree(body.at(0))
        count = [int(np.sum(tree.query(points)[0] < _TOOL_NEAR_M)) for points in moving]
        # A few stray points in a frame are no tool.
        frames = np.flatnonzero(median_filter(np.array(count), _STRAY_FRAMES) >= _TOOL_POINTS)
        if frames.size:
            path = found.hands[arm.name]
            # The arm needs a frame of its own to start from.
            first = max(1, path.approach(int(frames[0]), 0))
            last = max(first, path.departure(int(frames[-1]), len(demo) - 1))
            hand = tuple(found.bodies[tool].name for tool in sorted(tools))
            name = f'use {hand[0] if hand else "tool"} on {body.name}'
            skills.append(Skill(name, first, last, (body.name,), hand, arm.name))
    return sorted(skills, key=lambda skill: skill.first)[:1]


def _not_still(still: cKDTree, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (M, 3) of a frame, thinned, that were not there before anything moved."""
    few = points[:: max(1, len(points) // _THINNED)]
    return np.asarray(few[still.query(few)[0] > _TOUCH_M])
