# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the robot, or what it holds, would run into anything on an episode's way.

What the source demonstration touched it may touch again, where it did so: every distance is
compared with the source's own at the frames that are replayed. So no list of allowed contacts is
needed, and what a scene was parsed with, noise and all, cannot forbid the source itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import minimum_filter1d
from scipy.spatial import cKDTree

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud, voxel_downsample
from r2rgen_ros.geometry.distance_field import DistanceField
from r2rgen_ros.geometry.point_groups import PointGroups
from r2rgen_ros.geometry.polygon import contains, half_planes
from r2rgen_ros.model.episode import Reason
from r2rgen_ros.model.scene import ENVIRONMENT
from r2rgen_ros.parse.clusters import clusters, spacing
from r2rgen_ros.robots.body import RobotBody
from r2rgen_ros.robots.description import check_description, links_with_geometry
from r2rgen_ros.robots.profile import load_profile
from r2rgen_ros.robots.self_collision import SelfCollision

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.model.annotation import SupportPlane
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.scene import Scene

    Floats = NDArray[np.float64]

_SPACING_M = 0.012
_OBJECT_POINTS = 500
_OBJECT_NODE_M = 0.005
_ROOM_NODE_M = 0.01
_MOST_NODES = 6e6
_MARGIN_M = 0.05
_ABOVE_M = 0.01  # lower parts of the environment are the support plane
_LEFTOVER_M = 0.03
_SPECK_M2 = 4e-4
_SWEPT_FRAMES = 30
_SLACK_M = 0.004  # what nodes and samples make of one and the same distance
_STANDS_M = 0.02  # what does not move stands on its plane, wherever it stands
_WINDOW = 2  # frames by which a contact may be earlier or later than in the source
_MOVED = 1e-6
_EXTREMES = {0: '', -1: ' at its lower limit', 1: ' at its upper limit'}
_SUPPORT = 'the support'
_ROOM = 'the environment'
_EDGE_M = 1e-9


@dataclass(frozen=True)
class _Motion:
    """What moves how, frame by frame.

    Attributes:
        source: (M,) source frame that each frame replays.
        joints: (M, N) positions of the demonstration's joints.
        object2base: (K, M, 4, 4).
        environment2base: (4, 4) where the environment is, seen from the base.

    """

    source: NDArray[np.int64]
    joints: Floats
    object2base: Floats
    environment2base: Floats


@dataclass(frozen=True)
class Collision:
    """The first frame that comes too close.

    Attributes:
        reason: Self-collision, or collision.
        frame: Place in the episode.
        amount: How much too close, metres.
        detail: One sentence for a person.

    """

    reason: Reason
    frame: int
    amount: float
    detail: str


@dataclass(frozen=True, eq=False)
class CollisionCheck:
    """Compares distances with those of the source.

    Attributes:
        scene: The parsed demonstration.
        clearance: Distance from which on nothing is too close, metres.
        bare: Links that have a shape which is not found; then the environment is no obstacle, for
            what was seen of these links may have been taken for it.

    """

    scene: Scene
    clearance: float
    bare: tuple[str, ...]
    _body: RobotBody
    _own: SelfCollision
    _robot: Bodies
    _still: frozenset[str]
    _things: tuple[Bodies, ...]
    _fields: tuple[DistanceField, ...]
    _room: DistanceField | None
    _source: dict[tuple[str, str], Floats]

    @classmethod
    def create(cls, scene: Scene, config: GenerateConfig) -> CollisionCheck | None:
        """Measure the source once.

        Args:
            scene: The parsed demonstration.
            config: The clearance, and the robot's profile, which names links that may touch.

        Returns:
            The check; None where the robot's joints or surface are not known.

        """
        demo = scene.demo
        if demo.joints is None or demo.robot_description is None:
            return None
        body = RobotBody.from_urdf(demo.robot_description, demo.base_frame, scene.mesh_folders)
        robot, still = _parts(body, demo.joints.names, demo.joints.positions)
        if still.issuperset(robot.names):
            return None
        shaped = links_with_geometry(check_description(demo.robot_description))
        bare = tuple(name for name in shaped if name not in body.links)
        touching: tuple[tuple[str, str], ...] = ()
        if config.robot:
            touching = load_profile(config.robot).touching(scene.mesh_folders)
        things, fields = [], []
        for item in scene.objects:
            points = item.cloud.points.astype(np.float64)
            few = points[:: -(-len(points) // _OBJECT_POINTS)]
            things.append(Bodies.of([(f'"{item.name}"', few)]))
            fields.append(_field(points, _OBJECT_NODE_M, closed=True))
        check = cls(
            scene, config.feasibility.collision_clearance_m, bare, body,
            SelfCollision.create(body, touching), robot, still, tuple(things), tuple(fields),
            None if bare else _room(scene, body), {},
        )  # fmt: skip
        shape = (len(scene.objects), len(demo), 4, 4)
        poses = np.array([item.object2base for item in scene.objects]).reshape(shape)
        source = _Motion(np.arange(len(demo)), demo.joints.positions, poses, np.eye(4))
        check._source.update(check._gaps(source))
        return check

    @property
    def links(self) -> tuple[str, ...]:
        """Names of the links of which the robot's bodies are the surface."""
        assert self.scene.demo.joints is not None
        parts = self._body.parts(self.scene.demo.joints.names)
        return tuple(self._body.links[parts[place].link] for place in self._robot.places)

    def check(self, episode: Episode) -> Collision | None:
        """Return the first collision of an episode that has joints; None where there is none."""
        assert episode.joints is not None
        motion = _Motion(
            episode.source_frames, episode.joints, episode.object2base, episode.variation.base2base
        )
        worst: Collision | None = None
        for pair, gap in self._gaps(motion, self.clearance):
            own = minimum_filter1d(self._source[pair], 2 * _WINDOW + 1, mode='nearest')
            wanted = np.minimum(self._clear(pair), own[motion.source]) - _SLACK_M
            close = np.flatnonzero(gap < wanted)
            if close.size and (worst is None or close[0] < worst.frame):
                at = int(close[0])
                run = close[close <= at + 2 * _WINDOW]
                worst = self._collision(pair, at, float((wanted - gap)[run].max()), gap[run].min())
        return worst

    def _clear(self, pair: tuple[str, str]) -> float:
        """Distance from which on two things are clear of one another, metres."""
        if pair in self._own.pairs:
            return 0.0  # hulls are wider than links: of these only overlap counts
        if pair[0] in self._still and pair[1] == _SUPPORT:
            return -_STANDS_M
        if pair[0] in self._still and pair[1] == _ROOM:
            return -np.inf  # where it stands on anything but its plane, that is in the room
        return self.clearance

    def _collision(self, pair: tuple[str, str], frame: int, amount: float, gap: float) -> Collision:
        own = pair in self._own.pairs
        how = 'run into' if gap <= _SLACK_M else f'come within {1e3 * gap:.0f} mm of'
        return Collision(
            Reason.SELF_COLLISION if own else Reason.COLLISION,
            frame,
            amount,
            f'{pair[0]} would {how} {pair[1]}',
        )

    def _gaps(
        self, motion: _Motion, enough: float = np.inf
    ) -> Iterator[tuple[tuple[str, str], Floats]]:
        """Distances (M,) of all pairs of things that may touch, exact below what is enough."""
        joints = self.scene.demo.joints
        assert joints is not None
        poses = self._body.poses(joints.names, motion.joints)
        robot = poses[:, self._robot.places].swapaxes(0, 1)
        yield from self._from_still(self._robot, robot, motion, enough)
        for thing, field, own in zip(self._things, self._fields, motion.object2base, strict=True):
            local = se3.inverse(own)[None] @ robot
            near = field.nearest(self._robot.points, local, enough)
            yield from (
                ((link, thing.names[0]), gap)
                for link, gap in zip(self._robot.names, near, strict=True)
            )
        for place, item in enumerate(self.scene.objects):
            inside = item.held[motion.source] >= 0
            if inside.any():
                for pair, gap in self._from_held(place, motion, enough):
                    yield pair, np.where(inside, gap, np.inf)
        yield from zip(self._own.pairs, self._own.depths(joints.names, motion.joints), strict=True)

    def _from_held(
        self, place: int, motion: _Motion, enough: float
    ) -> Iterator[tuple[tuple[str, str], Floats]]:
        """Distances of an object that is held from all but the robot."""
        thing, poses = self._things[place], motion.object2base[place][None]
        yield from self._from_still(thing, poses, motion, enough)
        for other, field in enumerate(self._fields):
            if other != place:
                local = se3.inverse(motion.object2base[other])[None] @ poses
                gap = field.nearest(thing.points, local, enough)[0]
                yield (thing.names[0], self._things[other].names[0]), gap

    def _from_still(
        self, bodies: Bodies, poses: Floats, motion: _Motion, enough: float
    ) -> Iterator[tuple[tuple[str, str], Floats]]:
        """Distances from what never moves: the support plane and the rest of the room."""
        still = se3.inverse(motion.environment2base) @ poses
        up, offset, sides, limits = support_sides(self.scene.support)
        heights = bodies.points.lowest(still, up, offset, sides, limits, _MARGIN_M, enough)
        for name, gap in zip(bodies.names, heights, strict=True):
            yield (name, _SUPPORT), gap
        if self._room is not None:
            near = self._room.nearest(bodies.points, still, enough)
            for name, gap in zip(bodies.names, near, strict=True):
                yield (name, _ROOM), gap


@dataclass(frozen=True, eq=False)
class Bodies:
    """Points of rigid bodies, each in its own frame.

    Attributes:
        names: Of the P bodies.
        points: Of the P bodies.
        places: (P,) where each is among what its owner numbers.

    """

    names: tuple[str, ...]
    points: PointGroups
    places: NDArray[np.int64]

    @classmethod
    def of(cls, parts: Sequence[tuple[str, Floats]], places: Sequence[int] | None = None) -> Bodies:
        """Put named bodies (N, 3) after one another."""
        return cls(
            tuple(name for name, _ in parts),
            PointGroups.of([part for _, part in parts]),
            np.arange(len(parts)) if places is None else np.asarray(places, dtype=np.int64),
        )


def support_sides(
    support: SupportPlane, base2base: Floats | None = None
) -> tuple[Floats, float, Floats, Floats]:
    """What `PointGroups.lowest` is told of the support: normal, offset, sides and their limits.

    Args:
        support: The support plane.
        base2base: (4, 4) where that is, seen from another base; None for its own.

    """
    pose = np.eye(4) if base2base is None else base2base
    turn, shift = pose[:3, :3], pose[:3, 3]
    normals, limits = half_planes(support.to_plane(support.outline))
    up, sides = turn @ support.normal, normals @ support.axes @ turn.T
    return up, float(support.offset + up @ shift), sides, limits + _EDGE_M + sides @ shift


def _parts(
    body: RobotBody, names: Sequence[str], positions: Floats
) -> tuple[Bodies, frozenset[str]]:
    """The parts of the robot, and which of them never move in the demonstration."""
    poses = body.poses(names, positions)
    moves = np.abs(poses - poses[:1]).max(axis=(0, 2, 3)) > _MOVED
    named = [(body.links[p.link] + _EXTREMES[p.extreme], p) for p in body.parts(names)]
    still = frozenset(name for (name, _), moved in zip(named, moves, strict=True) if not moved)
    return Bodies.of([(name, body.samples(p, _SPACING_M)) for name, p in named]), still


def _room(scene: Scene, body: RobotBody) -> DistanceField | None:
    """Distances from the environment above the support, as far as any arm may reach.

    Where the robot was in the demonstration nothing else can be: what is there are leftovers of it,
    of its foot, say, which the camera never saw uncovered.
    """
    demo, support = scene.demo, scene.support
    points = scene.environment.points.astype(np.float64)
    between = spacing(points)
    points = points[_was_seen(scene, points)]
    outline = support.to_plane(support.outline)
    over = contains(outline, support.to_plane(points))
    rising = ~over | (support.height(points) > _ABOVE_M)
    hands = np.concatenate([arm.ee2base[:, :3, 3] for arm in demo.arms])
    reach = 2.0 * float(np.linalg.norm(hands, axis=1).max())
    points = points[rising & (np.linalg.norm(points, axis=1) < reach)]
    points = voxel_downsample(Cloud.from_arrays(points), 0.5 * _ROOM_NODE_M).points.astype(float)
    points = points[~_swept(scene, body, points)]
    points = points[~_specks(points, contains(outline, support.to_plane(points)), between)]
    if not len(points):
        return None
    return _field(points, _ROOM_NODE_M, closed=False)


def _field(points: Floats, node: float, *, closed: bool) -> DistanceField:
    """Distances from points, of no more nodes than are soon made."""
    volume = float(np.prod(np.ptp(points, axis=0) + 2.0 * _MARGIN_M))
    apart = max(node, (volume / _MOST_NODES) ** (1.0 / 3.0))
    return DistanceField.around(points, apart, _MARGIN_M, closed=closed)


def _specks(points: Floats, over: NDArray[np.bool_], between: float) -> NDArray[np.bool_]:
    """Which points (N, 3) over the support are too few to be a thing: what noise leaves there.

    Points of a surface lie `between` apart, metres, or as far as they were thinned.
    """
    out = np.zeros(len(points), dtype=bool)
    apart = max(0.5 * _ROOM_NODE_M, between)
    least = int(np.ceil(_SPECK_M2 / apart**2))
    out[over] = clusters(points[over], max(2.0 * _ROOM_NODE_M, 2.0 * apart), least) < 0
    return out


def _was_seen(scene: Scene, points: Floats) -> NDArray[np.bool_]:
    """Which points (N, 3) of the environment the camera saw; the others were made up to fill it."""
    sensor = scene.demo.sensor
    if sensor is None or not scene.demo.has_images or not sensor.is_static:
        return np.ones(len(points), dtype=bool)
    if scene.annotation.sources.empty_capture:
        return np.ones(len(points), dtype=bool)
    seen = np.zeros((sensor.camera.height, sensor.camera.width), dtype=bool)
    for labels in scene.labels:
        seen |= labels == ENVIRONMENT
    pixels = sensor.camera.project(se3.apply(se3.inverse(sensor.camera2base[0]), points))
    u, v = np.rint(pixels[:, :2]).astype(np.int64).T
    height, width = seen.shape
    return np.asarray(seen[v.clip(0, height - 1), u.clip(0, width - 1)])


def _swept(scene: Scene, body: RobotBody, points: Floats) -> NDArray[np.bool_]:
    """Which points (N, 3) are where the robot was."""
    joints = scene.demo.joints
    assert joints is not None
    frames = np.unique(np.linspace(0, len(scene.demo) - 1, _SWEPT_FRAMES).astype(int))
    poses = body.poses(joints.names, joints.positions[frames])
    out = np.zeros(len(points), dtype=bool)
    for place, part in enumerate(body.parts(joints.names)):
        samples = body.samples(part, _SPACING_M)
        tree, centre = cKDTree(samples), samples.mean(axis=0)
        reach = float(np.linalg.norm(samples - centre, axis=1).max()) + _LEFTOVER_M
        for pose in poses[:, place]:
            far = np.linalg.norm(points - se3.apply(pose, centre[None]), axis=1)
            rest = np.flatnonzero(~out & (far < reach))
            local = se3.apply(se3.inverse(pose), points[rest])
            out[rest] = np.isfinite(tree.query(local, distance_upper_bound=_LEFTOVER_M)[0])
    return out
