# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A click in the 3D view is on the first thing that its ray meets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2rgen_ros.page.picking import pick

_GRID = np.arange(-0.5, 0.5, 0.01)
WALL = np.stack([each.ravel() for each in np.meshgrid(_GRID, _GRID, 1.0)], axis=1)


@given(at=st.integers(0, len(WALL) - 1), length=st.floats(1e-3, 1e3))
def test_a_ray_at_a_point_picks_that_point(at, length):
    eye = np.array([0.1, -0.2, 0.0])
    assert pick(WALL, eye, length * (WALL[at] - eye)) == at


def test_what_is_in_front_is_picked():
    before = np.array([[0.003, 0.0, 0.6]])
    assert pick(np.concatenate([WALL, before]), np.zeros(3), (0.0, 0.0, 1.0)) == len(WALL)


@pytest.mark.parametrize('direction', [(0.0, 0.0, -1.0), (1.0, 0.0, 0.3)])
def test_a_ray_that_meets_nothing_picks_nothing(direction):
    assert pick(WALL, np.zeros(3), direction) is None


def test_there_may_be_no_points():
    assert pick(np.zeros((0, 3)), np.zeros(3), (0.0, 0.0, 1.0)) is None
