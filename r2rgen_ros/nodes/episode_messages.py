# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes as messages for RViz. Every frame carries a prefix, so that none is the live robot's."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import (
    Point,
    Pose,
    PoseStamped,
    Quaternion,
    Transform,
    TransformStamped,
    Vector3,
)
from nav_msgs.msg import Path
from sensor_msgs.msg import PointField
from std_msgs.msg import ColorRGBA, Header
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import Marker, MarkerArray

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.scene import FIRST_OBJECT
from r2rgen_ros.nodes.ros_extras import create_cloud, quaternion_from_matrix
from r2rgen_ros.report.style import label_colours

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from sensor_msgs.msg import PointCloud2

    from r2rgen_ros.bags.preview import LabelledCloud, Preview
    from r2rgen_ros.model.demo import Arm, Joints
    from r2rgen_ros.nodes.generation import ObjectTrack

    Matrix = NDArray[np.float64]

_POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('rgb', '<f4'), ('label', '<u4')])
_KINDS = {'f': PointField.FLOAT32, 'u': PointField.UINT32}
_START_ALPHA, _END_ALPHA = 0.25, 0.8
_ARROW_M = (0.006, 0.014, 0.02)
"""Width of the shaft, width and length of the head."""
_TEXT_M = 0.025
_THIN_M = 0.001
_STILL_M = 0.002
_NS_PER_S = 1_000_000_000


def time_message(stamp_ns: int) -> Time:
    """Return int64 nanoseconds as a message."""
    seconds, rest = divmod(int(stamp_ns), _NS_PER_S)
    return Time(sec=seconds, nanosec=rest)


def labelled_points(seen: LabelledCloud, header: Header) -> PointCloud2:
    """Return a cloud with the fields x, y, z, rgb and label."""
    points = np.zeros(len(seen.labels), dtype=_POINT)
    for axis, name in enumerate('xyz'):
        points[name] = seen.cloud.points[:, axis]
    red, green, blue = seen.cloud.colours.T.astype(np.uint32)
    points['rgb'] = ((red << 16) | (green << 8) | blue).view(np.float32)
    points['label'] = seen.labels
    fields = [
        PointField(name=name, offset=4 * place, datatype=_KINDS[_POINT[name].kind], count=1)
        for place, name in enumerate(_POINT.names or ())
    ]
    cloud = create_cloud(header, fields, points)
    cloud.is_dense = True
    return cloud


def end_effector_path(arm: Arm, stamps: NDArray[np.int64], header: Header) -> Path:
    """Return the way of a hand; each pose has the stamp of its frame in the episode."""
    poses = [
        PoseStamped(
            header=Header(stamp=time_message(stamp), frame_id=header.frame_id), pose=_pose(matrix)
        )
        for stamp, matrix in zip(stamps.tolist(), arm.ee2base, strict=True)
    ]
    return Path(header=header, poses=poses)


def joint_trajectory(joints: Joints, stamps: NDArray[np.int64], header: Header) -> JointTrajectory:
    """Return the positions of all joints, in times from the first frame."""
    points = []
    for after, positions in zip((stamps - stamps[0]).tolist(), joints.positions, strict=True):
        seconds, rest = divmod(after, _NS_PER_S)
        point = JointTrajectoryPoint(positions=positions.tolist())
        point.time_from_start = Duration(sec=seconds, nanosec=rest)
        points.append(point)
    return JointTrajectory(header=header, joint_names=list(joints.names), points=points)


def object_markers(objects: Iterable[ObjectTrack], header: Header) -> MarkerArray:
    """Return a pale box where each object starts, a solid one where it ends, an arrow, its name.

    They take the place of all markers before.
    """
    out = [Marker(header=header, action=Marker.DELETEALL)]
    for place, item in enumerate(objects):
        colour = label_colours(np.array(FIRST_OBJECT + place, dtype=np.uint8)) / 255.0
        middle, size = (item.low + item.high) / 2.0, np.maximum(item.high - item.low, _THIN_M)
        start, end = (item.poses[at] @ _shifted(middle) for at in (0, -1))
        for group, pose, alpha in (('start', start, _START_ALPHA), ('end', end, _END_ALPHA)):
            box = _marker(header, group, place, Marker.CUBE, _rgba(colour, alpha))
            box.pose = _pose(pose)
            box.scale = _vector(size)
            out.append(box)
        if np.linalg.norm(end[:3, 3] - start[:3, 3]) > _STILL_M:
            arrow = _marker(header, 'move', place, Marker.ARROW, _rgba(colour, 1.0))
            arrow.points = [_point(start[:3, 3]), _point(end[:3, 3])]
            arrow.scale = _vector(_ARROW_M)
            out.append(arrow)
        text = _marker(header, 'name', place, Marker.TEXT_VIEW_FACING, _rgba(colour, 1.0))
        text.text = item.name
        text.scale.z = _TEXT_M
        text.pose.position = _point(end[:3, 3] + np.array([0.0, 0.0, size.max() / 2.0 + _TEXT_M]))
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
        _transform(prefix + parent, prefix + child, pose, stamp) for (parent, child), pose in links
    ]
    base, frame = prefix + preview.demo.base_frame, int(preview.frames[place])
    for item in objects:
        name = f'{prefix}object/{item.name.replace(" ", "_")}'
        out.append(_transform(base, name, item.poses[frame], stamp))
    return TFMessage(transforms=out)


def still_transforms(chain: Iterable[str], stamp: Time) -> TFMessage:
    """Return frames laid onto each other, from the first one down."""
    pairs = pairwise(chain)
    return TFMessage(
        transforms=[_transform(parent, child, np.eye(4), stamp) for parent, child in pairs]
    )


def _marker(header: Header, group: str, number: int, kind: int, colour: ColorRGBA) -> Marker:
    marker = Marker(header=header, ns=group, id=number, type=kind, action=Marker.ADD, color=colour)
    marker.pose.orientation.w = 1.0
    return marker


def _transform(parent: str, child: str, child2parent: Matrix, stamp: Time) -> TransformStamped:
    return TransformStamped(
        header=Header(stamp=stamp, frame_id=parent),
        child_frame_id=child,
        transform=Transform(
            translation=_vector(child2parent[:3, 3]), rotation=_quaternion(child2parent)
        ),
    )


def _pose(matrix: Matrix) -> Pose:
    return Pose(position=_point(matrix[:3, 3]), orientation=_quaternion(matrix))


def _quaternion(matrix: Matrix) -> Quaternion:
    x, y, z, w = map(float, quaternion_from_matrix(matrix))
    return Quaternion(x=x, y=y, z=z, w=w)


def _shifted(translation: Matrix) -> Matrix:
    return se3.compose(np.eye(3), translation)


def _point(xyz: Matrix) -> Point:
    return Point(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def _vector(xyz: Matrix | tuple[float, float, float]) -> Vector3:
    return Vector3(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def _rgba(colour: Matrix, alpha: float) -> ColorRGBA:
    return ColorRGBA(r=float(colour[0]), g=float(colour[1]), b=float(colour[2]), a=alpha)
