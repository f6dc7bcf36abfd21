# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A page that is served, and a browser without a window that looks at it."""

from __future__ import annotations

import os
import shutil

import pytest

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
# Nothing that a browser does on its own, and nothing outside this machine.
OPTIONS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--enable-unsafe-swiftshader',
)


@pytest.fixture(scope='session')
def chromium():
    """Path of a Chromium; skips where there is none."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip('no Chromium is installed; to fix: apt-get install chromium')
    return path


@pytest.fixture(scope='session')
def browser(chromium, tmp_path_factory):
    """A browser that has never been used."""
    sync_api = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    # A proxy of the environment is not asked for what is on this machine.
    env = {key: value for key, value in os.environ.items() if 'proxy' not in key.lower()}
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp('browser'),
            executable_path=chromium,
            args=OPTIONS,
            headless=True,
            # Little is left to the 3D view, which is drawn without a graphics card.
            viewport={'width': 1000, 'height': 800},
            env=env,
        )
        yield context
        context.close()
