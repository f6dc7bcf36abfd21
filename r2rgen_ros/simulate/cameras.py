# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What may watch the virtual robot, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.simulate.world import EXTERNAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from r2rgen_ros.model.deployment import MountedCamera


def cameras_named(names: Iterable[str]) -> tuple[MountedCamera, ...]:
    """Return cameras: the virtual robot's own, "external", presets, or files.

    Raises:
        R2RGenError: There is no such camera, or its file is wrong.

    """
    return tuple(camera_named(name) for name in names)


def camera_named(name: str) -> MountedCamera:
    """Return one camera; see `cameras_named`."""
    return EXTERNAL if name == EXTERNAL.name else load_camera(name)
