# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What panels are built on: where they are shown, and the demonstration that they are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import viser

    from r2rgen_ros.model.demo import Demo


@dataclass(frozen=True)
class Board:
    """What panels are built on.

    Attributes:
        gui: Where they are shown.
        arms: Names of the demonstration's arms.
        frames: Number of its frames.
        has_camera: Whether it has a camera's picture.

    """

    gui: viser.GuiApi
    arms: tuple[str, ...]
    frames: int
    has_camera: bool

    @classmethod
    def of(cls, server: viser.ViserServer, demo: Demo) -> Board:
        """Return what panels of a demonstration are built on."""
        arms = tuple(arm.name for arm in demo.arms)
        return cls(server.gui, arms, len(demo), demo.sensor is not None)
