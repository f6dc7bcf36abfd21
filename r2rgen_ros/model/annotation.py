# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a person says of a demonstration: objects, skills and the support plane."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.errors import R2RGenError, check_array, check_finite, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_OBJECTS = 120  # each has a label of its own in images, with seven bits
MESH_FORMATS = ('.ply', '.obj', '.stl', '.dae')
"""Endings of the mesh files that an object may name."""


def _signed_area(corners: NDArray[np.float64]) -> float:
    """Area of a polygon (M, 2), negative where its corners go round clockwise."""
    x, y = corners.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2.0


@dataclass(frozen=True)
class SupportPlane:
    """The plane that objects stand on, in the base frame: normal . p = offset.

    Attributes:
        normal: (3,) unit vector, pointing up, away from the surface.
        offset: Distance of the plane from the origin along the normal, metres.
        outline: (M, 3) corners of the convex area that objects may stand on, metres, put into
            counter-clockwise order as seen from above.
        residual: Root mean square distance of the measured points from the plane, metres; NaN
            where the plane was assumed rather than fitted.

    """

    normal: NDArray[np.float64]
    offset: float
    outline: NDArray[np.float64]
    residual: float = float('nan')

    def __post_init__(self) -> None:
        """Check and normalise the normal."""
        normal = check_finite('support normal', check_array('support normal', self.normal, (3,)))
        length = float(np.linalg.norm(normal))
        require(length > 1e-6, 'the support normal is zero', 'a direction that points up')
        outline = check_array('support outline', self.outline, (None, 3))
        require(len(outline) >= 3, f'the support outline has {len(outline)} corners', '3 or more')
        check_finite('support outline', outline)
        object.__setattr__(self, 'normal', normal / length)
        object.__setattr__(self, 'offset', float(self.offset) / length)
        # Whoever asks what lies within relies on counter-clockwise corners; a person may not.
        clockwise = _signed_area(self.to_plane(outline)) < 0.0
        object.__setattr__(self, 'outline', outline[::-1] if clockwise else outline)

    @property
    def axes(self) -> NDArray[np.float64]:
        """(2, 3) in-plane x and y: x is the base frame's x laid onto the plane."""
        seed = np.array([1.0, 0.0, 0.0]) if abs(self.normal[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
        x = seed - self.normal * (seed @ self.normal)
        x /= np.linalg.norm(x)
        return np.stack([x, np.cross(self.normal, x)])

    def yaw(self, ahead: NDArray[np.floating]) -> float:
        """Angle of a direction (3,) about the normal, from the first of the axes, radians."""
        x, y = self.axes @ ahead
        return float(np.arctan2(y, x))

    def height(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Signed distances (...) of points (..., 3) above the plane, metres."""
        return np.asarray(points, dtype=np.float64) @ self.normal - self.offset

    def to_plane(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """In-plane coordinates (..., 2) of points (..., 3), metres."""
        return np.asarray(points, dtype=np.float64) @ self.axes.T


@dataclass(frozen=True)
class Grasp:
    """An object in hand from one frame to another, both included."""

    arm: str
    first: int
    last: int

    def __post_init__(self) -> None:
        """Check the order."""
        require(
            0 <= self.first <= self.last,
            f'a grasp runs from frame {self.first} to {self.last}',
            'first <= last, from 0',
        )


@dataclass(frozen=True)
class Prompt:
    """How an object is pointed at in one frame; exactly one of the ways is set.

    Attributes:
        frame: Camera frame that the prompt refers to.
        mask: Path of a binary image, relative to the annotation, of the camera's size.
        box: (u0, v0, u1, v1) pixels.
        pixel: (u, v) of a clicked pixel.
        point: (x, y, z) of a clicked point, base frame, metres.
        region: ((x, y, z), ...) of two corners of a box in the base frame, metres.

    """

    frame: int = 0
    mask: str | None = None
    box: tuple[float, float, float, float] | None = None
    pixel: tuple[float, float] | None = None
    point: tuple[float, float, float] | None = None
    region: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None

    def __post_init__(self) -> None:
        """Check that exactly one way is set."""
        ways = (self.mask, self.box, self.pixel, self.point, self.region)
        require(
            sum(way is not None for way in ways) == 1,
            'an object prompt does not say one thing',
            'exactly one of mask, box, pixel, point, region',
        )


@dataclass(frozen=True)
class ObjectNote:
    """One object.

    Attributes:
        name: Its name.
        prompt: How it is found.
        grasps: When it is in a hand, in order of time.
        mesh: Path of a mesh of it, from the folder of the annotation; None where there is none.

    """

    name: str
    prompt: Prompt
    grasps: tuple[Grasp, ...] = ()
    mesh: str | None = None

    def __post_init__(self) -> None:
        """Check the name, the kind of mesh, and that grasps follow one another."""
        require(bool(self.name.strip()), 'an object has an empty name')
        require(
            self.mesh is None or PurePath(self.mesh).suffix.lower() in MESH_FORMATS,
            f'the mesh of "{self.name}" is "{self.mesh}"',
            f'a file that ends in one of {list(MESH_FORMATS)}',
            'save it as PLY, OBJ, STL or COLLADA',
        )
        for before, after in pairwise(self.grasps):
            require(
                after.first > before.last,
                f'grasps of "{self.name}" overlap at frame {after.first}',
                'one hand at a time, in order of time',
            )


@dataclass(frozen=True)
class Skill:
    """A contact-rich part of the demonstration.

    Attributes:
        name: What happens, for people.
        first: First frame.
        last: Last frame, included.
        targets: Names of the objects it is about.
        in_hand: Names of the objects carried into it.
        arm: Name of the arm.

    """

    name: str
    first: int
    last: int
    targets: tuple[str, ...]
    in_hand: tuple[str, ...] = ()
    arm: str = 'arm'

    def __post_init__(self) -> None:
        """Check frames and that no object is both target and in hand."""
        require(
            0 <= self.first <= self.last,
            f'skill "{self.name}" runs from frame {self.first} to {self.last}',
            'first <= last, from 0',
        )
        both = sorted(set(self.targets) & set(self.in_hand))
        require(not both, f'skill "{self.name}" has {both} both as target and in hand')

    @property
    def group(self) -> frozenset[str]:
        """Targets and in-hand objects together: O_i of arXiv 2510.08547."""
        return frozenset(self.targets) | frozenset(self.in_hand)


@dataclass(frozen=True)
class Sources:
    """What is known of a scene besides its recording. Paths count from the annotation's folder.

    Attributes:
        empty_capture: Path of a bag in which the same camera sees the scene without its objects.
        mesh_folders: Paths of folders that hold the packages of the robot's meshes, or are these.
        masks: Name of the mask source that prompts are given to; see `parse.plugins`.
        tracker: Name of the tracker that follows the objects; see `parse.plugins`.
        urdf: Name of the robot's URDF, as `package://PKG/path` or a path; None for the bag's own.

    """

    empty_capture: str | None = None
    mesh_folders: tuple[str, ...] = ()
    masks: str | None = None
    tracker: str | None = None
    urdf: str | None = None

    def __post_init__(self) -> None:
        """Check that whatever is named has a name, once."""
        for what in ('empty_capture', 'masks', 'tracker', 'urdf'):
            value = getattr(self, what)
            require(value is None or bool(value.strip()), f'{what} is empty', 'a name, or no key')
        require(all(name.strip() for name in self.mesh_folders), 'a mesh folder has an empty name')
        double = sorted({name for name in self.mesh_folders if self.mesh_folders.count(name) > 1})
        require(not double, f'mesh folders {double} are named twice', 'each once')


@dataclass(frozen=True)
class Annotation:
    """Objects, skills and support plane of one demonstration.

    Attributes:
        objects: The objects that may move.
        skills: In order of time; skills of one arm do not overlap.
        support: The support plane; None to fit it.
        frames: Number of camera frames that the annotation was made for.
        notes: What the proposal wants a person to check.
        sources: What is known of the scene besides the recording.

    """

    objects: tuple[ObjectNote, ...]
    skills: tuple[Skill, ...]
    support: SupportPlane | None = None
    frames: int | None = None
    notes: tuple[str, ...] = field(default=())
    sources: Sources = field(default_factory=Sources)

    def __post_init__(self) -> None:
        """Check names, order and overlap."""
        names = [note.name for note in self.objects]
        require(
            len(names) <= MOST_OBJECTS,
            f'{len(names)} objects are annotated',
            f'at most {MOST_OBJECTS}',
            'annotate those that move; the others belong to the environment',
        )
        double = sorted({name for name in names if names.count(name) > 1})
        require(not double, f'objects {double} are named twice', 'one name each')
        skills = [skill.name for skill in self.skills]
        double = sorted({name for name in skills if skills.count(name) > 1})
        require(not double, f'skills {double} are named twice', 'one name each')
        for skill in self.skills:
            unknown = sorted(skill.group - set(names))
            if unknown:
                raise R2RGenError(
                    f'skill "{skill.name}" names unknown objects {unknown}', f'some of {names}'
                )
        for before, after in pairwise(self.skills):
            require(
                after.first >= before.first,
                f'skill "{after.name}" starts before "{before.name}", which is listed earlier',
                'skills in order of time',
            )
        self._check_arms()
        self._check_length()

    def _check_arms(self) -> None:
        for arm in {skill.arm for skill in self.skills}:
            own = [skill for skill in self.skills if skill.arm == arm]
            for before, after in pairwise(own):
                require(
                    after.first > before.last,
                    f'skills "{before.name}" and "{after.name}" of arm "{arm}" share frames',
                    f'"{after.name}" to start after frame {before.last}',
                )

    def _check_length(self) -> None:
        if self.frames is None:
            return
        for skill in self.skills:
            require(
                skill.last < self.frames,
                f'skill "{skill.name}" ends at frame {skill.last}',
                f'less than the {self.frames} frames of the demonstration',
            )

    def index(self, name: str) -> int:
        """Return the place of an object by name.

        Raises:
            R2RGenError: No such object.

        """
        for place, note in enumerate(self.objects):
            if note.name == name:
                return place
        names = [note.name for note in self.objects]
        raise R2RGenError(f'there is no object "{name}"', f'one of {names}')
