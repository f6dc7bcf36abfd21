# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording as if another camera had made it: its topics, intrinsics and place in TF."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from r2rgen_ros.bags import keys, messages, qos, tracks
from r2rgen_ros.bags.images import ImageCoding
from r2rgen_ros.bags.reader import Topic
from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.model.deployment import MountedCamera

_STATIC = '/tf_static'


def seen_by(source: Source, mounted: MountedCamera) -> Source:
    """Return a recording whose camera topics are those of another camera.

    Images keep the encoding that the recording's camera gave them, uncompressed, and its rate and
    latencies; clouds beside them their layout, organised ones with a row for each of the new
    camera's images. The frames of the recording's own camera stay in the tree of transforms.

    Args:
        source: The recording; of depth images.
        mounted: The other camera.

    Raises:
        R2RGenError: The recording holds no depth images; the mount, or the camera's frame where it
            is another than it should be, does not fit the tree of transforms; or a topic has a name
            that another one has.

    """
    depth, colour = source.depth, source.colour
    require(
        depth is not None,
        f'{source.path} holds no depth images to render for camera "{mounted.name}" in place of',
        'depth images with camera_info',
        'leave out render_for',
    )
    assert depth is not None
    new_depth = _renamed(depth, mounted, 'depth', ImageCoding(depth.coding.encoding))
    new_colour = None
    if colour is not None:
        new_colour = _renamed(colour, mounted, 'colour', ImageCoding(colour.coding.encoding))
    infos, cloud = _infos(source, mounted), _cloud(source, mounted)
    gone = _own_topics(source)
    made = (new_depth, new_colour, *infos, cloud)
    own = [track.topic.name for track in made if track is not None]
    _check_topics(source, mounted, own, gone)
    left = [f'{name} (of the camera that recorded)' for name in gone if name not in own]
    recorded = replace(
        source.recorded,
        depth=new_depth,
        colour=new_colour,
        camera_info=infos[0],
        cloud=cloud,
        more_info=tuple(infos[1:]),
        latched=_latched(source, mounted),
    )
    return replace(
        source,
        depth=new_depth,
        colour=new_colour,
        camera_info=infos[0],
        cloud=cloud,
        cloud2base=None,
        camera=mounted.camera,
        camera_frame=mounted.frame,
        camera2base=None,
        recorded=recorded,
        left_out=(*source.left_out, *left),
    )


def _topic(old: Topic, name: str, kind: str) -> Topic:
    return replace(old, name=name, type=kind, types=(kind,))


def _renamed(
    track: tracks.ImageTrack, mounted: MountedCamera, role: str, coding: ImageCoding
) -> tracks.ImageTrack:
    """The images under their new name, raw: how others were compressed says nothing of these."""
    topic = _topic(track.topic, mounted.topics.get(role, track.topic.name), messages.IMAGE)
    return replace(track, topic=topic, frame_id=mounted.frame, coding=coding)


def _cloud(source: Source, mounted: MountedCamera) -> tracks.CloudTrack | None:
    """The clouds that its driver makes of its depth, where that of the recording makes some."""
    old, image = source.cloud, source.camera
    if old is None or image is None:
        return None
    layout = old.layout
    if (layout.height, layout.width) == (image.height, image.width):
        layout = replace(layout, height=mounted.camera.height, width=mounted.camera.width)
    topic = _topic(old.topic, mounted.topics.get('cloud', old.topic.name), messages.POINT_CLOUD)
    return replace(old, topic=topic, frame_id=mounted.frame, layout=layout)


def _infos(source: Source, mounted: MountedCamera) -> list[tracks.CameraTrack]:
    """Intrinsics beside the depth, and beside the colour where they have a topic of their own."""
    old = source.camera_info
    assert old is not None
    message = messages.camera_info(0, mounted.frame, mounted.camera)
    others = source.recorded.more_info
    names = [mounted.topics.get('depth_info', old.topic.name)]
    if source.colour is not None and ('colour_info' in mounted.topics or others):
        names.append(mounted.topics.get('colour_info') or others[0].topic.name)
    return [
        replace(
            old,
            topic=_topic(old.topic, name, messages.CAMERA_INFO),
            frame_id=mounted.frame,
            message=message,
        )
        for name in dict.fromkeys(names)
    ]


def _own_topics(source: Source) -> list[str]:
    """Names of the topics of the camera that recorded."""
    recorded = source.recorded
    found = (source.depth, source.colour, source.camera_info, *recorded.more_info, source.cloud)
    return [track.topic.name for track in found if track is not None]


def _check_topics(source: Source, mounted: MountedCamera, own: list[str], gone: list[str]) -> None:
    found = source.recorded
    groups = (found.joints, found.numbers, found.poses, found.transforms, found.latched)
    taken = {track.topic.name for group in groups for track in group} - set(gone)
    taken |= {topic.name for other in source.others for topic in other.topics.all}
    double = sorted(name for name in own if name in taken or name.startswith(keys.OWN_TOPICS))
    double += sorted({name for name in own if own.count(name) > 1})
    require(
        not double,
        f'camera "{mounted.name}" would publish {double}, which something else does',
        'names of its own',
        'name its topics otherwise in the camera file',
    )


def _latched(source: Source, mounted: MountedCamera) -> tuple[tracks.LatchedTrack, ...]:
    """What is sent once, with the camera's place in the tree of transforms."""
    buffer, latched = source.buffer, source.recorded.latched
    mount = mounted.mount or source.body_frame
    require(
        mount in buffer or (not buffer.frames and mount == source.base_frame),
        f'camera "{mounted.name}" is mounted on "{mount}", which no transform names',
        f'one of {list(buffer.frames[:12])}',
        'correct "mount" in the camera file, or record /tf and /tf_static of the robot',
    )
    if mounted.frame in buffer:
        raise R2RGenError(
            f'the frame "{mounted.frame}" of camera "{mounted.name}" is one of the recording',
            'a name of its own',
            'name it otherwise in the camera file',
        )
    at = int(source.stamps[0])
    for track in latched:
        if track.topic.name == _STATIC:
            at = track.log_ns[-1]
    pose = messages.transform_matrix(at, mount, mounted.frame, mounted.camera2mount)
    message = messages.tf_message([pose])
    for place, track in enumerate(latched):
        if track.topic.name == _STATIC:
            longer = replace(track, log_ns=(*track.log_ns, at), messages=(*track.messages, message))
            return (*latched[:place], longer, *latched[place + 1 :])
    topic = Topic(_STATIC, messages.TF, 1, (qos.LATCHED_TF,), (messages.TF,))
    return (*latched, tracks.LatchedTrack(topic, (at,), (message,)))
