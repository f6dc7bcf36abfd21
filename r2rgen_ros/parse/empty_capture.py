# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A capture of the scene without its objects, as the background of a demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.bags.collect import Collected, collect
from r2rgen_ros.bags.failures import decoding
from r2rgen_ros.bags.images import ImageCoding, check_units, decode_colour, decode_depth
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.match import camera_of
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.series import nearest_index
from r2rgen_ros.bags.source import bag_path
from r2rgen_ros.bags.streams import IMAGES, NOT_COLOUR, Streams, StreamSelection, find_streams
from r2rgen_ros.bags.transforms import frame_name
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.demo import Arm, Demo, Frame, Sensor
from r2rgen_ros.model.errors import R2RGenError, require
from r2rgen_ros.parse.background import Background, find_background
from r2rgen_ros.parse.robot import RobotView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from r2rgen_ros.bags.reader import Topic

_ANY_TIME_NS = 2**62
_MOST_FRAMES = 60
_SAME_PIXELS = 1.0
_SAME_M, _SAME_DEGREES = 0.002, 0.2
_BEHIND_M, _SIGMAS = 0.01, 6.0
_ALIKE = 0.3
_TAKE_OUT = 'or take "empty_capture" out of the annotation'


def empty_background(path: Path, demo: Demo, folders: Sequence[Path | str] = ()) -> Background:
    """Read what the camera of a demonstration sees when the objects are not there.

    The robot may be in view: it is left out where the capture holds its joints and its description,
    and where it moves.

    Args:
        path: A bag, or a folder that holds one; the camera's topics are enough.
        demo: The demonstration.
        folders: Where meshes of the robot are looked for first.

    Returns:
        The background, NaN where the capture has no depth.

    Raises:
        R2RGenError: It cannot be read, or another camera took it, or from another place.

    """
    require(
        demo.sensor is not None and demo.has_images,
        f'"{demo.name}" holds clouds, and an empty capture is of depth images',
        'a recording of depth images',
        f'record depth images, {_TAKE_OUT}',
    )
    assert demo.sensor is not None
    wanted = StreamSelection(depth=_topic_of(path, demo.sensor.frame), base_frame=demo.base_frame)
    try:
        still = load_demo(path, wanted)
    except R2RGenError:
        still = _camera_alone(path, demo, wanted)
    _check_same_camera(still, demo, path)
    return find_background(still, RobotView.of(still, folders))


def with_empty(own: Background, empty: Background) -> Background:
    """Put together what a demonstration and an empty capture say of the background.

    Args:
        own: What `find_background` says.
        empty: What `empty_background` says.

    Returns:
        The empty capture, but where it has no depth, and where the demonstration sees past it:
        what was there is no part of the scene.

    Raises:
        R2RGenError: The two hardly agree anywhere.

    """
    noise = max(own.noise, empty.noise)
    limit = np.maximum(_BEHIND_M, _SIGMAS * noise * empty.depth.astype(np.float64) ** 2)
    ahead = own.depth.astype(np.float64) - empty.depth
    both = np.isfinite(ahead)
    alike = float((np.abs(ahead[both]) < limit[both]).mean()) if both.any() else 0.0
    require(
        alike > _ALIKE,
        f'the empty capture shows another scene: {100 * alike:.0f} % of its pixels have the depth '
        'that the demonstration shows',
        'the same scene, without its objects, from the same place',
        f'record it again, {_TAKE_OUT}',
    )
    mine = ~np.isfinite(empty.depth) | (ahead > limit)
    depth = np.where(mine, own.depth, empty.depth).astype(np.float32)
    colour = np.where(mine[..., None], own.colour, empty.colour)
    hidden = None if own.hidden is None else own.hidden & mine
    return Background(depth, colour, noise, hidden)


def _topic_of(path: Path, frame: str) -> str | None:
    """The depth topic of an optical frame, if there is exactly one: bags may hold many cameras."""
    with BagReader(bag_path(path)) as reader:
        found = [topic.name for topic in reader.topics if _is_depth_of(reader, topic, frame)]
    return found[0] if len(found) == 1 else None


def _is_depth_of(reader: BagReader, topic: Topic, frame: str) -> bool:
    """Whether a topic holds depth images of an optical frame."""
    # Infrared images, and masks, may have 16 bits too.
    another = NOT_COLOUR.search(topic.name) and 'depth' not in topic.name
    if topic.type not in IMAGES or not topic.count or another:
        return False
    first = next(reader.decoded([topic.name]))[2]
    try:
        is_depth = ImageCoding.of(first).is_depth
    except R2RGenError:
        return False
    return is_depth and frame_name(first.header.frame_id) == frame


def _camera_alone(path: Path, demo: Demo, wanted: StreamSelection) -> Demo:
    """A bag of a camera, as a demonstration in which nothing happens.

    Where its transforms do not say where the camera stood, it stood where the demonstration's did.
    """
    assert demo.sensor is not None
    with BagReader(bag_path(path)) as reader:
        streams = find_streams(reader, wanted)
        require(
            streams.depth is not None and streams.camera_info is not None,
            f'the empty capture {path} holds no depth images with their camera_info',
            'what the depth camera of the demonstration publishes',
            f"record the depth camera's depth, colour and camera_info topics, {_TAKE_OUT}",
        )
        found = collect(
            reader,
            Streams(
                depth=streams.depth,
                colour=streams.colour,
                camera_info=streams.camera_info,
                transforms=streams.transforms,
                static_transforms=streams.static_transforms,
            ),
        )
        assert found.depth is not None
        assert found.camera_info is not None
        count = len(found.depth)
        chosen = np.unique(np.linspace(0, count - 1, min(_MOST_FRAMES, count)).astype(np.int64))
        frames = [_read_frame(reader, found, place) for place in chosen.tolist()]
    if len(frames) == 1:  # one image is enough here, but no demonstration
        frames, chosen = frames * 2, chosen.repeat(2)
    poses = np.repeat(demo.sensor.camera2base[:1], len(frames), axis=0)
    frame = found.depth.frame_id
    if found.buffer.connected(demo.base_frame, frame):
        stamps = found.depth.stamps[chosen]
        poses = found.buffer.lookup(demo.base_frame, frame, stamps, tolerance_ns=_ANY_TIME_NS)
    nowhere = np.tile(np.eye(4), (len(frames), 1, 1))
    nobody = Arm('none', demo.base_frame, nowhere, np.full(len(frames), np.nan))
    sensor = Sensor(frame, camera_of(found.camera_info.message), poses)
    stamps = np.arange(len(frames))
    return Demo(Path(path).stem, Path(path), stamps, demo.base_frame, (nobody,), frames, sensor)


def _read_frame(reader: BagReader, found: Collected, place: int) -> Frame:
    """Depth of one place of the track, with the colour nearest in time."""
    depth, colour = found.depth, found.colour
    assert depth is not None
    with decoding(f'image {place} of {depth.topic.name}'):
        metres = decode_depth(reader.fetch(depth.entries[place]), depth.coding)
    check_units(metres, depth.topic.name)
    if colour is None or not len(colour):
        return Frame(metres)
    near = int(nearest_index(colour.stamps, depth.stamps[place : place + 1])[0])
    with decoding(f'image {near} of {colour.topic.name}'):
        return Frame(metres, decode_colour(reader.fetch(colour.entries[near]), colour.coding))


def _check_same_camera(still: Demo, demo: Demo, path: Path) -> None:
    """Raise unless a capture was taken by the camera of a demonstration, from the same place."""
    assert demo.sensor is not None
    what = ''
    if still.sensor is None or not still.has_images:
        what = 'it holds no depth images'
    else:
        here, there = demo.sensor.camera, still.sensor.camera
        size, other = (here.width, here.height), (there.width, there.height)
        off = float(np.abs(here.matrix - there.matrix).max())
        poses = demo.sensor.camera2base[0], still.sensor.camera2base[0]
        away = float(np.linalg.norm(poses[0][:3, 3] - poses[1][:3, 3]))
        turned = float(np.degrees(se3.angle_between(*poses)))
        if size != other:
            what = (
                f'its images are {other[0]} x {other[1]} pixels rather than {size[0]} x {size[1]}'
            )
        elif off > _SAME_PIXELS:
            what = f'its camera_info differs by {off:.1f} pixels'
        elif away > _SAME_M or turned > _SAME_DEGREES:
            what = f'its camera stands {1000 * away:.1f} mm and {turned:.2f} degrees away'
    require(
        not what,
        f'the empty capture {path} is not of the camera of "{demo.name}": {what}',
        'the same camera, with the same settings, in the same place',
        f'record it again with the camera where it was, {_TAKE_OUT}',
    )
