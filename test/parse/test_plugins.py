# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plug-ins as other packages install them: real modules with a real dist-info folder."""

from __future__ import annotations

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.demo import Frame
from r2rgen_ros.model.errors import R2RGenError
from r2rgen_ros.parse import plugins

MODULE = '''
import numpy as np


class Bright:
    """Masks what is as bright as the pixel that was clicked on."""

    name = 'bright'

    def masks(self, colour, depth, prompts):
        grey = colour.mean(axis=2)
        colour[:] = 0  # what is done to the images is nobody else's business
        out = []
        for prompt in prompts:
            if len(prompt) == 2:
                u, v = (int(round(value)) for value in prompt)
                out.append(np.abs(grey - grey[v, u]) < 10)
            else:
                u0, v0, u1, v1 = (int(round(value)) for value in prompt)
                mask = np.zeros(grey.shape, dtype=bool)
                mask[v0:v1 + 1, u0:u1 + 1] = True
                out.append(mask)
        return out


class Still:
    name = 'still'

    def track(self, demo, cloud, start, frame):
        return np.tile(start, (len(demo), 1, 1)), np.zeros(len(demo))


def make_bright():
    return Bright()


class Answers:
    """Answers whatever it is given to all questions."""

    name = 'wayward'

    def __init__(self, answer):
        self.answer = answer

    def _say(self, *arguments):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    masks = track = _say


wayward = Answers(None)
nameless = type('Nameless', (), {'masks': lambda *a: None})()
number = 3


def broken():
    raise ImportError('no CUDA device')
'''

ENTRIES = """
[r2rgen_ros.mask_sources]
bright = bright_masks:Bright
made = bright_masks:make_bright
broken = bright_masks:broken
lost = bright_masks_that_are_gone:Masks

[r2rgen_ros.trackers]
still = bright_masks:Still
"""


@pytest.fixture
def package(install):
    """The module of a package that offers plug-ins, installed as pip would."""
    return install({'bright_masks.py': MODULE}, ENTRIES, 'bright_masks')


@pytest.fixture
def image():
    """Two squares, one bright and one dim, before black."""
    colour = np.zeros((20, 30, 3), dtype=np.uint8)
    colour[2:8, 3:9], colour[10:18, 12:20] = 250, 120
    return colour, np.ones((20, 30), dtype=np.float32)


@pytest.mark.parametrize(
    'name', ['bright', 'made', 'bright_masks:Bright', 'bright_masks:make_bright']
)
def test_a_mask_source_is_found_by_its_name_or_place(package, image, name):
    source = plugins.mask_source(name)
    assert isinstance(source, plugins.MaskSource)
    first, second = plugins.ask_masks(source, *image, [(5, 5), (12.0, 10.0, 19.0, 17.0)])
    np.testing.assert_array_equal(first, image[0][..., 0] == 250)
    np.testing.assert_array_equal(second, image[0][..., 0] == 120)
    assert image[0].max() == 250


def test_a_tracker_is_found_and_asked(package, table):
    demo = table.make_demo([table.cloud_frame(np.zeros((3, 3)))] * 5)
    poses, residual = plugins.ask_tracker(
        plugins.tracker('still'), demo, Cloud.empty(), np.eye(4), 0
    )
    assert poses.shape == (5, 4, 4)
    assert residual.shape == (5,)


def test_what_is_installed_is_listed(package):
    assert list(plugins.installed(plugins.MASK_SOURCES)) == ['bright', 'broken', 'lost', 'made']
    with pytest.raises(R2RGenError, match='no mask source "sam9"; installed: bright, broken, lost'):
        plugins.mask_source('sam9')
    with pytest.raises(R2RGenError, match='no tracker "bright"; installed: still'):
        plugins.tracker('bright')


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('broken', r'"broken" \(bright_masks:broken\) cannot be loaded: ImportError: no CUDA'),
        ('lost', 'cannot be loaded: ModuleNotFoundError'),
        ('bright_masks:gone', 'cannot be loaded: AttributeError'),
        ('bright_masks:Still', 'has no method "masks"'),
        ('bright_masks:number', 'cannot be loaded: TypeError'),
        ('bright_masks:nameless', 'has no name'),
        (':', 'cannot be loaded'),
    ],
)
def test_what_cannot_be_used_says_why(package, name, words):
    with pytest.raises(R2RGenError, match=words):
        plugins.mask_source(name)


@pytest.mark.parametrize(
    ('answer', 'words'),
    [
        (MemoryError('48 GiB'), '"wayward" failed: MemoryError: 48 GiB'),
        (None, 'returned a NoneType; expected a sequence of masks'),
        ([], 'returned 0 masks; expected 1'),
        (
            [np.zeros((5, 5), bool)],
            r'returned an array \(5, 5\) of bool; expected a mask \(20, 30\)',
        ),
        ([np.zeros((20, 30))], 'of float64; expected a mask .* of bool'),
        ([[[True], [True, False]]], 'returned a list'),
    ],
)
def test_masks_that_are_none_name_their_source(package, image, answer, words):
    with pytest.raises(R2RGenError, match=words):
        plugins.ask_masks(package.Answers(answer), *image, [(5, 5)])


def test_poses_in_single_precision_become_rigid(package, table):
    demo = table.make_demo([table.cloud_frame(np.zeros((3, 3)))] * 5)
    turn = se3.compose(se3.rotation_about([0.6, 0.0, 0.8], 1.0), [0.1, 0.2, 0.3])
    start = turn.astype(np.float32).astype(np.float64)
    assert not se3.is_transform(start, 1e-9)
    poses, _ = plugins.ask_tracker(package.Still(), demo, Cloud.empty(), start, 0)
    assert se3.is_transform(poses, 1e-9)
    np.testing.assert_allclose(poses[3], turn, atol=1e-6)


EYES = np.tile(np.eye(4), (2, 1, 1))


@pytest.mark.parametrize(
    ('answer', 'words'),
    [
        (ValueError('diverged'), 'tracker "wayward" failed: ValueError: diverged'),
        (EYES, r'returned an array \(2, 4, 4\) of float64; expected a pair'),
        (None, 'returned a NoneType; expected a pair'),
        ((EYES[:1], np.zeros(2)), r'poses of shape \(1, 4, 4\); expected \(2, 4, 4\)'),
        ((EYES, np.zeros(3)), r'residuals of shape \(3,\)'),
        ((2.0 * EYES, np.zeros(2)), 'not rigid'),
        ((np.full_like(EYES, np.nan), np.zeros(2)), 'not rigid'),
        ((EYES, [0.0, -1.0]), 'below zero'),
        ((EYES, ['far', 'near']), 'no numbers'),
    ],
)
def test_tracks_that_are_none_name_their_tracker(package, table, answer, words):
    demo = table.make_demo([Frame(np.ones((240, 320), np.float32))] * 2)
    with pytest.raises(R2RGenError, match=words):
        plugins.ask_tracker(package.Answers(answer), demo, Cloud.empty(), np.eye(4), 0)
