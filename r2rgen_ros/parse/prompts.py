# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a prompt to the points of an object in one frame."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy.spatial import cKDTree

from r2rgen_ros.model.annotation import ObjectNote, Prompt
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import inside
from r2rgen_ros.parse.clusters import by_size, clusters, spacing
from r2rgen_ros.parse.foreground import rising
from r2rgen_ros.parse.misses import (
    MANY_HOLES,
    holes_around,
    holes_in_box,
    no_depth,
    nothing_near,
    remedy,
)
from r2rgen_ros.parse.patches import find_patches
from r2rgen_ros.parse.segment import merge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.parse.patches import Patches
    from r2rgen_ros.parse.snapshot import Snapshot

_LEAST_POINTS = 12
_LEAST_PIXELS = 80
_GAP_M = 0.012
_ROBOT_M = 0.07
_CLICK_M = 0.05
_CLICK_PX = 12.0
_ALL_OF_IT = 0.8
_MINE, _OTHERS = 0, 1


@dataclass(frozen=True)
class Candidates:
    """The objects that seem to stand on the support in one frame.

    Attributes:
        frame: Camera frame.
        snapshot: Its points.
        label: (N,) object of each point, -1 for none.
        robot: Which of them belong to the robot.
        radius: Gap that separates objects, metres.
        patches: What the objects of an image are made of; None for clouds.

    """

    frame: int
    snapshot: Snapshot
    label: NDArray[np.int64]
    robot: frozenset[int]
    radius: float
    patches: Patches | None = None

    @property
    def objects(self) -> tuple[int, ...]:
        """Candidates that are not the robot, the largest first."""
        count = int(self.label.max(initial=-1)) + 1
        return tuple(k for k in range(count) if k not in self.robot)

    @property
    def free(self) -> NDArray[np.int64]:
        """Indices of the points of all objects."""
        return np.flatnonzero(np.isin(self.label, self.objects))


def find_candidates(
    frame: int,
    snapshot: Snapshot,
    support: SupportPlane,
    robot_points: NDArray[np.float64],
    outline: NDArray[np.float64] | None = None,
    lift: NDArray[np.float64] | float = 0.0,
    robot_mask: NDArray[np.bool_] | None = None,
) -> Candidates:
    """Part what rises above the support plane into objects, and tell the robot from them.

    Args:
        frame: Camera frame.
        snapshot: Its points.
        support: The support plane.
        robot_points: (L, 3) points along the arm at that frame, base frame, metres.
        outline: Convex outline in the plane (M, 2) that objects lie in; None for everywhere.
        lift: How far noise alone lifts points above the support, metres, three standard
            deviations; one number or (N,).
        robot_mask: (N,) points that are the robot's for certain, as its surface model says; what
            touches the robot is then an object nevertheless. None where nobody knows.

    Returns:
        The candidates.

    """
    images = len(snapshot.shape) == 2
    high = rising(snapshot, support, outline, lift)
    if robot_mask is not None:
        high &= ~robot_mask
    places = np.flatnonzero(high)
    # A cloud that was topped up to a fixed count repeats points, which have no distance.
    gap = _GAP_M if images else max(2.5 * spacing(snapshot.points), 1e-3)
    least = _LEAST_PIXELS if images else _LEAST_POINTS
    label = np.full(len(snapshot.points), -1, dtype=np.int64)
    label[places] = clusters(snapshot.points[places], gap, least)
    robot: set[int] = set()
    if robot_mask is None:
        robot = _near_robot(snapshot, label, robot_points)
    if not images:
        return Candidates(frame, snapshot, label, frozenset(robot), gap)
    patches = find_patches(snapshot, places[~np.isin(label[places], sorted(robot))], gap)
    region = merge(patches, {}, least)
    owned = patches.owner >= 0
    # Parts of objects after all clusters of the robot; then all by size.
    label[~np.isin(label, sorted(robot))] = -1
    label[owned] = region[patches.owner[owned]] + int(label.max(initial=-1)) + 1
    label, order = by_size(label, least)
    robot = {place for place, k in enumerate(order.tolist()) if k in robot}
    return Candidates(frame, snapshot, label, frozenset(robot), gap, patches)


def _near_robot(
    snapshot: Snapshot, label: NDArray[np.int64], robot_points: NDArray[np.float64]
) -> set[int]:
    tree = cKDTree(robot_points)
    count = int(label.max(initial=-1)) + 1
    gaps = [np.min(tree.query(snapshot.points[label == k])[0]) for k in range(count)]
    return {k for k, gap in enumerate(gaps) if gap < _ROBOT_M}


def select(
    demo: Demo,
    note: ObjectNote,
    candidates: Candidates,
    folder: Path,
    others: Sequence[ObjectNote] = (),
    mask: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Return which points of the snapshot a prompt selects.

    Args:
        demo: The demonstration.
        note: The object with its prompt.
        candidates: Objects of the prompt's frame.
        folder: Folder of the annotation; mask paths are relative to it.
        others: All objects of the annotation. Clicks and boxes of one frame compete: what is
            pointed at as another object is no part of this one, even where the two touch.
        mask: (H, W) what a mask source made of the prompt; None to follow the prompt itself.

    Returns:
        Indices into the points of the snapshot.

    Raises:
        R2RGenError: The prompt selects nothing.

    """
    prompt, snapshot = note.prompt, candidates.snapshot
    holes = 0.0
    if mask is not None:
        chosen = _masked(candidates, _under(demo, candidates, mask))
    elif prompt.point is not None or prompt.pixel is not None:
        click = _clicked(demo, note, candidates)
        rivals = _rivals(demo, note, candidates, others)
        chosen = _region_of(candidates, click, rivals)
    elif prompt.region is not None:
        low, high = np.min(prompt.region, axis=0), np.max(prompt.region, axis=0)
        within = ((snapshot.points >= low) & (snapshot.points <= high)).all(axis=1)
        chosen = np.flatnonzero(within & (candidates.label >= 0))
    elif prompt.box is not None:
        under = _under_box(snapshot.pixels(demo, candidates.frame), prompt.box)
        holes = holes_in_box(candidates, prompt.box)
        chosen = _boxed(candidates, under, _rivals(demo, note, candidates, others))
    else:
        mask = _drawn_mask(demo, note, candidates, folder)
        under = _under(demo, candidates, mask)
        if len(snapshot.shape) == 2 and mask.any():
            holes = 1.0 - float(under.sum() / mask.sum())
        chosen = _masked(candidates, under)
    if len(chosen) < _LEAST_POINTS:
        raise R2RGenError(
            f'the prompt of "{note.name}" selects {len(chosen)} points in frame {prompt.frame}',
            f'{_LEAST_POINTS} or more',
            remedy(prompt, holes),
        )
    return chosen


def _clicked(demo: Demo, note: ObjectNote, candidates: Candidates) -> int:
    """Index of the point of an object nearest to a click."""
    prompt, snapshot = note.prompt, candidates.snapshot
    if prompt.point is not None:
        offset, reach = snapshot.points - np.array(prompt.point), _CLICK_M
    else:
        offset = snapshot.pixels(demo, candidates.frame) - np.array(prompt.pixel)
        reach = _CLICK_PX
    distance = np.linalg.norm(offset, axis=1)
    distance[np.isnan(distance)] = np.inf
    holes, free = holes_around(candidates, note), candidates.free
    gap = float(distance[free].min(initial=np.inf))
    if holes > MANY_HOLES and gap > 0.25 * reach:
        raise no_depth(note, holes)
    if gap > reach:
        hit = int(distance.argmin()) if distance.min(initial=np.inf) <= reach else None
        raise nothing_near(note, candidates, hit)
    return int(free[distance[free].argmin()])


def _rivals(
    demo: Demo, note: ObjectNote, candidates: Candidates, others: Sequence[ObjectNote]
) -> list[int]:
    """Indices of the points that were clicked on for other objects of the frame."""
    out = []
    for other in others:
        prompt = other.prompt
        if other.name == note.name or prompt.frame != note.prompt.frame:
            continue
        if prompt.box is not None:
            u0, v0, u1, v1 = prompt.box
            prompt = Prompt(prompt.frame, pixel=((u0 + u1) / 2, (v0 + v1) / 2))
        if prompt.point is None and prompt.pixel is None:
            continue
        # A click that hits nothing is reported where it is that object's turn.
        with suppress(R2RGenError):
            out.append(_clicked(demo, ObjectNote(other.name, prompt), candidates))
    return out


def _region_of(candidates: Candidates, click: int, rivals: list[int]) -> NDArray[np.int64]:
    """Points of the object at a click, without those of the objects clicked on beside it."""
    label = candidates.label
    if not any(label[rival] == label[click] for rival in rivals):
        return np.flatnonzero(label == label[click])
    patches = candidates.patches or find_patches(
        candidates.snapshot, candidates.free, candidates.radius
    )
    owner = patches.owner
    seeds = {int(owner[rival]): _OTHERS + k for k, rival in enumerate(rivals)}
    seeds[int(owner[click])] = _MINE
    least = _LEAST_POINTS if candidates.patches is None else _LEAST_PIXELS
    region = merge(patches, seeds, least)
    return np.flatnonzero((owner >= 0) & (region[owner] == region[owner[click]]))


def _under_box(
    pixels: NDArray[np.float64], box: tuple[float, float, float, float]
) -> NDArray[np.bool_]:
    low, high = np.array(box[:2]), np.array(box[2:])
    with np.errstate(invalid='ignore'):
        return np.asarray(((pixels >= low) & (pixels <= high)).all(axis=1))


def _boxed(
    candidates: Candidates, under: NDArray[np.bool_], rivals: list[int]
) -> NDArray[np.int64]:
    """Points under a box, of the objects that lie in it rather than reach into it."""
    label = candidates.label
    free = np.isin(label, candidates.objects)
    taken = {int(label[rival]) for rival in rivals}
    names, counts = np.unique(label[under & free], return_counts=True)
    inside_ = {
        int(k): float(count) / float((label == k).sum())
        for k, count in zip(names, counts, strict=True)
        if int(k) not in taken
    }
    whole = [k for k, share in inside_.items() if share > _ALL_OF_IT]
    if whole or not inside_:
        return np.flatnonzero(under & np.isin(label, whole))
    # The box is about a part of something: what lies outside it is another object.
    most = max(inside_, key=lambda k: int(counts[names == k][0]))
    patches = candidates.patches
    chosen = under & (label == most)
    if patches is None or inside_[most] > 0.5:
        return np.flatnonzero(chosen)
    return np.flatnonzero(chosen & _part_in(patches, label == most, under))


def _part_in(
    patches: Patches, mine: NDArray[np.bool_], under: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which points (N,) belong with what lies in a box rather than with what lies outside it."""
    owner = patches.owner
    count = np.bincount(owner[mine], minlength=len(patches))
    covered = np.bincount(owner[mine & under], minlength=len(patches)) / np.maximum(count, 1)
    seeds = {int(k): _OTHERS for k in np.flatnonzero((count > 0) & (covered == 0.0))}
    best = np.flatnonzero(covered == 1.0)
    if not best.size:
        return under
    seeds[int(best[len(best) // 2])] = _MINE
    region = merge(patches, seeds, 1, np.inf)
    return np.asarray((owner >= 0) & (region[owner] == region[best[len(best) // 2]]))


def _drawn_mask(
    demo: Demo, note: ObjectNote, candidates: Candidates, folder: Path
) -> NDArray[np.bool_]:
    """Read the mask (H, W) of a prompt."""
    candidates.snapshot.pixels(demo, candidates.frame)  # says what is missing, if anything
    assert demo.sensor is not None
    assert note.prompt.mask is not None
    camera = demo.sensor.camera
    return read_mask(inside(folder, note.prompt.mask), (camera.height, camera.width))


def _under(demo: Demo, candidates: Candidates, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which points (N,) lie under a mask (H, W)."""
    pixels = candidates.snapshot.pixels(demo, candidates.frame)
    assert demo.sensor is not None
    camera = demo.sensor.camera
    within = (
        np.isfinite(pixels).all(axis=1)
        & (pixels > -0.5).all(axis=1)
        & (pixels < np.array([camera.width, camera.height]) - 0.5).all(axis=1)
    )
    under = np.zeros(len(pixels), dtype=bool)
    whole = np.rint(pixels[within]).astype(np.int64)
    under[within] = mask[whole[:, 1], whole[:, 0]]
    return under


def _masked(candidates: Candidates, under: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Points under a mask, without those of the background seen at its edge."""
    label = candidates.label
    usable = under & np.isin(label, candidates.objects)
    if not usable.any():
        return np.zeros(0, dtype=np.int64)
    # A mask drawn by hand overlaps its neighbours: keep the parts that it mostly covers.
    kept = []
    for k in np.unique(label[usable]):
        share = (label[usable] == k).mean()
        covered = under[label == k].mean()
        if share > 0.1 or covered > 0.5:
            kept.append(k)
    return np.flatnonzero(usable & np.isin(label, kept))


def read_mask(path: Path, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Read a binary image; brighter than half is the object.

    Args:
        path: An image file.
        shape: (height, width) that it must have.

    Raises:
        R2RGenError: No such image, or another size.

    """
    try:
        with Image.open(path) as image:
            mask = np.asarray(image.convert('L')) > 127
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise R2RGenError(f'cannot read the mask {path}: {error}') from None
    if mask.shape != shape:
        raise R2RGenError(
            f'the mask {path} is {mask.shape[1]} x {mask.shape[0]} pixels',
            f'{shape[1]} x {shape[0]}, the size of the camera image',
        )
    return mask
