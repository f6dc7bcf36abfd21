# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a prompt to the points of an object in one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy.spatial import cKDTree

from r2rgen_ros.geometry.polygon import contains
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import inside
from r2rgen_ros.parse.clusters import clusters, spacing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import ObjectNote, SupportPlane
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.parse.snapshot import Snapshot

_LEAST_POINTS = 12
_ROBOT_M = 0.07
_CLICK_M = 0.05
_CLICK_PX = 12.0


@dataclass(frozen=True)
class Candidates:
    """The clusters that stand on the support in one frame.

    Attributes:
        frame: Camera frame.
        snapshot: Its points.
        label: (N,) cluster of each point, -1 for none.
        robot: Which clusters belong to the robot.
        radius: Gap that separates clusters, metres.

    """

    frame: int
    snapshot: Snapshot
    label: NDArray[np.int64]
    robot: frozenset[int]
    radius: float

    @property
    def objects(self) -> tuple[int, ...]:
        """Clusters that are not the robot, the largest first."""
        count = int(self.label.max(initial=-1)) + 1
        return tuple(k for k in range(count) if k not in self.robot)


def find_candidates(
    frame: int,
    snapshot: Snapshot,
    support: SupportPlane,
    robot_points: NDArray[np.float64],
    outline: NDArray[np.float64] | None = None,
    lift: NDArray[np.float64] | float = 0.0,
) -> Candidates:
    """Cluster what rises above the support plane, and tell the robot from the rest.

    Args:
        frame: Camera frame.
        snapshot: Its points.
        support: The support plane.
        robot_points: (L, 3) points along the arm at that frame, base frame, metres.
        outline: Convex outline in the plane (M, 2) that objects lie in; None for everywhere.
        lift: How far noise alone lifts points above the support, metres; one number or (N,).

    Returns:
        The clusters.

    """
    images = len(snapshot.shape) == 2
    floor = max(0.004, 3.0 * support.residual) if np.isfinite(support.residual) else -1.0
    high = support.height(snapshot.points) > np.maximum(floor, lift)
    if outline is not None:
        high &= contains(outline, support.to_plane(snapshot.points))
    places = np.flatnonzero(high)
    # A cloud that was topped up to a fixed count repeats points, which have no distance.
    gap = 0.012 if images else max(2.5 * spacing(snapshot.points), 1e-3)
    least = 80 if images else _LEAST_POINTS
    label = np.full(len(snapshot.points), -1, dtype=np.int64)
    label[places] = clusters(snapshot.points[places], gap, least)
    robot = set()
    tree = cKDTree(robot_points)
    for k in range(int(label.max(initial=-1)) + 1):
        near = np.min(tree.query(snapshot.points[label == k])[0])
        if near < _ROBOT_M:
            robot.add(k)
    return Candidates(frame, snapshot, label, frozenset(robot), gap)


def select(demo: Demo, note: ObjectNote, candidates: Candidates, folder: Path) -> NDArray[np.int64]:
    """Return which points of the snapshot a prompt selects.

    Args:
        demo: The demonstration.
        note: The object with its prompt.
        candidates: Clusters of the prompt's frame.
        folder: Folder of the annotation; mask paths are relative to it.

    Returns:
        Indices into the points of the snapshot.

    Raises:
        R2RGenError: The prompt selects nothing.

    """
    prompt, snapshot = note.prompt, candidates.snapshot
    if prompt.point is not None:
        target = np.array(prompt.point)
        chosen = _nearest_cluster(candidates, snapshot.points - target, _CLICK_M, note.name)
    elif prompt.pixel is not None:
        offset = snapshot.pixels(demo, candidates.frame) - np.array(prompt.pixel)
        chosen = _nearest_cluster(candidates, offset, _CLICK_PX, note.name)
    elif prompt.region is not None:
        low, high = np.min(prompt.region, axis=0), np.max(prompt.region, axis=0)
        within = ((snapshot.points >= low) & (snapshot.points <= high)).all(axis=1)
        chosen = np.flatnonzero(within & (candidates.label >= 0))
    else:
        chosen = _in_image(demo, note, candidates, folder)
    if len(chosen) < _LEAST_POINTS:
        raise R2RGenError(
            f'the prompt of "{note.name}" selects {len(chosen)} points in frame {prompt.frame}',
            f'{_LEAST_POINTS} or more',
            'click on the object itself, above the support plane',
        )
    return chosen


def _nearest_cluster(
    candidates: Candidates, offset: NDArray[np.float64], reach: float, name: str
) -> NDArray[np.int64]:
    free = np.flatnonzero(np.isin(candidates.label, candidates.objects))
    if not free.size:
        raise R2RGenError(f'nothing stands on the support in frame {candidates.frame}')
    distance = np.linalg.norm(offset[free], axis=1)
    distance[np.isnan(distance)] = np.inf
    at = int(distance.argmin())
    if distance[at] > reach:
        raise R2RGenError(
            f'nothing is near the click for "{name}" in frame {candidates.frame}',
            'a click on an object',
        )
    return np.flatnonzero(candidates.label == candidates.label[free[at]])


def _in_image(
    demo: Demo, note: ObjectNote, candidates: Candidates, folder: Path
) -> NDArray[np.int64]:
    """Points under a box or a mask, without those of the background seen at its edge."""
    prompt = note.prompt
    pixels = candidates.snapshot.pixels(demo, candidates.frame)
    assert demo.sensor is not None
    camera = demo.sensor.camera
    if prompt.box is not None:
        u0, v0, u1, v1 = prompt.box
        with np.errstate(invalid='ignore'):
            under = (
                (pixels[:, 0] >= u0)
                & (pixels[:, 0] <= u1)
                & (pixels[:, 1] >= v0)
                & (pixels[:, 1] <= v1)
            )
    else:
        assert prompt.mask is not None
        mask = read_mask(inside(folder, prompt.mask), (camera.height, camera.width))
        within = (
            np.isfinite(pixels).all(axis=1)
            & (pixels > -0.5).all(axis=1)
            & (pixels < np.array([camera.width, camera.height]) - 0.5).all(axis=1)
        )
        under = np.zeros(len(pixels), dtype=bool)
        whole = np.rint(pixels[within]).astype(np.int64)
        under[within] = mask[whole[:, 1], whole[:, 0]]
    label = candidates.label
    usable = under & (label >= 0) & np.isin(label, candidates.objects)
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
