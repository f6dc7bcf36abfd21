# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a moved base sees, against the simulator with its room moved the other way."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.bags.episode import EpisodeWriter
from r2rgen_ros.generate.assemble import Assembler
from r2rgen_ros.generate.compose import make_composer
from r2rgen_ros.generate.config import CameraConfig, FeasibilityConfig, GenerateConfig
from r2rgen_ros.generate.sampling import Sampler
from r2rgen_ros.generate.unseen import TooMuchUnseenError, UnseenWatch
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.episode import PlanarMove, Reason
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.simulate.eye import Eye
from r2rgen_ros.simulate.world import CAMERA, CAMERA2BASE, World

CONFIG = GenerateConfig(
    camera=CameraConfig(fill='expand'),
    feasibility=FeasibilityConfig(min_visible_share=0.0, collisions=False),
)
MOVES = [
    PlanarMove(0.1, 0.0, 0.0),
    PlanarMove(-0.1, 0.17, 0.0),
    PlanarMove(0.0, -0.3, 0.0),
    PlanarMove(0.0, 0.0, np.deg2rad(10.0)),
    PlanarMove(0.0, 0.0, np.deg2rad(-20.0)),
    PlanarMove(0.0, 0.0, np.deg2rad(30.0)),
    PlanarMove(0.1, -0.17, np.deg2rad(20.0)),
]


@pytest.fixture(scope='module')
def composer(virtual_recorded):
    scene = virtual_recorded[1]
    return make_composer(scene, CONFIG, robot_of(scene.demo))


def _episode(scene, move):
    """The source seen from a moved base: nobody asks whether the arm reaches anything."""
    variation = Sampler.create(scene, CONFIG, 0).from_moves(0, {}, move)
    return Assembler.create(scene, CONFIG).assemble(variation, forced=True)


@pytest.fixture(scope='module')
def empty_room():
    """Draws the room without objects and robot from a moved base: depth, NaN where too far."""

    def draw(base2base):
        with Eye(World((), base2base), robot=False) as eye:
            return eye.depth()

    return draw


def _was_seen(depth, base2base, source_depth):
    """Pixels (H, W) whose true point another image of the room shows, to 2 cm and 1 %.

    Also those in whose direction that image looked and found no depth: what is too far.
    """
    base2camera = se3.inverse(CAMERA2BASE)
    points = CAMERA.unproject(depth).reshape(-1, 3)
    back = base2camera @ se3.inverse(base2base) @ CAMERA2BASE
    u, v, z = CAMERA.project(se3.apply(back, points)).T
    with np.errstate(invalid='ignore'):
        u, v = np.floor(u + 0.5), np.floor(v + 0.5)
        inside = (u >= 0) & (v >= 0) & (u < CAMERA.width) & (v < CAMERA.height)
    there = np.full(len(points), np.nan)
    there[inside] = source_depth[v[inside].astype(int), u[inside].astype(int)]
    with np.errstate(invalid='ignore'):
        same = np.isnan(there) | (np.abs(there - z) < 0.02 + 0.01 * z)
    return (inside & same).reshape(depth.shape)


@pytest.mark.parametrize('move', MOVES)
def test_what_is_told_unseen_was_not_seen_and_what_was_seen_is_where_it_is(
    virtual_recorded, composer, empty_room, move
):
    scene = virtual_recorded[1]
    episode = _episode(scene, move)
    base2base = episode.variation.base2base
    now, before = empty_room(base2base), empty_room(np.eye(4))
    seen = _was_seen(now, base2base, before)
    told = composer.unseen(base2base)
    frame = next(composer.frames(episode))

    far = ~np.isfinite(now)  # nothing can be said of what is too far
    both, either = told & ~seen & ~far, (told | ~seen) & ~far
    error = np.abs(frame.depth - now)[~either & ~far]
    valid = np.isfinite(error)
    print(
        f'{move}: unseen {told.mean():.3f}, IoU {both.sum() / either.sum():.3f},'
        f' depth within {1e3 * np.median(error[valid]):.2f} mm, of {valid.mean():.3f} of the rest'
    )
    assert both.sum() / either.sum() > 0.9
    assert np.median(error[valid]) < 0.002
    assert valid.mean() > 0.97
    # Robot and objects hide some of it.
    assert 0.0 < frame.unseen <= told.mean()


def test_a_base_that_stays_tells_of_no_share(virtual_recorded, composer):
    episode = _episode(virtual_recorded[1], PlanarMove())

    assert next(composer.frames(episode)).unseen is None


def test_the_first_frame_that_shows_too_much_ends_the_attempt(virtual_recorded, composer, tmp_path):
    source, scene = virtual_recorded
    episode = _episode(scene, PlanarMove(0.1))
    share = next(composer.frames(episode)).unseen
    writer = EpisodeWriter(source)

    watch = UnseenWatch(episode, 0.5 * share)
    with pytest.raises(TooMuchUnseenError) as caught:
        writer.write(tmp_path / 'bag', episode, watch.over(composer.frames(episode)))

    assert not list(tmp_path.iterdir())
    rejection = caught.value.rejection
    assert rejection.reason is Reason.UNSEEN
    assert rejection.frame == 0
    assert rejection.amount == pytest.approx(0.5 * share, abs=1e-5)
    assert rejection.moves == episode.variation.moves
    few = [frame for _, frame in zip(range(3), composer.frames(episode), strict=False)]
    enough = UnseenWatch(episode, max(frame.unseen for frame in few) + 1e-6)
    assert len(list(enough.over(iter(few)))) == 3
    assert enough.largest == pytest.approx(max(frame.unseen for frame in few), abs=1e-6)
