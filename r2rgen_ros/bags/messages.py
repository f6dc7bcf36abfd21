# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Standard messages from arrays: what this package writes.

Everything is written with the definitions of ROS 2 Humble, the oldest supported distribution. The
types used here have the same fields, and so the same RIHS01 hash, in Humble, Iron, Jazzy, Kilted
and Lyrical; so each of them replays the bags.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from rosbags.typesys import Stores, get_typestore

from r2rgen_ros.geometry import se3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from rosbags.typesys.store import Typestore

    from r2rgen_ros.geometry.camera import PinholeCamera

    Numbers = Sequence[float] | NDArray[np.float64]

CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
FLOAT32 = 'std_msgs/msg/Float32'
FLOAT64 = 'std_msgs/msg/Float64'
IMAGE = 'sensor_msgs/msg/Image'
JOINT_STATE = 'sensor_msgs/msg/JointState'
ODOMETRY = 'nav_msgs/msg/Odometry'
PATH = 'nav_msgs/msg/Path'
POINT_CLOUD = 'sensor_msgs/msg/PointCloud2'
POSE_STAMPED = 'geometry_msgs/msg/PoseStamped'
STRING = 'std_msgs/msg/String'
TF = 'tf2_msgs/msg/TFMessage'

NS_PER_S = 1_000_000_000
NO_NUMBERS = np.zeros(0)


@lru_cache(maxsize=1)
def store() -> Typestore:
    """The definitions that everything is written with (loaded on first use)."""
    return get_typestore(Stores.ROS2_HUMBLE)


def message_class(name: str) -> Any:
    """The class of a message type, for example 'sensor_msgs/msg/Image'."""
    return store().types[name]


@lru_cache(maxsize=64)
def definition(name: str) -> tuple[str, str]:
    """Text of a type's definition with all it depends on, and its RIHS01 hash (REP-2016)."""
    return store().generate_msgdef(name, ros_version=2)[0], store().hash_rihs01(name)


def serialize(message: Any) -> memoryview:
    """A message as little-endian CDR."""
    return store().serialize_cdr(message, message.__msgtype__)


def standard_type(msgtype: str) -> str:
    """The ROS 2 name of a message type of ROS 1."""
    return TF if msgtype == 'tf/msg/tfMessage' else msgtype


def as_standard(message: Any, msgtype: str) -> Any:
    """A copy of a message, of whatever bag, as an object of the standard definitions.

    ROS 1 spells the fields of CameraInfo in capitals; those are found as well.

    Raises:
        AttributeError: The message lacks a field.

    """
    kind = standard_type(msgtype)
    names = [name for name, _ in store().get_msgdef(kind).fields]
    shallow = message_class(kind)(
        *(getattr(message, name if hasattr(message, name) else name.upper()) for name in names)
    )
    return store().deserialize_cdr(bytes(store().serialize_cdr(shallow, kind)), kind)


def time(stamp_ns: int) -> Any:
    """builtin_interfaces/Time of int64 nanoseconds."""
    seconds, rest = divmod(int(stamp_ns), NS_PER_S)
    return message_class('builtin_interfaces/msg/Time')(seconds, rest)


def header(stamp_ns: int, frame: str) -> Any:
    """std_msgs/Header of int64 nanoseconds and a frame name."""
    return message_class('std_msgs/msg/Header')(time(stamp_ns), frame)


def stamp_ns(head: Any) -> int:
    """Nanoseconds of the stamp of a header (of ROS 1 or ROS 2)."""
    return int(head.stamp.sec) * NS_PER_S + int(head.stamp.nanosec)


def string(text: str) -> Any:
    """std_msgs/String."""
    return message_class(STRING)(text)


def number(value: float, msgtype: str = FLOAT64) -> Any:
    """std_msgs/Float64 or Float32."""
    return message_class(msgtype)(float(value))


def joint_state(
    stamp: int,
    names: Sequence[str],
    position: NDArray[np.float64],
    velocity: NDArray[np.float64] = NO_NUMBERS,
    effort: NDArray[np.float64] = NO_NUMBERS,
    frame: str = '',
) -> Any:
    """sensor_msgs/JointState; empty arrays mean "not known".

    Args:
        stamp: Nanoseconds.
        names: J joint names.
        position: (J,) rad or m, or empty.
        velocity: (J,) rad/s or m/s, or empty.
        effort: (J,) N m or N, or empty.
        frame: Usually empty.

    """
    arrays = [np.ascontiguousarray(x, dtype=np.float64) for x in (position, velocity, effort)]
    return message_class(JOINT_STATE)(header(stamp, frame), list(names), *arrays)


def _vector(kind: str, xyz: Numbers) -> Any:
    return message_class(f'geometry_msgs/msg/{kind}')(float(xyz[0]), float(xyz[1]), float(xyz[2]))


def _quaternion(xyzw: Numbers) -> Any:
    return message_class('geometry_msgs/msg/Quaternion')(*(float(value) for value in xyzw))


def transform(
    stamp: int, parent: str, child: str, translation: Numbers, quaternion: Numbers
) -> Any:
    """geometry_msgs/TransformStamped from metres and x, y, z, w."""
    body = message_class('geometry_msgs/msg/Transform')(
        _vector('Vector3', translation), _quaternion(quaternion)
    )
    kind = message_class('geometry_msgs/msg/TransformStamped')
    return kind(header(stamp, parent), child, body)


def transform_matrix(stamp: int, parent: str, child: str, child2parent: NDArray[np.float64]) -> Any:
    """geometry_msgs/TransformStamped from a matrix (4, 4)."""
    translation, quaternion = se3.to_quaternion(child2parent)
    return transform(stamp, parent, child, translation, quaternion)


def tf_message(transforms: Sequence[Any]) -> Any:
    """tf2_msgs/TFMessage of some TransformStamped."""
    return message_class(TF)(list(transforms))


def pose(translation: Numbers, quaternion: Numbers) -> Any:
    """geometry_msgs/Pose from metres and x, y, z, w."""
    return message_class('geometry_msgs/msg/Pose')(
        _vector('Point', translation), _quaternion(quaternion)
    )


def odometry(
    stamp: int, frame: str, child: str, pose_row: Numbers, pose_spread: Numbers,
    twist_row: Numbers, twist_spread: Numbers,
) -> Any:  # fmt: skip
    """nav_msgs/Odometry.

    Args:
        stamp: Nanoseconds.
        frame: Frame of the pose, such as odom.
        child: Frame whose pose it is, and that the twist is expressed in.
        pose_row: (7,) x y z, metres, and x y z w.
        pose_spread: (36,) its covariance.
        twist_row: (6,) m/s and rad/s.
        twist_spread: (36,) its covariance.

    """
    twist = message_class('geometry_msgs/msg/Twist')(
        _vector('Vector3', twist_row[:3]), _vector('Vector3', twist_row[3:])
    )
    return message_class(ODOMETRY)(
        header(stamp, frame),
        child,
        message_class('geometry_msgs/msg/PoseWithCovariance')(
            pose(pose_row[:3], pose_row[3:]), np.asarray(pose_spread, dtype=np.float64)
        ),
        message_class('geometry_msgs/msg/TwistWithCovariance')(
            twist, np.asarray(twist_spread, dtype=np.float64)
        ),
    )


def pose_stamped(stamp: int, frame: str, translation: Numbers, quaternion: Numbers) -> Any:
    """geometry_msgs/PoseStamped from metres and x, y, z, w."""
    return message_class(POSE_STAMPED)(header(stamp, frame), pose(translation, quaternion))


def path(frame: str, stamps: Sequence[int], poses: NDArray[np.float64]) -> Any:
    """nav_msgs/Path, stamped with its first pose.

    Args:
        frame: Frame of the poses.
        stamps: (T,) nanoseconds.
        poses: (T, 4, 4) in that frame.

    """
    translations, quaternions = se3.to_quaternion(poses)
    stamped = [
        pose_stamped(int(stamp), frame, place, turn)
        for stamp, place, turn in zip(
            stamps, translations.tolist(), quaternions.tolist(), strict=True
        )
    ]
    return message_class(PATH)(header(int(stamps[0]) if len(stamps) else 0, frame), stamped)


def camera_info(stamp: int, frame: str, camera: PinholeCamera) -> Any:
    """sensor_msgs/CameraInfo of a rectified camera without distortion.

    Args:
        stamp: Nanoseconds.
        frame: Optical frame.
        camera: Intrinsics.

    """
    projection = np.zeros((3, 4))
    projection[:, :3] = camera.matrix
    region = message_class('sensor_msgs/msg/RegionOfInterest')(0, 0, 0, 0, False)
    return message_class(CAMERA_INFO)(
        header(stamp, frame),
        camera.height,
        camera.width,
        'plumb_bob',
        np.zeros(5),
        camera.matrix.reshape(-1),
        np.eye(3).reshape(-1),
        projection.reshape(-1),
        0,
        0,
        region,
    )


def image(stamp: int, frame: str, pixels: NDArray[Any], encoding: str) -> Any:
    """sensor_msgs/Image of an array (H, W) or (H, W, C), without padding, in native byte order."""
    rows = np.ascontiguousarray(pixels)
    height, width = rows.shape[:2]
    return message_class(IMAGE)(
        header(stamp, frame),
        height,
        width,
        encoding,
        int(rows.dtype.byteorder == '>'),
        rows.nbytes // max(height, 1),
        rows.reshape(-1).view(np.uint8),
    )


def compressed_image(stamp: int, frame: str, data: bytes, form: str) -> Any:
    """sensor_msgs/CompressedImage of encoded bytes."""
    body = np.frombuffer(data, dtype=np.uint8)
    return message_class(COMPRESSED_IMAGE)(header(stamp, frame), form, body)
