# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import Annotation, ObjectNote, Prompt, SupportPlane
from r2rgen_ros.model.demo import Arm, Demo, Frame, Joints, Sensor
from r2rgen_ros.model.episode import Episode, PlanarMove, Variation
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import Scene, SceneObject
from r2rgen_ros.model.sensed import SensedFrame

COUNT = 4
STILL = np.tile(np.eye(4), (COUNT, 1, 1))
CLOUD = Cloud.from_arrays(np.zeros((5, 3)))
CAMERA = PinholeCamera(4, 3, 5.0, 5.0, 1.5, 1.0)
ARM = Arm('arm', 'tool', STILL, np.zeros(COUNT))
SUPPORT = SupportPlane(np.array([0.0, 0.0, 1.0]), 0.0, np.eye(3))
CUP = ObjectNote('cup', Prompt(point=(0.0, 0.0, 0.0)))


def demo(**changes):
    parts = {
        'name': 'demo',
        'path': Path('demo'),
        'stamps': np.arange(COUNT) * 100_000_000,
        'base_frame': 'base',
        'arms': (ARM,),
        'frames': [Frame(cloud=CLOUD)] * COUNT,
    }
    return Demo(**{**parts, **changes})


def test_a_good_demonstration_is_taken():
    good = demo(sensor=Sensor('camera', CAMERA, STILL), joints=Joints(('j',), np.zeros((COUNT, 1))))
    assert len(good) == COUNT
    assert good.period_ns == 100_000_000
    assert not good.has_images
    assert good.sensor.is_static


def skewed():
    poses = STILL.copy()
    poses[2, 0, 0] = 1.1
    return poses


@pytest.mark.parametrize(
    ('build', 'words'),
    [
        (lambda: demo(stamps=[0, 2, 1, 3]), 'stamp of frame 2 .* not after'),
        (lambda: demo(stamps=[0, 1, 1, 3]), 'stamp of frame 2 .* not after'),
        (lambda: demo(stamps=[0]), 'has 1 frames'),
        (lambda: demo(stamps=[0, 1, 2]), 'expected 3 as stamps'),
        (lambda: demo(arms=()), 'no arm'),
        (lambda: demo(frames=[Frame(cloud=CLOUD)] * 3), 'camera frames of "demo" number 3'),
        (lambda: demo(arms=(Arm('arm', 't', STILL[:3], np.zeros(3)),)), 'arm "arm" .* number 3'),
        (lambda: demo(sensor=Sensor('c', CAMERA, STILL[:2])), 'camera poses .* number 2'),
        (lambda: demo(joints=Joints(('j',), np.zeros((5, 1)))), 'joint positions .* number 5'),
        (lambda: Arm('arm', 't', skewed(), np.zeros(COUNT)), 'not a rigid transform'),
        (lambda: Arm('arm', 't', STILL, np.zeros(3)), 'gripper of arm "arm" has shape'),
        (
            lambda: Arm('arm', 't', STILL, np.zeros(COUNT), effort=np.zeros(3)),
            'effort of arm "arm" has shape',
        ),
        (
            lambda: Arm('arm', 't', STILL, np.zeros(COUNT), effort=np.full(COUNT, np.nan)),
            'effort of arm "arm" holds 4 values that are NaN',
        ),
        (lambda: Sensor('c', CAMERA, skewed()), 'not rigid'),
        (lambda: Joints(('a', 'b'), np.zeros((COUNT, 3))), 'joint positions has shape'),
        (lambda: Joints(('a',), np.full((COUNT, 1), np.nan)), 'NaN'),
        (lambda: Frame(), 'neither depth nor a cloud'),
        (
            lambda: Frame(np.zeros((3, 4), np.float32), np.zeros((4, 3, 3), np.uint8)),
            'depth aligned to colour',
        ),
        (lambda: SceneObject('cup', Cloud.empty(), STILL, np.zeros(COUNT)), 'no points'),
        (lambda: SceneObject('cup', CLOUD, STILL, np.zeros(3)), 'held of "cup" has shape'),
        (lambda: SceneObject('cup', CLOUD, STILL[0], np.zeros(1)), 'poses of "cup"'),
        (lambda: SensedFrame(), 'neither depth nor a cloud'),
        (
            lambda: SensedFrame(np.zeros((3, 4), np.float32), np.zeros((3, 5, 3), np.uint8)),
            'sensed depth is',
        ),
        (lambda: SensedFrame(cloud=CLOUD, labelled=CLOUD), '5 labelled points'),
        (
            lambda: SensedFrame(cloud=CLOUD, labelled=CLOUD, labels=np.zeros(4, np.uint8)),
            'there are 4 labels for 5',
        ),
        (lambda: PlanarMove(float('nan')), 'not finite'),
        (lambda: Variation(0, 0, (None,), skewed()[2:3]), 'not rigid'),
        (lambda: Variation(0, 0, (None, None), STILL[:1]), 'transforms has shape'),
    ],
)
def test_what_contradicts_itself_is_refused(build, words):
    with pytest.raises(R2RGenError, match=words):
        build()


def test_a_camera_that_moves_is_noticed():
    poses = STILL.copy()
    poses[3, 0, 3] = 2e-4
    assert not Sensor('c', CAMERA, poses).is_static


def test_a_scene_has_labels_for_every_frame_and_the_annotated_objects():
    cup = SceneObject('cup', CLOUD, STILL, np.zeros(COUNT))
    labels = (np.zeros(5, np.uint8),) * COUNT
    good = Scene(demo(), Annotation((CUP,), ()), SUPPORT, (cup,), CLOUD, labels)
    with pytest.raises(R2RGenError, match='3 label frames'):
        replace(good, labels=labels[:3])
    with pytest.raises(R2RGenError, match='parsed objects'):
        replace(good, objects=())


def episode(count, seed=0):
    rng = np.random.default_rng(seed)
    path = se3.from_quaternion(rng.normal(size=(count, 3)), rng.normal(size=(count, 4)))
    return Episode(
        Variation(0, 0, (), np.zeros((0, 4, 4))),
        np.arange(count),
        np.linspace(0, 3, count),
        {'arm': path},
        {'arm': np.zeros(count)},
        np.tile(np.eye(4), (2, count, 1, 1)),
        np.full(count, -1),
    )


@given(st.integers(1, 60), st.integers(0, 2**31))
def test_actions_lead_from_the_first_state_to_every_other(count, seed):
    one = episode(count, seed)
    actions = one.actions('arm')
    state = one.ee2base['arm'][0]
    assert np.array_equal(actions[0], np.eye(4))
    for action, wanted in zip(actions, one.ee2base['arm'], strict=True):
        state = action @ state
        assert np.allclose(state, wanted, atol=1e-9)


def test_whole_source_frames_are_the_nearest_and_halves_go_down():
    one = replace(episode(5), source=np.array([0.0, 0.5, 0.51, 1.49, 2.5]))
    assert one.source_frames.tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'stamps': np.array([0, 2, 1, 3])}, 'do not rise'),
        ({'source': np.zeros(3)}, 'source frames'),
        ({'skill': np.zeros(5)}, 'skill has shape'),
        ({'object2base': np.tile(np.eye(4), (2, 3, 1, 1))}, 'object poses'),
        ({'ee2base': {'arm': STILL[:2]}}, 'path of "arm"'),
        ({'gripper': {'arm': np.zeros(9)}}, 'gripper of "arm"'),
    ],
)
def test_an_episode_has_one_of_each_for_every_frame(change, words):
    with pytest.raises(R2RGenError, match=words):
        replace(episode(4), **change)
