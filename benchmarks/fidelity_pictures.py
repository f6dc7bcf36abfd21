# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of how true generated frames are: side by side, and curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.fidelity_scoring import Made
    from benchmarks.fidelity_stage import Retake

_LARGEST_M = 0.02
LOST, ADDED = (255, 0, 255), (0, 160, 255)


def draw_frames(path: Path, frames: Sequence[tuple[Made, Retake]]) -> None:
    """Draw generated and recorded frames side by side: colour, depth, and their difference.

    The difference is white from 20 mm on, pink where only the recording has depth and blue where
    only the generated frame has; what is not compared is darker.
    """
    rows = []
    for made, retake in frames:
        far = float(np.nanmax(retake.exact, initial=0.1))
        near = float(np.nanmin(retake.exact, initial=far))
        left = np.zeros_like(retake.colour) if made.colour is None else made.colour
        here, there = np.isfinite(made.depth), np.isfinite(retake.one)
        error = np.nan_to_num(np.abs(made.depth - retake.one)) / _LARGEST_M
        off = np.repeat((255.0 * np.clip(error, 0.0, 1.0))[..., None], 3, axis=2)
        off[there & ~here], off[here & ~there] = LOST, ADDED
        off[~retake.region] *= 0.3
        depths = [_grey(depth, near, far) for depth in (made.depth, retake.one)]
        parts = [left, retake.colour, *depths, off.astype(np.uint8)]
        rows.append(np.concatenate(parts, axis=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(path)


def draw_curves(path: Path, curves: Sequence[Mapping[str, Any]]) -> None:
    """Draw the figures over the distance, one line per task and camera and one panel per yaw."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kinds = {
        'depth_error_over_floor': ('median depth error over the floor', 1.5),
        'iou_over_floor': ('overlap of valid pixels over the floor', 0.9),
        'fscore_5mm': ('F-score at 5 mm', 0.9),
        'classifier_accuracy': ('right answers of the classifier', 0.65),
    }
    yaws = sorted({one['yaw_deg'] for one in curves})
    figure = Figure(figsize=(4.0 * len(kinds), 2.6 * max(1, len(yaws))), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(max(1, len(yaws)), len(kinds), squeeze=False, sharey='col')
    for row, yaw in zip(axes, yaws, strict=False):
        for axis, (key, (title, target)) in zip(row, kinds.items(), strict=True):
            for name in sorted({one['task'] for one in curves}):
                line = [one for one in curves if one['task'] == name and one['yaw_deg'] == yaw]
                line = sorted(line, key=lambda one: one['distance_cm'])
                far = [one['distance_cm'] for one in line]
                axis.plot(far, [one[key] for one in line], marker='o', label=name)
            axis.axhline(target, color='0.6', linestyle='--', linewidth=1)
            axis.set_title(f'{title}, {yaw:.0f}°', fontsize=9)
            axis.set_xlabel('distance (cm)', fontsize=8)
    if curves:
        axes[0, -1].legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _grey(depth: NDArray[np.float32], near: float, far: float) -> NDArray[np.uint8]:
    level = np.nan_to_num((depth - near) / max(1e-6, far - near), nan=0.0)
    shade = np.where(np.isfinite(depth), 255.0 - 225.0 * np.clip(level, 0.0, 1.0), 0.0)
    return np.repeat(shade.astype(np.uint8)[..., None], 3, axis=2)
