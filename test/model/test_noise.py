# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.noise import AxialNoise, EdgeNoise, HoleNoise, NoiseModel, ShadowNoise


@pytest.mark.parametrize(
    ('make', 'named'),
    [
        (lambda: AxialNoise(growth_1_m=-0.1), 'growth_1_m'),
        (lambda: AxialNoise(memory=1.0), 'memory'),
        (lambda: EdgeNoise(torn=1.2), 'torn'),
        (lambda: HoleNoise(grazing_deg=(80.0, 70.0)), 'grazing_deg'),
        (lambda: HoleNoise(range_m=(1.0, 200.0)), 'range_m'),
        (lambda: ShadowNoise(baseline_m=2.0), 'baseline_m'),
        (lambda: NoiseModel(step_1_m=float('nan')), 'step_1_m'),
        # Edges by disparity, where there is none.
        (lambda: NoiseModel(edges=EdgeNoise(jump_px=0.75)), r'edges\.jump_px: 0'),
    ],
)
def test_numbers_out_of_range_are_named(make, named):
    with pytest.raises(R2RGenError, match=named):
        make()


def test_twice_the_noise_has_errors_twice_as_large_and_the_same_camera():
    model = NoiseModel(
        'a',
        AxialNoise(growth_1_m=0.002, steady=0.3),
        EdgeNoise(wander_px=0.5, torn=0.7),
        HoleNoise(rate=0.01),
        ShadowNoise(0.05),
        0.001,
    )
    double = model.scaled(2.0)
    assert double.axial.growth_1_m == 0.004
    assert double.edges.wander_px == 1.0
    assert double.edges.torn == 1.0  # shares end there
    assert double.holes.rate == 0.02
    assert (double.axial.steady, double.shadow, double.step_1_m) == (0.3, model.shadow, 0.001)
    assert model.scaled(0.0) == NoiseModel('a')
