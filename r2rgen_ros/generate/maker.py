# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes attempts: a variation, its episode, and its bag."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from r2rgen_ros.bags.chunks import Compression
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.further import with_composers
from r2rgen_ros.generate.manifest import Entry, episode_name
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.trajectory import Trajectories
from r2rgen_ros.generate.unseen import TooMuchUnseenError, UnseenWatch
from r2rgen_ros.generate.written import written_source
from r2rgen_ros.model.episode import Rejection
from r2rgen_ros.parse.robot import robot_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from r2rgen_ros.bags.source import Source
    from r2rgen_ros.generate.engine import Result
    from r2rgen_ros.generate.job import Job
    from r2rgen_ros.robots.kinematics import Robot

_MOST_FINGERS = 2


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


class _KnownLinks:
    """Kinematics that leave out the transforms of what is not the robot."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self._links = set(robot.links)

    def __call__(
        self, names: Sequence[str], positions: NDArray[np.float64], edges: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], NDArray[np.float64]]:
        """Poses along the edges that are the robot's."""
        own = [edge for edge in edges if set(edge) <= self._links]
        return self._robot.link_poses(names, positions, own)


def _without_joints(source: Source) -> Source:
    """Leave out the joints of an arm whose kinematics are unknown: they would contradict its hand.

    Grippers stay: topics of one or two joints.
    """
    arms = [track for track in source.recorded.joints if len(track.names) > _MOST_FINGERS]
    if not arms:
        return source
    kept = tuple(track for track in source.recorded.joints if track not in arms)
    notes = tuple(
        f'{track.topic.name} (the joints of a moved hand are unknown: no robot_description, or no '
        'positions)'
        for track in arms
    )
    recorded = replace(source.recorded, joints=kept)
    return replace(source, recorded=recorded, left_out=(*source.left_out, *notes))


class Maker:
    """Makes attempts; one per process.

    It may be inherited by forked processes, or pickled: then it reads nothing but the recording.

    Args:
        job: What is to be generated.
        overlapped: Whether a core is idle that may write while frames are made.

    Attributes:
        writer: Writes the episodes.

    """

    def __init__(self, job: Job, *, overlapped: bool = False) -> None:
        robot = robot_of(job.scene.demo)
        self._limit = job.config.camera.max_unseen_share
        self._sampler = Sampler.create(job.scene, job.config, job.seed)
        self._assembler = job.assembler
        source = written_source(job.source, job.config)
        self._composer = make_composer(
            job.scene, job.config, robot, job.noise,
            points_alone=source.depth is None and source.cloud is None,
        )  # fmt: skip
        source = source if robot is not None else _without_joints(source)
        source, self._others = with_composers(source, job.scene, job.config, robot, job.noise)
        self.writer = EpisodeWriter(
            source,
            link_poses=_KnownLinks(robot) if robot is not None else None,
            compression=_compression(job),
            trajectories=_trajectories(job, robot),
            overlapped=overlapped,
        )
        self._base = {
            'r2rgen.source': job.source.path.resolve().name,
            'r2rgen.source_fingerprint': job.info['source']['fingerprint'],
            'r2rgen.seed': str(job.seed),
        }

    def attempt(self, index: int, pending: Path) -> Result:
        """Make one attempt; its bag, if any, is written below the pending folder."""
        begin = time.perf_counter()
        variation = self._sampler.variation(index)
        if isinstance(variation, Rejection):
            return Entry.of(variation), None, time.perf_counter() - begin
        outcome = self._assembler.assemble(variation)
        if isinstance(outcome, Rejection):
            return Entry.of(outcome), None, time.perf_counter() - begin
        entry = Entry.of(outcome)
        path = pending / episode_name(index)
        custom = {
            **self._base,
            'r2rgen.index': str(index),
            'r2rgen.variation': entry.to_line().strip(),
        }
        watch = UnseenWatch(outcome, self._limit)
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
