# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The robot in images: its surface from the URDF, at an episode's joints, as the camera saw it.

What the camera measured of a link stays measured wherever that side of it still faces the camera
(`sense.carry`). Everything else of the link comes from its meshes. Recorded pixels that lie on no
mesh, of cables and brackets, move with the link that they hang on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt, label

from r2rgen_ros.generate.skin_outlook import Outlooks
from r2rgen_ros.generate.skin_paint import paint_of
from r2rgen_ros.generate.skin_parts import painted_parts, part_motions
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.raster import Raster
from r2rgen_ros.model.scene import ROBOT
from r2rgen_ros.parse.robot import RobotView
from r2rgen_ros.sense.carry import RIM_PX, SEEN, carry, carry_loose, find_kinds, write_cells
from r2rgen_ros.sense.layers import Drawn, Layer, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.raster import Window
    from r2rgen_ros.model.demo import Sensor
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.scene import Scene

    Floats = NDArray[np.float64]
    Assign = Callable[[Floats, int], NDArray[np.int64]]

_NEAR_PX = 12
_PAINTED_FRAMES = 40
_FLIES_M = 0.03
_SPECK = 40  # pixels that hang together and are no more than this may be noise
_CELL_PX, _MOST_CELL_M = 2.0, 0.004


@dataclass(frozen=True)
class _Look:
    """What a source frame saw of the robot; images are of a window.

    Attributes:
        top: First row of the window.
        left: First column of it.
        cells: (h, w, 4) float32, see `sense.carry.write_cells`.
        points: (N, 3) float32 what lies on no mesh, camera optical frame.
        tints: (N, 3) uint8 colours of these.
        owner: (N,) the part that each hangs on; P and more for the link that `others` named.
        at_rim: (N,) whether it was seen at an outline of the drawing.
        flies: (N,) whether it is a speck far from all surfaces.

    """

    top: int
    left: int
    cells: NDArray[np.float32]
    points: NDArray[np.float32]
    tints: NDArray[np.uint8]
    owner: NDArray[np.int64]
    at_rim: NDArray[np.bool_]
    flies: NDArray[np.bool_]


class RobotSkin:
    """The robot of a scene of images, at the joints of its episodes.

    Args:
        scene: The parsed demonstration.
        view: Its robot.
        others: Names, for recorded points (N, 3) of the base frame and a frame, the place of the
            transform that moves each, for those that hang on no mesh.

    """

    def __init__(self, scene: Scene, view: RobotView, others: Assign) -> None:
        assert scene.demo.sensor is not None
        self._scene, self._view = scene, view
        self._sensor: Sensor = scene.demo.sensor
        self._others = others
        camera = self._sensor.camera
        self._camera = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        self._rays = np.ascontiguousarray(camera.rays(), dtype=np.float32)
        self._parts = painted_parts(view, self._cell())
        self._part = self._parts.part.astype(np.uint16)  # little, as it is asked of every pixel
        self._outlooks: list[Outlooks] = []
        for k in range(len(self._parts.places)):
            first = sum(outlook.count for outlook in self._outlooks)
            self._outlooks.append(Outlooks(*self._parts.of(k), first))
        self._raster = Raster(camera)
        self._recorded = [self._part2camera(frame) for frame in range(len(scene.demo))]
        self._looks: list[_Look] = []
        samples = []
        wanted = set(np.linspace(0, len(scene.demo) - 1, _PAINTED_FRAMES).astype(int).tolist())
        for frame in range(len(scene.demo)):
            look, sample = self._look(frame)
            self._looks.append(look)
            if frame in wanted:
                samples.append(sample)
        self._paint = packed(paint_of(self._parts, samples))
        size = camera.width * camera.height
        self._pixel = np.empty(size, dtype=np.int32)
        self._depth = np.empty(size, dtype=np.float32)
        self._tint = np.empty(size, dtype=np.uint32)

    @classmethod
    def of(cls, scene: Scene, others: Assign) -> RobotSkin | None:
        """Return the skin of a scene's robot; None where its joints or meshes are not known."""
        demo = scene.demo
        if demo.sensor is None or not demo.has_images or not demo.sensor.is_static:
            return None
        view = RobotView.of(demo, scene.mesh_folders, lambda _: None, painted=True)
        if view is None:
            return None
        if scene.measured2robot is not None:
            view = view.corrected(scene.measured2robot, scene.image_delay_s)
        if not painted_parts(view).places:
            return None
        return cls(scene, view, others)

    def _cell(self) -> float:
        """Edge of the smallest triangles worth drawing: about two pixels, at most 4 mm."""
        drawn = self._view.drawing(0).depth
        seen = drawn[np.isfinite(drawn)]
        if not seen.size:
            return 0.0
        footprint = float(np.median(seen)) / self._sensor.camera.fx
        return min(_CELL_PX * footprint, _MOST_CELL_M)

    def _draw(self, part2camera: Floats) -> tuple[NDArray[np.float32], NDArray[np.int32], Window]:
        """Depth and face (H, W) of the robot with its parts at poses (P, 4, 4).

        They are valid until the next call; nothing is drawn outside the window.
        """
        self._raster.clear()
        for outlook, pose in zip(self._outlooks, part2camera, strict=True):
            facet = outlook.facet(pose)
            self._raster.add(facet.vertices, facet.faces, pose, facet.number, one_sided=True)
        return self._raster.image()

    def _part2camera(self, frame: int) -> Floats:
        """Poses (P, 4, 4) of the parts in a source frame, to the camera optical frame."""
        base2camera = se3.inverse(self._view.camera2base(frame))
        return np.asarray(base2camera @ self._view.poses[frame][list(self._parts.places)])

    def _look(self, frame: int) -> tuple[_Look, tuple[NDArray[np.int32], NDArray[np.uint8]]]:
        """What a source frame saw of the robot; the faces (N,) it saw and their colours (N, 3)."""
        data = self._scene.demo.frames[frame]
        assert data.depth is not None
        depth, face, _ = self._draw(self._recorded[frame])
        own = self._scene.labels[frame] == ROBOT
        colours = data.colour
        if colours is None:
            colours = np.zeros((*depth.shape, 3), dtype=np.uint8)
        rows, columns = (_window(face >= 0, axis) for axis in (1, 0))
        window = rows, columns
        drawn, measured = np.ascontiguousarray(depth[window]), data.depth[window]
        kinds = np.empty(drawn.shape, dtype=np.uint8)
        tolerance = self._view.tolerance.at(measured).astype(np.float32)
        find_kinds(drawn, measured, own[window], tolerance, kinds)
        with np.errstate(invalid='ignore'):
            offset = np.where(kinds == SEEN, measured - drawn, 0.0).astype(np.float32)
        own[window] &= kinds != SEEN
        index = np.flatnonzero(own)
        points = self._rays.reshape(-1, 3)[index] * data.depth.reshape(-1)[index, None]
        owner, at_rim, gap = self._owners(frame, depth, face, index, points)
        flies = (np.abs(gap) > _FLIES_M) & (at_rim | _specks(own, index))
        cells = np.empty((*drawn.shape, 4), dtype=np.float32)
        write_cells(drawn, kinds, offset, colours[window], cells, cells.view(np.uint32))
        look = _Look(
            rows.start, columns.start, cells, points, colours.reshape(-1, 3)[index], owner, at_rim,
            flies,
        )  # fmt: skip
        seen = kinds == SEEN
        return look, (face[window][seen], colours[window][seen])

    def _owners(
        self,
        frame: int,
        depth: NDArray[np.float32],
        face: NDArray[np.int32],
        index: NDArray[np.int64],
        points: NDArray[np.float32],
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
        """Per loose point (N,), what it hangs on, and whether it was seen at an outline.

        The last is how far it is behind the drawing closest to it, metres; infinite where none is
        close.
        """
        base = se3.apply(self._sensor.camera2base[frame], points)
        owner = len(self._parts.places) + self._others(base, frame)
        at_rim = np.zeros(len(index), dtype=bool)
        gap = np.full(len(index), np.inf)
        if not len(index) or not (face >= 0).any():
            return owner, at_rim, gap
        # Of what is far from the drawing nobody asks how far.
        rows, columns = (_window(face >= 0, axis, _NEAR_PX) for axis in (1, 0))
        far = np.full(face.shape, np.inf)
        place = np.zeros((2, *face.shape), dtype=np.int32)
        window = rows, columns
        far[window], inside = distance_transform_edt(face[window] < 0, return_indices=True)
        place[0][window], place[1][window] = inside[0] + rows.start, inside[1] + columns.start
        beside = far.reshape(-1)[index] <= _NEAR_PX
        near = np.ravel_multi_index(tuple(place), face.shape).reshape(-1)[index[beside]]
        owner[beside] = self._part[face.reshape(-1)[near]]
        # What is clearly before the surface is no error at its outline.
        tolerance = self._view.tolerance.at(points[beside, 2])
        behind = points[beside, 2] >= depth.reshape(-1)[near] - tolerance
        at_rim[beside] = behind & (far.reshape(-1)[index[beside]] <= RIM_PX)
        gap[beside] = points[beside, 2] - depth.reshape(-1)[near]
        return owner, at_rim, gap

    def layers(self, episode: Episode, others: Floats) -> Iterator[list[Drawn | Layer]]:
        """Yield what the camera is shown of the robot, frame by frame of an episode.

        Args:
            episode: The episode; must have joints.
            others: (M, Q, 4, 4) motions in the base frame of what hangs on no mesh.

        Yields:
            Its surface, and what hangs on it; both are valid until the next frame.

        """
        moves = part_motions(self._view, self._parts, episode)
        camera2base = self._sensor.camera2base[0]  # it stands still
        base2camera = se3.inverse(camera2base)
        for frame, source in enumerate(episode.source_frames.tolist()):
            table = base2camera @ np.concatenate([moves[frame], others[frame]]) @ camera2base
            yield self._layer(self._looks[source], self._recorded[source], table)

    def _layer(self, look: _Look, part2camera: Floats, table: Floats) -> list[Drawn | Layer]:
        """The robot with what was seen moved by a table (P + Q, 4, 4)."""
        motions = np.ascontiguousarray(table[: len(part2camera)])
        depth, face, window = self._draw(motions @ part2camera)
        back = np.ascontiguousarray(se3.inverse(motions))
        pixel, z, tint = self._pixel, self._depth, self._tint
        count = carry(
            depth, face, window, self._part, back, self._camera, look.top, look.left, look.cells,
            look.cells.view(np.uint32), self._paint, self._rays, pixel, z, tint,
        )  # fmt: skip
        moved, tints = np.empty_like(look.points), np.empty_like(look.tints)
        more = carry_loose(
            look.points, look.tints, look.owner, look.at_rim, look.flies,
            np.ascontiguousarray(table), depth, self._camera, moved, tints,
        )  # fmt: skip
        return [
            Drawn(pixel[:count], z[:count], tint[:count], ROBOT),
            Layer(Cloud(moved[:more], tints[:more]), np.eye(4), ROBOT),
        ]


def _specks(mask: NDArray[np.bool_], index: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pixels (N,) of a mask (H, W), by flat index, hang together with few others only."""
    part, count = label(mask, np.ones((3, 3)))
    sizes = np.bincount(part.reshape(-1), minlength=count + 1)
    return np.asarray(sizes[part.reshape(-1)[index]] <= _SPECK)


def _window(mask: NDArray[np.bool_], axis: int, margin: int = 0) -> slice:
    """The rows (axis 1) or columns (axis 0) that a mask reaches over, and some beside."""
    found = np.flatnonzero(mask.any(axis=axis))
    if not found.size:
        return slice(0, 0)
    return slice(max(0, int(found[0]) - margin), int(found[-1]) + 1 + margin)
