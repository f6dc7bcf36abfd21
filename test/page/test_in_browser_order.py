# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keys that a browser sends faster than they are dealt with do the same as slow ones."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest

from r2rgen_ros.model.annotation_file import dump_annotation, read_annotation

pytest.importorskip('viser')

SOON = 120_000
"""Milliseconds to wait for what takes a moment: much longer than it ever takes."""
PAUSE = 80
"""Milliseconds in which a key is dealt with for certain, unless the machine is very busy."""
KEYS = [*['l', 'i', 'l', 'l', 'o', 'Enter'] * 5, 'z', 'n', 'i', 'l', 'Enter', 'p', 'j', 'p', 'o']
AT_ONCE = """keys => {
  for (const key of keys)
    document.body.dispatchEvent(new KeyboardEvent('keydown', {key, code: key, bubbles: true}));
}"""
READ = """() => Array.from(document.querySelectorAll('label')).map(label => {
  let part = label;
  while (part && !part.querySelector('input')) part = part.parentElement;
  return label.textContent + ': ' + (part ? part.querySelector('input').value : '');
})"""


@pytest.fixture
def opened():
    from r2rgen_ros.page.site import open_site

    with ExitStack() as stack:
        yield lambda demo: stack.enter_context(open_site(demo, demo / 'annotation.yaml', port=0))


def _press(opened, browser, demo, *, at_once):
    """Press all keys, save, and return the skills and what is in the fields."""
    _, address = opened(demo)
    page = browser.new_page()
    page.set_default_timeout(SOON)
    page.goto(address)
    page.locator('img[src^="blob:"]').first.wait_for()
    page.get_by_role('status').filter(has_text='Objects: 2').wait_for()
    page.get_by_text('None yet: mark').wait_for()
    if at_once:
        page.evaluate(AT_ONCE, KEYS)
    else:
        for key in KEYS:
            page.keyboard.press(key)
            page.wait_for_timeout(PAUSE)
    page.keyboard.press('Control+s')
    page.get_by_role('status').filter(has_text='Saved: ').wait_for()
    page.wait_for_timeout(10 * PAUSE)
    fields = page.evaluate(READ)
    page.close()
    return read_annotation(demo / 'annotation.yaml').skills, fields


@pytest.fixture
def without_skills(tabletop, tmp_path):
    """Makes a demonstration whose annotation has objects and no skill."""

    def make(name):
        demo = tabletop.record(tmp_path / name, camera=True)
        file = demo / 'annotation.yaml'
        file.write_text(dump_annotation(replace(read_annotation(file), skills=())))
        return demo

    return make


def test_forty_keys_at_once_end_where_slow_ones_do(opened, without_skills, browser):
    quick = _press(opened, browser, without_skills('quick'), at_once=True)
    slow = _press(opened, browser, without_skills('slow'), at_once=False)
    assert [(each.first, each.last) for each in quick[0]] == [(1, 3), (4, 6), (7, 9), (10, 12)]
    assert quick == slow
