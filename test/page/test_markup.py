# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names are shown as they are, whatever is in them."""

from __future__ import annotations

import pytest

from r2rgen_ros.model.annotation import ObjectNote, Prompt, Skill
from r2rgen_ros.page import markup

NAME = '<script>"cup" & \'dish\'</script>'


@pytest.mark.parametrize(
    'text',
    [
        markup.message(NAME, is_bad=True),
        markup.message('', doing=(NAME, None)),
        markup.objects([ObjectNote(NAME, Prompt(pixel=(1.0, 2.0)))]),
        markup.skills([Skill(NAME, 1, 2, (NAME,), ('b',), NAME)], shows_arm=True),
        markup.checks([NAME]),
        markup.timeline([Skill(NAME, 1, 2, ())], ['arm'], 5, 2, (1, 3)),
    ],
)
def test_no_name_becomes_markup(text):
    assert '<script' not in text
    assert '&lt;script&gt;' in text


def test_the_bar_of_a_skill_spans_its_frames():
    bar = markup.timeline([Skill('pour', 25, 74, ())], ['arm'], 100, 0, None)
    assert 'left:25.00%;width:50.00%' in bar


@pytest.mark.parametrize(('share', 'width'), [(0.25, '25.0%'), (-1.0, '0.0%'), (7.0, '100.0%')])
def test_what_is_under_way_is_as_long_as_its_share(share, width):
    assert f'left:0;width:{width}' in markup.message('Welcome.', doing=('Parsing', share))
