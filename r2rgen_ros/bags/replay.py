# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The fast, small streams of an episode: joints, numbers, poses and transforms, serialized.

Rules, for each message at the instant of the source that it replays:

- joint positions: the source's plus the change of the joints at the frames, interpolated;
- joint velocities: the source's times the rate at which its time passes, plus the slope of that
  change, so that they stay the derivative of the positions; efforts: the source's;
- numbers (grippers): the source's last value;
- poses in, or fixed to, the base frame: moved by what moves the end effector;
- transforms of the robot's links: from the changed joints where the caller has its kinematics;
  otherwise the first moving transform from the base to the end effector takes the whole change, so
  that the end effector comes out where the episode has it;
- the transform that says where the base is (odom > base), and odometry: moved with the base;
- all other transforms: the source's.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from r2rgen_ros.bags import templates
from r2rgen_ros.bags.corrections import ArmCorrection, JointCorrection, joint_positions
from r2rgen_ros.bags.mount import fixed_pose, moved_with
from r2rgen_ros.bags.series import interpolate_rows
from r2rgen_ros.bags.timeline import Placement, Timeline
from r2rgen_ros.geometry import se3

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from r2rgen_ros.bags import tracks
    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.bags.templates import Template
    from r2rgen_ros.bags.transforms import TransformBuffer
    from r2rgen_ros.model.demo import Arm
    from r2rgen_ros.model.episode import Episode

    Floats = NDArray[np.float64]


class LinkPoses(Protocol):
    """Kinematics that a caller lends: poses of links from joint positions."""

    def __call__(
        self, names: Sequence[str], positions: Floats, edges: Sequence[tuple[str, str]], /
    ) -> Mapping[tuple[str, str], Floats]:
        """Poses child2parent (N, 4, 4) of those edges that the robot has.

        Args:
            names: J joint names.
            positions: (N, J) rad or m.
            edges: Pairs of parent and child frame; unknown ones are left out of the result.

        """


class Outgoing(NamedTuple):
    """A message on its way into a bag."""

    log_ns: int
    topic: str
    data: memoryview | bytes


class Mover(NamedTuple):
    """How an arm's change enters the tree of transforms.

    Attributes:
        arm: Name of the arm.
        edge: The first moving edge between the base frame and its end effector.
        before: (4, 4) from the near end of that edge to the base frame.
        is_down: Whether the edge's child is its far end.
        path: All moving edges between the base frame and the end effector.

    """

    arm: str
    edge: tuple[str, str]
    before: Floats
    is_down: bool
    path: tuple[tuple[str, str], ...]


def find_movers(source: Source) -> dict[str, Mover]:
    """Where each arm's change enters the tree of transforms, by arm name."""
    found = {}
    for arm in source.arms:
        others = {
            (edge.parent, edge.child)
            for other in source.arms
            if other.name != arm.name
            for edge in source.buffer.path(source.base_frame, other.end_effector)
        }
        mover = _mover(source.buffer, source.base_frame, arm, others)
        if mover is not None:
            found[arm.name] = mover
    return found


def _mover(
    buffer: TransformBuffer, base: str, arm: Arm, others: set[tuple[str, str]]
) -> Mover | None:
    path = buffer.path(base, arm.end_effector)
    moving = tuple((edge.parent, edge.child) for edge in path if not edge.is_static)
    near = base
    for edge in path:
        pair = (edge.parent, edge.child)
        is_down = edge.parent == near
        if not edge.is_static and pair not in others:
            stamp = buffer.edge_samples(*pair)[0][:1]
            before = buffer.lookup(base, near, stamp, tolerance_ns=2**62)[0]
            return Mover(arm.name, pair, before, is_down, moving)
        near = edge.child if is_down else edge.parent
    return None


class Replay:
    """Writes the fast streams of episodes of one source.

    Args:
        source: The recording.
        link_poses: Kinematics of the robot, where known.

    """

    def __init__(self, source: Source, link_poses: LinkPoses | None = None) -> None:
        self.source = source
        self.movers = find_movers(source)
        self._link_poses = link_poses
        self._templates: dict[Hashable, Template] = {}
        self._frames2base = self._fixed_frames()

    @property
    def poses(self) -> list[tracks.PoseTrack]:
        """The pose streams whose frame stands still in the base frame: those that are written."""
        return [t for t in self.source.recorded.poses if t.frame_id in self._frames2base]

    @property
    def odometry(self) -> list[tracks.OdometryTrack]:
        """The odometry of frames that are fixed to the base: that which is written."""
        return [track for track, _ in self._odometers]

    @cached_property
    def _odometers(self) -> list[tuple[tracks.OdometryTrack, Floats]]:
        """Odometry, and where on the base the frame is that it is about."""
        source = self.source
        found = []
        for track in source.recorded.odometry:
            pose = fixed_pose(source.buffer, source.body_frame, track.child)
            if pose is not None:
                found.append((track, pose))
        return found

    def _fixed_frames(self) -> dict[str, Floats]:
        buffer, base = self.source.buffer, self.source.base_frame
        found = {base: np.eye(4)}
        for track in self.source.recorded.poses:
            frame = track.frame_id
            if frame in found or not buffer.connected(base, frame):
                continue
            if all(edge.is_static for edge in buffer.path(base, frame)):
                found[frame] = buffer.lookup(base, frame, [0])[0]
        return found

    def messages(self, episode: Episode) -> list[Outgoing]:
        """All messages of the fast streams, in the order of their log times."""
        source = self.source
        line = Timeline(source.stamps, episode.stamps, episode.source)
        arms = {arm.name: ArmCorrection(source, arm, episode) for arm in source.arms}
        joints = JointCorrection(source, episode)
        out: list[Outgoing] = []
        for joint in source.recorded.joints:
            out += self._joints(joint, line.place(joint), joints)
        for number in source.recorded.numbers:
            out += self._numbers(number, line.place(number))
        for pose in self.poses:
            out += self._poses(pose, line.place(pose), self._arm_of(pose, arms))
        base2base = episode.variation.base2base
        for odometry, frame2base in self._odometers:
            out += self._odometry(odometry, line.place(odometry), moved_with(frame2base, base2base))
        for transform in source.recorded.transforms:
            placed = line.place(transform)
            out += self._transforms(transform, placed, arms, joints, base2base)
        out.sort(key=lambda item: item.log_ns)
        return out

    def _template(self, key: Hashable, make: Any, *arguments: Any) -> Template:
        if key not in self._templates:
            self._templates[key] = make(*arguments)
        return self._templates[key]

    def _joints(
        self, track: tracks.JointTrack, placed: Placement, joints: JointCorrection
    ) -> list[Outgoing]:
        positions = interpolate_rows(track.positions, placed.at)
        velocities = interpolate_rows(track.velocities, placed.at)
        if velocities.shape[1]:
            slowed = placed.rate != 1.0
            velocities[slowed] *= placed.rate[slowed, None]
        if positions.shape[1] == len(track.names) and not joints.is_nothing:
            # Adding nothing would turn -0.0 into 0.0.
            change = joints.at(track.names, placed.frame)
            positions = np.where(change != 0.0, positions + change, positions)
            if velocities.shape[1]:
                slope = joints.rate(track.names, placed)
                velocities = np.where(slope != 0.0, velocities + slope, velocities)
        efforts = interpolate_rows(track.efforts, placed.at)
        sizes = (positions.shape[1], velocities.shape[1], efforts.shape[1])
        template = self._template(
            track, templates.joint_template, track.names, track.frame_id, *sizes
        )
        fields = [*templates.clock(placed.stamps), positions, velocities, efforts]
        return _outgoing(track, placed, template.fill(fields))

    def _numbers(self, track: tracks.NumberTrack, placed: Placement) -> list[Outgoing]:
        values = track.values[np.floor(placed.at).astype(np.int64)]
        template = self._template(track, templates.number_template, track.topic.type)
        return _outgoing(track, placed, template.fill([values]))

    def _arm_of(self, track: tracks.PoseTrack, arms: Mapping[str, ArmCorrection]) -> ArmCorrection:
        """The arm that a pose stream is about: named by its topic, else nearest at the start."""
        for name, correction in arms.items():
            if len(arms) > 1 and name in track.topic.name:
                return correction
        start = se3.apply(self._frames2base[track.frame_id], track.translations[:1])[0]
        nearest = min(
            self.source.arms,
            key=lambda arm: float(np.linalg.norm(arm.ee2base[0, :3, 3] - start)),
        )
        return arms[nearest.name]

    def _poses(
        self, track: tracks.PoseTrack, placed: Placement, arm: ArmCorrection
    ) -> list[Outgoing]:
        places, turns = _pose_rows(track.translations, track.quaternions, placed)
        moved, change = arm.at(placed.frame)
        if moved.any():
            frame2base = self._frames2base[track.frame_id]
            local = se3.inverse(frame2base) @ change @ frame2base
            poses = local @ se3.from_quaternion(places[moved], turns[moved])
            places[moved], turns[moved] = se3.to_quaternion(poses)
        template = self._template(track, templates.pose_template, track.frame_id)
        fields = [*templates.clock(placed.stamps), np.concatenate([places, turns], axis=1)]
        return _outgoing(track, placed, template.fill(fields))

    def _odometry(
        self, track: tracks.OdometryTrack, placed: Placement, change: Floats
    ) -> list[Outgoing]:
        rows = np.concatenate(_pose_rows(track.translations, track.quaternions, placed), axis=1)
        _multiply(rows, change)
        low = np.floor(placed.at).astype(np.int64)
        template = self._template(track, templates.odometry_template, track.frame_id, track.child)
        twists = track.twists[low]
        if self.source.drive is not None:
            twists = np.where(placed.rate[:, None] != 1.0, placed.rate[:, None] * twists, twists)
        others = (track.spreads[low], twists, track.twist_spreads[low])
        return _outgoing(
            track, placed, template.fill([*templates.clock(placed.stamps), rows, *others])
        )

    def _transforms(
        self,
        track: tracks.TransformTrack,
        placed: Placement,
        arms: Mapping[str, ArmCorrection],
        joints: JointCorrection,
        base2base: Floats,
    ) -> list[Outgoing]:
        values = np.empty((len(placed), len(track.edges), 7))
        for place in range(len(track.edges)):
            values[:, place, :3], values[:, place, 3:] = _pose_rows(
                track.translations[:, place], track.quaternions[:, place], placed
            )
        known = self._move_links(track, placed, joints, values)
        for name, mover in self.movers.items():
            if mover.edge in track.edges and not known.intersection(mover.path):
                self._move_edge(values[:, track.edges.index(mover.edge)], mover, placed, arms[name])
        mount = self.source.mount
        if mount is not None and mount.edge in track.edges:
            change = moved_with(se3.inverse(mount.base2child), base2base)
            _multiply(values[:, track.edges.index(mount.edge)], change)
        offsets = track.offsets[np.floor(placed.at).astype(np.int64)]
        template = self._template(track.edges, templates.transform_template, track.edges)
        fields = [*templates.clock(placed.stamps[:, None] + offsets), values]
        return _outgoing(track, placed, template.fill(fields))

    def _move_links(
        self,
        track: tracks.TransformTrack,
        placed: Placement,
        joints: JointCorrection,
        values: Floats,
    ) -> set[tuple[str, str]]:
        """Set the poses of the robot's links where joints change; return whose poses are known."""
        if self._link_poses is None or joints.is_nothing:
            return set()
        change = joints.at(joints.names, placed.frame)
        moved = (change != 0.0).any(axis=1)
        if moved.any():
            positions = joint_positions(self.source, placed.source_ns[moved]) + change[moved]
            edges = self._on_robot(track.edges)
            for edge, pose in self._link_poses(joints.names, positions, edges).items():
                row = values[:, track.edges.index(edge)]
                row[moved, :3], row[moved, 3:] = se3.to_quaternion(pose)
        return self._known_links

    @cached_property
    def _known_links(self) -> set[tuple[str, str]]:
        """Edges of any message that the kinematics know."""
        if self._link_poses is None or self.source.joints is None:
            return set()
        edges = {edge for track in self.source.recorded.transforms for edge in track.edges}
        names = self.source.joints.names
        own = self._on_robot(sorted(edges))
        return set(self._link_poses(names, np.zeros((1, len(names))), own))

    def _on_robot(self, edges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Edges without the one that says where a base is that drives: it stays as recorded."""
        drive = self.source.drive
        return [edge for edge in edges if drive is None or edge != drive.edge]

    def _move_edge(
        self, values: Floats, mover: Mover, placed: Placement, arm: ArmCorrection
    ) -> None:
        moved, change = arm.at(placed.frame)
        if not moved.any():
            return
        poses = se3.from_quaternion(values[moved, :3], values[moved, 3:])
        local = se3.inverse(mover.before) @ change @ mover.before
        poses = local @ poses if mover.is_down else poses @ se3.inverse(local)
        values[moved, :3], values[moved, 3:] = se3.to_quaternion(poses)


def _multiply(rows: Floats, change: Floats) -> None:
    """Multiply poses (K, 7) by a transform from the right, in place."""
    if np.array_equal(change, np.eye(4)):
        return  # bit for bit what was recorded
    moved = se3.from_quaternion(rows[:, :3], rows[:, 3:]) @ change
    rows[:, :3], rows[:, 3:] = se3.to_quaternion(moved)


def _pose_rows(
    translations: Floats, quaternions: Floats, placed: Placement
) -> tuple[Floats, Floats]:
    """Poses of placed messages, as recorded where one message is replayed exactly."""
    low = np.floor(placed.at).astype(np.int64)
    places, turns = translations[low], quaternions[low]
    between = placed.at > low
    if between.any():
        # Only the samples that are needed, in pairs: interpolation is by the pair.
        ends = np.stack([low[between], low[between] + 1], axis=1)
        poses = se3.from_quaternion(translations[ends], quaternions[ends])
        count = len(ends)
        at = 2.0 * np.arange(count) + (placed.at - low)[between]
        mixed = se3.interpolate(poses.reshape(2 * count, 4, 4), at)
        places[between], turns[between] = se3.to_quaternion(mixed)
    return places, turns


def _outgoing(track: tracks.Track, placed: Placement, data: Sequence[memoryview]) -> list[Outgoing]:
    topic = track.topic.name
    return [
        Outgoing(log_ns, topic, raw) for log_ns, raw in zip(placed.logs.tolist(), data, strict=True)
    ]
