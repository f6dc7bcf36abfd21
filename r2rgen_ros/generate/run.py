# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Generate a dataset: attempts in index order, on one process or several, resumable.

Attempts are made by workers and committed by the main process in index order, so the folder holds
the same bytes with any number of workers, and after any interruption followed by a resume.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import scipy

from r2rgen_ros import __version__
from r2rgen_ros.bags.chunks import Compression
from r2rgen_ros.bags.deployment import seen_by
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.bags.load import demo_of
from r2rgen_ros.bags.source import read_source
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.config import plain
from r2rgen_ros.generate.dataset import Dataset, Entry, episode_name, fingerprint
from r2rgen_ros.generate.further import with_composers
from r2rgen_ros.generate.interrupts import Interrupts
from r2rgen_ros.generate.noise import noise_data, wanted_noise
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.session import streams_data
from r2rgen_ros.generate.trajectory import Trajectories
from r2rgen_ros.generate.unseen import TooMuchUnseenError, UnseenWatch
from r2rgen_ros.model.annotation_file import annotation_data
from r2rgen_ros.model.episode import Episode, Rejection
from r2rgen_ros.model.errors import R2RGenError, check_range
from r2rgen_ros.parse.cache import cached_scene
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.robots.camera_file import load_camera
from r2rgen_ros.robots.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from r2rgen_ros.bags.replay import LinkPoses
    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.generate.config import GenerateConfig
    from r2rgen_ros.model.annotation import Annotation
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.robots.kinematics import Robot
    from r2rgen_ros.sense.noise import DepthNoise

_AHEAD = 3
_MOST_FINGERS = 2
_WATCH_S = 0.2


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


@dataclass(frozen=True, eq=False)
class Job:
    """All that is needed to make any attempt.

    Attributes:
        source: The recording.
        scene: The same, parsed.
        config: What is asked for.
        seed: Seed of the dataset.
        annotation: The annotation as plain data, for dataset.yaml.
        noise: Noise of the cameras; None for none.

    """

    source: Source
    scene: Scene
    config: GenerateConfig
    seed: int
    info: dict[str, Any]
    noise: DepthNoise | None = None

    @classmethod
    def prepare(
        cls,
        bag: Path,
        annotation: Annotation,
        folder: Path,
        config: GenerateConfig,
        seed: int,
        wanted: StreamSelection | None = None,
        progress: Callable[[int], None] | None = None,
        *,
        cache: bool = True,
    ) -> Job:
        """Read and parse the source.

        Args:
            bag: The recording.
            annotation: What a person said of it.
            folder: Folder that mask paths in the annotation are relative to.
            config: What is asked for.
            seed: Seed of the dataset, 0 or more.
            wanted: Topics and frames that a person chose.
            progress: Called with the number of frames parsed.
            cache: Whether a scene that was parsed before is used, and this one kept.

        Raises:
            R2RGenError: Something does not fit.

        """
        check_range('the seed', seed, 0, 2**63 - 1)
        source = read_source(bag, wanted)
        demo = demo_of(source)
        scene = cached_scene(demo, annotation, folder, wanted, progress, keep=cache)
        info = {
            'source': {
                'bag': str(source.path.resolve()),
                'fingerprint': fingerprint(source.path),
                'annotation_folder': str(folder.resolve()),
                'streams': streams_data(wanted or StreamSelection()),
            },
            'seed': seed,
            'config': config.to_data(),
            'annotation': annotation_data(annotation),
            'versions': {
                'r2rgen_ros': __version__,
                'numpy': np.__version__,
                'scipy': scipy.__version__,
                'numba': numba.__version__,
            },
        }
        if config.robot:
            # Its contents, so that a dataset is not resumed with other limits.
            info['robot'] = plain(asdict(load_profile(config.robot)))
        if config.camera.render_for:
            info['render_for'] = plain(asdict(load_camera(config.camera.render_for)))
        noise = wanted_noise(scene, config, robot_of(demo))
        if noise is not None:
            info['noise'] = noise_data(noise)
        return cls(source, scene, config, seed, info, noise)

    def repeats(self, attempts: int) -> str:
        """A note for a person where some of the first attempts are alike; else empty.

        Raises:
            R2RGenError: The configuration does not fit the annotation.

        """
        return Sampler.create(self.scene, self.config, self.seed).repeats(attempts)


def _compression(job: Job) -> Compression:
    """Images shrink to a tenth or so; clouds to two thirds, and they are small."""
    wanted = job.config.output
    kind: Any = wanted.compression
    if kind == 'auto':
        kind = 'zstd' if job.scene.demo.has_images else 'none'
    return Compression(kind, wanted.compression_level, wanted.chunk_mib)


def _trajectories(job: Job, robot: Robot | None) -> Trajectories | None:
    if robot is None or not job.config.output.joint_trajectory:
        return None
    demo = job.scene.demo
    others = [robot_of(demo, place) for place in range(1, len(demo.arms))]
    return Trajectories(demo, robot, *(other for other in others if other is not None))


def _known_links(robot: Robot) -> LinkPoses:
    """Kinematics that leave out the transforms of what is not the robot."""
    links = set(robot.links)

    def poses(
        names: Sequence[str], positions: NDArray[np.float64], edges: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], NDArray[np.float64]]:
        own = [edge for edge in edges if set(edge) <= links]
        return robot.link_poses(names, positions, own)

    return poses


def _without_joints(source: Source) -> Source:
    """Leave out the joints of an arm whose kinematics are unknown: they would contradict its hand.

    Grippers stay: topics of one or two joints.
    """
    arms = [track for track in source.recorded.joints if len(track.names) > _MOST_FINGERS]
    if not arms:
        return source
    kept = tuple(track for track in source.recorded.joints if track not in arms)
    notes = tuple(
        f'{track.topic.name} (without a robot_description the joints of a moved hand are unknown)'
        for track in arms
    )
    recorded = replace(source.recorded, joints=kept)
    return replace(source, recorded=recorded, left_out=(*source.left_out, *notes))


class _Maker:
    """Makes attempts; one per process."""

    def __init__(self, job: Job) -> None:
        robot = robot_of(job.scene.demo)
        self._job = job
        self._sampler = Sampler.create(job.scene, job.config, job.seed)
        self._assembler = Assembler.create(job.scene, job.config)
        self._composer = make_composer(job.scene, job.config, robot, job.noise)
        source = job.source if robot is not None else _without_joints(job.source)
        if job.config.camera.render_for:
            source = seen_by(source, load_camera(job.config.camera.render_for))
        source, self._others = with_composers(source, job.scene, job.config, robot, job.noise)
        self.writer = EpisodeWriter(
            source,
            link_poses=_known_links(robot) if robot is not None else None,
            compression=_compression(job),
            trajectories=_trajectories(job, robot),
        )
        self._base = {
            'r2rgen.source': job.source.path.resolve().name,
            'r2rgen.source_fingerprint': job.info['source']['fingerprint'],
            'r2rgen.seed': str(job.seed),
        }

    def attempt(self, index: int, pending: Path) -> tuple[Entry, Path | None, float]:
        """Make one attempt; its bag, if any, is written below the pending folder."""
        begin = time.perf_counter()
        variation = self._sampler.variation(index)
        outcome = variation
        if not isinstance(variation, Rejection):
            outcome = self._assembler.assemble(variation)  # type: ignore[assignment]
        if isinstance(outcome, Rejection):
            return Entry.of(outcome), None, time.perf_counter() - begin
        entry = Entry.of(outcome)  # type: ignore[arg-type]
        path = pending / episode_name(index)
        custom = {
            **self._base,
            'r2rgen.index': str(index),
            'r2rgen.variation': entry.to_line().strip(),
        }
        assert isinstance(outcome, Episode)
        watch = UnseenWatch(outcome, self._job.config.camera.max_unseen_share)
        frames = watch.over(self._composer.frames(outcome))
        beside = {name: UnseenWatch(outcome, 1.0) for name in self._others}
        others = [
            beside[name].over(composer.frames(outcome)) for name, composer in self._others.items()
        ]
        try:
            self.writer.write(path, outcome, frames, others=others, custom_data=custom)
        except TooMuchUnseenError as error:
            return Entry.of(error.rejection), None, time.perf_counter() - begin
        shares = {name: one.largest for name, one in beside.items() if one.largest is not None}
        entry = replace(entry, unseen=watch.largest, others=shares)
        return entry, path, time.perf_counter() - begin


def generate(
    job: Job,
    folder: Path,
    count: int,
    *,
    resume: bool = False,
    workers: int = 1,
    progress: Callable[[Status], None] | None = None,
) -> Status:
    """Generate episodes until so many are accepted, or attempts run out.

    Args:
        job: The prepared source.
        folder: The dataset; new, or with `resume` one that was begun with the same job.
        count: Episodes wanted in the dataset, those that are there already included.
        resume: Go on with what is there.
        workers: Processes.
        progress: Called after every attempt.

    Returns:
        What the dataset holds; fewer accepted than wanted if too many attempts were rejected.

    Raises:
        R2RGenError: The folder exists (without resume), differs (with resume), or the disk is full.
        InterruptedGenerationError: The person pressed Ctrl-C.

    """
    check_range('the number of episodes', count, 1, 10_000_000)
    check_range('the number of workers', workers, 1, 1024)
    maker = _Maker(job)
    info = {**job.info, 'left_out': list(maker.writer.left_out)}
    dataset = Dataset.resume(folder, info) if resume else Dataset.create(folder, info)
    try:
        run = _Run(dataset, count, job.config.feasibility.attempts_per_episode, progress)
        return _go_on(run, maker, dataset, workers)
    finally:
        with Interrupts():  # a second press must not stop the cleaning
            dataset.unlock()


def _go_on(run: _Run, maker: _Maker, dataset: Dataset, workers: int) -> Status:
    """Make and commit attempts until the run is done."""
    try:
        if not run.done:
            dataset.pending.mkdir(exist_ok=True)
            with _results(maker, dataset.pending, run.attempts, run.most, workers) as results:
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
        for entry in dataset.entries():
            self._count_in(entry)

    @property
    def status(self) -> Status:
        """How far the run is."""
        return Status(self._count, self._accepted, self.attempts, dict(self._reasons))

    @property
    def done(self) -> bool:
        """Whether no further attempt is needed or allowed."""
        return self._accepted >= self._count or self.attempts >= self.most

    def commit_all(self, results: Iterator[tuple[Entry, Path | None, float]]) -> None:
        """Commit results in index order until done."""
        while not self.done:
            entry, bag, seconds = next(results)
            self._dataset.commit(entry, bag, seconds)
            self._count_in(entry)
            if self._progress is not None:
                self._progress(self.status)

    def _count_in(self, entry: Entry) -> None:
        if entry.index != self.attempts:
            raise R2RGenError(
                f'the manifest of {self._dataset.folder} lacks attempt {self.attempts}',
                'one line per attempt, in order',
            )
        self.attempts += 1
        self._accepted += entry.accepted
        if not entry.accepted:
            self._reasons[entry.reason] += 1


Result = tuple[Entry, 'Path | None', float]


@contextlib.contextmanager
def _results(
    maker: _Maker, pending: Path, first: int, stop: int, workers: int
) -> Iterator[Iterator[Result]]:
    """Results of the attempts from first to stop, in order."""
    if workers == 1:
        yield (maker.attempt(index, pending) for index in range(first, stop))
        return
    # Forked workers inherit the parsed scene instead of copying it.
    context = multiprocessing.get_context('fork')
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(maker, os.getpid())
    )
    with Interrupts(partial(_kill_workers, pool)) as interrupts:
        try:
            yield _in_order(pool, pending, range(first, stop), workers, interrupts)
        except BrokenProcessPool:
            interrupts.check()
            raise R2RGenError(
                'a worker process died (out of memory, or killed)',
                '',
                'run again with --resume, perhaps with fewer --workers',
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _kill_workers(pool: ProcessPoolExecutor) -> None:
    """End the attempts that are under way; Python has this as a method from 3.14 on."""
    for process in list((pool._processes or {}).values()):
        process.kill()


def _in_order(
    pool: ProcessPoolExecutor,
    pending: Path,
    indices: range,
    workers: int,
    interrupts: Interrupts,
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    following = iter(indices)
    while True:
        for index in islice(following, _AHEAD * workers - len(waiting)):
            waiting.append(pool.submit(_work, index, pending))
        if not waiting:
            return
        interrupts.check()
        while not wait(list(waiting)[:1], _WATCH_S).done:
            interrupts.check()
        yield waiting.popleft().result()


_maker: _Maker | None = None


def _start_worker(maker: _Maker, parent: int) -> None:
    """Keep the maker, leave Ctrl-C to the main process, and end when that is gone."""
    global _maker  # a pool hands state to its workers in no other way
    _maker = maker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    os._exit(1)


def _work(index: int, pending: Path) -> Result:
    assert _maker is not None
    return _maker.attempt(index, pending)
