# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Object poses over time: rigid with the hand that holds, still otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.events import closed_frames, grasp_intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import Grasp, ObjectNote
    from r2rgen_ros.model.demo import Demo

__all__ = ['closed_frames', 'grasp_intervals', 'held_by', 'track']


def held_by(demo: Demo, note: ObjectNote) -> NDArray[np.int8]:
    """Index (T,) of the arm that holds an object in each frame, -1 for none.

    Raises:
        R2RGenError: A grasp names an unknown arm or frames beyond the demonstration.

    """
    held = np.full(len(demo), -1, dtype=np.int8)
    names = [arm.name for arm in demo.arms]
    for grasp in note.grasps:
        if grasp.arm not in names:
            raise R2RGenError(f'"{note.name}" is held by "{grasp.arm}"', f'one of {names}')
        if grasp.last >= len(demo):
            raise R2RGenError(
                f'"{note.name}" is held until frame {grasp.last}', f'less than {len(demo)} frames'
            )
        held[grasp.first : grasp.last + 1] = names.index(grasp.arm)
    return held


def track(
    demo: Demo, start: NDArray[np.float64], frame: int, grasps: tuple[Grasp, ...]
) -> NDArray[np.float64]:
    """Poses of an object in every frame.

    Args:
        demo: The demonstration; gives the arms' paths.
        start: (4, 4) object2base in one frame.
        frame: That frame; the object may be in a hand in it.
        grasps: When it is held and by which arm, in order of time.

    Returns:
        (T, 4, 4) object2base.

    """
    poses = np.tile(start, (len(demo), 1, 1))
    arms = {arm.name: arm for arm in demo.arms}
    for grasp in grasps:
        if grasp.last >= frame:
            path, begin, end = arms[grasp.arm].ee2base, max(grasp.first, frame), grasp.last + 1
            in_hand = se3.inverse(path[begin]) @ poses[begin]
            poses[begin:end] = path[begin:end] @ in_hand
            poses[end:] = poses[end - 1]
    for grasp in reversed(grasps):
        if grasp.first < frame:
            path, begin, end = arms[grasp.arm].ee2base, grasp.first, min(grasp.last, frame)
            in_hand = se3.inverse(path[end]) @ poses[end]
            poses[begin:end] = path[begin:end] @ in_hand
            poses[:begin] = poses[begin]
    return poses
