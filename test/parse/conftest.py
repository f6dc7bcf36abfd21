# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small table seen by a still camera, drawn by intersecting rays: the truth is known exactly."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module, util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import SupportPlane
from r2rgen_ros.model.demo import Arm, Demo, Frame, Sensor

_spec = util.spec_from_file_location('simulated', Path(__file__).parents[1] / 'simulated.py')
_simulated = util.module_from_spec(_spec)
_spec.loader.exec_module(_simulated)
virtual_demo = _simulated.virtual_demo
_spec = util.spec_from_file_location('staged', Path(__file__).with_name('staged.py'))
_staged = util.module_from_spec(_spec)
sys.modules[_spec.name] = _staged  # dataclasses look their own module up
_spec.loader.exec_module(_staged)

CAMERA = PinholeCamera(320, 240, 300.0, 300.0, 159.5, 119.5)


class Noisy:
    """Frames with axial noise of a depth camera, the same at every look."""

    def __init__(self, frames, growth):
        self.frames = frames
        self.growth = growth

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        frame = self.frames[index]
        noise = np.random.default_rng(index).standard_normal(frame.depth.shape)
        depth = frame.depth + self.growth * frame.depth**2 * noise
        return replace(frame, depth=depth.astype(np.float32))


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package that offers plug-ins as pip would, and imports a module of it.

    Takes the text of its modules by path, the text of its entry points, and which module.
    """

    def put(texts, entries, module):
        site = tmp_path / 'site'
        about = site / 'plug_ins-1.0.dist-info'
        texts = {**texts, f'{about.name}/entry_points.txt': entries}
        texts[f'{about.name}/METADATA'] = 'Metadata-Version: 2.1\nName: plug-ins\nVersion: 1.0\n'
        for name, text in texts.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(text)
        monkeypatch.syspath_prepend(str(site))
        return import_module(module)

    yield put
    for name, module in list(sys.modules.items()):
        if str(getattr(module, '__file__', None) or '').startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(scope='session')
def noisy():
    """Gives a demonstration the noise of a depth camera: its deviation at one metre, metres."""
    return lambda demo, growth: replace(demo, frames=Noisy(demo.frames, growth))


def looking_down(tilt=0.5):
    """Camera pose (4, 4): a metre away, looking at the origin of the base, tilted from above."""
    forward = np.array([0.0, np.sin(tilt), -np.cos(tilt)])
    right = np.array([1.0, 0.0, 0.0])
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    return se3.compose(rotation, -forward)


def draw(camera, camera2base, boxes, table=0.0):
    """Depth (H, W) and owner (H, W), -1 for the table, of boxes ((low), (high)) on a table."""
    rays = camera.rays() @ camera2base[:3, :3].T
    origin = camera2base[:3, 3]
    depth = (table - origin[2]) / rays[..., 2]
    owner = np.full(depth.shape, -1)
    for k, (low, high) in enumerate(boxes):
        with np.errstate(divide='ignore', invalid='ignore'):
            one, two = (np.array(low) - origin) / rays, (np.array(high) - origin) / rays
        enter, leave = np.minimum(one, two).max(axis=-1), np.maximum(one, two).min(axis=-1)
        hit = (enter < leave) & (enter > 0.0) & (enter < depth)
        depth[hit], owner[hit] = enter[hit], k
    return depth.astype(np.float32), owner


def make_demo(frames, ee2base=None, gripper=None, camera2base=None, camera=CAMERA):
    """A demonstration of given frames; the hand stands a metre above the table by default."""
    count = len(frames)
    if ee2base is None:
        ee2base = np.tile(se3.compose(np.eye(3), [0.0, 0.0, 1.0]), (count, 1, 1))
    pose = looking_down() if camera2base is None else camera2base
    return Demo(
        'table',
        Path('table'),
        np.arange(count) * 100_000_000,
        'base',
        (Arm('arm', 'tool', ee2base, np.zeros(count) if gripper is None else gripper),),
        frames,
        Sensor('camera', camera, np.tile(pose, (count, 1, 1))),
    )


@pytest.fixture(scope='session')
def table():
    """The tools above, for tests."""
    return SimpleNamespace(
        camera=CAMERA,
        pose=looking_down(),
        draw=draw,
        make_demo=make_demo,
        support=SupportPlane(
            np.array([0.0, 0.0, 1.0]),
            0.0,
            np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]]),
            0.0003,
        ),
        cloud_frame=lambda points: Frame(cloud=Cloud.from_arrays(points)),
    )


@pytest.fixture(scope='session')
def staged():
    """Blocks that are carried, pushed and dropped before a still depth camera."""
    return _staged.TOOLS
