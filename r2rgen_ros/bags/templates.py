# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Many messages of one shape at once: serialized once, then filled in as arrays.

Messages that differ only in numbers have the same length and layout. Where the numbers lie is not
worked out here but asked of the serializer: it writes the message with one value and with another,
and the bytes that differ are the number's. Each template is checked against the serializer.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Build = Callable[[list[NDArray[Any]]], Any]


class Template:
    """Messages of one shape.

    Args:
        build: Makes a message of one array per field.
        fields: Per field, the numpy type and the count of its numbers.

    """

    def __init__(self, build: Build, fields: Sequence[tuple[str, int]]) -> None:
        self._types = [np.dtype(kind).newbyteorder('<') for kind, _ in fields]
        empty = [np.zeros(count, dtype=kind) for kind, count in fields]
        self._blank = _bytes(build(empty))
        self._places = []
        for field, (kind, count) in enumerate(fields):
            values = list(empty)
            values[field] = np.frombuffer(b'\x11' * (count * np.dtype(kind).itemsize), dtype=kind)
            self._places.append(np.flatnonzero(_bytes(build(values)) != self._blank))
        self._verify(build, fields)

    def _verify(self, build: Build, fields: Sequence[tuple[str, int]]) -> None:
        values = [np.arange(1, count + 1).astype(kind) for kind, count in fields]
        filled = self.fill([value[None] for value in values])[0]
        if bytes(filled) != _bytes(build(values)).tobytes():
            raise AssertionError('a message template does not agree with the serializer')

    def fill(self, values: Sequence[NDArray[Any]]) -> list[memoryview]:
        """Serialize K messages.

        Args:
            values: Per field an array (K, count).

        Returns:
            K messages as little-endian CDR.

        """
        rows = len(values[0])
        out = np.empty((rows, len(self._blank)), dtype=np.uint8)
        out[:] = self._blank
        for kind, places, array in zip(self._types, self._places, values, strict=True):
            if places.size:
                numbers = np.ascontiguousarray(array, dtype=kind).reshape(
                    rows, places.size // kind.itemsize
                )
                out[:, places] = numbers.view(np.uint8).reshape(rows, places.size)
        flat = out.reshape(-1).data
        size = len(self._blank)
        return [flat[start : start + size] for start in range(0, rows * size, size)]


def _bytes(message: Any) -> NDArray[np.uint8]:
    return np.frombuffer(messages.serialize(message), dtype=np.uint8)


def clock(stamps: NDArray[np.int64]) -> list[NDArray[Any]]:
    """Fields of stamps (...): seconds int32 and nanoseconds uint32."""
    seconds, rest = np.divmod(stamps, messages.NS_PER_S)
    return [seconds.astype(np.int32), rest.astype(np.uint32)]


def joint_template(
    names: tuple[str, ...], frame: str, positions: int, velocities: int, efforts: int
) -> Template:
    """sensor_msgs/JointState: seconds, nanoseconds, positions, velocities, efforts."""

    def build(values: list[NDArray[Any]]) -> Any:
        message = messages.joint_state(0, names, values[2], values[3], values[4], frame)
        return _stamped(message, values)

    sizes = [('f8', count) for count in (positions, velocities, efforts)]
    return Template(build, [('i4', 1), ('u4', 1), *sizes])


def transform_template(edges: tuple[tuple[str, str], ...]) -> Template:
    """tf2_msgs/TFMessage of E edges: E seconds, E nanoseconds, E times x y z and x y z w."""

    def build(values: list[NDArray[Any]]) -> Any:
        numbers = values[2].reshape(-1, 7).tolist()
        items = []
        for place, (parent, child) in enumerate(edges):
            row = numbers[place]
            item = messages.transform(0, parent, child, row[:3], row[3:])
            items.append(_stamped(item, [values[0][place : place + 1], values[1][place:]]))
        return messages.tf_message(items)

    return Template(build, [('i4', len(edges)), ('u4', len(edges)), ('f8', 7 * len(edges))])


def pose_template(frame: str) -> Template:
    """geometry_msgs/PoseStamped: seconds, nanoseconds, x y z and x y z w."""

    def build(values: list[NDArray[Any]]) -> Any:
        row = values[2].tolist()
        return _stamped(messages.pose_stamped(0, frame, row[:3], row[3:]), values)

    return Template(build, [('i4', 1), ('u4', 1), ('f8', 7)])


def odometry_template(frame: str, child: str) -> Template:
    """nav_msgs/Odometry: seconds, nanoseconds, pose, covariance, twist, covariance."""

    def build(values: list[NDArray[Any]]) -> Any:
        return _stamped(messages.odometry(0, frame, child, *values[2:]), values)

    return Template(build, [('i4', 1), ('u4', 1), ('f8', 7), ('f8', 36), ('f8', 6), ('f8', 36)])


def number_template(msgtype: str) -> Template:
    """std_msgs/Float32 or Float64: one number."""
    kind = 'f4' if msgtype == messages.FLOAT32 else 'f8'
    return Template(lambda values: messages.number(values[0][0], msgtype), [(kind, 1)])


def header_template(message: Any) -> Template:
    """Any message with a header, of which only the stamp changes: seconds, nanoseconds."""
    own = deepcopy(message)
    return Template(lambda values: _stamped(own, values), [('i4', 1), ('u4', 1)])


def _stamped(message: Any, values: list[NDArray[Any]]) -> Any:
    message.header.stamp = messages.message_class('builtin_interfaces/msg/Time')(
        int(values[0][0]), int(values[1][0])
    )
    return message
