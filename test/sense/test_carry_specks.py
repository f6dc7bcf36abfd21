# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Noise on a seen surface tears no holes into it; what the camera looks through stays open."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.sense.carry import HIDDEN, SEEN, THROUGH, carry_loose, find_kinds

SHAPE = (60, 80)
TOLERANCE = 0.01


def _kinds(measured, own=True):
    drawn = np.full(SHAPE, 1.0, np.float32)
    kinds = np.empty(SHAPE, np.uint8)
    tolerance = np.full(SHAPE, TOLERANCE, np.float32)
    find_kinds(drawn, measured.astype(np.float32), np.full(SHAPE, own), tolerance, kinds)
    return kinds


@pytest.mark.parametrize('off', [0.02, -0.02])
def test_specks_of_noise_belong_to_the_surface(off):
    measured = np.ones(SHAPE)
    measured[30:33, 40:43] += off
    assert (_kinds(measured) == SEEN).all()


@pytest.mark.parametrize(('off', 'kind'), [(0.5, THROUGH), (-0.5, HIDDEN)])
def test_what_is_far_before_or_behind_is_something_else(off, kind):
    measured = np.ones(SHAPE)
    measured[30:33, 40:43] += off
    assert (_kinds(measured)[30:33, 40:43] == kind).all()


def test_a_large_patch_that_is_off_is_no_speck():
    measured = np.ones(SHAPE)
    measured[20:40, 30:50] += 0.02
    assert (_kinds(measured)[25:35, 35:45] == THROUGH).all()


def test_what_is_before_the_surface_and_not_its_own_stays_before_it():
    measured = np.ones(SHAPE)
    measured[30:33, 40:43] -= 0.02
    assert (_kinds(measured, own=False) == HIDDEN)[30:33, 40:43].all()


@pytest.mark.parametrize('moved', [False, True])
def test_what_flies_stays_only_with_what_stays(moved):
    points = np.array([[0.0, 0.0, 2.0], [0.1, 0.0, 2.0]], np.float32)
    colours = np.zeros((2, 3), np.uint8)
    table = np.eye(4)[None].copy()
    table[0, 0, 3] = 0.05 if moved else 0.0
    out, tints = np.empty_like(points), np.empty_like(colours)
    count = carry_loose(
        points, colours, np.zeros(2, np.int64), np.zeros(2, bool), np.array([True, False]), table,
        np.full(SHAPE, np.nan, np.float32), np.array([60.0, 60.0, 39.5, 29.5]), out, tints,
    )  # fmt: skip
    kept = points[1:] if moved else points
    assert count == len(kept)
    assert np.allclose(out[:count], kept + table[0, :3, 3].astype(np.float32))
