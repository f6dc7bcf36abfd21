# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How well a demonstration is parsed that a person has clicked on once per object.

The virtual robot is recorded by the camera model of `simulate.depth_noise`; every object is clicked
once, in a pixel of it that is drawn at random away from its rim; `propose` and `build_scene` do the
rest, and what comes out is compared with the truth.

Figures of a task are over all its scenes; those at the top are the worst task's. Poses are motions
since the first frame, compared at the object's true centre; of bottle, plate and bowl, which look
the same from all sides, only the axis counts. Masks count in the frames where the object has more
than 100 pixels. Completeness, false surface, holes and robot points are means, the error of the
environment is the median over scenes of the median over pixels, seconds the median over scenes. A
scene that cannot be parsed counts as wrong in everything: 1 m, 180 degrees, no overlap.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.parse_pictures import draw_worst
from benchmarks.parse_scoring import SceneScore, failed_score, score_scene
from benchmarks.parse_skills import BOUNDARY_FRAMES
from benchmarks.parse_truth import SYMMETRIC, click
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.model.annotation import ObjectNote, Prompt
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.scene import build_scene, survey
from r2rgen_ros.simulate import record
from r2rgen_ros.simulate.depth_noise import StereoNoise
from r2rgen_ros.simulate.ground_truth import GroundTruth

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from r2rgen_ros.model.scene import Scene

NAMES = ('place-bottle', 'mug-in-bowl', 'box-in-bowl', 'build-bridge')
SCENES = 20
FIRST_SEED = 100
OPTIONS = record.Options(sensor_noise='stereo')
_LARGE_IS_GOOD = ('mask_iou', 'completeness', 'skills_within', 'targets_right')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this benchmark."""
    parser.add_argument(
        '--scenes', type=int, default=SCENES, help='per task (default: %(default)s)'
    )
    parser.add_argument('--task', action='append', choices=NAMES, help='only these; repeatable')
    parser.add_argument('--seed', type=int, action='append', help='only these; repeatable')
    parser.add_argument(
        '--keep',
        type=Path,
        default=os.environ.get('R2RGEN_PARSE_BENCH'),
        metavar='DIR',
        help='folder in which recordings stay and are found again; remove it after a change of the '
        'simulation (default: $R2RGEN_PARSE_BENCH, or none is kept)',
    )
    parser.add_argument('--workers', type=int, default=1, help='scenes at a time (default: 1)')
    parser.add_argument('--verbose', action='store_true', help='tell of every object')
    parser.add_argument('--pictures', type=Path, metavar='DIR', help='draw the worst of each scene')


def measure(
    scenes: int = SCENES,
    task: Sequence[str] | None = None,
    seed: Sequence[int] | None = None,
    keep: Path | None = None,
    workers: int = 1,
    verbose: bool = False,
    pictures: Path | None = None,
) -> dict[str, Any]:
    """Return all figures of the benchmark.

    Args:
        scenes: Number of scenes of each task.
        task: The tasks; None for all.
        seed: Their seeds; None for the first ones that the expert manages.
        keep: Folder in which recordings are kept and looked for; None to keep none.
        workers: How many scenes are worked on at a time; more than one spoils the seconds.
        verbose: Whether to tell of every object, on standard error.
        pictures: Folder for a picture of what is worst in each scene; None for none.

    """
    tasks = tuple(task) if task else NAMES
    seeds = tuple(seed) if seed else tuple(range(FIRST_SEED, FIRST_SEED + scenes))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(keep) if keep is not None else Path(scratch)
        jobs = [
            (name, number, folder, keep is None, pictures) for name in tasks for number in seeds
        ]
        scores = []
        for score in _run(jobs, workers):
            scores.append(score)
            if verbose:
                _tell(score)
    by_task = {name: summary([s for s in scores if s.task == name]) for name in tasks}
    return {
        **worst(list(by_task.values())),
        'scenes': len(scores),
        'failed': [f'{s.task} {s.seed}: {s.error}' for s in scores if s.error],
        'symmetric': list(SYMMETRIC),
        'boundary_frames': BOUNDARY_FRAMES,
        'seeds': list(seeds),
        'noise': asdict(OPTIONS.stereo or StereoNoise()),
        'tasks': by_task,
    }


def summary(scores: Sequence[SceneScore]) -> dict[str, Any]:
    """Return the figures of one task."""
    objects = [item for score in scores for item in score.objects]
    place = np.concatenate([item.place_mm for item in objects])
    turn = np.concatenate([item.turn_deg for item in objects])
    moved = np.concatenate([item.moved for item in objects])
    boundaries = np.abs(np.concatenate([score.boundaries for score in scores]))
    targets = np.concatenate([score.targets for score in scores])
    return {
        'pose_mm_median': _figure(np.median(place)),
        'pose_deg_median': _figure(np.median(turn)),
        'pose_mm_p95': _figure(np.percentile(place, 95)),
        'pose_deg_p95': _figure(np.percentile(turn, 95)),
        'pose_moved_mm_median': _figure(np.median(place[moved])),
        'pose_moved_deg_median': _figure(np.median(turn[moved])),
        'mask_iou_median': _figure(np.median(np.concatenate([o.iou for o in objects]))),
        'mask_iou_measured_median': _figure(
            np.median(np.concatenate([o.iou_measured for o in objects]))
        ),
        'completeness': _figure(np.mean([o.completeness for o in objects])),
        'false_surface': _figure(np.mean([o.false_surface for o in objects])),
        'skills_within_3_frames': _figure(np.mean(boundaries <= BOUNDARY_FRAMES)),
        'targets_right': _figure(np.mean(targets)),
        'environment_holes': _figure(np.mean([score.holes for score in scores])),
        'environment_error_mm': _figure(np.median([score.environment_mm for score in scores])),
        'robot_left': _figure(np.mean([score.robot_left for score in scores])),
        'seconds_per_300_frames': _figure(
            np.median([300.0 * score.seconds[0] / score.frames for score in scores])
        ),
        'cpu_seconds_per_300_frames': _figure(
            np.median([300.0 * score.seconds[1] / score.frames for score in scores])
        ),
    }


def worst(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the worst of each figure."""
    out = {}
    for key in figures[0]:
        values = [figure[key] for figure in figures]
        out[key] = min(values) if key.startswith(_LARGE_IS_GOOD) else max(values)
    return out


def _figure(value: Any) -> float:
    return round(float(value), 4)


def _run(jobs: Sequence[tuple[Any, ...]], workers: int) -> Iterator[SceneScore]:
    if workers <= 1:
        yield from (one_scene(*job) for job in jobs)
        return
    with ProcessPoolExecutor(workers, get_context('spawn')) as pool:
        yield from pool.map(one_scene, *zip(*jobs, strict=True))


def one_scene(
    task: str, seed: int, folder: Path, forget: bool, pictures: Path | None
) -> SceneScore:
    """Record a scene unless it is there, click, parse and compare.

    Args:
        task: The task.
        seed: The seed.
        folder: Folder of the recordings.
        forget: Whether to remove the recording again.
        pictures: Folder for a picture; None for none.

    """
    bag = recording(task, seed, folder)
    try:
        return _score(task, seed, bag, pictures)
    finally:
        if forget:
            shutil.rmtree(bag)


def _score(task: str, seed: int, bag: Path, pictures: Path | None) -> SceneScore:
    truth = GroundTruth.load(bag)
    notes = clicks(truth, seed)
    demo = load_demo(bag)
    begin = time.perf_counter(), time.process_time()
    scene, error = None, ''
    try:
        ground = survey(demo)
        annotation = propose(ground, bag, notes)
        scene = build_scene(ground, annotation, bag)
    except Exception as problem:  # noqa: BLE001 - whatever it is, the other scenes go on
        error = str(problem) or repr(problem)
        if not isinstance(problem, R2RGenError):
            traceback.print_exc()
    seconds = time.perf_counter() - begin[0], time.process_time() - begin[1]
    if scene is None:
        return failed_score(task, seed, truth, seconds, error)
    score = score_scene(task, seed, scene, truth, seconds)
    if pictures is not None:
        draw_worst(pictures / f'{task}-{seed}.png', scene, truth, score)
    return score


def recording(task: str, seed: int, folder: Path) -> Path:
    """Return the bag of a scene; if there is none, it is recorded."""
    bag = folder / f'{task}-{seed}'
    if not bag.exists():
        done = _manageable(task, seed)
        try:
            record.write(done, bag, options=OPTIONS)
        except R2RGenError:
            if not bag.exists():  # else another process was faster
                raise
    return bag


def _manageable(task: str, seed: int) -> record.Act:
    """Carry out a task, with the next seed beyond a thousand where the expert fails."""
    for number in range(100):
        try:
            return record.act(task, seed + 1000 * number)
        except R2RGenError as error:
            print(f'{task} {seed + 1000 * number}: {error}', file=sys.stderr)
    raise R2RGenError(f'the expert fails at every scene of "{task}"')


def clicks(truth: GroundTruth, seed: int) -> list[ObjectNote]:
    """Return one click per object, drawn by the seed."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 3]))
    notes = []
    for k, name in enumerate(truth.names):
        frame, (u, v) = click(truth, k, rng)
        notes.append(ObjectNote(name, Prompt(frame, pixel=(float(u), float(v)))))
    return notes


def scene_of(bag: Path, truth: GroundTruth, seed: int) -> Scene:
    """Parse a recording from one click per object, its skills as they truly are.

    A person confirms them: what is done without a grasp or release, none can propose.
    """
    ground = survey(load_demo(bag))
    proposed = propose(ground, bag, clicks(truth, seed))
    return build_scene(ground, replace(proposed, skills=truth.skills), bag)


def _tell(score: SceneScore) -> None:
    """Print what one scene is like, on standard error."""
    late = ' '.join(f'{value:+.0f}' for value in score.boundaries)
    first = (
        f'{score.task} {score.seed}: {score.seconds[0]:.1f} s ({score.seconds[1]:.1f} s of '
        f'one core) for {score.frames} frames; '
        f'environment {score.environment_mm:.2f} mm, holes {score.holes:.4f}, '
        f'robot {score.robot_left:.5f}; skills {late}; '
        f'targets {sum(score.targets)}/{len(score.targets)} {score.error}'
    )
    lines = [first]
    for item in score.objects:
        place, turn, moved = item.place_mm, item.turn_deg, item.moved
        after = 'never'
        if moved.any():
            after = f'{np.median(place[moved]):.1f} mm {np.median(turn[moved]):.1f} deg'
        lines.append(
            f'  {item.name:8s} pose p95 {np.percentile(place, 95):6.1f} mm '
            f'{np.percentile(turn, 95):5.1f} deg (worst frame {int(place.argmax())}; moved: '
            f'{after}), iou {np.median(item.iou):.3f} (measured '
            f'{np.median(item.iou_measured):.3f}, least {item.iou.min():.2f} in frame '
            f'{int(item.iou_frames[item.iou.argmin()])}), complete {item.completeness:.3f}, '
            f'false {item.false_surface:.3f}'
        )
    print('\n'.join(lines), file=sys.stderr, flush=True)
