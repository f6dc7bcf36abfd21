# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate import record as recording
from r2rgen_ros.simulate.replay import Orders, replay
from r2rgen_ros.simulate.steps import standing
from r2rgen_ros.simulate.tasks import make_task

ELSEWHERE = standing(0.12, -0.2, 0.9)


def paths_of(done):
    return done.world.poses(np.stack([state.qpos for state in done.rollout.states]))


def ends_of(done):
    return {name: path[-1].copy() for name, path in paths_of(done).items()}


def moved(paths, by=ELSEWHERE):
    return {name: by @ path for name, path in paths.items()}


def shifted(paths, name, by):
    out = {key: path.copy() for key, path in paths.items()}
    out[name][..., :3, 3] += by
    return out


@pytest.mark.parametrize('task', ['place-bottle', 'hang-cup', 'stack-bricks', 'pour'])
def test_goals_hang_on_objects_and_not_on_the_table(acts, task):
    done = acts(task)
    assert done.task.failure(moved(paths_of(done))) == ''
    assert done.task.failure(moved(paths_of(done)), moved=True) == ''


def test_a_bridge_built_elsewhere_is_a_bridge_only_if_told_so(acts):
    done = acts('build-bridge')
    ends = moved(ends_of(done))
    assert 'pier_1 stands' in done.task.failure(ends)
    assert done.task.failure(ends, moved=True) == ''
    lying = se3.compose(se3.rotation_about([1.0, 0.0, 0.0], 0.2), np.zeros(3))
    assert 'tilted' in done.task.failure({**ends, 'pier_1': ends['pier_1'] @ lying}, moved=True)
    beside = shifted(ends, 'pier_2', [0.03, 0.0, 0.0])
    assert 'pier_2 stands' in done.task.failure(beside, moved=True)


def test_the_cup_hangs_by_its_handle_and_nothing_else(acts):
    done = acts('hang-cup')
    ends = ends_of(done)
    assert ends['cup'][2, 3] > 0.08
    # Off the peg, away from the stand, fallen down, and the peg through the cup itself.
    for by in ([0.0, 0.0, 0.03], [0.3, 0.0, 0.0], [0.0, 0.0, -0.08], [0.0, 0.0, 0.05]):
        assert done.task.failure(shifted(ends, 'cup', by)) != '', by
    upright = {**ends, 'cup': standing(*ends['stand'][:2, 3], 0.0, 0.3)}
    assert done.task.failure(upright) != ''


def test_the_cup_still_hangs_after_the_stand_is_shaken(acts):
    """It hangs: a push aside of 2 cm/s ends where it began."""
    done = acts('hang-cup')
    world = done.world
    world.restore(done.rollout.states[-1])
    start = int(world.model.joint('cup_free').dofadr[0])
    world.data.qvel[start : start + 3] += [0.02, 0.02, 0.0]
    for _ in range(4000):
        world.step()
    assert done.task.failure({name: world.pose(name) for name in world.things}) == ''
    assert world.speed('cup') < 0.01


def test_bricks_stand_within_15_mm(acts):
    done = acts('stack-bricks')
    ends = ends_of(done)
    aside = ends['brick_3'][:3, 0]
    assert done.task.failure(shifted(ends, 'brick_3', 0.012 * aside)) == ''
    assert 'brick_3 stands' in done.task.failure(shifted(ends, 'brick_3', 0.018 * aside))
    assert 'brick_3 is' in done.task.failure(shifted(ends, 'brick_3', [0.0, 0.0, -0.04]))


def test_pouring_is_seen_on_the_way(acts):
    done = acts('pour')
    paths = paths_of(done)
    assert 'not emptied' in done.task.failure(ends_of(done))
    assert 'not emptied' in done.task.failure(shifted(paths, 'bowl', [0.0, 0.2, 0.0]))
    tilt = np.degrees(np.arccos(paths['tumbler'][:, 2, 2].clip(-1.0, 1.0)))
    assert 90.0 < tilt.max() < 110.0
    assert tilt[-1] < 2.0
    assert np.linalg.norm(paths['bowl'][-1] - paths['bowl'][0]) < 1e-3
    spilt = {**paths, 'tumbler': paths['tumbler'].copy()}
    spilt['tumbler'][-1, :3, :3] = se3.rotation_about([1.0, 0.0, 0.0], 1.5)
    assert 'tilted' in done.task.failure(spilt)


@pytest.mark.parametrize(
    ('task', 'skills'),
    [
        ('hang-cup', [('pick cup', 'cup', None), ('hang cup', 'stand', 'cup')]),
        (
            'stack-bricks',
            [
                ('pick brick_2', 'brick_2', None),
                ('place brick_2', 'brick_1', 'brick_2'),
                ('pick brick_3', 'brick_3', None),
                ('place brick_3', 'brick_2', 'brick_3'),
            ],
        ),
        (
            'pour',
            [
                ('pick tumbler', 'tumbler', None),
                ('pour over bowl', 'bowl', 'tumbler'),
                ('place tumbler', 'coaster', 'tumbler'),
            ],
        ),
    ],
)
def test_skills_say_what_is_held_and_what_it_is_about(acts, task, skills):
    done = acts(task)
    truth = recording.truth(done, np.zeros((len(done.frames), 1, 1), np.uint8))
    want = [(name, (target,), (held,) if held else ()) for name, target, held in skills]
    assert [(s.name, s.targets, s.in_hand) for s in truth.skills] == want


def test_a_replay_of_the_pour_is_judged_by_what_happened_on_the_way(acts):
    done = acts('pour')
    states = done.rollout.states
    starts = {name: path[0] for name, path in paths_of(done).items()}
    widths = np.full(len(states), panda.OPEN_WIDTH)
    times = np.array([state.time for state in states])
    for hold in done.rollout.holds:
        widths[(times > hold.start - 0.3) & (times < hold.end)] = 0.0
    joints = np.stack([state.joints[:7] for state in states])
    orders = Orders(times - times[0], joints, widths)
    got = replay(done.world, starts, orders)
    assert got.failure(done.task) == ''
    still = Orders(np.array([0.0, 1.0]), joints[[0, 0]], widths[[0, 0]])
    assert 'not emptied' in replay(done.world, starts, still).failure(done.task)


def test_the_stand_may_point_to_the_robot_or_away_from_it():
    regions = make_task('hang-cup', np.random.default_rng(0)).regions
    rng = np.random.default_rng(1)
    forward = [regions['stand'].sample(rng)[0, 0] for _ in range(40)]
    assert min(forward) < -0.8
    assert max(forward) > 0.8
