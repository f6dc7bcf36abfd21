# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.report.noise import draw_noise
from r2rgen_ros.sense.noise import ParametricNoise
from r2rgen_ros.sense.noise_file import load_noise
from r2rgen_ros.sense.noise_fit import fit_noise
from r2rgen_ros.sense.noise_look import Pair

CAMERA = PinholeCamera(200, 150, 180.0, 180.0, 99.5, 74.5)


@pytest.mark.parametrize('exact', [False, True])
def test_a_fit_is_drawn(tmp_path, exact):
    clean = np.tile(np.linspace(0.8, 1.4, 150, dtype=np.float32)[:, None], (1, 200))
    clean[40:90, 60:120] = 0.6
    known = np.zeros(clean.shape, dtype=np.uint8)
    camera = load_noise('realsense_d435').start(CAMERA, np.random.default_rng(0))
    assert isinstance(load_noise('zivid'), ParametricNoise)
    images = [clean if exact else camera.apply(clean, known) for _ in range(4)]
    fit = fit_noise([Pair(clean, raw, known, number=t) for t, raw in enumerate(images)], CAMERA)

    path = draw_noise(fit, tmp_path / 'fit.png')

    picture = np.asarray(Image.open(path).convert('RGB'))
    assert picture.shape[0] > 500
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 200
    before = path.read_bytes()
    assert draw_noise(fit, path).read_bytes() == before
