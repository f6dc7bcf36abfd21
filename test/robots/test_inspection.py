# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.recorded_robot import read_robot
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.inspection import inspect_robot, selection_of
from r2rgen_ros.robots.profile import load_profile
from r2rgen_ros.robots.profile_parts import ArmProfile, BaseProfile, CameraProfile

AGREE = 1e-6  # mm and degrees


@pytest.fixture
def look(robot_bags, tmp_path):
    """Record a robot, and say what does not fit a profile."""

    def inspect(profile, urdf: str, folders=(), **options):
        bag = robot_bags.record(tmp_path / f'bag{len(list(tmp_path.iterdir()))}', urdf, **options)
        return inspect_robot(profile, read_robot(bag), folders)

    return inspect


@pytest.fixture
def panda(robot_bags):
    return robot_bags.of_the_wheel('panda')


def needed(found) -> list[str]:
    """What nothing works without."""
    lines = [str(fault) for fault in found.faults if fault.is_needed]
    assert found.fits == (not lines)
    assert all('\n' not in line for line in lines)
    return lines


def only(found) -> str:
    lines = needed(found)
    assert len(lines) == 1, lines
    return lines[0]


def changed(profile, **arm):
    """A profile whose first arm is another."""
    return replace(profile, arms=(replace(profile.arms[0], **arm), *profile.arms[1:]))


@pytest.mark.parametrize('name', ['panda', 'ur5e', 'xarm7', 'baxter', 'tiago_hey5', 'dual_panda'])
def test_presets_fit_their_robots(name, look, robot_bags):
    two = name == 'dual_panda'
    urdf = robot_bags.two_pandas() if two else robot_bags.of_the_wheel(name)
    odometry = [('odom', 'base_footprint')] if name.startswith('tiago') else []
    found = look(load_profile(name), urdf, moving=odometry)
    assert needed(found) == []
    assert found.meshes_found == found.meshes_named > 0
    for arm in found.arms:
        assert arm.agreement.instants == robot_bags.COUNT
        assert arm.agreement.largest_mm < AGREE
        assert arm.agreement.largest_deg < AGREE
        assert arm.knows_speed
        assert arm.knows_acceleration == (name not in ('baxter', 'tiago_hey5'))
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))['fits']


def test_kinematics_agree_with_the_virtual_robot(virtual_demo):
    found = inspect_robot(load_profile('panda'), read_robot(virtual_demo))
    assert found.faults == ()
    assert found.arms[0].agreement.largest_mm < AGREE
    assert found.arms[0].agreement.largest_deg < AGREE


def test_what_a_description_does_otherwise_is_measured_and_located(look, panda):
    longer = panda.replace('xyz="0 0 0.107"', 'xyz="0 0 0.157"')
    assert longer != panda
    line = only(look(load_profile('panda'), panda, descriptions={'/robot_description': longer}))
    assert 'differ by up to 50 mm and' in line
    assert 'most at "panda_link7" > "panda_link8"' in line
    assert 'to fix: use the URDF that robot_state_publisher had' in line


def test_clocks_that_never_meet_are_told(look, panda):
    line = only(look(load_profile('panda'), panda, late_ns=3_600_000_000_000))
    assert 'joint states and transforms of arm "arm" share no instant' in line
    assert 'synchronise the clocks' in line


def test_frames_named_otherwise_come_with_the_nearest(look, panda):
    profile = load_profile('panda')
    text = ' / '.join(needed(look(changed(profile, end_effector='fr3_hand_tcp'), panda)))
    assert 'no link "fr3_hand_tcp"; expected one of [\'panda_hand_tcp\'' in text
    assert 'no frame "fr3_hand_tcp" (nearest: "panda_hand_tcp"), the end effector' in text
    text = ' / '.join(needed(look(replace(profile, base=BaseProfile('fr3_link0')), panda)))
    assert 'no base frame "fr3_link0" (nearest: "panda_link0")' in text


def test_frames_missing_from_the_bag_are_told(look, panda):
    line = only(look(load_profile('panda'), panda, without=['panda_hand_tcp']))
    assert 'transforms have no frame "panda_hand_tcp" (nearest: "panda_hand")' in line
    assert 'to fix: record /tf and /tf_static' in line


def test_joints_named_otherwise_or_missing_are_told(look, panda):
    def fr3(names, row, step):
        return [name.replace('panda', 'fr3') for name in names], row

    found = look(load_profile('panda'), panda, joints={'/joint_states': fr3})
    line = only(found)
    assert 'lack "panda_joint1" (nearest: "fr3_joint1"), ' in line
    assert 'and 4 more, of arm "arm"; to fix: record' in line
    assert found.arms[0].agreement is None

    def six(names, row, step):
        return names[:6], row[:6]

    line = only(look(load_profile('panda'), panda, joints={'/joint_states': six}))
    assert 'lack "panda_joint7" (nearest: "panda_joint' in line

    def other(names, row, step):
        return ['elbow'], row[:1]

    line = only(look(load_profile('panda'), panda, joints={'/js': other}))
    assert 'of arm "arm"; they have "elbow"; to fix: record' in line


def test_what_both_arms_lack_is_told_once(look, robot_bags):
    line = only(look(load_profile('dual_panda'), robot_bags.two_pandas(), joints={}))
    assert line == 'the bag has no joint states; to fix: record "/joint_states"'


def test_joints_that_the_urdf_lacks_are_told(look, panda):
    arm = load_profile('panda').arms[0]
    joints = tuple(joint.replace('panda', 'fr3') for joint in arm.joints)
    other = changed(load_profile('panda'), joints=joints, max_speed={}, max_acceleration={})
    text = ' / '.join(needed(look(other, panda)))
    assert 'description has no joints "fr3_joint1" (nearest: "panda_joint1")' in text


def test_a_gripper_that_was_not_recorded_is_merely_useful(look, panda):
    def arm(names, row, step):
        return names[:7], row[:7]

    found = look(load_profile('panda'), panda, joints={'/joint_states': arm})
    assert needed(found) == []
    assert '"panda_finger_joint1"' in str(found.faults[0])
    assert 'record the joint states of the gripper' in str(found.faults[0])


def test_two_topics_that_share_joint_names_and_disagree_are_two_arms(look, panda):
    def left(names, row, step):
        return names, row

    def right(names, row, step):
        return names, row - 0.4

    line = only(look(load_profile('panda'), panda, joints={'/left/js': left, '/right/js': right}))
    assert (
        'two arms share the joint names "panda_joint1", "panda_joint2", "panda_joint3" and 4'
        in (line)
    )
    assert '/left/js and /right/js told of different positions' in line
    assert 'to fix: give each arm a prefix of its own' in line
    both = {'/joint_states': left, '/arm/joint_states': left}
    assert needed(look(load_profile('panda'), panda, joints=both)) == []


def test_two_publishers_on_one_topic_are_two_arms(look, panda):
    def turns(names, row, step):
        return names, row - 0.4 * (step % 2)

    lines = needed(look(load_profile('panda'), panda, joints={'/joint_states': turns}))
    assert any('two arms share the joint names' in line for line in lines)


def test_a_frame_below_two_others_is_two_arms(look, panda):
    moving = [('other_link6', 'panda_link7')]
    lines = needed(look(load_profile('panda'), panda, moving=moving))
    assert lines == [line for line in lines if 'hangs below "other_link6", "panda_link6"' in line]
    assert len(lines) == 1


def test_two_descriptions_are_one_too_many(look, panda):
    other = panda.replace('name="panda"', 'name="other"')
    texts = {'/left/robot_description': panda, '/right/robot_description': other}
    line = only(look(load_profile('panda'), panda, descriptions=texts))
    assert 'has 2 robot descriptions: /left/robot_description, /right/robot_description' in line
    assert 'to fix: put both arms into one URDF' in line
    same = dict.fromkeys(texts, panda)
    assert needed(look(load_profile('panda'), panda, descriptions=same)) == []


def test_arms_that_share_a_joint_are_told(look, robot_bags):
    urdf = robot_bags.of_the_wheel('tiago_hey5')
    profile = load_profile('tiago_hey5')
    arms = (ArmProfile('arm', 'hand_grasping_frame'), ArmProfile('head', 'head_2_link'))
    profile = replace(profile, arms=arms, cameras=())
    line = only(look(profile, urdf, moving=[('odom', 'base_footprint')]))
    assert 'the arms "arm" and "head" share the joints "torso_lift_joint"' in line
    assert 'to fix: list the `joints` of each arm' in line


def test_no_description_is_told_and_the_profiles_own_serves(look, panda, tmp_path):
    profile = load_profile('panda')
    line = only(look(profile, panda, descriptions={}))
    assert 'to fix: record /robot_description, or name the file' in line
    (tmp_path / 'own.urdf').write_text(panda, encoding='utf-8')
    own = replace(profile, urdf='own.urdf', folder=tmp_path)
    assert needed(look(own, panda, descriptions={})) == []


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('</robot>', '', 'the robot description cannot be read'),
        ('velocity="2.61"', '', 'but has no limit for velocity'),
        ('"panda_joint2"', '"panda_joint1"', 'several joints "panda_joint1"'),
    ],
)
def test_a_broken_description_is_one_line(look, panda, old, new, words):
    broken = panda.replace(old, new)
    assert broken != panda
    line = only(look(load_profile('panda'), panda, descriptions={'/robot_description': broken}))
    assert words in line


def test_a_joint_without_a_range_is_told(look, panda):
    stuck = panda.replace('lower="-1.7628"', '').replace('upper="1.7628"', '')
    assert stuck != panda
    line = only(look(load_profile('panda'), panda, descriptions={'/robot_description': stuck}))
    assert '"panda_joint2", of arm "arm", cannot move' in line
    assert 'to fix: add <limit lower="..." upper="..."/>' in line


def test_a_mobile_base_without_odometry_is_told_what_to_do(look, robot_bags):
    urdf, profile = robot_bags.of_the_wheel('tiago_hey5'), load_profile('tiago_hey5')
    line = only(look(profile, urdf))
    assert 'no transform leads from its odometry "odom" to "base_footprint"' in line
    assert 'to fix: record /tf with the odometry' in line
    assert 'the driver that publishes /wheels/odom' in only(
        look(profile, urdf, odometry='/wheels/odom')
    )
    line = only(look(profile, urdf, moving=[('robot_odom', 'base_footprint')]))
    assert 'write "odom_frame: robot_odom" into the profile' in line
    assert needed(look(profile, urdf, moving=[('odom', 'base_footprint')])) == []


def test_a_fixed_base_that_moves_is_noticed(look, panda):
    found = look(load_profile('panda'), panda, moving=[('odom', 'panda_link0')])
    assert needed(found) == []
    assert 'write "type: mobile" and "odom_frame: odom"' in str(found.faults[0])


@pytest.mark.parametrize(
    ('parent', 'mounts'),
    [
        ('panda_link0', ('external', 'base')),
        ('panda_link3', ('base', 'wrist')),
        ('panda_hand', ('wrist',)),
    ],
)
def test_mounts_are_told_by_the_tree_of_frames(look, panda, parent, mounts):
    for mount in ('external', 'base', 'wrist'):
        cameras = (CameraProfile('cam', 'optical', mount),)
        profile = replace(load_profile('panda'), cameras=cameras)
        lines = needed(look(profile, panda, static=[(parent, 'optical')]))
        assert bool(lines) == (mount not in mounts)
        assert all(f'write "mount: {mounts[0]}" into the profile' in line for line in lines)


def test_a_camera_beside_a_mobile_base_is_external_and_one_on_its_head_is_not(look, robot_bags):
    urdf, profile = robot_bags.of_the_wheel('tiago_hey5'), load_profile('tiago_hey5')
    odometry = [('odom', 'base_footprint')]
    outside = replace(profile, cameras=(CameraProfile('cam', 'optical', 'external'),))
    assert needed(look(outside, urdf, moving=odometry, static=[('odom', 'optical')])) == []
    wrong = replace(profile, cameras=(replace(profile.cameras[0], mount='external'),))
    assert 'by the transforms it is base' in only(look(wrong, urdf, moving=odometry))


def test_a_camera_that_hangs_nowhere_is_told(look, panda):
    profile = replace(load_profile('panda'), cameras=(CameraProfile('cam', 'optical', 'external'),))
    line = only(look(profile, panda, static=[('room', 'optical')]))
    assert 'no transform leads from "panda_link0" to "optical"' in line
    found = look(profile, panda, static=[('panda_link0', 'cam_optical')])
    assert needed(found) == []
    assert '"optical" (nearest: "cam_optical")' in str(found.faults[0])


def test_limits_that_nobody_knows_are_useful(look, robot_bags):
    profile = load_profile('panda')
    found = look(changed(profile, max_acceleration={}), robot_bags.of_the_wheel('panda'))
    assert found.arms[0].knows_speed
    assert not found.arms[0].knows_acceleration
    assert 'no largest acceleration is known of "panda_joint1"' in str(found.faults[0])
    assert 'write "max_acceleration" for this arm' in str(found.faults[0])


def test_meshes_that_are_not_found_are_counted(look, panda, tmp_path):
    lost = panda.replace('package://example-robot-data/', 'package://lost_robot/')
    assert lost != panda
    found = look(load_profile('panda'), lost)
    assert needed(found) == []
    assert found.meshes_found == 0 < found.meshes_named
    assert f'{found.meshes_named} of {found.meshes_named} meshes' in str(found.faults[0])
    assert 'with --mesh-folder' in str(found.faults[0])
    with pytest.raises(R2RGenError, match=r'there is no folder'):
        look(load_profile('panda'), panda, [tmp_path / 'gone'])


def test_a_robot_without_shapes_is_told_so(look):
    urdf = (
        '<robot name="r"><link name="a"/><link name="b"/><joint name="j" type="revolute">'
        '<parent link="a"/><child link="b"/><axis xyz="0 0 1"/>'
        '<limit lower="-1" upper="1" effort="1" velocity="1"/></joint></robot>'
    )
    profile = replace(
        load_profile('ur5e'),
        base=BaseProfile('a'),
        arms=(ArmProfile('arm', 'b', max_acceleration={'*': 1.0}),),
        never_collide=(),
    )
    found = look(profile, urdf)
    assert needed(found) == []
    assert 'has no shapes' in str(found.faults[0])


def test_links_that_are_none_are_useful_to_know(look, panda):
    profile = replace(load_profile('panda'), never_collide=(('panda_hnad', 'panda_link3'),))
    found = look(profile, panda)
    assert needed(found) == []
    assert 'no links "panda_hnad" (nearest: "panda_hand")' in str(found.faults[0])


def test_a_bag_without_transforms_is_told_so(look, panda):
    frames = [f'panda_link{i}' for i in range(1, 9)]
    frames += ['panda_hand', 'panda_hand_tcp', 'panda_leftfinger', 'panda_rightfinger']
    line = only(look(load_profile('panda'), panda, without=frames))
    assert line == 'the bag has no transforms; to fix: record "/tf /tf_static"'


def test_a_profile_chooses_frames_unless_a_person_did(robot_bags, tmp_path):
    bag = robot_bags.record(tmp_path / 'bag', robot_bags.two_pandas())
    profile, recorded = load_profile('dual_panda'), read_robot(bag)
    chosen = selection_of(profile, recorded, StreamSelection())
    assert chosen.base_frame == 'world'
    pairs = (('left', 'left_panda_hand_tcp'), ('right', 'right_panda_hand_tcp'))
    assert chosen.end_effectors == pairs
    told = StreamSelection(
        base_frame='left_panda_link0', end_effectors=(('arm', 'left_panda_hand'),)
    )
    assert selection_of(profile, recorded, told) == told
    assert selection_of(load_profile('ur5e'), recorded, told) == told
    assert selection_of(load_profile('ur5e'), recorded, StreamSelection()) == StreamSelection()


def test_only_the_joints_that_a_person_chose_are_read(robot_bags, panda, tmp_path):
    bag = robot_bags.record(
        tmp_path / 'bag',
        panda,
        joints={
            '/left/js': lambda names, row, step: (names, row),
            '/right/js': lambda names, row, step: (names, row + 0.4),
            '/arm/command': lambda names, row, step: (names, row + 0.8),
        },
    )
    both = read_robot(bag)
    assert {item.topic for item in both.joints['panda_joint1']} == {'/left/js', '/right/js'}
    assert both.torn_joints()
    one = read_robot(bag, '/right/js')
    assert [item.topic for item in one.joints['panda_joint1']] == ['/right/js']
    assert one.torn_joints() == {}
    at = one.joints['panda_joint1'][0]
    assert np.array_equal(at.at(at.stamps), at.positions)
