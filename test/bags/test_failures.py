# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest

from r2rgen_ros.bags.failures import DiskFullError, reading, writing
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import NO_SPACE


@pytest.mark.parametrize('number', sorted(NO_SPACE), ids=errno.errorcode.get)
def test_a_full_disk_is_told_without_words_of_any_one_verb(number):
    full = pytest.raises(DiskFullError, match='the disk is full: out/bag')
    with full as caught, writing(Path('out/bag')):
        raise OSError(number, os.strerror(number))

    assert '--' not in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))  # as it comes from a worker
    assert (type(again), str(again)) == (DiskFullError, str(caught.value))


def test_a_folder_that_may_not_be_written_to_is_no_full_disk():
    with pytest.raises(R2RGenError, match='cannot be written') as caught, writing(Path('out')):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    assert not isinstance(caught.value, DiskFullError)


@pytest.mark.parametrize(
    ('name', 'tool', 'other'),
    [
        ('old.bag', '"rosbag reindex"', 'ros2'),
        ('new.mcap', '"ros2 bag reindex"', '"rosbag'),
        ('new.db3', '"ros2 bag reindex"', '"rosbag'),
        ('folder', '"ros2 bag reindex"', '"rosbag'),
    ],
)
def test_a_damaged_bag_is_recovered_with_the_tools_of_its_kind(name, tool, other):
    with pytest.raises(R2RGenError) as caught, reading(Path(name)):
        raise ValueError('the index is gone')

    assert tool in caught.value.fix
    assert other not in caught.value.fix
