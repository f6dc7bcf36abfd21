# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The flower demonstration as a prepared job: the real recording, or one of the same size."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import zarr

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.exchange.demogen import import_demogen
from r2rgen_ros.generate.config import CameraConfig, GenerateConfig
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.session import find_annotation
from r2rgen_ros.model.annotation_file import FILE_NAME, dump_annotation
from r2rgen_ros.model.paths import write_text
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.scene import survey

FRAMES, POINTS = 104, 1024
_REPOSITORY = Path(__file__).resolve().parent.parent


def real_recording() -> Path | None:
    """Where the real recording lies: under R2RGEN_DATA or ../shared/data; None if it is absent."""
    folder = Path(os.environ.get('R2RGEN_DATA') or _REPOSITORY.parent / 'shared' / 'data')
    path = folder / 'demogen_franka_l515' / 'flower.zarr'
    return path if path.is_dir() else None


def made_up_recording(folder: Path) -> Path:
    """Write a recording of the size of the real one: a hand carries one ball to another."""
    rng = np.random.default_rng(0)
    state = np.zeros((FRAMES, 7), dtype=np.float32)
    share = np.clip((np.arange(FRAMES) - 40) / 40, 0.0, 1.0)
    dip = np.minimum(np.abs(np.arange(FRAMES) - 30), 20) / 20
    state[:, 0] = 0.45
    state[:, 1] = 0.1 - 0.25 * share
    state[:, 2] = 0.15 + 0.1 * dip
    state[:, 6] = np.where((np.arange(FRAMES) >= 32) & (np.arange(FRAMES) < 90), 1.0, -1.0)
    ball = rng.normal(size=(POINTS, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    cloud = np.zeros((FRAMES, POINTS, 6), dtype=np.float32)
    cloud[..., 3:] = 128.0
    hand, carried = slice(0, 360), slice(360, 680)
    for frame in range(FRAMES):
        place = state[frame, :3]
        held = 32 <= frame < 90
        rest = state[32 if frame < 32 else 89, :3]
        cloud[frame, hand, :3] = place + [0.0, 0.0, 0.12] + 0.05 * ball[hand]
        cloud[frame, carried, :3] = (place if held else rest) - [0, 0, 0.03] + 0.04 * ball[carried]
        cloud[frame, 680:, :3] = [0.45, -0.15, 0.1] + 0.04 * ball[680:]
    action = np.diff(state, axis=0, prepend=state[:1])
    action[:, 6] = state[:, 6]
    path = folder / 'made_up.zarr'
    root = zarr.open_group(str(path), mode='w', zarr_format=2)
    data, meta = root.create_group('data'), root.create_group('meta')
    for name, array in (('point_cloud', cloud), ('state', state), ('action', action)):
        data.create_array(name, data=array)
    meta.create_array('episode_ends', data=np.array([FRAMES], dtype=np.int64))
    return path


def flower_demo(folder: Path) -> Path:
    """Import and annotate the recording, and return its folder.

    Args:
        folder: Scratch folder.

    """
    source = real_recording() or made_up_recording(folder)
    demo = folder / 'flower'
    import_demogen(source, demo)
    annotation = propose(survey(load_demo(demo)), demo)
    write_text(demo / FILE_NAME, dump_annotation(annotation))
    return demo


def flower_job(folder: Path) -> Job:
    """Import, annotate and parse the recording, camera step off.

    Args:
        folder: Scratch folder.

    """
    demo = flower_demo(folder)
    config = GenerateConfig(camera=CameraConfig(mode='off'))
    return Job.prepare(demo, *find_annotation(demo), config, seed=0)
