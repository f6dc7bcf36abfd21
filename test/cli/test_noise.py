# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.model.annotation_file import dump_annotation
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.scene import survey
from r2rgen_ros.sense.noise_file import read_noise


def test_a_demonstration_gives_a_noise_file_and_a_picture(r2rgen, virtual_demo, tmp_path):
    said = propose(survey(load_demo(virtual_demo)), virtual_demo, ())
    annotation, out = tmp_path / 'said.yaml', tmp_path / 'noise.yaml'
    annotation.write_text(dump_annotation(said), encoding='utf-8')

    result = r2rgen(
        'noise', virtual_demo, '-o', out, '--annotation', annotation, '--frames', 4, '--no-cache',
        '--json',
    )  # fmt: skip

    done = json.loads(result.out)
    assert done['images'] == 4
    model = read_noise(out)
    assert model.axial.growth_1_m == done['model']['axial']['growth_1_m'] < 0.0005
    assert model.shadow.baseline_m == 0.0  # this camera is exact
    assert (tmp_path / 'noise.png').stat().st_size > 10_000


def test_clouds_are_refused(r2rgen, table_demo, tmp_path):
    result = r2rgen('noise', table_demo, '-o', tmp_path / 'noise.yaml')

    assert result.is_refusal()
    assert 'holds clouds' in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_left_alone(r2rgen, table_demo, tmp_path):
    (tmp_path / 'noise.yaml').write_text('mine')

    assert r2rgen('noise', table_demo, '-o', tmp_path / 'noise.yaml').is_refusal()
    assert (tmp_path / 'noise.yaml').read_text() == 'mine'


@pytest.mark.parametrize('name', ['noise.png', 'noise'])
def test_a_name_that_is_no_yaml_file_is_refused(r2rgen, table_demo, tmp_path, name):
    result = r2rgen('noise', table_demo, '-o', tmp_path / name)

    assert result.is_refusal()
    assert 'ends in .yaml' in result.err


def test_a_picture_that_exists_is_left_alone(r2rgen, table_demo, tmp_path):
    (tmp_path / 'noise.png').write_bytes(b'mine')

    assert r2rgen('noise', table_demo, '-o', tmp_path / 'noise.yaml').is_refusal()
    assert (tmp_path / 'noise.png').read_bytes() == b'mine'
