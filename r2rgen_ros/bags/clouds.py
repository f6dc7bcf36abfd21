# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/PointCloud2 to clouds and back, in every layout found in the field.

A layout is read off a source message once; decoding and encoding then go through one numpy
structured type per layout, so no point is touched in Python.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags import messages
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.errors import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NATIVE_BIG = sys.byteorder == 'big'
FORMATS = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 8: 'f8'}
"""numpy types of sensor_msgs/PointField datatypes."""
PACKED = ('rgb', 'rgba')
SEPARATE = (('r', 'g', 'b'), ('red', 'green', 'blue'))
GREY = ('intensity', 'intensities', 'i', 'reflectivity')


@dataclass(frozen=True)
class Field:
    """One sensor_msgs/PointField."""

    name: str
    offset: int
    datatype: int
    count: int = 1


@dataclass(frozen=True)
class CloudLayout:
    """How points lie in a PointCloud2.

    Attributes:
        fields: In the order of the message.
        point_step: Bytes from one point to the next.
        row_padding: Bytes after the points of a row.
        is_bigendian: Byte order of the numbers.
        height: Rows of an organised cloud; 1 where it is not.
        width: Points in a row of an organised cloud; 0 where it is not, for the number varies.
        is_dense: What the source claimed; a written cloud states what is true of it.
        alpha: Highest byte of a packed colour.
        scale: What brings separate or grey colour values to 0-255.

    Raises:
        R2RGenError: A field lies outside the point, has an unknown type, or x, y, z are missing.

    """

    fields: tuple[Field, ...]
    point_step: int
    row_padding: int = 0
    is_bigendian: bool = NATIVE_BIG
    height: int = 1
    width: int = 0
    is_dense: bool = True
    alpha: int = 0
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Check the fields."""
        names = [field.name for field in self.fields]
        require(
            {'x', 'y', 'z'} <= set(names),
            f'a cloud has the fields {names}',
            'x, y and z among them',
        )
        for field in self.fields:
            require(
                field.datatype in FORMATS,
                f'cloud field "{field.name}" has the datatype {field.datatype}',
                'one of 1 to 8 (sensor_msgs/PointField)',
            )
            end = field.offset + np.dtype(FORMATS[field.datatype]).itemsize * max(field.count, 1)
            require(
                field.offset >= 0 and end <= self.point_step,
                f'cloud field "{field.name}" ends at byte {end} of a point',
                f'at most the point_step of {self.point_step}',
            )

    @classmethod
    def of(cls, message: Any) -> CloudLayout:
        """Read the layout off a message.

        Args:
            message: sensor_msgs/PointCloud2, of ROS 1 or ROS 2.

        Raises:
            R2RGenError: The message contradicts itself.

        """
        organised = message.height > 1
        layout = cls(
            tuple(Field(f.name, int(f.offset), int(f.datatype), int(f.count))
                  for f in message.fields),
            int(message.point_step),
            max(0, int(message.row_step) - int(message.width) * int(message.point_step)),
            bool(message.is_bigendian),
            int(message.height) if organised else 1,
            int(message.width) if organised else 0,
            bool(message.is_dense),
        )  # fmt: skip
        return layout._with_colour_scale(_records(message, layout))

    @property
    def is_organised(self) -> bool:
        """Whether the points form an image."""
        return self.height > 1

    @property
    def colour_fields(self) -> tuple[str, ...]:
        """Names of the fields that hold colour: one packed, three, one grey, or none."""
        names = {field.name for field in self.fields}
        for name in PACKED:
            if name in names and self._format(name)[1:] in ('f4', 'u4', 'i4'):
                return (name,)
        for three in SEPARATE:
            if names.issuperset(three):
                return three
        return next(((name,) for name in GREY if name in names), ())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type of one point; packed colours are whole numbers in it."""
        return _dtype(self)

    @property
    def extra_fields(self) -> tuple[str, ...]:
        """Names of the fields that are neither coordinates nor colour."""
        known = {'x', 'y', 'z', '', '_', *self.colour_fields}
        return tuple(field.name for field in self.fields if field.name not in known)

    def _format(self, name: str) -> str:
        field = next(field for field in self.fields if field.name == name)
        return ('>' if self.is_bigendian else '<') + FORMATS[field.datatype]

    def _with_colour_scale(self, records: NDArray[Any]) -> CloudLayout:
        names = self.colour_fields
        if not names or not records.size:
            return self
        if names[0] in PACKED:
            packed = records[names[0]].ravel()
            finite = np.isfinite(records['x'].ravel())
            first = packed[int(np.argmax(finite))]
            return replace(self, alpha=int(first) >> 24)
        kind = records.dtype[names[0]].kind
        if kind != 'f' and records.dtype[names[0]].itemsize == 1:
            return self
        with np.errstate(invalid='ignore'):
            top = float(np.nanmax([np.nanmax(records[name], initial=0.0) for name in names]))
        if not np.isfinite(top) or 1.0 < top <= 255.0 or top <= 0.0:
            return self
        return replace(self, scale=255.0 if top <= 1.0 else 255.0 / top)


STANDARD = CloudLayout((Field('x', 0, 7), Field('y', 4, 7), Field('z', 8, 7), Field('rgb', 12, 7)),
                       16)  # fmt: skip
"""x, y, z and a packed rgb, all FLOAT32: what RViz, PCL and sensor_msgs_py expect."""
LABELLED = CloudLayout((*STANDARD.fields, Field('label', 16, 6)), 20)
"""STANDARD and a UINT32 label, as PCL's PointXYZRGBL; RViz colours by it as a channel."""


@lru_cache(maxsize=256)
def _dtype(layout: CloudLayout) -> np.dtype[Any]:
    names, formats, offsets = [], [], []
    packed = set(layout.colour_fields) & set(PACKED)
    order = '>' if layout.is_bigendian else '<'
    for field in layout.fields:
        if not field.name or field.name in names:
            continue
        kind = 'u4' if field.name in packed else FORMATS[field.datatype]
        names.append(field.name)
        formats.append((order + kind, (field.count,)) if field.count > 1 else order + kind)
        offsets.append(field.offset)
    return np.dtype({
        'names': names, 'formats': formats, 'offsets': offsets, 'itemsize': layout.point_step,
    })  # fmt: skip


def _records(message: Any, layout: CloudLayout) -> NDArray[Any]:
    """The points (height, width) of a message as a structured array."""
    height, width = int(message.height), int(message.width)
    used = width * layout.point_step
    step = int(message.row_step) if height > 1 else max(int(message.row_step), used)
    data = np.asarray(message.data, dtype=np.uint8)
    # The last row may come without its padding.
    need = (height - 1) * step + used if height and width else 0
    require(
        len(data) >= need and (height <= 1 or step >= used),
        f'a cloud of {height} x {width} points holds {len(data)} bytes',
        f'at least {need}',
        'check the driver: row_step or data is wrong',
    )
    if height <= 1 or step == used:
        return data[: height * used].view(layout.dtype).reshape(height, width)
    if len(data) < height * step:
        data = np.pad(data, (0, height * step - len(data)))
    rows = data[: height * step].reshape(height, step)[:, :used]
    return np.ascontiguousarray(rows).view(layout.dtype).reshape(height, width)


def decode_cloud(
    message: Any, layout: CloudLayout | None = None
) -> tuple[Cloud, NDArray[np.bool_]]:
    """Turn a PointCloud2 into its valid points.

    Args:
        message: sensor_msgs/PointCloud2, of ROS 1 or ROS 2.
        layout: Its layout where known already.

    Returns:
        The points with finite coordinates, in the order of the message (row by row) and in the
        frame of the message, and a mask (height, width) of where they lie in it. Points without
        colour are grey.

    Raises:
        R2RGenError: The message contradicts itself or lacks x, y or z.

    """
    layout = CloudLayout.of(message) if layout is None else layout
    records = _records(message, layout)
    points, mask = _decode_points(records)
    colours = _decode_colours(records, layout)
    if mask.all():
        return Cloud(points.reshape(-1, 3), colours.reshape(-1, 3)), mask
    return Cloud(points[mask], colours[mask]), mask


def count_points(message: Any, layout: CloudLayout) -> int:
    """How many points of a PointCloud2 have finite coordinates: those that decoding it gives.

    Raises:
        R2RGenError: The message contradicts itself.

    """
    return int(np.count_nonzero(_decode_points(_records(message, layout))[1]))


def _decode_points(records: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Coordinates (H, W, 3), and which of the points (H, W) are finite."""
    points = np.empty((*records.shape, 3), dtype=np.float32)
    with np.errstate(over='ignore'):
        for axis, name in enumerate('xyz'):
            points[..., axis] = records[name]
    # One sum is finite exactly when all three are, and it saves two passes.
    with np.errstate(over='ignore', invalid='ignore'):
        return points, np.isfinite(points.sum(axis=-1, dtype=np.float64))


def _decode_colours(records: NDArray[Any], layout: CloudLayout) -> NDArray[np.uint8]:
    names = layout.colour_fields
    colours = np.full((*records.shape, 3), 128, dtype=np.uint8)
    if names and names[0] in PACKED:
        packed = records[names[0]]
        for channel, shift in enumerate((16, 8, 0)):
            colours[..., channel] = (packed >> shift) & 0xFF
    elif names:
        for channel in range(3):
            values = records[names[channel % len(names)]]
            if values.dtype == np.uint8:
                colours[..., channel] = values
            else:
                scaled = np.nan_to_num(values.astype(np.float64) * layout.scale)
                colours[..., channel] = np.clip(np.rint(scaled), 0, 255)
    return colours


def decode_field(message: Any, name: str, layout: CloudLayout | None = None) -> NDArray[Any]:
    """Values (height, width) of one field of a PointCloud2, for example its labels.

    Raises:
        R2RGenError: The message has no such field.

    """
    layout = CloudLayout.of(message) if layout is None else layout
    records = _records(message, layout)
    names = list(records.dtype.names or ())
    require(name in names, f'a cloud has no field "{name}"', f'one of {names}')
    return records[name]


def encode_cloud(
    cloud: Cloud,
    layout: CloudLayout,
    frame: str,
    stamp_ns: int,
    *,
    mask: NDArray[np.bool_] | None = None,
    extra: Mapping[str, NDArray[Any]] | None = None,
) -> Any:
    """Turn a cloud into a PointCloud2 of a layout.

    Args:
        cloud: N points in `frame`.
        layout: How to lay them out.
        frame: Name of the frame.
        stamp_ns: Header stamp, nanoseconds.
        mask: (height, width) of where the points lie in an organised cloud; the rest becomes NaN.
            Without it an organised layout takes N = height x width points; any other number is
            written as one row, for it is no longer an image.
        extra: (N,) values of further fields by name; those not given are zero.

    Returns:
        sensor_msgs/PointCloud2 with a truthful `is_dense`.

    Raises:
        R2RGenError: The mask does not fit.

    """
    shape = _shape(len(cloud), layout, mask)
    records = np.zeros(shape, dtype=layout.dtype)
    holes = mask is not None and not mask.all()
    if holes:
        for name in 'xyz':
            records[name] = np.nan
    filled = np.zeros(len(cloud), dtype=layout.dtype) if holes else records.reshape(-1)
    for axis, name in enumerate('xyz'):
        filled[name] = cloud.points[:, axis]
    _encode_colours(filled, cloud.colours, layout)
    for name, values in (extra or {}).items():
        filled[name] = values
    if holes:
        records[mask] = filled
    dense = not holes and bool(np.isfinite(cloud.points).all())
    return _message(records, layout, frame, stamp_ns, dense)


def _shape(count: int, layout: CloudLayout, mask: NDArray[np.bool_] | None) -> tuple[int, int]:
    if mask is not None:
        marked = int(np.count_nonzero(mask))
        require(marked == count, f'a mask marks {marked} points', f'the {count} of the cloud')
        height, width = mask.shape
        return height, width
    if layout.is_organised and count == layout.height * layout.width:
        return layout.height, layout.width
    return 1, count


def _encode_colours(records: NDArray[Any], colours: NDArray[np.uint8], layout: CloudLayout) -> None:
    names = layout.colour_fields
    if not names:
        return
    if names[0] in PACKED:
        wide = colours.astype(np.uint32)
        packed = (wide[:, 0] << 16) | (wide[:, 1] << 8) | wide[:, 2]
        records[names[0]] = packed | np.uint32(layout.alpha << 24)
    elif len(names) == 3:
        for channel, name in enumerate(names):
            records[name] = _scaled(colours[:, channel], layout, records.dtype[name])
    else:
        grey = colours.astype(np.float64).mean(axis=1)
        records[names[0]] = _scaled(grey, layout, records.dtype[names[0]])


def _scaled(values: NDArray[Any], layout: CloudLayout, kind: np.dtype[Any]) -> NDArray[Any]:
    unscaled = values / layout.scale if layout.scale != 1.0 else values
    return unscaled if kind.kind == 'f' else np.rint(unscaled)


def _message(
    records: NDArray[Any], layout: CloudLayout, frame: str, stamp_ns: int, dense: bool
) -> Any:
    height, width = records.shape
    used = width * layout.point_step
    # Padding is that of the source only where the rows are those of the source.
    padding = layout.row_padding if width == layout.width or height == 1 else 0
    data = records.reshape(-1).view(np.uint8)
    if padding > 0:
        padded = np.zeros((height, used + padding), dtype=np.uint8)
        padded[:, :used] = data.reshape(height, used)
        data = padded.reshape(-1)
    return messages.message_class(messages.POINT_CLOUD)(
        messages.header(stamp_ns, frame),
        height,
        width,
        list(_point_fields(layout.fields)),
        layout.is_bigendian,
        layout.point_step,
        used + max(padding, 0),
        data,
        dense,
    )


@lru_cache(maxsize=256)
def _point_fields(fields: tuple[Field, ...]) -> tuple[Any, ...]:
    kind = messages.message_class('sensor_msgs/msg/PointField')
    return tuple(kind(field.name, field.offset, field.datatype, field.count) for field in fields)
