# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The virtual depth camera: layers of points in, depth, colour and label images out.

P_adjusted = unproject(fill(zbuffer(crop(project(P))))), arXiv 2510.08547, section III-C.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.geometry.tiles import copy_row, copy_windows, grown, whole
from r2rgen_ros.geometry.zbuffer import ZBuffer, ZBufferRule, find_seen
from r2rgen_ros.model.scene import ENVIRONMENT, UNSEEN
from r2rgen_ros.sense.border import extend, unseen_border, window_without
from r2rgen_ros.sense.canvas import LABEL_BITS, Canvas
from r2rgen_ros.sense.gaps import close_gaps
from r2rgen_ros.sense.layers import Drawn, Layer, packed
from r2rgen_ros.sense.unseen import unseen_share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera

    Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class Image:
    """What the camera sees.

    Attributes:
        depth: (H, W) float32 metres, NaN where nothing is seen.
        colour: (H, W, 3) uint8, black where nothing is seen.
        label: (H, W) uint8, UNSEEN where nothing is seen.
        unseen: Share of the whole image that looks at what the source never saw; None where that
            was not asked for.
        changed: (K, 4) windows, whole tiles that do not overlap (see `geometry.tiles`), outside of
            which it is as the image that the same camera gave before; None where that is not known.

    """

    depth: NDArray[np.float32]
    colour: NDArray[np.uint8]
    label: NDArray[np.uint8]
    unseen: float | None = None
    changed: NDArray[np.int32] | None = None


_GAP_PX = 1  # gaps are closed from their neighbours
_8, _16, _LABEL = np.uint32(8), np.uint32(16), np.uint32(LABEL_BITS)
_STILL = (ENVIRONMENT + 1) << LABEL_BITS  # paint below this is of what stands still


@compiled
def _draw_windows(
    zbuf: Any, paint: Any, radius: int, delta: Any, support: int, windows: Any, may_fill: bool,
    backdrop: Any, depth: Any, colour: Any, label: Any,
) -> None:  # fmt: skip
    """Write windows of an image; all is done of one before the next, while caches hold it.

    Args:
        zbuf: (H, W) of a `Canvas`.
        paint: The same.
        radius: See `ZBufferRule`.
        delta: The same, float32.
        support: The same.
        windows: (K, 4), see `geometry.tiles`.
        may_fill: Whether gaps in what stands still are closed.
        backdrop: (H, W) uint32 colours where there is no point, see `layers.packed`.
        depth: (H, W) float32, written.
        colour: (H, W, 3) uint8, written.
        label: (H, W) uint8, written.

    """
    height, width = zbuf.shape
    for n in range(windows.shape[0]):
        left, top, right, bottom = windows[n]
        # Gaps are closed from their neighbours.
        around = grown(windows[n], _GAP_PX, height, width)
        first, start, last, end = around
        shape = (end - start, last - first)
        seen, source = np.empty(shape, np.int32), np.empty(shape, np.int32)
        near, filled = np.empty(shape, np.float32), np.empty(shape, np.float32)
        find_seen(zbuf, paint, radius, delta, support, around, seen)
        for v in range(start, end):
            copy_row(zbuf[v, first:last], near[v - start])
        close_gaps(seen, near, _STILL, may_fill, delta, filled, source)
        inside, tints = slice(left - first, right - first), np.empty(right - left, np.uint32)
        for v in range(top, bottom):
            here = slice(left, right)
            copy_row(filled[v - start, inside], depth[v, here])
            _pick_row(
                source[v - start, inside], backdrop[v, here], tints, colour[v, here],
                label[v, here],
            )  # fmt: skip


@compiled
def _pick_row(paint: Any, backdrop: Any, tint: Any, colour: Any, label: Any) -> None:
    """Of a part of a row; without branches, for SIMD."""
    for u in range(label.shape[0]):
        label[u] = np.uint8(np.uint32(paint[u]) >> _LABEL)  # of nothing, this is UNSEEN
    # A camera has colour where it has no depth, such as beyond its range.
    for u in range(label.shape[0]):
        tint[u] = np.uint32(paint[u]) if paint[u] >= 0 else backdrop[u]
    for u in range(label.shape[0]):
        colour[u, 0] = np.uint8(tint[u])
        colour[u, 1] = np.uint8(tint[u] >> _8)
        colour[u, 2] = np.uint8(tint[u] >> _16)


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
        self._may_fill = False
        shape = (camera.height, camera.width)
        self._backdrop = np.zeros(shape, dtype=np.uint32)
        self._all: Window = (0, 0, camera.width, camera.height)
        self._window = self._all
        self._never_seen: NDArray[np.bool_] | None = None
        self._shape = shape
        self._canvas = Canvas(*shape, rule.radius + _GAP_PX)
        self._keep_still(np.zeros(0, dtype=np.uint32))

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
            layer: The environment; its points are labelled so, whatever the layer's label.
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
        if shown is None:
            self._backdrop = np.zeros(self._shape, dtype=np.uint32)
        else:
            self._backdrop = packed(shown.reshape(-1, 3)).reshape(self._shape)
        self._never_seen = unseen
        border = None
        if moved and fill != 'none':
            points = layer.cloud.points if in_view is None else in_view
            border = self._unseen(points, layer.frame2camera)
        self._zbuffer.clear()
        self._zbuffer.add(layer.cloud.points, layer.frame2camera)
        if planes is not None:
            self._zbuffer.centre(planes)
        tints = packed(layer.cloud.colours)
        self._may_fill = moved
        self._window = self._all
        if border is not None:
            if fill == 'expand' and unseen is not None:
                border = unseen
            tints = self._fill_border(fill, border, plane, allowed, tints)
        self._keep_still(tints)
        if border is not None and shown is not None:
            self._colour_gaps(tints)

    def _keep_still(self, tints: NDArray[np.uint32]) -> None:
        """Keep what of the images does not change: the environment alone, in colours (N,)."""
        zbuf, owner = self._zbuffer.buffers()
        self._canvas.put_still(zbuf, owner, tints, ENVIRONMENT)
        self._marked: NDArray[np.bool_] | None = None  # tiles of the image before
        self._shown: tuple[Any, Any, Any] | None = None  # that image, if it is not kept
        depth, colour, label = _blank(self._shape)
        self._draw(whole(*self._shape), depth, colour, label)
        outside = np.ones(depth.shape, dtype=bool)
        outside[_part(self._window)] = False
        depth[outside], colour[outside], label[outside] = np.nan, 0, UNSEEN
        self._alone = depth, colour, label

    def _colour_gaps(self, tints: NDArray[np.uint32]) -> None:
        """Give the backdrop colours everywhere, those of what is beside where nothing is known.

        Gaps that open behind near things, and what things hide without being seen there, have no
        depth, as nobody knows what is there; but no camera sees black there.
        """
        _, colour, label = self._alone
        seen = packed(colour.reshape(-1, 3)).reshape(self._shape)
        lends = (label != UNSEEN) | (self._backdrop != 0)
        inside = np.zeros(lends.shape, dtype=bool)
        inside[_part(self._window)] = True
        lends &= inside
        if lends.any():
            near = distance_transform_edt(~lends, return_distances=False, return_indices=True)
            self._backdrop = np.where(self._backdrop == 0, seen[near[0], near[1]], self._backdrop)
            self._keep_still(tints)

    @property
    def window(self) -> Window:
        """The part of the image (u0, v0, u1, v1) that is kept."""
        return self._window

    def render(self, layers: Sequence[Layer | Drawn], *, keep: bool = True) -> Image:
        """Draw what moves in front of the environment.

        Args:
            layers: Objects and robot; their labels are above that of the environment.
            keep: Whether the image is kept; else the next call writes over it, which is quicker.

        Returns:
            The image; a pixel shows the nearest point that nothing hides.

        """
        canvas = self._canvas
        before = self._marked
        if before is not None:
            canvas.take_away(self._windows(before))
        for layer in layers:
            if isinstance(layer, Drawn):
                canvas.put(layer.pixel, layer.depth, layer.tint, layer.label)
                continue
            pixel, depth = self._zbuffer.project(layer.cloud.points, layer.frame2camera)
            canvas.put(pixel, depth, packed(layer.cloud.colours), layer.label)
        self._marked = marked = canvas.tiles.mask.copy()
        windows = canvas.tiles.windows()
        shown = self._begun(before, marked, keep=keep)
        self._draw(windows, *shown)
        unseen = None
        if self._never_seen is not None:
            unseen = unseen_share(shown[2], self._never_seen)
        return Image(*shown, unseen, None if before is None else self._windows(before | marked))

    def _windows(self, mask: NDArray[np.bool_]) -> NDArray[np.int32]:
        """A mask of tiles as windows (K, 4)."""
        self._canvas.tiles.mask[:] = mask
        return self._canvas.tiles.windows()

    def _begun(
        self, before: NDArray[np.bool_] | None, marked: NDArray[np.bool_], *, keep: bool
    ) -> tuple[Any, Any, Any]:
        """Images of the environment alone, but for tiles that are marked, which are drawn anew."""
        if keep or self._shown is None or before is None:
            shown = tuple(part.copy() for part in self._alone)
            self._shown = None if keep else shown
            return shown
        left = self._windows(before & ~marked)
        for part, image in zip(self._alone, self._shown, strict=True):
            copy_windows(part, left, image)
        return self._shown

    def _draw(
        self,
        windows: NDArray[np.int32],
        depth: NDArray[np.float32],
        colour: NDArray[np.uint8],
        label: NDArray[np.uint8],
    ) -> None:
        """Write windows of the images, as they are with what was put before the environment."""
        _draw_windows(
            self._canvas.zbuf, self._canvas.paint, self._rule.radius, np.float32(self._rule.delta),
            self._rule.support, _within(windows, self._window), self._may_fill, self._backdrop,
            depth, colour, label,
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
        allowed: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None,
        tints: NDArray[np.uint32],
    ) -> NDArray[np.uint32]:
        """Do what is asked for with pixels (H, W); the colours (N,) of all points that then are."""
        if fill == 'shrink':
            self._window = window_without(unseen)
            return tints
        owner, zbuf = self._zbuffer.image()
        depth = np.where(owner >= 0, zbuf, np.nan).astype(np.float32)
        added, lender = extend(self._camera, depth, unseen, plane, allowed)
        known = np.isfinite(added)
        if not known.any():
            return tints
        points = (self._camera.rays()[unseen] * added[:, None]).astype(np.float32)[known]
        lender = lender[known]
        self._zbuffer.add(points, np.eye(4))
        return np.concatenate([tints, tints[owner.reshape(-1)[lender]]])
