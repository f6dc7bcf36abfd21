# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A whole annotation clicked together in a browser, as a person does it."""

from __future__ import annotations

import re
import shutil
from contextlib import ExitStack

import numpy as np
import pytest

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.cli.main import main
from r2rgen_ros.model.annotation_file import read_annotation
from r2rgen_ros.model.scene import FIRST_OBJECT
from r2rgen_ros.page.browser import TIMELINE
from r2rgen_ros.simulate.ground_truth import GroundTruth

pytest.importorskip('viser')

SOON = 120_000
"""Milliseconds to wait for what takes a moment: much longer than it ever takes."""


class Person:
    """What a person sees and does in one tab."""

    def __init__(self, page, address):
        self.page = page
        page.set_default_timeout(SOON)
        page.goto(address)
        page.add_locator_handler(
            page.get_by_text('Software WebGL'),
            lambda: page.locator('button.mantine-Notification-closeButton').first.click(),
        )
        self.picture = page.locator('img[src^="blob:"]').first
        self.picture.wait_for()

    def field(self, label):
        """The input beside a label."""
        beside = self.page.locator('label').filter(has_text=re.compile(f'^{re.escape(label)}$'))
        return beside.locator('xpath=ancestor::*[.//input][1]').locator('input:visible').first

    def has(self, label, value):
        """Wait until a field has a value."""
        sync_api = pytest.importorskip('playwright.sync_api')
        sync_api.expect(self.field(label)).to_have_value(value, timeout=SOON)

    def reads(self, text):
        """Wait until a message is shown."""
        self.page.get_by_role('status').filter(has_text=text).wait_for()

    def lists(self, text):
        """Wait until something is listed."""
        self.page.locator('div').filter(has_text=re.compile(f'^{text}')).first.wait_for()

    def click(self, u, v, name=''):
        """Click on a pixel of the camera."""
        self.field('Name').fill(name)
        width, height = self.picture.evaluate('each => [each.naturalWidth, each.naturalHeight]')
        box = self.picture.bounding_box()
        at = {'x': (u + 0.5) / width * box['width'], 'y': (v + 0.5) / height * box['height']}
        self.picture.click(position=at)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def leave_fields(self):
        """Have keys mean what the legend says."""
        self.page.get_by_text('While you type').click()

    def go(self, frame):
        field = self.field('Frame')
        field.fill(str(frame))
        field.press('Enter')
        self.leave_fields()

    def choose(self, label, option):
        self.field(label).click()
        self.page.get_by_role('option', name=option, exact=True).click()


@pytest.fixture
def demo(virtual_demo, tmp_path):
    return shutil.copytree(virtual_demo, tmp_path / 'demo')


@pytest.fixture
def opened():
    from r2rgen_ros.page.site import open_site

    with ExitStack() as stack:
        yield lambda demo: stack.enter_context(open_site(demo, demo / 'annotation.yaml', port=0))


def _middle(truth, name):
    """A pixel in the middle of what is seen of an object in the first frame."""
    rows, columns = np.nonzero(truth.labels[0] == FIRST_OBJECT + truth.names.index(name))
    k = np.hypot(rows - rows.mean(), columns - columns.mean()).argmin()
    return int(columns[k]), int(rows[k])


def test_a_whole_annotation(opened, demo, browser):
    site, address = opened(demo)
    truth = GroundTruth.load(demo)
    person = Person(browser.new_page(), address)

    # Objects: the proposal under way gives way to clicks; those on nothing are refused.
    person.click(*_middle(truth, 'bottle'), 'bottle')
    person.reads('"bottle" was clicked in frame 0')
    person.click(*_middle(truth, 'plate'), 'plate')
    person.lists('plate pixel in frame 0')
    person.click(5, 5, 'air')
    person.reads('nothing is near the click for "air" in frame 0; expected a click on an object')
    person.click(*_middle(truth, 'plate'))
    person.reads('that is "plate" already')
    person.leave_fields()
    person.reads('Skills: 2')

    # Skills: one is marked with keys, one more is taken back.
    person.go(50)
    person.press('i', 'Shift+L', 'o')
    person.has('End (O)', '60')
    person.field('Skill').fill('carry')
    person.leave_fields()
    person.choose('bottle', 'in hand')
    person.choose('plate', 'target')
    person.page.get_by_role('button', name='Set skill').click()
    person.lists('carry 50.60 plate, bottle in hand')
    person.go(100)
    person.press('i', 'l', 'l', 'o')
    person.has('End (O)', '102')
    person.press('Enter')
    person.lists('skill_1 100.102')
    person.press('z')
    person.reads('taken back: skill "skill_1"')
    assert not site.is_saved

    person.press('Control+s')
    person.reads('Saved: ')
    assert site.is_saved

    said = read_annotation(demo / 'annotation.yaml')
    assert [note.name for note in said.objects] == ['bottle', 'plate']
    assert len(said.skills) == 3
    carry = said.skills[1]
    assert (carry.name, carry.first, carry.last) == ('carry', 50, 60)
    assert (carry.targets, carry.in_hand) == (('plate',), ('bottle',))
    assert (demo / 'annotation.png').exists()
    out = demo.parent / 'dataset'
    assert main(['generate', str(demo), '-o', str(out), '-n', '1', '--workers', '1']) == 0
    assert (out / 'shard_00000' / 'episode_000000').is_dir()


def test_two_tabs_see_the_same_and_either_may_go(opened, tabletop, tmp_path, browser):
    demo = tabletop.record(tmp_path / 'demo', camera=True)
    _, address = opened(demo)
    person, other = (Person(browser.new_page(), address) for _ in range(2))
    person.reads('Objects: 2')
    person.press(' ')
    other.page.get_by_role('button', name='Pause').wait_for()
    other.press(' ')
    person.page.get_by_role('button', name='Play').wait_for()
    # The frame that it stopped at arrives before that, and would be written over what is typed.
    other.page.get_by_role('button', name='Play').wait_for()
    person.page.close()
    other.go(2)
    other.press('i')
    other.has('Start (I)', '2')
    other.press('l')
    other.has('Frame', '3')
    other.press('o')
    other.has('End (O)', '3')
    # Enter leaves a field and, pressed again, sets the skill; so does choosing leave a list.
    other.field('Skill').fill('wait')
    other.field('Skill').press('Enter')
    other.press('Enter')
    other.lists('wait 2.3')
    other.choose('Edit', 'wait')
    other.has('Frame', '2')
    other.press('l')
    other.has('Frame', '3')
    bar = other.page.locator(f'.{TIMELINE}')
    bar.click(position={'x': bar.bounding_box()['width'] - 3, 'y': 5})
    other.has('Frame', str(len(load_demo(demo)) - 1))
    other.press('Control+s')
    other.reads('Saved: ')
    assert read_annotation(demo / 'annotation.yaml').skills[0].name == 'wait'
    assert main(['annotate', str(demo)]) == 0
