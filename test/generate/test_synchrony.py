# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two arms: what they do together stays together, and the simulator's physics agree."""

from __future__ import annotations

from dataclasses import replace
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from benchmarks.replay import Bench
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import FeasibilityConfig, GenerateConfig, SamplingConfig
from r2rgen_ros.generate.course import ArmModel
from r2rgen_ros.generate.groups import together
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.synchrony import stages_of
from r2rgen_ros.generate.trajectory import Trajectories
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import Annotation, Grasp, ObjectNote, Prompt, Skill, SupportPlane
from r2rgen_ros.model.demo import Arm, Demo, Frame
from r2rgen_ros.model.episode import Episode, PlanarMove, Rejection
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import ENVIRONMENT, Scene, SceneObject
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.simulate.world import World

_spec = util.spec_from_file_location('two_arms', Path(__file__).with_name('two_arms.py'))
two_arms = util.module_from_spec(_spec)
_spec.loader.exec_module(two_arms)

CONFIG = GenerateConfig(
    sampling=SamplingConfig(learn=False), feasibility=FeasibilityConfig(min_visible_share=0.0)
)
MOVES = {
    'lift-box': {1: PlanarMove(0.03, -0.04, 0.5), 3: PlanarMove(-0.02, 0.05, -0.6)},
    'hand-over': {
        0: PlanarMove(0.04, -0.03, 0.3),
        2: PlanarMove(0.05, 0.0, 0.15),
        3: PlanarMove(0.02, -0.03, -0.3),
    },
}


@pytest.fixture(scope='module')
def benches():
    """Each task, ready to be varied and carried out, and its episode under `MOVES`."""
    made = {}

    def get(task):
        if task not in made:
            done, truth, scene = two_arms.true_scene(task)
            sampler = Sampler.create(scene, CONFIG, 0)
            assembler = Assembler.create(scene, CONFIG)
            world = World(done.task.things, rig=done.task.rig)
            bench = Bench(done.task, truth, scene, sampler, assembler, world)
            episode = assembler.assemble(sampler.from_moves(0, MOVES[task]))
            assert isinstance(episode, Episode), episode
            made[task] = bench, episode
        return made[task]

    return get


def both_at_it(bench, episode):
    """Frames of an episode in which both hands hold the object, or do something to it together."""
    at = bench.truth.held_by.any(axis=1).all(axis=0)
    skills = bench.scene.annotation.skills
    for cluster in together(skills):
        if len(cluster) > 1:
            at[skills[cluster[0]].first : skills[cluster[0]].last + 1] = True
    return at[episode.source_frames]


@pytest.mark.parametrize('task', MOVES)
def test_what_is_moved_succeeds_with_contact_physics(benches, task):
    bench, episode = benches(task)
    assert bench._wrong(episode, bench._replayed(episode)) == ''


def test_the_same_joints_fail_where_the_object_stands_elsewhere(benches):
    bench, episode = benches('lift-box')
    unmoved, _ = bench.source
    elsewhere = replace(episode, joints=unmoved.joints[episode.source_frames])
    assert bench._wrong(elsewhere, bench._replayed(elsewhere)) != ''


@pytest.mark.parametrize('task', MOVES)
def test_hands_that_hold_one_object_keep_their_places_on_it(benches, task):
    bench, episode = benches(task)
    left, right = (episode.ee2base[arm.name] for arm in bench.scene.demo.arms)
    own_left, own_right = (arm.ee2base for arm in bench.scene.demo.arms)
    at = np.flatnonzero(both_at_it(bench, episode) & (episode.source % 1.0 == 0.0))
    own = episode.source_frames[at]
    between = se3.inverse(left[at]) @ right[at]
    recorded = se3.inverse(own_left[own]) @ own_right[own]
    assert len(at) > 20
    assert np.abs(between - recorded).max() < 1e-9
    # They really are moved and turned.
    assert np.abs(left[at] - own_left[own]).max() > 0.04


def test_hands_that_carry_together_stay_together_however_slow_they_are(benches):
    bench, _ = benches('lift-box')
    slow = replace(CONFIG, motion=replace(CONFIG.motion, max_speed_m_s=0.2, max_turn_deg_s=20.0))
    assembler = Assembler.create(bench.scene, slow)
    moves = {1: PlanarMove(0.0, 0.0, 0.6), 3: PlanarMove(0.0, 0.0, -0.7)}
    episode = assembler.assemble(bench.sampler.from_moves(0, moves))
    assert isinstance(episode, Episode), episode
    assert len(episode) >= len(bench.scene.demo)
    left, right = (episode.ee2base[arm.name] for arm in bench.scene.demo.arms)
    at = both_at_it(bench, episode)
    apart = np.linalg.norm((left - right)[at, :3, 3], axis=1)
    own = np.linalg.norm(
        np.subtract(*(arm.ee2base[:, :3, 3] for arm in bench.scene.demo.arms)), axis=1
    )
    assert np.abs(apart - np.interp(episode.source[at], np.arange(len(own)), own)).max() < 1e-3


@pytest.mark.parametrize('task', MOVES)
def test_joints_of_both_arms_bring_their_hands_where_the_episode_says(benches, task):
    bench, episode = benches(task)
    miss_mm, miss_deg = bench._miss(episode)
    assert miss_mm < 0.5
    assert miss_deg < 0.2
    for arm in bench.assembler.arms:
        shares = arm.check.shares(episode.joints, episode.stamps)
        assert max(share.max() for share in shares) <= 1.0 + 1e-6
        low, high = arm.robot.limits(arm.robot.chain).T
        joints = episode.joints[:, arm.check.columns]
        assert ((joints >= low - 1e-9) & (joints <= high + 1e-9)).all()


@pytest.mark.parametrize('task', MOVES)
def test_nothing_changes_where_nothing_is_moved(benches, task):
    bench, _ = benches(task)
    episode, replayed = bench.source
    np.testing.assert_array_equal(episode.joints, bench.scene.demo.joints.positions)
    for arm in bench.scene.demo.arms:
        assert np.abs(episode.ee2base[arm.name] - arm.ee2base).max() < 1e-12
    assert replayed.failure(bench.task) == ''


def test_order_and_synchrony_of_the_source_are_kept(benches):
    bench, episode = benches('hand-over')
    assert (np.diff(episode.source) > 0.0).all()
    for arm, taken in zip(('left', 'right'), bench.truth.held_by[:, 0], strict=True):
        width = episode.gripper[arm]
        own = next(one for one in bench.scene.demo.arms if one.name == arm).gripper
        np.testing.assert_array_equal(width, own[np.ceil(episode.source - 0.5).astype(int)])
        assert width[taken[episode.source_frames]].max() < 0.03


def test_an_object_changes_hands_without_a_jump(benches):
    bench, episode = benches('hand-over')
    path = episode.object2base[0, :, :3, 3]
    own = bench.scene.objects[0].object2base[:, :3, 3]
    assert {0, 1} <= set(bench.scene.objects[0].held.tolist())
    largest = np.linalg.norm(np.diff(own, axis=0), axis=1).max()
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() < 1.6 * largest


def test_a_hand_that_only_holds_moves_with_the_skill_of_the_other(benches):
    bench, _ = benches('hand-over')
    skills = bench.scene.annotation.skills
    without = tuple(skill for skill in skills if skill.name != 'give baton')
    scene = replace(bench.scene, annotation=replace(bench.scene.annotation, skills=without))
    left, right = stages_of(scene)
    assert [without[stage.skill].name for stage in left] == ['pick baton', 'take baton']
    assert [without[stage.skill].name for stage in right] == ['take baton', 'place baton']
    assert (left[1].first, left[1].last) == (right[0].first, right[0].last)
    assert left[1].skill == right[0].skill
    # What is taken out of the air has been brought there as it stood.
    episode = Assembler.create(scene, CONFIG).assemble(
        Sampler.create(scene, CONFIG, 0).from_moves(0, {1: PlanarMove(0.03, 0.02, 0.1)})
    )
    assert isinstance(episode, Episode), episode


def retold(scene, change):
    """Returns the scene with other skills: `change` gives each skill's other fields by its name."""
    skills = [replace(one, **change.get(one.name, {})) for one in scene.annotation.skills]
    skills.sort(key=lambda one: one.first)
    return replace(scene, annotation=replace(scene.annotation, skills=tuple(skills)))


def test_who_gives_holds_on_until_the_other_has_it_and_is_free_then(benches):
    scene = benches('hand-over')[0].scene
    _, give, take, _ = scene.annotation.skills
    released = int(np.flatnonzero(scene.objects[0].held == 0)[-1])
    left, right = stages_of(retold(scene, {'give baton': {'last': give.first + 5}}))
    assert (left[1].first, left[1].last) == (give.first, released)
    assert (right[0].first, right[0].last) == (take.first, take.last)
    assert released < take.last


def test_hands_that_carry_together_set_out_and_arrive_together(benches):
    scene = benches('lift-box')[0].scene
    take, _, put, _ = scene.annotation.skills
    late = {
        'take crate (right)': {'last': take.last + 2},
        'put crate (left)': {'first': put.first + 2},
    }
    left, right = stages_of(retold(scene, late))
    assert (left[0].last, left[1].first) == (right[0].last, right[1].first)
    assert (left[0].last, left[1].first) == (take.last + 2, put.first)
    assert left[1].pivot is not None
    np.testing.assert_array_equal(left[1].pivot, right[1].pivot)


def test_each_arm_and_each_gripper_has_a_trajectory_of_its_own(benches):
    bench, episode = benches('lift-box')
    demo = bench.scene.demo
    made = Trajectories(demo, *(robot_of(demo, place) for place in (0, 1)))(episode)
    joints = {one.topic: one.names for one in made}
    assert joints == {
        f'/r2rgen/{arm.name}/{part}_trajectory': names
        for arm in bench.task.rig.arms
        for part, names in (('joint', arm.arm_joints), ('gripper', arm.finger_joints[:1]))
    }


def test_links_of_one_arm_do_not_pass_through_the_other(benches):
    bench, _ = benches('lift-box')
    crossed = {1: PlanarMove(0.0, 0.0, np.pi), 3: PlanarMove(0.0, 0.0, np.pi)}
    found = bench.assembler.assemble(bench.sampler.from_moves(0, crossed))
    assert isinstance(found, Rejection)
    pairs = bench.assembler.collisions._own.pairs
    assert any({a.split('_')[0], b.split('_')[0]} == {'left', 'right'} for a, b in pairs)


def test_two_arms_that_share_joints_are_refused(benches):
    bench, _ = benches('lift-box')
    left, right = bench.scene.demo.arms
    demo = replace(bench.scene.demo, arms=(left, replace(right, end_effector=left.end_effector)))
    with pytest.raises(R2RGenError, match=r'arms "left" and "right" share joints'):
        ArmModel.of(demo, CONFIG)


def test_a_skill_of_an_unknown_arm_is_refused(benches):
    bench, _ = benches('lift-box')
    skills = tuple(
        replace(skill, arm=f'{skill.arm}_arm') for skill in bench.scene.annotation.skills
    )
    scene = replace(bench.scene, annotation=replace(bench.scene.annotation, skills=skills))
    for use in (lambda: Sampler.create(scene, CONFIG, 0), lambda: Assembler.create(scene, CONFIG)):
        with pytest.raises(R2RGenError, match=r'is of arm "left_arm"; expected one of'):
            use()


def _carried_at_once(count=40):
    """Two arms without a description, each of which carries a block of its own at the same time."""
    t = np.arange(count)
    rise = np.clip((t - 12) / 8.0, 0.0, 1.0) - np.clip((t - 24) / 8.0, 0.0, 1.0)
    ahead = np.clip((t - 12) / 20.0, 0.0, 1.0)
    arms, objects, notes, skills = [], [], [], []
    late = {'left': 0, 'right': 3}
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (0, 1)]) * 0.02
    for place, (name, after) in enumerate(late.items()):
        hand = np.tile(np.eye(4), (count, 1, 1))
        at = np.array([0.4, 0.25 if place == 0 else -0.25, 0.02])
        when = np.maximum(t - after, 0)  # the right arm does the same a little later
        way = np.column_stack([0.15 * ahead[when], 0.0 * t, 0.02 + 0.1 * rise[when]])
        hand[:, :3, 3] = at + way
        first, last = 10 + after, 32 + after
        held = np.where((t >= first) & (t <= last), place, -1).astype(np.int8)
        pose = np.tile(np.eye(4), (count, 1, 1))
        grip = se3.inverse(hand[first]) @ se3.compose(np.eye(3), at)
        pose[:] = hand @ grip
        pose[:first], pose[last + 1 :] = pose[first], pose[last]
        block = f'{name} block'
        arms.append(Arm(name, f'{name}_hand', hand, np.where(held >= 0, 0.0, 0.04)))
        objects.append(SceneObject(block, Cloud.from_arrays(corners), pose, held))
        grasp = Grasp(name, first, last)
        notes.append(ObjectNote(block, Prompt(point=tuple(at)), (grasp,)))
        skills.append(Skill(f'pick {block}', first - 3, first + 2, (block,), arm=name))
        skills.append(Skill(f'place {block}', last - 3, last + 2, (), (block,), arm=name))
    floor = Cloud.from_arrays(np.array([[x, y, 0.0] for x in (0, 1) for y in (-1, 1)]))
    demo = Demo(
        'both',
        Path('both'),
        np.arange(count, dtype=np.int64) * 100_000_000,
        'base',
        tuple(arms),
        [Frame(cloud=floor)] * count,
    )
    support = SupportPlane(
        np.array([0.0, 0.0, 1.0]),
        0.0,
        np.array([[-1.0, -1.0, 0], [2.0, -1.0, 0], [2.0, 1.0, 0], [-1.0, 1.0, 0]]),
    )
    skills = tuple(sorted(skills, key=lambda skill: skill.first))
    annotation = Annotation(tuple(notes), skills, support, count)
    labels = tuple(np.full(len(floor), ENVIRONMENT, dtype=np.uint8) for _ in range(count))
    return Scene(demo, annotation, support, tuple(objects), floor, labels)


def test_two_arms_that_each_carry_something_at_once_go_each_their_own_way():
    scene = _carried_at_once()
    config = GenerateConfig()
    sampler = Sampler.create(scene, config, 0)
    names = [skill.name for skill in scene.annotation.skills]
    moves = {
        'pick left block': PlanarMove(0.05, 0.05, 0.3),
        'place left block': PlanarMove(-0.05, 0.1, -0.2),
        'pick right block': PlanarMove(0.02, -0.05, -0.4),
        'place right block': PlanarMove(0.06, -0.12, 0.5),
    }
    assert [names[index] for index in sampler.free_skills] == names, 'none hangs on another'

    variation = sampler.from_moves(0, {names.index(k): move for k, move in moves.items()})
    episode = Assembler.create(scene, config).assemble(variation)

    assert isinstance(episode, Episode), episode
    nearest = episode.source_frames
    both = np.ones(len(episode), dtype=bool)
    for place, (arm, item) in enumerate(zip(scene.demo.arms, scene.objects, strict=True)):
        held = item.held[nearest] == place
        both &= held
        # In its hand an object keeps its place; before and after it stands where its skill says.
        grip = se3.inverse(episode.ee2base[arm.name]) @ episode.object2base[place]
        source = se3.inverse(arm.ee2base[nearest]) @ item.object2base[nearest]
        np.testing.assert_allclose(grip[held], source[held], atol=1e-9)
        for verb, frame in (('pick', 0), ('place', -1)):
            change = variation.transforms[names.index(f'{verb} {item.name}')]
            expected = change @ item.object2base[frame]
            np.testing.assert_allclose(episode.object2base[place, frame], expected, atol=1e-9)
        for index, skill in enumerate(scene.annotation.skills):
            if skill.arm == arm.name:
                inside = (episode.source >= skill.first) & (episode.source <= skill.last)
                np.testing.assert_array_equal(
                    episode.source[inside], np.arange(skill.first, skill.last + 1)
                )
                kept = variation.transforms[index] @ arm.ee2base[skill.first : skill.last + 1]
                np.testing.assert_allclose(episode.ee2base[arm.name][inside], kept, atol=1e-9)
    assert both.sum() > 10
