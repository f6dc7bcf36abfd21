# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Awkward recordings end in a sensible scene or in one clear line.

The virtual robot's bottle and plate, recorded again with less in it: holes for glass, a smaller
image, no beginning, no robot description.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from scipy.ndimage import binary_dilation, distance_transform_edt

from r2rgen_ros.bags.load import load_demo
from r2rgen_ros.bags.selection import select_streams
from r2rgen_ros.generate.config import GenerateConfig
from r2rgen_ros.generate.job import Job
from r2rgen_ros.generate.session import find_annotation
from r2rgen_ros.geometry import se3
from r2rgen_ros.model.annotation_file import read_annotation
from r2rgen_ros.model.scene import FIRST_OBJECT, IN_HAND, RELEASED, UNTOUCHED
from r2rgen_ros.parse.cache import FOLDER, cached_scene
from r2rgen_ros.parse.robot import robot_of
from r2rgen_ros.parse.workbench import Workbench
from r2rgen_ros.simulate import panda
from r2rgen_ros.simulate.ground_truth import GroundTruth

DEPTH = '/camera/aligned_depth_to_color/image_raw'
COLOUR = '/camera/color/image_raw'
INFO = ('/camera/aligned_depth_to_color/camera_info', '/camera/color/camera_info')
DESCRIPTION = '/robot_description'
LATCHED = ('/tf_static', DESCRIPTION)
BOTTLE, PLATE = FIRST_OBJECT, FIRST_OBJECT + 1
EVERY = 4
START_IN_HAND = 46
ONLY_START = (90, 60, 370, 480)
"""Left, top, right and bottom of an image in which the plate, where the bottle goes, is not."""


def copied(source, target, depth=None, crop=None, first=0, without=()):
    """Copy a recording with fewer and other images.

    Args:
        source: Its folder.
        target: Folder of the copy.
        depth: Called with frame and depth image; returns another one.
        crop: Left, top, right and bottom of what is kept of the images.
        first: Frame of the source that the copy begins with.
        without: Topics that are left out.

    """
    with AnyReader([source]) as reader, Writer(
        target, version=9, storage_plugin=StoragePlugin.MCAP
    ) as writer:  # fmt: skip
        types = reader.typestore
        kept = [link for link in reader.connections if link.topic not in without]
        out = {
            link.topic: writer.add_connection(
                link.topic,
                link.msgtype,
                typestore=types,
                offered_qos_profiles=link.ext.offered_qos_profiles,
            )
            for link in kept
        }
        images = [link for link in kept if link.topic == DEPTH]
        stamps = [logged for _, logged, _ in reader.messages(images)]
        start = stamps[first] - (stamps[1] - stamps[0]) // 2
        count = dict.fromkeys((DEPTH, COLOUR, *INFO), -1)
        for link, logged, raw in reader.messages(kept):
            if link.topic in count:
                count[link.topic] += 1
                if (count[link.topic] - first) % EVERY:
                    continue
            if logged < start:
                if link.topic not in LATCHED:
                    continue
                logged = start
            if link.topic in count and (depth or crop):
                message = types.deserialize_cdr(raw, link.msgtype)
                if link.topic in INFO:
                    changed = message if crop is None else cropped_info(message, crop)
                else:
                    change = depth if link.topic == DEPTH else None
                    changed = other_image(message, count[link.topic], change, crop)
                raw = types.serialize_cdr(changed, link.msgtype)
            writer.write(out[link.topic], logged, raw)
    return target


def other_image(message, frame, change, crop):
    kind, channels = (np.uint16, 1) if message.encoding == '16UC1' else (np.uint8, 3)
    image = message.data.view(kind).reshape(message.height, message.width, channels).copy()
    if change is not None:
        image = change(frame, image[..., 0])[..., None]
    left, top, right, bottom = crop or (0, 0, message.width, message.height)
    image = np.ascontiguousarray(image[top:bottom, left:right])
    height, width = image.shape[:2]
    data = image.reshape(-1).view(np.uint8)
    return replace(message, height=height, width=width, step=len(data) // height, data=data)


def cropped_info(message, crop):
    left, top, right, bottom = crop
    k, p = message.k.copy(), message.p.copy()
    k[[2, 5]] -= left, top
    p[[2, 6]] -= left, top
    return replace(message, width=right - left, height=bottom - top, k=k, p=p)


@pytest.fixture(scope='module')
def truth(virtual_demo):
    return GroundTruth.load(virtual_demo)


@pytest.fixture(scope='module')
def awkward(virtual_demo, truth, tmp_path_factory):
    """Recordings by what is awkward about them, each made once."""
    rng = np.random.default_rng(0)

    def glass(share):
        def change(frame, image):
            mine = (truth.labels[frame] == BOTTLE) & (rng.random(image.shape) < share)
            return np.where(mine, np.uint16(0), image)

        return change

    def seen_through(frame, image):
        mine = binary_dilation(truth.labels[frame] == BOTTLE, iterations=3)
        rows, columns = distance_transform_edt(
            mine, return_distances=False, return_indices=True
        )  # fmt: skip
        return image[rows, columns]

    said = {
        'plain': {},
        'half glass': {'depth': glass(0.5)},
        'glass': {'depth': glass(0.9)},
        'clear glass': {'depth': seen_through},
        'in hand at first': {'first': START_IN_HAND},
        'in hand at first, no URDF': {'first': START_IN_HAND, 'without': (DESCRIPTION,)},
        'no URDF': {'without': (DESCRIPTION,)},
        'leaves the view': {'crop': ONLY_START},
    }
    root = tmp_path_factory.mktemp('awkward')
    made = {}

    def get(what):
        if what not in made:
            made[what] = copied(virtual_demo, root / what.replace(' ', '_'), **said[what])
        return made[what]

    return get


def click(truth, label, frame=0, corner=(0, 0)):
    """The pixel U,V in the midst of what a label covers, in an image with another corner."""
    places = np.argwhere(truth.labels[frame] == label)
    v, u = places[np.linalg.norm(places - np.median(places, axis=0), axis=1).argmin()]
    return f'{u - corner[0]},{v - corner[1]}'


@pytest.mark.parametrize(
    ('what', 'at', 'words'),
    [
        ('plain', '100,400', 'nothing is near .* choose a frame in which'),
        ('glass', 'bottle', 'measures no depth: .* choose a frame'),
        ('clear glass', 'bottle', 'a see-through object may measure as what is behind'),
        ('in hand at first, no URDF', 'bottle', 'touches the robot; .* record /robot_description'),
    ],
)
def test_what_is_not_seen_is_refused_with_what_to_do(r2rgen, awkward, truth, tree, what, at, words):
    folder = awkward(what)
    before = tree(folder)
    first = START_IN_HAND if what.startswith('in hand') else 0
    where = click(truth, BOTTLE, first) if at == 'bottle' else at

    result = r2rgen('annotate', folder, '--auto', '--pixel', f'bottle={where}')

    assert result.is_refusal()
    assert re.search(words, result.err), result.err
    assert '"bottle"' in result.err
    assert tree(folder) == before


def test_a_urdf_file_tells_the_robot_from_what_it_touches(r2rgen, awkward, truth, tmp_path):
    folder = tmp_path / 'demo'
    shutil.copytree(awkward('in hand at first, no URDF'), folder)
    (tmp_path / 'panda.urdf').write_text(panda.description())
    where = f'bottle={click(truth, BOTTLE, START_IN_HAND)}'

    result = r2rgen(
        'annotate', folder, '--auto', '--pixel', where, '--urdf', tmp_path / 'panda.urdf'
    )

    assert result.status == 0, result.err
    assert read_annotation(folder / 'annotation.yaml').sources.urdf == str(tmp_path / 'panda.urdf')
    # What generates has the robot, too: its joints are checked, and change with the hand.
    bag = select_streams([], '', '')
    annotation, place = find_annotation(folder)
    job = Job.prepare(folder, annotation, place, GenerateConfig(), 0, bag)
    assert robot_of(job.scene.demo) is not None
    assert job.info['robot_description']
    assert Workbench.open(folder, folder / 'annotation.yaml').demo.robot_description is not None


@pytest.mark.parametrize(
    ('what', 'skills', 'states'),
    [
        ('half glass', ['pick bottle', 'place bottle'], {UNTOUCHED, IN_HAND, RELEASED}),
        ('no URDF', ['pick bottle', 'place bottle'], {UNTOUCHED, IN_HAND, RELEASED}),
        ('in hand at first', ['place bottle'], {IN_HAND, RELEASED}),
        ('leaves the view', ['pick bottle', 'place bottle'], {UNTOUCHED, IN_HAND, RELEASED}),
    ],
)
def test_what_can_be_parsed_is(r2rgen, awkward, truth, what, skills, states):
    folder = awkward(what)
    first = START_IN_HAND if what.startswith('in hand') else 0
    corner = ONLY_START[:2] if what == 'leaves the view' else (0, 0)
    words = ['--pixel', f'bottle={click(truth, BOTTLE, first, corner)}']
    if what != 'leaves the view':
        words += ['--pixel', f'plate={click(truth, PLATE, first)}']

    result = r2rgen('annotate', folder, '--auto', *words)

    assert result.status == 0, result
    assert 'check: the pose' not in result.out
    demo, annotation = load_demo(folder), read_annotation(folder / 'annotation.yaml')
    assert [' '.join(skill.name.split()[:2]) for skill in annotation.skills] == skills
    scene = cached_scene(demo, annotation, folder, select_streams([], '', ''))
    assert (folder / 'annotation.calibration.png').exists() == (what != 'no URDF')
    assert len([*(folder / FOLDER).glob('*.npz')]) == 1  # it was parsed once
    assert scene.warnings == ()
    item = next(each for each in scene.objects if each.name == 'bottle')
    assert set(item.state.tolist()) == states
    true = truth.object2base[truth.names.index('bottle')]
    true = true[np.searchsorted(truth.stamps, demo.stamps)]
    wanted = true @ se3.inverse(true[0]) @ item.object2base[0]
    error = np.linalg.norm((item.object2base - wanted)[:, :3, 3], axis=1)
    print(f'{what}: {1e3 * np.median(error):.1f} mm, at most {1e3 * error.max():.1f} mm')
    assert error.max() < 0.004
