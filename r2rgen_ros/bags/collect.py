# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One pass through a bag that turns its small streams into tracks and indexes its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import messages, tracks
from r2rgen_ros.bags.clouds import CloudLayout
from r2rgen_ros.bags.images import ImageCoding
from r2rgen_ros.bags.transforms import TransformBuilder, frame_name
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from r2rgen_ros.bags.camera_topics import CameraTopics
    from r2rgen_ros.bags.reader import BagReader, Entry, Topic
    from r2rgen_ros.bags.streams import Streams
    from r2rgen_ros.bags.transforms import TransformBuffer


@dataclass(frozen=True, eq=False)
class CameraTracks:
    """The tracks of a further camera.

    Attributes:
        topics: Its topics.
        depth: Depth images; None where there is trouble.
        colour: Colour images.
        infos: Intrinsics, of the depth first.
        trouble: Why its messages cannot be used; None where they can.

    """

    topics: CameraTopics
    depth: tracks.ImageTrack | None = None
    colour: tracks.ImageTrack | None = None
    infos: tuple[tracks.CameraTrack, ...] = ()
    trouble: R2RGenError | None = None


@dataclass(frozen=True, eq=False)
class Collected:
    """What one pass through a bag found.

    Attributes:
        depth: Depth images.
        colour: Colour images.
        camera_info: Intrinsics.
        cloud: Clouds.
        more_info: Further intrinsics of the same camera.
        joints: Joint states, a track per topic and set of joints.
        numbers: Float topics.
        poses: Pose topics.
        odometry: Odometry, a track per topic and pair of frames.
        transforms: Moving transforms, a track per topic and set of edges.
        latched: What is sent once.
        description: URDF text.
        buffer: All transforms.
        others: Further cameras.

    """

    depth: tracks.ImageTrack | None
    colour: tracks.ImageTrack | None
    camera_info: tracks.CameraTrack | None
    cloud: tracks.CloudTrack | None
    more_info: tuple[tracks.CameraTrack, ...]
    joints: tuple[tracks.JointTrack, ...]
    numbers: tuple[tracks.NumberTrack, ...]
    poses: tuple[tracks.PoseTrack, ...]
    odometry: tuple[tracks.OdometryTrack, ...]
    transforms: tuple[tracks.TransformTrack, ...]
    latched: tuple[tracks.LatchedTrack, ...]
    description: str | None
    buffer: TransformBuffer
    others: tuple[CameraTracks, ...] = ()


class _Rows:
    """Rows of numbers of one topic and shape, in the order of the bag."""

    def __init__(self, topic: Topic, frame: str) -> None:
        self.topic = topic
        self.frame = frame
        self.stamps: list[int] = []
        self.logs: list[int] = []
        self.rows: list[Any] = []
        self.entries: list[Entry] = []

    def add(self, entry: Entry, stamp: int, row: Any) -> None:
        self.stamps.append(stamp)
        self.logs.append(entry.log_ns)
        self.entries.append(entry)
        self.rows.append(row)

    def common(self) -> tuple[Topic, str, NDArray[np.int64], NDArray[np.int64]]:
        stamps = np.array(self.stamps, dtype=np.int64)
        return self.topic, self.frame, stamps, np.array(self.logs, dtype=np.int64) - stamps

    def check_order(self) -> None:
        """Raise where a stamp lies before the one before it."""
        back = np.flatnonzero(np.diff(np.array(self.stamps, dtype=np.int64)) < 0)
        if back.size:
            place = int(back[0])
            by = (self.stamps[place] - self.stamps[place + 1]) / 1e9
            raise R2RGenError(
                f'message {place + 2} of {self.topic.name} is stamped {by:.6f} s before the one'
                ' before it',
                'stamps that rise',
                'check the clock of its publisher (sim time that was reset, or a driver that'
                ' restarted), or record again',
            )

    def sorted(self) -> _Rows:
        """The same rows by stamp."""
        order = np.argsort(np.array(self.stamps, dtype=np.int64), kind='stable')
        if (order == np.arange(len(order))).all():
            return self
        out = _Rows(self.topic, self.frame)
        for place in order:
            out.add(self.entries[place], self.stamps[place], self.rows[place])
        return out


def collect(reader: BagReader, streams: Streams) -> Collected:
    """Read a bag once.

    Args:
        reader: An open bag.
        streams: What its topics are.

    Returns:
        Tracks and indexes; no image and no cloud is kept.

    Raises:
        R2RGenError: Stamps run backwards, or a message is damaged.

    """
    collector = _Collector(streams)
    kinds = collector.kinds
    for entry, message in reader.indexed(list(kinds)):
        collector.add(kinds[entry.topic], entry, message)
    return collector.collected()


class _Collector:
    def __init__(self, streams: Streams) -> None:
        self.streams = streams
        self.rows: dict[Hashable, _Rows] = {}
        self.first: dict[str, Any] = {}
        self.latched: dict[str, list[tuple[int, Any]]] = {}
        self.builder = TransformBuilder()
        images = [t for other in streams.others for t in (other.depth, other.colour)]
        infos = [t for other in streams.others for t in other.infos]
        groups = {
            'image': (streams.depth, streams.colour, *images),
            'cloud': (streams.cloud,),
            'camera': (streams.camera_info, *streams.more_info, *infos),
            'joints': streams.joint_states,
            'number': streams.numbers,
            'pose': streams.poses,
            'odometry': streams.odometry,
            'transform': streams.transforms,
            'static': streams.static_transforms,
            'latched': (streams.description, *streams.latched),
        }
        self.topics = {t.name: t for group in groups.values() for t in group if t is not None}
        self.kinds = {
            t.name: kind for kind, group in groups.items() for t in group if t is not None
        }

    def add(self, kind: str, entry: Entry, message: Any) -> None:
        if kind in ('latched', 'static'):
            kept = messages.as_standard(message, self.topics[entry.topic].type)
            self.latched.setdefault(entry.topic, []).append((entry.log_ns, kept))
            if kind == 'static':
                for item in message.transforms:
                    self.builder.add(item, is_static=True)
        elif kind == 'transform':
            self._add_transforms(entry, message)
        elif kind == 'number':
            self._put((entry.topic,), entry, entry.log_ns, '', message.data)
        else:
            self._add_stamped(kind, entry, message)

    def _add_stamped(self, kind: str, entry: Entry, message: Any) -> None:
        stamp, frame = messages.stamp_ns(message.header), frame_name(message.header.frame_id)
        key: tuple[Hashable, ...] = (entry.topic,)
        row: Any = None
        if kind in ('image', 'cloud', 'camera'):
            self.first.setdefault(entry.topic, message)
        elif kind == 'joints':
            parts = (message.position, message.velocity, message.effort)
            key = (entry.topic, frame, tuple(message.name), *map(len, parts))
            row = parts
        elif kind == 'pose':
            key = (entry.topic, frame)
            row = _pose_row(message.pose)
        elif kind == 'odometry':
            key = (entry.topic, frame, frame_name(message.child_frame_id))
            ahead, turning = message.twist.twist.linear, message.twist.twist.angular
            twist = (ahead.x, ahead.y, ahead.z, turning.x, turning.y, turning.z)
            spreads = (message.pose.covariance, message.twist.covariance)
            row = (*_pose_row(message.pose.pose), *twist, *spreads[0], *spreads[1])
        self._put(key, entry, stamp, frame, row)

    def _add_transforms(self, entry: Entry, message: Any) -> None:
        if not message.transforms:
            return
        edges, offsets, row = [], [], []
        first = messages.stamp_ns(message.transforms[0].header)
        for item in message.transforms:
            self.builder.add(item, is_static=False)
            edges.append((frame_name(item.header.frame_id), frame_name(item.child_frame_id)))
            place, turn = item.transform.translation, item.transform.rotation
            offsets.append(messages.stamp_ns(item.header) - first)
            row.append((place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w))
        self._put((entry.topic, tuple(edges)), entry, first, '', (offsets, row))

    def _put(
        self, key: tuple[Hashable, ...], entry: Entry, stamp: int, frame: str, row: Any
    ) -> None:
        if key not in self.rows:
            self.rows[key] = _Rows(self.topics[entry.topic], frame)
        self.rows[key].add(entry, stamp, row)

    def collected(self) -> Collected:
        streams = self.streams
        return Collected(
            depth=self._image(streams.depth),
            colour=self._image(streams.colour),
            camera_info=self._camera(streams.camera_info),
            cloud=self._cloud(),
            more_info=tuple(
                track for t in streams.more_info if (track := self._camera(t)) is not None
            ),
            joints=tuple(_joint_track(key, rows) for key, rows in self._of('joints')),
            numbers=tuple(
                tracks.NumberTrack(*rows.common(), np.array(rows.rows, dtype=np.float64))
                for _, rows in self._of('number')
            ),
            poses=tuple(_pose_track(rows.sorted()) for _, rows in self._of('pose')),
            odometry=tuple(
                _odometry_track(key, rows.sorted()) for key, rows in self._of('odometry')
            ),
            transforms=tuple(
                _transform_track(key, rows.sorted()) for key, rows in self._of('transform')
            ),
            latched=tuple(
                tracks.LatchedTrack(
                    self.topics[name], tuple(x[0] for x in found), tuple(x[1] for x in found)
                )
                for name, found in self.latched.items()
            ),
            description=self._description(),
            buffer=self.builder.build(),
            others=tuple(self._other(topics) for topics in streams.others),
        )

    def _of(self, kind: str) -> list[tuple[Any, _Rows]]:
        found = [(key, rows) for key, rows in self.rows.items() if self._kind(key) == kind]
        # A topic's tracks keep the order of the topics, not of which message came first.
        order = list(self.kinds)
        return sorted(found, key=lambda pair: order.index(pair[1].topic.name))

    def _kind(self, key: Any) -> str:
        return self.kinds[key[0]]

    def _image(self, topic: Topic | None) -> tracks.ImageTrack | None:
        rows = self.rows.get((topic.name,)) if topic else None
        if rows is None:
            return None
        rows.check_order()
        coding = ImageCoding.of(self.first[rows.topic.name])
        return tracks.ImageTrack(*rows.common(), tuple(rows.entries), coding)

    def _cloud(self) -> tracks.CloudTrack | None:
        topic = self.streams.cloud
        rows = self.rows.get((topic.name,)) if topic else None
        if rows is None:
            return None
        rows.check_order()
        layout = CloudLayout.of(self.first[rows.topic.name])
        return tracks.CloudTrack(*rows.common(), tuple(rows.entries), layout)

    def _camera(self, topic: Topic | None) -> tracks.CameraTrack | None:
        rows = self.rows.get((topic.name,)) if topic else None
        if rows is None:
            return None
        message = messages.as_standard(self.first[rows.topic.name], messages.CAMERA_INFO)
        message.header.frame_id = rows.frame
        return tracks.CameraTrack(*rows.sorted().common(), message)

    def _other(self, topics: CameraTopics) -> CameraTracks:
        try:
            depth, colour = self._image(topics.depth), self._image(topics.colour)
            infos = tuple(t for topic in topics.infos if (t := self._camera(topic)) is not None)
        except R2RGenError as error:
            return CameraTracks(topics, trouble=error)
        return CameraTracks(topics, depth, colour, infos)

    def _description(self) -> str | None:
        topic = self.streams.description
        found = self.latched.get(topic.name) if topic else None
        return str(found[-1][1].data) if found else None


def _pose_row(pose: Any) -> tuple[float, ...]:
    place, turn = pose.position, pose.orientation
    return place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w


def _odometry_track(key: Any, rows: _Rows) -> tracks.OdometryTrack:
    values = np.array(rows.rows, dtype=np.float64).reshape(-1, 85)
    places, turns, twists, spreads, twist_spreads = np.split(values, [3, 7, 13, 49], axis=1)
    return tracks.OdometryTrack(
        *rows.common(), key[2], places, turns, spreads, twists, twist_spreads
    )


def _joint_track(key: Any, rows: _Rows) -> tracks.JointTrack:
    rows.check_order()
    arrays = [
        np.array([row[part] for row in rows.rows], dtype=np.float64).reshape(len(rows.rows), -1)
        for part in range(3)
    ]
    return tracks.JointTrack(*rows.common(), key[2], *arrays)


def _pose_track(rows: _Rows) -> tracks.PoseTrack:
    values = np.array(rows.rows, dtype=np.float64).reshape(-1, 7)
    return tracks.PoseTrack(*rows.common(), values[:, :3], values[:, 3:])


def _transform_track(key: Any, rows: _Rows) -> tracks.TransformTrack:
    offsets = np.array([row[0] for row in rows.rows], dtype=np.int64)
    values = np.array([row[1] for row in rows.rows], dtype=np.float64)
    return tracks.TransformTrack(*rows.common(), key[1], offsets, values[..., :3], values[..., 3:])
