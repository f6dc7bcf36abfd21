# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The robot in clouds: recorded points moved with their links, and what comes to sight of these.

Recorded points are all there is of a side that the source frame saw, so the unchanged source stays
as it was, crop and thinning included. A side that it did not see, and that the camera sees now, is
filled with points of the URDF's meshes, inside the box that all recorded points lie in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from r2rgen_ros.generate.skin_paint import BARE_GREY
from r2rgen_ros.generate.skin_parts import painted_parts, part_motions
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.geometry.zbuffer import ZBuffer
from r2rgen_ros.model.scene import ROBOT
from r2rgen_ros.parse.robot import RobotView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.geometry.zbuffer import ZBufferRule
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.scene import Scene

    Floats = NDArray[np.float64]

_COLOUR_FRAMES = 30
_OWN_COLOUR = 3.0  # spacings from what was seen; farther away the mesh's own colour is better


class RobotPoints:
    """The robot of a scene of clouds, at the joints of its episodes.

    Args:
        scene: The parsed demonstration.
        view: Its robot.
        gap: Distance between neighbouring points of the source's clouds, metres.
        camera: What the camera sees is told with these intrinsics; None to add nothing.
        rule: When a point hides another.

    """

    def __init__(
        self,
        scene: Scene,
        view: RobotView,
        gap: float,
        camera: PinholeCamera | None,
        rule: ZBufferRule | None,
    ) -> None:
        self._scene, self._view = scene, view
        self._parts = painted_parts(view)
        self._zbuffer = None if camera is None or rule is None else ZBuffer(camera, rule)
        body, parts = view.body, view.body.parts(view.joints.names)
        clouds = [body.samples(parts[place], 0.5 * gap) for place in self._parts.places]
        self._samples = np.concatenate([np.zeros((0, 3)), *clouds])
        self._part = np.repeat(np.arange(len(clouds)), [len(cloud) for cloud in clouds])
        self._recorded = [self._robot(frame) for frame in range(len(scene.demo))]
        self._owners = [self._owner(frame) for frame in range(len(scene.demo))]
        if self._zbuffer is not None:
            self._low, self._high = self._box(gap)
            self._colours = self._painted(gap)
            self._unseen = [self._unseen_in(frame) for frame in range(len(scene.demo))]

    @classmethod
    def of(
        cls,
        scene: Scene,
        gap: float,
        camera: PinholeCamera | None = None,
        rule: ZBufferRule | None = None,
    ) -> RobotPoints | None:
        """Return the points of a scene's robot; None where its joints or meshes are not known."""
        view = RobotView.of(scene.demo, scene.mesh_folders, lambda _: None, painted=True)
        if view is None or not painted_parts(view).places:
            return None
        return cls(scene, view, gap, camera, rule)

    def _robot(self, frame: int) -> Cloud:
        cloud = self._scene.demo.frames[frame].cloud
        assert cloud is not None
        return cloud.select(self._scene.labels[frame] == ROBOT)

    def _poses(self, frame: int) -> Floats:
        """Poses (P, 4, 4) of the parts in a source frame, base frame."""
        return np.asarray(self._view.poses[frame][list(self._parts.places)])

    def _placed(self, poses: Floats) -> Floats:
        """All samples (S, 3) with the parts at poses (P, 4, 4)."""
        turned = np.einsum('nij,nj->ni', poses[self._part, :3, :3], self._samples)
        return np.asarray(turned + poses[self._part, :3, 3])

    def _owner(self, frame: int) -> NDArray[np.int64]:
        """The part (N,) that each recorded point of the robot hangs on: the nearest."""
        points = self._recorded[frame].points
        if not len(points):
            return np.zeros(0, dtype=np.int64)
        return self._part[cKDTree(self._placed(self._poses(frame))).query(points)[1]]

    def _box(self, gap: float) -> tuple[Floats, Floats]:
        """Lowest and highest corner (3,) of all that was recorded, a gap wider."""
        clouds = [self._scene.demo.frames[frame].cloud for frame in range(len(self._scene.demo))]
        ends = np.array(
            [
                (cloud.points.min(axis=0), cloud.points.max(axis=0))
                for cloud in clouds
                if cloud is not None and len(cloud)
            ]
        )
        return ends[:, 0].min(axis=0) - gap, ends[:, 1].max(axis=0) + gap

    def _painted(self, gap: float) -> NDArray[np.uint8]:
        """Colours (S, 3) of the samples: of the nearest recorded point of the part, or its own."""
        frames = np.unique(np.linspace(0, len(self._recorded) - 1, _COLOUR_FRAMES).astype(int))
        out = np.full((len(self._samples), 3), np.nan)
        for part in range(len(self._parts.places)):
            mine = self._part == part
            seen = [
                (se3.apply(se3.inverse(self._poses(frame)[part]), cloud.points), cloud.colours)
                for frame in frames.tolist()
                if len(cloud := self._recorded[frame].select(self._owners[frame] == part))
            ]
            far: Floats = np.full(int(mine.sum()), np.inf)
            if seen:
                points, colours = (np.concatenate(column) for column in zip(*seen, strict=True))
                found, nearest = cKDTree(points).query(self._samples[mine])
                far = np.asarray(found)
                out[mine] = colours[nearest]
            own = self._own_colours(part, self._samples[mine])
            use = np.isfinite(own[:, 0]) & (far > _OWN_COLOUR * gap)
            out[mine] = np.where(use[:, None], own, out[mine])
        lost = np.isnan(out[:, 0])
        out[lost] = np.median(out[~lost], axis=0) if (~lost).any() else np.full(3, BARE_GREY)
        return np.round(out).astype(np.uint8)

    def _own_colours(self, part: int, points: Floats) -> Floats:
        """The mesh's colours (N, 3) of points in the frame of a part, NaN where it has none."""
        chosen = self._parts.part == part
        vertices, faces = self._parts.of(part)
        corners = vertices[faces]
        nearest = cKDTree(corners.mean(axis=1)).query(points)[1]
        return np.asarray(self._parts.colours[chosen][nearest])

    def _sees(self, points: Floats, base2camera: Floats) -> NDArray[np.bool_]:
        """Which points (S, 3) of the base frame the camera sees of the robot alone, in the box."""
        assert self._zbuffer is not None
        self._zbuffer.clear()
        self._zbuffer.add(points.astype(np.float32), base2camera)
        inside = ((points > self._low) & (points < self._high)).all(axis=1)
        return self._zbuffer.visible() & inside

    def _unseen_in(self, frame: int) -> NDArray[np.bool_]:
        assert self._scene.demo.sensor is not None
        base2camera = se3.inverse(self._scene.demo.sensor.camera2base[frame])
        return ~self._sees(self._placed(self._poses(frame)), base2camera)

    def clouds(self, episode: Episode) -> Iterator[Cloud]:
        """Yield the robot in the base frame, frame by frame of an episode that has joints.

        The recorded points come first, in their order.
        """
        moves = part_motions(self._view, self._parts, episode)
        for frame, source in enumerate(episode.source_frames.tolist()):
            recorded, owner = self._recorded[source], self._owners[source]
            motion = moves[frame]
            turned = np.einsum('nij,nj->ni', motion[owner, :3, :3], recorded.points)
            points = (turned + motion[owner, :3, 3]).astype(np.float32)
            still = (motion == np.eye(4)).all()
            moved = recorded if still else Cloud(points, recorded.colours)
            if self._zbuffer is None or still:
                yield moved
                continue
            assert self._scene.demo.sensor is not None
            base2camera = se3.inverse(self._scene.demo.sensor.camera2base[source])
            surface = self._placed(motion @ self._poses(source))
            new = self._unseen[source] & self._sees(surface, base2camera)
            more = Cloud(surface[new].astype(np.float32), self._colours[new])
            yield Cloud.concatenate([moved, more])
