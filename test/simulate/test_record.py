# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import yaml

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate import drivers, panda
from r2rgen_ros.simulate import record as recording
from r2rgen_ros.simulate.ground_truth import GroundTruth


def stamp_of(header):
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def beginning(done):
    """The first half second of what was done."""
    states = done.rollout.states[:60]
    return replace(done, rollout=replace(done.rollout, states=states, spans=(), holds=()))


def test_the_truth_has_the_end_effector_at_the_camera_stamps(bag, truth):
    joints = bag[drivers.JOINT_STATES]
    stamps = np.array([stamp_of(m.header) for _, m in joints])
    positions = np.stack([m.position for _, m in joints])
    between = np.stack(
        [np.interp(truth.stamps, stamps, positions[:, j]) for j in range(positions.shape[1])], 1
    )
    inside = truth.stamps <= stamps[-1]
    assert inside.sum() >= len(inside) - 1
    assert np.abs(between - truth.joints)[inside].max() < 5e-4
    robot = Robot.from_urdf(panda.description(), panda.BASE, panda.TOOL)
    assert np.abs(robot.forward(panda.JOINTS, truth.joints) - truth.ee2base).max() < 1e-9


def test_skills_of_the_bridge_are_those_of_the_paper(acts):
    done = acts('build-bridge')
    truth = recording.truth(done, np.zeros((len(done.frames), 1, 1), np.uint8))
    assert [(s.targets, s.in_hand) for s in truth.skills] == [
        (('pier_1',), ()),
        ((), ('pier_1',)),
        (('pier_2',), ()),
        (('pier_1',), ('pier_2',)),
        (('deck',), ()),
        (('pier_1', 'pier_2'), ('deck',)),
    ]
    for before, after in pairwise(truth.skills):
        assert after.first > before.last
    for k, name in enumerate(truth.names):
        held = np.flatnonzero(truth.held[k])
        pick, place = (s for s in truth.skills if name in s.name)
        assert pick.first < held[0] < pick.last
        assert place.first < held[-1] < place.last


def test_provenance_is_in_the_metadata(virtual_demo):
    text = (virtual_demo / 'metadata.yaml').read_text()
    custom = yaml.safe_load(text)['rosbag2_bagfile_information']['custom_data']
    assert custom['r2rgen.source'] == 'simulate'
    assert custom['r2rgen.task'] == 'place-bottle'
    assert custom['r2rgen.seed'] == '0'
    assert custom['r2rgen.base_frame'] == 'panda_link0'
    assert custom['r2rgen.end_effector'] == 'panda_hand_tcp'


def test_the_same_seed_gives_the_same_bytes(acts, tmp_path):
    first, second = acts('place-bottle'), recording.act('place-bottle', 0)
    pairs = list(zip(first.rollout.states, second.rollout.states, strict=True))
    assert all(np.array_equal(a.qpos, b.qpos) and np.array_equal(a.effort, b.effort)
               for a, b in pairs)  # fmt: skip
    folders = []
    for name, done in (('one', first), ('two', second)):
        folders.append(recording.write(beginning(done), tmp_path / name / 'demo'))
    files = sorted(item.name for item in folders[0].iterdir())
    assert files == ['demo.mcap', 'ground_truth.npz', 'metadata.yaml']
    for name in files:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_without_the_truth_the_bag_is_the_same(acts, tmp_path):
    done = beginning(acts('place-bottle'))
    folders = [
        recording.write(
            done, tmp_path / name / 'demo', options=recording.Options(with_truth=with_truth)
        )
        for name, with_truth in (('with', True), ('without', False))
    ]
    files = [sorted(item.name for item in folder.iterdir()) for folder in folders]
    assert files[1] == ['demo.mcap', 'metadata.yaml']
    assert files[0] == ['demo.mcap', 'ground_truth.npz', 'metadata.yaml']
    for name in files[1]:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_smaller_images_and_labels_are_pixels_of_the_larger(acts, read_bag, tmp_path):
    done = beginning(acts('place-bottle'))
    folders = [
        recording.write(done, tmp_path / str(k), options=recording.Options(shrink=k))
        for k in (1, 4)
    ]
    large, small = (read_bag(folder) for folder in folders)
    for topic, shape in ((drivers.COLOUR, (480, 640, 3)), (drivers.DEPTH, (480, 640, 2))):
        assert len(large[topic]) == len(small[topic]) == len(done.frames)
        for (_, first), (_, second) in zip(large[topic], small[topic], strict=True):
            assert (second.width, second.height) == (160, 120)
            kept = first.data.reshape(shape)[2::4, 2::4]
            assert np.array_equal(second.data, kept.ravel())
    infos = [messages[drivers.DEPTH_INFO][0][1] for messages in (large, small)]
    assert infos[1].k[[0, 4]].tolist() == (infos[0].k[[0, 4]] / 4).tolist()
    labels = [GroundTruth.load(folder).labels for folder in folders]
    assert np.array_equal(labels[1], labels[0][:, 2::4, 2::4])


def test_images_come_as_late_as_asked(acts, read_bag, tmp_path):
    options = recording.Options(latency_s=(0.2, 0.25), shrink=4, with_truth=False)
    recording.write(beginning(acts('place-bottle')), tmp_path / 'demo', options=options)
    delays = [
        logged - stamp_of(message.header)
        for logged, message in read_bag(tmp_path / 'demo')[drivers.COLOUR]
    ]
    assert 0.2e9 <= min(delays) <= max(delays) <= 0.25e9


def test_how_often_the_camera_looks_does_not_change_what_happens(acts):
    usual = acts('place-bottle')
    often = recording.act('place-bottle', 0, camera_every=67)
    steps = [drivers.step_of(state) for state in often.frames]
    assert set(np.diff(steps)) == {67}
    happened = {drivers.step_of(state): state for state in often.rollout.states}
    shared = [state for state in usual.rollout.states if drivers.step_of(state) in happened]
    assert len(shared) > 1000
    for state in shared:
        assert np.array_equal(state.qpos, happened[drivers.step_of(state)].qpos)
    with pytest.raises(R2RGenError, match='period'):
        recording.act('place-bottle', 0, camera_every=0)


def test_nothing_is_overwritten_or_left_behind(acts, virtual_demo, tmp_path):
    with pytest.raises(R2RGenError, match='exists already'):
        recording.record('place-bottle', 0, virtual_demo)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recording.write(acts('place-bottle'), tmp_path / 'cut', progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_options_are_checked():
    with pytest.raises(R2RGenError, match='8UC1'):
        recording.Options(depth_encoding='8UC1')
    with pytest.raises(R2RGenError, match='depth noise'):
        recording.Options(depth_noise_m=-1.0)
    with pytest.raises(R2RGenError, match='least latency'):
        recording.Options(latency_s=(0.03, 0.02))
    with pytest.raises(R2RGenError, match='largest latency'):
        recording.Options(latency_s=(0.0, 20.0))
    with pytest.raises(R2RGenError, match='shrunk'):
        recording.Options(shrink=0)


def test_a_missing_truth_is_named(tmp_path):
    with pytest.raises(R2RGenError, match=r'ground_truth\.npz'):
        GroundTruth.load(tmp_path)
    (tmp_path / 'ground_truth.npz').write_bytes(b'nothing of the kind')
    with pytest.raises(R2RGenError, match='cannot be read'):
        GroundTruth.load(tmp_path)
