# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which of a recording's camera topics its episodes hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.bags import keys
from r2rgen_ros.bags.cameras import without
from r2rgen_ros.model.errors import require

if TYPE_CHECKING:
    from r2rgen_ros.bags.source import Source

_WHY = 'output.images is false'
_STILL = 1e-4  # metres, and of the rotation matrix


def with_output(source: Source, *, images: bool, labelled: bool) -> Source:
    """Return a recording with the camera topics that its episodes shall hold.

    Without images, clouds that the camera's driver made of them stay, and so does the camera_info
    of the depth: with the transforms it tells where the clouds were seen from, and what was in
    view. That of colour images, and all of further cameras, goes.

    Args:
        source: The recording.
        images: Whether images are written.
        labelled: Whether labelled clouds are written.

    Raises:
        R2RGenError: Nothing would be left of what the camera sees.

    """
    cloud = source.cloud
    if cloud is not None and cloud.topic.name == keys.LABELLED_POINTS:
        cloud = None  # an episode without images: they are written as labelled ones, and labelled
    if source.depth is not None and not images:
        cloud = None if _trouble(source) else cloud
        source = _without_images(source)
    source = replace(source, cloud=cloud)
    require(
        labelled or source.depth is not None or cloud is not None,
        f'episodes of {source.path} would hold nothing that the camera sees: '
        + ('labelled_points is' if images else 'images and labelled_points are')
        + ' false, and there is no topic of clouds',
        'images or clouds',
        'set labelled_points to true in the "output" of the configuration'
        + ('' if images else ', or images'),
    )
    return source


def _trouble(source: Source) -> str:
    """Why clouds beside images cannot be written without these; empty where they can."""
    if source.cloud is None:
        return ''
    if source.cloud.frame_id != source.camera_frame:
        return 'they are not made of the depth'
    poses = source.camera2base
    if source.drive is not None and (poses is None or np.ptp(poses, axis=0).max() > _STILL):
        return 'the camera rides on a base that drives, so that no reader can put them together'
    return ''


def _without_images(source: Source) -> Source:
    """Leave out the images of all cameras, what tells of these alone, and clouds in trouble."""
    for camera in source.others:
        source = without(source, camera, _WHY)
    gone = [source.depth, source.colour, *source.recorded.more_info]
    notes = [f'{track.topic.name} ({_WHY})' for track in gone if track is not None]
    trouble = _trouble(source)
    if source.cloud is not None and trouble:
        notes.append(f'{source.cloud.topic.name} ({_WHY}, and {trouble})')
    return replace(
        source,
        depth=None,
        colour=None,
        recorded=replace(source.recorded, more_info=()),
        left_out=(*source.left_out, *notes),
    )
