# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sensor noise: exact depth images in, what the camera would have reported out.

`DepthNoise` is the seam for other models, such as one that is learnt from pairs of clean and noisy
images: whoever follows it may be named in `camera.noise` as an entry point of the group
`r2rgen_ros.depth_noise`, or as `module:attribute`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import ndtri

from r2rgen_ros.geometry.tiles import Tiles, joined, mark_changes, whole
from r2rgen_ros.model.scene import UNSEEN
from r2rgen_ros.sense import noise_pixels as pixels
from r2rgen_ros.sense.noise_pixels import COSINES, FRESH, MEAN, RAW
from r2rgen_ros.sense.noise_rows import (
    RUN,
    SHARES,
    SIDE,
    UNIT,
    WANDER_PX,
    level,
    list_special,
    spoil,
    survey,
)
from r2rgen_ros.sense.noise_some import remember, spoil_some
from r2rgen_ros.sense.sampling import even_runs, shown_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.model.noise import NoiseModel

    Depth = NDArray[np.float32]
    Known = NDArray[np.uint8]

__all__ = ['FRESH', 'MEAN', 'RAW', 'DepthNoise', 'NoisyCamera', 'ParametricNoise', 'Spoiler']

DEPTH_NOISE = 'r2rgen_ros.depth_noise'
"""Group of entry points."""

_TURN_LIMIT = np.radians(87.0)
_MOST_REACH = 6
_REACHES = 2.5  # what is farther from an edge than so many times reach_px is far from it
_OFFSETS = 10
_MOST_STEPS = 32767
COARSER = 4.0
_FEW = 0.15  # of an image: of more pixels, noise of all is quicker
_LOST_FOR = 10  # images
_STEADY = [3, 4, 9]  # these places stay through an episode
_TABLES = 20261122  # the tables are the same for all; where in them one begins is chance


class Spoiler(Protocol):
    """A noisy camera during one episode: images come in order, and may depend on those before."""

    def apply(self, depth: Depth, known: Known, /) -> Depth:
        """Return what the camera reports of a clean image.

        Args:
            depth: (H, W) metres along the optical axis, NaN where nothing is seen; not changed.
            known: (H, W) how much noise each pixel has already, FRESH, MEAN or RAW.

        Returns:
            (H, W) float32 metres, NaN for no depth; a RAW pixel stays as it is, or gets lost.

        """


@runtime_checkable
class DepthNoise(Protocol):
    """A model of the noise of a depth camera."""

    @property
    def name(self) -> str:
        """What to call it in messages and in dataset.yaml."""

    def start(self, camera: PinholeCamera, rng: np.random.Generator, /) -> Spoiler:
        """Return the noisy camera of one episode; all chance must come from `rng`."""


class ParametricNoise:
    """The noise that a `NoiseModel` describes.

    Args:
        model: Its numbers.

    """

    def __init__(self, model: NoiseModel) -> None:
        self.model = model

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    def start(self, camera: PinholeCamera, rng: np.random.Generator) -> NoisyCamera:
        """Return the noisy camera of one episode."""
        return NoisyCamera(self.model, camera, rng)


class NoisyCamera:
    """Spoils the images of one camera, one after the other.

    Args:
        model: How much.
        camera: Intrinsics.
        rng: Where all chance comes from.

    """

    def __init__(self, model: NoiseModel, camera: PinholeCamera, rng: np.random.Generator) -> None:
        self._model, self._rng = model, rng
        self._camera = np.array([camera.fx, camera.fy, camera.cx, camera.cy], dtype=np.float32)
        self._gain = camera.fx * model.shadow.baseline_m
        self._rule = model.edge_rule(camera.fx)
        shape = (camera.height, camera.width)
        # Unlike any image, so that the first one differs everywhere.
        self._bits = np.full(shape, -1, dtype=np.int32)
        self._known = np.full(shape, 255, dtype=np.uint8)
        self._inverse = np.zeros(shape, dtype=np.float32)
        self._cosine = np.ones(shape, dtype=np.float32)
        self._marks = np.zeros(shape, dtype=np.uint8)
        self._edge = np.zeros(shape, dtype=np.uint8)
        self._covered = np.zeros(shape, dtype=np.float32)
        self._limit = np.zeros(shape, dtype=np.float32)
        self._spread = np.zeros(shape, dtype=np.float32)
        self._tiles = Tiles(*shape)
        self._late = Tiles(*shape)  # changed since all pixels got noise
        self._busy = np.zeros(self._tiles.mask.shape, dtype=np.bool_)
        self._first = True
        self._lost = 0  # images to come for which nobody asks whether a run of pixels is lost
        self._rows = np.zeros(camera.height, dtype=np.bool_)
        self._counts = np.zeros(camera.height, dtype=np.int32)
        self._columns = np.zeros(shape, dtype=np.int16)
        self._spans = np.zeros((camera.height, 5), dtype=np.int32)
        runs = (camera.width + RUN - 1) // RUN
        self._kinds = np.zeros((camera.height, runs), dtype=np.uint8)
        shares = torn_table(model)
        self._reach = len(shares) - 1
        self._torn = quantile(shares)
        self._turned, grazing = angle_tables(model)
        self._grazing = quantile(grazing)
        axial, holes, edges = model.axial, model.holes, model.edges
        width = camera.width
        self._tables = (
            smooth_noise(axial.width_px, axial.coarse, width),
            smooth_noise(holes.patch_px, 0.0, width),
            smooth_noise(edges.patch_px, 0.0, width), white_noise(width),
        )  # fmt: skip
        self._levels = np.array([
            axial.constant_m, axial.slope, axial.growth_1_m, quantile(holes.rate), *holes.range_m,
        ], dtype=np.float32)  # fmt: skip
        self._numbers = np.array([
            np.sqrt(axial.steady), np.sqrt(1.0 - axial.steady),
            axial.memory, np.sqrt(1.0 - axial.memory**2),
            np.sqrt(holes.steady), np.sqrt(1.0 - holes.steady),
            quantile(model.shadow.share), model.step_1_m, edges.wander_px, edges.flying,
        ], dtype=np.float32)  # fmt: skip
        self._lowest = lowest_of_rows(holes.patch_px, width)
        self._steady_at = self._rng.integers(0, SIDE, (len(_STEADY), 2))
        self._past = self._begin(shape)

    def _begin(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """The changing part of the noise (H, W) before the first image."""
        if self._model.axial.memory == 0.0:
            return np.zeros(shape, dtype=np.float32)
        v, u = self._rng.integers(0, SIDE, 2)
        rows = (np.arange(shape[0]) + v) % SIDE
        return np.ascontiguousarray(UNIT * self._tables[0][rows, u : u + shape[1]])

    def apply(self, depth: Depth, known: Known) -> Depth:
        """Return what the camera reports of a clean image; see `Spoiler`."""
        depth, at = self._next(depth, known, None)
        return self._all(depth, known, at)

    def report(
        self,
        depth: Depth,
        known: Known,
        label: NDArray[np.uint8],
        wanted: int,
        windows: NDArray[np.int32] | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return so many pixels of what `apply` would return, spread evenly over the image.

        They are those of `sampling.shown_pixels`; no more noise is made than they need.

        Args:
            depth: As of `apply`.
            known: The same.
            label: (H, W) UNSEEN where nothing is seen.
            wanted: How many; 0 for all that there are.
            windows: (K, 4) outside of which depth and known are as they were in the image before:
                whole tiles that do not overlap, see `geometry.tiles`; None for anywhere.

        Returns:
            (N,) flat indices, and their depth (N,) in metres.

        """
        depth, at = self._next(depth, known, windows)
        self._lost -= 1
        if wanted == 0 or wanted > _FEW * depth.size or self._lost > 0:
            reported = self._all(depth, known, at)
            index = shown_pixels(depth, label, wanted, reported)
            return index, reported.reshape(-1)[index]
        (starts, high), shown = even_runs(depth, label, wanted), label != UNSEEN
        index = np.empty(len(starts) - 1, dtype=np.int32)
        out = np.empty(len(index), dtype=np.float32)
        if self._numbers[2] > 0.0:
            before = self._past.copy()
            remember(self._numbers[2], self._numbers[3], self._tables[0], at, self._past)
        else:
            before = self._past
        if self._reach:
            pixels.find_busy(self._marks, self._busy)
        if spoil_some(
            starts, high, shown, depth, self._inverse, known, self._marks, self._busy,
            self._covered, self._cosine, self._levels, self._turned, self._grazing, _QUANTILES,
            self._numbers, self._torn, *self._tables, at, self._past, index, out,
        ):  # fmt: skip
            return index, out
        # Where too much is lost other pixels are taken, for which all must be known; and it will be
        # so for a while.
        self._past, self._lost = before, _LOST_FOR
        reported = self._all(depth, known, at)
        index = shown_pixels(depth, label, wanted, reported)
        return index, reported.reshape(-1)[index]

    def _next(
        self, depth: Depth, known: Known, windows: NDArray[np.int32] | None
    ) -> tuple[Depth, NDArray[np.int64]]:
        """Look at the next image; it, and where in the tables its noise begins."""
        depth = np.ascontiguousarray(depth, dtype=np.float32)
        if windows is None or self._first:
            windows = whole(*depth.shape)
        self._first = False
        bits = depth.view(np.int32)
        mark_changes(bits, known, self._bits, self._known, windows, self._tiles.mask)
        self._late.mask |= self._tiles.mask
        changed = self._tiles.windows()
        if len(changed):
            self._look(depth, changed)
        at = self._rng.integers(0, SIDE, (_OFFSETS, 2))
        at[_STEADY] = self._steady_at
        return depth, at

    def _all(self, depth: Depth, known: Known, at: NDArray[np.int64]) -> Depth:
        """Noise of all pixels."""
        windows = self._late.windows()
        if len(windows):
            self._look_everywhere(known, windows)
        out = np.empty_like(self._inverse)
        spoil(
            depth, self._inverse, known, self._edge, self._covered, self._limit, self._spread,
            self._counts, self._columns, self._spans, self._levels[3], self._lowest,
            self._numbers, self._torn, *self._tables, at,
            self._past, out,
        )  # fmt: skip
        return out

    def _look(self, depth: Depth, windows: NDArray[np.int32]) -> None:
        """Find anew what follows from the clean image where that has changed."""
        pixels.invert(depth, windows, self._inverse)
        if self._reach:
            pixels.mark_edges(self._inverse, *self._rule, joined(windows), self._marks)
        if self._turned[0] > 0.0 or self._grazing[0] > -np.inf:
            pixels.find_cosines(self._inverse, self._camera, windows, self._cosine)
        if self._gain != 0.0:
            # A row is seen by the same row of the other imager, all of it.
            pixels.rows_of(windows, 0, self._rows)
            pixels.find_shadows(self._inverse, self._gain, self._rows, self._covered)

    def _look_everywhere(self, known: Known, windows: NDArray[np.int32]) -> None:
        """Find what only noise of all pixels asks for, where the image has changed since."""
        reach = self._reach
        if reach:
            pixels.find_distances(self._marks, reach, joined(windows), self._edge)
        level(
            self._inverse, known, self._cosine, windows, pixels.SLOPE_PX, self._levels,
            self._turned, self._grazing, _QUANTILES, self._limit, self._spread,
        )  # fmt: skip
        survey(
            self._inverse, known, self._limit, self._levels[3], windows, pixels.SLOPE_PX,
            self._kinds, self._spans,
        )  # fmt: skip
        pixels.rows_of(windows, reach, self._rows)
        wanders = reach > 0 and self._model.edges.wander_px > 0.0
        list_special(
            self._inverse, self._edge, self._covered, wanders, self._rows, self._counts,
            self._columns,
        )  # fmt: skip


def quantile(shares: Any) -> Any:
    """Below which number so many of all normal numbers are, float32; infinite for none and all."""
    with np.errstate(divide='ignore'):
        return np.asarray(ndtri(np.clip(shares, 0.0, 1.0))).astype(np.float32)


_QUANTILES = quantile(np.linspace(0.0, 1.0, SHARES))


def torn_table(model: NoiseModel) -> NDArray[np.float64]:
    """Share of holes by the distance from an edge, from 1 at the edge; entry 0 stands for none.

    As long as anything happens beside edges.
    """
    edges = model.edges
    if edges.wander_px == edges.flying == edges.torn == 0.0:
        return np.zeros(1)
    reach = WANDER_PX if edges.wander_px > 0.0 else 1
    if edges.reach_px > 0.0:
        reach = max(reach, min(_MOST_REACH, 1 + int(np.ceil(_REACHES * edges.reach_px))))
    away = np.arange(reach, dtype=np.float64)
    share = np.exp(-away / edges.reach_px) if edges.reach_px > 0.0 else (away == 0.0) * 1.0
    return np.concatenate([[0.0], edges.torn * share])


def angle_tables(model: NoiseModel) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Nguyen's term and the share of holes by the square of the cosine of the angle.

    Entry 0 says whether there is such a thing at all; nothing is seen at 90 degrees.
    """
    angle = np.arccos(np.sqrt(np.arange(COSINES) / (COSINES - 1)))
    limited = np.minimum(angle, _TURN_LIMIT)
    turned = model.axial.turned_m * (limited / (0.5 * np.pi - limited)) ** 2
    begin, end = np.radians(model.holes.grazing_deg)
    if begin >= np.radians(89.9):
        return turned.astype(np.float32), np.zeros(COSINES, dtype=np.float32)
    grazing = np.clip((angle - begin) / max(end - begin, 1e-6), 0.0, 1.0)
    return turned.astype(np.float32), grazing.astype(np.float32)


@lru_cache(maxsize=8)
def smooth_noise(width: float, coarse: float = 0.0, more: int = 0) -> NDArray[np.int16]:
    """Normal noise (SIDE, SIDE + more) of unit variance in steps of UNIT, without a seam.

    Args:
        width: Standard deviation of the smoothing, pixels.
        coarse: Share of the variance that is `COARSER` times as wide.
        more: How many columns come again.

    """
    rng = np.random.default_rng(_TABLES)
    out = np.zeros((SIDE, SIDE))
    for share, size in ((1.0 - coarse, width), (coarse, COARSER * width)):
        part = rng.standard_normal((SIDE, SIDE), dtype=np.float32)
        if share == 0.0:
            continue
        if size > 0.0:
            part = gaussian_filter(part, size, mode='wrap')
        out += np.sqrt(share) * (part - part.mean()) / part.std()
    steps = np.clip(np.rint(out / UNIT), -_MOST_STEPS, _MOST_STEPS)
    return _repeated(steps.astype(np.int16), more)


@lru_cache(maxsize=8)
def lowest_of_rows(width: float, more: int) -> NDArray[np.float32]:
    """Smallest step (SIDE,) in each row of smooth noise, float32."""
    out: NDArray[np.float32] = smooth_noise(width, 0.0, more).min(axis=1).astype(np.float32)
    out.flags.writeable = False
    return out


@lru_cache(maxsize=2)
def white_noise(more: int = 0) -> NDArray[np.float32]:
    """Uniform noise (SIDE, SIDE + more) from 0 to 1, without correlation."""
    out = np.random.default_rng(_TABLES).random((SIDE, SIDE), dtype=np.float32)
    return np.asarray(_repeated(out, more))


def _repeated(table: NDArray[Any], more: int) -> NDArray[Any]:
    """A table with so many of its first columns again, read only."""
    out = np.ascontiguousarray(table[:, np.arange(SIDE + more) % SIDE])  # rows are read
    out.flags.writeable = False
    return out
