# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the robot can really do what is generated: open loop, with contact physics.

Each task is recorded once and parsed from one click per object, with its true skills. Variations
are drawn over the whole table with full yaw until enough are accepted. The joints of every accepted
episode go to the controllers of the simulator, with the objects placed as the variation says; the
task itself judges the end. The gripper is told the recorded width, and to close for good while it
holds something.

The counter-check: attempts that were rejected for reach, speed or collision are carried out all
the same, as well as the arm can. What the checks say does not count then, only what happens: they
really fail if the task fails, if something touches that does not touch in the source, or if a joint
really gets faster than the URDF allows, where a real arm stops itself. Of accepted ones the first
and the last are failures as well.

Figures at the top are the worst task's. Intervals are Wilson's, of 95 %.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.parse import scene_of
from r2rgen_ros.generate.assemble import Assembler, object_changes
from r2rgen_ros.generate.config import (
    STILL,
    FeasibilityConfig,
    GenerateConfig,
    MoveRange,
    PerturbationConfig,
    SamplingConfig,
)
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import Reason, Rejection
from r2rgen_ros.simulate import record
from r2rgen_ros.simulate.cameras import camera_named
from r2rgen_ros.simulate.ground_truth import GroundTruth
from r2rgen_ros.simulate.replay import Orders, replay
from r2rgen_ros.simulate.tasks import ALL_NAMES, make_task
from r2rgen_ros.simulate.world import EXTERNAL, TABLE_HALF, TABLE_MIDDLE, World

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from r2rgen_ros.model.episode import Episode, Variation
    from r2rgen_ros.model.scene import Scene
    from r2rgen_ros.simulate.replay import Replayed
    from r2rgen_ros.simulate.steps import Task

SEED = 100
VARIATIONS = 100
FORCED = 30
_MOST_ATTEMPTS = 6000
_CHUNK = 8
_BASE = MoveRange((-0.3, 0.3), (-0.3, 0.3), (-30.0, 30.0))
_ASIDE_M = 0.02
_FORCIBLE = (Reason.UNREACHABLE, Reason.TOO_FAST, Reason.COLLISION, Reason.SELF_COLLISION)
_LARGE_IS_GOOD = ('identity_success', 'success', 'acceptance', 'rejected_that_fail')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this benchmark."""
    parser.add_argument(
        '--variations', type=int, default=VARIATIONS, help='accepted, per task (default: 100)'
    )
    parser.add_argument(
        '--forced', type=int, default=FORCED, help='of each reason, per task (default: 30)'
    )
    parser.add_argument('--task', action='append', choices=ALL_NAMES, help='only these; repeatable')
    parser.add_argument(
        '--base', action='store_true', help='move the base too, by up to 30 cm and 30 degrees'
    )
    parser.add_argument(
        '--camera', default='', help='watched by this camera, such as panda_wrist, not from outside'
    )
    parser.add_argument('--keep', type=Path, metavar='DIR', help='folder in which recordings stay')
    parser.add_argument('--workers', type=int, default=1, help='processes (default: 1)')
    parser.add_argument('--verbose', action='store_true', help='tell of every failure')


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt.

    Attributes:
        index: Its number.
        reason: Why it was rejected; empty where it was accepted.
        forced: Whether it was carried out all the same.
        wrong: What went wrong when it was carried out; empty where all was well.
        cause: 'task', 'touch' or 'stop'; empty where all was well.
        why: The rejection in words.
        seconds: What making it took without the check of collisions, and with it.
        shares: Largest shares of the joints' limits of speed and of acceleration.
        step_rad: Largest step of a joint from frame to frame.
        miss_mm: Largest distance of the hand from where the episode says.
        miss_deg: Largest angle of the same.
        frames: Of the episode.

    """

    index: int
    reason: str
    forced: bool = False
    wrong: str = ''
    cause: str = ''
    why: str = ''
    seconds: tuple[float, float] = (0.0, 0.0)
    shares: tuple[float, float] = (0.0, 0.0)
    step_rad: float = 0.0
    miss_mm: float = 0.0
    miss_deg: float = 0.0
    frames: int = 0


def measure(
    variations: int = VARIATIONS,
    forced: int = FORCED,
    task: Sequence[str] | None = None,
    base: bool = False,
    camera: str = '',
    keep: Path | None = None,
    workers: int = 1,
    verbose: bool = False,
) -> dict[str, Any]:
    """Return all figures of the benchmark.

    Args:
        variations: Accepted variations of each task.
        forced: Rejected ones of each reason that are carried out.
        task: The tasks; None for all.
        base: Whether the robot's base is moved too.
        camera: The camera that recorded; empty for the external one.
        keep: Folder in which recordings are kept and looked for; None to keep none.
        workers: Processes; more than one spoils the milliseconds.
        verbose: Whether to tell of every failure, on standard error.

    """
    out = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        for name in tuple(task) if task else ALL_NAMES:
            case = Case(recording(name, folder, camera), name, base)
            outcomes = list(_run(case, variations, forced, workers))
            if verbose:
                _tell(name, outcomes)
            out[name] = summary(outcomes)
    figures = list(out.values())
    top = {}
    for key, value in figures[0].items():
        if value is None or isinstance(value, int | float):
            pick = min if key.startswith(_LARGE_IS_GOOD) else max
            top[key] = pick((v for f in figures if (v := f[key]) is not None), default=None)
    return {**top, 'tasks': out}


def recording(name: str, folder: Path, camera: str = '') -> Path:
    """Return the bag of a task; if there is none, it is recorded."""
    bag = folder / f'{name}-{camera}-replay' if camera else folder / f'{name}-replay'
    if not bag.exists():
        mounted = camera_named(camera or EXTERNAL.name)
        record.write(record.act(name, SEED, camera=mounted), bag)
    return bag


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes:
        bag: The recording.
        task: Name of its task.
        base: Whether the robot's base is moved too.

    """

    bag: Path
    task: str
    base: bool


@dataclass(frozen=True)
class Bench:
    """One task, ready to try variations."""

    task: Task
    truth: GroundTruth
    scene: Scene
    sampler: Sampler
    assembler: Assembler
    world: World

    @classmethod
    def create(cls, bag: Path, name: str, seed: int = SEED, *, base: bool = False) -> Bench:
        """Parse a recording of a task and build its world."""
        truth = GroundTruth.load(bag)
        scene = scene_of(bag, truth, seed)
        config = _whole_table(scene, base=base)
        made = make_task(name, np.random.default_rng(np.random.SeedSequence([seed, 0])))
        return cls(
            made, truth, scene, Sampler.create(scene, config, 0), Assembler.create(scene, config),
            World(made.things, rig=made.rig),
        )  # fmt: skip

    @cached_property
    def source(self) -> tuple[Episode, Replayed]:
        """The episode in which nothing is changed, and what comes of it."""
        variation = self.sampler.from_moves(0, {})
        assert not isinstance(variation, Rejection)
        episode = self.assembler.assemble(variation)
        assert not isinstance(episode, Rejection), episode
        return episode, self._replayed(episode)

    @cached_property
    def largest_speeds(self) -> Any:
        """Largest speeds (7 A,) of the arms' joints by their URDF, rad/s."""
        arm = self.assembler.arm
        assert arm is not None
        return arm.robot.velocity_limits(self.task.rig.arm_joints)

    def attempt(self, index: int) -> Outcome:
        """Make an attempt, and carry it out where it is accepted."""
        variation = self.sampler.variation(index)
        if isinstance(variation, Rejection):
            return Outcome(index, variation.reason.value)
        begin = time.perf_counter()
        made = self.assembler.assemble(variation)
        middle = time.perf_counter()
        replace(self.assembler, collisions=None).assemble(variation)
        seconds = time.perf_counter() - middle, middle - begin
        if isinstance(made, Rejection):
            return Outcome(index, made.reason.value, seconds=seconds)
        return self.judged(index, made, self._replayed(made), seconds=seconds)

    def force(self, index: int) -> Outcome:
        """Carry out an attempt that was rejected for what the arm can do."""
        variation = self.sampler.variation(index)
        assert not isinstance(variation, Rejection)
        why = self.assembler.assemble(variation)
        episode = self.assembler.assemble(variation, forced=True)
        assert isinstance(why, Rejection)
        assert not isinstance(episode, Rejection)
        return self.judged(index, episode, self._replayed(episode), why)

    def identity(self) -> Outcome:
        """Carry out the source itself."""
        return self.judged(-1, *self.source)

    def _replayed(self, episode: Episode) -> Replayed:
        """Carry out an episode, on a table that stands where the moved base sees it."""
        variation, world = episode.variation, self.world
        if not variation.base.is_identity:
            world = World(self.task.things, variation.base2base, rig=self.task.rig)
        return replay(world, self._start(variation), self._orders(episode))

    def _start(self, variation: Variation) -> dict[str, Any]:
        """Where the objects truly stand at the start, object2base (4, 4) by name."""
        changes = object_changes(self.scene, variation.transforms)
        place = {item.name: k for k, item in enumerate(self.scene.objects)}
        return {
            name: variation.base2base @ changes[place[name], 0] @ self.truth.object2base[k, 0]
            for k, name in enumerate(self.truth.names)
        }

    def _orders(self, episode: Episode) -> Orders:
        """The episode's joints, and widths that press on what is held."""
        assert episode.joints is not None
        assert self.scene.demo.joints is not None
        names, rig = list(self.scene.demo.joints.names), self.task.rig
        arms = [names.index(name) for name in rig.arm_joints]
        widths = np.empty((len(episode), len(rig.arms)))
        for place, arm in enumerate(rig.arms):
            fingers = [names.index(name) for name in arm.finger_joints]
            widths[:, place] = episode.joints[:, fingers].sum(axis=1)
            for first, last in self._pressed(place):
                widths[(episode.source >= first) & (episode.source <= last), place] = 0.0
        seconds = (episode.stamps - episode.stamps[0]) * 1e-9
        return Orders(seconds, episode.joints[:, arms], widths)

    def _pressed(self, arm: int) -> list[tuple[int, int]]:
        """First and last source frames in which a hand presses on what it holds.

        An annotation names one carrier at a time; what several hands hold together, the truth says.
        """
        if self.truth.held_by is None:
            notes = self.scene.annotation.objects
            return [(grasp.first, grasp.last) for note in notes for grasp in note.grasps]
        closed = self.truth.held_by[arm].any(axis=0)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], closed, [False]]).astype(np.int8)))
        return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]

    def _miss(self, episode: Episode) -> tuple[float, float]:
        """Largest distance (mm) and angle (degrees) of the joints' hand from the episode's."""
        assert episode.joints is not None
        gaps, turns = [], []
        for arm, path in zip(self.assembler.arms, episode.ee2base.values(), strict=True):
            hand = arm.hand(episode.source, episode.joints)
            gaps.append(float(np.linalg.norm(hand[:, :3, 3] - path[:, :3, 3], axis=1).max()))
            turns.append(float(se3.angle_between(hand, path).max()))
        return 1e3 * max(gaps), float(np.rad2deg(max(turns)))

    def _wrong(self, episode: Episode, result: Replayed) -> str:
        """What went wrong, as the task and the episode judge it; empty where all is well."""
        wrong = result.failure(self.task, moved=True)
        if wrong:
            return wrong
        for name, ends in self._ends(episode).items():
            aside = (ends - result.paths[name][-1])[:2, 3]
            if np.linalg.norm(aside) > _ASIDE_M:
                return f'the {name} ends {1e3 * np.linalg.norm(aside):.0f} mm from its place'
        return ''

    def _ends(self, episode: Episode) -> dict[str, Any]:
        """Where the episode says that objects end (4, 4), where replays tell of them, by name."""
        start = self._start(episode.variation)
        return {
            item.name: poses[-1] @ se3.inverse(poses[0]) @ start[item.name]
            for item, poses in zip(self.scene.objects, episode.object2base, strict=True)
        }

    def _what_failed(self, episode: Episode, result: Replayed, *, forced: bool) -> tuple[str, str]:
        """What went wrong, and its cause; both empty where all was well."""
        wrong = self._wrong(episode, result)
        if wrong:
            return wrong, 'task'
        strange = result.touched - self.source[1].touched
        if forced and strange:
            return 'touching: ' + ', '.join(sorted('+'.join(sorted(p)) for p in strange)), 'touch'
        share = float((result.fastest / self.largest_speeds).max())
        if share > 1.0:
            return f'the arm stops itself: a joint gets to {100 * share:.0f} % of its speed', 'stop'
        return '', ''

    def judged(
        self,
        index: int,
        episode: Episode,
        result: Replayed,
        why: Rejection | None = None,
        seconds: tuple[float, float] = (0.0, 0.0),
    ) -> Outcome:
        """Say what came of an episode that was carried out.

        Args:
            index: Number of the attempt.
            episode: The episode.
            result: What happened.
            why: Why it was rejected, where it was forced.
            seconds: What making it took.

        """
        assert episode.joints is not None
        checks = [arm.check for arm in self.assembler.arms]
        each = [check.shares(episode.joints, episode.stamps) for check in checks]
        speed, acceleration = (np.concatenate(kind, axis=1) for kind in zip(*each, strict=True))
        columns = np.concatenate([check.columns for check in checks])
        miss_mm, miss_deg = self._miss(episode)
        wrong, cause = self._what_failed(episode, result, forced=why is not None)
        return Outcome(
            index,
            '' if why is None else why.reason.value,
            why is not None,
            wrong,
            cause,
            '' if why is None else f'frame {why.frame}, {why.detail}',
            seconds,
            (float(speed.max(initial=0.0)), float(acceleration.max(initial=0.0))),
            float(np.abs(np.diff(episode.joints[:, columns], axis=0)).max(initial=0.0)),
            miss_mm,
            miss_deg,
            len(episode),
        )


def _whole_table(scene: Scene, *, base: bool) -> GenerateConfig:
    """Ranges that bring every object anywhere on the table, turned in any way."""
    low = np.array(TABLE_MIDDLE) - TABLE_HALF
    high = np.array(TABLE_MIDDLE) + TABLE_HALF
    ranges = {}
    plain = GenerateConfig()
    sampler = Sampler.create(scene, plain, 0)
    for index in sampler.free_skills:
        at = sampler.centres[index, :2]
        x, y = zip(low - at, high - at, strict=True)
        spans = [(float(a), float(b)) for a, b in (x, y)]
        name = scene.annotation.skills[index].name
        ranges[name] = MoveRange(spans[0], spans[1], (-180.0, 180.0))
    return replace(
        plain,
        sampling=SamplingConfig(skills=ranges, base=_BASE if base else STILL),
        perturbation=PerturbationConfig(count=1),
        # The table is wider than the image.
        feasibility=FeasibilityConfig(min_visible_share=0.0),
    )


def _run(case: Case, variations: int, forced: int, workers: int) -> Iterator[Outcome]:
    """Try variations until enough are accepted, then force some of the others."""
    with ProcessPoolExecutor(workers, get_context('spawn')) as pool:
        yield pool.submit(_identity, case).result()
        accepted, rejected = 0, dict[str, list[int]]()
        for start in range(0, _MOST_ATTEMPTS, _CHUNK * workers):
            indices = range(start, start + _CHUNK * workers)
            for outcome in pool.map(partial(_attempt, case), indices):
                accepted += not outcome.reason
                rejected.setdefault(outcome.reason, []).append(outcome.index)
                yield outcome
                if accepted >= variations:
                    break
            if accepted >= variations:
                break
        few = [index for reason in _FORCIBLE for index in rejected.get(reason.value, [])[:forced]]
        yield from pool.map(partial(_force, case), few)


@lru_cache(maxsize=1)
def _bench(case: Case) -> Bench:
    return Bench.create(case.bag, case.task, base=case.base)


def _identity(case: Case) -> Outcome:
    return _bench(case).identity()


def _attempt(case: Case, index: int) -> Outcome:
    return _bench(case).attempt(index)


def _force(case: Case, index: int) -> Outcome:
    return _bench(case).force(index)


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures of one task."""
    identity, *others = outcomes
    attempts = [one for one in others if not one.forced]
    accepted = [one for one in attempts if not one.reason]
    forced = [one for one in others if one.forced]
    good = sum(not one.wrong for one in accepted)
    asked = [one for one in forced if one.reason != Reason.TOO_FAST.value]
    low, high = wilson(good, len(accepted))
    plain, full = (
        1e3 * np.median([one.seconds[k] for one in accepted]) if accepted else 0.0 for k in (0, 1)
    )
    return {
        'identity_success': float(not identity.wrong),
        'success': _figure(good / max(1, len(accepted))),
        'success_low': _figure(low),
        'success_high': _figure(high),
        'acceptance': _figure(len(accepted) / max(1, len(attempts))),
        # Where nothing was rejected for reach or collision nothing is known.
        'rejected_that_fail': _figure(np.mean([bool(one.wrong) for one in asked]))
        if asked
        else None,
        'limit_violations': sum(max(one.shares) > 1.0 + 1e-3 for one in accepted),
        'largest_joint_step_rad': _figure(max((one.step_rad for one in accepted), default=0.0)),
        'ik_mm_max': _figure(max((one.miss_mm for one in accepted), default=0.0)),
        'ik_deg_max': _figure(max((one.miss_deg for one in accepted), default=0.0)),
        'feasibility_ms_per_demo': _figure(plain),
        'feasibility_with_collisions_ms_per_demo': _figure(full),
        'frames': float(np.median([one.frames for one in accepted])) if accepted else 0.0,
        'accepted': len(accepted),
        'attempts': len(attempts),
        'reasons': dict(Counter(one.reason for one in attempts if one.reason)),
        'forced': {
            reason: {
                'tried': len(those),
                'failed': sum(bool(one.wrong) for one in those),
                **Counter(one.cause for one in those if one.cause),
            }
            for reason in sorted({one.reason for one in forced})
            if (those := [one for one in forced if one.reason == reason])
        },
        'failures': [f'{one.index}: {one.wrong}' for one in accepted if one.wrong],
    }


def wilson(good: int, count: int) -> tuple[float, float]:
    """Interval of 95 % of a share (Wilson, 1927)."""
    if not count:
        return 0.0, 1.0
    share, z = good / count, 1.959964
    middle = share + z * z / (2 * count)
    half = z * np.sqrt(share * (1.0 - share) / count + z * z / (4 * count * count))
    return (middle - half) / (1.0 + z * z / count), (middle + half) / (1.0 + z * z / count)


def _figure(value: Any) -> float:
    return round(float(value), 4)


def _tell(name: str, outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        if one.forced or one.wrong:
            print(
                f'{name} {one.index} {one.reason or "accepted"} {one.why}: {one.wrong or "works"}',
                file=sys.stderr,
            )
