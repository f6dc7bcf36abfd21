# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the camera saw, as a picture: the colour image, or the cloud splatted into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.report.style import PAPER, label_colours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.model.demo import Demo, Frame

WIDTH = 480
"""Width of a drawn view, pixels."""
_SMALLEST_SPLAT, _LARGEST_SPLAT = 0.3, 8.0
_VISIBLE = 0.2
_SAMPLED = 500


def camera_picture(
    demo: Demo, index: int, labels: NDArray[np.uint8] | None = None, window: Window | None = None
) -> NDArray[np.uint8]:
    """Draw one frame from where the camera stood.

    Args:
        demo: A recorded or a generated demonstration.
        index: Number of the frame.
        labels: Labels of the frame's pixels or points, to tint what they mark.
        window: The part of the image to show; all of it where None.

    Returns:
        Image (H, W, 3) uint8; looks at the cloud from the side where no camera is known.

    """
    frame = demo.frames[index]
    if frame.colour is not None:
        picture = _shrunk(_tinted(frame, labels))
        return picture if window is None else window.cut(picture)
    seen = Snapshot.take(demo, index)
    colours = seen.colours
    if labels is not None:
        colours = _mixed(colours, labels.reshape(-1)[seen.index])
    sensor = demo.sensor
    if sensor is None:
        camera, camera2base = _onlooker(seen.points)
    else:
        camera, camera2base = _scaled(sensor.camera), sensor.camera2base[index]
    points = se3.apply(se3.inverse(camera2base), seen.points)
    if window is not None:
        camera = window.zoom(camera)
    return splat(points, colours, camera)


def splat(
    points: NDArray[np.float64], colours: NDArray[np.uint8], camera: PinholeCamera
) -> NDArray[np.uint8]:
    """Paint points as discs onto an image, nearer ones over farther ones.

    Args:
        points: (N, 3) in the camera's optical frame, metres.
        colours: (N, 3).
        camera: Intrinsics of the image to paint.

    Returns:
        Image (height, width, 3) uint8 on paper-coloured ground.

    """
    image = np.empty((camera.height, camera.width, 3), dtype=np.uint8)
    image[:] = np.rint(np.array(to_rgb(PAPER)) * 255.0)
    pixels = camera.project(points)
    seen = np.isfinite(pixels).all(axis=1)
    seen &= (pixels[:, 0] > -0.5) & (pixels[:, 0] < camera.width - 0.5)
    seen &= (pixels[:, 1] > -0.5) & (pixels[:, 1] < camera.height - 0.5)
    order = np.flatnonzero(seen)
    order = order[np.argsort(-pixels[order, 2], kind='stable')]
    u, v = np.rint(pixels[order, :2]).astype(np.int64).T
    depth = np.full((camera.height, camera.width), np.inf)
    for du, dv in _disc(pixels[order, :2], camera):
        x, y = u + du, v + dv
        inside = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
        rows, columns, z = y[inside], x[inside], pixels[order[inside], 2]
        # Of points that fall onto one pixel the last one, the nearest, is the one that stays.
        layer = np.full_like(depth, np.inf)
        layer[rows, columns] = z
        owner = np.zeros(depth.shape, dtype=np.int64)
        owner[rows, columns] = order[inside]
        wins = layer < depth
        image[wins] = colours[owner[wins]]
        depth[wins] = layer[wins]
    return image


def _disc(pixels: NDArray[np.float64], camera: PinholeCamera) -> list[tuple[int, int]]:
    """Offsets of a disc so large that the discs of neighbouring points (N, 2) just meet.

    Where points crowd in few places the discs are still large enough to be seen.
    """
    if len(pixels) < 2:
        radius = 1.0
    else:
        few = pixels[:: max(1, len(pixels) // _SAMPLED)]
        distances = np.asarray(cKDTree(pixels).query(few, k=2)[0])
        visible = _VISIBLE * float(np.sqrt(camera.width * camera.height / len(pixels)))
        radius = max(0.75 * float(np.median(distances[:, 1])), visible)
    radius = float(np.clip(radius, _SMALLEST_SPLAT, _LARGEST_SPLAT))
    span = range(-int(radius + 1.0), int(radius + 1.0) + 1)
    return [(u, v) for u in span for v in span if u * u + v * v <= radius**2]


class Window:
    """A part of the camera's image, in shares of its width and height, that pictures show.

    Args:
        left: Left edge, 0 to 1.
        top: Top edge, 0 to 1.
        right: Right edge, more than left.
        bottom: Bottom edge, more than top.

    """

    def __init__(self, left: float, top: float, right: float, bottom: float) -> None:
        self.left, self.top, self.right, self.bottom = left, top, right, bottom

    @classmethod
    def around(cls, demos: Sequence[Demo], margin: float = 0.04) -> Window:
        """Return the part of the image in which the clouds of demonstrations lie.

        Where the source is images, or knows no camera, that is all of it.
        """
        corners = [_occupied(demo) for demo in demos if not demo.has_images]
        found = np.array([part for part in corners if part is not None])
        if not len(found):
            return cls(0.0, 0.0, 1.0, 1.0)
        left, top = np.clip(found[:, 0].min(axis=0) - margin, 0.0, 0.9)
        right, bottom = np.clip(found[:, 1].max(axis=0) + margin, [left + 0.1, top + 0.1], 1.0)
        return cls(float(left), float(top), float(right), float(bottom))

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return this part of an image (H, W, 3)."""
        height, width = picture.shape[:2]
        rows = slice(int(self.top * height), max(int(self.bottom * height), 1))
        return picture[rows, int(self.left * width) : max(int(self.right * width), 1)]

    def zoom(self, camera: PinholeCamera) -> PinholeCamera:
        """Return a camera that looks at this part only, at the width of the whole."""
        wide, high = self.right - self.left, self.bottom - self.top
        scale = 1.0 / wide
        return PinholeCamera(
            camera.width,
            max(1, round(camera.height * high * scale)),
            camera.fx * scale,
            camera.fy * scale,
            (camera.cx - self.left * camera.width) * scale,
            (camera.cy - self.top * camera.height) * scale,
        )


def _occupied(demo: Demo) -> NDArray[np.float64] | None:
    """Corners (2, 2), in shares of the image, of where nearly all points of some frames lie."""
    if demo.sensor is None:
        return None
    size = np.array([demo.sensor.camera.width, demo.sensor.camera.height])
    found = []
    for index in np.unique(np.linspace(0, len(demo) - 1, 5).astype(int)).tolist():
        pixels = Snapshot.take(demo, index).pixels(demo, index)
        seen = pixels[np.isfinite(pixels).all(axis=1)]
        if len(seen):
            found.append(np.percentile(seen / size, [0.5, 99.5], axis=0))
    if not found:
        return None
    return np.stack([np.min(found, axis=0)[0], np.max(found, axis=0)[1]])


def _scaled(camera: PinholeCamera) -> PinholeCamera:
    scale = WIDTH / camera.width
    return PinholeCamera(
        WIDTH,
        max(1, round(camera.height * scale)),
        camera.fx * scale,
        camera.fy * scale,
        camera.cx * scale,
        camera.cy * scale,
    )


def _shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = max(1, picture.shape[1] // WIDTH)
    return picture[::step, ::step]


def _tinted(frame: Frame, labels: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    assert frame.colour is not None
    if labels is None:
        return frame.colour
    return _mixed(frame.colour, labels.reshape(frame.colour.shape[:2]))


def _mixed(colours: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Tint colours (..., 3) by labels (...); the environment keeps its own."""
    share = np.where(labels == 0, 0.0, 0.75)[..., None]
    mixed = (1.0 - share) * colours + share * label_colours(labels)
    return np.asarray(np.rint(mixed).astype(np.uint8))


def _onlooker(points: NDArray[np.float64]) -> tuple[PinholeCamera, NDArray[np.float64]]:
    """Return a camera beside a cloud, in front of it and above, where none was recorded."""
    camera = PinholeCamera(WIDTH, WIDTH * 3 // 4, 480.0, 480.0, WIDTH / 2, WIDTH * 3 / 8)
    centre = np.median(points, axis=0) if len(points) else np.zeros(3)
    reach = float(np.ptp(points, axis=0).max()) if len(points) else 1.0
    eye = centre + max(reach, 0.1) * np.array([1.2, 0.0, 0.8])
    forward = (centre - eye) / np.linalg.norm(centre - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    return camera, se3.compose(rotation, eye)
