# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What many frames saw of one object, fused in its own frame.

Every frame's points weigh 1 / sigma^2, with the sensor's axial noise sigma = growth z^2 (Nguyen,
Izadi and Lovell, "Modeling Kinect sensor noise", 2012), and by how squarely the surface was seen.
Local planes through all of them give one thin surface, whose noise falls with the frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.normals import local_planes
from r2rgen_ros.model.errors import check_array, require
from r2rgen_ros.parse.lighting import without_shadows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

    Floats = NDArray[np.float64]

VOXEL_M = 0.0018
NOISE_GROWTH = 0.002
"""Standard deviation of the depth at one metre, metres, where nothing better is known."""

_LEAST_WIDTH_M = 0.0025
_MOST_WIDTH_M = 0.006
_LEAST_NEIGHBOURS = 3
_LEAST_MASS = 0.2
_MOST_RAW = 30_000
_UNEVEN = 1.6
_FAR = 0.05  # the weight of points seen from afar, as a quantile


@dataclass(frozen=True)
class View:
    """What one frame saw of an object and around it.

    Attributes:
        depth: (H, W) float32 metres along the optical axis, NaN where there is none.
        camera: Intrinsics.
        camera2base: (4, 4) pose of the optical frame.
        object2base: (4, 4) pose of the object.
        inside: (H, W) bool, the pixels that show the object.
        uncertain: (H, W) bool, pixels that say nothing of the object, such as those that show
            what holds it; None for none.
        colour: (H, W, 3) uint8; None for grey.

    """

    depth: NDArray[np.float32]
    camera: PinholeCamera
    camera2base: Floats
    object2base: Floats
    inside: NDArray[np.bool_]
    uncertain: NDArray[np.bool_] | None = None
    colour: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        """Check that the images have one size."""
        size = (self.camera.height, self.camera.width)
        require(self.depth.shape == size, f'depth is {self.depth.shape} pixels', f'{size}')
        require(self.inside.shape == size, f'the mask is {self.inside.shape} pixels', f'{size}')
        check_array('camera2base', self.camera2base, (4, 4))
        check_array('object2base', self.object2base, (4, 4))

    @property
    def camera2object(self) -> Floats:
        """(4, 4) pose of the camera as seen from the object."""
        return np.asarray(se3.inverse(self.object2base) @ self.camera2base)


@dataclass(frozen=True)
class Seen:
    """What was seen of an object, in its own frame.

    Attributes:
        cloud: N points, one per `VOXEL_M`.
        normals: (N, 3) unit vectors out of the surface; zero where nobody knows.
        noise: Standard deviation of a single depth at the object's distance, metres; 0 where the
            source is clouds.

    """

    cloud: Cloud
    normals: Floats
    noise: float = 0.0

    def __post_init__(self) -> None:
        """Check the lengths."""
        normals = check_array('the normals', self.normals, (len(self.cloud), 3))
        object.__setattr__(self, 'normals', normals)

    @property
    def points(self) -> Floats:
        """(N, 3) float64."""
        return self.cloud.points.astype(np.float64)

    @property
    def is_oriented(self) -> bool:
        """Whether the normals are known."""
        return bool(len(self.cloud)) and bool(np.any(self.normals))

    def select(self, index: NDArray[np.bool_] | NDArray[np.integer]) -> Seen:
        """Return the points that a mask or an index array picks."""
        return Seen(self.cloud.select(index), self.normals[index], self.noise)


@dataclass(frozen=True)
class _Raw:
    """Measured points in the object's frame, and what is known of each.

    `even` says whether all views are from about as far: else near ones weigh many times more.
    """

    points: Floats
    towards: Floats
    weights: Floats
    colours: Floats
    sigma: float
    spacing: float
    even: bool = True


def fuse(views: Sequence[View], growth: float = NOISE_GROWTH) -> Seen:
    """Fuse what views saw of an object into one thin cloud with normals.

    Pixels that hang between two surfaces and points that hardly any neighbours confirm are left
    out. What other views saw through is left to `carving`.

    Args:
        views: The frames.
        growth: Standard deviation of the depth at one metre, metres; it grows with z^2.

    Returns:
        The cloud in the object's frame, empty where nothing was seen.

    """
    parts = [_measured(view, growth) for view in without_shadows(views)]
    parts = [part for part in parts if len(part.points)]
    if not parts:
        return Seen(Cloud.empty(), np.zeros((0, 3)))
    raw = _joined(parts)
    width = float(np.clip(max(1.5 * raw.spacing, 1.5 * raw.sigma), _LEAST_WIDTH_M, _MOST_WIDTH_M))
    places, towards = _seeds(raw)
    for turn in range(3):
        planes = local_planes(
            places, towards, raw.points, raw.towards, raw.weights, raw.colours, width
        )
        places = planes.project(places)
        keep = _one_per_voxel(places, VOXEL_M)
        if turn == 0:
            square = np.einsum('ij,ij->i', planes.normals, towards)
            good = planes.mass > _least_mass(raw, width) * np.maximum(square, 0.1)
            keep = keep[good[keep]]
        planes, places, towards = planes.select(keep), places[keep], towards[keep]
    colours = np.clip(np.round(planes.means), 0, 255).astype(np.uint8)
    return Seen(Cloud.from_arrays(places, colours), planes.normals, raw.sigma)


def _measured(view: View, growth: float) -> _Raw:
    """The object's points of one view, without those that hang between two surfaces."""
    inside = view.inside & np.isfinite(view.depth)
    v, u = np.nonzero(inside)
    if not len(v):
        nothing = np.zeros((0, 3))
        return _Raw(nothing, nothing, np.zeros(0), nothing, 0.0, 0.0)
    box = (slice(max(v.min() - 3, 0), v.max() + 4), slice(max(u.min() - 3, 0), u.max() + 4))
    depth = np.where(inside[box], view.depth[box].astype(np.float64), np.nan)
    sigma = growth * depth**2
    good = inside[box] & (_companions(depth, sigma) >= _LEAST_NEIGHBOURS)
    v, u = np.nonzero(good)
    z = depth[v, u]
    camera2object = view.camera2object
    places = view.camera.points_at(u + box[1].start, v + box[0].start, z)
    points = se3.apply(camera2object, places)
    towards = camera2object[:3, 3] - points
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    squarely = _squareness(depth, view.camera)[v, u]
    weights = np.maximum(squarely, 0.05) / np.maximum(z * z, 1e-6) ** 2
    colours = np.full((len(u), 3), 128.0)
    if view.colour is not None:
        colours = view.colour[box][v, u].astype(np.float64)
    middle = float(np.median(z)) if len(z) else 0.0
    spacing = middle / min(view.camera.fx, view.camera.fy)
    return _Raw(points, towards, weights, colours, growth * middle**2, spacing)


def _companions(depth: Floats, sigma: Floats) -> NDArray[np.int64]:
    """How many of its eight neighbours (H, W) go on from a pixel without a jump."""
    wide = np.pad(depth, 1, constant_values=np.nan)
    height, width = depth.shape
    limit = 4.0 * np.sqrt(2.0) * sigma + 0.004
    count = np.zeros(depth.shape, dtype=np.int64)
    for dv, du in ((0, 1), (0, 0), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)):
        count += np.abs(wide[dv : dv + height, du : du + width] - depth) < limit
    return count


def _squareness(depth: Floats, camera: PinholeCamera) -> Floats:
    """Cosine (H, W) between ray and normal, from the slope of the smoothed depth."""
    known = np.isfinite(depth)
    share = np.maximum(uniform_filter(known.astype(np.float64), 7), 1e-6)
    smooth = uniform_filter(np.where(known, depth, 0.0), 7) / share
    if min(depth.shape) < 2:
        return np.ones(depth.shape)
    slope_v, slope_u = np.gradient(smooth)
    pixel = np.maximum(smooth, 1e-6) / min(camera.fx, camera.fy)
    return np.asarray(1.0 / np.sqrt(1.0 + (slope_u**2 + slope_v**2) / pixel**2))


def _joined(parts: list[_Raw]) -> _Raw:
    """All views together; evenly fewer points where there are very many."""
    total = sum(len(part.points) for part in parts)
    step = max(1, -(-total // _MOST_RAW))
    sigma = float(np.median([part.sigma for part in parts]))
    gaps = [part.spacing for part in parts]
    spacing = float(np.median(gaps)) * float(np.sqrt(step))

    def together(arrays: list[Floats]) -> Floats:
        # Another offset in every view, so that no pixel is always left out.
        return np.concatenate([array[k % step :: step] for k, array in enumerate(arrays)])

    return _Raw(
        together([part.points for part in parts]),
        together([part.towards for part in parts]),
        together([part.weights for part in parts]),
        together([part.colours for part in parts]),
        sigma,
        spacing,
        max(gaps) < _UNEVEN * min(gaps),
    )


def _least_mass(raw: _Raw, width: float) -> float:
    """Weight around a place that a part of a single view gives to a surface seen squarely."""
    one_view = 2.0 * np.pi * width**2 / max(raw.spacing, 1e-6) ** 2
    usual = np.median(raw.weights) if raw.even else np.quantile(raw.weights, _FAR)
    return float(_LEAST_MASS * one_view * usual)


def _seeds(raw: _Raw) -> tuple[Floats, Floats]:
    """One measured point per voxel, and the mean direction that the voxel was seen from."""
    first, owner = _voxels(raw.points, VOXEL_M)
    sums = [np.bincount(owner, raw.towards[:, axis], len(first)) for axis in range(3)]
    towards = np.stack(sums, axis=1).astype(np.float64)
    lengths = np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-9)
    return raw.points[first], np.asarray(towards / lengths)


def _voxels(points: Floats, size: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of the first point of every voxel, and (N,) the voxel of every point."""
    keys = np.floor(points / size).astype(np.int64)
    keys -= keys.min(axis=0, initial=0)
    span = keys.max(axis=0, initial=0) + 1
    flat = (keys[:, 0] * span[1] + keys[:, 1]) * span[2] + keys[:, 2]
    _, first, owner = np.unique(flat, return_index=True, return_inverse=True)
    return first, owner.reshape(-1)


def _one_per_voxel(points: Floats, size: float) -> NDArray[np.int64]:
    """Index of one point per voxel, in the order of the points."""
    return np.sort(_voxels(points, size)[0])
