# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What nobody can check is said, with the reason and what to do about it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from r2rgen_ros.bags.source import read_source
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import FeasibilityConfig, GenerateConfig, MotionConfig
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.session import described
from r2rgen_ros.model.episode import Episode
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.profile import load_profile, preset_names

PROFILE = """format: r2rgen/robot/1
name: mine
urdf: mine.urdf
base: {frame: panda_link0, type: fixed}
arms:
  - name: arm
    end_effector: panda_hand_tcp
    gripper:
      joints: [panda_finger_joint1, panda_finger_joint2]
      links: [panda_hand, panda_leftfinger, panda_rightfinger]
"""


def _with(scene, **changes):
    return replace(scene, demo=replace(scene.demo, **changes))


def _said(scene, config=None):
    return Assembler.create(scene, config or GenerateConfig()).unchecked


def test_of_a_robot_that_is_known_all_is_checked(virtual_scene):
    assert _said(virtual_scene) == ()


@pytest.mark.parametrize(
    ('lost', 'said'),
    [
        ('robot_description', 'no robot description.*"robot: PROFILE"'),
        ('joints', 'no joint positions.*record /joint_states'),
    ],
)
def test_without_kinematics_reach_and_collisions_are_not_checked(virtual_scene, lost, said):
    (note,) = _said(_with(virtual_scene, **{lost: None}))

    assert re.match('not checked: reach, joint limits, speeds of joints and collisions ', note)
    assert re.search(said, note)


def test_without_meshes_collisions_are_not_checked(virtual_scene):
    bare = re.sub(r'<(visual|collision)>.*?</\1>', '', _urdf(virtual_scene), flags=re.DOTALL)

    (note,) = _said(_with(virtual_scene, robot_description=bare))

    assert note.startswith('not checked: collisions (no mesh')
    assert '--mesh-folder' in note


def test_who_asks_for_no_collisions_is_told_nothing_of_them(virtual_scene):
    bare = re.sub(r'<(visual|collision)>.*?</\1>', '', _urdf(virtual_scene), flags=re.DOTALL)
    config = GenerateConfig(feasibility=FeasibilityConfig(collisions=False))

    assert _said(_with(virtual_scene, robot_description=bare), config) == ()


def test_what_was_seen_of_links_without_meshes_is_no_obstacle(virtual_scene):
    lost = _urdf(virtual_scene).replace('link6.', 'nowhere6.')
    scene = _with(virtual_scene, robot_description=lost)
    assembler = Assembler.create(scene, GenerateConfig())

    (note,) = assembler.unchecked
    source = assembler.assemble(Sampler.create(scene, GenerateConfig(), 0).from_moves(0, {}))

    assert note.startswith('not checked: collisions of "panda_link6" (their meshes are not found)')
    assert assembler.collisions._room is None
    assert isinstance(source, Episode)


def test_joints_without_a_largest_speed_are_named(virtual_scene):
    still = re.sub(r'velocity="[^"]*"', 'velocity="0"', _urdf(virtual_scene))

    (note,) = _said(_with(virtual_scene, robot_description=still))

    assert note.startswith('not checked: speeds of "panda_joint1", "panda_joint2"')
    assert 'max_speed' in note


def test_planners_that_cannot_be_used_are_named_with_those_in_their_place(virtual_scene):
    config = GenerateConfig(
        motion=MotionConfig(planners=('sampled',)),
        feasibility=FeasibilityConfig(collisions=False),
    )

    (note,) = _said(virtual_scene, config)

    assert note.startswith('not used: motion.planners "sampled" (it needs feasibility.collisions')
    assert note.endswith('in their place: "blend"')


def test_limits_that_are_not_those_of_the_recording_are_refused(virtual_scene):
    none = re.sub(r'(lower|upper)="[^"]*"', r'\1="0"', _urdf(virtual_scene))

    with pytest.raises(R2RGenError, match=r'panda_joint\d was at .* rad .*outside of its limits'):
        Assembler.create(_with(virtual_scene, robot_description=none), GenerateConfig())


def test_joint_states_in_degrees_are_refused(virtual_scene):
    joints = virtual_scene.demo.joints
    degrees = replace(joints, positions=np.rad2deg(joints.positions))

    with pytest.raises(R2RGenError, match='the unit of the joint states'):
        Assembler.create(_with(virtual_scene, joints=degrees), GenerateConfig())


def test_the_urdf_of_a_profile_stands_for_one_that_was_not_recorded(virtual_demo, tmp_path):
    source = read_source(virtual_demo)
    text = source.robot_description
    silent = replace(source, recorded=replace(source.recorded, description=None))
    (tmp_path / 'mine.urdf').write_text(text)
    (tmp_path / 'mine.yaml').write_text(PROFILE)

    assert silent.robot_description is None
    assert described(silent, '') is silent
    assert described(silent, str(tmp_path / 'mine.yaml')).robot_description == text
    (tmp_path / 'mine.urdf').unlink()
    with pytest.raises(R2RGenError, match=r'there is no file .*mine\.urdf'):
        described(silent, str(tmp_path / 'mine.yaml'))


def test_a_profile_without_a_urdf_leaves_the_recorded_one(virtual_demo):
    source = read_source(virtual_demo)

    for name in preset_names():
        assert load_profile(name).urdf is None
        assert described(source, name) is source


def _urdf(scene):
    assert scene.demo.robot_description is not None
    return scene.demo.robot_description
