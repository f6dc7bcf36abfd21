# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is proposed without a person, against the truth of the virtual robot."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation import Annotation, Grasp, ObjectNote, Prompt, Skill
from r2rgen_ros.model.demo import Arm, Demo, Joints, Sensor
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import ENVIRONMENT, FIRST_OBJECT, ROBOT, UNSEEN
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.scene import build_scene, parse_scene, survey
from r2rgen_ros.simulate.ground_truth import GroundTruth

STEP = 3


def thinned(demo, step):
    """Every so manieth frame of a demonstration."""
    keep = slice(None, None, step)
    frames = [demo.frames[k] for k in range(0, len(demo), step)]
    return Demo(
        demo.name,
        demo.path,
        demo.stamps[keep],
        demo.base_frame,
        tuple(
            Arm(a.name, a.end_effector, a.ee2base[keep], a.gripper[keep], a.closed_is_low)
            for a in demo.arms
        ),
        frames,
        Sensor(demo.sensor.frame, demo.sensor.camera, demo.sensor.camera2base[keep]),
        Joints(demo.joints.names, demo.joints.positions[keep]),
        demo.robot_description,
    )


def thinned_annotation(annotation, step):
    """The same annotation in every so manieth frame."""

    def span(part):
        first = -(-part.first // step)
        return {'first': first, 'last': max(first, part.last // step)}

    notes = tuple(
        replace(note, grasps=tuple(replace(grasp, **span(grasp)) for grasp in note.grasps))
        for note in annotation.objects
    )
    skills = tuple(replace(skill, **span(skill)) for skill in annotation.skills)
    return replace(annotation, objects=notes, skills=skills, frames=None)


@pytest.fixture(scope='module')
def found(virtual_demo):
    """The bottle put onto the plate: proposed, parsed in every third frame, and the truth."""
    demo, truth = load_demo(virtual_demo), GroundTruth.load(virtual_demo)
    ground = survey(demo)
    annotation = propose(ground, virtual_demo)
    thin = survey(thinned(demo, STEP), ground.support)
    scene = build_scene(thin, thinned_annotation(annotation, STEP), virtual_demo)
    starts = truth.object2base[:, 0, :3, 3]
    order = [
        int(np.linalg.norm(starts - item.object2base[0, :3, 3], axis=1).argmin())
        for item in scene.objects
    ]
    return SimpleNamespace(
        demo=demo, ground=ground, annotation=annotation, scene=scene, truth=truth, order=order
    )


def true_name(found, name):
    return found.truth.names[found.order[found.annotation.index(name)]]


def test_the_support_is_the_table_top(found):
    support = found.ground.support
    assert np.rad2deg(np.arccos(support.normal[2])) < 0.05
    assert abs(support.offset) < 0.0005


def test_the_true_objects_are_found_and_nothing_else(found):
    assert sorted(found.order) == list(range(len(found.truth.names)))


def test_the_skills_are_the_true_ones(found):
    proposed = found.annotation.skills
    assert len(proposed) == len(found.truth.skills)
    for mine, true in zip(proposed, found.truth.skills, strict=True):
        assert tuple(true_name(found, name) for name in mine.targets) == true.targets
        assert tuple(true_name(found, name) for name in mine.in_hand) == true.in_hand
        assert abs(mine.first - true.first) <= 3
        assert abs(mine.last - true.last) <= 3


def test_a_grasp_begins_when_the_fingers_stop_and_ends_before_they_open(found):
    note = next(note for note in found.annotation.objects if note.grasps)
    assert true_name(found, note.name) == 'bottle'
    (grasp,) = note.grasps
    fingers = found.truth.joints[:, 7]
    width = np.median(fingers[found.truth.held[found.truth.names.index('bottle')]])
    closed = np.flatnonzero(np.abs(fingers - width) < 0.0005)
    assert abs(grasp.first - closed[0]) <= 1
    assert abs(grasp.last - closed[-1]) <= 1
    # The true span runs from lift to release; between the two nothing moves.
    held = np.flatnonzero(found.truth.held[found.truth.names.index('bottle')])
    assert grasp.first <= held[0]
    assert held[-1] <= grasp.last
    path = found.truth.object2base[found.truth.names.index('bottle'), :, :3, 3]
    for still in (path[grasp.first : held[0] + 1], path[held[-1] : grasp.last + 1]):
        assert np.ptp(still, axis=0).max() < 0.001


def test_objects_are_where_they_truly_are(found):
    for item, k in zip(found.scene.objects, found.order, strict=True):
        true = found.truth.object2base[k, ::STEP]
        moved = true @ se3.inverse(true[0])
        wanted = se3.apply(moved, item.object2base[:1, :3, 3])[:, 0]
        distance = np.linalg.norm(item.object2base[:, :3, 3] - wanted, axis=1)
        turned = se3.angle_between(moved, item.object2base @ se3.inverse(item.object2base[0]))
        print(
            f'{found.truth.names[k]}: {1e3 * distance.max():.2f} mm at most, '
            f'{1e3 * np.median(distance):.2f} mm median, {np.rad2deg(turned.max()):.2f} degrees'
        )
        assert distance.max() < 0.003
        assert np.rad2deg(turned.max()) < 0.5


def test_labels_are_those_of_the_truth(found):
    mine = np.stack(found.scene.labels)
    names = np.full(256, UNSEEN, np.uint8)
    names[[ENVIRONMENT, ROBOT]] = ENVIRONMENT, ROBOT
    for k, place in enumerate(found.order):
        names[FIRST_OBJECT + k] = FIRST_OBJECT + place
    mine, true = names[mine], found.truth.labels[::STEP]
    seen = mine != UNSEEN
    accuracy = (mine == true)[seen].mean()
    print(f'labels: {accuracy:.4f} of the seen pixels')
    assert accuracy > 0.97
    for k, name in enumerate(found.truth.names):
        both = ((mine == FIRST_OBJECT + k) & (true == FIRST_OBJECT + k)).sum()
        precision = both / (mine == FIRST_OBJECT + k).sum()
        recall = both / ((true == FIRST_OBJECT + k) & seen).sum()
        print(f'{name}: precision {precision:.4f}, recall {recall:.4f}')
        assert precision > 0.97
        assert recall > 0.95


def test_robot_pixels_taken_for_environment_are_those_that_never_move(found):
    behind = found.ground.background.depth
    for frame in range(0, len(found.scene.demo), 5):
        wrong = (found.scene.labels[frame] == ENVIRONMENT) & (
            found.truth.labels[frame * STEP] == ROBOT
        )
        depth = found.scene.demo.frames[frame].depth
        assert (np.abs(depth - behind)[wrong] < 0.006).sum() >= 0.99 * wrong.sum()


def test_the_environment_holds_no_object_and_a_whole_table(found):
    height = found.ground.support.height(found.scene.environment.points)
    on_table = np.abs(height) < 0.003
    assert on_table.mean() > 0.3
    flat = found.ground.support.to_plane(found.scene.environment.points[on_table])
    for item in found.scene.objects:
        foot = found.ground.support.to_plane(item.object2base[:1, :3, 3])[0]
        assert (np.linalg.norm(flat - foot, axis=1) < 0.02).sum() > 20  # filled in behind
        near = np.linalg.norm(found.scene.environment.points - item.object2base[0, :3, 3], axis=1)
        assert (height[near < 0.03] < 0.006).all()


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'frames': 7}, 'the annotation is for 7 frames'),
        ({'skills': (Skill('s', 0, 1, (), (), 'left'),)}, 'names arm "left"'),
        ({'skills': (Skill('s', 0, 9999, ()),)}, 'ends at frame 9999'),
        ({'objects': (ObjectNote('o', Prompt(9999, pixel=(1.0, 1.0))),)}, 'is in frame 9999'),
        (
            {'objects': (ObjectNote('o', Prompt(mask='m'), (Grasp('left', 3, 5),)),)},
            'held by "left"',
        ),
        (
            {'objects': (ObjectNote('o', Prompt(mask='m'), (Grasp('arm', 3, 9999),)),)},
            'held until frame 9999',
        ),
    ],
)
def test_an_annotation_of_another_demonstration_is_refused(found, tmp_path, change, words):
    wrong = replace(Annotation((), ()), **change)
    arms = tuple(replace(arm, name='arm') for arm in found.demo.arms)
    with pytest.raises(R2RGenError, match=words):
        parse_scene(replace(found.demo, arms=arms), wrong, tmp_path)
    with pytest.raises(R2RGenError, match=words):
        build_scene(replace(found.ground, demo=replace(found.demo, arms=arms)), wrong, tmp_path)
