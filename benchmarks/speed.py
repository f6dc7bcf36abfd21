# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long an episode takes, how long a frame of the camera step takes, and what memory grows.

Everything but one ratio runs on one core. The camera step is compared with a plain numpy z-buffer
of the same rule in the same run, as a ratio, since machines differ and are noisy.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import speed_images
from benchmarks.flower import flower_job, real_recording
from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.job import Job
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.zbuffer import ZBuffer, ZBufferRule

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMOS, FEW, MANY = 300, 100, 1000
CAMERA = PinholeCamera(1280, 720, 900.0, 900.0, 639.5, 359.5)
CLOUD_POINTS = 950_000
RULE = ZBufferRule(radius=1, delta=0.01, support=1)
REPEATS = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument(
        '--episodes',
        type=_more_than_few,
        default=speed_images.MANY,
        help='how many with images are made to see whether memory grows from '
        f'{speed_images.FEW} on (default: %(default)s; 1000 take half an hour)',
    )


def _more_than_few(text: str) -> int:
    count = int(text)
    if count <= speed_images.FEW:
        raise argparse.ArgumentTypeError(f'must be above {speed_images.FEW}')
    return count


def measure(episodes: int = speed_images.MANY) -> dict[str, Any]:
    """Return all figures of the benchmark."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    with tempfile.TemporaryDirectory() as scratch:
        job = flower_job(Path(scratch))
        generated = _time_demos(job, None)
        with_bag = _time_demos(job, Path(scratch) / 'bags')
    ours, plain, same = _time_camera()
    return {
        'generate_ms_per_demo': round(1e3 * generated, 3),
        'with_bag_ms_per_demo': round(1e3 * with_bag, 3),
        'camera_ms_per_frame': round(1e3 * ours, 3),
        'camera_numpy_ms_per_frame': round(1e3 * plain, 3),
        'camera_speedup': round(plain / ours, 2),
        'camera_agreement': same,
        'rss_growth_mb': round(_memory_growth(), 2),
        'demos': DEMOS,
        'frames_per_demo': len(job.scene.demo),
        'real_data': real_recording() is not None,
        **speed_images.measure(cores, episodes),
    }


def _time_demos(job: Job, bags: Path | None) -> float:
    """Median seconds of an accepted demo, with its bag if a folder is given."""
    return median(demos(job, DEMOS, bags))


def demos(job: Job, count: int, bags: Path | None) -> Iterator[float]:
    """Make demos one after another and yield the seconds that each took.

    Args:
        job: The prepared source.
        count: Number of accepted demos.
        bags: Folder to write each bag into (it is deleted again); None to compose only.

    """
    composer = make_composer(job.scene, job.config)
    writer = EpisodeWriter(job.source)
    attempts = speed_images.episodes_of(job)
    done = 0
    while done < count:
        begin = time.perf_counter()
        episode = next(attempts)
        if episode is None:
            continue
        bag = None if bags is None else bags / f'{done:06d}'
        if bag is None:
            for _ in composer.frames(episode):
                pass
        else:
            writer.write(bag, episode, composer.frames(episode))
        yield time.perf_counter() - begin
        done += 1
        if bag is not None:
            shutil.rmtree(bag)


def tabletop_points() -> NDArray[np.float32]:
    """A wavy table that fills the image, and objects in front of it: 950,000 points."""
    rng = np.random.default_rng(0)
    v, u = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width]
    depth = 1.0 + 0.1 * np.sin(u / 100.0) + 1e-4 * v
    extra = CLOUD_POINTS - u.size
    u = np.concatenate([u.ravel(), rng.normal(640.0, 60.0, extra)])
    v = np.concatenate([v.ravel(), rng.normal(360.0, 60.0, extra)])
    depth = np.concatenate([depth.ravel(), rng.uniform(0.7, 0.75, extra)])
    x, y = (u - CAMERA.cx) / CAMERA.fx * depth, (v - CAMERA.cy) / CAMERA.fy * depth
    return np.stack([x, y, depth], axis=1).astype(np.float32)


def plain_zbuffer(
    points: NDArray[np.float32], frame2camera: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which points are visible, in plain numpy: the rule of `RULE` as one would write it first."""
    moved = points @ frame2camera[:3, :3].T + frame2camera[:3, 3]
    z = moved[:, 2]
    with np.errstate(all='ignore'):
        u = np.floor(CAMERA.fx * moved[:, 0] / z + CAMERA.cx + 0.5)
        v = np.floor(CAMERA.fy * moved[:, 1] / z + CAMERA.cy + 0.5)
    inside = (z > 1e-6) & (u >= 0) & (v >= 0) & (u < CAMERA.width) & (v < CAMERA.height)
    index = np.flatnonzero(inside)
    pixel = v[index].astype(np.int64) * CAMERA.width + u[index].astype(np.int64)
    image = np.full(CAMERA.width * CAMERA.height, np.inf)
    np.minimum.at(image, pixel, z[index])
    padded = np.pad(image.reshape(CAMERA.height, CAMERA.width), RULE.radius, constant_values=np.inf)
    nearest = np.full((CAMERA.height, CAMERA.width), np.inf)
    for row in range(2 * RULE.radius + 1):
        for column in range(2 * RULE.radius + 1):
            part = padded[row : row + CAMERA.height, column : column + CAMERA.width]
            np.minimum(nearest, part, out=nearest)
    visible = np.zeros(len(points), dtype=bool)
    visible[index] = ~(nearest.reshape(-1)[pixel] < z[index] - RULE.delta)
    return visible


def _time_camera() -> tuple[float, float, float]:
    """Median seconds of ours and of plain numpy, taken in turn, and the share they agree on."""
    points, pose = tabletop_points(), np.eye(4)
    zbuffer = ZBuffer(CAMERA, RULE)

    def ours() -> NDArray[np.bool_]:
        zbuffer.clear()
        zbuffer.add(points, pose)
        return zbuffer.visible()

    agreement = float((ours() == plain_zbuffer(points, pose)).mean())
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for run, taken in ((ours, times[0]), (lambda: plain_zbuffer(points, pose), times[1])):
            begin = time.perf_counter()
            run()
            taken.append(time.perf_counter() - begin)
    return median(times[0]), median(times[1]), agreement


def _memory_growth() -> float:
    """Peak memory at 1000 demos minus at 100, MB, in a process that does nothing else."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, '-c', 'from benchmarks.speed import _print_growth; _print_growth()']
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    return float(done.stdout)


def _print_growth() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        job = flower_job(Path(scratch))
        peaks = {}
        for number, _ in enumerate(demos(job, MANY, Path(scratch) / 'bags'), 1):
            if number in {FEW, MANY}:
                peaks[number] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    print(peaks[MANY] - peaks[FEW])
