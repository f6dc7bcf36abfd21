# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topic is what: chosen by name, or found by type, content and habit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from r2rgen_ros.bags import keys, messages
from r2rgen_ros.bags.camera_topics import (
    CameraTopics,
    camera_name,
    device_of,
    is_akin,
    kinship,
)
from r2rgen_ros.bags.images import CHANNELS, MILLIMETRES, ImageCoding, compressed_size
from r2rgen_ros.bags.trajectory import MULTI_DOF, TRAJECTORY
from r2rgen_ros.bags.transforms import frame_name
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from r2rgen_ros.bags.reader import BagReader, Topic

IMAGES = (messages.IMAGE, messages.COMPRESSED_IMAGE)
NUMBERS = (messages.FLOAT32, messages.FLOAT64)
TF_TYPES = (messages.TF, 'tf/msg/tfMessage')
GRIPPER = re.compile(r'gripper|finger|knuckle|robotiq|(^|[/_])hand([/_]|$)', re.IGNORECASE)
COMMAND = re.compile(r'command|cmd|target|desired|goal|leader|action|reference', re.IGNORECASE)
NOT_COLOUR = re.compile(r'infra|(^|[/_])ir([/_\d]|$)|mask|depth/', re.IGNORECASE)


MOTIONS = (TRAJECTORY, MULTI_DOF, messages.PATH)
"""What is latched but tells of one motion, which is another one in an episode."""


@dataclass(frozen=True)
class StreamSelection:
    """Topics and frames that a person chose; what is None or empty is found.

    Attributes:
        depth: Topic of depth images.
        colour: Topic of colour images.
        camera_info: Topic of the camera's intrinsics.
        cloud: Topic of point clouds.
        joint_states: Topic of the robot's joints.
        gripper: Topics of grippers, one per arm: JointState, Float32 or Float64.
        base_frame: Frame that everything is expressed in.
        end_effectors: Pairs of arm name and frame.

    """

    depth: str | None = None
    colour: str | None = None
    camera_info: str | None = None
    cloud: str | None = None
    joint_states: str | None = None
    gripper: tuple[str, ...] = ()
    base_frame: str | None = None
    end_effectors: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Streams:
    """Topics by what they are.

    Attributes:
        depth: Depth images.
        colour: Colour images of the size of the depth.
        camera_info: Intrinsics of the depth (or cloud) camera.
        cloud: Point clouds.
        more_info: Further intrinsics of the same camera, as of its colour images.
        joint_states: JointState topics, the robot's own first.
        grippers: Topics that tell a gripper's opening.
        poses: PoseStamped topics.
        odometry: Odometry topics.
        numbers: Float32 and Float64 topics.
        transforms: Topics of moving transforms.
        static_transforms: Topics of fixed transforms.
        description: Topic of the URDF.
        latched: Further latched topics of standard types, to be copied.
        left_out: Topics that are not carried into an episode.
        notes: Choices that a person might want to make otherwise.
        others: Further depth cameras.

    """

    depth: Topic | None = None
    colour: Topic | None = None
    camera_info: Topic | None = None
    cloud: Topic | None = None
    more_info: tuple[Topic, ...] = ()
    joint_states: tuple[Topic, ...] = ()
    grippers: tuple[Topic, ...] = ()
    poses: tuple[Topic, ...] = ()
    numbers: tuple[Topic, ...] = ()
    transforms: tuple[Topic, ...] = ()
    static_transforms: tuple[Topic, ...] = ()
    description: Topic | None = None
    odometry: tuple[Topic, ...] = ()
    latched: tuple[Topic, ...] = ()
    left_out: tuple[Topic, ...] = ()
    notes: tuple[str, ...] = field(default=())
    others: tuple[CameraTopics, ...] = ()

    @property
    def camera(self) -> tuple[Topic, ...]:
        """The topics of the camera that are there."""
        found = (self.depth, self.colour, self.camera_info, self.cloud)
        return tuple(topic for topic in found if topic is not None)


def find_streams(reader: BagReader, wanted: StreamSelection | None = None) -> Streams:
    """Sort the topics of a bag.

    Depth images are told by their encoding, aligned ones are preferred; colour is what has their
    size, nearest in name; intrinsics are those beside the depth.

    Args:
        reader: An open bag.
        wanted: What a person chose.

    Raises:
        R2RGenError: A chosen topic is missing or of the wrong type, no colour has the size of the
            depth, or several topics could be meant.

    """
    return _Finder(reader, wanted or StreamSelection()).streams()


class _Finder:
    def __init__(self, reader: BagReader, wanted: StreamSelection) -> None:
        self.reader = reader
        self.wanted = wanted
        self.notes: list[str] = []
        self.topics = [
            topic
            for topic in reader.topics
            if topic.count and not topic.name.startswith(keys.OWN_TOPICS)
        ]
        self._first: dict[str, Any] = {}

    def streams(self) -> Streams:
        depth = self._depth()
        colour = self._colour(depth)
        cloud = self._cloud(depth)
        info = self._camera_info(depth or cloud, colour)
        more_info = self._more_info(info, colour)
        others = self._others([depth, colour, info, *more_info])
        joints = self._joint_states()
        moving, fixed = self._transforms()
        description = next(
            (t for t in self._of(messages.STRING) if t.name.endswith('robot_description')), None
        )
        known = [depth, colour, cloud, info, *more_info, description, *joints, *moving, *fixed]
        known += [topic for other in others for topic in other.all]
        odometry = self._of(messages.ODOMETRY)
        known += [*self._of(messages.POSE_STAMPED), *self._of(*NUMBERS), *odometry]
        latched = [
            topic
            for topic in self.topics
            if topic not in known and topic.is_latched and self._can_be_copied(topic)
        ]
        return Streams(
            depth=depth,
            colour=colour,
            camera_info=info,
            cloud=cloud,
            more_info=more_info,
            joint_states=joints,
            grippers=self._grippers(joints),
            poses=tuple(self._of(messages.POSE_STAMPED)),
            numbers=tuple(self._of(*NUMBERS)),
            transforms=moving,
            static_transforms=fixed,
            description=description,
            odometry=tuple(odometry),
            latched=tuple(latched),
            left_out=tuple(t for t in self.topics if t not in known and t not in latched),
            notes=tuple(self.notes),
            others=others,
        )

    def first(self, topic: Topic) -> Any:
        """The first message of a topic."""
        if topic.name not in self._first:
            self._first[topic.name] = next(self.reader.decoded([topic.name]))[2]
        return self._first[topic.name]

    def _can_be_copied(self, topic: Topic) -> bool:
        if topic.type in MOTIONS or topic.type not in messages.store().fielddefs:
            return False
        try:
            messages.as_standard(self.first(topic), topic.type)
        except (AttributeError, TypeError, ValueError):
            return False  # a ROS 1 type whose fields ROS 2 has changed
        return True

    def _of(self, *types: str) -> list[Topic]:
        return [topic for topic in self.topics if topic.type in types]

    def _named(self, name: str | None, types: Sequence[str]) -> Topic | None:
        if name is None:
            return None
        topic = self.reader.topic(name)
        if topic.type not in types or not topic.count:
            raise R2RGenError(
                f'topic {name} holds {topic.count} messages of {topic.type}',
                f'messages of {" or ".join(types)}',
            )
        return topic

    def _coding(self, topic: Topic) -> ImageCoding | None:
        try:
            return ImageCoding.of(self.first(topic))
        except R2RGenError:
            return None

    def _depth(self) -> Topic | None:
        chosen = self._named(self.wanted.depth, IMAGES)
        if chosen is not None:
            return chosen
        found = [topic for topic in self._of(*IMAGES) if self._is_depth(topic)]
        main = self.reader.custom_data.get(keys.DEPTH)
        told = [topic for topic in found if topic.name == main]
        return told[0] if told else self._best('depth', found, _depth_score)

    def _is_depth(self, topic: Topic) -> bool:
        coding = self._coding(topic)
        if coding is None or not coding.is_depth:
            return False
        # Infrared images are 16-bit grey as well.
        named = 'depth' in topic.name.lower()
        return named or (coding.encoding != MILLIMETRES[1] and not NOT_COLOUR.search(topic.name))

    def _colour(self, depth: Topic | None) -> Topic | None:
        chosen = self._named(self.wanted.colour, IMAGES)
        if chosen is not None or depth is None:
            return chosen
        found = [topic for topic in self._of(*IMAGES) if topic != depth and self._is_colour(topic)]
        size = self._size(depth)
        fitting = [topic for topic in found if self._size(topic) == size]
        if found and not fitting:
            sizes = ', '.join(f'{t.name} {_by(self._size(t))}' for t in found)
            raise R2RGenError(
                f'{depth.name} is {_by(size)} pixels, but the colour images are: {sizes}',
                'depth aligned to colour, of the same size',
                "record the camera driver's aligned depth topic, or resize one with image_proc",
            )
        return self._best('colour', fitting, lambda t: (_colour_score(t), *kinship(t, depth)))

    def _is_colour(self, topic: Topic) -> bool:
        coding = self._coding(topic)
        return (
            coding is not None
            and coding.encoding in CHANNELS
            and not coding.is_depth
            and not NOT_COLOUR.search(topic.name)
        )

    def _size(self, topic: Topic) -> tuple[int, int]:
        message = self.first(topic)
        if hasattr(message, 'width'):
            return int(message.width), int(message.height)
        return compressed_size(message)

    def _camera_info(self, camera: Topic | None, colour: Topic | None) -> Topic | None:
        chosen = self._named(self.wanted.camera_info, [messages.CAMERA_INFO])
        if chosen is not None or camera is None:
            return chosen
        found = self._of(messages.CAMERA_INFO)
        if camera.type != messages.POINT_CLOUD:
            size = self._size(camera)
            found = [t for t in found if (self.first(t).width, self.first(t).height) == size]
        frame = frame_name(self.first(camera).header.frame_id)

        def score(topic: Topic) -> tuple[int, ...]:
            same = frame_name(self.first(topic).header.frame_id) == frame
            beside = kinship(topic, camera)
            return int(same), *beside, *(kinship(topic, colour) if colour else ())

        return max(found, key=score) if found else None

    def _more_info(self, info: Topic | None, colour: Topic | None) -> tuple[Topic, ...]:
        if info is None:
            return ()
        own = (info, *(() if colour is None else (colour,)))
        frames = {frame_name(self.first(topic).header.frame_id) for topic in own}
        return tuple(
            topic
            for topic in self._of(messages.CAMERA_INFO)
            if topic != info and frame_name(self.first(topic).header.frame_id) in frames
        )

    def _cloud(self, depth: Topic | None) -> Topic | None:
        chosen = self._named(self.wanted.cloud, [messages.POINT_CLOUD])
        if chosen is not None:
            return chosen
        found = self._of(messages.POINT_CLOUD)
        if depth is None:
            return self._best('cloud', found or self._labelled(), _cloud_score)
        frame = frame_name(self.first(depth).header.frame_id)
        same = [t for t in found if frame_name(self.first(t).header.frame_id) == frame]
        return max(same, key=_cloud_score) if same else None

    def _labelled(self) -> list[Topic]:
        """The clouds of an episode that holds no others and no images."""
        own = [topic for topic in self.reader.topics if topic.name == keys.LABELLED_POINTS]
        return [topic for topic in own if topic.count and topic.type == messages.POINT_CLOUD]

    def _others(self, main: list[Topic | None]) -> tuple[CameraTopics, ...]:
        """Depth cameras beside the one whose topics are given, each with its best depth."""
        depth = main[0]
        if depth is None:
            return ()
        taken = [topic for topic in main if topic is not None]
        best: dict[tuple[str, str], Topic] = {}
        for topic in self._of(*IMAGES):
            if topic in taken or not self._is_depth(topic):
                continue
            key = (self._frame(topic), device_of(topic))
            if key == (self._frame(depth), device_of(depth)):
                continue  # the same images once more, such as compressed ones
            if key not in best or _depth_score(topic) > _depth_score(best[key]):
                best[key] = topic
        out: list[CameraTopics] = []
        for topic in best.values():
            camera = self._other(topic, depth, taken)
            if camera.name in [other.name for other in out]:
                camera = replace(camera, name=topic.name)
            taken += camera.all
            out.append(camera)
        return tuple(out)

    def _other(self, depth: Topic, main: Topic, taken: list[Topic]) -> CameraTopics:
        """A further camera by its depth images."""
        frame, size = self._frame(depth), self._size(depth)

        def own(topic: Topic) -> bool:
            # Not what is akin to the main camera as much: it would be that one's.
            named = is_akin(topic, depth) and not is_akin(depth, main)
            return topic not in taken and (named or self._frame(topic) == frame)

        def nearness(topic: Topic) -> tuple[Any, ...]:
            return self._frame(topic) == frame, *kinship(topic, depth)

        found = [t for t in self._of(*IMAGES) if own(t) and self._is_colour(t)]
        fitting = [t for t in found if self._size(t) == size]
        colour = max(fitting, key=lambda t: (_colour_score(t), *nearness(t)), default=None)
        infos = [
            topic
            for topic in self._of(messages.CAMERA_INFO)
            if own(topic) and (self.first(topic).width, self.first(topic).height) == size
        ]
        infos.sort(key=nearness, reverse=True)
        infos = [t for t in infos if self._frame(t) == self._frame(infos[0])]
        name = camera_name(depth) if device_of(depth) else frame
        return CameraTopics(name, depth, colour, tuple(infos), is_akin(depth, main))

    def _frame(self, topic: Topic) -> str:
        return frame_name(self.first(topic).header.frame_id)

    def _joint_states(self) -> tuple[Topic, ...]:
        chosen = self._named(self.wanted.joint_states, [messages.JOINT_STATE])

        def order(topic: Topic) -> tuple[bool, bool, bool, int]:
            return (
                topic == chosen,
                not COMMAND.search(topic.name),
                not GRIPPER.search(topic.name),
                topic.count,
            )

        return tuple(sorted(self._of(messages.JOINT_STATE), key=order, reverse=True))

    def _grippers(self, joints: tuple[Topic, ...]) -> tuple[Topic, ...]:
        if self.wanted.gripper:
            kinds = [messages.JOINT_STATE, *NUMBERS]
            named = [self._named(name, kinds) for name in self.wanted.gripper]
            return tuple(topic for topic in named if topic is not None)
        found = [t for t in (*joints, *self._of(*NUMBERS)) if GRIPPER.search(t.name)]
        measured = [t for t in found if not COMMAND.search(t.name)]
        return tuple(measured or found)

    def _transforms(self) -> tuple[tuple[Topic, ...], tuple[Topic, ...]]:
        found = self._of(*TF_TYPES)
        fixed = [t for t in found if t.is_latched or t.name.endswith('tf_static')]
        return tuple(t for t in found if t not in fixed), tuple(fixed)

    def _best(self, what: str, found: list[Topic], score: Callable[[Topic], Any]) -> Topic | None:
        if len(found) < 2:
            return found[0] if found else None
        ranked = sorted(found, key=score, reverse=True)
        names = ', '.join(topic.name for topic in ranked)
        if score(ranked[0]) == score(ranked[1]):
            raise R2RGenError(
                f'several topics could be the {what}: {names}',
                'one',
                f'choose with --topic {what}=TOPIC',
            )
        self.notes.append(f'of {len(found)} {what} topics, {ranked[0].name} was taken ({names})')
        return ranked[0]


def _by(size: tuple[int, int]) -> str:
    return f'{size[0]} x {size[1]}'


def _score(topic: Topic, liked: dict[str, int]) -> int:
    return sum(points for word, points in liked.items() if word in topic.name.lower())


def _depth_score(topic: Topic) -> tuple[int, int]:
    liked = {'aligned': 4, 'registered': 4, 'to_color': 3, 'to_rgb': 3, 'depth': 2, 'infra': -8}
    return _score(topic, liked), int(topic.type == messages.IMAGE)


def _colour_score(topic: Topic) -> tuple[int, int]:
    liked = {'color': 2, 'colour': 2, 'rgb': 2, 'rect': 1, 'mono': -2}
    return _score(topic, liked), int(topic.type == messages.IMAGE)


def _cloud_score(topic: Topic) -> tuple[int, int]:
    return _score(topic, {'registered': 2, 'color': 1, 'points': 1, 'filtered': -1}), topic.count
