# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from importlib import metadata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.simulate.mujoco_library import load_mujoco

ARM = tuple(f'panda_joint{i}' for i in range(1, 8))
FINGERS = ('panda_finger_joint1', 'panda_finger_joint2')
HOME = np.array([0.0, -0.6, 0.0, -2.4, 0.0, 1.9, 0.785])

# Two arms' worth of oddities: a continuous joint, a joint off the chain, a mimic with an offset.
ODD = """<robot name="odd">
  <link name="world"/><link name="base"/><link name="upper"/><link name="lower"/><link name="tip"/>
  <link name="finger"/><link name="follower"/>
  <joint name="lift" type="prismatic"><origin xyz="0 0 1" rpy="0 0 0"/><parent link="world"/>
    <child link="base"/><axis xyz="0 0 1"/><limit lower="0" upper="1" effort="1" velocity="1"/>
  </joint>
  <joint name="spin" type="continuous"><origin xyz="0 0 0.2" rpy="0 0 0.3"/><parent link="base"/>
    <child link="upper"/><axis xyz="0 0 1"/></joint>
  <joint name="bend" type="revolute"><origin xyz="0.4 0 0" rpy="0.1 0 0"/><parent link="upper"/>
    <child link="lower"/><axis xyz="0 1 0"/><limit lower="-1" upper="1" effort="1" velocity="2"/>
  </joint>
  <joint name="end" type="fixed"><origin xyz="0.3 0 0" rpy="0 0 0"/><parent link="lower"/>
    <child link="tip"/></joint>
  <joint name="grip" type="prismatic"><parent link="tip"/><child link="finger"/>
    <axis xyz="0 1 0"/><limit lower="0" upper="0.1" effort="1" velocity="1"/></joint>
  <joint name="follow" type="prismatic"><parent link="tip"/><child link="follower"/>
    <axis xyz="0 -1 0"/><limit lower="0" upper="0.3" effort="1" velocity="1"/>
    <mimic joint="grip" multiplier="2" offset="0.01"/></joint>
</robot>"""


@pytest.fixture(scope='session')
def panda_urdf():
    files = metadata.distribution('example-robot-data').files
    return next(f for f in files if f.name == 'panda.urdf').read_text()


@pytest.fixture(scope='session')
def panda(panda_urdf):
    return Robot.from_urdf(panda_urdf, 'panda_link0', 'panda_hand_tcp')


def motion(count=60):
    phase = np.linspace(0.0, 3.0, count)[:, None]
    return HOME + 0.3 * np.sin(phase * np.arange(1, 8) * 0.4)


def panda_by_hand(q):
    """The published chain of the Panda, multiplied out."""
    half = np.pi / 2
    rows = [
        ((0, 0, 0), (0, 0, 0.333)),
        ((-half, 0, 0), (0, 0, 0)),
        ((half, 0, 0), (0, -0.316, 0)),
        ((half, 0, 0), (0.0825, 0, 0)),
        ((-half, 0, 0), (-0.0825, 0.384, 0)),
        ((half, 0, 0), (0, 0, 0)),
        ((half, 0, 0), (0.088, 0, 0)),
    ]
    out = np.eye(4)
    for (rpy, xyz), angle in zip(rows, q, strict=True):
        out = out @ se3.compose(Rotation.from_euler('xyz', rpy).as_matrix(), xyz)
        out = out @ se3.compose(se3.rotation_about([0, 0, 1], angle), np.zeros(3))
    hand = se3.compose(se3.rotation_about([0, 0, 1], -np.pi / 4), [0, 0, 0.107 + 0.1034])
    return out @ hand


def test_forward_agrees_with_the_published_chain(panda):
    rng = np.random.default_rng(1)
    joints = rng.uniform(-1.0, 1.0, (20, 7)) + HOME
    expected = np.stack([panda_by_hand(q) for q in joints])
    assert np.abs(panda.forward(ARM, joints) - expected).max() < 1e-9


def test_forward_agrees_with_mujoco(panda, panda_urdf):
    mujoco = load_mujoco()
    import xml.etree.ElementTree as ET

    root = ET.fromstring(panda_urdf)
    for link in root.iter('link'):
        for part in [*link.findall('visual'), *link.findall('collision')]:
            link.remove(part)
    root.insert(0, ET.fromstring('<mujoco><compiler fusestatic="false"/></mujoco>'))
    model = mujoco.MjModel.from_xml_string(ET.tostring(root, encoding='unicode'))
    data = mujoco.MjData(model)
    joints = motion(10)
    for q, pose in zip(joints, panda.forward(ARM, joints), strict=True):
        data.qpos[:7] = q
        mujoco.mj_kinematics(model, data)
        assert np.abs(data.body('panda_hand_tcp').xpos - pose[:3, 3]).max() < 1e-6
        assert np.abs(data.body('panda_hand_tcp').xmat.reshape(3, 3) - pose[:3, :3]).max() < 1e-6


def test_columns_may_come_in_any_order_with_joints_of_other_devices(panda):
    joints = motion(5)
    order = [3, 0, 6, 2, 1, 5, 4]
    names = [ARM[i] for i in order] + ['rail']
    shuffled = np.hstack([joints[:, order], np.ones((5, 1))])
    assert np.array_equal(panda.forward(names, shuffled), panda.forward(ARM, joints))


def test_links_multiply_along_the_tree(panda):
    names = ARM + FINGERS
    joints = np.hstack([motion(5), np.full((5, 2), 0.02)])
    chain = [f'panda_link{i}' for i in range(9)] + ['panda_hand', 'panda_hand_tcp']
    edges = list(pairwise(chain))
    poses = panda.link_poses(names, joints, edges)
    product = np.eye(4)
    for edge in edges:
        product = product @ poses[edge]
    assert np.abs(product - panda.forward(names, joints)).max() < 1e-12


def test_a_missing_mimic_joint_follows_its_master(panda):
    joints = np.hstack([motion(3), [[0.01], [0.02], [0.03]]])
    edge = ('panda_hand', 'panda_rightfinger')
    poses = panda.link_poses([*ARM, FINGERS[0]], joints, [edge])[edge]
    assert np.allclose(poses[:, 1, 3], [-0.01, -0.02, -0.03], atol=1e-12)
    odd = Robot.from_urdf(ODD, 'world', 'tip')
    edge = ('tip', 'follower')
    assert odd.link_poses(['grip'], [[0.1]], [edge])[edge][0, 1, 3] == pytest.approx(-0.21)


def test_a_missing_joint_is_named(panda):
    with pytest.raises(R2RGenError, match='panda_joint4'):
        panda.forward([*ARM[:3], *ARM[4:]], np.zeros((1, 6)))
    with pytest.raises(R2RGenError, match='panda_finger_joint1'):
        panda.link_poses(ARM, motion(2), [('panda_hand', 'panda_leftfinger')])


@pytest.mark.parametrize(
    ('text', 'base', 'tip', 'said'),
    [
        ('<robot', 'base', 'tip', 'cannot be read'),
        ('', 'base', 'tip', 'cannot be read'),
        ('<html/>', 'base', 'tip', 'begins with <html>'),
        (ODD, 'nowhere', 'tip', '"nowhere"'),
        (ODD, 'base', 'nothing', '"nothing"'),
        (ODD, 'finger', 'follower', 'not above'),
    ],
)
def test_a_bad_description_is_explained(text, base, tip, said):
    with pytest.raises(R2RGenError, match=said):
        Robot.from_urdf(text, base, tip)


def test_what_the_parser_says_to_nobody_does_not_reach_the_terminal(panda_urdf, capfd):
    limitless = panda_urdf.replace('<limit', '<nolimit')

    with pytest.raises(R2RGenError, match='has no limit for effort, velocity'):
        Robot.from_urdf(limitless, 'panda_link0', 'panda_hand_tcp')

    assert capfd.readouterr().err == ''


def test_a_link_that_is_not_there_is_named_with_the_nearest(panda_urdf):
    with pytest.raises(R2RGenError, match=r'"fr3_link0" \(nearest: "panda_link0"\).*--base-frame'):
        Robot.from_urdf(panda_urdf, 'fr3_link0', 'panda_hand_tcp')


def test_nan_and_repeated_joints_are_refused(panda):
    with pytest.raises(R2RGenError, match='NaN'):
        panda.forward(ARM, np.full((1, 7), np.nan))
    with pytest.raises(R2RGenError, match='twice'):
        panda.forward([ARM[0], *ARM], np.zeros((1, 8)))


def test_an_identity_path_gives_the_seeds_back_bit_for_bit(panda):
    names = ARM + FINGERS
    seeds = np.hstack([motion(), np.full((60, 2), 0.031)])
    path = panda.solve_path(names, panda.forward(names, seeds), seeds)
    assert path.first_failed == -1
    assert np.array_equal(path.positions, seeds)


@settings(max_examples=15, deadline=None)
@given(
    x=st.floats(-0.1, 0.1),
    y=st.floats(-0.1, 0.1),
    yaw=st.floats(-0.7, 0.7),
    z=st.floats(-0.05, 0.1),
)
def test_a_moved_path_is_followed_without_jumps(panda, x, y, z, yaw):
    names = ARM + FINGERS
    seeds = np.hstack([motion(), np.full((60, 2), 0.02)])
    source = panda.forward(names, seeds)
    share = np.clip(np.linspace(-0.5, 1.5, 60), 0.0, 1.0)
    share = 3.0 * share**2 - 2.0 * share**3
    turn = se3.rotation_about([0.0, 0.0, 1.0], share * yaw)
    move = se3.about_point(turn, source[-1, :3, 3], share[:, None] * [x, y, z])
    targets = move @ source
    path = panda.solve_path(names, targets, seeds)
    assert path.first_failed == -1
    reached = panda.forward(names, path.positions)
    assert np.abs(reached[:, :3, 3] - targets[:, :3, 3]).max() < 5e-4
    assert se3.angle_between(reached, targets).max() < np.deg2rad(0.2)
    assert np.array_equal(path.positions[:, 7:], seeds[:, 7:])
    limits = panda.limits(names)
    assert (path.positions >= limits[:, 0]).all()
    assert (path.positions <= limits[:, 1]).all()


def test_the_path_returns_to_the_seeds_after_a_detour(panda):
    seeds = np.tile(HOME, (80, 1))
    targets = panda.forward(ARM, seeds)
    targets[10:40, 2, 3] += 0.05 * np.sin(np.linspace(0.0, np.pi, 30))
    path = panda.solve_path(ARM, targets, seeds)
    assert path.first_failed == -1
    assert np.array_equal(path.positions[-1], seeds[-1])


def test_a_target_out_of_reach_fails_at_its_frame(panda):
    seeds = np.tile(HOME, (40, 1))
    targets = panda.forward(ARM, seeds)
    targets[:, 0, 3] += np.linspace(0.0, 1.0, 40)
    path = panda.solve_path(ARM, targets, seeds)
    assert 0 < path.first_failed < 39
    reached = panda.forward(ARM, path.positions[: path.first_failed])
    assert np.abs(reached[:, :3, 3] - targets[: path.first_failed, :3, 3]).max() < 5e-4
    assert path.position_error_m[path.first_failed] > 5e-4
    assert np.isnan(path.position_error_m[path.first_failed + 1 :]).all()


def test_joint_limits_are_kept_and_their_breach_is_a_failure(panda):
    seeds = np.tile(HOME, (60, 1))
    targets = panda.forward(ARM, seeds)
    spin = se3.compose(se3.rotation_about([0, 0, 1], np.linspace(0.0, 6.0, 60)), np.zeros(3))
    path = panda.solve_path(ARM, targets @ spin, seeds)
    limits = panda.limits(ARM)
    assert (path.positions >= limits[:, 0]).all()
    assert (path.positions <= limits[:, 1]).all()
    assert path.first_failed > 0


def test_a_jump_is_a_failure(panda):
    seeds = np.tile(HOME, (6, 1))
    targets = panda.forward(ARM, seeds)
    targets[3:, 1, 3] += 0.2
    assert panda.solve_path(ARM, targets, seeds, max_step=0.05).first_failed == 3
    assert panda.solve_path(ARM, targets, seeds, max_step=2.0).first_failed == -1


def test_the_first_target_may_lie_far_from_its_seed(panda):
    start = HOME + np.array([1.2, 0.3, -0.4, 0.5, 0.3, -0.2, 0.6])
    target = panda.forward(ARM, start[None])
    assert panda.solve_path(ARM, target, HOME[None]).first_failed == -1


def test_who_persists_goes_on_after_a_failure_within_the_limits(panda):
    seeds = np.tile(HOME, (60, 1))
    targets = panda.forward(ARM, seeds)
    # Out of reach, and back again.
    targets[:, 0, 3] += 0.9 * np.sin(np.linspace(0.0, np.pi, 60))
    stopped = panda.solve_path(ARM, targets, seeds, max_step=np.inf)
    path = panda.solve_path(ARM, targets, seeds, max_step=np.inf, persist=True)

    assert 0 < path.first_failed == stopped.first_failed
    before = slice(path.first_failed)
    assert np.array_equal(path.positions[before], stopped.positions[before])
    assert np.isfinite(path.positions).all()
    assert np.isfinite(path.position_error_m).all()
    assert np.isfinite(path.rotation_error_rad).all()
    limits = panda.limits(ARM)
    assert (path.positions >= limits[:, 0]).all()
    assert (path.positions <= limits[:, 1]).all()
    # The errors told are those of the positions told, and the end is reached again.
    reached = panda.forward(ARM, path.positions)
    miss = np.linalg.norm(reached[:, :3, 3] - targets[:, :3, 3], axis=1)
    assert np.abs(miss - path.position_error_m).max() < 2e-2 * miss.max()
    assert miss[-1] < 5e-4
    assert miss.max() > 0.05


def test_who_persists_on_a_path_without_failures_does_nothing_else(panda):
    seeds = motion()
    targets = panda.forward(ARM, seeds)
    targets[:, 2, 3] += 0.03
    plain, path = (panda.solve_path(ARM, targets, seeds, persist=p) for p in (False, True))

    assert plain.first_failed == path.first_failed == -1
    assert np.array_equal(plain.positions, path.positions)


def test_poses_nearby_are_reached_each_on_its_own(panda):
    names = ARM + FINGERS
    starts = np.hstack([motion(8), np.full((8, 2), 0.02)])
    move = se3.compose(se3.rotation_about([0.0, 0.0, 1.0], 0.2), [0.05, -0.08, 0.03])
    targets = move @ panda.forward(names, starts)
    order = np.random.default_rng(0).permutation(8)

    found = panda.reach(names, targets, starts)
    shuffled = panda.reach(names, targets[order], starts[order])

    reached = panda.forward(names, found)
    assert np.linalg.norm(reached[:, :3, 3] - targets[:, :3, 3], axis=1).max() < 5e-4
    assert se3.angle_between(reached, targets).max() < np.deg2rad(0.2)
    assert np.array_equal(found[:, 7:], starts[:, 7:])
    limits = panda.limits(names)
    assert (found >= limits[:, 0]).all()
    assert (found <= limits[:, 1]).all()
    assert np.abs(shuffled - found[order]).max() < 1e-9


def test_poses_far_away_are_not_reached_and_one_of_them_is_enough(panda):
    starts = np.tile(HOME, (3, 1))
    targets = panda.forward(ARM, starts)
    assert panda.reach(ARM, targets, starts) is not None
    targets[1, 0, 3] += 1.0
    assert panda.reach(ARM, targets, starts) is None


def test_a_turn_beyond_the_end_of_the_wrist_takes_the_whole_arm_or_is_not_reached(panda):
    starts = np.array([[0.0, -0.6, 0.0, -2.4, 0.0, 1.9, 2.6]])
    assert starts[0, 6] < panda.limits(ARM)[6, 1] < starts[0, 6] + 0.5
    hand = panda.forward(ARM, starts)
    spin = [se3.compose(se3.rotation_about([0, 0, 1], a), np.zeros(3)) for a in (-0.5, 0.25, 2.0)]

    for turn in spin[:2]:
        assert panda.reach(ARM, hand @ turn, starts) is not None
    assert panda.reach(ARM, hand @ spin[2], starts) is None


def test_continuous_joints_and_joints_above_the_base_are_handled():
    names = ['lift', 'spin', 'bend', 'grip']
    robot = Robot.from_urdf(ODD, 'base', 'tip')
    assert robot.chain == ('spin', 'bend')
    seeds = np.column_stack(
        [np.linspace(0, 1, 20), np.linspace(2, 9, 20), np.linspace(-0.5, 0.5, 20), np.zeros(20)]
    )
    poses = robot.forward(names, seeds)
    assert np.abs(poses - robot.forward(names, seeds * [0, 1, 1, 1])).max() < 1e-12
    goal = seeds + np.array([0.0, 0.3, 0.1, 0.0])
    path = robot.solve_path(names, robot.forward(names, goal), seeds)
    assert path.first_failed == -1
    assert np.abs(path.positions - goal).max() < 1e-5


def test_limits_are_read(panda):
    assert np.allclose(panda.limits([ARM[3]]), [[-3.0718, -0.0698]])
    assert np.allclose(panda.velocity_limits([ARM[0], FINGERS[0]]), [2.175, 0.2])


def test_joints_that_are_not_to_move_stay_at_their_seeds(panda):
    names, seeds = panda.chain, motion(10)
    targets = panda.forward(names, seeds)
    targets[:, 2, 3] += 0.02
    some = panda.only(names[1:])
    assert some.chain == names[1:]
    path = some.solve_path(names, targets, seeds)
    assert path.first_failed < 0
    assert np.array_equal(path.positions[:, 0], seeds[:, 0])
    assert panda.chain == names, 'the other is as it was'
    assert np.abs(panda.forward(names, path.positions) - targets).max() < 1e-3
