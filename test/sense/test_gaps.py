# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.sense.gaps import close_gaps

DELTA = 0.015
HIDDEN = -2  # as the z-buffer marks it


def closed(owner, zbuf, still, may_fill=False):
    depth, source = np.empty(owner.shape, np.float32), np.empty(owner.shape, np.int32)
    close_gaps(
        owner.astype(np.int32), zbuf.astype(np.float32), still, may_fill, DELTA, depth, source
    )
    return depth, source


def plain(owner, zbuf, moved):
    """The same rule written per pixel with numpy."""
    depth = np.where(owner >= 0, zbuf, np.nan)
    source = np.where(owner >= 0, owner, -1)
    for v in range(1, owner.shape[0] - 1):
        for u in range(1, owner.shape[1] - 1):
            if owner[v, u] >= 0:
                continue
            ids = owner[v - 1 : v + 2, u - 1 : u + 2].ravel()
            z = zbuf[v - 1 : v + 2, u - 1 : u + 2].ravel()[ids >= 0]
            ids = ids[ids >= 0]
            if not ids.size:
                continue
            close = z <= z.min() + max(np.float32(DELTA), np.float32(0.02) * z.min())
            enough = close.sum() >= 5 or (close.sum() == 4 and close.all())
            if enough and moved[ids[close]].any():
                depth[v, u] = z[close].mean(dtype=np.float64)
                source[v, u] = ids[close][z[close].argmin()]
    return depth, source


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.floats(0.05, 0.9), st.integers(0, 99), st.booleans())
def test_it_fills_what_the_plain_rule_fills(seed, holes, still, may_fill):
    rng = np.random.default_rng(seed)
    shape = (9, 11)
    owner = rng.permutation(99).reshape(shape)
    owner[rng.random(shape) < holes] = rng.choice([-1, HIDDEN])
    zbuf = rng.choice(np.array([0.5, 0.51, 0.6, 1.0], np.float32), shape)
    zbuf[owner == -1] = np.inf
    depth, source = closed(owner, zbuf, still, may_fill)
    wanted, lender = plain(owner, zbuf, (np.arange(99) >= still) | may_fill)
    assert np.allclose(depth, wanted, atol=1e-6, equal_nan=True)
    filled = owner < 0
    assert np.array_equal(source[~filled], lender[~filled])
    assert np.array_equal(source >= 0, lender >= 0)
    near = source[filled & (source >= 0)]
    assert np.isin(near, owner[owner >= 0]).all()


def test_holes_of_what_did_not_move_stay_the_sensors_own():
    owner = np.arange(25).reshape(5, 5)
    owner[2, 2] = -1
    zbuf = np.full((5, 5), 0.7)
    depth, source = closed(owner, zbuf, 25)
    assert np.isnan(depth[2, 2])
    assert source[2, 2] == -1
    depth, source = closed(owner, zbuf, 18)
    assert depth[2, 2] == np.float32(0.7)


def test_a_large_hole_is_not_closed():
    owner = np.arange(64).reshape(8, 8)
    owner[2:6, 2:6] = -1
    depth, _ = closed(owner, np.full((8, 8), 0.7), 0)
    assert np.isnan(depth[3:5, 3:5]).all()
