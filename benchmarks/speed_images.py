# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many frames a core makes of a recording of images, and what of that takes how long.

The virtual robot's place-bottle at 640 x 480, recorded with the noise of a stereo camera: camera
step, fill, noise fitted to the recording, clouds of 4096 points, feasibility with collisions, and
bags, written to a file system in memory where there is one. Once the bags hold clouds, joints and
transforms (`output.images: false`), once depth and colour images as well. Rejected attempts count
in the time.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.compose_images import ImageComposer
from r2rgen_ros.generate.config import CameraConfig, GenerateConfig, OutputConfig
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.maker import Maker
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.model.episode import Episode, Rejection
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.parse.scene import survey
from r2rgen_ros.sense.layers import Drawn
from r2rgen_ros.simulate import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from r2rgen_ros.generate.compose import Composer
    from r2rgen_ros.sense.depth_camera import DepthCamera, Image

POINTS = 4096
FEW, MANY = 10, 30
_EPISODES = 6
_PROBE_BYTES = 1 << 28
_PIXEL_BYTES = 4 + 3 + 1  # depth, colour and label
_POINT_BYTES = 12 + 3 + 1  # place, colour and label
_DRAWN_BYTES = 4 + 4 + 3 + 1  # pixel, depth, colour and label


def measure(cores: list[int], episodes: int = MANY) -> dict[str, Any]:
    """Return the figures.

    Args:
        cores: What may be used; this process itself shall run on the first.
        episodes: How many are made to see whether memory grows.

    """
    with tempfile.TemporaryDirectory() as scratch:
        recording = Path(scratch) / 'bottle'
        options = record.Options(sensor_noise='stereo')
        record.record('place-bottle', 0, recording, options=options)
        ground = survey(load_demo(recording))
        job = _job(recording, propose(ground, recording))
        stages, step, share = _stages(job)
        alone = _rates(recording, cores[:1])
        both = _rates(recording, cores[:2])
        with_images = _rates(recording, cores[:1], images=True)
        grown = _started(
            recording, '_print_growth', cores[0], images=True, episodes=episodes
        ).communicate()[0]
    return {
        'frames_per_s_per_core': round(alone[0], 1),
        'frames_with_images_per_s_per_core': round(with_images[0], 1),
        'two_cores_over_one': round(sum(both) / alone[0], 2) if len(both) == 2 else None,
        'stages_ms_per_frame': {name: round(1e3 * value, 3) for name, value in stages.items()},
        'image_camera_ms_per_frame': round(1e3 * step, 3),
        'memory_bandwidth_share': round(share, 3),
        'rss_growth_images_mb': round(float(grown), 2),
        'image_episodes': episodes,
        'image_points': POINTS,
    }


def _job(recording: Path, annotation: Any, *, images: bool = False) -> Job:
    config = GenerateConfig(
        camera=CameraConfig(noise='fitted'),
        output=OutputConfig(images=images, labelled_count=POINTS),
    )
    return Job.prepare(recording, annotation, recording, config, seed=0, cache=True)


def episodes_of(job: Job) -> Iterator[Episode | None]:
    """Episodes one after another; None for each attempt that is rejected."""
    sampler = Sampler.create(job.scene, job.config, job.seed)
    assembler = Assembler.create(job.scene, job.config)
    index = 0
    while True:
        variation = sampler.variation(index)
        index += 1
        outcome = variation if isinstance(variation, Rejection) else assembler.assemble(variation)
        yield None if isinstance(outcome, Rejection) else outcome


def _stages(job: Job) -> tuple[dict[str, float], float, float]:
    """Seconds per frame of what comes one after another, of the camera step, and its share."""
    made = episodes_of(job)
    next(made)
    begin = time.perf_counter()
    episodes = [episode for _, episode in zip(range(_EPISODES), made, strict=False) if episode]
    total = sum(map(len, episodes))
    out = {'variation, path and feasibility': (time.perf_counter() - begin) / total}
    robot = robot_of(job.scene.demo)
    composer, alone = (
        make_composer(job.scene, job.config, robot, job.noise, points_alone=points_alone)
        for points_alone in (False, True)
    )
    assert isinstance(composer, ImageComposer)
    assert isinstance(alone, ImageComposer)
    for each in (composer, alone):
        _composing(each, episodes)  # the source is read, and kept
    drawn: list[tuple[float, float]] = []
    _, step = _drawing(composer, episodes, drawn, keep=True)
    share = sum(moved for _, moved in drawn) / _bandwidth() / step
    drawing, quick = _drawing(alone, episodes, drawn, keep=False)
    frames, points = (_composing(each, episodes) for each in (composer, alone))
    silent = make_composer(
        job.scene,
        replace(job.config, camera=replace(job.config.camera, noise='off')),
        robot,
        points_alone=True,
    )
    _composing(silent, episodes)
    clean = _composing(silent, episodes)
    out['robot and objects'] = (drawing - quick) / total
    out['camera step'] = quick / total
    out['points and labels'] = (clean - drawing) / total
    out['noise of points'] = (points - clean) / total
    out['bag'] = (_seconds_of_bags(_with_images(job, False), episodes, alone) - points) / total
    out['more for images'] = (frames - points) / total
    whole = _seconds_of_bags(_with_images(job, True), episodes, composer)
    out['bag with images'] = (whole - frames) / total
    return out, step / total, share


def _with_images(job: Job, images: bool) -> Job:
    output = replace(job.config.output, images=images)
    return replace(job, config=replace(job.config, output=output))


def _drawing(
    composer: ImageComposer,
    episodes: list[Episode],
    drawn: list[tuple[float, float]],
    *,
    keep: bool,
) -> tuple[float, float]:
    """Seconds to draw all images, and of that the camera step's; what moves in each is added."""
    camera: DepthCamera = composer._camera
    render, seconds = camera.render, 0.0

    def timed(layers: Any, *, keep: bool = True) -> Image:
        nonlocal seconds
        before = time.perf_counter()
        image = render(layers, keep=keep)
        taken = time.perf_counter() - before
        seconds += taken
        shown = sum(
            len(layer) * (_DRAWN_BYTES if isinstance(layer, Drawn) else _POINT_BYTES)
            for layer in layers
        )
        drawn.append((taken, 2 * _PIXEL_BYTES * image.depth.size + shown))
        return image

    camera.render = timed  # type: ignore[method-assign]
    try:
        all_of_it = _seconds(
            lambda: [_run(composer.images(episode, keep=keep)) for episode in episodes]
        )
    finally:
        camera.render = render  # type: ignore[method-assign]
    return all_of_it, seconds


def _composing(composer: Composer, episodes: list[Episode]) -> float:
    """Seconds to make all frames."""
    return _seconds(lambda: [_run(composer.frames(episode)) for episode in episodes])


def _seconds_of_bags(job: Job, episodes: list[Episode], composer: ImageComposer) -> float:
    writer = Maker(job).writer
    seconds = 0.0
    with _scratch() as folder:
        for number, episode in enumerate(episodes):
            path = folder / str(number)
            begin = time.perf_counter()
            writer.write(path, episode, composer.frames(episode))
            seconds += time.perf_counter() - begin
            shutil.rmtree(path)
    return seconds


def _run(frames: Iterator[Any]) -> int:
    return sum(1 for _ in frames)


def _seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _bandwidth() -> float:
    """Bytes that one core reads and writes per second when it copies what no cache holds."""
    source = np.ones(_PROBE_BYTES, dtype=np.uint8)
    out = np.empty_like(source)
    np.copyto(out, source)
    return 2 * _PROBE_BYTES / median(_seconds(lambda: np.copyto(out, source)) for _ in range(5))


def _started(recording: Path, name: str, core: int, **options: bool | int) -> subprocess.Popen[str]:
    """Run a function of this module in a process of its own, on one core."""
    root = Path(__file__).resolve().parent.parent
    given = ', '.join(f'{key}={value!r}' for key, value in options.items())
    code = (
        f'from benchmarks import speed_images as s; from pathlib import Path; '
        f's._pin({core}); s.{name}(Path({str(recording)!r}), {given})'
    )
    return subprocess.Popen(
        [sys.executable, '-c', code], cwd=root, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip


def _pin(number: int) -> None:
    os.sched_setaffinity(0, {number})


def _rates(recording: Path, cores: list[int], *, images: bool = False) -> list[float]:
    """Frames per second of one process on each core, all at the same time."""
    started = [_started(recording, '_print_rate', core, images=images) for core in cores]
    for process in started:  # all are ready before any begins
        assert process.stdout is not None
        process.stdout.readline()
    return [float(process.communicate('go\n')[0]) for process in started]


def _print_rate(recording: Path, *, images: bool) -> None:
    with _scratch() as folder:
        job = _job(recording, propose(survey(load_demo(recording)), recording), images=images)
        attempts = _attempts(job, folder)
        for _ in range(2):
            next(attempts)
        print('ready', flush=True)
        sys.stdin.readline()
        begin, frames = time.perf_counter(), 0
        while time.perf_counter() - begin < 20.0:
            frames += next(attempts)
        print(frames / (time.perf_counter() - begin))


def _print_growth(recording: Path, *, images: bool, episodes: int) -> None:
    with _scratch() as folder:
        job = _job(recording, propose(survey(load_demo(recording)), recording), images=images)
        attempts, peaks = _attempts(job, folder), {}
        done = 0
        while done < episodes:
            done += next(attempts) > 0
            if done in {FEW, episodes}:
                peaks[done] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
        print(peaks[episodes] - peaks[FEW])


def _attempts(job: Job, folder: Path) -> Iterator[int]:
    """Make attempts, and yield the frames of each, 0 if rejected; bags are removed again."""
    maker = Maker(job)
    for index in count():
        entry, bag, _ = maker.attempt(index, folder)
        if bag is not None:
            shutil.rmtree(bag)
        yield int(entry.frames)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder in memory where the system has such a thing."""
    memory = Path('/dev/shm')
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)
