# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A depth camera that is described rather than recorded: how it is mounted, and what it sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import check_array, check_range, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

TOPICS = ('depth', 'depth_info', 'colour', 'colour_info', 'cloud')


@dataclass(frozen=True)
class MountedCamera:
    """A depth camera that is fixed to the robot's base or to one of its links.

    Attributes:
        name: What to call it.
        camera: Intrinsics of its colour and its depth, which is aligned to the colour.
        mount: The link that it is fixed to; empty for the robot's base, which may drive.
        camera2mount: (4, 4) pose of its optical frame (REP-103) in that link.
        frame: Name of its optical frame.
        topics: Names of its topics by `TOPICS`; what is missing takes the source's.
        range_m: Least and largest depth that it measures, metres.

    """

    name: str
    camera: PinholeCamera
    mount: str
    camera2mount: NDArray[np.float64]
    frame: str
    topics: dict[str, str] = field(default_factory=dict)
    range_m: tuple[float, float] = (0.1, 5.0)

    def __post_init__(self) -> None:
        """Check the pose, the names and the range."""
        require(bool(self.name), 'a camera has no name', 'a name')
        require(bool(self.frame), f'camera "{self.name}" has no frame', 'its optical frame')
        require(
            self.frame != self.mount,
            f'camera "{self.name}" and what it is mounted on are both called "{self.frame}"',
            'a frame of its own',
        )
        pose = check_array(f'the pose of camera "{self.name}"', self.camera2mount, (4, 4))
        require(se3.is_transform(pose), f'the pose of camera "{self.name}" is not rigid')
        object.__setattr__(self, 'camera2mount', pose)
        unknown = sorted(set(self.topics) - set(TOPICS))
        require(not unknown, f'camera "{self.name}" has topics {unknown}', f'some of {TOPICS}')
        names = list(self.topics.values())
        require(
            all(name.startswith('/') for name in names),
            f'the topics of camera "{self.name}" are {names}',
            'full names that begin with /',
        )
        require(
            len(set(names)) == len(names),
            f'two topics of camera "{self.name}" have one name: {names}',
            'a name for each',
        )
        near, far = self.range_m
        check_range('the largest depth', far, 0.01, 100.0, 'm')
        check_range('the least depth', near, 0.001, far, 'm')
