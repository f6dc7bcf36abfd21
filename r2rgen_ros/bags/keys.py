# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keys of metadata.yaml's custom_data, for those who write bags and those who read them."""

from __future__ import annotations

VERSION = 'r2rgen.version'
BASE_FRAME = 'r2rgen.base_frame'
END_EFFECTOR = 'r2rgen.end_effector'
"""One frame, or `left=left_tcp, right=right_tcp` for several arms."""
DEPTH = 'r2rgen.depth'
"""Topic of the depth images of the main camera, where there are several."""
END_EFFECTOR_FRAME = 'r2rgen.end_effector_frame'
GRIPPER_OPEN = 'r2rgen.gripper_open'
GRIPPER_CLOSED = 'r2rgen.gripper_closed'
SALVAGED = 'r2rgen.salvaged'
"""'true' where a recording was cut off and mended; its end is missing."""

OWN_FRAMES = 'r2rgen/'
"""Frames that the annotator and the generator show begin so; none is the live robot's."""
OWN_TOPICS = '/r2rgen/'
"""Topics that this package adds begin so; but for the next one they are no input."""
LABELLED_POINTS = '/r2rgen/labelled_points'
"""Clouds in the base frame; all that the camera saw in an episode without images."""


def path_topic(arm: str, arms: int) -> str:
    """Topic of an arm's end-effector path: without its name where there is but one."""
    return f'/r2rgen/{arm}/end_effector_path' if arms > 1 else '/r2rgen/end_effector_path'


def trajectory_topic(arm: str, arms: int, part: str = 'joint') -> str:
    """Topic of the trajectory of an arm's joints, or of its gripper's (part "gripper")."""
    return f'/r2rgen/{arm}/{part}_trajectory' if arms > 1 else f'/r2rgen/{part}_trajectory'


def parse_end_effectors(text: str) -> tuple[tuple[str, str], ...]:
    """Arms and frames of an `END_EFFECTOR` value; a lone frame belongs to the arm "arm"."""
    pairs = []
    for part in filter(None, (piece.strip() for piece in text.split(','))):
        name, equals, frame = part.partition('=')
        pairs.append((name.strip(), frame.strip()) if equals else ('arm', part))
    return tuple(pairs)


def format_end_effectors(pairs: tuple[tuple[str, str], ...]) -> str:
    """The `END_EFFECTOR` value of arms and frames."""
    if len(pairs) == 1 and pairs[0][0] == 'arm':
        return pairs[0][1]
    return ', '.join(f'{name}={frame}' for name, frame in pairs)
