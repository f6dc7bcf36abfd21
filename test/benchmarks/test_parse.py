# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of parsing: what is right counts as right, what is wrong as wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import parse
from benchmarks.parse_scoring import (
    WORST_MM,
    failed_score,
    pose_errors,
    score_environment,
    score_robot,
    score_scene,
    surface_shares,
)
from benchmarks.parse_skills import score_skills
from benchmarks.parse_truth import click, empty_room, robot_surface, thing_surface, things_of
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import Annotation, ObjectNote, Prompt, Skill, SupportPlane
from r2rgen_ros.model.demo import Arm, Demo, Frame, Sensor
from r2rgen_ros.model.scene import FIRST_OBJECT, ROBOT, Scene, SceneObject
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.steps import standing
from r2rgen_ros.simulate.world import CAMERA, CAMERA2BASE, World

TASK = 'place-bottle'
PATH = np.stack([standing(0.5, y, 0.3) for y in (0.1, 0.1, 0.0, -0.05)])
SKILLS = (
    Skill('pick bottle', 0, 1, ('bottle',)),
    Skill('place bottle', 2, 3, ('plate',), ('bottle',)),
)


@pytest.fixture(scope='module')
def truth():
    """Four frames: the bottle glides past the plate."""
    things = list(things_of(TASK).values())
    plate = standing(0.45, -0.2, 0.0)
    world = World(things)
    labels = []
    with Eye(world) as eye:
        for pose in PATH:
            world.reset({'bottle': pose, 'plate': plate})
            labels.append(eye.labels())
    joints = np.concatenate([panda.HOME, 2 * [0.5 * panda.OPEN_WIDTH]])
    return GroundTruth(
        ('bottle', 'plate'),
        np.arange(4, dtype=np.int64),
        np.stack([PATH, np.tile(plate, (4, 1, 1))]),
        np.stack(labels),
        np.zeros((2, 4), dtype=bool),
        np.tile(joints, (4, 1)),
        np.tile(np.eye(4), (4, 1, 1)),
        np.array(CAMERA2BASE),
        SKILLS,
    )


@pytest.fixture(scope='module')
def perfect(truth):
    """The scene that a parser without a flaw would make of it."""
    still = np.tile(np.eye(4), (4, 1, 1))
    room = empty_room()
    demo = Demo(
        'made up',
        Path('nowhere'),
        truth.stamps,
        'base',
        (Arm('arm', 'tool', still, np.zeros(4)),),
        [Frame(depth=room)] * 4,
        Sensor('camera', CAMERA, np.tile(CAMERA2BASE, (4, 1, 1))),
    )
    plane = SupportPlane([0.0, 0.0, 1.0], 0.0, [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    notes = tuple(ObjectNote(name, Prompt(pixel=(1.0, 1.0))) for name in truth.names)
    # The frame that a parser gives an object is its own business.
    own = se3.compose(se3.rotation_about([0.0, 1.0, 0.0], 0.4), [0.1, 0.2, 0.3])
    objects = tuple(
        SceneObject(name, cloud(se3.apply(own, thing_surface(things_of(TASK)[name]))),
                    truth.object2base[k] @ se3.inverse(own), np.full(4, -1, np.int8))
        for k, name in enumerate(truth.names)
    )  # fmt: skip
    points = CAMERA.unproject(room)[np.isfinite(room)]
    return Scene(
        demo,
        Annotation(notes, SKILLS, plane),
        plane,
        objects,
        cloud(se3.apply(CAMERA2BASE, points)),
        tuple(truth.labels),
    )


def cloud(points):
    return Cloud.from_arrays(points, np.zeros((len(points), 3), np.uint8))


@pytest.fixture(scope='module')
def good(perfect, truth):
    return score_scene(TASK, 0, perfect, truth, (1.0, 2.0))


def test_a_perfect_scene_has_perfect_figures(good):
    assert parse.summary([good]) == {
        'pose_mm_median': 0.0,
        'pose_deg_median': 0.0,
        'pose_mm_p95': 0.0,
        'pose_deg_p95': 0.0,
        'pose_moved_mm_median': 0.0,
        'pose_moved_deg_median': 0.0,
        'mask_iou_median': 1.0,
        'mask_iou_measured_median': 1.0,
        'completeness': 1.0,
        'false_surface': 0.0,
        'skills_within_3_frames': 1.0,
        'targets_right': 1.0,
        'environment_holes': 0.0,
        'environment_error_mm': 0.0,
        'robot_left': 0.0,
        'seconds_per_300_frames': 75.0,
        'cpu_seconds_per_300_frames': 150.0,
    }


def test_what_is_wrong_with_an_environment_is_counted(perfect, truth):
    points = perfect.environment.points
    few = replace(perfect, environment=cloud(points[::2]))
    assert score_environment(few) == pytest.approx((0.5, 0.0), abs=0.01)
    eye = CAMERA2BASE[:3, 3]
    deep = replace(perfect, environment=cloud(eye + (points - eye) * 1.01))
    room = float(np.nanmedian(empty_room()))
    assert score_environment(deep) == pytest.approx((0.0, 10.0 * room), rel=0.01)
    robot = robot_surface(truth.joints[0])[::50]
    left = replace(perfect, environment=cloud(np.concatenate([points, robot])))
    share = len(robot) / (len(robot) + len(points))
    assert score_robot(left, truth.joints[0]) == pytest.approx(share, rel=0.1)


def test_objects_under_other_numbers_are_told_by_their_names(perfect, truth):
    swapped = np.array(truth.labels)
    swapped[truth.labels == FIRST_OBJECT] = FIRST_OBJECT + 1
    swapped[truth.labels == FIRST_OBJECT + 1] = FIRST_OBJECT
    notes = replace(perfect.annotation, objects=perfect.annotation.objects[::-1])
    scene = replace(
        perfect, annotation=notes, objects=perfect.objects[::-1], labels=tuple(swapped)
    )  # fmt: skip
    scored = parse.summary([score_scene(TASK, 0, scene, truth, (1.0, 2.0))])
    assert scored['mask_iou_median'] == scored['completeness'] == 1.0
    assert scored['pose_mm_p95'] == scored['pose_deg_p95'] == scored['false_surface'] == 0.0


def test_wrong_masks_count_where_the_object_is_in_view(perfect, truth):
    robbed = np.array(truth.labels)
    robbed[1:][truth.labels[1:] == FIRST_OBJECT] = ROBOT
    scored = score_scene(TASK, 0, replace(perfect, labels=tuple(robbed)), truth, (1.0, 2.0))
    assert list(scored.objects[0].iou) == [1.0, 0.0, 0.0, 0.0]
    assert list(scored.objects[1].iou) == [1.0, 1.0, 1.0, 1.0]


def test_poses_are_compared_as_motions_at_the_centre():
    true = np.stack([standing(0.1 * i, 0.0, 0.3 * i) for i in range(4)])
    own = se3.compose(se3.rotation_about([1.0, 0.0, 0.0], 0.7), [0.3, 0.2, 0.1])
    centre = np.array([0.0, 0.0, 0.1])
    place, turn = pose_errors(true @ own, true, centre, symmetric=False)
    assert max(place.max(), turn.max()) < 1e-4
    late = true.copy()
    late[1:, :3, 3] += [0.0, 0.004, 0.0]
    place, turn = pose_errors(late @ own, true, centre, symmetric=False)
    assert np.allclose(place, [0.0, 4.0, 4.0, 4.0])
    assert turn.max() < 1e-4


def test_of_symmetric_objects_only_the_tilt_counts():
    spin = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], 0.5), np.zeros(3))
    tilt = se3.compose(se3.rotation_about([0.0, 1.0, 0.0], np.radians(10.0)), np.zeros(3))
    true = np.stack([standing(0.4, 0.1, 0.2), standing(0.5, 0.1, 0.2), standing(0.5, 0.1, 0.2)])
    found = np.stack([true[0], true[1] @ spin, true[2] @ tilt])
    place, turn = pose_errors(found, true, np.zeros(3), symmetric=True)
    assert np.allclose(place, 0.0, atol=1e-6)
    assert np.allclose(turn, [0.0, 0.0, 10.0], atol=1e-6)
    assert np.allclose(
        pose_errors(found, true, np.zeros(3), symmetric=False)[1], [0.0, np.degrees(0.5), 10.0]
    )


def test_shares_of_a_surface():
    surface = thing_surface(things_of('box-in-bowl')['box'])
    assert surface_shares(surface, surface) == (1.0, 0.0)
    front = surface[surface[:, 0] > 0.0]
    seen, wrong = surface_shares(front, surface)
    assert seen == pytest.approx(0.5, abs=0.1)
    assert wrong == 0.0
    stray = np.concatenate([surface, surface[:1000] + np.array([0.0, 0.0, 0.2])])
    assert surface_shares(stray, surface)[1] == pytest.approx(1000 / len(stray), rel=0.01)


@pytest.mark.parametrize('task', parse.NAMES)
def test_true_surfaces_are_the_outsides_of_objects(task):
    for thing in things_of(task).values():
        points = thing_surface(thing)
        assert len(points) > 4000
        low, high = points.min(axis=0), points.max(axis=0)
        assert low[2] == pytest.approx(0.0, abs=1e-3)
        assert np.all(high - low < np.array(thing.size) + 2e-3)
        if thing.name == 'box':
            inside = np.abs(points - [0.0, 0.0, 0.055]) < np.array([0.023, 0.034, 0.054])
            assert not inside.all(axis=1).any()


def test_the_robot_stands_on_its_foot_and_holds_its_hand_out(truth):
    points = robot_surface(truth.joints[0])
    assert points[:, 2].min() == pytest.approx(0.0, abs=0.01)
    assert points[:, 0].max() > 0.3
    assert np.sum(np.linalg.norm(points[:, :2], axis=1) < 0.12) > 1000


def test_skills_are_matched_in_order():
    spans = [(0, 9), (20, 29)]
    found = (
        Skill('a', 2, 9, ('bottle',)),
        Skill('b', 15, 30, ('plate',), ('bottle',)),
    )
    assert score_skills(SKILLS, spans, found) == ((2, 0, -5, 1), (True, True))
    assert score_skills(SKILLS, spans, found[1:]) == ((-5, 1, np.inf, np.inf), (True, False))
    wrong = (found[0], replace(found[1], in_hand=()))
    assert score_skills(SKILLS, spans, wrong)[1] == (True, False)
    extra = (found[0], Skill('x', 11, 12, ('plate',)), found[1])
    assert score_skills(SKILLS, spans, extra) == (
        (2, 0, -5, 1, np.inf, np.inf), (True, True, False)
    )  # fmt: skip
    assert score_skills(SKILLS, spans, ()) == (4 * (np.inf,), (False, False))


def test_a_click_is_on_the_object_and_not_on_its_rim(truth):
    for k in range(2):
        mask = truth.labels[0] == FIRST_OBJECT + k
        places = set()
        for seed in range(30):
            frame, (u, v) = click(truth, k, np.random.default_rng(seed))
            assert frame == 0
            assert mask[v - 2 : v + 3, u - 2 : u + 3].all()
            places.add((u, v))
        assert len(places) > 20
    assert parse.clicks(truth, 3) == parse.clicks(truth, 3) != parse.clicks(truth, 4)


def test_a_scene_that_cannot_be_parsed_counts_as_the_worst(good, truth):
    bad = failed_score(TASK, 1, truth, (2.0, 2.0), 'no such thing')
    alone, both = parse.summary([bad]), parse.summary([good, bad])
    assert alone['pose_mm_median'] == WORST_MM
    assert alone['mask_iou_median'] == alone['targets_right'] == alone['completeness'] == 0.0
    assert alone['environment_holes'] == alone['robot_left'] == alone['false_surface'] == 1.0
    assert both['skills_within_3_frames'] == both['targets_right'] == 0.5
    assert parse.worst([parse.summary([good]), alone]) == alone
