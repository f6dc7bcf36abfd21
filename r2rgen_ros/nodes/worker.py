# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One thread that does long work, one job after another, and can be told to stop."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING, Any

from r2rgen_interfaces.msg import ErrorCode

from r2rgen_ros.nodes.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

_END_S = 10.0
_NOT_ACTIVE = Outcome(ErrorCode.NOT_ACTIVE, 'the node is not active, or is shutting down')


class StoppedError(Exception):
    """The job was told to stop; not a fault."""


class Job:
    """Work that is waiting, under way or done.

    Args:
        name: What it is, for people.
        work: Called with the job; calls `check` or `advance` now and then.

    Attributes:
        done: Steps done.
        total: Number of steps; 0 while unknown.
        outcome: How it ended.
        value: What the work returned.
        trace: Where it failed, for the log.

    """

    def __init__(self, name: str, work: Callable[[Job], Any]) -> None:
        self.name = name
        self.done = 0
        self.total = 0
        self.outcome = Outcome()
        self.value: Any = None
        self.trace = ''
        self._work = work
        self._stop = threading.Event()
        self._give_way = threading.Event()
        self._ended = threading.Event()

    def stop(self) -> None:
        """Tell it to stop as soon as it can."""
        self._stop.set()

    def give_way(self) -> None:
        """Tell it to stop at its next step, because other work makes it needless."""
        self._give_way.set()

    def check(self) -> None:
        """Raise if it shall stop at once.

        Raises:
            StoppedError: It shall.

        """
        if self._stop.is_set():
            raise StoppedError

    def advance(self, steps: int = 1) -> None:
        """Count steps as done, and raise if it shall stop.

        Raises:
            StoppedError: It shall.

        """
        self.done += steps
        self.check()
        if self._give_way.is_set():
            raise StoppedError

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended; tell whether it has."""
        return self._ended.wait(timeout_s)

    def run(self) -> Outcome:
        """Do the work and tell how it ended; `end` is still to be called."""
        try:
            self.check()
            self.value = self._work(self)
        except StoppedError:
            return Outcome(ErrorCode.CANCELLED, f'{self.name} was stopped on request')
        except Exception as error:  # noqa: BLE001  # a node that dies helps nobody
            self.trace = traceback.format_exc()
            return Outcome.of(error, getattr(error, 'code', ErrorCode.BAD_INPUT))
        return Outcome()

    def end(self, outcome: Outcome) -> None:
        """Set how it ended, and wake who waits for it."""
        self.outcome = outcome
        self._ended.set()


class Worker:
    """Runs jobs that were asked for, and after each of them what keeps things up to date.

    Args:
        background: Work to do after a job or when `nudge` was called, while no job is waiting.
        ended: Called with background work that was not stopped.

    """

    def __init__(self, background: Callable[[Job], None], ended: Callable[[Job], None]) -> None:
        self._background = background
        self._ended = ended
        self._changed = threading.Condition()
        self._asked: Job | None = None
        self._running: Job | None = None
        self._nudged = False
        self._ending = False
        # A daemon: one step that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._loop, name='worker', daemon=True)
        self._thread.start()

    @property
    def doing(self) -> str:
        """Name of what is under way; empty if nothing is."""
        job = self._asked or self._running
        return '' if job is None else job.name

    def submit(self, name: str, work: Callable[[Job], Any], *, at_once: bool = False) -> Job:
        """Ask for a job. It ends at once, with BUSY, where another one was asked for before.

        Args:
            name: What it is, for people.
            work: Called with the job in the worker's thread.
            at_once: Whether background work stops where it is, rather than at its next step.

        Returns:
            The job, to wait for.

        """
        job = Job(name, work)
        with self._changed:
            if self._ending:
                job.end(_NOT_ACTIVE)
            elif self._asked is not None:
                job.end(Outcome(
                    ErrorCode.BUSY,
                    f'{self._asked.name} is under way; to fix: wait for it, or discard it',
                ))  # fmt: skip
            else:
                self._asked = job
                if self._running is not None:
                    self._running.give_way()
                    if at_once:
                        self._running.stop()
                self._changed.notify_all()
        return job

    def nudge(self) -> None:
        """Have the background work done, once more where it is under way."""
        with self._changed:
            self._nudged = True
            if self._running is not None and self._running is not self._asked:
                self._running.give_way()
            self._changed.notify_all()

    def stop_all(self) -> None:
        """Stop whatever is under way, and wait until it has ended."""
        with self._changed:
            self._nudged = False
            jobs = [job for job in (self._asked, self._running) if job is not None]
            for job in jobs:
                job.stop()
        for job in jobs:
            job.wait(_END_S)

    def close(self) -> None:
        """Stop everything and end the thread."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self.stop_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(_END_S)

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked or self._nudged or self._ending)
                if self._ending and self._asked is None:
                    return
                job = self._asked
                if job is None:
                    self._nudged = False
                    job = Job('the proposal for what was clicked', self._background)
                self._running = job
            outcome = job.run()
            with self._changed:
                self._running = None
                was_asked = job is self._asked
                if was_asked:
                    self._asked = None
                    self._nudged = True
                if self._ending and not outcome.is_good:
                    outcome = _NOT_ACTIVE
            # Only now, so that whoever waited for it may ask for the next one.
            job.end(outcome)
            if not (was_asked or outcome.code in (ErrorCode.CANCELLED, ErrorCode.NOT_ACTIVE)):
                self._ended(job)
