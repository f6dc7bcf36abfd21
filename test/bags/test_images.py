# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.images import (
    CHANNELS,
    ImageCoding,
    check_units,
    compressed_size,
    decode_colour,
    decode_depth,
    encode_colour,
    encode_depth,
    millimetres,
)
from r2rgen_ros.model.errors import R2RGenError

MM = [
    ImageCoding('16UC1'),
    ImageCoding('mono16'),
    ImageCoding('16UC1', padding=6, is_bigendian=True),
    ImageCoding('16UC1', '16UC1; compressedDepth png', prefix=True),
    ImageCoding('16UC1', '16UC1; compressedDepth rvl', prefix=True),
    ImageCoding('16UC1', '16UC1; png compressed '),
]
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def raw_depth(message) -> np.ndarray:
    kind = np.uint16 if message.encoding in ('16UC1', 'mono16') else np.float32
    order = '>' if message.is_bigendian else '<'
    used = message.width * np.dtype(kind).itemsize
    rows = np.asarray(message.data).reshape(message.height, message.step)[:, :used]
    return np.ascontiguousarray(rows).view(np.dtype(kind).newbyteorder(order))


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint16, SHAPES), st.sampled_from(MM))
def test_millimetres_come_back_exactly(values, coding):
    metres = np.where(values > 0, values / 1000.0, np.nan).astype(np.float32)
    message = encode_depth(metres, coding, 'camera', 5)
    decoded = decode_depth(message)
    assert np.array_equal(millimetres(decoded), values)
    assert np.array_equal(decoded, metres, equal_nan=True)
    assert ImageCoding.of(message) == coding
    if not coding.form:
        assert np.array_equal(raw_depth(message), values)


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.float32, SHAPES, elements=st.floats(-(2.0**100), 2.0**100, width=32) | st.just(np.nan)
    ),
    st.booleans(),
    st.integers(0, 8),
)
def test_metres_come_back_exactly_where_valid(values, is_big, padding):
    coding = ImageCoding('32FC1', padding=padding, is_bigendian=is_big)
    decoded = decode_depth(encode_depth(values, coding, 'camera', 5), coding)
    with np.errstate(invalid='ignore'):
        assert np.array_equal(decoded, np.where(values > 0, values, np.nan), equal_nan=True)


def test_rounding_is_half_to_even_and_the_impossible_is_invalid():
    depth = np.array([[0.0005, 0.0015, 0.0025, -1.0, 0.0, np.nan, np.inf, 65.535, 65.6]])
    assert millimetres(depth.astype(np.float64)).tolist() == [[0, 2, 2, 0, 0, 0, 0, 65535, 0]]


def test_zero_and_infinity_are_no_depth():
    values = np.array([[0.0, np.inf, -np.inf, np.nan, 2.0]], np.float32)
    decoded = decode_depth(messages.image(0, 'c', values, '32FC1'))
    assert np.isnan(decoded[0, :4]).all()
    assert decoded[0, 4] == 2.0


def test_a_source_that_marks_holes_with_zero_is_written_so():
    source = messages.image(0, 'c', np.array([[0.0, 2.0]], np.float32), '32FC1')
    coding = ImageCoding.of(source)
    again = encode_depth(decode_depth(source, coding), coding, 'c', 0)
    assert bytes(again.data) == bytes(source.data)


def test_compressed_metres_follow_the_transport():
    # compressed_depth_image_transport: value = a / depth + b, with the parameters in the header.
    a, b = 100.0 * 101.0, 1.0 - 100.0 * 101.0 / 10.0
    values = np.array([[0, 9, 99, 40000]], np.uint16)
    out = io.BytesIO()
    Pillow.fromarray(values).save(out, 'PNG')
    data = struct.pack('<iff', 0, a, b) + out.getvalue()
    message = messages.compressed_image(0, 'c', data, '32FC1; compressedDepth png')
    a, b = struct.unpack('<ff', struct.pack('<ff', a, b))
    decoded = decode_depth(message)
    assert np.isnan(decoded[0, 0])
    assert np.allclose(decoded[0, 1:], a / (values[0, 1:] - b), rtol=1e-6)
    coding = ImageCoding.of(message)
    again = decode_depth(encode_depth(decoded, coding, 'c', 0))
    assert np.array_equal(again, decoded, equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3))),
    st.sampled_from(sorted(CHANNELS)),
    st.integers(0, 5),
)
def test_colours_come_back_in_every_encoding(colour, encoding, padding):
    if encoding in ('mono8', '8UC1'):
        colour = np.repeat(colour[..., :1], 3, axis=2)
    coding = ImageCoding(encoding, padding=padding)
    message = encode_colour(colour, coding, 'camera', 3)
    assert np.array_equal(decode_colour(message), colour)
    assert ImageCoding.of(message) == coding


@pytest.mark.parametrize(
    ('encoding', 'pixel'),
    [('rgb8', [1, 2, 3]), ('bgr8', [3, 2, 1]), ('rgba8', [1, 2, 3, 255]),
     ('bgra8', [3, 2, 1, 255])],
)  # fmt: skip
def test_channels_lie_where_the_encoding_says(encoding, pixel):
    message = encode_colour(np.array([[[1, 2, 3]]], np.uint8), encoding, 'c', 0)
    assert message.data.tolist() == pixel


@pytest.mark.parametrize(
    ('form', 'tolerance'),
    [('png', 0), ('rgb8; png compressed bgr8', 0), ('jpeg', 6), ('bgr8; jpeg compressed bgr8', 6)],
)
def test_compressed_colours_keep_their_format(form, tolerance):
    ramp = np.linspace(0, 250, 64).astype(np.uint8)
    colour = np.stack([np.tile(ramp, (48, 1)), np.full((48, 64), 90, np.uint8),
                       np.full((48, 64), 200, np.uint8)], axis=2)  # fmt: skip
    source = encode_colour(colour, ImageCoding('rgb8', form), 'c', 7)
    assert source.format == form
    assert compressed_size(source) == (64, 48)
    decoded = decode_colour(source)
    assert np.abs(decoded.astype(int) - colour).max() <= tolerance
    coding = ImageCoding.of(source)
    assert coding.form == form
    assert encode_colour(decoded, coding, 'c', 7).format == form


def test_metres_that_must_be_millimetres_are_refused():
    depth = np.full((4, 4), 800.0, np.float32)
    with pytest.raises(R2RGenError, match='/depth is 800 m, which looks like millimetres'):
        check_units(depth, '/depth')
    check_units(depth / 1000.0, '/depth')
    check_units(np.full((4, 4), np.nan, np.float32), '/depth')


@pytest.mark.parametrize(
    ('message', 'complaint'),
    [
        (messages.image(0, 'c', np.zeros((2, 2, 2), np.uint8), 'yuv422'), 'encoding "yuv422"'),
        (messages.compressed_image(0, 'c', b'xx', '16UC1; compressedDepth rvl'), 'no pixels'),
        (messages.compressed_image(0, 'c', b'x' * 50, '16UC1; compressedDepth rvl'), 'RVL'),
        (messages.compressed_image(0, 'c', b'', '16UC1; compressedDepth png'), 'no pixels'),
        (messages.compressed_image(0, 'c', b'x' * 50, '16UC1; compressedDepth'), 'decoded'),
        (messages.image(0, 'c', np.zeros((2, 2, 3), np.uint8), 'rgb8'), 'which is no depth'),
    ],
)
def test_what_is_no_depth_is_named(message, complaint):
    with pytest.raises(R2RGenError, match=complaint):
        decode_depth(message)


def test_short_data_is_named():
    message = messages.image(0, 'c', np.zeros((4, 4), np.uint16), '16UC1')
    message.data = message.data[:-1]
    with pytest.raises(R2RGenError, match='holds 31 bytes; expected at least 32'):
        decode_depth(message)


def test_broken_jpeg_is_named():
    message = messages.compressed_image(0, 'c', b'\xff\xd8 no jpeg', 'jpeg')
    with pytest.raises(R2RGenError, match='cannot be decoded'):
        decode_colour(message)


def test_real_depth_survives_as_millimetres(data_dir):
    with np.load(data_dir / 'tabletop_realsense' / 'blue_mug.npz') as data:
        depth = data['depth_m']
    decoded = decode_depth(encode_depth(np.where(depth > 0, depth, np.nan), '16UC1', 'c', 0))
    valid = depth > 0
    assert np.array_equal(np.isfinite(decoded), valid)
    assert np.abs(decoded[valid] - depth[valid]).max() <= 0.000501
