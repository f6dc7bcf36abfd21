# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is asked for is done, in order; catching up gives way to it."""

from __future__ import annotations

import queue
import threading

import pytest

from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.page.worker import Worker

LONG_S = 300.0


@pytest.fixture
def events():
    return queue.Queue()


@pytest.fixture
def started(events):
    workers = []

    def start(catch_up):
        workers.append(Worker(catch_up, events.put))
        workers[-1].start()
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def test_it_catches_up_at_first_and_after_what_was_asked_for(started, events):
    worker = started(lambda: events.put('caught up'))
    assert events.get(timeout=LONG_S) == 'caught up'
    hold = threading.Event()
    worker.ask(lambda: hold.wait(LONG_S))
    for number in range(5):
        worker.ask(lambda number=number: events.put(number))
    hold.set()
    assert [events.get(timeout=LONG_S) for _ in range(6)] == [0, 1, 2, 3, 4, 'caught up']


def test_catching_up_gives_way_and_begins_again(started, events):
    begun = threading.Semaphore(0)
    done = threading.Event()

    def catch_up():
        begun.release()
        while not done.is_set():
            worker.check()

    def work():
        worker.check()  # what was asked for does not give way
        done.set()
        events.put('asked')

    worker = Worker(catch_up, events.put)
    worker.start()
    assert begun.acquire(timeout=LONG_S)
    worker.ask(work)
    assert events.get(timeout=LONG_S) == 'asked'
    assert begun.acquire(timeout=LONG_S)
    worker.close()
    assert events.empty()


def test_errors_are_told_and_it_goes_on(started, events):
    worker = started(lambda: None)
    error = R2RGenError('nothing is there')

    def fail():
        raise error

    worker.ask(fail)
    assert events.get(timeout=LONG_S) is error
    worker.ask(lambda: events.put('more'))
    assert events.get(timeout=LONG_S) == 'more'


def test_closing_stops_what_is_under_way(events):
    def catch_up():
        events.put('begun')
        while True:
            worker.check()

    worker = Worker(catch_up, events.put)
    worker.start()
    assert events.get(timeout=LONG_S) == 'begun'
    worker.close()
    assert events.empty()
