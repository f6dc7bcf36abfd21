# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os

import pytest

from r2rgen_ros.bags.newest import newest_bag
from r2rgen_ros.model.errors import R2RGenError


def _file(path, time):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time, time))
    return path


def test_the_bag_finished_last_is_found_wherever_it_lies(tmp_path):
    _file(tmp_path / 'one' / 'metadata.yaml', 10)
    last = _file(tmp_path / 'day' / 'two' / 'metadata.yaml', 20).parent
    assert newest_bag(tmp_path) == last
    ros1 = _file(tmp_path / 'old.bag', 30)
    assert newest_bag(tmp_path) == ros1


def test_datasets_hidden_folders_and_unfinished_bags_are_passed_over(tmp_path):
    bag = _file(tmp_path / 'demo' / 'metadata.yaml', 10).parent
    _file(tmp_path / 'cut.part' / 'cut' / 'metadata.yaml', 40)
    _file(tmp_path / 'data' / 'dataset.yaml', 20)
    _file(tmp_path / 'data' / 'episode_000000' / 'metadata.yaml', 20)
    _file(tmp_path / '.demo.tmp' / 'metadata.yaml', 20)
    _file(tmp_path / 'unfinished' / 'unfinished.mcap', 20)
    _file(tmp_path / '.hidden.bag', 20)
    assert newest_bag(tmp_path) == bag


@pytest.mark.parametrize('name', ['', 'none'])
def test_where_there_is_none_it_is_said(tmp_path, name):
    with pytest.raises(R2RGenError, match='no finished recording') as error:
        newest_bag(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
