# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The process that generates for the node: calls what `r2rgen generate` calls, and tells of it.

It is started by `generation` and imports no ROS. It ends when its parent does, even if that was
killed: the kernel sends SIGTERM then, which counts as Ctrl-C here.
"""

from __future__ import annotations

import errno
import os
import pickle
import signal
import sys
import traceback
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from r2rgen_ros.bags.failures import DiskFullError
from r2rgen_ros.generate.dataset import is_dataset
from r2rgen_ros.generate.interrupts import Interrupts
from r2rgen_ros.generate.orphans import end_with
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.paths import NO_SPACE
from r2rgen_ros.nodes.generation import (
    AGAIN,
    BLOCKED,
    GENERATING,
    OPENING,
    READING,
    REPORTING,
    Ended,
    NewEpisode,
    ObjectTrack,
    Progress,
    Request,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from r2rgen_ros.generate.dataset import Dataset
    from r2rgen_ros.generate.job import Job
    from r2rgen_ros.generate.run import Status

_AGAIN_S = 0.4


def main() -> None:
    """Generate what standard input asks for, and tell of it through the pipe that is named."""
    sending, parent = map(int, sys.argv[1:3])
    _end_with(parent)
    with Connection(sending, readable=False) as events:
        request = pickle.load(sys.stdin.buffer)
        _Work(request, events.send).run()


def _end_with(parent: int) -> None:
    """Let the kernel send SIGTERM when the parent is gone."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been ignored
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGALRM, _stop)
    # Workers are ended by SIGTERM.
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    end_with(parent, signal.SIGTERM)


def _stop(_number: int, _frame: Any) -> None:
    """As if Ctrl-C were pressed, and soon again, so that no worker is waited for."""
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
    signal.raise_signal(signal.SIGINT)


def _ignore_stops() -> None:
    """There is nothing left to stop."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


class _Work:
    """One generation.

    Args:
        request: What is to be generated.
        send: Called with what happens.

    """

    def __init__(self, request: Request, send: Callable[[object], None]) -> None:
        self.request = request
        self._send = send
        self._latest = request.there

    def run(self) -> None:
        """Generate, and send how it ended."""
        try:
            ended = self._ended()
            _ignore_stops()
        except KeyboardInterrupt:  # pressed again while the first press was answered
            ended = Ended(is_stopped=True)
            _ignore_stops()
        with suppress(BrokenPipeError):
            self._send(ended)

    def _ended(self) -> Ended:
        """Generate, and return how it ended."""
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
            return self._generate()
        except KeyboardInterrupt:
            return Ended(is_stopped=True)
        except R2RGenError as error:
            return self._failed(error, error.found)
        except BrokenPipeError:
            os._exit(1)  # nobody listens any more
        except OSError as error:
            # Such as a disk that fills up while a library writes a picture.
            return self._failed(error, f'{self._latest.stage}: {error}')
        except Exception as error:  # noqa: BLE001  # the node shall say what it was
            traceback.print_exc()
            return Ended(fault=f'{type(error).__name__}: {error}')

    def _generate(self) -> Ended:
        """Do what the command line does."""
        self.enter(READING)
        from r2rgen_ros.generate.config import GenerateConfig
        from r2rgen_ros.generate.config_file import read_config
        from r2rgen_ros.generate.engines import engine_named
        from r2rgen_ros.generate.job import Job
        from r2rgen_ros.generate.run import InterruptedGenerationError, generate
        from r2rgen_ros.generate.session import find_annotation

        request = self.request
        config = read_config(request.config) if request.config else GenerateConfig()
        annotation, folder = find_annotation(request.demo, request.annotation)
        job = Job.prepare(request.demo, annotation, folder, config, request.seed)
        teller = _Teller(job, self)
        self.enter(OPENING)
        try:
            with engine_named(request.engine, request.address, request.workers) as engine:
                status = generate(
                    job,
                    request.dataset,
                    request.count,
                    resume=request.resume,
                    workers=request.workers or os.cpu_count() or 1,
                    engine=engine,
                    progress=teller.tell,
                )
        except InterruptedGenerationError:
            return Ended(is_stopped=True)
        teller.count(status)
        return Ended(notes=self._finish(job, status))

    def _finish(self, job: Job, status: Status) -> tuple[str, ...]:
        """Draw the report if asked for, and return what a person should know."""
        from r2rgen_ros.generate.dataset import Dataset
        from r2rgen_ros.generate.verdict import shortfall

        dataset = Dataset.open(self.request.dataset)
        if self.request.report:
            from r2rgen_ros.report.dataset import write_report

            self.enter(REPORTING)
            write_report(dataset, job.scene, job.config)
        notes = [f'not written: {topic}' for topic in dataset.info.get('left_out', [])]
        notes += filter(None, [shortfall(status), job.repeats(status.attempts)])
        return (*job.assembler.unchecked, *notes)

    def _failed(self, error: R2RGenError | OSError, found: str) -> Ended:
        if isinstance(error.__context__, BrokenProcessPool):
            return Ended(fault=f'{found}; {AGAIN}')
        number = _errno(error)
        if number in NO_SPACE and is_dataset(self.request.dataset):
            error = R2RGenError(found, '', 'free some space, and send the goal with resume true')
        elif isinstance(error, OSError):
            error = R2RGenError(found)
        return Ended(error, number, self._latest.stage)

    def enter(self, stage: str) -> None:
        """Say what is done next."""
        self.advance(replace(self._latest, stage=stage))

    def advance(self, progress: Progress) -> None:
        """Say how far it is."""
        self._latest = progress
        self.tell(progress)

    def tell(self, event: object) -> None:
        """Send an event whole: a Ctrl-C that comes in its midst waits."""
        with Interrupts() as interrupts:
            self._send(event)
        interrupts.check()


class _Teller:
    """Tells of every attempt, and where the objects are in every new episode."""

    def __init__(self, job: Job, work: _Work) -> None:
        from r2rgen_ros.generate.assemble import Assembler
        from r2rgen_ros.generate.sampling import Sampler

        self._job, self._work = job, work
        self._sampler = Sampler.create(job.scene, job.config, job.seed)
        self._assembler = Assembler.create(job.scene, job.config)
        self._earlier: int | None = None
        self._dataset: Dataset | None = None

    def tell(self, status: Status) -> None:
        """Tell of the latest attempt."""
        from r2rgen_ros.generate.dataset import Dataset

        if self._dataset is None:
            self._dataset = Dataset.open(self._work.request.dataset)
        index = status.attempts - 1
        path = self._dataset.episode(index)
        is_new = path.is_dir()
        if self._earlier is None:
            self._earlier = status.accepted - is_new
        self.count(status)
        if is_new and self._work.request.show:
            self._work.tell(NewEpisode(path, self._objects(index)))

    def count(self, status: Status) -> None:
        """Tell how far it is."""
        earlier = status.accepted if self._earlier is None else self._earlier
        counts = (earlier, status.accepted, status.attempts, dict(status.reasons))
        self._work.advance(Progress(GENERATING, *counts))

    def _objects(self, index: int) -> tuple[ObjectTrack, ...]:
        """Where the objects are in the episode of an attempt, which is made again for that."""
        from r2rgen_ros.model.episode import Episode, Variation

        variation = self._sampler.variation(index)
        if not isinstance(variation, Variation):
            return ()
        episode = self._assembler.assemble(variation)
        if not isinstance(episode, Episode):
            return ()
        return tuple(
            ObjectTrack(item.name, poses, item.cloud.points.min(axis=0), item.cloud.points.max(0))
            for item, poses in zip(self._job.scene.objects, episode.object2base, strict=True)
        )


def _errno(error: BaseException) -> int:
    """Number of the operating system's error that is behind an error; 0 for none."""
    for each in (error, error.__cause__, error.__context__):
        # Of what happened in a worker only the error itself has come here.
        if isinstance(each, DiskFullError):
            return errno.ENOSPC
        if isinstance(each, OSError) and each.errno:
            return errno.ENOSPC if each.errno in NO_SPACE else each.errno
    return 0


if __name__ == '__main__':
    main()
