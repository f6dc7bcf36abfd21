# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rigid registration of the measured robot to its description: pairs of points, and the fit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.parse.robot import Drawing, RobotView

    Floats = NDArray[np.float64]

_THREADS = 2
_STRIDE = 3  # of the measured pixels, where nearest points are asked for
_PER_FRAME = 2500
_PER_COARSE_FRAME = 600
_FACING = 0.35  # least cosine between a normal and the line of sight: steeper pixels say little
_EDGES_TRIMMED = 0.8
_STEPS = 4
_TUKEY = 4.685  # 95 % efficient for normal errors
_SPREAD = 1.4826
_LEVER_M = 0.3  # makes turns comparable to shifts: about half the size of what is seen
_DELAY_PRIOR_S = 0.1
_STILL_M_S = 0.02  # a delay cannot be told where the robot moves less


@dataclass(frozen=True)
class Look:
    """A frame that is compared.

    Attributes:
        frame: Number of the frame.
        place: Its place among those compared.
        depth: (H, W) metres.
        coarse: (M, 3) every few of the measured points, optical frame.
        pixels: (M, 2) rows and columns of these.

    """

    frame: int
    place: int
    depth: NDArray[np.float32]
    coarse: Floats
    pixels: NDArray[np.int64]

    @classmethod
    def take(cls, demo: Demo, frame: int, place: int) -> Look:
        """Read a frame of a demonstration with depth images."""
        assert demo.sensor is not None
        depth = demo.frames[frame].depth
        assert depth is not None
        thinned = depth[::_STRIDE, ::_STRIDE]
        points = demo.sensor.camera.unproject(depth)[::_STRIDE, ::_STRIDE]
        valid = np.isfinite(thinned)
        return cls(frame, place, depth, points[valid], _STRIDE * np.argwhere(valid))


@dataclass(frozen=True)
class Pairs:
    """Measured points and the planes of the robot's surface they belong to, base frame.

    Attributes:
        points: (N, 3) measured.
        targets: (N, 3) on the surface.
        normals: (N, 3) of the surface there, towards the camera.
        speeds: (N,) of the surface along the normal, m/s.
        frame: (N,) place of the frame.
        drawn: Number of pixels that should show the robot.
        measured: How many of these measured anything.

    """

    points: Floats
    targets: Floats
    normals: Floats
    speeds: Floats
    frame: NDArray[np.int64]
    drawn: int = 0
    measured: int = 0

    @classmethod
    def concatenate(cls, parts: Sequence[Pairs]) -> Pairs:
        """Put pairs after one another, in order."""
        return cls(
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.targets for part in parts]),
            np.concatenate([part.normals for part in parts]),
            np.concatenate([part.speeds for part in parts]),
            np.concatenate([part.frame for part in parts]),
            sum(part.drawn for part in parts),
            sum(part.measured for part in parts),
        )

    def distances(self) -> Floats:
        """Signed distances (N,) from the planes."""
        return np.asarray(np.einsum('ij,ij->i', self.points - self.targets, self.normals))


def gather(view: RobotView, looks: Sequence[Look], gate: float, *, by_pixel: bool) -> Pairs:
    """Pair what was measured with the robot as a view draws it.

    Args:
        view: The robot, with the correction so far.
        looks: Frames to compare.
        gate: Pairs farther apart than this are none, metres.
        by_pixel: Whether the points of the same pixel are paired, or the nearest ones.

    """
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda look: _pairs(view, look, gate, by_pixel), looks)
        return Pairs.concatenate(list(found))


def _pairs(view: RobotView, look: Look, gate: float, by_pixel: bool) -> Pairs:
    """Pair what a frame measured with the robot as drawn."""
    assert view.demo.sensor is not None
    camera = view.demo.sensor.camera
    drawing = view.drawing(look.frame)
    visible, valid = np.isfinite(drawing.depth), np.isfinite(look.depth)
    v, u = np.nonzero(visible)
    # The same pixels in every run, not a random choice.
    most = _PER_FRAME if by_pixel else _PER_COARSE_FRAME
    keep = slice(None, None, max(1, len(v) // most))
    v, u = v[keep], u[keep]
    rays = camera.points_at(u, v, np.ones(len(u)))
    targets = rays * drawing.depth[v, u, None].astype(np.float64)
    normals = _normals(drawing, v, u)
    facing = -np.einsum('ij,ij->i', normals, rays) / np.linalg.norm(rays, axis=1)
    if by_pixel:
        points = rays * look.depth[v, u, None].astype(np.float64)
        good = valid[v, u] & (facing > _FACING)
    else:
        points, good = _nearest(look, visible, targets, gate, camera.fx)
        good &= facing > 0.0
    with np.errstate(invalid='ignore'):
        good &= np.abs(np.einsum('ij,ij->i', points - targets, normals)) < gate
    speeds = _speeds(view, look.frame, drawing.face[v, u], targets)
    turn = view.camera2base(look.frame)
    turned = normals @ turn[:3, :3].T
    return Pairs(
        se3.apply(turn, points[good]),
        se3.apply(turn, targets[good]),
        turned[good],
        np.einsum('ij,ij->i', speeds, turned)[good],
        np.full(int(good.sum()), look.place, dtype=np.int64),
        int(visible.sum()),
        int((visible & valid).sum()),
    )


def _normals(drawing: Drawing, v: NDArray[np.int64], u: NDArray[np.int64]) -> Floats:
    """Normals (N, 3) of the faces seen in pixels, towards the camera, optical frame."""
    corners = drawing.vertices[drawing.faces[drawing.face[v, u]]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    away = np.einsum('ij,ij->i', normals, corners[:, 0]) > 0.0
    normals[away] *= -1.0
    length = np.maximum(np.linalg.norm(normals, axis=1), 1e-300)
    return np.asarray(normals / length[:, None])


def _nearest(
    look: Look, visible: NDArray[np.bool_], targets: Floats, gate: float, focal: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Nearest measured point (N, 3) of each drawn one, and which of them count: not the worst."""
    none = np.zeros(len(targets), dtype=bool)
    if not len(targets):
        return targets, none
    low, high = targets[:, 2].min() - gate, targets[:, 2].max() + gate
    around = _grown(visible, int(np.ceil(focal * gate / float(np.median(targets[:, 2])))))
    near = around[look.pixels[:, 0], look.pixels[:, 1]]
    near &= (look.coarse[:, 2] > low) & (look.coarse[:, 2] < high)
    points = look.coarse[near]
    if not len(points):
        return targets, none
    near_m, index = cKDTree(points).query(targets, distance_upper_bound=gate)
    far = np.asarray(near_m)
    found = np.isfinite(far)
    if found.any():
        found &= far <= np.quantile(far[found], _EDGES_TRIMMED)
    return points[np.where(found, index, 0)], found


def _grown(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Grow a mask (H, W) by a square of a half width."""
    size = 2 * radius + 1
    return np.asarray(maximum_filter(mask.view(np.uint8), size=size) > 0)


def _speeds(view: RobotView, frame: int, face: NDArray[np.int32], targets: Floats) -> Floats:
    """Velocities (N, 3) of points of the robot (N, 3, optical frame) in the base frame, m/s."""
    last = len(view.demo) - 1
    one, two = max(0, frame - 1), min(last, frame + 1)
    seconds = (view.demo.stamps[two] - view.demo.stamps[one]) * 1e-9
    now = se3.apply(view.camera2base(frame), targets)
    owner = view.part_of_face[face]
    back = se3.inverse(view.poses[frame])
    moves = np.asarray(view.poses[two] @ back - view.poses[one] @ back)[owner]
    return np.asarray((np.einsum('nij,nj->ni', moves[:, :3, :3], now) + moves[:, :3, 3]) / seconds)


def fit(pairs: Pairs, *, with_delay: bool) -> tuple[Floats, float]:
    """Correction (4, 4) and delay that bring measured points onto the planes; robust to strays.

    Iteratively reweighted least squares with Tukey's weights about the middle of the points.
    """
    centre = pairs.targets.mean(axis=0)
    correction, delay = np.eye(4), 0.0
    can_tell = with_delay and float(np.std(pairs.speeds)) > _STILL_M_S
    for _ in range(_STEPS):
        points = se3.apply(correction, pairs.points)
        # The surface that an image of stamp t shows is where it was at t - delay.
        gaps = np.einsum('ij,ij->i', points - pairs.targets, pairs.normals)
        gaps += delay * pairs.speeds
        weights = _tukey(gaps)
        rows = _rows(points, pairs, centre)
        if can_tell:
            rows = np.hstack([rows, pairs.speeds[:, None]])
        normal = rows.T @ (weights[:, None] * rows)
        right = -rows.T @ (weights * gaps)
        if can_tell:
            prior = float(weights @ gaps**2) / _DELAY_PRIOR_S**2
            normal[6, 6] += prior
            right[6] -= prior * delay
        normal[np.diag_indices_from(normal)] += 1e-9 * np.trace(normal)
        step = np.linalg.solve(normal, right)
        turn = Rotation.from_rotvec(step[:3] / _LEVER_M).as_matrix()
        correction = se3.about_point(turn, centre, step[3:6]) @ correction
        delay += float(step[6]) if can_tell else 0.0
    return correction, delay


def _rows(points: Floats, pairs: Pairs, centre: Floats) -> Floats:
    """Derivatives (N, 6) of the distances by turn, as metres at the lever, and shift."""
    arms = np.cross(points - centre, pairs.normals) / _LEVER_M
    return np.hstack([arms, pairs.normals])


def _tukey(gaps: Floats) -> Floats:
    scale = max(_SPREAD * float(np.median(np.abs(gaps))), 2e-4)
    share = np.minimum(np.abs(gaps) / (_TUKEY * scale), 1.0)
    return np.asarray((1.0 - share**2) ** 2)


def weakest(pairs: Pairs) -> float:
    """How well the least determined motion is opposed: 1 where every point would."""
    rows = _rows(pairs.points, pairs, pairs.targets.mean(axis=0))
    return float(np.linalg.eigvalsh(rows.T @ rows / len(rows))[0])
