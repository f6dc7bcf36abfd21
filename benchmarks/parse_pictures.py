# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A picture of where a parsed scene is worst: the mask of an object, and the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.parse_scoring import environment_depth
from benchmarks.parse_truth import empty_room
from r2rgen_ros.model.scene import FIRST_OBJECT

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.parse_scoring import SceneScore
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.simulate.ground_truth import GroundTruth

_LARGEST_MM = 20.0
RIGHT, MISSED, WRONG, HOLE = (0, 200, 0), (230, 0, 0), (0, 90, 255), (255, 0, 255)


def draw_worst(path: Path, scene: Scene, truth: GroundTruth, score: SceneScore) -> None:
    """Draw the mask with the least overlap beside the error of the environment.

    Left: green where mask and truth agree, red where the mask misses the object, blue where it
    takes in something else. Right: the error of the depth, white from 20 mm on; pink for holes.

    Args:
        path: Image to write.
        scene: The scene.
        truth: The truth.
        score: How they differ.

    """
    item = min(score.objects, key=lambda one: float(one.iou.min(initial=1.0)))
    frame = int(item.iou_frames[item.iou.argmin()]) if item.iou.size else 0
    number = [one.name for one in scene.objects].index(item.name)
    row = int(np.searchsorted(truth.stamps, scene.demo.stamps[frame]))
    there = truth.labels[row] == FIRST_OBJECT + truth.names.index(item.name)
    here = scene.labels[frame] == FIRST_OBJECT + number
    colour = scene.demo.frames[frame].colour
    left = np.zeros((*there.shape, 3)) if colour is None else colour.astype(np.float64)
    for mask, paint in ((here & there, RIGHT), (there & ~here, MISSED), (here & ~there, WRONG)):
        left[mask] = 0.4 * left[mask] + 0.6 * np.array(paint)
    true, found = empty_room(), environment_depth(scene)
    error = np.nan_to_num(1e3 * np.abs(found - true)) / _LARGEST_MM
    right = np.repeat((255.0 * np.clip(error, 0.0, 1.0))[..., None], 3, axis=2)
    right[np.isfinite(true) & np.isnan(found)] = HOLE
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([left, right], axis=1).astype(np.uint8)).save(path)
