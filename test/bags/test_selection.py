# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from r2rgen_ros.bags.selection import select_streams
from r2rgen_ros.bags.streams import StreamSelection
from r2rgen_ros.model.errors import R2RGenError


def test_words_choose_topics_and_frames():
    words = ['depth=/d', 'gripper=/left', 'gripper=/right']
    assert select_streams(words, 'base', 'left=l, right=r') == StreamSelection(
        depth='/d',
        gripper=('/left', '/right'),
        base_frame='base',
        end_effectors=(('left', 'l'), ('right', 'r')),
    )
    assert select_streams() == StreamSelection()


@pytest.mark.parametrize('word', ['depth', 'depth=', 'sound=/s', '=/d', ''])
def test_words_that_choose_nothing_are_refused(word):
    with pytest.raises(R2RGenError, match='ROLE=TOPIC'):
        select_streams([word])
