# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a moving depth camera sees when nobody is in the way: one cloud of many views.

Frames are put together in the base frame, without the robot. A place that other frames look through
holds something that moved, and is left out; what is seen of the rest from the camera's pose in a
frame is the background of that frame. What always stays covered is the support plane.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt, minimum_filter
from scipy.spatial import ConvexHull, QhullError, cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.polygon import contains
from r2rgen_ros.geometry.surfels import Placed, SurfelImage, Surfels
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import ENVIRONMENT
from r2rgen_ros.parse.clusters import clusters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.model.demo import Demo, Sensor
    from r2rgen_ros.parse.robot import RobotView

    Floats = NDArray[np.float64]
    Depth = NDArray[np.float32]

_MOST_FRAMES = 60
_CELL_M = 0.004
_MOST_POINTS = 120_000  # of a frame
_PLANAR = 24
_WIDEST_M = 0.02
_EDGE = 0.03  # a step in depth by more than this share is an edge, where pixels fly
_SEEN_AT_M = 0.008
THROUGH_M = 0.02
_CHANCE = 0.08
_LEAST_THROUGH = 2
_NEAR_M = 0.008
_FOOT_M = 0.012
RISES_M = 0.004
_GAP_M = 0.012
_TOUCHED = 20
_LENDERS = 16
_BRIDGED_CELLS = 4
_NOISE_FRAMES = 6
_BESIDE, _BESIDE_M = 3, 0.02  # so many others are near to a point of a surface
_BELOW_M = 0.1  # under what is this low stands its own foot, if anything
_SMALL = 100  # points
_SAME_POSE = 6  # decimals: a micrometre, a microradian


@dataclass(frozen=True)
class _View:
    """One frame that the room is made of: depth without the robot, its colours, its camera."""

    depth: Depth
    colour: NDArray[np.uint8] | None
    camera2base: Floats


@dataclass(frozen=True, eq=False)
class Room:
    """The environment of a camera that moves.

    Attributes:
        cloud: What is known of it, base frame.
        sensor: The camera.
        noise: Standard deviation of a single depth at 1 m; it grows with the square of the depth.
        support: The support plane, which goes on where nothing was seen within its outline; None
            to leave holes.

    """

    cloud: Cloud
    sensor: Sensor
    noise: float = 0.0
    support: SupportPlane | None = None
    _seen: dict[int, Depth] = field(default_factory=dict, repr=False)
    _discs: Surfels | None = field(default=None, repr=False)

    def at(self, frame: int) -> Depth:
        """Depth (H, W) of the environment as the camera sees it in a frame, NaN where unknown."""
        first = int(self._first_alike[frame])
        if first not in self._seen:
            self._seen[first] = self._drawn(first)
        return self._seen[first]

    @cached_property
    def _first_alike(self) -> NDArray[np.int64]:
        """Per frame, the first one that the camera sees from the same place, as a base waits."""
        poses = np.round(self.sensor.camera2base, _SAME_POSE).reshape(-1, 16)
        _, first, alike = np.unique(poses, axis=0, return_index=True, return_inverse=True)
        return np.asarray(first[alike.reshape(-1)])

    def _drawn(self, frame: int) -> Depth:
        base2camera = se3.inverse(self.sensor.camera2base[frame])
        depth = SurfelImage(self.sensor.camera).draw_depth(
            [Placed(self._surfels, base2camera, ENVIRONMENT)]
        )
        if self.support is not None:
            plane = _plane(self.sensor, frame, self.support)
            lost = np.isnan(depth)
            depth[lost] = plane[lost]
        return depth

    @cached_property
    def _surfels(self) -> Surfels:
        return _discs_of(self.cloud) if self._discs is None else self._discs

    def without(self, things: Sequence[Floats], support: SupportPlane) -> Room:
        """Return the room without some things that stood in it.

        Args:
            things: Points (N, 3) of each, base frame; what hangs together with them above the
                plane goes too.
            support: The plane, which goes on below them.

        """
        points = self.cloud.points.astype(np.float64)
        height = support.height(points)
        high = np.flatnonzero(height > RISES_M)
        gone = np.zeros(len(points), dtype=bool)
        part = clusters(points[high], _GAP_M, 1)
        for thing in things:
            if not len(thing) or not len(high):
                continue
            close = near_to(thing, points)
            gone |= close & (height > 0.5 * RISES_M)
            sizes = np.bincount(part)
            counts = np.bincount(part[close[high]], minlength=len(sizes))
            # A wall or a large thing is not a part of what touches it.
            touched = (counts >= _TOUCHED) & (counts >= 0.3 * sizes)
            # Its foot may stick out where it was hardly seen: a rim of pixels, around or below it.
            low = support.to_plane(thing[support.height(thing) < _BELOW_M])
            beside = near_to(low, support.to_plane(points[high]), _BESIDE_M)
            touched |= (np.bincount(part[beside], minlength=len(sizes)) > 0) & (sizes < _SMALL)
            gone[high[touched[part]]] = True
        # A cell at the foot of a thing has something of its colour.
        lowest = [thing[support.height(thing) < _FOOT_M] for thing in things]
        feet = np.concatenate([points[gone], *lowest])
        if len(feet):
            gone |= near_to(feet, points, _FOOT_M) & (np.abs(height) < _NEAR_M)
        left = self.cloud.select(~gone)
        missing = _missing(feet, left, support)
        # The discs of what is left stay: making those of a whole room takes long.
        discs = self._surfels.select(~gone).joined(_discs_amid(missing, left))
        cloud = Cloud.concatenate([left, missing])
        return replace(self, cloud=cloud, support=support, _seen={}, _discs=discs)


def _discs_amid(added: Cloud, around: Cloud) -> Surfels:
    """Discs of points that are added to a cloud."""
    near = np.zeros(len(around), dtype=bool)
    if len(added):
        near = near_to(added.points.astype(np.float64), around.points.astype(np.float64), _WIDEST_M)
    both = Cloud.concatenate([added, around.select(near)])
    return _discs_of(both).select(slice(len(added)))


def _discs_of(cloud: Cloud) -> Surfels:
    return Surfels.of(cloud, planar=_PLANAR, most=_WIDEST_M)


def near_to(things: Floats, points: Floats, limit: float = _NEAR_M) -> NDArray[np.bool_]:
    """Return which points (N, 3) are closer than a limit, metres, to those of things (M, 3)."""
    return np.isfinite(cKDTree(things).query(points, distance_upper_bound=limit)[0])


def find_room(demo: Demo, view: RobotView | None = None) -> Room:
    """Put the frames of a camera that moves together.

    Args:
        demo: The demonstration.
        view: Where the robot is. Without, it would be taken for a part of the room.

    Raises:
        R2RGenError: The robot's surface is not known.

    """
    sensor = demo.sensor
    assert sensor is not None
    if view is None:
        raise R2RGenError(
            f'the camera of "{demo.name}" moves, and the surface of the robot is not known: its'
            ' pixels cannot be told from those of the room',
            'a robot_description with meshes, and joint states; or a camera that stands still',
            'record /robot_description and /joint_states, or use an external camera',
        )
    chosen = np.unique(np.linspace(0, len(demo) - 1, min(_MOST_FRAMES, len(demo))).astype(int))
    views = [_view(demo, view, frame) for frame in chosen.tolist()]
    cloud = _fused(sensor, views)
    cloud = cloud.select(_stays(sensor, views, cloud))
    cloud = cloud.select(~_alone(cloud))
    if len(cloud) < _TOUCHED:
        raise R2RGenError(
            f'the camera of "{demo.name}" moves, and no two frames agree on where the room is',
            'a camera whose transforms to the base are right',
            'check the hand-eye calibration, and the clocks of camera and robot',
        )
    room = Room(cloud, sensor, _discs=_discs_of(cloud))
    few = chosen[:: max(1, len(chosen) // _NOISE_FRAMES)]
    return replace(room, noise=_noise(room, demo, few.tolist(), view))


def _alone(cloud: Cloud) -> NDArray[np.bool_]:
    """Which points (N,) are no surface: a disc of one would hide much where the camera is near."""
    found = cKDTree(cloud.points).query(cloud.points, k=[_BESIDE + 1])
    return np.asarray(np.asarray(found[0])[:, 0] > _BESIDE_M)


def robotless(demo: Demo, view: RobotView, frame: int) -> Depth:
    """Depth (H, W) of a frame, NaN where the robot is, or may be."""
    measured = demo.frames[frame].depth
    assert measured is not None
    depth = np.where(view.mask(frame, measured), np.float32(np.nan), measured)
    # Where the robot should be seen, it is, or its edge.
    depth[np.isfinite(view.drawing(frame).depth)] = np.nan
    return depth


def _view(demo: Demo, view: RobotView, frame: int) -> _View:
    assert demo.sensor is not None
    colour = demo.frames[frame].colour
    return _View(robotless(demo, view, frame), colour, demo.sensor.camera2base[frame])


def _fused(sensor: Sensor, views: Sequence[_View]) -> Cloud:
    """All views in one cloud: the mean of what lies in a cell, nearer views counting more."""
    points: list[Floats] = []
    colours: list[NDArray[np.uint8]] = []
    weights: list[Floats] = []
    for view in views:
        stride = int(np.ceil(np.sqrt(view.depth.size / _MOST_POINTS)))
        depth = view.depth.copy()
        depth[beside_edges(depth)] = np.nan
        kept = np.zeros(depth.shape, dtype=bool)
        kept[::stride, ::stride] = True
        kept &= np.isfinite(depth)
        own = sensor.camera.unproject(depth)[kept]
        points.append(se3.apply(view.camera2base, own))
        grey = np.full((len(own), 3), 128, dtype=np.uint8)
        colours.append(grey if view.colour is None else view.colour[kept])
        weights.append(np.asarray(1.0 / own[:, 2] ** 2))
    place, shade, weight = np.concatenate(points), np.concatenate(colours), np.concatenate(weights)
    cells = np.floor(place / _CELL_M).astype(np.int64)
    cells -= cells.min(axis=0)
    span = cells.max(axis=0) + 1
    flat = (cells[:, 0] * span[1] + cells[:, 1]) * span[2] + cells[:, 2]
    _, owner = np.unique(flat, return_inverse=True)
    total = np.bincount(owner, weight)

    def mean(values: Floats) -> Floats:
        sums = [np.bincount(owner, weight * column) for column in values.T]
        return np.stack(sums, axis=1) / total[:, None]

    return Cloud.from_arrays(mean(place), np.rint(mean(shade.astype(np.float64))))


def beside_edges(depth: Depth) -> NDArray[np.bool_]:
    """Pixels beside a step in depth, where a camera mixes both sides."""
    out = np.zeros(depth.shape, dtype=bool)
    with np.errstate(invalid='ignore'):
        for axis in (0, 1):
            step = np.abs(np.diff(depth, axis=axis)) > _EDGE * np.minimum(
                *(np.delete(depth, place, axis=axis) for place in (0, -1))
            )
            ahead, after = [slice(None)] * 2, [slice(None)] * 2
            ahead[axis], after[axis] = slice(None, -1), slice(1, None)
            out[tuple(ahead)] |= step
            out[tuple(after)] |= step
    return out


def _stays(sensor: Sensor, views: Sequence[_View], cloud: Cloud) -> NDArray[np.bool_]:
    """Which points (N,) were seen, and not looked through more often than by chance."""
    points = cloud.points.astype(np.float64)
    agree, through = (np.zeros(len(points), dtype=np.int64) for _ in range(2))
    width, height = sensor.camera.width, sensor.camera.height
    for view in views:
        pixels = sensor.camera.project(se3.apply(se3.inverse(view.camera2base), points))
        with np.errstate(invalid='ignore'):
            inside = (pixels[:, 0] > -0.5) & (pixels[:, 0] < width - 0.5)
            inside &= (pixels[:, 1] > -0.5) & (pixels[:, 1] < height - 0.5)
        at = np.flatnonzero(inside)
        u, v = np.rint(pixels[at, :2]).astype(np.int64).T
        # A pixel beside an edge may look past it.
        least = minimum_filter(np.where(np.isfinite(view.depth), view.depth, -np.inf), 3)
        behind = view.depth[v, u] - pixels[at, 2]
        with np.errstate(invalid='ignore'):
            agree[at] += np.abs(behind) < _SEEN_AT_M
            through[at] += least[v, u] - pixels[at, 2] > THROUGH_M
    often = np.maximum(_LEAST_THROUGH, _CHANCE * (agree + through))
    return np.asarray((agree > 0) & (through < often))


def _noise(room: Room, demo: Demo, frames: Sequence[int], view: RobotView) -> float:
    """How the noise grows with the square of the depth: of frames about the room."""
    found = []
    for frame in frames:
        measured = _view(demo, view, frame).depth
        off = (measured - room.at(frame)) / measured**2
        found.append(off[np.abs(measured - room.at(frame)) < _SEEN_AT_M])
    spread = np.concatenate(found)
    return 1.4826 * float(np.median(np.abs(spread))) if spread.size else 0.0


def _plane(sensor: Sensor, frame: int, support: SupportPlane) -> Depth:
    """Depth (H, W) of the support within its outline, NaN beside it."""
    camera2base = sensor.camera2base[frame]
    normal = camera2base[:3, :3].T @ support.normal
    with np.errstate(divide='ignore', invalid='ignore'):
        offset = support.offset - support.normal @ camera2base[:3, 3]
        depth = offset / (sensor.camera.rays() @ normal)
        depth[~(depth > 0.0)] = np.nan
    points = se3.apply(camera2base, sensor.camera.unproject(depth).reshape(-1, 3))
    known = np.isfinite(points[:, 0])
    inside = np.zeros(len(points), dtype=bool)
    outline = support.to_plane(support.outline)
    inside[known] = contains(outline, support.to_plane(points[known]))
    return np.where(inside.reshape(depth.shape), depth, np.nan).astype(np.float32)


def _missing(gone: Floats, left: Cloud, support: SupportPlane) -> Cloud:
    """The plane under what was taken away, and in narrow gaps, in the colours around it.

    The mask of the robot is wide, so that what is close beside it is not seen: such are the gaps.
    """
    near = np.abs(support.height(left.points.astype(np.float64))) < _NEAR_M
    on_plane = left.select(near)
    if len(on_plane) < _TOUCHED:
        return Cloud.empty()
    seen = support.to_plane(on_plane.points.astype(np.float64))
    under = _under(support.to_plane(gone))
    # What a thing hid behind its foot is between the place under it and what was seen.
    both = np.concatenate([seen, under])
    low = both.min(axis=0) - 2.0 * _BRIDGED_CELLS * _CELL_M
    shape = np.ceil((both.max(axis=0) - low) / _CELL_M).astype(np.int64) + 2 * _BRIDGED_CELLS
    known = np.zeros(shape, dtype=bool)
    known[tuple(((both - low) / _CELL_M).astype(np.int64).T)] = True
    grid = np.argwhere(_disc_closed(known) & ~known)
    places = np.concatenate([low + (grid + 0.5) * _CELL_M, under])
    points = places @ support.axes + support.offset * support.normal
    found = cKDTree(on_plane.points).query(points, k=_LENDERS)
    far, index = np.asarray(found[0]), np.asarray(found[1])
    bare = far[:, 0] > 0.8 * _CELL_M
    colours = np.rint(on_plane.colours[index[bare]].mean(axis=1))
    return Cloud.from_arrays(points[bare], colours)


def _disc_closed(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Close gaps in a grid that are narrower than twice `_BRIDGED_CELLS`."""
    wide = distance_transform_edt(~known) <= _BRIDGED_CELLS
    return np.asarray(distance_transform_edt(wide) > _BRIDGED_CELLS)


def _under(flat: Floats) -> Floats:
    """Places (M, 2), one per cell, in the convex outline of what stood on the plane (N, 2)."""
    nothing = np.zeros((0, 2))
    if len(flat) < 3:
        return nothing
    part = clusters(np.column_stack([flat, np.zeros(len(flat))]), _GAP_M, 3)
    out = [nothing]
    for k in range(int(part.max(initial=-1)) + 1):
        own = flat[part == k]
        try:
            hull = own[ConvexHull(own).vertices]
        except QhullError:
            continue
        steps = [
            np.arange(a, b + _CELL_M, _CELL_M)
            for a, b in zip(own.min(axis=0), own.max(axis=0), strict=True)
        ]
        grid = np.stack(np.meshgrid(*steps, indexing='ij'), axis=-1).reshape(-1, 2)
        out.append(grid[contains(hull, grid)])
    return np.concatenate(out)
