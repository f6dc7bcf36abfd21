# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a moved camera looks at that the source never saw, and how much of an image that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.raster import rasterise
from r2rgen_ros.geometry.zbuffer import ZBuffer, ZBufferRule
from r2rgen_ros.model.scene import ENVIRONMENT, UNSEEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

_STEP = 0.04
"""Share of the depth by which two neighbouring pixels of one surface may differ."""
_FARTHEST_M = 50.0


def unseen_share(label: NDArray[np.uint8], unseen: NDArray[np.bool_] | None = None) -> float:
    """Share of an image's pixels that look at what the source never saw.

    What stands before it hides it: objects and the robot are known.

    Args:
        label: (H, W) labels of the rendered image, see `model.scene`; before any cropping.
        unseen: (H, W) pixels in which nothing known of the environment lies, whether or not it was
            filled with something made up; None for all pixels in which nothing was drawn.

    """
    if unseen is None:
        return float(np.mean(label == UNSEEN))
    return float(np.mean(unseen & ((label == UNSEEN) | (label == ENVIRONMENT))))


def never_seen(
    depth: NDArray[np.float32],
    source: PinholeCamera,
    source2camera: NDArray[np.float64],
    camera: PinholeCamera,
) -> NDArray[np.bool_]:
    """Find the pixels of a camera in which nothing lies that another image shows.

    The other image is a surface: neighbouring pixels hang together unless their depths differ by
    more than 4 %, so a camera that comes nearer sees no gaps between them. Where it has no depth
    (what is too far, or mirrors nothing back) it had that direction in view all the same: such
    pixels count as seen, at its largest depth.

    Args:
        depth: (h, w) metres, NaN where there is none: what the source saw.
        source: Its intrinsics.
        source2camera: (4, 4) optical frame of the source to that of the camera.
        camera: Intrinsics (H, W) of the camera.

    Returns:
        (H, W) pixels.

    """
    known = np.isfinite(depth)
    far = min(float(depth[known].max(initial=0.1)), _FARTHEST_M)
    filled = np.where(known, depth, np.float32(far))
    points = se3.apply(source2camera, source.unproject(filled).reshape(-1, 3))
    _, owner = rasterise(points, _surface(filled), camera)
    # What hangs together with nothing is no surface, but was seen.
    zbuffer = ZBuffer(camera, ZBufferRule(0, 0.0, 1))
    zbuffer.add(points.astype(np.float32), np.eye(4))
    return np.asarray((owner < 0) & (zbuffer.image()[0] < 0))


def could_be(
    points: NDArray[np.floating],
    depth: NDArray[np.float32],
    source: PinholeCamera,
    camera2source: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether there may be a surface at points, as far as the source's image tells.

    Not where it looked through them at something farther (space carving, Kutulakos and Seitz 2000).

    Args:
        points: (N, 3) optical frame of some camera, metres.
        depth: (h, w) metres, NaN where there is none: what the source saw.
        source: Its intrinsics.
        camera2source: (4, 4) that camera's optical frame to the source's.

    Returns:
        (N,) flags.

    """
    inside, row, column, z = source.pixels_of(se3.apply(camera2source, points))
    out = np.ones(len(points), dtype=bool)
    out[inside] = ~(depth[row, column] > (1.0 + _STEP) * z)
    return out


def seen_far_off(
    colour: NDArray[np.uint8],
    depth: NDArray[np.float32],
    camera: PinholeCamera,
    camera2source: NDArray[np.float64],
) -> NDArray[np.uint8]:
    """Colours of what an image shows without depth, seen by the same camera from elsewhere.

    What has no depth is mostly too far for the sensor: it is taken to lie as far as all that has.

    Args:
        colour: (H, W, 3) of the image.
        depth: (H, W) metres, NaN where there is none.
        camera: Intrinsics.
        camera2source: (4, 4) the moved camera's optical frame to that of the image.

    Returns:
        (H, W, 3), black in directions in which the image has depth, or does not look.

    """
    far = min(float(np.nanmax(depth, initial=0.1)), _FARTHEST_M)
    there = se3.apply(camera2source, far * camera.rays().reshape(-1, 3))
    inside, row, column, _ = camera.pixels_of(there)
    out = np.zeros((len(there), 3), dtype=np.uint8)
    out[inside] = np.where(np.isnan(depth[row, column])[:, None], colour[row, column], 0)
    return out.reshape(colour.shape)


def _surface(depth: NDArray[np.float32]) -> NDArray[np.int32]:
    """Triangles (F, 3) of pixel numbers between neighbours on one surface."""
    index = np.arange(depth.size, dtype=np.int32).reshape(depth.shape)
    corners = [
        (index[:-1, :-1], index[:-1, 1:], index[1:, :-1]),
        (index[1:, 1:], index[1:, :-1], index[:-1, 1:]),
    ]
    flat = depth.reshape(-1)
    out = []
    for three in corners:
        faces = np.stack([part.reshape(-1) for part in three], axis=1)
        depths = flat[faces]
        low, high = depths.min(axis=1), depths.max(axis=1)
        out.append(faces[high - low <= _STEP * low])
    return np.concatenate(out)
