# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a robot that drives can really do what is generated: open loop, with contact physics.

The virtual robot takes something at one stop and puts it down at another, watched by a camera in
the room, on its base or on its wrist. It is parsed from one click per object, with its true skills.
The joints of every accepted variation go to the controllers while the base goes as recorded; the
task judges the end, as do the places where the episode says that objects end (within 2 cm).

Figures at the top are the worst camera's. Intervals are Wilson's, of 95 %.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.parse import scene_of
from benchmarks.replay import Bench, summary
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.config import (
    DockingConfig,
    FeasibilityConfig,
    GenerateConfig,
    MoveRange,
    PerturbationConfig,
    SamplingConfig,
)
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.simulate import record
from r2rgen_ros.simulate.cameras import camera_named
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.replay import replay
from r2rgen_ros.simulate.ride import rooms_of
from r2rgen_ros.simulate.tasks import make_task
from r2rgen_ros.simulate.trip import TABLE_AHEAD
from r2rgen_ros.simulate.wheels import Wheels
from r2rgen_ros.simulate.world import World

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from r2rgen_ros.model.episode import Episode, Variation
    from r2rgen_ros.simulate.replay import Orders, Replayed

CAMERAS = ('external', 'panda_mast', 'panda_wrist')
_RANGES = MoveRange((-0.15, 0.15), (-0.15, 0.15), (-180.0, 180.0))
_DOCKING = DockingConfig('uniform', 0.05, 5.0)
_MOST_ATTEMPTS = 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this benchmark."""
    parser.add_argument('--task', default='place-bottle', help='(default: %(default)s)')
    parser.add_argument('--seed', type=int, default=1, help='(default: %(default)s)')
    parser.add_argument('--variations', type=int, default=30, help='accepted ones per camera')
    parser.add_argument('--camera', action='append', help=f'repeatable (default: {CAMERAS})')
    parser.add_argument(
        '--docking', action='store_true', help='the base docks up to 5 cm and 5 degrees beside'
    )
    parser.add_argument('--keep', type=Path, metavar='DIR', help='where recordings are kept')


def measure(
    task: str = 'place-bottle',
    seed: int = 1,
    variations: int = 30,
    camera: Sequence[str] | None = None,
    keep: Path | None = None,
    *,
    docking: bool = False,
) -> dict[str, Any]:
    """Record, generate and carry out; return the figures."""
    out = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in camera or (CAMERAS[1:] if docking else CAMERAS):
            bag = (keep or Path(scratch)) / f'{task}-{seed}-{name}'
            if not bag.exists():
                record.write(record.act(task, seed, base='driving', camera=camera_named(name)), bag)
            out[name] = _figures(DrivingBench.of(bag, task, seed, docking=docking), variations)
            print(name, out[name], file=sys.stderr, flush=True)
    rows = list(out.values())
    worst = {key: min(row[key] for row in rows) for key in ('identity_success', 'success')}
    return {**worst, 'lag_rad': max(row['lag_rad'] for row in rows), 'cameras': out}


def _figures(bench: DrivingBench, variations: int) -> dict[str, Any]:
    done = [bench.identity()]
    accepted = 0
    for index in range(_MOST_ATTEMPTS):
        outcome = bench.attempt(index)
        done.append(outcome)
        if outcome.reason:
            continue
        accepted += 1
        print(f'{index}: {outcome.wrong or "well"}', file=sys.stderr, flush=True)
        if accepted >= variations:
            break
    return {**summary(done), 'lag_rad': round(bench.source[1].lag_rad, 5)}


@dataclass(frozen=True)
class DrivingBench(Bench):
    """One recording of a robot that drives, ready to try variations.

    Attributes:
        seed: Its seed, which says where the room is in odom.

    """

    seed: int = 0

    @classmethod
    def of(cls, bag: Path, name: str, seed: int, *, docking: bool = False) -> DrivingBench:
        """Parse a recording of a task and build its world."""
        truth = GroundTruth.load(bag)
        scene = scene_of(bag, truth, seed)
        config = GenerateConfig(
            sampling=SamplingConfig(
                ranges=_RANGES, docking=_DOCKING if docking else DockingConfig()
            ),
            perturbation=PerturbationConfig(count=1),
            feasibility=FeasibilityConfig(min_visible_share=0.0),
        )
        made = make_task(name, np.random.default_rng(np.random.SeedSequence([seed, 0])))
        world = World(made.things, TABLE_AHEAD, rig=made.rig, drives=True)
        sampler, assembler = Sampler.create(scene, config, 0), Assembler.create(scene, config)
        return cls(made, truth, scene, sampler, assembler, world, seed)

    def _room2odom(self, variation: Variation) -> Any:
        """Pose (4, 4) of the room in odom, which begins where the base does."""
        return variation.base2base @ Wheels.docked(self.seed).base2odom

    def _base2odom(self, episode: Episode) -> Any:
        assert self.scene.demo.drive is not None
        return se3.interpolate(self.scene.demo.drive.base2frame, episode.source)

    def _replayed(self, episode: Episode) -> Replayed:
        odom2base = se3.inverse(self._base2odom(episode)[0])
        start = {name: odom2base @ p for name, p in self._start(episode.variation).items()}
        return replay(self.world, start, self._orders(episode))

    def _orders(self, episode: Episode) -> Orders:
        room2odom = self._room2odom(episode.variation)
        base2room = se3.inverse(room2odom) @ self._base2odom(episode)
        return replace(super()._orders(episode), rooms=rooms_of(base2room))

    def _ends(self, episode: Episode) -> dict[str, Any]:
        odom2room = se3.inverse(self._room2odom(episode.variation))
        return {name: odom2room @ pose for name, pose in super()._ends(episode).items()}
