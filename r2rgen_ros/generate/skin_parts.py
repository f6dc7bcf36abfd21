# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of a robot that an episode shows: their triangles, and how they move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.robots.paint import Paint
from r2rgen_ros.robots.simplification import simplified
from r2rgen_ros.robots.surface import refined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.parse.robot import RobotView

    Floats = NDArray[np.float64]

_LONGEST_M = 0.02
_FLAT = 0.12  # of a cell: how far off the surface may be where it is drawn more coarsely


@dataclass(frozen=True)
class Parts:
    """The links of a robot whose place is known, in small triangles.

    Attributes:
        places: Of the P parts among the view's.
        vertices: Per part, (V, 3) in the link frame.
        faces: (F, 3) indices of all vertices after one another.
        part: (F,) place of each face's part among these.
        colours: (F, 3) the mesh's own colours from 0 to 255, NaN where it has none.

    """

    places: tuple[int, ...]
    vertices: tuple[Floats, ...]
    faces: NDArray[np.int32]
    part: NDArray[np.int64]
    colours: Floats

    def of(self, part: int) -> tuple[Floats, NDArray[np.int32]]:
        """Vertices (V, 3) and faces (F, 3) of one part."""
        start = sum(len(vertices) for vertices in self.vertices[:part])
        return self.vertices[part], self.faces[self.part == part] - np.int32(start)


def painted_parts(view: RobotView, cell: float = 0.0) -> Parts:
    """Return the parts of a robot that are at one place only, with their meshes' own colours.

    Args:
        view: The robot.
        cell: What need not be told apart, metres; 0 keeps the meshes as they are.

    """
    parts = view.body.parts(view.joints.names)
    places = tuple(place for place, part in enumerate(parts) if part.extreme == 0)
    vertices, faces, owner, colours = [], [np.zeros((0, 3), np.int32)], [], [np.zeros((0, 3))]
    start = 0
    for number, place in enumerate(places):
        surface = view.body.surfaces[parts[place].link]
        if cell > 0.0:
            surface = simplified(surface, cell, _FLAT * cell)
        surface = refined(surface, _LONGEST_M)
        count = len(surface.faces)
        paint = surface.paint if surface.paint is not None else Paint.bare(count)
        vertices.append(surface.vertices)
        faces.append(surface.faces + np.int32(start))
        owner.append(np.full(count, number))
        colours.append(paint.at(np.arange(count), np.full((count, 3), 1.0 / 3.0)))
        start += len(surface.vertices)
    return Parts(
        places,
        tuple(vertices),
        np.concatenate(faces),
        np.concatenate([np.zeros(0, np.int64), *owner]),
        np.concatenate(colours),
    )


def part_motions(view: RobotView, parts: Parts, episode: Episode) -> Floats:
    """Motion (M, P, 4, 4) of each part from its source frame to the episode's, base frame.

    Args:
        view: The robot of the source.
        parts: Its parts.
        episode: The episode; must have joints.

    """
    assert episode.joints is not None
    joints = view.joints
    recorded = joints.positions[episode.source_frames]
    known = episode.joints.shape[1]
    # Fingers that only the gripper's topic tells are where they were recorded.
    now = np.hstack([episode.joints, recorded[:, known:]])
    places = list(parts.places)
    poses = [view.body.poses(joints.names, each)[:, places] for each in (now, recorded)]
    out: Any = poses[0] @ se3.inverse(poses[1])
    # What is where it was stays there to the last bit.
    out[(now == recorded).all(axis=1)] = np.eye(4)
    return np.asarray(out)
