# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an active stereo camera makes of an exact depth image.

A stereo camera measures the disparity d = b / z of a pixel, with b its focal length times its
baseline, so whatever disturbs d by a fixed amount disturbs z with its square. What is modelled, and
after whom:

- axial noise that grows with z^2, and steeply where a surface turns away (Nguyen, Izadi, Lovell
  2012), smooth over a few pixels as a matcher's window makes it;
- edges that wander by a pixel (the lateral noise of the same paper; the shifted look-ups of Handa
  et al. 2014, ICL-NUIM), pixels between the two depths of an edge, and holes there;
- no depth where the other imager does not look, beside a nearer surface, and on surfaces seen at a
  grazing angle (Planche et al. 2017, DepthSynth);
- disparity in whole steps of a fraction of a pixel, as depth chips report it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter, minimum_filter
from scipy.special import ndtr

from r2rgen_ros.model.errors import check_range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

    Image = NDArray[np.float32]

_EDGE_WINDOW = 3
_WANDER_WINDOW = 5
_TURN_LIMIT = np.radians(87.0)


@dataclass(frozen=True)
class StereoNoise:
    """The size of each effect; the defaults are those of a small camera with a 5 cm baseline.

    Attributes:
        axial: Standard deviation of the depth at one metre, metres; it grows with the square of
            the distance. 0.002 is a disparity error of 0.06 pixels at the default baseline and a
            focal length of 600 pixels; 0.0018 is what filtered images of real cameras have.
        steady: Share of the axial variance that is the same in every image: what a matcher gets
            wrong about a scene that stands still it gets wrong again. Of real, filtered images it
            is most of it.
        turned: Axial noise of surfaces that turn away, Nguyen's factor before
            t^2 / (pi / 2 - t)^2 / sqrt(z) for the angle t between line of sight and normal, metres.
        smooth: Width of the noise, standard deviation of its smoothing in pixels. At 2 the noise of
            two pixels correlates by 0.37 where they are 4 apart, and by 0.02 where they are 8; real
            images that differ only in time have 0.36 and 0.11.
        baseline: Distance between the two imagers, metres; the second is to the right.
        steps: Steps of disparity per pixel; 0 for no steps.
        edge: Jump of the disparity within three pixels that makes an edge, pixels.
        wander: Standard deviation by which edges wander, pixels.
        flying: Share of an edge's pixels that lie between its two depths.
        torn: Share of an edge's pixels without depth.
        grazing: Angles between line of sight and normal at which depth begins to be lost, and at
            which none is left, radians.

    """

    axial: float = 0.002
    steady: float = 0.2
    turned: float = 1e-4
    smooth: float = 2.0
    baseline: float = 0.05
    steps: int = 32
    edge: float = 0.75
    wander: float = 0.7
    flying: float = 0.2
    torn: float = 0.35
    grazing: tuple[float, float] = (1.2, 1.5)

    def __post_init__(self) -> None:
        """Check the values."""
        check_range('the axial noise', self.axial, 0.0, 0.1, 'm')
        check_range('the steady share of the noise', self.steady, 0.0, 1.0)
        check_range('the noise of turned surfaces', self.turned, 0.0, 0.01, 'm')
        check_range('the width of the noise', self.smooth, 0.0, 10.0, 'pixels')
        check_range('the baseline', self.baseline, 0.001, 1.0, 'm')
        check_range('the steps of disparity', self.steps, 0, 1024)
        check_range('the jump at an edge', self.edge, 0.01, 100.0, 'pixels')
        check_range('the wandering of edges', self.wander, 0.0, 10.0, 'pixels')
        check_range('the share of flying pixels', self.flying, 0.0, 1.0)
        check_range('the share of holes at edges', self.torn, 0.0, 1.0 - self.flying)
        begin, end = self.grazing
        check_range('the angle at which nothing is seen', end, 0.0, 0.5 * np.pi, 'rad')
        check_range('the angle at which holes begin', begin, 0.0, end, 'rad')


class StereoCamera:
    """Spoils exact depth images, one after the other.

    Args:
        camera: Intrinsics of the images, which are those of the left imager.
        noise: How much.
        rng: Where all chance comes from; the same state gives the same images.

    """

    def __init__(self, camera: PinholeCamera, noise: StereoNoise, rng: np.random.Generator) -> None:
        self._camera, self._noise, self._rng = camera, noise, rng
        self._gain = camera.fx * noise.baseline
        self._rays = camera.rays().astype(np.float32)
        self._steady = self._field()

    def __call__(self, depth: Image) -> Image:
        """Return what the camera reports of an exact depth image (H, W), metres.

        NaN, infinity and what is not positive count as infinitely far; pixels without depth become
        NaN.
        """
        noise = self._noise
        with np.errstate(divide='ignore'):
            there = np.isfinite(depth) & (depth > 0.0)
            exact = np.where(there, 1.0 / depth, 0.0).astype(np.float32)
        angle = _angles(exact, self._rays, self._camera)
        seen, torn = self._edges(exact)
        lost = torn | self._hidden(seen) | self._grazing(angle)
        share = np.sqrt(1.0 - noise.steady), np.sqrt(noise.steady)
        error = share[0] * self._field() + share[1] * self._steady
        disparity = self._gain * (seen + self._spread(exact, angle) * error)
        if noise.steps:
            disparity = np.round(disparity * noise.steps) / noise.steps
        lost |= disparity <= 0.0
        with np.errstate(divide='ignore', invalid='ignore'):
            out = np.where(lost, np.nan, self._gain / disparity)
        return np.asarray(out, dtype=np.float32)

    def _field(self) -> Image:
        """Return smooth normal noise (H, W) of unit variance."""
        shape = self._camera.height, self._camera.width
        white = self._rng.standard_normal(shape, dtype=np.float32)
        if self._noise.smooth == 0.0:
            return white
        pulse = np.zeros(2 * round(6.0 * self._noise.smooth) + 3)
        pulse[len(pulse) // 2] = 1.0
        # A separable filter shrinks white noise by the sum of its squared weights.
        shrinks = float(np.sum(gaussian_filter(pulse, self._noise.smooth) ** 2))
        smooth = gaussian_filter(white, self._noise.smooth, mode='wrap') / shrinks
        return np.asarray(smooth, dtype=np.float32)

    def _spread(self, inverse: Image, angle: Image) -> Image:
        """Standard deviation (H, W) of the inverse depth, 1/m."""
        turn = (angle / (0.5 * np.pi - angle)) ** 2
        # Of the depth it would be axial z^2 + turned turn / sqrt(z); d(1/z) = dz / z^2.
        spread = self._noise.axial + self._noise.turned * turn * inverse**2.5
        return np.asarray(spread, dtype=np.float32)

    def _edges(self, inverse: Image) -> tuple[Image, NDArray[np.bool_]]:
        """Return the inverse depth with wandering edges and flying pixels, and which are torn."""
        noise = self._noise
        near, far = maximum_filter(inverse, _EDGE_WINDOW), minimum_filter(inverse, _EDGE_WINDOW)
        edge = self._gain * (near - far) > noise.edge
        around = maximum_filter(edge, _WANDER_WINDOW)
        v, u = np.nonzero(around)
        # Half a height away the noise is another: one field serves both directions.
        shift = noise.wander * self._field()
        places = v + shift[v, u], u + shift[v - inverse.shape[0] // 2, u]
        out = inverse.copy()
        out[v, u] = map_coordinates(inverse, places, order=0, mode='nearest')
        chance = self._rng.random(inverse.shape, dtype=np.float32)
        flying = edge & (chance < noise.flying)
        mix = chance[flying] / noise.flying if noise.flying else chance[flying]
        out[flying] = far[flying] + mix * (near - far)[flying]
        return out, edge & (chance >= 1.0 - noise.torn)

    def _hidden(self, inverse: Image) -> NDArray[np.bool_]:
        """Which pixels (H, W) the right imager does not see: something nearer is in the way.

        A pixel at column u is at u - d in the right image; whatever comes from further right in the
        left image to the same place or beyond has a larger disparity and covers it.
        """
        place = np.arange(inverse.shape[1], dtype=np.float32) - self._gain * inverse
        least = np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1]
        return np.asarray(place > least)

    def _grazing(self, angle: Image) -> NDArray[np.bool_]:
        """Draw which pixels (H, W) are lost because their surface turns away, in patches."""
        begin, end = self._noise.grazing
        chance = (angle - begin) / max(end - begin, 1e-6)
        return np.asarray(ndtr(self._field()) < chance)


def _angles(inverse: Image, rays: Image, camera: PinholeCamera) -> Image:
    """Angles (H, W) between lines of sight and surface normals, from the inverse depth, rad.

    The inverse depth w of a plane n . p = 1 is linear in the image: w = n . ray. Its slopes are
    n_x / fx and n_y / fy, which leaves n_z, and cos = w / (|n| |ray|).
    """
    along, down = camera.fx * _slope(inverse, 1), camera.fy * _slope(inverse, 0)
    rest = inverse - along * rays[..., 0] - down * rays[..., 1]
    length = np.sqrt(along**2 + down**2 + rest**2) * np.linalg.norm(rays, axis=-1)
    cosine = np.divide(inverse, length, out=np.ones_like(inverse), where=length > 0.0)
    return np.asarray(np.minimum(np.arccos(np.clip(cosine, 0.0, 1.0)), _TURN_LIMIT))


def _slope(image: Image, axis: int) -> Image:
    """The smaller of the steps (H, W) to the two neighbours, so that an edge is no slope."""
    step = np.diff(image, axis=axis)
    first, last = np.take(step, [0], axis), np.take(step, [-1], axis)
    before, after = np.concatenate([first, step], axis), np.concatenate([step, last], axis)
    return np.where(np.abs(before) < np.abs(after), before, after)
