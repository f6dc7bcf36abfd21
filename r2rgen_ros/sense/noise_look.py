# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of clean and recorded images, and what the clean one says of every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter

from r2rgen_ros.geometry.tiles import whole
from r2rgen_ros.model.errors import require
from r2rgen_ros.model.noise import EdgeNoise, NoiseModel
from r2rgen_ros.sense import noise_pixels as pixels
from r2rgen_ros.sense.noise_pixels import MEAN, RAW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

EDGE_PX = 6
"""How far from edges pixels are told by their distance."""

JUMP = EdgeNoise().jump
"""Share of the depth by which the two sides of an outline differ."""

_MARGIN_PX = 5  # what is nearer to an edge than this is no plain surface
_STEEP_DEG = 60.0


@dataclass(frozen=True, eq=False)
class Pair:
    """A clean image and what the camera reported.

    Attributes:
        clean: (H, W) float32 metres, NaN where nothing is known.
        raw: (H, W) float32 metres, NaN where there is no depth.
        known: (H, W) uint8: FRESH where the clean depth has no noise, MEAN where it is the mean of
            many images, RAW where it is that of this very image and cannot be compared.
        usable: (H, W) pixels that can be compared; None for all that are not RAW.
        number: Number of the image in time.
        shrink: By how much the variance about the clean image is smaller than that of one image:
            1 - 1 / n where a mean of n has the image itself in it, 1 + 1 / n where it has not.
        exact: (H, W) pixels whose clean depth is known to fractions of the noise, which that of
            completed objects is not; None for those that are MEAN, or where none is, all.
        drifts: Whether the clean image is off as a whole, smoothly and by pixels at outlines, as
            the pose of a camera that moves is.

    """

    clean: NDArray[np.float32]
    raw: NDArray[np.float32]
    known: NDArray[np.uint8]
    usable: NDArray[np.bool_] | None = None
    number: int = 0
    shrink: float = 1.0
    exact: NDArray[np.bool_] | None = None
    drifts: bool = False

    def __post_init__(self) -> None:
        """Check that the images fit."""
        shapes = {self.clean.shape, self.raw.shape, self.known.shape}
        require(len(shapes) == 1, f'clean, raw and known images are {sorted(shapes)}', 'one shape')


class Look:
    """What a clean image says of its pixels; kept, as many noisy images are held against it.

    Args:
        pair: The pair.
        camera: Intrinsics.
        model: What makes an edge, and whose shadows there are.

    """

    def __init__(self, pair: Pair, camera: PinholeCamera, model: NoiseModel) -> None:
        self.pair = pair
        shape = pair.clean.shape
        self.inverse = np.empty(shape, dtype=np.float32)
        everywhere = whole(*shape)
        pixels.invert(pair.clean, everywhere, self.inverse)
        self.edge, marks = np.empty((2, *shape), dtype=np.uint8)
        rule = model.edge_rule(camera.fx)
        pixels.find_edges(self.inverse, *rule, EDGE_PX, everywhere, marks, self.edge)
        self._jump = self.edge
        self._slopes_are_edges = model.edges.jump_px > 0.0
        if self._slopes_are_edges:
            self._jump = np.empty_like(self.edge)
            alone = NoiseModel().edge_rule(camera.fx)
            pixels.find_edges(self.inverse, *alone, EDGE_PX, everywhere, marks, self._jump)
        baseline = model.shadow.baseline_m
        self.hidden = shadows(self.inverse, camera, baseline)
        numbers = np.array([camera.fx, camera.fy, camera.cx, camera.cy], dtype=np.float32)
        cosine = np.empty(shape, dtype=np.float32)
        pixels.find_cosines(self.inverse, numbers, everywhere, cosine)
        self.angle = np.degrees(np.arccos(np.sqrt(cosine)))
        self.usable: Mask = (self.inverse > 0.0) & comparable(pair)
        beside = maximum_filter(self.hidden, (3, 5)) if baseline else self.hidden
        self.beside = beside
        exact = pair.known == MEAN if pair.exact is None else pair.exact
        self._compared: Mask = exact if exact.any() else np.ones_like(exact)
        self.plain: Mask = self.usable & ~beside & ~((self.edge > 0) & (self.edge <= _MARGIN_PX))

    @property
    def compared(self) -> Mask:
        """Pixels (H, W) of surfaces whose depth can be compared."""
        return self.plain & self._compared

    @cached_property
    def at_edge(self) -> Mask:
        """Pixels (H, W) beside edges, in no shadow; where slopes are edges, not of steep ones."""
        out = self.usable & (self.edge > 0) & ~self.beside
        return np.asarray(out & (self.angle < _STEEP_DEG) if self._slopes_are_edges else out)

    @property
    def gentle(self) -> Mask:
        """Pixels (H, W) of surfaces that are not steep, and away from jumps."""
        jumps = (self._jump > 0) & (self._jump <= _MARGIN_PX)
        return np.asarray(self.usable & ~self.beside & ~jumps & (self.angle < _STEEP_DEG))

    @cached_property
    def slope(self) -> Mask:
        """Pixels (H, W) of surfaces that count as edges for their slope alone."""
        jumps = (self._jump > 0) & (self._jump <= _MARGIN_PX)
        return np.asarray(self.usable & (self.edge == 1) & ~jumps & ~self.beside)

    @cached_property
    def sides(self) -> tuple[Mask, Floats, Floats]:
        """Whether pixels beside edges (N,) are on the near side, and the inverse depths of both."""
        near = maximum_filter(self.inverse, 5)
        open_ = np.where(self.inverse > 0.0, self.inverse, np.float32(1e6))
        far = -maximum_filter(-open_, 5)
        own = self.inverse[self.at_edge]
        near, far = near[self.at_edge], far[self.at_edge]
        return near - own < own - far, near.astype(float), far.astype(float)


def comparable(pair: Pair) -> Mask:
    """Pixels (H, W) of a pair that say something."""
    known = pair.known != RAW
    return np.asarray(known if pair.usable is None else known & pair.usable)


def shadows(inverse: NDArray[np.float32], camera: PinholeCamera, baseline: float) -> Mask:
    """Pixels (H, W) of a clean image that another imager does not see."""
    covered = np.zeros_like(inverse)
    if baseline:
        pixels.find_shadows(inverse, camera.fx * baseline, np.ones(len(inverse), bool), covered)
    return np.asarray((inverse > 0.0) & (inverse < covered))
