# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RVL, the run length and variable length code of depth images, without loss.

A. D. Wilson, Fast Lossless Depth Image Compression, ISS 2017. Pixels follow one another row by row.
A count of zeros, a count of what is not zero and, for each of those, the difference from the one
before (zigzag: 0, -1, 1, -2 become 0, 1, 2, 3) alternate until all pixels are told. A number is
written three bits at a time, lowest first, each in a nibble whose highest bit says that more
follow; eight nibbles, first in the highest bits, fill a word of 32 bits, little-endian.

compressed_depth_image_transport puts columns and rows (uint32) before the words.
"""

from __future__ import annotations

from struct import Struct

import numpy as np
from numpy.typing import NDArray

from r2rgen_ros.geometry.compiled import compiled
from r2rgen_ros.model.errors import require

SIZE = Struct('<II')
"""Columns and rows, before the words."""
_MOST_PIXELS = 2**26
# Of zeros and others there are as many as pixels; differences of 16 bits take 17.
_MOST_SHIFT = 27


def encode_rvl(values: NDArray[np.uint16]) -> bytes:
    """Code an image.

    Args:
        values: (H, W) uint16.

    Returns:
        Columns, rows and the words.

    """
    rows, columns = values.shape
    flat = np.ascontiguousarray(values, dtype=np.uint16).reshape(-1)
    # Eight nibbles are enough for a pixel: six for its difference, two for counts.
    words = np.empty(flat.size + 4, dtype=np.uint32)
    used = _encode(flat, words)
    return SIZE.pack(columns, rows) + words[:used].astype('<u4', copy=False).tobytes()


def decode_rvl(data: bytes) -> NDArray[np.uint16]:
    """Undo `encode_rvl`.

    Args:
        data: Columns, rows and the words; bytes that fill no word are ignored.

    Returns:
        (H, W) uint16.

    Raises:
        R2RGenError: The data is cut off or damaged.

    """
    columns, rows = rvl_size(data)
    whole = len(data) // 4 * 4
    words = np.frombuffer(data[SIZE.size : whole], dtype='<u4').astype(np.uint32, copy=False)
    out = np.zeros(rows * columns, dtype=np.uint16)
    require(
        _decode(words, out),
        f'an RVL depth image of {columns} x {rows} pixels cannot be decoded from {len(data)} bytes',
        'what encodes all of its pixels',
        'record it again',
    )
    return out.reshape(rows, columns)


def rvl_size(data: bytes) -> tuple[int, int]:
    """Columns and rows of a coded image.

    Raises:
        R2RGenError: There are no such numbers, or they are not those of an image.

    """
    columns, rows = SIZE.unpack_from(data) if len(data) >= SIZE.size else (0, 0)
    require(
        0 < columns * rows <= _MOST_PIXELS,
        f'an RVL depth image says that it is {columns} x {rows} pixels large',
        'the size of an image',
        'record it again',
    )
    return columns, rows


@compiled
def _put(words: NDArray[np.uint32], place: int, number: int) -> int:
    """Write a number's nibbles from one place on, counted in nibbles; return the next place."""
    while True:
        nibble = number & 7
        number >>= 3
        if number:
            nibble |= 8
        shift = 28 - 4 * (place & 7)
        if shift == 28:
            words[place >> 3] = 0
        words[place >> 3] |= np.uint32(nibble << shift)
        place += 1
        if not number:
            return place


@compiled
def _encode(values: NDArray[np.uint16], words: NDArray[np.uint32]) -> int:
    """Fill in the words; return how many."""
    count = values.size
    at = place = 0
    before = np.int64(0)
    while at < count:
        begin = at
        while at < count and values[at] == 0:
            at += 1
        place = _put(words, place, at - begin)
        end = at
        while end < count and values[end] != 0:
            end += 1
        place = _put(words, place, end - at)
        while at < end:
            value = np.int64(values[at])
            step = value - before
            place = _put(words, place, int((step << 1) ^ (step >> 63)))
            before = value
            at += 1
    return (place + 7) >> 3


@compiled
def _get(words: NDArray[np.uint32], place: int) -> tuple[int, int]:
    """Read a number; return it, -1 where there is none, and the next place."""
    number, shift = np.int64(0), 0
    while place < 8 * words.size and shift <= _MOST_SHIFT:
        nibble = (np.int64(words[place >> 3]) >> (28 - 4 * (place & 7))) & 15
        number |= (nibble & 7) << shift
        shift += 3
        place += 1
        if nibble < 8:
            return int(number), place
    return -1, place


@compiled
def _decode(words: NDArray[np.uint32], values: NDArray[np.uint16]) -> bool:
    """Fill in the values, which are zeros; tell whether the words are those of so many."""
    count = values.size
    at = place = 0
    before = np.int64(0)
    while at < count:
        zeros, place = _get(words, place)
        others, place = _get(words, place)
        if zeros < 0 or others < 0 or zeros + others == 0 or at + zeros + others > count:
            return False
        at += zeros
        for _ in range(others):
            coded, place = _get(words, place)
            if coded < 0:
                return False
            before += (coded >> 1) ^ -(coded & 1)
            values[at] = before & 0xFFFF
            at += 1
    return True
