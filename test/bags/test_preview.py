# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What there is to see of an episode is what its bag says."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.preview import read_preview
from r2rgen_ros.generate.config import GenerateConfig
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.run import generate
from r2rgen_ros.generate.session import find_annotation
from r2rgen_ros.model.errors import R2RGenError


@pytest.fixture(scope='module')
def episode(table_demo, tmp_path_factory):
    """Bag of an episode; do not change it."""
    out = tmp_path_factory.mktemp('preview') / 'dataset'
    job = Job.prepare(table_demo, *find_annotation(table_demo), GenerateConfig(), seed=0)
    generate(job, out, 1)
    return next(out.glob('shard_*/episode_*'))


def test_frames_are_spread_from_the_first_to_the_last(episode):
    frames = read_preview(episode, 5).frames

    last = len(load_demo(episode)) - 1
    assert frames[0] == 0
    assert frames[-1] == last
    assert len(frames) == 5
    assert np.ptp(np.diff(frames)) <= 1
    assert read_preview(episode, 1).frames.tolist() == [0]
    assert read_preview(episode, 1000).frames.tolist() == list(range(last + 1))


def test_hands_are_where_the_bag_has_them(episode, tabletop):
    preview = read_preview(episode, 4)

    place = [child for _, child in preview.links].index(tabletop.HAND)
    wanted = load_demo(episode).arms[0].ee2base[preview.frames]
    assert preview.links[place][0] == tabletop.BASE
    assert np.allclose(preview.poses[:, place], wanted, atol=1e-9)


def test_clouds_have_the_points_and_labels_of_their_frames(episode):
    preview = read_preview(episode, 3)

    demo = load_demo(episode)
    assert len(preview.clouds) == 3
    for frame, seen in zip(preview.frames, preview.clouds, strict=True):
        assert len(seen.labels) == len(seen.cloud) > 0
        assert {2, 3} <= set(seen.labels.tolist())
        whole = {tuple(point) for point in demo.frames[frame].cloud.points.round(4).tolist()}
        assert {tuple(point) for point in seen.cloud.points.round(4).tolist()} <= whole


def test_a_recording_has_no_labelled_clouds(table_demo):
    assert read_preview(table_demo, 2).clouds == ()


def test_what_is_no_bag_is_refused(tmp_path):
    with pytest.raises(R2RGenError, match='none'):
        read_preview(tmp_path / 'none', 3)
