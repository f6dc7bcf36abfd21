# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import json

import numpy as np
import pytest

pytest.importorskip('r2rgen_ros.cli.console')

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.inspection import inspect_bag
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.cli import inspect as verb


def text(path):
    return '\n'.join(verb.describe(inspect_bag(path)))


def test_real_bags_are_told_in_words(data_dir):
    folder = data_dir / 'ros1_bags'
    cloud = text(folder / 'moveit_perception_tutorial.bag')
    assert '640 x 480' in cloud
    assert 'valid share 76%' in cloud
    assert 'distinct depths 285' in cloud
    frames = text(folder / 'jsk_watercan.bag')
    assert 'frames: 83 pairs' in frames
    assert 'leading slash' in frames
    joints = text(folder / 'kuka_lwr_joint_states.bag')
    assert '4101 x sensor_msgs/msg/JointState, 100 Hz' in joints
    assert 'repeated share 46%' in joints
    for words in (cloud, frames, joints):
        assert 'This is no demonstration yet.' in words
        assert '; to fix: ' in words


def test_what_is_to_be_chosen_is_told_beside_what_is_missing(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        for side in ('left', 'right'):
            bag.add_topic(f'/{side}/depth', messages.IMAGE)
            image = messages.image(1, side, np.ones((4, 4), np.uint16), '16UC1')
            bag.write(f'/{side}/depth', 1, image)
    words = text(tmp_path / 'bag')
    assert 'missing: moving transforms' in words
    assert 'missing: a depth camera' not in words
    assert 'choose with --topic depth=TOPIC' in words


def test_arguments_and_result(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/joint_states', messages.JOINT_STATE)
        for k in range(5):
            bag.write('/joint_states', k, messages.joint_state(k, ['a'], np.array([float(k)])))
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    result = verb.run(parser.parse_args([str(tmp_path / 'bag')]))
    again = json.loads(json.dumps(result, allow_nan=False))
    assert again['topics'][0]['name'] == '/joint_states'
    assert not again['is_demonstration']


def test_a_dataset_is_listed_from_its_manifest_alone(r2rgen, table_demo, tmp_path):
    config, out = tmp_path / 'generate.yaml', tmp_path / 'out'
    config.write_text(
        'format: r2rgen/generate/1\ncamera: {mode: "off"}\n'
        'sampling: {learn: false, ranges: {x_m: [-0.3, 0.3], y_m: [-0.3, 0.3]}}\n'
    )
    made = r2rgen(
        'generate', table_demo, '-o', out, '-n', 6, '--config', config, '--no-report', '--json'
    )
    told = json.loads(made.out)
    episodes = sorted(str(path.relative_to(out)) for path in out.glob('shard_*/*'))
    for bag in out.glob('shard_*/*/*'):
        bag.unlink()  # whoever opened one would fail

    said = json.loads(r2rgen('inspect', out, '--json').out)

    assert said['episodes'] == episodes
    assert len(episodes) == said['accepted'] == 6
    assert (said['attempts'], said['reasons']) == (told['attempts'], told['reasons'])
    text = r2rgen('inspect', out).out
    assert f'a dataset of 6 episodes ({said["frames"]} frames), {said["attempts"]} attempts' in text
    assert f'episodes: {episodes[0]} to {episodes[-1]}' in text
    for option in (('--robot', 'panda'), ('--mesh-folder', out), ('--topic', 'depth=/depth')):
        refused = r2rgen('inspect', out, *option)
        assert refused.is_refusal()
        assert 'is a dataset, which is listed from its manifest' in refused.err
