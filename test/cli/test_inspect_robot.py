# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from importlib import util

import pytest


@pytest.fixture(scope='module')
def robot_bags(repository):
    path = repository / 'test' / 'robots' / 'robot_bags.py'
    spec = util.spec_from_file_location('robot_bags', path)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def bag(robot_bags, tmp_path_factory):
    folder = tmp_path_factory.mktemp('robot') / 'bag'
    return robot_bags.record(folder, robot_bags.of_the_wheel('panda'))


def test_a_robot_that_fits_is_told_in_words(r2rgen, bag):
    result = r2rgen('inspect', bag, '--robot', 'panda')
    assert result.status == 0
    assert 'arm arm: end effector panda_hand_tcp, 7 joints: panda_joint1 ... panda_joint7' in (
        result.out
    )
    assert 'limits of speed known, of acceleration known' in result.out
    assert 'kinematics agree with the transforms: at most' in result.out
    assert 'meshes: 19 of 19 found' in result.out
    assert result.out.endswith('The robot fits the bag.\n')


def test_a_robot_that_does_not_fit_is_told_line_by_line(r2rgen, bag):
    result = r2rgen('inspect', bag, '--robot', 'tiago')
    assert result.status == 0
    faults = [line for line in result.out.splitlines() if line.startswith('  ! ')]
    assert len(faults) >= 3
    assert all('; to fix: ' in line for line in faults)
    assert 'Traceback' not in result.out + result.err
    assert result.out.endswith('The robot does not fit the bag yet.\n')


def test_both_arms_of_a_profile_are_those_of_the_bag(r2rgen, robot_bags, tmp_path):
    bag = robot_bags.record(tmp_path / 'bag', robot_bags.two_pandas())
    result = r2rgen('inspect', bag, '--robot', 'dual_panda')
    hands = 'left_panda_hand_tcp, right_panda_hand_tcp'
    assert f'base frame world, end effector {hands}' in result.out
    assert 'The robot fits the bag.' in result.out


def test_everything_is_there_for_programs(r2rgen, bag):
    result = r2rgen('inspect', bag, '--robot', 'panda', '--json')
    robot = json.loads(result.out)['robot']
    assert robot['fits']
    assert robot['arms'][0]['agreement']['largest_mm'] < 1e-6
    assert robot['arms'][0]['agreement']['largest_deg'] < 1e-6
    assert robot['faults'] == []
    assert 'robot' not in json.loads(r2rgen('inspect', bag, '--json').out)


def test_a_profile_of_ones_own_is_read_from_its_file(r2rgen, bag, tmp_path):
    path = tmp_path / 'mine.yaml'
    head = 'format: r2rgen/robot/1\nname: mine\nbase: {frame: panda_link0, type: fixed}\n'
    path.write_text(head + 'arms: [{name: arm, end_effector: panda_hand}]\n', encoding='utf-8')
    result = r2rgen('inspect', bag, '--robot', path)
    assert 'robot mine: fixed base panda_link0' in result.out
    assert 'of acceleration not known' in result.out
    assert 'useful: no largest acceleration is known' in result.out


def test_what_cannot_be_read_is_refused_in_one_line(r2rgen, bag, tmp_path):
    refused = r2rgen('inspect', bag, '--robot', 'pnada')
    assert refused.is_refusal()
    assert 'nearest: "panda"' in refused.err
    (tmp_path / 'bad.yaml').write_text('format: r2rgen/robot/1\n', encoding='utf-8')
    refused = r2rgen('inspect', bag, '--robot', tmp_path / 'bad.yaml')
    assert refused.is_refusal()
    assert 'bad.yaml, line 1: the file lacks "name"' in refused.err
    assert r2rgen('inspect', bag, '--robot', tmp_path / 'gone.yaml').is_refusal()
    assert r2rgen('inspect', bag, '--robot', 'panda', '--mesh-folder', 'gone').is_refusal()
    assert r2rgen('inspect', bag, '--mesh-folder', tmp_path).is_refusal()
    assert r2rgen('inspect', tmp_path / 'gone', '--robot', 'panda').is_refusal()
