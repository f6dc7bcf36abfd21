# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Better sources that `r2rgen annotate` is given: kept in what is written, or refused at once."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.images import encode_colour, encode_depth
from r2rgen_ros.bags.writer import LATCHED_TF, RELIABLE, SENSOR, TF, BagWriter
from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.annotation import Sources
from r2rgen_ros.model.annotation_file import read_annotation

START, PERIOD = 1_700_000_000_000_000_000, 100_000_000
CAMERA = PinholeCamera(160, 120, 150.0, 150.0, 79.5, 59.5)
ABOVE = se3.compose(np.diag([1.0, -1.0, -1.0]), [0.5, 0.0, 1.0])
BLOCK = np.s_[50:70, 70:90]
HEIGHT = 0.08

ARM = """<robot name="arm">
  <link name="base"/>
  <link name="tool"/>
  <joint name="gripper" type="prismatic">
    <parent link="base"/>
    <child link="tool"/>
    <limit lower="0" upper="1" effort="1" velocity="1"/>
  </joint>
</robot>
"""

PLUG_INS = """
import numpy as np


class High:
    name = 'high'

    def masks(self, colour, depth, prompts):
        return [depth < depth.max() - 0.02 for _ in prompts]


class Still:
    name = 'still'

    def track(self, demo, cloud, start, frame):
        return np.tile(start, (len(demo), 1, 1)), np.full(len(demo), 0.001)
"""


def write_bag(folder, *, block):
    """A table seen from above, with or without a block on it; a hand moves out of view."""
    topics = {
        '/tf_static': (messages.TF, LATCHED_TF),
        '/tf': (messages.TF, TF),
        '/gripper/joint_states': (messages.JOINT_STATE, RELIABLE),
        '/camera/depth/image_raw': (messages.IMAGE, SENSOR),
        '/camera/color/image_raw': (messages.IMAGE, SENSOR),
        '/camera/depth/camera_info': (messages.CAMERA_INFO, SENSOR),
    }
    rng = np.random.default_rng(np.random.SeedSequence([3]))
    with BagWriter(folder) as bag:
        for name, (kind, profile) in topics.items():
            bag.add_topic(name, kind, profile)
        fixed = messages.transform_matrix(START, 'base', 'camera', ABOVE)
        bag.write('/tf_static', START, messages.tf_message([fixed]))
        for number in range(6):
            at = START + number * PERIOD
            depth = 1.0 + rng.normal(0.0, 0.0005, (120, 160)).astype(np.float32)
            colour = np.full((120, 160, 3), 90, np.uint8)
            if block:
                depth[BLOCK] -= HEIGHT
                colour[BLOCK] = (200, 0, 0)
            hand = messages.transform_matrix(
                at, 'base', 'tool', se3.compose(np.eye(3), [0.02 * number, 0.6, 0.8])
            )
            out = {
                '/tf': messages.tf_message([hand]),
                '/gripper/joint_states': messages.joint_state(at, ['gripper'], np.array([0.08])),
                '/camera/depth/image_raw': encode_depth(depth, '32FC1', 'camera', at),
                '/camera/color/image_raw': encode_colour(colour, 'rgb8', 'camera', at),
                '/camera/depth/camera_info': messages.camera_info(at, 'camera', CAMERA),
            }
            for name, message in out.items():
                bag.write(name, at, message)
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A demonstration, an empty capture, a mesh, a folder of meshes, and two plug-ins."""
    write_bag(tmp_path / 'demo', block=True)
    write_bag(tmp_path / 'empty', block=False)
    sides = [(1.0 - HEIGHT) * 20 / 150, (1.0 - HEIGHT) * 20 / 150, HEIGHT]
    trimesh.creation.box(extents=sides).export(tmp_path / 'block.ply')
    (tmp_path / 'arm.urdf').write_text(ARM)
    (tmp_path / 'demo' / 'meshes').mkdir()
    (tmp_path / 'high_plug_ins.py').write_text(PLUG_INS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def options(place):
    """All that can be given, as words."""
    return (
        '--mesh', f'block={place / "block.ply"}', '--empty', place / 'empty',
        '--mesh-folder', place / 'demo' / 'meshes', '--mesh-folder', place / 'demo' / 'meshes',
        '--masks', 'high_plug_ins:High', '--tracker', 'high_plug_ins:Still',
        '--urdf', place / 'arm.urdf',
    )  # fmt: skip


def test_all_that_is_given_is_kept_through_every_later_step(r2rgen, place):
    pixel = ('--pixel', 'block=80,60')

    result = r2rgen('annotate', place / 'demo', '--auto', *pixel, *options(place))

    assert result.status == 0, result.err
    wanted = Sources(
        str(place / 'empty'), ('meshes',), 'high_plug_ins:High', 'high_plug_ins:Still',
        str(place / 'arm.urdf'),
    )  # fmt: skip
    first = read_annotation(place / 'demo' / 'annotation.yaml')
    assert first.sources == wanted
    assert first.objects[0].mesh == str(place / 'block.ply')

    # Checked, and taken over from another file: all is still there.
    assert r2rgen('annotate', place / 'demo').status == 0
    moved = place / 'mine.yaml'
    text = (place / 'demo' / 'annotation.yaml').read_text()
    moved.write_text(text.replace('[meshes]', '[demo/meshes]').replace(f'{place}/', ''))
    result = r2rgen('annotate', place / 'demo', '--from', moved, '--again')
    assert result.status == 0, result.err
    assert (place / 'demo' / 'annotation.yaml').read_text() == text


def test_what_is_given_replaces_what_a_file_says(r2rgen, place):
    r2rgen('annotate', place / 'demo', '--auto', '--pixel', 'block=80,60')
    said = read_annotation(place / 'demo' / 'annotation.yaml')
    assert said.sources == Sources()

    words = ('--from', place / 'demo' / 'annotation.yaml', '--again', '--empty', place / 'empty')
    assert r2rgen('annotate', place / 'demo', *words).status == 0

    found = read_annotation(place / 'demo' / 'annotation.yaml')
    assert found.sources == Sources(str(place / 'empty'))
    assert found.objects == said.objects


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (('--empty', 'demo'), '--empty means nothing without --auto or --from'),
        (('--ui', '--mesh', 'block=block.ply'), '--mesh means nothing without'),
        (('--auto', '--empty', 'nowhere'), 'there is no empty capture nowhere'),
        (('--auto', '--mesh', 'block=cup.ply'), 'there is no mesh cup.ply'),
        (('--auto', '--mesh', 'block.ply'), '--mesh is "block.ply"'),
        (('--auto', '--mesh', 'a=block.ply', '--mesh', 'a=block.ply'), 'names "a" twice'),
        (('--auto', '--mesh', 'cup=block.ply'), 'there is no object "cup"'),
        (('--auto', '--mesh', 'block=high_plug_ins.py'), 'ends in one of'),
        (('--auto', '--mesh-folder', 'block.ply'), 'there is no folder block.ply'),
        (('--auto', '--urdf', 'gone.urdf'), 'gone.urdf is not found'),
        (('--auto', '--urdf', 'package://gone/arm.urdf'), 'package://gone/arm.urdf is not found'),
        (('--auto', '--urdf', 'block.ply'), 'block.ply'),
        (('--urdf', 'arm.urdf'), '--urdf means nothing without --auto or --from'),
        (('--auto', '--masks', 'sam9'), 'there is no mask source "sam9"'),
        (('--auto', '--tracker', 'high_plug_ins:High'), 'has no method "track"'),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    r2rgen, place, tree, monkeypatch, words, said
):
    monkeypatch.chdir(place)
    before = tree(place / 'demo')
    pixel = ('--pixel', 'block=80,60') if '--auto' in words else ()
    result = r2rgen('annotate', 'demo', *pixel, *words)
    assert result.is_refusal()
    assert said in result.err
    assert tree(place / 'demo') == before
