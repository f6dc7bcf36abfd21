# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which camera topics the episodes of a recording hold, and of which camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

from r2rgen_ros.bags.camera_output import with_output
from r2rgen_ros.bags.deployment import seen_by
from r2rgen_ros.robots.camera_file import load_camera

if TYPE_CHECKING:
    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.generate.config import GenerateConfig


def written_source(source: Source, config: GenerateConfig) -> Source:
    """Return a recording with the camera topics that its episodes shall hold.

    Raises:
        R2RGenError: It cannot be rendered for the camera that is asked for, or nothing would be
            left of what the camera sees.

    """
    if config.camera.render_for:
        source = seen_by(source, load_camera(config.camera.render_for))
    output = config.output
    return with_output(source, images=output.images, labelled=output.labelled_points)
