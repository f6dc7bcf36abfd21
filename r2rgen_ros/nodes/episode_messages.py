# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes as messages for RViz. Every frame carries a prefix, so that none is the live robot's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import Marker, MarkerArray

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.scene import FIRST_OBJECT
from r2rgen_ros.nodes.message_parts import (
    clear_message,
    duration_message,
    marker_message,
    point_message,
    pose_message,
    time_message,
    transform_message,
    vector_message,
)
from r2rgen_ros.report.style import label_colours

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builtin_interfaces.msg import Time
    from numpy.typing import NDArray

    from r2rgen_ros.bags.preview import Preview
    from r2rgen_ros.model.demo import Arm, Joints
    from r2rgen_ros.nodes.generation import ObjectTrack

    Matrix = NDArray[np.float64]

_START_ALPHA, _END_ALPHA = 0.25, 0.8
_ARROW_M = (0.006, 0.014, 0.02)
"""Width of the shaft, width and length of the head."""
_TEXT_M = 0.025
_THIN_M = 0.001
_STILL_M = 0.002


def end_effector_path(arm: Arm, stamps: NDArray[np.int64], header: Header) -> Path:
    """Return the way of a hand; each pose has the stamp of its frame in the episode."""
    poses = [
        PoseStamped(
            header=Header(stamp=time_message(stamp), frame_id=header.frame_id),
            pose=pose_message(matrix),
        )
        for stamp, matrix in zip(stamps.tolist(), arm.ee2base, strict=True)
    ]
    return Path(header=header, poses=poses)


def joint_trajectory(joints: Joints, stamps: NDArray[np.int64], header: Header) -> JointTrajectory:
    """Return the positions of all joints, in times from the first frame."""
    points = []
    for after, positions in zip((stamps - stamps[0]).tolist(), joints.positions, strict=True):
        point = JointTrajectoryPoint(positions=positions.tolist())
        point.time_from_start = duration_message(after)
        points.append(point)
    return JointTrajectory(header=header, joint_names=list(joints.names), points=points)


def object_markers(objects: Iterable[ObjectTrack], header: Header) -> MarkerArray:
    """Return a pale box where each object starts, a solid one where it ends, an arrow, its name.

    They take the place of all markers before.
    """
    out = [clear_message(header)]
    for place, item in enumerate(objects):
        colour = label_colours(np.array(FIRST_OBJECT + place, dtype=np.uint8)) / 255.0
        middle, size = (item.low + item.high) / 2.0, np.maximum(item.high - item.low, _THIN_M)
        start, end = (item.poses[at] @ _shifted(middle) for at in (0, -1))
        for group, pose, alpha in (('start', start, _START_ALPHA), ('end', end, _END_ALPHA)):
            box = marker_message(header, group, place, Marker.CUBE, colour, alpha)
            box.pose = pose_message(pose)
            box.scale = vector_message(size)
            out.append(box)
        if np.linalg.norm(end[:3, 3] - start[:3, 3]) > _STILL_M:
            arrow = marker_message(header, 'move', place, Marker.ARROW, colour)
            arrow.points = [point_message(start[:3, 3]), point_message(end[:3, 3])]
            arrow.scale = vector_message(_ARROW_M)
            out.append(arrow)
        text = marker_message(header, 'name', place, Marker.TEXT_VIEW_FACING, colour)
        text.text = item.name
        text.scale.z = _TEXT_M
        above = np.array([0.0, 0.0, size.max() / 2.0 + _TEXT_M])
        text.pose.position = point_message(end[:3, 3] + above)
        out.append(text)
    return MarkerArray(markers=out)


def frame_transforms(
    preview: Preview, place: int, objects: Iterable[ObjectTrack], prefix: str, stamp: Time
) -> TFMessage:
    """Return where links and objects are in one of the frames of a preview.

    Args:
        preview: The episode.
        place: Which of the chosen frames.
        objects: Where objects are, per frame of the episode; as PREFIXobject/NAME.
        prefix: Put before the names of all frames.
        stamp: When this holds.

    """
    links = zip(preview.links, preview.poses[place], strict=True)
    out = [
        transform_message(prefix + parent, prefix + child, pose, stamp)
        for (parent, child), pose in links
    ]
    base, frame = prefix + preview.demo.base_frame, int(preview.frames[place])
    for item in objects:
        name = f'{prefix}object/{item.name.replace(" ", "_")}'
        out.append(transform_message(base, name, item.poses[frame], stamp))
    return TFMessage(transforms=out)


def _shifted(translation: Matrix) -> Matrix:
    return se3.compose(np.eye(3), translation)
