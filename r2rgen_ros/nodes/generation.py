# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A generation in a process of its own, as the node sees it. No ROS in here.

Generation forks workers, and a process with the threads of DDS must not be forked. The child,
`generation_process`, is asked through its standard input and answers through a pipe of its own with
the events below. It ends when it is told to, or when this process is gone.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from r2rgen_ros.generate.dataset import Dataset
from r2rgen_ros.model.errors import R2RGenError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

STARTING, READING, OPENING, GENERATING, REPORTING = (
    'starting', 'reading the demo', 'opening the dataset', 'generating', 'drawing the report'
)  # fmt: skip
"""Stages of a generation."""
BLOCKED = {signal.SIGINT, signal.SIGTERM}
"""Signals that wait until the child can answer them."""
AGAIN = 'to fix: send the goal again with resume true, perhaps with fewer workers'
"""What to do when a process died."""
_CHILD = 'r2rgen_ros.nodes.generation_process'
_HURRY_S = 0.4
_KILL_S = 5.0


@dataclass(frozen=True)
class Request:
    """What is to be generated.

    Attributes:
        demo: Bag, or folder of one.
        dataset: Folder to create, or with `resume` to go on with.
        count: Episodes that the dataset shall hold.
        seed: Seed of the dataset.
        config: Configuration file; None for the defaults.
        annotation: Annotation file; None for the demo's own.
        workers: Processes; None for one per core, of a cluster all.
        engine: local or ray, see `engine_named`.
        address: Of Ray's cluster; empty to start Ray on this machine.
        resume: Go on with what is there.
        report: Draw the report at the end.
        show: Tell of every new episode.
        there: How far the dataset is already.

    """

    demo: Path
    dataset: Path
    count: int
    seed: int = 0
    config: Path | None = None
    annotation: Path | None = None
    workers: int | None = 1
    engine: str = 'local'
    address: str = ''
    resume: bool = False
    report: bool = True
    show: bool = True
    there: Progress = field(default_factory=lambda: Progress())


@dataclass(frozen=True)
class Progress:
    """How far a generation is.

    Attributes:
        stage: What is being done.
        earlier: Episodes that were in the dataset before this run.
        accepted: Episodes in the dataset.
        attempts: Attempts in its manifest.
        reasons: Rejections by reason.

    """

    stage: str = STARTING
    earlier: int = 0
    accepted: int = 0
    attempts: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


def progress_of(dataset: Path) -> Progress:
    """Return how far a dataset is; what is wrong with it is told by who goes on with it."""
    accepted, reasons = 0, Counter[str]()
    with suppress(R2RGenError, OSError, ValueError):
        for entry in Dataset.open(dataset).outcomes():
            if entry.accepted:
                accepted += 1
            else:
                reasons[entry.reason] += 1
    attempts = accepted + reasons.total()
    return Progress(STARTING, accepted, accepted, attempts, dict(reasons))


@dataclass(frozen=True, eq=False)
class ObjectTrack:
    """Where an object is in an episode.

    Attributes:
        name: As annotated.
        poses: (M, 4, 4) object to base frame, per frame of the episode.
        low: (3,) lower corner of the box around its points, in its own frame, metres.
        high: (3,) upper corner.

    """

    name: str
    poses: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NewEpisode:
    """An episode that was just added to the dataset.

    Attributes:
        path: Its bag.
        objects: In the order of the annotation.

    """

    path: Path
    objects: tuple[ObjectTrack, ...]


@dataclass(frozen=True)
class Ended:
    """How a generation ended.

    Attributes:
        error: What a person can mend.
        errno: Number of the operating system's error behind it; 0 for none.
        stage: What was being done when it came up.
        fault: What a person cannot mend, in words.
        is_stopped: Whether it was stopped on request.
        notes: What a person should know of the dataset.

    """

    error: R2RGenError | None = None
    errno: int = 0
    stage: str = ''
    fault: str = ''
    is_stopped: bool = False
    notes: tuple[str, ...] = ()


class Pace:
    """Episodes per second of this run."""

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._progress = Progress()
        self.rate_hz = 0.0
        """Episodes per second; 0 while unknown."""

    def take(self, now_s: float, progress: Progress) -> None:
        """Take note of how far it is at an instant."""
        if progress.stage == OPENING:
            self._began_s = now_s
        elif progress.stage == GENERATING and self._began_s is not None:
            if progress == self._progress:
                return  # what comes after the last episode, such as the report, is not its time
            self._progress = progress
            made = progress.accepted - progress.earlier
            self.rate_hz = made / max(now_s - self._began_s, 1e-3)

    def left_s(self, total: int) -> float:
        """Seconds until there are so many; NaN while unknown."""
        missing = max(0, total - self._progress.accepted)
        return missing / self.rate_hz if self.rate_hz > 0.0 else float('nan')


class Generation:
    """A generation that is under way; it begins at once.

    Args:
        request: What is to be generated.
        show: Called from another thread with every new episode, if the request asks for them.

    """

    def __init__(self, request: Request, show: Callable[[NewEpisode], None]) -> None:
        self.request = request
        self.progress = request.there
        self.ended = Ended(fault='the generating process gave no answer')
        self.pace = Pace()
        self._show = show
        self._stop = threading.Event()
        self._over = threading.Event()
        # The kernel ends the child when the thread that started it is gone: this one stays until
        # the child has ended.
        threading.Thread(target=self._run, name='generation', daemon=True).start()

    @property
    def was_told_to_stop(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Tell it to end at once, leaving a dataset that resumes; does not wait."""
        self._stop.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended; tell whether it has."""
        return self._over.wait(timeout_s)

    def _run(self) -> None:
        try:
            process, events = _start(self.request)
            threading.Thread(
                target=self._end, args=(process,), name='generation end', daemon=True
            ).start()
            self._listen(process, events)
        except Exception as error:  # noqa: BLE001  # whoever waits must hear of it
            self.ended = Ended(fault=f'{type(error).__name__}: {error}')
        finally:
            self._over.set()

    def _listen(self, process: subprocess.Popen[bytes], events: Connection) -> None:
        """Take events until the last one; then, or when they break off, wait for the end."""
        with events:
            last = False
            while not last:
                try:
                    last = self._take(events.recv())
                except (EOFError, OSError):
                    break
        try:
            status = process.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            _kill(process)
            status = process.wait()
        if not last:
            self.ended = Ended(fault=_death(status), is_stopped=self.was_told_to_stop)

    def _take(self, event: Any) -> bool:
        """Take one event, and tell whether it is the last."""
        if isinstance(event, Progress):
            self.progress = event
            self.pace.take(time.monotonic(), event)
        elif isinstance(event, NewEpisode):
            self._show(event)
        elif isinstance(event, Ended):
            self.ended = event
            return True
        return False

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Once it is told to stop: Ctrl-C, again without waiting for the workers, then by force."""
        while not self._stop.wait(0.1):
            if self._over.is_set():
                return
        for patience in (_HURRY_S, _KILL_S):
            process.send_signal(signal.SIGINT)
            if self._over.wait(patience):
                return
        _kill(process)


def _start(request: Request) -> tuple[subprocess.Popen[bytes], Connection]:
    """Start the child in a session of its own, where no Ctrl-C of a terminal reaches it."""
    receiving, sending = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)  # the child inherits it
    try:
        process = subprocess.Popen(
            [sys.executable, '-m', _CHILD, str(sending), str(os.getpid())],
            stdin=subprocess.PIPE,
            pass_fds=(sending,),
            start_new_session=True,
        )
    except BaseException:
        os.close(receiving)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(sending)
    assert process.stdin is not None
    with process.stdin:
        pickle.dump(request, process.stdin)
    return process, Connection(receiving, writable=False)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the child and its workers by force."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _death(status: int) -> str:
    how = f'was ended by signal {-status}' if status < 0 else f'ended with status {status}'
    return f'the generating process {how} (out of memory, or killed); {AGAIN}'
