# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Brings the streams of a recording onto the frames of its camera."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import keys, tracks
from r2rgen_ros.bags.drive import find_drive, require_standing_camera, unseen_drive
from r2rgen_ros.bags.frames import CALIBRATE, find_base, find_hands
from r2rgen_ros.bags.mount import base_paths, find_mount
from r2rgen_ros.bags.recording import Source
from r2rgen_ros.bags.series import fractional_index, interpolate_rows, nearest_index
from r2rgen_ros.bags.streams import COMMAND, GRIPPER
from r2rgen_ros.bags.transforms import TOLERANCE_NS
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.demo import Arm, Joints, require_standing
from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from r2rgen_ros.bags.collect import Collected
    from r2rgen_ros.bags.reader import BagReader
    from r2rgen_ros.bags.streams import Streams, StreamSelection

    Stamps = NDArray[np.int64]
    Poses = NDArray[np.float64]

REVERSED_GRIPPERS = ('knuckle', 'robotiq')
"""Joints that turn one way to close the gripper: a larger reading is more closed."""


_CLASH = 0.02  # rad or m

STAMP = 'set header.stamp in its publisher, and record again'
"""What to do where stamps say nothing."""


def measured_joints(recorded: Collected) -> list[tracks.JointTrack]:
    """The joint tracks that tell where the robot was, rather than where it was told to go."""
    return [
        track
        for track in recorded.joints
        if track.positions.shape[1] == len(track.names) > 0
        and len(track) >= 2
        and not COMMAND.search(track.topic.name)
    ]


class Matcher:
    """Brings everything onto the camera's frames."""

    def __init__(
        self, reader: BagReader, streams: Streams, recorded: Collected, wanted: StreamSelection
    ) -> None:
        self.path = reader.path
        self.custom = reader.custom_data
        self.streams = streams
        self.recorded = recorded
        self.wanted = wanted
        self.buffer = recorded.buffer
        self.warnings = [*reader.notes, *streams.notes, *self.buffer.notes]

    def source(self) -> Source:
        """The recording on the time base of its camera."""
        found = self.recorded
        depth, cloud = found.depth, found.cloud
        colour = found.colour if depth is not None else None
        main = depth or cloud
        assert main is not None
        require(
            len(main) >= 2,
            f'{main.topic.name} holds {len(main)} frame',
            'at least 2 frames of a demonstration',
            'record the camera for as long as the robot moves',
        )
        hands, base = self._frames(main)
        ends = [frame for _, frame in hands]
        drive = find_drive(self.buffer, base, ends, found.description, main.stamps)
        if drive is not None:
            base = drive.edge[0]
        keep, matched = self._matched(main, (colour, cloud if depth else None))
        keep = self._covered(main, keep, base, hands)
        stamps = main.stamps[keep]
        camera, frame, camera2base = self._camera(depth, base, stamps)
        joints = self._joints(stamps)
        if len(hands) > 1:
            self._require_own_joints(stamps)
        riders = [frame for _, frame in hands] + [t.frame_id for t in (depth, cloud) if t]
        mount = None
        if drive is None:
            mount = find_mount(self.buffer, base, riders, self.warnings)
            paths = base_paths(self.buffer, base, mount, found.odometry, stamps)
            if mount is None:
                way = unseen_drive(self.buffer, base, ends, found.odometry, stamps)
                require_standing(self.path.stem, () if way is None else (way,))
        else:
            if depth is None:
                require_standing_camera(self.buffer, drive, main.frame_id, stamps)
            drive = drive.at(self.buffer, stamps)
            paths = (drive.path,)
        return Source(
            path=self.path,
            stamps=stamps,
            base_frame=base,
            arms=self._arms(hands, base, stamps),
            depth=_picked(depth, keep),
            colour=_picked(colour, matched[0][keep]) if colour is not None else None,
            camera_info=found.camera_info,
            cloud=self._own_cloud(keep, matched[1]),
            camera=camera,
            camera_frame=frame,
            camera2base=camera2base,
            cloud2base=self._cloud2base(base, stamps),
            joints=joints,
            recorded=found,
            custom_data=self.custom,
            left_out=tuple(f'{t.name} ({t.type})' for t in self.streams.left_out),
            warnings=tuple(self.warnings),
            mount=mount,
            base_paths=paths,
            drive=drive,
        )

    def _frames(self, main: tracks.Track) -> tuple[tuple[tuple[str, str], ...], str]:
        hands, note = find_hands(self.buffer, self.wanted, self.custom)
        if note:
            self.warnings.append(note)
        frames = [frame for _, frame in hands]
        base = find_base(self.buffer, self.wanted, self.custom, frames, camera=main.frame_id)
        if not hands:
            raise self._no_robot()
        if base is None:
            raise R2RGenError(
                f'the end effectors {frames} hang in trees of their own',
                'one tree',
                'publish the transform between the arms to /tf_static',
            )
        for _, frame in hands:
            self.buffer.path(base, frame)
        return hands, base

    def _no_robot(self) -> R2RGenError:
        if not self.recorded.joints:
            return R2RGenError(
                f'{self.path} holds neither joint states nor transforms of an end effector',
                '/tf and /tf_static with a path from the base to the end effector, and'
                ' /joint_states',
                'record "/joint_states /tf /tf_static /robot_description" as well',
            )
        return R2RGenError(
            f'{self.path} holds joint states but no moving transform of an end effector',
            '/tf and /tf_static with a path from the base to the end effector',
            'run robot_state_publisher and record "/tf /tf_static /robot_description" as well',
        )

    def _matched(
        self, main: tracks.Track, others: Iterable[tracks.Track | None]
    ) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """Frames that have a partner in every other camera topic, and which it is."""
        limit = max(main.period_ns, 1.0) / 2.0
        keep = np.diff(main.stamps, prepend=main.stamps[0] - 1) > 0
        _require_stamped(f'{main.topic.name} is', main.stamps)
        require(
            int(keep.sum()) >= 2,
            f'all messages of {main.topic.name} have the same stamp',
            'stamps that rise',
            STAMP,
        )
        if not keep.all():
            self.warnings.append(
                f'{int((~keep).sum())} of {len(keep)} frames were left out: they repeat a stamp'
            )
        nearest = []
        for other in others:
            if other is None:
                nearest.append(np.zeros(0, dtype=np.int64))
                continue
            _require_stamped(f'{other.topic.name} is', other.stamps)
            index = nearest_index(other.stamps, main.stamps)
            near = np.abs(other.stamps[index] - main.stamps) <= limit
            nearest.append(index)
            keep &= near
            self._say_unmatched(main, other, near)
        return np.flatnonzero(keep), nearest

    def _say_unmatched(
        self, main: tracks.Track, other: tracks.Track, near: NDArray[np.bool_]
    ) -> None:
        missing = int((~near).sum())
        require(
            int(near.sum()) >= 2,
            f'{main.topic.name} and {other.topic.name} have no stamps in common: they are'
            f' {_apart(main.stamps, other.stamps):.3f} s apart',
            'stamps within half a frame of each other',
            'check that both come from one camera driver and one clock',
        )
        if missing:
            self.warnings.append(
                f'{missing} of {len(near)} frames were left out: {other.topic.name} has no image'
                ' within half a frame'
            )

    def _covered(
        self,
        main: tracks.Track,
        keep: NDArray[np.int64],
        base: str,
        hands: tuple[tuple[str, str], ...],
    ) -> NDArray[np.int64]:
        """Leave out frames at the ends for which the robot's pose was not recorded."""
        spans: list[tuple[str, int, int]] = []
        for _, frame in hands:
            span = self.buffer.time_range(base, frame)
            if span is not None:
                spans.append((f'the transforms of "{frame}"', *span))
        if main.frame_id != base and self.buffer.connected(base, main.frame_id):
            span = self.buffer.time_range(base, main.frame_id)
            if span is not None:
                spans.append((f'the transforms of "{main.frame_id}"', *span))
        for track in measured_joints(self.recorded):
            what = f'the joint states of {track.topic.name}'
            spans.append((what, int(track.stamps[0]), int(track.stamps[-1])))
        stamps = main.stamps
        for what, first, last in spans:
            _require_stamped(f'{what} are', np.array([first, last]))
            inside = (stamps >= first - TOLERANCE_NS) & (stamps <= last + TOLERANCE_NS)
            fit = keep[inside[keep]]
            if len(fit) < 2:
                apart = _apart(stamps, np.array([first, last]))
                raise R2RGenError(
                    f'{main.topic.name} and {what} are not synchronised: of {len(keep)} frames'
                    f' {len(fit)} lie in the time that both were recorded; they are {apart:.3f} s'
                    ' apart',
                    'one clock for the camera and the robot, and both recorded together',
                    'synchronise the clocks (chrony, PTP), or let the camera driver stamp with'
                    ' system time',
                )
            if len(fit) < len(keep):
                self.warnings.append(
                    f'{len(keep) - len(fit)} of {len(stamps)} frames were left out: {what} do not'
                    ' reach them'
                )
                keep = fit
        return keep

    def _camera(
        self, depth: tracks.ImageTrack | None, base: str, stamps: Stamps
    ) -> tuple[PinholeCamera | None, str | None, Poses | None]:
        info = self.recorded.camera_info
        if info is None:
            return None, None, None
        camera = camera_of(info.message, self.warnings)
        frame = (depth or info).frame_id
        if depth is None and not self.buffer.connected(base, frame):
            self.warnings.append(f'the camera is left out: no transform leads to "{frame}"')
            return None, None, None
        if frame == base:
            return camera, frame, np.tile(np.eye(4), (len(stamps), 1, 1))
        return camera, frame, self._poses(base, frame, stamps)

    def _own_cloud(
        self, keep: NDArray[np.int64], matched: NDArray[np.int64]
    ) -> tracks.CloudTrack | None:
        cloud = self.recorded.cloud
        if cloud is None:
            return None
        index = matched[keep] if self.recorded.depth is not None else keep
        picked: tracks.CloudTrack = _picked(cloud, index)
        return picked

    def _cloud2base(self, base: str, stamps: Stamps) -> Poses | None:
        cloud = self.recorded.cloud
        if cloud is None or cloud.frame_id == base:
            return None
        return self._poses(base, cloud.frame_id, stamps)

    def _poses(self, base: str, frame: str, stamps: Stamps) -> Poses:
        """Poses (T, 4, 4) of a frame of the camera in the base frame."""
        require(
            self.buffer.connected(base, frame),
            f'no transform leads from "{base}" to the camera\'s frame "{frame}"',
            'the hand-eye calibration',
            CALIBRATE,
        )
        return self.buffer.lookup(base, frame, stamps)

    def _joints(self, stamps: Stamps) -> Joints | None:
        names: list[str] = []
        columns: list[NDArray[np.float64]] = []
        for track in measured_joints(self.recorded):
            at = fractional_index(track.stamps, stamps)
            values = interpolate_rows(track.positions, at)
            for column, name in enumerate(track.names):
                if name not in names:
                    names.append(name)
                    columns.append(values[:, column])
        if not names:
            self.warnings.append('there are no joint states: nothing can be said of joint limits')
            return None
        return Joints(tuple(names), np.stack(columns, axis=1))

    def _require_own_joints(self, stamps: Stamps) -> None:
        """Raise where two topics tell of one joint differently: each arm has its own names."""
        known: dict[str, tuple[str, NDArray[np.float64]]] = {}
        for track in measured_joints(self.recorded):
            values = interpolate_rows(track.positions, fractional_index(track.stamps, stamps))
            for name, column in zip(track.names, values.T, strict=True):
                topic, other = known.setdefault(name, (track.topic.name, column))
                require(
                    float(np.median(np.abs(column - other))) <= _CLASH,
                    f'{topic} and {track.topic.name} tell of the joint "{name}" differently',
                    'names of their own for the joints of each arm',
                    'give each driver a prefix (arm_prefix, tf_prefix), or choose one topic with'
                    ' --topic joint_states=TOPIC',
                )

    def _arms(
        self, hands: tuple[tuple[str, str], ...], base: str, stamps: Stamps
    ) -> tuple[Arm, ...]:
        arms = []
        for name, frame in hands:
            values, low = self._gripper(name, len(hands), stamps)
            path = self.buffer.lookup(base, frame, stamps)
            effort = self._effort(name, len(hands), stamps)
            arms.append(Arm(name, frame, path, values, low, effort))
        return tuple(arms)

    def _gripper(self, arm: str, arms: int, stamps: Stamps) -> tuple[NDArray[np.float64], bool]:
        for topic in self.streams.grippers:
            if arms > 1 and arm not in topic.name:
                continue
            for number in self.recorded.numbers:
                if number.topic == topic:
                    return _held(number, stamps), self._closed_is_low(topic.name)
            for track in self.recorded.joints:
                if track.topic == topic and track.positions.shape[1]:
                    names = [n for n in track.names if GRIPPER.search(n)] or list(track.names)
                    return _mean(track, track.positions, names, stamps), self._closed_is_low(*names)
        for track in measured_joints(self.recorded):
            names = [n for n in track.names if GRIPPER.search(n) and (arms == 1 or arm in n)]
            if names:
                return _mean(track, track.positions, names, stamps), self._closed_is_low(*names)
        self.warnings.append(f'no gripper was found for arm "{arm}"')
        return np.full(len(stamps), np.nan), True

    def _effort(self, arm: str, arms: int, stamps: Stamps) -> NDArray[np.float64] | None:
        """Effort (T,) of an arm's gripper; None where none is recorded, or it never changes.

        Most drivers fill the field with zeros or NaN.
        """
        chosen = [topic.name for topic in self.streams.grippers]
        own = [t for t in self.recorded.joints if t.topic.name in chosen]
        for track in (*own, *(t for t in self.recorded.joints if t not in own)):
            if track.efforts.shape[1] != len(track.names) or COMMAND.search(track.topic.name):
                continue
            names = [n for n in track.names if GRIPPER.search(n)]
            names = names or (list(track.names) if track in own else [])
            names = [n for n in names if arms == 1 or arm in n or arm in track.topic.name]
            values = track.efforts[:, [track.names.index(name) for name in names]]
            if names and np.isfinite(values).all() and np.ptp(values, axis=0).any():
                return _mean(track, track.efforts, names, stamps)
        return None

    def _closed_is_low(self, *names: str) -> bool:
        try:
            opened = float(self.custom[keys.GRIPPER_OPEN])
            return opened > float(self.custom[keys.GRIPPER_CLOSED])
        except (KeyError, ValueError):
            return not any(word in name for name in names for word in REVERSED_GRIPPERS)


def camera_of(message: Any, warnings: list[str] | None = None) -> PinholeCamera:
    """Intrinsics of a sensor_msgs/CameraInfo of ROS 1 or ROS 2.

    Args:
        message: The message.
        warnings: Takes a note where the image is not rectified.

    Raises:
        R2RGenError: The matrix K is empty.

    """
    k = np.asarray(getattr(message, 'k', None) if hasattr(message, 'k') else message.K)
    d = np.asarray(getattr(message, 'd', None) if hasattr(message, 'd') else message.D)
    if warnings is not None and d.size and np.abs(d).max() > 0.0:
        warnings.append(
            'camera_info states a lens distortion: images are taken as rectified, without it'
        )
    try:
        return PinholeCamera(
            int(message.width), int(message.height), float(k[0]), float(k[4]), float(k[2]),
            float(k[5]),
        )  # fmt: skip
    except ValueError as err:
        raise R2RGenError(
            f'camera_info is not calibrated ({err})', 'a matrix K', 'calibrate the camera'
        ) from err


def _picked(track: Any, index: NDArray[np.int64]) -> Any:
    if track is None:
        return None
    return replace(
        track,
        stamps=track.stamps[index],
        latency=track.latency[index],
        entries=tuple(track.entries[place] for place in index),
    )


def _require_stamped(what: str, stamps: Stamps) -> None:
    require(bool(stamps.any()), f'{what} stamped zero throughout', 'stamps that rise', STAMP)


def _apart(first: Stamps, second: Stamps) -> float:
    """Seconds between two spans of time; 0 where they overlap."""
    gap = max(int(first[0]) - int(second[-1]), int(second[0]) - int(first[-1]), 0)
    return gap / 1e9


def _held(track: tracks.NumberTrack, stamps: Stamps) -> NDArray[np.float64]:
    """The last value before each instant; the first one before all of them."""
    index = np.clip(np.searchsorted(track.stamps, stamps, side='right') - 1, 0, len(track) - 1)
    return track.values[index]


def _mean(
    track: tracks.JointTrack, rows: NDArray[np.float64], names: list[str], stamps: Stamps
) -> NDArray[np.float64]:
    """Mean over some joints of a track's rows (N, J), positions or efforts, at some instants."""
    columns = [track.names.index(name) for name in names]
    values = interpolate_rows(rows[:, columns], fractional_index(track.stamps, stamps))
    return np.asarray(values.mean(axis=1))
