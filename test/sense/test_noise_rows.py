# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.noise import AxialNoise, EdgeNoise, HoleNoise, NoiseModel, ShadowNoise
from r2rgen_ros.sense import noise
from r2rgen_ros.sense.noise import FRESH, MEAN, RAW, ParametricNoise
from r2rgen_ros.sense.noise_rows import WANDER_PX, list_special

CAMERA = PinholeCamera(70, 40, 60.0, 60.0, 35.0, 20.0)
AXIAL = AxialNoise(slope=0.002, width_px=1.0, steady=0.3)
EDGES = EdgeNoise(wander_px=0.5, flying=0.2, torn=0.3, reach_px=1.0)
SHADOW = ShadowNoise(baseline_m=0.05, share=0.9)


def scene():
    """A wall with a box before it, pixels without depth, and pixels of each kind."""
    depth = np.full((40, 70), 2.0, dtype=np.float32)
    depth[10:30, 20:40] = 1.2
    depth[5, 60:] = np.nan
    known = np.full(depth.shape, MEAN, dtype=np.uint8)
    known[12:20, 22:38], known[20:28, 22:38] = RAW, FRESH
    return depth, known


def everything(inverse, known, limit, rate, windows, margin, kinds, spans):
    """A survey after which all of the work is done everywhere."""
    spans[:] = 0, known.shape[1], 0, known.shape[1], 1


@pytest.mark.parametrize('rate', [0.0, 1e-4, 0.2])
@pytest.mark.parametrize('range_m', [(100.0, 100.0), (1.0, 3.0)])
def test_work_that_is_left_out_changes_nothing(monkeypatch, rate, range_m):
    holes = HoleNoise(rate=rate, range_m=range_m, patch_px=1.0)
    model = NoiseModel('test', axial=AXIAL, edges=EDGES, holes=holes, shadow=SHADOW)
    depth, known = scene()
    later, later_known = depth.copy(), known.copy()
    later[10:30, 20:40], later[10:30, 26:46] = 2.0, 1.2
    later_known[:], later_known[12:20, 28:44] = MEAN, RAW
    images = [(depth, known), (later, later_known), (depth, known)]
    ours = ParametricNoise(model).start(CAMERA, np.random.default_rng(1))
    found = [ours.apply(*image) for image in images]
    monkeypatch.setattr(noise, 'survey', everything)
    other = ParametricNoise(model).start(CAMERA, np.random.default_rng(1))
    for one, image in zip(found, images, strict=True):
        assert one.tobytes() == other.apply(*image).tobytes()


@pytest.mark.parametrize('wanders', [True, False])
def test_pixels_beside_edges_and_around_shadows_are_listed_in_order(wanders):
    rng = np.random.default_rng(0)
    shape = (12, 53)
    inverse = rng.random(shape).astype(np.float32)
    covered = np.where(rng.random(shape) < 0.05, 2.0, 0.0).astype(np.float32)
    inverse[rng.random(shape) < 0.1] = 0.0
    edge = (rng.random(shape) < 0.05).astype(np.uint8)
    rows = np.arange(shape[0]) % 3 > 0
    counts, columns = np.full(shape[0], -1, np.int32), np.zeros(shape, np.int16)
    list_special(inverse, edge, covered, wanders, rows, counts, columns)
    hidden = (inverse > 0.0) & (inverse < covered)
    margin = WANDER_PX if wanders else 0
    for v in range(shape[0]):
        if not rows[v]:
            assert counts[v] == -1
            continue
        near = [hidden[v, max(0, u - margin) : u + margin + 1].any() for u in range(shape[1])]
        wanted = np.flatnonzero((edge[v] > 0) | near)
        assert np.array_equal(columns[v, : counts[v]], wanted)
