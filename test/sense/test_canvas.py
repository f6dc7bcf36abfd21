# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry.tiles import Tiles, mark_about
from r2rgen_ros.model.scene import UNSEEN
from r2rgen_ros.sense.canvas import LABEL_BITS, MOST_LABELS, NOTHING, Canvas

SHAPES = [(37, 53), (48, 64), (5, 9)]


def _drawn(rng, count, size):
    """Pixels, some outside, depths of which some are equal, and colours."""
    depth = rng.integers(1, 8, count).astype(np.float32)
    tint = rng.integers(0, 1 << 24, count).astype(np.uint32)
    return rng.integers(-1, size, count).astype(np.int32), depth, tint


def _still(rng, canvas):
    shape = canvas.zbuf.shape
    owner = np.where(rng.random(shape) < 0.8, np.arange(np.prod(shape)).reshape(shape), -1)
    zbuf = np.where(owner >= 0, rng.integers(2, 9, shape), np.inf).astype(np.float32)
    tints = rng.integers(0, 1 << 24, owner.size).astype(np.uint32)
    canvas.put_still(zbuf, owner.astype(np.int32), tints, 0)
    assert np.array_equal(canvas.paint == NOTHING, owner < 0)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**31),
    st.sampled_from([0, 2, 7, 8, 9, 20]),
    st.integers(0, 120),
    st.sampled_from(SHAPES),
)
def test_the_nearest_is_kept_and_its_surroundings_are_marked(seed, margin, count, shape):
    rng = np.random.default_rng(seed)
    canvas = Canvas(*shape, margin)
    _still(rng, canvas)
    zbuf, paint = canvas.zbuf.copy().reshape(-1), canvas.paint.copy().reshape(-1)
    wanted = Tiles(*shape)
    for label in (1, MOST_LABELS - 1):
        pixel, depth, tint = _drawn(rng, count, zbuf.size)
        if label > 1:
            pixel = np.sort(pixel)  # as a drawing has them
        for at, z, colour in zip(pixel.tolist(), depth, tint.tolist(), strict=True):
            if at >= 0 and z < zbuf[at]:
                zbuf[at], paint[at] = z, colour | label << LABEL_BITS
                mark_about(at // shape[1], at % shape[1], margin, *shape, wanted.mask)
        canvas.put(pixel, depth, tint, label)
    assert np.array_equal(canvas.zbuf.reshape(-1), zbuf)
    assert np.array_equal(canvas.paint.reshape(-1), paint)
    assert np.array_equal(canvas.tiles.mask, wanted.mask)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.sampled_from(SHAPES))
def test_what_is_taken_away_leaves_what_stands_still(seed, shape):
    rng = np.random.default_rng(seed)
    canvas = Canvas(*shape, 2)
    _still(rng, canvas)
    before = canvas.zbuf.copy(), canvas.paint.copy()
    canvas.put(*_drawn(rng, 50, canvas.zbuf.size), 3)
    canvas.take_away(canvas.tiles.windows())
    assert np.array_equal(canvas.zbuf, before[0])
    assert np.array_equal(canvas.paint, before[1])


def test_nothing_has_the_label_of_nothing():
    canvas = Canvas(4, 4, 1)
    assert (canvas.paint.view(np.uint32) >> LABEL_BITS == UNSEEN).all()


@pytest.mark.parametrize('label', [-1, MOST_LABELS, UNSEEN])
def test_labels_that_share_no_number_with_a_colour_are_refused(label):
    nothing = np.empty(0, np.int32)
    with pytest.raises(ValueError, match=f'label is {label}, expected 0 to 127'):
        Canvas(4, 4, 1).put(nothing, nothing.astype('f4'), nothing.astype('u4'), label)
