# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags as demonstrations: frames come from the bag when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags.failures import decoding
from r2rgen_ros.bags.images import decode_colour, decode_depth
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.bags.source import Source, cloud_of, read_source
from r2rgen_ros.model.demo import Demo, Frame, Joints, Sensor
from r2rgen_ros.model.driving import base_joints, driving_description

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.bags.streams import StreamSelection
    from r2rgen_ros.geometry.cloud import Cloud

CACHE_BYTES = 64 * 2**20


class BagFrames:
    """The frames of a source, read when asked for; the latest ones are kept in memory.

    The object may be inherited by forked processes or pickled: each opens the bag for itself.

    Args:
        source: The recording.
        cache_bytes: How much to keep in memory.

    """

    def __init__(self, source: Source, cache_bytes: int = CACHE_BYTES) -> None:
        self._path = source.path
        self._depth = source.depth
        self._colour = source.colour if source.depth is not None else None
        self._cloud = source.cloud if source.depth is None else None
        self._cloud2base = source.cloud2base
        self._count = len(source.stamps)
        self._reader = BagReader(source.path)
        self._limit = cache_bytes
        self._kept: OrderedDict[int, tuple[Frame, int]] = OrderedDict()
        self._held = 0

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, '_kept': OrderedDict(), '_held': 0}

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._count

    def __getitem__(self, index: int, /) -> Frame:
        """Return one frame.

        Raises:
            IndexError: There is no such frame.
            R2RGenError: The bag is damaged or changed, or the frame is empty.

        """
        if not -self._count <= index < self._count:
            raise IndexError(f'frame {index} of {self._count}')
        index %= self._count
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index][0]
        frame = self._read(index)
        self._keep(index, frame)
        return frame

    def _read(self, index: int) -> Frame:
        if self._cloud is not None:
            return Frame(cloud=self._read_cloud(index))
        assert self._depth is not None
        if self._colour is None:
            return Frame(self._depth_of(self._reader.fetch(self._depth.entries[index]), index))
        near = (self._depth.entries[index], self._colour.entries[index])
        depth, colour = self._reader.fetch_together(near)
        with decoding(f'image {index} of {self._colour.topic.name}'):
            pixels = decode_colour(colour, self._colour.coding)
        return Frame(self._depth_of(depth, index), pixels)

    def _depth_of(self, message: Any, index: int) -> NDArray[np.float32]:
        assert self._depth is not None
        with decoding(f'image {index} of {self._depth.topic.name}'):
            return decode_depth(message, self._depth.coding)

    def _read_cloud(self, index: int) -> Cloud:
        assert self._cloud is not None
        cloud = cloud_of(self._reader, self._cloud, index)
        return cloud if self._cloud2base is None else cloud.transformed(self._cloud2base[index])

    def _keep(self, index: int, frame: Frame) -> None:
        size = _bytes(frame)
        self._kept[index] = (frame, size)
        self._held += size
        while self._held > self._limit and len(self._kept) > 1:
            self._held -= self._kept.popitem(last=False)[1][1]


def _bytes(frame: Frame) -> int:
    arrays = [frame.depth, frame.colour]
    if frame.cloud is not None:
        arrays += [frame.cloud.points, frame.cloud.colours]  # type: ignore[list-item]
    return sum(array.nbytes for array in arrays if array is not None)


def demo_of(source: Source) -> Demo:
    """A source as a demonstration."""
    sensor = None
    if source.camera is not None and source.camera2base is not None:
        sensor = Sensor(source.camera_frame or '', source.camera, source.camera2base)
    joints, description = _driving(source)
    return Demo(
        name=source.path.absolute().stem,
        path=source.path,
        stamps=source.stamps,
        base_frame=source.base_frame,
        arms=source.arms,
        frames=BagFrames(source),
        sensor=sensor,
        joints=joints,
        robot_description=description,
        warnings=source.warnings,
        base_paths=source.base_paths,
    )


def _driving(source: Source) -> tuple[Joints | None, str | None]:
    """Joints and URDF of the robot; of one that drives with the joints of its base."""
    joints, description = source.joints, source.robot_description
    if source.drive is None or description is None:
        return joints, description
    text = driving_description(description, source.base_frame)
    if joints is None:
        return None, text
    base = base_joints(source.drive.path.base2frame)
    both = np.concatenate([joints.positions, base.positions], axis=1)
    return Joints((*joints.names, *base.names), both), text


def load_demo(path: Path | str, wanted: StreamSelection | None = None) -> Demo:
    """Load a demonstration.

    Args:
        path: A bag, or a folder that holds one.
        wanted: Topics and frames that a person chose.

    Returns:
        The demonstration on the header stamps of its depth images (or clouds): colour matched by
        the nearest stamp within half a frame, joints interpolated, float gripper topics held, poses
        looked up in the transforms, clouds in the base frame.

    Raises:
        R2RGenError: The bag is damaged, or lacks what a demonstration needs: the message says what,
            and how to record it.

    """
    return demo_of(read_source(path, wanted))
