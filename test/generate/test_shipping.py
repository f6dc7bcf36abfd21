# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makers and bags that cross over to machines that have nothing but the package."""

from __future__ import annotations

import shutil
from itertools import islice

import numpy as np
import pytest

from r2rgen_ros.bags.failures import DiskFullError
from r2rgen_ros.generate import shipping
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import FeasibilityConfig, GenerateConfig
from r2rgen_ros.generate.dataset import fingerprint
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.maker import Maker
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.session import find_annotation


def _attempts(maker, folder, count):
    """Make attempts, and return what came of them, bags as bytes."""
    made = []
    for index in range(count):
        entry, bag, _ = maker.attempt(index, folder)
        files = None if bag is None else shipping.read_bag(bag)
        made.append((entry, files and {name: data.tobytes() for name, data in files.items()}))
    return made


def test_a_maker_makes_the_same_where_the_recording_is_not(table_demo, tmp_path):
    demo = tmp_path / 'here' / 'demo'
    shutil.copytree(table_demo, demo)
    maker = Maker(Job.prepare(demo, *find_annotation(demo), GenerateConfig(), 0, cache=False))
    truth = _attempts(maker, tmp_path / 'one', 6)
    packed, bags = shipping.pack(maker)
    assert bags == (demo.resolve(),)
    mark, pieces = fingerprint(demo), list(shipping.pieces_of(demo))
    packed.flags.writeable = False  # as in the object store
    shutil.move(demo.parent, tmp_path / 'elsewhere')
    copy = tmp_path / 'copy'
    copy.mkdir()
    shipping.join_pieces(copy, pieces)
    asked = []

    again = shipping.unpack(packed, lambda bag: asked.append(bag) or copy)

    assert asked == [demo.resolve()]
    assert shipping.is_same_bag(copy, mark)
    assert not shipping.is_same_bag(demo, mark)
    assert _attempts(again, tmp_path / 'two', 6) == truth


def test_a_robot_drawn_from_its_meshes_crosses_over(virtual_recorded, tmp_path):
    source, scene = virtual_recorded
    info = {'source': {'fingerprint': ''}}
    config = GenerateConfig(feasibility=FeasibilityConfig(collisions=False))
    maker = Maker(Job(source, scene, config, 0, info))
    still = Sampler.create(scene, config, 0).from_moves(0, {})
    episode = Assembler.create(scene, config).assemble(still)

    packed, _ = shipping.pack(maker)
    again = shipping.unpack(packed, lambda bag: bag)

    for one, two in zip(_first_frames(maker, episode), _first_frames(again, episode), strict=True):
        np.testing.assert_array_equal(one.depth, two.depth)
        np.testing.assert_array_equal(one.colour, two.colour)


def _first_frames(maker, episode):
    return list(islice(maker._composer.frames(episode), 2))


def test_large_files_go_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(shipping, 'PIECE_BYTES', 1000)
    bag, copy = tmp_path / 'bag', tmp_path / 'copy'
    for folder in (bag, copy):
        folder.mkdir()
    (bag / 'a.mcap').write_bytes(np.random.default_rng(0).bytes(4321))
    (bag / 'metadata.yaml').write_text('x')
    (bag / 'annotation.yaml').write_text('no part of the bag')

    pieces = list(shipping.pieces_of(bag))
    shipping.join_pieces(copy, pieces)

    assert len(pieces) == 6
    assert fingerprint(copy) == fingerprint(bag)
    assert {path.name for path in copy.iterdir()} == {'a.mcap', 'metadata.yaml'}


def test_bags_come_back_as_they_were(tmp_path):
    files = {'a.mcap': np.arange(250, dtype=np.uint8), 'metadata.yaml': np.zeros(3, np.uint8)}

    shipping.write_bag(tmp_path / 'bag', files)

    found = shipping.read_bag(tmp_path / 'bag')
    assert {name: data.tolist() for name, data in found.items()} == {
        name: data.tolist() for name, data in files.items()
    }


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(shipping, 'sync', full)

    with pytest.raises(DiskFullError, match='the disk is full'):
        shipping.write_bag(tmp_path / 'bag', {'a': np.zeros(3, np.uint8)})
