# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pickle
import re
from importlib import metadata
from pathlib import Path

import pytest

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.description import check_description
from r2rgen_ros.robots.kinematics import Robot
from r2rgen_ros.robots.profile import RobotProfile, load_profile, preset_names
from r2rgen_ros.robots.profile_parts import ArmProfile, BaseProfile, CameraProfile, Gripper

WHEEL = {
    'panda': 'panda_description/urdf/panda.urdf',
    'ur5e': 'ur_description/urdf/ur5_robot.urdf',
    'xarm7': 'xarm_description/urdf/xarm7.urdf',
    'baxter': 'baxter_description/urdf/baxter.urdf',
    'tiago_hey5': 'tiago_description/robots/tiago.urdf',
}
SMALL = """\
format: r2rgen/robot/1
name: small
base: {frame: base_link, type: fixed}
arms:
  - name: arm
    end_effector: tool0
"""
SRDF = """<robot name="small">
  <disable_collisions link1="b" link2="a" reason="Never"/>
  <disable_collisions link1="a" link2="b" reason="Never"/>
  <disable_collisions link1="b" link2="c"/>
</robot>"""


def urdf(name: str) -> str:
    """A robot of the wheel."""
    files = metadata.distribution('example-robot-data').files
    return next(f for f in files if str(f).endswith(WHEEL[name])).read_text()


@pytest.fixture
def load(tmp_path):
    """Load a profile of a text."""

    def read(text: str) -> RobotProfile:
        path = tmp_path / 'robot.yaml'
        path.write_text(text, encoding='utf-8')
        return load_profile(path)

    return read


def with_two_arms(second: str, more: str = '') -> str:
    left = '{name: left, end_effector: left_tool, joints: [left_1, left_2]}'
    head = SMALL.partition('arms:')[0]
    return f'{head}{more}arms:\n  - {left}\n  - {second}\n'


def test_every_preset_reads_and_is_called_by_its_name():
    assert {'panda', 'ur5e', 'xarm7', 'baxter', 'dual_panda', 'tiago'} <= set(preset_names())
    for name in preset_names():
        assert load_profile(name).name == name


def test_presets_are_installed_with_the_package(repository):
    text = (repository / 'setup.py').read_text()
    said = re.search(r'package_data=\{\s*PACKAGE: \[(.*?)\]', text, re.DOTALL)
    folder = repository / 'r2rgen_ros'
    installed = {path for glob in re.findall(r"'(.*?)'", said[1]) for path in folder.glob(glob)}
    assert set((folder / 'robots/presets').iterdir()) <= installed


@pytest.mark.parametrize('name', WHEEL)
def test_frames_joints_and_links_of_a_preset_are_those_of_the_robot(name):
    profile, text = load_profile(name), urdf(name)
    check_description(text)
    robot = Robot.from_urdf(text, profile.base.frame, profile.base.frame)
    for arm in profile.arms:
        assert arm.end_effector in robot.links
        assert set(arm.joints) <= set(robot.joint_names)
        if arm.gripper is not None:
            assert set(arm.gripper.joints) <= set(robot.joint_names)
            assert set(arm.gripper.links) <= set(robot.links)
    assert {camera.frame for camera in profile.cameras} <= set(robot.links)
    paired = {link for pair in profile.never_collide for link in pair}
    assert paired - {'base_link_inertia'} <= set(robot.links)  # the UR5e has it, the UR5 not yet


def test_tiago_with_a_gripper_is_tiago_but_for_its_hand():
    hand, gripper = load_profile('tiago_hey5'), load_profile('tiago')
    assert (hand.base, hand.cameras) == (gripper.base, gripper.cameras)
    assert hand.arms[0].joints == gripper.arms[0].joints
    assert gripper.base.is_mobile


def test_both_arms_of_the_dual_panda_are_pandas():
    one = load_profile('panda').arms[0]
    for side in ('left', 'right'):
        arm = load_profile('dual_panda').arm(side)
        assert arm.joints == tuple(f'{side}_{joint}' for joint in one.joints)
        for mine, theirs in (
            (arm.max_speed, one.max_speed),
            (arm.max_acceleration, one.max_acceleration),
        ):
            assert mine == {f'{side}_{joint}': value for joint, value in theirs.items()}


def test_panda_has_the_limits_of_its_data_sheet():
    arm = load_profile('panda').arms[0]
    assert list(arm.max_speed.values()) == [2.175] * 4 + [2.61] * 3
    assert list(arm.max_acceleration.values()) == [15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0]


def test_what_is_left_out_has_a_meaning(load):
    profile = load(SMALL)
    assert profile.arms == (ArmProfile('arm', 'tool0'),)
    assert (profile.cameras, profile.never_collide) == ((), ())
    mobile = load(SMALL.replace('fixed', 'mobile'))
    assert mobile.base == BaseProfile('base_link', 'mobile', 'odom')


def test_one_number_is_for_all_joints_and_a_leading_slash_is_none(load):
    text = SMALL.replace('tool0', '/tool0') + '    max_speed: 2\n'
    arm = load(text).arm('arm')
    assert arm.end_effector == 'tool0'
    assert arm.max_speed == {'*': 2.0}


def test_profiles_cross_process_borders():
    profile = load_profile('baxter')
    assert pickle.loads(pickle.dumps(profile)) == profile


@pytest.mark.parametrize(
    ('text', 'line', 'words'),
    [
        (SMALL.replace('robot/1', 'robot/2'), 1, 'r2rgen/robot/1'),
        (SMALL + 'wheels: 4\n', 7, 'unknown key "wheels"'),
        (SMALL.replace('type: fixed', 'type: flying'), 3, "one of ['fixed', 'mobile']"),
        (SMALL.replace('type: fixed', 'type: fixed, odom_frame: odom'), 3, 'none for a fixed one'),
        (SMALL.replace('type: fixed', 'type: mobile, odom_frame: base_link'), 3, 'odometry frame'),
        (SMALL.replace(', type: fixed', ''), 3, 'lacks "type"'),
        (SMALL + '    max_speed: 0\n', 7, 'a number from 0.0001 to 100 rad/s or m/s'),
        (SMALL + '    max_speed: {a: 1, b: fast}\n', 7, 'a number from 0.0001 to 100'),
        (SMALL + '    max_acceleration: -3\n', 7, 'rad/s^2'),
        (SMALL + '    joints: [a, a]\n', 5, "named ['a']"),
        (SMALL + '    joints: [elbow]\n    max_speed: {elbo: 1}\n', 5, "one of ['elbow']"),
        (SMALL + '    gripper: {joints: [f], links: [], open_width_m: 3}\n', 7, '0 to 2 m'),
        (
            SMALL + '    gripper: {joints: [f], links: [], open_width_m: 0.1, closed_width_m: 0.2}',
            7,
            'open wider than closed',
        ),
        (SMALL + 'cameras: [{name: c, frame: f, mount: tripod}]\n', 7, "'external', 'base'"),
        (SMALL + 'never_collide:\n  - [a]\n', 8, 'two different links'),
        (SMALL + 'never_collide:\n  - [a, a]\n', 8, 'two different links'),
        (SMALL + 'urdf: gone.urdf\n', 7, 'there is no file'),
        (SMALL.partition('arms:')[0] + 'arms: []\n', 1, 'has no arms'),
    ],
)
def test_errors_name_the_file_and_the_line(load, text, line, words):
    with pytest.raises(R2RGenError, match=re.escape(f'robot.yaml, line {line}: ')) as error:
        load(text)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ('second', 'words'),
    [
        ('{name: left, end_effector: right_tool}', "two arms are named ['left']"),
        ('{name: right, end_effector: left_tool}', "two end effectors are named ['left_tool']"),
        (
            '{name: right, end_effector: right_tool, joints: [left_2, right_2]}',
            "two joints of arms are named ['left_2']",
        ),
    ],
)
def test_two_arms_with_clashing_names_are_refused_on_the_line_of_the_second(load, second, words):
    with pytest.raises(R2RGenError, match=r'line 6: ') as error:
        load(with_two_arms(second))
    assert words in str(error.value)
    assert 'to fix: give each arm names of its own' in str(error.value)


def test_an_unknown_preset_is_answered_with_the_nearest():
    with pytest.raises(R2RGenError, match=r'nearest: "xarm7".*or a file'):
        load_profile('xarm')


def test_a_preset_is_no_file_and_a_file_no_preset(load, tmp_path, monkeypatch):
    load(SMALL)
    monkeypatch.chdir(tmp_path)
    assert load_profile('robot.yaml').name == 'small'
    with pytest.raises(R2RGenError, match=r'cannot read panda\.yaml'):
        load_profile('panda.yaml')
    assert load_profile('panda').name == 'panda'


def test_urdf_comes_from_the_bag_a_file_or_a_package(load, tmp_path, monkeypatch):
    assert load(SMALL).description('<robot/>') == '<robot/>'
    with pytest.raises(R2RGenError, match=r'record /robot_description, or name the file'):
        load(SMALL).description(None)
    (tmp_path / 'my.urdf').write_text('mine', encoding='utf-8')
    assert load(SMALL + 'urdf: my.urdf\n').description('<robot/>') == 'mine'
    packaged = load(SMALL + 'urdf: package://my_robot/urdf/my.urdf\n')
    with pytest.raises(R2RGenError, match=r'source the workspace'):
        packaged.description('<robot/>')
    folder = tmp_path / 'ws' / 'share' / 'my_robot' / 'urdf'
    folder.mkdir(parents=True)
    (folder / 'my.urdf').write_text('packed', encoding='utf-8')
    assert packaged.description(None, [tmp_path / 'ws']) == 'packed'
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path / 'ws'))
    assert packaged.description(None) == 'packed'


def test_a_xacro_is_no_urdf(load, tmp_path):
    (tmp_path / 'my.urdf.xacro').write_text('<robot/>', encoding='utf-8')
    with pytest.raises(R2RGenError, match=r'to fix: run "xacro .*my\.urdf\.xacro > my\.urdf"'):
        load(SMALL + 'urdf: my.urdf.xacro\n').description(None)


def test_pairs_that_may_touch_are_those_of_the_profile_and_of_the_srdf(load, tmp_path):
    (tmp_path / 'my.srdf').write_text(SRDF, encoding='utf-8')
    profile = load(SMALL + 'srdf: my.srdf\nnever_collide: [[d, c], [b, a]]\n')
    assert profile.touching() == (('a', 'b'), ('b', 'c'), ('c', 'd'))
    (tmp_path / 'my.srdf').write_text('<robot>', encoding='utf-8')
    with pytest.raises(R2RGenError, match=r'the SRDF my\.srdf cannot be read'):
        profile.touching()


def test_srdf_of_a_package_of_the_wheel_is_read():
    profile = load_profile('panda')
    name = 'package://panda_description/srdf/panda.srdf'
    both = RobotProfile('panda', profile.base, profile.arms, srdf=name).touching()
    # The preset leaves out only what a joint joins, which is nobody's collision.
    assert set(profile.touching()) <= set(both)
    assert ('panda_link1', 'panda_link2') in both


def test_nouns_check_themselves():
    arm, base = ArmProfile('arm', 'tool0'), BaseProfile('base_link')
    camera = CameraProfile('c', 'optical', 'wrist')
    for build in (
        lambda: ArmProfile('', 'tool0'),
        lambda: ArmProfile('arm', ''),
        lambda: ArmProfile('arm', 'tool0', max_speed={'*': 0.0}),
        lambda: BaseProfile(''),
        lambda: BaseProfile('base_link', 'mobile'),
        lambda: CameraProfile('', 'optical', 'wrist'),
        lambda: Gripper(('f', 'f'), ()),
        lambda: RobotProfile('', base, (arm,)),
        lambda: RobotProfile('r', base, ()),
        lambda: RobotProfile('r', base, (arm,), (camera, camera)),
        lambda: RobotProfile('r', base, (arm,)).arm('left'),
    ):
        with pytest.raises(R2RGenError):
            build()


def test_files_of_presets_explain_themselves():
    folder = Path(load_profile.__code__.co_filename).with_name('presets')
    for path in folder.glob('*.yaml'):
        lines = path.read_text(encoding='utf-8').splitlines()
        assert lines[0].startswith('#'), path
        assert max(map(len, lines)) <= 100, path
