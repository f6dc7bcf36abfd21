# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frames show an object well, and which of their pixels are its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.parse.clusters import clusters
from r2rgen_ros.parse.fusion import View
from r2rgen_ros.parse.labelling import draw_objects
from r2rgen_ros.parse.shape import owners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Frame
    from r2rgen_ros.parse.evidence import Look
    from r2rgen_ros.parse.following import ObjectPath
    from r2rgen_ros.parse.looks import Looks
    from r2rgen_ros.parse.registration import Surface

    Floats = NDArray[np.float64]

_SEED_VIEWS = 8
_SEED_SPAN = 16
MOVING_SPAN = 40
_SEED_LEAST = 10
_VIEWS = 16
_GAP_M = 0.008
_LEAST = 40
_OFF_ROBOT_M = 0.012
_ROBOT_AT_M = 0.04
_SIGMAS = 4.0
_TOLERANCE_M = 0.006


def seed_views(
    looks: Looks, frame: int, chosen: NDArray[np.int64], pose: Floats, held: NDArray[np.int8]
) -> list[View]:
    """Views of an object in the frames around that of its prompt, while it stays where it is.

    Args:
        looks: The frames.
        frame: The frame of the prompt.
        chosen: Places of the object's pixels in the flattened image of that frame.
        pose: (4, 4) object2base in that frame.
        held: (T,) arm that holds it, -1 for none.

    """
    sensor = looks.ground.demo.sensor
    assert sensor is not None
    seed = np.zeros((sensor.camera.height, sensor.camera.width), dtype=bool)
    seed.reshape(-1)[chosen] = True
    reference = looks.depth(frame)
    growth = looks.behind.noise
    limit = np.maximum(0.003, _SIGMAS * np.sqrt(2.0) * growth * reference**2)
    out = []
    for other in resting_frames(frame, held, most=_SEED_SPAN):
        depth = looks.depth(other)
        with np.errstate(invalid='ignore'):
            inside = seed & (np.abs(depth - reference) < limit)
        robot = looks.robot(other)
        if robot is not None:
            inside &= ~robot
        out.append(
            View(
                depth,
                sensor.camera,
                sensor.camera2base[other],
                pose,
                inside,
                robot,
                looks.ground.demo.frames[other].colour,
            )
        )
    return out


def moving_seed_views(
    looks: Looks,
    frame: int,
    seeds: Sequence[Floats],
    k: int,
    pose: Floats,
    held: NDArray[np.int8],
    frames: Sequence[int] = (),
) -> list[View]:
    """Views as of `seed_views` of a camera that moves, which sees other pixels in each frame.

    In the other frames the object is what hangs together with the points that were chosen, unless
    that hangs together with another object too.

    Args:
        looks: The frames.
        frame: The frame of the prompt.
        seeds: Per object, its points (N, 3) in that frame, base frame.
        k: The object.
        pose: (4, 4) object2base in that frame.
        held: (T,) arm that holds it, -1 for none.
        frames: The frames; none for those around that of the prompt.

    """
    sensor = looks.ground.demo.sensor
    assert sensor is not None
    out = []
    for other in frames or resting_frames(frame, held, most=MOVING_SPAN):
        look, data = open_frame(looks, other)
        assert data.depth is not None
        label = clusters(look.points, _GAP_M, _LEAST)
        mine = _touched(look.points, label, seeds[k])
        if other != frame:
            for place, seed in enumerate(seeds):
                if place != k:
                    mine -= _touched(look.points, label, seed)
        index = look.index[np.isin(label, sorted(mine))]
        if other == frame:
            near = cKDTree(seeds[k]).query(look.points, distance_upper_bound=_TOLERANCE_M)[0]
            index = look.index[np.isfinite(near)]
        if len(index) < _LEAST:
            continue
        inside = np.zeros(data.depth.shape, dtype=bool)
        inside.reshape(-1)[index] = True
        camera2base, hidden = sensor.camera2base[other], looks.robot(other)
        out.append(View(data.depth, sensor.camera, camera2base, pose, inside, hidden, data.colour))
    return out


def _touched(points: Floats, label: NDArray[np.int64], seed: Floats) -> set[int]:
    """Clusters that some points of a seed lie in."""
    if not len(points) or not len(seed):
        return set()
    near = np.isfinite(cKDTree(seed).query(points, distance_upper_bound=_TOLERANCE_M)[0])
    counts = np.bincount(label[near & (label >= 0)])
    return set(np.flatnonzero(counts >= _SEED_LEAST).tolist())


def resting_frames(
    frame: int, held: NDArray[np.int8], count: int = _SEED_VIEWS, most: int | None = None
) -> list[int]:
    """Frames around one in which an object is not in a hand, evenly; or that frame alone.

    Args:
        frame: The frame, which is one of them.
        held: (T,) arm that holds it, -1 for none.
        count: About so many.
        most: How far away the others may be, frames; None for no limit.

    """
    if held[frame] >= 0:
        return [frame]
    most = len(held) if most is None else most
    low = high = frame
    while low > 0 and held[low - 1] < 0 and frame - low < most:
        low -= 1
    while high < len(held) - 1 and held[high + 1] < 0 and high - frame < most:
        high += 1
    spread = np.linspace(low, high, count).round().astype(int)
    return sorted({frame, *spread.tolist()})


def telling_frames(path: ObjectPath, held: NDArray[np.int8], *, in_hand: bool) -> list[int]:
    """Frames that show an object from all the sides that it is seen from.

    Args:
        path: Where it was.
        held: (T,) arm that holds it, -1 for none.
        in_hand: Whether frames in which it is held are of use.

    """
    usable = path.is_trusted & ~path.has_moved
    usable &= in_hand | (held < 0)
    parts: list[NDArray[np.int64]] = []
    edges = np.flatnonzero(np.diff(held)) + 1
    spans = [span for span in np.split(np.arange(len(held)), edges) if usable[span].any()]
    for span in spans:
        good = span[usable[span]]
        count = max(3, _VIEWS // max(1, len(spans)))
        parts.append(good[np.unique(np.linspace(0, len(good) - 1, count).round().astype(int))])
    return sorted({int(frame) for part in parts for frame in part})


def open_frame(looks: Looks, frame: int) -> tuple[Look, Frame]:
    """Read a frame, and what it shows that may be objects."""
    return looks(frame), looks.ground.demo.frames[frame]


def object_views(
    looks: Looks,
    frame: int,
    surfaces: Sequence[Surface],
    poses: Sequence[Floats],
    wanted: Sequence[int],
    ready: tuple[Look, Frame] | None = None,
) -> dict[int, View]:
    """Views of objects in one frame.

    What hangs together with an object and is neither the robot nor another object belongs to it:
    so faces are found that come into view only after it was turned.

    Args:
        looks: The frames.
        frame: The frame.
        surfaces: Per object, what is known of its surface.
        poses: Per object, (4, 4) object2base in that frame.
        wanted: Places of the objects to return.
        ready: What `open_frame` made of the frame, where that was done ahead.

    """
    demo, view = looks.ground.demo, looks.ground.view
    assert demo.sensor is not None
    look, data = ready or open_frame(looks, frame)
    owner = _owner(look, surfaces, poses, looks.behind.noise)
    owner = _spread(look.points, owner, surfaces, poses)
    depth = data.depth
    assert depth is not None
    drawn, on = draw_objects(looks, frame, depth, [each.points for each in surfaces], poses)
    out = {}
    for k in wanted:
        mine = np.flatnonzero(owner == k)
        if view is not None and len(mine):
            # Leftovers of the fingers move as the object in them does.
            far = ~np.isfinite(view.distance(look.points[mine], frame, _OFF_ROBOT_M))
            near = np.isfinite(surfaces[k].distances(look.points[mine], poses[k], _TOLERANCE_M))
            mine = mine[far | near]
        elif view is None and _robot_near(looks, frame, look.points[mine]):
            continue
        inside = on & (drawn.owner == k)
        inside.reshape(-1)[look.index[mine]] = True
        if inside.sum() < _LEAST:
            continue
        others = looks.before(depth, frame) & ~inside
        out[k] = View(
            depth, demo.sensor.camera, demo.sensor.camera2base[frame], poses[k], inside, others,
            data.colour,
        )  # fmt: skip
    return out


def _owner(
    look: Look, surfaces: Sequence[Surface], poses: Sequence[Floats], growth: float
) -> NDArray[np.int64]:
    """Which object (N,) each point lies on, -1 for none."""
    z = [float(np.linalg.norm(pose[:3, 3] - look.camera2base[:3, 3])) for pose in poses]
    reaches = [max(_TOLERANCE_M, _SIGMAS * growth * each * each) for each in z]
    return owners(surfaces, poses, look.points, reaches)


def _spread(
    points: Floats,
    owner: NDArray[np.int64],
    surfaces: Sequence[Surface],
    poses: Sequence[Floats],
) -> NDArray[np.int64]:
    """Give the points (N,) of nobody in a cluster to the nearest of the objects found in it."""
    out = owner.copy()
    label = clusters(points, _GAP_M, _LEAST)
    for k in range(int(label.max(initial=-1)) + 1):
        mine = np.flatnonzero(label == k)
        counts = np.bincount(owner[mine] + 1, minlength=len(surfaces) + 1)[1:]
        present = np.flatnonzero(counts >= _LEAST)
        rest = mine[owner[mine] < 0]
        # More strangers than friends: something else touches the object.
        if not present.size or not rest.size or rest.size > counts[present].sum():
            continue
        gaps = np.stack(
            [surfaces[i].distances(points[rest], poses[i], np.inf) for i in present.tolist()]
        )
        out[rest] = present[gaps.argmin(axis=0)]
    return out


def _robot_near(looks: Looks, frame: int, points: Floats) -> bool:
    """Whether what moves and is no object comes near; without meshes, it may be the hand."""
    hands = np.array([arm.ee2base[frame, :3, 3] for arm in looks.ground.demo.arms])
    return bool(len(points)) and float(np.min(cKDTree(hands).query(points)[0])) < 5 * _ROBOT_AT_M
