# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import threading

import pytest

from r2rgen_ros.parse.ahead import ahead


@pytest.mark.parametrize('count', [0, 1, 2, 3, 4, 20])
def test_all_come_in_their_order(count):
    assert list(ahead(lambda n: n * n, range(count))) == [n * n for n in range(count)]


def test_only_a_few_are_ready_before_they_are_asked_for():
    begun = []
    results = ahead(lambda n: begun.append(n) or n, range(100))
    assert next(results) == 0
    assert next(results) == 1
    assert max(begun) <= 5
    results.close()
    assert max(begun) <= 5


def test_work_is_done_in_one_other_thread():
    threads = set(ahead(lambda _: threading.get_ident(), range(10)))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_what_fails_is_raised_where_it_is_asked_for():
    def work(n):
        if n == 2:
            raise RuntimeError('no frame 2')
        return n

    results = ahead(work, range(10))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(RuntimeError, match='no frame 2'):
        next(results)
