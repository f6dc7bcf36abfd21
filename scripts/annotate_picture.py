# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes docs/images/annotate-ui.png: the annotator's page, seen by a browser without a window.

    .venv/bin/python scripts/annotate_picture.py [DEMO]

Without a demonstration, the virtual robot records one. Needs Chromium (scripts/browser.sh).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from r2rgen_ros.page.site import open_site
from r2rgen_ros.simulate.record import record

PICTURE = Path(__file__).resolve().parent.parent / 'docs' / 'images' / 'annotate-ui.png'
SIZE = {'width': 1400, 'height': 780}
FRAME = 55
LONG_MS = 600_000
STEP = 8
OPTIONS = ('--headless', '--no-sandbox', '--disable-gpu', '--enable-unsafe-swiftshader')


def main() -> None:
    """Record, or copy, a demonstration, open the page on it, and take its picture."""
    browser = shutil.which('chromium') or shutil.which('google-chrome')
    if browser is None:
        sys.exit('there is no Chromium; to fix: bash scripts/browser.sh')
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        demo = Path(folder) / 'place_bottle'
        if len(sys.argv) > 1:
            shutil.copytree(sys.argv[1], demo, ignore=shutil.ignore_patterns('annotation*'))
        else:
            record('place-bottle', 0, demo)
        with open_site(demo, demo / 'annotation.yaml', port=0) as (_, address):
            context = playwright.chromium.launch_persistent_context(
                Path(folder) / 'browser',
                executable_path=browser,
                args=OPTIONS,
                headless=True,
                viewport=SIZE,
            )
            page = context.new_page()
            page.set_default_timeout(LONG_MS)
            page.goto(address)
            _annotate(page)
            page.screenshot(path=PICTURE)
            context.close()
    # Fewer shades make a smaller file; a palette would take away the thin lines' colours.
    with Image.open(PICTURE) as picture:
        picture.convert('RGB').point(lambda shade: min(255, STEP * round(shade / STEP))).save(
            PICTURE, optimize=True
        )


def _annotate(page: Page) -> None:
    """Name the objects with clicks, wait for the proposal, go to a frame in the middle of it."""
    picture = page.locator('img[src^="blob:"]').first
    for name, (across, down) in {'bottle': (0.377, 0.642), 'plate': (0.614, 0.667)}.items():
        field = page.locator('label', has_text='Name').first
        field.locator('xpath=ancestor::*[.//input][1]//input').fill(name)
        box = picture.bounding_box()
        assert box is not None
        picture.click(position={'x': across * box['width'], 'y': down * box['height']})
        page.get_by_role('status').filter(has_text=f'"{name}" was clicked').wait_for()
    page.get_by_role('status').filter(has_text='Skills: 2').wait_for()
    field = page.locator('label', has_text='Frame').first
    field.locator('xpath=ancestor::*[.//input][1]').locator('input:visible').fill(str(FRAME))
    # What a browser without a graphics card is told is of no interest here.
    for button in page.locator('button.mantine-Notification-closeButton').all():
        button.click()
    page.wait_for_timeout(20_000)


if __name__ == '__main__':
    main()
