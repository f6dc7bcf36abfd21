# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.robots.description import (
    check_description,
    mesh_names,
    missing_names,
    nearest,
)
from r2rgen_ros.robots.kinematics import Robot

LIMIT = '<limit lower="0" upper="1" effort="1" velocity="1"/>'


def arm(joint: str = LIMIT, kind: str = 'revolute', more: str = '') -> str:
    return (
        '<robot name="r"><link name="a"/><link name="b"/>'
        f'<joint name="j" type="{kind}"><parent link="a"/><child link="b"/>{joint}</joint>'
        f'{more}</robot>'
    )


def test_a_sound_description_passes_and_can_be_built():
    for text in (
        arm(),
        arm('', 'continuous'),
        arm('', 'fixed'),
        arm('<limit upper="1" effort="1" velocity="1"/>'),
        arm('<limit effort="1" velocity="1"/>', 'prismatic'),
    ):
        check_description(text)
        assert Robot.from_urdf(text, 'a', 'b').links == ('a', 'b')


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('<robot', 'cannot be read'),
        ('<launch/>', 'begins with <launch>'),
        ('<robot name="r"/>', 'has no links'),
        (arm(''), '"j" of the robot description is revolute but has no limit for effort, velocity'),
        (arm(LIMIT.replace('velocity="1"', '')), 'has no limit for velocity'),
        (arm(LIMIT, 'rotary'), 'has the type "rotary"; expected one of'),
        (
            arm(LIMIT.replace('"1" effort', '"1,5" effort')),
            'has upper="1,5" in its limit; expected',
        ),
        (arm('<origin xyz="0 nan 0"/>' + LIMIT), 'has xyz="0 nan 0" in its origin'),
        (arm(more='<link name="b"/>'), 'several links "b"'),
        (arm(more='<link name="c"/>'), '2 roots: "a", "c"'),
        (
            arm(more='<joint name="k" type="fixed"><parent link="c"/><child link="b"/></joint>'),
            'has the parent link "c", which is not there',
        ),
        (arm(more='<joint name="k" type="fixed"><parent link="a"/></joint>'), 'no child link'),
        (
            arm(more='<joint name="k" type="fixed"><parent link="a"/><child link="b"/></joint>'),
            '"b" hang on several joints',
        ),
        (
            arm(
                more='<link name="c"/><link name="d"/>'
                '<joint name="k" type="fixed"><parent link="c"/><child link="d"/></joint>'
                '<joint name="l" type="fixed"><parent link="d"/><child link="c"/></joint>'
            ),
            'the links "c", "d" hang on each other in a ring',
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text, words):
    with pytest.raises(R2RGenError) as error:
        check_description(text)
    assert words in str(error.value)
    assert '\n' not in str(error.value)


def test_two_arms_with_one_set_of_names_are_told_to_take_prefixes():
    text = arm().replace('</robot>', arm().partition('<link name="a"/>')[2])
    with pytest.raises(R2RGenError, match=r'to fix: give each arm a prefix of its own'):
        check_description(text)


def test_meshes_are_named_once():
    mesh = '<geometry><mesh filename="package://p/{}.stl"/></geometry>'
    looks = ''.join(f'<visual>{mesh.format(name)}</visual>' for name in ('x', 'y', 'x'))
    text = arm(more='').replace('<link name="a"/>', f'<link name="a">{looks}</link>')
    assert mesh_names(check_description(text)) == ('package://p/x.stl', 'package://p/y.stl')


def test_missing_names_come_with_the_nearest_and_are_cut_short():
    words = missing_names(['joint1', 'zz', 'joint3', 'joint4'], ['left_joint1', 'left_joint3'])
    assert (
        words
        == '"joint1" (nearest: "left_joint1"), "zz", "joint3" (nearest: "left_joint3") and 1 more'
    )


def test_names_that_differ_by_their_prefix_are_nearest():
    have = ['panda_joint1', 'panda_joint2', 'panda_link0', 'camera_link']
    assert nearest('fr3_joint2', have, 1) == ['panda_joint2']
    assert nearest('link0', have) == ['panda_link0']
    assert nearest('panda_joint3', have)[0].startswith('panda_joint')
    assert nearest('elbow', have) == []
