# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the browser writes of a click is read again, and nothing else is."""

from __future__ import annotations

import pytest

from r2rgen_ros.page.browser import SCRIPT, Moment, Pixel, place_of


@pytest.mark.parametrize(
    ('text', 'place'),
    [
        ('pixel 12.50 -0.50@1234.5', Pixel(12.5, -0.5)),
        ('share 0.25000@7', Moment(0.25)),
        ('share 1.2@7', None),
        ('share nan@7', None),
        ('pixel 1 2', None),
        ('pixel 1@3', None),
        ('pixel a b@3', None),
        ('12, 50', None),
        ('', None),
        ('@', None),
    ],
)
def test_what_was_clicked_is_read(text, place):
    assert place_of(text) == place


def test_the_script_stays_within_its_attribute():
    code = SCRIPT.partition('onerror="')[2]
    assert code.count('"') == 1
    assert code.endswith('">')
