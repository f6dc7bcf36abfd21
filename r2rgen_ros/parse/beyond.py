# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What of an object lies beyond the image in which it was pointed at.

A camera that moves often shows no more of an object than a corner, at the rim of the image. Other
frames show the rest, as the object stays where it is: put together, it is what hangs together with
the corner, but for what that image shows too and was not chosen there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud, voxel_downsample
from r2rgen_ros.parse.clusters import clusters
from r2rgen_ros.parse.room import RISES_M, THROUGH_M, Room, beside_edges, near_to, robotless
from r2rgen_ros.parse.views import MOVING_SPAN, resting_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.parse.ground import Ground

    Floats = NDArray[np.float64]

_FRAMES = 24
_SOME = 0.05  # of a row or column of an image: it has depth
_CLEAR_M = 0.2
_THROUGH = 0.2
_RIM_PX = 2
_LEAST_RIM = 3
_CELL_M = 0.004
_GAP_M = 0.01
_SIGMAS = 4.0
_REACH_M = 0.4
_OWN_M = 0.006
_LEAST = 10
_SAME_M = 0.012


def with_what_lies_beyond(
    ground: Ground,
    frames: Sequence[int],
    pixels: Sequence[NDArray[np.int64]],
    seeds: Sequence[Floats],
    held: Sequence[NDArray[np.int8]],
) -> list[tuple[Floats, list[int]]]:
    """Return the seeds, those at the rim of their image with what is beyond it.

    Args:
        ground: The survey of a demonstration whose camera moves.
        frames: Per object, the frame of its prompt.
        pixels: Per object, places of what was chosen in the flattened image of that frame.
        seeds: Per object, the same as points (N, 3), base frame.
        held: Per object, (T,) arm that holds it, -1 for none.

    Returns:
        Per object its points (M, 3), and the frames that show what was added; none where nothing
        was: it is not at the rim, other frames show no more, or another object touches it.

    """
    out = []
    for k, (frame, chosen, seed) in enumerate(zip(frames, pixels, seeds, strict=True)):
        more = np.zeros((0, 3))
        shown: list[int] = []
        if held[k][frame] < 0 and _at_rim(ground, frame, chosen):
            others = [other for place, other in enumerate(seeds) if place != k]
            shown = _undisturbed(ground, frame, seed, k, held)
            more = _beyond(ground, frame, seed, others, shown)
        out.append((np.concatenate([seed, more]), shown if len(more) else []))
    return out


def _at_rim(ground: Ground, frame: int, chosen: NDArray[np.int64]) -> bool:
    """Whether pixels reach the rim of what has depth in a frame."""
    depth = ground.demo.frames[frame].depth
    assert depth is not None
    known = np.isfinite(depth)
    places = np.divmod(chosen, depth.shape[1])
    near = np.zeros(len(chosen), dtype=bool)
    for axis, place in enumerate(places):
        some = np.flatnonzero(known.mean(axis=1 - axis) > _SOME)
        if some.size:
            near |= (place < some[0] + _RIM_PX) | (place > some[-1] - _RIM_PX)
    return int(near.sum()) >= _LEAST_RIM


def _undisturbed(
    ground: Ground, frame: int, seed: Floats, k: int, held: Sequence[NDArray[np.int8]]
) -> list[int]:
    """Frames around that of a prompt in which an object rests, and nothing is brought near it.

    What a hand sets down there, or takes away, would be taken for a part of it.
    """
    busy = held[k] >= 0
    for other in held:
        for number, arm in enumerate(ground.demo.arms):
            far = np.linalg.norm(arm.ee2base[:, :3, 3] - seed.mean(axis=0), axis=1)
            busy = busy | ((other == number) & (far < _CLEAR_M))
    taken = np.where(busy, 0, -1).astype(np.int8)
    far, near = (
        resting_frames(frame, taken, _FRAMES),
        resting_frames(frame, taken, most=MOVING_SPAN),
    )
    around = {*far, *near}
    return [at for at in sorted(around) if at == frame or not _looked_through(ground, at, seed)]


def _looked_through(ground: Ground, frame: int, seed: Floats) -> bool:
    """Whether a frame shows what is behind a seed: that is elsewhere then."""
    _, past, _ = _behind(ground, frame, seed)
    return bool(len(past)) and float((past > THROUGH_M).mean()) > _THROUGH


def _beyond(
    ground: Ground, frame: int, seed: Floats, others: Sequence[Floats], frames: Sequence[int]
) -> Floats:
    """Points (N, 3) that hang together with a seed and lie outside of the image it is from."""
    middle = seed.mean(axis=0)
    points = np.concatenate([_rising(ground, other, middle) for other in frames])
    if not len(points):
        return points
    points = voxel_downsample(Cloud.from_arrays(points), _CELL_M).points.astype(np.float64)
    points = points[~_shown_there(ground, frame, points, seed)]
    label = clusters(np.concatenate([points, seed]), _GAP_M, 1)
    own, mine = label[: len(points)], label[len(points) :]
    counts = np.bincount(mine, minlength=int(label.max()) + 1)
    out = [np.zeros((0, 3))]
    for k in np.flatnonzero(counts >= _LEAST):
        part = points[own == k]
        # A wall, or what another object was chosen from as well, is not for one alone.
        within = (np.linalg.norm(part - middle, axis=1) < _REACH_M - _GAP_M).all()
        touched = any(near_to(part, other, _OWN_M).sum() >= _LEAST for other in others)
        if len(part) and within and not touched:
            out.append(part)
    return np.concatenate(out)


def _rising(ground: Ground, frame: int, middle: Floats) -> Floats:
    """Points (N, 3) of a frame near a place, above the support, and none of the robot."""
    sensor, view = ground.demo.sensor, ground.view
    assert sensor is not None
    assert view is not None
    assert isinstance(ground.background, Room)
    depth = robotless(ground.demo, view, frame)
    depth[beside_edges(depth)] = np.nan
    points = se3.apply(sensor.camera2base[frame], sensor.camera.unproject(depth).reshape(-1, 3))
    noise = _SIGMAS * ground.background.noise * depth.reshape(-1).astype(np.float64) ** 2
    with np.errstate(invalid='ignore'):
        kept = np.linalg.norm(points - middle, axis=1) < _REACH_M
        kept &= ground.support.height(points) > np.maximum(RISES_M, noise)
    return np.asarray(points[kept], dtype=np.float64)


def _shown_there(ground: Ground, frame: int, points: Floats, seed: Floats) -> NDArray[np.bool_]:
    """Which points (N, 3) a frame shows that are not of the seed."""
    assert isinstance(ground.background, Room)
    same, past, away = _behind(ground, frame, points)
    limit = np.maximum(_SAME_M, _SIGMAS * np.sqrt(2.0) * ground.background.noise * away**2)
    same[same] = np.abs(past) < limit
    return np.asarray(same & ~near_to(seed, points, _OWN_M))


def _behind(ground: Ground, frame: int, points: Floats) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """How far behind points (N, 3) is what a frame shows where they would be.

    Returns:
        Which are in its image (N,), and of these how much farther, and how far they are, metres.

    """
    sensor, depth = ground.demo.sensor, ground.demo.frames[frame].depth
    assert sensor is not None
    assert depth is not None
    there = se3.apply(se3.inverse(sensor.camera2base[frame]), points)
    inside, rows, columns, away = sensor.camera.pixels_of(there)
    return inside, depth[rows, columns] - away, away
