# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import Annotation, ObjectNote, Prompt, SupportPlane
from r2rgen_ros.model.demo import Arm, Demo, Frame
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import IN_HAND, PUSHED, RELEASED, UNTOUCHED, Scene, SceneObject

CLOUD = Cloud.from_arrays(np.zeros((3, 3)))
POSES = np.tile(np.eye(4), (6, 1, 1))
HELD = np.array([-1, 0, 0, -1, 1, -1], dtype=np.int8)


def test_what_only_hands_move_is_untouched_in_hand_or_released():
    item = SceneObject('cup', CLOUD, POSES, HELD)
    assert item.state.tolist() == [UNTOUCHED, IN_HAND, IN_HAND, RELEASED, IN_HAND, RELEASED]
    assert item.is_trusted.all()
    assert np.isnan(item.residual).all()
    assert np.isnan(item.seen_share)


def test_what_is_given_is_kept():
    state = np.array([UNTOUCHED, PUSHED, RELEASED, RELEASED, IN_HAND, RELEASED], dtype=np.uint8)
    trusted = np.array([True, True, False, True, True, True])
    residual = np.linspace(0.0, 0.001, 6)
    item = SceneObject('cup', CLOUD, POSES, HELD, residual, state, trusted, 0.4)
    assert np.array_equal(item.state, state)
    assert np.array_equal(item.is_trusted, trusted)
    assert np.array_equal(item.residual, residual)
    assert item.seen_share == 0.4


@pytest.mark.parametrize(
    'wrong',
    [
        {'cloud': Cloud.empty()},
        {'object2base': POSES[:, :3]},
        {'held': HELD[:5]},
        {'residual': np.zeros(5)},
        {'state': np.zeros(7, dtype=np.uint8)},
        {'is_trusted': np.ones(5, dtype=bool)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_does_not_fit_is_refused(wrong):
    right = {'name': 'cup', 'cloud': CLOUD, 'object2base': POSES, 'held': HELD}
    with pytest.raises(R2RGenError, match='cup'):
        SceneObject(**{**right, **wrong})


def test_a_scene_has_the_annotated_objects_and_a_label_of_every_frame():
    arm = Arm('arm', 'tool', POSES, np.zeros(6))
    frames = [Frame(cloud=CLOUD)] * 6
    demo = Demo('demo', Path('demo'), np.arange(6), 'base', (arm,), frames)
    note = ObjectNote('cup', Prompt(point=(0.0, 0.0, 0.0)))
    annotation = Annotation((note,), ())
    support = SupportPlane(np.array([0.0, 0.0, 1.0]), 0.0, np.eye(3))
    item, labels = SceneObject('cup', CLOUD, POSES, HELD), (np.zeros(3, dtype=np.uint8),) * 6
    scene = Scene(demo, annotation, support, (item,), CLOUD, labels)
    assert scene.warnings == ()
    assert scene.backdrop is None
    with pytest.raises(R2RGenError, match='5 label frames'):
        Scene(demo, annotation, support, (item,), CLOUD, labels[1:])
    other = SceneObject('mug', CLOUD, POSES, HELD)
    with pytest.raises(R2RGenError, match='mug'):
        Scene(demo, annotation, support, (other,), CLOUD, labels)
