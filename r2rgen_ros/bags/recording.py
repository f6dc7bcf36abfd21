# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording on the time base of its camera, with all it takes to write its topics again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from r2rgen_ros.bags import tracks
    from r2rgen_ros.bags.camera_topics import CameraTopics
    from r2rgen_ros.bags.collect import Collected
    from r2rgen_ros.bags.drive import Drive
    from r2rgen_ros.bags.mount import BaseMount
    from r2rgen_ros.bags.transforms import TransformBuffer
    from r2rgen_ros.geometry.camera import PinholeCamera
    from r2rgen_ros.model.demo import Arm, BasePath, Joints

    Stamps = NDArray[np.int64]
    Poses = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FurtherCamera:
    """A depth camera of a recording beside the main one, at the main one's frames.

    Attributes:
        topics: Its topics and its name.
        depth: Its depth images, the nearest to each frame.
        colour: Its colour images; None where it has none.
        infos: Its intrinsics as recorded, of the depth first.
        camera: Intrinsics.
        frame: Its optical frame.
        camera2base: (T, 4, 4) poses.

    """

    topics: CameraTopics
    depth: tracks.ImageTrack
    colour: tracks.ImageTrack | None
    infos: tuple[tracks.CameraTrack, ...]
    camera: PinholeCamera
    frame: str
    camera2base: Poses


@dataclass(frozen=True, eq=False)
class Source:
    """A recording on the time base of its camera.

    Attributes:
        path: The bag.
        stamps: (T,) int64 header stamps of the frames, strictly rising.
        base_frame: Frame that poses are expressed in.
        arms: Path and gripper per arm at the frames.
        depth: Depth images, one per frame; None where the source is clouds.
        colour: Colour images, one per frame.
        camera_info: Intrinsics as recorded.
        cloud: Clouds, one per frame.
        camera: Intrinsics.
        camera_frame: Its optical frame.
        camera2base: (T, 4, 4) pose of the camera; None where unknown.
        cloud2base: (T, 4, 4) pose of the clouds' frame; None where it is the base frame.
        joints: Positions of all measured joints at the frames.
        recorded: Everything as it was recorded, before frames were matched.
        custom_data: What the bag says of itself.
        left_out: Topics that are not written into episodes.
        warnings: What the person should know.
        mount: The base's odometry among the transforms; None where it is fixed.
        base_paths: Where the base was, in every frame that it moves in.
        others: Further cameras, whose images episodes hold as well.
        drive: How the base drives; then `base_frame` is the frame that it drives in.

    """

    path: Path
    stamps: Stamps
    base_frame: str
    arms: tuple[Arm, ...]
    depth: tracks.ImageTrack | None
    colour: tracks.ImageTrack | None
    camera_info: tracks.CameraTrack | None
    cloud: tracks.CloudTrack | None
    camera: PinholeCamera | None
    camera_frame: str | None
    camera2base: Poses | None
    cloud2base: Poses | None
    joints: Joints | None
    recorded: Collected
    custom_data: Mapping[str, str]
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]
    mount: BaseMount | None = None
    base_paths: tuple[BasePath, ...] = ()
    others: tuple[FurtherCamera, ...] = ()
    drive: Drive | None = None

    @property
    def buffer(self) -> TransformBuffer:
        """All transforms."""
        return self.recorded.buffer

    @property
    def body_frame(self) -> str:
        """A frame on the base: the base frame, or the robot's root where the base drives in it."""
        return self.base_frame if self.drive is None else self.drive.root

    @property
    def robot_description(self) -> str | None:
        """URDF text."""
        return self.recorded.description

    def with_description(self, text: str) -> Source:
        """Return the same with another URDF text."""
        return replace(self, recorded=replace(self.recorded, description=text))
