# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth and colour images to arrays and back, raw and compressed.

Depth is 32FC1 in metres (REP-118: NaN where invalid) or 16UC1 in millimetres (0 where invalid), as
OpenNI and most drivers publish it. What is read as one of them is written as the same.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as Pillow

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.rvl import decode_rvl, encode_rvl, rvl_size
from r2rgen_ros.model.errors import R2RGenError, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

MILLIMETRES = ('16UC1', 'mono16')
METRES = ('32FC1',)
DEPTH_ENCODINGS = (*MILLIMETRES, *METRES)
CHANNELS = {
    'rgb8': (0, 1, 2),
    'bgr8': (2, 1, 0),
    'rgba8': (0, 1, 2),
    'bgra8': (2, 1, 0),
    '8UC3': (2, 1, 0),  # what OpenCV's bridge makes of an unnamed colour image
    'mono8': (0, 0, 0),
    '8UC1': (0, 0, 0),
}
"""Where red, green and blue lie among a pixel's bytes."""
BYTES = {'rgba8': 4, 'bgra8': 4, 'mono8': 1, '8UC1': 1}
COMPRESSED_DEPTH = 'compressedDepth'
CONFIG_HEADER = struct.Struct('<iff')
"""compressed_depth_image_transport's ConfigHeader: format, and the two quantisation parameters."""
PNG = b'\x89PNG'
LARGEST_MM = 65535


@dataclass(frozen=True)
class ImageCoding:
    """How pixels lie in an Image or CompressedImage.

    Attributes:
        encoding: Of the pixels, as in sensor_msgs/Image: '16UC1', 'rgb8' and so on.
        form: `format` of a CompressedImage; empty for a raw Image.
        padding: Bytes after the pixels of a row.
        is_bigendian: Byte order of the numbers.
        zero_holes: Whether 32FC1 holds 0 where there is no depth, as some drivers have it, instead
            of NaN.
        quantisation: (a, b) of a compressedDepth image of 32FC1: depth = a / (value - b).
        prefix: Whether a ConfigHeader is before the PNG or the RVL code.

    """

    encoding: str
    form: str = ''
    padding: int = 0
    is_bigendian: bool = False
    zero_holes: bool = False
    quantisation: tuple[float, float] = (0.0, 0.0)
    prefix: bool = False

    @classmethod
    def of(cls, message: Any) -> ImageCoding:
        """Read the coding off a sensor_msgs/Image or CompressedImage.

        Raises:
            R2RGenError: The format is not one of those read here.

        """
        if hasattr(message, 'format'):
            return _compressed_coding(message)
        encoding = str(message.encoding)
        width = int(message.width) * pixel_bytes(encoding)
        coding = cls(encoding, '', max(0, int(message.step) - width), bool(message.is_bigendian))
        if encoding in METRES:
            values = _raw_depth(message, coding)
            if (values == 0.0).any() and not np.isnan(values).any():
                return replace(coding, zero_holes=True)
        return coding

    @property
    def is_depth(self) -> bool:
        """Whether the encoding is one of depth."""
        return self.encoding in DEPTH_ENCODINGS

    @property
    def is_compressed(self) -> bool:
        """Whether it is a CompressedImage."""
        return bool(self.form)

    @property
    def is_rvl(self) -> bool:
        """Whether it is depth in RVL code, not in a PNG."""
        return _is_rvl(self.form)


def _is_rvl(form: str) -> bool:
    return COMPRESSED_DEPTH in form and 'rvl' in form.lower()


def pixel_bytes(encoding: str) -> int:
    """Bytes of a pixel of an encoding.

    Raises:
        R2RGenError: The encoding is not one of those read here.

    """
    if encoding in MILLIMETRES:
        return 2
    if encoding in METRES:
        return 4
    if encoding not in CHANNELS:
        raise R2RGenError(
            f'an image has the encoding "{encoding}"',
            f'one of {sorted([*DEPTH_ENCODINGS, *CHANNELS])}',
            'convert it with image_proc or the camera driver',
        )
    return BYTES.get(encoding, 3)


def _compressed_coding(message: Any) -> ImageCoding:
    form = str(message.format)
    data = bytes(message.data)
    encoding = form.split(';')[0].strip()
    if COMPRESSED_DEPTH in form:
        require(
            encoding in DEPTH_ENCODINGS, f'a compressed depth image has the format "{form}"',
            'one that begins with 16UC1 or 32FC1',
        )  # fmt: skip
        prefix = _is_rvl(form) or not data.startswith(PNG)
        require(
            not prefix or len(data) > CONFIG_HEADER.size, 'a compressed depth image has no pixels'
        )
        _, a, b = CONFIG_HEADER.unpack_from(data) if prefix else (0, 0.0, 0.0)
        return ImageCoding(encoding, form, quantisation=(a, b), prefix=prefix)
    if data.startswith(PNG) and _png_depth_bits(data) == 16 and encoding not in CHANNELS:
        return ImageCoding(encoding if encoding in MILLIMETRES else '16UC1', form)
    return ImageCoding(encoding if encoding in CHANNELS else 'rgb8', form or 'jpeg')


def _png_depth_bits(data: bytes) -> int:
    # PNG (ISO 15948) 11.2.1: the bit depth and colour type follow width and height in IHDR.
    grey = len(data) > 25 and data[25] == 0
    return data[24] if grey else 0


def _rows(message: Any, kind: str, count: int, coding: ImageCoding) -> NDArray[Any]:
    """Pixels (H, W, count) of a raw image, in its own byte order."""
    order = '>' if coding.is_bigendian else '<'
    dtype = np.dtype(order + kind)
    height, width = int(message.height), int(message.width)
    used = width * count * dtype.itemsize
    step = used + coding.padding
    data = np.asarray(message.data, dtype=np.uint8)
    need = (height - 1) * step + used if height and width else 0
    require(
        height > 0 and width > 0 and len(data) >= need,
        f'an image of {width} x {height} pixels ({coding.encoding}) holds {len(data)} bytes',
        f'at least {max(need, 1)}',
        'check the driver: step or data is wrong',
    )
    if coding.padding:
        data = np.pad(data, (0, max(0, height * step - len(data))))
        data = np.ascontiguousarray(data[: height * step].reshape(height, step)[:, :used])
    return data.reshape(-1)[: height * used].view(dtype).reshape(height, width, count)


@lru_cache(maxsize=1)
def _metres_of_millimetres() -> NDArray[np.float32]:
    table = np.arange(LARGEST_MM + 1, dtype=np.float32) / np.float32(1000.0)
    table[0] = np.nan
    table.flags.writeable = False
    return table


def _raw_depth(message: Any, coding: ImageCoding) -> NDArray[Any]:
    kind = 'u2' if coding.encoding in MILLIMETRES else 'f4'
    return _rows(message, kind, 1, coding)[..., 0]


def _packed_depth(message: Any, coding: ImageCoding) -> NDArray[np.uint16]:
    data = bytes(message.data)[CONFIG_HEADER.size if coding.prefix else 0 :]
    if coding.is_rvl:
        return decode_rvl(data)
    pixels = np.asarray(_opened(data))
    require(
        pixels.ndim == 2, f'a compressed depth image has the shape {pixels.shape}', 'one channel'
    )
    return pixels.astype(np.uint16)


def _opened(data: bytes) -> Pillow.Image:
    try:
        picture = Pillow.open(io.BytesIO(data))
        picture.load()
    except Exception as err:
        raise R2RGenError(
            f'a compressed image cannot be decoded ({err})', 'a JPEG or PNG', 'record it again'
        ) from err
    return picture


def decode_depth(message: Any, coding: ImageCoding | None = None) -> NDArray[np.float32]:
    """Turn a depth image into metres.

    Args:
        message: sensor_msgs/Image (16UC1, mono16, 32FC1) or a PNG or compressedDepth (PNG or RVL)
            CompressedImage.
        coding: Its coding where known already.

    Returns:
        (H, W) float32 metres along the optical axis; NaN where there is no depth.

    Raises:
        R2RGenError: The encoding is not one of depth, or the data is too short.

    """
    coding = ImageCoding.of(message) if coding is None else coding
    require(
        coding.is_depth,
        f'an image has the encoding "{coding.encoding}", which is no depth',
        f'one of {DEPTH_ENCODINGS}',
    )
    if coding.encoding in MILLIMETRES:
        raw = _packed_depth(message, coding) if coding.form else _raw_depth(message, coding)
        return np.asarray(_metres_of_millimetres()[raw])
    if coding.form:
        return _dequantised(_packed_depth(message, coding), coding.quantisation)
    depth = _raw_depth(message, coding).astype(np.float32)
    with np.errstate(invalid='ignore'):
        depth[~((depth > 0.0) & (depth < np.inf))] = np.nan
    return depth


def _dequantised(
    values: NDArray[np.uint16], quantisation: tuple[float, float]
) -> NDArray[np.float32]:
    a, b = quantisation
    with np.errstate(divide='ignore', invalid='ignore'):
        depth = np.where(values > 0, a / (values.astype(np.float64) - b), np.nan)
    return np.asarray(depth, dtype=np.float32)


def check_units(depth: NDArray[np.float32], topic: str) -> None:
    """Raise where depth in metres is so far away that it must be millimetres.

    Raises:
        R2RGenError: The median depth is over 100 m.

    """
    valid = depth[np.isfinite(depth)]
    if valid.size and float(np.median(valid)) > 100.0:
        raise R2RGenError(
            f'the median depth of {topic} is {np.median(valid):.0f} m, which looks like'
            ' millimetres',
            'metres in 32FC1 (REP-118)',
            'publish it as 16UC1, or divide it by 1000',
        )


def encode_depth(
    depth: NDArray[np.float32], coding: ImageCoding | str, frame: str, stamp_ns: int
) -> Any:
    """Turn metres into a depth image.

    Args:
        depth: (H, W) metres; NaN where there is no depth.
        coding: How the source was coded, or an encoding.
        frame: Optical frame.
        stamp_ns: Header stamp, nanoseconds.

    Returns:
        sensor_msgs/Image or CompressedImage. Millimetres are rounded, halves to even; what is
        farther than 65.535 m has no value in them and becomes invalid.

    """
    coding = ImageCoding(coding) if isinstance(coding, str) else coding
    require(
        coding.is_depth, f'depth cannot be written as "{coding.encoding}"', f'{DEPTH_ENCODINGS}'
    )
    if coding.encoding in MILLIMETRES:
        values = millimetres(depth)
        if coding.form:
            return _packed_message(values, coding, frame, stamp_ns)
        return _raw_message(values, coding, frame, stamp_ns)
    if coding.form:
        return _packed_message(_quantised(depth, coding.quantisation), coding, frame, stamp_ns)
    metres = np.asarray(depth, dtype=np.float32)
    if coding.zero_holes:
        metres = np.where(np.isnan(metres), np.float32(0.0), metres)
    return _raw_message(metres, coding, frame, stamp_ns)


def millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """(H, W) uint16 of metres, halves to even, 0 where NaN, not positive or too far."""
    with np.errstate(invalid='ignore', over='ignore'):
        scaled = np.rint(depth * np.float32(1000.0))
        return np.where((scaled > 0) & (scaled <= LARGEST_MM), scaled, 0).astype(np.uint16)


def _quantised(depth: NDArray[np.float32], quantisation: tuple[float, float]) -> NDArray[np.uint16]:
    a, b = quantisation
    with np.errstate(divide='ignore', invalid='ignore'):
        values = np.rint(a / depth.astype(np.float64) + b)
        return np.where((values > 0) & (values <= LARGEST_MM), values, 0).astype(np.uint16)


def _raw_message(pixels: NDArray[Any], coding: ImageCoding, frame: str, stamp_ns: int) -> Any:
    if coding.is_bigendian:
        pixels = pixels.astype(pixels.dtype.newbyteorder('>'))
    message = messages.image(stamp_ns, frame, pixels, coding.encoding)
    message.is_bigendian = int(coding.is_bigendian)
    if coding.padding:
        rows = message.data.reshape(message.height, message.step)
        padded = np.pad(rows, ((0, 0), (0, coding.padding)))
        message.data, message.step = padded.reshape(-1), padded.shape[1]
    return message


def _packed_message(
    values: NDArray[np.uint16], coding: ImageCoding, frame: str, stamp_ns: int
) -> Any:
    prefix = CONFIG_HEADER.pack(0, *coding.quantisation) if coding.prefix else b''
    data = prefix + (encode_rvl(values) if coding.is_rvl else _saved(values, 'PNG'))
    return messages.compressed_image(stamp_ns, frame, data, coding.form)


def _saved(pixels: NDArray[Any], kind: str) -> bytes:
    out = io.BytesIO()
    options: dict[str, Any] = {'compress_level': 1} if kind == 'PNG' else {'quality': 95}
    Pillow.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def compressed_size(message: Any) -> tuple[int, int]:
    """Width and height in pixels of a CompressedImage, from its header."""
    data = bytes(message.data)
    if _is_rvl(str(message.format)):
        return rvl_size(data[CONFIG_HEADER.size :])
    try:
        start = data.find(PNG) if COMPRESSED_DEPTH in str(message.format) else 0
        with Pillow.open(io.BytesIO(data[max(0, start) :])) as picture:
            return picture.size
    except Exception as err:
        raise R2RGenError(
            f'a compressed image cannot be decoded ({err})', 'a JPEG or PNG', 'record it again'
        ) from err


def decode_colour(message: Any, coding: ImageCoding | None = None) -> NDArray[np.uint8]:
    """Turn a colour or grey image into (H, W, 3) uint8 red, green, blue.

    Args:
        message: sensor_msgs/Image (rgb8, bgr8, rgba8, bgra8, mono8) or a JPEG or PNG
            CompressedImage.
        coding: Its coding where known already.

    Raises:
        R2RGenError: The encoding is another one, or the data cannot be decoded.

    """
    coding = ImageCoding.of(message) if coding is None else coding
    if coding.form:
        return np.asarray(_opened(bytes(message.data)).convert('RGB'))
    require(
        coding.encoding in CHANNELS,
        f'a colour image has the encoding "{coding.encoding}"',
        f'one of {sorted(CHANNELS)}',
        'convert it with image_proc or the camera driver',
    )
    pixels = _rows(message, 'u1', pixel_bytes(coding.encoding), coding)
    order = CHANNELS[coding.encoding]
    if order == (0, 1, 2) and pixels.shape[2] == 3:
        return pixels
    return np.ascontiguousarray(pixels[..., order])


def encode_colour(
    colour: NDArray[np.uint8], coding: ImageCoding | str, frame: str, stamp_ns: int
) -> Any:
    """Turn (H, W, 3) red, green, blue into an image coded as the source was.

    Args:
        colour: (H, W, 3) uint8.
        coding: How the source was coded, or an encoding.
        frame: Optical frame.
        stamp_ns: Header stamp, nanoseconds.

    Returns:
        sensor_msgs/Image or CompressedImage.

    """
    coding = ImageCoding(coding) if isinstance(coding, str) else coding
    require(
        coding.encoding in CHANNELS,
        f'colour cannot be written as "{coding.encoding}"',
        f'one of {sorted(CHANNELS)}',
    )
    is_grey = pixel_bytes(coding.encoding) == 1
    if coding.form:
        kind = 'PNG' if 'png' in coding.form.lower() else 'JPEG'
        data = _saved(_grey(colour)[..., 0] if is_grey else colour, kind)
        return messages.compressed_image(stamp_ns, frame, data, coding.form)
    pixels = _grey(colour) if is_grey else _arranged(colour, coding.encoding)
    return _raw_message(pixels, coding, frame, stamp_ns)


def _grey(colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # ITU-R BT.601 luma in 16-bit fixed point; leaves a grey pixel as it is.
    weights = np.array([19595, 38470, 7471], dtype=np.uint32)
    return ((colour @ weights + 32768) >> 16).astype(np.uint8)[..., None]


def _arranged(colour: NDArray[np.uint8], encoding: str) -> NDArray[np.uint8]:
    count = pixel_bytes(encoding)
    if encoding == 'rgb8':
        return colour
    out = np.full((*colour.shape[:2], count), 255, dtype=np.uint8)
    out[..., list(CHANNELS[encoding])] = colour
    return out
