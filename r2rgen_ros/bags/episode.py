# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write an episode as a bag with its source's topics, types, frames, rates and QoS."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros import __version__
from r2rgen_ros.bags import keys, messages, qos, templates
from r2rgen_ros.bags.beside import FurtherWriter
from r2rgen_ros.bags.chunks import NONE
from r2rgen_ros.bags.clouds import LABELLED, encode_cloud
from r2rgen_ros.bags.corrections import ArmCorrection
from r2rgen_ros.bags.images import encode_colour, encode_depth
from r2rgen_ros.bags.replay import LinkPoses, Outgoing, Replay
from r2rgen_ros.bags.series import nearest_index
from r2rgen_ros.bags.timeline import Timeline
from r2rgen_ros.bags.trajectory import TRAJECTORY
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.errors import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from rosbags.interfaces import Qos

    from r2rgen_ros.bags import tracks
    from r2rgen_ros.bags.chunks import Compression
    from r2rgen_ros.bags.reader import Topic
    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.bags.trajectory import Trajectory
    from r2rgen_ros.model.episode import Episode
    from r2rgen_ros.model.sensed import SensedFrame

DEFAULT_QOS = {
    messages.IMAGE: qos.SENSOR,
    messages.COMPRESSED_IMAGE: qos.SENSOR,
    messages.CAMERA_INFO: qos.SENSOR,
    messages.POINT_CLOUD: qos.SENSOR,
    messages.TF: qos.TF,
}
CARRIED = (keys.GRIPPER_OPEN, keys.GRIPPER_CLOSED)
"""What a reader needs to know of the source to read an episode alike."""


@dataclass(frozen=True, eq=False)
class _FrameInfo:
    """Intrinsics that come with every frame: stamps and latencies by source frame."""

    track: tracks.CameraTrack
    offset: NDArray[np.int64]
    latency: NDArray[np.int64]


class EpisodeWriter:
    """Writes episodes of one source.

    Args:
        source: The recording.
        link_poses: Kinematics of the robot, so that joints and transforms of its links agree; None
            where there is no URDF.
        compression: Of the bags.
        trajectories: What controllers would be told of an episode; None for nothing.
        overlapped: Whether images are compressed and written by a thread beside the one that makes
            frames.

    """

    def __init__(
        self,
        source: Source,
        *,
        link_poses: LinkPoses | None = None,
        compression: Compression = NONE,
        trajectories: Callable[[Episode], Sequence[Trajectory]] | None = None,
        overlapped: bool = False,
    ) -> None:
        self.source = source
        self._trajectories = trajectories
        self.left_out = source.left_out
        self._replay = Replay(source, link_poses)
        self._compression = compression
        # A bag without images is hardly more than the last chunk, for which all has to wait.
        self._overlapped = overlapped and source.depth is not None
        infos = (source.camera_info, *source.recorded.more_info)
        self._infos = [track for track in infos if track is not None]
        self._per_frame = [found for t in self._infos if (found := self._matched_info(t))]
        written = {track.topic.name for track in self._replay.poses}
        self.left_out += tuple(
            f'{track.topic.name} (its frame "{track.frame_id}" moves, or is unknown)'
            for track in source.recorded.poses
            if track.topic.name not in written
        )
        written = {track.topic.name for track in self._replay.odometry}
        self.left_out += tuple(
            f'{track.topic.name} (its frame "{track.child}" is not fixed to the base)'
            for track in source.recorded.odometry
            if track.topic.name not in written
        )

    def write(
        self,
        path: Path | str,
        episode: Episode,
        frames: Iterable[SensedFrame],
        *,
        others: Sequence[Iterable[SensedFrame]] = (),
        custom_data: Mapping[str, str] | None = None,
    ) -> None:
        """Write one bag, whole or not at all.

        Args:
            path: Folder to create.
            episode: Stamps, paths, joints.
            frames: What the camera sees, one per frame of the episode; taken one at a time.
            others: The same of each of the source's further cameras.
            custom_data: Provenance.

        Raises:
            R2RGenError: The path exists, the disk is full, or the frames do not fit the episode.

        """
        small = self._latched(episode) + self._paths_of(episode) + self._rare_info(episode)
        small += self._replay.messages(episode)
        told = () if self._trajectories is None else self._trajectories(episode)
        small += [self._told(episode, item) for item in told]
        small.sort(key=lambda item: item.log_ns)
        provenance = self._provenance(custom_data or {})
        with BagWriter(
            path,
            custom_data=provenance,
            compression=self._compression,
            overlapped=self._overlapped,
        ) as bag:
            for name, msgtype, profiles in self._topics():
                bag.add_topic(name, msgtype, profiles)
            for item in told:
                bag.add_topic(item.topic, TRAJECTORY, qos.LATCHED)
            require(
                len(others) == len(self.source.others),
                f'{len(others)} further cameras were sensed',
                f'{len(self.source.others)}',
            )
            self._write_merged(bag, episode, zip(frames, *others, strict=True), small)

    def _write_merged(
        self,
        bag: BagWriter,
        episode: Episode,
        frames: Iterable[tuple[SensedFrame, ...]],
        small: list[Outgoing],
    ) -> None:
        """Write everything in the order of log times, holding few frames at a time."""
        camera = _CameraWriter(self.source, episode, self._per_frame, self._replay)
        waiting: list[tuple[int, int, str, Any]] = []
        done = count = 0
        labelled = False
        for number, (frame, *beside) in enumerate(frames):
            require(number < len(episode), f'more than {len(episode)} frames were sensed')
            if frame.labelled is not None and not labelled:
                bag.add_topic(keys.LABELLED_POINTS, messages.POINT_CLOUD, qos.RELIABLE)
                labelled = True
            for log_ns, topic, message in camera.messages(number, frame, beside):
                heappush(waiting, (log_ns, count, topic, message))
                count += 1
            # What comes later is stamped later, and logged no earlier than stamped.
            until = int(episode.stamps[number])
            done = _flush(bag, waiting, small, done, until)
        have = camera.written
        require(have == len(episode), f'{have} frames were sensed', f'{len(episode)}')
        _flush(bag, waiting, small, done, None)

    def _topics(self) -> list[tuple[str, str, tuple[Qos, ...]]]:
        found = self.source.recorded
        camera = (self.source.depth, self.source.colour, *self._infos, self.source.cloud)
        topics = [track.topic for track in camera if track is not None]
        topics += [topic for other in self.source.others for topic in other.topics.all]
        odometry = self._replay.odometry
        for group in (found.joints, found.numbers, self._replay.poses, odometry, found.transforms):
            topics += [track.topic for track in group]
        out = {topic.name: _described(topic) for topic in topics}
        for latched in found.latched:
            out[latched.topic.name] = _described(latched.topic, is_latched=True)
        arms = self.source.arms
        for arm in arms:
            name = keys.path_topic(arm.name, len(arms))
            out[name] = (name, messages.PATH, (qos.LATCHED,))
        return list(out.values())

    def _provenance(self, custom_data: Mapping[str, str]) -> dict[str, str]:
        source = self.source
        pairs = tuple((arm.name, arm.end_effector) for arm in source.arms)
        own = {
            keys.VERSION: __version__,
            keys.BASE_FRAME: source.base_frame,
            keys.END_EFFECTOR: keys.format_end_effectors(pairs),
        }
        own |= {key: source.custom_data[key] for key in CARRIED if key in source.custom_data}
        if source.others and source.depth is not None:
            own[keys.DEPTH] = source.depth.topic.name
        return {**own, **custom_data}

    def _latched(self, episode: Episode) -> list[Outgoing]:
        # One shift for all, so that they stay before the first frame, and in order.
        line = Timeline(self.source.stamps, episode.stamps, episode.source)
        shift = int(episode.stamps[0] - line.source_ns[0])
        return [
            Outgoing(log_ns + shift, track.topic.name, raw)
            for track in self.source.recorded.latched
            for log_ns, raw in zip(
                track.log_ns, map(messages.serialize, track.messages), strict=True
            )
        ]

    def _paths_of(self, episode: Episode) -> list[Outgoing]:
        arms, base = self.source.arms, self.source.base_frame
        start, stamps = int(episode.stamps[0]), episode.stamps.tolist()
        return [
            Outgoing(
                start,
                keys.path_topic(arm.name, len(arms)),
                messages.serialize(messages.path(base, stamps, episode.ee2base[arm.name])),
            )
            for arm in arms
        ]

    def _told(self, episode: Episode, item: Trajectory) -> Outgoing:
        message = messages.serialize(item.message(self.source.base_frame))
        return Outgoing(int(episode.stamps[0]), item.topic, message)

    def _matched_info(self, info: tracks.CameraTrack) -> _FrameInfo | None:
        """Intrinsics beside each frame, where the source has them so."""
        stamps = self.source.stamps
        if len(info) < len(stamps) // 2:
            return None
        index = nearest_index(info.stamps, stamps)
        return _FrameInfo(info, info.stamps[index] - stamps, info.latency[index])

    def _rare_info(self, episode: Episode) -> list[Outgoing]:
        """Intrinsics that were published more rarely than frames."""
        line = Timeline(self.source.stamps, episode.stamps, episode.source)
        per_frame = [found.track for found in self._per_frame]
        out = []
        for info in self._infos:
            if info not in per_frame:
                placed = line.place(info)
                data = templates.header_template(info.message).fill(templates.clock(placed.stamps))
                logs = placed.logs.tolist()
                out += [Outgoing(*row) for row in zip(logs, repeat(info.topic.name), data)]
        return out


def _described(topic: Topic, *, is_latched: bool = False) -> tuple[str, str, tuple[Qos, ...]]:
    kind = messages.standard_type(topic.type)
    default = DEFAULT_QOS.get(kind, qos.RELIABLE)
    if is_latched:
        default = qos.LATCHED_TF if kind == messages.TF else qos.LATCHED
        # ROS 1 does not say of /tf_static that it is latched.
        return topic.name, kind, topic.qos if topic.is_latched else (default,)
    return topic.name, kind, topic.qos or (default,)


def _flush(
    bag: BagWriter,
    waiting: list[tuple[int, int, str, Any]],
    small: list[Outgoing],
    done: int,
    until: int | None,
) -> int:
    """Write what is due, frames and small messages by log time; return how many small ones are."""
    while True:
        next_small = small[done].log_ns if done < len(small) else None
        next_frame = waiting[0][0] if waiting else None
        due = min((log for log in (next_small, next_frame) if log is not None), default=None)
        if due is None or (until is not None and due > until):
            return done
        if next_small == due:
            bag.write(small[done].topic, due, small[done].data)
            done += 1
        else:
            _, _, topic, message = heappop(waiting)
            bag.write(topic, due, message)


class _CameraWriter:
    """Makes the camera's messages of one episode."""

    def __init__(
        self, source: Source, episode: Episode, infos: list[_FrameInfo], replay: Replay
    ) -> None:
        self.source = source
        self.written = 0
        self._stamps = episode.stamps
        self._nearest = np.clip(episode.source_frames, 0, len(source.stamps) - 1)
        self._infos = [
            (info, messages.as_standard(info.track.message, messages.CAMERA_INFO)) for info in infos
        ]
        self._base2cloud = self._cloud_poses(episode, replay)
        self._others = [FurtherWriter(x, self._stamps, self._nearest) for x in source.others]

    def _cloud_poses(self, episode: Episode, replay: Replay) -> NDArray[np.float64] | None:
        """base2cloud (M, 4, 4); a cloud frame on a moved arm moves with it."""
        source = self.source
        if source.cloud is None or source.cloud2base is None:
            return None
        poses = se3.interpolate(source.cloud2base, episode.source)
        path = source.buffer.path(source.base_frame, source.cloud.frame_id)
        edges = {(edge.parent, edge.child) for edge in path if not edge.is_static}
        for arm in source.arms:
            mover = replay.movers.get(arm.name)
            if mover is not None and edges.intersection(mover.path):
                moved, change = ArmCorrection(source, arm, episode).at(
                    np.arange(float(len(episode)))
                )
                poses[moved] = change @ poses[moved]
                break
        return se3.inverse(poses)

    def messages(
        self, number: int, frame: SensedFrame, beside: Sequence[SensedFrame]
    ) -> list[tuple[int, str, Any]]:
        """Log time, topic and message of all that one frame of every camera holds."""
        self.written = number + 1
        nearest = int(self._nearest[number])
        out = []
        if self.source.depth is not None:
            out += self._images(number, nearest, frame)
        if self.source.cloud is not None:
            message = self._cloud(number, frame)
            if message is not None:
                out.append(self._stamped(self.source.cloud, number, nearest, message))
        for info, blank in self._infos:
            stamp = int(self._stamps[number] + info.offset[nearest])
            blank.header = messages.header(stamp, blank.header.frame_id)
            raw = messages.serialize(blank)
            out.append((stamp + int(info.latency[nearest]), info.track.topic.name, raw))
        if frame.labelled is not None and frame.labels is not None:
            stamp = int(self._stamps[number])
            labelled = encode_cloud(
                frame.labelled, LABELLED, self.source.base_frame, stamp,
                extra={'label': frame.labels},
            )  # fmt: skip
            out.append((stamp, keys.LABELLED_POINTS, labelled))
        for writer, seen in zip(self._others, beside, strict=True):
            out += writer.messages(number, seen)
        return out

    def _images(self, number: int, nearest: int, frame: SensedFrame) -> list[tuple[int, str, Any]]:
        depth, colour = self.source.depth, self.source.colour
        assert depth is not None
        require(frame.depth is not None, 'a frame was sensed without depth', 'as its source')
        message = encode_depth(frame.depth, depth.coding, depth.frame_id, 0)  # type: ignore[arg-type]
        out = [self._stamped(depth, number, nearest, message)]
        if colour is not None:
            require(frame.colour is not None, 'a frame was sensed without colour', 'as its source')
            message = encode_colour(frame.colour, colour.coding, colour.frame_id, 0)  # type: ignore[arg-type]
            out.append(self._stamped(colour, number, nearest, message))
        return out

    def _stamped(
        self, track: tracks.Track, number: int, nearest: int, message: Any
    ) -> tuple[int, str, Any]:
        """A message with its stamp, and the log time it would have had in the source."""
        own = int(track.stamps[nearest] - self.source.stamps[nearest])
        stamp = int(self._stamps[number]) + own
        message.header.stamp = messages.time(stamp)
        return stamp + int(track.latency[nearest]), track.topic.name, message

    def _cloud(self, number: int, frame: SensedFrame) -> Any:
        track = self.source.cloud
        assert track is not None
        if frame.cloud is not None:
            cloud = frame.cloud
            if self._base2cloud is not None:
                cloud = cloud.transformed(self._base2cloud[number])
            return encode_cloud(cloud, track.layout, track.frame_id, 0, mask=frame.mask)
        return self._cloud_of_depth(frame, track)

    def _cloud_of_depth(self, frame: SensedFrame, track: tracks.CloudTrack) -> Any:
        """The cloud that a camera driver makes of its depth image, in the same frame."""
        camera, depth = self.source.camera, frame.depth
        if camera is None or depth is None or track.frame_id != self.source.camera_frame:
            return None
        mask = np.isfinite(depth)
        points = camera.unproject(depth)[mask]
        cloud = Cloud.from_arrays(points, None if frame.colour is None else frame.colour[mask])
        organised = (track.layout.height, track.layout.width) == depth.shape
        return encode_cloud(
            cloud, track.layout, track.frame_id, 0, mask=mask if organised else None
        )
