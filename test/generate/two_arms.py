# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scenes of two arms as they truly are: carried out by the virtual robot, without a camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.annotation import Annotation, Grasp, ObjectNote, Prompt, SupportPlane
from r2rgen_ros.model.demo import Arm, Demo, Frame, Joints
from r2rgen_ros.model.scene import ENVIRONMENT, Scene, SceneObject
from r2rgen_ros.simulate import drivers, record
from r2rgen_ros.simulate.objects import Box
from r2rgen_ros.simulate.world import TABLE_HALF, TABLE_MIDDLE

EVERY = 400
"""Time steps from frame to frame: five frames a second."""
MIDDLE = np.array([*TABLE_MIDDLE, 0.0])
TABLE = MIDDLE + np.array([[x, y, 0.0] for x in (-1, 1) for y in (-1, 1)]) * (*TABLE_HALF, 0.0)


def true_scene(task, seed=100):
    """Returns what was carried out, its truth, and the scene that a perfect parser would find."""
    done = record.act(task, seed, camera_every=EVERY)
    truth = record.truth(done, np.zeros((len(done.frames), 1, 1), dtype=np.uint8))
    rig = done.task.rig
    fingers = [rig.joints.index(arm.finger_joints[0]) for arm in rig.arms]
    arms = tuple(
        Arm(arm.name, arm.tool, path, truth.joints[:, finger])
        for arm, path, finger in zip(rig.arms, truth.hands2base, fingers, strict=True)
    )
    floor = Cloud.from_arrays(MIDDLE + _grid((*TABLE_HALF, 0.0), 0.03))
    demo = Demo(
        task,
        Path(task),
        np.array([drivers.stamp_of(state) for state in done.frames], dtype=np.int64),
        rig.base,
        arms,
        [Frame(cloud=floor)] * len(done.frames),
        joints=Joints(rig.joints, truth.joints),
        robot_description=rig.description,
    )
    held = [_carrier(truth.held_by[:, k]) for k in range(len(truth.names))]
    notes = tuple(
        ObjectNote(name, Prompt(point=tuple(pose[0, :3, 3])), _grasps(carrier, rig))
        for name, pose, carrier in zip(truth.names, truth.object2base, held, strict=True)
    )
    support = SupportPlane(np.array([0.0, 0.0, 1.0]), 0.0, TABLE)
    objects = tuple(
        SceneObject(thing.name, _cloud(thing), pose, carrier)
        for thing, pose, carrier in zip(done.task.things, truth.object2base, held, strict=True)
    )
    labels = tuple(np.full(len(floor), ENVIRONMENT, dtype=np.uint8) for _ in done.frames)
    annotation = Annotation(notes, truth.skills, support, len(demo))
    return done, truth, Scene(demo, annotation, support, objects, floor, labels)


def _carrier(closed):
    """The one hand (T,) that carries what hands (A, T) are closed on: who took it last."""
    out = np.full(closed.shape[1], -1, dtype=np.int8)
    for arm in sorted(range(len(closed)), key=lambda arm: (int(closed[arm].argmax()), -arm)):
        out[closed[arm]] = arm
    return out


def _grasps(carrier, rig):
    found = []
    for place, arm in enumerate(rig.arms):
        frames = np.flatnonzero(carrier == place)
        if frames.size:
            found.append(Grasp(arm.name, int(frames[0]), int(frames[-1])))
    return tuple(sorted(found, key=lambda grasp: grasp.first))


def _cloud(thing):
    parts = [_grid(solid.half, 0.008) + solid.middle for solid in thing.solids]
    assert all(isinstance(solid, Box) for solid in thing.solids)
    return Cloud.from_arrays(np.concatenate(parts))


def _grid(half, spacing):
    axes = [np.linspace(-h, h, max(2, int(2 * h / spacing) + 1)) if h else [0.0] for h in half]
    return np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1).reshape(-1, 3)
