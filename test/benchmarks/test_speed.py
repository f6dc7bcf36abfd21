# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says: the same rule, the same number of demos, real bags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import flower, speed, speed_images
from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.exchange.demogen import import_demogen
from r2rgen_ros.geometry.zbuffer import ZBuffer
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.scene import survey

if TYPE_CHECKING:
    from pathlib import Path


def test_the_numpy_z_buffer_follows_the_same_rule_as_ours() -> None:
    points = speed.tabletop_points()
    assert len(points) == speed.CLOUD_POINTS
    zbuffer = ZBuffer(speed.CAMERA, speed.RULE)
    zbuffer.add(points, np.eye(4))
    ours, plain = zbuffer.visible(), speed.plain_zbuffer(points, np.eye(4))
    assert 0.5 < plain.mean() < 1.0
    # Single against double precision: a point may fall on the other side of a pixel's edge.
    assert (ours == plain).mean() > 0.9999


def test_without_the_real_recording_a_made_up_one_is_measured(tmp_path: Path) -> None:
    path = flower.made_up_recording(tmp_path)
    import_demogen(path, tmp_path / 'demo')
    demo = load_demo(tmp_path / 'demo')
    assert len(demo) == flower.FRAMES
    skills = propose(survey(demo), tmp_path / 'demo').skills
    assert [len(skill.group) for skill in skills] == [1, 2]


def test_every_counted_demo_is_a_whole_bag_and_is_deleted_again(tmp_path: Path) -> None:
    job = flower.flower_job(tmp_path)
    bags = tmp_path / 'bags'
    seconds = list(speed.demos(job, 3, bags))
    assert len(seconds) == 3
    assert list(bags.iterdir()) == []


def test_every_stage_of_images_is_timed_and_what_is_timed_is_unchanged(
    small_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed_images, '_EPISODES', 1)
    monkeypatch.setattr(speed_images, '_PROBE_BYTES', 1 << 22)
    job = speed_images._job(small_demo, propose(survey(load_demo(small_demo)), small_demo))

    stages, step, share = speed_images._stages(job)

    assert list(stages) == [
        'variation, path and feasibility', 'robot and objects', 'camera step', 'points and labels',
        'noise of points', 'bag', 'more for images', 'bag with images',
    ]  # fmt: skip
    assert stages['camera step'] > 0.0
    assert step > 0.0
    assert 0.0 < share < 10.0
    assert all(np.isfinite(value) for value in stages.values())
