# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of sizes writes and reads real bags, and its codecs are those of ROS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import sizes
from r2rgen_ros.bags import messages
from r2rgen_ros.bags.clouds import STANDARD, encode_cloud
from r2rgen_ros.bags.images import decode_depth
from r2rgen_ros.bags.writer import BagWriter
from r2rgen_ros.geometry.cloud import Cloud

if TYPE_CHECKING:
    from pathlib import Path

FRAMES = 4


def frames() -> list[tuple[str, str, bytes]]:
    rng = np.random.default_rng(0)
    room = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    out = []
    for number in range(FRAMES):
        depth = rng.integers(800, 900, (48, 64)).astype(np.uint16)
        points = rng.normal(size=(200, 3)).astype(np.float32)
        cloud = Cloud.from_arrays(points, np.zeros((200, 3), dtype=np.uint8))
        out += [
            ('/colour', messages.IMAGE, messages.image(number, 'camera', room, 'rgb8')),
            ('/depth', messages.IMAGE, messages.image(number, 'camera', depth, '16UC1')),
            ('/points', messages.POINT_CLOUD, encode_cloud(cloud, STANDARD, 'base', number)),
        ]
    return [(topic, kind, bytes(messages.serialize(message))) for topic, kind, message in out]


@pytest.fixture
def taped(tmp_path: Path) -> sizes.Taped:
    with BagWriter(tmp_path / 'bag') as bag:
        for topic, kind, _ in frames()[:3]:
            bag.add_topic(topic, kind)
        for number, (topic, _, raw) in enumerate(frames()):
            bag.write(topic, number, raw)
    return sizes.Taped.of(tmp_path / 'bag')


def test_an_episode_is_taken_as_it_is(taped: sizes.Taped) -> None:
    assert taped.frames == FRAMES
    assert [(item.topic, item.msgtype, item.raw) for item in taped.messages] == frames()


def test_every_choice_is_written_and_read_and_nothing_stays(
    taped: sizes.Taped, tmp_path: Path
) -> None:
    scratch = tmp_path / 'scratch'
    scratch.mkdir()
    rows = sizes.compare(taped, scratch)
    assert set(rows) == {*sizes.CHOICES, sizes.FORMER}
    assert list(scratch.iterdir()) == []
    plain = rows['none']
    assert plain['mb_per_episode'] * 1e6 > taped.bytes - 1000
    assert all(
        row['mb_per_episode'] < plain['mb_per_episode']
        for key, row in rows.items()
        if key != 'none'
    )
    assert all(row['write_ms_per_frame'] > 0.0 < row['read_ms_per_frame'] for row in rows.values())
    assert sizes.DEFAULT in rows


def test_codecs_of_every_kind_are_measured(taped: sizes.Taped) -> None:
    rows = sizes.convert(taped)
    assert {key.split(':')[0] for key in rows} == {'depth', 'colour', 'cloud'}
    assert rows['depth: compressedDepth rvl']['kb_per_frame'] > 0.0
    assert rows['colour: png']['is_lossless']
    assert not rows['colour: jpeg 95']['is_lossless']


@pytest.mark.parametrize('name', sizes.DEPTH_CODECS)
def test_depth_codecs_lose_nothing(name: str) -> None:
    depth = np.random.default_rng(1).integers(0, 2000, (40, 50)) / np.float32(1000.0)
    depth = np.where(depth > 0.0, depth, np.nan).astype(np.float32)
    data = sizes.DEPTH_CODECS[name].encode(depth)
    form = f'16UC1; {name}'
    assert np.array_equal(
        decode_depth(messages.compressed_image(0, '', data, form)), depth, equal_nan=True
    )
