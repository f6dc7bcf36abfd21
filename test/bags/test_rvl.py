# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RVL loses nothing, is what others write, and says so where it is damaged."""

from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from r2rgen_ros.bags.rvl import decode_rvl, encode_rvl, rvl_size
from r2rgen_ros.model.errors import R2RGenError

EXTREME = st.sampled_from([0, 0, 0, 1, 2, 900, 901, 65534, 65535])


@settings(max_examples=150, deadline=None)
@given(arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=24), elements=EXTREME))
def test_every_image_comes_back(image: np.ndarray) -> None:
    coded = encode_rvl(image)
    assert rvl_size(coded) == image.shape[::-1]
    assert np.array_equal(decode_rvl(coded), image)


@pytest.mark.parametrize('kind', ['noise', 'steps', 'nothing', 'full'])
def test_whole_images_come_back(kind: str) -> None:
    rng = np.random.default_rng(1)
    shape = (480, 640)
    image = {
        'noise': rng.integers(0, 65536, shape),
        # The longest code there is: every other pixel a hole, and the largest differences.
        'steps': np.where(np.indices(shape).sum(0) % 2, 0, 1 + 65534 * rng.integers(0, 2, shape)),
        'nothing': np.zeros(shape),
        'full': np.full(shape, 1234),
    }[kind].astype(np.uint16)
    coded = encode_rvl(image)
    assert np.array_equal(decode_rvl(coded), image)
    if kind == 'nothing':
        assert len(coded) == 8 + 4
    if kind == 'full':
        assert len(coded) < image.size / 2 + 32


def test_nibbles_lie_as_the_paper_has_them() -> None:
    """Worked out by hand: zeros 2; others 3; +5, -1, +8 as 10, 1, 16; zeros 1; others 0."""
    image = np.array([[0, 0, 5], [4, 12, 0]], dtype=np.uint16)
    nibbles = [2, 3, 0b1010, 0b0001, 1, 0b1000, 0b0010, 1, 0]
    text = ''.join(f'{nibble:x}' for nibble in nibbles).ljust(16, '0')
    words = [int(text[:8], 16), int(text[8:], 16)]
    coded = struct.pack('<IIII', 3, 2, *words)
    assert encode_rvl(image) == coded
    assert np.array_equal(decode_rvl(coded), image)


def test_data_that_is_cut_off_is_named() -> None:
    image = np.random.default_rng(2).integers(0, 65536, (20, 30)).astype(np.uint16)
    coded = encode_rvl(image)
    for length in (0, 5, 8, 40, len(coded) - 4):
        with pytest.raises(R2RGenError, match='RVL depth image'):
            decode_rvl(coded[:length])


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=0, max_size=80))
def test_any_bytes_are_an_image_or_an_error(data: bytes) -> None:
    coded = struct.pack('<II', 7, 5) + data
    with suppress(R2RGenError):
        assert decode_rvl(coded).shape == (5, 7)


def test_a_size_that_cannot_be_is_named() -> None:
    for columns, rows in ((0, 5), (2**31, 2**31)):
        with pytest.raises(R2RGenError, match='pixels large'):
            decode_rvl(struct.pack('<II', columns, rows) + bytes(64))
