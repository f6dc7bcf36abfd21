# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `r2rgen annotate` leaves: all of the new or all of the old."""

from __future__ import annotations

import shutil
import signal
import time

import numpy as np
import pytest
import yaml
from PIL import Image

from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation_file import read_annotation
from r2rgen_ros.parse.cache import FOLDER

RED, PLATE = (0.4, -0.15, 0.05), (0.5, 0.15, 0.02)
POINTS = ('--point', 'red=0.4,-0.15,0.05', '--point', 'plate=0.5,0.15,0.02')


@pytest.fixture
def demo(tabletop, tmp_path):
    """An annotated demonstration with a camera and a picture of an older annotation."""
    folder = tabletop.record(tmp_path / 'demo', camera=True)
    (folder / 'annotation.png').write_bytes(b'old picture')
    return folder


def _mask(tabletop, file, place):
    """A binary image of a disc around a place."""
    at = se3.apply(se3.inverse(tabletop.camera2base()), np.array([place]))
    u, v = tabletop.CAMERA.project(at)[0, :2]
    rows, columns = np.mgrid[: tabletop.CAMERA.height, : tabletop.CAMERA.width]
    inside = np.hypot(columns - u, rows - v) < 40
    file.parent.mkdir(exist_ok=True)
    Image.fromarray((255 * inside).astype(np.uint8)).save(file)
    return file


def test_the_old_annotation_is_kept_beside_the_new_one(r2rgen, demo):
    old = (demo / 'annotation.yaml').read_bytes()

    result = r2rgen('annotate', demo, '--auto', '--again', *POINTS)

    assert result.status == 0
    assert (demo / 'annotation.1.yaml').read_bytes() == old
    assert 'the old annotation is now' in result.out
    assert (demo / 'annotation.png').read_bytes() != b'old picture'
    again = r2rgen('annotate', demo, '--from', demo / 'annotation.1.yaml', '--again')
    assert again.status == 0
    assert read_annotation(demo / 'annotation.yaml') is not None
    assert (demo / 'annotation.2.yaml').exists()


def test_masks_of_one_name_are_all_kept(r2rgen, demo, tabletop, tmp_path):
    red = _mask(tabletop, tmp_path / 'a' / 'mask.png', RED)
    plate = _mask(tabletop, tmp_path / 'b' / 'mask.png', PLATE)
    (demo / 'masks').mkdir()
    (demo / 'masks' / 'mask.png').write_bytes(b'of something else')

    words = ('--mask', f'red={red}', '--mask', f'plate={plate}')
    result = r2rgen('annotate', demo, '--auto', '--again', *words)

    assert result.status == 0
    notes = read_annotation(demo / 'annotation.yaml').objects
    assert [note.prompt.mask for note in notes] == ['masks/mask_2.png', 'masks/mask_3.png']
    assert (demo / 'masks' / 'mask_2.png').read_bytes() == red.read_bytes()
    assert (demo / 'masks' / 'mask_3.png').read_bytes() == plate.read_bytes()
    assert (demo / 'masks' / 'mask.png').read_bytes() == b'of something else'
    # What lies in the folder is enough to parse it.
    shutil.rmtree(red.parent)
    assert r2rgen('annotate', demo).status == 0


def test_a_refusal_leaves_no_mask_behind(r2rgen, demo, tabletop, tmp_path, tree):
    mask = _mask(tabletop, tmp_path / 'mask.png', (0.1, 0.45, 0.0))
    before = tree(demo)

    assert r2rgen('annotate', demo, '--auto', '--again', '--mask', f'red={mask}').is_refusal()

    assert tree(demo) == before
    assert not (demo / 'masks').exists()


def test_a_picture_that_cannot_be_written_leaves_all_as_it_was(r2rgen, demo, tree):
    (demo / 'annotation.png').unlink()
    (demo / 'annotation.png').mkdir()
    before = tree(demo)

    assert r2rgen('annotate', demo, '--auto', '--again', *POINTS).is_refusal()

    found = tree(demo)
    assert {name: data for name, (_, data) in found.items()} == {
        name: data for name, (_, data) in before.items()
    }


def test_ctrl_c_leaves_the_old_or_the_new(start, demo, tree):
    """Whenever it comes: at moments spread over a whole run."""
    kept = shutil.copytree(demo, demo.with_name('kept') / demo.name)
    old = (kept / 'annotation.yaml').read_bytes()
    clock = time.monotonic()
    assert start('annotate', kept, '--auto', '--again', *POINTS).wait() == 0
    whole = time.monotonic() - clock
    new, picture = ((kept / f'annotation.{ending}').read_bytes() for ending in ('yaml', 'png'))
    for share in (0.5, 0.7, 0.85, 0.95):
        twin = shutil.copytree(demo, demo.with_name(f'twin{share}') / demo.name)
        before = tree(twin)

        process = start('annotate', twin, '--auto', '--again', *POINTS)
        time.sleep(share * whole)
        process.send_signal(signal.SIGINT)
        process.communicate()

        assert process.returncode in (0, 130, -signal.SIGINT)
        if tree(twin) != before:
            assert (twin / 'annotation.yaml').read_bytes() == new
            assert (twin / 'annotation.1.yaml').read_bytes() == old
            assert (twin / 'annotation.png').read_bytes() == picture
        assert {path.name for path in twin.glob('.*')} <= {FOLDER}


def test_without_skills_it_says_where_to_mark_them(r2rgen, demo):
    said = yaml.safe_load((demo / 'annotation.yaml').read_text())
    (demo / 'annotation.yaml').write_text(yaml.safe_dump({**said, 'skills': []}))

    result = r2rgen('annotate', demo)

    assert result.status == 0
    assert f'r2rgen annotate {demo} --ui, and mark them' in result.out
    assert 'r2rgen generate' not in result.out
