# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Things that touch, stand on one another, have holes or lie low: what a click then gives."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.model.annotation import ObjectNote, Prompt, SupportPlane
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.model.scene import FIRST_OBJECT
from r2rgen_ros.parse.foreground import cielab, rising
from r2rgen_ros.parse.patches import find_patches
from r2rgen_ros.parse.prompts import find_candidates, select
from r2rgen_ros.parse.scene import survey
from r2rgen_ros.parse.segment import merge
from r2rgen_ros.parse.snapshot import Snapshot
from r2rgen_ros.simulate.ground_truth import GroundTruth

FAR_HAND = np.array([[0.0, 0.0, 1.0]])
WOOD, RED, BLUE, CREAM = (160, 120, 80), (200, 40, 30), (40, 60, 170), (230, 225, 200)
SLAB, BLOCK = ((-0.1, -0.1, 0.0), (0.1, 0.1, 0.02)), ((-0.03, -0.03, 0.02), (0.03, 0.03, 0.1))
LEFT, RIGHT = ((-0.07, -0.03, 0.0), (0.0, 0.03, 0.07)), ((0.0, -0.01, 0.0), (0.07, 0.05, 0.07))


@pytest.fixture(scope='module')
def seen(table):
    """What the camera sees of coloured boxes, with holes and noise if wanted."""

    def get(boxes, colours, noise=0.0, holes=None):
        depth, owner = table.draw(table.camera, table.pose, boxes)
        colour = np.array([*colours, WOOD], dtype=np.uint8)[owner]
        rng = np.random.default_rng(7)
        depth = (depth + noise * depth**2 * rng.standard_normal(depth.shape)).astype(np.float32)
        if holes is not None:
            depth[holes(owner)] = np.nan
        demo = table.make_demo([Frame(depth, colour)] * 2)
        snapshot = Snapshot.take(demo, 0)
        lift = 3.0 * noise * 0.9
        found = find_candidates(0, snapshot, table.support, FAR_HAND, None, lift)
        truth = owner.reshape(-1)[snapshot.index]
        return SimpleNamespace(demo=demo, owner=owner, truth=truth, found=found, lift=lift)

    return get


def middle(mask):
    """The pixel (u, v) of a mask nearest to the median of its pixels."""
    places = np.argwhere(mask)
    v, u = places[np.linalg.norm(places - np.median(places, axis=0), axis=1).argmin()]
    return float(u), float(v)


def clicks(seen_):
    count = int(seen_.owner.max()) + 1
    return [ObjectNote(f'{k}', Prompt(pixel=middle(seen_.owner == k))) for k in range(count)]


def overlaps(seen_, notes, others):
    """How well what each note selects agrees with the truth."""
    out = []
    for k, note in enumerate(notes):
        chosen = np.zeros(len(seen_.truth), dtype=bool)
        chosen[select(seen_.demo, note, seen_.found, Path(), others)] = True
        mine = seen_.truth == k
        out.append((chosen & mine).sum() / (chosen | mine).sum())
    return np.array(out)


@pytest.mark.parametrize('noise', [0.0, 0.002])
def test_a_block_on_a_slab_is_two_things(seen, noise):
    stacked = seen([SLAB, BLOCK], [BLUE, RED], noise)
    assert len(stacked.found.objects) == 2
    assert (overlaps(stacked, clicks(stacked), ()) > 0.95).all()


@pytest.mark.parametrize('boxes', [(SLAB, BLOCK), (LEFT, RIGHT)])
def test_two_clicks_part_what_has_one_colour(seen, boxes):
    alike = seen(list(boxes), [CREAM, CREAM])
    assert len(alike.found.objects) == 1
    notes = clicks(alike)
    # Where nothing tells them apart, on the tops that are level, the nearer click decides.
    assert (overlaps(alike, notes, notes) > 0.85).all()


def test_two_clicks_part_what_differs_in_colour_alone(seen):
    flush = ((0.0, -0.03, 0.0), (0.07, 0.03, 0.07))
    beside = seen([LEFT, flush], [RED, BLUE])
    assert len(beside.found.objects) == 1
    notes = clicks(beside)
    assert (overlaps(beside, notes, notes) > 0.97).all()


def test_clicks_in_other_frames_do_not_compete(seen):
    beside = seen([LEFT, RIGHT], [CREAM, CREAM])
    first, second = clicks(beside)
    later = ObjectNote('later', Prompt(frame=1, pixel=second.prompt.pixel))
    whole = select(beside.demo, first, beside.found, Path())
    np.testing.assert_array_equal(
        select(beside.demo, first, beside.found, Path(), [first, later]), whole
    )


def test_a_print_does_not_part_a_box(seen, table):
    printed = seen([LEFT], [CREAM])
    colour = printed.demo.frames[0].colour.copy()
    u, v = (int(value) for value in middle(printed.owner == 0))
    colour[v - 8 : v + 8, u - 8 : u + 8] = BLUE
    demo = table.make_demo([Frame(printed.demo.frames[0].depth, colour)] * 2)
    found = find_candidates(0, Snapshot.take(demo, 0), table.support, FAR_HAND)
    assert len(found.objects) == 1


def test_two_identical_things_take_one_click_each(seen):
    twins = [((x, 0.0, 0.0), (x + 0.05, 0.05, 0.06)) for x in (-0.06, 0.01)]
    near = seen(twins, [CREAM, CREAM])
    assert (overlaps(near, clicks(near), ()) > 0.97).all()


def test_a_gap_that_shows_the_table_parts_things(seen):
    twins = [((x, 0.0, 0.0), (x + 0.05, 0.05, 0.01)) for x in (-0.06, 0.0)]
    near = seen(twins, [CREAM, CREAM])
    assert len(near.found.objects) == 2


def test_a_hole_does_not_part_a_thing(seen):
    def band(owner):
        out = owner == 0
        u, _ = middle(out)
        columns = np.arange(owner.shape[1])
        return out & (np.abs(columns - u) < 4)

    holed = seen([LEFT], [CREAM], holes=band)
    assert len(holed.found.objects) == 1
    assert (holed.found.label[holed.truth == 0] == 0).mean() > 0.97


def test_a_click_on_what_has_no_depth_says_so(seen):
    glass = seen([LEFT, ((0.1, 0.0, 0.0), (0.15, 0.05, 0.06))], [CREAM, RED],
                 holes=lambda owner: owner == 0)  # fmt: skip
    with pytest.raises(R2RGenError, match=r'measures no depth: \d+ % of the pixels'):
        select(glass.demo, clicks(glass)[0], glass.found, Path())


@pytest.mark.parametrize('kind', ['box', 'mask'])
def test_what_is_drawn_around_glass_says_so(seen, tmp_path, kind):
    glass = seen([LEFT, ((0.1, 0.0, 0.0), (0.15, 0.05, 0.06))], [CREAM, RED],
                 holes=lambda owner: owner == 0)  # fmt: skip
    v, u = np.nonzero(glass.owner == 0)
    Image.fromarray((glass.owner == 0).astype(np.uint8) * 255).save(tmp_path / 'glass.png')
    edges = tuple(float(edge) for edge in (u.min() - 3, v.min() - 3, u.max() + 3, v.max() + 3))
    prompt = Prompt(box=edges) if kind == 'box' else Prompt(mask='glass.png')
    with pytest.raises(R2RGenError, match=r'\d+ % of the pixels in it have no depth'):
        select(glass.demo, ObjectNote('glass', prompt), glass.found, tmp_path)


@pytest.mark.parametrize('noise', [0.0, 0.002])
def test_objects_reach_down_to_their_foot(seen, table, noise):
    alone = seen([LEFT, ((0.1, -0.05, 0.0), (0.2, 0.05, 0.006))], [BLUE, CREAM], noise)
    high = rising(alone.found.snapshot, table.support, None, alone.lift)
    for k in (0, 1):
        assert high[alone.truth == k].mean() > 0.98
    assert high[alone.truth == -1].mean() < 0.002


def test_a_table_drawn_up_at_a_foot_is_told_by_its_colour(seen, table):
    alone = seen([LEFT], [BLUE])
    snapshot = alone.found.snapshot
    # Stereo matching draws the table within some pixels of a thing up to it.
    near = snapshot.points[alone.truth == 0]
    low, top = near[:, :2].min(axis=0) - 0.006, near[:, :2].max(axis=0) + 0.006
    fringe = (alone.truth == -1) & ((snapshot.points[:, :2] > low) &
                                    (snapshot.points[:, :2] < top)).all(axis=1)  # fmt: skip
    points = snapshot.points.copy()
    points[fringe, 2] += 0.005
    drawn = Snapshot(points, snapshot.colours, snapshot.index, snapshot.shape)
    high = rising(drawn, table.support)
    assert fringe.sum() > 50
    assert high[fringe].mean() < 0.1
    assert high[alone.truth == 0].mean() > 0.98


def test_a_box_around_a_part_leaves_out_the_rest(seen):
    stacked = seen([SLAB, BLOCK], [CREAM, CREAM])
    v, u = np.nonzero(stacked.owner == 1)
    note = ObjectNote('block', Prompt(box=(u.min() - 1, v.min() - 1, u.max() + 1, v.max() + 1)))
    chosen = select(stacked.demo, note, stacked.found, Path())
    assert (stacked.truth[chosen] == 1).mean() > 0.9
    assert np.isin(np.flatnonzero(stacked.truth == 1), chosen).mean() > 0.95


def test_what_the_robot_touches_is_an_object_where_the_robot_is_known(seen, table):
    touching = seen([LEFT, RIGHT], [CREAM, RED])
    hand = np.array([[0.035, 0.02, 0.08]])
    snapshot = touching.found.snapshot
    assert find_candidates(0, snapshot, table.support, hand).objects == ()
    known = find_candidates(0, snapshot, table.support, hand, robot_mask=touching.truth == 1)
    (thing,) = known.objects
    assert (touching.truth[known.label == thing] == 0).all()


def test_two_clicks_part_a_cloud(seen, table):
    alike = seen([LEFT, RIGHT], [CREAM, RED])
    rng = np.random.default_rng(3)
    few = np.sort(rng.choice(np.flatnonzero(alike.truth >= 0), 600, replace=False))
    points, colours = alike.found.snapshot.points[few], alike.found.snapshot.colours[few]
    snapshot = Snapshot(points, colours, np.arange(len(few)), (len(few),))
    plane = SupportPlane(table.support.normal, 0.0, table.support.outline)
    found = find_candidates(0, snapshot, plane, FAR_HAND)
    truth = alike.truth[few]
    notes = [
        ObjectNote(f'{k}', Prompt(point=tuple(np.median(points[truth == k], axis=0).tolist())))
        for k in (0, 1)
    ]
    assert len(found.objects) == 1
    for k in (0, 1):
        chosen = np.zeros(len(few), dtype=bool)
        chosen[select(alike.demo, notes[k], found, Path(), notes)] = True
        mine = truth == k
        assert (chosen & mine).sum() / (chosen | mine).sum() > 0.9


def test_regions_clicked_on_for_two_objects_never_merge(seen):
    single = seen([LEFT], [CREAM])
    chosen = np.flatnonzero(single.truth == 0)
    patches = find_patches(single.found.snapshot, chosen, 0.012)
    assert len(np.unique(merge(patches, {}, 80))) == 1
    seeds = {0: 1, len(patches) - 1: 2, len(patches) // 2: 1}
    region = merge(patches, seeds, 80)
    assert len({int(region[0]), int(region[len(patches) - 1])}) == 2
    np.testing.assert_array_equal(region, merge(patches, seeds, 80))


def test_colours_are_those_of_the_standard():
    lab = cielab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0]], dtype=np.uint8))
    np.testing.assert_allclose(lab, [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]], atol=0.05)


@pytest.mark.parametrize('which', ['virtual_demo', 'bridge_demo'])
@pytest.mark.parametrize('frame', [0, -1])
def test_one_click_on_each_finds_all_of_the_virtual_robots_objects(which, frame, request):
    folder = request.getfixturevalue(which)
    demo, truth = load_demo(folder), GroundTruth.load(folder)
    frame %= len(demo)
    found = survey(demo).candidates(frame)
    masks = [truth.labels[frame] == FIRST_OBJECT + k for k in range(len(truth.names))]
    notes = [
        ObjectNote(name, Prompt(frame=frame, pixel=middle(mask)))
        for name, mask in zip(truth.names, masks, strict=True)
    ]
    for note, mask in zip(notes, masks, strict=True):
        chosen = np.zeros(mask.size, dtype=bool)
        chosen[found.snapshot.index[select(demo, note, found, folder, notes)]] = True
        value = (chosen & mask.ravel()).sum() / (chosen | mask.ravel()).sum()
        print(f'{which} {frame} {note.name}: IoU {value:.3f}')
        assert value > 0.95
