# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Generate a dataset: attempts in index order, by any engine, resumable.

Attempts are made by an engine and committed by the main process in index order, so the folder holds
the same bytes wherever they are made, and after any interruption followed by a resume.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from r2rgen_ros.generate.dataset import Dataset
from r2rgen_ros.generate.engine import InProcess
from r2rgen_ros.generate.engine_processes import Processes
from r2rgen_ros.generate.interrupts import Interrupts
from r2rgen_ros.generate.maker import Maker
from r2rgen_ros.model.errors import R2RGenError, check_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from r2rgen_ros.generate.engine import Engine, Result
    from r2rgen_ros.generate.job import Job
    from r2rgen_ros.generate.manifest import Entry, Outcome


@dataclass(frozen=True)
class Status:
    """How far a generation is.

    Attributes:
        wanted: Episodes asked for.
        accepted: Episodes in the dataset.
        attempts: Attempts in the manifest.
        reasons: Rejections by reason.

    """

    wanted: int
    accepted: int
    attempts: int
    reasons: dict[str, int] = field(default_factory=dict)


class InterruptedGenerationError(Exception):
    """The person stopped the generation; the dataset can be resumed.

    Args:
        status: How far it had come.

    """

    def __init__(self, status: Status) -> None:
        super().__init__(f'stopped after {status.accepted} of {status.wanted} episodes')
        self.status = status


def generate(
    job: Job,
    folder: Path,
    count: int,
    *,
    resume: bool = False,
    workers: int = 1,
    engine: Engine | None = None,
    progress: Callable[[Status], None] | None = None,
) -> Status:
    """Generate episodes until so many are accepted, or attempts run out.

    Args:
        job: The prepared source.
        folder: The dataset; new, or with `resume` one that was begun with the same job.
        count: Episodes wanted in the dataset, those that are there already included.
        resume: Go on with what is there.
        workers: Processes of this machine.
        engine: Makes the attempts in place of these.
        progress: Called after every attempt.

    Returns:
        What the dataset holds; fewer accepted than wanted if too many attempts were rejected.

    Raises:
        R2RGenError: The folder exists (without resume), differs (with resume), or the disk is full.
        InterruptedGenerationError: The person pressed Ctrl-C.

    """
    check_range('the number of episodes', count, 1, 10_000_000)
    check_range('the number of workers', workers, 1, 1024)
    maker = Maker(job, overlapped=engine is None and has_idle_core(workers))
    info = {**job.info, 'left_out': list(maker.writer.left_out)}
    dataset = Dataset.resume(folder, info) if resume else Dataset.create(folder, info)
    try:
        run = _Run(dataset, count, job.config.feasibility.attempts_per_episode, progress)
        return _go_on(run, maker, dataset, engine or _local(workers))
    finally:
        with Interrupts():  # a second press must not stop the cleaning
            dataset.unlock()


def has_idle_core(workers: int) -> bool:
    """Whether so many processes leave one of the cores idle that this one may use."""
    return workers < len(os.sched_getaffinity(0))


def _local(workers: int) -> Engine:
    return InProcess() if workers == 1 else Processes(workers)


def _go_on(run: _Run, maker: Maker, dataset: Dataset, engine: Engine) -> Status:
    """Make and commit attempts until the run is done."""
    try:
        if not run.done:
            dataset.pending.mkdir(exist_ok=True)
            left = range(run.attempts, run.most)
            with engine.results(maker, dataset.pending, left) as results:
                run.commit_all(results)
    except KeyboardInterrupt:
        raise InterruptedGenerationError(run.status) from None
    return run.status


class _Run:
    """Counts and commits."""

    def __init__(
        self,
        dataset: Dataset,
        count: int,
        attempts_each: int,
        progress: Callable[[Status], None] | None,
    ) -> None:
        self._dataset, self._count, self._progress = dataset, count, progress
        self._accepted = self.attempts = 0
        self._reasons: Counter[str] = Counter()
        self.most = count * attempts_each
        for entry in dataset.outcomes():
            self._count_in(entry)

    @property
    def status(self) -> Status:
        """How far the run is."""
        return Status(self._count, self._accepted, self.attempts, dict(self._reasons))

    @property
    def done(self) -> bool:
        """Whether no further attempt is needed or allowed."""
        return self._accepted >= self._count or self.attempts >= self.most

    def commit_all(self, results: Iterator[Result]) -> None:
        """Commit results in index order until done."""
        while not self.done:
            entry, bag, seconds = next(results)
            self._dataset.commit(entry, bag, seconds)
            self._count_in(entry)
            if self._progress is not None:
                self._progress(self.status)

    def _count_in(self, entry: Entry | Outcome) -> None:
        if entry.index != self.attempts:
            raise R2RGenError(
                f'the manifest of {self._dataset.folder} lacks attempt {self.attempts}',
                'one line per attempt, in order',
            )
        self.attempts += 1
        self._accepted += entry.accepted
        if not entry.accepted:
            self._reasons[entry.reason] += 1
