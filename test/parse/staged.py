# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Blocks that are carried, pushed and dropped before a still depth camera; the truth is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from r2rgen_ros.geometry import se3
from r2rgen_ros.geometry.camera import PinholeCamera
from r2rgen_ros.model.annotation import Annotation, Grasp, ObjectNote, Prompt, Skill, SupportPlane
from r2rgen_ros.model.demo import Arm, Demo, Frame, Joints, Sensor
from r2rgen_ros.parse.background import Background
from r2rgen_ros.parse.ground import Ground
from r2rgen_ros.parse.looks import Looks
from r2rgen_ros.parse.registration import Surface
from r2rgen_ros.parse.robot import RobotView

CAMERA = PinholeCamera(320, 240, 300.0, 300.0, 159.5, 119.5)
SUPPORT = SupportPlane(
    np.array([0.0, 0.0, 1.0]),
    0.0,
    np.array([[-0.6, -0.6, 0], [0.6, -0.6, 0], [0.6, 0.6, 0], [-0.6, 0.6, 0]]),
    0.0003,
)
GROWTH = 0.0015

HAND = (
    ((0.10, 0.06, 0.05), (0.0, 0.0, 0.020)),
    ((0.012, 0.02, 0.06), (-0.042, 0.0, -0.030)),
    ((0.012, 0.02, 0.06), (0.042, 0.0, -0.030)),
)
"""Size and place of palm and fingers in the frame of the tool; fingers that never close."""


def urdf():
    """A hand that three rails and a swivel carry."""
    boxes = ''.join(
        f'<visual><origin xyz="{x} {y} {z}"/>'
        f'<geometry><box size="{a} {b} {c}"/></geometry></visual>'
        for (a, b, c), (x, y, z) in HAND
    )
    links = ''.join(f'<link name="{name}"/>' for name in ('base', 'cart', 'bridge', 'mast'))
    limit = '<limit lower="-9" upper="9" effort="1" velocity="1"/>'
    chain = [
        ('x', 'prismatic', 'base', 'cart', '1 0 0'),
        ('y', 'prismatic', 'cart', 'bridge', '0 1 0'),
        ('z', 'prismatic', 'bridge', 'mast', '0 0 1'),
        ('yaw', 'revolute', 'mast', 'tool', '0 0 1'),
    ]
    joints = ''.join(
        f'<joint name="{name}" type="{kind}"><parent link="{up}"/><child link="{down}"/>'
        f'<axis xyz="{axis}"/>{limit}</joint>'
        for name, kind, up, down, axis in chain
    )
    return f'<robot name="gantry">{links}<link name="tool">{boxes}</link>{joints}</robot>'


def at(x, y, z, yaw=0.0, tilt=0.0):
    """Pose (4, 4), angles in degrees: tilted about x, then turned about z."""
    turn = se3.rotation_about([0, 0, 1], np.deg2rad(yaw)) @ se3.rotation_about(
        [1, 0, 0], np.deg2rad(tilt)
    )
    return se3.compose(turn, [x, y, z])


def between(*poses_at):
    """Path (T, 4, 4) through (frame, pose) pairs, from frame 0; the last pose's frame ends it."""
    frames = [frame for frame, _ in poses_at]
    poses = np.stack([pose for _, pose in poses_at])
    return se3.interpolate(poses, np.interp(np.arange(frames[-1] + 1), frames, range(len(frames))))


def looking_down(distance=0.7, tilt=0.7):
    forward = np.array([0.0, np.sin(tilt), -np.cos(tilt)])
    right = np.array([1.0, 0.0, 0.0])
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    return se3.compose(rotation, -distance * forward)


@dataclass(frozen=True)
class Block:
    """A box of a size (3,) metres whose centre goes along a path (T, 4, 4)."""

    size: tuple[float, float, float]
    path: np.ndarray

    def surface(self, camera2base, frame=0, spacing=0.003):
        """Points and outward normals, own frame, of the faces that the camera sees."""
        half = np.array(self.size) / 2
        eye = (se3.inverse(self.path[frame]) @ camera2base)[:3, 3]
        points, normals = [], []
        for axis in range(3):
            for sign in (-1.0, 1.0):
                if sign * eye[axis] <= half[axis]:
                    continue
                others = [k for k in range(3) if k != axis]
                ticks = [np.arange(-half[k], half[k] + 1e-9, spacing) for k in others]
                grid = np.stack(np.meshgrid(*ticks, indexing='ij'), axis=-1).reshape(-1, 2)
                face = np.zeros((len(grid), 3))
                face[:, others], face[:, axis] = grid, sign * half[axis]
                points.append(face)
                normals.append(np.eye(3)[[axis] * len(grid)] * sign)
        return Surface(np.concatenate(points), np.concatenate(normals))


@dataclass
class Stage:
    """Blocks on a table at z = 0, and a hand that nobody sees.

    Attributes:
        blocks: The objects.
        hand: (T, 4, 4) path of the end effector.
        extras: Blocks that are no objects: what occludes, or a person.
        robot: 'unseen', 'seen' for a hand that the camera sees, or 'known' with its URDF too.
        growth: Noise of the depth at 1 m.
        spoil: Called with frame and depth, to make holes.

    """

    blocks: list
    hand: np.ndarray | None = None
    extras: list = field(default_factory=list)
    robot: str = 'unseen'
    growth: float = GROWTH
    seed: int = 0
    spoil: object = None
    camera: PinholeCamera = CAMERA
    pose: np.ndarray = field(default_factory=looking_down)

    def __post_init__(self):
        self.count = len(self.blocks[0].path)
        if self.hand is None:
            self.hand = np.tile(at(0, 0, 1.0), (self.count, 1, 1))
        if self.robot != 'unseen':
            self.extras = [
                *self.extras,
                *(Block(size, self.hand @ se3.compose(np.eye(3), place)) for size, place in HAND),
            ]
        self.rays = self.camera.rays() @ self.pose[:3, :3].T
        self._seen = {}

    def exact(self, blocks, frame):
        """Depth (H, W) and owner (H, W), -1 for the table, without noise."""
        depth = -self.pose[2, 3] / self.rays[..., 2]
        depth[depth < 0] = np.inf
        owner = np.full(depth.shape, -1)
        for k, block in enumerate(blocks):
            base2block = se3.inverse(block.path[frame])
            origin = se3.apply(base2block, self.pose[None, :3, 3])[0]
            rays = self.rays @ base2block[:3, :3].T
            half = np.array(block.size) / 2
            with np.errstate(divide='ignore', invalid='ignore'):
                one, two = (-half - origin) / rays, (half - origin) / rays
            enter, leave = np.minimum(one, two).max(axis=-1), np.maximum(one, two).min(axis=-1)
            hit = (enter < leave) & (enter > 0.0) & (enter < depth)
            depth[hit], owner[hit] = enter[hit], k
        depth[~np.isfinite(depth)] = np.nan
        return depth, owner

    def seen(self, frame):
        """Depth (H, W) float32 with noise, and the true owner (H, W)."""
        if frame not in self._seen:
            depth, owner = self.exact([*self.blocks, *self.extras], frame)
            rng = np.random.default_rng([self.seed, frame])
            depth = depth + rng.normal(0.0, self.growth, depth.shape) * depth**2
            if self.spoil is not None:
                depth = self.spoil(frame, depth, owner, rng)
            self._seen[frame] = depth.astype(np.float32), owner
        return self._seen[frame]

    def demo(self):
        frames = []
        for frame in range(self.count):
            depth, owner = self.seen(frame)
            colour = np.array([[120, 120, 120], [200, 40, 40], [40, 200, 40], [40, 40, 200]])
            frames.append(Frame(depth, colour[(owner + 1) % 4].astype(np.uint8)))
        known = self.robot == 'known'
        yaw = np.arctan2(self.hand[:, 1, 0], self.hand[:, 0, 0])
        where = np.column_stack([self.hand[:, :3, 3], yaw])
        return Demo(
            'staged', Path('staged'), np.arange(self.count) * 100_000_000, 'base',
            (Arm('arm', 'tool', self.hand, np.zeros(self.count)),), frames,
            Sensor('camera', self.camera, np.tile(self.pose, (self.count, 1, 1))),
            Joints(('x', 'y', 'z', 'yaw'), where) if known else None,
            urdf() if known else None,
        )  # fmt: skip

    def looks(self):
        """What `follow` asks for, before the true environment."""
        depth, _ = self.exact([], 0)
        grey = np.full((*depth.shape, 3), 120, np.uint8)
        behind = Background(depth.astype(np.float32), grey, max(self.growth, 1e-4))
        demo = self.demo()
        view = RobotView.of(demo) if self.robot == 'known' else None
        return Looks(Ground(demo, None, SUPPORT, behind, view), behind)

    def pixel(self, block, frame=0, offset=(0.0, 0.0, 0.0)):
        """Pixel (u, v) of the middle of a block's top."""
        top = np.array([0.0, 0.0, self.blocks[block].size[2] / 2]) + offset
        point = se3.apply(self.blocks[block].path[frame], top[None])
        return tuple(self.camera.project(se3.apply(se3.inverse(self.pose), point))[0, :2].tolist())

    def annotation(self, grasps=(), frames=None, pixels=None):
        """One click per block; grasps: per block, (first, last) pairs."""
        notes = []
        for k in range(len(self.blocks)):
            frame = 0 if frames is None else frames[k]
            pixel = self.pixel(k, frame) if pixels is None else pixels[k]
            spans = grasps[k] if k < len(grasps) else ()
            notes.append(
                ObjectNote(
                    f'block {k}',
                    Prompt(frame, pixel=pixel),
                    tuple(Grasp('arm', first, last) for first, last in spans),
                )
            )
        skill = Skill('all of it', 0, self.count - 1, ('block 0',))
        return Annotation(tuple(notes), (skill,), frames=self.count)


def carried(slip=None, drop=None, size=(0.06, 0.05, 0.08), **stage):
    """A block taken, turned, and put down elsewhere: 30 frames, in the hand from 8 to 26.

    Args:
        slip: (first frame, frames, metres down, degrees about z) in the hand.
        drop: (frame, pose) from which it lies somewhere else; it falls in the frame before.
        size: Of the block.
        stage: For `Stage`.

    """
    hand = between(
        (0, at(-0.1, 0, 0.3)), (6, at(-0.1, 0, 0.1)), (10, at(-0.1, 0, 0.1)),
        (14, at(-0.1, 0, 0.2)), (21, at(0.12, 0.05, 0.2, 30)), (24, at(0.12, 0.05, 0.1, 30)),
        (27, at(0.12, 0.05, 0.1, 30)), (29, at(0.12, 0.05, 0.3, 30)),
    )  # fmt: skip
    path = np.tile(at(-0.1, 0, 0.04, 10), (30, 1, 1))
    in_hand = se3.inverse(hand[8]) @ path[8]
    for frame in range(8, 27):
        path[frame] = hand[frame] @ in_hand
        if slip is not None:
            first, frames, down, turn = slip
            share = np.clip((frame - first) / frames, 0.0, 1.0)
            path[frame] = hand[frame] @ at(0, 0, -down * share, turn * share) @ in_hand
    path[27:] = path[26]
    if drop is not None:
        frame, pose = drop
        path[frame - 1] = se3.interpolate(np.stack([path[frame - 2], pose]), [0.5])[0]
        path[frame:] = pose
    return Stage([Block(size, path)], hand, **stage)


def errors(found, truth):
    """How far (T,) metres and (T,) degrees a path is off, both taken from the first frame on.

    The frame of an object is its own affair: what counts is how it moved.
    """
    own = se3.inverse(truth[0]) @ found[0]
    wanted = truth @ own
    off = np.linalg.norm(found[:, :3, 3] - wanted[:, :3, 3], axis=1)
    return off, np.rad2deg(se3.angle_between(found, wanted))


TOOLS = SimpleNamespace(
    at=at, between=between, Block=Block, Stage=Stage, carried=carried, errors=errors,
    support=SUPPORT, camera=CAMERA, growth=GROWTH,
)  # fmt: skip
