# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.noise import AxialNoise, EdgeNoise, HoleNoise, NoiseModel, ShadowNoise
from r2rgen_ros.sense.noise_file import dump_noise, load_noise, noise_names, read_noise

MODEL = NoiseModel(
    'mine',
    AxialNoise(1e-05, 0.0001, 0.00187, 1e-4, 2.1, 0.2, 0.3, 0.25),
    EdgeNoise(0.02, 0.7, 0.2, 0.3, 1.5),
    HoleNoise(1e-06, (60.0, 80.5), (2.0, 4.0), 1.5, 0.5),
    ShadowNoise(-0.05, 0.9),
    0.00104,
)


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / 'noise.yaml'
    path.write_text(dump_noise(MODEL, 'A test.', ('axial.memory',)))
    assert read_noise(path) == MODEL
    (line,) = (line for line in path.read_text().splitlines() if 'memory' in line)
    assert line.endswith('# not measured')


def test_what_is_left_out_has_no_effect(tmp_path):
    path = tmp_path / 'small.yaml'
    path.write_text('format: r2rgen/noise/1\naxial:\n  growth_1_m: 0.002\n')
    assert read_noise(path) == NoiseModel('small', AxialNoise(growth_1_m=0.002))


@pytest.mark.parametrize('name', noise_names())
def test_presets_are_cameras_that_one_can_use(name):
    noise = load_noise(name)
    assert noise.name == name
    camera = PinholeCamera(160, 120, 150.0, 150.0, 79.5, 59.5)
    depth = np.full((120, 160), 0.9, dtype=np.float32)
    depth[40:80, 60:100] = 0.7
    known = np.zeros(depth.shape, dtype=np.uint8)
    out = noise.start(camera, np.random.default_rng(0)).apply(depth, known)
    error = np.abs(out - depth)[10:30]
    assert 0.0 < np.nanmedian(error) < 0.005
    assert 0.7 < np.isfinite(out).mean() < 1.0


@pytest.mark.parametrize(
    ('text', 'line', 'named'),
    [
        ('format: r2rgen/noise/2\n', 1, 'format'),
        ('format: r2rgen/noise/1\naxial:\n  grow: 1\n', 3, 'grow'),
        ('format: r2rgen/noise/1\nname: a\nedges:\n  torn: 2\n', 3, 'edges.torn'),
        ('format: r2rgen/noise/1\nholes:\n  range_m: [3, 1]\n', 2, 'range_m'),
        ('format: r2rgen/noise/1\nholes:\n  range_m: 3\n', 3, 'range_m'),
        ('format: r2rgen/noise/1\naxial:\n  steady: [0, 1]\n', 3, 'steady'),
        ('format: r2rgen/noise/1\nstep_1_m: far\n', 2, 'step_1_m'),
    ],
)
def test_errors_name_the_line(tmp_path, text, line, named):
    path = tmp_path / 'noise.yaml'
    path.write_text(text)
    with pytest.raises(R2RGenError, match=rf'noise.yaml, line {line}: .*{named}'):
        read_noise(path)


def test_a_name_that_nothing_has_is_answered_with_those_there_are():
    with pytest.raises(R2RGenError, match='realsense_d435'):
        load_noise('kinect9')


def test_the_scale_is_that_of_the_model():
    half = load_noise('realsense_d435', 0.5).model
    assert half.axial.growth_1_m == 0.5 * load_noise('realsense_d435').model.axial.growth_1_m


def test_a_plug_in_is_found_by_module_and_attribute(tmp_path, monkeypatch):
    (tmp_path / 'own_noise.py').write_text(
        'class Nothing:\n    name = "nothing"\n'
        '    def start(self, camera, rng):\n        return self\n'
        '    def apply(self, depth, known):\n        return depth.copy()\n'
        'class Other:\n    name = "other"\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_noise('own_noise:Nothing').name == 'nothing'
    with pytest.raises(R2RGenError, match='noise_scale'):
        load_noise('own_noise:Nothing', 2.0)
    with pytest.raises(R2RGenError, match='start'):
        load_noise('own_noise:Other')


@pytest.mark.parametrize('name', ['fitted to run: 2', 'a #1', '2026', 'it\'s "x"', 'Flasche für ü'])
def test_whatever_a_recording_is_called_its_noise_can_be_read(tmp_path, name):
    path = tmp_path / 'noise.yaml'
    path.write_text(dump_noise(NoiseModel(name), 'About.'), encoding='utf-8')
    assert read_noise(path).name == name
