# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.geometry.tiles import TILE, Tiles, joined, mark_about, mark_changes, whole

SHAPES = [(48, 64), (50, 70), (10, 5)]


def covered(windows, shape):
    """How often each pixel is in a window."""
    count = np.zeros(shape, dtype=int)
    for left, top, right, bottom in windows.tolist():
        assert 0 <= left < right <= shape[1]
        assert 0 <= top < bottom <= shape[0]
        count[top:bottom, left:right] += 1
    return count


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.floats(0.0, 1.0), st.sampled_from(SHAPES))
def test_windows_hold_what_is_marked_once_and_nothing_else(seed, share, shape):
    tiles = Tiles(*shape)
    tiles.mask[:] = np.random.default_rng(seed).random(tiles.mask.shape) < share
    wanted = np.kron(tiles.mask, np.ones((TILE, TILE), dtype=int))[: shape[0], : shape[1]]
    assert np.array_equal(covered(tiles.windows(), shape), wanted)
    assert not len(tiles.windows())  # forgotten


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.floats(0.0, 1.0), st.sampled_from(SHAPES))
def test_joined_windows_hold_all_that_was_in_many_and_are_not_much_larger(seed, share, shape):
    tiles = Tiles(*shape)
    tiles.mask[:] = np.random.default_rng(seed).random(tiles.mask.shape) < share
    windows = tiles.windows()
    kept = windows.copy()
    few = joined(windows, 1.5)
    before, after = covered(windows, shape), covered(few, shape)
    assert np.array_equal(windows, kept)
    assert len(few) <= len(windows)
    assert (after[before > 0] > 0).all()
    assert after.sum() <= 1.5 * before.sum()
    assert len(joined(whole(*shape))) == 1


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.integers(0, 40), st.integers(0, 8), st.sampled_from(SHAPES))
def test_all_that_is_no_farther_from_a_pixel_than_the_margin_is_marked(seed, margin, count, shape):
    rng = np.random.default_rng(seed)
    pixel = rng.integers(-1, shape[0] * shape[1], count).astype(np.int32)
    tiles = Tiles(*shape)
    for at in pixel[pixel >= 0].tolist():
        mark_about(at // shape[1], at % shape[1], margin, *shape, tiles.mask)
    found = covered(tiles.windows(), shape)
    v, u = np.mgrid[: shape[0], : shape[1]]
    for at in pixel[pixel >= 0].tolist():
        near = np.maximum(abs(v - at // shape[1]), abs(u - at % shape[1])) <= margin
        assert found[near].all()
    if not (pixel >= 0).any():
        assert not found.any()


@pytest.mark.parametrize('shape', SHAPES)
def test_changes_are_found_wherever_they_are(shape):
    rng = np.random.default_rng(0)
    depth = rng.random(shape).astype(np.float32)
    depth[0, 0] = np.nan
    known = np.zeros(shape, dtype=np.uint8)
    old, old_known = np.full(shape, -1, np.int32), np.full(shape, 255, np.uint8)
    tiles, everywhere = Tiles(*shape), whole(*shape)
    mark_changes(depth.view(np.int32), known, old, old_known, everywhere, tiles.mask)
    assert (covered(tiles.windows(), shape) == covered(whole(*shape), shape)).all()
    for _ in range(20):
        v, u = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        depth[v, u] += 1.0 if np.isfinite(depth[v, u]) else np.nan
        known[v, u] ^= 1
        mark_changes(depth.view(np.int32), known, old, old_known, everywhere, tiles.mask)
        assert covered(tiles.windows(), shape)[v, u] == 1
        assert np.array_equal(old, depth.view(np.int32))
        mark_changes(depth.view(np.int32), known, old, old_known, everywhere, tiles.mask)
        assert not tiles.mask.any()


def test_changes_are_looked_for_in_windows_only():
    shape = (50, 70)
    depth, known = np.ones(shape, np.float32), np.zeros(shape, np.uint8)
    old, old_known = depth.view(np.int32).copy(), known.copy()
    depth[2, 2], known[40, 60] = 2.0, 1
    tiles = Tiles(*shape)
    window = np.array([[0, 0, 32, 32]], dtype=np.int32)
    mark_changes(depth.view(np.int32), known, old, old_known, window, tiles.mask)
    assert covered(tiles.windows(), shape)[2, 2] == 1
    assert (old_known == 0).all()
    rest = np.array([[32, 0, 70, 32], [0, 32, 70, 50]], dtype=np.int32)
    mark_changes(depth.view(np.int32), known, old, old_known, rest, tiles.mask)
    found = covered(tiles.windows(), shape)
    assert (found[40, 60], found[2, 2]) == (1, 0)
