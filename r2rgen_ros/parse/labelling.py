# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which pixel of every image shows which object, the robot or the environment.

The objects are drawn at their poses. A pixel whose depth is that of a drawn object shows it, even
where noise hides that it lies before the environment, as at the rim of a plate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.splat import NOBODY, Splats
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT, UNSEEN
from r2rgen_ros.parse.ahead import ahead
from r2rgen_ros.parse.clusters import clusters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Sensor
    from r2rgen_ros.parse.looks import Looks
    from r2rgen_ros.parse.robot import RobotView

    Floats = NDArray[np.float64]

_RADIUS_M = 0.0016
_TOLERANCE_M = 0.006
_SIGMAS = 4.0
_RISE_M, _SURE_RISE_M = 0.0008, 0.0015
_CLOSER_M = 0.002
_WITHIN = 6
_GAP_M = 0.02
_STRANGER = 400
_NEAR_M = 0.03


def drawing(
    sensor: Sensor,
    frame: int,
    clouds: Sequence[Floats],
    poses: Sequence[Floats],
    radius: float = _RADIUS_M,
) -> Splats:
    """Draw objects at their poses as the camera should see them in a frame.

    Args:
        sensor: The camera.
        frame: The frame.
        clouds: Per object, its points (N, 3) in its own frame.
        poses: Per object, (4, 4) object2base.
        radius: Half the gap between two points, metres.

    """
    drawn = Splats(sensor.camera)
    base2camera = se3.inverse(sensor.camera2base[frame])
    for k, (cloud, pose) in enumerate(zip(clouds, poses, strict=True)):
        drawn.draw(se3.apply(base2camera @ pose, cloud), radius, k)
    return drawn


def draw_objects(
    looks: Looks,
    frame: int,
    depth: NDArray[np.float32],
    clouds: Sequence[Floats],
    poses: Sequence[Floats],
) -> tuple[Splats, NDArray[np.bool_]]:
    """Draw objects at their poses, and find the pixels that surely show them.

    Args:
        looks: The frames.
        frame: The frame.
        depth: (H, W) of that frame, metres.
        clouds: Per object, its points (N, 3) in its own frame.
        poses: Per object, (4, 4) object2base.

    Returns:
        The drawing, and where (H, W) the depth is that of the object drawn there, and not the
        robot's.

    """
    sensor = looks.ground.demo.sensor
    assert sensor is not None
    drawn = drawing(sensor, frame, clouds, poses)
    on = _agrees(looks, frame, drawn, depth, _SURE_RISE_M)
    robot = looks.robot(frame)
    return drawn, on if robot is None else on & ~robot


def _agrees(
    looks: Looks, frame: int, drawn: Splats, depth: NDArray[np.float32], rise: float
) -> NDArray[np.bool_]:
    """Where (H, W) a depth is that of the object drawn there.

    What is as deep as the environment must be drawn before it, by `rise` metres.
    """
    with np.errstate(invalid='ignore'):
        reach = np.maximum(_TOLERANCE_M, _SIGMAS * looks.behind.noise * depth**2)
        on = (drawn.owner != NOBODY) & (np.abs(depth - drawn.depth) <= reach)
        known = looks.behind.at(frame)
        behind = np.where(np.isnan(known), np.inf, known)
        return np.asarray(on & (looks.before(depth, frame) | (drawn.depth < behind - rise)))


@dataclass(frozen=True)
class _Measured:
    """What is known of a frame before its objects are drawn; images (H, W).

    Attributes:
        depth: Metres.
        before: What lies before the environment.
        robot: What shows the robot; None where its surface is not known.
        surface: Depth of the drawn robot, metres; None where that is not known.

    """

    depth: NDArray[np.float32]
    before: NDArray[np.bool_]
    robot: NDArray[np.bool_] | None = None
    surface: NDArray[np.float32] | None = None


@dataclass
class Labeller:
    """Labels frame after frame, and remembers what the environment looked like.

    Attributes:
        looks: The frames.
        clouds: Per object, its points (N, 3) in its own frame.
        strangers: Frames in which something is neither robot nor object.

    """

    looks: Looks
    clouds: Sequence[Floats]
    strangers: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make room for the environment."""
        shape = self.looks.behind.at(0).shape
        self._total = np.zeros(shape, dtype=np.float64)
        self._count = np.zeros(shape, dtype=np.int32)

    def label_all(self, poses: Sequence[Sequence[Floats]]) -> Iterator[NDArray[np.uint8]]:
        """Yield the labels (H, W) of every frame.

        Args:
            poses: Per frame and object, (4, 4) object2base.

        """
        frames = ahead(self._measured, range(len(poses)))
        for frame, measured in enumerate(frames):
            yield self.label(frame, poses[frame], measured)

    def label(
        self, frame: int, poses: Sequence[Floats], measured: _Measured | None = None
    ) -> NDArray[np.uint8]:
        """Return the labels (H, W) of a frame.

        Args:
            frame: The frame.
            poses: Per object, (4, 4) object2base in it.
            measured: What is known of it, where that is at hand.

        """
        looks, sensor = self.looks, self.looks.ground.demo.sensor
        assert sensor is not None
        measured = measured or self._measured(frame)
        depth, robot, surface = measured.depth, measured.robot, measured.surface
        drawn = drawing(sensor, frame, self.clouds, poses)
        on = _agrees(looks, frame, drawn, depth, _RISE_M)
        labels = np.where(measured.before, np.uint8(ROBOT), np.uint8(ENVIRONMENT))
        hole = ~np.isfinite(depth)
        if robot is not None and surface is not None:
            with np.errstate(invalid='ignore'):
                # The robot's mask is wide; what lies on an object in its grasp is the object's.
                off = np.abs(depth - drawn.depth) + _CLOSER_M
                on &= ~robot | ~(np.abs(depth - surface) < off)
                open_ = ~(surface < drawn.depth)
            labels[robot] = ROBOT
            on |= hole & _within(drawn.owner != NOBODY) & open_
        labels[hole] = UNSEEN
        labels[on] = FIRST_OBJECT + drawn.owner[on]
        self._take_in(labels, depth, (labels == ROBOT) & _not(robot), frame)
        return labels

    def _measured(self, frame: int) -> _Measured:
        """Read a frame and draw its robot."""
        depth, view = self.looks.depth(frame), self.looks.ground.view
        if view is None:
            return _Measured(depth, self.looks.before(depth, frame))
        mask, surface = self.looks.robot(frame), view.drawing(frame).depth
        return _Measured(depth, self.looks.before(depth, frame), mask, surface)

    def _take_in(
        self,
        labels: NDArray[np.uint8],
        depth: NDArray[np.float32],
        rest: NDArray[np.bool_],
        frame: int,
    ) -> None:
        """Give loose pixels at the edge of an object to it, tell strangers, and add up the rest."""
        sensor = self.looks.ground.demo.sensor
        assert sensor is not None
        v, u = np.nonzero(rest)
        if len(v):
            owner = _beside(labels, v, u)
            has = owner >= 0
            labels[v[has], u[has]] = owner[has].astype(np.uint8)
            v, u = v[~has], u[~has]
            left = se3.apply(sensor.camera2base[frame], sensor.camera.points_at(u, v, depth[v, u]))
            view = self.looks.ground.view
            if view is not None and _is_stranger(view, left, frame):
                self.strangers.append(frame)
        still = labels == ENVIRONMENT
        self._total[still] += depth[still]
        self._count[still] += 1

    def environment(self) -> NDArray[np.float32]:
        """Mean depth (H, W) of the environment over the frames that showed it, NaN where none.

        It means something for a camera that stands still.
        """
        with np.errstate(invalid='ignore', divide='ignore'):
            return np.asarray(
                np.where(self._count > 0, self._total / self._count, np.nan), dtype=np.float32
            )


def _beside(
    labels: NDArray[np.uint8], v: NDArray[np.int64], u: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Label (N,) of the object within two pixels of pixels of nobody, -1 for none."""
    height, width = labels.shape
    out = np.full(len(v), -1, dtype=np.int64)
    for dv, du in ((0, 1), (0, -1), (1, 0), (-1, 0), (0, 2), (0, -2), (2, 0), (-2, 0)):
        row, column = np.clip(v + dv, 0, height - 1), np.clip(u + du, 0, width - 1)
        name = labels[row, column].astype(np.int64)
        is_object = (name >= FIRST_OBJECT) & (name != UNSEEN)
        out = np.where((out < 0) & is_object, name, out)
    return out


def _within(drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is drawn (H, W) less its outermost pixels, which are wider than the object by half."""
    around = uniform_filter(drawn.astype(np.float32), 3, mode='constant') * 9.0
    return np.asarray(drawn & (around > _WITHIN - 0.5))


def _not(mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | bool:
    """Where a mask is not; everywhere if there is none."""
    return True if mask is None else ~mask


def _is_stranger(view: RobotView, points: Floats, frame: int) -> bool:
    """Whether points (N, 3), base frame, of nobody hang together away from the robot."""
    if len(points) < _STRANGER:
        return False
    label = clusters(points, _GAP_M, _STRANGER)
    for k in range(int(label.max(initial=-1)) + 1):
        mine = points[label == k]
        few = mine[:: max(1, len(mine) // 200)]
        if np.isinf(view.distance(few, frame, _NEAR_M)).mean() > 0.5:
            return True
    return False
