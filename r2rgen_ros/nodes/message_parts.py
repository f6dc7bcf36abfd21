# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What messages for RViz and for people are put together from, out of arrays and numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Pose, Quaternion, Transform, TransformStamped, Vector3
from sensor_msgs.msg import PointField
from std_msgs.msg import ColorRGBA, Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker

from r2rgen_ros.bags.messages import NS_PER_S
from r2rgen_ros.nodes.ros_extras import create_cloud, quaternion_from_matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from sensor_msgs.msg import PointCloud2

    Numbers = Sequence[float] | NDArray[np.float64]

_POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('rgb', '<f4'), ('label', '<u4')])
_KINDS = {'f': PointField.FLOAT32, 'u': PointField.UINT32}
_FIELDS = [
    PointField(name=name, offset=4 * place, datatype=_KINDS[_POINT[name].kind], count=1)
    for place, name in enumerate(_POINT.names or ())
]


def time_message(stamp_ns: int) -> Time:
    """Return int64 nanoseconds as a message."""
    seconds, rest = divmod(int(stamp_ns), NS_PER_S)
    return Time(sec=seconds, nanosec=rest)


def duration_message(span_ns: int) -> Duration:
    """Return int64 nanoseconds between two times as a message."""
    seconds, rest = divmod(int(span_ns), NS_PER_S)
    return Duration(sec=seconds, nanosec=rest)


def point_message(xyz: Numbers) -> Point:
    """Return a place (3,), metres, as a message."""
    x, y, z = map(float, xyz)
    return Point(x=x, y=y, z=z)


def vector_message(xyz: Numbers) -> Vector3:
    """Return a vector (3,), or the three scales of a marker, as a message."""
    x, y, z = map(float, xyz)
    return Vector3(x=x, y=y, z=z)


def quaternion_message(a2b: NDArray[np.float64]) -> Quaternion:
    """Return the rotation of a transform (4, 4) as a message."""
    x, y, z, w = map(float, quaternion_from_matrix(a2b))
    return Quaternion(x=x, y=y, z=z, w=w)


def pose_message(a2b: NDArray[np.float64]) -> Pose:
    """Return a transform (4, 4), metres, as the pose of frame A in frame B."""
    return Pose(position=point_message(a2b[:3, 3]), orientation=quaternion_message(a2b))


def colour_message(rgb: Numbers, alpha: float = 1.0) -> ColorRGBA:
    """Return a colour (3,), 0 to 1, as a message; alpha 1 is opaque."""
    red, green, blue = map(float, rgb)
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)


def transform_message(
    parent: str, child: str, child2parent: NDArray[np.float64], stamp: Time
) -> TransformStamped:
    """Return where a frame is in another one.

    Args:
        parent: Name of the other frame.
        child: Name of the frame.
        child2parent: (4, 4), metres.
        stamp: When this holds.

    """
    return TransformStamped(
        header=Header(stamp=stamp, frame_id=parent),
        child_frame_id=child,
        transform=Transform(
            translation=vector_message(child2parent[:3, 3]),
            rotation=quaternion_message(child2parent),
        ),
    )


def still_transforms(chain: Iterable[str], stamp: Time) -> TFMessage:
    """Return frames laid onto each other, from the first one, the parent of all, down."""
    return TFMessage(
        transforms=[
            transform_message(parent, child, np.eye(4), stamp) for parent, child in pairwise(chain)
        ]
    )


def labelled_cloud(
    header: Header,
    points: NDArray[np.floating],
    colours: NDArray[np.uint8],
    labels: NDArray[np.unsignedinteger],
) -> PointCloud2:
    """Return a cloud with the fields x, y, z, rgb and label.

    Args:
        header: Its frame is that of the points.
        points: (N, 3), finite, metres.
        colours: (N, 3).
        labels: (N,), see `r2rgen_ros.model.scene`.

    """
    records = np.zeros(len(points), dtype=_POINT)
    for axis, name in enumerate('xyz'):
        records[name] = points[:, axis]
    red, green, blue = colours.T.astype('<u4')
    records['rgb'] = ((red << 16) | (green << 8) | blue).view('<f4')
    records['label'] = labels
    cloud = create_cloud(header, _FIELDS, records)
    cloud.is_dense = True
    return cloud


def marker_message(
    header: Header, group: str, number: int, kind: int, rgb: Numbers, alpha: float = 1.0
) -> Marker:
    """Return a marker to be added, at the origin of its frame until it is moved.

    Args:
        header: Its frame, and its stamp; no stamp means now to RViz.
        group: Its namespace.
        number: Its number, unique within the group.
        kind: One of Marker's types.
        rgb: Its colour (3,), 0 to 1.
        alpha: 1 is opaque.

    """
    marker = Marker(header=header, ns=group, id=number, type=kind, action=Marker.ADD)
    marker.color = colour_message(rgb, alpha)
    marker.pose.orientation.w = 1.0
    return marker


def clear_message(header: Header) -> Marker:
    """Return the marker that removes all markers before it."""
    return Marker(header=header, action=Marker.DELETEALL)
