# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Attempts in several processes of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from r2rgen_ros.generate.engine import AHEAD, TRIES, WATCH_S
from r2rgen_ros.generate.interrupts import Interrupts
from r2rgen_ros.generate.manifest import episode_name
from r2rgen_ros.generate.orphans import end_with
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from r2rgen_ros.generate.engine import Result
    from r2rgen_ros.generate.maker import Maker


class Processes:
    """Makes attempts in forked processes, which inherit the parsed scene instead of copying it.

    Args:
        workers: Number of processes.

    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    @contextlib.contextmanager
    def results(self, maker: Maker, pending: Path, indices: range) -> Iterator[Iterator[Result]]:
        """Make attempts; see `Engine`."""
        crew = _Crew(maker, pending, self._workers)
        with Interrupts(crew.kill) as interrupts:
            try:
                yield crew.in_order(indices, interrupts)
            finally:
                crew.end()


@dataclass
class _Task:
    """An attempt that has been begun; `future` is None where its worker was lost."""

    index: int
    future: Future[Result] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether its worker went away before it had a result."""
        if self.future is None or self.future.cancelled():
            return True
        return self.future.done() and isinstance(self.future.exception(), BrokenProcessPool)


class _Crew:
    """The processes. When one is killed, all are replaced, and unfinished attempts made again."""

    def __init__(self, maker: Maker, pending: Path, workers: int) -> None:
        self._maker, self._pending, self._workers = maker, pending, workers
        self._tasks: deque[_Task] = deque()
        self._losses = 0
        self._pool = self._hire()

    def _hire(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context('fork'),
            initializer=_start_worker,
            initargs=(self._maker, os.getpid()),
        )

    def in_order(self, indices: range, interrupts: Interrupts) -> Iterator[Result]:
        """Yield the results in the order of the indices."""
        following = iter(indices)
        while True:
            missing = AHEAD * self._workers - len(self._tasks)
            self._tasks.extend(_Task(index) for index in islice(following, missing))
            if not self._tasks:
                return
            try:
                result = self._first(interrupts)
            except BrokenProcessPool:
                interrupts.check()
                self._losses += 1
                if self._losses == TRIES:
                    raise R2RGenError(
                        f'a worker process died {TRIES} times in a row at attempt'
                        f' {self._tasks[0].index} (killed, or out of memory)',
                        '',
                        'run again with --resume, perhaps with fewer --workers',
                    ) from None
                self._replace()
            else:
                self._tasks.popleft()
                self._losses = 0
                yield result

    def _first(self, interrupts: Interrupts) -> Result:
        """Wait for the first attempt, with all others under way.

        After two losses it is alone, so that no other one's fault, or want of memory, is taken for
        its own.
        """
        for task in islice(self._tasks, 1 if self._losses > 1 else None):
            if task.future is None:
                task.future = self._pool.submit(_work, task.index, self._pending)
        first = self._tasks[0].future
        assert first is not None
        interrupts.check()
        while not wait([first], WATCH_S).done:
            interrupts.check()
        return first.result()

    def _replace(self) -> None:
        """Let others go on where those that were lost have stopped."""
        self.kill()
        self.end()
        self._pool = self._hire()
        for task in self._tasks:
            if task.is_lost:
                task.future = None
                # Of an attempt whose bag was whole, but of which nobody was told.
                shutil.rmtree(self._pending / episode_name(task.index), ignore_errors=True)

    def kill(self) -> None:
        """End the attempts that are under way; Python has this as a method from 3.14 on."""
        for process in list((self._pool._processes or {}).values()):
            process.kill()

    def end(self) -> None:
        """Wait until no process is left."""
        self._pool.shutdown(wait=True, cancel_futures=True)


_maker: Maker | None = None


def _start_worker(maker: Maker, parent: int) -> None:
    """Keep the maker, leave Ctrl-C to the main process, and end when that is gone."""
    global _maker  # a pool hands state to its workers in no other way
    _maker = maker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent, signal.SIGKILL)


def _work(index: int, pending: Path) -> Result:
    assert _maker is not None
    return _maker.attempt(index, pending)
