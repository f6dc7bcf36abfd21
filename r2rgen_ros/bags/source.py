# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read a recording, and refuse what is no demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from r2rgen_ros.bags.cameras import with_further_cameras
from r2rgen_ros.bags.clouds import decode_cloud
from r2rgen_ros.bags.collect import collect
from r2rgen_ros.bags.failures import decoding
from r2rgen_ros.bags.images import check_units, decode_depth
from r2rgen_ros.bags.match import Matcher
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.recording import Source
from r2rgen_ros.bags.streams import Streams, StreamSelection, find_streams
from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from r2rgen_ros.bags import tracks
    from r2rgen_ros.geometry.cloud import Cloud

__all__ = ['Source', 'bag_path', 'cloud_of', 'read_source']


def bag_path(path: Path | str) -> Path:
    """The bag that a path means: the path itself, or the one bag inside a folder.

    Raises:
        R2RGenError: The folder holds several bags.

    """
    path = Path(path)
    if not path.is_dir() or (path / 'metadata.yaml').exists():
        return path
    inside = sorted(p.parent for p in path.glob('*/metadata.yaml') if p.parent.name[0] != '.')
    inside += sorted(p for p in path.glob('*.bag') if p.is_file())
    if len(inside) > 1:
        names = [item.name for item in inside]
        raise R2RGenError(f'{path} holds {len(inside)} bags', 'one', f'name one of {names[:8]}')
    return inside[0] if inside else path


def read_source(path: Path | str, wanted: StreamSelection | None = None) -> Source:
    """Read a recording: match its streams to the camera's frames.

    Args:
        path: A bag, or a folder that holds one.
        wanted: Topics and frames that a person chose.

    Raises:
        R2RGenError: The bag is damaged, or lacks what a demonstration needs.

    """
    wanted = wanted or StreamSelection()
    place = bag_path(path)
    with BagReader(place) as reader:
        streams = find_streams(reader, wanted)
        _require_camera(streams, place)
        recorded = collect(reader, streams)
        source = with_further_cameras(Matcher(reader, streams, recorded, wanted).source())
        _check_first_frame(reader, source)
    return source


def _require_camera(streams: Streams, path: Path) -> None:
    require(
        streams.depth is not None or streams.cloud is not None,
        f'{path} holds neither depth images nor point clouds',
        'a depth image topic (16UC1 or 32FC1) with camera_info, or a PointCloud2 topic',
        "record the depth camera's aligned depth, colour and camera_info topics as well",
    )
    require(
        streams.depth is None or streams.camera_info is not None,
        f'{path} holds depth images but no camera_info of their size',
        'sensor_msgs/CameraInfo of the depth camera',
        "record the camera driver's camera_info topic as well",
    )


def _check_first_frame(reader: BagReader, source: Source) -> None:
    if source.depth is not None:
        message = reader.fetch(source.depth.entries[0])
        depth = decode_depth(message, source.depth.coding)
        topic = source.depth.topic.name
        require(
            bool(np.isfinite(depth).any()),
            f'the first image of {topic} holds no valid depth',
            'some pixels with depth',
            'check that the lens is free, and that the camera was running',
        )
        check_units(depth, topic)
        assert source.camera is not None
        size = (source.camera.height, source.camera.width)
        require(
            depth.shape == size,
            f'{topic} is {depth.shape[1]} x {depth.shape[0]} pixels, but its camera_info says'
            f' {size[1]} x {size[0]}',
            'the same size',
            'record the camera_info beside the depth topic, or choose it by name',
        )  # fmt: skip
    elif source.cloud is not None:
        cloud_of(reader, source.cloud, 0)


def cloud_of(reader: BagReader, track: tracks.CloudTrack, frame: int) -> Cloud:
    """The valid points of one cloud of a track, in its own frame.

    Raises:
        R2RGenError: It contradicts itself, or has no point with finite coordinates.

    """
    what = f'cloud {frame} of {track.topic.name}'
    message = reader.fetch(track.entries[frame])
    with decoding(what):
        cloud, _ = decode_cloud(message, track.layout)
    require(
        len(cloud) > 0,
        f'{what} holds only NaN points',
        'some points with finite coordinates',
        'check the range and the crop of the node that makes the clouds',
    )
    return cloud
