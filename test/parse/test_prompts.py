# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from r2rgen_ros.model.annotation import ObjectNote, Prompt
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse.prompts import find_candidates, read_mask, select
from r2rgen_ros.parse.scene import survey
from r2rgen_ros.parse.snapshot import Snapshot

FAR_HAND = np.array([[0.0, 0.0, 1.0]])
BOXES = [((-0.25, -0.05, 0.0), (-0.13, 0.07, 0.1)), ((0.1, -0.1, 0.0), (0.2, 0.05, 0.06))]


@pytest.fixture(scope='module')
def seen(table):
    """Two boxes on a table: the candidates, the truth per pixel, and a way to prompt."""
    depth, owner = table.draw(table.camera, table.pose, BOXES)
    demo = table.make_demo([Frame(depth, np.zeros((*depth.shape, 3), np.uint8))] * 2)
    snapshot = Snapshot.take(demo, 0)
    candidates = find_candidates(
        0, snapshot, table.support, FAR_HAND, table.support.to_plane(table.support.outline)
    )

    def choose(folder, candidates=candidates, **prompt):
        return select(demo, ObjectNote('thing', Prompt(**prompt)), candidates, folder)

    truth = owner.reshape(-1)[snapshot.index]
    return SimpleNamespace(
        demo=demo, owner=owner, truth=truth, snapshot=snapshot, candidates=candidates, choose=choose
    )


def good_match(seen, chosen, k):
    """Whether points are those of a box, but for the few lowest ones that blend into the table."""
    share = np.isin(np.flatnonzero(seen.truth == k), chosen).mean()
    return (seen.truth[chosen] == k).all() and share > 0.93


def middle(k):
    low, high = np.array(BOXES[k])
    return (low + high) / 2.0


def test_what_stands_on_the_support_falls_into_clusters(seen):
    assert seen.candidates.objects == (0, 1)
    for k in (0, 1):
        mine = seen.truth[seen.candidates.label == k]
        assert len(set(mine.tolist())) == 1


@pytest.mark.parametrize('k', [0, 1])
def test_every_kind_of_prompt_selects_the_object(seen, tmp_path, k):
    v, u = np.argwhere(seen.owner == k).mean(axis=0)
    Image.fromarray((seen.owner == k).astype(np.uint8) * 255).save(tmp_path / 'mask.png')
    vs, us = np.nonzero(seen.owner == k)
    edges = (us.min(), vs.min(), us.max(), vs.max())
    corners = tuple(tuple((np.array(corner) + sign * 0.01).tolist()) for corner, sign in
                    zip(BOXES[k], (-1, 1), strict=True))  # fmt: skip
    top = (*middle(k)[:2].tolist(), BOXES[k][1][2])
    for prompt in (
        {'pixel': (float(u), float(v))},
        {'point': top},
        {'box': tuple(float(edge) for edge in edges)},
        {'mask': 'mask.png'},
        {'region': corners},
        {'region': corners[::-1]},
    ):
        assert good_match(seen, seen.choose(tmp_path, **prompt), k), prompt


def test_a_mask_drawn_too_wide_takes_neither_table_nor_neighbour(seen, tmp_path):
    wide = seen.owner == 0
    for _ in range(3):
        wide = wide | np.roll(wide, 1, 0) | np.roll(wide, -1, 0) | np.roll(wide, (1, -1), 1)
    wide[np.unravel_index(np.flatnonzero(seen.owner == 1)[:3], wide.shape)] = True
    Image.fromarray(wide.astype(np.uint8) * 255).save(tmp_path / 'wide.png')
    assert good_match(seen, seen.choose(tmp_path, mask='wide.png'), 0)


def test_what_the_robot_touches_is_no_object(seen, table):
    hand = np.array([[-0.19, 0.01, 0.12]])
    near = find_candidates(0, seen.snapshot, table.support, hand)
    assert near.robot == {0}
    assert near.objects == (1,)


def test_a_click_on_what_touches_the_robot_says_so(seen, table, tmp_path):
    near = find_candidates(0, seen.snapshot, table.support, np.array([[-0.19, 0.01, 0.12]]))
    v, u = np.argwhere(seen.owner == 0).mean(axis=0)
    note = ObjectNote('thing', Prompt(pixel=(float(u), float(v))))
    with pytest.raises(R2RGenError, match=r'touches the robot.* record /robot_description'):
        select(seen.demo, note, near, tmp_path)


def test_what_lies_beyond_the_support_is_no_object(seen, table):
    outline = np.array([[0.0, -0.5], [0.5, -0.5], [0.5, 0.5], [0.0, 0.5]])
    right = find_candidates(0, seen.snapshot, table.support, FAR_HAND, outline)
    assert (seen.truth[right.label >= 0] == 1).all()


@pytest.mark.parametrize(
    ('prompt', 'words'),
    [
        ({'pixel': (2.0, 2.0)}, 'nothing is near the click'),
        ({'pixel': (400.0, 20.0)}, 'outside the image; expected a pixel of 320 x 240'),
        ({'point': (0.0, 0.3, 0.3)}, 'nothing is near the click.* choose a frame'),
        ({'box': (0.0, 0.0, 3.0, 3.0)}, 'selects 0 points.* draw it around the object'),
        ({'region': ((1.0, 1.0, 1.0), (2.0, 2.0, 2.0))}, 'selects 0 points'),
        ({'mask': 'black.png'}, 'selects 0 points.* draw it around the object'),
        ({'mask': 'gone.png'}, r'cannot read the mask .*gone\.png'),
        ({'mask': 'text.png'}, r'cannot read the mask .*text\.png'),
        ({'mask': 'small.png'}, r'small\.png is 5 x 4 pixels; expected 320 x 240'),
        ({'mask': '../black.png'}, 'leads out of'),
        ({'mask': '/etc/hostname'}, 'leads out of'),
        ({'mask': 'a\0b'}, 'is no path below'),
    ],
)
def test_prompts_that_select_nothing_say_so(seen, tmp_path, prompt, words):
    Image.new('L', (320, 240)).save(tmp_path / 'black.png')
    Image.new('L', (5, 4)).save(tmp_path / 'small.png')
    (tmp_path / 'text.png').write_text('no picture')
    with pytest.raises(R2RGenError, match=words):
        seen.choose(tmp_path, **prompt)


def test_a_bomb_of_a_picture_is_refused(tmp_path, monkeypatch):
    Image.new('L', (320, 240)).save(tmp_path / 'big.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 320 * 240 // 3)
    with pytest.raises(R2RGenError, match='cannot read the mask'):
        read_mask(tmp_path / 'big.png', (240, 320))


def test_an_empty_table_offers_nothing(table, tmp_path):
    depth, _ = table.draw(table.camera, table.pose, [])
    demo = table.make_demo([Frame(depth)] * 2)
    candidates = find_candidates(0, Snapshot.take(demo, 0), table.support, FAR_HAND)
    assert candidates.objects == ()
    note = ObjectNote('thing', Prompt(pixel=(140.0, 130.0)))
    with pytest.raises(R2RGenError, match='nothing stands on the support'):
        select(demo, note, candidates, tmp_path)


def test_clouds_are_prompted_as_images_are(seen, table, tmp_path):
    demo = table.make_demo([table.cloud_frame(seen.snapshot.points)] * 2)
    candidates = find_candidates(0, Snapshot.take(demo, 0), table.support, FAR_HAND)
    v, u = np.argwhere(seen.owner == 1).mean(axis=0)
    note = ObjectNote('thing', Prompt(pixel=(float(u), float(v))))
    assert good_match(seen, select(demo, note, candidates, tmp_path), 1)


def test_a_cloud_that_repeats_its_points_still_falls_into_clusters(seen, table, tmp_path):
    few = seen.snapshot.points[seen.truth >= 0][::3]
    demo = table.make_demo([table.cloud_frame(np.repeat(few, 2, axis=0))] * 2)
    candidates = find_candidates(0, Snapshot.take(demo, 0), table.support, FAR_HAND)
    assert (candidates.label >= -1).all()
    assert candidates.radius > 0.0


def test_without_a_camera_pixels_mean_nothing(seen, table, tmp_path):
    from dataclasses import replace

    demo = table.make_demo([table.cloud_frame(seen.snapshot.points)] * 2)
    blind = replace(demo, sensor=None)
    candidates = find_candidates(0, Snapshot.take(blind, 0), table.support, FAR_HAND)
    for prompt in ({'pixel': (140.0, 130.0)}, {'box': (0.0, 0.0, 9.0, 9.0)}, {'mask': 'a.png'}):
        with pytest.raises(R2RGenError, match='camera_info'):
            select(blind, ObjectNote('thing', Prompt(**prompt)), candidates, tmp_path)
    chosen = select(
        blind, ObjectNote('thing', Prompt(point=tuple(middle(1).tolist()))), candidates, tmp_path
    )
    assert good_match(seen, chosen, 1)


def test_a_noisy_table_is_no_object(table):
    rng = np.random.default_rng(0)
    truth, owner = table.draw(table.camera, table.pose, BOXES)
    noise = 0.005
    frames = [
        Frame((truth + noise * truth**2 * rng.normal(size=truth.shape)).astype(np.float32))
        for _ in range(12)
    ]
    ground = survey(table.make_demo(frames), table.support)
    assert ground.background.noise == pytest.approx(noise, rel=0.2)
    found = ground.candidates(0)
    assert found.objects == (0, 1)
    mine = owner.reshape(-1)[found.snapshot.index]
    for k in (0, 1):
        assert (mine[found.label == k] == mine[found.label == k][0]).mean() > 0.97
        assert (found.label[mine == mine[found.label == k][0]] == k).mean() > 0.7
    assert np.isin(found.label[mine == -1], [0, 1]).mean() < 0.002
