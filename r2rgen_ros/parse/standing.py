# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a camera stands still that all transforms say does: a base may drive without odometry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.parse.robot import RobotView

_FRAMES = 17
# Shares of the images that objects and people may change; and the robot, where it is unknown.
_MOST, _MOST_WITH_ROBOT = 0.25, 0.4
_LASTING = 75.0  # percentile: what passes by is over in more than a quarter of the frames
_NEAR_M, _GROWTH_1_M = 0.02, 0.02  # depths of one place differ by less than near + growth z^2


def check_standing(demo: Demo, view: RobotView | None) -> str | None:
    """See whether a still camera's images change as a whole.

    Args:
        demo: A demonstration of images from a camera that stands still by its transforms.
        view: The robot, which may be anywhere; None if unknown.

    Returns:
        What to warn of where the robot, whose arm may cover much of the images, is unknown; None
        if all is well.

    Raises:
        R2RGenError: The images change as a whole.

    """
    frames = np.unique(np.linspace(0, len(demo) - 1, _FRAMES).astype(int)).tolist()
    views = [_without_robot(demo, view, frame) for frame in frames]
    shares = np.array([[_changed(end, other) for other in views] for end in (views[0], views[-1])])
    lasting = np.percentile(shares, _LASTING, axis=1)
    end = int(lasting.argmax())
    if lasting[end] <= (_MOST_WITH_ROBOT if view is None else _MOST):
        return None
    other = frames[int(shares[end].argmax())]
    error = R2RGenError(
        f'{lasting[end]:.0%} of what the camera of "{demo.name}" sees is elsewhere in many frames, '
        f'such as {other}, than in frame {frames[0 if end == 0 else -1]}, but no transform '
        'moves it',
        'a camera that stands still before the base, or whose way is recorded',
        'if the base drives, record its odometry on /tf as well; if something carries the camera, '
        'record the transforms up to it',
    )
    if view is not None:
        raise error
    return str(error)


def _without_robot(demo: Demo, view: RobotView | None, frame: int) -> NDArray[np.float32]:
    """Depth (H, W) of a frame in metres, NaN where the robot is drawn."""
    depth = demo.frames[frame].depth
    assert depth is not None
    if view is None:
        return depth
    return np.where(np.isfinite(view.drawing(frame).depth), np.float32(np.nan), depth)


def _changed(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Share of the pixels known in both images whose depths differ."""
    known = np.isfinite(one) & np.isfinite(other)
    if not known.any():
        return 0.0
    limit = _NEAR_M + _GROWTH_1_M * one[known] ** 2
    return float((np.abs(one[known] - other[known]) > limit).mean())
