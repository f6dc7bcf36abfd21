# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry.tiles import whole
from r2rgen_ros.sense.noise_pixels import find_cosines, find_edges, find_shadows

SHAPE = (40, 70)
JUMP = 0.1


def random_inverse(seed):
    """Inverse depths of a few steps, some of them not known."""
    rng = np.random.default_rng(seed)
    steps = (
        rng.choice([0.5, 1.0, 1.5], (SHAPE[0] // 10, SHAPE[1] // 10)).repeat(10, 0).repeat(10, 1)
    )
    steps[rng.random(SHAPE) < 0.02] = 0.0
    return steps.astype(np.float32)


def edges(inverse):
    """Pixels that differ from one of their four neighbours."""
    out = np.zeros(SHAPE, dtype=bool)
    for axis in (0, 1):
        low, high = np.minimum, np.maximum
        one, other = np.moveaxis(inverse, axis, 0)[:-1], np.moveaxis(inverse, axis, 0)[1:]
        jump = (high(one, other) - low(one, other) > JUMP * low(one, other)) & (low(one, other) > 0)
        np.moveaxis(out, axis, 0)[:-1] |= jump
        np.moveaxis(out, axis, 0)[1:] |= jump
    return out


@pytest.mark.parametrize('reach', [1, 2, 4, 6])
def test_distances_from_edges_are_those_of_squares_also_where_only_windows_changed(reach):
    marks, out = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    inverse = random_inverse(reach)
    find_edges(inverse, JUMP, np.inf, reach, whole(*SHAPE), marks, out)
    windows = np.array([[0, 0, 16, 16], [48, 16, 70, 32], [16, 32, 32, 40]], dtype=np.int32)
    for left, top, right, bottom in windows:
        inverse[top:bottom, left:right] = random_inverse(99)[top:bottom, left:right]
    find_edges(inverse, JUMP, np.inf, reach, windows, marks, out)
    v, u = np.nonzero(edges(inverse))
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    far = 1 + np.maximum(abs(rows[..., None] - v), abs(columns[..., None] - u)).min(axis=2)
    assert np.array_equal(out, np.where(far <= reach, far, 0))


def wide_edges(inverse, span):
    """Known pixels about which three by three known pixels differ by more than a span."""
    out = np.zeros(SHAPE, dtype=bool)
    for v, u in np.ndindex(SHAPE):
        around = inverse[max(0, v - 1) : v + 2, max(0, u - 1) : u + 2]
        known = around[around > 0.0]
        out[v, u] = inverse[v, u] > 0.0 and known.max() - known.min() > span
    return out


def test_edges_by_disparity_are_where_three_pixels_span_more_also_where_windows_changed():
    rng = np.random.default_rng(5)
    inverse = np.add.outer(0.01 * np.arange(SHAPE[0]), 0.02 * np.arange(SHAPE[1]))
    inverse = (inverse + 0.02 * rng.random(SHAPE)).astype(np.float32)
    inverse[rng.random(SHAPE) < 0.1] = 0.0
    marks, out = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    find_edges(inverse, np.inf, 0.06, 1, whole(*SHAPE), marks, out)
    assert 0.2 < wide_edges(inverse, 0.06).mean() < 0.8
    assert np.array_equal(out > 0, wide_edges(inverse, 0.06))
    windows = np.array([[0, 0, 16, 16], [48, 16, 70, 32], [16, 32, 32, 40]], dtype=np.int32)
    for left, top, right, bottom in windows:
        inverse[top:bottom, left:right] += (0.05 * rng.random((bottom - top, right - left))).astype(
            np.float32
        )
    find_edges(inverse, np.inf, 0.06, 1, windows, marks, out)
    assert np.array_equal(out > 0, wide_edges(inverse, 0.06))


@pytest.mark.parametrize('gain', [9.0, -9.0])
@pytest.mark.parametrize('count', [1, 3, 4, 6])
def test_shadows_of_any_number_of_rows_are_what_lies_nearer_on_the_other_side(gain, count):
    inverse = random_inverse(3)
    rows = np.zeros(SHAPE[0], dtype=np.bool_)
    rows[np.random.default_rng(count).permutation(SHAPE[0])[:count]] = True
    out = np.full(SHAPE, -7.0, dtype=np.float32)
    find_shadows(inverse, gain, rows, out)
    assert (out[~rows] == -7.0).all()
    for row, covered in zip(inverse[rows], out[rows], strict=True):
        for u in range(SHAPE[1]):
            others = range(u + 1, SHAPE[1]) if gain > 0.0 else range(u)
            hides = [
                other
                for other in others
                if row[other] > 0.0
                and abs(other - u) + 0.25 < abs(gain) * (row[other] - row[u]) - 1e-3
            ]
            clear = all(
                row[other] == 0.0
                or abs(other - u) + 0.25 > abs(gain) * (row[other] - row[u]) + 1e-3
                for other in others
            )
            assert not hides or row[u] < covered[u]
            assert not clear or not row[u] < covered[u]


def test_angles_of_a_slanted_plane_are_its_own_where_neighbours_are_known():
    fx, fy, cx, cy = 60.0, 50.0, 34.0, 21.0
    v, u = np.mgrid[: SHAPE[0], : SHAPE[1]]
    rays = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones(SHAPE)], axis=-1)
    normal = np.array([0.3, -0.2, 0.9])
    inverse = (rays @ normal).astype(np.float32)
    out = np.zeros(SHAPE, dtype=np.float32)
    camera = np.array([fx, fy, cx, cy], dtype=np.float32)
    find_cosines(inverse, camera, whole(*SHAPE), out)
    length = (rays**2).sum(axis=-1) * (normal**2).sum()
    inner = np.zeros(SHAPE, dtype=bool)
    inner[3:-3, 3:-3] = True
    assert np.allclose(out[inner], ((rays @ normal) ** 2 / length)[inner], atol=1e-4)
    assert (out[~inner] == 1.0).all()
