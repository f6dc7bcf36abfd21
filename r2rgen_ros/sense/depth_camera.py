# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The virtual depth camera: layers of points in, depth, colour and label images out.

P_adjusted = unproject(fill(zbuffer(crop(project(P))))), arXiv 2510.08547, section III-C.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from r2rgen_ros.geometry.tiles import Tiles, whole
from r2rgen_ros.geometry.zbuffer import ZBuffer, ZBufferRule
from r2rgen_ros.model.scene import UNSEEN
from r2rgen_ros.sense.border import extend, unseen_border, window_without
from r2rgen_ros.sense.gaps import close_gaps
from r2rgen_ros.sense.unseen import unseen_share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.geometry.cloud import Cloud

    Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class Layer:
    """Points that move together.

    Attributes:
        cloud: The points, in any frame.
        frame2camera: (4, 4) that frame to the camera optical frame.
        label: Label of its points, see `model.scene`.

    """

    cloud: Cloud
    frame2camera: NDArray[np.float64]
    label: int


@dataclass(frozen=True)
class Image:
    """What the camera sees.

    Attributes:
        depth: (H, W) float32 metres, NaN where nothing is seen.
        colour: (H, W, 3) uint8, black where nothing is seen.
        label: (H, W) uint8, UNSEEN where nothing is seen.
        unseen: Share of the whole image that looks at what the source never saw; None where that
            was not asked for.

    """

    depth: NDArray[np.float32]
    colour: NDArray[np.uint8]
    label: NDArray[np.uint8]
    unseen: float | None = None


@njit(cache=True, nogil=True)
def _pick(
    source: Any, windows: Any, colours: Any, labels: Any, more_colours: Any, more_labels: Any,
    backdrop: Any, colour: Any, label: Any,
) -> None:  # fmt: skip
    """Colour and label of the point in each pixel, of those that stay or those that come after."""
    still = labels.shape[0]
    for n in range(windows.shape[0]):
        left, top, right, bottom = windows[n]
        for v in range(top, bottom):
            for u in range(left, right):
                at = source[v, u]
                if at < 0:  # a camera has colour where it has no depth, such as beyond its range
                    label[v, u] = UNSEEN
                    for k in range(3):
                        colour[v, u, k] = backdrop[v, u, k]
                elif at < still:
                    label[v, u] = labels[at]
                    for k in range(3):
                        colour[v, u, k] = colours[at, k]
                else:
                    label[v, u] = more_labels[at - still]
                    for k in range(3):
                        colour[v, u, k] = more_colours[at - still, k]


_GAP_PX = 1  # gaps are closed from their neighbours


def _within(windows: NDArray[np.int32], window: Window) -> NDArray[np.int32]:
    """What of windows (K, 4) is in another one."""
    out = windows.copy()
    out[:, :2] = np.maximum(windows[:, :2], window[:2])
    out[:, 2:] = np.minimum(windows[:, 2:], window[2:])
    return np.ascontiguousarray(out[(out[:, 0] < out[:, 2]) & (out[:, 1] < out[:, 3])])


def _part(window: Window) -> tuple[slice, slice]:
    left, top, right, bottom = window
    return slice(top, bottom), slice(left, right)


def _blank(shape: tuple[int, int]) -> tuple[Any, Any, Any]:
    """Images of depth, colour and labels that nothing is written in yet."""
    return (
        np.empty(shape, dtype=np.float32),
        np.empty((*shape, 3), dtype=np.uint8),
        np.empty(shape, dtype=np.uint8),
    )


class DepthCamera:
    """Renders frames of one camera before one environment.

    Args:
        camera: Intrinsics.
        rule: When a point hides another.

    """

    def __init__(self, camera: PinholeCamera, rule: ZBufferRule) -> None:
        self._zbuffer = ZBuffer(camera, rule)
        self._camera = camera
        self._rule = rule
        self._colours = np.zeros((0, 3), dtype=np.uint8)
        self._labels = np.zeros(0, dtype=np.uint8)
        self._may_fill = False
        shape = (camera.height, camera.width)
        self._backdrop: NDArray[np.uint8] = np.zeros((*shape, 3), dtype=np.uint8)
        self._all: Window = (0, 0, camera.width, camera.height)
        self._window = self._all
        self._never_seen: NDArray[np.bool_] | None = None
        self._source = np.empty(shape, dtype=np.int32)
        self._tiles = Tiles(*shape)
        self._keep_still()

    def set_environment(
        self,
        layer: Layer,
        *,
        moved: bool,
        fill: str,
        plane: tuple[NDArray[np.float64], float],
        backdrop: NDArray[np.uint8] | None = None,
        in_view: NDArray[np.float32] | None = None,
        unseen: NDArray[np.bool_] | None = None,
        allowed: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None,
        far_off: NDArray[np.uint8] | None = None,
        planes: NDArray[np.float32] | None = None,
    ) -> None:
        """Project the environment once; frames are drawn in front of it.

        Args:
            layer: The environment.
            moved: Whether it moved before the camera, which leaves an empty border.
            fill: What to do with that border: none, shrink or expand.
            plane: Unit normal (3,) and offset of the support plane, camera optical frame.
            in_view: (N, 3) points of the environment's frame that stand for all that the source had
                in view, also where it saw no depth; the environment itself if None.
            backdrop: (H, W, 3) colours of pixels in which the environment has no depth; black if
                None.
            unseen: (H, W) pixels that look at what the source never saw, for `Image.unseen` and to
                expand into; None where nobody knows: then it is expanded into the border only.
            allowed: Where the scene may be continued to, see `border.extend`.
            far_off: (H, W, 3) the backdrop as it is seen before a moved environment; black if None.
            planes: (N, 3) planes n . p = 1 of the environment's points, camera optical frame, in
                which a moved one is seen at the centres of pixels; where its points are if None.

        """
        shown = far_off if moved else backdrop
        self._backdrop = np.zeros_like(self._backdrop) if shown is None else shown
        self._never_seen = unseen
        border = None
        if moved and fill != 'none':
            points = layer.cloud.points if in_view is None else in_view
            border = self._unseen(points, layer.frame2camera)
        self._zbuffer.clear()
        self._zbuffer.add(layer.cloud.points, layer.frame2camera)
        if planes is not None:
            self._zbuffer.centre(planes)
        self._colours, self._labels = (
            layer.cloud.colours,
            np.full(len(layer.cloud), layer.label, dtype=np.uint8),
        )
        self._may_fill = moved
        self._window = self._all
        if border is not None:
            if fill == 'expand' and unseen is not None:
                border = unseen
            self._fill_border(fill, border, plane, layer.label, allowed)
        self._keep_still()

    def _keep_still(self) -> None:
        """Keep what of the images does not change: the environment alone."""
        self._still = self._zbuffer.snapshot()
        self._changed = np.empty((0, 4), dtype=np.int32)
        depth, colour, label = _blank(self._source.shape)
        self._draw(None, (), depth, colour, label)
        outside = np.ones(depth.shape, dtype=bool)
        outside[_part(self._window)] = False
        depth[outside], colour[outside], label[outside] = np.nan, 0, UNSEEN
        self._alone = depth, colour, label

    @property
    def window(self) -> Window:
        """The part of the image (u0, v0, u1, v1) that is kept."""
        return self._window

    def render(self, layers: Sequence[Layer]) -> Image:
        """Draw what moves in front of the environment.

        Args:
            layers: Objects and robot.

        Returns:
            The image; a pixel shows the nearest point that nothing hides.

        """
        # Only there do images of this environment differ.
        self._zbuffer.restore(self._still, self._changed)
        for layer in layers:
            self._zbuffer.add(layer.cloud.points, layer.frame2camera)
        pixels = self._zbuffer.pixels(self._still[2])
        self._tiles.mark_pixels(pixels, self._rule.radius + _GAP_PX)
        self._changed = self._tiles.windows()
        depth, colour, label = (part.copy() for part in self._alone)
        self._draw(self._changed, layers, depth, colour, label)
        unseen = None
        if self._never_seen is not None:
            unseen = unseen_share(label, self._never_seen)
        return Image(depth, colour, label, unseen)

    def _draw(
        self,
        windows: NDArray[np.int32] | None,
        layers: Sequence[Layer],
        depth: NDArray[np.float32],
        colour: NDArray[np.uint8],
        label: NDArray[np.uint8],
    ) -> None:
        """Write windows of the images, or all, as they are with the layers that were added."""
        if windows is None:
            owner, zbuf = self._zbuffer.image()
            windows = whole(*self._source.shape)
        else:
            # Gaps are closed from their neighbours.
            around = windows + np.array([-_GAP_PX, -_GAP_PX, _GAP_PX, _GAP_PX], dtype=np.int32)
            owner, zbuf = self._zbuffer.image(_within(around, self._all))
            windows = _within(windows, self._window)
        none = np.zeros((0, 3), dtype=np.uint8)
        colours = np.concatenate([none, *(layer.cloud.colours for layer in layers)])
        labels = np.concatenate(
            [none[:, 0], *(np.full(len(x.cloud), x.label, dtype=np.uint8) for x in layers)]
        )
        close_gaps(
            owner, zbuf, len(self._labels), self._may_fill, self._rule.delta, windows, depth,
            self._source,
        )  # fmt: skip
        _pick(
            self._source, windows, self._colours, self._labels, colours, labels, self._backdrop,
            colour, label,
        )  # fmt: skip

    def _unseen(
        self, points: NDArray[np.float32], frame2camera: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Pixels (H, W) at the border that the source did not have in view."""
        self._zbuffer.clear()
        self._zbuffer.add(points, frame2camera)
        owner, _ = self._zbuffer.image()
        return unseen_border(owner != -1)

    def _fill_border(
        self,
        fill: str,
        unseen: NDArray[np.bool_],
        plane: tuple[NDArray[np.float64], float],
        label: int,
        allowed: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None,
    ) -> None:
        if fill == 'shrink':
            self._window = window_without(unseen)
            return
        owner, zbuf = self._zbuffer.image()
        depth = np.where(owner >= 0, zbuf, np.nan).astype(np.float32)
        added, lender = extend(self._camera, depth, unseen, plane, allowed)
        known = np.isfinite(added)
        if not known.any():
            return
        points = (self._camera.rays()[unseen] * added[:, None]).astype(np.float32)[known]
        lender = lender[known]
        self._zbuffer.add(points, np.eye(4))
        self._colours = np.concatenate([self._colours, self._colours[owner.reshape(-1)[lender]]])
        self._labels = np.concatenate([self._labels, np.full(len(points), label, np.uint8)])
