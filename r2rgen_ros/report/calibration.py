# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good the extrinsics are: the robot as its description draws it over what the camera saw."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_dilation

from r2rgen_ros.report import style
from r2rgen_ros.report.overlay import camera_overlay

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from r2rgen_ros.parse.calibration import Calibration
    from r2rgen_ros.parse.robot import RobotView

_AS_RECORDED = style.REJECTED
_CORRECTED = style.ACCEPTED
_LETTERS = 100  # of a line of words


def draw_calibration(view: RobotView, found: Calibration, path: Path) -> Path:
    """Draw the robot's outline over the worst and the median frame, and how far points lie from it.

    Args:
        view: The robot as recorded, without the correction.
        found: What the check of its calibration found; it must be judged.
        path: PNG to write.

    Returns:
        The path.

    Raises:
        ValueError: The calibration could not be judged.

    """
    if not found.judged:
        raise ValueError('a calibration that was not judged has no picture')
    better = view.corrected(found.correction, found.delay_s)
    return style.picture(path, (12.0, 7.6), lambda figure: _draw(figure, view, better, found))


def _draw(figure: Figure, view: RobotView, better: RobotView, found: Calibration) -> None:
    keys = [
        style.stroke('outline of the URDF as recorded', _AS_RECORDED),
        style.stroke('with the correction', _CORRECTED),
    ]
    style.legend(figure, keys)
    grid = figure.add_gridspec(2, 2, height_ratios=[3.0, 1.25])
    for column, (name, frame, error) in enumerate(_frames_to_show(found)):
        axes = figure.add_subplot(grid[0, column])
        axes.imshow(_picture(view, better, frame))
        style.framed(axes)
        axes.set_title(f'{name} frame: {frame}, median distance {error:.1f} mm')
    _draw_distances(figure.add_subplot(grid[1, 0]), found)
    _draw_words(figure.add_subplot(grid[1, 1]), found)


def _frames_to_show(found: Calibration) -> list[tuple[str, int, float]]:
    """Name, number and error of the worst frame and of the one in the middle."""
    errors = np.array(found.frame_mm)
    order = [
        int(place) for place in np.argsort(errors, kind='stable') if np.isfinite(errors[place])
    ]
    chosen = [('worst', order[-1]), ('median', order[(len(order) - 1) // 2])]
    return [(name, found.frames[place], float(errors[place])) for name, place in chosen]


def _picture(view: RobotView, better: RobotView, frame: int) -> NDArray[np.uint8]:
    """The colour image (H, W, 3) with the outlines as recorded and as corrected."""
    image = camera_overlay(view.demo, frame).copy()
    for seen, colour in ((better, _CORRECTED), (view, _AS_RECORDED)):
        drawn = np.isfinite(seen.drawing(frame).depth)
        outline = binary_dilation(drawn, iterations=2) & ~drawn
        image[outline] = _rgb(colour)
    return image


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _draw_distances(axes: Axes, found: Calibration) -> None:
    """Histograms of the signed distances as recorded and corrected."""
    both = np.concatenate([found.distances_mm, found.corrected_mm])
    reach = float(np.clip(np.quantile(np.abs(both), 0.98), 2.0, 30.0))
    edges = np.linspace(-reach, reach, 61).tolist()
    for values, colour, name in (
        (found.distances_mm, _AS_RECORDED, f'as recorded: {found.before_mm:.1f} mm'),
        (found.corrected_mm, _CORRECTED, f'corrected: {found.after_mm:.1f} mm'),
    ):
        weights = np.full(len(values), 100.0 / max(1, len(values)))
        axes.hist(values, edges, weights=weights, histtype='stepfilled', color=colour, alpha=0.22)
        axes.hist(
            values, edges, weights=weights, histtype='step', color=colour, linewidth=1.3, label=name
        )
    axes.axvline(0.0, color=style.FAINT, linewidth=0.7)
    axes.set_xlabel('distance of measured points from the URDF surface [mm], outside is positive')
    axes.set_ylabel('points [%]')
    axes.legend(loc='upper right', title='median distance', fontsize=8, title_fontsize=8)


def _draw_words(axes: Axes, found: Calibration) -> None:
    """Say the numbers and the warnings."""
    style.bare(axes)
    turned = f'{found.translation_mm:.1f} mm, {found.rotation_deg:.2f} degrees'
    late = round(1e3 * found.delay_s)
    lines = [
        f'best correction of the camera: {turned}',
        f'it moves points of the robot by {found.at_robot_mm:.1f} mm',
        f'images are stamped {abs(late)} ms {"after" if late >= 0 else "before"} the joints',
        f'{found.points} points in {len(found.frames)} frames',
        f'depth on {100.0 * found.coverage:.0f} % of what the camera should see of the robot',
    ]
    axes.text(0.0, 1.0, '\n'.join(lines), va='top', transform=axes.transAxes, linespacing=1.5)
    texts = found.warnings or ('Within the limits.',)
    words = '\n'.join(line for text in texts for line in textwrap.wrap(text, _LETTERS))
    colour = _AS_RECORDED if found.warnings else _CORRECTED
    axes.text(0.0, 0.38, words, va='top', color=colour, fontsize=8.5, transform=axes.transAxes)
