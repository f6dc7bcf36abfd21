# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who holds what, and what is pushed: blocks moved about a drawn table by hands of known paths."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.annotation import ObjectNote, Prompt
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.parse.propose import propose
from r2rgen_ros.parse.scene import survey

RED, BLUE = (-0.15, 0.0, 0.03), (0.15, 0.05, 0.03)
OPEN, CLOSED = 0.08, 0.03
SIZE = np.array([0.05, 0.05, 0.06])
_HAND = np.array([0.015, 0.015, 0.06])


@dataclass
class Hand:
    """One hand: places (T, 3) and readings of its gripper."""

    start: tuple[float, float, float] = (0.0, 0.0, 0.3)
    width: float = OPEN
    places: list = field(default_factory=list)
    widths: list = field(default_factory=list)

    def __post_init__(self):
        self.wait(2, self.start)

    def wait(self, frames, place=None):
        here = np.asarray(self.places[-1] if place is None else place)
        self.places += [here] * frames
        self.widths += [self.width] * frames
        return len(self.places) - 1

    def go(self, place, frames=10):
        """Move with least jerk from rest to rest; return the frame of the arrival."""
        t = np.arange(1, frames + 1) / frames
        share = t**3 * (10 - 15 * t + 6 * t**2)
        here, there = np.asarray(self.places[-1]), np.asarray(place, dtype=float)
        self.places += list(here + share[:, None] * (there - here))
        self.widths += [self.width] * frames
        return len(self.places) - 1

    def grip(self, width, frames=4):
        """Close or open in place; return the frame in which that is done."""
        self.places += [self.places[-1]] * frames
        self.widths += list(np.linspace(self.width, width, frames + 1)[1:])
        self.width = width
        return self.wait(1)


def above(place, height=0.1):
    return np.asarray(place) + np.array([0.0, 0.0, height])


def draw(table, boxes):
    """What `table.draw` returns, but only the pixels around each box are looked at."""
    camera = table.camera
    depth, owner = table.draw(camera, table.pose, [])
    for k, (low, high) in enumerate(boxes):
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3)
        pixels = camera.project(se3.apply(se3.inverse(table.pose), corners))[:, :2]
        u0, v0 = np.clip(np.floor(pixels.min(axis=0)), 0, None).astype(int)
        u1, v1 = np.ceil(pixels.max(axis=0)).astype(int) + 1
        part = PinholeCamera(
            min(u1, camera.width) - u0, min(v1, camera.height) - v0,
            camera.fx, camera.fy, camera.cx - u0, camera.cy - v0,
        )  # fmt: skip
        near, hit = table.draw(part, table.pose, [(low, high)])
        where = (slice(v0, v0 + part.height), slice(u0, u0 + part.width))
        mine = (hit == 0) & (near < depth[where])
        depth[where][mine], owner[where][mine] = near[mine], k
    return depth, owner


def stage(table, starts, hands, moves):
    """A demonstration of blocks, and notes that point at them.

    Args:
        table: The fixture.
        starts: Per block, where its middle is at first.
        hands: The hands.
        moves: (block, first, last, what): what is a hand that carries it, or a place that it is
            moved to evenly.

    """
    count = max(len(hand.places) for hand in hands)
    for hand in hands:
        hand.wait(count - len(hand.places))
    blocks = np.tile(np.asarray(starts, dtype=float)[:, None], (1, count, 1))
    for k, first, last, what in moves:
        if isinstance(what, Hand):
            path = np.array(what.places)[first : last + 1]
            blocks[k, first : last + 1] += path - path[0]
        else:
            share = np.linspace(0.0, 1.0, last - first + 1)[:, None]
            blocks[k, first : last + 1] += share * (np.asarray(what) - blocks[k, first])
        blocks[k, last:] = blocks[k, last]
    frames = []
    colours = np.array([[90, 90, 90], *np.random.default_rng(3).integers(0, 255, (9, 3))], np.uint8)
    for t in range(count):
        boxes = [(place - SIZE / 2, place + SIZE / 2) for place in blocks[:, t]]
        for hand in hands:
            tip = hand.places[t] + np.array([0.0, 0.0, 0.08])
            boxes.append((tip - _HAND / 2, tip + _HAND / 2))
        depth, owner = draw(table, boxes)
        frames.append(Frame(depth, colours[owner + 1]))
    down = np.diag([1.0, -1.0, -1.0])
    paths = [se3.compose(np.tile(down, (count, 1, 1)), np.array(hand.places)) for hand in hands]
    demo = table.make_demo(frames, paths[0], np.array(hands[0].widths))
    names = ('arm',) if len(hands) == 1 else ('left', 'right')
    arms = tuple(
        replace(demo.arms[0], name=name, ee2base=path, gripper=np.array(hand.widths))
        for name, path, hand in zip(names, paths, hands, strict=True)
    )
    notes = [
        ObjectNote(f'block_{k}', Prompt(0, point=tuple(place + SIZE * (0.0, 0.0, 0.5))))
        for k, place in enumerate(blocks[:, 0])
    ]
    return replace(demo, arms=arms), notes, blocks


def proposal(table, starts, hands, moves):
    demo, notes, _ = stage(table, starts, hands, moves)
    return propose(survey(demo, table.support), Path(), notes)


def said(annotation):
    return {skill.name: (skill.targets, skill.in_hand) for skill in annotation.skills}


def carry(hand, start, goal, wait=0):
    """Put a block somewhere; return the frames of hover, closing, lift, over, opening and up."""
    hover = hand.go(above(start))
    hand.go(start, 8)
    closed = hand.grip(CLOSED)
    lift = hand.go(above(start), 8)
    over = hand.go(above(goal))
    hand.wait(wait)
    release = hand.go(goal, 8)
    hand.grip(OPEN)
    up = hand.go(above(goal), 8)
    return hover, closed, lift, over, release, up


def test_an_object_that_comes_along_is_picked_and_placed(table):
    hand = Hand()
    hover, closed, lift, over, release, up = carry(hand, RED, (0.0, 0.2, 0.03))
    hand.go((0, 0, 0.3))
    moves = [(0, closed, release, hand)]
    annotation = proposal(table, [RED, BLUE], [hand], moves)
    assert said(annotation) == {
        'pick block_0': (('block_0',), ()),
        'place block_0': ((), ('block_0',)),
    }
    pick, place = annotation.skills
    frames = (pick.first, pick.last, place.first, place.last)
    assert np.abs(np.subtract(frames, (hover, lift, over, up))).max() <= 1
    ((grasp,),) = [note.grasps for note in annotation.objects if note.grasps]
    assert abs(grasp.first - closed) <= 1
    assert abs(grasp.last - release) <= 1
    assert annotation.notes == ()


def test_a_gripper_that_closes_beside_an_object_or_misses_it_holds_nothing(table):
    hand = Hand()
    beside = np.add(RED, (0.06, 0.0, 0.0))
    carry(hand, beside, (0.0, 0.2, 0.03))
    _, closed, _, _, release, _ = carry(hand, BLUE, np.add(BLUE, (0.0, -0.2, 0.0)))
    annotation = proposal(table, [RED, BLUE], [hand], [(1, closed, release, hand)])
    assert list(said(annotation)) == ['pick block_1', 'place block_1']
    assert annotation.objects[0].grasps == ()
    assert any('no object moves with it' in note for note in annotation.notes)


def test_what_is_in_the_hand_at_first_is_placed_and_not_picked(table):
    hand = Hand(start=(*RED[:2], 0.15), width=CLOSED)
    goal = (0.0, 0.2, 0.03)
    over = hand.go(above(goal))
    release = hand.go(goal, 8)
    hand.grip(OPEN)
    up = hand.go(above(goal), 8)
    block = (*RED[:2], 0.15)
    demo, notes, _ = stage(table, [block, BLUE], [hand], [(0, 0, release, hand)])
    # Without a URDF what is at the hand is taken for the robot, unless a person says otherwise.
    box = Prompt(region=(tuple(np.subtract(block, 0.03)), tuple(np.add(block, 0.03))))
    notes = [replace(notes[0], prompt=box), notes[1]]
    annotation = propose(survey(demo, table.support), Path(), notes)
    (place,) = annotation.skills
    assert (place.name, place.in_hand) == ('place block_0', ('block_0',))
    assert abs(place.first - over) <= 1
    assert abs(place.last - up) <= 1
    assert annotation.objects[0].grasps[0].first == 0


def test_a_gripper_that_is_closed_at_first_need_not_hold_anything(table):
    hand = Hand(width=CLOSED)
    hand.go(above(RED))
    hand.grip(OPEN)
    _, closed, _, _, release, _ = carry(hand, RED, (0.0, 0.2, 0.03))
    annotation = proposal(table, [RED, BLUE], [hand], [(0, closed, release, hand)])
    assert list(said(annotation)) == ['pick block_0', 'place block_0']
    assert len(annotation.objects[0].grasps) == 1


def test_an_object_may_be_grasped_again(table):
    hand, middle, goal = Hand(), (0.0, 0.2, 0.03), (0.1, -0.15, 0.03)
    one = carry(hand, RED, middle)
    two = carry(hand, middle, goal)
    moves = [(0, one[1], one[4], hand), (0, two[1], two[4], hand)]
    annotation = proposal(table, [RED], [hand], moves)
    assert list(said(annotation)) == [
        'pick block_0', 'place block_0', 'pick block_0 (2)', 'place block_0 (2)'
    ]  # fmt: skip
    assert len(annotation.objects[0].grasps) == 2
    firsts = [skill.first for skill in annotation.skills]
    assert np.abs(np.subtract(firsts, (one[0], one[3], two[0], two[3]))).max() <= 2


def test_a_block_on_a_block_is_placed_at_it(table):
    hand = Hand()
    _, closed, _, _, release, _ = carry(hand, RED, np.add(BLUE, (0.0, 0.0, 0.06)))
    annotation = proposal(table, [RED, BLUE], [hand], [(0, closed, release, hand)])
    assert said(annotation)['place block_0 at block_1'] == (('block_1',), ('block_0',))


def test_two_hands_act_at_the_same_time(table):
    left, right = Hand(start=(-0.2, 0.0, 0.3)), Hand(start=(0.2, 0.0, 0.3))
    one = carry(left, RED, (-0.2, 0.25, 0.03))
    two = carry(right, BLUE, (0.2, -0.2, 0.03), wait=3)
    moves = [(0, one[1], one[4], left), (1, two[1], two[4], right)]
    annotation = proposal(table, [RED, BLUE], [left, right], moves)
    own = {arm: [s.name for s in annotation.skills if s.arm == arm] for arm in ('left', 'right')}
    assert own == {
        'left': ['pick block_0', 'place block_0'],
        'right': ['pick block_1', 'place block_1'],
    }


def test_a_hand_takes_over_what_another_holds(table):
    left, right = Hand(start=(-0.2, 0.0, 0.3)), Hand(start=(0.3, 0.1, 0.3))
    meet, goal = np.array((0.0, 0.1, 0.2)), np.array((0.25, 0.2, 0.03))
    left.go(above(RED))
    left.go(RED, 8)
    taken = left.grip(CLOSED)
    left.go(above(RED), 8)
    there = left.go(meet, 12)
    aside = np.array((0.0, 0.0, 0.02))
    right.wait(there - len(right.places) + 3)
    right.go(meet + aside, 10)
    over = right.grip(CLOSED)
    left.wait(over - len(left.places) + 3)
    left.grip(OPEN)
    free = left.go((-0.2, 0.0, 0.3))
    right.wait(free - len(right.places) + 1)
    begin = len(right.places) - 1
    right.go(above(goal) + aside, 12)
    release = right.go(goal + aside, 8)
    right.grip(OPEN)
    right.go(above(goal, 0.2), 8)
    moves = [(0, taken, there, left), (0, begin, release, right)]
    annotation = proposal(table, [RED], [left, right], moves)
    (note,) = annotation.objects
    assert [grasp.arm for grasp in note.grasps] == ['left', 'right']
    assert note.grasps[0].last < note.grasps[1].first
    own = {arm: [s for s in annotation.skills if s.arm == arm] for arm in ('left', 'right')}
    assert {arm: [skill.name for skill in skills] for arm, skills in own.items()} == {
        'left': ['pick block_0', 'give block_0'],
        'right': ['take block_0', 'place block_0'],
    }
    (_, give), (take, _) = own['left'], own['right']
    assert (give.targets, give.in_hand) == ((), ('block_0',))
    assert (take.targets, take.in_hand) == (('block_0',), ())
    # It waits where they meet until the other has it: what one gives, the other takes meanwhile.
    assert abs(give.first - there) <= 2
    assert take.first < give.last


def test_hands_that_lift_together_pick_and_place_as_one(table):
    left, right = Hand(start=(-0.2, 0.0, 0.3)), Hand(start=(0.2, 0.0, 0.3))
    wide = np.array((0.06, 0.0, 0.0))
    for hand, side in ((left, -1.0), (right, 1.0)):
        at, goal = np.array(RED) + side * wide, np.array((0.0, 0.25, 0.03)) + side * wide
        hand.go(above(at))
        hand.go(at, 8)
        taken = hand.grip(CLOSED)
        hand.go(above(at), 8)
        hand.go(above(goal), 12)
        hand.go(goal, 8)
        release = hand.grip(OPEN)
        hand.go(above(goal), 8)
        hand.go((side * 0.2, 0.0, 0.3))
    annotation = proposal(table, [RED], [left, right], [(0, taken, release, left)])
    assert {(s.name, s.arm, s.targets, s.in_hand) for s in annotation.skills} == {
        ('pick block_0 (left)', 'left', ('block_0',), ()),
        ('pick block_0 (right)', 'right', ('block_0',), ()),
        ('place block_0 (left)', 'left', (), ('block_0',)),
        ('place block_0 (right)', 'right', (), ('block_0',)),
    }


def test_an_object_that_moves_before_a_closed_hand_is_pushed(table):
    hand = Hand(width=CLOSED)
    behind = np.add(RED, (-0.06, 0.0, 0.0))
    hover = hand.go(above(behind))
    down = hand.go(behind, 8)
    end = hand.go(behind + np.array((0.14, 0.0, 0.0)), 14)
    up = hand.go(above(hand.places[-1]), 8)
    hand.go((0, 0, 0.3))
    hand.wait(8)
    goal = np.add(RED, (0.12, 0.0, 0.0))
    annotation = proposal(table, [RED, BLUE], [hand], [(0, down + 3, end, goal)])
    assert said(annotation) == {'push block_0': (('block_0',), ())}
    (push,) = annotation.skills
    assert abs(push.first - hover) <= 3
    assert abs(push.last - up) <= 3
    assert any('is pushed' in note for note in annotation.notes)


def test_tracked_paths_say_what_is_held_and_what_is_pushed(table):
    hand = Hand()
    one = carry(hand, RED, (0.0, 0.2, 0.03))
    behind = np.add(BLUE, (-0.06, 0.0, 0.0))
    hand.go(above(behind))
    down = hand.go(behind, 8)
    end = hand.go(behind + np.array((0.1, 0.0, 0.0)), 12)
    hand.go(above(hand.places[-1]), 8)
    goal = np.add(BLUE, (0.08, 0.0, 0.0))
    moves = [(0, one[1], one[4], hand), (1, down + 3, end, goal)]
    demo, notes, blocks = stage(table, [RED, BLUE], [hand], moves)

    class Tracked:
        def __init__(self, places):
            self.poses = np.tile(np.eye(4), (len(places), 1, 1))
            self.poses[:, :3, 3] = places

    paths = [Tracked(places) for places in blocks]
    annotation = propose(survey(demo, table.support), Path(), notes, paths)
    assert list(said(annotation)) == ['pick block_0', 'place block_0', 'push block_1']


@pytest.mark.parametrize('kept', [True, False])
def test_what_is_held_to_the_end_is_brought_there(table, kept):
    hand = Hand()
    hand.go(above(RED))
    hand.go(RED, 8)
    closed = hand.grip(CLOSED)
    hand.go(above(RED, 0.06), 8)
    if kept:
        hand.go((0.1, 0.2, 0.1))
    end = len(hand.places) - 1
    annotation = proposal(table, [RED], [hand], [(0, closed, end, hand)])
    assert next(iter(said(annotation))) == 'pick block_0'
    assert len(annotation.skills) == 1 + kept
