# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Objects in images: their surface as discs, in the colours that the camera saw of it.

Discs as dense as the surface hide what is behind them and leave no gaps, however near the object
comes to the camera. The cloud of an object has the mean colours of all that was seen of it; where
the source frame itself saw a place of it, its sharper colour is carried along.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import binary_erosion, maximum_filter, minimum_filter

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.geometry.surfels import Placed, SurfelImage, Surfels
from r2rgen_ros.model.scene import FIRST_OBJECT
from r2rgen_ros.parse.lighting import SAME_HUE, SHADE
from r2rgen_ros.sense.layers import Drawn, Layer, packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from r2rgen_ros.model.scene import Scene

    Floats = NDArray[np.float64]

_EVEN = 0.6  # completed objects have points of even distances
_MOST_M = 0.01
_NEAR_M = 0.02
_SAME_M = 0.012  # at one metre; grows with the square of the distance, as noise does
_POSE_DIGITS = 6
_MOST_HELD = 64 * 2**20


@dataclass(frozen=True)
class _Look:
    """What a source frame saw of an object; images are of a window.

    Attributes:
        top: First row of the window.
        left: First column of it.
        depth: (h, w) float32 metres; NaN also where the object is not, or has its edge.
        colours: (h, w, 3) uint8.

    """

    top: int
    left: int
    depth: NDArray[np.float32]
    colours: NDArray[np.uint8]


@dataclass(frozen=True)
class _Surface:
    """An object as it is drawn.

    Attributes:
        pixel: (N,) int32 row times width plus column; None where it is points as they are.
        cloud: The points there, camera optical frame.

    """

    pixel: NDArray[np.int32] | None
    cloud: Cloud


class ObjectSkin:
    """The objects of a scene of images, wherever episodes put them.

    Args:
        scene: The parsed demonstration; its camera stands still.

    """

    def __init__(self, scene: Scene) -> None:
        assert scene.demo.sensor is not None
        self._scene = scene
        self._camera = scene.demo.sensor.camera
        camera = self._camera
        self._lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        self._camera2base = scene.demo.sensor.camera2base[0]
        self._base2camera = se3.inverse(self._camera2base)
        self._discs = [Surfels.of(item.cloud, most=_MOST_M, reach=_EVEN) for item in scene.objects]
        self._reach = [float(np.median(discs.radii)) for discs in self._discs]
        self._looks: OrderedDict[tuple[int, int], _Look | None] = OrderedDict()
        self._held = 0
        # What stands still is drawn once.
        self._drawn: dict[int, tuple[bytes, _Surface]] = {}

    def layer(self, k: int, object2base: Floats, source: int) -> Drawn | Layer:
        """Return what the camera is shown of an object; points if some is beside the camera.

        Args:
            k: Number of the object.
            object2base: (4, 4) where it is.
            source: The source frame that is shown.

        """
        # Followed objects that stand still move by nanometres.
        object2base = np.round(object2base, _POSE_DIGITS)
        key = object2base.tobytes()
        if k not in self._drawn or self._drawn[k][0] != key:
            self._drawn[k] = key, self._draw(k, self._base2camera @ object2base)
        surface, label = self._drawn[k][1], FIRST_OBJECT + k
        cloud, look = surface.cloud, self._look(k, source)
        colours = cloud.colours
        if look is not None:
            before = self._scene.objects[k].object2base[source]
            back = self._base2camera @ before @ se3.inverse(object2base) @ self._camera2base
            colours = colours.copy()
            _carry_colours(
                cloud.points, back, self._lens, look.top, look.left, look.depth, look.colours,
                _SAME_M, colours,
            )  # fmt: skip
        if surface.pixel is None:
            return Layer(Cloud(cloud.points, colours), np.eye(4), label)
        depth = np.ascontiguousarray(cloud.points[:, 2])
        return Drawn(surface.pixel, depth, packed(colours), label)

    def _draw(self, k: int, object2camera: Floats) -> _Surface:
        """The object with the colours of its cloud."""
        discs, whole = self._discs[k], self._camera
        places = se3.apply(object2camera, discs.points)
        if places[:, 2].min() < _NEAR_M:  # some of it is beside or behind the camera
            return _Surface(None, self._scene.objects[k].cloud.transformed(object2camera))
        u, v, _ = whole.project(places).T
        reach = max(1, int(np.ceil(self._reach[k] * whole.fx / float(places[:, 2].min()))))
        left, right = _span(u, whole.width, reach + 2)
        top, bottom = _span(v, whole.height, reach + 2)
        if right <= left or bottom <= top:
            return _Surface(np.empty(0, dtype=np.int32), Cloud.empty())
        part = PinholeCamera(
            right - left, bottom - top, whole.fx, whole.fy, whole.cx - left, whole.cy - top
        )
        depth, colour, _ = SurfelImage(part).draw([Placed(discs, object2camera, 0)])
        drawn = np.isfinite(depth) & _outline(u - left, v - top, depth.shape, reach)
        points = (part.rays()[drawn] * depth[drawn][:, None]).astype(np.float32)
        row, column = np.nonzero(drawn)
        pixel = ((row + top) * whole.width + column + left).astype(np.int32)
        return _Surface(pixel, Cloud(points, np.ascontiguousarray(colour[drawn])))

    def _look(self, k: int, source: int) -> _Look | None:
        """What a source frame saw of an object; None for nothing, or no colours."""
        key = k, source
        if key in self._looks:
            self._looks.move_to_end(key)
            return self._looks[key]
        look = self._found(k, source)
        self._looks[key] = look
        self._held += _bytes(look)
        while self._held > _MOST_HELD and len(self._looks) > 1:
            self._held -= _bytes(self._looks.popitem(last=False)[1])
        return look

    def _found(self, k: int, source: int) -> _Look | None:
        own = self._scene.labels[source] == FIRST_OBJECT + k
        rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
        if not rows.size:
            return None
        frame = self._scene.demo.frames[source]
        if frame.colour is None or frame.depth is None:
            return None
        window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        inside = binary_erosion(own[window])
        depth = np.where(inside, frame.depth[window], np.float32(np.nan))
        return _Look(int(rows[0]), int(columns[0]), depth, frame.colour[window].copy())


def _bytes(look: _Look | None) -> int:
    return 0 if look is None else look.depth.nbytes + look.colours.nbytes


def _span(places: Floats, count: int, margin: int) -> tuple[int, int]:
    """First and last but one of the rows or columns, of so many, about places."""
    low, high = int(np.floor(places.min())), int(np.ceil(places.max()))
    return max(0, low - margin), min(count, high + margin + 1)


def _outline(u: Floats, v: Floats, shape: tuple[int, ...], reach: int) -> NDArray[np.bool_]:
    """Pixels (H, W) within the outline of points, between which lies twice the reach in pixels.

    A disc reaches beyond the outermost points by its radius, which the surface does not: what is
    grown around pixels with points by that much is shrunk again (a morphological closing).
    """
    height, width = shape
    column, row = np.rint(u).astype(np.int64), np.rint(v).astype(np.int64)
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    size = 2 * reach + 1
    hit = np.zeros((height, width), dtype=np.uint8)
    hit[row[inside], column[inside]] = 1
    grown = maximum_filter(hit, size, mode='nearest')
    return np.asarray(minimum_filter(grown, size, mode='nearest') > 0)


@compiled
def _carry_colours(
    points: Any, back: Any, lens: Any, top: int, left: int, depth: Any, seen: Any, same: float,
    colours: Any,
) -> None:  # fmt: skip
    """Take over colours where a frame saw the same place, but not those of shadows on it.

    Shadows do not come along with what they fall on.
    """
    height, width = depth.shape
    fx, fy, cx, cy = lens
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        zz = back[2, 0] * x + back[2, 1] * y + back[2, 2] * z + back[2, 3]
        if not zz > 0.0:
            continue
        xx = back[0, 0] * x + back[0, 1] * y + back[0, 2] * z + back[0, 3]
        yy = back[1, 0] * x + back[1, 1] * y + back[1, 2] * z + back[1, 3]
        u = int(np.floor(fx * xx / zz + cx + 0.5)) - left
        v = int(np.floor(fy * yy / zz + cy + 0.5)) - top
        if u < 0 or v < 0 or u >= width or v >= height:
            continue
        if not abs(depth[v, u] - zz) <= same * max(1.0, zz * zz):
            continue
        if not _is_shadow(seen[v, u], colours[i]):
            for c in range(3):
                colours[i, c] = seen[v, u, c]


@compiled
def _is_shadow(seen: Any, usual: Any) -> bool:
    """Whether a colour is the usual one of the place, only darker."""
    both, one, other = 0.0, 1e-9, 1e-9
    for c in range(3):
        both += float(seen[c]) * usual[c]
        one += float(seen[c]) ** 2
        other += float(usual[c]) ** 2
    darker = one < (SHADE * SHADE) * other
    return bool(darker and both * both > (SAME_HUE * SAME_HUE) * one * other)
