# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.bags import messages, templates
from r2rgen_ros.geometry.camera import PinholeCamera

RNG = np.random.default_rng(0)
STAMPS = np.array([0, 1, 999_999_999, 10**9, 1_700_000_000_123_456_789, 2**31 * 10**9 - 1])


def agree(filled, made):
    assert [bytes(raw) for raw in filled] == [bytes(messages.serialize(m)) for m in made]


@pytest.mark.parametrize('names', [(), ('a',), ('a', 'much_longer_name', 'c')])
@pytest.mark.parametrize('parts', [(1, 1, 1), (1, 0, 0), (1, 0, 1), (0, 0, 0)])
def test_joint_states(names, parts):
    sizes = [len(names) * part for part in parts]
    rows = [RNG.normal(size=(len(STAMPS), size)) for size in sizes]
    template = templates.joint_template(names, 'world', *sizes)
    made = [
        messages.joint_state(stamp, names, rows[0][k], rows[1][k], rows[2][k], 'world')
        for k, stamp in enumerate(STAMPS)
    ]
    agree(template.fill([*templates.clock(STAMPS), *rows]), made)


@pytest.mark.parametrize('count', [1, 2, 9])
def test_transforms(count):
    edges = tuple((f'parent_{k}', 'c' * (k + 1)) for k in range(count))
    stamps = STAMPS[:, None] + np.arange(count)
    stamps[-1] = STAMPS[-2]
    values = RNG.normal(size=(len(STAMPS), count, 7))
    made = [
        messages.tf_message(
            [messages.transform(stamps[k, e], *edges[e], values[k, e, :3], values[k, e, 3:])
             for e in range(count)]
        )
        for k in range(len(STAMPS))
    ]  # fmt: skip
    agree(templates.transform_template(edges).fill([*templates.clock(stamps), values]), made)


def test_poses_numbers_and_headers():
    values = RNG.normal(size=(len(STAMPS), 7))
    made = [
        messages.pose_stamped(s, 'base', v[:3], v[3:]) for s, v in zip(STAMPS, values, strict=True)
    ]
    agree(templates.pose_template('base').fill([*templates.clock(STAMPS), values]), made)
    for kind in (messages.FLOAT32, messages.FLOAT64):
        numbers = values[:, 0].astype(np.float32).astype(np.float64)
        filled = templates.number_template(kind).fill([numbers])
        agree(filled, [messages.number(value, kind) for value in numbers])
    camera = PinholeCamera(640, 480, 600.0, 601.0, 320.0, 240.0)
    template = templates.header_template(messages.camera_info(0, 'optical', camera))
    made = [messages.camera_info(stamp, 'optical', camera) for stamp in STAMPS]
    agree(template.fill(templates.clock(STAMPS)), made)


def test_no_messages():
    template = templates.joint_template(('a',), '', 1, 0, 0)
    empty = np.zeros((0, 1))
    none = templates.clock(np.zeros(0, dtype=np.int64))
    assert template.fill([*none, empty, empty[:, :0], empty[:, :0]]) == []
