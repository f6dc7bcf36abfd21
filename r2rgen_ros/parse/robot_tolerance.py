# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far measured points of a robot lie from its description, learnt from a demonstration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_erosion, maximum_filter, minimum_filter

from r2rgen_ros.parse.snapshot import Snapshot

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from r2rgen_ros.model.demo import Demo
    from r2rgen_ros.parse.robot import RobotView

    Floats = NDArray[np.float64]

LEAST_M = 0.004
"""Meshes of robot descriptions, millimetre depth and rounded joints differ by as much anyway."""
MOST_M = 0.025
"""More than a finger's breadth would take what the fingers hold for the robot."""
SIGMAS = 3.0

_FRAMES = 12
_STRAY_M = 0.05  # what is farther from the robot than this is something else, not an error
_RIM = 3  # pixels beside an edge, where depth is mixed or that of the background
_GRAZING_M = 0.015  # per pixel and neighbour; a surface this steep says little
_SPREAD = 1.4826  # from the median of absolute deviations to a standard deviation


@dataclass(frozen=True)
class Tolerance:
    """How far a measured point of the robot may lie from where its description says.

    sigma(z)^2 = flat^2 + (growth z^2)^2: errors of extrinsics, joints and meshes, and the axial
    noise of a depth camera.

    Attributes:
        flat: What does not depend on the depth, metres.
        growth: Standard deviation of the depth at one metre, per square metre of it.

    """

    flat: float
    growth: float

    def at(self, depth: ArrayLike) -> Floats:
        """Return the tolerance at depths (...), `SIGMAS` sigma within its bounds, metres."""
        z = np.asarray(depth, dtype=np.float64)
        sigma = np.hypot(self.flat, self.growth * z**2)
        return np.asarray(np.clip(SIGMAS * sigma, LEAST_M, MOST_M))


def spread_frames(demo: Demo, count: int) -> list[int]:
    """Return at most so many frames, spread evenly over a demonstration."""
    wanted = np.linspace(0, len(demo) - 1, min(count, len(demo)))
    return [int(frame) for frame in np.unique(wanted.astype(int))]


def learn_from_images(view: RobotView) -> Tolerance:
    """Fit the tolerance to measured minus drawn depth, away from edges."""
    errors, steps, depths = [], [], []
    for frame in spread_frames(view.demo, _FRAMES):
        measured = view.demo.frames[frame].depth
        assert measured is not None
        drawn = view.drawing(frame).depth
        inside = binary_erosion(np.isfinite(drawn), iterations=_RIM)
        steep = maximum_filter(drawn, 3) - minimum_filter(drawn, 3)
        error = measured - drawn
        good = inside & (steep < _GRAZING_M) & (np.abs(error) < _STRAY_M)
        pair = good[:, 1:] & good[:, :-1]
        errors.append(error[good])
        depths.append(drawn[good])
        steps.append(((error[:, 1:] - error[:, :-1]) / drawn[:, 1:] ** 2)[pair])
    error, depth, step = (np.concatenate(parts) for parts in (errors, depths, steps))
    if not len(step):
        return Tolerance(LEAST_M / SIGMAS, 0.0)
    # Neighbouring pixels share all errors but the noise.
    growth = _SPREAD * float(np.median(np.abs(step))) / 2.0**0.5
    noise = growth * float(np.median(depth)) ** 2
    spread = _SPREAD * float(np.median(np.abs(error)))
    return Tolerance(float(np.sqrt(max(spread**2 - noise**2, 0.0))), growth)


def learn_from_clouds(view: RobotView) -> Tolerance:
    """Fit the tolerance to the distances of the points that are close to the robot."""
    found = []
    for frame in spread_frames(view.demo, _FRAMES):
        far = view.distance(Snapshot.take(view.demo, frame).points, frame, MOST_M)
        found.append(far[np.isfinite(far)])
    far = np.concatenate(found)
    if not len(far):
        return Tolerance(LEAST_M / SIGMAS, 0.0)
    return Tolerance(_SPREAD * float(np.median(far)), 0.0)
