# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration file: everything can be said in it, and a mistake is named by its line."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from r2rgen_ros.generate.config import (
    DockingConfig,
    GenerateConfig,
    MoveRange,
    SamplingConfig,
)
from r2rgen_ros.generate.config_file import parse_config, read_config
from r2rgen_ros.model.episode import PlanarMove
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.yaml_file import YamlSection

EVERYTHING = """\
format: r2rgen/generate/1
sampling:
  mode: given
  ranges: {x_m: [-0.05, 0.2], y_m: [0, 0], yaw_deg: [-30, 30]}
  skills:
    pick red: {x_m: [0.01, 0.02]}
  grid: [2, 3, 4]
  given:
    - pick red: {x_m: 0.1, yaw_deg: 30}
    - {}
  base: {x_m: [-0.1, 0.1], yaw_deg: [-5, 5]}
  docking: {shape: uniform, position_m: 0.05, yaw_deg: 5}
perturbation: {count: 2, translation_m: 0.01, yaw_deg: 5}
motion: {max_speed_m_s: 0.5, max_turn_deg_s: 45}
feasibility:
  clearance_m: 0.02
  support_margin_m: -0.1
  min_visible_share: 0.5
  attempts_per_episode: 3
camera: {mode: on, radius_px: 3, delta_m: 0.02, support_px: 1, fill: expand}
output: {compression: zstd, compression_level: -3, chunk_mib: 4, labelled_points: false,
  labelled_count: 0}
"""


def _parse(text: str) -> GenerateConfig:
    return parse_config(YamlSection.parse(text, 'generate.yaml'))


def test_everything_that_is_said_arrives():
    config = _parse(EVERYTHING)

    assert config.sampling.mode == 'given'
    assert config.sampling.ranges == MoveRange((-0.05, 0.2), (0.0, 0.0), (-30.0, 30.0))
    # A skill's range keeps what it does not name from the common ranges.
    assert config.sampling.skills['pick red'] == MoveRange((0.01, 0.02), (0, 0), (-30.0, 30.0))
    assert config.sampling.given == ({'pick red': PlanarMove(0.1, 0.0, np.pi / 6)}, {})
    assert config.sampling.base == MoveRange((-0.1, 0.1), (0.0, 0.0), (-5.0, 5.0))
    assert config.sampling.docking == DockingConfig('uniform', 0.05, 5.0)
    assert config.perturbation.count == 2
    assert config.feasibility.support_margin_m == -0.1
    assert config.camera.mode == 'on'
    assert config.output.labelled_points is False


@pytest.mark.parametrize('text', [EVERYTHING, 'format: r2rgen/generate/1\n'])
def test_what_a_dataset_keeps_reads_back_the_same(text):
    config = _parse(text)

    written = yaml.safe_dump(config.to_data(), sort_keys=False)

    assert _parse(written) == config
    assert _parse(written).to_data() == config.to_data()


def test_a_shipped_configuration_file_is_the_defaults(repository):
    path = repository / 'config' / 'generate.yaml'
    if not path.exists():
        pytest.skip('config/generate.yaml is not there')

    assert read_config(path) == GenerateConfig()


@pytest.mark.parametrize(
    ('line', 'text'),
    [
        (1, 'format: something/else\n'),
        (1, '- a list\n'),
        (2, 'format: r2rgen/generate/1\nsampeling: {}\n'),
        (3, 'format: r2rgen/generate/1\nsampling:\n  mode: maybe\n'),
        (3, 'format: r2rgen/generate/1\nsampling:\n  mode: given\n'),
        (4, 'format: r2rgen/generate/1\nsampling:\n  ranges:\n    x_m: [0.1, -0.1]\n'),
        (4, 'format: r2rgen/generate/1\nsampling:\n  ranges:\n    x_m: [.nan, 0.1]\n'),
        (4, 'format: r2rgen/generate/1\nsampling:\n  ranges:\n    x_m: [-.inf, 0.1]\n'),
        (4, 'format: r2rgen/generate/1\nsampling:\n  ranges:\n    yaw_deg: [0, 1000]\n'),
        (4, 'format: r2rgen/generate/1\nsampling:\n  ranges:\n    x_m: [1]\n'),
        (3, 'format: r2rgen/generate/1\nsampling:\n  grid: [0, 1, 1]\n'),
        (3, 'format: r2rgen/generate/1\nsampling:\n  grid: [1, 1]\n'),
        (3, 'format: r2rgen/generate/1\nsampling:\n  skills: [pick]\n'),
        (3, 'format: r2rgen/generate/1\nsampling:\n  skills: pick\n'),
        (3, 'format: r2rgen/generate/1\nsampling:\n  skills: {1: {}}\n'),
        (4, 'format: r2rgen/generate/1\nsampling:\n  given:\n    - {a: {x_m: .nan}}\n'),
        (3, 'format: r2rgen/generate/1\nsampling:\n  given: 3\n'),
        (3, 'format: r2rgen/generate/1\nsampling:\n  docking: {shape: round}\n'),
        (4, 'format: r2rgen/generate/1\nsampling:\n  docking:\n    position_m: 5\n'),
        (2, 'format: r2rgen/generate/1\nperturbation: {count: 0}\n'),
        (2, 'format: r2rgen/generate/1\nperturbation: {count: 1.5}\n'),
        (2, 'format: r2rgen/generate/1\nmotion: {max_speed_m_s: 0}\n'),
        (2, 'format: r2rgen/generate/1\nmotion: {max_speed_m_s: .nan}\n'),
        (2, 'format: r2rgen/generate/1\nfeasibility: {clearance_m: -1}\n'),
        (2, 'format: r2rgen/generate/1\ncamera: {fill: everything}\n'),
        (2, 'format: r2rgen/generate/1\ncamera: {fill: [shrink]}\n'),
        (2, 'format: r2rgen/generate/1\noutput: {compression: brotli}\n'),
        (2, 'format: r2rgen/generate/1\noutput: {labelled_points: 1}\n'),
        (3, 'format: r2rgen/generate/1\nmotion: {\n  max_speed_m_s: ]\n'),
    ],
)
def test_a_mistake_is_named_by_its_line(line, text):
    with pytest.raises(R2RGenError, match=rf'generate.yaml, line {line}\b'):
        _parse(text)


def test_values_made_in_code_are_checked_too():
    with pytest.raises(R2RGenError, match='given'):
        SamplingConfig(mode='given')
    with pytest.raises(R2RGenError, match='x_m'):
        MoveRange(x_m=(float('nan'), 0.0))
