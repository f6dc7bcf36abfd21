# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a live viewer shows of an annotation: colours, outlines, the camera's picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.polygon import convex_hull
from r2rgen_ros.model.scene import ENVIRONMENT, UNSEEN
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.report.style import MOTION, label_colours, object_colour, skill_colour
from r2rgen_ros.report.views import camera_picture, splat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.annotation import Skill, SupportPlane
    from r2rgen_ros.model.demo import Demo, Frame

    Colour = tuple[float, float, float]

_TINT = 0.75


def tinted(colours: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Tint colours (..., 3) by labels (...); the environment and what is unseen keep their own."""
    own = (labels == ENVIRONMENT) | (labels == UNSEEN)
    share = np.where(own, 0.0, _TINT)[..., None]
    mixed = (1.0 - share) * colours + share * label_colours(labels)
    return np.asarray(np.rint(mixed).astype(np.uint8))


def camera_overlay(
    demo: Demo, index: int, labels: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Draw one frame pixel by pixel as the camera has it, so that clicks on it are its pixels.

    Args:
        demo: A demonstration.
        index: Number of the frame.
        labels: Labels of the frame's pixels or points, to tint what they mark.

    Returns:
        Image (H, W, 3) uint8 of the camera's size: the colour image, else the depth in greys, else
        the cloud splatted into it. Where no camera is known, a view of the cloud from the side.

    """
    frame = demo.frames[index]
    if frame.depth is not None:
        picture = frame.colour if frame.colour is not None else _grey(frame)
        return picture if labels is None else tinted(picture, labels.reshape(picture.shape[:2]))
    if demo.sensor is None:
        return camera_picture(demo, index, labels)
    seen = Snapshot.take(demo, index)
    colours = seen.colours if labels is None else tinted(seen.colours, labels.reshape(-1))
    points = se3.apply(se3.inverse(demo.sensor.camera2base[index]), seen.points)
    return splat(points, colours, demo.sensor.camera)


def _grey(frame: Frame) -> NDArray[np.uint8]:
    """A depth image as a picture: near is bright, nothing is black."""
    assert frame.depth is not None
    near, far = np.nanpercentile(frame.depth, [1.0, 99.0])
    share = np.clip((far - frame.depth) / max(far - near, 1e-6), 0.0, 1.0)
    grey = np.nan_to_num(40.0 + 215.0 * share, nan=0.0).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def png(image: NDArray[np.uint8]) -> bytes:
    """Return an image (H, W, 3) as the contents of a PNG file."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, format='PNG')
    return out.getvalue()


def object_rgb(place: int) -> Colour:
    """Colour of the object with this place in the annotation, 0 to 1."""
    return to_rgb(object_colour(place))


def skill_rgb(place: int) -> Colour:
    """Colour of the skill with this place in the annotation, 0 to 1."""
    return to_rgb(skill_colour(place))


def path_colours(skills: Sequence[Skill], arm: str, frames: int) -> NDArray[np.float64]:
    """Colours (frames, 3), 0 to 1, of the path of an arm: those of its skills, grey between."""
    out = np.tile(np.array(to_rgb(MOTION)), (frames, 1))
    for place, skill in enumerate(skills):
        if skill.arm == arm:
            out[skill.first : skill.last + 1] = skill_rgb(place)
    return out


def prism(points: NDArray[np.float64], support: SupportPlane) -> NDArray[np.float64]:
    """Edges of the upright prism around points: their convex footprint from low to high.

    Args:
        points: (N, 3) base frame, metres.
        support: The plane that the prism stands upright on.

    Returns:
        (E, 2, 3) ends of the edges, base frame, metres.

    """
    heights = support.height(points)
    flat = convex_hull(support.to_plane(points)) @ support.axes
    low = flat + (support.offset + heights.min()) * support.normal
    high = flat + (support.offset + heights.max()) * support.normal
    rings = [np.stack([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in (low, high)]
    return np.concatenate([*rings, np.stack([low, high], axis=1)])
