# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a camera reports of a rendered image: depth, colour and labelled points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.model.sensed import SensedFrame
from r2rgen_ros.sense.sampling import shown_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.sense.depth_camera import Image


def sensed(
    scene: Scene,
    image: Image,
    reported: NDArray[np.float32] | None,
    rays: NDArray[np.float32],
    camera2base: NDArray[np.float64],
    config: GenerateConfig,
) -> SensedFrame:
    """An image with its labelled cloud, thinned evenly over the image.

    Args:
        scene: The parsed demonstration.
        image: The image.
        reported: (H, W) its depth as a noisy camera reports it; all as it is if None.
        rays: (H * W, 3) of the pixels.
        camera2base: (4, 4).
        config: What is asked for.

    """
    colour = image.colour if scene.demo.frames[0].colour is not None else None
    depth = image.depth if reported is None else reported
    if not config.output.labelled_points:
        return SensedFrame(depth=depth, colour=colour, unseen=image.unseen)
    index = shown_pixels(image.depth, image.label, config.output.labelled_count, reported)
    cloud, labels = labelled(image, index, depth.reshape(-1)[index], rays, camera2base)
    return SensedFrame(depth, colour, labelled=cloud, labels=labels, unseen=image.unseen)


def labelled(
    image: Image,
    index: NDArray[np.int32],
    depth: NDArray[np.float32],
    rays: NDArray[np.float32],
    camera2base: NDArray[np.float64],
) -> tuple[Cloud, NDArray[np.uint8]]:
    """Points of pixels (N,) with depths (N,) in the base frame, and their labels (N,)."""
    points = np.empty((len(index), 3), dtype=np.float32)
    colours = np.empty((len(index), 3), dtype=np.uint8)
    labels = np.empty(len(index), dtype=np.uint8)
    _fetch(
        index, depth, rays, image.colour.reshape(-1, 3), image.label.reshape(-1),
        points, colours, labels,
    )  # fmt: skip
    return Cloud(points, colours).transformed(camera2base), labels


@compiled
def _fetch(
    index: Any, depth: Any, rays: Any, colour: Any, label: Any,
    points: Any, colours: Any, labels: Any,
) -> None:  # fmt: skip
    """Points, colours and labels of pixels; each in a loop of its own, see `spoil_some`."""
    for i in range(index.shape[0]):
        for k in range(3):
            points[i, k] = rays[index[i], k] * depth[i]
    for i in range(index.shape[0]):
        for k in range(3):
            colours[i, k] = colour[index[i], k]
    for i in range(index.shape[0]):
        labels[i] = label[index[i]]
