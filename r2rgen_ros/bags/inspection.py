# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a bag holds, what a demonstration would still need, and how to mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.camera_topics import camera_name
from r2rgen_ros.bags.frames import CALIBRATE, find_base, find_hands
from r2rgen_ros.bags.load import BagFrames
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.source import Source, bag_path, read_source
from r2rgen_ros.bags.streams import (
    GRIPPER,
    TF_TYPES,
    Streams,
    StreamSelection,
    find_streams,
)
from r2rgen_ros.bags.survey import Survey, survey_of
from r2rgen_ros.bags.transforms import TransformBuffer, TransformBuilder, frame_name
from r2rgen_ros.model.demo import require_standing
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from r2rgen_ros.bags.reader import Topic

_TOPICS = 'depth', 'colour', 'camera_info', 'cloud', 'joint_states'


@dataclass(frozen=True)
class Lack:
    """Something that a demonstration would need and the bag does not have.

    Attributes:
        what: What is missing.
        why: What it is needed for.
        fix: How to get it.
        is_needed: Whether nothing works without it; otherwise it is merely useful.

    """

    what: str
    why: str
    fix: str
    is_needed: bool = True


@dataclass(frozen=True)
class TopicReport:
    """One topic.

    Attributes:
        name: Full name.
        type: Message type, or types.
        count: Number of messages.
        rate_hz: Messages a second, by their stamps; NaN for fewer than two.
        role: What it would be used for; empty where it would not.
        details: What is in it.
        problems: What is odd about it, each with its remedy.

    """

    name: str
    type: str
    count: int
    rate_hz: float
    role: str
    details: Mapping[str, Any]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class CameraReport:
    """One of several depth cameras.

    Attributes:
        name: What to call it.
        is_main: Whether a demonstration is made of its images.
        topics: Names of its topics, depth first.
        trouble: Why episodes cannot hold its images; empty where they can.

    """

    name: str
    is_main: bool
    topics: tuple[str, ...]
    trouble: str = ''


@dataclass(frozen=True)
class Inspection:
    """What a bag holds and lacks.

    Attributes:
        path: The bag.
        format: Kind of bag.
        duration_s: From the first to the last message.
        topics: What each topic holds.
        lacks: What a demonstration would still need.
        frames: The tree of frames: pairs, depth of the longest chain, roots.
        base_frame: Frame that everything would be expressed in; None where unknown.
        end_effectors: Frames of the end effectors.
        obstacle: Why the bag does not load as a demonstration; empty where it does.
        notes: What else a person should know.
        custom_data: What the writer said of it.
        cameras: The depth cameras, the main one first, where there are several.

    """

    path: Path
    format: str
    duration_s: float
    topics: tuple[TopicReport, ...]
    lacks: tuple[Lack, ...]
    frames: Mapping[str, Any]
    base_frame: str | None
    end_effectors: tuple[str, ...]
    obstacle: str
    notes: tuple[str, ...]
    custom_data: Mapping[str, str] = field(default_factory=dict)
    cameras: tuple[CameraReport, ...] = ()

    @property
    def is_demonstration(self) -> bool:
        """Whether the bag loads as a demonstration."""
        return not self.obstacle

    def topic(self, name: str) -> TopicReport:
        """Return the report of one topic.

        Raises:
            R2RGenError: There is no such topic.

        """
        for report in self.topics:
            if report.name == name:
                return report
        names = [report.name for report in self.topics]
        raise R2RGenError(f'{self.path} has no topic {name}', f'one of {names}')

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values, NaN as None."""
        return dict(_plain({**asdict(self), 'is_demonstration': self.is_demonstration}))


def inspect_bag(path: Path | str, wanted: StreamSelection | None = None) -> Inspection:
    """Say what a bag holds and lacks.

    Args:
        path: A bag, or a folder that holds one.
        wanted: Topics and frames that a person chose.

    Raises:
        R2RGenError: The path is no bag, or the bag is damaged or empty.

    """
    wanted = wanted or StreamSelection()
    place = bag_path(path)
    with BagReader(place) as reader:
        surveys, buffer = _read(reader)
        streams, confusion = _streams(reader, wanted)
        base, hands, guess = _frames(buffer, wanted, reader.custom_data)
        # Where a choice is to be made first, what the topics lack cannot be known.
        lacks = (
            _motion_lacks(buffer) if confusion else _lacks(reader, streams, surveys, buffer, base)
        )
        source, obstacle = _loaded(place, wanted, surveys)
        return Inspection(
            path=place,
            format=_format(reader),
            duration_s=(reader.end_ns - reader.start_ns) / 1e9,
            topics=tuple(_report(topic, streams, surveys) for topic in reader.topics),
            lacks=tuple(lacks),
            frames=_tree(buffer),
            base_frame=base,
            end_effectors=hands,
            obstacle=obstacle or confusion,
            notes=(*reader.notes, *streams.notes, *buffer.notes, *guess),
            custom_data=reader.custom_data,
            cameras=_cameras(streams, source),
        )


def _read(reader: BagReader) -> tuple[dict[str, Survey], TransformBuffer]:
    surveys = {topic.name: survey_of(topic) for topic in reader.topics}
    builder = TransformBuilder()
    static = {t.name for t in reader.topics if t.is_latched or t.name.endswith('tf_static')}
    known = [t.name for t in reader.topics if set(t.types) & _readable()]
    for entry, message in reader.indexed(known):
        surveys[entry.topic].add(entry.log_ns, message)
        for item in getattr(message, 'transforms', ()):
            builder.add(item, is_static=entry.topic in static)
    return surveys, builder.build()


def _readable() -> set[str]:
    return {
        *TF_TYPES,
        messages.IMAGE,
        messages.COMPRESSED_IMAGE,
        messages.CAMERA_INFO,
        messages.POINT_CLOUD,
        messages.JOINT_STATE,
        messages.POSE_STAMPED,
        messages.FLOAT32,
        messages.FLOAT64,
        messages.STRING,
    }


def _streams(reader: BagReader, wanted: StreamSelection) -> tuple[Streams, str]:
    try:
        return find_streams(reader, wanted), ''
    except R2RGenError as err:
        confusion = str(err)
    # Names that the bag does not have say nothing of what the topics that it has are.
    there = {topic.name for topic in reader.topics}
    known: dict[str, Any] = {k: None for k in _TOPICS if getattr(wanted, k) not in there}
    known['gripper'] = tuple(name for name in wanted.gripper if name in there)
    try:
        return find_streams(reader, replace(wanted, **known)), confusion
    except R2RGenError:
        return Streams(), confusion


def _frames(
    buffer: TransformBuffer, wanted: StreamSelection, custom_data: Mapping[str, str]
) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    try:
        hands, note = find_hands(buffer, wanted, custom_data)
        base = find_base(buffer, wanted, custom_data, [frame for _, frame in hands])
    except R2RGenError as err:
        return None, (), (str(err),)
    return base, tuple(frame for _, frame in hands), (note,) if note else ()


def _loaded(
    path: Path, wanted: StreamSelection, surveys: Mapping[str, Survey]
) -> tuple[Source | None, str]:
    """The recording, as far as it can be read, and what is in the way of a demonstration."""
    source = None
    try:
        source = read_source(path, wanted)
        if source.drive is None:
            require_standing(path.stem, source.base_paths)
        frames = BagFrames(source)
        for frame in _useless_frames(source, surveys):
            frames[frame]  # says what is wrong with it
    except R2RGenError as err:
        return source, str(err)
    return source, ''


def _cameras(streams: Streams, source: Source | None) -> tuple[CameraReport, ...]:
    """Every depth camera, where there are several."""
    if not streams.others or streams.depth is None:
        return ()
    notes = () if source is None else source.left_out
    main = (streams.depth, streams.colour, streams.camera_info, *streams.more_info)
    names = tuple(topic.name for topic in main if topic is not None)
    out = [CameraReport(camera_name(streams.depth), True, names)]
    for other in streams.others:
        begin = f'{other.depth.name} ('
        trouble = next((x[len(begin) : -1] for x in notes if x.startswith(begin)), '')
        out.append(CameraReport(other.name, False, tuple(t.name for t in other.all), trouble))
    return tuple(out)


def _useless_frames(source: Source, surveys: Mapping[str, Survey]) -> Iterator[int]:
    """The frames that cannot be read; those left out of the demonstration do not count."""
    for track in (source.depth, source.colour) if source.depth is not None else (source.cloud,):
        if track is not None:
            survey = surveys[track.topic.name]
            logs = np.array(survey.logs, dtype=np.int64)[survey.useless]
            yield from map(int, np.flatnonzero(np.isin(track.stamps + track.latency, logs)))


def _format(reader: BagReader) -> str:
    if reader.is_ros1:
        return 'ROS 1 bag'
    made = f', written by {reader.distro}' if reader.distro else ''
    return f'rosbag2{made}'


def _tree(buffer: TransformBuffer) -> dict[str, Any]:
    depths = {frame: len(buffer.chain(frame)) - 1 for frame in buffer.frames}
    deepest = max(depths, key=lambda frame: depths[frame], default=None)
    return {
        'pairs': len(buffer.edges),
        'moving_pairs': sum(not edge.is_static for edge in buffer.edges),
        'frames': len(buffer.frames),
        'roots': list(buffer.roots),
        'longest_chain': [] if deepest is None else list(buffer.chain(deepest))[::-1],
        'depth': depths[deepest] if deepest is not None else 0,
    }


def _report(topic: Topic, streams: Streams, surveys: Mapping[str, Survey]) -> TopicReport:
    survey = surveys[topic.name]
    problems = list(survey.problems())
    if len(topic.types) > 1:
        problems.append(f'{len(topic.types)} types are mixed on it: {", ".join(topic.types)}')
    return TopicReport(
        topic.name,
        ', '.join(topic.types),
        topic.count,
        survey.rate_hz,
        _role(topic, streams),
        survey.details(),
        tuple(problems),
    )


def _role(topic: Topic, streams: Streams) -> str:
    roles = {
        'depth': (streams.depth,),
        'colour': (streams.colour,),
        'camera_info': (streams.camera_info, *streams.more_info),
        'cloud': (streams.cloud,),
        'further depth': [other.depth for other in streams.others],
        'further colour': [other.colour for other in streams.others],
        'further camera_info': [topic for other in streams.others for topic in other.infos],
        'gripper': streams.grippers,
        'joints': streams.joint_states,
        'pose': streams.poses,
        'odometry': streams.odometry,
        'number': streams.numbers,
        'transforms': streams.transforms,
        'static transforms': streams.static_transforms,
        'robot description': (streams.description,),
        'copied': streams.latched,
    }
    return next((role for role, group in roles.items() if topic in group), '')


def _lacks(
    reader: BagReader,
    streams: Streams,
    surveys: Mapping[str, Survey],
    buffer: TransformBuffer,
    base: str | None,
) -> list[Lack]:
    return [
        *_camera_lacks(streams, surveys),
        *_motion_lacks(buffer),
        *_robot_lacks(reader, streams, surveys),
        *_calibration_lacks(streams, surveys, buffer, base),
    ]


def _camera_lacks(streams: Streams, surveys: Mapping[str, Survey]) -> list[Lack]:
    out = []
    main = streams.depth or streams.cloud
    if main is None:
        out.append(
            Lack(
                'a depth camera',
                'new scenes are made of what it saw',
                "record the camera driver's aligned depth, colour and camera_info topics, or its"
                ' points',
            )
        )
    elif surveys[main.name].count < 2:
        out.append(
            Lack(
                f'motion: {main.name} holds 1 message',
                'a demonstration is at least two frames',
                'record the camera for as long as the robot moves',
            )
        )
    if streams.depth is not None and streams.camera_info is None:
        out.append(
            Lack(
                'camera_info',
                'depth becomes points through the intrinsics',
                "record the camera driver's camera_info topic",
            )
        )
    if streams.depth is not None and streams.colour is None:
        out.append(
            Lack(
                'colour of the size of the depth',
                'clouds and pictures stay grey without it',
                'record the colour topic that the depth is aligned to',
                is_needed=False,
            )
        )
    return out


def _motion_lacks(buffer: TransformBuffer) -> list[Lack]:
    if any(not edge.is_static for edge in buffer.edges):
        return []
    return [
        Lack(
            'moving transforms (/tf)',
            'they tell where the end effector was',
            'run robot_state_publisher and record "/tf /tf_static"',
        )
    ]


def _robot_lacks(reader: BagReader, streams: Streams, surveys: Mapping[str, Survey]) -> list[Lack]:
    out = []
    if not streams.joint_states:
        out.append(
            Lack(
                'joint states',
                'joint limits and joint positions of new demonstrations',
                'record "/joint_states"',
                is_needed=False,
            )
        )
    names = [name for t in streams.joint_states for name in surveys[t.name].joint_names]
    if not streams.grippers and not any(GRIPPER.search(name) for name in names):
        out.append(
            Lack(
                'a gripper',
                'skills are proposed from when it closes and opens',
                'record its joint states, or its width as a std_msgs/Float64 with "gripper" in the'
                ' name',
                is_needed=False,
            )
        )
    if streams.description is None and not reader.custom_data:
        out.append(
            Lack(
                'the robot description',
                'inverse kinematics, joint limits and collisions',
                'record "/robot_description" (latched by robot_state_publisher)',
                is_needed=False,
            )
        )
    return out


def _calibration_lacks(
    streams: Streams, surveys: Mapping[str, Survey], buffer: TransformBuffer, base: str | None
) -> list[Lack]:
    main = streams.depth or streams.cloud
    if main is None or base is None:
        return []
    frame = frame_name(surveys[main.name].frame)
    if frame == base or buffer.connected(base, frame):
        return []
    return [
        Lack(
            f'a transform from "{base}" to the camera\'s frame "{frame}"',
            'what the camera saw is placed in the base frame by it',
            CALIBRATE,
        )
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value if isinstance(value, str | int | bool | None) else str(value)
