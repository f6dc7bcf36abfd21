# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a still depth camera sees when nobody is in the way.

Whatever moves stands in front of the background, so the background of a pixel is the farthest
depth that it reports more than by chance. No empty capture is needed for what is uncovered at
some time; what stays covered is the business of `complete_behind`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_dilation, binary_opening, distance_transform_edt, gaussian_filter
from scipy.sparse import coo_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.polygon import contains
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.farthest import farthest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.parse.robot import RobotView

_MOST_FRAMES = 60
_THREADS = 2
_MOSTLY = 0.5  # share of the frames
_BESIDE_PX = 3  # colours so close to the drawn robot may be its own
_EDGE_PX = 2  # of an image between two surfaces, which shows neither
_WIDE_PX = 7  # narrower holes are noise, and the shadows of edges
_SAME_M = 0.003  # the foot of an object is nearly as far as what it stands on
_STRIDE = 8
_FLAT_M = 0.006  # what is nearer to the plane than this is the table, as the camera sees it
_EVEN = 40  # the distortion of a camera is even over a fortieth of the image's width
_PRIOR = 0.02


@dataclass(frozen=True)
class Background:
    """Depth and colour of the scene without robot and moving objects.

    Attributes:
        depth: (H, W) float32 metres, NaN where never seen.
        colour: (H, W, 3) uint8.
        noise: Standard deviation of a single depth at 1 m; it grows with the square of the depth.
        hidden: (H, W) where there was no depth but the robot's, mostly as it was in the way; None
            for nowhere.

    """

    depth: NDArray[np.float32]
    colour: NDArray[np.uint8]
    noise: float = 0.0
    hidden: NDArray[np.bool_] | None = None

    def at(self, frame: int) -> NDArray[np.float32]:  # noqa: ARG002
        """Depth (H, W) in a frame: the same in all, as the camera stands still."""
        return self.depth


def find_background(demo: Demo, view: RobotView | None = None) -> Background:
    """Find the background from the frames of a camera that stands still.

    Args:
        demo: The demonstration.
        view: Where the robot is, so that what it always covers is not taken for background.

    Raises:
        R2RGenError: The camera moves.

    """
    if demo.sensor is None or not demo.sensor.is_static:
        raise R2RGenError(
            f'the camera of "{demo.name}" moves',
            'a camera that stands still',
            'use an external one',
        )
    chosen = np.unique(np.linspace(0, len(demo) - 1, min(_MOST_FRAMES, len(demo))).astype(int))
    depths, colours, covered = _read(demo, view, chosen.tolist())
    noise = noise_growth(depths[:, ::_STRIDE, ::_STRIDE])
    depth, colour = farthest(depths, colours, covered, noise)
    # What gives no depth in the many frames in which nothing is in the way gives none at all.
    hidden = np.isnan(depth) & (covered.mean(axis=0) > _MOSTLY)
    return Background(depth, colour, noise, hidden)


def _read(
    demo: Demo, view: RobotView | None, chosen: list[int]
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_]]:
    """Read depths (F, H, W) without the robot, colours (F, H, W, 3), and where it is (F, H, W)."""
    assert demo.sensor is not None
    shape = demo.sensor.camera.height, demo.sensor.camera.width
    depths = np.empty((len(chosen), *shape), dtype=np.float32)
    colours = np.full((len(chosen), *shape, 3), 128, dtype=np.uint8)
    covered = np.zeros((len(chosen), *shape), dtype=bool)
    if view is not None:
        _ = view.tolerance  # learnt once, not in each thread

    def take_away(place: int, index: int) -> None:
        assert view is not None
        mask = view.mask(index, depths[place])
        drawn = view.drawing(index).depth
        covered[place] = mask | binary_dilation(np.isfinite(drawn), iterations=_BESIDE_PX)
        depths[place][mask] = np.nan

    tasks = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for place, index in enumerate(chosen):
            frame = demo.frames[index]
            assert frame.depth is not None
            depths[place] = frame.depth
            if frame.colour is not None:
                colours[place] = frame.colour
            if view is not None:
                tasks.append(pool.submit(take_away, place, index))
        for task in tasks:
            task.result()
    return depths, colours, covered


def noise_growth(depths: NDArray[np.float32]) -> float:
    """How the noise of a still camera grows: its standard deviation at 1 m, per metre.

    Axial noise of depth cameras grows with the square of the distance, sigma = growth z^2. Most
    pixels see the same thing most of the time, so the spread over time is noise.

    Args:
        depths: (F, H, W) metres, NaN where invalid.

    """
    often = np.isfinite(depths).mean(axis=0) > 0.5
    if not often.any():
        return 0.0
    seen = depths[:, often]
    middle = np.nanmedian(seen, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(seen - middle), axis=0)
    return float(np.median(spread / middle**2))


def complete_behind(
    demo: Demo, background: Background, covered: NDArray[np.bool_], support: SupportPlane
) -> Background:
    """Replace what objects cover in every frame, and holes in the table, by the support plane.

    Args:
        demo: The demonstration; its camera stands still.
        background: May show objects that never moved.
        covered: (H, W) pixels where it does.
        support: The support plane.

    Returns:
        The background with the plane's depth where the line of sight meets the plane within its
        outline, also in holes; elsewhere with what is around the objects bridged, or without depth
        beside a backdrop that has none. What objects covered has the colour of the nearest
        uncovered pixel that is on the plane as well, or not.

    """
    assert demo.sensor is not None
    # Object edges leave mixed pixels around the mask.
    hidden = binary_dilation(covered, iterations=2)
    plane = _plane_seen(demo, background, hidden, support)
    points = demo.sensor.camera.unproject(plane).reshape(-1, 3)
    points = se3.apply(demo.sensor.camera2base[0], points)
    outline = support.to_plane(support.outline)
    on_plane = contains(outline, support.to_plane(points)).reshape(hidden.shape)
    depth, colour = background.depth.copy(), background.colour.copy()
    depth[hidden & ~on_plane] = np.nan
    # Where the rim of the mask was plain background, its own reading is better.
    rim = hidden & ~covered & (np.abs(background.depth - plane) < _SAME_M)
    # Beside an object that never moves lies its stereo shadow, which is never seen.
    lost = on_plane & (np.isnan(depth) | (hidden & ~rim))
    depth[lost] = plane[lost]
    # The plane ends where its outline does, so its colours say nothing of what is beyond.
    with np.errstate(invalid='ignore'):
        table = on_plane & (hidden | ~(np.abs(background.depth - plane) > _FLAT_M))
    table = binary_dilation(table, iterations=_EDGE_PX)
    beyond = hidden & ~on_plane
    depth = _bridged(depth, beyond)
    depth[beyond & _beside_nothing(background.depth, hidden | table)] = np.nan
    for part, lends in ((beyond, ~hidden & ~table), (hidden & on_plane, ~hidden & on_plane)):
        source = _nearest(lends if lends.any() else ~hidden)
        colour[part] = background.colour[source[0][part], source[1][part]]
    return Background(depth, colour, background.noise)


def _beside_nothing(depth: NDArray[np.float32], hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether what is nearest in the image (H, W) and not hidden is a backdrop without depth."""
    nothing = np.isnan(depth) & ~hidden
    nothing = binary_opening(nothing, np.ones((_WIDE_PX, _WIDE_PX), dtype=bool))
    known = nothing | (np.isfinite(depth) & ~hidden)
    if not known.any():
        return np.zeros_like(hidden)
    source = _nearest(known)
    return np.asarray(nothing[source[0], source[1]])


def _nearest(chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Row and column (2, H, W) of the nearest of the chosen pixels."""
    return np.asarray(distance_transform_edt(~chosen, return_distances=False, return_indices=True))


def _plane_seen(
    demo: Demo, background: Background, hidden: NDArray[np.bool_], support: SupportPlane
) -> NDArray[np.float32]:
    """Depth (H, W) of the support plane as this camera would measure it, NaN above the horizon.

    A depth camera bends a plane by a millimetre or two, in a pattern of its own that stays. Near a
    hole the difference seen around it is added, in inverse depth, as the disparity is what is off;
    it is a normalised convolution (Knutsson and Westin, 1993) that falls to nothing where no plane
    is near.
    """
    assert demo.sensor is not None
    base2camera = se3.inverse(demo.sensor.camera2base[0])
    normal = base2camera[:3, :3] @ support.normal
    offset = support.offset + support.normal @ base2camera[:3, :3].T @ base2camera[:3, 3]
    with np.errstate(divide='ignore', invalid='ignore'):
        plane = offset / (demo.sensor.camera.rays() @ normal)
        plane[~(plane > 0.0)] = np.nan
        flat = ~hidden & (np.abs(background.depth - plane) < _FLAT_M)
        off = np.where(flat, 1.0 / background.depth - 1.0 / plane, 0.0)
    reach = plane.shape[1] / _EVEN
    off = gaussian_filter(off, reach) / (gaussian_filter(flat.astype(np.float64), reach) + _PRIOR)
    return np.asarray(1.0 / (1.0 / plane + off), dtype=np.float32)


def _bridged(depth: NDArray[np.float32], holes: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill holes (H, W) from their rims, so that a plane around one goes on through it.

    The inverse depth of a plane is linear in the pixel, so the inverse depth is made harmonic:
    each pixel is the mean of its neighbours. A hole without rim stays NaN.
    """
    inverse = np.where(holes | ~(depth > 0.0), np.nan, 1.0 / depth.astype(np.float64))
    v, u = np.nonzero(holes)
    if not len(v):
        return depth
    height, width = depth.shape
    number = np.full(depth.shape, -1, dtype=np.int64)
    number[v, u] = np.arange(len(v))
    rows, columns, values = [], [], []
    total, degree = np.zeros(len(v)), np.zeros(len(v))
    for dv, du in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        there = (v + dv >= 0) & (v + dv < height) & (u + du >= 0) & (u + du < width)
        own = np.flatnonzero(there)
        beside = number[v[own] + dv, u[own] + du]
        rim = inverse[v[own] + dv, u[own] + du]
        joined, known = beside >= 0, np.isfinite(rim)
        rows.append(own[joined])
        columns.append(beside[joined])
        values.append(np.full(int(joined.sum()), -1.0))
        total[own[known]] += rim[known]
        degree[own[joined | known]] += 1.0
    graph = coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        shape=(len(v), len(v)),
    ).tocsr()
    _, part = connected_components(graph, directed=False)
    has_rim = np.bincount(part, total > 0.0) > 0
    usable = np.flatnonzero(has_rim[part])
    out = depth.copy()
    out[v, u] = np.nan
    if usable.size:
        matrix = (graph + diags(degree)).tocsr()[usable][:, usable]
        filled = spsolve(matrix.tocsc(), total[usable])
        out[v[usable], u[usable]] = (1.0 / np.atleast_1d(filled)).astype(np.float32)
    return out
